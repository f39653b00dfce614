"""What a visitor changes in one image by hand, as texts in an address and as fields of `ExplainConfig`.

`affinity_edits`: "j3-7.19_40-41,s5": join the cells 3 to 7 and 19 with 40 and 41, separate cell 5 from all others;
cells from 1, row by row. `class_thresholds`: "cow:0.6~cat:0.5". `occlude`: "0,32,16,64", top, bottom, left and right in
pixels. `scales`: "1,0.5", those of the CAM. `flip`: "0", without the mirrored image. All come from addresses and
browsers and are untrusted. The same texts: core/edit_settings.js.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from afa_viz.config import ExplainConfig
from afa_viz.scalars import number_text
from afa_viz.setting_checks import JOIN, MAX_EDITS, SEPARATE, AffinityEdit
from afa_viz.ui.errors import UserError, quote_value
from afa_viz.ui.localization import error_message

IMAGE_FIELDS = ("affinity_edits", "class_thresholds", "occlude")  # of one image: dropped with another one
FIELDS = (*IMAGE_FIELDS, "scales", "flip")
DEFAULTS = ExplainConfig()
WORDS = {"j": JOIN, "s": SEPARATE}
RUNS = r"\d{1,7}(?:-\d{1,7})?(?:\.\d{1,7}(?:-\d{1,7})?)*"
EDIT = re.compile(rf"([js])({RUNS})(?:_({RUNS}))?", re.ASCII)
NUMBER = re.compile(r"\d*\.?\d+(?:e-\d{1,3})?", re.ASCII)
BOX = re.compile(r"(\d{1,5}),(\d{1,5}),(\d{1,5}),(\d{1,5})", re.ASCII)
MAX_TEXT = 8000  # characters: an address has room for so many


@dataclass(frozen=True)
class ImageFacts:
    """What edits of an image must fit; each is called only where it is needed.

    Attributes:
        class_names: of the model, background first.
        size: (H, W) at which the image is explained.
        cells: of its grid; 0 where the method has no affinity.
    """

    class_names: Callable[[], Sequence[str]]
    size: Callable[[], tuple[int, int]]
    cells: Callable[[], int]


def to_texts(config: ExplainConfig) -> dict[str, str]:
    """What of a config is not as published, by `FIELDS`; empty where all is."""
    found: dict[str, str] = {}
    if config.affinity_edits is not None:
        found["affinity_edits"] = ",".join(map(_edit_text, config.affinity_edits))
    if config.class_thresholds is not None:
        found["class_thresholds"] = "~".join(f"{name}:{number_text(score)}" for name, score in config.class_thresholds)
    if config.occlude is not None:
        found["occlude"] = ",".join(map(str, config.occlude))
    if config.scales != DEFAULTS.scales:
        found["scales"] = ",".join(f"{scale:g}" for scale in config.scales)
    if config.flip != DEFAULTS.flip:
        found["flip"] = str(int(config.flip))
    return found


def from_texts(given: Mapping[str, Any], facts: ImageFacts) -> dict[str, Any]:
    """Fields of `ExplainConfig` from texts by `FIELDS`; what is missing, None or "" is as published.

    Raises: UserError: for a text that does not fit.
    """
    readers: dict[str, Callable[[Any, ImageFacts], Any]] = {
        "affinity_edits": _affinity_edits, "class_thresholds": _class_thresholds, "occlude": _occlude,
        "scales": _scales, "flip": _flip,
    }  # fmt: skip
    return {name: read(given[name], facts) for name, read in readers.items() if given.get(name) not in (None, "")}


def _edit_text(edit: AffinityEdit) -> str:
    what, cells, others = edit
    letter = next(letter for letter, word in WORDS.items() if word == what)
    return f"{letter}{_runs_text(cells)}" + ("" if others is None else f"_{_runs_text(others)}")


def _runs_text(cells: Sequence[int]) -> str:
    """Sorted cells from 0 as runs from 1: 0, 1, 2, 5 -> "1-3.6"."""
    runs = []
    for _, group in groupby(enumerate(cells, start=1), key=lambda pair: pair[1] - pair[0]):
        run = [cell + 1 for _, cell in group]
        runs.append(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}")
    return ".".join(runs)


def _cells(runs: str, count: int) -> tuple[int, ...] | None:
    """Cells from 0 of a text of runs; None where one does not fit a grid of `count` cells."""
    found: set[int] = set()
    for run in runs.split("."):
        first, _, last = run.partition("-")
        begin, end = int(first), int(last or first)
        if not 1 <= begin <= end <= count:
            return None
        found.update(range(begin - 1, end))
    return tuple(sorted(found))


def _affinity_edits(text: Any, facts: ImageFacts) -> tuple[AffinityEdit, ...]:
    count = facts.cells()
    if not count:
        raise UserError(error_message("refused.no_affinity_edits"))
    entries = text.split(",") if isinstance(text, str) and len(text) <= MAX_TEXT else []
    found: list[AffinityEdit] = []
    for entry in entries[: MAX_EDITS + 1]:
        match = EDIT.fullmatch(entry)
        cells = _cells(match[2], count) if match else None
        others = _cells(match[3], count) if match and match[3] else None
        if match is None or cells is None or (others is None and match[3]):
            found = []
            break
        found.append((WORDS[match[1]], cells, others))
    if not 1 <= len(found) <= MAX_EDITS:
        raise UserError(error_message("refused.affinity_edits", value=quote_value(text), cells=count, most=MAX_EDITS))
    return tuple(found)


def _class_thresholds(text: Any, facts: ImageFacts) -> tuple[tuple[str, float], ...]:
    known = facts.class_names()[1:]
    found: dict[str, float] = {}
    for entry in text.split("~") if isinstance(text, str) and len(text) <= MAX_TEXT else [""]:
        name, _, number = entry.rpartition(":")
        if name not in known or name in found or not NUMBER.fullmatch(number) or not float(number) <= 1:
            raise UserError(error_message("refused.class_thresholds", value=quote_value(text), name=known[0]))
        found[name] = float(number)
    return tuple(sorted(found.items()))


def _occlude(text: Any, facts: ImageFacts) -> tuple[int, int, int, int]:
    height, width = facts.size()
    match = BOX.fullmatch(text) if isinstance(text, str) else None
    top, bottom, left, right = map(int, match.groups()) if match else (0, 0, 0, 0)
    if not (top < bottom <= height and left < right <= width):
        raise UserError(error_message("refused.occlude", value=quote_value(text, 20), width=width, height=height))
    return top, bottom, left, right


def _scales(text: Any, facts: ImageFacts) -> tuple[float, ...]:
    """Some of the published scales, in their order; 1 always runs."""
    names = [f"{scale:g}" for scale in DEFAULTS.scales]
    chosen = text.split(",") if isinstance(text, str) else [""]
    if not set(chosen) <= set(names) or len(set(chosen)) < len(chosen):
        raise UserError(error_message("refused.scales", value=quote_value(text, 20), names=", ".join(names)))
    return tuple(scale for scale, name in zip(DEFAULTS.scales, names, strict=True) if scale == 1 or name in chosen)


def _flip(text: Any, facts: ImageFacts) -> bool:
    if text not in ("0", "1"):
        raise UserError(error_message("refused.flip", value=quote_value(text, 20)))
    return text == "1"
