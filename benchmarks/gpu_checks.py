"""Every op on a device against the CPU: the same random inputs, the largest difference beside its tolerance."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from afa_viz.ops import (
    affinity,
    banded_walk,
    boundaries,
    cam,
    energy_loss,
    losses,
    metrics,
    par,
    par_fast,
    pseudo_label,
    random_walk,
)

GRID, SIDE, CLASSES, BATCH = (12, 14), 16, 4, 2  # cells, pixels a cell, foreground classes, images
EXACT, FLOAT32 = 0.0, 2e-4  # tolerances: integers; sums in another order, relative to the largest value
Case = tuple[str, Callable[..., Tensor], tuple[Any, ...]]


def op_checks(device: str) -> list[dict[str, Any]]:
    """A row for each op: what, largest difference relative to the largest value (of labels: share that differs),
    tolerance, whether it is met; or "error" in place of the difference."""
    return [check(name, function, inputs, device) for name, function, inputs in cases()]


def check(name: str, function: Callable[..., Tensor], inputs: tuple[Any, ...], device: str) -> dict[str, Any]:
    """Compare one op on both devices."""
    expected = function(*inputs)
    labels = not expected.is_floating_point()
    tolerance = 1e-3 if labels and name in TIES else EXACT if labels else FLOAT32
    try:
        got = function(*(value.to(device) if isinstance(value, Tensor) else value for value in inputs)).cpu()
    except (RuntimeError, ValueError, NotImplementedError) as error:
        return {"what": name, "error": str(error).splitlines()[0][:200], "tolerance": tolerance, "met": False}
    if got.shape != expected.shape or got.dtype != expected.dtype:
        error = f"{tuple(got.shape)} {got.dtype} in place of {tuple(expected.shape)} {expected.dtype}"
        return {"what": name, "error": error, "tolerance": tolerance, "met": False}
    if labels:
        difference = float((got != expected).double().mean())
    else:
        difference = float((got - expected).abs().max() / expected.abs().max().clamp_min(1e-12))
    return {"what": name, "difference": difference, "tolerance": tolerance, "met": difference <= tolerance}


TIES = {"pseudo label: merged", "pseudo label: strongest score"}  # a rounding may decide between equal scores


def cases() -> Iterator[Case]:
    """Every op with its inputs on the CPU."""
    random = torch.Generator().manual_seed(0)
    height, width = GRID[0] * SIDE, GRID[1] * SIDE
    cells = GRID[0] * GRID[1]

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=random)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=random)

    labels = torch.tensor([[1.0, 0, 1, 0], [0, 1, 1, 1]])
    features, weight = normal(BATCH, 32, *GRID), normal(CLASSES, 32, 1, 1)
    maps = uniform(BATCH, CLASSES, *GRID)
    queries, keys = ([normal(BATCH, 8, cells, 16) / 4 for _ in range(2)] for _ in range(2))
    head, bias = normal(1, 16, 1, 1) / 8, normal(1)
    learned = affinity.affinity_from_qk(queries, keys, head, bias)
    mask = affinity.radius_mask(*GRID, radius=4)
    label = torch.randint(0, CLASSES + 1, (BATCH, height, width), generator=random)
    label[:, :40, :40] = 255
    image, scores = uniform(BATCH, 3, height // 2, width // 2), uniform(BATCH, CLASSES + 1, *GRID)
    logits = normal(BATCH, CLASSES + 1, height, width)

    def case(name: str, function: Callable[..., Tensor], *inputs: Any) -> Case:
        return name, function, inputs

    yield case("CAM: class activation", cam.class_activation, features, weight)
    yield case("CAM: flip", cam.fuse_flip, maps, maps.flip(-1))
    yield case("CAM: scales", _two_scales, maps, maps[..., ::2, ::2])
    yield case("CAM: normalised", cam.normalize, maps)
    yield case("affinity: one product", _from_qk, *queries, *keys, head, bias)
    yield case("affinity: from logits", _from_logits, *queries, *keys, head, bias)
    yield case("affinity: labels", lambda one, near: affinity.affinity_labels(one, mask=near), label, mask)
    yield case("walk: transition", random_walk.transition_matrix, learned, mask)
    yield case("walk: dense, three steps", _three_steps, scores, learned, mask)
    yield case("walk: with background", _with_background, maps, learned, labels, mask)
    yield case("walk: window", lambda s, a: banded_walk.propagate_windowed(s, a, 4), scores, learned)
    for form, fast in (("plain", False), ("fast", True)):
        kernel = functools.partial(par.pixel_affinity, fast=fast)
        yield case(f"PAR: kernel, {form}", kernel, image)
        refine = functools.partial(par.pixel_adaptive_refinement, fast=fast)
        yield case(f"PAR: refined, {form}", refine, image, scores)
    yield case("pseudo label: thresholded CAM", lambda c, y: pseudo_label.from_cam(c, y, 0.45), maps, labels)
    low, high = (torch.where(uniform(BATCH, height, width) < 0.4, 0, label.clamp_max(CLASSES)) for _ in range(2))
    yield case("pseudo label: merged", pseudo_label.merge_low_high, low, high)
    yield case("pseudo label: strongest score", pseudo_label.argmax_label, scores[0], torch.arange(CLASSES + 1))
    yield case("loss: classification", losses.classification_loss, normal(BATCH, CLASSES), labels)
    yield case("loss: segmentation", losses.segmentation_loss, logits, label)
    yield case("loss: affinity", losses.affinity_loss, learned, affinity.affinity_labels(label, mask=mask))
    rgb = (255 * uniform(BATCH, 3, height, width)).round()
    yield case("loss: dense energy", energy_loss.energy_loss, logits[..., ::4, ::4].contiguous(), rgb, label)
    guess = torch.randint(0, CLASSES + 1, label.shape, generator=random)
    yield case("metrics: confusion matrix", _confusion, label, guess)
    present = (uniform(30, CLASSES) < 0.4).float()
    yield case("metrics: average precision", metrics.average_precision, normal(30, CLASSES), present)
    yield case("boundaries: trimap", lambda one: boundaries.trimap(one, 4), label[0])
    yield case("boundaries: region", lambda one: boundaries.inner_boundary(one == 1, 4), label)


def _two_scales(one: Tensor, two: Tensor) -> Tensor:
    return cam.fuse_scales([one, cam.resize(two, one.shape[-2:])])


def _from_qk(*given: Tensor) -> Tensor:
    return affinity.affinity_from_qk(given[:2], given[2:4], *given[4:])


def _from_logits(*given: Tensor) -> Tensor:
    logits = [query @ key.transpose(-1, -2) for query, key in zip(given[:2], given[2:4], strict=True)]
    return affinity.affinity_from_logits(logits, *given[4:])


def _three_steps(scores: Tensor, learned: Tensor, near: Tensor) -> Tensor:
    return random_walk.propagate(scores, random_walk.transition_matrix(learned, near), 3)


def _with_background(maps: Tensor, learned: Tensor, labels: Tensor, near: Tensor) -> Tensor:
    return random_walk.propagate_with_background(maps, learned, labels, 0.35, mask=near)


def _confusion(target: Tensor, prediction: Tensor) -> Tensor:
    return metrics.ConfusionMatrix(CLASSES + 1).update(target, prediction).matrix


def triton_used(device: str) -> bool:
    """Whether PAR takes its Triton form for tensors there."""
    return par_fast.gpu_form(torch.zeros(1, device=device)) is not None
