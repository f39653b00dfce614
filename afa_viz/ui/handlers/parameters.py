"""Checks of the parameters of a browser's calls that several server functions share."""

from __future__ import annotations


def is_index(value: object, count: int | None = None) -> bool:
    """Whether a value is an integer, from 0 to `count` - 1 if that is given."""
    return isinstance(value, int) and not isinstance(value, bool) and (count is None or 0 <= value < count)


def parse_cell(value: object) -> tuple[int, int] | None:
    """A cell that a browser sent; whether it lies on the grid is checked where the grid is known."""
    if value is None:
        return None
    if not isinstance(value, list) or len(value) != 2 or not all(map(is_index, value)):
        raise KeyError("cell")
    return value[0], value[1]
