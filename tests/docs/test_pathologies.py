"""The measurement of pathologies: its counts are those of the stages, its changes are paired, its page holds them."""

from __future__ import annotations

import json

import measure_pathologies as measured
import numpy as np
import pytest
from pathology_page import page
from scored_scenes import SIZE, model  # noqa: F401  (a fixture)

from afa_viz.data.sandbox import SandboxDataset, read_recipe
from afa_viz.evaluation import Sample, evaluate_samples
from afa_viz.figures.pathologies import change_chart
from afa_viz.pipeline import explain
from afa_viz.stage_scores import stage_labels

SCENES = 4


@pytest.fixture(scope="module")
def counts(model):  # noqa: F811
    """Of the default world and of one with clutter."""
    worlds = {name: SandboxDataset("test", SCENES, SIZE, read_recipe([name])) for name in ("default", "clutter=1")}
    return {name: measured.count(model, scenes, name) for name, scenes in worlds.items()}


@pytest.fixture(scope="module")
def rows(counts):
    draws = np.random.default_rng(0).multinomial(SCENES, np.full(SCENES, 1 / SCENES), 50).astype(float)
    default = counts["default"]
    return {name: measured.describe(one, default, draws) for name, one in counts.items()}


def test_numbers_are_those_of_the_stages(model, rows):  # noqa: F811
    scenes = SandboxDataset("test", SCENES, SIZE)
    scores = evaluate_samples(model, [Sample(s.image, s.image_labels, s.mask, s.parts) for s in scenes])
    summary, values = scores.summary(), rows["default"]["values"]
    for stage in measured.USED:
        assert values[f"miou_{stage}"] == pytest.approx(summary[f"miou_{stage}"], abs=0.011)
        assert values[f"head_{stage}"] == pytest.approx(summary[f"head_{stage}"], abs=0.011)
    assert (rows["default"]["map"], rows["default"]["f1"]) == (summary["map"], summary["f1"])


def test_fates_are_counted_pixel_by_pixel(model):  # noqa: F811
    scene = next(s for s in SandboxDataset("test", 20, SIZE) if "sheep" in s.objects)
    sample = Sample(scene.image, scene.image_labels, scene.mask, scene.parts)
    trace = explain(model, sample.image, sample.image_labels, target=sample.target)
    start, walked, refined = (stage_labels(trace)[stage].numpy() for stage in ("walk_start", "cam_rw", "cam_par"))
    expected = [0] * 6
    for place in zip(*np.nonzero((sample.parts == 2) & (sample.target == 11)), strict=True):
        truth = sample.target[place]
        missed = start[place] != truth
        expected[0 if missed else 3] += 1
        expected[1 if missed else 4] += (walked[place] == truth) == missed
        expected[2 if missed else 5] += (refined[place] == truth) == missed
    assert sum(expected) > 0
    assert measured.fates(trace, sample, "body", [11]) == expected


def test_changes_are_paired_with_the_default(rows):
    assert set(rows["default"]["changes"].values()) <= {0.0, None}
    low, high = rows["default"]["change_intervals"]["miou_cam"]
    assert low == high == 0
    row = rows["clutter=1"]
    assert row["changes"]["miou_seg"] == pytest.approx(
        row["values"]["miou_seg"] - rows["default"]["values"]["miou_seg"], abs=0.011
    )
    low, high = row["intervals"]["miou_cam"]
    assert low < high


def test_a_change_back_is_the_change_turned_round(counts):
    draws = np.ones((3, SCENES))
    there = measured.changes(counts["default"], counts["clutter=1"], draws)["changes"]
    back = measured.changes(counts["clutter=1"], counts["default"], draws)["changes"]
    assert there["miou_cam"] == -back["miou_cam"] != 0


def test_page_and_chart_hold_every_setting(rows, counts):
    settings = {name: {"meaning": meaning, **rows["clutter=1"]} for name, meaning in measured.SETTINGS.items()}
    data = {
        "checkpoint_id": "abc123", "scenes": SCENES, "size": SIZE, "split": "test", "settings": settings,
        "ends": [{"from": "cooc=0", "to": "cooc=1", **rows["clutter=1"]}],
        "default_by_home": measured.by_home(counts["default"]),
    }  # fmt: skip
    text = page(json.loads(json.dumps(data, allow_nan=False)))
    assert all(f"`{name}`" in text for name in measured.SETTINGS) and "abc123" in text and "nan" not in text
    axes = change_chart(data).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == [n for n in measured.SETTINGS if n != "default"]


@pytest.mark.parametrize("name", [name for name in measured.SETTINGS if name != "default"])
def test_every_setting_is_a_recipe(name):
    assert read_recipe([name]) != read_recipe(["default"])
