"""CAM fusion, label rules and their refinement: golden vectors, loop oracles, properties."""

from __future__ import annotations

import math

import pytest
import torch
from golden_vectors import cases, check, golden_model, ids

from afa_viz.config import ExplainConfig
from afa_viz.ops import cam as cams
from afa_viz.ops import pseudo_label as labels
from afa_viz.ops.image import denormalize_image, normalize_image
from afa_viz.stages.multi_scale_cam import multi_scale_cam
from afa_viz.stages.refine import refine


@pytest.mark.parametrize("name,params,inputs,outputs", cases("multi_scale_cam"), ids=ids)
def test_golden_multi_scale_cam(name, params, inputs, outputs):
    cam, affinity = multi_scale_cam(golden_model(params["backbone"]), inputs["image"], params["scales"])
    check(cam, outputs["cam"])
    check(affinity, outputs["affinity"])


def test_largest_scale_gives_the_affinity_wherever_it_is_listed():
    model, image = golden_model(), torch.randn(1, 3, 64, 64)
    for scales in ((1.5, 1), (0.5, 1.5), (1.5,)):
        cam, affinity = multi_scale_cam(model, image, scales, flip=False)
        assert affinity.shape == (1, 36, 36)
        assert cam.shape == (1, 20, 64, 64)


@pytest.mark.parametrize("name,params,inputs,outputs", cases("cam_to_label"), ids=ids)
def test_golden_cam_to_label(name, params, inputs, outputs):
    cam, present = inputs["cams"], inputs["cls_labels"]
    box = inputs.get("img_box")
    if params["ignore_mid"]:
        got = labels.with_uncertain(
            cam, present, params["bkg_score"], params["low_thre"], params["high_thre"], box, params["ignore_index"]
        )
    else:
        got = labels.ignore_outside_box(labels.from_cam(cam, present, params["bkg_score"]), box)
    check(got, outputs["label"])
    if "valid_cam" in outputs:
        check(labels.present_cam(cam, present), outputs["valid_cam"])


@pytest.mark.parametrize("name,params,inputs,outputs", cases("ignore_img_box"), ids=ids)
def test_golden_box(name, params, inputs, outputs):
    check(labels.ignore_outside_box(inputs["label"], inputs["img_box"]), outputs["label"])


@pytest.mark.parametrize("name,params,inputs,outputs", cases("merge_low_high"), ids=ids)
def test_golden_merge(name, params, inputs, outputs):
    check(labels.merge_low_high(inputs["low"], inputs["high"], inputs["img_box"]), outputs["label"])


@pytest.mark.parametrize("name,params,inputs,outputs", cases("denormalize"), ids=ids)
def test_golden_denormalize(name, params, inputs, outputs):
    levels = denormalize_image(inputs["image"])
    check(levels, outputs["image255"])
    check(levels / 255, outputs["image01"])


@pytest.mark.parametrize("name,params,inputs,outputs", cases("refine_with_bkg"), ids=ids)
def test_golden_refine_with_background(name, params, inputs, outputs):
    images, cam, present, boxes = (inputs[k] for k in ("images", "cams", "cls_labels", "img_box"))
    maps = torch.full((2, len(images), *images.shape[-2:]), 255)
    for i, (top, bottom, left, right) in enumerate(boxes.tolist()):
        kept = torch.cat([torch.zeros(1), present[i].nonzero().flatten() + 1]).long()
        scores = labels.refine_cam(images[i], cam[i, kept[1:] - 1], (params["low_thre"], params["high_thre"]))
        for t in range(2):
            maps[t, i, top:bottom, left:right] = labels.argmax_label(scores[t], kept)[top:bottom, left:right]
    check(labels.merge_low_high(maps[0], maps[1], boxes), outputs["label"])


@pytest.mark.parametrize("name,params,inputs,outputs", cases("refine_with_cls_label"), ids=ids)
def test_golden_refine_with_labels(name, params, inputs, outputs):
    images, cam = inputs["images"], inputs["cams"]
    out = torch.zeros_like(cam)
    config = ExplainConfig(num_iters=params["par_iterations"])
    for i, (top, bottom, left, right) in enumerate(inputs["img_box"].tolist()):
        kept = inputs["labels"][i].nonzero().flatten()
        crop = (slice(None), slice(top, bottom), slice(left, right))
        pair = (cam[i][crop], cam[i][crop])
        out[i, kept, top:bottom, left:right] = refine(images[i][crop], cam[i, 1:][crop], pair, kept, config)[0]
    check(out, outputs["cams"])
    check(out.argmax(dim=1), outputs["label"])


def naive_label(scores, beta, low, high):
    best, number = 0.0, 0
    for c, score in enumerate(scores):
        if number == 0 or score > best:
            best, number = score, c + 1
    if low is not None and best <= low:
        return 0
    label = 0 if best <= beta else number
    return 255 if high is not None and best <= high else label


def test_label_rules_against_loops():
    cam = torch.rand(2, 3, 9, 11, dtype=torch.float64)
    present = torch.tensor([[1.0, 0, 1], [0, 0, 0]])
    plain = labels.from_cam(cam, present, 0.5)
    band = labels.with_uncertain(cam, present, 0.45, 0.35, 0.55)
    for b in range(2):
        for r in range(9):
            for c in range(11):
                scores = [float(cam[b, k, r, c]) * float(present[b, k]) for k in range(3)]
                assert int(plain[b, r, c]) == naive_label(scores, 0.5, None, None)
                assert int(band[b, r, c]) == naive_label(scores, 0.45, 0.35, 0.55)
    assert plain[1].max() == 0


