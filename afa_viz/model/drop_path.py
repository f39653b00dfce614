"""Stochastic depth: a residual branch is left out for some images of a training batch."""

from __future__ import annotations

from torch import Tensor, nn


class DropPath(nn.Module):
    """In training each image's branch is 0 with probability `rate`, and 1 / (1 - rate) times itself otherwise.

    Args:
        rate: in [0, 1).
    Source: Huang et al. 2016, "Deep Networks with Stochastic Depth"; kept branches are scaled, so that evaluation
        needs no factor.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        if not 0 <= rate < 1:
            raise ValueError(f"got rate {rate}; expected a probability of 0 or more and below 1.")
        self.rate = rate

    def forward(self, branch: Tensor) -> Tensor:
        if not self.training or not self.rate:
            return branch
        kept = branch.new_empty((len(branch), *[1] * (branch.ndim - 1))).bernoulli_(1 - self.rate)
        return branch * kept.div_(1 - self.rate)

    def extra_repr(self) -> str:
        return f"rate={self.rate:.3f}"
