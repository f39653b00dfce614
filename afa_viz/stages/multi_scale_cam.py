"""The stage cam: the network's maps at several scales and mirrored, fused into one.

Symbols: B batch, C foreground classes, N cells of the affinity, H W pixels, h w cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from afa_viz.ops import cam as cams

if TYPE_CHECKING:
    from afa_viz.model.afa import AFA


class CamModel(Protocol):
    """Whatever gives a raw CAM: a network, or some of its classes."""

    def forward_cam(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) normalised -> raw CAM (B, C, h, w), detached."""


def multi_scale_cam(
    model: AFA, image: Tensor, scales: Sequence[float], flip: bool = True, relu: bool = True, run_decoder: bool = False
) -> tuple[Tensor, Tensor]:
    """Normalised CAM fused over scales and flips, and the affinity of the largest scale that ran.

    Args:
        model: in the mode in which its passes should run.
        image: (B, 3, H, W) normalised.
        scales: scale 1 runs first, listed or not, then the others in order.
        flip: also run the mirrored image.
        relu: see `ops.cam.fuse_scales`.
        run_decoder: also run the decoder, whose batch-norm statistics then count these passes in training mode.
    Returns: cam (B, C, H, W) in [0, 1], at least float32; affinity (B or 2B, N, N), the first B of the images as they
        are.
    Source: docs/spec.md section 5.
    """
    size = (image.shape[-2], image.shape[-1])
    ordered = _ordered(scales)
    largest = max(ordered)
    fused: list[Tensor] = []
    affinity: Tensor | None = None
    with torch.no_grad():
        for scale in ordered:
            scaled = _scaled(image, scale)
            batch = torch.cat([scaled, scaled.flip(-1)]) if flip else scaled
            if run_decoder:
                raw, pair = model.forward_cam_with_decoder(batch)
            elif scale == largest:
                raw, pair = model.forward_cam_affinity(batch)
            else:
                raw, pair = model.forward_cam(batch), None
            if scale == largest:
                affinity = pair
            maps = _enlarged(raw, size)
            fused.append(cams.fuse_flip(*maps.chunk(2)) if flip else maps)
    assert affinity is not None
    return cams.normalize(cams.fuse_scales(fused, relu=relu)), affinity


def multi_scale_cam_of(
    model: CamModel, image: Tensor, raw: Tensor, scales: Sequence[float], flip: bool = True, relu: bool = True
) -> Tensor:
    """The CAM of `multi_scale_cam` where that of the image as it is, at scale 1, has been computed already.

    Args:
        model: in evaluation mode.
        raw: (B, C, h, w), of the image at scale 1, not mirrored. The others as `multi_scale_cam`.
    Returns: cam (B, C, H, W) in [0, 1].
    """
    size = (image.shape[-2], image.shape[-1])

    def fused(scale: float) -> Tensor:
        scaled = _scaled(image, scale)
        maps = _enlarged(raw if scale == 1 else model.forward_cam(scaled), size)
        if not flip:
            return maps
        # one after the other: as fast as both at once, in half the memory
        return cams.fuse_flip(maps, _enlarged(model.forward_cam(scaled.flip(-1)), size))

    return cams.normalize(cams.fuse_scales(map(fused, _ordered(scales)), relu=relu))


def _ordered(scales: Sequence[float]) -> list[float]:
    return [1.0, *(float(s) for s in scales if s != 1)]


def _scaled(image: Tensor, scale: float) -> Tensor:
    return cams.resize(image, (int(scale * image.shape[-2]), int(scale * image.shape[-1])))


def _enlarged(raw: Tensor, size: tuple[int, int]) -> Tensor:
    """At image size, class by class in memory: a network's channels-last maps take ten times as long to fuse."""
    return cams.resize(raw.to(torch.promote_types(raw.dtype, torch.float32)).contiguous(), size)
