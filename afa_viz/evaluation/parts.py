"""Which share of each part of an object (heads, bodies, legs, …) carries the right class.

Symbols: K classes with background, P parts with "no part" first, H W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from afa_viz.classes import SANDBOX_PARTS
from afa_viz.ops.pseudo_label import IGNORE

ALL, RIGHT, UNCERTAIN = range(3)  # last axis of `PartCounts.counts`


class PartCounts:
    """Counts of pixels by true class and part: all of them, those labelled right, those left uncertain.

    Args:
        num_classes: K.
        part_names: P names, "no part" first.
    Attributes:
        counts: (K, P, 3) int64.
    """

    def __init__(self, num_classes: int, part_names: Sequence[str] = SANDBOX_PARTS) -> None:
        self.part_names = tuple(part_names)
        self.counts = torch.zeros(num_classes, len(self.part_names), 3, dtype=torch.int64)

    def update(self, target: Tensor, parts: Tensor, label: Tensor) -> PartCounts:
        """Count one (H, W) label map; pixels whose target is 255 are left out. Returns itself.

        Raises: ValueError: if the shapes differ or a part has no name.
        """
        if not target.shape == parts.shape == label.shape:
            raise ValueError(
                f"target, parts and label have shapes {tuple(target.shape)}, {tuple(parts.shape)} and "
                f"{tuple(label.shape)}; expected equal shapes: resize the parts like the target, by nearest."
            )
        classes, names = self.counts.shape[:2]
        known = target != IGNORE
        true, part, guess = target[known].long(), parts[known].long(), label[known].long()
        if part.numel() and int(part.max()) >= names:
            raise ValueError(f"parts hold id {int(part.max())}; expected 0 to {names - 1}: one of the part names.")
        place = true * names + part
        for kind, where in ((ALL, guess >= 0), (RIGHT, guess == true), (UNCERTAIN, guess == IGNORE)):
            counts = torch.bincount(place[where], minlength=classes * names)
            self.counts[..., kind] += counts.reshape(classes, names)
        return self

    def share(self, classes: Sequence[int] | None = None, kind: int = RIGHT) -> dict[str, float]:
        """Share of the pixels of each part that are RIGHT (or UNCERTAIN), by name; NaN for a part that was not seen.

        Args:
            classes: true classes that count, 1..C; None: all of them.
        """
        chosen = self.counts[1:] if classes is None else self.counts[list(classes)]
        sums = chosen.sum(dim=0).double()
        shares = sums[:, kind] / sums[:, ALL]
        return {name: float(shares[i]) for i, name in enumerate(self.part_names) if i > 0}
