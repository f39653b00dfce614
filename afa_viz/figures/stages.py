"""One image per stage: `Trace` -> (H, W, 3) uint8 at image size.

Maps lie over the greyed photograph: cell maps as visible squares, pixel maps smooth. `label` is 0 for background (where
there is one), 1..C for classes. `cell` is (row, column) on the trace's grid and carries a marker. `limits`
are the numbers at the dark and the bright end of the colours; None takes what the docstring says.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

from afa_viz.figures import colour, maps
from afa_viz.figures.colour import RGBImage
from afa_viz.figures.maps import Cell, Limits
from afa_viz.figures.typography import contact_sheet, draw_labels, format_number, translate_drawable
from afa_viz.ops.affinity import AFFINITY_BLOCKS
from afa_viz.trace import Trace

NAME_SHARE = 0.01  # a class covers at least this share of the image to have its name written into it
NAME_SIDE = 128  # pixels; smaller pictures have no room for names


def _size(trace: Trace) -> tuple[int, int]:
    return int(trace.image.shape[0]), int(trace.image.shape[1])


def _over(trace: Trace, values: Tensor, limits: Limits, smooth: bool) -> RGBImage:
    return colour.overlay(trace.image, values, *limits, smooth=smooth)


def mark_cell(rgb: RGBImage, trace: Trace, cell: Cell) -> RGBImage:
    """A rendering of the whole image, of any size, with a white-in-black frame around a cell."""
    result = rgb.copy()
    top, bottom, left, right = maps.cell_box(rgb.shape[:2], trace.grid, maps.check_cell(trace, cell))
    width = max(1, min(rgb.shape[:2]) // 120)
    for shade, inset in ((0, 0), (255, width)):
        t, b, x, y = top + inset, bottom - inset, left + inset, right - inset
        if b - t < 1 or y - x < 1:
            break
        result[t : t + width, x:y] = result[b - width : b, x:y] = shade
        result[t:b, x : x + width] = result[t:b, y - width : y] = shade
    return result


def image(trace: Trace) -> RGBImage:
    """The photograph as it was explained."""
    return np.asarray(trace.image).copy()


def cam(trace: Trace, label: int, limits: Limits | None = None) -> RGBImage:
    """Class activation map of a class, 0 to 1."""
    return _over(trace, maps.cam(trace, label), limits or (0.0, 1.0), smooth=True)


def attention(
    trace: Trace, block: int, head: int | None, cell: Cell, limits: Limits | None = None, marker: bool = True
) -> RGBImage:
    """Softmaxed attention of one query cell, 0 to its largest value; `head` None is the mean of the heads.

    Blocks of the finer stages: mean over the queries in the cell; keys are as coarse as the network made them.
    """
    values = maps.attention(trace, block, head, cell)
    rgb = _over(trace, maps.on_query_grid(trace, block, values), limits or (0.0, float(values.max())), smooth=False)
    return mark_cell(rgb, trace, cell) if marker else rgb


def affinity(trace: Trace, cell: Cell, limits: Limits | None = None) -> RGBImage:
    """Affinity of one cell to all others, 0 to 1."""
    return mark_cell(_over(trace, maps.affinity(trace, cell), limits or (0.0, 1.0), smooth=False), trace, cell)


def raw_affinity(trace: Trace, cell: Cell, symmetric: bool = False, limits: Limits | None = None) -> RGBImage:
    """Mean attention logit of the last two blocks, smallest to largest: what the affinity is learned from."""
    values = maps.raw_affinity(trace, cell, symmetric)
    limits = limits or (float(values.min()), float(values.max()))
    return mark_cell(_over(trace, values, limits, smooth=False), trace, cell)


def cam_rw(trace: Trace, label: int, high: bool = False, limits: Limits | None = None) -> RGBImage:
    """Scores of a label after the random walk, on cells; `limits`: `maps.shared_colour_limits`."""
    scores = trace.cam_rw_high if high else trace.cam_rw
    values = maps.cam_rw(trace, label, high)
    return _over(trace, values, limits or maps.shared_colour_limits(trace, scores), smooth=False)


def cam_par(trace: Trace, label: int, high: bool = False, limits: Limits | None = None) -> RGBImage:
    """Scores of a label after PAR; `limits`: `maps.shared_colour_limits`."""
    scores = trace.cam_par_high if high else trace.cam_par
    values = maps.cam_par(trace, label, high)
    return _over(trace, values, limits or maps.shared_colour_limits(trace, scores), smooth=True)


def regions(trace: Trace, alpha: float = 0.6) -> RGBImage:
    """Reliable foreground orange, reliable background blue, uncertain hatched grey, over the photograph."""
    numbers = np.where(np.asarray(trace.regions) == 2, colour.IGNORE, np.asarray(trace.regions))
    return colour.tint(trace.image, numbers, (colour.BACKGROUND, colour.FOREGROUND), alpha)


def labels_over_image(trace: Trace, label: Any, names: bool = True, alpha: float = 0.65) -> RGBImage:
    """(H, W) labels in the palette over the photograph: outlined, named if there is room, 255 hatched grey."""
    numbers = np.asarray(label)
    rgb = colour.tint(trace.image, numbers, trace.palette, alpha, ground=False)
    rgb = colour.outline(rgb, numbers)
    if not names or min(numbers.shape) < NAME_SIDE:
        return rgb
    texts = []
    for found in np.unique(numbers):
        where = numbers == found
        if 0 < found < len(trace.class_names) and where.mean() >= NAME_SHARE:
            texts.append((translate_drawable(trace.class_names[found]), _inner_point(where)))
    return draw_labels(rgb, texts, max(11, min(numbers.shape) // 16))


def _inner_point(where: np.ndarray) -> tuple[int, int]:
    """A pixel of the mask with much of the mask around it."""
    side = max(1, min(where.shape) // 8)
    sums = np.pad(where.astype(np.int64), ((side + 1, side), (side + 1, side))).cumsum(axis=0).cumsum(axis=1)
    step = 2 * side + 1
    around = sums[step:, step:] - sums[:-step, step:] - sums[step:, :-step] + sums[:-step, :-step]
    best = np.flatnonzero((np.where(where, around, -1) == np.where(where, around, -1).max()).ravel())
    row, col = divmod(int(best[len(best) // 2]), where.shape[1])
    return row, col


def affinity_label(trace: Trace, names: bool = True) -> RGBImage:
    """The affinity label over the photograph; uncertain pixels hatched grey."""
    return labels_over_image(trace, trace.affinity_label, names)


def pseudo_label(trace: Trace, names: bool = True) -> RGBImage:
    """The pseudo label over the photograph; uncertain pixels hatched grey."""
    return labels_over_image(trace, trace.pseudo_label, names)


def seg(trace: Trace, names: bool = True) -> RGBImage:
    """The decoder's prediction over the photograph. Raises: ValueError: if the method has no decoder."""
    trace.parts.require("decoder")
    return labels_over_image(trace, trace.seg, names)


