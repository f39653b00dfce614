"""Scores by part, context and threshold against plain loops and recomputed stages."""

# ruff: noqa: F811 (arguments of tests are fixtures, imported by name)
from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch
from scored_scenes import CONFIG, SIZE, by_stage, model, samples, sweep, traces  # noqa: F401

from afa_viz.classes import SANDBOX_CLASSES, SANDBOX_PARTS
from afa_viz.data.sandbox import SandboxDataset
from afa_viz.evaluation import PartCounts, Sample, ThresholdSweep, evaluate_samples, score_samples, write_scores
from afa_viz.evaluation.parts import UNCERTAIN
from afa_viz.ops.metrics import ConfusionMatrix
from afa_viz.pipeline import recompute
from afa_viz.stage_scores import stage_labels

# --- parts -----------------------------------------------------------------------------------------------------------


def test_part_counts_are_those_of_a_plain_loop():
    rng = np.random.default_rng(0)
    target = rng.choice([0, 1, 2, 255], (7, 9)).astype(np.uint8)
    parts, label = rng.integers(0, 3, (7, 9)).astype(np.uint8), rng.choice([0, 1, 2, 255], (7, 9)).astype(np.uint8)
    counts = PartCounts(3, ("none", "head", "body"))
    for _ in range(2):
        counts.update(*(torch.from_numpy(a) for a in (target, parts, label)))
    right = {"head": [0, 0, 0], "body": [0, 0, 0]}
    for t, p, g in zip(target.ravel(), parts.ravel(), label.ravel(), strict=True):
        if t in (1, 2) and p:
            found = right[("head", "body")[p - 1]]
            found[0] += 2
            found[1] += 2 * (g == t)
            found[2] += 2 * (g == 255)
    for name, (total, hits, left_out) in right.items():
        assert counts.share()[name] == pytest.approx(hits / total)
        assert counts.share(kind=UNCERTAIN)[name] == pytest.approx(left_out / total)
    only = (target == 2) & (parts == 1)
    assert counts.share([2])["head"] == pytest.approx((label == 2)[only].mean())


def test_part_counts_refuse_what_does_not_fit():
    counts, plane = PartCounts(3, ("none", "head")), torch.zeros(4, 4, dtype=torch.uint8)
    with pytest.raises(ValueError, match="expected equal shapes"):
        counts.update(plane, plane[:2], plane)
    with pytest.raises(ValueError, match="parts hold id 2; expected 0 to 1"):
        counts.update(plane, plane + 2, plane)
    assert np.isnan(counts.share()["head"])


def test_stage_by_part_is_what_the_stages_label(by_stage, samples, traces):
    assert traces[0].target.shape == (SIZE, SIZE)
    for stage in ("cam", "cam_rw", "cam_par", "pseudo_label", "seg"):
        for number, part in ((1, "head"), (2, "body"), (7, "wheel")):
            right = total = 0
            for sample, trace in zip(samples, traces, strict=True):
                here = (sample.parts == number) & (sample.target > 0)
                total += here.sum()
                right += (stage_labels(trace)[stage].numpy() == sample.target)[here].sum()
            if total:
                assert by_stage.parts[stage].share()[part] == pytest.approx(right / total)
    left_out = np.mean([(trace.pseudo_label == 255).float().mean() for trace in traces])
    assert by_stage.uncertain() == pytest.approx(left_out, abs=1e-6)


def test_summary_follows_heads_and_bodies_of_quadrupeds(by_stage, samples, traces):
    summary = by_stage.summary()
    quadrupeds = [SANDBOX_CLASSES.index(name) for name in ("cat", "cow", "dog", "horse", "sheep")]
    right = total = 0
    for sample, trace in zip(samples, traces, strict=True):
        here = (sample.parts == 1) & np.isin(sample.target, quadrupeds)
        total += here.sum()
        right += (trace.seg.numpy() == sample.target)[here].sum()
    assert total > 0 and summary["head_seg"] == pytest.approx(100 * right / total, abs=0.01)
    assert {"uncertain", "body_cam", "head_seg_multi_scale"} <= set(summary)


def test_without_parts_the_summary_has_none(model, samples):
    plain = [Sample(s.image, s.image_labels, s.target) for s in samples[:1]]
    by_stage = evaluate_samples(model, plain, CONFIG)
    assert not any(name.startswith(("head", "body")) for name in by_stage.summary())
    assert "parts" not in by_stage.data() and "contexts" not in by_stage.data()


