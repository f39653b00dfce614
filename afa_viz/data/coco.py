"""Data sets in COCO's format: MS COCO itself, and own sets with any names of files and splits.

annotations/instances_{train2014,val2014}.json     also annotations/SPLIT.json, SPLIT.json, SPLIT/_annotations.coco.json
{train2014,val2014}/*.jpg                          also in images/ or JPEGImages/, or wherever `file_name` points
SegmentationClass/{train2014,val2014}/*.png        masks of class indices in the order of the category ids (optional)
{train,val}.txt, cls_labels_onehot.npy             as the authors of AFA publish them (optional)

Labels and masks belong to an image by its id and its `file_name` in the annotations, never by a number in its name.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from afa_viz.classes import COCO_CLASSES
from afa_viz.data.class_lists import IGNORE, ClassList, find_class_list
from afa_viz.data.coco_json import Instances, read_instances
from afa_viz.data.coco_layout import (
    IMAGES,
    MASKS,
    YEARS,
    annotation_files,
    find_by_name,
    full_split_name,
    image_folder,
    list_file,
    mask_folder,
    name_variants,
)
from afa_viz.data.file_index import IMAGE_EXTENSIONS, FileIndex, find_files, stem_of
from afa_viz.data.images import (
    LabelledImages,
    LabelSource,
    choose_source,
    labels_from_masks,
    no_labels,
    note_other_sources,
    note_unused,
    require_all_found,
    unique_names,
)
from afa_viz.data.masks import MASK_EXTENSIONS, detect_coding
from afa_viz.data.onehot import onehot_path, read_onehot
from afa_viz.data.text_files import format_count, format_list, read_lines


@dataclass(frozen=True, eq=False)
class CocoImages(LabelledImages):
    """Images of a set in COCO's format; where there is no mask file the mask is drawn from the annotations.

    Attributes:
        annotation_path: of the annotations, or None.
        image_ids: n ids, as text.
        drawable: n times whether the annotations give a mask.
    """

    annotation_path: Path | None = None
    image_ids: tuple[str, ...] = ()
    drawable: tuple[bool, ...] = ()

    @cached_property
    def _instances(self) -> Instances | None:
        return None if self.annotation_path is None else read_instances(self.annotation_path)

    def has_mask(self, index: int) -> bool:
        return self.mask_paths[index] is not None or (bool(self.drawable) and self.drawable[index])

    def mask(self, index: int) -> np.ndarray | None:
        if self.mask_paths[index] is not None or not self.has_mask(index) or self._instances is None:
            return super().mask(index)
        with Image.open(self.image_paths[index]) as opened:
            width, height = opened.size
        return self._instances.mask(self.image_ids[index], (height, width))


def open_coco(root: str | os.PathLike[str], split: str = "train", labels: str = "auto") -> CocoImages:
    """The images of a split that show at least one object, or those of a list.

    Args:
        root: the folder with the annotations and the images.
        split: the name of an annotation file without "instances_"; "train" and "val" also mean those of 2014; or the
            path of such a file. A list train.txt or train2014.txt beside the images' folder, if there is one, says
            which images; else all with an annotation, which is the published split.
        labels: "onehot" (the authors' file), "json" (the instance annotations, crowds included), "masks", or "auto":
            the first of these that is there. "none": all zero.
    Raises: FileNotFoundError or ValueError: for what is missing, with the first names.
    """
    root, notes = Path(root), list[str]()
    if not root.is_dir():
        raise FileNotFoundError(f"there is no folder {root}; expected one with annotations and images.")
    files = annotation_files(root)
    own = Path(split) if split.endswith(".json") else None
    full = full_split_name(root, split) if own is None else own.stem.removeprefix("instances_")
    path = files.get(full) if own is None else own if own.is_file() else root / "annotations" / own.name
    folder = image_folder(root, full)
    if path is None and folder is None:
        there = f"; there are the splits {format_list(list(files))}: name one as --split" if files else ""
        raise FileNotFoundError(
            f"there is no folder {full} in {root}, its images or its JPEGImages, and no annotation file of that split; "
            f"expected the images of the split: `python -m afa_viz data check coco` says where to get them{there}."
        )
    instances = None if path is None else read_instances(path)
    if instances is None:
        assert folder is not None
        names, paths, ids = _listed_files(root, full, folder, notes)
    else:
        names, paths, ids = _listed_images(root, full, folder, instances, notes)
    classes = find_class_list(root)
    class_names = _class_names(instances, classes)
    masks_at = mask_folder(root, full)
    mask_files = find_files(masks_at, MASK_EXTENSIONS)
    masks = tuple(find_by_name(mask_files, name, full) for name in names)
    coding = detect_coding(list(mask_files.values()), class_names, _in_order(classes, class_names), notes)
    onehot = onehot_path(root)
    numbers = {name: int(i) for name, i in zip(names, ids, strict=False) if i.isdecimal()}
    sources = [
        LabelSource("onehot", f"the one-hot file {onehot.name if onehot else 'cls_labels_onehot.npy'}", bool(onehot),
                    lambda names: read_onehot(onehot or root, names, len(class_names) - 1, numbers)),
        LabelSource("json", f"the annotations {path.name if path else 'instances_*.json'}", instances is not None,
                    lambda names: np.stack([instances.labels(i) for i in ids]) if instances else np.empty(0)),
        LabelSource("masks", "the masks in SegmentationClass", any(masks),
                    lambda names: labels_from_masks(masks, names, len(class_names), coding)),
        no_labels(labels, lambda: len(class_names)),
    ]  # fmt: skip
    source = choose_source(labels, sources, root)
    if instances is not None:
        notes += instances.notes
    note_other_sources(source, [s for s in sources if s.key != "json"], notes)
    if instances is not None and (len(files) == 1 or (masks_at is not None and masks_at.name not in MASKS)):
        every = [find_by_name(mask_files, name, full) for name in _names_by_id(instances).values()]
        note_unused(mask_files, every, "mask", "belongs to no image of the annotations", notes)
    return CocoImages(
        title=f"MS COCO {full}" if full.endswith(YEARS) else f"{root.resolve().name} {full}",
        class_names=class_names,
        names=tuple(names),
        image_paths=tuple(paths),
        mask_paths=masks,
        labels=source.read(names),
        label_source=source.description,
        coding=coding,
        notes=tuple(notes),
        tables=tuple(p for p in (path, onehot if source.key == "onehot" else None, classes and classes.path) if p),
        annotation_path=path,
        image_ids=tuple(ids),
        drawable=() if instances is None else tuple(instances.has_mask(i) for i in ids),
    )


def _listed_files(root: Path, full: str, folder: Path, notes: list[str]) -> tuple[list[str], list[Path], list[str]]:
    """Names and files of a split without annotations: those of its list, or all of its folder."""
    files = find_files(folder)
    path = list_file(root, full)
    names = list(files)
    if path is not None:
        lines = read_lines(path)
        found = [find_by_name(files, PurePosixPath(stem_of(line.split()[0])).name, full) for line in lines]
        require_all_found(lines, found, f"file in {folder}")
        name_of = {file: name for name, file in files.items()}
        names = unique_names([name_of[file] for file in found if file is not None], path.name, notes)
    if not names:
        raise ValueError(f"{folder} has no image; expected the images of {full}.")
    return names, [files[name] for name in names], []


def _listed_images(
    root: Path, full: str, folder: Path | None, instances: Instances, notes: list[str]
) -> tuple[list[str], list[Path], list[str]]:
    """Names, files and ids of the images that a list or the annotations name."""
    name_of = _names_by_id(instances)
    path = list_file(root, full)
    if path is None:
        ids = [number for number, image in instances.images.items() if image.annotations]
        if len(ids) < len(name_of):
            images = format_count(len(name_of) - len(ids), "image")
            notes.append(f"{images} of {instances.path.name} without an annotation left out")
        ids = sorted(ids, key=int) if all(number.isdecimal() for number in ids) else ids
    else:
        places = {name_of[i]: Path(image.file_name.replace("\\", "/")) for i, image in instances.images.items()}
        index, lines = FileIndex(places), read_lines(path)
        found = [_listed_name(index, line, full) for line in lines]
        require_all_found(lines, found, f"entry in {instances.path.name}")
        id_of = {name: number for number, name in name_of.items()}
        ids = [id_of[name] for name in unique_names([name for name in found if name is not None], path.name, notes)]
    if not ids:
        raise ValueError(f"{instances.path} has no image with an annotation; expected at least one: export it again.")
    written = [instances.images[number].file_name for number in ids]
    tried: list[Path] = []
    best: list[Path | None] = [None] * len(ids)
    beside = instances.path.parent if instances.path.parent != root else None
    for place in (folder, beside, *(root / name for name in IMAGES if name), root):
        if place is None or place in tried or not place.is_dir():
            continue
        tried.append(place)
        without = [root / name for name in MASKS]
        index = FileIndex(
            find_files(place, IMAGE_EXTENSIONS, recursive=place != root / "annotations", exclude=without), True
        )
        here = [index.files[name] if (name := index.find(text)) is not None else None for text in written]
        if place == folder and None not in here:
            every = [index.files[n] for image in instances.images.values() if (n := index.find(image.file_name))]
            note_unused(index.files, every, "image", f"of {place.name} is not in the annotations", notes)
        if sum(path is not None for path in here) > sum(path is not None for path in best):
            best = here
        if None not in best:
            break
    require_all_found(written, best, f"file in {folder or root}")
    return [name_of[number] for number in ids], [path for path in best if path is not None], ids


def _names_by_id(instances: Instances) -> dict[str, str]:
    """A name for each image: the last part of its `file_name`, or more of it where that is not enough."""
    written = {number: image.file_name.replace("\\", "/") for number, image in instances.images.items()}
    shortenings = (lambda text: stem_of(text).rsplit("/", 1)[-1], stem_of, str)
    for shorten in shortenings:
        names = {number: shorten(text) for number, text in written.items()}
        if len(set(names.values())) == len(names):
            return names
    again = next(name for name, count in Counter(written.values()).items() if count > 1)
    raise ValueError(f"{instances.path} lists the file {again} under two ids; expected one id for each file.")


def _listed_name(index: FileIndex, line: str, full: str) -> str | None:
    for text in (line, line.split()[0]):
        for spelling in (text, *name_variants(PurePosixPath(stem_of(text)).name, full)):
            if (name := index.find(spelling)) is not None:
                return name
    return None


def _class_names(instances: Instances | None, classes: ClassList | None) -> tuple[str, ...]:
    if instances is None:
        return COCO_CLASSES if classes is None else classes.names
    if classes is not None and set(classes.names) != set(instances.class_names):
        raise ValueError(
            f"{classes.origin} has the classes {format_list(classes.names[1:])} but {instances.path.name} "
            f"{format_list(instances.class_names[1:])}; expected the same: remove {classes.origin}."
        )
    return instances.class_names


def _in_order(classes: ClassList | None, class_names: Sequence[str]) -> ClassList | None:
    """A list of classes whose colours mean the labels of the annotations."""
    if classes is None or not classes.colours:
        return None
    label = {name: i for i, name in enumerate(class_names)}
    colours = {c: n if n == IGNORE else label[classes.names[n]] for c, n in classes.colours.items()}
    return ClassList(tuple(class_names), classes.origin, colours, True, classes.path)
