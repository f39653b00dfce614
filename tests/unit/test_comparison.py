"""Several evaluations side by side: intervals, paired differences, means over runs; confusion matrices and charts."""

from __future__ import annotations

import statistics

import numpy as np
import pytest
import torch
from compared_runs import SIZE, run, small

from afa_viz.classes import SANDBOX_CLASSES
from afa_viz.config import ExplainConfig
from afa_viz.data.sandbox import SandboxDataset
from afa_viz.evaluation import Sample, evaluate_samples
from afa_viz.evaluation.affinity_calibration import AffinityCalibration
from afa_viz.evaluation.bootstrap import PairedBootstrap
from afa_viz.evaluation.comparison import paired_differences, runs_text, summarise_runs
from afa_viz.evaluation.csv_tables import normalised_rows
from afa_viz.figures.calibration import calibration_chart
from afa_viz.figures.confusion import confusion_chart
from afa_viz.ops.metrics import ConfusionMatrix
from afa_viz.pipeline import explain
from afa_viz.stage_scores import stage_labels

CONFIG = ExplainConfig(scales=(1.0,), flip=False, num_iters=2, long_side=SIZE)


@pytest.fixture(scope="module")
def samples():
    return [Sample(s.image, s.image_labels, s.mask) for s in SandboxDataset("val", 4, SIZE)]


@pytest.fixture(scope="module")
def scored(samples):
    return [evaluate_samples(small(seed), samples, CONFIG, diagnose=True) for seed in (0, 1)]


def test_confusion_is_a_numpy_array_of_counts_or_shares(scored, samples):
    expected = np.zeros((13, 13), np.int64)
    for sample in samples:
        label = stage_labels(explain(small(0), sample.image, sample.image_labels, CONFIG))["seg"].numpy()
        for true, guess in zip(sample.target.ravel(), label.ravel(), strict=True):
            if true != 255:
                expected[true, guess] += 1
    counts, shares = scored[0].confusion("seg"), scored[0].confusion("seg", normalised=True)
    assert isinstance(counts, np.ndarray) and (counts == expected).all()
    present = expected.sum(axis=1) > 0
    np.testing.assert_allclose(shares[present].sum(axis=1), 1)
    assert np.isnan(shares[~present]).all() and (counts := scored[0].confusion("seg")) is not scored[0].matrices["seg"]
    assert scored[0].data()["confusion"]["seg"] == expected.tolist()
    assert normalised_rows(counts.tolist())[0] == pytest.approx(shares[0], abs=1e-6)


def test_the_chart_has_the_shares_and_leaves_absent_classes_white(scored):
    counts = scored[0].confusion("cam_par")
    axes = confusion_chart(counts, SANDBOX_CLASSES, "PAR, sandbox val, 4 images").axes[0]
    shown = {(int(t.get_position()[1]), int(t.get_position()[0])): t.get_text() for t in axes.texts}
    present = np.flatnonzero(counts.sum(axis=1))
    assert {row for row, _ in shown} == set(present)
    assert shown[0, 0] == f"{100 * counts[0, 0] / counts[0].sum():.0f}"
    assert len(confusion_chart(np.eye(81), [str(i) for i in range(81)], "").axes[0].texts) == 0, "no room for numbers"


def test_the_calibration_chart_draws_the_curve(scored):
    data = scored[0].calibration.data()
    curve, auc = calibration_chart(data, "sandbox val, 4 images").axes
    rows = [row for row in data["reliability"] if row["pairs"]]
    assert curve.lines[1].get_ydata().tolist() == [row["same_class_share"] for row in rows]
    assert f"{data['expected_calibration_error']:.3f}" in curve.get_title(loc="left")
    assert auc.lines[1].get_ydata().tolist() == [row["auc"] for row in data["by_distance"] if row["auc"] is not None]
    empty = AffinityCalibration(2).data()
    assert "–" in calibration_chart(empty, "").axes[0].get_title(loc="left")


def test_intervals_hold_the_score_and_shrink_with_more_images():
    rng, widths = np.random.default_rng(0), []
    for count in (10, 160):
        bootstrap = PairedBootstrap(("a",), 3)
        for _ in range(count):
            target = torch.from_numpy(rng.integers(0, 3, 400))
            right = torch.from_numpy(rng.random(400) < rng.uniform(0.4, 0.9))
            label = torch.where(right, target, (target + 1) % 3)
            bootstrap.update({"a": ConfusionMatrix(3).update(target, label).matrix}, rng.integers(0, 256, 64))
        found = bootstrap.interval("a")
        assert found.low < found.value < found.high
        widths.append(found.high - found.low)
    assert 2 < widths[0] / widths[1] < 8, "a quarter for sixteen times as many images"