def test_parts_are_resized_like_the_target(model, samples):
    large = SandboxDataset("val", 1, 2 * SIZE)[0]
    sample = Sample(large.image, large.image_labels, large.mask, large.parts)
    by_stage = evaluate_samples(model, [sample], CONFIG)
    counts = by_stage.parts["seg"].counts[..., 0]
    assert int(counts.sum()) == SIZE * SIZE
    assert int(counts[0, 1:].sum()) == int(counts[1:, 0].sum()) == 0  # parts and classes still lie on each other


def test_contexts_share_out_the_images(by_stage, samples):
    assert set(by_stage.contexts) == {sample.context for sample in samples}
    for stage, matrix in by_stage.matrices.items():
        parts = sum(context.matrices[stage].matrix for context in by_stage.contexts.values())
        assert torch.equal(matrix.matrix, parts)
    assert sum(len(context.logits) for context in by_stage.contexts.values()) == len(samples)
    assert all(f"{name} ({len(one.logits)})" in by_stage.context_table() for name, one in by_stage.contexts.items())


def test_single_images_add_up(model, samples, by_stage):
    pairs = list(score_samples(model, samples, CONFIG, multi_scale=True))
    assert [sample.context for sample, _ in pairs] == [sample.context for sample in samples]
    total = sum(one.matrices["cam"].matrix for _, one in pairs)
    assert torch.equal(total, by_stage.matrices["cam"].matrix)


def test_json_holds_every_number(by_stage, tmp_path):
    write_scores(by_stage, tmp_path / "scores.json", {"split": "val"})
    data = json.loads((tmp_path / "scores.json").read_text())
    assert data["split"] == "val" and data["images"] == 5
    share = by_stage.parts["cam_par"].share([SANDBOX_CLASSES.index("person")])["head"]
    stored = data["parts_by_class"]["cam_par"]["person"]["head"]
    assert stored is None if np.isnan(share) else stored == pytest.approx(100 * share, abs=0.005)
    assert set(data["parts"]["cam"]) == set(SANDBOX_PARTS[1:])
    assert set(data["contexts"]) == set(by_stage.contexts)


# --- thresholds ------------------------------------------------------------------------------------------------------


def test_sweep_of_the_cam_is_the_cut_at_every_score(by_stage, sweep, traces):
    for score, counts in zip(sweep.cam_scores, sweep.cam, strict=True):
        again = ConfusionMatrix(13)
        for trace in traces:
            cut = recompute(trace, dataclasses.replace(CONFIG, bkg_score=score))
            again.update(trace.target, stage_labels(cut)["cam"])
        assert torch.equal(counts, again.matrix), score
    assert not torch.equal(sweep.cam[0], sweep.cam[-1])


def test_sweep_of_the_pseudo_label_is_the_recomputed_one(by_stage, sweep, traces):
    assert len(sweep.pairs) == 6
    for (low, high), counts in sweep.pairs.items():
        again, left_out = ConfusionMatrix(13), 0
        for trace in traces:
            label = recompute(trace, dataclasses.replace(CONFIG, bkg_score_low=low, bkg_score_high=high)).pseudo_label
            again.update(trace.target, label)
            left_out += int((label == 255).sum())
        assert torch.equal(counts[:, :13], again.matrix), (low, high)
        assert int(counts[:, 13].sum()) == left_out
    row = next(r for r in sweep.data()["pseudo_label"] if (r["low"], r["high"]) == (0.2, 0.6))
    counts = sweep.pairs[0.2, 0.6]
    assert row["coverage"] == pytest.approx(100 * (1 - int(counts[:, 13].sum()) / int(counts.sum())), abs=0.01)


def test_sweep_runs_no_network(model, traces, monkeypatch):
    def refuse(*_):
        raise AssertionError("the network ran")

    monkeypatch.setattr(model, "forward_intermediates", refuse)
    monkeypatch.setattr(model, "forward_cam", refuse)
    again = ThresholdSweep(13, (0.5,), (0.1, 0.9))
    again.update(traces[0])
    assert again.images == 1 and int(again.cam.sum()) == SIZE * SIZE


@pytest.mark.parametrize("scores", [(), (0.5, 0.2), (0.5, 0.5), (-0.1, 0.5), (0.5, 1.2)])
def test_sweep_refuses_scores_that_do_not_rise(scores):
    with pytest.raises(ValueError, match="expected rising numbers from 0 to 1"):
        ThresholdSweep(13, cam_scores=scores)
