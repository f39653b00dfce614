"""Images by their id: the examples, those of the data set, and uploads, which are kept in memory alone."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Protocol

from afa_viz.ui.errors import UserError
from afa_viz.ui.localization import error_message
from afa_viz.ui.sessions.cache import SingleFlightCache
from afa_viz.ui.sessions.concurrency import ConcurrencyLimit
from afa_viz.ui.sessions.examples import Example
from afa_viz.ui.sessions.images import MASKED_SOURCE, UPLOAD_SOURCE, InputImage, PythonSource, read_upload, with_mask

IMAGE_BYTES = 96 * 2**20


class InputImageSource(Protocol):
    """Images beside the examples, each with an id; `dataset.images.DataSet` is one."""

    def input_image(self, image_id: object) -> InputImage:
        """The image. Raises: UserError: for an unknown id."""

    def python_source(self, image_id: object) -> PythonSource:
        """Python code that loads the image. Raises: UserError: for an unknown id."""


class ImageStore:
    """Images of all visitors by id: "example:NAME", "data:ID" or "upload:SHA". Thread-safe.

    Args:
        examples: the bundled images.
        dataset: the images of "data:ID"; None: there are none.
    """

    def __init__(self, examples: Sequence[Example], dataset: InputImageSource | None = None) -> None:
        self._examples, self._dataset = examples, dataset
        self._held: SingleFlightCache[str, InputImage] = SingleFlightCache(
            IMAGE_BYTES, lambda images: sum(image.nbytes for image in images)
        )
        self._decoding = ConcurrencyLimit(1)  # decoding the largest photograph takes some hundred megabytes

    def store_upload(
        self, path: str | os.PathLike[str], mask: str | os.PathLike[str] | None = None, names: Sequence[str] = ()
    ) -> str:
        """Read an uploaded photograph into memory; returns its image id.

        Args:
            mask: the file of its ground truth, in class indices of `names`.
        Raises: UserError: as `read_upload` and `with_mask`, or if a file no longer exists.
        """
        with self._decoding.slot():
            try:
                os.utime(path)  # marks the file as used
                image = read_upload(path)
                if mask is not None:
                    os.utime(mask)
                    image = with_mask(image, mask, names)
            except FileNotFoundError:
                raise UserError(error_message("refused.upload_gone")) from None
        return self.store(image)

    def store(self, image: InputImage) -> str:
        """Keep a photograph in memory; returns its image id."""
        image_id = f"upload:{image.sha}"
        self._held.get(image_id, lambda: image)
        return image_id

    def find(self, image_id: str) -> InputImage:
        """An image by its id. Raises: UserError: if it does not exist, or no longer."""
        kind, _, name = str(image_id).partition(":")
        if kind == "example":
            for example in self._examples:
                if example.name == name:
                    return self._held.get(image_id, example.read)
            raise UserError(error_message("refused.no_example"))
        if kind == "data" and self._dataset is not None:
            dataset = self._dataset
            return self._held.get(image_id, lambda: dataset.input_image(name))
        held = self._held.peek(image_id)
        if held is None:
            raise UserError(error_message("refused.upload_gone"))
        return held

    def python_source(self, image_id: str) -> PythonSource:
        """Python code that loads an image. Raises: UserError: for an unknown image of the data set."""
        kind, _, name = image_id.partition(":")
        if kind == "data" and self._dataset is not None:
            return self._dataset.python_source(name)
        for example in self._examples if kind == "example" else []:
            if example.name == name:
                return example.source()
        held = self._held.peek(image_id)
        return UPLOAD_SOURCE if held is None or held.mask is None else MASKED_SOURCE
