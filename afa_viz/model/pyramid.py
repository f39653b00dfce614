"""What both backbone families share: four stages of transformer blocks and three forward passes through them.

All passes give the same features; they differ in what is kept of the attention: nothing (`forward`), every map
(`forward_attention`), or queries and keys of the last two blocks (`forward_query_key`, for the affinity).

Symbols: B batch, D channels, h w cells of a stage, N = h * w queries, M keys (fewer than N where keys are reduced),
d width of a head.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from afa_viz.model.interface import BlockAttention, Grid
from afa_viz.ops.affinity import AFFINITY_BLOCKS
from afa_viz.ops.checks import is_exporting


@dataclass(frozen=True)
class QueryKey:
    """Queries and keys of one block of the last stage: each (B, heads, N, d)."""

    query: Tensor
    key: Tensor


def query_key_value(attn: Any, tokens: Tensor, grid: Grid) -> tuple[Tensor, Tensor, Tensor, Grid]:
    """Queries, keys and values of one attention layer and the grid of its keys.

    Args:
        attn: a layer with `num_heads`, `q`, `kv` and, where the keys are reduced, `sr` and `norm`.
        tokens: (B, N, D), normalised.
        grid: of the tokens.
    Returns: (B, heads, N, d), (B, heads, M, d), (B, heads, M, d), key grid.
    """

    def split(values: Tensor) -> Tensor:
        return values.unflatten(-1, (attn.num_heads, -1)).transpose(1, 2)

    source, key_grid = tokens, grid
    reduce = getattr(attn, "sr", None)
    if reduce is not None:
        maps = as_maps(tokens, grid)
        # A map smaller than the kernel would vanish: extend it to one cell (images under 29 pixels).
        kernel = reduce.kernel_size
        missing = (torch.sym_max(0, kernel[0] - grid[0]), torch.sym_max(0, kernel[1] - grid[1]))
        if is_exporting() or any(missing):  # an exported network takes both
            maps = F.pad(maps, (0, missing[1], 0, missing[0]))
        maps = reduce(maps)
        key_grid = (maps.shape[-2], maps.shape[-1])
        source = attn.norm(maps.flatten(2).transpose(1, 2))
    key, value = attn.kv(source).chunk(2, dim=-1)
    return split(attn.q(tokens)), split(key), split(value), key_grid


def reduction_of(attn: Any) -> int:
    """Cells that a key of an attention layer spans along each side."""
    reduce = getattr(attn, "sr", None)
    return 1 if reduce is None else reduce.stride[0]


def as_maps(tokens: Tensor, grid: Grid) -> Tensor:
    """(B, N, D) -> (B, D, h, w), a view with the channels last in memory.

    `transpose` and `unflatten` would do the same, but leave a single image with a stride by which torch no longer sees
    that its channels come last: its convolutions then use the channels-first kernels, up to five times slower.
    """
    return tokens.unflatten(1, grid).permute(0, 3, 1, 2)


def _attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """softmax(q k^T / sqrt(d)) v without keeping the maps.

    Under autocast on a CPU in float32 all the same: the half-precision kernel's backward pass is four times slower.
    """
    if query.device.type == "cpu" and torch.is_autocast_enabled("cpu"):
        with torch.autocast("cpu", enabled=False):
            return F.scaled_dot_product_attention(query.float(), key.float(), value.float())
    return F.scaled_dot_product_attention(query, key, value)


def merge_heads(heads: Tensor) -> Tensor:
    """(B, heads, N, d) -> (B, N, D)."""
    return heads.transpose(1, 2).flatten(2)


class PyramidEncoder(nn.Module):
    """Base of the encoders. A subclass defines the patch embeddings, its blocks and the second half of a block.

    Attributes:
        widths, depths: channels and blocks of the four stages.
        last_heads: heads of each block of the last stage.
        strides: of the four stages, each against the one before.
    """

    widths: tuple[int, ...]
    depths: tuple[int, ...]
    last_heads: int
    strides: tuple[int, int, int, int] = (4, 2, 2, 1)

    def stage(self, i: int) -> tuple[nn.ModuleList, nn.Module]:
        """Blocks and final norm of stage i in 0..3."""
        raise TypeError(f"{type(self).__name__} must define stage()")

    def embed(self, i: int, maps: Tensor) -> tuple[Tensor, Grid]:
        """Map of the stage before (or the image) -> tokens (B, N, D) of stage i and their grid."""
        raise TypeError(f"{type(self).__name__} must define embed()")

    def finish_block(self, block: Any, tokens: Tensor, attended: Tensor, grid: Grid) -> Tensor:
        """Tokens after both residual branches, given the merged and not yet projected attention output."""
        raise TypeError(f"{type(self).__name__} must define finish_block()")

    def _run_stages(self, image: Tensor, run_block: Callable[..., Tensor]) -> Iterator[Tensor]:
        maps = image
        for i in range(4):
            tokens, grid = self.embed(i, maps)
            blocks, norm = self.stage(i)
            for j, block in enumerate(blocks):
                tokens = run_block(i, j, block, tokens, grid)
            maps = as_maps(norm(tokens), grid).contiguous()
            yield maps

    def _run_block(self, block: Any, tokens: Tensor, grid: Grid) -> tuple[Tensor, Tensor, Tensor]:
        query, key, value, _ = query_key_value(block.attn, block.norm1(tokens), grid)
        attended = merge_heads(_attention(query, key, value))
        return self.finish_block(block, tokens, attended, grid), query, key

    def forward(self, image: Tensor) -> list[Tensor]:
        """(B, 3, H, W) normalised -> four maps (B, D, h, w) at strides 4, 8, 16, 16 (ceil divisions)."""
        return list(self._run_stages(image, lambda i, j, block, tokens, grid: self._run_block(block, tokens, grid)[0]))

    def forward_attention(self, image: Tensor, first_stage: int = 0) -> tuple[list[Tensor], list[BlockAttention]]:
        """The maps of `forward` and the attention of every block, first to last.

        Args:
            first_stage: 0 to 3; the logits of the stages before it are neither made nor kept.
        """
        attention: list[BlockAttention] = []

        def run_block(i: int, j: int, block: Any, tokens: Tensor, grid: Grid) -> Tensor:
            query, key, value, key_grid = query_key_value(block.attn, block.norm1(tokens), grid)
            logits = query @ key.transpose(-1, -2) if i >= first_stage else None
            kept = (query, key) if i == 3 and j >= self.depths[3] - AFFINITY_BLOCKS else ()  # what the affinity reads
            scale, reduction = query.shape[-1] ** -0.5, reduction_of(block.attn)
            attention.append(BlockAttention(logits, grid, key_grid, scale, reduction, *kept))
            # Not from the logits: their softmax would take as much memory again, twice over.
            return self.finish_block(block, tokens, merge_heads(_attention(query, key, value)), grid)

        return list(self._run_stages(image, run_block)), attention

    def attention_shapes(self, height: int, width: int) -> list[tuple[int, int, int, int]]:
        """What `forward_attention` makes of an image of (height, width) pixels: (stage, heads, N, M) of every block."""
        shapes: list[tuple[int, int, int, int]] = []
        grid = (height, width)
        for i, stride in enumerate(self.strides):
            grid = (-(-grid[0] // stride), -(-grid[1] // stride))
            for block in self.stage(i)[0]:
                attn: Any = block.attn
                reduction = reduction_of(attn)
                keys = max(1, grid[0] // reduction) * max(1, grid[1] // reduction)
                shapes.append((i, attn.num_heads, grid[0] * grid[1], keys))
        return shapes

    def forward_query_key(self, image: Tensor) -> tuple[list[Tensor], list[QueryKey]]:
        """The maps of `forward` and the queries and keys of the last two blocks."""
        kept: list[QueryKey] = []

        def run_block(i: int, j: int, block: Any, tokens: Tensor, grid: Grid) -> Tensor:
            tokens, query, key = self._run_block(block, tokens, grid)
            if i == 3 and j >= self.depths[3] - AFFINITY_BLOCKS:
                kept.append(QueryKey(query, key))
            return tokens

        return list(self._run_stages(image, run_block)), kept
