"""PASCAL VOC 2012 with the masks and the training list of SBD, in the layout of the VOC archive.

VOC2012/JPEGImages/*.jpg
        Annotations/*.xml                      image labels
        cls_labels_onehot.npy                  image labels as the authors of AFA publish them (optional)
        SegmentationClass/*.png                masks of VOC
        SegmentationClassAug/*.png             masks of SBD and VOC
        ImageSets/Segmentation/{train,val,train_aug,…}.txt
"""

from __future__ import annotations

import os
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from afa_viz.classes import VOC_CLASSES
from afa_viz.data.images import (
    LabelledImages,
    LabelSource,
    choose_source,
    find_files,
    labels_of_masks,
    nearest_of,
    read_names,
    read_onehot,
    require_all,
)

SIZES = {"train": 1464, "val": 1449, "trainval": 2913, "train_aug": 10582, "test": 1456}  # SPEC.md section 10
IMAGES, ANNOTATIONS, ONEHOT = "JPEGImages", "Annotations", "cls_labels_onehot.npy"
MASKS, MASKS_AUG, LISTS = "SegmentationClass", "SegmentationClassAug", "ImageSets/Segmentation"
ALIASES = {"train_aug": ("train_aug", "trainaug"), "trainaug": ("trainaug", "train_aug")}


def voc_folder(root: str | os.PathLike[str]) -> Path:
    """The folder that holds JPEGImages: the root itself, or VOC2012 in it or in its VOCdevkit.

    Raises: FileNotFoundError: if there is none.
    """
    root = Path(root)
    for folder in (root, root / "VOC2012", root / "VOCdevkit" / "VOC2012"):
        if (folder / IMAGES).is_dir():
            return folder
    raise FileNotFoundError(f"there is no {IMAGES} in {root}; expected the folder VOC2012 of the VOC 2012 archive.")


def list_path(folder: Path, split: str) -> Path:
    """The list file of a split, or the split itself if it is the path of one.

    Raises: ValueError: for a split without list; the nearest one is named.
    """
    if split.endswith(".txt"):
        if not Path(split).is_file():
            raise FileNotFoundError(f"there is no list {split}; expected a text file with one name a line.")
        return Path(split)
    for name in ALIASES.get(split, (split,)):
        if (folder / LISTS / f"{name}.txt").is_file():
            return folder / LISTS / f"{name}.txt"
    there = sorted(path.stem for path in (folder / LISTS).glob("*.txt"))
    if split in ALIASES:
        raise ValueError(
            f"there is no {split}.txt in {folder / LISTS}; expected the list of VOC's and SBD's training images: "
            "`python -m afa_viz data sbd` makes it and the masks from SBD; or --split train."
        )
    raise ValueError(f"there is no split {split!r} in {folder / LISTS}; {nearest_of(split, there)}.")


def open_voc(root: str | os.PathLike[str], split: str = "train_aug", labels: str = "auto") -> LabelledImages:
    """The images of a split.

    Args:
        root: the folder VOC2012, or one above it.
        split: of ImageSets/Segmentation, or the path of a list: names, or paths of images, one a line.
        labels: "onehot" (the authors' file), "xml" (the objects of the annotations, difficult ones too), "masks", or
            "auto": the first of these that is there.
    Raises: FileNotFoundError or ValueError: for what is missing, with the first names.
    """
    folder = voc_folder(root)
    names = tuple(read_names(list_path(folder, split)))
    images = find_files(folder / IMAGES)
    own, augmented = find_files(folder / MASKS, (".png",)), find_files(folder / MASKS_AUG, (".png",))
    first, second = (augmented, own) if split in ALIASES else (own, augmented)
    masks = tuple(first.get(name, second.get(name)) for name in names)
    require_all(names, [images.get(name) for name in names], f"file in {folder / IMAGES}")
    source = choose_source(labels, sources(folder, masks), folder)
    return LabelledImages(
        title=f"PASCAL VOC 2012 {split}",
        class_names=VOC_CLASSES,
        names=names,
        image_paths=tuple(images[name] for name in names),
        mask_paths=masks,
        labels=source.read(names),
        label_source=source.words,
    )


def sources(folder: Path, masks: Sequence[Path | None]) -> list[LabelSource]:
    """What image labels can be taken from, the preferred one first."""
    onehot, annotations = folder / ONEHOT, folder / ANNOTATIONS
    count = len(VOC_CLASSES)
    return [
        LabelSource("onehot", f"the one-hot file {ONEHOT}", onehot.is_file(),
                    partial(read_onehot, onehot, count=count - 1)),
        LabelSource("xml", f"the objects in {ANNOTATIONS}/*.xml", annotations.is_dir(),
                    partial(_labels_of_annotations, annotations)),
        LabelSource("masks", f"the masks in {MASKS} and {MASKS_AUG}", any(masks),
                    lambda names: labels_of_masks(masks, names, count)),
    ]  # fmt: skip


def _labels_of_annotations(folder: Path, names: Sequence[str]) -> np.ndarray:
    files = find_files(folder, (".xml",))
    require_all(names, [files.get(name) for name in names], f"annotation in {folder}")
    return np.stack([_labels_of_xml(files[name]) for name in names])


def _labels_of_xml(path: Path) -> np.ndarray:
    try:
        objects = [(thing.findtext("name") or "").strip() for thing in ElementTree.parse(path).iter("object")]
    except ElementTree.ParseError as error:
        raise ValueError(f"{path} is no XML ({error}); expected a VOC annotation: unpack it again.") from error
    foreign = [name for name in objects if name not in VOC_CLASSES[1:]]
    if foreign:
        raise ValueError(f"{path} has an object {foreign[0]!r}; {nearest_of(foreign[0], VOC_CLASSES[1:])}.")
    return np.array([name in objects for name in VOC_CLASSES[1:]], np.float32)
