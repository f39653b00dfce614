"""The Lab tab: questions about one explanation, checks of the answers, and the gallery of failures."""

from __future__ import annotations

from typing import Any

from afa_viz import lab
from afa_viz.figures.typography import format_percent
from afa_viz.trace import Trace
from afa_viz.ui.sessions.examples import Example


def contents(trace: Trace, examples: list[Example]) -> dict[str, Any]:
    """All questions with their options for this trace, and the gallery of failures; no answers. `lack`: the part that a
    question is about, where the method has none.

    `place` is the index of the recommended example in the gallery of examples; without examples none is recommended.
    """
    return {
        "steps": [
            {
                "name": step.name,
                "kind": step.kind,
                "tab": step.tab,
                "hides": step.hides,
                "options": list(lab.options(trace, step)),
                "ready": lab.is_ready(trace, step),
                **({"teacher": lab.decoder_supervision(trace)} if step.name == "seg" else {}),
                **({"lack": lack} if (lack := lab.missing_part(trace, step)) else {}),
                **_place(step.pathology, examples),
            }
            for step in lab.QUESTIONS
        ],
        "failures": [
            {"pathology": failure, **_place(failure, examples)}
            for failure in lab.FAILURES
            if any(example.pathology == failure for example in examples)
        ],
    }


def _place(pathology: str, examples: list[Example]) -> dict[str, Any]:
    """The first example of a pathology that has a mask; if there is none, the first example; {} without examples."""
    if not examples:
        return {}
    fitting = [i for i, e in enumerate(examples) if e.mask_path is not None and e.pathology == pathology and pathology]
    place = fitting[0] if fitting else 0
    return {"place": place, "example": examples[place].name, "title": examples[place].title}


def verdict(trace: Trace, step: object, answer: object, label: object, pathology: str) -> dict[str, Any]:
    """Whether an answer is correct, which option is, and numbers for the texts; all computed from the trace.

    Args:
        pathology: of the explained example, whose numbers are added to the last question; or "".
    Raises: ValueError: for an invalid question, answer or label, since they come from a browser.
    """
    if not isinstance(step, str) or type(label) is not int:
        raise ValueError("a question is identified by its name, and a class by its index.")
    found = lab.check(trace, step, answer, label)
    numbers = lab.measure(trace) if pathology and step == "blame" else {}
    counts = ("cells", "classes")
    facts = {name: f"{value:.0f}" if name in counts else format_percent(value) for name, value in numbers.items()}
    return {
        "right": found.is_correct,
        "truth": found.correct_option,
        "facts": found.facts,
        "failure": {"pathology": pathology, "facts": facts} if facts else None,
    }
