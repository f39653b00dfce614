"""The diagnosis of the walk: its page is made from its numbers, and a scene is counted under one rule."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from affinity_diagnosis_page import page
from diagnose_affinity import HIGH, LOW, Tally, count_pairs, count_scene, numbers
from explained import trace_of_noise

from afa_viz.stage_scores import stage_scores

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_is_made_from_the_numbers():
    data = json.loads((DOCS / "data" / "affinity_diagnosis.json").read_text(encoding="utf-8"))
    assert page(data) == (DOCS / "affinity_diagnosis.md").read_text(encoding="utf-8")


def test_a_scene_is_counted_as_the_table_of_scores_says():
    trace = trace_of_noise()
    assert trace.target is not None
    tally = Tally(len(trace.class_names))
    with torch.inference_mode():
        for _ in range(2):
            count_scene(tally, trace)
            count_pairs(tally, trace)
    scores = stage_scores(trace)
    assert scores is not None
    low = trace.config.bkg_score_low
    assert low in LOW and trace.config.bkg_score_high in HIGH
    names = {"walk_start": f"start {low}", "cam_rw": f"walk learned {low}", "cam": "cam",
             "cam_par": f"par with /2 {low}", "cam_refined": f"par without /2 {low}",
             "pseudo_label": f"label with /2 {low} {trace.config.bkg_score_high}"}  # fmt: skip
    for stage, name in names.items():
        if stage in scores:
            assert np.isclose(tally.miou(name, np.ones((1, 2)))[0], 100 * scores[stage]["miou"], equal_nan=True), stage
    found = numbers(tally, 2)
    first = found["main"][0]
    assert np.isclose(first["walk_gain"]["value"], first["walk"] - first["start"], atol=0.02)
    assert page({"checkpoint_id": "x", "scenes": 2, "size": 64, "radius": 8} | found)
