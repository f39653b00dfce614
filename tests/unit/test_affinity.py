"""Affinity: golden vectors, loop oracles in float64, properties, refusals."""

from __future__ import annotations

import math
import time

import pytest
import torch
from golden_vectors import cases, check, ids

from afa_viz.ops import affinity as aff


@pytest.mark.parametrize("name,params,inputs,outputs", cases("affinity_from_logits"), ids=ids)
def test_golden_affinity(name, params, inputs, outputs):
    logits = [inputs[key] for key in sorted(k for k in inputs if k.startswith("logits"))]
    before = [x.clone() for x in logits]
    check(aff.affinity_from_logits(logits, inputs["weight"], inputs["bias"]), outputs["affinity"])
    assert all(torch.equal(a, b) for a, b in zip(logits, before, strict=True))


def naive_affinity(logits, weight, bias):
    batch, heads, n, _ = logits.shape
    out = torch.zeros(batch, n, n, dtype=torch.float64)
    for b in range(batch):
        for i in range(n):
            for j in range(n):
                total = float(bias)
                for k in range(heads):
                    total += float(weight[k]) * (float(logits[b, k, i, j]) + float(logits[b, k, j, i]))
                out[b, i, j] = 1 / (1 + math.exp(-total))
    return out


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_affinity_against_loops(dtype):
    blocks = [torch.randn(2, 4, 6, 6, dtype=dtype) for _ in range(3)]
    weight, bias = torch.randn(1, 8, 1, 1, dtype=dtype) / 4, torch.randn(1, dtype=dtype)
    got = aff.affinity_from_logits(blocks, weight, bias)
    want = naive_affinity(torch.cat(blocks[1:], dim=1), weight.flatten(), bias)
    torch.testing.assert_close(got.double(), want, rtol=0, atol=1e-6 if dtype == torch.float32 else 1e-12)
    logits = aff.affinity_logits(blocks, weight.flatten(), bias)
    assert torch.equal(logits, logits.transpose(1, 2))
    # The sigmoid of the last few numbers of a row may round otherwise than its vector form: one unit in the last place.
    torch.testing.assert_close(got, got.transpose(1, 2), rtol=0, atol=torch.finfo(dtype).eps / 2)


def test_two_forms_agree_and_have_equal_gradients():
    queries = [torch.randn(2, 8, 30, 16, requires_grad=True) for _ in range(2)]
    keys = [torch.randn(2, 8, 30, 16, requires_grad=True) for _ in range(2)]
    weight = (torch.randn(1, 16, 1, 1) / 16).requires_grad_()
    bias = torch.zeros(1, requires_grad=True)
    leaves = [*queries, *keys, weight, bias]
    by_product = aff.affinity_from_qk(queries, keys, weight, bias)
    logits = [q @ k.transpose(-1, -2) for q, k in zip(queries, keys, strict=True)]
    by_logits = aff.affinity_from_logits(logits, weight, bias)
    torch.testing.assert_close(by_product, by_logits, rtol=0, atol=5e-6)
    probe = torch.randn_like(by_product)
    for a, b in zip(
        torch.autograd.grad((by_product * probe).sum(), leaves),
        torch.autograd.grad((by_logits * probe).sum(), leaves),
        strict=True,
    ):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3)


