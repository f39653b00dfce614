"""Two labels leave the CAM: R_cam, which the affinity learns from, and R_aff, which the decoder learns from."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch
from explained import assert_same, noise, trace_of_noise
from golden_vectors import golden_model

import afa_viz
from afa_viz import ExplainConfig, Trace
from afa_viz.config import TrainConfig
from afa_viz.data.sandbox import SandboxDataset
from afa_viz.inspection import affinity_label_source, label_cells, target_affinity, target_cells
from afa_viz.ops import affinity as aff
from afa_viz.ops.image import MEAN, STD, normalize_image
from afa_viz.pipeline import recompute
from afa_viz.stages import batch_labels
from afa_viz.training.step import Batch, training_losses

CROPS = (224, 128)  # pixels


@pytest.fixture(scope="module")
def bundled():
    return afa_viz.load_model("checkpoints/sandbox")


def a_step(model, image: np.ndarray, labels: list[int], config: TrainConfig, iteration: int):
    """What the trainer makes of one whole image, with the network in evaluation mode."""
    pixels = torch.from_numpy(image).permute(2, 0, 1)[None]
    image_labels = torch.zeros(1, model.num_classes - 1)
    image_labels[0, [label - 1 for label in labels]] = 1
    box = torch.tensor([[0, image.shape[0], 0, image.shape[1]]])
    with torch.no_grad():
        return training_losses(model.eval(), Batch(normalize_image(pixels), image_labels, box), config, iteration)


def rounded(image: torch.Tensor) -> torch.Tensor:
    """The pixels as they were: the reference truncates, which lowers one grey level in a hundred by one."""
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (MEAN, STD))
    return (image * std + mean).round()


@pytest.mark.parametrize("side", CROPS)
@pytest.mark.parametrize("at_centre", [True, False])
def test_the_affinity_label_is_what_the_trainer_makes(bundled, monkeypatch, side, at_centre):
    monkeypatch.setattr(batch_labels, "denormalize_image", rounded)
    model = bundled
    monkeypatch.setattr(model, "card", dataclasses.replace(model.card, affinity_at_centre=at_centre))
    explain = ExplainConfig(scales=(1.0, 0.5), flip=False, radius=4, long_side=side)
    config = TrainConfig(num_classes=13, crop_size=side, explain=explain, affinity_at_centre=at_centre)
    scenes = SandboxDataset("val", 3, size=side)
    for i in range(3):
        labels = [int(c) + 1 for c in scenes[i].image_labels.nonzero()[0]]
        trace = afa_viz.explain(model, scenes[i].image, labels, explain)
        for iteration in (config.cam_iters + 1, config.joint_after + 1):  # VOC: R_cam in both phases
            step = a_step(model, scenes[i].image, labels, config, iteration)
            assert torch.equal(step.labels.refined_cam[0], trace.affinity_label.long())
            assert torch.equal(step.affinity_target[0], target_affinity(trace).long())
        assert torch.equal(step.labels.refined_walk[0], trace.pseudo_label.long())  # all scales are at most 1
        own = aff.affinity_labels(step.labels.refined_walk, aff.radius_mask(*trace.grid, 4), at_centre=at_centre)
        if i == 0:
            assert not torch.equal(own[0], target_affinity(trace).long())  # the other label would be wrong


def test_a_model_whose_affinity_learned_from_the_other_label(bundled, monkeypatch):
    """COCO: the affinity learns from what the decoder learns from, in the joint phase R_aff."""
    monkeypatch.setattr(batch_labels, "denormalize_image", rounded)
    explain = ExplainConfig(scales=(1.0, 0.5), flip=False, radius=4)
    config = TrainConfig(num_classes=13, crop_size=128, explain=explain, affinity_target="seg")
    scene = SandboxDataset("val", 1, size=128)[0]
    labels = [int(c) + 1 for c in scene.image_labels.nonzero()[0]]
    explained = dataclasses.replace(explain, long_side=128)
    for iteration, teacher in ((config.cam_iters + 1, "affinity_label"), (config.joint_after + 1, "pseudo_label")):
        card = dataclasses.replace(bundled.card, affinity_trained_on=teacher, affinity_at_centre=False)
        monkeypatch.setattr(bundled, "card", card)
        trace = afa_viz.explain(bundled, scene.image, labels, explained)
        step = a_step(bundled, scene.image, labels, config, iteration)
        assert affinity_label_source(trace) == teacher
        assert torch.equal(step.affinity_target[0], target_affinity(trace).long())


@pytest.mark.parametrize("size", [(150, 250), (64, 97), (33, 240), (160, 256), (16, 90)], ids=str)
@pytest.mark.parametrize("at_centre", [True, False])
def test_cells_that_reach_beyond_the_image(size, at_centre):
    """As in training, where a crop of whole cells goes on around the image as uncertain."""
    rng = np.random.default_rng(sum(size))
    config = ExplainConfig(scales=(1.0,), flip=False, num_iters=2, radius=3)
    trace = afa_viz.explain(golden_model(), rng.integers(0, 256, (*size, 3), dtype=np.uint8), [3, 8], config)
    label = torch.from_numpy(rng.choice([0, 3, 8, 255], size)).to(torch.uint8)
    trace = dataclasses.replace(trace, affinity_label=label, affinity_at_centre=at_centre)
    rows, cols = trace.grid
    crop = torch.full((1, 16 * rows, 16 * cols), 255)
    crop[0, : size[0], : size[1]] = label
    mask = aff.radius_mask(rows, cols, 3)
    wanted = aff.affinity_labels(crop, mask, at_centre=at_centre)[0]
    assert torch.equal(target_affinity(trace).long(), wanted)
    assert torch.equal(aff.affinity_labels(label[None], mask, at_centre=at_centre)[0], wanted)
    offset = 8 * at_centre
    for row in range(rows):
        for col in range(cols):
            y, x = 16 * row + offset, 16 * col + offset
            inside = y < size[0] and x < size[1]
            assert target_cells(trace)[row, col] == (label[y, x] if inside else 255)
    assert torch.equal(label_cells(trace, label), target_cells(trace))


def test_a_grid_that_is_none_is_refused():
    with pytest.raises(ValueError, match="expected that of `token_grid`: 10 x 16"):
        aff.cell_labels(torch.zeros(1, 150, 250), grid=(10, 15))


def test_without_the_walk_both_labels_are_one():
    trace = trace_of_noise()
    assert not torch.equal(trace.cam_refined, trace.cam_par)
    without = recompute(trace, dataclasses.replace(trace.config, use_walk=False))
    assert torch.equal(without.affinity_label, without.pseudo_label)
    assert torch.equal(without.cam_refined, without.cam_par)
    for name in ("cam_refined", "cam_refined_high", "affinity_label"):  # the walk is no part of it
        torch.testing.assert_close(getattr(without, name), getattr(trace, name))


@pytest.mark.parametrize("change", [{"radius": 1}, {"power": 4.0}, {"num_steps": 3}, {"symmetric": False}], ids=str)
def test_the_walk_does_not_touch_the_affinity_label(change):
    trace = trace_of_noise()
    other = recompute(trace, dataclasses.replace(trace.config, **change))
    assert torch.equal(other.affinity_label, trace.affinity_label)
    assert not torch.equal(other.cam_rw, trace.cam_rw)


@pytest.mark.parametrize("change", [{}, {"use_walk": False}, {"use_par": False}], ids=str)
def test_a_file_of_an_earlier_version_gets_its_affinity_label(tmp_path, change):
    trace = afa_viz.explain(golden_model(), noise(), [3, 8], ExplainConfig(**change))
    path = trace.save(tmp_path / "new.npz")
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files if name not in ("affinity_label", "cam_refined",
                                                                          "cam_refined_high")}  # fmt: skip
    meta = json.loads(str(arrays["meta"]))
    for name in ("affinity_trained_on", "decoder_trained_on", "affinity_at_centre"):
        del meta[name]
    np.savez_compressed(tmp_path / "old.npz", **arrays | {"meta": np.array(json.dumps(meta))})
    old = Trace.load(tmp_path / "old.npz")
    assert old.affinity_at_centre is None and old.affinity_trained_on is None
    assert_same(dataclasses.replace(old, affinity_at_centre=trace.affinity_at_centre), trace)


def test_a_file_that_lacks_a_part_of_it_is_refused(tmp_path):
    trace = trace_of_noise()
    with np.load(trace.save(tmp_path / "new.npz")) as file:
        arrays = {name: file[name] for name in file.files if name != "cam_refined_high"}
    np.savez_compressed(tmp_path / "part.npz", **arrays)
    with pytest.raises(ValueError, match=r"part.npz is not a trace of this version \(it lacks cam_refined_high\)"):
        Trace.load(tmp_path / "part.npz")


def test_what_the_card_says_goes_through_the_file(bundled, monkeypatch, tmp_path):
    card = dataclasses.replace(bundled.card, affinity_trained_on="pseudo_label", decoder_trained_on="affinity_label")
    monkeypatch.setattr(bundled, "card", card)
    config = ExplainConfig(long_side=64, scales=(1.0,), flip=False)
    trace = afa_viz.explain(bundled, np.zeros((64, 64, 3), np.uint8), [1], config)
    assert (trace.affinity_trained_on, trace.decoder_trained_on) == ("pseudo_label", "affinity_label")
    assert trace.affinity_at_centre is True
    assert_same(Trace.load(trace.save(tmp_path / "a.npz")), trace)
