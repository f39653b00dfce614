"""What of a data set is there, what is missing and where to get it: one page, made by the code that training uses."""

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
from afa_viz.data.coco_layout import annotation_files, full_name
from afa_viz.data.file_index import find_files
from afa_viz.data.images import LabelledImages, nearest_of
from afa_viz.data.layout_entries import LayoutEntry
from afa_viz.data.masks import present_labels
from afa_viz.data.registry import KINDS, open_for_training, open_images, splits_in, train_split
from afa_viz.data.text_files import counted, listed
from afa_viz.data.voc import SIZES as VOC_SIZES
from afa_viz.data.voc import voc_folder

READ = 200  # images of a split that are opened
WIDTH = 110  # letters of a line
NAMED = 8  # broken files that are named


@dataclass(frozen=True)
class Report:
    """text: one page. trainable: whether training would begin on the set."""

    text: str
    trainable: bool


@dataclass(frozen=True)
class SplitReport:
    """lines, read: for people, on the labels and on the files. images: of the split, None if it cannot be opened.
    opened, broken: images that were read."""

    lines: tuple[str, ...]
    images: LabelledImages | None
    opened: int = 0
    broken: int = 0
    read: tuple[str, ...] = ()


def check(
    kind: str, root: str | os.PathLike[str], read: int = READ, split: str | None = None, labels: str = "auto"
) -> Report:
    """Look at a data set as training and evaluation would.

    Args:
        kind: one of `catalogue.KINDS`.
        root: its folder.
        read: images and masks of each split that are opened, evenly spread; 0: all.
        split, labels: as `train` is given them.
    """
    if kind not in KINDS:
        raise ValueError(f"there is no data set {kind!r}; {nearest_of(kind, KINDS)}.")
    folder = _folder(kind, Path(root))
    entries = _entries(kind, folder)
    missing = [entry for entry in entries if not _found(folder, entry)]
    lines = [f"{kind} in {folder}", "", "Pieces"]
    for entry in entries:
        found = _found(folder, entry)
        word = "there" if found else "MISSING" if entry.needed else "-"
        lines.append(f"  {word:8}{found or entry.paths[0]}: {entry.what}")
    trained = split or train_split(kind, folder)
    reports = {}
    opener = _Opener()
    for name in dict.fromkeys([*([split] if split else []), *splits_in(kind, folder)]):
        wanted = labels if name == trained else "auto"
        reports[name] = _look(kind, folder, name, wanted, read, opener)
    common = _common_notes(reports)
    for report in reports.values():
        lines += ["", *report.lines]
        for note in report.images.notes if report.images is not None else ():
            lines += _wrapped("note: ", [note]) if note not in common else []
        lines += report.read
    if common:
        lines += ["", "In every split", *(line for note in common for line in _wrapped("note: ", [note]))]
    lines += _shared(reports, trained, KINDS[kind].val)
    if missing:
        lines += ["", "Where to get what is not there", *(f"  {e.paths[0]}: {e.source}" for e in missing)]
    command = f"python -m afa_viz train --config {kind} --root {root}" + (f" --split {split}" if split else "")
    command += f" --labels {labels}" if labels != "auto" else ""
    reason = _refusal(kind, folder, trained, labels, reports.get(trained), opener)
    verdict = f"Ready: {command}" if reason is None else f"Not ready to train: {reason}"
    others = [name for name, report in reports.items() if report.images is not None and name != trained]
    if reason is not None and split is None and trained not in splits_in(kind, folder) and others:
        verdict += f"\nFor another split: python -m afa_viz data check {kind} --root {root} --split {others[0]}"
    broken = sum(report.broken for report in reports.values())
    if reason is None and broken:
        opened = sum(report.opened for report in reports.values())
        verdict += (
            f"\n  but {broken} of {counted(opened, 'opened image')} cannot be used; training and evaluate skip them"
        )
    return Report("\n".join([*lines, "", verdict]), reason is None)


def _folder(kind: str, root: Path) -> Path:
    if not root.is_dir():
        raise FileNotFoundError(f"there is no folder {root}; expected the one that holds the data set.")
    if kind == "voc":
        try:
            return voc_folder(root)
        except FileNotFoundError:
            return root
    return root


def _entries(kind: str, folder: Path) -> Sequence[LayoutEntry]:
    """The pieces of the published set, or of an own set in its layout."""
    if kind == "folder":
        return layout_entries.FOLDER
    if kind == "voc":
        own = (folder / "JPEGImages").is_dir() and train_split(kind, folder) == "train"
        return layout_entries.VOC_OWN if own else layout_entries.VOC
    files = annotation_files(folder)
    if not files or any(split.endswith("2014") for split in files):
        return layout_entries.COCO
    return [
        LayoutEntry((str(path.relative_to(folder)),), f"image labels and masks of {split}", "your own")
        for split, path in files.items()
    ]


