"""The dense energy loss against the sum over all pairs, its gradient, and what it prefers."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from afa_viz.ops.energy_loss import energy_loss

OPTIONS = {"srgb": 60.0, "sxy": 24.0, "weight": 1.0}


def scene(labels: int = 3) -> tuple[Tensor, Tensor, Tensor]:
    """Logits (2, K, 12, 16) for images (2, 3, 24, 32) of two colours, and targets with an uncertain band."""
    image = torch.full((2, 3, 24, 32), 60.0)
    image[:, :, :, 16:] = 190.0
    image += 8 * torch.rand(image.shape)
    target = torch.zeros(2, 24, 32, dtype=torch.int64)
    target[:, :, 16:] = 1
    target[:, 8:16] = 255
    return torch.randn(2, labels, 12, 16), image, target


def exact(
    logits: Tensor, image: Tensor, target: Tensor, srgb: float, sxy: float, weight: float
) -> tuple[Tensor, Tensor]:
    """The loss as its formula reads, over all pairs of pixels, and its gradient with the gate as a constant."""
    shares = logits.double().softmax(dim=1).requires_grad_()
    small = F.interpolate(image, size=(12, 16)).double()
    uncertain = F.interpolate((target[:, None] == 255).double(), size=(12, 16))[:, 0]
    total = torch.zeros((), dtype=torch.float64)
    wanted = torch.zeros_like(shares)
    rows, cols = torch.meshgrid(torch.arange(12.0), torch.arange(16.0), indexing="ij")
    for b in range(2):
        place = torch.stack([rows.flatten(), cols.flatten()], dim=1).double() / (sxy / 2)
        features = torch.cat([place, small[b].flatten(1).t() / srgb], dim=1)
        kernel = (-(torch.cdist(features, features) ** 2) / 2).exp()
        s = shares[b].flatten(1)
        gate = torch.where(uncertain[b].flatten() > 0, 1.0, 1 - s.detach().amax(dim=0))
        total = total - weight * (gate * (s * (s @ kernel)).sum(dim=0)).sum() / 2
        wanted[b] = (-2 * weight * gate * (s.detach() @ kernel) / 2).reshape(shares[b].shape)
    return total, wanted


def test_near_the_sum_over_all_pairs():
    logits, image, target = scene()
    got = energy_loss(logits, image, target, **OPTIONS)
    wanted, _ = exact(logits, image, target, **OPTIONS)
    ratio = float(got / wanted.detach())  # blur loses what would flow through lattice points that no pixel touches
    assert 0.4 < ratio <= 1.05
    other = torch.randn(2, 3, 12, 16)
    assert float(energy_loss(other, image, target, **OPTIONS) / exact(other, image, target, **OPTIONS)[0].detach()) == (
        pytest.approx(ratio, rel=0.03)
    )


def test_the_gradient_is_that_of_the_formula():
    logits, image, target = scene()
    leaf = logits.clone().requires_grad_()
    energy_loss(leaf, image, target, **OPTIONS).backward()
    _, by_shares = exact(logits, image, target, **OPTIONS)
    differentiable = logits.double().requires_grad_()
    (differentiable.softmax(dim=1) * by_shares).sum().backward()
    got, wanted = leaf.grad.double().flatten(), differentiable.grad.flatten()
    assert float(F.cosine_similarity(got, wanted, dim=0)) > 0.98
    assert 0.4 < float(got.norm() / wanted.norm()) < 1.05


def test_labels_that_follow_the_colours_cost_least():
    _, image, target = scene(2)
    target[:] = 255
    along, across = torch.full((2, 2, 12, 16), -4.0), torch.full((2, 2, 12, 16), -4.0)
    along[:, 0, :, :8] = along[:, 1, :, 8:] = 4.0
    across[:, 0, :6] = across[:, 1, 6:] = 4.0
    assert energy_loss(along, image, target, **OPTIONS) < 1.2 * energy_loss(across, image, target, **OPTIONS) < 0


def test_outside_the_box_and_where_it_is_sure_nothing_counts():
    logits, image, target = scene()
    box = torch.tensor([[0, 24, 0, 16]] * 2)
    leaf = logits.clone().requires_grad_()
    energy_loss(leaf, image, target, box, **OPTIONS).backward()
    assert leaf.grad is not None and (leaf.grad[:, :, :, 8:] == 0).all() and (leaf.grad[:, :, 4:8, :8] != 0).any()
    sure = (60 * F.one_hot(torch.zeros(2, 12, 16, dtype=torch.int64), 3).permute(0, 3, 1, 2)).float()
    assert energy_loss(sure, image, torch.zeros(2, 24, 32, dtype=torch.int64), **OPTIONS) == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize(
    "logits, image, target, words",
    [
        (torch.zeros(2, 3, 4), torch.zeros(2, 3, 8, 8), torch.zeros(2, 8, 8), "B, K, h, w"),
        (torch.zeros(2, 3, 4, 4), torch.zeros(1, 3, 8, 8), torch.zeros(1, 8, 8), "expected"),
        (torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 8, 8), torch.zeros(1, 8, 9), "expected"),
        (torch.full((1, 3, 4, 4), float("nan")), torch.zeros(1, 3, 8, 8), torch.zeros(1, 8, 8), "NaN"),
    ],
)
def test_what_does_not_fit_is_refused(logits, image, target, words):
    with pytest.raises(ValueError, match=words):
        energy_loss(logits, image, target)
