"""Numbers, booleans and short lists that a caller hands in, as Python's own: numpy's and torch's scalars count as well.

Each function returns None for anything else, so that settings and ops refuse it in their own sentence.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from typing import Any

SHOWN = 60  # letters of a value in a message


def plain(value: Any) -> Any:
    """A scalar of numpy or torch, or an array of no dimension, as Python's own; anything else as it is."""
    return value.item() if getattr(value, "shape", None) == () and hasattr(value, "item") else value


def as_whole(value: Any) -> int | None:
    """A whole number, such as 8, 8.0 or np.int64(8); no boolean."""
    value = plain(value)
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return None
    try:
        whole = math.trunc(value)
    except (OverflowError, ValueError):  # infinite, or NaN
        return None
    return int(whole) if whole == value else None


def as_number(value: Any) -> float | None:
    """A finite number; no boolean."""
    value = plain(value)
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def as_boolean(value: Any) -> bool | None:
    """True or False; no number and no text, which would count as True where it says "no"."""
    value = plain(value)
    return value if isinstance(value, bool) else None


def as_list(value: Any) -> list[Any] | None:
    """The values of a list, a tuple, or an array or tensor of one dimension; no text."""
    if len(getattr(value, "shape", ())) == 1 and hasattr(value, "tolist"):
        return value.tolist()
    return list(value) if isinstance(value, Sequence) and not isinstance(value, (str, bytes, bytearray)) else None


def shown(value: Any) -> str:
    """A value in one line of a message, shortened."""
    try:
        text = " ".join(repr(plain(value)).split())
    except Exception:  # numbers of thousands of digits, lists in lists in lists, objects of the caller
        text = f"a {type(value).__name__}"
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"
