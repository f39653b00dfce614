"""Settings from text and files: `key=value` pairs, TOML and JSON into frozen config dataclasses, by type of field."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from afa_viz.spelling import nearest, reject_unknown
from afa_viz.structured_text import parse_json, parse_toml, read_text

__all__ = ["apply_mapping", "apply_settings", "field_types", "nearest", "read_settings", "text_settings"]

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
        reject_unknown([key], list(kinds))
        changes[key] = _parse(key, kinds[key], text.strip())
    return _replace_nested(config, changes)


def read_settings(path: Path) -> dict[str, Any]:
    """Read a TOML or JSON file of settings.

    Raises: FileNotFoundError, ValueError: if it is not there or holds anything else.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no file of settings {path}; expected TOML or JSON with key = value.")
    try:
        parse = parse_json if path.suffix.lower() == ".json" else parse_toml
        held = parse(read_text(path))
    except ValueError as error:  # of both parsers, and of text that is none
        raise ValueError(f"{path} cannot be read ({error}); expected TOML or JSON with key = value.") from error
    if not isinstance(held, dict):
        raise ValueError(f"{path} holds a {type(held).__name__}; expected names and values of settings.")
    return held


def apply_mapping(config: Config, values: Mapping[str, Any], within: str = "") -> Config:
    """The config with the values of a file applied, nested ones as nested tables.

    Args:
        config: a frozen dataclass instance.
        values: by field; lists are meant as tuples, whole numbers as numbers.
        within: where the values stand in the file, for messages.
    Returns: a new config.
    Raises: ValueError: as `apply_settings`.
    """
    hints = typing.get_type_hints(type(config))
    names = [field.name for field in dataclasses.fields(config)]  # type: ignore[arg-type]
    values = _nested(values)
    if unknown := [name for name in values if name not in names]:
        reject_unknown(unknown, list(dict.fromkeys([*names, *field_types(config)])), within)
    changes: dict[str, Any] = {}
    for name, value in values.items():
        changes[name] = _convert(within + name, hints[name], value, getattr(config, name))
    return dataclasses.replace(config, **changes)  # type: ignore[type-var]


def _nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """`{"explain.radius": 5}` as `{"explain": {"radius": 5}}`, which is what it means."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        outer, dot, inner = name.partition(".")
        if dot and isinstance(found.get(outer, {}), Mapping):
            found[outer] = {**found.get(outer, {}), inner: value}
        else:
            found[name] = {**found[name], **value} if name in found and isinstance(value, Mapping) else value
    return found


def _convert(key: str, kind: Any, value: Any, present: Any = None) -> Any:
    """A value of a file as a value of a type; `present` is what the field holds now."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        if value is None and type(None) in arguments:
            return None
        return _convert(key, next(a for a in arguments if a is not type(None)), value)
    if origin is tuple and isinstance(value, (list, tuple)):
        kinds = [arguments[0]] * len(value) if arguments[-1] is Ellipsis else list(arguments)
        if len(kinds) == len(value):
            return tuple(_convert(f"{key}[{i}]", k, v) for i, (k, v) in enumerate(zip(kinds, value, strict=True)))
    if dataclasses.is_dataclass(kind) and isinstance(value, Mapping):
        return apply_mapping(present if present is not None else _new_dataclass(key, kind, value), value, f"{key}.")
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind in (bool, int, float, str) and type(value) is kind:
        return value
    expected = kind.__name__ if isinstance(kind, type) and origin is None else str(kind)
    raise ValueError(f"got {key} = {value!r}; expected {TYPE_NAMES.get(expected, expected)}.")


TYPE_NAMES = {"bool": "true or false", "int": "a whole number", "float": "a number", "str": "a text"}


def _new_dataclass(key: str, kind: Any, value: Mapping[str, Any]) -> Any:
    """A new dataclass of a list in a file; its fields without default come from the file."""
    reject_unknown(value, [f.name for f in dataclasses.fields(kind)], f"{key}.")
    required = [f.name for f in dataclasses.fields(kind) if f.default is dataclasses.MISSING]
    missing = [name for name in required if name not in value]
    if missing:
        raise ValueError(f"{key} has no {missing[0]!r}; expected all of {', '.join(required)}.")
    return kind(**{name: value[name] for name in required})


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


def text_settings(config: Any) -> list[str]:
    """The keys of `field_types` that text can set; the others, tuples of tuples, are set in Python."""
    return [key for key, kind in field_types(config).items() if not _is_nested(kind)]


def _is_nested(kind: Any) -> bool:
    """Whether a type is a tuple of tuples, or None."""
    arguments = typing.get_args(kind)
    if typing.get_origin(kind) is tuple:
        return typing.get_origin(arguments[0]) is tuple
    return typing.get_origin(kind) in (types.UnionType, typing.Union) and any(map(_is_nested, arguments))


def _example(config: Any) -> str:
    field = dataclasses.fields(config)[0]
    return f"{field.name}={getattr(config, field.name)}"


def _replace_nested(config: Any, changes: dict[str, Any]) -> Any:
    flat = {key: value for key, value in changes.items() if "." not in key}
    for name in {key.split(".", 1)[0] for key in changes if "." in key}:
        inner = {key.split(".", 1)[1]: value for key, value in changes.items() if key.startswith(f"{name}.")}
        flat[name] = _replace_nested(getattr(config, name), inner)
    return dataclasses.replace(config, **flat)


def _parse(key: str, kind: Any, text: str) -> Any:
    """Text as a value of a type: bool, int, float, str, tuples of them, and any of them or None."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        if text.lower() == "none" and type(None) in arguments:
            return None
        return _parse(key, next(a for a in arguments if a is not type(None)), text)
    if origin is tuple and typing.get_origin(arguments[0]) is not tuple:
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
    raise ValueError(f"{key} cannot be set from text; set it in Python: ExplainConfig({key}=…).")
