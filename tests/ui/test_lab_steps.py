"""The guided lab: questions about walk, PAR, labels, decoder and training, on traces whose answers are known."""

from __future__ import annotations

import dataclasses
import itertools

import pytest
import torch
from app_fixtures import SIDE, scene_trace
from lab_traces import (
    BIRD,
    CELLS,
    COW,
    painted,
    reasons,
    right,
    rows,
    scores_of,
    walked,
    with_cam,
)

from afa_viz import lab
from afa_viz.lab import verdicts_refine, verdicts_training
from afa_viz.lab.changes import change_counts, place_counts
from afa_viz.pipeline import recompute


@pytest.fixture(scope="module")
def trace():
    return scene_trace()


def test_the_walk_is_judged_by_the_iou_of_its_label(trace):
    half, full = torch.zeros(CELLS, CELLS, dtype=torch.bool), torch.zeros(CELLS, CELLS, dtype=torch.bool)
    half[:1], full[:3] = True, True
    assert right(walked(trace, half, full), "walk", "rises") and not right(walked(trace, half, full), "walk", "falls")
    assert right(walked(trace, full, half), "walk", "falls") and not right(walked(trace, full, half), "walk", "rises")
    facts = lab.check(walked(trace, half, full), "walk", "falls", COW).facts
    # One row of cells of three: between 0.657 and 0.413 the softmax falls below one half 17.8 pixels down, of 48.
    assert float(facts["before"].rstrip(" %")) == pytest.approx(100 * 19 / 48, abs=0.1)
    assert int(facts["gained"]) == pytest.approx(2 * 16 * SIDE, rel=0.1) and int(facts["lost"]) < 16 * SIDE / 4


def test_pixels_that_change_are_counted_by_what_they_were_and_became():
    before = torch.tensor([[0, 0, 6, 6, 2, 6, 0]])
    after_ = torch.tensor([[6, 6, 0, 0, 6, 6, 6]])
    target = torch.tensor([[6, 0, 6, 0, 2, 6, 255]])
    assert change_counts(before, after_, target, 6) == {"fills": 1, "cleans": 1, "leaks": 2, "loses": 1}
    assert change_counts(before, after_, target) == {"fills": 1, "cleans": 1, "leaks": 1, "loses": 2}


def test_pixels_are_near_an_outline_inside_or_on_the_background():
    everywhere = torch.ones(40, 40, dtype=torch.bool)
    target = torch.zeros(40, 40, dtype=torch.uint8)
    target[10:30, 10:30] = 3
    found = place_counts(everywhere, target)
    assert found["inside"] == 14 * 14 and found["border"] == 26 * 26 - 4 * 0 - 14 * 14  # three pixels on both sides
    assert sum(found.values()) == 1600
    assert place_counts(~everywhere, target) == {"border": 0, "inside": 0, "background": 0}


@pytest.mark.parametrize("before, after, truth, reason", [
    ((0, 1), (0, 3), "rises", "fills"), ((0, 3), (0, 1), "falls", "loses"), ((0, 6), (0, 3), "rises", "cleans"),
    ((0, 3), (0, 6), "falls", "leaks"), ((0, 3), (0, 3), "same", "little"),
])  # fmt: skip
def test_par_is_judged_by_what_changes(trace, before, after, truth, reason):
    count = len(trace.class_names)
    start = torch.nn.functional.one_hot(rows(*before)[::16, ::16].long(), count).permute(2, 0, 1).float()
    changed = painted(trace, rows(0, 3), cam_rw=start, cam_par=scores_of(rows(*after), count))
    assert right(changed, "par", truth)
    if reason in ("little", "fills", "loses"):  # enlarging cells blurs their border
        assert reasons(changed, "par", truth)[0] == reason


@pytest.mark.parametrize("after, truth", [((5, 6), "fewer"), ((3, 6), "same"), ((2, 6), "more")])
def test_false_activations_are_counted_before_and_after(trace, after, truth):
    """Marked and wrong are the lower three rows of cells; the object is in the first one."""
    large = torch.zeros(SIDE, SIDE)
    large[48:] = 1
    walk = torch.zeros(CELLS, CELLS)
    walk[after[0] :] = COW
    changed = painted(with_cam(trace, large), rows(0, 1), cam_rw=scores_of(walk, len(trace.class_names)))
    assert right(changed, "dampen", truth)
    assert lab.check(changed, "dampen", truth, COW).facts["cells"] == str(3 * CELLS)


@pytest.mark.parametrize("tied, reason", [(slice(3, 6), "kept"), (slice(0, 3), "dampened")])
def test_where_wrong_cells_take_their_scores_from(trace, tied, reason):
    """The affinity links every cell to the marked rows, or to the others."""
    large = torch.zeros(SIDE, SIDE)
    large[48:] = 1
    affinity = torch.full((CELLS * CELLS, CELLS * CELLS), 0.01)
    affinity.reshape(CELLS, CELLS, -1)[tied] = 1.0
    changed = painted(with_cam(trace, large), rows(0, 1), affinity=affinity)
    assert reasons(changed, "dampen", "same") == (reason,)


