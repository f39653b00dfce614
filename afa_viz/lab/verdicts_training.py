"""What a trace says to the questions about the decoder, the phases of training, end-to-end training, and errors.

Symbols: H W pixels.
"""

from __future__ import annotations

from itertools import combinations

import torch

from afa_viz import stage_scores as scores
from afa_viz.figures.typography import format_percent
from afa_viz.lab.changes import Finding, change_counts, change_reasons, classify_change, largest, place_counts
from afa_viz.lab.failures import error_attribution, ground_truth
from afa_viz.lab.once import once_a_trace
from afa_viz.lab.questions import UndecidedError, Verdict
from afa_viz.lab.verdicts_affinity import drawing
from afa_viz.lab.verdicts_walk import labels_of
from afa_viz.ops.pseudo_label import IGNORE
from afa_viz.trace import Trace

TOLERANCE = 0.02  # of a share: counts as good as the largest
SHOWN_PHASES = 4

REFINED_STAGE_OF_LABEL = {
    "affinity_label": "cam_refined",
    "pseudo_label": "cam_par",
}  # label -> PAR it was merged from, every pixel


def decoder_supervision(trace: Trace) -> str:
    """The label that the decoder was trained on last, a key of `REFINED_STAGE_OF_LABEL`; or "nothing", "unknown"."""
    return trace.decoder_trained_on or "unknown"


def _teacher_stage(trace: Trace) -> str:
    return REFINED_STAGE_OF_LABEL.get(decoder_supervision(trace), "cam_par")


@once_a_trace
def seg(trace: Trace, label: int) -> Finding:
    """How the mean IoU changes from the decoder's teacher to the decoder."""
    target, labels, stage = ground_truth(trace), labels_of(trace), _teacher_stage(trace)
    taught, learnt = (scores.label_score(target, labels[s], len(trace.class_names))["miou"] for s in (stage, "seg"))
    counts = change_counts(labels[stage], labels["seg"], target)
    facts = {
        "taught": format_percent(taught), "learnt": format_percent(learnt), "teacher": decoder_supervision(trace),
        **{name: str(count) for name, count in counts.items()},
    }  # fmt: skip
    return Finding((classify_change(taught, learnt),), change_reasons(counts, target.numel()), facts)


# --- phases of training ----------------------------------------------------------------------------------------------


def phase_order(trace: Trace) -> dict[str, tuple[str, ...]]:
    """What happens in training, in a possible order: code -> what must have happened before, as the model's card says.

    Codes end with the label that a part learns from; where that is not known, the published one.
    """
    made_from = {"affinity_label": "refine", "pseudo_label": "pseudo_label"}
    affinity = trace.affinity_trained_on if trace.affinity_trained_on in made_from else "affinity_label"
    decoder = trace.decoder_trained_on if trace.decoder_trained_on in made_from else "pseudo_label"
    walked = ("walk", "pseudo_label") if trace.config.use_walk else ()
    before = {
        "classifier": (), "cam": ("classifier",), "refine": ("cam",),
        f"affinity_{affinity}": (made_from[affinity],) if affinity == "affinity_label" or walked else ("refine",),
        **({"walk": ("cam", f"affinity_{affinity}"), "pseudo_label": ("walk",)} if walked else {}),
        f"decoder_{decoder}": (made_from[decoder],) if decoder == "affinity_label" or walked else ("refine",),
    }  # fmt: skip
    if affinity == "pseudo_label" and walked:  # learned from what it makes itself: it began from R_cam
        before[f"affinity_{affinity}"] = ("refine",)
    return before


@once_a_trace
def shown_phases(trace: Trace, label: int) -> tuple[str, ...]:
    """The phases that are to be ordered, as they are shown first: drawn by the image and the class, in a wrong order.

    The parts that are trained, affinity and decoder, are always among them.
    """
    order = phase_order(trace)
    trained = [code for code in order if code.startswith(("affinity_", "decoder_"))]
    rest = [code for code in order if code not in trained]
    generator = drawing(trace.image, label)
    drawn = [rest[i] for i in torch.randperm(len(rest), generator=generator)[: SHOWN_PHASES - len(trained)].tolist()]
    shown = [*trained, *drawn]
    for _ in range(20):
        shuffled = [shown[i] for i in torch.randperm(len(shown), generator=generator).tolist()]
        if not is_possible(trace, shuffled):
            return tuple(shuffled)
    return tuple(sorted(shown, key=list(order).index, reverse=True))


