"""The MLP decoder: every stage to one width, upsampled to stride 4, concatenated, fused, classified."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from afa_viz.ops.cam import resize


class LinearEmbedding(nn.Module):
    """One linear layer a cell, D -> width. Holds the weights; `SegFormerHead.forward` applies them."""

    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__()
        self.proj = nn.Linear(in_channels, width)


class Fuse(nn.Module):
    """Weights of the 1 x 1 convolution without bias and of the batch norm behind it."""

    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, width, kernel_size=1, bias=False)
        self.bn = nn.BatchNorm2d(width, eps=1e-5, momentum=0.1)
        nn.init.kaiming_normal_(self.conv.weight)


class SegFormerHead(nn.Module):
    """Decoder of Xie et al. 2021. State-dict keys are those of the published weights; fuse order 4, 3, 2, 1.

    Args:
        in_channels: widths of the four stages.
        num_classes: K, background included.
        width: of the decoder; 256 in AFA.
        dropout: channel dropout before the last layer, in training only.
    Source: docs/spec.md section 3, "Decoder".
    """

    def __init__(self, in_channels: Sequence[int], num_classes: int, width: int = 256, dropout: float = 0.1) -> None:
        super().__init__()
        c1, c2, c3, c4 = in_channels
        self.linear_c4 = LinearEmbedding(c4, width)
        self.linear_c3 = LinearEmbedding(c3, width)
        self.linear_c2 = LinearEmbedding(c2, width)
        self.linear_c1 = LinearEmbedding(c1, width)
        self.linear_fuse = Fuse(4 * width, width)
        self.dropout = nn.Dropout2d(dropout)
        self.linear_pred = nn.Conv2d(width, num_classes, kernel_size=1)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Four maps (B, D, h, w) -> segmentation logits (B, K, h1, w1) at the size of the first (stride 4).

        Between the linear layer of a stage and the fusion lies only bilinear upsampling, which commutes with both. So
        the two are multiplied into one D -> width layer that runs on the stage's own grid: the same sums, about a
        tenth of the work of fusing at stride 4.
        """
        size = (features[0].shape[-2], features[0].shape[-1])
        layers = (self.linear_c4, self.linear_c3, self.linear_c2, self.linear_c1)
        slices = self.linear_fuse.conv.weight.flatten(1).chunk(4, dim=1)
        by_grid: list[Tensor] = []  # coarse to fine; stages 3 and 4 share a grid and are enlarged once
        bias = slices[0].new_zeros(())
        for layer, fuse, feature in zip(layers, slices, reversed(features), strict=True):
            bias = bias + fuse @ layer.proj.bias
            fused = F.conv2d(feature, (fuse @ layer.proj.weight)[:, :, None, None])
            if by_grid and by_grid[-1].shape == fused.shape:
                by_grid[-1] = by_grid[-1] + fused
            else:
                by_grid.append(fused)
        maps = sum((resize(fused, size) for fused in by_grid), start=bias[:, None, None])
        maps = F.relu(self.linear_fuse.bn(maps))
        return self.linear_pred(self.dropout(maps))
