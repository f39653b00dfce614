"""Whether a run can continue: finite numbers in its state, and finite outputs of its network."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from afa_viz.ops.checks import all_finite

if TYPE_CHECKING:
    from afa_viz.model.afa import AFA

SIDE = 64  # pixels of the test image


class DivergedError(ValueError):
    """Losses, gradients or weights of a run are no longer finite; the message is one sentence."""


def diverged_network(iteration: int, where: str = "") -> DivergedError:
    """The error for a network whose outputs are not finite; `where`: for what, with a space in front."""
    return DivergedError(
        f"the network of iteration {iteration} gives no finite numbers{where}; expected finite ones: lower the "
        "learning rate."
    )


def first_non_finite(held: Any, name: str = "") -> str | None:
    """Where in nested mappings and lists of tensors and numbers the first NaN or infinity stands; None without any."""
    if isinstance(held, Tensor):
        return None if all_finite(held) else name
    if isinstance(held, (Mapping, list, tuple)):
        items = held.items() if isinstance(held, Mapping) else enumerate(held)
        found = (first_non_finite(one, f"{name}.{key}" if name else str(key)) for key, one in items)
        return next((place for place in found if place is not None), None)
    return name if isinstance(held, float) and not math.isfinite(held) else None


@torch.no_grad()
def has_finite_outputs(model: AFA, device: str, dtype: torch.dtype | None) -> bool:
    """Whether a network in evaluation mode gives finite numbers for an image of noise, which training images resemble
    after their normalisation: finite weights alone may be far too large.

    Args:
        dtype: of its passes in training (autocast); None: float32.
    """
    image = torch.randn(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0)).to(device)
    was_training = model.training
    model.eval()
    try:
        with torch.autocast(device.split(":")[0], dtype, enabled=dtype is not None):
            output = model(image)
    finally:
        model.train(was_training)
    return all(map(all_finite, (output.class_logits, output.seg_logits, output.affinity)))
