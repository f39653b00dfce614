"""What a step is worth over many images: the paired bootstrap, and every stage at its own best threshold."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from figure_trace import figure_trace

from afa_viz.evaluation import Sample, evaluate_samples, score_shards
from afa_viz.evaluation.bootstrap import PairedBootstrap
from afa_viz.evaluation.scores_by_stage import ALL_PIXELS, SAME_RULE
from afa_viz.evaluation.stage_text import CHOSEN_WITH_MASKS
from afa_viz.evaluation.thresholds import BestThresholds
from afa_viz.model.afa import build_afa
from afa_viz.ops.metrics import ConfusionMatrix
from afa_viz.pipeline import recompute
from afa_viz.stage_scores import stage_labels

K = 4


def images(count: int, seed: int = 0) -> list[tuple[np.ndarray, dict[str, torch.Tensor]]]:
    """(pixels, confusion matrices of two stages): the second is right a little more often."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        target = torch.from_numpy(rng.integers(0, rng.integers(2, K + 1), 400))
        stages = {}
        for stage, share in (("before", 0.6), ("after", 0.7)):
            guess = torch.where(
                torch.from_numpy(rng.random(400) < share), target, torch.from_numpy(rng.integers(0, K, 400))
            )
            stages[stage] = ConfusionMatrix(K).update(target, guess).matrix
        made.append((rng.integers(0, 256, (8, 8, 3), dtype=np.uint8), stages))
    return made


def counted(made, **options) -> PairedBootstrap:
    bootstrap = PairedBootstrap(("before", "after"), K, **options)
    for image, stages in made:
        bootstrap.update(stages, image)
    return bootstrap


def test_the_change_is_that_of_the_summed_matrices_and_the_interval_that_of_resampled_images():
    made = images(60)
    change = counted(made).change("before", "after")

    def miou(stage: str, weights: np.ndarray) -> float:
        matrix = ConfusionMatrix(K)
        matrix.matrix = sum(int(w) * stages[stage] for w, (_, stages) in zip(weights, made, strict=True))
        return matrix.scores().miou

    once = np.ones(60, int)
    assert change.value == pytest.approx(miou("after", once) - miou("before", once), abs=1e-12)
    rng = np.random.default_rng(1)
    draws = [rng.multinomial(60, np.full(60, 1 / 60)) for _ in range(600)]
    low, high = np.quantile([miou("after", d) - miou("before", d) for d in draws], [0.025, 0.975])
    assert change.low == pytest.approx(low, abs=0.15 * (high - low))
    assert change.high == pytest.approx(high, abs=0.15 * (high - low))
    assert change.low < change.value < change.high


def test_intervals_of_a_stage_are_those_of_resampled_images():
    made = images(60)
    bootstrap = counted(made)

    def scores(weights: np.ndarray):
        matrix = ConfusionMatrix(K)
        matrix.matrix = sum(int(w) * stages["after"] for w, (_, stages) in zip(weights, made, strict=True))
        return matrix.scores()

    rng = np.random.default_rng(1)
    found = [scores(rng.multinomial(60, np.full(60, 1 / 60))) for _ in range(600)]
    wanted = {"miou": [one.miou for one in found]} | {k: [float(one.iou[k]) for one in found] for k in range(K)}
    intervals = {"miou": bootstrap.interval("after")[1:]} | dict(enumerate(bootstrap.iou_intervals("after")))
    for name, values in wanted.items():
        low, high = np.quantile(values, [0.025, 0.975])
        assert intervals[name] == pytest.approx((low, high), abs=0.2 * (high - low)), name
    one = counted(images(1))
    assert all(math.isnan(end) for ends in (one.interval("after")[1:], *one.iou_intervals("after")) for end in ends)


def test_a_stage_does_not_differ_from_itself():
    bootstrap = counted(images(20))
    assert bootstrap.change("after", "after") == (0, 0, 0)
    one, other = bootstrap.change("before", "after"), bootstrap.change("after", "before")
    assert (one.value, one.low, one.high) == pytest.approx((-other.value, -other.high, -other.low))


def test_order_and_processes_change_nothing():
    made = images(30)
    whole = counted(made)
    assert torch.equal(whole.counts, counted(made[::-1]).counts)
    parts = [counted(made[rank::4]) for rank in range(4)]
    for part in parts[1:]:
        parts[0].add(part)
    assert torch.equal(whole.counts, parts[0].counts) and parts[0].images == 30
    assert parts[0].change("before", "after") == whole.change("before", "after")


def test_memory_does_not_grow_with_the_images():
    bootstrap = counted(images(2), replicates=50)
    size = bootstrap.counts.nbytes
    for image, stages in images(40, seed=3):
        bootstrap.update(stages, image)
    assert bootstrap.counts.nbytes == size and bootstrap.images == 42
    assert PairedBootstrap(ALL_PIXELS, 81).counts.nbytes < 20e6  # 1000 replicates of COCO


def test_one_image_has_no_interval():
    change = counted(images(1)).change("before", "after")
    assert math.isfinite(change.value) and math.isnan(change.low) and math.isnan(change.high)
    empty = PairedBootstrap(("before", "after"), K)
    assert math.isnan(empty.change("before", "after").value)


# --- thresholds ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trace():
    return figure_trace()


