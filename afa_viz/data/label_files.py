"""Image labels that somebody wrote down: CSV or JSON, in the layouts that people use.

CSV, with or without a first line of titles:

    name,classes            name,cat,dog           cat_1.jpg,cat,dog
    cat_1.jpg,cat dog       cat_1.jpg,1,1          dog_7.jpg,dog
    dog_7.jpg,dog           dog_7.jpg,0,1

JSON: {"cat_1.jpg": ["cat", "dog"], "dog_7.jpg": "dog"} or [{"name": "cat_1.jpg", "classes": ["cat", "dog"]}, …].
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NAME_TITLES = ("name", "image", "file", "filename", "file_name", "path", "image_name", "image_id", "id", "img")
CLASS_TITLES = ("classes", "labels", "class", "label", "tags")
YES, NO = ("1", "1.0", "true", "yes"), ("0", "0.0", "false", "no", "")


@dataclass(frozen=True)
class WrittenLabels:
    """classes: names of the classes by name of the image; columns: all classes, if the file has one column for each."""

    classes: Mapping[str, tuple[str, ...]]
    columns: tuple[str, ...] = ()

    def class_names(self) -> tuple[str, ...]:
        """Background and the classes: in the order of the columns, or else of the alphabet."""
        found = self.columns or sorted({name for names in self.classes.values() for name in names})
        return ("background", *(name for name in found if name != "background"))


def read_label_file(path: Path, known: Sequence[str] = ()) -> WrittenLabels:
    """Read a file of labels.

    Args:
        known: names of classes, if there is a list of them: one that holds a space is then one name.
    Raises: ValueError: for a file in another layout, with the line that shows it.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        written = _from_json(text, path) if path.suffix.lower() == ".json" else _from_csv(text, path, known)
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 text ({error}); expected CSV or JSON: save it as UTF-8.") from error
    except (json.JSONDecodeError, csv.Error) as error:
        raise ValueError(f"{path} can not be read ({error}); expected CSV or JSON with the labels.") from error
    if not written.classes:
        raise ValueError(f"{path} has no image; expected a line for each, like `cat_1.jpg,cat dog`.")
    return written


def _from_csv(text: str, path: Path, known: Sequence[str]) -> WrittenLabels:
    first = text.lstrip().split("\n", 1)[0]
    marks = [mark for mark in first if mark in ",;\t"]
    if not marks:
        raise ValueError(f"{path} begins with {first.strip()!r}; expected a name, a comma and its classes.")
    rows = [
        (i, [cell.strip() for cell in row])
        for i, row in enumerate(csv.reader(text.splitlines(), delimiter=marks[0]), 1)
    ]
    rows = [(i, row) for i, row in rows if any(row)]
    for i, row in rows:
        if not row[0]:
            raise ValueError(f"{path}, line {i}: no name; expected the name of an image first.")
    titles = rows[0][1] if rows[0][1][0].lower() in NAME_TITLES else []
    rows = rows[1:] if titles else rows
    classes_at = [i for i, title in enumerate(titles) if i and title.lower() in CLASS_TITLES]
    if titles and not classes_at and all(cell.lower() in (*YES, *NO) for _, row in rows for cell in row[1:]):
        return _from_columns(titles, rows, path)
    cells = [(row[0], [row[i] for i in classes_at if i < len(row)] if classes_at else row[1:]) for _, row in rows]
    marked = any(mark in cell for _, words in cells for cell in words for mark in ";|,")
    apart = re.compile(r"[;|,]" if marked else r"\s+")
    found: dict[str, list[str]] = {}
    for name, words in cells:
        names = [name for cell in words for name in ([cell] if cell in known else apart.split(cell))]
        found.setdefault(name, []).extend(word.strip() for word in names if word.strip())
    return WrittenLabels({name: tuple(dict.fromkeys(classes)) for name, classes in found.items()})


def _from_columns(titles: Sequence[str], rows: Sequence[tuple[int, list[str]]], path: Path) -> WrittenLabels:
    columns = tuple(titles[1:])
    if len(set(columns)) < len(columns) or "" in columns:
        raise ValueError(f"{path} has the columns {', '.join(columns)}; expected one title for each class.")
    found: dict[str, tuple[str, ...]] = {}
    for i, row in rows:
        if len(row) != len(titles):
            raise ValueError(f"{path}, line {i}: {len(row)} cells; expected {len(titles)}, as in the first line.")
        chosen = (title for title, cell in zip(columns, row[1:], strict=True) if cell.lower() in YES)
        found[row[0]] = tuple(dict.fromkeys((*found.get(row[0], ()), *chosen)))
    return WrittenLabels(found, columns)


def _from_json(text: str, path: Path) -> WrittenLabels:
    held = json.loads(text)
    if isinstance(held, list):
        held = dict(_entry(entry, path) for entry in held)
    if not isinstance(held, dict):
        raise ValueError(f'{path} holds a {type(held).__name__}; expected {{"cat_1.jpg": ["cat", "dog"], …}}.')
    return WrittenLabels({str(name): _words(name, classes, path) for name, classes in held.items()})


def _entry(entry: Any, path: Path) -> tuple[str, Any]:
    keys = {str(key).lower(): key for key in entry} if isinstance(entry, dict) else {}
    name, classes = (next((keys[t] for t in titles if t in keys), None) for titles in (NAME_TITLES, CLASS_TITLES))
    if name is None or classes is None:
        raise ValueError(
            f'{path} holds {str(entry)[:60]}; expected {{"name": "cat_1.jpg", "classes": ["cat", "dog"]}}.'
        )
    return str(entry[name]), entry[classes]


def _words(name: str, classes: Any, path: Path) -> tuple[str, ...]:
    words = [classes] if isinstance(classes, str) else classes
    if not isinstance(words, list) or not all(isinstance(word, str) and word for word in words):
        raise ValueError(f'{path} has {str(classes)[:60]} for {name}; expected names of classes, like ["cat", "dog"].')
    return tuple(dict.fromkeys(words))
