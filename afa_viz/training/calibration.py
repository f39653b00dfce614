"""A spread of 1 for the affinity's logits before it begins to learn: measured on images alone, no label is read.

The affinity is a sigmoid of unscaled q k^T. Of a network that was trained from scratch for classification those are in
the tens or hundreds, where the sigmoid is flat and the affinity loss, which is linear in it, has no gradient; see
docs/decisions/025-what-the-walk-is-worth.md.

Symbols: B batch, N = h w cells.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from afa_viz.model.afa import AFA
from afa_viz.ops import affinity as aff
from afa_viz.training.distributed import mean_over_processes

BATCHES = 4  # of the run; their pairs of cells, some hundred thousand, give the spread to about a percent


@torch.no_grad()
def logit_moments(model: AFA, images: Iterable[Tensor], radius: int, world_size: int = 1) -> tuple[float, float]:
    """Mean and standard deviation of the affinity's logits, over pairs of different cells within a radius.

    Args:
        images: batches of (B, 3, H, W), normalised: the share of this process. One whose logits are not finite is
            skipped.
        radius: in cells, see `ops.affinity.radius_mask`.
        world_size: processes that share the images; all get the same two numbers.
    """
    bias = model.attn_proj.bias
    assert bias is not None
    training, sums = model.training, {"count": 0.0, "sum": 0.0, "squares": 0.0}
    model.eval()
    for image in images:
        _, blocks = model.encoder.forward_query_key(image)
        maps = [block.query @ block.key.transpose(-1, -2) for block in blocks]
        if not all(bool(logits.isfinite().all()) for logits in maps):
            continue  # a bad batch, as in a training step: it is skipped
        logits = aff.affinity_logits(maps, model.attn_proj.weight, bias)
        pairs = aff.radius_mask(*aff.token_grid(image.shape[-2], image.shape[-1]), radius, image.device)
        values = logits[:, pairs.clone().fill_diagonal_(False)].double()
        for name, value in (("count", values.numel()), ("sum", values.sum()), ("squares", values.square().sum())):
            sums[name] += float(value)
    model.train(training)
    sums = mean_over_processes(sums, world_size)
    count = max(sums["count"], 1e-12)
    mean = sums["sum"] / count
    return mean, math.sqrt(max(sums["squares"] / count - mean**2, 0.0))


@torch.no_grad()
def rescale_affinity(model: AFA, mean: float, std: float) -> None:
    """Change the affinity head so that logits of this mean and standard deviation get 0 and 1; which pair has the
    larger one stays. Without a spread that is finite and above 0 nothing is changed."""
    bias = model.attn_proj.bias
    assert bias is not None
    if math.isfinite(mean) and math.isfinite(std) and std > 0:
        model.attn_proj.weight.div_(std)
        bias.sub_(mean).div_(std)