def target(trace: Trace, names: bool = True) -> RGBImage:
    """The ground truth over the photograph; ignored pixels hatched grey.

    Raises: ValueError: if the trace has none.
    """
    if trace.target is None:
        raise ValueError("this trace has no ground truth; explain the image with target= to keep it.")
    return labels_over_image(trace, trace.target, names)


def head_grid(
    trace: Trace,
    block: int,
    cell: Cell,
    columns: int = 4,
    tile: int = 160,
    shared: bool = False,
    ink: colour.Colour = (32, 32, 32),
    paper: colour.Colour = (255, 255, 255),
) -> RGBImage:
    """Contact sheet of the attention of every head of a block for one query cell.

    Captions count heads from 1 and give the brightest value; heads that the affinity reads also give their weight.

    Args:
        tile: longer side of one picture, in pixels.
        shared: one colour scale for all heads; False: each head from 0 to its own largest value.
    """
    block = maps.check_block(trace, block)
    heads = trace.logits(block).shape[0]
    peaks = [float(maps.attention(trace, block, head, cell).max()) for head in range(heads)]
    tops = [max(peaks)] * heads if shared else peaks
    images = [attention(trace, block, head, cell, (0.0, top)) for head, top in enumerate(tops)]
    return contact_sheet(images, head_captions(trace, block, cell), columns, tile, ink, paper)


def head_captions(trace: Trace, block: int, cell: Cell) -> list[str]:
    """One line per head: its number from 1, the largest attention of the cell, its weight if the affinity reads it."""
    block = maps.check_block(trace, block)
    heads = trace.logits(block).shape[0]
    peaks = [float(maps.attention(trace, block, head, cell).max()) for head in range(heads)]
    captions = [f"head {head + 1} · max {format_number(peak)}" for head, peak in enumerate(peaks)]
    of_affinity = block - (len(trace.attn_logits) - AFFINITY_BLOCKS)
    if of_affinity >= 0 and trace.affinity_weight is not None:
        weights = maps.head_weights(trace)[of_affinity]
        captions = [f"{text} · w {format_number(float(w))}" for text, w in zip(captions, weights, strict=True)]
    return captions


def lacking(trace: Trace) -> RGBImage:
    """What stands in the place of a stage that the method lacks: even grey."""
    return np.full((*_size(trace), 3), 228, np.uint8)


# --- between two stages ----------------------------------------------------------------------------------------------


def difference(before: Any, after: Any, limit: float | None = None) -> RGBImage:
    """after - before of two score maps of one size: red is more, blue is less, white the same.

    Args:
        limit: the difference at full colour; None: the largest one.
    """
    return colour.difference(np.asarray(after, np.float32) - np.asarray(before, np.float32), limit)


GAINED: colour.Colour = (0x00, 0x9E, 0x73)  # Okabe and Ito's green and vermilion
LOST: colour.Colour = (0xD5, 0x5E, 0x00)
CHANGED: colour.Colour = (0xCC, 0x79, 0xA7)


def label_change(trace: Trace, before: Any, after: Any) -> RGBImage:
    """Where two (H, W) labels differ, over the photograph.

    With a known truth green was gained (right only after) and vermilion lost (right only before); what is wrong both
    times, or has no known truth, is pink.
    """
    before, after = np.asarray(before), np.asarray(after)
    kind = np.where(before != after, 3, 0)
    if trace.target is not None:
        truth = np.asarray(trace.target)
        kind[(before != after) & (after == truth)] = 1
        kind[(before != after) & (before == truth)] = 2
        kind[(before != after) & (truth == colour.IGNORE)] = 3
    return colour.tint(trace.image, kind, ((0, 0, 0), GAINED, LOST, CHANGED), alpha=0.8, ground=False)