def is_possible(trace: Trace, given: list[str]) -> bool:
    """Whether nothing happens before what it needs."""
    needs: dict[str, set[str]] = {}
    for code, before in phase_order(trace).items():
        needs[code] = {*before, *(other for one in before for other in needs.get(one, ()))}
    return not any(later in needs[earlier] for earlier, later in combinations(given, 2))


@once_a_trace
def _first_teacher(trace: Trace) -> tuple[dict[str, str], tuple[str, ...]]:
    """What changes from the CAM with one threshold to the decoder's teacher: numbers, and what most pixels do."""
    if trace.target is None:
        return dict.fromkeys(("early", "late"), format_percent(None)), ()
    labels, stage = labels_of(trace), _teacher_stage(trace)
    counts = change_counts(labels["cam"], labels[stage], trace.target)
    classes = len(trace.class_names)
    early, late = (scores.label_score(trace.target, labels[s], classes)["miou"] for s in ("cam", stage))
    facts = {"early": format_percent(early), "late": format_percent(late)}
    return facts | {n: str(c) for n, c in counts.items()}, change_reasons(counts, trace.target.numel())


def phases(trace: Trace, label: int, answer: list[str]) -> Verdict:
    """Whether an order of the shown phases is possible."""
    facts, reasons = _first_teacher(trace)
    best = sorted(shown_phases(trace, label), key=list(phase_order(trace)).index)
    return Verdict(
        is_possible(trace, answer), " ".join(best), {"teacher": decoder_supervision(trace), **facts}, reasons
    )


# --- decoder and pseudo label; errors --------------------------------------------------------------------------------


@once_a_trace
def end_to_end(trace: Trace, label: int) -> Finding:
    """Who is right where decoder and pseudo label give different classes, one of them this one, and where that is."""
    target, decided = ground_truth(trace), trace.seg
    assert decided is not None
    differ = (trace.pseudo_label != decided) & (trace.pseudo_label != IGNORE) & (target != IGNORE)
    differ &= (trace.pseudo_label == label) | (decided == label) | (target == label)
    count = int(differ.sum())
    if not count:
        raise UndecidedError("agree")
    counts = {
        "decoder": int((differ & (decided == target)).sum()),
        "label": int((differ & (trace.pseudo_label == target)).sum()),
    }
    counts["neither"] = count - sum(counts.values())
    places = place_counts(differ, target)
    facts = {
        "pixels": str(count), "name": trace.class_names[label],
        **{f"{name}_right": format_percent(n / count) for name, n in counts.items()},
        **{f"at_{name}": format_percent(n / count) for name, n in places.items()},
    }  # fmt: skip
    return Finding(largest(counts), largest(places), facts)


@once_a_trace
def blame(trace: Trace, label: int) -> Finding:
    """At which step most of the wrong pixels went wrong, and where they are."""
    try:
        shares = error_attribution(trace)
    except ValueError:
        raise UndecidedError("no_pixel") from None
    target = ground_truth(trace)
    wrong = (labels_of(trace)["cam_par"] != target) & (target != IGNORE)
    places = place_counts(wrong, target)
    ordered = sorted(shares, key=lambda cause: -shares[cause])
    accepted = [cause for cause in ordered if shares[cause] >= shares[ordered[0]] - TOLERANCE]
    facts = {
        **{cause: format_percent(share) for cause, share in shares.items()},
        "share": format_percent(shares[ordered[0]]),
        **{f"at_{name}": format_percent(n / max(1, int(wrong.sum()))) for name, n in places.items()},
    }  # fmt: skip
    return Finding(tuple(accepted), largest(places), facts)
