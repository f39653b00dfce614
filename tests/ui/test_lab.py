"""The guided lab: every step answered right and wrong on traces whose answers are known by construction."""

from __future__ import annotations

import dataclasses
import json
import math
import re

import numpy as np
import pytest
import torch
from app_fixtures import SIDE, prepare, scene

from afa_viz import lab
from afa_viz.config import ExplainConfig
from afa_viz.figures import maps
from afa_viz.lab.verdicts import THRESHOLD_INCREASE
from afa_viz.pipeline import explain, recompute
from afa_viz.trace_file import LABEL_SOURCES
from afa_viz.ui import localization
from afa_viz.ui.handlers.explorer import ExplorerHandlers
from afa_viz.ui.sessions.model_registry import ModelRegistry, discover_checkpoints
from afa_viz.ui.sessions.session import Session

CELLS = SIDE // 16
COW, BIRD = 6, 2  # labels of the classes in the first scene of the fixtures; the mask has the first alone


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    options = prepare(tmp_path_factory.mktemp("lab"))
    session = Session(ModelRegistry(discover_checkpoints(options.checkpoint_folder), "cpu"), options.examples)
    return ExplorerHandlers(session, tmp_path_factory.mktemp("files"))


@pytest.fixture(scope="module")
def model(answers):
    return answers._session.registry.get("tiny")


@pytest.fixture(scope="module")
def trace(model):
    image, mask = (np.array(picture) for picture in scene(0))
    return explain(model, image, [COW, BIRD], target=mask)


def with_cam(trace, map_, label=COW):
    """The trace with a CAM of our own for one class, nothing for the others."""
    cam = torch.zeros_like(trace.cam)
    cam[label - 1] = map_
    return dataclasses.replace(trace, cam=cam)


def bump(row, col):
    """A CAM that is 1 in one cell and 0.3 elsewhere."""
    map_ = torch.full((SIDE, SIDE), 0.3)
    map_[row * 16 : row * 16 + 16, col * 16 : col * 16 + 16] = 1
    return map_


def scores_of(label, count):
    """(K, H, W) scores whose strongest channel is a label map."""
    return torch.nn.functional.one_hot(label.long(), count).permute(2, 0, 1).float()


def right(trace, name, answer, label=COW):
    return lab.check(trace, name, answer, label).is_correct


def test_the_image_label_holds_one_answer_a_class(trace):
    assert right(trace, "labels", 12)
    assert not right(trace, "labels", SIDE * SIDE)
    assert lab.check(trace, "labels", 3, COW).facts["pixels"] == str(SIDE * SIDE)


def test_the_brightest_cell_is_that_of_the_cam(trace):
    changed = with_cam(trace, bump(4, 1))
    assert right(changed, "cam", [4, 1])
    assert not right(changed, "cam", [0, 5])
    facts = lab.check(changed, "cam", [0, 5], COW).facts
    assert (facts["row"], facts["col"], facts["value"]) == ("5", "2", "30.0 %")


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


def test_the_head_that_looks_inside_is_found(trace):
    inside = torch.zeros(CELLS, CELLS)
    inside[2, 2] = 1
    target = torch.where(torch.kron(inside, torch.ones(16, 16)) > 0, COW, 0).to(torch.uint8)
    logits = torch.zeros_like(trace.attn_logits[-1])
    logits[4, :, 2 * CELLS + 2] = 1000  # head 5 looks at that cell from everywhere
    changed = dataclasses.replace(trace, target=target, attn_logits=(*trace.attn_logits[:-1], logits))
    assert right(changed, "heads", "5") and not right(changed, "heads", "1")
    facts = lab.check(changed, "heads", "1", COW).facts
    assert facts["best_share"] == "100.0 %"
    assert facts["share"] == facts["area"] == "2.8 %"  # evenly: one cell of 36


@pytest.mark.parametrize(
    "mutual_attention, mutual_affinity, truth",
    [(False, True, "affinity"), (False, False, "neither"), (True, True, "both"), (True, False, "attention")],
)
def test_which_table_is_mutual_is_measured(trace, mutual_attention, mutual_affinity, truth):
    logits = torch.zeros_like(trace.attn_logits[-1]) if mutual_attention else trace.attn_logits[-1]
    affinity = trace.affinity if mutual_affinity else trace.affinity.tril() + 0.01
    changed = dataclasses.replace(trace, attn_logits=(*trace.attn_logits[:-1], logits), affinity=affinity)
    verdicts = {
        option: lab.check(changed, "affinity", option, COW) for option in ("attention", "affinity", "both", "neither")
    }
    assert [option for option, verdict in verdicts.items() if verdict.is_correct] == [truth]
    assert all(verdict.correct_option == truth for verdict in verdicts.values())


