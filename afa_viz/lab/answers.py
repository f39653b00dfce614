"""Checks an answer: whether it fits its question, and then what the trace says."""

from __future__ import annotations

import math
from typing import Any

from afa_viz.lab.questions import Question, Verdict, find_question, is_ready, options
from afa_viz.lab.verdicts import VERDICTS
from afa_viz.trace import Trace


def check(trace: Trace, name: str, answer: Any, label: int) -> Verdict:
    """Compare an answer with what the trace says about the class `label`.

    Args:
        answer: an integer, [row, column], a number from 0 to 1 or the code of an option, by the kind of the question.
    Raises: ValueError: for an unknown question, a class that is not in the image, an answer of another kind, or an
        image without the mask that the question needs.
    """
    question = find_question(name)
    if label not in trace.present:
        raise ValueError(f"class {label!r} is not in this image; expected one of {list(trace.present)}.")
    for part in question.needs:
        trace.parts.require(part)
    if not is_ready(trace, question):
        raise ValueError(
            f"{name} needs a ground-truth mask, which this image does not have; choose an example that has one."
        )
    return VERDICTS[name](trace, label, _valid(trace, question, answer))


def _valid(trace: Trace, question: Question, answer: Any) -> Any:
    numbers = {"number": (int,), "share": (int, float)}.get(question.kind)
    if question.kind == "choice":
        good = answer in options(trace, question) if isinstance(answer, str) else False
    elif question.kind == "cell":
        good = isinstance(answer, (list, tuple)) and len(answer) == 2
        good = good and all(type(i) is int and 0 <= i < n for i, n in zip(answer, trace.grid, strict=True))
    else:
        good = (
            type(answer) in (numbers or ()) and math.isfinite(answer) and (question.kind != "share" or 0 <= answer <= 1)
        )
    if not good:
        raise ValueError(f"the answer {str(answer)[:40]!r} does not fit {question.name}; expected a {question.kind}.")
    return answer
