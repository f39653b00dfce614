"""The MLP decoder: every stage to one width, upsampled to stride 4, concatenated, fused, classified."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from afa_viz.ops.cam import resize


class LinearEmbedding(nn.Module):
    """(B, D, h, w) -> (B, width, h, w), one linear layer a cell."""

    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__()
        self.proj = nn.Linear(in_channels, width)

    def forward(self, maps: Tensor) -> Tensor:
        return F.conv2d(maps, self.proj.weight[:, :, None, None], self.proj.bias)


class Fuse(nn.Module):
    """1 x 1 convolution without bias, batch norm, ReLU."""

    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, width, kernel_size=1, bias=False)
        self.bn = nn.BatchNorm2d(width, eps=1e-5, momentum=0.1)
        nn.init.kaiming_normal_(self.conv.weight)

    def forward(self, maps: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(maps)))


class SegFormerHead(nn.Module):
    """Decoder of Xie et al. 2021. State-dict keys are those of the published weights; fuse order 4, 3, 2, 1.

    Args:
        in_channels: widths of the four stages.
        num_classes: K, background included.
        width: of the decoder; 256 in AFA.
        dropout: channel dropout before the last layer, in training only.
    Source: SPEC.md section 3, "Decoder".
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
        """Four maps (B, D, h, w) -> segmentation logits (B, K, h1, w1) at the size of the first (stride 4)."""
        f1, f2, f3, f4 = features
        size = (f1.shape[-2], f1.shape[-1])
        embedded = [
            resize(self.linear_c4(f4), size),
            resize(self.linear_c3(f3), size),
            resize(self.linear_c2(f2), size),
            self.linear_c1(f1),
        ]
        return self.linear_pred(self.dropout(self.linear_fuse(torch.cat(embedded, dim=1))))
