"""MS COCO 2014: image labels from the instance annotations, masks from PNG files or from the same annotations.

annotations/instances_{train2014,val2014}.json
{train2014,val2014}/*.jpg, also in images/ or JPEGImages/
SegmentationClass/{train2014,val2014}/*.png        masks of class numbers 1 to 80 (optional)
{train,val}.txt, cls_labels_onehot.npy             as the authors of AFA publish them (optional)
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from afa_viz.classes import COCO_CLASSES
from afa_viz.data.images import (
    LabelledImages,
    LabelSource,
    choose_source,
    find_files,
    labels_of_masks,
    read_names,
    read_onehot,
    require_all,
)

SIZES = {"train2014": 82081, "val2014": 40137}  # images with an object; SPEC.md section 10
ONEHOT = "cls_labels_onehot.npy"


@dataclass(frozen=True)
class Instances:
    """An annotation file, its 80 categories renumbered from 1.

    Attributes:
        path: of the file.
        class_names: K names, background first.
        label_of: category id -> label.
        files: image id -> name of the image file without ending.
        sizes: image id -> (height, width).
        annotations: image id -> its annotations, as in the file.
    """

    path: Path
    class_names: tuple[str, ...]
    label_of: Mapping[int, int]
    files: Mapping[int, str]
    sizes: Mapping[int, tuple[int, int]]
    annotations: Mapping[int, Sequence[Mapping[str, Any]]]

    def labels(self, image_id: int) -> np.ndarray:
        """(C,) float32: the categories of an image's annotations, crowds included."""
        row = np.zeros(len(self.class_names) - 1, np.float32)
        for annotation in self.annotations.get(image_id, ()):
            row[self.label_of[annotation["category_id"]] - 1] = 1
        return row

    def mask(self, image_id: int) -> np.ndarray:
        """(H, W) uint8, objects drawn from the largest to the smallest, so that small ones stay visible.

        Raises: ValueError: if pycocotools is not installed.
        """
        try:
            from pycocotools import mask as shapes
        except ModuleNotFoundError as error:
            raise ValueError(
                "masks from COCO's JSON need one more package: `pip install pycocotools`; or put masks as PNG files of "
                "class numbers into SegmentationClass."
            ) from error
        height, width = self.sizes[image_id]
        label = np.zeros((height, width), np.uint8)
        for annotation in sorted(self.annotations.get(image_id, ()), key=lambda a: -a["area"]):
            outline = annotation["segmentation"]
            if isinstance(outline, list):
                outline = shapes.merge(shapes.frPyObjects(outline, height, width))
            elif isinstance(outline["counts"], list):
                outline = shapes.frPyObjects(outline, height, width)
            label[shapes.decode(outline) > 0] = self.label_of[annotation["category_id"]]
        return label


def read_instances(path: Path) -> Instances:
    """Read an annotation file. Raises: ValueError: if it is not one."""
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
        categories = sorted(held["categories"], key=lambda c: c["id"])
        annotations: dict[int, list[Mapping[str, Any]]] = {}
        for annotation in held["annotations"]:
            annotations.setdefault(annotation["image_id"], []).append(annotation)
        instances = Instances(
            path,
            ("background", *(str(c["name"]) for c in categories)),
            {c["id"]: i for i, c in enumerate(categories, 1)},
            {image["id"]: Path(image["file_name"]).stem for image in held["images"]},
            {image["id"]: (image["height"], image["width"]) for image in held["images"]},
            annotations,
        )
        foreign = {a["category_id"] for a in held["annotations"]} - set(instances.label_of)
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path} is no COCO annotation ({type(error).__name__}: {error}); expected JSON with images, categories "
            "and annotations: unpack it again."
        ) from error
    if foreign:
        raise ValueError(f"{path} has annotations of category {min(foreign)}, which its list of categories lacks.")
    return instances


@dataclass(frozen=True, eq=False)
class CocoImages(LabelledImages):
    """Images of COCO; where there is no mask file the mask is drawn from the annotations.

    Attributes:
        annotation_path: of the annotations, or None.
        image_ids: n ids.
    """

    annotation_path: Path | None = None
    image_ids: tuple[int, ...] = ()

    @cached_property
    def _instances(self) -> Instances | None:
        return None if self.annotation_path is None else read_instances(self.annotation_path)

    def has_mask(self, index: int) -> bool:
        return self.mask_paths[index] is not None or self.annotation_path is not None

    def mask(self, index: int) -> np.ndarray | None:
        if self.mask_paths[index] is not None or self._instances is None:
            return super().mask(index)
        return self._instances.mask(self.image_ids[index])


