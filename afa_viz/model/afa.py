"""The AFA network: encoder, classifier for CAMs, learned affinity of the attention, decoder.

Symbols: B batch, C foreground classes, K = C + 1, h w cells at stride 16, N = h * w.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from afa_viz.model import mix_transformer, pvt_v2
from afa_viz.model.interface import Intermediates, Network
from afa_viz.model.pyramid import PyramidEncoder
from afa_viz.model.segformer_head import SegFormerHead
from afa_viz.ops.affinity import AFFINITY_BLOCKS, affinity_from_qk
from afa_viz.ops.cam import class_activation
from afa_viz.parts import Parts

BACKBONES = (*mix_transformer.VARIANTS, *pvt_v2.VARIANTS)
POOLINGS = {"max": "max", "gmp": "max", "avg": "avg", "average": "avg", "gap": "avg", "topk": "topk"}


@dataclass(frozen=True)
class TrainOutput:
    """class_logits (B, C); seg_logits (B, K, H/4, W/4); affinity (B, N, N)."""

    class_logits: Tensor
    seg_logits: Tensor
    affinity: Tensor


class AFA(Network):
    """Learning Affinity from Attention. State-dict keys are those of the authors' checkpoints.

    Args:
        encoder: MiT or PVT v2.
        num_classes: K, background included.
        pooling: "max" (published) and "avg" pool every channel of the features, before the classifier; "topk" pools the
            class scores: the mean of each class's strongest cells.
        topk: share of the cells that "topk" averages, in (0, 1]. May be changed while training.
        logit_offset: subtracted from the pooled class logit and left out of the CAM; 0 is published. With an offset
            an object must score above it somewhere, so that most of its cells stay positive.
    Attributes:
        parts, card, checkpoint_id: see `Network`; the last two are set by `checkpoint.load_model`.
    Source: Ru et al. 2022, figure 3; docs/spec.md section 3.
    """

    parts = Parts()

    def __init__(
        self,
        encoder: PyramidEncoder,
        num_classes: int,
        pooling: str = "max",
        topk: float = 0.05,
        logit_offset: float = 0.0,
    ) -> None:
        super().__init__()
        if num_classes < 2:
            raise ValueError(f"got num_classes {num_classes}; expected at least 2: background and one class.")
        if pooling not in POOLINGS:
            raise ValueError(f"got pooling {pooling!r}; expected max, avg or topk.")
        if not 0 < topk <= 1:
            raise ValueError(f"got topk {topk}; expected a share of the cells, above 0 and up to 1.")
        self.encoder = encoder
        self.pooling = POOLINGS[pooling]
        self.topk = topk
        self.logit_offset = logit_offset
        self.num_classes = num_classes
        self.decoder = SegFormerHead(encoder.widths, num_classes)
        self.attn_proj = nn.Conv2d(AFFINITY_BLOCKS * encoder.last_heads, 1, kernel_size=1)
        nn.init.kaiming_normal_(self.attn_proj.weight, a=5**0.5, mode="fan_out")
        self.classifier = nn.Conv2d(encoder.widths[-1], num_classes - 1, kernel_size=1, bias=False)

    def classify(self, features: Tensor) -> Tensor:
        """Features of the last stage (B, D, h, w) -> class logits (B, C)."""
        if self.pooling == "max":
            pooled = features.amax(dim=(-2, -1), keepdim=True)
        elif self.pooling == "avg":
            pooled = features.mean(dim=(-2, -1), keepdim=True)
        else:  # per class, over the strongest cells of its map
            cells = self.classifier(features).flatten(2)
            count = torch.sym_max(1, round(self.topk * cells.shape[-1]))
            return cells.topk(count, dim=-1).values.mean(dim=-1) - self.logit_offset
        return self.classifier(pooled).flatten(1) - self.logit_offset

    def _cam(self, features: Tensor) -> Tensor:
        return class_activation(features.detach(), self.classifier.weight.detach())

    def _encode(self, image: Tensor) -> tuple[list[Tensor], Tensor]:
        """Features of the four stages and the affinity (B, N, N)."""
        features, blocks = self.encoder.forward_query_key(image)
        queries, keys = [block.query for block in blocks], [block.key for block in blocks]
        bias = self.attn_proj.bias
        assert bias is not None
        return features, affinity_from_qk(queries, keys, self.attn_proj.weight, bias)

    def forward(self, image: Tensor) -> TrainOutput:
        """(B, 3, H, W) normalised -> what the three losses need. Gradients flow; no map of single heads is stored."""
        features, affinity = self._encode(image)
        return TrainOutput(self.classify(features[-1]), self.decoder(features), affinity)

    def forward_classify(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> class logits (B, C), for training on image labels alone."""
        return self.classify(self.encoder(image)[-1])

    def forward_cam(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> raw CAM (B, C, h, w), detached; the decoder does not run."""
        return self._cam(self.encoder(image)[-1])

    def forward_cam_affinity(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 3, H, W) -> raw CAM (B, C, h, w), detached, and affinity (B, N, N); the decoder does not run."""
        features, affinity = self._encode(image)
        return self._cam(features[-1]), affinity

    def forward_cam_with_decoder(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """`forward_cam_affinity` that also runs the decoder, which updates its batch norm as published (docs/spec.md
        11)."""
        features, affinity = self._encode(image)
        self.decoder(features)
        return self._cam(features[-1]), affinity

    def affinity_head(self) -> tuple[Tensor, Tensor]:
        """Weight and bias of the learned affinity, copied: not the model's own memory."""
        bias = self.attn_proj.bias
        assert bias is not None
        return self.attn_proj.weight.detach().flatten().float().clone(), bias.detach().float().clone()

    def attention_shapes(self, height: int, width: int) -> list[tuple[int, int, int, int]]:
        """See `PyramidEncoder.attention_shapes`."""
        return self.encoder.attention_shapes(height, width)

    def widest_activations(self, height: int, width: int) -> float:
        """Of the first stage, where a token has 4 x 4 pixels, in the middle of a block's MLP."""
        layers = self.encoder.stage(0)[0].modules()
        return max(layer.out_features for layer in layers if isinstance(layer, nn.Linear)) * height * width / 16

    def forward_seg(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> segmentation logits (B, K, H/4, W/4)."""
        return self.decoder(self.encoder(image))

    def forward_intermediates(self, image: Tensor, first_stage: int = 0) -> Intermediates:
        """(B, 3, H, W) -> all outputs and the attention of every block; logits only from stage `first_stage` (0 to 3)
        on."""
        features, attention = self.encoder.forward_attention(image, first_stage)
        return Intermediates(self.classify(features[-1]), self.decoder(features), self._cam(features[-1]), attention)


def build_encoder(backbone: str, drop_path_rate: float = 0.1) -> PyramidEncoder:
    """An encoder by name, one of `BACKBONES`, with fresh weights."""
    if backbone in pvt_v2.VARIANTS:
        return pvt_v2.PvtV2(backbone, drop_path_rate=drop_path_rate)
    if backbone in mix_transformer.VARIANTS:
        return mix_transformer.mix_transformer(backbone, drop_path_rate)
    raise ValueError(f"got backbone {backbone!r}; expected one of {', '.join(BACKBONES)}.")


def build_afa(
    backbone: str = "mit_b1",
    num_classes: int = 21,
    pooling: str = "max",
    *,
    topk: float = 0.05,
    logit_offset: float = 0.0,
    drop_path_rate: float = 0.1,
) -> AFA:
    """A new AFA network with fresh weights, in training mode; weights of files come by `checkpoint.load_any`.

    Args:
        backbone: one of `BACKBONES`: mit_b0 to mit_b5, pvt_v2_b0 to pvt_v2_b5.
        num_classes: K, background included.
        pooling, topk, logit_offset: see `AFA`.
        drop_path_rate: stochastic depth.
    Raises: ValueError: for an unknown backbone or pooling.
    """
    encoder = build_encoder(backbone, drop_path_rate)
    return AFA(encoder, num_classes, pooling, topk=topk, logit_offset=logit_offset)


def parameter_count(model: nn.Module) -> int:
    """Number of parameters."""
    return sum(torch.numel(p) for p in model.parameters())
