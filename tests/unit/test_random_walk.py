"""Random walk: golden vectors, a loop oracle in float64, properties, refusals."""

from __future__ import annotations

import math

import pytest
import torch
from golden_vectors import cases, check, ids

from afa_viz.ops import random_walk as walk
from afa_viz.ops.affinity import radius_mask


@pytest.mark.parametrize("name,params,inputs,outputs", cases("random_walk_bkg"), ids=ids)
def test_golden_with_background(name, params, inputs, outputs):
    before = {key: value.clone() for key, value in inputs.items()}
    got = walk.propagate_with_background(
        inputs["cams"], inputs["affinity"], inputs["cls_labels"], params["bkg_score"], inputs.get("radius_mask"),
        power=params["power"], eps=params["eps"],
    )  # fmt: skip
    check(got, outputs["cams"])
    assert all(torch.equal(inputs[key], before[key]) for key in inputs)


@pytest.mark.parametrize("name,params,inputs,outputs", cases("random_walk_plain"), ids=ids)
def test_golden_plain(name, params, inputs, outputs):
    transition = walk.transition_matrix(
        inputs["affinity"][: len(inputs["cams"])], inputs.get("radius_mask"), params["power"], params["eps"]
    )
    check(walk.propagate(inputs["cams"], transition), outputs["cams"])


def naive(cam, affinity, labels, beta, mask, power, eps, steps):
    classes, h, w = cam.shape
    n = h * w
    kept = [c for c in range(classes) if labels[c] > 0]
    sharp = [[float(affinity[i, j]) ** power * float(mask[i, j]) for j in range(n)] for i in range(n)]
    sums = [sum(sharp[i][j] for i in range(n)) for j in range(n)]
    state = []
    for i in range(n):
        values = [beta, *(float(cam[c, i // w, i % w]) for c in kept)]
        weights = [math.exp(v) for v in values]
        state.append([x / sum(weights) for x in weights])
    for _ in range(steps):
        state = [
            [sum(state[i][c] * sharp[i][j] / (sums[j] + eps) for i in range(n)) for c in range(len(kept) + 1)]
            for j in range(n)
        ]
    out = torch.zeros(classes + 1, h, w, dtype=torch.float64)
    for j in range(n):
        for position, channel in enumerate([0, *(c + 1 for c in kept)]):
            out[channel, j // w, j % w] = state[j][position]
    return out


@pytest.mark.parametrize("power,steps", [(2.0, 1), (3.5, 2), (1.0, 0)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_against_loops(power, steps, dtype):
    cam, affinity = torch.rand(2, 3, 3, 5, dtype=dtype), torch.rand(2, 15, 15, dtype=dtype)
    labels = torch.tensor([[1.0, 0, 1], [0, 0, 0]])
    mask = radius_mask(3, 5, 2)
    got = walk.propagate_with_background(cam, affinity, labels, 0.35, mask, power=power, eps=0.1, num_steps=steps)
    for b in range(2):
        want = naive(cam[b], affinity[b], labels[b], 0.35, mask, power, 0.1, steps)
        torch.testing.assert_close(got[b].double(), want, rtol=0, atol=1e-6 if dtype == torch.float32 else 1e-12)
    assert got.dtype == dtype


def test_column_sums_and_powers():
    affinity = torch.rand(2, 12, 12, dtype=torch.float64)
    mask = radius_mask(3, 4, 1)
    transition = walk.transition_matrix(affinity, mask)
    sums = (affinity.square() * mask).sum(dim=1)
    torch.testing.assert_close(transition.sum(dim=1), sums / (sums + 0.1))
    scores = torch.rand(2, 3, 3, 4, dtype=torch.float64)
    squared = walk.propagate(scores, transition @ transition)
    torch.testing.assert_close(walk.propagate(scores, transition, num_steps=2), squared)
    steps = list(walk.walk_steps(scores, transition, 3))
    assert len(steps) == 4
    torch.testing.assert_close(steps[0], scores)
    torch.testing.assert_close(steps[2], squared)


def test_class_permutation_commutes_and_absent_classes_stay_zero():
    cam, affinity = torch.rand(1, 4, 3, 3), torch.rand(1, 9, 9)
    labels = torch.tensor([[1.0, 0, 1, 1]])
    order = torch.tensor([2, 0, 3, 1])
    out = walk.propagate_with_background(cam, affinity, labels, 0.4)
    permuted = walk.propagate_with_background(cam[:, order], affinity, labels[:, order], 0.4)
    torch.testing.assert_close(permuted[:, 1:], out[:, 1:][:, order])
    assert out[:, 2].abs().max() == 0


def test_refusals():
    scores, affinity = torch.rand(1, 2, 3, 3), torch.rand(1, 9, 9)
    transition = walk.transition_matrix(affinity)
    for call, words in (
        (lambda: walk.transition_matrix(torch.rand(1, 9, 8)), "square"),
        (lambda: walk.transition_matrix(affinity, power=0), "power"),
        (lambda: walk.transition_matrix(affinity, mask=torch.ones(4, 4)), "mask"),
        (lambda: walk.transition_matrix(torch.full((1, 4, 4), math.nan)), "NaN"),
        (lambda: walk.propagate(torch.rand(1, 2, 2, 2), transition), "token grid"),
        (lambda: walk.propagate(scores, transition, num_steps=-1), "num_steps"),
        (lambda: walk.propagate_with_background(scores, affinity, torch.ones(1, 3), 0.4), "image_labels"),
        (lambda: walk.propagate_with_background(scores * math.inf, affinity, torch.ones(1, 2), 0.4), "NaN or inf"),
    ):
        with pytest.raises(ValueError, match=words):
            call()


def test_types_that_sensible_callers_mix():
    cam, affinity, labels = torch.rand(2, 3, 2, 3), torch.rand(4, 6, 6), torch.tensor([[1, 0, 1], [0, 0, 0]])
    want = walk.propagate_with_background(cam, affinity, labels, 0.4)
    for dtype in (torch.bool, torch.uint8, torch.int16, torch.float64, torch.bfloat16):
        assert torch.equal(walk.propagate_with_background(cam, affinity, labels.to(dtype), 0.4), want)
    hard = (cam > 0.5).to(torch.uint8)  # whole numbers: the background score must not be cut to 0
    got = walk.propagate_with_background(hard, affinity, labels, 0.4)
    assert torch.equal(got, walk.propagate_with_background(hard.float(), affinity, labels, 0.4))
    links = torch.eye(6, dtype=torch.bool)[None]
    assert torch.equal(walk.transition_matrix(links), walk.transition_matrix(links.float()))
    transition = walk.transition_matrix(affinity[:2])
    for scores in (cam.double(), hard):
        got = walk.propagate(scores, transition)
        torch.testing.assert_close(got.float(), walk.propagate(scores.float(), transition))


def test_more_refusals():
    cam, affinity, labels = torch.rand(1, 2, 2, 2), torch.rand(1, 4, 4), torch.ones(1, 2)
    for call, words in (
        (lambda: walk.propagate_with_background(cam, affinity, labels, math.nan), "got bkg_score nan"),
        (lambda: walk.propagate_with_background(cam, affinity, labels * math.nan, 0.4), "image_labels holds 2 NaN"),
        (lambda: walk.transition_matrix(affinity, power=math.inf), "got power inf"),
        (lambda: walk.transition_matrix(-affinity, power=1.5), "apply the sigmoid"),
    ):
        with pytest.raises(ValueError, match=words):
            call()
