"""The guided lab: questions about image labels, CAM, attention and affinity, on traces whose answers are known."""

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
    with_cam,
)

from afa_viz import lab
from afa_viz.inspection import target_affinity, target_cells
from afa_viz.lab.verdicts_affinity import labelled_pairs, ordered_share


@pytest.fixture(scope="module")
def trace():
    return scene_trace()


def bump(row, col):
    """A CAM that is 1 in one cell and 0.3 elsewhere."""
    map_ = torch.full((SIDE, SIDE), 0.3)
    map_[row * 16 : row * 16 + 16, col * 16 : col * 16 + 16] = 1
    return map_


@pytest.mark.parametrize("height, width, area, box", [
    (SIDE, 48, "large", "most"), (16, 16, "tiny", "most"), (32, 24, "small", "most"), (48, 48, "medium", "most"),
])  # fmt: skip
def test_a_label_on_every_pixel_has_the_iou_of_the_area(trace, height, width, area, box):
    target = torch.zeros(SIDE, SIDE)
    target[:height, :width] = COW
    verdict = lab.check(painted(trace, target), "labels", area, COW)
    assert verdict.is_correct and verdict.correct_reasons == (box,)
    assert verdict.facts["share"] == f"{100 * height * width / SIDE**2:.1f} %"
    assert verdict.facts["count"] == "12" and verdict.facts["pixels"] == str(SIDE * SIDE)


def test_a_box_around_two_corners_is_mostly_something_else(trace):
    target = torch.zeros(SIDE, SIDE)
    target[:24, :24] = target[-24:, -24:] = COW
    assert reasons(painted(trace, target), "labels", "tiny") == ("half",)
    with pytest.raises(lab.UndecidedError, match="no pixel of this class"):
        lab.check(painted(trace, torch.zeros(SIDE, SIDE)), "labels", "tiny", COW)


def test_the_darkest_cells_are_those_of_the_object(trace):
    """Beside it the CAM is darker still; that does not count."""
    map_ = torch.full((SIDE, SIDE), 0.1)
    map_[16:64, 16:64] = 0.9
    map_[48:64, 32:48], map_[48:64, 48:64] = 0.5, 0.4  # the last two of nine cells
    target = torch.zeros(SIDE, SIDE)
    target[16:64, 16:64] = COW
    changed = painted(with_cam(trace, map_), target)
    assert right(changed, "cam", [3, 3]) and not right(changed, "cam", [0, 0]) and not right(changed, "cam", [1, 1])
    verdict = lab.check(changed, "cam", [1, 1], COW)
    assert (verdict.facts["row"], verdict.facts["col"], verdict.facts["inside"]) == ("4", "4", "100.0 %")
    assert verdict.correct_reasons == ("interior",)
    target[60:64, 32:64] = 0  # now there is background in both
    assert reasons(painted(with_cam(trace, map_), target), "cam", [1, 1]) == ("outline",)
    rival = with_cam(trace, map_).cam.clone()
    rival[BIRD - 1] = 1.0
    changed = painted(trace, target, cam=torch.maximum(rival, with_cam(trace, map_).cam))
    assert reasons(changed, "cam", [1, 1]) == ("other",)


