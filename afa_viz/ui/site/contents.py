"""What a site shows: the images of its gallery, and those of its Data set tab."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from afa_viz.image_files import EXTENSIONS, NAMES
from afa_viz.ui.errors import UserError
from afa_viz.ui.handlers.dataset.images import DataSet
from afa_viz.ui.handlers.dataset.sources import open_source
from afa_viz.ui.localization import texts
from afa_viz.ui.sessions.examples import Example
from afa_viz.ui.sessions.images import read_upload
from afa_viz.ui.sessions.model_registry import ModelRegistry
from afa_viz.ui.sessions.session import Session

LIMIT = 12  # of the images of a data set, unless another number is asked for


@dataclass(frozen=True)
class Shown:
    """One image of a site.

    Attributes:
        image_id: of the session.
        name: in addresses.
        in_gallery: whether it can be chosen there; everything is prepared for these images.
        thumbnail: a small JPEG.
        pathology: see `Example`.
    """

    image_id: str
    name: str
    in_gallery: bool
    thumbnail: bytes
    pathology: str = ""


@dataclass(frozen=True)
class Contents:
    """The images of a site in the order of its gallery, then of its data set; and what explains them.

    Attributes:
        examples: what the lab recommends.
        dataset: of the Data set tab: its first `count` images.
        skipped: what cannot be shown, a sentence for each image.
    """

    session: Session
    model: str
    shown: tuple[Shown, ...]
    examples: tuple[Example, ...]
    dataset: DataSet
    count: int
    skipped: tuple[str, ...] = ()


class OwnImages:
    """Image files as a data set without labels and masks; see `ImageSource`.

    Args:
        limit: of images; None: all.
    Attributes:
        skipped: of files that cannot be read, a sentence for each.
    Raises: UserError: where none can be read.
    """

    title = texts()["site.own_images"]

    def __init__(self, paths: Sequence[Path], class_names: tuple[str, ...], limit: int | None = None) -> None:
        self.class_names = class_names
        self.skipped: list[str] = []
        found: dict[Path, np.ndarray] = {}
        for path in paths:
            if len(found) == limit:
                break
            try:
                found[path] = _read(path)
            except UserError as error:
                self.skipped.append(str(error))
        if not found:
            raise UserError(self.skipped[0])
        self.image_paths = tuple(found)
        self._images = list(found.values())
        self.names = _unique([path.stem for path in found])

    def image(self, index: int) -> np.ndarray:
        """(H, W, 3) uint8 RGB, upright."""
        return self._images[index]

    def image_labels(self, index: int) -> np.ndarray:
        """(C,) zeros: the labels are predicted."""
        return np.zeros(len(self.class_names) - 1, np.float32)

    def mask(self, index: int) -> None:
        """There is none."""
        return None


def open_contents(
    registry: ModelRegistry,
    examples: Path,
    cache: Path,
    images: Sequence[Path] = (),
    data: str | None = None,
    split: str | None = None,
    limit: int | None = None,
) -> Contents:
    """The images of a site.

    Args:
        registry: its first model explains them.
        examples: folder of the examples that are the gallery if neither images nor a data set are given.
        cache: folder for rendered scenes.
        images: files and folders: gallery and data set.
        data: see `open_source`: gallery and data set; None without images: the sandbox as the data set.
        split: of the data set.
        limit: of images; None: all of `images`, `LIMIT` of a data set.
    Raises: UserError: for images or a data set that cannot be read, or if there are none.
    """
    model = registry.names[0]
    card = registry.get(model).card
    size = min(512, max(64, card.input_size // 2 * 2)) if card is not None else 256  # of sandbox scenes, as in the app
    if images:
        source = OwnImages(image_files(images), registry.class_names(model), limit)
        dataset, count, skipped = DataSet(source, cache), len(source.names), source.skipped
    else:
        dataset = DataSet(open_source(data or "sandbox", cache, size, split), cache)
        count, skipped = min(LIMIT if limit is None else limit, len(dataset)), []
    session = Session(registry, examples, dataset=dataset)
    own = bool(images) or data is not None  # gallery and data set are the same images
    shown = (
        []
        if own
        else [Shown(f"example:{e.name}", e.name, True, _jpeg(e.thumbnail()), e.pathology) for e in session.examples]
    )
    for index in range(count):
        name, picture = dataset.ids[index], dataset.thumbnail(index).partition(",")[2]
        if not picture:
            skipped.append(_reason(dataset, index))
            continue
        shown.append(Shown(f"data:{name}", name, own, base64.b64decode(picture)))
    if not any(one.in_gallery for one in shown):
        raise UserError(skipped[0] if skipped else "There are no images to show; name some with --images or --data.")
    named = {one.name for one in shown}
    readable = [index for index in range(count) if dataset.ids[index] in named]
    recommended = [_stand_in(dataset, index) for index in readable] if own else session.examples
    return Contents(session, model, tuple(shown), tuple(recommended), dataset, count, tuple(skipped))


def _reason(dataset: DataSet, index: int) -> str:
    """Why an image of a data set cannot be shown."""
    try:
        dataset.input_image(dataset.ids[index])
        reason: object = "its thumbnail cannot be made."
    except UserError as error:
        reason = error
    return f"{dataset.source.names[index]} cannot be shown: {reason}"


def _stand_in(dataset: DataSet, index: int) -> Example:
    """An image of a data set as an example that the lab may recommend."""
    path, title = Path(dataset.ids[index]), dataset.title(index)
    known = dataset.source.mask(index) is not None
    return Example(dataset.ids[index], path, path if known else None, None, title, "", "data set")


def image_files(paths: Sequence[Path]) -> list[Path]:
    """The files themselves, and the images of the folders by name, each once.

    Raises: UserError: for a path that does not exist, or a folder without images.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            inside = sorted(file for file in path.iterdir() if file.suffix.lower() in EXTENSIONS and file.is_file())
            if not inside:
                raise UserError(f"--images {path} holds no image file ({NAMES}); name files, or another folder.")
            found.update(dict.fromkeys(inside))
        elif path.exists():
            found[path] = None
        else:
            raise UserError(f"--images {path} does not exist; expected an image file or a folder of them.")
    return list(found)


def _read(path: Path) -> np.ndarray:
    try:
        return read_upload(path).image
    except (OSError, UserError) as error:
        reason = error if isinstance(error, UserError) else (error.strerror or str(error))
        raise UserError(f"--images {path} cannot be shown: {reason}") from error


def _unique(names: Sequence[str]) -> tuple[str, ...]:
    """The names, numbered where they repeat."""
    found: list[str] = []
    for name in names:
        unique, number = name, 2
        while unique in found:
            unique, number = f"{name}-{number}", number + 1
        found.append(unique)
    return tuple(found)


def _jpeg(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, format="JPEG", quality=80)
    return file.getvalue()
