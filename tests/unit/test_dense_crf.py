"""The dense CRF: golden marginals of pydensecrf2, an exact oracle over all pairs, and scenes with a known answer."""

from __future__ import annotations

import base64
import dataclasses
import importlib.util
import json
import zlib

import numpy as np
import pytest
import torch
from golden_vectors import ROOT as GOLDEN
from safetensors.torch import load_file
from torch import Tensor

from afa_viz.classes import SANDBOX_CLASSES, palette
from afa_viz.inspection import crf_label, par_label, with_crf
from afa_viz.model.afa import build_afa
from afa_viz.model.card import Card
from afa_viz.ops import dense_crf
from afa_viz.ops.par import pixel_affinity
from afa_viz.ops.permutohedral import build_lattice
from afa_viz.pipeline import recompute
from afa_viz.stage_scores import stage_labels
from afa_viz.ui.handlers import payload

CASES = json.loads((GOLDEN / "dense_crf.json").read_text(encoding="utf-8"))
compiled = pytest.mark.skipif(importlib.util.find_spec("pydensecrf") is None, reason="pydensecrf2 is not installed")


def golden(name: str) -> tuple[Tensor, Tensor, Tensor, dict]:
    """Image, probabilities, marginals and parameters of a case. The file holds marginals pixel by pixel."""
    tensors = load_file(GOLDEN / "dense_crf.safetensors")
    labels, height, width = tensors[f"{name}/probabilities"].shape
    marginals = tensors[f"{name}/marginals"].reshape(height, width, labels).permute(2, 0, 1)
    parameters = {key: value for key, value in CASES[name].items() if key not in ("shape", "changed_labels")}
    return tensors[f"{name}/image"], tensors[f"{name}/probabilities"], marginals, parameters


@pytest.mark.parametrize("name", CASES)
def test_golden(name):
    image, probabilities, marginals, parameters = golden(name)
    changed = (marginals.argmax(dim=0) != probabilities.argmax(dim=0)).double().mean()
    assert float(changed) == pytest.approx(CASES[name]["changed_labels"], abs=1e-6), "the file is read right"
    got = dense_crf.dense_crf(image, probabilities, **parameters)
    assert (got - marginals).abs().mean() <= 1e-5  # the same lattice: only the rounding differs
    assert (got.argmax(dim=0) == marginals.argmax(dim=0)).double().mean() >= 0.999


def exact_mean_field(image: Tensor, probabilities: Tensor, num_iters: int, sxy: float, srgb: float) -> Tensor:
    """Algorithm 1 over all pairs of pixels in float64, with the two published weights."""
    labels, height, width = probabilities.shape
    rows, cols = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    place = torch.stack([rows.flatten(), cols.flatten()], dim=1).double()
    colour = image.reshape(-1, 3).double()
    kernels = []
    for features, weight in ((place / 3, 3.0), (torch.cat([place / sxy, colour / srgb], dim=1), 4.0)):
        kernel = (-(torch.cdist(features, features) ** 2) / 2).exp()
        root = kernel.sum(dim=1).rsqrt()
        kernels.append(weight * root[:, None] * kernel * root)
    unary = probabilities.double().reshape(labels, -1).t().log()
    marginals = unary.softmax(dim=1)
    for _ in range(num_iters):
        marginals = (unary + sum(kernel @ marginals for kernel in kernels)).softmax(dim=1)
    return marginals.t().reshape(labels, height, width)


@pytest.mark.parametrize("labels", [2, 4])
def test_near_the_exact_inference_over_all_pairs(labels):
    image = torch.full((20, 26, 3), 60, dtype=torch.uint8)
    image[6:15, 8:20] = torch.tensor([200, 150, 90], dtype=torch.uint8)
    image += (torch.rand(20, 26, 3) * 12).to(torch.uint8)
    scores = torch.rand(labels, 20, 26)
    scores[1, 6:15, 8:20] += 0.8
    probabilities = (2 * scores).softmax(dim=0)
    got = dense_crf.dense_crf(image, probabilities, 5, sxy_bilateral=10, srgb=20)
    exact = exact_mean_field(image, probabilities, 5, 10, 20)
    assert (got - exact).abs().mean() <= 2e-2
    assert (got.argmax(dim=0) == exact.argmax(dim=0)).double().mean() >= 0.99


