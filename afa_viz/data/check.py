"""Checks a data set: what is present, what is missing and where to get it, with the code that training uses."""

from __future__ import annotations

import functools
import os
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from afa_viz.classes import VOC_CLASSES
from afa_viz.console import format_error
from afa_viz.data import layout_entries
from afa_viz.data.coco_layout import SIZES as COCO_SIZES
from afa_viz.data.coco_layout import annotation_files, full_split_name
from afa_viz.data.file_index import find_files
from afa_viz.data.images import LabelledImages
from afa_viz.data.layout_entries import LayoutEntry
from afa_viz.data.masks import present_labels
from afa_viz.data.registry import DATASET_FORMATS, list_splits, open_for_training, open_images, train_split
from afa_viz.data.text_files import format_count, format_list
from afa_viz.data.voc import SIZES as VOC_SIZES
from afa_viz.data.voc import voc_folder
from afa_viz.spelling import did_you_mean

DEFAULT_READ = 200  # images opened per split
LINE_WIDTH = 110  # characters per line
MAX_NAMED = 8  # broken files listed by name


@dataclass(frozen=True)
class CheckReport:
    """text: one page. trainable: whether training could start."""

    text: str
    trainable: bool


@dataclass(frozen=True)
class SplitReport:
    """lines, read: text about the labels and about the files. images: of the split, None if it cannot be opened.
    opened, broken: number of images that were read and that failed."""

    lines: tuple[str, ...]
    images: LabelledImages | None
    opened: int = 0
    broken: int = 0
    read: tuple[str, ...] = ()


def check(
    format_name: str,
    root: str | os.PathLike[str],
    read: int = DEFAULT_READ,
    split: str | None = None,
    labels: str = "auto",
) -> CheckReport:
    """Open a data set as training and evaluation would, and report on it.

    Args:
        format_name: one of `registry.DATASET_FORMATS`.
        root: its folder.
        read: number of images and masks to open per split, evenly spaced; 0: all.
        split, labels: as `train` is given them.
    """
    if format_name not in DATASET_FORMATS:
        raise ValueError(f"there is no data set {format_name!r}; {did_you_mean(format_name, DATASET_FORMATS)}.")
    folder = _folder(format_name, Path(root))
    entries = _entries(format_name, folder)
    missing = [entry for entry in entries if not _find_entry(folder, entry)]
    lines = [f"{format_name} in {folder}", "", "Files"]
    for entry in entries:
        found = _find_entry(folder, entry)
        word = "there" if found else "MISSING" if entry.needed else "-"
        lines.append(f"  {word:8}{found or entry.paths[0]}: {entry.what}")
    trained = split or train_split(format_name, folder)
    reports = {}
    open_split = _SplitCache()
    for name in dict.fromkeys([*([split] if split else []), *list_splits(format_name, folder)]):
        wanted = labels if name == trained else "auto"
        reports[name] = _check_split(format_name, folder, name, wanted, read, open_split)
    common = _common_notes(reports)
    for report in reports.values():
        lines += ["", *report.lines]
        for note in report.images.notes if report.images is not None else ():
            lines += _wrapped("note: ", [note]) if note not in common else []
        lines += report.read
    if common:
        lines += ["", "In every split", *(line for note in common for line in _wrapped("note: ", [note]))]
    lines += _overlap_lines(reports, trained, DATASET_FORMATS[format_name].val)
    if missing:
        lines += ["", "Where to get what is not there", *(f"  {e.paths[0]}: {e.source}" for e in missing)]
    command = f"python -m afa_viz train --config {format_name} --root {root}" + (f" --split {split}" if split else "")
    command += f" --labels {labels}" if labels != "auto" else ""
    reason = _training_problem(format_name, folder, trained, labels, reports.get(trained), open_split)
    verdict = f"Ready: {command}" if reason is None else f"Not ready to train: {reason}"
    others = [name for name, report in reports.items() if report.images is not None and name != trained]
    if reason is not None and split is None and trained not in list_splits(format_name, folder) and others:
        verdict += f"\nFor another split: python -m afa_viz data check {format_name} --root {root} --split {others[0]}"
    broken = sum(report.broken for report in reports.values())
    if reason is None and broken:
        opened = sum(report.opened for report in reports.values())
        images = format_count(opened, "opened image")
        verdict += f"\n  but {broken} of {images} cannot be used; training and evaluate skip them"
    return CheckReport("\n".join([*lines, "", verdict]), reason is None)


def _folder(format_name: str, root: Path) -> Path:
    if not root.is_dir():
        raise FileNotFoundError(f"there is no folder {root}; expected the one that holds the data set.")
    if format_name == "voc":
        try:
            return voc_folder(root)
        except FileNotFoundError:
            return root
    return root


def _entries(format_name: str, folder: Path) -> Sequence[LayoutEntry]:
    """The files of the published data set, or of a custom one in its layout."""
    if format_name == "folder":
        return layout_entries.FOLDER
    if format_name == "voc":
        own = (folder / "JPEGImages").is_dir() and train_split(format_name, folder) == "train"
        return layout_entries.VOC_OWN if own else layout_entries.VOC
    files = annotation_files(folder)
    if not files or any(split.endswith("2014") for split in files):
        return layout_entries.COCO
    return [
        LayoutEntry((str(path.relative_to(folder)),), f"image labels and masks of {split}", "your own")
        for split, path in files.items()
    ]


def _find_entry(folder: Path, entry: LayoutEntry) -> str | None:
    def is_there(path: Path) -> bool:
        return path.exists() and (not entry.holds or bool(find_files(path, entry.holds, recursive=True)))

    return next((path for path in entry.paths if is_there(folder / path)), None)


