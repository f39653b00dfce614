"""The rows of a table of labels: which mark parts its cells, quotes, comments, lists in brackets."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Sequence
from typing import Any

from afa_viz.data.label_cells import is_number

_SEPARATORS = ",;\t|"

Row = tuple[int, list[Any]]  # line of the file, cells


def rows_of_csv(text: str, origin: object, is_image: Callable[[str], bool]) -> list[Row]:
    """Rows of a text table: parted by comma, semicolon, tab, bar or, where there is none of these, spaces.

    Raises: ValueError: for a text that is no table. csv.Error: for broken quotes.
    """
    lines = text.split("\n")
    separator_line = re.fullmatch(r"sep=(.)\s*", lines[0], re.IGNORECASE)  # as Excel writes it
    if separator_line:
        lines[0] = ""
        separator = separator_line[1]
    else:
        titles = bool(lines) and any(letter in lines[0] for letter in _SEPARATORS)  # "#name,classes" is no comment
        lines = [line[1:] if line.startswith("#") and titles and not i else "" if line.startswith("#") else line
                 for i, line in enumerate(lines)]  # fmt: skip
        first = next((line for line in lines if line.strip()), "")
        bare = re.sub(r"\"[^\"]*\"|'[^']*'|\[[^\]]*\]", "", first)
        separator = next((letter for letter in bare if letter in _SEPARATORS), "")
        if not separator:
            return _rows_of_words(lines, origin, is_image)
    quote = "'" if re.match(r"\s*'[^']*'\s*[,;\t|]", next((line for line in lines if line.strip()), "")) else '"'
    reader = csv.reader(
        io.StringIO("\n".join(lines)), delimiter=separator, quotechar=quote, skipinitialspace=separator != "\t"
    )
    rows: list[Row] = []
    for cells in reader:
        if any(cell.strip() for cell in cells):
            rows.append((reader.line_num, _joined_lists([cell.strip() for cell in cells], separator)))
    return rows


def _joined_lists(cells: Sequence[str], separator: str) -> list[str]:
    """Cells, with a list in brackets that the marks in it have parted made whole."""
    joined: list[str] = []
    for cell in cells:
        if joined and joined[-1].startswith("[") and not joined[-1].endswith("]"):
            joined[-1] += separator + cell
        else:
            joined.append(cell)
    return joined


def _rows_of_words(lines: Sequence[str], origin: object, is_image: Callable[[str], bool]) -> list[Row]:
    rows: list[Row] = [(i, line.split()) for i, line in enumerate(lines, 1) if line.strip()]
    if not any(is_image(row[0]) for _, row in rows) or all(len(row) == 1 for _, row in rows):
        first = " ".join(rows[0][1]) if rows else ""
        raise ValueError(f"{origin} begins with {first!r}; expected a name, a comma and its classes.")
    if all(is_number(cell) for _, row in rows if is_image(row[0]) for cell in row[1:]):
        return rows
    return [(i, [row[0], " ".join(row[1:])]) for i, row in rows]
