"""Parses cells of label files into class names: words, lists, class indices, zeros and ones."""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from afa_viz.data.class_lists import is_background
from afa_viz.data.text_files import format_count, format_list, normalize_unicode

YES, NO = ("1", "1.0", "true", "yes"), ("0", "0.0", "false", "no", "")
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?", re.IGNORECASE)
_NUMPY_LIST = re.compile(r"\[\s*(?:(['\"])[^'\"]*\1\s*)+\]")
_SEPARATORS = re.compile(r"[;|,]")
_PARTS = re.compile(r"[\s;|,]+")
_JOINED = re.compile(r"\s*[/+&]\s*|\s+and\s+")
_BRACKETS = {"[": "]", "(": ")", "{": "}"}


def natural_sort_key(name: str) -> list[Any]:
    """A key to sort names with, in which 2 comes before 10."""
    return [int(part) if i % 2 else part for i, part in enumerate(re.split(r"(\d+)", name))]


def is_number(value: Any) -> bool:
    """Whether a cell holds a number, as one or as text."""
    if isinstance(value, str):
        return _NUMBER.fullmatch(value.strip()) is not None
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def classes_of_cells(
    cells: Mapping[str, Sequence[Any]], known: Sequence[str], origin: object, notes: list[str]
) -> dict[str, tuple[str, ...]]:
    """Names of the classes of each image.

    Args:
        cells: by image, what its cells hold: text, a number, a list of either, or yes and no by class.
        known: names of the classes in their order, background first, if there is a list of them.
        origin: the file, for people.
        notes: gets what was left out.
    Raises: ValueError: for a number that is not a class, a cell with neither names nor numbers, and where it cannot
        be told whether a space stands in a name or between two.
    """
    values = {name: [_parse_cell(cell, name, known, origin) for cell in row] for name, row in cells.items()}
    lists = [v for row in values.values() for v in row if isinstance(v, list) and v and all(map(is_number, v))]
    alone = [v for row in values.values() for v in row if is_number(v)]
    count = len(known) - 1
    vectors = _are_vectors(lists, count, origin)
    yes_or_no = bool(alone) and count == 1 and {float(v) for v in alone} <= {0.0, 1.0} and not (lists and not vectors)
    texts = [v for row in values.values() for v in row if isinstance(v, str) and not is_number(v)]
    apart = _separation(texts, known, origin, notes)
    found: dict[str, list[Any]] = {}
    for name, row in values.items():
        words = found.setdefault(name, [])
        for value in row:
            if isinstance(value, list):
                hot = vectors and value and all(map(is_number, value))
                words += _classes_of_vector(value, known) if hot else value
            elif is_number(value):
                words += _classes_of_vector([value], known) if yes_or_no else [value]
            else:
                words += _split(value, known, apart)
    return _names(found, known, origin, notes)


def _parse_cell(cell: Any, name: str, known: Sequence[str], origin: object) -> Any:
    """A cell as text, a number or a list of both."""
    if isinstance(cell, str):
        text = normalize_unicode(cell.strip())
        if text == "set()":
            return []
        if text and _BRACKETS.get(text[0]) == text[-1]:
            return _parse_cell(_literal(text), name, known, origin)
        parts = [part for part in _PARTS.split(text) if part]
        if len(parts) > 1 and all(map(is_number, parts)):
            return parts
        if text.lower() != "nan":
            return text
    if isinstance(cell, dict):
        refused = [v for v in cell.values() if str(v).strip().lower() not in (*YES, *NO)]
        if refused:
            raise ValueError(f"{origin} has {str(refused[0])[:60]!r} for {name}; expected 0 or 1 for each class.")
        return [normalize_unicode(str(key)) for key, v in cell.items() if str(v).strip().lower() in YES]
    if isinstance(cell, (list, tuple)):
        parts = [normalize_unicode(part.strip()) if isinstance(part, str) else part for part in cell]
        if all(isinstance(part, str) and part or _is_class_number(part, known) for part in parts):
            return parts
    elif _is_class_number(cell, known):
        return cell
    shown = "null" if cell is None else str(cell)[:60]
    raise ValueError(
        f'{origin} has {shown} for {name}; expected names of classes, like ["cat", "dog"], or numbers with classes.txt '
        "beside it."
    )


def _is_class_number(value: Any, known: Sequence[str]) -> bool:
    """Whether a value that is not text is a number, and there is a list of classes that gives it a name."""
    return is_number(value) and not isinstance(value, str) and math.isfinite(value) and len(known) > 1


