"""Write docs/lab.md: what the lab's questions have for answers on every bundled example and each of its classes.

PYTHONPATH=. python tools/make_lab_page.py
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import afa_viz
from afa_viz import lab
from afa_viz.lab.questions import Question
from afa_viz.trace import Trace
from afa_viz.ui.localization import texts
from afa_viz.ui.server.class_report_page import option_text
from afa_viz.ui.server.options import Options
from afa_viz.ui.sessions.examples import read_examples

OUT = Path(__file__).parents[1] / "docs" / "lab.md"
HEAD = """# Answers of the guided lab

Written by `PYTHONPATH=. python tools/make_lab_page.py` with the bundled model (checkpoint `{checkpoint}`): every
question of the [lab](stages/lab.md) about each of the {cases} classes of the {images} bundled examples. The app does
not contain these answers: each verdict is computed from the image that is shown. Where several answers are equally
good, all of them are right, and the best is listed. The times in “{crf}” were measured on the machine that wrote
them.

“Most frequent” is how often the most frequent answer of a question is right together with its second part.

| question | asked of | different answers | with second parts | most frequent | not asked of |
| --- | --- | --- | --- | --- | --- |
"""
SAMPLES = {"cell": [0, 0], "share": 0.5}  # any answer: every verdict names the right one


def any_answer(trace: Trace, question: Question, label: int) -> object:
    """An answer that fits the question."""
    codes = lab.options(trace, question, label)
    if question.kind in SAMPLES:
        return SAMPLES[question.kind]
    return {"choice": codes[0], "pairs": [codes[0]] * 3, "order": list(codes)}[question.kind]


def right_answer(trace: Trace, question: Question, label: int) -> tuple[str, str]:
    """The best answer and its reason as codes. Raises: lab.UndecidedError: if the image does not decide it."""
    found = lab.check(trace, question.name, any_answer(trace, question, label), label)
    facts = found.facts
    answer = {"cell": lambda: f"row {facts['row']}, column {facts['col']}", "share": lambda: facts["best"]}.get(
        question.kind, lambda: found.correct_option
    )()
    return answer, (found.correct_reasons or ("",))[0]


def page(traces: dict[str, Trace]) -> str:
    """The page, from the traces of the examples by their names."""
    cases = [(name, trace, label) for name, trace in traces.items() for label in trace.present]
    known = texts()
    rows, sections = [], []
    for question in lab.QUESTIONS:
        found: dict[tuple[str, str], list[str]] = defaultdict(list)
        left_out: dict[str, list[str]] = defaultdict(list)
        for name, trace, label in cases:
            case = f"{name} ({trace.class_names[label]})"
            try:
                missing = lab.obstacle(trace, question)
                if not missing:
                    found[right_answer(trace, question, label)].append(case)
            except lab.UndecidedError as error:
                missing = error.code
            if missing:
                left_out[missing].append(case)
        title = known[f"lab.{question.name}.title"]
        asked = sum(map(len, found.values()))
        most = max(map(len, found.values()), default=0)
        why = ", ".join(f"{len(names)} ({code})" for code, names in sorted(left_out.items()))
        answers = len({answer for answer, _ in found})
        rows.append(f"| {title} | {asked} | {answers} | {len(found)} | {most} of {asked} | {why} |\n")
        sections.append(section(known, question, found))
    first = next(iter(traces.values()))
    head = HEAD.format(checkpoint=first.checkpoint_id, cases=len(cases), images=len(traces), crf=known["lab.crf.title"])
    return head + "".join(rows) + "".join(sections)


def section(words: dict[str, str], question: Question, found: dict[tuple[str, str], list[str]]) -> str:
    """One question: its answers, and of which images and classes."""
    name = question.name

    def filled(key: str) -> str:
        return words[key].format_map(defaultdict(lambda: "…", name="the class"))

    def in_words(answer: str) -> str:
        if question.kind in SAMPLES:
            return answer
        codes = answer.split() if question.kind != "choice" else [answer]
        return " → ".join(option_text(words, name, "option", code, "the class") for code in codes)

    lines = (
        f"| {in_words(answer)} | {option_text(words, name, 'reason', reason, 'the class') if reason else ''} "
        f"| {len(names)} | {', '.join(names)} |\n"
        for (answer, reason), names in sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))
    )
    because = filled(f"lab.{name}.because" if f"lab.{name}.because" in words else "lab.because")
    table = "| answer | second part | how often | images and classes |\n| --- | --- | --- | --- |\n"
    return f"\n## {filled(f'lab.{name}.title')}\n\n{filled(f'lab.{name}.task')} {because}\n\n{table}{''.join(lines)}"


def explain_examples() -> dict[str, Trace]:
    """Every bundled example as the app explains it."""
    model = afa_viz.load_model()
    found = {}
    for example in read_examples(Options.examples):
        image = example.read()
        found[example.name] = afa_viz.explain(model, image.image, image.labels, target=image.mask)
    return found


def main() -> None:
    OUT.write_text(page(explain_examples()), encoding="utf-8")
    print(f"wrote docs/{OUT.name}")


if __name__ == "__main__":
    main()
