"""COCO annotation files: which objects each image shows, by `images[].id` and `file_name`, and their masks.

Unusable annotations are skipped and counted.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from afa_viz.data.class_lists import BACKGROUND, is_background, require_class_names
from afa_viz.data.coco_masks import decode_runs, polygon_mask, run_mask
from afa_viz.data.text_files import format_count, format_list, normalize_unicode, read_text

Outline = list[Any] | dict[str, Any]  # polygons, or run lengths


class Annotation(NamedTuple):
    """An annotation: label (1 to C), outline if it has one, area in pixels if the file gives it."""

    label: int
    outline: Outline | None
    area: float | None


@dataclass(frozen=True)
class CocoImage:
    """An entry of `images`: file name as written, (height, width) if given, annotations."""

    file_name: str
    size: tuple[int, int] | None
    annotations: tuple[Annotation, ...]


@dataclass(frozen=True)
class Instances:
    """An annotation file.

    Attributes:
        path: of the file.
        class_names: K names, background first, in the order of the category ids.
        images: by id, as text.
        notes: what was skipped, with counts.
    """

    path: Path
    class_names: tuple[str, ...]
    images: Mapping[str, CocoImage]
    notes: tuple[str, ...]

    def labels(self, image_id: str) -> np.ndarray:
        """(C,) float32: the categories of an image's annotations, crowds and those without outline included."""
        row = np.zeros(len(self.class_names) - 1, np.float32)
        for annotation in self.images[image_id].annotations:
            row[annotation.label - 1] = 1
        return row

    def has_mask(self, image_id: str) -> bool:
        """Whether a mask can be drawn: an annotation has an outline, or there is none."""
        annotations = self.images[image_id].annotations
        return not annotations or any(annotation.outline is not None for annotation in annotations)

    def mask(self, image_id: str, size: tuple[int, int]) -> np.ndarray:
        """(H, W) uint8, objects drawn from the largest to the smallest, so that small ones stay visible.

        Args:
            size: (H, W) of the image file, used where the annotations do not say it.
        """
        height, width = self.images[image_id].size or size
        drawn = []
        for annotation in self.images[image_id].annotations:
            if annotation.outline is not None:
                pixels = rasterize(annotation.outline, height, width)
                drawn.append(
                    (float(pixels.sum()) if annotation.area is None else annotation.area, annotation.label, pixels)
                )
        label = np.zeros((height, width), np.uint8)
        for _, number, pixels in sorted(drawn, key=lambda entry: -entry[0]):
            label[pixels] = number
        return label


def rasterize(outline: Outline, height: int, width: int) -> np.ndarray:
    """(height, width) bool mask of a valid outline, see `_outline`."""
    if isinstance(outline, list):
        return np.any([polygon_mask(points, height, width) for points in outline], axis=0)
    counts = outline["counts"]
    return run_mask(decode_runs(counts) if isinstance(counts, str) else counts, height, width)


def read_instances(path: Path) -> Instances:
    """Read an annotation file.

    Raises: ValueError: if it is not one, lists nothing, or has an annotation of a category that it does not list.
    """
    try:
        held = json.loads(read_text(path))
    except (json.JSONDecodeError, RecursionError) as error:
        raise _format_error(path, str(error)) from error
    if not isinstance(held, dict):
        raise _format_error(path, f"it holds a {type(held).__name__}")
    tables = {name: held.get(name) for name in ("images", "categories", "annotations")}
    for name, table in tables.items():
        if not isinstance(table, list) or not all(isinstance(entry, dict) for entry in table):
            raise _format_error(path, f"its {name!r} is {'missing' if table is None else 'no list of objects'}")
        if not table:
            raise ValueError(f"{path} has an empty list of {name}; expected at least one: export the set again.")
    names, label_of, dropped = _categories(tables["categories"] or [], path)
    images = _images(tables["images"] or [], path)
    skipped: dict[str, list[str]] = defaultdict(list)
    annotations: dict[str, list[Annotation]] = {number: [] for number in images}
    for entry in tables["annotations"] or []:
        number, category = _id(entry.get("image_id")), _id(entry.get("category_id"))
        if category is None:
            raise _format_error(path, f"annotation {entry.get('id')} has no category_id")
        if category in dropped:
            skipped[f"of the category {BACKGROUND}"].append(str(entry.get("id")))
        elif category not in label_of:
            raise ValueError(f"{path} has annotations of category {category}, which its list of categories lacks.")
        elif number is None or number not in images:
            skipped["of images that the file does not list"].append(str(entry.get("id")))
        else:
            size = images[number][1]
            outline, reason = _outline(entry.get("segmentation"), size)
            if reason:
                skipped[reason].append(str(entry.get("id")))
            annotations[number].append(Annotation(label_of[category], outline, _area(entry.get("area"))))
    records = {number: CocoImage(name, size, tuple(annotations[number])) for number, (name, size) in images.items()}
    return Instances(path, names, records, tuple(_notes(path, skipped)))


