"""What a trace says to the questions about PAR, a dense CRF in its place, and uncertain regions.

Symbols: H W pixels.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from torch import Tensor

from afa_viz.figures.typography import format_percent
from afa_viz.inspection import crf_steps, par_steps, step_labels
from afa_viz.lab.changes import Finding, largest
from afa_viz.lab.failures import ground_truth
from afa_viz.lab.once import once_a_trace
from afa_viz.lab.questions import UndecidedError
from afa_viz.lab.thresholds import class_iou
from afa_viz.lab.verdicts_cam import ranges
from afa_viz.lab.verdicts_walk import labels_of, step_finding
from afa_viz.ops.pseudo_label import IGNORE
from afa_viz.stage_scores import COMPARED_WITH
from afa_viz.trace import Trace

AGREEMENT = {"low": 0.96, "middle": 0.98, "high": 1.01}  # up to which share of the pixels
AGREEMENT_TOLERANCE = 0.002  # both ranges are right this near to their limit
RATIOS = {"few": 5.0, "ten": 15.0, "more": float("inf")}  # up to which multiple of PAR's time
RATIO_TOLERANCE = 0.25  # of the ratio: times vary from run to run
MOSTLY = 0.6  # share of the uncertain pixels


@once_a_trace
def par(trace: Trace, label: int) -> Finding:
    """What PAR does to the IoU of a class."""
    return step_finding(trace, label, COMPARED_WITH["cam_par"], "cam_par")


def _timed(trace: Trace, run: Callable[[], Iterator[Tensor]]) -> tuple[Tensor, float]:
    """(H, W) label of the last step, and the seconds that the steps take."""
    began = time.perf_counter()
    *_, last = run()
    seconds = time.perf_counter() - began
    return step_labels(trace, [last])[0], seconds


@once_a_trace
def _refined(trace: Trace) -> tuple[tuple[Tensor, float], tuple[Tensor, float]]:
    """(H, W) label and seconds of PAR and of a dense CRF, both from the same scores."""
    return _timed(trace, lambda: par_steps(trace, trace.config.num_iters)), _timed(trace, lambda: crf_steps(trace))


@once_a_trace
def crf(trace: Trace, label: int) -> Finding:
    """At how many pixels PAR and a dense CRF give the same label, and how long both take."""
    (by_par, par_seconds), (by_crf, crf_seconds) = _refined(trace)
    share = float((by_par == by_crf).float().mean())
    ratio = crf_seconds / max(par_seconds, 1e-9)
    own = next(name for name, end in RATIOS.items() if ratio < end)
    near = [name for factor in (1 - RATIO_TOLERANCE, 1 + RATIO_TOLERANCE)
            for name in [next(n for n, end in RATIOS.items() if ratio * factor < end)] if name != own]  # fmt: skip
    facts = {
        "share": format_percent(share), "par_ms": f"{1000 * par_seconds:.0f}", "crf_ms": f"{1000 * crf_seconds:.0f}",
        "times": f"{ratio:.1f}", "name": trace.class_names[label],
        **dict.fromkeys(("par_iou", "crf_iou"), format_percent(None)),
    }  # fmt: skip
    if trace.target is not None:
        ious = (class_iou(one, trace.target, label) for one in (by_par, by_crf))
        facts |= {name: format_percent(iou) for name, iou in zip(("par_iou", "crf_iou"), ious, strict=True)}
    return Finding(ranges(share, AGREEMENT, AGREEMENT_TOLERANCE), (own, *near), facts)


@once_a_trace
def regions(trace: Trace, label: int) -> Finding:
    """Whether the low background score alone would label the uncertain pixels near a class right, and what they are.

    Near: the low background score gives them the class, or they are of the class.
    """
    target, low = ground_truth(trace), labels_of(trace)["cam_par"]
    uncertain = (trace.pseudo_label == IGNORE) & (target != IGNORE) & ((low == label) | (target == label))
    count = int(uncertain.sum())
    if not count:
        raise UndecidedError("certain")
    right = int((low == target)[uncertain].sum()) / count
    truth = "right" if right >= MOSTLY else "wrong" if right <= 1 - MOSTLY else "half"
    found = target[uncertain]
    counts = {"own": int((found == label).sum()), "background": int((found == 0).sum())}
    counts["other"] = count - sum(counts.values())
    facts = {
        "pixels": str(count), "right": format_percent(right), "low": f"{trace.config.bkg_score_low:.2f}",
        "high": f"{trace.config.bkg_score_high:.2f}", "name": trace.class_names[label],
        **{f"{name}_share": format_percent(n / count) for name, n in counts.items()},
    }  # fmt: skip
    return Finding((truth,), largest(counts), facts)
