"""Prepared answers: their names are the same in Python and in JavaScript, their texts those that the handlers send."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from afa_viz import lab as questions
from afa_viz.ui.handlers.explorer import ExplorerHandlers, scene_key
from afa_viz.ui.handlers.prepared import GROUPS, SHARES, all_answers, answer_name, prepare
from afa_viz.ui.sessions.session import Request

NAMES = json.loads((Path(__file__).parents[1] / "support" / "answer_names.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("question, asked, name", [entry[:3] for entry in NAMES])
def test_names_are_canonical(question, asked, name):
    """The test of core in tests/js holds the browser to the same list."""
    assert answer_name(question, asked) == name
    assert answer_name(question, dict(reversed(asked.items()))) == name


def test_whole_numbers_have_no_decimals():
    assert answer_name("compare", {"b": {"value": 2.0}}) == 'compare {"b":{"value":2}}'


@pytest.fixture(scope="module")
def request_(session) -> Request:
    return session.request("example:scene1", session.registry.names[0])


@pytest.fixture(scope="module")
def answers(session, request_) -> dict[str, str]:
    trace = session.trace(request_)
    made = list(
        prepare(
            trace,
            request_.key,
            scene_key(request_),
            {"title": "T"},
            session.examples,
            "part",
            session.registry.get(request_.model),
        )  # fmt: skip
    )
    assert len(dict(made)) == len(made)
    return dict(made)


def test_they_are_what_the_handlers_send(session, request_, answers):
    handlers, key = ExplorerHandlers(session), request_.key
    stages = json.loads(answers.pop(answer_name("stages", {"key": key})))
    sent = json.loads(handlers.stages(request_))
    assert stages.pop("title") == "T" and stages.items() <= sent.items()
    asked = [("scene", {}), ("overview", {}), ("affinity", {}), ("heads", {}), ("lab", {})]
    asked += [("attention", {"block": block, "logits": logits}) for block in range(8) for logits in (False, True)]
    for question, params in asked:
        text = getattr(handlers, question)({"key": key, **params})
        assert answers.pop(answer_name(question, {"key": key, **params})) == text, (question, params)
    crf, sent = (
        json.loads(text) for text in (answers.pop(answer_name("crf", {"key": key})), handlers.crf({"key": key}))
    )
    assert {k: v for k, v in crf.items() if "seconds" not in k} == {k: v for k, v in sent.items() if "seconds" not in k}
    compared = json.loads(answers.pop(answer_name("compare", {"key": key, "b": {"crf": True}})))
    sent = json.loads(handlers.server_functions()[6]({"key": key, "b": {"switched": [], "crf": True}}))
    assert {k: v for k, v in compared.items() if "seconds" not in k} == {
        k: v for k, v in sent.items() if "seconds" not in k
    }
    assert {name.partition(" ")[0] for name in answers} == {"lab_verdicts", "start", "affinity_numbers"}


def test_the_browser_begins_from_what_the_settings_would_make(session, request_, answers):
    """Without symmetry and without the other scales; and the numbers of all pairs for every radius."""
    handlers, config = ExplorerHandlers(session), request_.config

    def sent(question: str, **changes) -> dict:
        changed = dataclasses.replace(request_, config=dataclasses.replace(config, **changes))
        stages = json.loads(handlers.stages(changed))
        return stages if question == "stages" else json.loads(handlers.affinity({"key": changed.key}))

    def prepared(question: str, **asked) -> dict:
        return json.loads(answers[answer_name(question, {"key": request_.key, **asked})])

    one_way, single = (
        prepared("start", left_out=part) for part in ("symmetry of the affinity", "other scales of the CAM")
    )
    assert one_way == {"affinity": sent("stages", symmetric=False)["affinity"]}
    stages = sent("stages", scales=(1.0,))
    assert single == {"cam": stages["cam"], "classes": stages["classes"]}
    numbers = prepared("affinity_numbers")
    assert len(numbers["symmetric"]) == max(session.trace(request_).grid) - 1
    for radius in (1, 3, 5):
        assert numbers["symmetric"][radius - 1] == sent("affinity", radius=radius)["numbers"]
        assert numbers["one_way"][radius - 1] == sent("affinity", radius=radius, symmetric=False)["numbers"]


def test_every_answer_to_the_lab_has_its_verdict(session, request_, answers):
    handlers, trace = ExplorerHandlers(session), session.trace(request_)
    counts = {"cell": trace.grid[0] * trace.grid[1], "share": len(SHARES), "pairs": 27, "order": 24}
    for question in questions.QUESTIONS:
        for label in trace.present:
            asked = {"key": request_.key, "step": question.name, "label": label}
            table = json.loads(answers[answer_name("lab_verdicts", asked)])
            if "refused" in table:  # this scene does not decide it
                answer = all_answers(trace, question, label)[0]
                assert json.loads(handlers.lab_check({**asked, "answer": answer})) == table
                continue
            given = list(table["answers"])
            assert len(given) == counts.get(question.kind, len(questions.options(trace, question, label)))
            for answer in given[:: max(1, len(given) // 5)]:
                found = table["verdicts"][table["answers"][answer]]
                verdict = json.loads(handlers.lab_check({**asked, "answer": json.loads(answer)}))
                if question.name == "crf":  # times differ
                    assert found["right"] == verdict["right"] and found["truth"] == verdict["truth"]
                else:
                    assert found == verdict, (asked, answer)
                assert found["reasons"] and set(found["reasons"]) <= set(question.reasons)


def test_a_file_has_no_verdicts_on_questions_that_take_seconds(session, request_):
    trace = session.trace(request_)
    made = dict(prepare(trace, request_.key, "s", {}, groups=("lab",), without=("crf",)))
    steps = {
        step["name"]: step["missing"] for step in json.loads(made[answer_name("lab", {"key": request_.key})])["steps"]
    }
    assert steps["crf"] == "file" and steps["walk"] == "" and not [name for name in made if '"crf"' in name]


def test_a_group_is_made_alone(session, request_):
    trace = session.trace(request_)
    for group, questions_ in {
        "stages": {"stages", "scene"},
        "affinity": {"affinity", "affinity_numbers"},
        "par": set(),
        "crf": {"crf", "compare"},
    }.items():
        made = prepare(trace, request_.key, "s", {}, groups=(group,))
        assert {name.partition(" ")[0] for name, _ in made} == questions_
    (_, contents), *verdicts = prepare(trace, request_.key, "s", {}, groups=("lab",))
    assert verdicts and not json.loads(contents)["failures"], "without examples none is recommended"
    assert all("example" not in step for step in json.loads(contents)["steps"])
    assert "stages" in GROUPS
