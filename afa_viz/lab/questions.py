"""The questions of the guided lab, each about one image and one class, and what may be answered."""

from __future__ import annotations

from dataclasses import dataclass, field

from afa_viz.lab.failures import CAUSES
from afa_viz.trace import Trace


@dataclass(frozen=True)
class Question:
    """One question.

    Attributes:
        name: key of its texts.
        kind: of the answer: "number", "cell" (row, column), "share" (0 to 1) or "choice".
        tab: that shows the answer.
        hides: the first stage that stays hidden until the question is answered, or "".
        needs_truth: whether it needs a ground-truth mask.
        pathology: of the recommended example; "" for the first one.
        needs: parts of `parts.LACKS` that it asks about.
    """

    name: str
    kind: str
    tab: str
    hides: str = ""
    needs_truth: bool = True
    pathology: str = ""
    needs: tuple[str, ...] = ()


QUESTIONS = (
    Question("labels", "number", "cam", hides="cam", needs_truth=False),
    Question("cam", "cell", "cam", hides="cam", needs_truth=False),
    Question("cut", "share", "cam", hides="cam_rw", pathology="context"),
    Question("heads", "choice", "attention", needs=("attention",)),
    Question("affinity", "choice", "affinity", needs_truth=False, needs=("attention", "affinity")),
    Question("walk", "choice", "walk", hides="cam_rw", pathology="leak", needs=("affinity",)),
    Question("par", "choice", "par", needs_truth=False, pathology="leak"),
    Question("regions", "choice", "regions", pathology="crowd"),
    Question("seg", "choice", "seg", hides="seg", pathology="confused", needs=("decoder",)),
    Question("blame", "choice", "seg", hides="target", pathology="context"),
)
CHANGE_OPTIONS = ("rises", "same", "falls")
SYMMETRY_OPTIONS = ("attention", "affinity", "both", "neither")
INCREASE_OPTIONS = ("grows", "purer", "no_purer", "same")


@dataclass(frozen=True)
class Verdict:
    """Whether an answer is correct, the code of the best option ("" without options), and numbers as text."""

    is_correct: bool
    correct_option: str = ""
    facts: dict[str, str] = field(default_factory=dict)


def find_question(name: str) -> Question:
    """A question by its name. Raises: ValueError: for an unknown name."""
    for question in QUESTIONS:
        if question.name == name:
            return question
    raise ValueError(
        f"there is no question {str(name)[:40]!r}; expected one of {', '.join(s.name for s in QUESTIONS)}."
    )


def options(trace: Trace, question: Question) -> tuple[str, ...]:
    """Codes of the options; empty for other kinds of answers."""
    return {
        "heads": tuple(str(head + 1) for head in range(len(trace.logits(-1)) if trace.attn_logits else 0)),
        "affinity": SYMMETRY_OPTIONS,
        "walk": CHANGE_OPTIONS,
        "par": tuple(str(distance) for distance in trace.config.dilations),
        "regions": INCREASE_OPTIONS,
        "seg": CHANGE_OPTIONS,
        "blame": CAUSES,
    }.get(question.name, ())


def missing_part(trace: Trace, question: Question) -> str | None:
    """The first part that a question asks about and the method lacks, see `parts.LACKS`; None where it has all."""
    return next((part for part in question.needs if part in trace.parts.lacks), None)


def is_ready(trace: Trace, question: Question) -> bool:
    """Whether the question can be answered for the image, by a method that has what it asks about."""
    if missing_part(trace, question) is not None:
        return False
    return bool(trace.present) and (not question.needs_truth or trace.target is not None)
