"""Smaller files: half precision, or a quarter of the size: matrices as 8-bit integers with one scale per row.

A tensor whose values half precision cannot hold, such as a variance of 1e5, stays float32: what is written loads, and
means what the network meant.

The quarter is for files that are looked at and not trained on, such as the snapshots of a run. A matrix W (rows, ...)
is stored as round(W / s) with s = max |row| / 127, so that no weight is off by more than s / 2.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

SCALE = ".int8_scale"  # the scales of "name" are stored as "name.int8_scale"
LEVELS = 127


def to_half(tensor: Tensor) -> Tensor:
    """A floating tensor in half precision; as it is where its largest value overflows there, or all vanish."""
    peak = float(tensor.abs().max()) if tensor.numel() and tensor.is_floating_point() else 0.0
    limits = torch.finfo(torch.float16)
    fits = peak == 0 or limits.tiny <= peak <= limits.max
    return tensor.half() if fits and tensor.is_floating_point() else tensor


def pack(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """State dict -> the tensors to store; floating tensors of two or more dimensions become int8."""
    packed: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if not tensor.is_floating_point():
            packed[name] = tensor
        elif tensor.dim() < 2:
            packed[name] = to_half(tensor)
        else:
            rows = tensor.float().flatten(1)
            scale = (rows.abs().amax(dim=1) / LEVELS).clamp_min(torch.finfo(torch.float32).tiny)
            packed[name] = (rows / scale[:, None]).round().to(torch.int8).reshape(tensor.shape)
            packed[name + SCALE] = scale
    return packed


def unpack(stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What `pack` gave -> a state dict; other state dicts come back as they are.

    Raises: KeyError: if a matrix misses its scales or scales their matrix. ValueError: if the two do not fit.
    """
    scales = {name.removesuffix(SCALE): tensor for name, tensor in stored.items() if name.endswith(SCALE)}
    if not scales:
        return dict(stored)
    state: dict[str, Tensor] = {}
    for name, tensor in stored.items():
        if name.endswith(SCALE):
            stored[name.removesuffix(SCALE)]
        elif tensor.dtype != torch.int8:
            state[name] = tensor
        else:
            scale = scales[name]
            if scale.shape != tensor.shape[:1]:
                raise ValueError(f"{name} has {len(tensor)} rows but {scale.numel()} scales; expected one for each.")
            state[name] = (tensor.float().flatten(1) * scale.float()[:, None]).reshape(tensor.shape)
    return state
