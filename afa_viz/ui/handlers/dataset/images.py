"""The images of a data set by an id that does not reveal paths: images to explain, thumbnails, labels."""

from __future__ import annotations

import base64
import hashlib
import io
import logging
import re
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from afa_viz.ui.errors import UserError
from afa_viz.ui.handlers.dataset.sources import ImageSource, SandboxScenes, fingerprint
from afa_viz.ui.localization import error_message, texts
from afa_viz.ui.sessions.cache import SingleFlightCache
from afa_viz.ui.sessions.images import LONG_SIDE, InputImage, PythonSource, new_input_image

THUMBNAIL = 144  # pixels, long side
THUMBNAIL_BYTES = 24 * 2**20
SAFE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")

log = logging.getLogger(__name__)


class DataSet:
    """The images of the Data set tab.

    Args:
        source: of the images.
        cache: folder of the scores.
    """

    def __init__(self, source: ImageSource, cache: Path) -> None:
        self.source = source
        self.cache = cache
        self.ids = tuple(public_id(name) for name in source.names)
        self.fingerprint = fingerprint(source)
        self._indices = {name: index for index, name in enumerate(self.ids)}
        self._thumbnails: SingleFlightCache[int, str] = SingleFlightCache(
            THUMBNAIL_BYTES, lambda texts: sum(map(len, texts))
        )
        self._labels: dict[int, tuple[str, ...]] = {}

    def __len__(self) -> int:
        return len(self.ids)

    def index(self, name: object) -> int:
        """The index of an image by its id. Raises: UserError: for an unknown id."""
        index = self._indices.get(name) if isinstance(name, str) else None
        if index is None:
            raise UserError(error_message("refused.no_data"))
        return index

    def title(self, index: int) -> str:
        """The name of an image without its folder."""
        return PurePosixPath(self.source.names[index]).name

    def labels(self, index: int) -> tuple[str, ...] | None:
        """Class names of an image; None if it would have to be rendered first."""
        if index not in self._labels:
            read = getattr(self.source, "known_labels", self.source.image_labels)
            labels = read(index)
            if labels is None:
                return None
            self._labels[index] = self._label_names(labels)
        return self._labels[index]

    def _label_names(self, labels: np.ndarray) -> tuple[str, ...]:
        return tuple(name for name, here in zip(self.source.class_names[1:], labels, strict=True) if here > 0)

    def input_image(self, name: object) -> InputImage:
        """An image with its mask and labels. Raises: UserError: for an unknown id, or files that cannot be read."""
        index = self.index(name)
        try:
            image, mask = self.source.image(index), self.source.mask(index)
        except (ValueError, OSError) as error:
            log.warning("an image of the data set cannot be read: %s", error)
            raise UserError(error_message("refused.data_broken", name=self.title(index))) from error
        labels = self._labels.setdefault(index, self._label_names(self.source.image_labels(index)))
        if mask is not None and mask.shape != image.shape[:2]:
            log.warning("mask and image differ in size: %s", self.source.names[index])
            mask = None
        sandbox = isinstance(self.source, SandboxScenes)
        return new_input_image(
            *_limit_size(image, mask),
            labels=labels,
            title=self.title(index),
            story=texts()["side.from_data"].format(title=self.source.title),
            domain="sandbox" if sandbox else "data set",
            class_names=self.source.class_names,
        )

    def python_source(self, name: object) -> PythonSource:
        """Python code that loads an image: a scene is rendered, a file is named without its folder."""
        index = self.index(name)
        if isinstance(self.source, SandboxScenes):
            scene = f'scene = render_scene("val", {index}, {self.source.size})'
            imports = ("from afa_viz.data.sandbox import render_scene",)
            return PythonSource((scene, "image = scene.image"), "scene.mask", imports)
        paths = getattr(self.source, "image_paths", None)
        file = paths[index].name if paths else self.title(index)
        return PythonSource((f"image = {file!r}  # of the data set: {self.source.title}",))

    def thumbnail(self, index: int) -> str:
        """A small JPEG as a data URL; "" for an image that cannot be read."""
        return self._thumbnails.get(index, lambda: self._render_thumbnail(index))

    def _render_thumbnail(self, index: int) -> str:
        try:
            small = Image.fromarray(self.source.image(index))
        except (ValueError, OSError) as error:
            log.warning("an image of the data set cannot be read: %s", error)
            return ""
        small.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.BILINEAR, reducing_gap=2.0)
        file = io.BytesIO()
        small.save(file, format="JPEG", quality=80)
        return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode("ascii")


def public_id(name: str) -> str:
    """The id of an image in URLs: its name if that contains only safe characters, else a digest of it."""
    return name if SAFE_ID.fullmatch(name) else f"x{hashlib.sha256(name.encode()).hexdigest()[:16]}"


def _limit_size(image: np.ndarray, mask: np.ndarray | None) -> tuple[np.ndarray, np.ndarray | None]:
    """Image and mask with the long side at most `LONG_SIDE`."""
    height, width = image.shape[:2]
    factor = LONG_SIDE / max(height, width)
    if factor >= 1:
        return image, mask
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    image = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS))
    if mask is not None:
        mask = np.asarray(Image.fromarray(mask).resize(size, Image.Resampling.NEAREST))
    return image, mask
