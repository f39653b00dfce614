"""Where PAR's neighbours lie and how their values are read: shifted views of one padded copy, by blocks of rows.

No neighbour copies are kept. The work goes by blocks of rows, so small that a block's sums stay in a CPU core's cache
while all n neighbours are added, and that torch runs each addition on the calling thread: over thousands of short
steps, threads that wait for each other at every step are slower than one. Where torch may use several threads, each
of them takes whole blocks.

Symbols: B images, C channels or classes, H x W pixels, n = 8 * len(dilations) neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from afa_viz.scalars import as_int, as_list, preview

Offsets = list[tuple[int, int]]

EPS = 1e-8  # added to a standard deviation: keeps a flat region (sigma = 0) finite

BLOCK_VALUES = 2**15 - 1  # of a block's sums: 128 KiB of float32, below the 2**15 that torch shares out
SHARED_BLOCKS = 8  # fewer are not worth starting threads for


def offset_pairs(dilations: Sequence[int]) -> Offsets:
    """(row, col) of the neighbours: dilation by dilation, each 3 x 3 ring row by row without its centre.

    Raises: ValueError: if there is no dilation or one is not a whole number of at least 1.
    """
    distances = [whole for d in as_list(dilations) or [] if (whole := as_int(d)) is not None and whole >= 1]
    if not distances or len(distances) != len(dilations):
        raise ValueError(f"got dilations {preview(dilations)}; expected one or more whole numbers >= 1.")
    ring = [(row, col) for row in (-1, 0, 1) for col in (-1, 0, 1) if (row, col) != (0, 0)]
    return [(d * row, d * col) for d in distances for row, col in ring]


def max_offset(offsets: Offsets) -> int:
    """Pixels to the farthest neighbour along one axis."""
    return max(row for row, _ in offsets)


def row_blocks(height: int, row_values: int) -> list[tuple[int, int]]:
    """(top, bottom) of consecutive blocks of rows."""
    rows = max(1, BLOCK_VALUES // row_values)
    return [(top, min(top + rows, height)) for top in range(0, height, rows)]


def for_each(blocks: Sequence, work: Callable) -> None:
    """`work(block)` for every block, on as many threads as torch may use here."""
    threads = min(torch.get_num_threads(), len(blocks))
    if threads == 1 or len(blocks) < SHARED_BLOCKS:
        for block in blocks:
            work(block)
        return
    inference = torch.is_inference_mode_enabled()  # a property of each thread

    def work_likewise(block) -> None:
        with torch.inference_mode(inference), torch.no_grad():
            work(block)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work_likewise, blocks))


def shifted_views(padded: Tensor, offsets: Offsets, top: int, bottom: int, farthest: int) -> list[Tensor]:
    """Per offset the view of `padded` that lies over rows [top, bottom) of the image, moved by the offset."""
    width = padded.shape[-1] - 2 * farthest
    return [
        padded[..., farthest + top + row : farthest + bottom + row, farthest + col : farthest + col + width]
        for row, col in offsets
    ]


def new_padded(maps: Tensor, farthest: int) -> Tensor:
    """Room for (B, C, H, W) maps and `farthest` pixels around them."""
    batch, channels, height, width = maps.shape
    return maps.new_empty(batch, channels, height + 2 * farthest, width + 2 * farthest)


def fill_padded(padded: Tensor, maps: Tensor) -> None:
    """Writes `maps` into the middle of `padded` and repeats the edge pixels outwards."""
    height, width = maps.shape[-2:]
    farthest = (padded.shape[-1] - width) // 2
    for top, bottom in row_blocks(height, padded[:, :, 0].numel()):
        rows = padded[:, :, farthest + top : farthest + bottom]
        rows[..., farthest : farthest + width] = maps[:, :, top:bottom]
        rows[..., :farthest] = rows[..., farthest : farthest + 1]
        rows[..., farthest + width :] = rows[..., farthest + width - 1 : farthest + width]
    for row in range(farthest):
        padded[:, :, row] = padded[:, :, farthest]
        padded[:, :, farthest + height + row] = padded[:, :, farthest + height - 1]