def test_affinity_gradcheck():
    blocks = [torch.randn(1, 2, 3, 3, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    weight = torch.randn(4, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(1, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda *x: aff.affinity_from_logits(list(x[:2]), x[2], x[3]), (*blocks, weight, bias)
    )
    tokens = [torch.randn(1, 2, 3, 4, dtype=torch.float64, requires_grad=True) for _ in range(4)]
    assert torch.autograd.gradcheck(lambda *x: aff.affinity_from_qk(x[:2], x[2:4], x[4], x[5]), (*tokens, weight, bias))


def test_unsymmetrised_form_is_asymmetric_but_of_equal_size():
    blocks = [torch.randn(1, 8, 5, 5) for _ in range(2)]
    weight, bias = torch.ones(16) / 16, torch.zeros(1)
    one_way = aff.affinity_logits(blocks, weight, bias, symmetric=False)
    assert not torch.allclose(one_way, one_way.transpose(1, 2))
    torch.testing.assert_close((one_way + one_way.transpose(1, 2)) / 2, aff.affinity_logits(blocks, weight, bias))


def test_asymmetry_number():
    square = torch.randn(3, 6, 6)
    even = square + square.transpose(1, 2)
    odd = square - square.transpose(1, 2)
    assert aff.asymmetry(even).max() < 1e-6
    torch.testing.assert_close(aff.asymmetry(even + odd), odd.flatten(1).norm(dim=1) / even.flatten(1).norm(dim=1))


@pytest.mark.parametrize("name,params,inputs,outputs", cases("radius_mask"), ids=ids)
def test_golden_radius_mask(name, params, inputs, outputs):
    check(aff.radius_mask(params["h"], params["w"], params["radius"]), outputs["mask"])


def test_radius_mask_against_loops():
    h, w, r = 5, 7, 2
    mask = aff.radius_mask(h, w, r)
    for i in range(h * w):
        for j in range(h * w):
            near = abs(i // w - j // w) <= r and abs(i % w - j % w) <= r
            assert bool(mask[i, j]) == near
    assert mask.dtype == torch.bool


def test_radius_mask_is_fast():
    aff.radius_mask(48, 48)
    times = []
    for _ in range(7):
        start = time.perf_counter()
        aff.radius_mask(48, 48)
        times.append(time.perf_counter() - start)
    assert min(times) < 0.02


@pytest.mark.parametrize("name,params,inputs,outputs", cases("token_grid"), ids=ids)
def test_golden_token_grid(name, params, inputs, outputs):
    grids = [aff.token_grid(int(h), int(w), params["stride"]) for h, w in inputs["sizes"]]
    check(torch.tensor(grids), outputs["grid"])


@pytest.mark.parametrize("name,params,inputs,outputs", cases("affinity_label"), ids=ids)
def test_golden_affinity_labels(name, params, inputs, outputs):
    got = aff.affinity_labels(inputs["label"].long(), inputs.get("radius_mask"), params["ignore_index"])
    check(got, outputs["affinity_label"])


def test_affinity_labels_against_loops():
    label = torch.randint(0, 4, (2, 50, 71))
    label[0, :20] = 255
    mask = aff.radius_mask(3, 4, 1)
    got = aff.affinity_labels(label, mask)
    cells = [[[label[b, r * 50 // 3, c * 71 // 4] for c in range(4)] for r in range(3)] for b in range(2)]
    for b in range(2):
        flat = [int(x) for row in cells[b] for x in row]
        for i, one in enumerate(flat):
            for j, two in enumerate(flat):
                want = 255 if one == 255 or two == 255 or not mask[i, j] else int(one == two)
                assert int(got[b, i, j]) == want


def test_labels_are_read_at_the_corner_or_the_middle_of_a_cell():
    rows, cols = torch.arange(48)[:, None], torch.arange(40)[None, :]
    label = rows * 40 + cols  # every pixel has a number of its own
    corner = [(i * 48 // 3) * 40 + j * 40 // 2 for i in range(3) for j in range(2)]
    middle = [((2 * i + 1) * 48 // 6) * 40 + (2 * j + 1) * 40 // 4 for i in range(3) for j in range(2)]
    assert aff.cell_labels(label[None])[0].tolist() == corner
    assert aff.cell_labels(label[None], at_centre=True)[0].tolist() == middle
    assert middle[0] == 8 * 40 + 10  # cells are 16 x 20 pixels here

    half = torch.zeros(1, 32, 32, dtype=torch.long)
    half[:, :, 8:] = 3  # the left cells' corners are background, their middles are not
    assert not aff.foreground_cells(half)[0, 0] and aff.foreground_cells(half, at_centre=True)[0, 0]
    assert aff.affinity_labels(half)[0, 0, 1] == 0
    assert aff.affinity_labels(half, at_centre=True)[0, 0, 1] == 1


def test_refusals():
    with pytest.raises(ValueError, match="heads"):
        aff.affinity_from_logits([torch.randn(1, 8, 4, 4)], torch.ones(16), torch.zeros(1))
    with pytest.raises(ValueError, match="queries and .* keys"):
        aff.symmetrize(torch.randn(1, 1, 4, 2))
    with pytest.raises(ValueError, match="NaN"):
        aff.affinity_from_logits([torch.full((1, 2, 4, 4), math.nan)], torch.ones(2), torch.zeros(1))
    with pytest.raises(ValueError, match="mask has shape"):
        aff.affinity_labels(torch.zeros(1, 32, 32, dtype=torch.long), torch.ones(9, 9))
    with pytest.raises(ValueError, match="radius"):
        aff.radius_mask(4, 4, -1)


def test_mixed_types_and_bias_of_any_shape():
    logits, weight = [torch.randn(1, 8, 6, 6) for _ in range(2)], torch.randn(16)
    want = aff.affinity_from_logits(logits, weight, torch.tensor([0.3]))
    assert torch.equal(aff.affinity_from_logits(logits, weight, torch.tensor(0.3).view(1, 1, 1, 1)), want)
    half = aff.affinity_from_logits([x.bfloat16() for x in logits], weight, torch.tensor([0.3]))
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, want, rtol=0, atol=0.05)


def test_queries_of_a_grid_smaller_than_a_key():
    logits = torch.randn(1, 2, 4 * 5, 1, dtype=torch.float64)
    pooled = aff.pool_queries(logits, (4, 5), 8)
    torch.testing.assert_close(pooled, logits.mean(dim=2, keepdim=True))


def test_refused_combinations():
    maps, weight, bias = [torch.randn(1, 8, 4, 4) for _ in range(2)], torch.randn(16), torch.zeros(1)
    for call, words in (
        (lambda: aff.affinity_from_logits(maps, weight * math.nan, bias), "weight holds 16 NaN"),
        (lambda: aff.affinity_from_logits(maps, weight, bias + math.inf), "bias holds 1 NaN"),
        (lambda: aff.affinity_from_logits(maps, weight, torch.zeros(4)), "one value"),
        (lambda: aff.affinity_from_logits([torch.randn(1, 8, 9, 9), maps[0]], weight, bias), "one grid"),
    ):
        with pytest.raises(ValueError, match=words):
            call()
