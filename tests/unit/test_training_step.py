"""One whole training step, the learning rates and the optimiser against the golden vectors."""

from __future__ import annotations

import dataclasses
import json

import pytest
import torch
from golden_vectors import ROOT, cases, check, golden_model

from afa_viz.config import CurriculumStage, ExplainConfig, TrainConfig
from afa_viz.ops import pseudo_label
from afa_viz.ops.losses import affinity_counts
from afa_viz.ops.par_fast import cpu_kernel
from afa_viz.stages.batch_labels import make_pseudo_labels
from afa_viz.training.curriculum import affinity_different_share
from afa_viz.training.optimizer import build_optimizer, lr_multiplier, set_learning_rate
from afa_viz.training.step import Batch, training_losses

NAMES = json.loads((ROOT / "state_dict_keys.json").read_text())["models"]["mit_b0"]


def config_of(params: dict) -> TrainConfig:
    return TrainConfig(
        backbone=params["backbone"],
        crop_size=params["crop_size"],
        max_iters=params["max_iters"],
        cam_iters=params["cam_iters"],
        joint_after=params["joint_after"],
        affinity_target="cam" if params["aff_label_from"] == "refined_pseudo_label" else "seg",
        learning_rate=params["learning_rate"],
        weight_decay=params["weight_decay"],
        warmup_iters=params["warmup_iter"],
        official_parity=True,
        explain=ExplainConfig(
            bkg_score=params["bkg_score"],
            bkg_score_low=params["low_thre"],
            bkg_score_high=params["high_thre"],
            scales=tuple(params["scales"]),
            radius=params["radius"],
            num_iters=params["par_iterations"],
            dilations=tuple(params["dilations"]),
        ),
    )


@pytest.mark.parametrize(
    "name,params,inputs,outputs", cases("train_step"), ids=lambda v: v if isinstance(v, str) else ""
)
def test_golden_step(name, params, inputs, outputs):
    config = config_of(params)
    model = golden_model("mit_b0", drop_path_rate=0.0)
    if params["mode"] == "bn_train":
        model.train()
        model.decoder.dropout.p = 0.0
    optimizer = build_optimizer(model, config)
    step = params["n_iter"]
    batch = Batch(inputs["image"], inputs["cls_labels"], inputs["img_box"].long())
    result = training_losses(model, batch, config, step)
    multiplier = lr_multiplier(step, config.max_iters, config.warmup_iters, config.warmup_ratio, config.lr_power)
    rates = set_learning_rate(optimizer, config.learning_rate * multiplier)
    result.loss.backward()
    parameters = dict(model.named_parameters())
    norms = [
        parameters[key].grad.norm() if parameters[key].grad is not None else torch.zeros(())
        for key in sorted(parameters)
    ]
    grads = {key: p.grad.clone() for key, p in parameters.items() if p.grad is not None}
    optimizer.step()

    labels = result.labels
    positive, negative = affinity_counts(result.affinity_target)
    got = {
        "cls_loss": result.loss_cls,
        "seg_loss": result.loss_seg,
        "aff_loss": result.loss_aff,
        "total_loss": result.loss,
        "pos_count": positive,
        "neg_count": negative,
        "cls_logits": result.output.class_logits,
        "attn_pred": result.output.affinity,
        "pseudo_label": labels.from_cam,
        "refined_pseudo_label": labels.refined_cam,
        "refined_aff_label_l": labels.low,
        "refined_aff_label_h": labels.high,
        "refined_aff_label": labels.refined_walk,
        "seg_target": result.seg_target,
        "affinity_label": result.affinity_target,
        "grad_norms": torch.stack(norms),
        "lr_used": torch.tensor(rates, dtype=torch.float64),
    }
    for i in range(2):
        present = inputs["cls_labels"][i].nonzero().flatten()
        got[f"cams_present_{i}"] = labels.cam[i, present]
    for key, gradient in grads.items():
        got[f"grad/{key}"] = gradient
    state = model.state_dict()
    for key in parameters:
        got[f"updated/{key}"] = state[key]
    got["bn_running_mean"] = state["decoder.linear_fuse.bn.running_mean"]
    got["bn_running_var"] = state["decoder.linear_fuse.bn.running_var"]
    got["bn_num_batches_tracked"] = state["decoder.linear_fuse.bn.num_batches_tracked"]
    compared = 0
    for key, want in outputs.items():
        if key in got:
            check(got[key], want)
            compared += 1
    unseen = set(outputs) - set(got)
    assert all(key.startswith(("affinity_infer", "aff_cam", "refined_aff_cam")) for key in unseen), unseen
    assert compared >= 25