def test_the_best_radius_is_found_by_walking_with_each(trace):
    found = lab.options(trace, lab.QUESTIONS[9], COW)
    assert found == ("1", "2", "4", "all")  # of a grid of six cells
    walks = {
        code: recompute(trace, dataclasses.replace(trace.config, radius=5 if code == "all" else int(code)))
        for code in found
    }
    ious = {code: float(lab.check(one, "walk", "same", COW).facts["after"].rstrip(" %")) for code, one in walks.items()}
    for code in found:
        verdict = lab.check(trace, "window", code, COW)
        assert float(verdict.facts["iou"].rstrip(" %")) == pytest.approx(ious[code], abs=0.06)
        assert verdict.is_correct == (ious[code] >= max(ious.values()) - 1.01)


@pytest.mark.parametrize("seconds, ratio, reason", [((1.0, 3.0), "3.0", "few"), ((1.0, 9.0), "9.0", "ten"),
                                                   ((0.5, 20.0), "40.0", "more")])  # fmt: skip
def test_par_and_crf_are_compared_by_labels_and_time(trace, monkeypatch, seconds, ratio, reason):
    half = torch.zeros(SIDE, SIDE, dtype=torch.uint8)
    half[: SIDE // 2] = COW
    changed = painted(trace, half)
    results = iter([(half, seconds[0]), (rows(0, 6), seconds[1])])
    monkeypatch.setattr(verdicts_refine, "_timed", lambda *_: next(results))
    verdict = lab.check(changed, "crf", "low", COW)
    assert verdict.is_correct and verdict.correct_reasons == (reason,)
    assert (verdict.facts["share"], verdict.facts["times"]) == ("50.0 %", ratio)
    assert (verdict.facts["par_iou"], verdict.facts["crf_iou"]) == ("100.0 %", "50.0 %")


def test_par_and_crf_really_run(trace):
    verdict = lab.check(trace, "crf", "high", COW)
    assert float(verdict.facts["crf_ms"]) > 0 and float(verdict.facts["share"].rstrip(" %")) <= 100


@pytest.mark.parametrize("target, truth, reason", [
    (rows(0, 2), "right", "own"), (rows(0, 2, BIRD), "wrong", "other"), (rows(3, 6), "wrong", "background"),
])  # fmt: skip
def test_uncertain_pixels_are_what_the_ground_truth_has_there(trace, target, truth, reason):
    """Uncertain are the first two rows of cells, which the low score gives to the class."""
    uncertain = torch.where(rows(0, 2) == COW, 255, 0).to(torch.uint8)
    par = scores_of(rows(0, 2), len(trace.class_names))
    changed = painted(trace, target, pseudo_label=uncertain, cam_par=par)
    assert right(changed, "regions", truth) and reasons(changed, "regions", truth) == (reason,)
    certain = painted(trace, target, pseudo_label=torch.zeros_like(uncertain), cam_par=par)
    with pytest.raises(lab.UndecidedError, match="uncertain"):
        lab.check(certain, "regions", truth, COW)


@pytest.mark.parametrize("affinity, decoder", [*itertools.product(("affinity_label", "pseudo_label", None), repeat=2)])
def test_phases_are_ordered_by_what_each_needs(trace, affinity, decoder):
    changed = dataclasses.replace(trace, affinity_trained_on=affinity, decoder_trained_on=decoder)
    for label in (COW, BIRD):
        shown = list(lab.options(changed, lab.QUESTIONS[14], label))
        assert len(shown) == 4 and {code.partition("_")[0] for code in shown} >= {"affinity", "decoder"}
        possible = [list(order) for order in itertools.permutations(shown)
                    if right(changed, "phases", list(order), label)]  # fmt: skip
        assert 0 < len(possible) < 24 and shown not in possible, "the first sight is no answer"
        assert lab.check(changed, "phases", shown, label).correct_option.split() in possible
    steps = verdicts_training.phase_order(changed)
    learner = next(code for code in steps if code.startswith("decoder_"))
    chain = {"affinity_label": ["classifier", "cam", "refine"], "pseudo_label": ["cam", "walk", "pseudo_label"]}
    for earlier in chain[decoder or "pseudo_label"]:
        assert not verdicts_training.is_possible(changed, [learner, earlier])
        assert verdicts_training.is_possible(changed, [earlier, learner])


@pytest.mark.parametrize("truth, code", [(COW, "decoder"), (0, "label"), (BIRD, "neither")])
def test_where_decoder_and_label_differ_one_of_them_is_right_or_neither(trace, truth, code):
    label, seg = torch.zeros(SIDE, SIDE, dtype=torch.uint8), rows(0, 2)
    label[64:] = 255  # uncertain pixels are no disagreement
    changed = painted(trace, rows(0, 3, truth), pseudo_label=label, seg=seg)
    verdict = lab.check(changed, "end_to_end", code, COW)
    assert verdict.is_correct and verdict.facts["pixels"] == str(32 * SIDE)
    with pytest.raises(lab.UndecidedError, match="agree"):
        lab.check(dataclasses.replace(changed, seg=torch.zeros_like(seg)), "end_to_end", code, COW)


@pytest.mark.parametrize(
    "teacher, stage",
    [("affinity_label", "cam_refined"), ("pseudo_label", "cam_par"), ("nothing", "cam_par"), (None, "cam_par")],
)
def test_the_teacher_is_the_one_on_the_models_card(trace, teacher, stage):
    """The verdict turns with it where the two labels differ."""
    count = len(trace.class_names)
    good, bad = trace.target, torch.zeros_like(trace.target)
    trace = dataclasses.replace(trace, decoder_trained_on=teacher, seg=bad)
    stages = {"cam_refined": scores_of(bad, count), "cam_par": scores_of(bad, count)}
    changed = dataclasses.replace(trace, **{**stages, stage: scores_of(good, count)})
    assert right(changed, "seg", "falls")
    other = "cam_par" if stage == "cam_refined" else "cam_refined"
    assert right(dataclasses.replace(trace, **{**stages, other: scores_of(good, count)}), "seg", "same")
    assert lab.check(changed, "seg", "falls", COW).facts["teacher"] == (teacher or "unknown")


def test_the_pupil_is_compared_with_the_teacher(trace):
    count = len(trace.class_names)
    good, bad = trace.target, torch.zeros_like(trace.target)
    taught_badly = dataclasses.replace(trace, seg=good, cam_par=scores_of(bad, count))
    taught_well = dataclasses.replace(trace, seg=bad, cam_par=scores_of(good, count))
    equal = dataclasses.replace(trace, seg=good, cam_par=scores_of(good, count))
    for changed, truth in ((taught_badly, "rises"), (taught_well, "falls"), (equal, "same")):
        assert [right(changed, "seg", option) for option in ("rises", "same", "falls")].count(True) == 1
        assert right(changed, "seg", truth)
    assert lab.check(taught_badly, "seg", "same", COW).facts["learnt"] == "100.0 %"


def test_without_the_walk_nothing_is_said_of_it(trace):
    """Where it starts is where it ends: the IoU stays, and no wrong pixel is its fault, whatever the CAM."""
    for seed in range(4):
        torch.manual_seed(seed)
        cam = torch.rand(trace.cam.shape)
        changed = dataclasses.replace(trace, cam=cam)
        for par in (True, False):
            config = dataclasses.replace(trace.config, use_walk=False, use_par=par, bkg_score_low=0.3 + seed / 10,
                                         bkg_score_high=0.9)  # fmt: skip
            without = recompute(changed, config)
            assert right(without, "walk", "same")
            assert lab.check(without, "walk", "same", COW).facts["gained"] == "0"
            shares = lab.error_attribution(without)
            assert shares["walk"] == 0 and (par or shares["par"] == 0) and sum(shares.values()) == pytest.approx(1)


def blamed(trace):
    """A trace whose wrong pixels are: 2 rows of cells missed by the CAM, 1 lost by the walk, 1 by PAR."""
    rows = torch.zeros(CELLS, CELLS, dtype=torch.bool)
    cam, walk = rows.clone(), rows.clone()
    cam[2:], walk[3:] = True, True
    changed = walked(trace, cam, walk)
    target = torch.full((SIDE, SIDE), COW, dtype=torch.uint8)
    par = torch.zeros(SIDE, SIDE, dtype=torch.uint8)
    par[64:] = COW
    return dataclasses.replace(changed, target=target, cam_par=scores_of(par, len(trace.class_names)))


def test_wrong_pixels_are_blamed_on_the_step_where_they_went_wrong(trace):
    changed = blamed(trace)
    shares = lab.error_attribution(changed)
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["false_negative"] == pytest.approx(1 / 2, abs=0.05)
    assert shares["walk"] == pytest.approx(1 / 4, abs=0.1) and shares["par"] == pytest.approx(1 / 4, abs=0.1)
    assert right(changed, "blame", "false_negative") and not right(changed, "blame", "par")
    assert lab.check(changed, "blame", "par", COW).correct_option == "false_negative"


def test_what_the_cam_invents_and_confuses_is_told_apart(trace):
    everywhere = torch.ones(CELLS, CELLS, dtype=torch.bool)
    changed = walked(trace, everywhere, everywhere)
    target = torch.zeros(SIDE, SIDE, dtype=torch.uint8)
    target[:, :32] = BIRD  # a third is taken for another class, the rest is ground
    par = scores_of(torch.full((SIDE, SIDE), COW), len(trace.class_names))
    shares = lab.error_attribution(dataclasses.replace(changed, target=target, cam_par=par))
    assert shares["confused"] == pytest.approx(1 / 3) and shares["false_positive"] == pytest.approx(2 / 3)


def test_failures_are_measured(trace):
    found = lab.measure(blamed(trace))
    assert found["reached"] == pytest.approx(4 / 6, abs=0.03)  # of six rows of cells the CAM has four
    assert found["on_ground"] == found["leaked"] == 0
    assert found["cells"] == CELLS * CELLS and found["classes"] == 1
    swapped = dataclasses.replace(blamed(trace), target=torch.full((SIDE, SIDE), BIRD, dtype=torch.uint8))
    assert lab.measure(swapped)["confused"] == pytest.approx(2 / 6)
