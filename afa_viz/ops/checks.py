"""Argument checks shared by the ops; messages state the value, what was expected and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from afa_viz.scalars import as_bool, as_float, as_int, as_list, preview


class NonFiniteError(ValueError):
    """Numbers that hold NaN or infinity where every one must be finite."""


def is_exporting() -> bool:
    """Whether `torch.export` or `torch.compile` traces: sizes are symbols then, and tensors hold no values."""
    return torch.compiler.is_compiling()


def all_finite(tensor: Tensor) -> bool:
    """Whether a tensor holds neither NaN nor infinity; True while `is_exporting`, where there are no values."""
    if is_exporting() or not tensor.is_floating_point() or tensor.numel() == 0:
        return True
    # One pass, no temporary of the tensor's size: NaN is the smallest and the largest value where there is one.
    return bool(torch.isfinite(torch.stack(tensor.detach().aminmax())).all())


def require_finite(name: str, tensor: Tensor) -> None:
    """Raise NonFiniteError, a ValueError, if a floating tensor holds NaN or infinity."""
    if not all_finite(tensor):
        bad = int((~torch.isfinite(tensor)).sum())
        raise NonFiniteError(
            f"{name} holds {bad} NaN or infinite values; expected finite numbers: check the step that made it."
        )


def require_multi_hot(image_labels: Tensor) -> None:
    """Raise ValueError unless image labels are finite and lie from 0 (absent) to 1 (present)."""
    require_finite("image_labels", image_labels)
    outside = (image_labels < 0) | (image_labels > 1)
    if outside.any():
        raise ValueError(
            f"image_labels hold {image_labels[outside][0].item():g}; expected 0 and 1, one for each class: 255 and "
            "other marks for a label that is not known are not labels, choose one of the two."
        )


def require_labels(image_labels: Tensor, shape: tuple[int, ...]) -> None:
    """Raise ValueError unless image labels are of the shape (B, C) and lie from 0 to 1."""
    if image_labels.shape != shape:
        raise ValueError(
            f"image_labels have shape {tuple(image_labels.shape)}; expected {tuple(shape)}, one value per image and "
            "foreground class: take the labels of these images."
        )
    require_multi_hot(image_labels)


def require_float(name: str, value: float) -> float:
    """The setting as a float. Raise ValueError if it is not a number, NaN or infinite."""
    number = as_float(value)
    if number is None:
        raise ValueError(f"got {name} {preview(value)}; expected a finite number: correct the setting.")
    return number


def require_positive(name: str, value: float, published: float, what: str = "a number") -> float:
    """The setting as a float. Raise ValueError unless it is a finite number above 0."""
    number = as_float(value)
    if number is None or number <= 0:
        raise ValueError(f"got {name} {preview(value)}; expected {what} above 0 (published: {published}).")
    return number


def require_int(name: str, value: int, least: int, published: int | None = None) -> int:
    """The setting as an int. Raise ValueError unless it is a whole number of at least `least`."""
    whole = as_int(value)
    if whole is None or whole < least:
        advice = "" if published is None else f" (published: {published})"
        raise ValueError(f"got {name} {preview(value)}; expected a whole number of at least {least}{advice}.")
    return whole


def require_bool(name: str, value: bool) -> bool:
    """The setting as a bool. Raise ValueError unless it is True or False."""
    boolean = as_bool(value)
    if boolean is None:
        raise ValueError(f"got {name} {preview(value)}; expected True or False.")
    return boolean


def require_size(name: str, size: Sequence[int]) -> tuple[int, int]:
    """(rows, columns) as ints. Raise ValueError unless they are two whole numbers of at least 1."""
    if is_exporting():
        return size[0], size[1]
    sides = [as_int(side) for side in as_list(size) or []]
    if len(sides) != 2 or any(side is None or side < 1 for side in sides):
        raise ValueError(f"got {name} {preview(size)}; expected two whole numbers of at least 1: rows and columns.")
    return sides[0], sides[1]  # type: ignore[return-value]


def as_tensor(name: str, values: Any) -> Tensor:
    """A tensor as it is, an array of numpy or nested lists as one. Raise ValueError for anything else."""
    if isinstance(values, Tensor):
        return values
    try:
        return torch.as_tensor(values.copy() if hasattr(values, "strides") else values)  # torch refuses reversed arrays
    except (TypeError, ValueError, RuntimeError, OverflowError):
        raise ValueError(
            f"{name} is of type {type(values).__name__}; expected a tensor, or an array of numbers."
        ) from None


def require_dims(name: str, tensor: Tensor, dims: int, layout: str) -> None:
    """Raise ValueError if something is not a tensor, or does not have `dims` dimensions."""
    if not isinstance(tensor, Tensor):
        raise ValueError(
            f"{name} is of type {type(tensor).__name__}; expected a tensor of {dims} dimensions {layout}: convert it "
            "with torch.as_tensor."
        )
    if tensor.dim() != dims:
        raise ValueError(f"{name} has shape {tuple(tensor.shape)}; expected {dims} dimensions {layout}.")


def require_square(name: str, matrix: Tensor) -> None:
    """Raise ValueError unless the last two dimensions are equal."""
    require_dims(name, matrix, 3, "(B, N, N)")
    if matrix.shape[-1] != matrix.shape[-2]:
        raise ValueError(f"{name} has shape {tuple(matrix.shape)}; expected a square matrix (B, N, N).")
