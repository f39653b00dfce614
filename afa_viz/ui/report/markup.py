"""Small parts of HTML in every language at once: texts, pictures with captions, tables.

Texts that differ stand beside each other, each marked with its language; a style shows one of them. Everything is
escaped here: names come from data sets and checkpoints.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from PIL import Image

from afa_viz.figures import colour
from afa_viz.figures.colour import RGBImage
from afa_viz.figures.maps import Limits
from afa_viz.figures.translation import language_scope, translate
from afa_viz.figures.typography import format_number

SIDE = 320  # pixels of a picture
QUALITY = 82  # of WebP: no difference to be seen, a quarter of the bytes of PNG


@dataclass(frozen=True)
class Words:
    """English texts as HTML in every language.

    Attributes:
        names: what classes and pictures are called, for each language, English included.
        first: the language that a page begins with, of what can be said once alone.
    """

    names: Mapping[str, Mapping[str, str]]
    first: str

    def plain(self, text: str, language: str) -> str:
        """A text in one language; not escaped."""
        with language_scope(language, self.names[language]):
            return translate(text)

    def __call__(self, text: str) -> str:
        """HTML of a text: a span for each language, or the escaped text alone where all say the same."""
        return self.spans({language: escape(self.plain(text, language)) for language in self.names})

    def spans(self, said: Mapping[str, str]) -> str:
        """The same of texts that are HTML already, by their languages."""
        if len(set(said.values())) == 1:
            return next(iter(said.values()))
        return "".join(f'<span lang="{language}">{html}</span>' for language, html in said.items())

    def table(self, caption: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
        """A table; the first cell of a row is its heading."""
        head = "".join(f'<th scope="col">{self(cell)}</th>' for cell in header)
        body = "".join(
            f'<tr><th scope="row">{self(first)}</th>{"".join(f"<td>{self(cell)}</td>" for cell in rest)}</tr>'
            for first, *rest in rows
        )
        return (
            f'<div class="afa-scroll"><table class="afa-numbers"><caption>{self(caption)}</caption>'
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
        )

    def figure(
        self, stage: str, image: RGBImage, notes: Sequence[str], limits: Limits | None = None, side: int = SIDE
    ) -> str:
        """A picture with its caption, a line for each note, and the numbers at the ends of its colours.

        Args:
            side: pixels of its longer side; larger ones are scaled down.
        """
        lines = "".join(f"<span>{self(note)}</span>" for note in notes)
        alt = escape(self.plain(notes[0], self.first))
        return (
            f'<figure data-picture="{stage}"><img src="{image_uri(image, side)}" alt="{alt}">{_ramp(limits)}'
            f"<figcaption>{lines}</figcaption></figure>"
        )


def image_uri(image: RGBImage, side: int = SIDE) -> str:
    """An image as a data URI; its longer side has at most `side` pixels."""
    picture = Image.fromarray(image)
    factor = side / max(picture.size)
    if factor < 1:
        size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    file = io.BytesIO()
    picture.save(file, format="WEBP", quality=QUALITY)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode("ascii")


def _ramp(limits: Limits | None) -> str:
    if limits is None:
        return ""
    low, high = (format_number(value) for value in limits)
    return f'<div class="afa-ramp"><span>{low}</span><i></i><span>{high}</span></div>'


def ramp_css() -> str:
    """The colours of magnitudes as a CSS gradient."""
    stops = colour.table(colour.MAGNITUDE)[np.linspace(0, 255, 17).astype(int)]
    return "linear-gradient(90deg," + ",".join("#{:02x}{:02x}{:02x}".format(*stop) for stop in stops) + ")"