def _found(folder: Path, entry: LayoutEntry) -> str | None:
    def is_there(path: Path) -> bool:
        return path.exists() and (not entry.holds or bool(find_files(path, entry.holds, deep=True)))

    return next((path for path in entry.paths if is_there(folder / path)), None)


def _published(kind: str, folder: Path, split: str, images: LabelledImages) -> int | None:
    """How many images a split has in the published data set; None for other sets."""
    if kind == "voc" and images.class_names == VOC_CLASSES and folder.name == "VOC2012":
        return VOC_SIZES.get(split)
    return COCO_SIZES.get(full_name(folder, split)) if kind == "coco" else None


class _Opener:
    """Opens each split once."""

    def __init__(self) -> None:
        self._open: Callable[..., LabelledImages] = functools.lru_cache(maxsize=None)(self._anew)

    def __call__(
        self, kind: str, root: str | os.PathLike[str] | None, split: str | None, labels: str
    ) -> LabelledImages:
        return self._open(kind, root, split, labels)

    @staticmethod
    def _anew(kind: str, root: Path, split: str, labels: str) -> LabelledImages:
        return open_images(kind, root, split, labels, quiet=True)


def _look(kind: str, folder: Path, split: str, labels: str, read: int, opener: _Opener) -> SplitReport:
    """Open a split and say what is in it."""
    try:
        images = opener(kind, folder, split, labels)
    except (ValueError, OSError) as error:
        return SplitReport((f"Split {split}: {format_error(error)}",), None)
    count, published = len(images), _published(kind, folder, split, images)
    expected = "" if published in (None, count) else f" (published: {published:,})"
    masks = sum(images.has_mask(i) for i in range(count))
    seen = images.labels.sum(axis=0).astype(int)
    empty = [name for name, row in zip(images.names, images.labels, strict=True) if not row.any()]
    lines = [
        f"Split {split}: {counted(count, 'image')}{expected}, {masks:,} with a mask",
        f"  image labels from {images.label_source}: {counted(len(seen), 'class', 'classes')}, "
        f"{images.labels.sum(axis=1).mean():.2f} an image, {counted(len(empty), 'image')} without any"
        + (f": {listed(empty)}" if empty else ""),
        *_wrapped("images of each class: ", [f"{i} {name} {n}" for i, (name, n) in
                                             enumerate(zip(images.class_names[1:], seen.tolist(), strict=True), 1)]),
    ]  # fmt: skip
    absent = [name for name, n in zip(images.class_names[1:], seen.tolist(), strict=True) if not n]
    if absent:
        lines.append(f"  in no image: {listed(absent)}")
    chosen, broken, told = _read_some(images, read)
    return SplitReport(tuple(lines), images, chosen, broken, tuple(told))


def _common_notes(reports: Mapping[str, SplitReport]) -> list[str]:
    """Notes that are the same for every split, of which there are several."""
    notes = [report.images.notes for report in reports.values() if report.images is not None]
    return [note for note in notes[0] if all(note in others for others in notes)] if len(notes) > 1 else []


def _wrapped(head: str, words: Sequence[str]) -> list[str]:
    return textwrap.wrap(
        head + ", ".join(words), WIDTH, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False
    )


def _read_some(images: LabelledImages, read: int) -> tuple[int, int, list[str]]:
    """Open some images with their masks: which are broken, do not fit, or disagree with the image labels."""
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
    lines += [f"    {sentence}" for sentence in broken[:NAMED]]
    if len(broken) > NAMED:
        lines.append(f"    and {len(broken) - NAMED:,} more")
    if other:
        lines.append(f"  mask and image labels name other classes in {len(other)}: {listed(other)}")
    return len(chosen), len(broken), lines


def _shared(reports: dict[str, SplitReport], trained: str, val: str) -> list[str]:
    """A line that says which images are trained and validated on."""
    pair = [report.images for name, report in reports.items() if name in (trained, val) and report.images is not None]
    if len(pair) != 2:
        return []
    both = sorted({*pair[0].image_paths} & {*pair[1].image_paths})
    if not both:
        return []
    names = listed([path.name for path in both])
    return ["", f"{counted(len(both), 'image')} in both {trained} and {val}, so that scores are too good: {names}"]


def _refusal(
    kind: str, folder: Path, split: str, labels: str, report: SplitReport | None, opener: _Opener
) -> str | None:
    """Why training would not begin, or would not get far; None where it would."""
    if report is not None and report.images is None:
        return f"{split} can not be opened."
    try:
        images, _ = open_for_training(kind, folder, split, labels, opener)
    except (ValueError, OSError) as error:
        return format_error(error)
    looked_at = min(len(images), READ)
    if (
        report
        and 2 * report.broken > report.opened
        and 2 * sum(_can_read(images, i) for i in range(looked_at)) < looked_at
    ):
        return f"most images of {images.title} can not be read."
    return None


def _can_read(images: LabelledImages, index: int) -> bool:
    try:
        images.image(index)
    except (ValueError, OSError):
        return False
    return True
