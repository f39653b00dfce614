"""Sources of the images of the Data set tab: the sandbox, or a data set on disk that `--data` names."""

from __future__ import annotations

import hashlib
import logging
import os
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from afa_viz.atomic_files import atomic_write
from afa_viz.classes import SANDBOX_CLASSES
from afa_viz.data.registry import DATASET_FORMATS, display_split, open_images
from afa_viz.data.sandbox import LENGTHS, RENDER_VERSION, Scene, render_scene
from afa_viz.data.text_files import normalize_unicode
from afa_viz.ui.errors import UserError
from afa_viz.ui.localization import texts
from afa_viz.ui.sessions.cache import SingleFlightCache

SCENE_BYTES = 8 * 2**20  # of rendered scenes in memory; all are cached on disk
UNREADABLE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)  # missing or damaged

log = logging.getLogger(__name__)


class ImageSource(Protocol):
    """n images with image labels, and masks if they are known; `afa_viz.data.images.LabelledImages` is one.

    Reading an image or a mask may raise ValueError or OSError.
    """

    @property
    def title(self) -> str:
        """Title of the data set."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """K names of the class indices in masks and labels, background first."""

    @property
    def names(self) -> Sequence[str]:
        """n unique names."""

    def image(self, index: int) -> np.ndarray:
        """(H, W, 3) uint8 RGB."""

    def image_labels(self, index: int) -> np.ndarray:
        """(C,) multi-hot."""

    def mask(self, index: int) -> np.ndarray | None:
        """(H, W) uint8 class indices, 255 = ignore; or None."""


class SandboxScenes:
    """The val split of the sandbox; each scene is rendered when it is needed, and then cached.

    Args:
        folder: of the cached scenes; it is no error if it is not writable.
        size: side in pixels.
    """

    title = texts()["side.sandbox"].format(split="val")
    class_names = SANDBOX_CLASSES

    def __init__(self, folder: Path, size: int = 256, count: int = LENGTHS["val"]) -> None:
        self.size = size
        self.names = tuple(f"val_{index:04d}" for index in range(count))
        self._folder = folder / f"sandbox-val-{size}-{RENDER_VERSION}"
        self._scenes: SingleFlightCache[int, Scene] = SingleFlightCache(
            SCENE_BYTES, lambda scenes: sum(scene.image.nbytes + scene.mask.nbytes for scene in scenes)
        )

    def image(self, index: int) -> np.ndarray:
        """(N, N, 3) uint8."""
        return self._scene(index).image

    def image_labels(self, index: int) -> np.ndarray:
        """(12,) multi-hot; known once the scene is rendered."""
        return self._scene(index).image_labels

    def mask(self, index: int) -> np.ndarray:
        """(N, N) uint8."""
        return self._scene(index).mask

    def known_labels(self, index: int) -> np.ndarray | None:
        """(12,) multi-hot, or None while the scene is not rendered."""
        scene = self._scenes.peek(index)
        if scene is not None:
            return scene.image_labels
        try:
            with open(self._path(index), "rb") as opened, np.load(opened, allow_pickle=False) as file:
                labels = file["labels"]
        except UNREADABLE:
            return None
        return labels if labels.shape == (len(SANDBOX_CLASSES) - 1,) else None

    def _path(self, index: int) -> Path:
        return self._folder / f"{self.names[index]}.npz"

    def _scene(self, index: int) -> Scene:
        return self._scenes.get(index, lambda: self._kept(index))

    def _kept(self, index: int) -> Scene:
        path = self._path(index)
        try:
            return _read_cached_scene(path, self.size)
        except UNREADABLE:
            scene = render_scene("val", index, self.size)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            labels = scene.image_labels.astype(np.uint8)
            with atomic_write(path) as partial, open(partial, "wb") as file:
                np.savez_compressed(file, image=scene.image, mask=scene.mask, labels=labels, context=scene.context)
        except OSError as error:
            log.info("the scene cannot be cached: %s", error)
        return scene


def _read_cached_scene(path: Path, size: int) -> Scene:
    """A cached scene, without its objects. Raises: ValueError, KeyError, OSError: for an invalid file."""
    with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
        image, mask, labels = file["image"], file["mask"], file["labels"]
        context = str(file["context"])
    count = len(SANDBOX_CLASSES) - 1
    shapes = (image.shape, mask.shape, labels.shape)
    if shapes != ((size, size, 3), (size, size), (count,)) or {image.dtype, mask.dtype, labels.dtype} != {
        np.dtype(np.uint8)
    }:
        raise ValueError("not a cached scene")
    return Scene(image, mask, mask, mask, labels.astype(np.float32), context, ())


def open_source(text: str, cache: Path, size: int = 256, split: str | None = None) -> ImageSource:
    """Open the data set of `--data`: "sandbox", or kind and path like "folder:photos".

    Args:
        cache: folder for rendered scenes.
        size: side of sandbox scenes.
        split: of a data set on disk; None: see `display_split`.
    Raises: UserError: for an unknown kind, or a data set that cannot be read.
    """
    kind, _, path = text.partition(":")
    if text == "sandbox":
        return SandboxScenes(cache, size)
    if kind not in DATASET_FORMATS or not path:
        kinds = ", ".join(f"{kind}:PATH" for kind in reversed(DATASET_FORMATS))
        raise UserError(f"--data is {text!r}; expected sandbox or one of {kinds}.")
    try:
        return open_images(kind, path, split or display_split(kind, path))
    except (ValueError, OSError) as error:
        raise UserError(normalize_unicode(f"--data {text}: {error}")) from error


def fingerprint(source: ImageSource) -> str:
    """A digest of everything that scores depend on: names, labels, and size and time of every file."""
    digest = hashlib.sha256(f"{source.title} {source.class_names} {len(source.names)}".encode())
    if isinstance(source, SandboxScenes):
        digest.update(f"{source.size} {RENDER_VERSION}".encode())
    for name in source.names:
        digest.update(name.encode() + b"\0")
    labels = getattr(source, "labels", None)
    if labels is not None:
        digest.update(np.ascontiguousarray(labels).tobytes())
    for field in ("image_paths", "mask_paths", "tables"):
        for path in getattr(source, field, ()):
            try:
                found = None if path is None else os.stat(path)
                digest.update(f"{found and (found.st_size, found.st_mtime_ns)}".encode())
            except OSError:
                digest.update(b"missing")
    return digest.hexdigest()[:20]
