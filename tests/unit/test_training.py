"""The training loop: the loss falls, a killed run resumes bit for bit, every phase runs."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch

from afa_viz.classes import SANDBOX_CLASSES
from afa_viz.config import CurriculumStage, ExplainConfig
from afa_viz.data.sandbox import SandboxDataset
from afa_viz.evaluation import Sample
from afa_viz.model.afa import build_afa
from afa_viz.model.checkpoint import load_model
from afa_viz.ops.cam import resize
from afa_viz.ops.losses import segmentation_counts, segmentation_loss
from afa_viz.presets import SANDBOX
from afa_viz.training.batches import ImageSet, SandboxBatches, random_batch
from afa_viz.training.curriculum import curriculum_stages, learning_rate, locate, topk
from afa_viz.training.loop import Run
from afa_viz.training.step import decoder_loss, phase

PARTS = (
    CurriculumStage(4, 64, 64, 12, 2e-3, single_objects=True),
    CurriculumStage(6, 64, 64, 4, 1e-3, topk_start=0.5, topk_end=0.2),
)
CONFIG = dataclasses.replace(
    SANDBOX, curriculum=PARTS, max_iters=10, cam_iters=5, joint_after=7, crop_size=64, warmup_iters=2, amp="off",
    explain=ExplainConfig(scales=(1.0, 0.5), num_iters=2, long_side=64),
)  # fmt: skip


def image_set(single: bool, count: int = 24) -> ImageSet:
    scenes = SandboxDataset("train", count, 64, only_single=single)
    chosen = [scenes[i] for i in range(count)]
    return ImageSet(np.stack([s.image for s in chosen]), np.stack([s.image_labels for s in chosen]))


@pytest.fixture(scope="module")
def data():
    return {(True, 64): image_set(True), (False, 64): image_set(False)}


@pytest.fixture(scope="module")
def batches(data):
    return SandboxBatches(data, CONFIG.rng_seed)


@pytest.fixture(scope="module")
def samples():
    scenes = SandboxDataset("val", 2, 64)
    return [Sample(s.image, s.image_labels, s.mask) for s in (scenes[i] for i in range(2))]


def test_resume_is_bit_for_bit(batches, samples, tmp_path):
    whole = Run(
        CONFIG,
        batches,
        tmp_path / "a",
        SANDBOX_CLASSES,
        lambda shard: samples[shard[0] :: shard[1]],
        eval_every=5,
        snapshots=(3,),
    )
    whole.run(progress=False)
    first = Run(CONFIG, batches, tmp_path / "b", SANDBOX_CLASSES)
    first.run(until=6, progress=False)
    second = Run(CONFIG, batches, tmp_path / "b", SANDBOX_CLASSES, resume=True)
    assert second.iteration == 6
    second.run(progress=False)
    for (name, a), b in zip(whole.model.state_dict().items(), second.model.state_dict().values(), strict=True):
        assert torch.equal(a, b), name

    lines = [json.loads(line) for line in (tmp_path / "a" / "metrics.jsonl").read_text().splitlines()]
    assert lines[-1]["iteration"] == 10
    assert {"miou_cam", "miou_seg", "map", "f1"} <= set(lines[-1])
    assert any("loss_aff" in line for line in lines)
    whole.export(tmp_path / "model.safetensors", {"map": 1.0})
    loaded = load_model(tmp_path / "model.safetensors", device="cpu")
    assert loaded.card.training["iterations"] == 10
    snapshot = load_model(tmp_path / "a" / "snapshots" / "iter_000003.safetensors", device="cpu")
    by_stage = next(line for line in lines if line["iteration"] == 3 and "miou_cam" in line)
    assert snapshot.card.training["iterations"] == 3 and snapshot.card.scores["miou_cam"] == by_stage["miou_cam"]


def test_a_run_is_not_overwritten(batches, tmp_path):
    run = Run(CONFIG, batches, tmp_path, SANDBOX_CLASSES)
    run.run(until=1, progress=False)
    with pytest.raises(ValueError, match="--resume"):
        Run(CONFIG, batches, tmp_path, SANDBOX_CLASSES)
    with pytest.raises(ValueError, match="other settings"):
        Run(dataclasses.replace(CONFIG, rng_seed=9), batches, tmp_path, SANDBOX_CLASSES, resume=True)


def test_names_that_can_not_be_written_are_refused_before_the_first_step(batches, tmp_path):
    with pytest.raises(ValueError, match="class_names"):
        Run(CONFIG, batches, tmp_path / "a", (*SANDBOX_CLASSES[:-1], "two\nlines"))
    assert not (tmp_path / "a").exists()


def test_loss_falls(batches, tmp_path):
    part = CurriculumStage(30, 64, 64, 12, 2e-3, single_objects=True, min_crop=1.0)
    config = dataclasses.replace(CONFIG, curriculum=(part,), max_iters=30, cam_iters=30, joint_after=30)
    run = Run(config, batches, tmp_path, SANDBOX_CLASSES)
    losses = [run.step()["loss"] for _ in range(30)]
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])


def test_non_finite_loss_stops_the_run(batches, tmp_path):
    run = Run(CONFIG, batches, tmp_path, SANDBOX_CLASSES)
    with torch.no_grad():
        run.model.classifier.weight.fill_(float("nan"))
    with pytest.raises(ValueError, match="learning rate"):
        run.step()


def test_batches_repeat_and_differ(data):
    part = PARTS[0]
    one, two, other = (random_batch(data[True, 64], part, 1, i) for i in (5, 5, 6))
    assert torch.equal(one.image, two.image)
    assert not torch.equal(one.image, other.image)
    assert one.image.shape == (12, 3, 64, 64)


def test_some_batches_are_shown_at_half_size(data):
    part = dataclasses.replace(PARTS[1], half_size=0.5)
    shapes = [tuple(random_batch(data[False, 64], part, 1, i).image.shape) for i in range(40)]
    assert set(shapes) == {(4, 3, 64, 64), (8, 3, 32, 32)}
    assert 10 <= shapes.count((8, 3, 32, 32)) <= 30
    small = random_batch(data[False, 64], dataclasses.replace(part, half_size=1.0), 1, 0)
    assert small.box.tolist() == [[0, 32, 0, 32]] * 8 and len(small.image_labels) == 8


def test_decoder_learns_from_other_sizes_of_the_image():
    model = build_afa("mit_b0", num_classes=13, drop_path_rate=0.0).eval()
    image, target = torch.randn(2, 3, 64, 64), torch.randint(0, 13, (2, 64, 64))
    logits, counts = model.forward_seg(image), segmentation_counts(target)

    def at(scale):
        small = torch.nn.functional.interpolate(image, scale_factor=scale, mode="bilinear", align_corners=False)
        return resize(model.forward_seg(small), (64, 64))

    alone = decoder_loss(model, image, logits, target, counts)
    assert torch.equal(alone, segmentation_loss(resize(logits, (64, 64)), target))
    sizes = [resize(logits, (64, 64)), at(0.5), at(0.75)]
    strongest = torch.maximum(torch.maximum(sizes[0], sizes[1]), sizes[2])
    several = decoder_loss(model, image, logits, target, counts, (1.0, 0.5, 0.75))
    torch.testing.assert_close(several, sum(segmentation_loss(one, target) for one in (*sizes, strongest)) / 4)


@pytest.mark.parametrize("scales", [(), (0.5,), (1.0, 0.1), (1.0, 3.0)])
def test_sizes_that_no_decoder_learns_from(scales):
    with pytest.raises(ValueError, match="expected 1.0 and then others from 0.25 to 2"):
        dataclasses.replace(SANDBOX, seg_scales=scales)


def test_weights_to_begin_with(batches, tmp_path):
    first = Run(CONFIG, batches, tmp_path / "a", SANDBOX_CLASSES)
    first.run(until=2, progress=False)
    first.export(tmp_path / "c.safetensors")
    second = Run(CONFIG, batches, tmp_path / "b", SANDBOX_CLASSES, init=tmp_path / "c.safetensors")
    assert second.iteration == 0
    for name, tensor in first.model.state_dict().items():
        assert torch.equal(second.model.state_dict()[name], tensor)


def test_phases_and_parts():
    assert [phase(i, CONFIG) for i in (0, 5, 6, 7, 8)] == ["classification"] * 2 + ["affinity"] * 2 + ["joint"]
    assert locate(CONFIG, 3) == (PARTS[0], 3)
    assert locate(CONFIG, 4) == (PARTS[1], 0)
    with pytest.raises(ValueError, match="end of the run"):
        locate(CONFIG, 10)


def test_rate_and_pooling_within_a_part():
    part = CurriculumStage(101, 64, 64, 2, 1e-3, topk_start=0.5, topk_end=0.1)
    several = dataclasses.replace(
        CONFIG, curriculum=(part, part), max_iters=202, warmup_iters=60, warmup_ratio=0.0, lr_power=1.0
    )
    assert learning_rate(several, part, 0) == 0 and learning_rate(several, part, 20) == pytest.approx(0.8e-3)
    assert learning_rate(several, part, 25) == pytest.approx(1e-3 * (1 - 25 / 101)), "a quarter of the part at most"
    (whole,) = curriculum_stages(dataclasses.replace(several, curriculum=(), max_iters=101, learning_rate=1e-3))
    alone = dataclasses.replace(several, curriculum=(), max_iters=101)
    assert learning_rate(alone, whole, 30) == pytest.approx(0.5e-3), "the whole warm-up"
    assert [topk(part, within) for within in (0, 50, 100)] == pytest.approx([0.5, 0.3, 0.1])
    assert topk(dataclasses.replace(part, iterations=1), 0) == 0.5
