"""timm's PVT v2 and plain ViT or DeiT classifiers as they are, behind `Network`: with their own stride, no decoder.

Symbols: B batch, D channels, h w cells, N = h * w, X extra tokens.
"""

from __future__ import annotations

import logging
from typing import Any

import torch
from torch import Tensor, nn

from afa_viz.model.card import CheckpointError, shortened
from afa_viz.model.imagenet_classifier import ImageNetClassifier, imagenet_card, linear_head
from afa_viz.model.interface import BlockAttention, Grid, Intermediates
from afa_viz.model.pvt_v2 import VARIANTS, PvtV2
from afa_viz.ops.cam import class_activation
from afa_viz.parts import Parts

PVT_SIDE = 512  # pixels: 16 x 16 cells at stride 32
VIT_CELLS = 24  # along each side: an image of 384 pixels at a patch of 16
EXPECTED = f"{VARIANTS[0]} to {VARIANTS[-1]}, or a plain ViT or DeiT such as deit_small_patch16_224"
log = logging.getLogger(__name__)


class PvtClassifier(ImageNetClassifier):
    """timm's PVT v2 with its ImageNet head, at its own stride 32.

    The head is linear and reads the mean of the features, so the mean of a class's map plus its bias is its logit.
    """

    parts = Parts(stride=32, affinity="averaged", decoder=False, labels="softmax")

    def __init__(self, name: str, net: Any, card: Any) -> None:
        super().__init__(card)
        self.encoder = PvtV2(name, net=net)
        self.head = linear_head(net.head)

    def forward_intermediates(self, image: Tensor, first_stage: int = 0) -> Intermediates:
        """See `Network`."""
        features, attention = self.encoder.forward_attention(image, first_stage)
        return self._outputs(features[-1], attention)

    def forward_cam(self, image: Tensor) -> Tensor:
        """See `Network`; keeps no attention."""
        return self._outputs(self.encoder(image)[-1], []).cam.detach()

    def _outputs(self, features: Tensor, attention: list[BlockAttention]) -> Intermediates:
        logits, cam = self.with_groups(
            self.head(features.mean(dim=(-2, -1))), class_activation(features, self.head.weight)
        )
        return Intermediates(logits, None, cam, attention)

    def attention_shapes(self, height: int, width: int) -> list[tuple[int, int, int, int]]:
        """See `PyramidEncoder.attention_shapes`."""
        return self.encoder.attention_shapes(height, width)

    def widest_activations(self, height: int, width: int) -> float:
        """Of the first stage, where a token has 4 x 4 pixels."""
        layers = self.encoder.stage(0)[0].modules()
        return max(layer.out_features for layer in layers if isinstance(layer, nn.Linear)) * height * width / 16


class VitClassifier(ImageNetClassifier):
    """timm's plain ViT or DeiT with its ImageNet head.

    A head that reads the class token is applied to the final tokens of the image in its place: an approximation, since
    it was never trained on them; their mean is not the logit. A head that reads the mean of the tokens is exact, also
    behind a normalisation of that mean, whose statistics are then those of the mean.
    """

    def __init__(self, net: Any, card: Any) -> None:
        super().__init__(card)
        linear_head(net.head)
        self.net = net
        self.averages = net.global_pool == "avg" and not net.pool_include_prefix
        self.parts = Parts(
            stride=net.patch_embed.patch_size[0], extra_tokens=net.num_prefix_tokens, affinity="averaged",
            cam="linear" if self.averages else "class token", decoder=False, labels="softmax",
        )  # fmt: skip

    def forward_intermediates(self, image: Tensor, first_stage: int = 0) -> Intermediates:
        """See `Network`; the attention of every block is kept: all have one grid."""
        return self._forward(image, keep=True)

    def forward_cam(self, image: Tensor) -> Tensor:
        """See `Network`; keeps no attention."""
        return self._forward(image, keep=False).cam.detach()

    def _forward(self, image: Tensor, keep: bool) -> Intermediates:
        net, grid = self.net, self.token_grid(image.shape[-2], image.shape[-1])
        tokens = net.norm_pre(net._pos_embed(net.patch_embed(image)))
        attention: list[BlockAttention] = []
        for block in net.blocks:
            if keep:
                attention.append(_block_attention(block.attn, block.norm1(tokens), grid))
            tokens = block(tokens)
        tokens = net.norm(tokens)
        logits, cam = self.with_groups(net.forward_head(tokens), self._cam(tokens[:, net.num_prefix_tokens :], grid))
        return Intermediates(logits, None, cam, attention)

    def _cam(self, tokens: Tensor, grid: Grid) -> Tensor:
        """(B, N, D) final tokens of the image -> (B, 1000, h, w)."""
        net = self.net
        features = tokens
        if self.averages and isinstance(net.fc_norm, nn.LayerNorm):
            features = _normalised_as_mean(tokens, net.fc_norm)
        elif not self.averages:
            features = net.fc_norm(tokens)
        heads = [net.head] + ([net.head_dist] if hasattr(net, "head_dist") else [])  # timm averages the two
        weight = torch.stack([head.weight for head in heads]).mean(dim=0)
        return class_activation(features.transpose(1, 2).unflatten(2, grid), weight)

    def attention_shapes(self, height: int, width: int) -> list[tuple[int, int, int, int]]:
        """See `Network`; extra tokens count among queries and keys."""
        rows, cols = self.token_grid(height, width)
        tokens = self.parts.extra_tokens + rows * cols
        return [(0, block.attn.num_heads, tokens, tokens) for block in self.net.blocks]

    def widest_activations(self, height: int, width: int) -> float:
        """Of a block's MLP."""
        rows, cols = self.token_grid(height, width)
        return self.net.blocks[0].mlp.fc1.out_features * rows * cols


