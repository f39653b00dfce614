"""What a trace says to each question of the guided lab, and which options and cells a question shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from afa_viz.lab import verdicts_affinity, verdicts_cam, verdicts_refine, verdicts_training, verdicts_walk
from afa_viz.lab.changes import Finding
from afa_viz.lab.questions import Question, Verdict
from afa_viz.trace import Trace

FINDINGS: dict[str, Callable[[Trace, int], Finding]] = {  # of questions with options
    "labels": verdicts_cam.labels, "pooling": verdicts_cam.pooling, "heads": verdicts_affinity.heads,
    "affinity": verdicts_affinity.affinity, "walk": verdicts_walk.walk, "dampen": verdicts_walk.dampen,
    "window": verdicts_walk.window, "par": verdicts_refine.par, "crf": verdicts_refine.crf,
    "regions": verdicts_refine.regions, "seg": verdicts_training.seg, "end_to_end": verdicts_training.end_to_end,
    "blame": verdicts_training.blame,
}  # fmt: skip
VERDICTS: dict[str, Callable[[Trace, int, Any], Verdict]] = {  # of the others
    "cam": verdicts_cam.cam, "cut": verdicts_cam.cut, "pairs": verdicts_affinity.pairs,
    "phases": verdicts_training.phases,
}  # fmt: skip


def verdict(trace: Trace, name: str, label: int, answer: Any) -> Verdict:
    """The verdict on an answer that fits its question."""
    if name in FINDINGS:
        return FINDINGS[name](trace, label).verdict(answer)
    return VERDICTS[name](trace, label, answer)


def options(trace: Trace, question: Question, label: int) -> tuple[str, ...]:
    """Codes of the options for a class; of an order as they are shown first. Empty for cells and shares."""
    if question.name == "heads":
        return tuple(str(head + 1) for head in range(len(trace.logits(-1)) if trace.attn_logits else 0))
    if question.name == "window":
        return tuple(verdicts_walk.radii(trace))
    if question.name == "phases":
        return verdicts_training.shown_phases(trace, label)
    return question.options


def reasons(trace: Trace, question: Question) -> tuple[str, ...]:
    """Codes of the reasons that are offered; none where a ground truth decides them and it is not known."""
    return () if question.name == "phases" and trace.target is None else question.reasons


def cells(trace: Trace, question: Question, label: int) -> tuple[tuple[int, int], ...]:
    """The cells that a question is about, (row, column), the first one of every pair first; () for most questions."""
    if question.name == "affinity":
        return verdicts_affinity.linked_pair(trace, label)
    if question.name == "pairs":
        first, others, _ = verdicts_affinity.labelled_pairs(trace, label)
        return first, *others
    return ()
