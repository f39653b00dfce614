"""Which classes a trace keeps of a network with more than a label map holds, and which of them are in the image.

Symbols: C classes of the network, P kept ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from afa_viz.classes import colours_for
from afa_viz.ops.pseudo_label import IGNORE
from afa_viz.stages.multi_scale_cam import CamModel

if TYPE_CHECKING:
    from afa_viz.model.interface import Network


def predicted_labels(class_logits: Tensor, class_probs: Tensor | None, threshold: float) -> Tensor:
    """(C,) multi-hot: the classes whose logit exceeds a threshold, or the best one if none does.

    Of a softmax the logit is that of its probability, ln(p / (1 - p)): a threshold of 0 means more than half, as for a
    sigmoid.
    """
    logits = (class_logits if class_probs is None else class_probs.logit(eps=1e-7)).cpu()
    labels = (logits > threshold).float()
    return labels if labels.any() else torch.zeros_like(logits).index_fill_(0, logits.argmax(), 1)


def keep_classes(fields: dict[str, Any], made: dict[str, Any], model: Network) -> dict[str, Any]:
    """The fields of a trace that keeps some of the network's classes; none to change where it keeps all.

    Args:
        fields: with the image labels and the ground truth, by the network's classes. made: by its first pass.
    Raises: ValueError: if labels and ground truth have more classes than a label map holds.
    """
    logits, given, target = made["class_logits"], fields["image_labels"], fields["target"]
    needed = None if given is None else given.clone()
    if target is not None and len(logits) > model.max_kept_classes:
        needed = torch.zeros(len(logits)) if needed is None else needed
        seen = target.unique().long()
        needed[seen[(seen > 0) & (seen != IGNORE) & (seen <= len(logits))] - 1] = 1
    kept = model.classes_to_keep(logits, needed)
    if kept is None:
        return {}
    if len(kept) >= IGNORE:
        raise ValueError(f"got {len(kept)} image labels; expected fewer than {IGNORE}, which a label map can hold.")
    rows = kept.to(logits.device)
    names = ("background", *(fields["class_names"][int(i) + 1] for i in kept))
    changed: dict[str, Any] = {
        "class_names": names,
        "palette": colours_for_kept(len(names)),
        "class_logits": logits[rows],
        "raw_cam": made["raw_cam"][rows],
        "class_probs": None if made["class_probs"] is None else made["class_probs"][rows],
        "predictions": model.predictions(logits),
    }
    if given is not None:
        changed["image_labels"] = given[kept]
    if target is not None:
        lookup = torch.full((256,), IGNORE, dtype=torch.uint8)
        lookup[0] = 0
        for place, index in enumerate(kept.tolist(), start=1):
            if index + 1 < IGNORE:
                lookup[index + 1] = place
        changed["target"] = lookup[target.long()]
    return changed


def colours_for_kept(count: int) -> tuple[tuple[int, int, int], ...]:
    """Colours of the background and `count` - 1 kept classes: few, so that neighbours stay apart."""
    return colours_for(max(count, 22))[:count]


@dataclass(frozen=True)
class CamOfClasses:
    """The raw CAM of some classes of a network, by their (P,) indices from 0."""

    model: Network
    index: Tensor

    def forward_cam(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) normalised -> (B, P, h, w), detached."""
        return self.model.forward_cam(image)[:, self.index.to(image.device)]


def cam_of_classes(model: Network, class_names: Sequence[str]) -> CamModel:
    """What gives the raw CAM of the classes of a trace, by their names, background first."""
    card = model.card
    if card is None or tuple(class_names) == tuple(card.class_names):
        return model
    return CamOfClasses(model, torch.tensor([card.class_names.index(name) - 1 for name in class_names[1:]]))