@pytest.mark.parametrize("target, reason", [(rows(0, 6), "missing"), (rows(5, 6), "extra")])
def test_what_remains_at_the_best_threshold_is_counted(trace, target, reason):
    """One half is marked: of a class that is everywhere the other half is missed, of a smaller one there are others."""
    cam = torch.ones(SIDE, SIDE) * 0.5
    cam[: SIDE // 2] = 0.0
    assert reasons(painted(with_cam(trace, cam), target), "cut", 0.4) == (reason,)


def test_the_best_cut_is_where_the_truth_was_cut(trace):
    ramp = torch.linspace(0, 1, SIDE).expand(SIDE, SIDE)
    changed = dataclasses.replace(with_cam(trace, ramp), target=torch.where(ramp > 0.6, COW, 0).to(torch.uint8))
    assert right(changed, "cut", 0.6)
    assert not right(changed, "cut", 0.2)
    facts = lab.check(changed, "cut", 0.2, COW).facts
    assert facts["best"] == "0.60" and facts["best_iou"] == "100.0 %"
    assert float(facts["iou"].rstrip(" %")) == pytest.approx(100 * 0.4 / 0.8, abs=1)


@pytest.mark.parametrize("seed", range(6))
def test_no_cut_beats_the_best_one(trace, seed):
    """Also where scores repeat, and where the best lies between two hundredths."""
    generator = torch.Generator().manual_seed(seed)
    scores = torch.rand(SIDE, SIDE, generator=generator)
    scores = (scores * (20 if seed % 2 else 1000)).round() / (20 if seed % 2 else 1000)
    target = torch.where(scores + 0.3 * torch.rand(SIDE, SIDE, generator=generator) > 0.9, COW, 0).to(torch.uint8)
    target[torch.rand(SIDE, SIDE, generator=generator) < 0.1] = 255
    changed = dataclasses.replace(with_cam(trace, scores), target=target)
    facts = lab.check(changed, "cut", 0.5, COW).facts
    best = float(facts["best_iou"].rstrip(" %"))
    everything = {*scores.unique().tolist(), *(i / 100 for i in range(101))}
    reached = [float(lab.check(changed, "cut", cut, COW).facts["iou"].rstrip(" %")) for cut in sorted(everything)[::7]]
    assert max(reached) <= best
    named = lab.check(changed, "cut", float(facts["best"]), COW)
    assert named.is_correct and named.facts["iou"] == facts["best_iou"]  # at the threshold that is named it is reached
    for answer in (-0.1, 1.1):
        with pytest.raises(ValueError, match="does not fit"):
            lab.check(changed, "cut", answer, COW)


def pooled(trace, own, others=0.0):
    """The trace with a CAM before ReLU: (cells, cells) of the class, a constant for all others."""
    raw = torch.full((len(trace.image_labels), CELLS, CELLS), float(others))
    raw += 0.01 * torch.arange(len(raw))[:, None, None] / len(raw)
    raw[COW - 1] = own
    return dataclasses.replace(trace, raw_cam=raw)


def test_one_strong_cell_stands_out_by_the_maximum_and_many_weak_ones_by_the_average(trace):
    strong, weak = torch.full((CELLS, CELLS), -1.0), torch.full((CELLS, CELLS), 0.5)
    strong[2, 2] = 9
    changed = pooled(trace, strong, others=-0.5)
    assert right(changed, "pooling", "max") and reasons(changed, "pooling", "max") == ("few",)
    changed = pooled(trace, weak, others=0.0)
    assert right(changed, "pooling", "same") and reasons(changed, "pooling", "same") == ("many",)
    peaks = changed.raw_cam.clone()
    peaks[0, 0, 0] = peaks[3, 1, 1] = 3  # absent classes with one strong cell each
    changed = dataclasses.replace(changed, raw_cam=peaks)
    assert right(changed, "pooling", "avg")
    assert right(pooled(trace, torch.full((CELLS, CELLS), -2.0)), "pooling", "neither")


def test_a_cam_that_no_linear_classifier_makes_is_not_pooled(trace):
    other = dataclasses.replace(trace, parts=dataclasses.replace(trace.parts, cam="gradient"))
    assert lab.obstacle(other, lab.QUESTIONS[3]) == "linear_cam"
    with pytest.raises(ValueError, match="linear classifier"):
        lab.check(other, "pooling", "max", COW)


def test_the_head_that_looks_inside_is_found(trace):
    target = torch.zeros(SIDE, SIDE)
    target[32:48, 32:64] = COW  # two cells
    logits = torch.zeros_like(trace.attn_logits[-1])
    logits[4, :, 2 * CELLS + 2 : 2 * CELLS + 4] = 1000  # head 5 attends to them from everywhere
    logits[1, :, 2 * CELLS + 2 : 2 * CELLS + 4] = -1000  # head 2 to all others
    changed = painted(trace, target, attn_logits=(*trace.attn_logits[:-1], logits))
    assert right(changed, "heads", "5") and not right(changed, "heads", "1")
    facts = lab.check(changed, "heads", "1", COW).facts
    assert (facts["best_auc"], facts["auc"], facts["worst_auc"]) == ("100.0 %", "50.0 %", "0.0 %")
    assert facts["object_lift"] == f"{CELLS * CELLS / 2:.1f}"
    assert lab.check(changed, "heads", "1", COW).correct_reasons[0] == "object"


def test_the_share_of_ordered_pairs_is_that_of_all_of_them():
    scores = torch.tensor([0.1, 0.4, 0.4, 0.9, 0.2])
    positive = torch.tensor([False, True, False, True, False])
    pairs = [(a > b) + 0.5 * (a == b) for a in scores[positive] for b in scores[~positive]]
    assert ordered_share(scores, positive, ~positive) == pytest.approx(sum(map(float, pairs)) / len(pairs))


def test_the_larger_attention_of_a_pair_and_why(trace):
    """By the logit, or because the other query shares its attention among more keys."""
    question = lab.QUESTIONS[5]
    first, second = lab.cells(trace, question, COW)
    i, j = (row * CELLS + col for row, col in (first, second))
    assert max(abs(a - b) for a, b in zip(first, second, strict=True)) >= 2
    by_logit, by_softmax = (torch.zeros_like(trace.attn_logits[-1]) for _ in range(2))
    by_logit[2, i, j] = 40
    by_softmax[2, j] = 40  # the second query gives all keys the same again, but this one
    by_softmax[2, j, i] = 0
    for logits, reason in ((by_logit, "logit"), (by_softmax, "softmax")):
        changed = dataclasses.replace(trace, attn_logits=(*trace.attn_logits[:-1], logits))
        assert right(changed, "affinity", "there") and not right(changed, "affinity", "back")
        assert reasons(changed, "affinity", "there") == (reason,)
        assert lab.check(changed, "affinity", "there", COW).facts["head"] == "3"
    even = dataclasses.replace(trace, attn_logits=(*trace.attn_logits[:-1], torch.zeros_like(by_logit)))
    assert right(even, "affinity", "equal") and reasons(even, "affinity", "equal") == ("neither",)


@pytest.mark.parametrize("seed", range(8))
def test_pairs_are_labelled_as_the_loss_labels_them(trace, seed):
    """The oracle is the supervision of the affinity loss itself."""
    torch.manual_seed(seed)
    label = torch.tensor([0, COW, COW, BIRD, 255])[torch.randint(5, (CELLS, CELLS))].to(torch.uint8)
    changed = dataclasses.replace(
        trace, affinity_label=label.repeat_interleave(16, 0).repeat_interleave(16, 1),
        config=dataclasses.replace(trace.config, radius=3),
    )  # fmt: skip
    first, *others = lab.cells(changed, lab.QUESTIONS[6], COW)
    truth = target_affinity(changed)
    codes = {1: "positive", 0: "negative", 255: "ignored"}
    i = first[0] * CELLS + first[1]
    expected = [codes[int(truth[i, row * CELLS + col])] for row, col in others]
    given = [list(answer) for answer in itertools.product(codes.values(), repeat=3)]
    assert [answer for answer in given if right(changed, "pairs", answer)] == [expected]
    assert lab.check(changed, "pairs", given[0], COW).correct_option == " ".join(expected)
    assert int(target_cells(changed)[first]) == COW and len({first, *others}) == 4
    assert labelled_pairs(changed, COW) == labelled_pairs(dataclasses.replace(changed), COW)  # the same ones again
