"""Converts numbers, booleans and short lists to Python types; numpy and torch scalars are accepted too.

Each function returns None for anything else, so that the caller can raise its own error.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from typing import Any

MAX_PREVIEW = 60  # characters of a value in a message


def to_python(value: Any) -> Any:
    """A scalar of numpy or torch, or an array of no dimension, as Python's own; anything else as it is."""
    return value.item() if getattr(value, "shape", None) == () and hasattr(value, "item") else value


def as_int(value: Any) -> int | None:
    """A whole number, such as 8, 8.0 or np.int64(8); no boolean."""
    value = to_python(value)
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return None
    try:
        whole = math.trunc(value)
    except (OverflowError, ValueError):  # infinite, or NaN
        return None
    return int(whole) if whole == value else None


def as_float(value: Any) -> float | None:
    """A finite number; no boolean."""
    value = to_python(value)
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number + 0.0 if math.isfinite(number) else None  # -0 becomes 0: equal settings have equal keys


def number_text(value: float) -> str:
    """The shortest text of a finite number that reads back as the same one: "1", "0.35", "1e-07"."""
    return repr(float(value)).removesuffix(".0")


def as_bool(value: Any) -> bool | None:
    """True or False; no number and no text, which would count as True where it says "no"."""
    value = to_python(value)
    return value if isinstance(value, bool) else None


def as_list(value: Any) -> list[Any] | None:
    """The values of a list, a tuple, or an array or tensor of one dimension; no text."""
    if len(getattr(value, "shape", ())) == 1 and hasattr(value, "tolist"):
        return value.tolist()
    return list(value) if isinstance(value, Sequence) and not isinstance(value, (str, bytes, bytearray)) else None


def preview(value: Any) -> str:
    """One-line `repr` of a value for error messages, truncated to `MAX_PREVIEW` characters."""
    try:
        text = " ".join(repr(to_python(value)).split())
    except Exception:  # numbers of thousands of digits, lists in lists in lists, objects of the caller
        text = f"a {type(value).__name__}"
    return text if len(text) <= MAX_PREVIEW else f"{text[: MAX_PREVIEW - 1]}…"
