"""The guided lab: what is refused, what the page gets, and the words that it is said in."""

from __future__ import annotations

import dataclasses
import itertools
import json
import re

import make_lab_page
import pytest
import torch
from app_fixtures import scene_trace
from lab_traces import (
    CELLS,
    COW,
    painted,
    rows,
)

from afa_viz import lab
from afa_viz.lab import verdicts_training
from afa_viz.pipeline import recompute
from afa_viz.trace_file import LABEL_SOURCES
from afa_viz.ui import localization


@pytest.fixture(scope="module")
def trace():
    return scene_trace()


def test_without_a_mask_some_steps_ask_for_another_picture(trace):
    blind = dataclasses.replace(trace, target=None)
    ready = [step.name for step in lab.QUESTIONS if lab.is_ready(blind, step)]
    assert ready == ["pooling", "affinity", "pairs", "crf", "phases"]
    assert not lab.reasons(blind, lab.QUESTIONS[14]) and lab.reasons(trace, lab.QUESTIONS[14])
    with pytest.raises(ValueError, match="needs a ground-truth mask"):
        lab.check(blind, "walk", "rises", COW)
    with pytest.raises(ValueError, match="no ground-truth mask"):
        lab.measure(blind)


@pytest.mark.parametrize(
    "name, answer, label",
    [
        ("nothing", 1, COW), ("labels", 1.5, COW), ("labels", True, COW), ("labels", "12", COW),
        ("cam", [0, CELLS], COW), ("cam", [-1, 0], COW), ("cam", 3, COW), ("cam", [0, 0, 0], COW),
        ("cam", [0.0, 1], COW),
        ("cut", float("nan"), COW), ("cut", "0.5", COW), ("heads", "9", COW), ("heads", 1, COW),
        ("pairs", ["positive"] * 2, COW), ("pairs", ["same"] * 3, COW), ("pairs", "positive", COW),
        ("pairs", [[]] * 3, COW),
        ("phases", [], COW), ("phases", ["cam"] * 4, COW), ("phases", [1, 2, 3, 4], COW), ("window", "3", COW),
        ("walk", "flies", COW), ("walk", ["rises"], COW), ("walk", "rises", 1), ("walk", "rises", None),
    ],
)  # fmt: skip
def test_answers_that_do_not_fit_are_refused(trace, name, answer, label):
    with pytest.raises(ValueError, match="there is no question|does not fit|is not in this image"):
        lab.check(trace, name, answer, label)


def test_a_reason_is_checked_beside_the_answer(trace):
    verdict = lab.check(trace, "walk", "rises", COW)
    assert verdict.is_reason_correct is None and verdict.correct_reasons
    for reason in lab.QUESTIONS[7].reasons:
        found = lab.check(trace, "walk", "rises", COW, reason).is_reason_correct
        assert found == (reason in verdict.correct_reasons)
    for wrong in ("same", 1, ["fills"], "", True):
        with pytest.raises(ValueError, match="does not fit"):
            lab.check(trace, "walk", "rises", COW, wrong)


def test_a_step_that_is_switched_off_is_not_asked_about(trace):
    without = recompute(trace, dataclasses.replace(trace.config, use_walk=False, use_par=False))
    missing = {step.name: lab.obstacle(without, step) for step in lab.QUESTIONS}
    assert (missing["dampen"], missing["window"], missing["crf"]) == ("walk", "walk", "par")
    for name, answer in (("dampen", "same"), ("crf", "low")):
        with pytest.raises(ValueError, match="switched off"):
            lab.check(without, name, answer, COW)


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
    examples = {step["name"]: step["example"] for step in contents["steps"]}
    assert examples.pop("cam") == "scene1"  # the one that shows a part for the whole
    assert set(examples.values()) == {"scene0"}  # no example is there for the other roles


