"""Mix Transformer (MiT) B0 to B5: overlapping patches, attention with reduced keys, position from a convolution.

Written from Xie et al. 2021 ("SegFormer") and docs/spec.md section 3; the stages are walked by `pyramid.py`.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from afa_viz.model.drop_path import DropPath
from afa_viz.model.pyramid import Grid, PyramidEncoder, as_maps


class Attention(nn.Module):
    """Weights of multi-head attention whose keys and values may come from a map reduced `reduction` times a side."""

    def __init__(self, dim: int, num_heads: int, reduction: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.q = nn.Linear(dim, dim)
        self.kv = nn.Linear(dim, 2 * dim)
        self.proj = nn.Linear(dim, dim)
        if reduction > 1:
            self.sr = nn.Conv2d(dim, dim, kernel_size=reduction, stride=reduction)
            self.norm = nn.LayerNorm(dim, eps=1e-5)


class DepthwiseConv(nn.Module):
    """3 x 3 depthwise convolution between the two layers of the MLP: the only source of position."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dwconv = nn.Conv2d(dim, dim, kernel_size=3, padding=1, groups=dim)

    def forward(self, tokens: Tensor, grid: Grid) -> Tensor:
        return self.dwconv(as_maps(tokens, grid)).flatten(2).transpose(1, 2)


class Mlp(nn.Module):
    """Linear, depthwise convolution, GELU, linear."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.dwconv = DepthwiseConv(hidden)
        self.fc2 = nn.Linear(hidden, dim)

    def forward(self, tokens: Tensor, grid: Grid) -> Tensor:
        return self.fc2(F.gelu(self.dwconv(self.fc1(tokens), grid)))


class Block(nn.Module):
    """t + attention(norm(t)), then t + mlp(norm(t)); `MixTransformer.finish_block` is its second half."""

    def __init__(self, dim: int, num_heads: int, mlp_ratio: int, reduction: int, drop_path: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=1e-6)
        self.attn = Attention(dim, num_heads, reduction)
        self.drop_path = DropPath(drop_path) if drop_path > 0 else nn.Identity()
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)
        self.mlp = Mlp(dim, dim * mlp_ratio)


class OverlapPatchEmbed(nn.Module):
    """Overlapping convolution, then LayerNorm over channels."""

    def __init__(self, in_channels: int, dim: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(in_channels, dim, kernel, stride, padding=kernel // 2)
        self.norm = nn.LayerNorm(dim, eps=1e-5)

    def forward(self, maps: Tensor) -> tuple[Tensor, Grid]:
        maps = self.proj(maps)
        return self.norm(maps.flatten(2).transpose(1, 2)), (maps.shape[-2], maps.shape[-1])


class MixTransformer(PyramidEncoder):
    """The encoder. State-dict keys are those of the published SegFormer weights.

    Args:
        widths, depths: channels and blocks of the four stages.
        num_heads, reductions, strides: of the four stages.
        mlp_ratio: hidden width of the MLP over the stage width.
        drop_path_rate: stochastic depth of the last block; it rises linearly from 0.
    """

    def __init__(
        self,
        widths: tuple[int, ...] = (64, 128, 320, 512),
        depths: tuple[int, ...] = (2, 2, 2, 2),
        num_heads: tuple[int, ...] = (1, 2, 5, 8),
        reductions: tuple[int, ...] = (8, 4, 2, 1),
        strides: tuple[int, ...] = (4, 2, 2, 1),
        mlp_ratio: int = 4,
        drop_path_rate: float = 0.1,
    ) -> None:
        super().__init__()
        self.widths, self.depths = tuple(widths), tuple(depths)
        self.last_heads = num_heads[-1]
        rates = [drop_path_rate * i / max(1, sum(depths) - 1) for i in range(sum(depths))]
        channels = (3, *widths)
        for i in range(4):
            embed = OverlapPatchEmbed(channels[i], widths[i], kernel=7 if i == 0 else 3, stride=strides[i])
            first = sum(depths[:i])
            blocks = nn.ModuleList(
                Block(widths[i], num_heads[i], mlp_ratio, reductions[i], rates[first + j]) for j in range(depths[i])
            )
            setattr(self, f"patch_embed{i + 1}", embed)
            setattr(self, f"block{i + 1}", blocks)
            setattr(self, f"norm{i + 1}", nn.LayerNorm(widths[i], eps=1e-6))
        self.apply(_init_weights)

    def stage(self, i: int) -> tuple[nn.ModuleList, nn.Module]:
        return getattr(self, f"block{i + 1}"), getattr(self, f"norm{i + 1}")

    def embed(self, i: int, maps: Tensor) -> tuple[Tensor, Grid]:
        return getattr(self, f"patch_embed{i + 1}")(maps)

    def finish_block(self, block: Any, tokens: Tensor, attended: Tensor, grid: Grid) -> Tensor:
        tokens = tokens + block.drop_path(block.attn.proj(attended))
        return tokens + block.drop_path(block.mlp(block.norm2(tokens), grid))


@torch.no_grad()
def _fill_normal(weight: Tensor, std: float, bound: float = 2.0) -> Tensor:
    """Normal numbers by the inverse of their distribution; the two ends, infinite there, become -`bound` and `bound`.

    Not torch's own `trunc_normal_`: what that draws from a seed is not the same in all its versions.
    """
    return weight.uniform_(-1, 1).erfinv_().mul_(std * math.sqrt(2)).clamp_(-bound, bound)


def _init_weights(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        _fill_normal(module.weight, std=0.02)
        nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Conv2d):
        fan_out = module.kernel_size[0] * module.kernel_size[1] * module.out_channels // module.groups
        nn.init.normal_(module.weight, std=math.sqrt(2 / fan_out))
        if module.bias is not None:
            nn.init.zeros_(module.bias)


WIDTHS_B0, WIDTHS = (32, 64, 160, 256), (64, 128, 320, 512)
VARIANTS: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {  # name -> (widths, depths); Xie et al. 2021, table 6
    "mit_b0": (WIDTHS_B0, (2, 2, 2, 2)),
    "mit_b1": (WIDTHS, (2, 2, 2, 2)),
    "mit_b2": (WIDTHS, (3, 4, 6, 3)),
    "mit_b3": (WIDTHS, (3, 4, 18, 3)),
    "mit_b4": (WIDTHS, (3, 8, 27, 3)),
    "mit_b5": (WIDTHS, (3, 6, 40, 3)),
}


def mix_transformer(name: str, drop_path_rate: float = 0.1, **shape: Any) -> MixTransformer:
    """One of `VARIANTS` with fresh weights."""
    widths, depths = VARIANTS[name]
    return MixTransformer(widths, depths, drop_path_rate=drop_path_rate, **shape)
