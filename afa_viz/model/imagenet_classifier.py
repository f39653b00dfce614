"""What all ImageNet classifiers share: 1000 classes by name, VOC's classes as groups of them, and which ones are shown.

The logit of a group is the logarithm of its members' summed exponentials, so that its softmax probability is the sum of
theirs. Its CAM is the mean of theirs, weighted by their probabilities within the group: the gradient of that logit.

Symbols: B batch, G groups, C = G + 1000 classes, groups first.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from afa_viz.classes import palette
from afa_viz.model.card import Card
from afa_viz.model.imagenet_classes import group_members, imagenet_names
from afa_viz.model.interface import Network

OFFERED = 5  # predictions that a trace keeps maps of, and that are offered as image labels
IMAGENET_CLASSES = 1000


@functools.cache
def class_names() -> tuple[str, ...]:
    """K names: background, the groups, then ImageNet's classes."""
    return ("background", *group_members(), *imagenet_names())


class ImageNetClassifier(Network):
    """Base of timm's classifiers behind `Network`."""

    max_kept_classes = 2 * OFFERED  # and the given ones, which are few

    def __init__(self, card: Card) -> None:
        super().__init__()
        self.card = card
        self.num_classes = card.num_classes
        self._members = tuple(group_members().values())
        grouped = {i for members in self._members for i in members}
        alone = [len(self._members) + i for i in range(IMAGENET_CLASSES) if i not in grouped]
        self._exclusive = torch.tensor([*range(len(self._members)), *alone])  # exactly one of these is the class

    def with_groups(self, class_logits: Tensor, cam: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 1000) logits and (B, 1000, h, w) maps -> the same with the groups in front, (B, C) and (B, C, h, w)."""
        logits = [class_logits[:, members].logsumexp(dim=1) for members in map(list, self._members)]
        maps = [
            torch.einsum("bm,bmhw->bhw", class_logits[:, members].softmax(dim=1), cam[:, members])
            for members in map(list, self._members)
        ]
        return torch.cat([torch.stack(logits, 1), class_logits], 1), torch.cat([torch.stack(maps, 1), cam], 1)

    def class_probs(self, class_logits: Tensor) -> Tensor:
        """Softmax over ImageNet's classes; of a group the sum of its members."""
        return (class_logits - class_logits[:, len(self._members) :].logsumexp(dim=1, keepdim=True)).exp()

    def classes_to_keep(self, class_logits: Tensor, given: Tensor | None) -> Tensor:
        """The given classes and the most probable among the groups and the classes outside of them."""
        strongest = class_logits.cpu()[self._exclusive].topk(OFFERED).indices
        kept = self._exclusive[strongest]
        if given is not None:
            kept = torch.cat([kept, given.cpu().nonzero().flatten()])
        return kept.unique()

    def predictions(self, class_logits: Tensor) -> tuple[tuple[str, float], ...]:
        """The groups and classes of the strongest predictions, most probable first."""
        probs = self.class_probs(class_logits[None].cpu())[0]
        groups = len(self._members)
        single = groups + probs[groups:].topk(OFFERED).indices
        found = torch.cat([self._exclusive[probs[self._exclusive].topk(OFFERED).indices], single]).unique()
        ordered = found[probs[found].argsort(descending=True, stable=True)]
        return tuple((class_names()[int(i) + 1], float(probs[i])) for i in ordered)


def imagenet_card(
    name: str, input_size: int, radius: int, mean: Sequence[float], std: Sequence[float], licence: str
) -> Card:
    """The card of a timm classifier: `backbone` is its name in timm; neither decoder nor learned affinity."""
    names = class_names()
    means, stds = ((255 * values[0], 255 * values[1], 255 * values[2]) for values in (mean, std))
    return Card(
        name, len(names), names, palette(len(names)), pooling="avg", mean=means,
        std=stds, input_size=input_size, radius=radius, licence=licence,
        parts=("encoder", "classifier"), affinity_trained_on="nothing", decoder_trained_on="nothing",
    )  # fmt: skip


def linear_head(head: nn.Module) -> nn.Linear:
    """The classifier. Raises: ValueError: unless it has ImageNet's 1000 classes."""
    if not isinstance(head, nn.Linear) or head.out_features != IMAGENET_CLASSES:
        found = head.out_features if isinstance(head, nn.Linear) else "no"
        raise ValueError(
            f"it has {found} classes; expected ImageNet's {IMAGENET_CLASSES}: choose a classifier of them."
        )
    return head