def test_at_the_score_in_use_the_threshold_gives_the_stages_own_label(trace):
    for low in (0.35, 0.2, 0.6):
        for use_walk in (True, False):
            config = dataclasses.replace(trace.config, bkg_score_low=low, bkg_score_high=0.7, use_walk=use_walk)
            other = recompute(trace, config)
            found = BestThresholds(SAME_RULE, 13, (low,))
            found.update(other)
            for stage in SAME_RULE:
                wanted = ConfusionMatrix(13).update(other.target, stage_labels(other)[stage]).matrix
                assert int((found.counts[stage][0] - wanted).abs().sum()) <= 4  # ties of float32


def test_the_cut_of_the_walks_start_is_its_start_at_that_score(trace):
    """Told as a background score: cutting the start made with one score at another is the start made with that one."""
    found = BestThresholds(("walk_start", "cam"), 13, (0.2, 0.5))
    found.update(trace)
    for i, beta in enumerate((0.2, 0.5)):
        other = recompute(
            trace, dataclasses.replace(trace.config, bkg_score_low=beta, bkg_score_high=0.9, bkg_score=beta)
        )
        wanted = ConfusionMatrix(13).update(other.target, stage_labels(other)["walk_start"]).matrix
        assert int((found.counts["walk_start"][i] - wanted).abs().sum()) < 0.02 * int(wanted.sum())  # enlarged
        cut = ConfusionMatrix(13).update(other.target, stage_labels(other)["cam"]).matrix
        assert torch.equal(found.counts["cam"][i], cut)


def test_the_best_threshold_is_the_best_of_all(trace):
    found = BestThresholds(("cam_par",), 13)
    found.update(trace)
    best = found.best("cam_par")
    assert best.miou == max(found.curve("cam_par"))
    assert found.curve("cam_par")[found.thresholds.index(best.threshold)] == best.miou
    assert math.isnan(BestThresholds(("cam",), 13).best("cam").miou)


# --- over samples ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def samples():
    rng = np.random.default_rng(0)
    made = []
    for i in range(6):
        labels = np.zeros(12, np.float32)
        labels[[i % 3, 5]] = 1
        target = rng.choice([0, 1 + i % 3, 6, 255], (48, 64)).astype(np.uint8)
        made.append(Sample(rng.integers(0, 256, (48, 64, 3), dtype=np.uint8), labels, target))
    return made


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return build_afa("mit_b0", num_classes=13).eval()


def test_evaluate_says_what_the_walk_is_worth(model, samples, trace):
    config = dataclasses.replace(trace.config, long_side=None, num_iters=2)
    by_stage = evaluate_samples(model, samples, config, diagnose=True)
    data = by_stage.data()
    for name, (before, after) in {
        "cam_rw": ("walk_start", "cam_rw"), "cam_par": ("par_start", "cam_par"), "seg": ("cam_par", "seg"),
        "walk_after_par": ("cam_refined", "cam_par"),
    }.items():  # fmt: skip
        found, summary = data["changes"][name], data["summary"]
        assert (found["before"], found["after"]) == (before, after)
        assert found["change"] == pytest.approx(summary[f"miou_{after}"] - summary[f"miou_{before}"], abs=0.011)
        assert found["interval"][0] <= found["change"] <= found["interval"][1]
    assert set(data["best_thresholds"]) == {"cam", *SAME_RULE}
    for stage in ("cam", *SAME_RULE):
        assert data["best_thresholds"][stage]["miou"] >= data["summary"][f"miou_{stage}"] - 0.05
    text = by_stage.table()
    assert CHOSEN_WITH_MASKS in text and "CAM with one threshold, 0.45" in text
    assert "par_start" not in text.splitlines()[1]
    processes = [score_shards(model, samples[rank::2], lambda one: [one], config, diagnose=True) for rank in range(2)]
    both = score_shards(model, [], lambda _: processes, config, diagnose=True)
    assert both.data()["changes"] == data["changes"] and both.data()["best_thresholds"] == data["best_thresholds"]
    assert both.data()["labels"] == data["labels"]


def test_without_the_walk_no_number_is_its(model, samples, trace):
    config = dataclasses.replace(trace.config, long_side=None, num_iters=2, use_walk=False)
    by_stage = evaluate_samples(model, samples, config, diagnose=True)
    data = by_stage.data()
    assert set(data["changes"]) == {"cam_par", "seg"} and data["rule"]["left_out"] == ["cam_rw"]
    assert data["summary"]["miou_walk_start"] == data["summary"]["miou_cam_rw"]
    assert data["labels"]["affinity_label"] == data["labels"]["pseudo_label"]
    text = by_stage.table()
    assert "the walk" not in text and "left out by the settings: cam_rw" in text


def test_labels_are_compared_with_par_on_their_own_pixels(model, samples, trace):
    config = dataclasses.replace(trace.config, long_side=None, num_iters=2)
    by_stage = evaluate_samples(model, samples, config)
    assert by_stage.changes() == {} and "best_thresholds" not in by_stage.data()
    for label in ("affinity_label", "pseudo_label"):
        certain, same = by_stage.matrices[label].matrix, by_stage.same_pixels[label].matrix
        assert torch.equal(certain.sum(dim=1), same.sum(dim=1))  # the same pixels of every true class
        numbers = by_stage.label_scores(label)
        assert numbers["coverage"] == pytest.approx(int(certain.sum()) / int(by_stage.matrices["seg"].matrix.sum()))
        assert numbers["precision"] == pytest.approx(int(certain.diag().sum()) / int(certain.sum()))