def _published(format_name: str, folder: Path, split: str, images: LabelledImages) -> int | None:
    """How many images a split has in the published data set; None for other sets."""
    if format_name == "voc" and images.class_names == VOC_CLASSES and folder.name == "VOC2012":
        return VOC_SIZES.get(split)
    return COCO_SIZES.get(full_split_name(folder, split)) if format_name == "coco" else None


class _SplitCache:
    """Opens each split once."""

    def __init__(self) -> None:
        self._open: Callable[..., LabelledImages] = functools.lru_cache(maxsize=None)(self._open_uncached)

    def __call__(
        self, format_name: str, root: str | os.PathLike[str] | None, split: str | None, labels: str
    ) -> LabelledImages:
        return self._open(format_name, root, split, labels)

    @staticmethod
    def _open_uncached(format_name: str, root: Path, split: str, labels: str) -> LabelledImages:
        return open_images(format_name, root, split, labels, quiet=True)


def _check_split(
    format_name: str, folder: Path, split: str, labels: str, read: int, open_split: _SplitCache
) -> SplitReport:
    """Open a split and summarise its contents."""
    try:
        images = open_split(format_name, folder, split, labels)
    except (ValueError, OSError) as error:
        return SplitReport((f"Split {split}: {format_error(error)}",), None)
    count, published = len(images), _published(format_name, folder, split, images)
    expected = "" if published in (None, count) else f" (published: {published:,})"
    masks = sum(images.has_mask(i) for i in range(count))
    seen = images.labels.sum(axis=0).astype(int)
    empty = [name for name, row in zip(images.names, images.labels, strict=True) if not row.any()]
    lines = [
        f"Split {split}: {format_count(count, 'image')}{expected}, {masks:,} with a mask",
        f"  image labels from {images.label_source}: {format_count(len(seen), 'class', 'classes')}, "
        f"{images.labels.sum(axis=1).mean():.2f} per image, {format_count(len(empty), 'image')} without any"
        + (f": {format_list(empty)}" if empty else ""),
        *_wrapped("images of each class: ", [f"{i} {name} {n}" for i, (name, n) in
                                             enumerate(zip(images.class_names[1:], seen.tolist(), strict=True), 1)]),
    ]  # fmt: skip
    absent = [name for name, n in zip(images.class_names[1:], seen.tolist(), strict=True) if not n]
    if absent:
        lines.append(f"  in no image: {format_list(absent)}")
    chosen, broken, lines_of_files = _read_some(images, read)
    return SplitReport(tuple(lines), images, chosen, broken, tuple(lines_of_files))


def _common_notes(reports: Mapping[str, SplitReport]) -> list[str]:
    """Notes that are the same for every split, of which there are several."""
    notes = [report.images.notes for report in reports.values() if report.images is not None]
    return [note for note in notes[0] if all(note in others for others in notes)] if len(notes) > 1 else []


def _wrapped(head: str, words: Sequence[str]) -> list[str]:
    return textwrap.wrap(
        head + ", ".join(words), LINE_WIDTH, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False
    )


def _read_some(images: LabelledImages, read: int) -> tuple[int, int, list[str]]:
    """Open some images with their masks and report those that are broken, do not fit or disagree with the labels."""
    count = len(images)
    chosen = np.unique(np.linspace(0, count - 1, min(read or count, count)).round().astype(int))
    broken, other = [], []
    for i in chosen.tolist():
        try:
            image, mask = images.image(i), images.mask(i)
        except (ValueError, OSError) as error:
            broken.append(format_error(error))
            continue
        if mask is None:
            continue
        if mask.shape != image.shape[:2]:
            broken.append(f"{images.names[i]}: the image has {image.shape[:2]} pixels and its mask {mask.shape}.")
        elif (present_labels(mask, len(images.class_names) - 1) != images.image_labels(i)).any():
            other.append(images.names[i])
    part = "" if len(chosen) == count else f" of {count:,} (--read 0 opens all)"
    lines = [f"  opened {len(chosen)}{part}: {len(broken)} broken"]
    lines += [f"    {sentence}" for sentence in broken[:MAX_NAMED]]
    if len(broken) > MAX_NAMED:
        lines.append(f"    and {len(broken) - MAX_NAMED:,} more")
    if other:
        lines.append(f"  mask and image labels name different classes in {len(other)}: {format_list(other)}")
    return len(chosen), len(broken), lines


def _overlap_lines(reports: dict[str, SplitReport], trained: str, val: str) -> list[str]:
    """Lines about images that are in both the training and the validation split."""
    pair = [report.images for name, report in reports.items() if name in (trained, val) and report.images is not None]
    if len(pair) != 2:
        return []
    both = sorted({*pair[0].image_paths} & {*pair[1].image_paths})
    if not both:
        return []
    names = format_list([path.name for path in both])
    return ["", f"{format_count(len(both), 'image')} in both {trained} and {val}, so that scores are too good: {names}"]


def _training_problem(
    format_name: str, folder: Path, split: str, labels: str, report: SplitReport | None, open_split: _SplitCache
) -> str | None:
    """Why training would fail to start or soon stop; None if it would not."""
    if report is not None and report.images is None:
        return f"{split} cannot be opened."
    try:
        images, _ = open_for_training(format_name, folder, split, labels, open_split)
    except (ValueError, OSError) as error:
        return format_error(error)
    checked = min(len(images), DEFAULT_READ)
    if report and 2 * report.broken > report.opened and 2 * sum(_can_read(images, i) for i in range(checked)) < checked:
        return f"most images of {images.title} cannot be read."
    return None


def _can_read(images: LabelledImages, index: int) -> bool:
    try:
        images.image(index)
    except (ValueError, OSError):
        return False
    return True
