"""PAR's iterations on a CPU, scores <- sum_n kernel_n scores_n, in one of two forms that give the same sums.

Shifts: the maps as planes, padded; each of the n shifted views times its weights is added to the sums. Fastest for few
maps, and on every CPU but x86.
Bags: the maps with a pixel's values side by side, padded; each pixel is a bag of n such rows with weights, which
`embedding_bag` sums with vector instructions over the maps. A row costs about the same for 1 to 16 maps.

Symbols: B images, C maps (classes), H x W pixels, n neighbours.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from afa_viz.ops.par_fast import neighbours as near
from afa_viz.ops.par_fast.neighbours import Offsets

BAG_MAPS = 6  # from about this many maps on bags are faster: bench par --classes 4 6 8
BAG_ROWS = 2**19  # rows of the table that one call of embedding_bag reads: 2 MiB of indices


def uses_bags(like: Tensor, num_maps: int) -> bool:
    """Whether the iterations over so many maps go by bags: float32, many maps, a CPU for which torch has the kernels
    (x86)."""
    vectors = torch.backends.cpu.get_cpu_capability().startswith(("AVX2", "AVX512"))
    return vectors and like.device.type == "cpu" and like.dtype == torch.float32 and num_maps >= BAG_MAPS


@torch.no_grad()
def by_shifts(maps: Tensor, kernel: Tensor, offsets: Offsets, num_iters: int) -> Iterator[Tensor]:
    """Yields the maps after 0, 1, …, `num_iters` iterations, every time in the same memory, a copy of `maps`."""
    maps = maps.clone(memory_format=torch.contiguous_format)
    batch, channels, height, width = maps.shape
    farthest = near.max_offset(offsets)
    padded = near.new_padded(maps, farthest)
    weights = kernel.unsqueeze(2)
    blocks = []  # all views: every iteration reads `padded` and writes `maps` through them
    for top, bottom in near.row_blocks(height, batch * channels * width):
        neighbours = near.shifted_views(padded, offsets, top, bottom, farthest)
        blocks.append((maps[:, :, top:bottom], neighbours, weights[..., top:bottom, :].unbind(1)))

    def work(block: tuple[Tensor, list[Tensor], tuple[Tensor, ...]]) -> None:
        sums, neighbours, factors = block
        torch.mul(neighbours[0], factors[0], out=sums)
        torch._foreach_addcmul_([sums] * (len(offsets) - 1), neighbours[1:], factors[1:])  # one after the other

    yield maps
    for _ in range(num_iters):
        near.fill_padded(padded, maps)
        near.for_each(blocks, work)
        yield maps


@torch.no_grad()
def by_bags(maps: Tensor, kernel: Tensor, offsets: Offsets, num_iters: int) -> Iterator[Tensor]:
    """Yields the maps after 0, 1, …, `num_iters` iterations as views of memory that the next one writes to.

    Args:
        maps: (B, C, H, W), float32, on the CPU.
        kernel: (B, n, H, W); not copied if the n weights of a pixel lie side by side.
    """
    batch, channels, height, width = maps.shape
    n, farthest = len(offsets), near.max_offset(offsets)
    wide = width + 2 * farthest
    weights = kernel.permute(0, 2, 3, 1).contiguous()
    tables = [maps.new_empty(batch, height + 2 * farthest, wide, channels) for _ in range(2)]
    inside = [table[:, farthest : farthest + height, farthest : farthest + width] for table in tables]
    inside[0].copy_(maps.permute(0, 2, 3, 1))
    yield inside[0].permute(0, 3, 1, 2)

    # Rows of the table, counted from the first one that a block of image rows reaches: the same for every block.
    rows = max(1, BAG_ROWS // (width * n))
    corner = torch.arange(rows)[:, None] * wide + torch.arange(width)
    shift = torch.tensor([(farthest + row) * wide + farthest + col for row, col in offsets])
    bags = (corner[..., None] + shift).view(-1, n).int()
    for i in range(num_iters):
        old, new = tables[i % 2], inside[1 - i % 2]
        _repeat_edges(old, farthest)
        for table, factors, target in zip(old, weights, new, strict=True):
            for top in range(0, height, rows):
                bottom = min(top + rows, height)
                count = (bottom - top) * width
                reached = table[top : bottom + 2 * farthest].view(-1, channels)
                sums = F.embedding_bag(
                    bags[:count], reached, mode="sum", per_sample_weights=factors[top:bottom].view(count, n)
                )
                target[top:bottom] = sums.view(-1, width, channels)
        yield new.permute(0, 3, 1, 2)


def _repeat_edges(table: Tensor, farthest: int) -> None:
    """Repeats the edge pixels of the image inside (B, H + 2 farthest, W + 2 farthest, C) outwards."""
    table[:, :, :farthest] = table[:, :, farthest : farthest + 1]
    table[:, :, -farthest:] = table[:, :, -farthest - 1 : -farthest]
    table[:, :farthest] = table[:, farthest : farthest + 1]
    table[:, -farthest:] = table[:, -farthest - 1 : -farthest]
