"""Settings from text: `key=value` pairs into frozen config dataclasses, by the type of each field."""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from collections.abc import Sequence
from typing import Any, TypeVar

Config = TypeVar("Config")

TRUE, FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


def apply_settings(config: Config, settings: Sequence[str]) -> Config:
    """The config with `key=value` settings applied, all at once, so that fields may be checked together.

    Args:
        config: a frozen dataclass instance; fields of nested ones are written `outer.inner=value`.
        settings: e.g. ["radius=5", "scales=1,0.5", "flip=no", "long_side=none"]. The last of equal keys counts.
    Returns: a new config.
    Raises: ValueError: for text without "=", an unknown key (with the nearest right one), a value of another type
        or one that the config refuses.
    """
    changes: dict[str, Any] = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        key = key.strip()
        if not equals or not key:
            raise ValueError(f"got the setting {setting!r}; expected key=value, like {_example(config)}.")
        kinds = field_types(config)
        if key not in kinds:
            raise ValueError(f"there is no setting {key!r}; {_nearest(key, list(kinds))}.")
        changes[key] = _parse(key, kinds[key], text.strip())
    return _replaced(config, changes)


def field_types(config: Any, prefix: str = "") -> dict[str, Any]:
    """Every key that can be set and its type, nested keys with dots."""
    found: dict[str, Any] = {}
    hints = typing.get_type_hints(type(config))
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            found |= field_types(value, f"{prefix}{field.name}.")
        else:
            found[prefix + field.name] = hints[field.name]
    return found


def nearest(word: str, words: Sequence[str]) -> str | None:
    """The word most like a mistyped one, or None if none is near."""
    by_last = {w.rsplit(".", 1)[-1]: w for w in reversed(words)}
    close = difflib.get_close_matches(word, words, n=1) or difflib.get_close_matches(word, list(by_last), n=1)
    return by_last.get(close[0], close[0]) if close else None


def _nearest(key: str, keys: Sequence[str]) -> str:
    close = nearest(key, keys)
    return f"the nearest is {close!r}" if close else f"expected one of {', '.join(keys)}"


def _example(config: Any) -> str:
    field = dataclasses.fields(config)[0]
    return f"{field.name}={getattr(config, field.name)}"


def _replaced(config: Any, changes: dict[str, Any]) -> Any:
    flat = {key: value for key, value in changes.items() if "." not in key}
    for name in {key.split(".", 1)[0] for key in changes if "." in key}:
        inner = {key.split(".", 1)[1]: value for key, value in changes.items() if key.startswith(f"{name}.")}
        flat[name] = _replaced(getattr(config, name), inner)
    return dataclasses.replace(config, **flat)


def _parse(key: str, kind: Any, text: str) -> Any:
    """Text as a value of a type: bool, int, float, str, tuples of them, and any of them or None."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        if text.lower() == "none" and type(None) in arguments:
            return None
        return _parse(key, next(a for a in arguments if a is not type(None)), text)
    if origin is tuple:
        parts = [part.strip() for part in text.strip("()[]").split(",") if part.strip()]
        if arguments[-1] is Ellipsis:
            return tuple(_parse(key, arguments[0], part) for part in parts)
        if len(parts) != len(arguments):
            raise ValueError(f"got {key}={text}; expected {len(arguments)} values separated by commas.")
        return tuple(_parse(key, argument, part) for argument, part in zip(arguments, parts, strict=True))
    if kind is bool:
        if text.lower() in (*TRUE, *FALSE):
            return text.lower() in TRUE
        raise ValueError(f"got {key}={text}; expected yes or no.")
    if kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            word = "a whole number" if kind is int else "a number"
            raise ValueError(f"got {key}={text}; expected {word}.") from None
    if kind is str:
        return text
    raise ValueError(f"{key} can not be set from text; write it in a file of settings.")
