"""Own data: a folder of images and a file of labels, masks optional.

images/…          or JPEGImages/, or the folder itself; subfolders are looked into
labels.csv        or .tsv, .json or .jsonl: see `label_files`; or cls_labels_onehot.npy, cls_labels.npy
classes.txt       names of the classes in the order of the masks' numbers, one a line (optional): see `class_lists`
masks/…           or SegmentationClass/: files of the same names (optional): see `masks`
train.txt, …      or splits/train.txt, ImageSets/Segmentation/train.txt, …: names of a split (optional)

Without labels and masks the folder of an image names its class: cat/1.jpg, or train/cat/1.jpg.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from afa_viz.data.class_lists import find_class_list, is_background, require_class_names
from afa_viz.data.file_index import IMAGE_EXTENSIONS, FileIndex, stem_of
from afa_viz.data.folder_layout import (
    LABEL_FILES,
    MASKS,
    VAL_NAMES,
    class_of_folder,
    image_folder,
    images_of,
    label_files,
    masks_of,
    note_other_files,
    split_folders,
    split_lists,
    unused_entries,
)
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
from afa_viz.data.label_files import has_image_extension, read_label_file
from afa_viz.data.label_tables import ParsedLabels
from afa_viz.data.masks import MaskCoding, detect_coding, present_labels, read_mask
from afa_viz.data.onehot import ONEHOT_FILES, names_with_labels, onehot_path, read_onehot
from afa_viz.data.text_files import format_count, format_list, normalize_unicode
from afa_viz.spelling import did_you_mean

VAL_OF = 10  # without lists one image in so many is for validation
COMPARED = 50  # masks whose numbers are compared with the image labels where no list names them


def open_folder(root: str | os.PathLike[str], split: str = "all", labels: str = "auto") -> LabelledImages:
    """The labelled images of a folder.

    Args:
        split: "all", the name of a list file or its path, or of the folder train, val or test that images lie in. In a
            folder without any of these "train" and "val" part the images by their names, nine to one: an image stays
            where it is when others come.
        labels: "file" (labels.csv, .tsv or .json), "onehot", "masks", "folders", or "auto": the first that is there.
            "none": all zero.
    Raises: FileNotFoundError or ValueError: for what is missing or does not fit, with the first names.
    """
    root, notes = Path(root), list[str]()
    if not root.is_dir():
        raise FileNotFoundError(f"there is no folder {root}; expected one with images and labels.csv.")
    images = images_of(root)
    masks_at, masks = masks_of(root, images, notes)
    if image_folder(root) != root:
        note_other_files(image_folder(root), IMAGE_EXTENSIONS, notes)
    files = label_files(root, lambda word: _is_image(images, word))
    classes = find_class_list(root, skip=[path.name for path in files])
    known = () if classes is None else classes.names
    file, onehot = (files[0] if files else None), onehot_path(root)
    written = ParsedLabels({})
    if file is not None and labels in ("auto", "file"):
        written = read_label_file(file, known, lambda word: _is_image(images, word))
    table = _by_image(written, images, file or root, notes)
    folders = {name: class_of_folder(name) for name in images.files}
    of_folders = bool(folders) and all(folders.values())
    sources = [
        LabelSource("file", f"the file {file.name if file else LABEL_FILES[0]}", file is not None,
                    lambda names: _multi_hot([table[name] for name in names], class_names, file or root)),
        LabelSource("onehot", f"the file {onehot.name if onehot else ONEHOT_FILES[0]}", onehot is not None,
                    lambda names: read_onehot(onehot or root, names, len(class_names) - 1)),
        LabelSource("masks", f"the masks in {masks_at.name if masks_at else MASKS[0]}", bool(masks),
                    lambda names: labels_from_masks([masks.get(n) for n in names], names, len(class_names), coding)),
        LabelSource("folders", "the names of the folders that images lie in", of_folders,
                    lambda names: _multi_hot([_folder_class(folders[n]) for n in names], class_names, root)),
    ]  # fmt: skip
    if classes is None and of_folders:  # names of classes, which masks lack
        sources.insert(2, sources.pop())
    sources.append(no_labels(labels, lambda: len(class_names)))
    try:
        source = choose_source(labels, sources, root)
    except ValueError as error:
        details = f" ({'; '.join(notes)})" if notes else ""
        raise type(error)(f"{str(error).rstrip('.')}{details}.") from None
    note_other_sources(source, [s for s in sources if s.key != "folders"], notes)
    notes += [f"{other.name} is not read: {file.name} is" for other in files[1:] if file is not None]
    notes += written.notes
    class_names = known or _own_class_names(source.key, written, folders, root)
    require_class_names(class_names, root if classes is None else classes.origin)
    twins = sorted(name for name in class_names if [n.casefold() for n in class_names].count(name.casefold()) > 1)
    if twins:
        notes.append(f"classes that differ in capitals alone: {format_list(twins)}")
    foreign = [name for name in written.columns if name not in class_names]
    if foreign:
        raise ValueError(
            f"{file} has a column {foreign[0]!r}, which classes.txt lacks; {did_you_mean(foreign[0], class_names[1:])}."
        )
    coding = detect_coding(list(masks.values()), class_names, classes, notes)
    every = list(images.files)
    if source.key == "file":
        every = list(table)
    elif source.key == "onehot" and onehot is not None:
        every = names_with_labels(onehot, every)
    elif source.key == "masks":
        every = [name for name in every if name in masks]
    if len(every) < len(images.files):
        left_out = [name for name in images.files if name not in set(every)]
        notes.append(f"{format_count(len(left_out), 'image')} without image labels left out: {format_list(left_out)}")
    names, list_file = _split(root, split, every, images, notes)
    if classes is None and len(class_names) > 2 and masks:
        _require_order(names, masks, source.read(names), class_names, coding, notes)
    used = [masks_at, *split_lists(root, lambda word: _is_image(images, word)).values(), list_file]
    rest = unused_entries(root, images, used)
    if rest:
        notes.append(f"not read: {format_list(rest)}")
    tables = (file if source.key == "file" else None, onehot if source.key == "onehot" else None)
    return LabelledImages(
        title=f"{normalize_unicode(root.resolve().name)} {split}",
        class_names=class_names,
        names=tuple(names),
        image_paths=tuple(images.files[name] for name in names),
        mask_paths=tuple(masks.get(name) for name in names),
        labels=source.read(names),
        label_source=source.description,
        upright=True,
        coding=coding,
        notes=tuple(notes),
        tables=tuple(path for path in (*tables, classes and classes.path) if path),
    )


def folder_splits(root: Path) -> list[str]:
    """Names of the splits that a folder has, by lists or by folders; empty if images are parted by their names."""
    images = images_of(root)
    return list(split_lists(root, lambda word: _is_image(images, word)) or split_folders(list(images.files)))


def _is_image(images: FileIndex, word: str) -> bool:
    try:
        return images.find(word) is not None
    except ValueError:  # several fit: said when labels are looked up
        return True


def _by_image(written: ParsedLabels, images: FileIndex, file: Path, notes: list[str]) -> dict[str, tuple[str, ...]]:
    """Classes by name of the image."""
    names = [images.find(name) for name in written.classes]
    require_all_found(list(written.classes), names, f"file beside {file}")
    table: dict[str, tuple[str, ...]] = {}
    first: dict[str, str] = {}
    other_ending = []
    for name, given, classes in zip(names, written.classes, written.classes.values(), strict=True):
        assert name is not None
        earlier = first.setdefault(name, given)
        same = stem_of(earlier) == stem_of(given) and earlier != given
        if same and has_image_extension(earlier) and has_image_extension(given):
            raise ValueError(
                f"{file} has {earlier} and {given}, but there is only {images.files[name].name}; expected a file for "
                "each: correct the names."
            )
        if has_image_extension(given) and Path(given).suffix.lower() != images.files[name].suffix.lower():
            other_ending.append(given)
        table[name] = tuple(dict.fromkeys((*table.get(name, ()), *classes)))
    if other_ending:
        notes.append(f"{format_count(len(other_ending), 'name')} of {file.name} with another ending than the image: "
                     f"{format_list(other_ending)}")  # fmt: skip
    return table


def _folder_class(name: str | None) -> tuple[str, ...]:
    return () if name is None or is_background(name) else (name,)


def _own_class_names(key: str, written: ParsedLabels, folders: Mapping[str, str | None], root: Path) -> tuple[str, ...]:
    """Names of the classes where no list gives them."""
    if key == "file":
        return written.class_names()
    if key == "folders":
        names = {name for name in folders.values() if name is not None and not is_background(name)}
        return ("background", *sorted(names, key=natural_sort_key))
    raise ValueError(f"{root} does not name its classes; expected classes.txt with one name per line.")


def _multi_hot(rows: Sequence[Sequence[str]], class_names: Sequence[str], file: Path) -> np.ndarray:
    labels = np.zeros((len(rows), len(class_names) - 1), np.float32)
    number = {name: i - 1 for i, name in enumerate(class_names)}
    for row, words in zip(labels, rows, strict=True):
        for word in words:
            if word not in number:
                raise ValueError(
                    f"{file} has a class {word!r}, which classes.txt lacks; {did_you_mean(word, class_names[1:])}."
                )
            row[number[word]] = 1
    return labels


def _require_order(
    names: Sequence[str], masks: Mapping[str, Path], labels: np.ndarray, class_names: Sequence[str],
    coding: MaskCoding, notes: list[str],
) -> None:  # fmt: skip
    """Without a list of classes the masks' numbers are taken in the order of the labels; refuse where they disagree."""
    masked = [i for i, name in enumerate(names) if name in masks]
    other = []
    for i in [masked[k] for k in np.unique(np.linspace(0, len(masked) - 1, min(COMPARED, len(masked))).astype(int))]:
        try:
            shown = present_labels(read_mask(masks[names[i]], len(class_names), coding), len(class_names) - 1)
        except ValueError:
            continue  # counted when it is read
        if (shown > labels[i]).any():
            other.append(names[i])
    order = format_list([f"{i} {name}" for i, name in enumerate(class_names[1:], 1)])
    if other:
        raise ValueError(
            f"the numbers of the masks do not agree with the image labels ({order}), as in {format_list(other)}; "
            "expected classes.txt with the names in the order of the masks' numbers."
        )
    if masked:
        notes.append(f"no classes.txt: the masks' numbers are taken as {order}")