def _block_attention(attn: Any, tokens: Tensor, grid: Grid) -> BlockAttention:
    query, key, _ = attn.qkv(tokens).unflatten(-1, (3, attn.num_heads, attn.head_dim)).permute(2, 0, 3, 1, 4)
    query, key = attn.q_norm(query), attn.k_norm(key)
    return BlockAttention(query @ key.transpose(-2, -1), grid, grid, attn.scale, query=query, key=key)


def _normalised_as_mean(tokens: Tensor, norm: nn.LayerNorm) -> Tensor:
    """(B, N, D) tokens whose mean is the norm of the mean of the given ones: centred, over the mean's deviation."""
    centred = tokens - tokens.mean(dim=-1, keepdim=True)
    deviation = (centred.mean(dim=1, keepdim=True).square().mean(dim=-1, keepdim=True) + norm.eps).sqrt()
    return centred / deviation * norm.weight + norm.bias


def build_timm(name: str) -> tuple[PvtClassifier | VitClassifier, Any]:
    """A classifier by its name in timm, with or without a tag behind a dot, and timm's own model of the same layers.

    Fresh weights, evaluation mode.

    Raises: CheckpointError: for a name that timm does not have, or a network of another kind.
    """
    import timm

    try:
        known = timm.is_model(name)
    except Exception:  # of an odd name
        known = False
    if not known:
        raise CheckpointError(f"timm has no model {shortened(name)!r}; expected {EXPECTED}: correct the name.")
    base = name.split(".")[0]
    vit = base.startswith(("vit_", "deit"))
    if base not in VARIANTS and not vit:
        raise CheckpointError(f"timm's {name} is of a kind that is not read here; expected {EXPECTED}.")
    options: dict[str, Any] = {"dynamic_img_size": True, "dynamic_img_pad": True} if vit else {}
    with torch.random.fork_rng(devices=[]):
        try:
            net: Any = timm.create_model(name, **options)
        except Exception as error:  # timm raises many kinds, for a tag that it does not know as well
            reason = shortened(str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__)
            raise CheckpointError(f"timm cannot build {name} ({reason}); expected {EXPECTED}.") from None
    cfg, native = net.pretrained_cfg, net.pretrained_cfg["input_size"][-1]
    licence = _licence(cfg)
    if vit:
        _require_plain(name, net)
        side = max(native, min(PVT_SIDE, VIT_CELLS * net.patch_embed.patch_size[0]))
        stride = net.patch_embed.patch_size[0]
    else:
        side, stride = PVT_SIDE, 32
    try:
        card = imagenet_card(name, side, max(1, round(side / stride / 4)), cfg["mean"], cfg["std"], licence)
        made = VitClassifier(net, card) if vit else PvtClassifier(base, net, card)
    except CheckpointError:
        raise
    except ValueError as error:
        raise CheckpointError(f"timm's {name} cannot be read here: {error}") from None
    return made.eval(), net.eval()


def _licence(cfg: dict) -> str:
    stated = cfg.get("license") or "not stated by timm"
    return {"apache-2.0": "Apache-2.0 (timm's ImageNet weights)", "mit": "MIT"}.get(stated, stated)


def _require_plain(name: str, net: Any) -> None:
    """Raises: CheckpointError: unless all attention is plain self-attention and one linear head reads the tokens."""
    from timm.layers import Attention
    from timm.models.deit import VisionTransformerDistilled
    from timm.models.vision_transformer import VisionTransformer

    plain = type(net) in (VisionTransformer, VisionTransformerDistilled) and net.attn_pool is None
    plain = plain and net.global_pool in ("token", "avg")
    if not plain or not all(type(getattr(block, "attn", None)) is Attention for block in net.blocks):
        raise CheckpointError(f"timm's {name} is not a plain ViT; expected {EXPECTED}.")
