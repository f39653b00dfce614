"""The one table of scores: an arrow compares one rule over the same pixels, and everything that shows it agrees."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch
from app_fixtures import open_session, prepare
from explained import noise, trace_of_noise
from report_file import Page

from afa_viz import lab, stage_scores
from afa_viz.config import ExplainConfig
from afa_viz.evaluation import Sample, evaluate_samples
from afa_viz.figures import strip_tiles
from afa_viz.figures.typography import format_percent
from afa_viz.ops import cam as cams
from afa_viz.ops import pseudo_label
from afa_viz.pipeline import explain, recompute
from afa_viz.trace import Trace
from afa_viz.ui.handlers.api import Api
from afa_viz.ui.handlers.explorer import ExplorerHandlers
from afa_viz.ui.report.document import document

BETAS = ((0.35, 0.55), (0.0, 0.0), (0.05, 0.9), (0.6, 0.6), (1.0, 1.0))


@pytest.fixture(scope="module")
def trace():
    return trace_of_noise()


def smooth(trace: Trace, seed: int) -> Trace:
    """The trace with a random CAM that is smooth, as CAMs are."""
    torch.manual_seed(seed)
    cam = cams.resize(torch.rand(1, len(trace.cam), 4, 5), trace.cam.shape[-2:])[0]
    return dataclasses.replace(trace, cam=cam)


def again(trace: Trace, **changes) -> Trace:
    """From the walk on, under other settings."""
    return recompute(dataclasses.replace(trace, config=ExplainConfig(power=31)), ExplainConfig(**changes))


# --- the walk gets no credit for what it does not do -----------------------------------------------------------------


@pytest.mark.parametrize("low, high", BETAS)
@pytest.mark.parametrize("seed", range(3))
def test_a_walk_that_moves_nothing_changes_nothing(trace, low, high, seed):
    """Every cell is alike to itself alone, to one degree: the walk scales all scores and moves none."""
    for degree in (1.0, 0.3):
        still = dataclasses.replace(smooth(trace, seed), affinity=degree * torch.eye(len(trace.affinity)))
        moved = again(still, bkg_score_low=low, bkg_score_high=high, num_steps=1 + seed)
        labels = stage_scores.stage_labels(moved)
        assert torch.equal(labels["walk_start"], labels["cam_rw"])
        found = stage_scores.stage_scores(moved)
        assert stage_scores.stage_changes(found, moved.config)["cam_rw"] == 0
        assert all(stage_scores.stage_changes(found, moved.config, c)["cam_rw"] in (0, None) for c in moved.present)
        torch.testing.assert_close(moved.affinity_label, again(moved, bkg_score_low=low, bkg_score_high=high,
                                                                use_walk=False).affinity_label)  # fmt: skip


@pytest.mark.parametrize("low, high", BETAS)
@pytest.mark.parametrize("par", [{}, {"use_par": False}, {"num_iters": 0}], ids=str)
def test_a_step_that_is_left_out_has_no_credit(trace, low, high, par):
    other = again(smooth(trace, 7), bkg_score_low=low, bkg_score_high=high, use_walk=False, **par)
    labels, found = stage_scores.stage_labels(other), stage_scores.stage_scores(other)
    assert torch.equal(labels["walk_start"], labels["cam_rw"])
    assert torch.equal(labels["affinity_label"], labels["pseudo_label"])
    changes = stage_scores.stage_changes(found, other.config)
    assert "cam_rw" not in changes and ("cam_par" in changes) == (not par)
    assert set(stage_scores.disabled_stages(other.config)) == {"cam_rw", *(["cam_par"] if par else [])}
    assert stage_scores.disabled_stages(ExplainConfig()) == ()


def test_arrows_do_not_know_the_rule_of_the_cut(trace):
    """Another cut moves the score of the cut CAM, and no arrow; another high background score moves labels alone."""
    base = stage_scores.stage_changes(stage_scores.stage_scores(trace), trace.config)
    cuts = set()
    for cut in (0.05, 0.3, 0.45, 0.8):
        other = recompute(trace, dataclasses.replace(trace.config, bkg_score=cut))
        found = stage_scores.stage_scores(other)
        cuts.add(found["cam"]["miou"])
        assert stage_scores.stage_changes(found, other.config) == base
    assert len(cuts) > 1
    for high in (0.36, 0.9):
        other = recompute(trace, dataclasses.replace(trace.config, bkg_score_high=high))
        assert stage_scores.stage_changes(stage_scores.stage_scores(other), other.config) == base


def test_steps_compare_whole_images_alone(trace):
    found = stage_scores.stage_scores(trace)
    for stage, before in stage_scores.COMPARED_WITH.items():
        assert found[stage]["coverage"] == found[before]["coverage"] == 1
        assert not {stage, before} & {"cam", *stage_scores.PARTIAL_LABELS}
    assert list(found) == list(stage_scores.SCORED_STAGES)


# --- what the stages start from --------------------------------------------------------------------------------------


def test_the_walks_start_is_the_softmax_of_the_cam_on_the_grid(trace):
    """Written out: [beta_l, CAM of the present classes] on the grid, softmax, enlarged, the strongest."""
    for low in (0.1, 0.35, 0.7):
        other = again(trace, bkg_score_low=low, bkg_score_high=0.9)
        size, present = tuple(other.image.shape[:2]), list(other.present)
        small = cams.resize(other.cam[[c - 1 for c in present]][None], other.grid)[0]
        stacked = torch.cat([torch.full((1, *other.grid), low), small]).exp()
        enlarged = cams.resize((stacked / stacked.sum(dim=0))[None], size)[0]
        wanted = torch.tensor([0, *present])[enlarged.argmax(dim=0)]
        assert torch.equal(stage_scores.stage_labels(other)["walk_start"].long(), wanted)


def test_par_starts_from_the_walk_or_from_the_cam_at_its_own_size(trace):
    labels = stage_scores.stage_labels(trace)
    assert torch.equal(labels["par_start"], labels["cam_rw"])
    without = again(trace, use_walk=False)
    used = [0, *without.present]
    size = tuple(without.image.shape[:2])
    start = pseudo_label.initial_scores(
        without.cam[[c - 1 for c in without.present]], (0.35,), (size[0] // 2, size[1] // 2)
    )
    wanted = torch.tensor(used)[cams.resize(start, size)[0].argmax(dim=0)]
    assert torch.equal(stage_scores.stage_labels(without)["par_start"].long(), wanted)


def test_without_a_class_everything_is_background():
    from golden_vectors import golden_model

    empty = explain(golden_model(), noise(), [], ExplainConfig(num_iters=1), target=np.zeros((75, 101), np.uint8))
    labels = stage_scores.stage_labels(empty)
    assert all(not labels[stage].any() for stage in stage_scores.SCORED_STAGES if stage != "seg")
    assert set(stage_scores.stage_changes(stage_scores.stage_scores(empty), empty.config)) == set(
        stage_scores.COMPARED_WITH
    )


# --- one table, everywhere -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    options = prepare(tmp_path_factory.mktemp("scores"))
    return open_session(options)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"leave_out": ["random walk"]},
        {"leave_out": ["PAR"]},
        {"leave_out": ["random walk", "PAR"]},
        {"bkg_score_low": 0.2, "bkg_score_high": 0.2},
    ],
    ids=str,
)
def test_page_api_report_picture_lab_and_evaluate_agree(session, tmp_path, settings):
    answers = ExplorerHandlers(session, tmp_path)
    found = Api(session, answers).explain(None, "example:scene0", ["cat"], settings, None)
    request, trace = session.find_by_key(found["key"])
    table = stage_scores.stage_scores(trace)
    assert table is not None
    sent = json.loads(answers.stages(request))
    sample = Sample(trace.image.numpy(), trace.image_labels.numpy(), trace.target.numpy())
    by_stage = evaluate_samples(session.registry.get("tiny"), [sample], trace.config, diagnose=True)
    data = by_stage.data()
    for stage, score in table.items():
        assert sent["scores"][stage]["miou"] == pytest.approx(score["miou"], rel=1e-5)
        assert sent["scores"][stage]["coverage"] == pytest.approx(score["coverage"], rel=1e-5)
        assert found["miou"][stage] == score["miou"]
        assert data["summary"][f"miou_{stage}"] == pytest.approx(100 * score["miou"], abs=0.006)
    changes = stage_scores.stage_changes(table, trace.config)
    assert [(step["stage"], step["before"]) for step in sent["steps"]] == list(
        stage_scores.compared_stages(trace.config).items()
    )
    assert (
        sent["left_out"]
        == found["left_out"]
        == data["rule"]["left_out"]
        == list(stage_scores.disabled_stages(trace.config))
    )
    assert found["changes"] == changes
    assert {k: v["change"] for k, v in data["changes"].items() if k != "walk_after_par"} == {
        stage: pytest.approx(100 * change, abs=0.006) for stage, change in changes.items()
    }
    assert ("walk_after_par" in data["changes"]) == (not sent["left_out"])
    of_class = stage_scores.stage_changes(table, trace.config, 6)
    panels = {panel.stage: panel for panel in strip_tiles.stage_tiles(trace, 6)}
    assert {stage: panel.change for stage, panel in panels.items() if panel.change is not None} == of_class
    page = Page(document(trace)).words("en")
    for stage, change in of_class.items():
        assert f"change {format_percent(change, signed=True)}" in page, stage
    before, after = (table[stage]["iou"].get(6, 0.0) for stage in ("walk_start", "cam_rw"))
    facts = lab.check(trace, "walk", "same", 6).facts
    assert (facts["before"], facts["after"]) == (format_percent(before), format_percent(after))
    for name in stage_scores.PARTIAL_LABELS:
        right = stage_scores.label_precision(trace)[name]["all"]
        assert found["precision"][name]["all"] == right
        assert sent["precision"][name]["all"] == pytest.approx(right, rel=1e-5)
        assert data["labels"][name]["precision"] == pytest.approx(100 * right, abs=0.006)
        assert data["labels"][name]["coverage"] == pytest.approx(100 * table[name]["coverage"], abs=0.006)
