"""Refusals shared by the ops: one sentence that says what came, what was expected and what to do."""

from __future__ import annotations

import math

import torch
from torch import Tensor


class NonFiniteError(ValueError):
    """Numbers that hold NaN or infinity where every one must be finite."""


def all_finite(tensor: Tensor) -> bool:
    """Whether a tensor holds neither NaN nor infinity."""
    if not tensor.is_floating_point() or tensor.numel() == 0:
        return True
    # One pass, no temporary of the tensor's size: the sum is non-finite if any element is. It may also
    # overflow for huge finite values, so only then look at every element.
    dtype = torch.float32 if tensor.device.type == "mps" else torch.float64  # MPS has no float64
    return bool(torch.isfinite(tensor.detach().sum(dtype=dtype))) or bool(torch.isfinite(tensor).all())


def require_finite(name: str, tensor: Tensor) -> None:
    """Raise NonFiniteError, a ValueError, if a floating tensor holds NaN or infinity."""
    if not all_finite(tensor):
        bad = int((~torch.isfinite(tensor)).sum())
        raise NonFiniteError(
            f"{name} holds {bad} NaN or infinite values; expected finite numbers: check the step that made it."
        )


def require_labels(image_labels: Tensor, shape: tuple[int, ...]) -> None:
    """Raise ValueError unless image labels are finite and have the shape (B, C)."""
    if image_labels.shape != shape:
        raise ValueError(
            f"image_labels have shape {tuple(image_labels.shape)}; expected {tuple(shape)}, one value an image and "
            "foreground class: take the labels of these images."
        )
    require_finite("image_labels", image_labels)


def require_number(name: str, value: float) -> None:
    """Raise ValueError if a setting is NaN or infinite."""
    if not math.isfinite(value):
        raise ValueError(f"got {name} {value}; expected a finite number: correct the setting.")


def require_dims(name: str, tensor: Tensor, dims: int, layout: str) -> None:
    """Raise ValueError if a tensor does not have `dims` dimensions."""
    if tensor.dim() != dims:
        raise ValueError(f"{name} has shape {tuple(tensor.shape)}; expected {dims} dimensions {layout}.")


def require_square(name: str, matrix: Tensor) -> None:
    """Raise ValueError unless the last two dimensions are equal."""
    require_dims(name, matrix, 3, "(B, N, N)")
    if matrix.shape[-1] != matrix.shape[-2]:
        raise ValueError(f"{name} has shape {tuple(matrix.shape)}; expected a square matrix (B, N, N).")
