"""The pipeline as one picture: a row of stages from the image to the prediction, with what each arrow changed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from afa_viz.figures import colour, maps, stages
from afa_viz.figures.colour import Colour, Picture
from afa_viz.figures.lettering import fit, fitting, font, number, percent
from afa_viz.figures.maps import Cell, Limits
from afa_viz.stage_scores import StageScore, region_shares, stage_scores
from afa_viz.trace import Trace


@dataclass(frozen=True)
class Panel:
    """One stage of the strip.

    stage: its word. title: above the picture. limits: of its colours, None where colours are no numbers. notes: lines
    under it. change: of the class's IoU against the scored stage before, None where there is none. scored: the first
    note is an IoU.
    """

    stage: str
    title: str
    picture: Picture
    limits: Limits | None = None
    notes: tuple[str, ...] = ()
    change: float | None = None
    scored: bool = False


@dataclass(frozen=True)
class Theme:
    """Colours of the strip; contrast with the paper is at least 4.5 for all of them."""

    paper: Colour
    ink: Colour
    quiet: Colour
    better: Colour
    worse: Colour


COLOURS = "Colours of walk and PAR begin at the 2nd percentile."
ARROWS = "On the arrows: change of the class's IoU in points; the prediction is compared with PAR."
LIGHT = Theme((255, 255, 255), (24, 24, 27), (82, 82, 91), (0, 107, 79), (176, 58, 0))
DARK = Theme((20, 22, 26), (240, 240, 242), (170, 172, 180), (64, 200, 160), (255, 146, 84))


def panels(trace: Trace, label: int | None = None, cell: Cell | None = None) -> list[Panel]:
    """The stages in pipeline order for one class and one query cell.

    Args:
        label: class 1..C; None: the main one. cell: query of attention and affinity; None: the strongest CAM cell.
    """
    label = maps.main_label(trace) if label is None else maps.check_label(trace, label)
    cell = maps.strongest_cell(trace, label) if cell is None else maps.check_cell(trace, cell)
    name = trace.class_names[label]
    scores = stage_scores(trace)
    heads = trace.attn_logits[-1].shape[0]
    peak = float(maps.attention(trace, -1, None, cell).max())
    shares = region_shares(trace.pseudo_label)
    areas = (
        f"fg {shares['foreground']:.0%}, bg {shares['background']:.0%}".replace("%", " %"),
        f"uncertain {shares['uncertain']:.0%}".replace("%", " %"),
    )
    names = ", ".join(trace.class_names[i] for i in trace.present) or "no class"
    where = f"row {cell[0] + 1}, column {cell[1] + 1}"
    walk = (
        f"{trace.config.num_steps} step{'s' * (trace.config.num_steps != 1)}" if trace.config.use_walk else "left out"
    )
    par = f"{trace.config.num_iters} iterations" if trace.config.use_par else "left out"
    row = [
        Panel("image", "image", stages.image(trace), notes=("image labels:", names)),
        _scored("cam", f"CAM: {name}", stages.cam(trace, label), (0.0, 1.0), scores, label, name),
        Panel(
            "attention",
            "attention",
            stages.attention(trace, -1, None, cell),
            (0.0, peak),
            (f"from {where},", f"last block, mean of {heads} heads"),
        ),
        Panel("affinity", "learned affinity", stages.affinity(trace, cell), (0.0, 1.0), (f"to {where}",)),
        _scored(
            "cam_rw", f"random walk, {walk}", stages.cam_rw(trace, label),
            maps.shared_colour_limits(trace, trace.cam_rw), scores, label, name, "cam",
        ),
        _scored(
            "cam_par", f"PAR, {par}", stages.cam_par(trace, label),
            maps.shared_colour_limits(trace, trace.cam_par), scores, label, name, "cam_rw",
        ),
        Panel("regions", "regions", stages.regions(trace), notes=areas),
        _scored("pseudo_label", "pseudo label", stages.pseudo_label(trace), None, scores, label, name),
        _scored("seg", "prediction", stages.seg(trace), None, scores, label, name, "cam_par"),
    ]  # fmt: skip
    if trace.target is not None:
        row.append(Panel("target", "truth", stages.target(trace)))
    return row


def _scored(
    stage: str,
    title: str,
    picture: Picture,
    limits: Limits | None,
    scores: dict[str, StageScore] | None,
    label: int,
    name: str,
    before: str | None = None,
) -> Panel:
    """A panel with its IoU, and the change against the stage before that decides every pixel."""
    if scores is None:
        return Panel(stage, title, picture, limits)
    score = scores[stage]
    iou = score["iou"].get(label)
    notes = [f"{name} IoU {percent(iou)}", f"mIoU {percent(score['miou'])}"]
    if score["coverage"] < 1:
        notes.append(f"of the decided {percent(score['coverage'])}")
    old = None if before is None else scores[before]["iou"].get(label)
    change = None if iou is None or old is None else iou - old
    return Panel(stage, title, picture, limits, tuple(notes), change, scored=True)


def strip(
    trace: Trace,
    label: int | None = None,
    cell: Cell | None = None,
    columns: int | None = None,
    side: int = 240,
    theme: Theme = LIGHT,
) -> Picture:
    """(H', W', 3): image, CAM, attention, affinity, random walk, PAR, regions, pseudo label, prediction; with arrows.

    Where the truth is known it ends the row, each scored stage carries its IoU, and the arrows carry the change of
    the class's IoU in points; the prediction is compared with PAR.

    Args:
        label, cell: see `panels`.
        columns: pictures a row; None: all in one.
        side: longer side of a picture, in pixels.
        theme: LIGHT or DARK.
    """
    return draw(panels(trace, label, cell), columns, side, theme)


def draw(row: list[Panel], columns: int | None = None, side: int = 240, theme: Theme = LIGHT) -> Picture:
    """Panels as one picture; see `strip`."""
    columns = min(columns or len(row), len(row))
    tiles = [fit(panel.picture, side, side) for panel in row]
    width, height = tiles[0].size
    slot = max(width, 2 * side // 3)  # upright images leave room for the words
    big, small = max(11, side // 14), max(10, side // 17)
    gap = max(30, side // 5)
    head, foot = round(big * 1.9), round(small * 1.45) * (1 + max(len(p.notes) for p in row)) + 6
    margin = gap // 3
    rows = -(-len(row) // columns)
    line = head + height + foot + margin
    legend = f"{ARROWS} {COLOURS}" if any(panel.change is not None for panel in row) else COLOURS
    full = columns * (slot + gap) + 2 * margin - (gap if rows == 1 else 0)
    sheet = Image.new("RGB", (full, rows * line + margin + 2 * small), theme.paper)
    pen = ImageDraw.Draw(sheet)
    for i, (panel, tile) in enumerate(zip(row, tiles, strict=True)):
        left, top = margin + (i % columns) * (slot + gap), margin + (i // columns) * line
        letters = fitting(panel.title, slot + gap / 2, big, bold=True)
        pen.text((left, top + head / 2), panel.title, theme.ink, letters, "lm")
        sheet.paste(tile, (left, top + head))
        pen.rectangle((left - 1, top + head - 1, left + width, top + head + height), outline=theme.quiet)
        _notes(sheet, pen, panel, left, top + head + height + 4, slot, small, theme)
        if i + 1 < len(row) and row[i + 1].stage != "target":
            _arrow(pen, left + width, gap + slot - width, top + head + height // 2, row[i + 1], small, theme)
    pen.text((margin, sheet.height - margin), legend, theme.quiet, fitting(legend, full - margin, small), "ls")
    return np.array(sheet)


def _notes(
    sheet: Image.Image,
    pen: ImageDraw.ImageDraw,
    panel: Panel,
    left: int,
    top: int,
    width: int,
    size: int,
    theme: Theme,
) -> None:
    """The colour scale, if there is one, and the lines of text."""
    step = round(size * 1.45)
    if panel.limits is not None:
        low, high = (number(value) for value in panel.limits)
        letters = font(size)
        start = left + round(letters.getlength(low)) + 6
        end = left + width - round(letters.getlength(high)) - 6
        if end > start + 8:
            ramp = colour.table(colour.MAGNITUDE)[np.linspace(0, 255, end - start).astype(np.uint8)]
            thick = max(4, size // 2)
            sheet.paste(Image.fromarray(np.repeat(ramp[None], thick, axis=0)), (start, top + step // 2 - thick // 2))
        pen.text((left, top + step / 2), low, theme.quiet, letters, "lm")
        pen.text((left + width, top + step / 2), high, theme.quiet, letters, "rm")
        top += step
    for i, note in enumerate(panel.notes):
        strong = i == 0 and panel.scored
        letters = fitting(note, width + size, size, bold=strong)
        ink = theme.ink if strong else theme.quiet
        pen.text((left, top + step * (i + 0.5)), note, ink, letters, "lm")


def _arrow(pen: ImageDraw.ImageDraw, left: int, gap: int, middle: int, after: Panel, size: int, theme: Theme) -> None:
    """An arrow in the gap right of a picture, with the change that the next stage brings above it."""
    start, end, tip = left + gap // 6, left + gap - gap // 6, max(5, size // 2)
    ink = theme.quiet
    if after.change is not None:
        ink = theme.better if after.change > 0 else theme.worse if after.change < 0 else theme.quiet
        text = percent(after.change, signed=True)
        letters = fitting(text, gap - 2, size, bold=True)
        pen.text(((start + end) / 2, middle - tip - size * 0.8), text, ink, letters, "mm")
    pen.line((start, middle, end - tip, middle), fill=ink, width=max(2, size // 6))
    pen.polygon([(end, middle), (end - tip - 2, middle - tip), (end - tip - 2, middle + tip)], fill=ink)
