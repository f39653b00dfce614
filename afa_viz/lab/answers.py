"""Checks an answer and its reason: whether they fit the question, and then what the trace says."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from afa_viz.lab.questions import Question, Verdict, find_question, obstacle
from afa_viz.lab.verdicts import options, reasons, verdict
from afa_viz.lab.verdicts_affinity import PAIRS
from afa_viz.trace import Trace

NEEDED = {
    "mask": "needs a ground-truth mask, which this image does not have; choose an example that has one.",
    "labels": "is about a class of the image labels, and this image has none; choose one.",
    "linear_cam": "is about a CAM that a linear classifier makes of features; choose a model that has one.",
    "walk": "is about the random walk, which is switched off; switch it on.",
    "par": "is about PAR, which is switched off; switch it on.",
}


def check(trace: Trace, name: str, answer: Any, label: int, reason: Any = None) -> Verdict:
    """Compare an answer and its reason with what the trace says about the class `label`.

    Args:
        answer: [row, column], a number from 0 to 1, the code of an option, or a list of codes, by the kind of the
            question.
        reason: the code of a reason; None leaves it open.
    Raises: ValueError: for an unknown question, a class that is not in the image, an answer or a reason that does not
        fit, or a question that cannot be asked about the trace. UndecidedError: if the image does not decide it.
    """
    question = find_question(name)
    if label not in trace.present:
        raise ValueError(f"class {label!r} is not in this image; expected one of {list(trace.present)}.")
    missing = obstacle(trace, question)
    if missing in NEEDED:
        raise ValueError(f"{name} {NEEDED[missing]}")
    if missing:
        trace.parts.require(missing)
    _require_answer(trace, question, answer, label)
    offered = reasons(trace, question)
    if reason is not None and (not isinstance(reason, str) or reason not in offered):
        raise ValueError(f"the reason {str(reason)[:40]!r} does not fit {name}; expected one of {', '.join(offered)}.")
    found = verdict(trace, name, label, answer)
    return dataclasses.replace(found, is_reason_correct=None if reason is None else reason in found.correct_reasons)


def _require_answer(trace: Trace, question: Question, answer: Any, label: int) -> None:
    """Raises: ValueError: for an answer that does not fit its question."""
    codes = [] if question.kind in ("cell", "share") else list(options(trace, question, label))
    if question.kind == "choice":
        good = isinstance(answer, str) and answer in codes
    elif question.kind == "share":
        good = type(answer) in (int, float) and math.isfinite(answer) and 0 <= answer <= 1
    elif not isinstance(answer, (list, tuple)):
        good = False
    elif question.kind == "cell":
        good = len(answer) == 2
        good = good and all(type(i) is int and 0 <= i < n for i, n in zip(answer, trace.grid, strict=True))
    elif not all(isinstance(code, str) for code in answer):
        good = False
    elif question.kind == "order":
        good = sorted(answer) == sorted(codes)
    else:
        good = len(answer) == PAIRS and set(answer) <= set(codes)
    if not good:
        raise ValueError(f"the answer {str(answer)[:40]!r} does not fit {question.name}; expected a {question.kind}.")
