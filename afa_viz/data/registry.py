"""Data sets of photographs by name: how each is opened, and its splits for training and validation."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from afa_viz.classes import VOC_CLASSES
from afa_viz.data.coco import open_coco
from afa_viz.data.coco_layout import annotation_files, full_split_name
from afa_viz.data.folder import folder_splits, open_folder
from afa_viz.data.images import LabelledImages
from afa_viz.data.voc import SIZES as VOC_SIZES
from afa_viz.data.voc import open_voc, split_lists, voc_folder
from afa_viz.spelling import did_you_mean

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DatasetFormat:
    """open(root, split, labels) -> images; train, val: names of the training and the validation split."""

    open: Callable[[str | os.PathLike[str], str, str], LabelledImages]
    train: str
    val: str


DATASET_FORMATS = {
    "voc": DatasetFormat(open_voc, "train_aug", "val"),
    "coco": DatasetFormat(open_coco, "train", "val"),
    "folder": DatasetFormat(open_folder, "train", "val"),
}


def train_split(format_name: str, root: str | os.PathLike[str]) -> str:
    """The training split: train_aug for PASCAL VOC 2012, else train."""
    if format_name == "voc":
        try:
            folder = voc_folder(root)
        except FileNotFoundError:
            return DATASET_FORMATS[format_name].train
        lists = split_lists(folder)
        published = folder.name == "VOC2012" or not lists or not lists.keys().isdisjoint(("train_aug", "trainaug"))
        return DATASET_FORMATS[format_name].train if published else "train"
    return DATASET_FORMATS[format_name].train


def declared_splits(format_name: str, root: str | os.PathLike[str]) -> list[str]:
    """Names of the splits that a data set declares by list files, annotation files or folders."""
    if format_name == "voc":
        try:
            return list(split_lists(voc_folder(root)))
        except FileNotFoundError:
            return []
    return list(annotation_files(Path(root))) if format_name == "coco" else folder_splits(Path(root))


def list_splits(format_name: str, root: str | os.PathLike[str]) -> list[str]:
    """Names of the splits that a data set has or should have, training and validation first."""
    first, val, there = (
        train_split(format_name, root),
        DATASET_FORMATS[format_name].val,
        declared_splits(format_name, root),
    )
    if format_name == "voc":
        own = [name for name in there if name not in (*VOC_SIZES, "trainaug")]
        return list(dict.fromkeys([first, *(["train"] if "train" in there else []), val, *own]))
    if format_name == "coco" and there:
        named = [split for split in (first, val) if full_split_name(Path(root), split) in there]
        full = {full_split_name(Path(root), split) for split in named}
        return [*named, *(split for split in there if split not in full)]
    return there or [first, val]


def display_split(format_name: str, root: str | os.PathLike[str]) -> str:
    """The split to browse: all of a folder, else the validation split, or the first that exists."""
    if format_name == "folder":
        return "all"
    there = list_splits(format_name, root)
    return DATASET_FORMATS[format_name].val if DATASET_FORMATS[format_name].val in there or not there else there[0]


def open_images(
    format_name: str,
    root: str | os.PathLike[str] | None,
    split: str | None = None,
    labels: str = "auto",
    quiet: bool = False,
) -> LabelledImages:
    """Open a split of a data set; what was left out is logged as warnings.

    Args:
        format_name: one of `DATASET_FORMATS`.
        root: its folder.
        split: see `open_voc`, `open_coco` and `open_folder`; None: the training split.
        labels: source of the image labels; "auto": the best available.
        quiet: do not log; see `notes` of the images.
    Raises: ValueError or FileNotFoundError: for what is missing, in one sentence.
    """
    if format_name not in DATASET_FORMATS:
        raise ValueError(f"there is no data set {format_name!r}; {did_you_mean(format_name, DATASET_FORMATS)}.")
    if root is None:
        raise ValueError(
            f"the data set {format_name} needs its folder; expected --root DIR: `python -m afa_viz data check "
            f"{format_name} --root DIR` says what must lie there and where to get it."
        )
    images = DATASET_FORMATS[format_name].open(root, split or train_split(format_name, root), labels)
    for note in () if quiet else images.notes:
        log.warning("%s: %s", images.title, note)
    return images


OpenSplit = Callable[[str, "str | os.PathLike[str] | None", "str | None", str], LabelledImages]


def open_for_training(
    format_name: str,
    root: str | os.PathLike[str] | None,
    split: str | None = None,
    labels: str = "auto",
    open_split: OpenSplit = open_images,
) -> tuple[LabelledImages, LabelledImages | None]:
    """The training split and the validation split; the latter is None where a custom data set has none.

    Args:
        format_name, root, split, labels: as `open_images`.
        open_split: function that opens a split.
    Raises: ValueError or FileNotFoundError: for what is missing, if no image has a label, and if the two splits have
        other classes.
    """
    images = open_split(format_name, root, split, labels)
    assert root is not None
    if not images.labels.any():
        raise ValueError(
            f"no image of {images.title} has a label ({images.label_source}); expected at least one class in some "
            "image: correct the labels."
        )
    validation = _validation(format_name, root, images, open_split)
    if validation is not None and validation.class_names != images.class_names:
        raise ValueError(
            f"{images.title} has the classes {', '.join(images.class_names)} but {validation.title} has "
            f"{', '.join(validation.class_names)}; expected the same: write them into classes.txt."
        )
    return images, validation


def _validation(
    format_name: str, root: str | os.PathLike[str], images: LabelledImages, open_split: OpenSplit
) -> LabelledImages | None:
    """The validation split; None where a custom data set declares none."""
    own = format_name == "folder" or images.class_names != VOC_CLASSES and not images.title.startswith("MS COCO")
    val, there = DATASET_FORMATS[format_name].val, declared_splits(format_name, root)
    try:
        return open_split(format_name, root, val, "auto")
    except (ValueError, FileNotFoundError) as error:
        if not own or val in there or format_name == "coco" and full_split_name(Path(root), val) in there:
            raise
        log.info("%s is trained without validation: %s", images.title, error)
        return None