def test_the_difference_of_two_models_is_paired(samples):
    """The same images are drawn in both, so that what makes images hard leaves the difference."""
    rng = np.random.default_rng(1)
    one, other, alone = (PairedBootstrap(("a",), 2) for _ in range(3))
    for _ in range(60):
        image = rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)
        target = torch.from_numpy(rng.integers(0, 2, 1000))
        hard = rng.uniform(0.1, 0.9)  # of this image, for every model
        draws = [torch.from_numpy(rng.random(1000) < share) for share in (hard, hard + 0.05)]
        matrices = [ConfusionMatrix(2).update(target, torch.where(d, target, 1 - target)).matrix for d in draws]
        one.update({"a": matrices[0]}, image), other.update({"a": matrices[1]}, image)
        alone.update({"a": matrices[1]}, rng.integers(0, 256, (4, 4, 3), dtype=np.uint8))
    paired, unpaired = other.difference(one, "a"), alone.difference(one, "a")
    assert paired.value == unpaired.value == pytest.approx(other.interval("a").value - one.interval("a").value)
    assert 0 < paired.low < paired.value < paired.high
    assert unpaired.high - unpaired.low > 3 * (paired.high - paired.low)
    back = one.difference(other, "a")
    assert (back.low, back.high) == pytest.approx((-paired.high, -paired.low))
    assert one.difference(one, "a") == (0, 0, 0)
    with pytest.raises(ValueError, match="expected both models on the same images"):
        PairedBootstrap(("a",), 2).difference(one, "a")


def test_a_stage_minus_itself_of_another_model(scored):
    rows = {row["stage"]: row for row in paired_differences(scored[0].bootstrap, scored[1].bootstrap)}
    for stage in ("cam", "cam_rw", "cam_par", "seg"):
        values = [one.summary()[f"miou_{stage}"] for one in scored]
        assert (rows[stage]["checkpoint"], rows[stage]["against"]) == tuple(values)
        assert rows[stage]["difference"] == pytest.approx(values[0] - values[1], abs=0.011)
        assert rows[stage]["low"] <= rows[stage]["difference"] <= rows[stage]["high"]


def test_mean_and_sample_standard_deviation():
    found = summarise_runs([run(a=1.0, b=None), run(a=2.0, b=4.0), run(a=6.0, b=7.0)])
    rows = {row["score"]: row for row in found["rows"]}
    assert found["n"] == 3 and found["images"] == 5
    assert rows["a"]["mean"] == 3 and rows["a"]["std"] == round(statistics.stdev([1, 2, 6]), 2) and rows["a"]["n"] == 3
    assert rows["b"]["mean"] == 5.5 and rows["b"]["std"] == 2.12 and rows["b"]["n"] == 2 and rows["b"]["run_1"] is None
    assert rows["iou_seg/background"]["std"] == 0
    text = runs_text(found)
    assert "over n = 3 runs, voc val, 5 images" in text and "3.00 ± 2.65" in text and "(n = 2)" in text
    assert summarise_runs([run(a=1.0), run(a=None)])["rows"][0]["std"] is None


@pytest.mark.parametrize("other, says", [
    ({"split": "train"}, "voc val, 5 images of 1 classes and run 2 on voc train"),
    ({"images": 6}, "6 images"), ({"recipe": "hard"}, "(hard)"), ({"iou": {"seg": {"cat": 1.0}}}, "expected the same"),
    ({"title": "cats"}, "(cats), 5 images of 1 classes; expected the same images and settings: they differ in the"),
    ({"settings": ["flip=no"]}, "with no settings and run 2 on voc val, 5 images of 1 classes, with flip=False;"),
    ({"settings": ["flip=no"], "split": "train"}, "they differ in the split, settings."),
    ({"without_heads": [3]}, "without 3 of the heads"),
])  # fmt: skip
def test_runs_on_other_images_are_no_mean(other, says):
    with pytest.raises(ValueError) as caught:
        summarise_runs([run(a=1.0), run(a=1.0) | other])
    assert says in str(caught.value)
    with pytest.raises(ValueError, match="expected at least two"):
        summarise_runs([run(a=1.0)])


def test_the_same_settings_may_be_written_in_other_ways():
    ways = (["flip=no", "radius=3"], ["radius=5", "radius=3", "flip=false"])
    assert summarise_runs([run(a=1.0) | {"settings": way} for way in ways])["n"] == 2