def test_background_above_high_threshold_wins():
    cam = torch.tensor([0.3, 0.5, 0.6, 0.9]).view(1, 1, 1, 4)
    got = labels.with_uncertain(cam, torch.ones(1, 1), 0.7, 0.35, 0.55)
    assert got.flatten().tolist() == [0, 255, 0, 1]


def test_merge_against_loops_and_regions():
    low, high = torch.randint(0, 3, (1, 8, 8)), torch.randint(0, 3, (1, 8, 8))
    merged = labels.merge_low_high(low, high)
    kinds = labels.regions(merged)
    for r in range(8):
        for c in range(8):
            one, two = int(low[0, r, c]), int(high[0, r, c])
            want = two if two else (0 if one == 0 else 255)
            assert int(merged[0, r, c]) == want
            assert int(kinds[0, r, c]) == {0: 0, 255: 2}.get(want, 1)


def test_cam_functions():
    features, weight = torch.randn(2, 5, 3, 4, dtype=torch.float64), torch.randn(3, 5, 1, 1, dtype=torch.float64)
    cam = cams.class_activation(features, weight)
    for c in range(3):
        for r in range(3):
            for col in range(4):
                want = sum(float(weight[c, d, 0, 0]) * float(features[1, d, r, col]) for d in range(5))
                assert math.isclose(float(cam[1, c, r, col]), want, abs_tol=1e-12)
    fused = cams.fuse_flip(cam, cam.flip(-1))
    torch.testing.assert_close(fused, cam)
    scaled = cams.normalize(cam)
    assert scaled.amin() == 0
    assert scaled.amax() < 1
    assert cams.normalize(torch.ones(1, 1, 2, 2)).abs().max() == 0
    both = cams.fuse_scales([cam, -cam])
    torch.testing.assert_close(both, cam.abs())
    order = torch.tensor([2, 0, 1])
    torch.testing.assert_close(cams.normalize(cam[:, order]), scaled[:, order])


def test_normalize_round_trip():
    levels = torch.randint(0, 256, (1, 3, 6, 7)).float()
    back = denormalize_image(normalize_image(levels))
    assert ((levels - back) >= 0).all()
    assert ((levels - back) <= 1).all()


def test_refusals():
    cam, present = torch.rand(1, 2, 4, 4), torch.ones(1, 2)
    for call, words in (
        (lambda: labels.from_cam(cam, torch.ones(1, 3), 0.4), "image_labels"),
        (lambda: labels.from_cam(cam * math.nan, present, 0.4), "NaN"),
        (lambda: labels.with_uncertain(cam, present, 0.4, 0.6, 0.5), "low <= high"),
        (lambda: labels.ignore_outside_box(torch.zeros(1, 4, 4), torch.zeros(2, 4)), "box"),
        (lambda: labels.merge_low_high(torch.zeros(1, 4, 4), torch.zeros(1, 4, 5)), "equal shapes"),
        (lambda: cams.fuse_flip(cam, cam[..., :2]), "equal shapes"),
        (lambda: cams.fuse_scales([]), "empty"),
        (lambda: cams.class_activation(cam, torch.ones(2, 3)), "channels"),
        (lambda: cams.normalize(cam[0]), "dimensions"),
    ):
        with pytest.raises(ValueError, match=words):
            call()


def test_scores_exactly_on_a_threshold_and_ties():
    levels = torch.tensor([0.0, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6])
    cam, present = levels[torch.randint(0, 7, (2, 3, 12, 12))], torch.tensor([[1, 1, 1], [0, 1, 1]], dtype=torch.uint8)
    got = labels.with_uncertain(cam, present, 0.45, 0.35, 0.55, [[1, 99, 0, 7], [0, 12, 2, 99]])
    for b, (top, bottom, left, right) in enumerate([(1, 99, 0, 7), (0, 12, 2, 99)]):
        for r in range(12):
            for c in range(12):
                scores = [float(cam[b, k, r, c]) * int(present[b, k]) for k in range(3)]
                thresholds = [float(torch.tensor(t)) for t in (0.45, 0.35, 0.55)]  # compared in float32
                want = naive_label(scores, *thresholds) if top <= r < bottom and left <= c < right else 255
                assert int(got[b, r, c]) == want


def test_refined_cam_of_an_image_without_classes_is_background():
    scores = labels.refine_cam(torch.rand(3, 9, 8), torch.zeros(0, 9, 8), (0.35, 0.55), num_iters=2)
    assert scores.shape == (2, 1, 9, 8)
    assert labels.argmax_label(scores[0], torch.zeros(1, dtype=torch.int64)).max() == 0


def test_numbers_that_are_none_are_refused():
    cam, present = torch.rand(1, 2, 4, 4), torch.ones(1, 2)
    for call, words in (
        (lambda: labels.from_cam(cam, present, math.nan), "got bkg_score nan"),
        (lambda: labels.from_cam(cam, present * math.nan, 0.4), "image_labels holds 2 NaN"),
        (lambda: labels.with_uncertain(cam, present, 0.4, math.nan, 0.5), "got low nan"),
        (lambda: labels.refine_cam(torch.rand(3, 4, 4), cam[0] / 0, (0.4,), num_iters=0), "cam holds"),
    ):
        with pytest.raises(ValueError, match=words):
            call()