def _format_error(path: Path, reason: str) -> ValueError:
    return ValueError(
        f"{path} is no COCO annotation ({reason}); expected JSON with images, categories and annotations: "
        "unpack it again."
    )


def _id(value: Any) -> str | None:
    """An id as text, so that 7, 7.0 and "7" are one; None for anything else."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value) if isinstance(value, (int, str)) and not isinstance(value, bool) else None


def _side(value: Any) -> int | None:
    """A side length in pixels, from a number or text; None for anything else."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return int(number) if number.is_integer() and 0 < number < 10**6 else None


def _categories(entries: Sequence[Mapping[str, Any]], path: Path) -> tuple[tuple[str, ...], dict[str, int], set[str]]:
    """Names of the classes with background first, label by category id, and ids of a category called background."""
    named: dict[str, str] = {}
    for entry in entries:
        number, name = _id(entry.get("id")), entry.get("name")
        if number is None or not isinstance(name, str):
            raise _format_error(path, f"a category has no {'id' if number is None else 'name'}")
        if number in named:
            raise ValueError(
                f"{path} lists category {number} twice ({named[number]!r}, {name!r}); expected one of each."
            )
        named[number] = normalize_unicode(name.strip())
    ids = sorted(named, key=int) if all(key.lstrip("-").isdecimal() for key in named) else list(named)
    dropped = {number for number in ids if is_background(named[number])}
    kept = [number for number in ids if number not in dropped]
    names = (BACKGROUND, *(named[number] for number in kept))
    require_class_names(names, path)
    return names, {number: i for i, number in enumerate(kept, 1)}, dropped


def _images(entries: Sequence[Mapping[str, Any]], path: Path) -> dict[str, tuple[str, tuple[int, int] | None]]:
    """File name and size by id."""
    found: dict[str, tuple[str, tuple[int, int] | None]] = {}
    for entry in entries:
        number, name = _id(entry.get("id")), entry.get("file_name")
        if number is None or not isinstance(name, str) or not name.strip():
            raise _format_error(path, f"an image has no {'id' if number is None else 'file_name'}")
        if number in found:
            raise ValueError(
                f"{path} lists image {number} twice ({found[number][0]}, {name}); expected an id for each image."
            )
        height, width = _side(entry.get("height")), _side(entry.get("width"))
        found[number] = (normalize_unicode(name.strip()), (height, width) if height and width else None)
    return found


def _area(value: Any) -> float | None:
    good = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if good else None


def _outline(value: Any, size: tuple[int, int] | None) -> tuple[Outline | None, str]:
    """What of a `segmentation` can be drawn, and why not all of it can."""
    if isinstance(value, dict):
        return _runs(value, size)
    if value is None or value == [] or value == [[]]:
        return None, "without an outline"
    if not isinstance(value, list):
        return None, "whose outline is neither polygons nor run lengths"
    polygons = [value] if all(_is_number(v) for v in value) else value
    good = [points for points in polygons if _is_polygon(points)]
    if len(good) == len(polygons):
        return good, ""
    if good:
        return good, "with a polygon of fewer than three points or without numbers, drawn without that polygon"
    return None, "with polygons of fewer than three points or without numbers"


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


def _is_polygon(points: Any) -> bool:
    if not isinstance(points, list) or len(points) < 6 or len(points) % 2 or not set(map(type, points)) <= {int, float}:
        return False
    return math.isfinite(sum(map(abs, points))) and max(map(abs, points)) < 10**6


def _runs(value: Mapping[str, Any], size: tuple[int, int] | None) -> tuple[Outline | None, str]:
    counts, own = value.get("counts"), value.get("size")
    if not isinstance(own, list) or len(own) != 2 or not all(_side(side) for side in own):
        return None, "whose run lengths have no size"
    if size is not None and tuple(_side(side) for side in own) != size:
        return None, "whose run lengths are of another size than the image"
    try:
        runs = decode_runs(counts) if isinstance(counts, str) else [] if counts is None else list(counts)
        if not set(map(type, runs)) <= {int} or min(runs, default=-1) < 0:
            raise ValueError("no run lengths")
        height, width = (_side(side) or 0 for side in own)
        if sum(runs) != height * width:
            raise ValueError("another number of pixels")
    except (TypeError, ValueError):
        return None, "whose run lengths do not cover the image"
    return {"counts": runs, "size": [height, width]}, ""


def _notes(path: Path, skipped: Mapping[str, Sequence[str]]) -> Iterable[str]:
    for reason, numbers in skipped.items():
        kept = reason.startswith("w") and "drawn" not in reason
        done = ", in image labels but not in masks" if kept else " skipped" if reason.startswith("of ") else ""
        count = format_count(len(numbers), "annotation")
        yield f"{path.name}: {count} {reason}{done} (id {format_list(list(numbers))})"
