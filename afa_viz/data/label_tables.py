"""Tables of labels: which column holds the image names, and how to read the others."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from afa_viz.data.class_lists import is_background
from afa_viz.data.file_index import IMAGE_EXTENSIONS
from afa_viz.data.label_cells import NO, YES, classes_of_cells, is_number, natural_sort_key
from afa_viz.data.label_rows import Row
from afa_viz.data.text_files import format_list, normalize_unicode

NAME_TITLES = (
    "name",
    "image",
    "file",
    "filename",
    "path",
    "imagename",
    "imageid",
    "id",
    "img",
    "imagepath",
    "filepath",
)
CLASS_TITLES = (
    "classes",
    "class",
    "labels",
    "label",
    "tags",
    "tag",
    "categories",
    "category",
    "classname",
    "labelname",
)
COUNTER_TITLES = ("id", "imageid", "index", "idx", "row", "nr", "no", "number")  # of a column that only counts
_NUMBERED_TITLE = re.compile(r"(?:class|label|tag|category)\d+")


@dataclass(frozen=True)
class ParsedLabels:
    """classes: names of the classes by written name of the image. columns: all classes, if the file has one column for
    each. notes: what was left out."""

    classes: Mapping[str, tuple[str, ...]]
    columns: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def class_names(self) -> tuple[str, ...]:
        """Background and the classes: in the order of the columns, or else of the alphabet, 2 before 10."""
        found = self.columns or sorted(
            {name for names in self.classes.values() for name in names}, key=natural_sort_key
        )
        return ("background", *found)


def labels_of_rows(
    rows: Sequence[Row], known: Sequence[str], origin: object, is_image: Callable[[str], bool], titled: bool = False
) -> ParsedLabels:
    """Parse a table of labels.

    Args:
        rows: line and cells; the first may hold titles.
        known: names of the classes in their order, background first, if there is a list of them.
        origin: the file, for people.
        is_image: whether a cell names an image of the set.
        titled: the first row is known to hold titles.
    Raises: ValueError: for a table that can be read in more than one way or in none, with the line that shows it.
    """
    notes: list[str] = []
    rows = _without_index(rows, notes)
    at, has_titles = _name_column(rows, is_image)
    titles = [normalize_title(cell) for cell in rows[0][1]] if titled or has_titles else []
    headers = [normalize_unicode(str(cell).strip()) for cell in rows[0][1]] if titles else []
    body = rows[1:] if titles else rows
    for line, row in body:
        if at >= len(row) or not str(row[at]).strip():
            raise ValueError(f"{origin}, line {line}: no name; expected the name of an image.")
    if not titles:
        return _untitled(body, at, known, origin, notes)
    _require_lengths(body, len(titles), titles, origin)
    others = [i for i in range(len(titles)) if i != at]
    counters = [i for i in others if titles[i] in COUNTER_TITLES and all(is_number(row[i]) for _, row in body)]
    _note_columns(counters, headers, notes)
    others = [i for i in others if i not in counters]
    at_classes = [i for i in others if titles[i] in CLASS_TITLES or _NUMBERED_TITLE.fullmatch(titles[i])]
    yes_no = [i for i in others if all(_normalize_cell(row[i]) in (*YES, *NO) for _, row in body)]
    if (not at_classes or len(others) > 1) and set(yes_no) == set(others):
        return _columns(body, at, others, headers, origin, notes)
    if at_classes:
        texts = [i for i in at_classes if not all(is_number(row[i]) for _, row in body)]
        chosen = texts or at_classes
        _note_columns([i for i in others if i not in chosen], headers, notes)
        last = len(titles) if chosen[-1] == len(titles) - 1 else None
        cells = _cells(body, at, lambda row: [row[i] for i in chosen] + (row[last:] if last else []))
        return ParsedLabels(classes_of_cells(cells, known, origin, notes), notes=tuple(notes))
    return _sorted_columns(body, at, others, headers, known, origin, notes)


def normalize_title(title: Any) -> str:
    """A title without capitals, spaces, underscores and hyphens."""
    return re.sub(r"[\s_\-]+", "", str(title)).lower()


def _normalize_cell(cell: Any) -> str:
    return str(cell).strip().lower()


def _without_index(rows: Sequence[Row], notes: list[str]) -> list[Row]:
    """Rows without the column of row numbers that pandas writes."""
    first = [normalize_title(cell) for cell in rows[0][1]]
    if len(first) > 2 and first[0] in ("", "unnamed:0"):
        numbers = [_normalize_cell(row[0]) for _, row in rows[1:]]
        if numbers in ([str(i) for i in range(len(numbers))], [str(i) for i in range(1, len(numbers) + 1)]):
            notes.append("the first column holds the numbers of the rows and is not read")
            return [(line, row[1:]) for line, row in rows]
    return list(rows)


def _name_column(rows: Sequence[Row], is_image: Callable[[str], bool]) -> tuple[int, bool]:
    """Which column names images, and whether the first row holds titles."""
    first = rows[0][1]
    named = [i for i, cell in enumerate(first) if normalize_title(cell) in NAME_TITLES and not is_image(str(cell))]
    named.sort(key=lambda i: NAME_TITLES.index(normalize_title(first[i])))
    # A name with its ending tells more than one that may be a number in any column.
    hits = [
        sum(
            (2 if _normalize_cell(row[i]).endswith(IMAGE_EXTENSIONS) else 1)
            for _, row in rows[1:]
            if i < len(row) and is_image(str(row[i]))
        )
        for i in range(len(first))
    ]
    titled = sorted((i for i in named if hits[i]), key=lambda i: -hits[i]) or named[:1]
    if titled and (hits[titled[0]] or not any(hits)):
        return titled[0], True
    best = hits.index(max(hits)) if any(hits) else 0
    known = (
        hits[best] > 0
        and not is_image(str(first[best]))
        and not _normalize_cell(first[best]).endswith(IMAGE_EXTENSIONS)
    )
    return best, known


def _cells(body: Sequence[Row], at: int, rest: Callable[[list[Any]], list[Any]]) -> dict[str, list[Any]]:
    """What stands beside each name; a name that comes again goes on."""
    cells: dict[str, list[Any]] = {}
    for _, row in body:
        cells.setdefault(str(row[at]).strip(), []).extend(rest(row))
    return cells


def _untitled(body: Sequence[Row], at: int, known: Sequence[str], origin: object, notes: list[str]) -> ParsedLabels:
    rest = [[cell for i, cell in enumerate(row) if i != at] for _, row in body]
    numbers = all(is_number(cell) for row in rest for cell in row if _normalize_cell(cell)) and any(map(any, rest))
    widths = {len(row) for row in rest}
    if numbers and len(widths) == 1 and widths != {1}:
        if widths <= {len(known), len(known) - 1} and all(
            _normalize_cell(cell) in (*YES, *NO) for row in rest for cell in row
        ):
            vectors = _cells(
                body, at, lambda row: [[int(_normalize_cell(c) in YES) for i, c in enumerate(row) if i != at]]
            )
            return ParsedLabels(classes_of_cells(vectors, known, origin, notes), notes=tuple(notes))
        if len(known) < 2 and all(_normalize_cell(cell) in (*YES, *NO, "-1", "255") for row in rest for cell in row):
            raise ValueError(
                f"{origin} begins with {', '.join(map(str, body[0][1][:5]))} and names no class; expected the names of "
                f"its {widths.pop()} classes in the first line, or in classes.txt."
            )
    cells = _cells(body, at, lambda row: [cell for i, cell in enumerate(row) if i != at])
    return ParsedLabels(classes_of_cells(cells, known, origin, notes), notes=tuple(notes))


def _require_lengths(body: Sequence[Row], width: int, titles: Sequence[str], origin: object) -> None:
    """Refuse rows that lack cells or have too many; after a last column of classes more of them may follow."""
    open_end = titles[-1] in CLASS_TITLES or _NUMBERED_TITLE.fullmatch(titles[-1]) is not None
    for line, row in body:
        if len(row) < width or (len(row) > width and not open_end and any(map(_normalize_cell, row[width:]))):
            raise ValueError(f"{origin}, line {line}: {len(row)} cells; expected {width}, as in the first line.")


def _note_columns(columns: Sequence[int], headers: Sequence[str], notes: list[str]) -> None:
    if columns:
        word, verb = ("columns", "are") if len(columns) > 1 else ("column", "is")
        notes.append(
            f"the {word} {format_list([headers[i] or str(i + 1) for i in columns])} of the labels {verb} not read"
        )


def _columns(
    body: Sequence[Row], at: int, columns: Sequence[int], headers: Sequence[str], origin: object, notes: list[str]
) -> ParsedLabels:
    """One column of zeros and ones for each class."""
    names = [headers[i] for i in columns]
    if len(set(names)) < len(names) or "" in names:
        raise ValueError(f"{origin} has the columns {', '.join(names)}; expected one title for each class.")
    background = [i for i in columns if is_background(headers[i])]
    _note_columns(background, headers, notes)
    kept = [i for i in columns if i not in background]
    found: dict[str, tuple[str, ...]] = {}
    for _, row in body:
        name = str(row[at]).strip()
        present = (headers[i] for i in kept if _normalize_cell(row[i]) in YES)
        found[name] = tuple(dict.fromkeys((*found.get(name, ()), *present)))
    return ParsedLabels(found, tuple(headers[i] for i in kept), tuple(notes))


def _is_no_class_cell(cell: str) -> bool:
    """Whether a cell is meant as no or yes, or something between, but is neither 0 nor 1."""
    return (
        len(cell) == 1 and not cell.isdigit() or is_number(cell) and (float(cell) in (-1, 255) or 0 < float(cell) < 1)
    )


def _sorted_columns(
    body: Sequence[Row], at: int, others: Sequence[int], headers: Sequence[str], known: Sequence[str],
    origin: object, notes: list[str],
) -> ParsedLabels:  # fmt: skip
    """Columns whose titles do not say what they hold: zeros and ones, other numbers, or words."""
    yes_no, texts, foreign = [], [], []
    for i in others:
        cells = [(line, _normalize_cell(row[i])) for line, row in body if _normalize_cell(row[i])]
        wrong = [(line, cell) for line, cell in cells if cell not in (*YES, *NO)]
        if not wrong:
            yes_no.append(i)
        elif len(wrong) < len(cells) or any(_is_no_class_cell(cell) for _, cell in wrong):
            line, cell = wrong[0]
            raise ValueError(
                f"{origin}, line {line}, column {headers[i]}: {cell}; expected 0 or 1 for each class: write one of "
                "them, or take the column out."
            )
        elif all(is_number(cell) for _, cell in wrong):
            foreign.append(i)
        else:
            texts.append(i)
    if yes_no and any(_normalize_cell(row[i]) for i in yes_no for _, row in body):
        _note_columns(foreign + texts, headers, notes)
        return _columns(body, at, yes_no, headers, origin, notes)
    if len(texts) != 1:
        raise ValueError(
            f"{origin} has the columns {format_list([headers[i] for i in others])}; expected one of classes, called "
            "`classes`, or one of 0 and 1 for each class."
        )
    _note_columns(foreign + yes_no, headers, notes)
    words = _cells(body, at, lambda row: [row[texts[0]]])
    return ParsedLabels(classes_of_cells(words, known, origin, notes), notes=tuple(notes))
