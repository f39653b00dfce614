"""The regularising dense energy loss: pixels that look alike and lie near each other should share a class.

    loss = -weight / B  sum_b sum_k sum_i  gate_i s_ik (W s_k)_i        W_ij = exp(-|x_i - x_j|^2 / 2)

with s the softmax of the decoder, x a pixel's colour and place in standard deviations, and a gate that is 1 where the
label is uncertain and 1 - max_k s_ik elsewhere: what is decided with confidence is left alone. W is symmetric and the
gate counts as a constant, on both of its sides alike, so the gradient is -2 weight gate (W s) / B.

The published 66.0 on PASCAL VOC was trained with it, at 0.01 times this loss; the public training code leaves it out
(docs/spec.md sections 9 and 15).

Symbols: B images, K classes with background, H W pixels of the image, h w of the logits.
Source: Tang et al. 2018, "On regularized losses for weakly-supervised CNN segmentation" (arXiv 1803.09569).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from afa_viz.ops.cam import resize
from afa_viz.ops.checks import require_dims, require_finite, require_positive
from afa_viz.ops.dense_crf import positions
from afa_viz.ops.permutohedral import build_lattice
from afa_viz.ops.pseudo_label import IGNORE

SRGB = 15.0  # grey levels, 0 to 255; docs/spec.md section 9
SXY = 100.0  # pixels of the image
WEIGHT = 1e-7
DOWNSCALE = 2


def energy_loss(
    logits: Tensor,
    image: Tensor,
    target: Tensor,
    box: Tensor | None = None,
    srgb: float = SRGB,
    sxy: float = SXY,
    weight: float = WEIGHT,
) -> Tensor:
    """The dense energy of the softmax of segmentation logits, at half the size of the image.

    Args:
        logits: (B, K, h, w), floating point, any size.
        image: (B, 3, H, W) uint8 or floating point, RGB from 0 to 255.
        target: (B, H, W) integers, 255 where the label is uncertain.
        box: (B, 4) top, bottom, left, right of the real pixels, or None for all of them.
        srgb, sxy: standard deviations in grey levels, and in pixels of the image.
        weight: factor of the sum.
    Returns: a scalar, not positive: the lower, the better they agree. Differentiable in the logits.
    Raises: ValueError: for shapes that do not belong together, or values that are not finite.
    Source: Tang et al. 2018, equation 4 with a Gaussian kernel; docs/spec.md section 9. Products with W go over a
        permutohedral lattice, as in their code.
    """
    require_dims("logits", logits, 4, "(B, K, h, w)")
    require_dims("image", image, 4, "(B, 3, H, W)")
    require_finite("logits", logits)
    if image.shape[:2] != (len(logits), 3) or target.shape != (len(image), *image.shape[-2:]):
        raise ValueError(
            f"logits have shape {tuple(logits.shape)}, image {tuple(image.shape)} and target {tuple(target.shape)}; "
            "expected (B, K, h, w), (B, 3, H, W) and (B, H, W)."
        )
    srgb, sxy = require_positive("srgb", srgb, SRGB), require_positive("sxy", sxy, SXY)
    size = [max(1, side // DOWNSCALE) for side in image.shape[-2:]]
    small = F.interpolate(image.detach().float(), size=size)
    inside = torch.zeros(len(image), 1, *image.shape[-2:], device=logits.device)
    for one, (top, bottom, left, right) in zip(inside, _boxes(box, image), strict=True):
        one[:, top:bottom, left:right] = 1
    inside = F.interpolate(inside, size=size)
    uncertain = F.interpolate((target[:, None] == IGNORE).float(), size=size).to(logits.device)
    shares = resize(logits.softmax(dim=1), size) * inside
    gate = torch.where(uncertain > 0, inside, (inside - shares.detach().amax(dim=1, keepdim=True)).clamp_min(0))
    energy: Tensor = _DenseEnergy.apply(shares, gate, small, srgb, sxy / DOWNSCALE)
    return weight * energy


def _boxes(box: Tensor | None, image: Tensor) -> list[list[int]]:
    if box is None:
        return len(image) * [[0, image.shape[-2], 0, image.shape[-1]]]
    return box.tolist()


class _DenseEnergy(torch.autograd.Function):
    """-(1 / B) sum gate s (W s) of (B, K, h, w) shares; W is never made."""

    @staticmethod
    def forward(ctx, shares: Tensor, gate: Tensor, image: Tensor, srgb: float, sxy: float) -> Tensor:
        gated = gate * torch.stack([_filtered(*one, srgb, sxy) for one in zip(shares, image, strict=True)])
        ctx.save_for_backward(gated)
        return -(shares * gated).sum() / len(shares)

    @staticmethod
    def backward(ctx, gradient: Tensor):
        (gated,) = ctx.saved_tensors
        return -2 * gradient * gated / len(gated), None, None, None, None


def _filtered(shares: Tensor, image: Tensor, srgb: float, sxy: float) -> Tensor:
    """(K, h, w) W s of one image, on the device of the shares."""
    height, width = shares.shape[-2:]
    features = torch.cat([positions(height, width) / sxy, image.flatten(1).t().cpu() / srgb], dim=1)
    filtered = build_lattice(features).filter(shares.detach().flatten(1).t().cpu().float())
    return filtered.t().reshape(shares.shape).to(shares)
