"""The sandbox as a data set: scenes on demand, splits rendered once to disk, and a PASCAL VOC layout."""

import csv
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from filelock import FileLock
from PIL import Image

from afa_viz.atomic_files import atomic_write
from afa_viz.classes import palette
from afa_viz.data.sandbox.recipe import CLASSES, DEFAULT, Recipe
from afa_viz.data.sandbox.scene import Scene, render_scene, require_split
from afa_viz.progress import progress as progress_bar

RENDER_VERSION = "1"  # raise it when a change of the renderer changes its pixels
LENGTHS = {"train": 8000, "val": 400, "test": 400}
MOST_SCENES = 1_000_000  # of a split: their names have six digits
CHUNK = 64  # scenes a worker renders at a time


def _class_of(index: int, single: bool) -> str | None:
    return CLASSES[index % len(CLASSES)] if single else None


def require_scenes(split: str, count: int, size: int) -> None:
    """Raise ValueError for an unknown split, or an invalid count or size, before anything is rendered."""
    require_split(split, size)
    if not 0 <= count <= MOST_SCENES:
        raise ValueError(f"{split} is to have {count} scenes; expected {MOST_SCENES:,} at most: ask for fewer.")


class SandboxDataset:
    """Sequence of scenes of one split.

    Args:
        split: "train", "val" or "test".
        length: number of scenes; by default 8000, 400 and 400.
        size: side in pixels.
        recipe: knobs of the world.
        only_single: every scene shows one large object, the classes in turn.
        cache_dir: folder where the split is rendered once; None renders a scene each time it is asked for.
    """

    def __init__(
        self,
        split: str,
        length: int | None = None,
        size: int = 160,
        recipe: Recipe = DEFAULT,
        only_single: bool = False,
        cache_dir: str | os.PathLike | None = None,
    ):
        require_split(split, size)
        self.split, self.size, self.recipe, self.only_single = split, size, recipe, only_single
        self.length = LENGTHS[split] if length is None else length
        require_scenes(split, self.length, size)
        self._arrays = None
        if cache_dir is not None:
            path = render_split(split, self.length, size, recipe, only_single, cache_dir)
            self._arrays = load_split(path)

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Scene:
        index = index + self.length if index < 0 else index
        if not 0 <= index < self.length:
            raise IndexError(f"index is {index}, expected less than {self.length}")
        if self._arrays is None:
            return render_scene(self.split, index, self.size, self.recipe, _class_of(index, self.only_single))
        return _cached_scene(self._arrays, index)


def _cached_scene(arrays: dict[str, np.ndarray], index: int) -> Scene:
    mask, instances = np.array(arrays["masks"][index]), np.array(arrays["instances"][index])
    ids = [int(mask[instances == i][0]) for i in range(1, int(instances.max()) + 1)]
    return Scene(
        image=np.array(arrays["images"][index]),
        mask=mask,
        instances=instances,
        parts=np.array(arrays["parts"][index]),
        image_labels=np.array(arrays["labels"][index]),
        context=str(arrays["contexts"][index]),
        objects=tuple(CLASSES[i - 1] for i in ids),
    )


def _render_chunk(split, size, recipe, single, indices) -> list[Scene]:
    return [render_scene(split, i, size, recipe, _class_of(i, single)) for i in indices]


def _rendered(split, indices, size, recipe, single, workers, progress) -> Iterator[Scene]:
    """Scenes in order, rendered in this process or by a pool of workers, behind a progress bar."""
    chunks = [indices[i : i + CHUNK] for i in range(0, len(indices), CHUNK)]
    job = partial(_render_chunk, split, size, recipe, single)
    with progress_bar(total=len(indices), desc=f"render {split}", unit="scene", disable=not progress) as bar:
        if workers <= 1:
            for i in indices:
                yield from job([i])
                bar.update()
            return
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            for scenes in pool.map(job, chunks):
                for scene in scenes:
                    yield scene
                    bar.update()


def split_key(split: str, count: int, size: int, recipe: Recipe, single: bool) -> str:
    """Folder name of a rendered split; changes with everything that changes its pixels."""
    content = json.dumps([split, count, size, asdict(recipe), single, RENDER_VERSION], sort_keys=True)
    kind = "single" if single else "scenes"
    return f"{split}-{kind}-{count}x{size}-{hashlib.sha256(content.encode()).hexdigest()[:12]}"


def render_split(
    split: str,
    count: int,
    size: int = 160,
    recipe: Recipe = DEFAULT,
    single: bool = False,
    cache_dir: str | os.PathLike = "cache",
    workers: int = 1,
    progress: bool = True,
    on_progress: Callable[[int], None] | None = None,
) -> Path:
    """Folder of a rendered split; it is rendered unless it is cached.

    It holds one .npy file each of images (count, N, N, 3), masks, parts and instances (count, N, N) uint8,
    labels (count, 12) float32 and contexts (count,) strings. An interrupted run goes on from its last saved
    chunk.

    Args:
        single: scene i shows one large object of class i % 12.
        workers: processes that render.
        on_progress: called from time to time with the number of finished scenes.
    Raises: ValueError: for another split or size, or too many scenes; nothing is made then.
    """
    require_scenes(split, count, size)
    final = Path(cache_dir) / split_key(split, count, size, recipe, single)
    if not final.exists():
        final.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(final.with_name(f"{final.name}.lock")):  # another process that renders the same is waited for
            if not final.exists():
                _render(final, split, count, size, recipe, single, workers, progress, on_progress)
    return final


