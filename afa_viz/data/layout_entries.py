"""Expected files of each published data set and of a custom one, and where to get them."""

from __future__ import annotations

from dataclasses import dataclass

from afa_viz.data.folder_layout import MASKS as FOLDER_MASKS
from afa_viz.data.masks import MASK_EXTENSIONS

VOC_TAR = "VOCtrainval_11-May-2012.tar from http://host.robots.ox.ac.uk/pascal/VOC/voc2012/"
SBD_TAR = "benchmark.tgz of SBD (Hariharan et al. 2011), then `python -m afa_viz data sbd --root R --sbd FOLDER`"
COCO_ZIP = "http://images.cocodataset.org"


@dataclass(frozen=True)
class LayoutEntry:
    """A file or folder of a layout: one of `paths`, what it is, where to get it, whether nothing works without it, and
    endings of files of which a folder must hold one."""

    paths: tuple[str, ...]
    what: str
    source: str
    needed: bool = False
    holds: tuple[str, ...] = ()


ONEHOT = ("cls_labels_onehot.npy", "cls_labels.npy")
VOC = (
    LayoutEntry(("JPEGImages",), "the photographs", VOC_TAR, needed=True),
    LayoutEntry(("ImageSets/Segmentation/train.txt",), "names of 1,464 training images", VOC_TAR),
    LayoutEntry(("ImageSets/Segmentation/val.txt",), "names of 1,449 validation images", VOC_TAR),
    LayoutEntry(
        ("ImageSets/Segmentation/train_aug.txt", "ImageSets/Segmentation/trainaug.txt"),
        "names of the 10,582 images that the published run trains on",
        SBD_TAR,
    ),
    LayoutEntry(("Annotations",), "objects in each image: image labels", VOC_TAR),
    LayoutEntry(
        ONEHOT,
        "image labels as the authors of AFA publish them; Annotations do as well",
        "https://github.com/rulixiang/afa, folder datasets/voc",
    ),
    LayoutEntry(("SegmentationClass",), "masks of train and val, for evaluate", VOC_TAR),
    LayoutEntry(("SegmentationClassAug",), "masks of train_aug, for evaluate on it", SBD_TAR),
)
VOC_OWN = (
    LayoutEntry(("JPEGImages",), "the photographs", "your own", needed=True),
    LayoutEntry(
        ("ImageSets/Segmentation", "ImageSets/Main"), "lists of the splits", "one name per line in train.txt, val.txt"
    ),
    LayoutEntry(("Annotations",), "objects in each image: image labels", "XML files as VOC has them"),
    LayoutEntry(
        ("classes.txt", "class_names.txt", "labelmap.txt"),
        "names of own classes in the order of the masks' numbers",
        "one name per line; without it VOC's classes, or those of the annotations",
    ),
    LayoutEntry(("SegmentationClass",), "masks, for evaluate", "PNG files named like the images"),
)
COCO = (
    LayoutEntry(
        tuple(f"{parent}train2014" for parent in ("", "images/", "JPEGImages/")),
        "the training photographs",
        f"{COCO_ZIP}/zips/train2014.zip",
        needed=True,
    ),
    LayoutEntry(
        tuple(f"{parent}val2014" for parent in ("", "images/", "JPEGImages/")),
        "the validation photographs",
        f"{COCO_ZIP}/zips/val2014.zip",
    ),
    *(
        LayoutEntry(
            (f"annotations/instances_{split}2014.json",),
            f"image labels and masks of {split}",
            f"{COCO_ZIP}/annotations/annotations_trainval2014.zip",
        )
        for split in ("train", "val")
    ),
    LayoutEntry(
        ONEHOT,
        "image labels as the authors of AFA publish them; the annotations do as well",
        "https://github.com/rulixiang/afa, folder datasets/coco",
    ),
    LayoutEntry(
        ("SegmentationClass", "masks"),
        "masks as PNG files of class indices; the annotations do as well",
        "drawn from the annotations where they are missing",
    ),
)
FOLDER = (
    LayoutEntry(("images", "JPEGImages", "imgs", "img", "."), "the photographs", "your own", needed=True),
    LayoutEntry(
        ("labels.csv", "labels.tsv", "labels.json", "labels.jsonl", *ONEHOT),
        "image labels",
        "write one line per image, like `cat_1.jpg,cat;dog`; or give masks and classes.txt",
    ),
    LayoutEntry(
        ("classes.txt", "class_names.txt", "labelmap.txt", "labels.txt"),
        "names of the classes in the order of the masks' numbers",
        "one name per line",
    ),
    LayoutEntry(
        FOLDER_MASKS,
        "masks, for evaluate",
        "PNG files of class indices, named like the images",
        holds=MASK_EXTENSIONS,
    ),
    LayoutEntry(
        ("train.txt", "splits/train.txt", "ImageSets/Segmentation/train.txt"),
        "names of the training images",
        "one name per line; without lists every tenth image or so is kept for validation",
    ),
)