@pytest.mark.parametrize("dimensions, extent", [(1, 40), (2, 25), (3, 12), (5, 5)])
def test_the_lattice_filters_as_gaussians_do(dimensions, extent):
    """Up to one factor for all points, which the CRF's normalisation removes."""
    features = torch.rand(3000, dimensions, dtype=torch.float64) * extent
    values = torch.rand(3000, 2, dtype=torch.float64)
    kernel = (-(torch.cdist(features, features) ** 2) / 2).exp()
    exact = (kernel @ values) / kernel.sum(dim=1, keepdim=True)
    lattice = build_lattice(features)
    got = lattice.filter(values) / lattice.filter(torch.ones(3000, 1))
    assert (got - exact).abs().mean() <= 0.015 and (got - exact).abs().max() <= 0.15


def test_one_point_and_points_at_one_place():
    assert build_lattice(torch.zeros(1, 5)).filter(torch.tensor([[2.0]])) == pytest.approx(2.0, rel=0.05)
    same = build_lattice(torch.full((4, 3), 0.3)).filter(torch.tensor([[1.0], [2.0], [3.0], [4.0]]))
    torch.testing.assert_close(same, same[:1].expand(4, 1))


@pytest.mark.parametrize(
    "features, words",
    [
        (torch.zeros(3), "N, d"), (torch.zeros(0, 2), "not empty"), (torch.zeros(2, 0), "not empty"),
        (torch.full((2, 2), float("nan")), "NaN"), (torch.full((2, 2), 1e9), "larger"),
    ],
)  # fmt: skip
def test_a_lattice_of_impossible_points_is_refused(features, words):
    with pytest.raises(ValueError, match=words):
        build_lattice(features)


def test_values_are_one_row_a_point():
    with pytest.raises(ValueError, match="a row for each point"):
        build_lattice(torch.rand(5, 2)).filter(torch.ones(4, 1))


def test_steps_end_where_the_inference_ends():
    image, probabilities, _, parameters = golden("one_iteration")
    steps = list(dense_crf.dense_crf_steps(image, probabilities, 3))
    assert len(steps) == 4 and torch.allclose(steps[0], probabilities, atol=1e-4)
    for number in (1, 3):
        assert torch.equal(steps[number], dense_crf.dense_crf(image, probabilities, number))
    with pytest.raises(ValueError, match="uint8"):
        dense_crf.dense_crf_steps(image.float(), probabilities)


def test_several_score_maps_of_an_image_are_what_each_of_them_is():
    image, probabilities, _, parameters = golden("one_iteration")
    several = torch.stack([probabilities, probabilities.flip(0), probabilities.roll(5, dims=2)])
    found = dense_crf.dense_crf(image, several, **parameters | {"num_iters": 3})
    assert found.shape == several.shape
    for one, scores in zip(found, several, strict=True):
        assert torch.equal(one, dense_crf.dense_crf(image, scores, **parameters | {"num_iters": 3}))
    with pytest.raises(ValueError, match="without any"):
        dense_crf.dense_crf(image, torch.stack([probabilities, torch.zeros_like(probabilities)]))


@compiled
def test_equals_the_compiled_one_on_a_photograph():
    from pydensecrf.densecrf import DenseCRF2D
    from skimage import data

    image = torch.from_numpy(data.astronaut()[::4, ::4].copy())
    probabilities = torch.rand(3, 128, 128, generator=torch.Generator().manual_seed(0)).softmax(dim=0)
    crf = DenseCRF2D(128, 128, 3)
    crf.setUnaryEnergy(np.ascontiguousarray(-probabilities.log().reshape(3, -1).numpy()))
    crf.addPairwiseGaussian(sxy=3, compat=3)
    crf.addPairwiseBilateral(sxy=64, srgb=5, rgbim=np.ascontiguousarray(image.numpy()), compat=4)
    theirs = torch.from_numpy(np.array(crf.inference(10))).reshape(3, 128, 128)
    got = dense_crf.dense_crf(image, probabilities)
    assert (got - theirs).abs().mean() <= 1e-4  # noise: every iteration magnifies what rounding begins
    assert (got.argmax(dim=0) == theirs.argmax(dim=0)).double().mean() >= 0.999


