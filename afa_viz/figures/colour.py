"""Colours: numbers and labels to RGB. Magnitudes in viridis, signed differences in a diverging map centred on 0.

Symbols: h w any map size, H W pixels of the image. Arguments are arrays or CPU tensors; results are uint8 RGB.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor, ImageDraw

from afa_viz.figures.chart_style import BLUE, ORANGE
from afa_viz.figures.typography import font, format_number

RGBImage = NDArray[np.uint8]
Colour = tuple[int, int, int]

MAGNITUDE = "viridis"  # perceptually even, readable in grey and with colour-vision deficiency
DIFFERENCE = "RdBu_r"  # red: more, blue: less, white: 0
COLOUR_MAPS = Path(__file__).with_name("colour_maps.json")
FOREGROUND: Colour = ImageColor.getrgb(ORANGE)[:3]
BACKGROUND: Colour = ImageColor.getrgb(BLUE)[:3]
UNCERTAIN: Colour = (150, 150, 150)
NOT_A_NUMBER: Colour = (128, 128, 128)
IGNORE = 255


@cache
def table(name: str) -> RGBImage:
    """(256, 3) colours of `MAGNITUDE` or `DIFFERENCE`: matplotlib's, from a file, since the app starts without it.

    Raises: KeyError: for another name.
    """
    maps = json.loads(COLOUR_MAPS.read_text(encoding="utf-8"))  # written by tools/make_colour_maps.py
    colours = np.frombuffer(bytes.fromhex(maps[name]), np.uint8).reshape(256, 3)
    colours.setflags(write=False)
    return colours


def _floats(values: Any) -> NDArray[np.float32]:
    return np.asarray(values, dtype=np.float32)


def _scaled(values: Any, low: float, high: float) -> NDArray[np.float32]:
    """Values stretched to [0, 1], NaN kept; 0 where there is no range."""
    numbers = _floats(values)
    if high > low:
        return np.clip((numbers - low) / (high - low), 0, 1)
    return np.where(np.isnan(numbers), numbers, np.float32(0))


def _look_up(share: NDArray[np.float32], name: str) -> RGBImage:
    unknown = np.isnan(share)
    index = np.minimum(np.where(unknown, 0, share) * 256, 255).astype(np.uint8)
    rgb = table(name)[index]
    if unknown.any():
        rgb[unknown] = NOT_A_NUMBER
    return rgb


def magnitude(values: Any, low: float = 0.0, high: float = 1.0, colours: str = MAGNITUDE) -> RGBImage:
    """(h, w) numbers -> (h, w, 3): `low` or less is dark, `high` or more bright, NaN grey."""
    return _look_up(_scaled(values, low, high), colours)


def difference(values: Any, limit: float | None = None) -> RGBImage:
    """(h, w) signed numbers -> (h, w, 3): white is 0, full colour is -`limit` and +`limit` (None: the largest)."""
    limit = largest(values) if limit is None else limit
    return _look_up(_scaled(values, -limit, limit) if limit > 0 else _scaled(values, -1, 1), DIFFERENCE)


def largest(values: Any) -> float:
    """The largest absolute value, 0 for an empty or unknown map."""
    numbers = np.abs(_floats(values))
    numbers = numbers[~np.isnan(numbers)]
    return float(numbers.max()) if numbers.size else 0.0


def upsample(values: Any, size: tuple[int, int], smooth: bool = True) -> NDArray[np.float32]:
    """(h, w) map -> (H, W): bilinear as in the method, or cells as rectangles (row i holds y * h // H == i)."""
    numbers = _floats(values)
    if smooth:
        import torch

        from afa_viz.ops.cam import resize as bilinear

        return bilinear(torch.from_numpy(np.array(numbers))[None, None], size)[0, 0].numpy()
    rows, cols = (np.arange(n) * m // n for n, m in zip(size, numbers.shape, strict=True))
    return numbers[rows][:, cols]


def grey(image: Any, contrast: float = 0.8) -> RGBImage:
    """(H, W, 3) photograph -> its luminance as RGB, with less contrast, so that colour on it stands out."""
    luminance = np.asarray(image, dtype=np.float32) @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    soft = 128 + (luminance - 128) * contrast
    return np.repeat(np.rint(soft).astype(np.uint8)[..., None], 3, axis=2)


def heat(
    values: Any, low: float = 0.0, high: float = 1.0, alpha: float = 0.85, follow: bool = True, colours: str = MAGNITUDE
) -> RGBImage:
    """Numbers of any shape (h, w) -> (h, w, 4) RGBA to lay over a photograph.

    Args:
        alpha: opacity of the largest value, 0 to 1.
        follow: opacity grows with the value, so that weak areas are transparent; False: `alpha` everywhere.
    """
    share = _scaled(values, low, high)
    opacity = alpha * np.minimum(1, 0.12 + 1.5 * np.nan_to_num(share)) if follow else np.full_like(share, alpha)
    return np.concatenate([_look_up(share, colours), np.rint(255 * opacity).astype(np.uint8)[..., None]], axis=-1)


def blend(ground: RGBImage, layer: RGBImage) -> RGBImage:
    """(H, W, 3) with an (H, W, 4) layer over it."""
    opacity = layer[..., 3:].astype(np.float32) / 255
    return np.rint(ground * (1 - opacity) + layer[..., :3] * opacity).astype(np.uint8)


def overlay(
    image: Any,
    values: Any,
    low: float = 0.0,
    high: float = 1.0,
    alpha: float = 0.85,
    follow: bool = True,
    smooth: bool = True,
    colours: str = MAGNITUDE,
) -> RGBImage:
    """(H, W, 3): a map of any size over the greyed photograph; see `heat` and `upsample`."""
    large = upsample(values, np.shape(image)[:2], smooth)
    return blend(grey(image), heat(large, low, high, alpha, follow, colours))


# --- labels ----------------------------------------------------------------------------------------------------------


def hatch(rgb: Any, where: Any, alpha: float = 0.6) -> RGBImage:
    """The image with the pixels of a (H, W) mask in hatched grey: "unknown"."""
    result = np.asarray(rgb, dtype=np.uint8).copy()
    height, width = result.shape[:2]
    period = 2 * max(3, min(height, width) // 64)
    lines = np.add.outer(np.arange(height), np.arange(width)) % period < period // 2
    mask = np.asarray(where, dtype=bool)
    for pixels, shade in ((mask & lines, 90), (mask & ~lines, 200)):
        result[pixels] = np.rint(result[pixels] * (1 - alpha) + shade * alpha).astype(np.uint8)
    return result


def edges(label: Any) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(H, W) masks of the two sides of every border: pixels before it (row-major), and pixels after it."""
    label = np.asarray(label)
    before = np.zeros(label.shape, dtype=bool)
    after = np.zeros(label.shape, dtype=bool)
    rows, cols = label[1:] != label[:-1], label[:, 1:] != label[:, :-1]
    before[:-1] |= rows
    before[:, :-1] |= cols
    after[1:] |= rows
    after[:, 1:] |= cols
    return before, after & ~before


def outline(rgb: Any, label: Any) -> RGBImage:
    """The image with every border of a label map as a white line beside a black one: visible on any colour."""
    result = np.asarray(rgb, dtype=np.uint8).copy()
    light, dark = edges(label)
    result[light] = 255
    result[dark] = 0
    return result


def label_image(label: Any, palette: Sequence[Colour]) -> RGBImage:
    """(H, W) labels -> (H, W, 3) in the palette, with outlines; 255 is hatched grey.

    Raises: ValueError: for a label without a colour.
    """
    return outline(tint(None, label, palette, alpha=1.0), label)


def tint(image: Any, label: Any, palette: Sequence[Colour], alpha: float = 0.6, ground: bool = True) -> RGBImage:
    """(H, W, 3): the greyed photograph (None: nothing) under the colours of a label map; 255 is hatched grey.

    Args:
        ground: the colour of label 0 is laid over the photograph too; False leaves it as it is.
    Raises: ValueError: for a label without a colour.
    """
    numbers = np.asarray(label).astype(np.int64)
    known = numbers != IGNORE
    if known.any() and (numbers[known].max() >= len(palette) or numbers.min() < 0):
        raise ValueError(f"label {numbers[known].max()} has no colour; expected 0 to {len(palette) - 1} or {IGNORE}.")
    colours = np.array([*palette, UNCERTAIN], dtype=np.float32)[np.where(known, numbers, len(palette))]
    base = np.zeros_like(colours) if image is None else grey(image).astype(np.float32)
    opacity = np.where((numbers == 0) & (not ground), 0.0, alpha)[..., None]
    rgb = np.rint(base * (1 - opacity) + colours * opacity).astype(np.uint8)
    return hatch(rgb, ~known)


# --- the scale -------------------------------------------------------------------------------------------------------


def colour_bar(
    low: float,
    high: float,
    title: str = "",
    width: int = 256,
    height: int = 44,
    colours: str = MAGNITUDE,
    ink: Colour = (32, 32, 32),
    paper: Colour = (255, 255, 255),
) -> RGBImage:
    """(height, width, 3): the colours from `low` to `high` with the numbers under them and a title above."""
    size = max(9, height // 4)
    sheet = Image.new("RGB", (width, height), paper)
    draw = ImageDraw.Draw(sheet)
    letters = font(size)
    top = size + 4 if title else 2
    bottom = max(top + 2, height - size - 5)
    ramp = table(colours)[np.linspace(0, 255, max(2, width - 2)).astype(np.uint8)]
    sheet.paste(Image.fromarray(np.repeat(ramp[None], bottom - top, axis=0)), (1, top))
    draw.rectangle((0, top - 1, width - 1, bottom), outline=ink)
    if title:
        draw.text((0, 0), title, fill=ink, font=letters)
    for share, anchor in ((0.0, "ls"), (0.5, "ms"), (1.0, "rs")):
        text = format_number(low + share * (high - low))
        draw.text((share * (width - 1), height - 2), text, fill=ink, font=letters, anchor=anchor)
    return np.array(sheet)
