"""Text in pictures: one font, numbers as people write them, captioned contact sheets."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from afa_viz.figures.translation import language, say

Picture = NDArray[np.uint8]
Colour = tuple[int, int, int]


# Letters of other languages that systems bring: regular and bold file, and which font of a collection
FILES = {
    "ko": (
        ("NanumGothic.ttf", "NanumGothicBold.ttf", 0), ("NotoSansKR-Regular.ttf", "NotoSansKR-Bold.ttf", 0),
        ("NotoSansKR-Regular.otf", "NotoSansKR-Bold.otf", 0), ("NotoSansCJK-Regular.ttc", "NotoSansCJK-Bold.ttc", 1),
        ("malgun.ttf", "malgunbd.ttf", 0), ("AppleSDGothicNeo.ttc", "AppleSDGothicNeo.ttc", 0),
        ("AppleGothic.ttf", "AppleGothic.ttf", 0), ("UnDotum.ttf", "UnDotumBold.ttf", 0),
    ),
}  # fmt: skip


def font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """A font at a size in pixels: DejaVu Sans, which comes with matplotlib, or one of the system for its language."""
    return _font(size, bold, language())


@cache
def _font(size: int, bold: bool, code: str) -> ImageFont.FreeTypeFont:
    import matplotlib

    for *files, index in FILES.get(code, ()):
        try:
            return ImageFont.truetype(files[bold], size, index)
        except OSError:
            continue
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    return ImageFont.truetype(folder / ("DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"), size)


def written(words: str) -> str:
    """`say` for words in a picture: in English where no font of the system has the letters."""
    is_ours = language() in FILES and font(16).getname()[0] == "DejaVu Sans"
    return words if is_ours else say(words)


def number(value: float) -> str:
    """Three digits, no needless zeros, a real minus sign; what is next to nothing is 0."""
    return "0" if abs(value) < 1e-6 else f"{value:.3g}".replace("-", "−")


def percent(share: float | None, signed: bool = False) -> str:
    """0.123 -> "12.3 %"; "–" where it is not known. Signed: "+12.3", and "0.0" for what rounds to it."""
    if share is None or share != share:
        return "–"
    text = f"{100 * share:+.1f}" if signed else f"{100 * share:.1f} %"
    return "0.0" if text in ("+0.0", "-0.0") else text.replace("-", "−")


def direction(change: float) -> int:
    """1 or -1 for a change that `percent` shows as one, else 0."""
    return 0 if percent(change, signed=True) == "0.0" else 1 if change > 0 else -1


def fitting(text: str, width: float, size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """The font at `size`, or smaller if the text would be wider than `width`; never under 8 pixels."""
    while size > 8 and font(size, bold).getlength(text) > width:
        size -= 1
    return font(size, bold)


def fit(picture: Picture, width: int, height: int) -> Image.Image:
    """A picture scaled to lie in a box, its shape kept; enlarged pixels stay sharp."""
    factor = min(width / picture.shape[1], height / picture.shape[0])
    size = (max(1, round(picture.shape[1] * factor)), max(1, round(picture.shape[0] * factor)))
    how = Image.Resampling.NEAREST if factor >= 2 else Image.Resampling.LANCZOS
    return Image.fromarray(picture).resize(size, how)


def contact_sheet(
    pictures: Sequence[Picture],
    captions: Sequence[str],
    columns: int = 4,
    tile: int = 160,
    ink: Colour = (32, 32, 32),
    paper: Colour = (255, 255, 255),
) -> Picture:
    """Pictures of one size in a grid, each with its caption below; `tile` is the longer side of one, in pixels."""
    if not pictures or len(pictures) != len(captions):
        raise ValueError(f"got {len(pictures)} pictures and {len(captions)} captions; expected as many, at least one.")
    tiles = [fit(picture, tile, tile) for picture in pictures]
    width, height = tiles[0].size
    gap, size = max(4, tile // 24), max(10, tile // 12)
    columns = min(columns, len(tiles))
    rows = -(-len(tiles) // columns)
    line = round(size * 1.6)
    sheet = Image.new("RGB", (columns * (width + gap) + gap, rows * (height + line + gap) + gap), paper)
    draw = ImageDraw.Draw(sheet)
    for i, (picture, caption) in enumerate(zip(tiles, captions, strict=True)):
        left, top = gap + (i % columns) * (width + gap), gap + (i // columns) * (height + line + gap)
        sheet.paste(picture, (left, top))
        letters = fitting(caption, width, size)
        draw.text((left + width / 2, top + height + line / 2), caption, fill=ink, font=letters, anchor="mm")
    return np.array(sheet)


def write_inside(picture: Picture, texts: Sequence[tuple[str, tuple[int, int]]], size: int) -> Picture:
    """The picture with white, black-edged words centred on (row, col) points, moved so that they stay inside."""
    sheet = Image.fromarray(picture)
    draw = ImageDraw.Draw(sheet)
    edge = max(1, size // 8)
    for text, (row, col) in texts:
        letters = fitting(text, sheet.width - 4, size, bold=True)
        half = letters.getlength(text) / 2 + edge
        x = min(max(col, half), max(half, sheet.width - half))
        y = min(max(row, size), max(size, sheet.height - size))
        draw.text((x, y), text, (255, 255, 255), letters, "mm", stroke_width=edge, stroke_fill=(0, 0, 0))
    return np.array(sheet)