def split_name(split: str) -> str:
    """ "train" and "val" mean those of 2014."""
    return f"{split}2014" if split in ("train", "val") else split


def image_id(name: str) -> int:
    """The number at the end of a COCO file name: COCO_train2014_000000000009 -> 9. Raises: ValueError: if none."""
    digits = name.rsplit("_", 1)[-1]
    if not digits.isdecimal():
        raise ValueError(f"{name!r} is no name of a COCO image; expected one like COCO_train2014_000000000009.")
    return int(digits)


def first_folder(root: Path, split: str, parents: Sequence[str]) -> Path | None:
    """The first of root/parent/split that exists."""
    return next((root / parent / split for parent in parents if (root / parent / split).is_dir()), None)


def image_folder(root: Path, split: str) -> Path | None:
    """Where the images of a split such as train2014 lie."""
    return first_folder(root, split, ("", "images", "JPEGImages"))


def mask_folder(root: Path, split: str) -> Path | None:
    """Where the mask files of a split lie."""
    return first_folder(root, split, ("SegmentationClass", "masks", "SegmentationClassAug"))


def open_coco(root: str | os.PathLike[str], split: str = "train", labels: str = "auto") -> CocoImages:
    """The images of a split that show at least one object, or those of a list.

    Args:
        root: the folder with `annotations` and the images.
        split: "train" or "val" (of 2014), or like "train2014". A list train.txt or train2014.txt beside the images'
            folder, if there is one, says which images; else all with an annotation, which is the published split.
        labels: "onehot" (the authors' file), "json" (the instance annotations, crowds included), "masks", or "auto":
            the first of these that is there.
    Raises: FileNotFoundError or ValueError: for what is missing, with the first names.
    """
    root, full = Path(root), split_name(split)
    folder = image_folder(root, full)
    if folder is None:
        raise FileNotFoundError(
            f"there is no folder {full} in {root}, its images or its JPEGImages; expected the images of the split: "
            "`python -m afa_viz data check coco` says where to get them."
        )
    annotation_path = root / "annotations" / f"instances_{full}.json"
    instances = read_instances(annotation_path) if annotation_path.is_file() else None
    images, names = find_files(folder), _names(root, split, instances)
    if names is None:
        names = list(images)
    ids = tuple(image_id(name) for name in names)
    paths = [_by_id(images, name, number, full) for name, number in zip(names, ids, strict=True)]
    require_all(names, paths, f"file in {folder}")
    found = find_files(mask_folder(root, full) or root / "SegmentationClass", (".png",))
    masks = tuple(_by_id(found, name, number, full) for name, number in zip(names, ids, strict=True))
    class_names = COCO_CLASSES if instances is None else instances.class_names
    source = choose_source(labels, _sources(root, annotation_path, instances, ids, masks, class_names), root)
    return CocoImages(
        title=f"MS COCO {full}",
        class_names=class_names,
        names=tuple(names),
        image_paths=tuple(path for path in paths if path is not None),
        mask_paths=masks,
        labels=source.read(names),
        label_source=source.words,
        annotation_path=None if instances is None else annotation_path,
        image_ids=ids,
    )


def _by_id(files: Mapping[str, Path], name: str, number: int, split: str) -> Path | None:
    """The file of an image, under its name or in the other ways that its id is written."""
    spellings = (name, f"COCO_{split}_{number:012d}", f"{number:012d}", str(number))
    return next((files[spelling] for spelling in spellings if spelling in files), None)


def _names(root: Path, split: str, instances: Instances | None) -> list[str] | None:
    """Names of a list file, or of the images with annotations; None if there is neither."""
    for name in (split_name(split), split_name(split).removesuffix("2014")):
        if (root / f"{name}.txt").is_file():
            return read_names(root / f"{name}.txt")
    return None if instances is None else [instances.files[i] for i in sorted(instances.annotations)]


def _sources(
    root: Path,
    annotation_path: Path,
    instances: Instances | None,
    ids: Sequence[int],
    masks: Sequence[Path | None],
    class_names: Sequence[str],
) -> list[LabelSource]:
    count = len(class_names)
    return [
        LabelSource("onehot", f"the one-hot file {ONEHOT}", (root / ONEHOT).is_file(),
                    partial(read_onehot, root / ONEHOT, count=count - 1)),
        LabelSource("json", f"the annotations {annotation_path.name}", instances is not None,
                    lambda names: np.stack([instances.labels(i) for i in ids]) if instances else np.empty(0)),
        LabelSource("masks", "the masks in SegmentationClass", any(masks),
                    lambda names: labels_of_masks(masks, names, count)),
    ]  # fmt: skip
