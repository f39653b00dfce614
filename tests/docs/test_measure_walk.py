"""What the walk is worth, as printed for any checkpoint: its numbers are those of the stage scores."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from explained import trace_of_noise
from measure_walk import HIGH, LOW, as_table, count_scene, rows
from scene_tally import Tally

from afa_viz.classes import SANDBOX_PARTS
from afa_viz.ops import pseudo_label
from afa_viz.stage_scores import stage_scores


@pytest.fixture(scope="module")
def counted():
    trace = trace_of_noise()
    assert trace.target is not None
    parts = np.where(trace.target.numpy() > 0, SANDBOX_PARTS.index("body"), 0)
    tally = Tally(len(trace.class_names))
    with torch.inference_mode():
        for _ in range(3):
            count_scene(tally, trace, parts, 0.55)
    return trace, rows(tally, 3, 0.55)


def test_a_row_is_what_the_table_of_scores_says(counted):
    trace, found = counted
    config, scores = trace.config, stage_scores(trace)
    assert scores is not None and config.bkg_score_low in LOW and config.bkg_score_high in HIGH
    row = found[LOW.index(config.bkg_score_low)]
    stages = {"walk_start": row["start"], "cam_rw": row["walk"], "cam_refined": row["par without"],
              "cam_par": row["par with"], "affinity_label": row["label_without"]["miou"],
              "pseudo_label": row["label_with"]["miou"]}  # fmt: skip
    for stage, value in stages.items():
        if stage in scores:
            assert value == pytest.approx(100 * scores[stage]["miou"], abs=0.01, nan_ok=True), stage
    certain = 100 * float((trace.pseudo_label != pseudo_label.IGNORE)[trace.target != 255].float().mean())
    assert row["label_with"]["coverage"] == pytest.approx(certain, abs=0.01)


def test_equal_scenes_have_no_spread_and_differences_add_up(counted):
    for row in counted[1]:
        for gain, after, before in (("walk_gain", "walk", "start"), ("par_gain", "par with", "par without")):
            assert row[gain]["value"] == pytest.approx(row[after] - row[before], abs=0.02)
            assert row[gain]["interval"] == pytest.approx([row[gain]["value"]] * 2, abs=0.02)
        assert row["body"]["gain"]["value"] == pytest.approx(row["body"]["walk"] - row["body"]["start"], abs=0.02)


def test_the_table_has_a_row_for_each_background_score(counted):
    facts = {"checkpoint_id": "x", "scenes": 3, "split": "val", "size": 64, "radius": 4, "par_downscale": 1}
    table = as_table(facts | {"bkg_score_high": 0.55, "rows": counted[1], "scores": {"map": 97.0}})
    assert all(f"\n| {beta:.2f} |" in table for beta in LOW) and "map 97.0." in table
