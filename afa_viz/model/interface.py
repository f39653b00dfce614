"""What `explain` asks of a network, whatever its method: which parts it has, and two passes.

A network of another method is a subclass of `Network` with a `parts` and a `forward_intermediates`; AFA is the first
one, timm's ImageNet classifiers the second (`timm_networks.py`), `labs/4_your_method.ipynb` shows a third.

Symbols: B batch, C foreground classes, K = C + 1, h w cells, N = h * w, X extra tokens, M keys.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor, nn

from afa_viz.parts import Parts

if TYPE_CHECKING:
    from afa_viz.model.card import Card

Grid = tuple[int, int]
MAX_KEPT_CLASSES = 254  # labels are uint8: 0 = background, 255 = ignore


@dataclass(frozen=True)
class BlockAttention:
    """Attention of one block.

    Attributes:
        logits: (B, heads, X + N, X + M) unscaled q k^T, before softmax; of a network that gives probabilities their
            logarithm, with scale 1. None where it was not kept.
        query_grid, key_grid: (rows, columns) of queries and keys; N and M are their products.
        scale: the factor applied to the logits before softmax, d ** -0.5.
        reduction: cells that a key spans along each side; 1 in the last stage.
        query, key: (B, heads, X + N, d), (B, heads, X + M, d), whose product the logits are; None where they were not
            kept or the network does not give them.
    """

    logits: Tensor | None
    query_grid: Grid
    key_grid: Grid
    scale: float
    reduction: int = 1
    query: Tensor | None = None
    key: Tensor | None = None


@dataclass(frozen=True)
class Intermediates:
    """All intermediate results of one forward pass.

    class_logits (B, C); seg_logits (B, K, H/4, W/4), None without a decoder; cam (B, C, h, w) raw; attention: every
    block, first to last, empty where the network gives none.
    """

    class_logits: Tensor
    seg_logits: Tensor | None
    cam: Tensor
    attention: list[BlockAttention]


class Network(nn.Module):
    """Base of the networks that `explain` takes. A subclass defines `parts` and `forward_intermediates`.

    Attributes:
        parts: what the network has.
        num_classes: K, background included.
        card: class names, colours, normalisation, licence; None: names by number and ImageNet's normalisation.
        checkpoint_id: short hash of the weights' file, "" for weights that were not loaded from a file.
        max_kept_classes: of which a trace keeps maps; see `classes_to_keep`.
    """

    parts: Parts = Parts()
    num_classes: int
    card: Card | None = None
    checkpoint_id: str = ""
    max_kept_classes = MAX_KEPT_CLASSES

    @property
    def num_fg_classes(self) -> int:
        """C, background excluded."""
        return self.num_classes - 1

    def forward_intermediates(self, image: Tensor, first_stage: int = 0) -> Intermediates:
        """(B, 3, H, W) normalised -> all outputs and the attention of every block.

        Args:
            first_stage: 0 to 3; a pyramid may leave out the logits of the stages before it.
        """
        raise TypeError(f"{type(self).__name__} must define forward_intermediates()")

    def forward_cam(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> raw CAM (B, C, h, w), detached."""
        return self.forward_intermediates(image, first_stage=3).cam.detach()

    def affinity_head(self) -> tuple[Tensor, Tensor] | None:
        """Weight (heads of the last two blocks,) and bias (1,) of a learned affinity; None where it is not learned."""
        return None

    def token_grid(self, height: int, width: int) -> Grid:
        """Cells (rows, columns) of an image of (height, width) pixels."""
        return -(-height // self.parts.stride), -(-width // self.parts.stride)

    def attention_shapes(self, height: int, width: int) -> list[tuple[int, int, int, int]]:
        """(stage, heads, queries, keys) of every block's attention for an image, for the estimate of memory."""
        return []

    def class_probs(self, class_logits: Tensor) -> Tensor | None:
        """(B, C) logits -> (B, C) probabilities of one class among all; None where each class is decided for itself."""
        return class_logits.softmax(dim=-1) if self.parts.labels == "softmax" else None

    def classes_to_keep(self, class_logits: Tensor, given: Tensor | None) -> Tensor | None:
        """Which of many classes a trace keeps; None: all of them.

        Args:
            class_logits: (C,). given: (C,) multi-hot, of the image labels and the ground truth; None: there are none.
        Returns: (P,) increasing indices from 0 to C - 1, without those that are part of another unless they are given.
        """
        return None

    def predictions(self, class_logits: Tensor) -> tuple[tuple[str, float], ...] | None:
        """The most probable classes with their probabilities, to be offered as image labels; None: all are offered."""
        return None

    def widest_activations(self, height: int, width: int) -> float:
        """Numbers in the widest layer for an image, for the estimate of memory."""
        rows, cols = self.token_grid(height, width)
        return 4096 * rows * cols
