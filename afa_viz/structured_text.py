"""JSON and TOML from untrusted sources: every problem is a ValueError with the reason as a phrase."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NoReturn

MAX_BYTES = 8 * 2**20  # of a file of settings, of a card, of a list of examples; ours have a few thousand
MAX_NESTED = 100  # levels
MAX_INTEGER = 2**63 - 1  # what a whole number may be, up and down
MAX_NAME = 40  # letters that a message shows of a name


def parse_json(text: str) -> Any:
    """Parse JSON. Raises: ValueError: if it is invalid, or nested too deep, or has a number beyond 64 bits."""
    try:
        return _checked(json.loads(text))
    except RecursionError:
        _too_deep()


def parse_toml(text: str) -> dict[str, Any]:
    """Parse TOML. Raises: ValueError: as `parse_json`, or where Python is older than 3.11."""
    try:
        import tomllib
    except ModuleNotFoundError:
        raise ValueError("TOML needs Python 3.11 or newer: write the same as JSON") from None
    try:
        return _checked(tomllib.loads(text))
    except RecursionError:
        _too_deep()


def read_text(path: Path, max_bytes: int = MAX_BYTES) -> str:
    """The text of a UTF-8 file, without byte order mark.

    Raises: OSError. ValueError: if it is too large, or not UTF-8.
    """
    with open(path, "rb") as file:
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise ValueError(f"it has more than {max_bytes >> 20} MB")
    return content.decode("utf-8-sig")


def _checked(held: Any) -> Any:
    """The parsed value, after checks of its depth and of every integer."""
    level: list[tuple[str, Any]] = [("it", held)]
    for _ in range(MAX_NESTED):
        for name, item in level:
            if isinstance(item, int) and abs(item) > MAX_INTEGER:
                raise ValueError(f"{name} is a whole number of more than 64 bits")
        level = [part for name, item in level for part in _parts(name, item)]
        if not level:
            return held
    _too_deep()


def _parts(name: str, item: Any) -> Iterable[tuple[str, Any]]:
    """What an object or a list holds, with the name that it stands under."""
    if isinstance(item, dict):
        return ((ascii(key[:MAX_NAME])[1:-1], part) for key, part in item.items())
    return ((name, part) for part in item) if isinstance(item, list) else ()


def _too_deep() -> NoReturn:
    raise ValueError(f"it is nested more than {MAX_NESTED} levels deep")
