"""Data sets of photographs by name: how each is opened, and its splits for training and validation."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from afa_viz.classes import VOC_CLASSES
from afa_viz.data.coco import open_coco
from afa_viz.data.coco_layout import annotation_files, full_name
from afa_viz.data.folder import folder_splits, open_folder
from afa_viz.data.images import LabelledImages, nearest_of
from afa_viz.data.voc import SIZES as VOC_SIZES
from afa_viz.data.voc import open_voc, split_lists, voc_folder

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Kind:
    """open(root, split, labels) -> images; train, val: the splits that are trained and validated on."""

    open: Callable[[str | os.PathLike[str], str, str], LabelledImages]
    train: str
    val: str


KINDS = {
    "voc": Kind(open_voc, "train_aug", "val"),
    "coco": Kind(open_coco, "train", "val"),
    "folder": Kind(open_folder, "train", "val"),
}


def train_split(kind: str, root: str | os.PathLike[str]) -> str:
    """The split that is trained on: train_aug of PASCAL VOC 2012, else train."""
    if kind == "voc":
        try:
            folder = voc_folder(root)
        except FileNotFoundError:
            return KINDS[kind].train
        lists = split_lists(folder)
        published = folder.name == "VOC2012" or not lists or not lists.keys().isdisjoint(("train_aug", "trainaug"))
        return KINDS[kind].train if published else "train"
    return KINDS[kind].train


def declared_splits(kind: str, root: str | os.PathLike[str]) -> list[str]:
    """Names of the splits that a data set says it has, by lists, annotation files or folders."""
    if kind == "voc":
        try:
            return list(split_lists(voc_folder(root)))
        except FileNotFoundError:
            return []
    return list(annotation_files(Path(root))) if kind == "coco" else folder_splits(Path(root))


def splits_in(kind: str, root: str | os.PathLike[str]) -> list[str]:
    """Names of the splits that a data set has or should have, those that are trained and validated on first."""
    first, val, there = train_split(kind, root), KINDS[kind].val, declared_splits(kind, root)
    if kind == "voc":
        own = [name for name in there if name not in (*VOC_SIZES, "trainaug")]
        return list(dict.fromkeys([first, *(["train"] if "train" in there else []), val, *own]))
    if kind == "coco" and there:
        named = [split for split in (first, val) if full_name(Path(root), split) in there]
        full = {full_name(Path(root), split) for split in named}
        return [*named, *(split for split in there if split not in full)]
    return there or [first, val]


def shown_split(kind: str, root: str | os.PathLike[str]) -> str:
    """The split that is looked at: all of a folder, else the one that is validated on, or the first that there is."""
    if kind == "folder":
        return "all"
    there = splits_in(kind, root)
    return KINDS[kind].val if KINDS[kind].val in there or not there else there[0]


def open_images(
    kind: str, root: str | os.PathLike[str] | None, split: str | None = None, labels: str = "auto", quiet: bool = False
) -> LabelledImages:
    """Open a split of a data set; what was left out is logged as warnings.

    Args:
        kind: one of `KINDS`.
        root: its folder.
        split: see `open_voc`, `open_coco` and `open_folder`; None: the one that is trained on.
        labels: where the image labels come from; "auto": the best that is there.
        quiet: log nothing; `notes` of the images says it.
    Raises: ValueError or FileNotFoundError: for what is missing, in one sentence.
    """
    if kind not in KINDS:
        raise ValueError(f"there is no data set {kind!r}; {nearest_of(kind, KINDS)}.")
    if root is None:
        raise ValueError(
            f"the data set {kind} needs its folder; expected --root DIR: `python -m afa_viz data check {kind} --root "
            "DIR` says what must lie there and where to get it."
        )
    images = KINDS[kind].open(root, split or train_split(kind, root), labels)
    for note in () if quiet else images.notes:
        log.warning("%s: %s", images.title, note)
    return images


Opener = Callable[[str, "str | os.PathLike[str] | None", "str | None", str], LabelledImages]


def open_for_training(
    kind: str,
    root: str | os.PathLike[str] | None,
    split: str | None = None,
    labels: str = "auto",
    opener: Opener = open_images,
) -> tuple[LabelledImages, LabelledImages | None]:
    """The split that is trained on and the one that is validated on; None where an own set has none.

    Args:
        kind, root, split, labels: as `open_images`.
        opener: opens a split.
    Raises: ValueError or FileNotFoundError: for what is missing, if no image has a label, and if the two splits have
        other classes.
    """
    images = opener(kind, root, split, labels)
    assert root is not None
    if not images.labels.any():
        raise ValueError(
            f"no image of {images.title} has a label ({images.label_source}); expected at least one class in some "
            "image: correct the labels."
        )
    validation = _validation(kind, root, images, opener)
    if validation is not None and validation.class_names != images.class_names:
        raise ValueError(
            f"{images.title} has the classes {', '.join(images.class_names)} but {validation.title} has "
            f"{', '.join(validation.class_names)}; expected the same: write them into classes.txt."
        )
    return images, validation


def _validation(
    kind: str, root: str | os.PathLike[str], images: LabelledImages, opener: Opener
) -> LabelledImages | None:
    """The validation split; None where an own set declares none."""
    own = kind == "folder" or images.class_names != VOC_CLASSES and not images.title.startswith("MS COCO")
    val, there = KINDS[kind].val, declared_splits(kind, root)
    try:
        return opener(kind, root, val, "auto")
    except (ValueError, FileNotFoundError) as error:
        if not own or val in there or kind == "coco" and full_name(Path(root), val) in there:
            raise
        log.info("%s is trained without validation: %s", images.title, error)
        return None
