"""Lists of class names, with the colours of masks where a list gives them.

A list names one class a line, in the order of the masks' numbers: the first class is number 1. Background may stand
first, as `background` or labelme's `_background_`, and before it labelme's `__ignore__`. A line may begin with its
number and may give a colour: `cat:128,0,0::` (CVAT), `128 0 0 cat` (CamVid), `cat,128,0,0`, `cat #800000`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from afa_viz.classes import Colour
from afa_viz.data.text_files import format_count, format_list, read_lines
from afa_viz.model.card import MAX_CLASSES, MAX_NAME_LENGTH

CLASS_FILES = (  # in the order in which they are looked for
    "classes.txt", "class_names.txt", "labelmap.txt", "label_map.txt", "label_colors.txt", "class_dict.csv",
    "labels.txt",
)  # fmt: skip
IGNORE = 255  # mask value: not evaluated
BACKGROUND = "background"
BACKGROUNDS = (BACKGROUND, "bg")

_CVAT = re.compile(r"(?P<name>[^:]+):\s*(?P<colour>\d+\s*,\s*\d+\s*,\s*\d+)\s*(?::.*)?")
_PLAIN_CVAT = re.compile(r"(?P<name>[^:]+):[^:]*:[^:]*:[^:]*")
_RUN = re.compile(r"(?<![\w.#])\d+(?:[\s,;]+\d+){2,}(?![\w.])")
_HEX = re.compile(r"#([0-9a-fA-F]{6})\b")
_NUMBERED = re.compile(r"(\d+)\s*[\s:.,;=)]\s*(\S.*)")
_TITLES = {"name", "class", "label", "id", "index", "number", "r", "g", "b", "red", "green", "blue", "colour", "color"}


def is_background(name: str) -> bool:
    """Whether a name means "no class", in any of its spellings."""
    return name.strip("_ ").casefold() in BACKGROUNDS


def is_ignore(name: str) -> bool:
    """Whether a name is labelme's for ignored pixels."""
    return name.startswith("__") and name.strip("_").casefold() == "ignore"


def require_class_names(names: Sequence[str], origin: object) -> None:
    """Check class names before they reach a checkpoint.

    Args:
        names: K names, background first.
        origin: where they come from, for people.
    Raises: ValueError: for no class or too many, a name twice, a class called background, letters that do not print.
    """
    classes = list(names[1:])
    if not classes:
        raise ValueError(f"{origin} names no class; expected at least one beside the background.")
    if len(names) > MAX_CLASSES:
        raise ValueError(
            f"{origin} names {len(classes)} classes; expected {MAX_CLASSES - 1} at most: label maps are bytes."
        )
    twice = sorted({name for name in classes if classes.count(name) > 1})
    if twice:
        raise ValueError(f"{origin} names {twice[0]!r} twice; expected every class once: rename one.")
    for name in classes:
        if is_background(name) or is_ignore(name):
            raise ValueError(
                f"{origin} has a class called {name!r}, which is not a class but the rest of the image; expected it "
                "first or not at all: rename it."
            )
        if not name.isprintable() or not 1 <= len(name) <= MAX_NAME_LENGTH:
            raise ValueError(
                f"{origin} has a class {name[:MAX_NAME_LENGTH]!r}; expected 1 to {MAX_NAME_LENGTH} letters in one line."
            )


@dataclass(frozen=True)
class ClassList:
    """A parsed list of classes.

    Attributes:
        names: K names, background first.
        origin: its file, for people.
        colours: colour of a mask -> label: 0, a class or 255; empty where the list has none.
        numbered: the order of the list is that of the masks' numbers.
        path: the file.
    """

    names: tuple[str, ...]
    origin: str
    colours: Mapping[Colour, int] = field(default_factory=dict)
    numbered: bool = True
    path: Path | None = None


def find_class_list(root: Path, skip: Sequence[str] = ()) -> ClassList | None:
    """The list of classes in a folder; where there are several they must agree, and one may add the colours.

    Args:
        skip: names of files that are something else here.
    Raises: ValueError: as `read_class_list`, and if two lists differ.
    """
    lists = [read_class_list(root / name) for name in CLASS_FILES if name not in skip and (root / name).is_file()]
    if not lists:
        return None
    first = lists[0]
    for other in lists[1:]:
        if set(other.names) != set(first.names) or (other.numbered and first.numbered and other.names != first.names):
            raise ValueError(
                f"{first.origin} and {other.origin} name different classes ({format_list(first.names[1:])} against "
                f"{format_list(other.names[1:])}); expected one list: remove one."
            )
    coloured = next((found for found in lists if found.colours), first)
    numbered = next((found for found in lists if found.numbered), first)
    label = {name: i for i, name in enumerate(numbered.names)}
    colours = {
        colour: number if number == IGNORE else label[coloured.names[number]]
        for colour, number in coloured.colours.items()
    }
    return ClassList(numbered.names, first.origin, colours, numbered.numbered, first.path)


