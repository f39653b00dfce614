"""Image labels from CSV or JSON files, in the layouts that are in use.

CSV, with or without a first line of titles:

    name,classes            name,cat,dog           cat_1.jpg,cat,dog
    cat_1.jpg,cat;dog       cat_1.jpg,1,1          dog_7.jpg,dog
    dog_7.jpg,dog           dog_7.jpg,0,1

JSON: {"cat_1.jpg": ["cat", "dog"], "dog_7.jpg": "dog"} or [{"name": "cat_1.jpg", "classes": ["cat", "dog"]}, …].
docs/data_sets.md has every form.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from afa_viz.data.file_index import IMAGE_EXTENSIONS
from afa_viz.data.label_cells import classes_of_cells
from afa_viz.data.label_rows import rows_of_csv
from afa_viz.data.label_tables import (
    CLASS_TITLES,
    NAME_TITLES,
    ParsedLabels,
    labels_of_rows,
    normalize_title,
)
from afa_viz.data.text_files import normalize_unicode, read_text

JSON_EXTENSIONS = (".json", ".jsonl")


def has_image_extension(name: str) -> bool:
    """Whether a name looks like that of an image file."""
    return name.lower().endswith(IMAGE_EXTENSIONS)


def read_label_file(
    path: Path, known: Sequence[str] = (), is_image: Callable[[str], bool] = has_image_extension
) -> ParsedLabels:
    """Read a file of labels.

    Args:
        known: names of classes in their order, background first, if there is a list of them.
        is_image: whether a word names an image of the set.
    Raises: ValueError: for a file in another layout, with the line that shows it.
    """
    text = read_text(path)
    try:
        if path.suffix.lower() in JSON_EXTENSIONS:
            written = _from_json(text, path, known, is_image)
        else:
            rows = rows_of_csv(text, path, is_image) if text.strip() else []
            written = labels_of_rows(rows, known, path, is_image) if rows else ParsedLabels({})
    except (json.JSONDecodeError, csv.Error, RecursionError) as error:
        raise ValueError(f"{path} cannot be read ({error}); expected CSV or JSON with the labels.") from error
    if not written.classes:
        raise ValueError(f"{path} has no image; expected a line for each, like `cat_1.jpg,cat;dog`.")
    return written


def _from_json(text: str, path: Path, known: Sequence[str], is_image: Callable[[str], bool]) -> ParsedLabels:
    held = _loads(text)
    if isinstance(held, dict) and {"images", "annotations"} <= held.keys():
        raise ValueError(f"{path} is a COCO annotation; expected labels: read the set as `coco`, not as `folder`.")
    if isinstance(held, list) and held and all(isinstance(entry, dict) for entry in held):
        return _from_records(held, path, known, is_image)
    notes: list[str] = []
    cells: dict[str, list[Any]] = {}
    if isinstance(held, dict):
        for name, value in held.items():
            values = value if isinstance(value, _Repeated) else [value]
            cells[normalize_unicode(str(name))] = [_inner(part) for part in values]
    elif isinstance(held, list):
        for entry in held:
            if not isinstance(entry, list) or len(entry) < 2 or not isinstance(entry[0], str):
                raise ValueError(
                    f'{path} holds {str(entry)[:60]}; expected {{"name": "cat_1.jpg", "classes": ["cat", "dog"]}}.'
                )
            cells.setdefault(normalize_unicode(entry[0]), []).extend(entry[1:])
    else:
        raise ValueError(f'{path} holds a {type(held).__name__}; expected {{"cat_1.jpg": ["cat", "dog"], …}}.')
    return ParsedLabels(classes_of_cells(cells, known, path, notes), notes=tuple(notes))


def _inner(value: Any) -> Any:
    """The classes in a record that stands beside a name: {"labels": ["cat"], "width": 640}."""
    if isinstance(value, dict):
        found = [v for key, v in value.items() if normalize_title(key) in CLASS_TITLES and isinstance(v, (str, list))]
        return found[0] if found else value
    return value


class _Repeated(list):
    """Values of a name that a JSON object holds more than once."""


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name not in found:
            found[name] = value
        elif isinstance(found[name], _Repeated):
            found[name].append(value)
        else:
            found[name] = _Repeated([found[name], value])
    return found


def _loads(text: str) -> Any:
    """A JSON text, or one JSON text a line."""
    try:
        return json.loads(text, object_pairs_hook=_object)
    except json.JSONDecodeError:
        lines = [line for line in text.split("\n") if line.strip()]
        if len(lines) < 2 or not all(line.lstrip().startswith(("{", "[")) and len(line.strip()) > 1 for line in lines):
            raise
        return [json.loads(line, object_pairs_hook=_object) for line in lines]


def _from_records(
    entries: Sequence[dict[str, Any]], path: Path, known: Sequence[str], is_image: Callable[[str], bool]
) -> ParsedLabels:
    """Records, read as the rows of a table under the titles that they have."""
    titles = list(dict.fromkeys(key for entry in entries for key in entry))
    by_name = [t for word in NAME_TITLES for t in titles if normalize_title(t) == word]
    yes_no = [t for t in titles if all(entry.get(t, 0) in (0, 1) for entry in entries)]
    chosen: list[str] = []
    for entry in entries:
        names = [title for title in by_name if title in entry]
        classes = [t for t in entry if normalize_title(t) in CLASS_TITLES or t in yes_no or t in names[1:]]
        if not names or not classes:
            raise ValueError(
                f'{path} holds {str(entry)[:60]}; expected {{"name": "cat_1.jpg", "classes": ["cat", "dog"]}}.'
            )
        chosen.append(next((title for title in names if is_image(str(entry[title]))), names[0]))
    if len(set(chosen)) > 1:  # each entry has its own word for the image
        entries = [{"name": entry[at], **{t: v for t, v in entry.items() if t not in by_name}}
                   for at, entry in zip(chosen, entries, strict=True)]  # fmt: skip
        titles = list(dict.fromkeys(key for entry in entries for key in entry))
    rows: list[tuple[int, list[Any]]] = [(0, list(titles))]
    rows += [(i, [entry.get(title, "") for title in titles]) for i, entry in enumerate(entries, 1)]
    return labels_of_rows(rows, known, path, is_image, titled=True)
