"""The questions of the guided lab, each about one image and one class: what may be answered, and with which reasons."""

from __future__ import annotations

from dataclasses import dataclass, field

from afa_viz.lab.failures import CAUSES
from afa_viz.trace import Trace

CHANGE_OPTIONS = ("rises", "same", "falls")
CHANGE_REASONS = ("fills", "cleans", "leaks", "loses", "little")  # what most changed pixels are, see `changes.py`
PLACE_REASONS = ("border", "inside", "background")  # where most of some pixels are, see `changes.py`
PAIR_CODES = ("positive", "negative", "ignored")
RADII = (1, 2, 4, 8)  # of the question "window", beside "all"


@dataclass(frozen=True)
class Question:
    """One question.

    Attributes:
        name: key of its texts.
        kind: of the answer: "cell" (row, column), "share" (0 to 1), "choice", "pairs" (a code of `PAIR_CODES` for each
            of three pairs of cells) or "order" (all options in an order).
        tab: that shows the answer.
        reasons: codes of the reasons, one of which is chosen beside the answer.
        hides: the first stage that stays hidden until the question is answered, or "".
        needs_truth: whether it needs a ground-truth mask.
        pathology: of the recommended example; "" for the first one.
        needs: parts of `parts.LACKS` that it asks about.
        options: codes of the options; () where they depend on the trace or there are none.
        costly: whether the verdict takes seconds on a large image.
    """

    name: str
    kind: str
    tab: str
    reasons: tuple[str, ...]
    hides: str = ""
    needs_truth: bool = True
    pathology: str = ""
    needs: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    costly: bool = False


QUESTIONS = (
    Question("labels", "choice", "cam", ("half", "more", "most"), hides="cam", pathology="crowd",
             options=("tiny", "small", "medium", "large")),
    Question("cam", "cell", "cam", ("other", "outline", "interior"), hides="cam", pathology="part"),
    Question("cut", "share", "cam", ("missing", "extra", "both"), hides="cam_rw", pathology="context"),
    Question("pooling", "choice", "cam", ("few", "some", "many"), hides="cam", needs_truth=False, pathology="crowd",
             needs=("linear_cam",), options=("max", "avg", "same", "neither")),
    Question("heads", "choice", "attention", ("object", "near", "even"), needs=("attention",)),
    Question("affinity", "choice", "affinity", ("logit", "softmax", "neither"), needs_truth=False,
             needs=("attention", "affinity"), options=("there", "back", "equal")),
    Question("pairs", "pairs", "affinity", ("same", "different", "uncertain", "far"), needs_truth=False,
             pathology="leak", needs=("affinity", "learned_affinity"), options=PAIR_CODES),
    Question("walk", "choice", "walk", CHANGE_REASONS, hides="cam_rw", pathology="leak", needs=("affinity",),
             options=CHANGE_OPTIONS),
    Question("dampen", "choice", "walk", ("kept", "dampened", "none"), hides="cam_rw", pathology="context",
             needs=("affinity",), options=("fewer", "same", "more")),
    Question("window", "choice", "walk", CHANGE_REASONS, hides="cam_rw", pathology="leak", needs=("affinity",)),
    Question("par", "choice", "par", CHANGE_REASONS, hides="cam_par", pathology="leak", options=CHANGE_OPTIONS),
    Question("crf", "choice", "par", ("few", "ten", "more"), hides="cam_par", needs_truth=False,
             options=("low", "middle", "high"), costly=True),
    Question("regions", "choice", "regions", ("own", "background", "other"), hides="target", pathology="crowd",
             options=("right", "half", "wrong")),
    Question("seg", "choice", "seg", CHANGE_REASONS, hides="seg", pathology="confused", needs=("decoder",),
             options=CHANGE_OPTIONS),
    Question("phases", "order", "training", CHANGE_REASONS, hides="cam_rw", needs_truth=False,
             needs=("learned_affinity", "affinity", "decoder")),
    Question("end_to_end", "choice", "seg", PLACE_REASONS, hides="seg", pathology="confused", needs=("decoder",),
             options=("decoder", "label", "neither")),
    Question("blame", "choice", "seg", PLACE_REASONS, hides="target", pathology="context", options=CAUSES),
)  # fmt: skip


@dataclass(frozen=True)
class Verdict:
    """Whether an answer and its reason are correct, and what the trace says.

    Attributes:
        is_correct: of the answer.
        correct_option: code of the best option; "" without options. Of pairs and orders: the codes, joined by spaces.
        facts: numbers as text.
        correct_reasons: codes of the reasons that are right, the best one first.
        is_reason_correct: None where no reason was given.
    """

    is_correct: bool
    correct_option: str = ""
    facts: dict[str, str] = field(default_factory=dict)
    correct_reasons: tuple[str, ...] = ()
    is_reason_correct: bool | None = None


class UndecidedError(ValueError):
    """The image does not decide a question: for instance, no pixel is wrong. `code`: key of the sentence."""

    SENTENCES = {
        "no_pixel": "no pixel of this image is wrong after PAR; choose another one.",
        "absent": "the ground truth has no pixel of this class; choose another one.",
        "small": "this object is smaller than a cell or fills the image; choose another class or image.",
        "certain": "no pixel around this class is uncertain; choose another class or image.",
        "agree": "decoder and pseudo label agree on this class at every pixel; choose another class or image.",
    }

    def __init__(self, code: str) -> None:
        super().__init__(self.SENTENCES[code])
        self.code = code


def find_question(name: str) -> Question:
    """A question by its name. Raises: ValueError: for an unknown name."""
    for question in QUESTIONS:
        if question.name == name:
            return question
    raise ValueError(
        f"there is no question {str(name)[:40]!r}; expected one of {', '.join(s.name for s in QUESTIONS)}."
    )


def obstacle(trace: Trace, question: Question) -> str:
    """Why a question cannot be asked about a trace: a part that the method lacks, "mask", "labels", "walk", or "".

    linear_cam: the CAM is not that of a linear classifier on the features.
    """
    lacks = set(trace.parts.lacks)
    if trace.parts.cam != "linear" or trace.raw_cam is None:
        lacks.add("linear_cam")
    for part in question.needs:
        if part in lacks:
            return part
    if not trace.present:
        return "labels"
    if question.needs_truth and trace.target is None:
        return "mask"
    if question.name in ("dampen", "window") and not trace.config.use_walk:
        return "walk"
    if question.name == "crf" and not trace.config.use_par:
        return "par"
    return ""


def is_ready(trace: Trace, question: Question) -> bool:
    """Whether the question can be asked about the image, of a method that has what it asks about."""
    return not obstacle(trace, question)
