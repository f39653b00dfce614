"""The random walk where the window is small beside the grid: only pairs of cells within the radius are stored.

A band holds T_ij of `random_walk.transition_matrix` by where i lies seen from j: (2 r + 1)^2 values a cell, not N.
`windowed_walk_steps` takes the band or the dense matrix, whichever is faster for the grid; both give the same scores.

No gradient flows through any function here: the walk makes labels and images, not losses.

Symbols: B batch, K channels, h w grid cells, N = h * w, r radius in cells, R C rows and columns of a window.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from afa_viz.ops import random_walk
from afa_viz.ops.affinity import RADIUS, radius_mask
from afa_viz.ops.checks import (
    require_dims,
    require_finite,
    require_int,
    require_positive,
    require_size,
    require_square,
)

MAX_BAND_SHARE = (
    0.3  # a window of at most this part of the grid goes by bands, which are faster from there on: bench walk
)


def window_shape(grid: Sequence[int], radius: int) -> tuple[int, int]:
    """(R, C): rows and columns of the window of a cell, no larger than from one end of the grid to the other."""
    (height, width), radius = require_size("grid", grid), require_int("radius", radius, 0, RADIUS)
    return 2 * min(radius, height - 1) + 1, 2 * min(radius, width - 1) + 1


def uses_band(grid: Sequence[int], radius: int) -> bool:
    """Whether a band is at most `MAX_BAND_SHARE` of the dense matrix."""
    rows, cols = window_shape(grid, radius)
    return rows * cols <= MAX_BAND_SHARE * grid[0] * grid[1]


@torch.no_grad()
def transition_band(
    affinity: Tensor,
    grid: Sequence[int],
    radius: int,
    power: float = random_walk.POWER,
    eps: float = random_walk.EPS,
) -> Tensor:
    """`random_walk.transition_matrix` with the radius mask of the grid, as a band.

    Args:
        affinity: (B, N, N) in [0, 1]. Not changed.
        grid: (h, w) with h * w = N.
        radius: in cells, >= 0.
        power, eps: as `random_walk.transition_matrix`.
    Returns: (B, R, C, h, w): entry [b, R // 2 + a, C // 2 + d, y, x] is T from the cell (y + a, x + d) to (y, x), and 0
        where that cell lies outside the grid.
    Raises: ValueError: if the affinity is not square, not of this grid or not finite within the window, or a setting
        is impossible.
    Source: docs/spec.md section 6.
    """
    require_square("affinity", affinity)
    power = require_positive("power", power, random_walk.POWER)
    eps = require_positive("eps", eps, random_walk.EPS)
    height, width = require_size("grid", grid)
    rows, cols = window_shape(grid, radius)
    if affinity.shape[-1] != height * width:
        raise ValueError(
            f"affinity has shape {tuple(affinity.shape)} but the grid {height} x {width} has {height * width} cells; "
            "expected (B, N, N) of the same grid."
        )
    dtype = affinity.dtype if affinity.is_floating_point() else torch.float32
    band = torch.zeros(len(affinity), rows, cols, height, width, dtype=dtype, device=affinity.device)
    pairs = affinity.reshape(len(affinity), height, width, height, width)
    for a in range(-(rows // 2), rows // 2 + 1):
        y = _valid_range(height, a)
        by_row = pairs.diagonal(-a, 1, 3)  # pairs of cells whose rows differ by a: (B, w, w, h - |a|), a view
        for d in range(-(cols // 2), cols // 2 + 1):
            band[:, rows // 2 + a, cols // 2 + d, y, _valid_range(width, d)] = by_row.diagonal(-d, 1, 2)
    if power == 2:
        band.square_()
    elif (least := float(band.amin())) < 0:
        raise ValueError(f"affinity holds {least}; expected values in [0, 1]: apply the sigmoid first.")
    else:
        band.pow_(power)
    sums = band.sum(dim=(1, 2), keepdim=True)
    if not torch.isfinite(sums).all():  # only then look at every value
        require_finite("affinity", affinity)
    return band.div_(sums.add_(eps))


@torch.no_grad()
def band_steps(scores: Tensor, band: Tensor, num_steps: int = random_walk.NUM_STEPS) -> Iterator[Tensor]:
    """`random_walk.walk_steps` along a band: yields num_steps + 1 tensors shaped like `scores`.

    Args:
        scores: (B, K, h, w), any values.
        band: (B, R, C, h, w) from `transition_band`.
        num_steps: >= 0.
    Raises: ValueError: if the shapes do not fit or a value is not finite.
    """
    num_steps = require_int("num_steps", num_steps, 0, random_walk.NUM_STEPS)
    require_dims("scores", scores, 4, "(B, K, h, w)")
    require_dims("band", band, 5, "(B, R, C, h, w)")
    require_finite("scores", scores)
    if (len(scores), *scores.shape[-2:]) != (len(band), *band.shape[-2:]):
        raise ValueError(
            f"scores have shape {tuple(scores.shape)} but band {tuple(band.shape)}; "
            "expected the same batch and grid: resize the scores to the token grid."
        )
    yield scores.clone()
    dtype = torch.promote_types(scores.dtype, band.dtype)
    scores, band = scores.to(dtype), band.to(dtype)
    rows, cols, height, width = band.shape[1:]
    for _ in range(num_steps):
        padded = F.pad(scores, (cols // 2, cols // 2, rows // 2, rows // 2))
        scores = torch.zeros_like(scores)
        for a in range(rows):
            for d in range(cols):
                scores.addcmul_(padded[..., a : a + height, d : d + width], band[:, a, d, None])
        yield scores


@torch.no_grad()
def windowed_walk_steps(
    scores: Tensor,
    affinity: Tensor,
    radius: int,
    power: float = random_walk.POWER,
    eps: float = random_walk.EPS,
    num_steps: int = random_walk.NUM_STEPS,
) -> Iterator[Tensor]:
    """The walk between cells within the radius, by band or dense matrix; channels that are 0 everywhere do not walk.

    Args:
        scores: (B, K, h, w).
        affinity: (B, N, N), N = h * w.
        radius, power, eps, num_steps: as `transition_band` and `band_steps`.
    Returns: iterator over num_steps + 1 tensors shaped like `scores`, before the walk and after each step.
    Raises: ValueError: as `transition_band` and `band_steps`.
    Source: docs/spec.md section 6.
    """
    require_dims("scores", scores, 4, "(B, K, h, w)")
    num_steps = require_int("num_steps", num_steps, 0, random_walk.NUM_STEPS)
    yield scores.clone()
    if num_steps == 0:
        return
    grid = (scores.shape[-2], scores.shape[-1])
    used = (scores != 0).any(dim=-1).any(dim=-1).any(dim=0)
    present = scores[:, used]
    if uses_band(grid, radius):
        steps = band_steps(present, transition_band(affinity, grid, radius, power, eps), num_steps)
    else:
        mask = radius_mask(*grid, radius=radius, device=affinity.device)
        steps = random_walk.walk_steps(present, random_walk.transition_matrix(affinity, mask, power, eps), num_steps)
    next(steps)
    for step in steps:
        walked = torch.zeros(scores.shape, dtype=step.dtype, device=step.device)
        walked[:, used] = step
        yield walked


def propagate_windowed(
    scores: Tensor,
    affinity: Tensor,
    radius: int,
    power: float = random_walk.POWER,
    eps: float = random_walk.EPS,
    num_steps: int = random_walk.NUM_STEPS,
) -> Tensor:
    """The scores after the last step of `windowed_walk_steps`, shaped like `scores`.

    Args, Raises and Source: as `windowed_walk_steps`.
    """
    *_, last = windowed_walk_steps(scores, affinity, radius, power, eps, num_steps)
    return last


def _valid_range(size: int, shift: int) -> slice:
    """Cells along one axis whose neighbour at `shift` lies in the grid."""
    return slice(max(0, -shift), size - max(0, shift))