def read_class_list(path: Path) -> ClassList:
    """Read a list of classes.

    Raises: ValueError: for one that is empty, names a class twice, has background at another place, or gives colours
        to some classes only.
    """
    names, colours = _lines(path)
    names = _without_numbers(names, path)
    origin = path.name
    ignored = [i for i, name in enumerate(names) if is_ignore(name)]
    plain = [i for i, name in enumerate(names) if is_background(name)]
    if len(plain) > 1 or len(ignored) > 1:
        raise ValueError(f"{path} names {names[(plain if len(plain) > 1 else ignored)[1]]!r} twice; expected it once.")
    first = 1 if ignored == [0] else 0
    in_order = ignored in ([], [0]) and plain in ([], [first]) and not (ignored and not plain)
    if not in_order and not colours:
        raise ValueError(
            f"{path} has {names[(plain or ignored)[0]]!r} in line {(plain or ignored)[0] + 1}; expected __ignore__ "
            "first, then background, then the classes in the order of the masks' numbers: reorder the lines."
        )
    rest = [i for i in range(len(names)) if i not in (*ignored, *plain)]
    classes = (BACKGROUND, *(names[i] for i in rest))
    require_class_names(classes, path)
    label = {i: k for k, i in enumerate(rest, 1)} | dict.fromkeys(plain, 0) | dict.fromkeys(ignored, IGNORE)
    table: dict[Colour, int] = {}
    for i, colour in enumerate(colours):
        if table.setdefault(colour, label[i]) != label[i]:
            raise ValueError(
                f"{path} gives {names[i]!r} the colour {colour} of another class; expected one colour each."
            )
    if table:
        table.setdefault((0, 0, 0), 0)  # what nothing was painted on
    return ClassList(classes, origin, table, in_order, path)


def _lines(path: Path) -> tuple[list[str], list[Colour]]:
    """Names in the order of the file, and as many colours or none."""
    rows = [line for line in read_lines(path) if not line.startswith("#") or _HEX.match(line)]
    if rows and rows[0].startswith("["):
        return _names_of_json("\n".join(rows), path), []
    if len(rows) == 1 and not _RUN.search(rows[0]):
        rows = [part.strip() for part in re.split(r"[,;\t]", rows[0]) if part.strip()]
    parsed = [_name_and_colour(row, path) for row in rows]
    words = {word.casefold() for word in re.split(r"[\s,;:]+", rows[0])} if rows else set()
    if len(parsed) > 1 and parsed[0][1] is None and parsed[1][1] is not None and words <= _TITLES:
        parsed = parsed[1:]
    colours = [colour for _, colour in parsed if colour is not None]
    if colours and len(colours) < len(parsed):
        bare = [name for name, colour in parsed if colour is None]
        raise ValueError(
            f"{path} gives no colour to {format_list(bare)}; expected a colour for every class or for none."
        )
    if not parsed:
        raise ValueError(f"{path} names no class; expected one name per line.")
    return [name for name, _ in parsed], colours


def _names_of_json(text: str, path: Path) -> list[str]:
    try:
        names = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} cannot be read ({error}); expected one name per line.") from error
    if not all(isinstance(name, str) and name.strip() for name in names):
        raise ValueError(f"{path} holds something else than names; expected one name per line.")
    return [name.strip() for name in names]


def _name_and_colour(line: str, path: Path) -> tuple[str, Colour | None]:
    if match := _CVAT.fullmatch(line):
        return match["name"].strip(), _colour(re.split(r"\s*,\s*", match["colour"]), line, path)
    if match := _PLAIN_CVAT.fullmatch(line):
        return match["name"].strip(), None
    if match := _HEX.search(line):
        value = int(match[1], 16)
        name = (line[: match.start()] + " " + line[match.end() :]).strip(" \t,;:\"'")
        return name, (value >> 16, value >> 8 & 255, value & 255)
    if match := _RUN.search(line):
        numbers = re.split(r"[\s,;]+", match[0])
        name = (line[: match.start()] + " " + line[match.end() :]).strip(" \t,;:\"'")
        if len(numbers) != 3 or not name:
            raise ValueError(
                f"{path} has the line {line!r}; expected the name of a class and three numbers, like `cat:128,0,0`."
            )
        return name, _colour(numbers, line, path)
    return line.strip(" \t,;\"'"), None


def _colour(numbers: Sequence[str], line: str, path: Path) -> Colour:
    red, green, blue = (int(number) for number in numbers)
    if max(red, green, blue) > 255:
        raise ValueError(f"{path} has the colour {red}, {green}, {blue} ({line!r}); expected numbers from 0 to 255.")
    return red, green, blue


def _without_numbers(names: Sequence[str], path: Path) -> list[str]:
    """Names without the number in front, where every line begins with its own."""
    matches = [_NUMBERED.fullmatch(name) for name in names]
    if not all(matches):
        return list(names)
    numbers = [int(match[1]) for match in matches if match]
    plain = [match[2] for match in matches if match]
    start = 0 if is_background(plain[0]) else 1
    if numbers != list(range(start, start + len(numbers))):
        raise ValueError(
            f"{path} numbers its {format_count(len(names), 'line')} {', '.join(map(str, numbers[:4]))}…; expected the "
            "background as 0 and classes from 1 without gaps: number them like that, and the masks too."
        )
    return plain
