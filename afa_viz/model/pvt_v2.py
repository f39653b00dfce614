"""timm's PVT v2 (Apache-2.0 weights) behind the interface of `pyramid.py`, its last stage moved to stride 16."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from afa_viz.model.pyramid import Grid, PyramidEncoder

VARIANTS = tuple(f"pvt_v2_b{i}" for i in range(6))


class PvtV2(PyramidEncoder):
    """One of timm's `pvt_v2_b0` to `pvt_v2_b5`.

    Args:
        name: of the timm model.
        pretrained: fetch timm's ImageNet weights (needs a network or a filled cache).
        drop_path_rate: stochastic depth of the last block.
        net: a model of timm whose layers are taken as they are, its last stage at stride 32; None: a new one.
    Source: Wang et al. 2022, "PVT v2"; weights at stride 32 are used at stride 16 by setting the last stride to 1.
    """

    def __init__(self, name: str, pretrained: bool = False, drop_path_rate: float = 0.1, net: Any = None) -> None:
        super().__init__()
        if name not in VARIANTS:
            raise ValueError(f"{name!r} is not a PVT v2 backbone; expected one of {', '.join(VARIANTS)}.")
        self.patch_embed: nn.Module
        self.stages: nn.Sequential
        if net is None:
            net = self._new(name, pretrained, drop_path_rate)
        else:
            self.strides = (*self.strides[:3], 2)
        self.patch_embed, self.stages = net.patch_embed, net.stages
        self.widths = tuple(info["num_chs"] for info in net.feature_info)
        self.depths = tuple(len(stage.blocks) for stage in net.stages)
        self.last_heads = net.stages[3].blocks[0].attn.num_heads

    @staticmethod
    def _new(name: str, pretrained: bool, drop_path_rate: float) -> Any:
        """A model of timm with the last stage at stride 16."""
        import timm  # seconds and hundreds of megabytes, which the other family does without

        net: Any = timm.create_model(name, pretrained=pretrained, num_classes=0, drop_path_rate=drop_path_rate)
        net.stages[3].downsample.proj.stride = (1, 1)
        return net

    def stage(self, i: int) -> tuple[nn.ModuleList, nn.Module]:
        stage: Any = self.stages[i]
        return stage.blocks, stage.norm

    def embed(self, i: int, maps: Tensor) -> tuple[Tensor, Grid]:
        stage: Any = self.stages[i]
        cells = (self.patch_embed if i == 0 else stage.downsample)(maps)  # (B, h, w, D)
        return cells.flatten(1, 2), (cells.shape[1], cells.shape[2])

    def finish_block(self, block: Any, tokens: Tensor, attended: Tensor, grid: Grid) -> Tensor:
        tokens = tokens + block.drop_path1(block.attn.proj(attended))
        return tokens + block.drop_path2(block.mlp(block.norm2(tokens), grid))
