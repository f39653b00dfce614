"""What of a data set is there, what is missing and where to get it: one page, made by the code that training uses."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from afa_viz.data.catalogue import KINDS
from afa_viz.data.coco import SIZES as COCO_SIZES
from afa_viz.data.coco import split_name
from afa_viz.data.folder import split_lists
from afa_viz.data.images import LabelledImages, listed, nearest_of, present_labels
from afa_viz.data.voc import SIZES as VOC_SIZES
from afa_viz.data.voc import voc_folder

READ = 20  # images of a split that are opened

VOC_TAR = "VOCtrainval_11-May-2012.tar from http://host.robots.ox.ac.uk/pascal/VOC/voc2012/"
SBD_TAR = "benchmark.tgz of SBD (Hariharan et al. 2011), then `python -m afa_viz data sbd --root R --sbd FOLDER`"
COCO_ZIP = "http://images.cocodataset.org"


@dataclass(frozen=True)
class Piece:
    """A file or folder of a layout: one of `paths`, what it is, where to get it, whether nothing works without it."""

    paths: tuple[str, ...]
    what: str
    source: str
    needed: bool = False


PIECES = {
    "voc": (
        Piece(("JPEGImages",), "the photographs", VOC_TAR, needed=True),
        Piece(("ImageSets/Segmentation/train.txt",), "names of 1,464 training images", VOC_TAR),
        Piece(("ImageSets/Segmentation/val.txt",), "names of 1,449 validation images", VOC_TAR),
        Piece(
            ("ImageSets/Segmentation/train_aug.txt", "ImageSets/Segmentation/trainaug.txt"),
            "names of the 10,582 images that the published run trains on",
            SBD_TAR,
        ),
        Piece(("Annotations",), "objects in each image: image labels", VOC_TAR),
        Piece(
            ("cls_labels_onehot.npy",),
            "image labels as the authors of AFA publish them; Annotations do as well",
            "https://github.com/rulixiang/afa, folder datasets/voc",
        ),
        Piece(("SegmentationClass",), "masks of train and val, for evaluate", VOC_TAR),
        Piece(("SegmentationClassAug",), "masks of train_aug, for evaluate on it", SBD_TAR),
    ),
    "coco": (
        Piece(
            tuple(f"{parent}train2014" for parent in ("", "images/", "JPEGImages/")),
            "the training photographs",
            f"{COCO_ZIP}/zips/train2014.zip",
            needed=True,
        ),
        Piece(
            tuple(f"{parent}val2014" for parent in ("", "images/", "JPEGImages/")),
            "the validation photographs",
            f"{COCO_ZIP}/zips/val2014.zip",
        ),
        *(
            Piece(
                (f"annotations/instances_{split}2014.json",),
                f"image labels and masks of {split}",
                f"{COCO_ZIP}/annotations/annotations_trainval2014.zip",
            )
            for split in ("train", "val")
        ),
        Piece(
            ("cls_labels_onehot.npy",),
            "image labels as the authors of AFA publish them; the annotations do as well",
            "https://github.com/rulixiang/afa, folder datasets/coco",
        ),
        Piece(
            ("SegmentationClass", "masks"),
            "masks as PNG files of class numbers; the annotations do as well",
            "drawn from the annotations where they are missing (pip install pycocotools)",
        ),
    ),
    "folder": (
        Piece(("images", "JPEGImages", "."), "the photographs", "your own", needed=True),
        Piece(
            ("labels.csv", "labels.tsv", "labels.json"),
            "image labels",
            "write one line an image, like `cat_1.jpg,cat dog`; or give masks and classes.txt",
        ),
        Piece(("classes.txt",), "names of the classes in the order of the masks' numbers", "one name a line"),
        Piece(
            ("masks", "SegmentationClass"), "masks, for evaluate", "PNG files of class numbers, named like the images"
        ),
        Piece(
            ("train.txt", "splits/train.txt", "ImageSets/Segmentation/train.txt"),
            "names of the training images",
            "one name a line; without lists every tenth image or so is kept for validation",
        ),
    ),
}


@dataclass(frozen=True)
class Report:
    """text: one page. trainable: whether the split that is trained on can be opened."""

    text: str
    trainable: bool


def check(kind: str, root: str | os.PathLike[str], read: int = READ) -> Report:
    """Look at a data set as training and evaluation would.

    Args:
        kind: one of `catalogue.KINDS`.
        root: its folder.
        read: images and masks of each split that are opened, evenly spread; 0: all.
    """
    if kind not in KINDS:
        raise ValueError(f"there is no data set {kind!r}; {nearest_of(kind, KINDS)}.")
    folder = _folder(kind, Path(root))
    pieces = PIECES[kind]
    missing = [piece for piece in pieces if not _found(folder, piece)]
    lines = [f"{kind} in {folder}", "", "Pieces"]
    for piece in pieces:
        found = _found(folder, piece)
        lines.append(
            f"  {'there' if found else 'MISSING' if piece.needed else '-':8}{found or piece.paths[0]}: {piece.what}"
        )
    trainable = False
    for split, published in _splits(kind, folder).items():
        opened, told = _look(kind, folder, split, published, read)
        trainable |= opened and split == KINDS[kind].train
        lines += ["", *told]
    if missing:
        lines += ["", "Where to get what is not there", *(f"  {p.paths[0]}: {p.source}" for p in missing)]
    command = f"python -m afa_viz train --config {kind} --root {root}"
    lines += ["", f"Ready: {command}" if trainable else f"Not ready to train: {KINDS[kind].train} can not be opened."]
    return Report("\n".join(lines), trainable)


def _folder(kind: str, root: Path) -> Path:
    if not root.is_dir():
        raise FileNotFoundError(f"there is no folder {root}; expected the one that holds the data set.")
    if kind == "voc":
        try:
            return voc_folder(root)
        except FileNotFoundError:
            return root
    return root


def _found(folder: Path, piece: Piece) -> str | None:
    return next((path for path in piece.paths if (folder / path).exists()), None)


def _splits(kind: str, folder: Path) -> dict[str, int | None]:
    """Splits to look at, and how many images each has in the published data set."""
    if kind == "voc":
        return {split: VOC_SIZES[split] for split in ("train_aug", "train", "val")}
    if kind == "coco":
        return {split: COCO_SIZES[split_name(split)] for split in ("train", "val")}
    return dict.fromkeys(split_lists(folder) or ("train", "val"))


def _look(kind: str, folder: Path, split: str, published: int | None, read: int) -> tuple[bool, list[str]]:
    """Whether a split can be opened, and lines that tell what is in it."""
    try:
        images = KINDS[kind].open(folder, split, "auto")
    except (ValueError, OSError) as error:
        return False, [f"Split {split}: {error}"]
    count = len(images)
    expected = "" if published in (None, count) else f" (published: {published:,})"
    masks = sum(images.has_mask(i) for i in range(count))
    labels = images.labels
    seen = (labels > 0).sum(axis=0)
    rare = [f"{name} {n}" for name, n in zip(images.class_names[1:], seen.astype(int), strict=True) if n < 5]
    lines = [
        f"Split {split}: {count:,} images{expected}, {masks:,} with a mask",
        f"  image labels from {images.label_source}: {len(seen)} classes, {labels.sum(axis=1).mean():.2f} an image, "
        f"{int((labels.sum(axis=1) == 0).sum())} images without any",
    ]
    if rare:
        lines.append(f"  in fewer than five images: {listed(rare)}")
    return True, lines + _read_some(images, read)


def _read_some(images: LabelledImages, read: int) -> list[str]:
    """Open some images with their masks: which are broken, do not fit, or disagree with the image labels."""
    count = len(images)
    chosen = np.unique(np.linspace(0, count - 1, min(read or count, count)).round().astype(int))
    broken, other = [], []
    for i in chosen.tolist():
        try:
            image, mask = images.image(i), images.mask(i)
        except (ValueError, OSError) as error:
            broken.append(str(error))
            continue
        if mask is None:
            continue
        if mask.shape != image.shape[:2]:
            broken.append(f"{images.names[i]}: the image has {image.shape[:2]} pixels and its mask {mask.shape}.")
        elif (present_labels(mask, len(images.class_names) - 1) != images.image_labels(i)).any():
            other.append(images.names[i])
    lines = [f"  opened {len(chosen)}: {len(broken)} broken"]
    lines += [f"    {sentence}" for sentence in broken]
    if other:
        lines.append(f"  mask and image labels name other classes in {len(other)}: {listed(other)}")
    return lines
