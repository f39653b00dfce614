"""Errors whose message is one sentence for the person who uses the app."""

from __future__ import annotations

from afa_viz.model.card import shortened


class UserError(ValueError):
    """A request that cannot be fulfilled; the message is one sentence for the user."""


class BusyError(UserError):
    """Too many requests are waiting already."""


class StorageFullError(UserError):
    """The disk space for uploads is taken by photographs that are still arriving."""


def quote_value(value: object, max_length: int = 40) -> str:
    """A value that was sent, on one line of at most `max_length` characters; all but numbers in quotation marks."""
    try:
        text = shortened(str(value), max_length)
        return text if isinstance(value, (int, float)) else repr(text)
    except (ValueError, RecursionError):  # numbers of thousands of digits, deeply nested lists
        return "something very large"
