"""Gaussian filtering in a space of few dimensions on a permutohedral lattice: linear in the number of points.

The exact filter sums over all pairs of points,

    out_i = sum_j exp(-|f_i - f_j|^2 / 2) v_j,

and takes N^2 steps. The lattice takes N: it cuts space into simplices of equal shape, *splats* every value onto the
corners of the simplex that holds its point, *blurs* along each of the d + 1 axes of the lattice with weights
(1/2, 1, 1/2), and *slices* the result at the points again, with the same barycentric weights. Only corners that some
point touches are stored.

Source: Adams, Baek and Davis 2010, "Fast high-dimensional filtering using the permutohedral lattice".

Symbols: N points, d dimensions, M lattice points, P channels of values.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from afa_viz.ops.checks import require_dims, require_finite

FARTHEST = 2**20  # along an axis of the lattice, in steps: beyond it float32 could not tell neighbouring corners apart


@dataclass(frozen=True)
class Lattice:
    """The lattice points that N points touch, and how.

    Attributes:
        corners: (N, d + 1) int32, the lattice points around each point.
        weights: (N, d + 1) float32, barycentric, each row sums to 1.
        neighbours: (d + 1, 2, M) int64, before and after each lattice point along each axis; M where none is stored.
        order: (N (d + 1),) int32, the point of each entry of `corners`, sorted by lattice point.
        starts: (M,) int32, where a lattice point's entries begin in `order`.
        sorted_weights: (N (d + 1),) float32, the weights in that order.
    """

    corners: Tensor
    weights: Tensor
    neighbours: Tensor
    order: Tensor
    starts: Tensor
    sorted_weights: Tensor

    def filter(self, values: Tensor) -> Tensor:
        """The sum over all points, weighted with the Gaussian of their distance.

        Args:
            values: (N, P), floating point.
        Returns: (N, P) float32. The input is not changed.
        Raises: ValueError: for another number of points.
        """
        points, axes = self.corners.shape
        require_dims("values", values, 2, f"({points}, P)")
        if len(values) != points:
            raise ValueError(f"values have shape {tuple(values.shape)}; expected ({points}, P), a row for each point.")
        splatted = F.embedding_bag(
            self.order, values.float().contiguous(), self.starts, mode="sum", per_sample_weights=self.sorted_weights
        )
        stored = F.pad(splatted, (0, 0, 0, 1))  # the last row stands for lattice points that are not stored
        for before, after in self.neighbours:
            blurred = stored.index_select(0, before).add_(stored.index_select(0, after)).mul_(0.5)
            stored[:-1] += blurred
        sliced = F.embedding_bag(self.corners, stored, mode="sum", per_sample_weights=self.weights)
        return sliced / (1 + 2.0 ** (1 - axes))  # what splat, blur and slice scale by


def build_lattice(features: Tensor) -> Lattice:
    """The lattice of points that are blurred with a Gaussian of standard deviation 1.

    Args:
        features: (N, d), floating point, N and d >= 1: coordinates divided by their standard deviations.
    Raises: ValueError: for another shape, values that are not finite, or coordinates of millions.
    Source: Adams et al. 2010, sections 3 and 4.
    """
    require_dims("features", features, 2, "(N, d)")
    require_finite("features", features)
    points, d = features.shape
    if points == 0 or d == 0:
        raise ValueError(f"features have shape {tuple(features.shape)}; expected (N, d), not empty.")
    elevated = _elevate(features.float())
    base, rank = _enclosing_simplex(elevated)
    if base.abs().amax() > FARTHEST:
        raise ValueError(
            f"features reach {features.abs().amax():.3g} standard deviations; expected at most a few thousand: "
            "choose larger ones."
        )
    weights = _barycentric(elevated, base, rank)

    # Corner r of the simplex adds r to the d + 1 - r coordinates of the lowest ranks, and r - (d + 1) to the others.
    corner = torch.arange(d + 1).view(1, d + 1, 1)
    keys = base.unsqueeze(1) + torch.where(rank.unsqueeze(1) <= d - corner, corner, corner - (d + 1))
    low = int(keys.amin()) - d  # as far down and up as a neighbour lies
    size = int(keys.amax()) + d - low + 1
    if size**d >= 2**63:
        raise ValueError("features span too many cells of the lattice; expected fewer dimensions or larger deviations.")
    place = size ** torch.arange(d)  # the coordinates sum to 0: the first d name a lattice point
    numbers = ((keys[..., :d] - low) * place).sum(dim=-1)
    stored, corners = torch.unique(numbers.flatten(), return_inverse=True)

    neighbours = torch.empty(d + 1, 2, len(stored), dtype=torch.int64)
    ones = int(place.sum())
    for axis in range(d + 1):  # one step along an axis: -1 everywhere, + d at the axis; and back
        step = -ones + ((d + 1) * int(place[axis]) if axis < d else 0)
        for side, wanted in enumerate((stored + step, stored - step)):
            found = torch.searchsorted(stored, wanted).clamp_(max=len(stored) - 1)
            neighbours[axis, side] = torch.where(stored[found] == wanted, found, len(stored))

    by_lattice_point = torch.argsort(corners, stable=True)
    counts = torch.bincount(corners, minlength=len(stored))
    return Lattice(
        corners=corners.view(points, d + 1).int(),
        weights=weights,
        neighbours=neighbours,
        order=(by_lattice_point // (d + 1)).int(),
        starts=(counts.cumsum(0) - counts).int(),
        sorted_weights=weights.flatten()[by_lattice_point],
    )


def _elevate(features: Tensor) -> Tensor:
    """(N, d + 1): the points in the plane of R^(d + 1) whose coordinates sum to 0, scaled so that the blur has unit
    standard deviation."""
    points, d = features.shape
    scale = torch.tensor([(d + 1) * math.sqrt(2 / 3) / math.sqrt((i + 1) * (i + 2)) for i in range(d)])
    scaled = features * scale
    after = scaled.flip(1).cumsum(1).flip(1)  # sums of this coordinate and those after it
    elevated = features.new_zeros(points, d + 1)
    elevated[:, :d] = after
    elevated[:, 1:] -= torch.arange(1, d + 1) * scaled
    return elevated


def _enclosing_simplex(elevated: Tensor) -> tuple[Tensor, Tensor]:
    """(N, d + 1) int64 both: the lattice point of remainder 0 nearest to each point, and the order of its coordinates
    by how far they lie above it, 0 for the farthest."""
    axes = elevated.shape[1]
    base = (elevated / axes).round().long() * axes
    excess = base.sum(dim=1, keepdim=True) // axes  # the coordinates must sum to 0
    above = elevated - base
    rank = above.argsort(dim=1, descending=True, stable=True).argsort(dim=1) + excess
    too_low, too_high = rank < 0, rank >= axes
    shift = axes * (too_low.long() - too_high.long())
    return base + shift, rank + shift


def _barycentric(elevated: Tensor, base: Tensor, rank: Tensor) -> Tensor:
    """(N, d + 1): the weights of the corners, by remainder."""
    points, axes = elevated.shape
    above = (elevated - base) / axes
    weights = elevated.new_zeros(points, axes + 1)
    weights.scatter_add_(1, axes - 1 - rank, above)
    weights.scatter_add_(1, axes - rank, -above)
    weights[:, 0] += 1 + weights[:, axes]
    return weights[:, :axes].contiguous()
