"""The bundled pictures, or those of a folder that somebody made: read, checked, and opened when they are asked for."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from afa_viz.structured_text import parse_json, read_text
from afa_viz.ui.errors import UserError, quote_value
from afa_viz.ui.localization import error_message, texts
from afa_viz.ui.sessions.images import FORMATS, InputImage, PythonSource, check_size, new_input_image

INDEX = "examples.json"
THUMBNAIL = 192  # pixels, long side; the gallery shows half of them
MOST_EXAMPLES = 500  # the page loads a thumbnail of each
DOMAINS = ("sandbox", "photograph", "data set")
LONGEST_NAME, LONGEST_WORDS = 100, 2000  # letters of a name, and of a title or a story

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Example:
    """One bundled picture: its entry in `examples.json`, read when it is opened.

    pathology: the failure that it shows, one of `afa_viz.lab.FAILURES`, or "".
    """

    name: str
    path: Path
    mask_path: Path | None
    labels: tuple[str, ...] | None
    title: str
    story: str
    domain: str
    pathology: str = ""

    @property
    def caption(self) -> str:
        """For the gallery; says so where the picture is none of the training world."""
        return texts()["side.photograph"].format(title=self.title) if self.domain == "photograph" else self.title

    def thumbnail(self) -> Image.Image:
        """For the gallery, which loads them all; a grey one where it can not be read: to open it is refused."""
        try:
            small = _opened(self.path).convert("RGB")
        except UserError:
            return Image.new("RGB", (THUMBNAIL, THUMBNAIL), "grey")
        small.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS)
        return small

    def source(self) -> PythonSource:
        """Of a program that is run in the folder of the source code."""
        bundled = Path(__file__).parents[2] / "examples"
        folder = "afa_viz/examples" if self.path.parent.resolve() == bundled.resolve() else self.path.parent.name
        lines = (f'image = "{folder}/{self.path.name}"',)
        if self.mask_path is None:
            return PythonSource(lines)
        return PythonSource(lines, f'np.asarray(Image.open("{folder}/{self.mask_path.name}"))', ("import numpy as np",))

    def read(self) -> InputImage:
        """The picture with its truth. Raises: UserError: if it can not be read."""
        try:
            image = np.asarray(_opened(self.path).convert("RGB"))
            mask = None if self.mask_path is None else np.asarray(_opened(self.mask_path))
            if mask is not None and (mask.shape != image.shape[:2] or mask.dtype != np.uint8):
                raise UserError(f"the mask has shape {mask.shape} and type {mask.dtype}.")
        except UserError as error:
            raise UserError(error_message("refused.example_broken", name=self.name)) from error
        return new_input_image(image, mask, labels=self.labels, title=self.title, story=self.story, domain=self.domain)


def _opened(path: Path) -> Image.Image:
    """A decoded picture. Raises: UserError: if it is none, or too large, which is seen before any pixel is decoded."""
    try:
        with Image.open(path, formats=FORMATS) as image:
            check_size(*image.size)
            image.load()
            return image
    except Exception as error:  # a broken or hostile file may raise anything
        raise UserError(f"{path.name} can not be read ({type(error).__name__}).") from error


def read_examples(folder: Path) -> list[Example]:
    """The entries of a folder's `examples.json`, in order; none where there is no such file.

    An entry that is damaged, or leads out of the folder, is left out: the log says which, and why.

    Raises: UserError: for a file that is no list of examples, or none of whose entries can be used.
    """
    index = folder / INDEX
    if not index.is_file():
        return []
    try:
        entries = parse_json(read_text(index)) or []
        if not isinstance(entries, list):
            raise ValueError("it holds no list")
        if len(entries) > MOST_EXAMPLES:
            raise ValueError(f"it names {len(entries)}, more than {MOST_EXAMPLES}")
    except (OSError, ValueError) as error:
        raise _no_list(folder, error) from error
    found: dict[str, Example] = {}
    wrong = []
    for number, entry in enumerate(entries, 1):
        try:
            example = _example(folder, entry)
            if example.name in found:
                raise ValueError(f"its name {quote_value(example.name)} is taken")
            found[example.name] = example
        except ValueError as error:
            wrong.append(error)
            log.warning("Example %d of %s in %s is left out: %s.", number, INDEX, folder.name, error)
    if wrong and not found:
        raise _no_list(folder, wrong[0])
    return list(found.values())


def _no_list(folder: Path, error: Exception) -> UserError:
    return UserError(f"{INDEX} in {folder.name} is no list of examples ({error}); expected names and images.")


def _example(folder: Path, entry: Any) -> Example:
    """Raises: ValueError: half a sentence about what is wrong with it."""
    if not isinstance(entry, dict):
        raise ValueError("it is no object with a name and an image")
    name = _words(entry, "name", LONGEST_NAME)
    if not name or not name.isprintable():
        raise ValueError("it has no name of letters in one line")
    labels = entry.get("labels") or []
    if not isinstance(labels, list) or not all(isinstance(label, str) and label for label in labels):
        raise ValueError("its labels are no list of class names")
    domain = _words(entry, "domain") or DOMAINS[0]
    if domain not in DOMAINS:
        raise ValueError(f"its domain is {quote_value(domain)}; expected {', '.join(DOMAINS)}")
    return Example(
        name=name,
        path=_inside(folder, entry.get("image"), "image"),
        mask_path=_inside(folder, entry["mask"], "mask") if entry.get("mask") else None,
        labels=tuple(labels) or None,
        title=_words(entry, "title") or texts().get(f"example.{name}.title") or name,
        story=_words(entry, "story") or texts().get(f"example.{name}.story") or "",
        domain=domain,
        pathology=_words(entry, "pathology"),
    )


def _words(entry: dict[str, Any], field: str, most: int = LONGEST_WORDS) -> str:
    value = entry.get(field)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > most:
        raise ValueError(f"its {field} is {quote_value(value)}; expected at most {most} letters")
    return value


def _inside(folder: Path, value: Any, field: str) -> Path:
    """The file that an entry names, wherever links lead. Raises: ValueError: unless it lies in the folder."""
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError(f"its {field} is {quote_value(value)}; expected the name of a file")
    root = folder.resolve()
    try:
        path = (root / value).resolve()
    except (OSError, RuntimeError) as error:  # links in a circle, or a name that no file may have
        raise ValueError(f"its {field} {quote_value(value)} leads nowhere") from error
    if not path.is_relative_to(root):
        raise ValueError(f"its {field} {quote_value(value)} lies outside the folder")
    return path
