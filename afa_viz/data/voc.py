"""PASCAL VOC with the masks and the training list of SBD, and own sets in the layout of the VOC archive.

VOC2012/JPEGImages/*.jpg                       also VOC2007, and own folders of this layout
        Annotations/*.xml                      image labels
        cls_labels_onehot.npy, cls_labels.npy  image labels as the authors of AFA and others publish them (optional)
        SegmentationClass/*.png                masks of VOC
        SegmentationClassAug/*.png             masks of SBD and VOC
        ImageSets/Segmentation/{train,val,train_aug,…}.txt, or ImageSets/Main
        classes.txt, labelmap.txt              names of own classes (optional; see `class_lists`)
"""

from __future__ import annotations

import os
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from afa_viz.classes import VOC_CLASSES
from afa_viz.data.class_lists import ClassList, find_class_list, is_background, require_class_names
from afa_viz.data.file_index import FileIndex, find_files
from afa_viz.data.images import (
    LabelledImages,
    LabelSource,
    choose_source,
    labels_from_masks,
    no_labels,
    note_other_sources,
    require_all_found,
    resolve_list,
)
from afa_viz.data.label_cells import natural_sort_key
from afa_viz.data.masks import MASK_EXTENSIONS, detect_coding
from afa_viz.data.onehot import ONEHOT_FILES, onehot_path, read_onehot
from afa_viz.data.text_files import format_list, normalize_unicode
from afa_viz.spelling import did_you_mean

SIZES = {"train": 1464, "val": 1449, "trainval": 2913, "train_aug": 10582, "test": 1456}  # docs/spec.md section 10
IMAGES, ANNOTATIONS = "JPEGImages", "Annotations"
MASKS, MASKS_AUG, LISTS = "SegmentationClass", "SegmentationClassAug", "ImageSets/Segmentation"
OTHER_LISTS = ("ImageSets/Main", "")
ALIASES = {"train_aug": ("train_aug", "trainaug"), "trainaug": ("trainaug", "train_aug")}
RELEASES = ("VOC2012", "VOC2007")


def voc_folder(root: str | os.PathLike[str]) -> Path:
    """The folder that holds JPEGImages: the root itself, or VOC2012 or VOC2007 in it or in its VOCdevkit.

    Raises: FileNotFoundError: if there is none.
    """
    root = Path(root)
    for folder in (root, *(place / name for name in RELEASES for place in (root, root / "VOCdevkit"))):
        if (folder / IMAGES).is_dir():
            return folder
    raise FileNotFoundError(f"there is no {IMAGES} in {root}; expected the folder VOC2012 of the VOC 2012 archive.")


def split_lists(folder: Path) -> dict[str, Path]:
    """List files by name of the split: those of ImageSets/Segmentation, or else of ImageSets/Main."""
    for place in (LISTS, *OTHER_LISTS):
        found = {path.stem: path for path in sorted((folder / place).glob("*.txt"))}
        if place != LISTS:  # lists of one class, and other texts
            found = {stem: path for stem, path in found.items() if stem in SIZES or stem == "default"}
        if found:
            return found
    return {}


def list_path(folder: Path, split: str) -> Path:
    """The list file of a split, or the split itself if it is the path of one.

    Raises: ValueError: for a split without list; the nearest one is named.
    """
    lists = split_lists(folder)
    name = Path(split).name.removesuffix(".txt")
    if split.endswith(".txt") and Path(split).is_file():
        return Path(split)
    for spelling in ALIASES.get(name, (name,)):
        if spelling in lists:
            return lists[spelling]
    if split.endswith(".txt"):
        raise FileNotFoundError(
            f"there is no list {split}, here or in {folder / LISTS}; expected a text file with one name per line."
        )
    if split in ALIASES:
        raise ValueError(
            f"there is no {split}.txt in {folder / LISTS}; expected the list of VOC's and SBD's training images: "
            "`python -m afa_viz data sbd` makes it and the masks from SBD; or --split train."
        )
    raise ValueError(f"there is no split {split!r} in {folder / LISTS}; {did_you_mean(split, lists)}.")