def walked(trace, before, after):
    """The trace with a CAM and a walked map of our own: (h, w) booleans of where the class is."""
    large = torch.kron(before.float(), torch.ones(16, 16))
    changed = with_cam(trace, large)
    label = torch.where(after, COW, 0)
    target = torch.zeros(SIDE, SIDE, dtype=torch.uint8)
    target[:48] = COW
    return dataclasses.replace(changed, cam_rw=scores_of(label, len(trace.class_names)), target=target)


def test_the_walk_is_judged_by_the_iou_of_its_label(trace):
    half, full = torch.zeros(CELLS, CELLS, dtype=torch.bool), torch.zeros(CELLS, CELLS, dtype=torch.bool)
    half[:1], full[:3] = True, True
    assert right(walked(trace, half, full), "walk", "rises") and not right(walked(trace, half, full), "walk", "falls")
    assert right(walked(trace, full, half), "walk", "falls") and not right(walked(trace, full, half), "walk", "rises")
    facts = lab.check(walked(trace, half, full), "walk", "falls", COW).facts
    # One row of cells of three: between 0.657 and 0.413 the softmax falls below one half 17.8 pixels down, of 48.
    assert float(facts["before"].rstrip(" %")) == pytest.approx(100 * 19 / 48, abs=0.1)
    assert int(facts["gained"]) == pytest.approx(2 * 16 * SIDE, rel=0.1) and int(facts["lost"]) < 16 * SIDE / 4


def test_the_ring_with_the_largest_weight_is_that_of_the_formula(trace):
    row, col = maps.strongest_cell(trace, COW)
    image = torch.nn.functional.interpolate(
        trace.image.permute(2, 0, 1).double()[None] / 255, scale_factor=0.5, mode="bilinear"
    )[0]
    size = SIDE // 2
    y, x = (min(size - 1, math.floor((i + 0.5) * size / CELLS)) for i in (row, col))
    rings = {d: [(d * a, d * b) for a in (-1, 0, 1) for b in (-1, 0, 1) if a or b] for d in ExplainConfig().dilations}
    offsets = [offset for ring in rings.values() for offset in ring]
    clamp = lambda value: min(size - 1, max(0, value))  # noqa: E731
    colours = torch.stack([image[:, clamp(y + a), clamp(x + b)] for a, b in offsets])
    colour = (-(((colours - image[:, y, x]).abs() / (colours.std(dim=0) + 1e-8) / 0.3) ** 2)).mean(dim=1).softmax(dim=0)
    far = torch.tensor([math.hypot(a, b) for a, b in offsets], dtype=torch.float64)
    place = (-((far / (far.std() + 1e-8) / 0.3) ** 2)).softmax(dim=0)
    weights = (colour + 0.01 * place).reshape(-1, 8).sum(dim=1)
    order = [str(d) for d in rings]
    best, worst = order[int(weights.argmax())], order[int(weights.argmin())]
    assert right(trace, "par", best)
    assert not right(trace, "par", worst)
    found = lab.check(trace, "par", worst, COW)
    assert found.correct_option == best
    assert float(found.facts["best_share"].rstrip(" %")) == pytest.approx(
        100 * float(weights.max() / weights.sum()), abs=0.1
    )


def test_a_higher_score_is_tried_on_the_picture_itself(trace, model):
    low = recompute(trace, ExplainConfig(bkg_score_low=0.1, bkg_score_high=0.3))
    raised = explain(
        model,
        trace.image.numpy(),
        [COW, BIRD],
        ExplainConfig(bkg_score_low=0.1, bkg_score_high=0.3 + THRESHOLD_INCREASE),
    )
    verdict = lab.check(low, "regions", "grows", COW)
    before, after = ((t.regions == 1).float().mean().item() for t in (low, raised))
    assert verdict.facts["area"] == f"{100 * before:.1f} %" and verdict.facts["area_after"] == f"{100 * after:.1f} %"
    assert not verdict.is_correct and after <= before  # a higher score never adds sure foreground
    assert right(low, "regions", verdict.correct_option)


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
    assert shares["missed"] == pytest.approx(1 / 2, abs=0.05)
    assert shares["walk"] == pytest.approx(1 / 4, abs=0.1) and shares["par"] == pytest.approx(1 / 4, abs=0.1)
    assert right(changed, "blame", "missed") and not right(changed, "blame", "par")
    assert lab.check(changed, "blame", "par", COW).correct_option == "missed"


def test_what_the_cam_invents_and_confuses_is_told_apart(trace):
    everywhere = torch.ones(CELLS, CELLS, dtype=torch.bool)
    changed = walked(trace, everywhere, everywhere)
    target = torch.zeros(SIDE, SIDE, dtype=torch.uint8)
    target[:, :32] = BIRD  # a third is taken for another class, the rest is ground
    par = scores_of(torch.full((SIDE, SIDE), COW), len(trace.class_names))
    shares = lab.error_attribution(dataclasses.replace(changed, target=target, cam_par=par))
    assert shares["confused"] == pytest.approx(1 / 3) and shares["invented"] == pytest.approx(2 / 3)


