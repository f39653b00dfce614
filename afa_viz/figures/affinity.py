"""What symmetrising and learning make of attention logits, as numbers over all pairs of near cells.

Symbols: h w cells, N = h * w.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from afa_viz.figures.maps import AFFINITY_BLOCKS, raw_matrix
from afa_viz.inspection import label_cells, target_affinity
from afa_viz.ops import affinity as aff
from afa_viz.ops.pseudo_label import IGNORE
from afa_viz.trace import Trace

EQUAL, DIFFERENT = 1, 0  # affinity labels


@dataclass(frozen=True)
class AffinityNumbers:
    """Of one trace.

    Attributes:
        asymmetry_raw, asymmetry_learned: see `ops.affinity.asymmetry`; of the mean logits and of the affinity.
        order_raw, order_symmetric, order_learned: see `order`; NaN where there is nothing to compare.
        by_truth: the pairs are labelled by the ground truth; False: as in training.
    """

    asymmetry_raw: float
    asymmetry_learned: float
    order_raw: float
    order_symmetric: float
    order_learned: float
    by_truth: bool


def order(values: Tensor, labels: Tensor) -> float:
    """Chance that a pair of equal cells has a greater value than a pair of different ones; ties count one half.

    The area under the ROC curve: 0.5 for values that know nothing, 1 for values that one cut parts without error.

    Args:
        values: (N, N). labels: (N, N), 1 equal, 0 different; other pairs and the diagonal are left out.
    Returns: NaN where one kind of pair is missing.
    """
    apart = ~torch.eye(len(labels), dtype=torch.bool)
    equal, different = values[(labels == EQUAL) & apart], values[(labels == DIFFERENT) & apart]
    if not len(equal) or not len(different):
        return float("nan")
    ladder = different.sort().values
    below = torch.searchsorted(ladder, equal) + torch.searchsorted(ladder, equal, right=True)
    return float(below.double().mean()) / (2 * len(different))


def pair_labels(trace: Trace, at_centre: bool | None = None) -> Tensor:
    """(N, N) uint8 labels of all pairs within the window: 1 same class, 0 different, 255 unknown or too far apart.

    By the truth where it is known, else by the label that the affinity learns from.

    Args:
        at_centre: see `steps.target_cells`.
    """
    if trace.target is None:
        return target_affinity(trace, at_centre)
    cells = label_cells(trace, trace.target, at_centre).flatten()
    known = cells != IGNORE
    near = aff.radius_mask(*trace.grid, radius=trace.config.radius)
    same = (cells[:, None] == cells[None, :]).to(torch.uint8)
    return torch.where(near & known[:, None] & known[None, :], same, torch.full_like(same, IGNORE))


def affinity_numbers(trace: Trace, at_centre: bool | None = None) -> AffinityNumbers:
    """Asymmetry and order of what the affinity is learned from and of the affinity itself.

    Args:
        at_centre: see `steps.target_cells`.
    """
    raw, labels = raw_matrix(trace), pair_labels(trace, at_centre)
    logits = [trace.logits(block)[None] for block in range(-AFFINITY_BLOCKS, 0)]
    learned = aff.affinity_logits(logits, trace.affinity_weight, trace.affinity_bias, trace.config.symmetric)[0]
    return AffinityNumbers(
        asymmetry_raw=float(aff.asymmetry(raw)),
        asymmetry_learned=float(aff.asymmetry(trace.affinity)),
        order_raw=order(raw, labels),
        order_symmetric=order(aff.symmetrize(raw), labels),
        order_learned=order(learned, labels),  # before the sigmoid, which makes ties of what is nearly 0 or 1
        by_truth=trace.target is not None,
    )
