"""How symmetrising and learning change attention logits, as numbers over all pairs of nearby cells.

Symbols: h w cells, N = h * w.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from afa_viz.figures.maps import affinity_matrix, raw_matrix
from afa_viz.inspection import label_cells, target_affinity
from afa_viz.ops import affinity as aff
from afa_viz.ops.pseudo_label import IGNORE
from afa_viz.trace import Trace

EQUAL, DIFFERENT = 1, 0  # affinity labels


@dataclass(frozen=True)
class AffinityNumbers:
    """Numbers of one trace.

    Attributes:
        asymmetry_raw, asymmetry_learned: see `ops.affinity.asymmetry`; of the mean logits and of the affinity.
        auc_raw, auc_symmetric, auc_learned: see `pairwise_auc`; NaN if undefined, or where there are no logits.
            "learned" stands for the affinity that is there, averaged or learned.
        by_truth: the pairs are labelled by the ground truth; False: as in training.
    """

    asymmetry_raw: float
    asymmetry_learned: float
    auc_raw: float
    auc_symmetric: float
    auc_learned: float
    by_truth: bool


def pairwise_auc(values: Tensor, labels: Tensor) -> float:
    """ROC AUC of pairs: probability that a pair of equal cells has a greater value than a pair of different cells.

    Ties count one half. 0.5: no information; 1: one threshold separates the pairs without error.

    Args:
        values: (N, N).
        labels: (N, N), 1 equal, 0 different; other pairs and the diagonal are ignored.
    Returns: the AUC; NaN if one kind of pair is missing.
    """
    off_diagonal = ~torch.eye(len(labels), dtype=torch.bool)
    equal, different = values[(labels == EQUAL) & off_diagonal], values[(labels == DIFFERENT) & off_diagonal]
    if not len(equal) or not len(different):
        return float("nan")
    ranked, wanted = (np.sort(pairs.cpu().numpy()) for pairs in (different, equal))  # four times as fast as torch's
    below = np.searchsorted(ranked, wanted) + np.searchsorted(ranked, wanted, side="right")
    return float(below.mean()) / (2 * len(different))


def pair_labels(trace: Trace, at_centre: bool | None = None) -> Tensor:
    """(N, N) uint8 labels of all pairs within the window: 1 same class, 0 different, 255 unknown or too far apart.

    From the ground truth if it is known, else from the label that the affinity is trained on.

    Args:
        at_centre: see `inspection.target_cells`.
    """
    if trace.target is None:
        return target_affinity(trace, at_centre)
    cells = label_cells(trace, trace.target, at_centre).flatten()
    known = cells != IGNORE
    near = aff.radius_mask(*trace.grid, radius=trace.config.radius)
    same = (cells[:, None] == cells[None, :]).to(torch.uint8)
    return torch.where(near & known[:, None] & known[None, :], same, torch.full_like(same, IGNORE))


def affinity_numbers(trace: Trace, at_centre: bool | None = None) -> AffinityNumbers:
    """Asymmetry and ROC AUC of the mean attention logits and of the affinity.

    Args:
        at_centre: see `inspection.target_cells`.
    """
    affinity, labels = affinity_matrix(trace), pair_labels(trace, at_centre)
    raw = None if "attention_logits" in trace.parts.lacks else raw_matrix(trace)
    learned = affinity
    if trace.affinity_weight is not None:
        logits = [trace.logits(block)[None] for block in range(-aff.AFFINITY_BLOCKS, 0)]
        learned = aff.affinity_logits(logits, *trace.used_affinity_head, trace.config.symmetric)[0]
    nan = float("nan")
    return AffinityNumbers(
        asymmetry_raw=nan if raw is None else float(aff.asymmetry(raw)),
        asymmetry_learned=float(aff.asymmetry(affinity)),
        auc_raw=nan if raw is None else pairwise_auc(raw, labels),
        auc_symmetric=nan if raw is None else pairwise_auc(aff.symmetrize(raw), labels),
        auc_learned=pairwise_auc(learned, labels),  # before the sigmoid, which makes ties of what is nearly 0 or 1
        by_truth=trace.target is not None,
    )