def _literal(text: str) -> Any:
    """What a cell in brackets holds: JSON, a list as Python, pandas and numpy write it, or words between brackets."""
    if _NUMPY_LIST.fullmatch(text):  # before Python, which joins texts that no comma parts
        return [match[2] for match in re.finditer(r"(['\"])(.*?)\1", text)]
    for read in (json.loads, ast.literal_eval):
        try:
            held = read(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        return sorted(held, key=str) if isinstance(held, (set, frozenset)) else held
    inner = text[1:-1].strip()
    parts = inner.split() if all(map(is_number, inner.split())) else _SEPARATORS.split(inner)
    return [part.strip().strip("'\"") for part in parts if part.strip()]


def _are_vectors(lists: Sequence[Sequence[Any]], count: int, origin: object) -> bool:
    """Whether lists of numbers are one value per class and not numbers of classes."""
    if not lists or any(float(v) not in (0.0, 1.0) for row in lists for v in row):
        return False
    lengths = sorted({len(row) for row in lists})
    if count > 0 and lengths in ([count], [count + 1]):
        return True
    if lengths != [1] and any(float(v) == 0 for row in lists for v in row):
        expected = (
            f"{count}, one per class of classes.txt" if count > 0 else "names of classes, or classes.txt beside it"
        )
        raise ValueError(
            f"{origin} has lists of {', '.join(map(str, lengths))} zeros and ones; expected {expected}: name the "
            "classes."
        )
    return False


def _classes_of_vector(vector: Sequence[Any], known: Sequence[str]) -> list[str]:
    names = known if len(vector) == len(known) else known[1:]
    return [name for name, value in zip(names, vector, strict=True) if float(value) == 1]


def _separation(texts: Sequence[str], known: Sequence[str], origin: object, notes: list[str]) -> re.Pattern[str] | None:
    """What stands between two classes of a cell; None: nothing does, or known names tell.

    Marks do where there are any. Without them a space may stand in a name, as in "traffic light", or between two: it
    is between two if every word also stands alone, or if names are written with underscores; it is in a name if no
    word of it stands anywhere else.
    """
    if any(_SEPARATORS.search(text) for text in texts if text not in known):
        return _SEPARATORS
    if len(known) > 1:
        return None
    cells = {tuple(text.split()) for text in texts if text}
    several = [cell for cell in cells if len(cell) > 1]
    alone = {cell[0] for cell in cells if len(cell) == 1}
    words = {word for cell in several for word in cell}
    if not several or words <= alone or any("_" in word for word in words | alone):
        return re.compile(r"\s+")
    shared = next((cell for cell in sorted(several) if any(set(cell) & set(other) for other in cells - {cell})), None)
    if shared is not None:
        raise ValueError(
            f"{origin} has {' '.join(shared)!r}, which may be one class or {len(shared)}; expected classes.txt beside "
            "it with one name per line, or `;` between two classes."
        )
    names = [" ".join(cell) for cell in sorted(several)]
    notes.append(f"a space is part of the name of {format_count(len(names), 'class', 'classes')}: {format_list(names)}")
    return None


def _split(text: str, known: Sequence[str], apart: re.Pattern[str] | None) -> list[str]:
    if not text or text in known:
        return [text] if text else []
    if apart is not None:
        return [word.strip() for word in apart.split(text) if word.strip()]
    tokens, words = text.split(), []
    if len(known) < 2:
        return [" ".join(tokens)]
    while tokens:  # the longest known name first
        length = next((n for n in range(len(tokens), 0, -1) if " ".join(tokens[:n]) in known), 1)
        words.append(" ".join(tokens[:length]))
        tokens = tokens[length:]
    return words


def _names(
    found: Mapping[str, Sequence[Any]], known: Sequence[str], origin: object, notes: list[str]
) -> dict[str, tuple[str, ...]]:
    """Names in the place of numbers of classes, each once, without background."""
    words = {word for row in found.values() for word in row if word not in known}
    numbers = sorted({float(word) for word in words if is_number(word)})
    others = sorted(str(word) for word in words if not is_number(word))
    if numbers:
        _require_class_numbers(numbers, others, known, origin)
    joined = next((w for w in others if len(parts := _JOINED.split(w)) > 1 and not words.isdisjoint(parts)), None)
    if joined is not None and len(known) < 2:
        raise ValueError(
            f"{origin} has {joined!r}, which may be one class or more; expected classes.txt beside it with one name "
            "per line, or `;` between two classes."
        )
    renamed: dict[str, tuple[str, ...]] = {}
    dropped = 0
    for name, row in found.items():
        named = [_name_of(word, known) for word in row]
        classes = dict.fromkeys(word for word in named if not is_background(word))
        dropped += len(classes) < len(set(named))
        renamed[name] = tuple(classes)
    if dropped:
        notes.append(f"the background is named as a class of {format_count(dropped, 'image')}, which is left out")
    return renamed


def _name_of(word: Any, known: Sequence[str]) -> str:
    if word in known or not is_number(word):
        return str(word)
    return known[int(float(word))] if len(known) > 1 else str(int(float(word)))


def _require_class_numbers(
    numbers: Sequence[float], others: Sequence[str], known: Sequence[str], origin: object
) -> None:
    if len(known) > 1:
        wrong = [n for n in numbers if not n.is_integer() or not 1 <= n < len(known)]
        if wrong:
            raise ValueError(
                f"{origin} has the class {wrong[0]:g}; expected names, or numbers from 1 to {len(known) - 1} in the "
                "order of classes.txt (0 is the background)."
            )
        return
    if others:
        raise ValueError(
            f"{origin} has {others[0]!r} and {numbers[0]:g} among its classes; expected names or numbers, not both."
        )
    wrong = [n for n in numbers if not n.is_integer() or not 0 <= n < 255]
    if wrong:
        raise ValueError(f"{origin} has the class {wrong[0]:g}; expected names of classes, or whole numbers from 0.")
    if set(numbers) <= {0.0, 1.0}:
        raise ValueError(
            f"{origin} has 0 and 1 without a name, which may be two classes or no and yes; expected names of classes: "
            "write them into the first line or into classes.txt."
        )
