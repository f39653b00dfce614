"""The Lab tab: questions about one explanation, checks of the answers, and the gallery of failures."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from afa_viz import lab
from afa_viz.figures.typography import format_percent
from afa_viz.trace import Trace
from afa_viz.ui.localization import error_message
from afa_viz.ui.sessions.class_report import OTHER, Answered
from afa_viz.ui.sessions.examples import Example

COSTLY = tuple(question.name for question in lab.QUESTIONS if question.costly)
UNDECIDED = {  # code of a `lab.UndecidedError` -> key of its sentence
    "no_pixel": "refused.lab_no_pixel", "absent": "refused.lab_absent", "small": "refused.lab_small",
    "certain": "refused.lab_certain", "agree": "refused.lab_agree",
}  # fmt: skip
LEFT_OUT = "file"  # in the place of what a question needs: a report has no verdicts on it


def contents(trace: Trace, examples: list[Example], left_out: Collection[str] = ()) -> dict[str, Any]:
    """All questions with their options for this trace, and the gallery of failures; no answers.

    `missing`: what a question needs and the trace lacks, see `lab.obstacle`; "" where it can be asked. `of`: options
    and cells by class. `place` is the index of the recommended example in the gallery
    of examples; without examples none is recommended.

    Args:
        left_out: names of questions without verdicts.
    """
    steps = []
    for question in lab.QUESTIONS:
        missing = LEFT_OUT if question.name in left_out else lab.obstacle(trace, question)
        steps.append(
            {
                "name": question.name,
                "kind": question.kind,
                "tab": question.tab,
                "hides": question.hides,
                "missing": missing,
                "reasons": list(lab.reasons(trace, question)),
                **({} if missing else {"of": _of_classes(trace, question)}),
                **({"teacher": lab.decoder_supervision(trace)} if question.name == "seg" else {}),
                **_place(question.pathology, examples),
            }
        )
    return {
        "steps": steps,
        "failures": [
            {"pathology": failure, **_place(failure, examples)}
            for failure in lab.FAILURES
            if any(example.pathology == failure for example in examples)
        ],
    }


def _of_classes(trace: Trace, question: lab.Question) -> dict[str, Any]:
    """Options and cells of a question for every class of the image."""
    return {
        str(label): {
            "options": list(lab.options(trace, question, label)),
            "cells": [list(cell) for cell in lab.cells(trace, question, label)],
        }
        for label in trace.present
    }


def _place(pathology: str, examples: list[Example]) -> dict[str, Any]:
    """The first example of a pathology that has a mask; if there is none, the first example; {} without examples."""
    if not examples:
        return {}
    fitting = [i for i, e in enumerate(examples) if e.mask_path is not None and e.pathology == pathology and pathology]
    place = fitting[0] if fitting else 0
    return {"place": place, "example": examples[place].name, "title": examples[place].title}


def verdict(
    trace: Trace, step: object, answer: object, label: object, pathology: str, reason: object = None
) -> dict[str, Any]:
    """Whether an answer is correct, which option and which reasons are, and numbers for the texts.

    All of it is computed from the trace. Where the image does not decide the question: {"refused": a sentence}.

    Args:
        pathology: of the explained example, whose numbers are added to the last question; or "".
        reason: is checked alone; the verdict is the same for all of them.
    Raises: ValueError: for an invalid question, answer, reason or label, since they come from a browser.
    """
    if not isinstance(step, str) or type(label) is not int:
        raise ValueError("a question is identified by its name, and a class by its index.")
    try:
        found = lab.check(trace, step, answer, label, reason)
    except lab.UndecidedError as error:
        return {"refused": error_message(UNDECIDED[error.code])}
    numbers = lab.measure(trace) if pathology and step == "blame" else {}
    counts = ("cells", "classes")
    facts = {name: f"{value:.0f}" if name in counts else format_percent(value) for name, value in numbers.items()}
    return {
        "right": found.is_correct,
        "truth": found.correct_option,
        "reasons": list(found.correct_reasons),
        "facts": found.facts,
        "failure": {"pathology": pathology, "facts": facts} if facts else None,
    }


def answered(
    found: dict[str, Any], image_id: str, trace: Trace, step: str, answer: object, label: int, reason: str | None
) -> Answered | None:
    """What the class report counts of a verdict; None where there is none.

    Photographs of visitors are counted together, and answers that are no option by whether they are right.
    """
    if "refused" in found:
        return None
    kind, _, name = image_id.partition(":")
    return Answered(
        question=step,
        image=name if kind in ("example", "data") else OTHER,
        class_name=trace.class_names[label] if kind in ("example", "data") else OTHER,
        answer=answer if isinstance(answer, str) else "",
        is_right=found["right"],
        reason=reason or "",
        is_reason_right=reason in found["reasons"],
    )
