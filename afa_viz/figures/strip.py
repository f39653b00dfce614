"""The pipeline as one image with its two branches, and the change that each step brings on its arrow.

Two branches leave the image: the CAM, and the affinity, which comes from the attention and never reads the CAM. They
meet at the random walk. Two labels leave the CAM: one without the walk, one with it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from afa_viz.figures import colour
from afa_viz.figures.colour import Colour, RGBImage
from afa_viz.figures.maps import Cell
from afa_viz.figures.strip_tiles import StageTile, stage_tiles
from afa_viz.figures.typography import (
    change_sign,
    fitting_font,
    font,
    format_number,
    format_percent,
    scale_to_fit,
    translate_drawable,
)
from afa_viz.trace import Trace

# (row, column) of every stage, and the arrows between them. The CAM's goes two ways: on to R_cam and down to the walk.
PLACES = {
    "image": (0, 0), "cam": (0, 1), "affinity_label": (0, 2), "seg": (0, 4), "target": (0, 5),
    "attention": (1, 0), "affinity": (1, 1), "cam_rw": (1, 2), "cam_par": (1, 3), "regions": (1, 4),
    "pseudo_label": (1, 5),
}  # fmt: skip
ARROWS = (
    ("image", "cam"), ("image", "attention"), ("cam", "affinity_label"), ("cam", "cam_rw"), ("attention", "affinity"),
    ("affinity", "cam_rw"), ("cam_rw", "cam_par"), ("cam_par", "regions"), ("regions", "pseudo_label"),
)  # fmt: skip
ROWS, COLUMNS = 2, 6


@dataclass(frozen=True)
class Theme:
    """Colours of the strip; contrast with the paper is at least 4.5 for all of them."""

    paper: Colour
    ink: Colour
    muted: Colour
    better: Colour
    worse: Colour


COLOURS = "Colours of walk and PAR begin at the 2nd percentile."
CHANGES = (
    "On the arrows: change of the class's IoU in points against what the step starts from, decided by the same rule "
    "over all pixels; the prediction is compared with PAR."
)
LIGHT = Theme((255, 255, 255), (24, 24, 27), (82, 82, 91), (0, 107, 79), (176, 58, 0))
DARK = Theme((20, 22, 26), (240, 240, 242), (170, 172, 180), (64, 200, 160), (255, 146, 84))


def strip(
    trace: Trace,
    label: int | None = None,
    cell: Cell | None = None,
    side: int = 240,
    theme: Theme = LIGHT,
) -> RGBImage:
    """(H', W', 3): image, CAM and affinity label above; attention, affinity, walk, PAR, regions, pseudo label below.

    Where the truth is known it ends the upper row beside the prediction, each stage that decides every pixel carries
    its IoU, and the arrows carry what the step changes, in points.

    Args:
        label, cell: see `stage_tiles`.
        side: longer side of a picture, in pixels.
        theme: LIGHT or DARK.
    """
    return draw(stage_tiles(trace, label, cell), side, theme)


def draw(row: list[StageTile], side: int = 240, theme: Theme = LIGHT) -> RGBImage:
    """Stages as one image; see `strip`."""
    by_stage = {item.stage: item for item in row}
    tiles = {item.stage: scale_to_fit(item.image, side, side) for item in row}
    width, height = tiles[row[0].stage].size
    slot = max(width, 2 * side // 3)  # upright images leave room for the words
    big, small = max(11, side // 14), max(10, side // 17)
    gap = max(40, side // 4)
    head, foot = round(big * 1.9), round(small * 1.45) * (1 + max(len(p.notes) for p in row)) + 6
    margin = gap // 3
    line = head + height + foot + gap // 2
    legend = translate_drawable(f"{CHANGES} {COLOURS}" if any(item.change is not None for item in row) else COLOURS)
    full = COLUMNS * slot + (COLUMNS - 1) * gap + 2 * margin
    sheet = Image.new("RGB", (full, ROWS * line - gap // 2 + 2 * margin + 2 * small), theme.paper)
    pen = ImageDraw.Draw(sheet)

    def corner(stage: str) -> tuple[int, int]:
        """Left and top of a picture."""
        at_row, at_column = PLACES[stage]
        return margin + at_column * (slot + gap), margin + at_row * line + head

    for stage, tile in tiles.items():
        stage_tile, (left, top) = by_stage[stage], corner(stage)
        title = translate_drawable(stage_tile.title)
        letters = fitting_font(title, slot + gap / 6, big, bold=True)
        pen.text((left, top - head / 2), title, theme.ink, letters, "lm")
        sheet.paste(tile, (left, top))
        pen.rectangle((left - 1, top - 1, left + width, top + height), outline=theme.muted)
        _notes(sheet, pen, stage_tile, left, top + height + 4, slot, small, theme)
    for before, after in ARROWS:
        if by_stage[after].left_out:
            continue
        (left, top), (to_left, to_top) = corner(before), corner(after)
        start, end, middle = left + width + gap // 8, to_left - gap // 8, top + height // 2
        if PLACES[before][0] == PLACES[after][0]:
            _arrow(pen, start, end, middle, by_stage[after], small, theme)
        elif PLACES[before][1] == PLACES[after][1]:
            _down(pen, left + width // 2, to_top - head - gap // 2, to_top - head, small, theme)
        else:  # leaves the arrow beside it, and joins the one below
            pen.line((start, middle, start, to_top + height // 2), fill=theme.muted, width=max(2, small // 6))
    pen.text((margin, sheet.height - margin), legend, theme.muted, fitting_font(legend, full - 2 * margin, small), "ls")
    return np.array(sheet)


def _notes(
    sheet: Image.Image,
    pen: ImageDraw.ImageDraw,
    stage_tile: StageTile,
    left: int,
    top: int,
    width: int,
    size: int,
    theme: Theme,
) -> None:
    """The colour scale, if there is one, and the lines of text."""
    step = round(size * 1.45)
    if stage_tile.limits is not None:
        low, high = (format_number(value) for value in stage_tile.limits)
        letters = font(size)
        start = left + round(letters.getlength(low)) + 6
        end = left + width - round(letters.getlength(high)) - 6
        if end > start + 8:
            ramp = colour.table(colour.MAGNITUDE)[np.linspace(0, 255, end - start).astype(np.uint8)]
            thick = max(4, size // 2)
            sheet.paste(Image.fromarray(np.repeat(ramp[None], thick, axis=0)), (start, top + step // 2 - thick // 2))
        pen.text((left, top + step / 2), low, theme.muted, letters, "lm")
        pen.text((left + width, top + step / 2), high, theme.muted, letters, "rm")
        top += step
    for i, note in enumerate(map(translate_drawable, stage_tile.notes)):
        strong = i == 0 and stage_tile.scored
        letters = fitting_font(note, width, size, bold=strong)
        ink = theme.ink if strong else theme.muted
        pen.text((left, top + step * (i + 0.5)), note, ink, letters, "lm")


def _arrow(
    pen: ImageDraw.ImageDraw, start: int, end: int, middle: int, after: StageTile, size: int, theme: Theme
) -> None:
    """An arrow to the right, with the change that its stage brings below it."""
    tip = max(5, size // 2)
    ink = theme.muted
    if after.change is not None:
        ink = {1: theme.better, -1: theme.worse, 0: theme.muted}[change_sign(after.change)]
        text = format_percent(after.change, signed=True)
        letters = fitting_font(text, end - start - 4, size, bold=True)
        pen.text(((start + end) / 2 + 2, middle + tip + size * 0.8), text, ink, letters, "mm")
    pen.line((start, middle, end - tip, middle), fill=ink, width=max(2, size // 6))
    pen.polygon([(end, middle), (end - tip - 2, middle - tip), (end - tip - 2, middle + tip)], fill=ink)


def _down(pen: ImageDraw.ImageDraw, x: int, start: int, end: int, size: int, theme: Theme) -> None:
    """An arrow to the picture below."""
    tip = max(5, size // 2)
    pen.line((x, start, x, end - tip), fill=theme.muted, width=max(2, size // 6))
    pen.polygon([(x, end), (x - tip, end - tip - 2), (x + tip, end - tip - 2)], fill=theme.muted)