def _render(
    final: Path,
    split: str,
    count: int,
    size: int,
    recipe: Recipe,
    single: bool,
    workers: int,
    progress: bool,
    on_progress: Callable[[int], None] | None,
) -> None:
    """Render into a temporary folder, resuming after its last saved chunk, and rename it when complete."""
    partial_dir = final.with_name(final.name + ".partial")
    partial_dir.mkdir(exist_ok=True)
    arrays = _open_arrays(partial_dir, count, size)
    marker = partial_dir / "done.txt"
    done = int(marker.read_text()) if marker.exists() else 0
    scenes = _rendered(split, list(range(done, count)), size, recipe, single, workers, progress)
    for i, scene in enumerate(scenes, done):
        arrays["images"][i], arrays["masks"][i], arrays["parts"][i] = scene.image, scene.mask, scene.parts
        arrays["instances"][i], arrays["labels"][i] = scene.instances, scene.image_labels
        arrays["contexts"][i] = scene.context
        if (i + 1) % CHUNK == 0:
            _flush(arrays)
            with atomic_write(marker) as partial:
                partial.write_text(str(i + 1))
            if on_progress is not None:
                on_progress(i + 1)
    _flush(arrays)
    del arrays
    facts = {"split": split, "count": count, "size": size, "single": single, "version": RENDER_VERSION}
    (partial_dir / "facts.json").write_text(json.dumps({**facts, "recipe": asdict(recipe)}, indent=2))
    marker.unlink(missing_ok=True)
    os.replace(partial_dir, final)


def _open_arrays(folder: Path, count: int, size: int) -> dict[str, np.memmap]:
    """Memory-mapped arrays of a split, created where missing."""
    layouts: dict[str, tuple[tuple[int, ...], type | str]] = {
        "images": ((count, size, size, 3), np.uint8),
        "masks": ((count, size, size), np.uint8),
        "parts": ((count, size, size), np.uint8),
        "instances": ((count, size, size), np.uint8),
        "labels": ((count, len(CLASSES)), np.float32),
        "contexts": ((count,), "<U8"),
    }
    if not all((folder / f"{name}.npy").exists() for name in layouts):
        (folder / "done.txt").unlink(missing_ok=True)
        for name, (shape, dtype) in layouts.items():
            np.lib.format.open_memmap(folder / f"{name}.npy", "w+", dtype, shape)
    for name in layouts:
        _reserve(folder / f"{name}.npy")
    return {name: np.load(folder / f"{name}.npy", mmap_mode="r+") for name in layouts}


def _reserve(path: Path) -> None:
    """Reserve the space of a file in advance: a full disk under a memory map kills the process with SIGBUS."""
    if hasattr(os, "posix_fallocate"):
        with open(path, "r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)


def _flush(arrays: dict[str, np.memmap]) -> None:
    for array in arrays.values():
        array.flush()


def load_split(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Read-only memory-mapped arrays of a folder made by `render_split`."""
    names = ("images", "masks", "parts", "instances", "labels", "contexts")
    return {name: np.load(Path(path) / f"{name}.npy", mmap_mode="r") for name in names}


def write_voc_layout(
    out_dir: str | os.PathLike,
    counts: dict[str, int] | None = None,
    size: int = 160,
    recipe: Recipe = DEFAULT,
    workers: int = 1,
    progress: bool = True,
) -> Path:
    """Write the data set in PASCAL VOC's layout and return its folder.

    JPEGImages/*.jpg, SegmentationClass/*.png and parts/*.png (palette images),
    ImageSets/Segmentation/{split}.txt, classes.txt, and labels.csv with columns name, classes (separated by spaces).

    Args:
        counts: number of scenes a split; by default the lengths of `SandboxDataset`.
    Raises: ValueError: for another split or size, or too many scenes; nothing is made then.
    """
    counts = LENGTHS if counts is None else counts
    for split, count in counts.items():
        require_scenes(split, count, size)
    out = Path(out_dir)
    folders = {name: out / name for name in ("JPEGImages", "SegmentationClass", "parts", "ImageSets/Segmentation")}
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    colour_map = [value for colour in palette(256) for value in colour]
    rows = []
    for split, count in counts.items():
        names = [f"{split}_{i:06d}" for i in range(count)]
        scenes = _rendered(split, list(range(count)), size, recipe, False, workers, progress)
        for name, scene in zip(names, scenes, strict=True):
            Image.fromarray(scene.image).save(folders["JPEGImages"] / f"{name}.jpg", quality=95)
            for kind, ids in (("SegmentationClass", scene.mask), ("parts", scene.parts)):
                indexed = Image.fromarray(ids).convert("P")
                indexed.putpalette(colour_map)
                indexed.save(folders[kind] / f"{name}.png")
            rows.append((name, " ".join(CLASSES[i] for i in np.flatnonzero(scene.image_labels))))
        (folders["ImageSets/Segmentation"] / f"{split}.txt").write_text("\n".join(names) + "\n")
    (out / "classes.txt").write_text("\n".join(CLASSES) + "\n", encoding="utf-8")
    with open(out / "labels.csv", "w", newline="") as file:
        csv.writer(file).writerows([("name", "classes"), *rows])
    return out
