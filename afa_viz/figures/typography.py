"""Text in images: fonts, number formats, labels and captioned contact sheets."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from afa_viz.figures.translation import current_language, translate

RGBImage = NDArray[np.uint8]
Colour = tuple[int, int, int]


# Fonts of operating systems for other scripts: regular file, bold file, and index in a font collection
FILES = {
    "ko": (
        ("NanumGothic.ttf", "NanumGothicBold.ttf", 0), ("NotoSansKR-Regular.ttf", "NotoSansKR-Bold.ttf", 0),
        ("NotoSansKR-Regular.otf", "NotoSansKR-Bold.otf", 0), ("NotoSansCJK-Regular.ttc", "NotoSansCJK-Bold.ttc", 1),
        ("malgun.ttf", "malgunbd.ttf", 0), ("AppleSDGothicNeo.ttc", "AppleSDGothicNeo.ttc", 0),
        ("AppleGothic.ttf", "AppleGothic.ttf", 0), ("UnDotum.ttf", "UnDotumBold.ttf", 0),
    ),
}  # fmt: skip


def font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """A font at a size in pixels: DejaVu Sans, which comes with matplotlib, or a system font for the language."""
    return _font(size, bold, current_language())


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


def translate_drawable(words: str) -> str:
    """`translate` for text in an image: in English if no installed font has the characters."""
    is_ours = current_language() in FILES and font(16).getname()[0] == "DejaVu Sans"
    return words if is_ours else translate(words)


def format_number(value: float) -> str:
    """Three significant digits, no trailing zeros, a real minus sign; below 1e-6: 0."""
    return "0" if abs(value) < 1e-6 else f"{value:.3g}".replace("-", "−")


def format_percent(share: float | None, signed: bool = False) -> str:
    """0.123 -> "12.3 %"; "–" for None or NaN. Signed: "+12.3", and "0.0" for what rounds to it."""
    if share is None or share != share:
        return "–"
    text = f"{100 * share:+.1f}" if signed else f"{100 * share:.1f} %"
    return "0.0" if text in ("+0.0", "-0.0") else text.replace("-", "−")


def change_sign(change: float) -> int:
    """Sign of a change, 1 or -1; 0 if `format_percent` rounds it to 0.0."""
    return 0 if format_percent(change, signed=True) == "0.0" else 1 if change > 0 else -1


def fitting_font(text: str, width: float, size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """The font at `size`, or smaller if the text would be wider than `width`; never under 8 pixels."""
    while size > 8 and font(size, bold).getlength(text) > width:
        size -= 1
    return font(size, bold)


def scale_to_fit(image: RGBImage, width: int, height: int) -> Image.Image:
    """An image scaled to fit into a box, with its aspect ratio; enlarged pixels stay sharp."""
    factor = min(width / image.shape[1], height / image.shape[0])
    size = (max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor)))
    how = Image.Resampling.NEAREST if factor >= 2 else Image.Resampling.LANCZOS
    return Image.fromarray(image).resize(size, how)


def contact_sheet(
    images: Sequence[RGBImage],
    captions: Sequence[str],
    columns: int = 4,
    tile: int = 160,
    ink: Colour = (32, 32, 32),
    paper: Colour = (255, 255, 255),
) -> RGBImage:
    """Images of one size in a grid, each with its caption below; `tile`: longer side of one, in pixels."""
    if not images or len(images) != len(captions):
        raise ValueError(f"got {len(images)} images and {len(captions)} captions; expected as many, at least one.")
    tiles = [scale_to_fit(image, tile, tile) for image in images]
    width, height = tiles[0].size
    gap, size = max(4, tile // 24), max(10, tile // 12)
    columns = min(columns, len(tiles))
    rows = -(-len(tiles) // columns)
    line = round(size * 1.6)
    sheet = Image.new("RGB", (columns * (width + gap) + gap, rows * (height + line + gap) + gap), paper)
    draw = ImageDraw.Draw(sheet)
    for i, (image, caption) in enumerate(zip(tiles, captions, strict=True)):
        left, top = gap + (i % columns) * (width + gap), gap + (i // columns) * (height + line + gap)
        sheet.paste(image, (left, top))
        letters = fitting_font(caption, width, size)
        draw.text((left + width / 2, top + height + line / 2), caption, fill=ink, font=letters, anchor="mm")
    return np.array(sheet)


def draw_labels(image: RGBImage, texts: Sequence[tuple[str, tuple[int, int]]], size: int) -> RGBImage:
    """The image with white, black-edged texts centred on (row, col) points, moved so that they stay inside."""
    sheet = Image.fromarray(image)
    draw = ImageDraw.Draw(sheet)
    edge = max(1, size // 8)
    for text, (row, col) in texts:
        letters = fitting_font(text, sheet.width - 4, size, bold=True)
        half = letters.getlength(text) / 2 + edge
        x = min(max(col, half), max(half, sheet.width - half))
        y = min(max(row, size), max(size, sheet.height - size))
        draw.text((x, y), text, (255, 255, 255), letters, "mm", stroke_width=edge, stroke_fill=(0, 0, 0))
    return np.array(sheet)
