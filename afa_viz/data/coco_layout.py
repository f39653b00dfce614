"""Where things lie in a data set in COCO's format: annotation files by split, images, masks, lists, names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from afa_viz.data.file_index import find_files, stem_of
from afa_viz.data.masks import MASK_EXTENSIONS

SIZES = {"train2014": 82081, "val2014": 40137}  # images with an object; docs/spec.md section 10
YEARS = ("2014", "2017")  # of COCO, the published one first
ALIASES = {"val": ("valid", "validation"), "valid": ("val",), "validation": ("val",)}
OTHER_TASKS = ("captions", "person_keypoints", "image_info", "stuff", "panoptic")
IMAGES, MASKS = ("", "images", "JPEGImages", "data"), ("SegmentationClass", "masks", "SegmentationClassAug")
OFFICIAL = re.compile(r"(?:COCO_[a-z]+\d{4}_)?(\d{12})")


def annotation_files(root: Path) -> dict[str, Path]:
    """Annotation files by name of their split; those of COCO's other tasks are left out."""
    found: dict[str, Path] = {}
    places = [*sorted((root / "annotations").glob("*.json")), *sorted(root.glob("*.json")),
              *sorted(root.glob("*/_annotations*.json")), *sorted(root.glob("*/annotations.json"))]  # fmt: skip
    for path in sorted(places, key=lambda path: not path.stem.startswith("instances")):
        stem = path.stem.removesuffix(".coco").removeprefix("instances_").strip("_")
        split = path.parent.name if path.parent != root and stem == "annotations" else stem
        split = "all" if split in ("annotations", "instances") else split
        if not path.stem.startswith(OTHER_TASKS) and path.name not in ("labels.json", "package.json"):
            found.setdefault(split, path)
    return found


def full_split_name(root: Path, split: str) -> str:
    """Full name of a split as present on disk: "train" may be train2014, "val" may be valid."""
    files = annotation_files(root)
    for name in (split, *(split + year for year in YEARS), *ALIASES.get(split, ())):
        if name in files or any((root / parent / name).is_dir() for parent in IMAGES):
            return name
    return f"{split}{YEARS[0]}" if split in ("train", "val") and not files else split


def image_folder(root: Path, split: str) -> Path | None:
    """Where the images of a split such as train2014 lie, if there is a folder for it."""
    names = dict.fromkeys((split, split.removesuffix(YEARS[0]).removesuffix(YEARS[1])))
    places = (root / parent / name for name in names for parent in IMAGES)
    return next((place for place in places if place.is_dir()), None)


def mask_folder(root: Path, split: str) -> Path | None:
    """Where the mask files of a split lie."""
    names = dict.fromkeys((split, split.removesuffix(YEARS[0]).removesuffix(YEARS[1]), ""))
    places = (root / parent / name for name in names for parent in MASKS)
    return next((place for place in places if find_files(place, MASK_EXTENSIONS)), None)


def list_file(root: Path, full: str) -> Path | None:
    """The list of names of a split, if there is one."""
    names = (full, full.removesuffix(YEARS[0]).removesuffix(YEARS[1]))
    return next((root / f"{name}.txt" for name in names if (root / f"{name}.txt").is_file()), None)


def name_variants(name: str, split: str) -> tuple[str, ...]:
    """COCO's own names with and without the split in front: COCO_train2014_000000000009 and 000000000009."""
    match = OFFICIAL.fullmatch(name)
    return (name,) if match is None else (name, f"COCO_{split}_{match[1]}", match[1])


def find_by_name(files: Mapping[str, Path], name: str, split: str) -> Path | None:
    """The file of an image, under its name or in the other ways in which COCO writes its own names."""
    last = name.rsplit("/", 1)[-1]
    tried = (name, last, *name_variants(stem_of(last), split))
    return next((files[spelling] for spelling in tried if spelling in files), None)