def test_a_verdict_names_what_the_example_shows(answers):
    found = json.loads(answers.lab_check(asked(answers, step="blame", answer="false_negative", label=7)))
    assert found["failure"]["pathology"] == "part" and found["failure"]["facts"]["reached"].endswith(" %")
    found = json.loads(answers.lab_check(asked(answers, step="labels", answer="large", label=7, reason="most")))
    assert isinstance(found["right"], bool) and found["reasons"] and found["failure"] is None
    wrong_ones: list[dict[str, object]] = [
        {"step": None}, {"label": "7"}, {"label": True}, {"answer": {}}, {"reason": "x"}, {"reason": 1},
    ]  # fmt: skip
    for wrong in wrong_ones:
        with pytest.raises(ValueError):
            answers.lab_check(asked(answers, **({"step": "labels", "answer": "large", "label": 7} | wrong)))
    with pytest.raises(KeyError):
        answers.lab_check(asked(answers, step="labels", answer="large", label=7, first="yes"))


def test_every_sentence_of_the_lab_is_there(trace):
    texts = localization.texts()
    for teacher in (*LABEL_SOURCES, "unknown"):
        assert f"lab.seg.teacher_{teacher}" in texts
    for step in lab.QUESTIONS:
        for part in ("title", "story", "task", "verdict", "why"):
            assert f"lab.{step.name}.{part}" in texts
        for kind, codes in (("option", lab.options(trace, step, COW)), ("reason", lab.reasons(trace, step))):
            for code in codes:
                keys = {f"lab.{step.name}.{kind}_{code}", f"lab.{step.name}.{kind}", f"lab.{kind}.{code}"}
                assert keys & set(texts), (step.name, code)
        assert len(lab.reasons(trace, step)) > 1
        assert f"tabs.{step.tab}" in texts
    for affinity, decoder in itertools.product(("affinity_label", "pseudo_label"), repeat=2):
        changed = dataclasses.replace(trace, affinity_trained_on=affinity, decoder_trained_on=decoder)
        assert {f"lab.phases.option_{code}" for code in verdicts_training.phase_order(changed)} <= set(texts)
    for missing in ("mask", "labels", "linear_cam", "walk", "par", "file", "method"):
        assert f"lab.missing.{missing}" in texts
    for code in lab.UndecidedError.SENTENCES:
        assert f"refused.lab_{code}" in texts
    for failure in lab.FAILURES:
        for part in ("title", "story", "fact"):
            assert f"lab.failure.{failure}.{part}" in texts


def any_answer(trace, step, label=COW):
    codes = list(lab.options(trace, step, label))
    known = {"cell": [0, 0], "share": 0.4, "pairs": codes[:1] * 3, "order": codes}
    return known.get(step.kind) or codes[0]


PAGE_WORDS = {"name", "row", "col", "radius", "iterations", "low", "high"}  # `wordsNow` of lab.js


def test_every_number_in_a_sentence_is_among_the_facts(trace):
    texts = localization.texts()
    label = torch.where(rows(4, 5) == COW, 255, rows(0, 2)).to(torch.uint8)
    trace = painted(trace, rows(0, 5), seg=rows(0, 3), pseudo_label=label)  # every question has an answer
    for step in lab.QUESTIONS:
        facts = lab.check(trace, step.name, any_answer(trace, step), COW).facts
        for part in ("story", "task", "because", "verdict", "why"):
            names = set(re.findall(r"\{(\w+)\}", texts.get(f"lab.{step.name}.{part}", "")))
            known = {*facts, "truth"} if part in ("verdict", "why") else set()
            assert names <= known | PAGE_WORDS, (step.name, part)
    for failure in lab.FAILURES:
        names = set(re.findall(r"\{(\w+)\}", texts[f"lab.failure.{failure}.fact"]))
        assert names and names <= set(lab.measure(trace))


def test_the_page_of_answers_tells_which_question_has_which(trace):
    """The script that writes docs/lab.md, on a small network; its numbers are in no test."""
    made = make_lab_page.page({"scene": trace})
    for step in lab.QUESTIONS:
        assert f"## {localization.texts()[f'lab.{step.name}.title']}" in made
    assert f"scene ({trace.class_names[COW]})" in made and made.count("| question |") == 1
    stored = make_lab_page.OUT.read_text(encoding="utf-8")
    headings = [line for line in made.splitlines() if line.startswith("## ")]
    assert [line for line in stored.splitlines() if line.startswith("## ")] == headings, "run tools/make_lab_page.py"