def halves() -> tuple[torch.Tensor, torch.Tensor]:
    """A dark and a bright half, 24 x 32, and scores that favour the right label a little, with wrong spots."""
    image = torch.full((24, 32, 3), 40, dtype=torch.uint8)
    image[:, 16:] = 210
    bright = torch.full((24, 32), 0.4)
    bright[:, 16:] = 0.6
    bright[10:12, 4:6] = 0.7  # wrong
    bright[4:6, 24:26] = 0.3  # wrong
    return image, torch.stack([1 - bright, bright])


def test_wrong_spots_are_overruled_by_their_colour():
    image, scores = halves()
    kept = scores.clone()
    after = dense_crf.dense_crf(image, scores)
    truth = torch.zeros(24, 32)
    truth[:, 16:] = 1
    assert (scores.argmax(dim=0) != truth).sum() == 8
    assert torch.equal(after.argmax(dim=0), truth.long())
    assert torch.allclose(after.sum(dim=0), torch.ones(24, 32), atol=1e-5)
    assert torch.equal(scores, kept)


def test_no_iteration_gives_the_normalised_scores():
    image, scores = halves()
    after = dense_crf.dense_crf(image, 3 * scores, num_iters=0)
    assert torch.allclose(after, scores, atol=1e-5)


@pytest.mark.parametrize(
    "image, scores, words",
    [
        (torch.zeros(4, 5, 3), torch.ones(2, 4, 5), "uint8"),
        (torch.zeros(4, 4, 3, dtype=torch.uint8), torch.ones(2, 4, 5), "resize"),
        (torch.zeros(4, 5, 3, dtype=torch.uint8), -torch.ones(2, 4, 5), "softmax"),
        (torch.zeros(4, 5, 3, dtype=torch.uint8), torch.zeros(2, 4, 5), "without any"),
        (torch.zeros(4, 5, 3, dtype=torch.uint8), torch.ones(4, 5), "P, H, W"),
    ],
)
def test_refuses_what_does_not_fit(image, scores, words):
    with pytest.raises(ValueError, match=words):
        dense_crf.dense_crf(image, scores)


@pytest.mark.parametrize("given, words", [
    ({"weight_gauss": 1e39}, "weight_gauss 1e[+]39"), ({"weight_bilateral": -1e39}, "weight_bilateral -1e[+]39"),
    ({"weight_gauss": 3e38, "weight_bilateral": 3e38}, "weight_gauss 3e[+]38"), ({"srgb": 1e-3}, "srgb 0.001"),
    ({"srgb": 1e-46}, "srgb 1e-46"), ({"sxy_gauss": 1e-7}, "sxy_gauss 1e-07"),
    ({"sxy_bilateral": 1e-7}, "sxy_bilateral 1e-07"),
    ({"image": torch.zeros(0, 7, 3, dtype=torch.uint8), "probabilities": torch.ones(2, 0, 7)},
     "image has shape .0, 7, 3"),
    ({"probabilities": torch.ones(0, 4, 5)}, "at least one label"),
    ({"probabilities": torch.ones(2, 4, 5).int()}, "torch.int32; expected floating point"),
    ({"probabilities": torch.ones(2, 4, 5).bool()}, "torch.bool; expected floating point"),
    ({"probabilities": torch.ones(4, 5, 2)}, "expected labels first"),
    ({"probabilities": torch.ones(3, 4, 5, 2)}, "expected labels first"),
    ({"probabilities": torch.ones(2, 9, 9)}, "resize the scores"),
    ({"image": "cow.png"}, "image is of type str"), ({"probabilities": None}, "probabilities is of type NoneType"),
])  # fmt: skip
def test_the_call_itself_refuses_and_names_the_argument(given, words):
    image = torch.arange(60, dtype=torch.uint8).reshape(4, 5, 3) * 4
    with pytest.raises(ValueError, match=words) as refused:
        dense_crf.dense_crf_steps(**{"image": image, "probabilities": torch.ones(2, 4, 5), **given})
    assert str(refused.value).endswith(".") and "\n" not in str(refused.value) and "features" not in str(refused.value)