def _split(
    root: Path, split: str, names: Sequence[str], images: FileIndex, notes: list[str]
) -> tuple[list[str], Path | None]:
    """Names of the images of a split, and the list that says so."""
    lists = split_lists(root, lambda word: _is_image(images, word))
    folders = {} if lists else split_folders(list(images.files))
    name = Path(split).name.removesuffix(".txt")
    spellings = (name, *(VAL_NAMES if name in VAL_NAMES else ()))
    own = Path(split) if split.endswith(".txt") and Path(split).is_file() else None
    found = own or next((lists[spelling] for spelling in spellings if spelling in lists), None)
    if split == "all" and found is None:
        chosen = list(names)
    elif found is not None:
        there = FileIndex({name: images.files[name] for name in names})
        chosen = resolve_list(found, there, "image with labels", notes)
    elif place := next((spelling for spelling in spellings if spelling in folders), None):
        inside = set(folders[place])
        chosen = [name for name in names if name in inside]
    elif not lists and not folders and split in ("train", "val"):
        chosen = [name for name in names if (zlib.crc32(name.encode()) % VAL_OF == 0) == (split == "val")]
    else:
        raise ValueError(f"there is no split {split!r} in {root}; {did_you_mean(split, ['all', *lists, *folders])}.")
    if not chosen:
        raise ValueError(f"the split {split!r} of {root} is empty; expected an image with labels: write a {name}.txt.")
    return chosen, found
