"""The stage cam_rw: background scores joined to the CAM, and the random walk along the affinity.

Symbols: B batch, C foreground classes, K = C + 1, N cells, H W pixels, h w cells.
"""

from __future__ import annotations

import torch
from torch import Tensor

from afa_viz.config import ExplainConfig
from afa_viz.ops import banded_walk, random_walk
from afa_viz.ops import cam as cams


def walk(
    cam: Tensor,
    affinity: Tensor | None,
    image_labels: Tensor,
    grid: tuple[int, int],
    config: ExplainConfig,
    thresholds: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Scores on the grid after the random walk, with the low and with the high background score.

    Args:
        cam: (B, C, H, W) in [0, 1]; absent classes may hold anything.
        affinity: (B', N, N) with B' >= B; None: there is none, and no random walk.
        image_labels: (B, C) multi-hot.
        grid: (h, w) of the affinity.
        thresholds: (C,) of the classes, in place of the high background score; None: that score for all.
    Returns: two (B, K, h, w). Without the walk: where it would have started.
    Source: docs/spec.md section 11, step 4.
    """
    low, high = config.bkg_score_low, config.bkg_score_high
    strict = cam if thresholds is None else cams.shift_to_thresholds(cam, thresholds, high)
    starts = [walk_start(cam, image_labels, grid, low), walk_start(strict, image_labels, grid, high)]
    if affinity is None or not config.use_walk:
        return starts[0], starts[1]
    walked = banded_walk.propagate_windowed(
        torch.cat(starts, dim=1), affinity[: len(cam)], config.radius, config.power, num_steps=config.num_steps
    )
    of_low, of_high = walked.chunk(2, dim=1)
    return of_low, of_high


def walk_start(cam: Tensor, image_labels: Tensor, grid: tuple[int, int], bkg_score: float) -> Tensor:
    """Where the walk begins: (B, K, h, w), softmax over the background score and the present classes of every cell.

    Args:
        cam, image_labels, grid: as `walk`.
    """
    return random_walk.with_background(cams.resize(cam, grid), image_labels, bkg_score)
