"""The random walk: class scores flow along strong affinities, T_ij = A_ij^p / (sum_k A_kj^p + eps).

A cell is among its own neighbours, and the weights that reach it sum to less than 1.

Symbols: B batch, C foreground classes, K = C + 1 with background first, h w grid cells, N = h * w.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from afa_viz.ops.checks import (
    require_dims,
    require_finite,
    require_float,
    require_int,
    require_labels,
    require_positive,
    require_square,
)

POWER = 2.0  # docs/spec.md section 6, step 3: element-wise square
EPS = 0.1  # with background; the plain variant of the reference uses 1e-4
NUM_STEPS = 1  # docs/spec.md section 6, step 4: one product, no repeated squaring


def transition_matrix(affinity: Tensor, mask: Tensor | None = None, power: float = POWER, eps: float = EPS) -> Tensor:
    """Transition probabilities from affinities: sharpen, keep near pairs, normalise the columns.

    Args:
        affinity: (B, N, N) in [0, 1]. Not changed.
        mask: (N, N) bool or 0/1, from `affinity.radius_mask`; None keeps all pairs.
        power: sharpness, > 0. Larger keeps only strong links.
        eps: > 0, added to the column sums: cells without strong links lose score.
    Returns: (B, N, N); column j sums to s / (s + eps) with s its sum of sharpened affinities.
    Raises: ValueError: if the affinity is not square or not finite, power or eps is not positive, the mask does
        not fit, or a negative affinity is raised to a power other than 2.
    Source: Ru et al. 2022, section 3.3; docs/spec.md section 6.
    """
    require_square("affinity", affinity)
    require_finite("affinity", affinity)
    power, eps = require_positive("power", power, POWER), require_positive("eps", eps, EPS)
    affinity = affinity if affinity.is_floating_point() else affinity.float()
    if power != 2 and (affinity < 0).any():
        raise ValueError(f"affinity holds {float(affinity.min())}; expected values in [0, 1]: apply the sigmoid first.")
    sharp = affinity.square() if power == 2 else affinity.pow(power)
    if mask is not None:
        if mask.shape != affinity.shape[-2:]:
            raise ValueError(
                f"mask has shape {tuple(mask.shape)} but affinity {tuple(affinity.shape)}; "
                "expected the radius mask of the same grid."
            )
        sharp = sharp * mask.to(sharp)
    return sharp / (sharp.sum(dim=1, keepdim=True) + eps)


def walk_steps(scores: Tensor, transition: Tensor, num_steps: int = NUM_STEPS) -> Iterator[Tensor]:
    """Yield the scores before the walk and after each step: num_steps + 1 tensors shaped like `scores`.

    Args, Raises and Source: as `propagate`.
    """
    num_steps = require_int("num_steps", num_steps, 0, NUM_STEPS)
    if scores.dim() not in (3, 4):
        raise ValueError(f"scores have shape {tuple(scores.shape)}; expected (B, C, h, w) or (B, C, N).")
    require_square("transition", transition)
    require_finite("scores", scores)
    require_finite("transition", transition)
    flat = scores.flatten(2)
    if flat.shape[-1] != transition.shape[-1] or flat.shape[0] != transition.shape[0]:
        raise ValueError(
            f"scores {tuple(scores.shape)} have {flat.shape[-1]} cells but transition {tuple(transition.shape)}; "
            "expected the same batch and grid: resize the scores to the token grid."
        )
    yield scores.clone()
    dtype = torch.promote_types(scores.dtype, transition.dtype)
    flat, transition = flat.to(dtype), transition.to(dtype)
    for _ in range(num_steps):
        flat = flat @ transition
        yield flat.reshape(scores.shape)


def propagate(scores: Tensor, transition: Tensor, num_steps: int = NUM_STEPS) -> Tensor:
    """Scores after `num_steps` steps of the walk: out[c, j] = sum_i scores[c, i] T_ij, repeated.

    Args:
        scores: (B, C, h, w) or (B, C, N), any values.
        transition: (B, N, N), from `transition_matrix`.
        num_steps: >= 0; 0 returns a copy.
    Returns: shaped like `scores`; after a step, of the wider of the two types.
    Raises: ValueError: if the shapes do not fit or a value is not finite.
    Source: docs/spec.md section 6, step 4.
    """
    *_, last = walk_steps(scores, transition, num_steps)
    return last


def with_background(cam: Tensor, image_labels: Tensor, bkg_score: float) -> Tensor:
    """Where the walk starts: a constant background channel in front, softmax over the classes present.

    Args:
        cam: (B, C, h, w) in [0, 1].
        image_labels: (B, C) multi-hot; absent classes get probability 0.
        bkg_score: constant score of the background channel.
    Returns: (B, C + 1, h, w), each cell sums to 1.
    Raises: ValueError: if labels and CAM do not fit or a value is not finite.
    Source: docs/spec.md section 6, steps 1 and 2.
    """
    require_dims("cam", cam, 4, "(B, C, h, w)")
    require_labels(image_labels, cam.shape[:2])
    require_finite("cam", cam)
    bkg_score = require_float("bkg_score", bkg_score)
    cam = cam if cam.is_floating_point() else cam.float()
    image_labels = image_labels.to(cam.device)
    background = torch.full_like(cam[:, :1], bkg_score)
    scores = torch.cat([background, cam], dim=1)
    present = torch.cat([torch.ones_like(image_labels[:, :1]), image_labels], dim=1) > 0
    return scores.masked_fill(~present[:, :, None, None], float("-inf")).softmax(dim=1)


def propagate_with_background(
    cam: Tensor,
    affinity: Tensor,
    image_labels: Tensor,
    bkg_score: float,
    mask: Tensor | None = None,
    power: float = POWER,
    eps: float = EPS,
    num_steps: int = NUM_STEPS,
) -> Tensor:
    """The walk of AFA: CAM and a constant background, softmax over present classes, propagated.

    Args:
        cam: (B, C, h, w) in [0, 1], at the token grid.
        affinity: (B', N, N) with B' >= B; the first B are used (the rest belong to mirrored images).
        image_labels: (B, C) multi-hot.
        bkg_score: constant background score beta.
        mask, power, eps: see `transition_matrix`.
        num_steps: products with the transition matrix.
    Returns: (B, C + 1, h, w), background first; absent classes are exactly 0.
    Raises: ValueError: as `with_background`, `transition_matrix` and `propagate`.
    Source: Ru et al. 2022, section 3.3; docs/spec.md section 6.
    """
    start = with_background(cam, image_labels, bkg_score)
    transition = transition_matrix(affinity[: cam.shape[0]], mask=mask, power=power, eps=eps)
    return propagate(start, transition.to(start.dtype), num_steps=num_steps)
