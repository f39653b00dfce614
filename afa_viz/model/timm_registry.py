"""Importing this lets `timm.create_model("mit_b1")` build our Mix Transformers.

A file of its own because timm brings torchvision and torch's compiler along: seconds of a start, and a fifth of its
memory, which no network but PVT v2 needs.
"""

from __future__ import annotations

from timm.models import register_model

from afa_viz.model.mix_transformer import MixTransformer, mix_transformer

OF_TIMM = ("pretrained_cfg", "pretrained_cfg_overlay", "cache_dir")  # timm passes these to every entry point


def _create(name: str, pretrained: bool, **kwargs) -> MixTransformer:
    own = {key: value for key, value in kwargs.items() if key not in OF_TIMM}
    return mix_transformer(name, pretrained, **own)


@register_model
def mit_b0(pretrained: bool = False, **kwargs) -> MixTransformer:
    """MiT-B0, 3.3 M parameters."""
    return _create("mit_b0", pretrained, **kwargs)


@register_model
def mit_b1(pretrained: bool = False, **kwargs) -> MixTransformer:
    """MiT-B1, 13 M parameters: the backbone of the paper."""
    return _create("mit_b1", pretrained, **kwargs)


@register_model
def mit_b2(pretrained: bool = False, **kwargs) -> MixTransformer:
    """MiT-B2, 24 M parameters."""
    return _create("mit_b2", pretrained, **kwargs)


@register_model
def mit_b3(pretrained: bool = False, **kwargs) -> MixTransformer:
    """MiT-B3, 44 M parameters."""
    return _create("mit_b3", pretrained, **kwargs)


@register_model
def mit_b4(pretrained: bool = False, **kwargs) -> MixTransformer:
    """MiT-B4, 61 M parameters."""
    return _create("mit_b4", pretrained, **kwargs)


@register_model
def mit_b5(pretrained: bool = False, **kwargs) -> MixTransformer:
    """MiT-B5, 81 M parameters."""
    return _create("mit_b5", pretrained, **kwargs)