def open_voc(root: str | os.PathLike[str], split: str = "train_aug", labels: str = "auto") -> LabelledImages:
    """The images of a split.

    Args:
        root: the folder VOC2012, or one above it.
        split: of ImageSets/Segmentation, or the path of a list: names, or paths of images, one a line.
        labels: "onehot" (the authors' file), "xml" (the objects of the annotations, difficult ones too), "masks", or
            "auto": the first of these that is there. "none": all zero.
    Raises: FileNotFoundError or ValueError: for what is missing, with the first names.
    """
    folder, notes = voc_folder(root), list[str]()
    images = FileIndex(find_files(folder / IMAGES))
    names = tuple(resolve_list(list_path(folder, split), images, f"file in {folder / IMAGES}", notes))
    own, augmented = find_files(folder / MASKS, MASK_EXTENSIONS), find_files(folder / MASKS_AUG, MASK_EXTENSIONS)
    first, second = (augmented, own) if split.removesuffix(".txt") in ALIASES else (own, augmented)
    masks = tuple(first.get(name, second.get(name)) for name in names)
    onehot, annotations = onehot_path(folder), folder / ANNOTATIONS
    classes, objects = find_class_list(folder), dict[str, tuple[str, ...]]()
    if annotations.is_dir() and (labels in ("xml", "masks") or labels == "auto" and onehot is None):
        objects = _objects(annotations, names, notes, require_every=labels != "masks")
    class_names = _class_names(annotations, objects, classes)
    if class_names != VOC_CLASSES and classes is None and any(masks):
        if labels == "masks":
            raise ValueError(
                f"{folder} has classes of its own but no list of them; expected classes.txt with the names in the "
                "order of the masks' numbers."
            )
        notes.append("masks are not read: the order of their numbers is not known; write classes.txt")
        masks = (None,) * len(names)
    coding = detect_coding([*own.values(), *augmented.values()] if any(masks) else [], class_names, classes, notes)
    sources = [
        LabelSource("onehot", f"the one-hot file {onehot.name if onehot else ONEHOT_FILES[0]}", onehot is not None,
                    lambda names: read_onehot(onehot or folder, names, len(class_names) - 1)),
        LabelSource("xml", f"the objects in {ANNOTATIONS}/*.xml", annotations.is_dir(),
                    lambda names: _multi_hot(objects, names, class_names, annotations)),
        LabelSource("masks", f"the masks in {MASKS} and {MASKS_AUG}", any(masks),
                    lambda names: labels_from_masks(masks, names, len(class_names), coding)),
        no_labels(labels, lambda: len(class_names)),
    ]  # fmt: skip
    source = choose_source(labels, sources, folder)
    note_other_sources(source, [s for s in sources if s.key != "xml"], notes)
    official = class_names == VOC_CLASSES and folder.name.startswith("VOC2")
    return LabelledImages(
        title=f"PASCAL VOC {folder.name[3:]} {split}" if official else f"{folder.resolve().name} {split}",
        class_names=class_names,
        names=names,
        image_paths=tuple(images.files[name] for name in names),
        mask_paths=masks,
        labels=source.read(names),
        label_source=source.description,
        coding=coding,
        notes=tuple(notes),
        tables=tuple(p for p in (onehot if source.key == "onehot" else None, classes and classes.path) if p),
    )


def _objects(folder: Path, names: Sequence[str], notes: list[str], require_every: bool) -> dict[str, tuple[str, ...]]:
    """Names of the objects by image, without those that are called background."""
    files = find_files(folder, (".xml",))
    if require_every:
        require_all_found(names, [files.get(name) for name in names], f"annotation in {folder}")
    found = {name: objects_of_xml(files[name]) for name in names if name in files}
    background = [name for name, objects in found.items() if any(map(is_background, objects))]
    if background:
        notes.append(f"objects called background are left out, as in {format_list(background)}")
    return {name: tuple(o for o in objects if not is_background(o)) for name, objects in found.items()}


def _parse_xml(data: bytes) -> ElementTree.Element:
    """The root of an XML text, also in an encoding of several bytes a letter, which the parser does not know."""
    try:
        return ElementTree.fromstring(data)
    except ValueError:
        declared = re.match(rb"<\?xml[^>]*encoding=[\"']([\w.-]+)[\"'][^>]*\?>", data)
        if declared is None:
            raise
        return ElementTree.fromstring(data[declared.end() :].decode(declared[1].decode()))


def objects_of_xml(path: Path) -> tuple[str, ...]:
    """Names of the objects of an annotation; those of their parts are none. Raises: ValueError: for a broken file."""
    try:
        root = _parse_xml(path.read_bytes())
        return tuple(normalize_unicode((o.findtext("name") or "").strip()) for o in root.iter("object"))
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise ValueError(f"{path} is not XML ({error}); expected a VOC annotation: unpack it again.") from error


def _class_names(folder: Path, objects: Mapping[str, Sequence[str]], classes: ClassList | None) -> tuple[str, ...]:
    """VOC's classes, those of a list, or where no object is one of VOC's, those of all annotations.

    Raises: ValueError: for an object that is not a class; the nearest one is named.
    """
    known = VOC_CLASSES if classes is None else classes.names
    named = {name for row in objects.values() for name in row}
    foreign = sorted(named - set(known))
    if not foreign:
        return known
    if classes is None and not named & set(known):
        every = {name for path in find_files(folder, (".xml",)).values() for name in objects_of_xml(path)}
        own = sorted((name for name in every if not is_background(name)), key=natural_sort_key)
        if not set(own) & set(known):
            names = ("background", *own)
            require_class_names(names, folder)
            return names
    image = next(image for image, row in objects.items() if foreign[0] in row)
    advice = "for classes of your own write classes.txt" if classes is None else f"{classes.origin} lacks it"
    raise ValueError(
        f"{folder / image}.xml has an object {foreign[0]!r}; {did_you_mean(foreign[0], known[1:])}; {advice}."
    )


def _multi_hot(
    objects: Mapping[str, Sequence[str]], names: Sequence[str], class_names: Sequence[str], folder: Path
) -> np.ndarray:
    require_all_found(names, [objects.get(name) for name in names], f"annotation in {folder}")
    return np.array([[name in objects[image] for name in class_names[1:]] for image in names], np.float32)
