"""COCO's outlines as masks: polygons and run lengths, pixel by pixel as COCO's own tools draw them.

Source: the COCO annotation format (Lin et al. 2014); pycocotools is the oracle of the tests.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

UPSAMPLED = 5  # steps a pixel in which COCO follows an outline


def polygon_mask(points: Sequence[float], height: int, width: int) -> np.ndarray:
    """(height, width) bool: the inside of a polygon x1, y1, x2, y2, …; what lies outside the image is cut off.

    A column of the mask turns over wherever the outline crosses the middle of that column.
    """
    corners = np.trunc(np.asarray(points, np.float64).reshape(-1, 2) * UPSAMPLED + 0.5).astype(np.int64)
    edges = [_edge(start, end) for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True)]
    x, y = np.concatenate(edges, axis=1)
    moved = np.flatnonzero(x[1:] != x[:-1])
    before, after = moved, moved + 1
    crossed = np.where(x[after] < x[before], x[after], x[after] - 1)
    column = (crossed + 0.5) / UPSAMPLED - 0.5
    inside = (column == np.floor(column)) & (column >= 0) & (column <= width - 1)
    lower = np.minimum(y[after], y[before])[inside]
    row = np.ceil(np.clip((lower + 0.5) / UPSAMPLED - 0.5, 0, height)).astype(np.int64)
    turns = np.bincount(column[inside].astype(np.int64) * height + row, minlength=height * width + 1)
    filled = np.cumsum(turns)[: height * width] % 2 == 1
    return filled.reshape(width, height).T


def _edge(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """(2, steps) points of a line, one a step of its longer side, computed from its lower end whichever way it goes."""
    length = np.abs(end - start)
    axis = 0 if length[0] >= length[1] else 1
    turned = start[axis] > end[axis]
    low, high = (end, start) if turned else (start, end)
    steps = np.arange(length[axis] + 1)
    slope = (high[1 - axis] - low[1 - axis]) / length[axis] if length[axis] else 0.0
    line = np.empty((2, len(steps)), np.int64)
    line[axis] = low[axis] + steps
    line[1 - axis] = np.trunc(low[1 - axis] + slope * steps + 0.5).astype(np.int64)
    return line[:, ::-1] if turned else line


def run_mask(counts: Sequence[int], height: int, width: int) -> np.ndarray:
    """(height, width) bool from run lengths down the columns, zeros first. Raises: ValueError: if they do not fit."""
    runs = np.asarray(counts, np.int64)
    if runs.ndim != 1 or (runs < 0).any() or runs.sum() != height * width:
        raise ValueError(f"the run lengths cover {runs.sum()} pixels; expected {height} x {width}.")
    return np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(width, height).T


def decode_runs(text: str) -> list[int]:
    """Run lengths out of COCO's text form. Raises: ValueError: for a text that is none."""
    counts: list[int] = []
    value = shift = 0
    for letter in text:
        code = ord(letter) - 48
        if not 0 <= code < 64:
            raise ValueError(f"the run lengths hold {letter!r}; expected COCO's letters.")
        value |= (code & 0x1F) << shift
        shift += 5
        if not code & 0x20:
            if code & 0x10:
                value -= 1 << shift
            counts.append(value + (counts[-2] if len(counts) > 2 else 0))
            value = shift = 0
    if shift:
        raise ValueError("the run lengths end in the middle of a number; expected whole ones.")
    return counts
