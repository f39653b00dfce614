"""Losses with gradients, scores, learning rates and input pipeline against the golden vectors; gradcheck."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import torch
from golden_vectors import cases, check, ids

from afa_viz.config import TrainConfig
from afa_viz.data import transforms
from afa_viz.ops import losses, metrics
from afa_viz.ops.image import normalize_image
from afa_viz.training.optimizer import build_optimizer, lr_multiplier, set_learning_rate


@pytest.mark.parametrize("name,params,inputs,outputs", cases("affinity_loss"), ids=ids)
def test_golden_affinity_loss(name, params, inputs, outputs):
    affinity = inputs["pred"].clone().requires_grad_()
    loss = losses.affinity_loss(affinity, inputs["target"])
    loss.backward()
    positive, negative = losses.affinity_counts(inputs["target"])
    for key, value in {"loss": loss, "grad": affinity.grad, "pos_count": positive, "neg_count": negative}.items():
        check(value, outputs[key])


@pytest.mark.parametrize("name,params,inputs,outputs", cases("seg_loss"), ids=ids)
def test_golden_segmentation_loss(name, params, inputs, outputs):
    logits = inputs["pred"].clone().requires_grad_()
    loss = losses.segmentation_loss(logits, inputs["label"], params["ignore_index"])
    loss.backward()
    check(logits.grad, outputs["grad"])
    if outputs["loss"][0].isnan():
        assert torch.isfinite(loss)  # an empty half counts 0 here; the reference gives NaN
    else:
        check(loss, outputs["loss"])


@pytest.mark.parametrize("name,params,inputs,outputs", cases("cls_loss"), ids=ids)
def test_golden_classification_loss(name, params, inputs, outputs):
    logits = inputs["pred"].clone().requires_grad_()
    loss = losses.classification_loss(logits, inputs["target"])
    loss.backward()
    check(loss, outputs["loss"])
    check(logits.grad, outputs["grad"])


def test_losses_against_loops():
    affinity, target = torch.rand(1, 4, 4, dtype=torch.float64), torch.randint(0, 2, (1, 4, 4))
    target[0, 0, 0] = 255
    pairs = [(float(affinity[0, i, j]), int(target[0, i, j])) for i in range(4) for j in range(4)]
    positive, negative = [1 - a for a, t in pairs if t == 1], [a for a, t in pairs if t == 0]
    want = 0.5 * sum(positive) / (len(positive) + 1) + 0.5 * sum(negative) / (len(negative) + 1)
    assert math.isclose(float(losses.affinity_loss(affinity, target)), want)

    logits, label = torch.randn(1, 3, 2, 3, dtype=torch.float64), torch.tensor([[[0, 1, 2], [255, 0, 1]]])
    halves: dict[bool, list[float]] = {True: [], False: []}
    for r in range(2):
        for c in range(3):
            truth = int(label[0, r, c])
            if truth != 255:
                values = [float(v) for v in logits[0, :, r, c]]
                halves[truth == 0].append(math.log(sum(math.exp(v) for v in values)) - values[truth])
    want = 0.5 * sum(sum(half) / len(half) for half in halves.values())
    assert math.isclose(float(losses.segmentation_loss(logits, label)), want)


def test_balanced_affinity_loss_against_loops():
    affinity, target = torch.rand(2, 5, 5, dtype=torch.float64), torch.randint(0, 2, (2, 5, 5))
    target[0, 0, 0] = 255
    objects = torch.tensor([[True, True, False, False, True], [False, True, True, False, False]])
    groups: dict[str, list[float]] = {"inside": [], "outside": [], "different": []}
    for b in range(2):
        for i in range(5):
            for j in range(5):
                value, truth = float(affinity[b, i, j]), int(target[b, i, j])
                if truth == 0:
                    groups["different"].append(value)
                elif truth == 1:
                    groups["inside" if objects[b, i] and objects[b, j] else "outside"].append(1 - value)
    weights = {"inside": 0.25, "outside": 0.25, "different": 0.5}
    want = sum(weights[name] * sum(values) / (len(values) + 1) for name, values in groups.items())
    assert math.isclose(float(losses.affinity_loss(affinity, target, objects)), want)
    weights = {"inside": 0.1, "outside": 0.1, "different": 0.8}
    want = sum(weights[name] * sum(values) / (len(values) + 1) for name, values in groups.items())
    assert math.isclose(float(losses.affinity_loss(affinity, target, objects, different_share=0.8)), want)
    with pytest.raises(ValueError, match="one value for each cell"):
        losses.affinity_loss(affinity, target, objects[:, :4])
    with pytest.raises(ValueError, match=r"different_share is 1.1; expected 0 to 1"):
        losses.affinity_loss(affinity, target, objects, different_share=1.1)


def test_gradcheck():
    affinity = torch.rand(1, 3, 3, dtype=torch.float64, requires_grad=True)
    pairs = torch.randint(0, 2, (1, 3, 3))
    assert torch.autograd.gradcheck(lambda a: losses.affinity_loss(a, pairs), affinity)
    logits = torch.randn(1, 3, 2, 2, dtype=torch.float64, requires_grad=True)
    label = torch.tensor([[[0, 1], [255, 2]]])
    assert torch.autograd.gradcheck(lambda z: losses.segmentation_loss(z, label), logits)
    scores = torch.randn(2, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda z: losses.classification_loss(z, torch.eye(4)[:2]), scores)


@pytest.mark.parametrize("op", ["scores", "pseudo_scores"])
def test_golden_scores(op):
    for _, params, inputs, outputs in cases(op):
        matrix = metrics.ConfusionMatrix(params["num_classes"])
        for i in range(len(inputs) // 2):
            matrix.update(inputs[f"gt_{i}"], inputs[f"pred_{i}"])
        scores = matrix.scores()
        check(torch.tensor(scores.pixel_accuracy, dtype=torch.float64), outputs["pAcc"])
        check(torch.tensor(scores.mean_accuracy, dtype=torch.float64), outputs["mAcc"])
        check(torch.tensor(scores.miou, dtype=torch.float64), outputs["miou"])
        check(scores.iou, outputs["iou"])


@pytest.mark.parametrize("name,params,inputs,outputs", cases("cls_f1"), ids=ids)
def test_golden_f1(name, params, inputs, outputs):
    check(metrics.f1_per_image(inputs["logits"], inputs["cls_labels"], params["threshold"]), outputs["f1"])


def test_scores_against_torchmetrics():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torchmetrics.classification import MulticlassConfusionMatrix, MultilabelAveragePrecision
    target, prediction = torch.randint(0, 5, (2, 30, 30)), torch.randint(0, 5, (2, 30, 30))
    target[0, :5] = 255
    ours = metrics.ConfusionMatrix(5).update(target, prediction)
    oracle = MulticlassConfusionMatrix(num_classes=5, ignore_index=255)(prediction, target)
    assert torch.equal(ours.matrix, oracle)
    logits, labels = torch.randn(60, 4), (torch.rand(60, 4) < 0.3).long()
    want = MultilabelAveragePrecision(num_labels=4, average=None)(logits, labels)
    torch.testing.assert_close(metrics.average_precision(logits, labels).float(), want)
    tied = torch.randint(-2, 3, (60, 4)) / 2  # five values among sixty images
    want = MultilabelAveragePrecision(num_labels=4, average=None)(tied, labels)
    torch.testing.assert_close(metrics.average_precision(tied, labels).float(), want)


@pytest.mark.parametrize("place", range(4))
def test_the_order_of_images_with_one_score_does_not_matter(place):
    labels = torch.zeros(4, 1)
    labels[place] = 1
    assert metrics.average_precision(torch.zeros(4, 1), labels).item() == 0.25
    logits = torch.tensor([[2.0], [0.0], [0.0], [2.0]])
    found = {0: 0.5, 3: 0.5}.get(place, 0.25)  # one of the two best, or one of all four
    assert metrics.average_precision(logits, labels).item() == found


def test_average_precision_of_classes_that_are_tied_differently():
    logits = torch.tensor([[3.0, 1.0], [2.0, 1.0], [1.0, 1.0]])
    labels = torch.tensor([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    want = torch.tensor([(1 / 2 + 2 / 3) / 2, 2 / 3], dtype=torch.float64)
    torch.testing.assert_close(metrics.average_precision(logits, labels), want)
    with pytest.raises(ValueError, match="expected both"):
        metrics.average_precision(logits, labels[:2])


def test_confusion_matrix_refuses_foreign_classes():
    with pytest.raises(ValueError, match="class 7"):
        metrics.ConfusionMatrix(5).update(torch.tensor([1, 2]), torch.tensor([1, 7]))
    with pytest.raises(ValueError, match="equal shapes"):
        metrics.ConfusionMatrix(5).update(torch.zeros(3), torch.zeros(4))
    assert metrics.ConfusionMatrix(3).update(torch.tensor([1, 2]), torch.tensor([1, 255])).scores().miou == 1


@pytest.mark.parametrize("name,params,inputs,outputs", cases("lr_schedule"), ids=ids)
def test_golden_learning_rates(name, params, inputs, outputs):
    config = TrainConfig()
    optimizer = build_optimizer(torch.nn.ModuleDict({"encoder": torch.nn.Linear(1, 1)}), config)
    for group, multiplier in zip(optimizer.param_groups, params["group_multipliers"], strict=True):
        assert group["multiplier"] == multiplier
    rates = []
    for step in inputs["steps"].tolist():
        factor = lr_multiplier(step, params["max_iter"], params["warmup_iter"], params["warmup_ratio"], params["power"])
        rates.append(set_learning_rate(optimizer, params["learning_rate"] * factor))
    check(torch.tensor(rates, dtype=torch.float64), outputs["lr"])


@pytest.mark.parametrize("name,params,inputs,outputs", cases("adamw_trajectory"), ids=ids)
def test_golden_adamw(name, params, inputs, outputs):
    model = torch.nn.ModuleDict({"encoder": torch.nn.Linear(6, 1, bias=False)})
    parameter = model["encoder"].weight
    parameter.data = inputs["p0"].clone()
    optimizer = build_optimizer(model, TrainConfig(weight_decay=params["weight_decay"], betas=tuple(params["betas"])))
    path = []
    for step in range(params["steps"]):
        factor = lr_multiplier(step, params["max_iter"], params["warmup_iter"], params["warmup_ratio"], params["power"])
        set_learning_rate(optimizer, params["learning_rate"] * factor)
        parameter.grad = inputs["grads"][step].clone()
        optimizer.step()
        path.append(parameter.detach().clone())
    check(torch.stack(path), outputs["trajectory"])


@pytest.mark.parametrize("name,params,inputs,outputs", cases("rescale_bilinear_u8"), ids=ids)
def test_golden_rescale(name, params, inputs, outputs):
    check(torch.from_numpy(transforms.rescale(inputs["image"].numpy(), params["scale"]).copy()), outputs["image"])


@pytest.mark.parametrize("name,params,inputs,outputs", cases("normalize"), ids=ids)
def test_golden_normalize(name, params, inputs, outputs):
    check(normalize_image(inputs["image"].permute(2, 0, 1)).permute(1, 2, 0), outputs["image"])


@pytest.mark.parametrize("name,params,inputs,outputs", cases("pad_and_crop"), ids=ids)
def test_golden_crop(name, params, inputs, outputs):
    plan = transforms.CropPlan(*(params[key] for key in ("pad_top", "pad_left", "crop_top", "crop_left")))
    crop, box = transforms.pad_and_crop(inputs["image"].numpy(), params["crop_size"], plan)
    check(torch.from_numpy(crop), outputs["image"])
    check(torch.from_numpy(box), outputs["img_box"])


@pytest.mark.parametrize("size", [(20, 90), (70, 31), (48, 48)])
def test_augment_box_marks_real_pixels(size):
    image = np.full((*size, 3), 200, np.uint8)
    for seed in range(20):
        crop, box = transforms.augment(image, 48, np.random.default_rng(seed))
        top, bottom, left, right = box
        real = np.zeros((48, 48), bool)
        real[top:bottom, left:right] = True
        assert crop.shape == (48, 48, 3)
        assert ((crop[..., 0] > 0) == real).all()


def test_refusals():
    for call, words in (
        (lambda: losses.classification_loss(torch.zeros(2, 3), torch.zeros(2, 4)), "expected both"),
        (lambda: losses.segmentation_loss(torch.zeros(1, 3, 4, 4), torch.zeros(1, 5, 5)), "resize"),
        (lambda: losses.affinity_loss(torch.zeros(1, 3, 3), torch.zeros(1, 4, 4)), "same grid"),
        (lambda: losses.affinity_loss(torch.full((1, 2, 2), math.nan), torch.zeros(1, 2, 2)), "NaN"),
    ):
        with pytest.raises(ValueError, match=words):
            call()


def test_sums_in_half_precision_do_not_overflow():
    affinity, target = torch.full((1, 400, 400), 0.75), torch.ones(1, 400, 400, dtype=torch.uint8)
    target[:, :100] = 0
    torch.testing.assert_close(losses.affinity_loss(affinity.half(), target), losses.affinity_loss(affinity, target))
    logits, label = torch.randn(1, 3, 300, 300).mul(3).half(), torch.randint(0, 3, (1, 300, 300))
    got, want = losses.segmentation_loss(logits, label), losses.segmentation_loss(logits.float(), label)
    torch.testing.assert_close(got, want, rtol=1e-3, atol=0)


def test_labels_without_meaning_are_refused():
    logits = torch.zeros(1, 3, 2, 2)
    for call, words in (
        (lambda: losses.segmentation_loss(logits, torch.full((1, 2, 2), 7)), "classes 7 to 7"),
        (lambda: losses.segmentation_loss(logits, torch.full((1, 2, 2), -1)), "class lists"),
        (lambda: losses.classification_loss(torch.zeros(2, 3), torch.full((2, 3), math.nan)), "image_labels holds 6"),
        (lambda: losses.classification_loss(torch.zeros(2, 3), torch.full((2, 3), 255.0)), "image_labels hold 255"),
        (lambda: losses.classification_loss(torch.zeros(2, 3), torch.full((2, 3), -1)), "image_labels hold -1"),
        (lambda: metrics.ConfusionMatrix(5).update(torch.tensor([-1, 2]), torch.tensor([1, 2])), "class -1"),
        (lambda: metrics.f1_per_image(torch.full((1, 2), math.nan), torch.ones(1, 2)), "logits holds 2"),
        (lambda: metrics.average_precision(torch.full((1, 2), math.nan), torch.ones(1, 2)), "logits holds 2"),
    ):
        with pytest.raises(ValueError, match=words):
            call()
    every = torch.full((1, 2, 2), 255, dtype=torch.uint8)
    assert losses.segmentation_loss(logits, every) == 0