def test_pseudo_labels_of_crops_that_no_grid_divides():
    model = golden_model()
    image, box = torch.randn(2, 3, 48, 80), torch.tensor([[0, 48, 0, 80], [3, 99, 5, 60]], dtype=torch.int16)
    image_labels = torch.zeros(2, 20, dtype=torch.uint8)
    image_labels[0, 4] = 1
    labels = make_pseudo_labels(model, image, image_labels, box, ExplainConfig(num_iters=2), with_walk=True)
    for label in (labels.from_cam, labels.refined_cam, labels.refined_walk):
        assert label.shape == (2, 48, 80)
        assert set(label[0].unique().tolist()) <= {0, 5, 255}
        assert (label[1, 3:, 5:60] == 0).all()
        assert (label[1, :3] == 255).all()
        assert (label[1, :, 60:] == 255).all()


@pytest.mark.parametrize(("whole", "kernels"), [(True, 1), (False, 2)])
def test_both_labels_of_a_crop_without_padding_share_one_par(monkeypatch, whole, kernels):
    model, image = golden_model(), torch.randn(1, 3, 48, 64)
    box = torch.tensor([[0, 48, 0, 64 if whole else 60]])
    image_labels = torch.zeros(1, 20)
    image_labels[0, [4, 7]] = 1
    config = ExplainConfig(num_iters=2)
    calls = []
    make = cpu_kernel.compute_kernel
    monkeypatch.setattr(cpu_kernel, "compute_kernel", lambda *given, **more: (calls.append(1), make(*given, **more))[1])
    both = make_pseudo_labels(model, image, image_labels, box, config, with_walk=True)
    assert len(calls) == kernels
    alone = make_pseudo_labels(model, image, image_labels, box, config, with_walk=False)
    assert len(calls) == kernels + 1
    assert torch.equal(both.refined_cam, alone.refined_cam)


def test_refined_together_is_refined_apart():
    image, cam, walked = torch.rand(3, 20, 26), torch.rand(2, 20, 26), torch.rand(2, 3, 20, 26)
    of_cam, of_walk = pseudo_label.refine_cam_and_walk(image, cam, (0.35, 0.55), walked)
    torch.testing.assert_close(of_cam, pseudo_label.refine_cam(image, cam, (0.35, 0.55)))
    torch.testing.assert_close(of_walk, pseudo_label.refine_walk(image, walked))


def test_a_stage_has_its_own_share_of_different_pairs():
    stages = [CurriculumStage(4, 64, 64, 1, 1e-3, affinity_different_share=share) for share in (0.0, 0.9)]
    config = TrainConfig(max_iters=8, cam_iters=0, joint_after=8, curriculum=tuple(stages))
    assert [affinity_different_share(config, iteration) for iteration in (0, 3, 4, 7)] == [0.5, 0.5, 0.9, 0.9]
    assert affinity_different_share(dataclasses.replace(config, curriculum=(), affinity_different_share=0.3), 2) == 0.3
    with pytest.raises(ValueError, match="affinity_different_share is 2; expected a number from 0 to 1"):
        CurriculumStage(4, 64, 64, 1, 1e-3, affinity_different_share=2)


def test_the_energy_loss_adds_its_share_in_the_decoder_alone():
    """It joins with the other auxiliary losses, and is the only difference to the same step without it."""
    torch.manual_seed(0)
    model = golden_model("mit_b0", drop_path_rate=0.0).eval()
    image = torch.randn(1, 3, 64, 64)
    labels = torch.zeros(1, model.num_classes - 1)
    labels[0, 2] = 1
    batch = Batch(image, labels, torch.tensor([[0, 64, 0, 64]]))
    without = TrainConfig(crop_size=64, max_iters=9, cam_iters=2, joint_after=4, explain=ExplainConfig(radius=2))
    with_it = dataclasses.replace(without, energy_weight=1e6)
    for iteration in (3, 5):
        plain, result = (training_losses(model, batch, config, iteration) for config in (without, with_it))
        assert plain.loss_energy is None and result.loss_energy is not None and result.loss_energy < 0
        assert torch.allclose(result.loss - plain.loss, 1e6 * result.loss_energy, rtol=1e-4)
    assert training_losses(model, batch, with_it, 1).loss_energy is None  # the classification phase has no label yet

    model.zero_grad()
    result.loss_energy.backward()
    moved = {name.split(".")[0] for name, p in model.named_parameters() if p.grad is not None and p.grad.abs().sum()}
    assert "decoder" in moved and "classifier" not in moved
