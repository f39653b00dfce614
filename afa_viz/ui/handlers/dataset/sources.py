"""Where the images of the Data set tab come from: the sandbox, or a set on the disk that was named at the launch."""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from afa_viz.atomic_files import atomic_write
from afa_viz.classes import SANDBOX_CLASSES
from afa_viz.data.registry import KINDS, open_images, shown_split
from afa_viz.data.sandbox import LENGTHS, RENDER_VERSION, Scene, render_scene
from afa_viz.data.text_files import one_form
from afa_viz.ui.errors import UserError
from afa_viz.ui.localization import texts
from afa_viz.ui.sessions.cache import SingleFlightCache

SCENE_BYTES = 8 * 2**20  # rendered scenes in memory; all are kept on the disk
UNREADABLE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)  # not there, or damaged

log = logging.getLogger(__name__)


class ImageSource(Protocol):
    """n images with image labels, and masks where they are known; `afa_viz.data.images.LabelledImages` is one.

    Errors of reading an image or a mask are ValueError or OSError.
    """

    @property
    def title(self) -> str:
        """Of the set, for people."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """K names, background first: what the numbers of masks and labels mean."""

    @property
    def names(self) -> Sequence[str]:
        """n names, all different."""

    def image(self, index: int) -> np.ndarray:
        """(H, W, 3) uint8 RGB."""

    def image_labels(self, index: int) -> np.ndarray:
        """(C,) multi-hot."""

    def mask(self, index: int) -> np.ndarray | None:
        """(H, W) uint8 label map with 255 for "do not count", or None."""


class SandboxScenes:
    """The val split of the sandbox: each scene rendered when it is asked for, and then kept.

    Args:
        folder: where scenes are kept; a folder that can not be written is no error.
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
            return _read_scene(path, self.size)
        except UNREADABLE:
            scene = render_scene("val", index, self.size)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            labels = scene.image_labels.astype(np.uint8)
            with atomic_write(path) as partial, open(partial, "wb") as file:
                np.savez_compressed(file, image=scene.image, mask=scene.mask, labels=labels, context=scene.context)
        except OSError as error:
            log.info("the scene is not kept: %s", error)
        return scene


def _read_scene(path: Path, size: int) -> Scene:
    """A scene as far as it is kept. Raises: ValueError, KeyError, OSError: for anything but a kept scene."""
    with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
        image, mask, labels = file["image"], file["mask"], file["labels"]
        context = str(file["context"])
    count = len(SANDBOX_CLASSES) - 1
    shapes = (image.shape, mask.shape, labels.shape)
    if shapes != ((size, size, 3), (size, size), (count,)) or {image.dtype, mask.dtype, labels.dtype} != {
        np.dtype(np.uint8)
    }:
        raise ValueError("not a kept scene")
    return Scene(image, mask, mask, mask, labels.astype(np.float32), context, ())


def open_source(text: str, cache: Path, size: int = 256, split: str | None = None) -> ImageSource:
    """The set that is named at the launch: "sandbox", or kind and path like "folder:photos".

    Args:
        cache: folder for rendered scenes.
        size: side of sandbox scenes.
        split: of a set on the disk; None: see `shown_split`.
    Raises: UserError: for an unknown kind, or a set that can not be read.
    """
    kind, _, path = text.partition(":")
    if text == "sandbox":
        return SandboxScenes(cache, size)
    if kind not in KINDS or not path:
        kinds = ", ".join(f"{kind}:PATH" for kind in reversed(KINDS))
        raise UserError(f"--data is {text!r}; expected sandbox or one of {kinds}.")
    try:
        return open_images(kind, path, split or shown_split(kind, path))
    except (ValueError, OSError) as error:
        raise UserError(one_form(f"--data {text}: {error}")) from error


def fingerprint(source: ImageSource) -> str:
    """Changes with everything that scores depend on: names, labels, and size and time of every file."""
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


def cache_folder(wanted: str | os.PathLike[str] | None = None) -> Path:
    """Where scenes and scores are kept between two starts: the user's cache; on Spaces, the temporary files."""
    if wanted is not None:
        return Path(wanted)
    if "SPACE_ID" in os.environ:
        return Path(tempfile.gettempdir()) / "afa-viz"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "afa-viz"