def test_failures_are_measured(trace):
    found = lab.measure(blamed(trace))
    assert found["reached"] == pytest.approx(4 / 6, abs=0.03)  # of six rows of cells the CAM has four
    assert found["on_ground"] == found["leaked"] == 0
    assert found["cells"] == CELLS * CELLS and found["classes"] == 1
    swapped = dataclasses.replace(blamed(trace), target=torch.full((SIDE, SIDE), BIRD, dtype=torch.uint8))
    assert lab.measure(swapped)["confused"] == pytest.approx(2 / 6)


def test_without_a_mask_some_steps_ask_for_another_picture(trace):
    blind = dataclasses.replace(trace, target=None)
    ready = [step.name for step in lab.QUESTIONS if lab.is_ready(blind, step)]
    assert ready == ["labels", "cam", "affinity", "par"]
    with pytest.raises(ValueError, match="needs a ground-truth mask"):
        lab.check(blind, "walk", "rises", COW)
    with pytest.raises(ValueError, match="no ground-truth mask"):
        lab.measure(blind)


@pytest.mark.parametrize(
    "name, answer, label",
    [
        ("nothing", 1, COW), ("labels", 1.5, COW), ("labels", True, COW), ("labels", "12", COW),
        ("cam", [0, CELLS], COW),
        ("cam", [-1, 0], COW), ("cam", 3, COW), ("cut", float("nan"), COW), ("heads", "9", COW), ("heads", 1, COW),
        ("walk", "flies", COW), ("walk", ["rises"], COW), ("walk", "rises", 1), ("walk", "rises", None),
    ],
)  # fmt: skip
def test_answers_that_do_not_fit_are_refused(trace, name, answer, label):
    with pytest.raises(ValueError, match="there is no question|does not fit|is not in this image"):
        lab.check(trace, name, answer, label)


# --- on the page -----------------------------------------------------------------------------------------------------


def asked(answers, **more):
    session = answers._session
    request = session.request("example:scene1", "tiny")
    answers.stages(request)
    return {"key": request.key, **more}


def test_the_page_gets_steps_and_gallery_but_no_answers(answers):
    contents = json.loads(answers.lab(asked(answers)))
    assert [step["name"] for step in contents["steps"]] == [step.name for step in lab.QUESTIONS]
    assert not any({"truth", "right", "facts"} & set(step) for step in contents["steps"])
    assert contents["failures"] == [{"pathology": "part", "place": 1, "example": "scene1", "title": "Scene 1"}]
    assert {step["example"] for step in contents["steps"]} == {"scene0"}  # nobody is there for the other roles


def test_a_verdict_names_what_the_example_shows(answers):
    found = json.loads(answers.lab_check(asked(answers, step="blame", answer="missed", label=7)))
    assert found["failure"]["pathology"] == "part" and found["failure"]["facts"]["reached"].endswith(" %")
    found = json.loads(answers.lab_check(asked(answers, step="labels", answer=12, label=7)))
    assert found["right"] and found["failure"] is None
    for wrong in ({"step": None}, {"label": "7"}, {"label": True}, {"answer": {}}):
        with pytest.raises(ValueError):
            answers.lab_check(asked(answers, **({"step": "labels", "answer": 12, "label": 7} | wrong)))


def test_every_sentence_of_the_lab_is_there(trace):
    texts = localization.texts()
    for teacher in (*LABEL_SOURCES, "unknown"):
        assert f"lab.seg.teacher_{teacher}" in texts
    for step in lab.QUESTIONS:
        for part in ("title", "story", "task", "verdict", "why"):
            assert f"lab.{step.name}.{part}" in texts
        for option in lab.options(trace, step):
            assert f"lab.{step.name}.option_{option}" in texts or f"lab.{step.name}.option" in texts
        assert f"tabs.{step.tab}" in texts or step.tab in ("attention", "affinity")
    for failure in lab.FAILURES:
        for part in ("title", "story", "fact"):
            assert f"lab.failure.{failure}.{part}" in texts


def test_every_number_in_a_sentence_is_among_the_facts(trace):
    texts = localization.texts()
    samples = {"labels": 1, "cam": [0, 0], "cut": 0.4}
    for step in lab.QUESTIONS:
        answer = samples.get(step.name) or lab.options(trace, step)[0]
        facts = lab.check(trace, step.name, answer, COW).facts
        for part in ("verdict", "why"):
            names = set(re.findall(r"\{(\w+)\}", texts[f"lab.{step.name}.{part}"]))
            assert names <= {*facts, "truth"}, (step.name, part)
    for failure in lab.FAILURES:
        names = set(re.findall(r"\{(\w+)\}", texts[f"lab.failure.{failure}.fact"]))
        assert names and names <= set(lab.measure(trace))