def test_large_weights_and_deviations_give_numbers():
    image, probabilities, *_ = golden("one_iteration")
    for given in ({"weight_gauss": 1e30, "weight_bilateral": 1e30}, {"sxy_gauss": 1e39, "srgb": 1e300}):
        assert dense_crf.dense_crf(image, probabilities, 3, **given).isfinite().all()


def test_arrays_are_taken_too_and_other_operations_say_what_they_take():
    image, probabilities, *_ = golden("one_iteration")
    turned = dense_crf.dense_crf(image.numpy()[:, ::-1], probabilities.numpy()[:, :, ::-1], 1)
    assert torch.equal(turned, dense_crf.dense_crf(image.flip(1), probabilities.flip(2), 1))
    with pytest.raises(ValueError, match="image is of type ndarray; expected a tensor of 4 dimensions"):
        pixel_affinity(np.zeros((1, 3, 4, 5), np.float32))


@pytest.fixture(scope="module")
def trace():
    import afa_viz

    torch.manual_seed(0)
    model = build_afa("mit_b0", len(SANDBOX_CLASSES), "topk")
    model.card = Card("mit_b0", len(SANDBOX_CLASSES), SANDBOX_CLASSES, palette(len(SANDBOX_CLASSES)), "topk")
    image = torch.randint(0, 255, (64, 64, 3), generator=torch.Generator().manual_seed(1)).to(torch.uint8).numpy()
    config = afa_viz.ExplainConfig(scales=(1.0,), flip=False, long_side=64)
    target = np.zeros((64, 64), dtype=np.uint8)
    return afa_viz.explain(model, image, [SANDBOX_CLASSES[1], SANDBOX_CLASSES[2]], config, target=target)


def test_its_rival_is_par_as_the_trace_has_it(trace):
    assert torch.equal(par_label(trace), stage_labels(trace)["cam_par"])


def test_both_start_from_the_walk(trace):
    """Labels of the image alone; scores that leave no doubt stay as they are."""
    assert set(crf_label(trace).unique().tolist()) <= {0, *trace.present}
    sure = torch.zeros_like(trace.cam_rw)
    sure[trace.present[0]] = 1
    assert (crf_label(dataclasses.replace(trace, cam_rw=sure)) == trace.present[0]).all()


def test_without_the_walk_it_starts_from_the_cam_as_its_other_forms_do(trace):
    plain = recompute(trace, dataclasses.replace(trace.config, use_walk=False))
    by_both = with_crf(plain)
    assert torch.equal(crf_label(plain), stage_labels(by_both)["cam_par"])
    assert not torch.equal(crf_label(plain), crf_label(trace))


def test_the_page_gets_labels_times_and_scores(trace):
    answer = payload.crf(trace)
    iterations = {"": 10, "par_": trace.config.num_iters}
    for prefix, count in iterations.items():
        packed = answer[f"{prefix}labels"]
        assert packed["shape"] == [count + 1, 64, 64] and answer[f"{prefix}iterations"] == count
        labels = np.frombuffer(zlib.decompress(base64.b64decode(packed["data"])), np.uint8).reshape(packed["shape"])
        last = par_label(trace) if prefix else crf_label(trace)
        assert (labels[-1] == last.numpy()).all() and (labels[0] != labels[-1]).any()
        assert len(answer[f"{prefix}iou"]) == count + 1
        for label, found in zip(labels, answer[f"{prefix}iou"], strict=True):
            share = float((label == 0).mean())  # the ground truth is background everywhere
            assert found[0] == pytest.approx(share, abs=1e-5)
    assert answer["seconds"] > 0 and answer["par_seconds"] > 0
