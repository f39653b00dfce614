"""Data sets of photographs by name: how each is opened, and its splits for training and validation."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from afa_viz.data.coco import open_coco
from afa_viz.data.folder import open_folder
from afa_viz.data.images import LabelledImages, nearest_of
from afa_viz.data.voc import open_voc


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


def open_images(
    kind: str, root: str | os.PathLike[str] | None, split: str | None = None, labels: str = "auto"
) -> LabelledImages:
    """Open a split of a data set.

    Args:
        kind: one of `KINDS`.
        root: its folder.
        split: see `open_voc`, `open_coco` and `open_folder`; None: the one that is trained on.
        labels: where the image labels come from; "auto": the best that is there.
    Raises: ValueError or FileNotFoundError: for what is missing, in one sentence.
    """
    if kind not in KINDS:
        raise ValueError(f"there is no data set {kind!r}; {nearest_of(kind, KINDS)}.")
    if root is None:
        raise ValueError(
            f"the data set {kind} needs its folder; expected --root DIR: `python -m afa_viz data check {kind} --root "
            "DIR` says what must lie there and where to get it."
        )
    return KINDS[kind].open(root, split or KINDS[kind].train, labels)
