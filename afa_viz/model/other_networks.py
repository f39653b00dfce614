"""Networks of other methods, recognised by the names of their weights, so that a refusal can say what was given.

Names as in the public code of each method: ToCo, SeCo, DuPL, MCTformer, WeakTr, TS-CAM, SEAM, PSA, IRN.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

from afa_viz.model.card import CheckpointError, format_names

Weights = Mapping[str, Tensor]


@dataclass(frozen=True)
class OtherNetwork:
    """name: of the method or network. what: its kind, for people. matches: whether weights are of it."""

    name: str
    description: str
    matches: Callable[[Weights], bool]


def _has(*beginnings: str) -> Callable[[Weights], bool]:
    return lambda state: all(any(key.startswith(text) for key in state) for text in beginnings)


def _dims(state: Weights, key: str) -> int:
    return state[key].dim() if key in state else 0


def _class_tokens(state: Weights) -> int:
    token = state.get("cls_token")
    return 0 if token is None or token.dim() != 3 else token.shape[1]


VIT, TWO_HEADS = "a plain vision transformer", "a plain vision transformer with two classifiers"
NETWORKS = (  # the first that matches is the one
    OtherNetwork("DuPL", "two plain vision transformers", _has("branch1.encoder.", "branch2.encoder.")),
    OtherNetwork("SeCo", TWO_HEADS, _has("encoder.cls_token", "encoder_k.")),
    OtherNetwork("SeCo", TWO_HEADS, _has("encoder.cls_token", "aux_classifier.", "prototypes")),
    OtherNetwork("ToCo", TWO_HEADS, _has("encoder.cls_token", "aux_classifier.")),
    OtherNetwork("WeakTr", VIT, _has("cls_token", "adaptive_attention_fusion.")),
    OtherNetwork("WeakTr's second stage", "Segmenter on " + VIT, _has("encoder.cls_token", "decoder.cls_emb")),
    OtherNetwork("Segmenter", VIT + " with a linear decoder", _has("encoder.cls_token", "decoder.head.")),
    OtherNetwork("MCTformer", VIT + " with a token for each class", lambda state: _class_tokens(state) > 1),
    OtherNetwork("TS-CAM", VIT, lambda state: _class_tokens(state) == 1 and _dims(state, "head.weight") == 4),
    OtherNetwork("TS-CAM", "a Conformer", lambda state: _dims(state, "trans_cls_head.weight") == 4),
    OtherNetwork("Conformer", "a classifier", _has("trans_cls_head.", "conv_cls_head.")),
    OtherNetwork("ViT or DeiT", VIT, _has("cls_token", "blocks.0.attn.qkv.")),
    OtherNetwork("ViT or DeiT", VIT, _has("encoder.cls_token", "encoder.blocks.0.attn.qkv.")),
    OtherNetwork("SEAM", "a ResNet-38", _has("fc8.", "f8_3.", "f8_4.", "f9.")),
    OtherNetwork("PSA's AffinityNet", "a ResNet-38", _has("f8_3.", "f8_4.", "f8_5.", "f9.")),
    OtherNetwork("PSA", "a ResNet-38", _has("fc8.", "b7.conv_branch2a.")),
    OtherNetwork("IRN", "a ResNet-50", _has("stage1.0.", "fc_edge1.")),
    OtherNetwork("IRN's CAM network", "a ResNet-50", _has("stage1.0.", "stage4.0.", "classifier.")),
    OtherNetwork("ResNet", "a convolutional network", _has("conv1.", "layer1.0.conv1.", "layer4.0.conv1.")),
    OtherNetwork("Swin", "a transformer with shifted windows", _has("layers.0.blocks.0.attn.relative_position_bias")),
)


def identify(state: Weights) -> OtherNetwork | None:
    """The network of another method that weights belong to, names without wrappers around the network; None if none."""
    return next((network for network in NETWORKS if network.matches(state)), None)


def reject_other_networks(state: Weights) -> None:
    """Raise CheckpointError, with the name of the method, for weights of another network; names as in `identify`."""
    other = identify(state)
    if other is not None:
        telling = [key for key in state if "blocks." not in key][-3:]
        raise CheckpointError(
            f"these weights are those of {other.name}, {other.description} ({format_names(telling)}); expected AFA's "
            "network or an encoder MiT or PVT v2: choose such a checkpoint."
        )
