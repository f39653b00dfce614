"""Where a label map has its boundaries: the regions that boundary IoU and trimap accuracy count.

Distances are of the chessboard: max(|d row|, |d column|), in pixels. Symbols: H W pixels.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from afa_viz.ops.checks import require_dims, require_int

DILATION_RATIO = 0.02  # of the diagonal; Cheng et al. 2021
TRIMAP_WIDTHS = (1, 2, 4, 8, 16)  # pixels


def boundary_width(height: int, width: int, ratio: float = DILATION_RATIO) -> int:
    """Pixels d that a boundary region reaches into a mask: a share of the image's diagonal, at least 1.

    Source: Cheng et al. 2021, "Boundary IoU", section 4: 2 % of the diagonal.
    """
    return max(1, round(ratio * math.hypot(height, width)))


def inner_boundary(masks: Tensor, width: int) -> Tensor:
    """Pixels of a mask within `width` of its contour, which also runs along the border of the image.

    Args:
        masks: (P, H, W) bool.
        width: d >= 1, pixels.
    Returns: (P, H, W) bool, inside the masks.
    Source: Cheng et al. 2021, equation 3: the mask without its erosion by a square of 2 d + 1 pixels, all beyond the
        image being outside.
    """
    require_dims("masks", masks, 3, "(P, H, W)")
    width = require_int("width", width, 1)
    outside = F.pad((~masks).to(torch.uint8), (width,) * 4, value=1)
    return masks & _window_maximum(outside, width).bool()


def trimap(label: Tensor, width: int) -> Tensor:
    """The band around every boundary of a label map: pixels that have a pixel of another label within `width`.

    Ignored pixels, 255, are a label of their own here: in VOC they lie on the boundaries.

    Args:
        label: (H, W) integers.
        width: >= 1, pixels.
    Returns: (H, W) bool. The border of the image is no boundary.
    Source: Kohli et al. 2009, section 5; Krähenbühl and Koltun 2011, section 5.
    """
    require_dims("label", label, 2, "(H, W)")
    width = require_int("width", width, 1)
    values = label.to(torch.int32)[None]
    highest, opposite = (
        _window_maximum(F.pad(one, (width,) * 4, value=int(one.min())), width) for one in (values, -values)
    )
    return (highest != -opposite)[0]


def _window_maximum(padded: Tensor, width: int) -> Tensor:
    """(P, H + 2 d, W + 2 d) -> (P, H, W): maximum over squares of 2 d + 1 pixels, along one axis after the other.

    Windows of 1, 2, 4, ... pixels are made of two of the size before; two that overlap give any other size.
    """
    for axis in (-2, -1):
        size, reach = 2 * width + 1, 1
        while reach < size:
            step = min(reach, size - reach)
            length = padded.shape[axis] - step
            padded = torch.maximum(padded.narrow(axis, 0, length), padded.narrow(axis, step, length))
            reach += step
    return padded


def boundary_counts(target: Tensor, label: Tensor, classes: Tensor, width: int, ignore_index: int = 255) -> Tensor:
    """Pixels of the intersection and union of the boundary regions of some classes, and of the true one.

    Args:
        target, label: (H, W) integers. Pixels where either is `ignore_index` are not counted; they lie outside every
            mask, so that masks have contours along them.
        classes: (P,) int64.
        width: d, pixels.
    Returns: (P, 3) int64: intersection, union, true boundary.
    Source: Cheng et al. 2021, equation 3.
    """
    counted = ((target != ignore_index) & (label != ignore_index))[None]
    true = inner_boundary(target[None] == classes[:, None, None], width) & counted
    found = inner_boundary(label[None] == classes[:, None, None], width) & counted
    regions = torch.stack([true & found, true | found, true], dim=1)
    return regions.flatten(2).sum(dim=-1)
