"""SBD's masks and the list train_aug: 10,582 training images out of VOC's 1,464.

SBD (Hariharan et al. 2011) outlines 11,355 images of VOC. The archive unpacks to

benchmark_RELEASE/dataset/cls/*.mat         one mask each
                          {train,val}.txt   names
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from afa_viz.atomic_files import atomic_write, atomic_write_text
from afa_viz.classes import VOC_CLASSES, palette
from afa_viz.data.file_index import find_files
from afa_viz.data.images import read_names, require_all_found
from afa_viz.data.voc import IMAGES, LISTS, MASKS, MASKS_AUG, list_path, voc_folder
from afa_viz.progress import progress as progress_bar

LIST_NAME = "train_aug"


@dataclass(frozen=True)
class TrainAugCounts:
    """masks: number of files written. names: length of the list."""

    masks: int
    names: int


def sbd_folder(root: str | os.PathLike[str]) -> Path:
    """The folder that holds cls and the lists. Raises: FileNotFoundError: if there is none."""
    root = Path(root)
    for folder in (root, root / "dataset", root / "benchmark_RELEASE" / "dataset"):
        if (folder / "cls").is_dir():
            return folder
    raise FileNotFoundError(f"there is no folder cls in {root}; expected the folder benchmark_RELEASE of SBD.")


def write_train_aug(root: str | os.PathLike[str], sbd: str | os.PathLike[str], progress: bool = True) -> TrainAugCounts:
    """Write SegmentationClassAug/*.png and ImageSets/Segmentation/train_aug.txt into the folder of VOC.

    The list is VOC's train and all of SBD without VOC's val. Masks are written for its images that VOC itself did not
    outline; those that are there stay, so that an interrupted call goes on.

    Args:
        root: the folder VOC2012, or one above it.
        sbd: the folder benchmark_RELEASE.
    Raises: FileNotFoundError or ValueError: for what is missing, with the first names.
    """
    folder, source = voc_folder(root), sbd_folder(sbd)
    ours = {split: read_names(list_path(folder, split), []) for split in ("train", "val")}
    theirs = [name for split in ("train", "val") for name in read_names(source / f"{split}.txt", [])]
    names = sorted({*ours["train"], *theirs} - set(ours["val"]))
    images, outlined = find_files(folder / IMAGES), find_files(folder / MASKS, (".png",))
    require_all_found(names, [images.get(name) for name in names], f"file in {folder / IMAGES}")
    wanted = [name for name in names if name not in outlined]
    matrices = find_files(source / "cls", (".mat",))
    require_all_found(wanted, [matrices.get(name) for name in wanted], f"file in {source / 'cls'}")
    target = folder / MASKS_AUG
    target.mkdir(exist_ok=True)
    wanted = [name for name in wanted if not (target / f"{name}.png").exists()]
    for name in progress_bar(wanted, desc="masks of SBD", unit="mask", disable=not progress):
        _write_mask(target / f"{name}.png", read_mat_file(matrices[name]))
    atomic_write_text(folder / LISTS / f"{LIST_NAME}.txt", "".join(f"{name}\n" for name in names))
    return TrainAugCounts(len(wanted), len(names))


def read_mat_file(path: Path) -> np.ndarray:
    """(H, W) uint8 label map of one of SBD's files. Raises: ValueError: if it holds anything else."""
    from scipy.io import loadmat

    try:
        mask = np.asarray(loadmat(path, squeeze_me=True, struct_as_record=False)["GTcls"].Segmentation)
    except Exception as error:  # a broken file may raise anything
        raise ValueError(
            f"{path} cannot be read ({type(error).__name__}); expected a mask of SBD: unpack it again."
        ) from error
    if mask.ndim != 2 or mask.dtype != np.uint8 or int(mask.max(initial=0)) >= len(VOC_CLASSES):
        raise ValueError(
            f"{path} holds {mask.dtype} of shape {mask.shape}; expected a map of 0 to 20: unpack it again."
        )
    return mask


def _write_mask(path: Path, mask: np.ndarray) -> None:
    picture = Image.fromarray(mask).convert("P")
    picture.putpalette([value for colour in palette(256) for value in colour])
    with atomic_write(path) as partial:
        picture.save(partial, format="PNG")
