"""The example images of a folder: its index is read and validated at the start, its images when they are opened."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from afa_viz.image_files import open_image
from afa_viz.structured_text import parse_json, read_text
from afa_viz.ui.errors import UserError, quote_value
from afa_viz.ui.localization import error_message, texts
from afa_viz.ui.sessions.images import InputImage, PythonSource, check_shape, new_input_image

INDEX = "examples.json"
THUMBNAIL = 192  # pixels, long side; the gallery displays it at half that size
MAX_EXAMPLES = 500  # the gallery loads a thumbnail of each
DOMAINS = ("sandbox", "photograph", "data set")
MAX_NAME_LENGTH, MAX_TEXT_LENGTH = 100, 2000  # characters of a name, and of a title or a story

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Example:
    """One entry of `examples.json`; the image files are read when it is opened.

    Attributes:
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
        """The caption in the gallery; a photograph is marked as one."""
        return texts()["side.photograph"].format(title=self.title) if self.domain == "photograph" else self.title

    def thumbnail(self) -> Image.Image:
        """The thumbnail in the gallery; grey if the image cannot be read, which is reported when it is opened."""
        try:
            small = _opened(self.path).convert("RGB")
        except UserError:
            return Image.new("RGB", (THUMBNAIL, THUMBNAIL), "grey")
        small.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS)
        return small

    def source(self) -> PythonSource:
        """Python code that loads the example, for a program that runs in the root of the repository."""
        bundled = Path(__file__).parents[2] / "examples"
        folder = "afa_viz/examples" if self.path.parent.resolve() == bundled.resolve() else self.path.parent.name
        lines = (f'image = "{folder}/{self.path.name}"',)
        if self.mask_path is None:
            return PythonSource(lines)
        return PythonSource(lines, f'np.asarray(Image.open("{folder}/{self.mask_path.name}"))', ("import numpy as np",))

    def read(self) -> InputImage:
        """The image with its ground truth. Raises: UserError: if it cannot be read."""
        try:
            image = np.asarray(_opened(self.path).convert("RGB"))
            mask = None if self.mask_path is None else np.asarray(_opened(self.mask_path))
            if mask is not None and (mask.shape != image.shape[:2] or mask.dtype != np.uint8):
                raise UserError(f"the mask has shape {mask.shape} and type {mask.dtype}.")
        except UserError as error:
            raise UserError(error_message("refused.example_broken", name=self.name)) from error
        return new_input_image(image, mask, labels=self.labels, title=self.title, story=self.story, domain=self.domain)


def _opened(path: Path) -> Image.Image:
    """A decoded image. Raises: UserError: if it is not one, or too large, which is checked before decoding."""
    try:
        with open_image(path) as image:
            check_shape(*image.size)
            image.load()
            return image
    except Exception as error:  # a damaged or malicious file may raise anything
        raise UserError(f"{path.name} cannot be read ({type(error).__name__}).") from error


def read_examples(folder: Path) -> list[Example]:
    """The entries of a folder's `examples.json`, in order; none if there is no such file.

    An entry that is invalid, or that points out of the folder, is skipped; the log says which one, and why.

    Raises: UserError: if the file is not a list of examples, or if no entry can be used.
    """
    index = folder / INDEX
    if not index.is_file():
        return []
    try:
        entries = parse_json(read_text(index)) or []
        if not isinstance(entries, list):
            raise ValueError("it does not hold a list")
        if len(entries) > MAX_EXAMPLES:
            raise ValueError(f"it names {len(entries)}, more than {MAX_EXAMPLES}")
    except (OSError, ValueError) as error:
        raise _index_error(folder, error) from error
    found: dict[str, Example] = {}
    errors = []
    for number, entry in enumerate(entries, 1):
        try:
            example = _example(folder, entry)
            if example.name in found:
                raise ValueError(f"its name {quote_value(example.name)} is taken")
            found[example.name] = example
        except ValueError as error:
            errors.append(error)
            log.warning("Example %d of %s in %s is skipped: %s.", number, INDEX, folder.name, error)
    if errors and not found:
        raise _index_error(folder, errors[0])
    return list(found.values())


def _index_error(folder: Path, error: Exception) -> UserError:
    return UserError(f"{INDEX} in {folder.name} is not a list of examples ({error}); expected names and images.")


def _example(folder: Path, entry: Any) -> Example:
    """A validated entry. Raises: ValueError: with a clause that says what is wrong with it."""
    if not isinstance(entry, dict):
        raise ValueError("it is not an object with a name and an image")
    name = _text_field(entry, "name", MAX_NAME_LENGTH)
    if not name or not name.isprintable():
        raise ValueError("it has no printable name on one line")
    labels = entry.get("labels") or []
    if not isinstance(labels, list) or not all(isinstance(label, str) and label for label in labels):
        raise ValueError("its labels are not a list of class names")
    domain = _text_field(entry, "domain") or DOMAINS[0]
    if domain not in DOMAINS:
        raise ValueError(f"its domain is {quote_value(domain)}; expected {', '.join(DOMAINS)}")
    return Example(
        name=name,
        path=_file_in_folder(folder, entry.get("image"), "image"),
        mask_path=_file_in_folder(folder, entry["mask"], "mask") if entry.get("mask") else None,
        labels=tuple(labels) or None,
        title=_text_field(entry, "title") or texts().get(f"example.{name}.title") or name,
        story=_text_field(entry, "story") or texts().get(f"example.{name}.story") or "",
        domain=domain,
        pathology=_text_field(entry, "pathology"),
    )


def _text_field(entry: dict[str, Any], field: str, max_length: int = MAX_TEXT_LENGTH) -> str:
    value = entry.get(field)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > max_length:
        raise ValueError(f"its {field} is {quote_value(value)}; expected at most {max_length} characters")
    return value


def _file_in_folder(folder: Path, value: Any, field: str) -> Path:
    """The file that an entry names, with links resolved. Raises: ValueError: if it is not in the folder."""
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError(f"its {field} is {quote_value(value)}; expected a file name")
    root = folder.resolve()
    try:
        path = (root / value).resolve()
    except (OSError, RuntimeError) as error:  # circular links, or an invalid file name
        raise ValueError(f"its {field} {quote_value(value)} cannot be resolved") from error
    if not path.is_relative_to(root):
        raise ValueError(f"its {field} {quote_value(value)} is outside the folder")
    return path
