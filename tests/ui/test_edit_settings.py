"""What is changed by hand, on the page and in the API: addresses, events, the copied program, what is sent."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from changed_request import DEFAULTS, EXAMPLE, MODEL, copied_program, request
from error_sentence import raises_sentence
from expected_affinity import after_edits

from afa_viz.config import ExplainConfig
from afa_viz.ui.errors import UserError
from afa_viz.ui.handlers import payload
from afa_viz.ui.handlers.api import Api
from afa_viz.ui.page import edit_settings, permalinks
from afa_viz.ui.page.config_fields import SCALES

TEXTS = {"affinity_edits": "j1-2_4.6,s3", "class_thresholds": "bird:0.7~cat:0.6", "occlude": "0,16,0,32"}
FIELDS = {
    "affinity_edits": (("join", (0, 1), (3, 5)), ("separate", (2,), None)),
    "class_thresholds": (("bird", 0.7), ("cat", 0.6)),
    "occlude": (0, 16, 0, 32),
}


@pytest.fixture(scope="module")
def photograph(session):
    """An image without labels of its own."""
    return session.images.store(session.images.find("example:photo"))


def test_an_address_holds_edits_and_restores_them(session):
    moved = request(session, **FIELDS, scales=(1.0, 1.5), flip=False)
    address = permalinks.query_parameters(moved, session)
    assert address == {"example": "scene0", **TEXTS, "scales": "1,1.5", "flip": "0"}
    restored = permalinks.restore(address, session)
    assert restored.request == moved and not restored.unfit
    assert restored.settings[-1] == {"model": MODEL, "image": EXAMPLE, **TEXTS, "scales": "1,1.5", "flip": "0"}
    one_scale = permalinks.query_parameters(request(session, scales=(1.0,)), session)
    assert one_scale == {"example": "scene0", "left_out": SCALES}  # one name for one thing
    assert permalinks.query_parameters(permalinks.unedited(moved), session) == {"example": "scene0"}


WRONG = [
    ("affinity_edits", text)
    for text in (
        "j0", "j99999", "x1", "j1_", "j2-1", "j1,,c2", "5", "j1;2", "j٣", ",".join(["s1"] * 33), "j" + "1." * 5000,
    )
] + [
    ("class_thresholds", text)
    for text in ("cat", "cat:2", "cat:nan", "kat:0.5", "background:0.5", "cat:0.5~cat:0.6", ":0.5", "cat:-1", "cat:1e5")
] + [
    ("occlude", text) for text in ("0,1", "0,99999,0,5", "5,5,0,9", "a,b,c,d", "0,16,0,16,0", "-1,5,0,5", "0.5,5,0,5")
] + [("scales", text) for text in ("2", "1,1", "x", "1,0.25", "1;0.5")] + [
    ("flip", text) for text in ("yes", "2", "01")
]  # fmt: skip


@pytest.mark.parametrize("name, text", WRONG)
def test_what_does_not_fit_in_an_address_is_left_out_and_named(session, name, text):
    other = {"flip": "0"} if name != "flip" else {"occlude": "0,16,0,32"}
    restored = permalinks.restore({"example": "scene0", name: text, **other}, session)
    assert name in restored.unfit and list(other)[0] not in restored.unfit
    kept = {key: value for key, value in restored.settings[-1].items() if key not in ("model", "image")}
    assert kept == other  # what fits is kept
    facts = permalinks.image_facts(session, EXAMPLE, MODEL, session.registry.config(MODEL))
    with pytest.raises(UserError) as caught:
        edit_settings.from_texts({name: text}, facts)
    assert str(caught.value).startswith(name) and str(caught.value).endswith(".") and len(str(caught.value)) < 300


def test_an_event_changes_the_image_and_later_events_keep_it(session, callbacks):
    labels = ["cat", "bird"]
    value, left_out, kept = callbacks.change_edits(TEXTS, EXAMPLE, MODEL, labels, *DEFAULTS)
    stages = json.loads(value)
    assert left_out == [] and kept == {"model": MODEL, "image": EXAMPLE, **TEXTS}
    assert stages["edits"] == TEXTS and {name: stages["link"][name] for name in TEXTS} == TEXTS
    names = stages["names"]
    assert stages["thresholds"] == {str(names.index("bird")): 0.7, str(names.index("cat")): 0.6}
    settings = (*DEFAULTS, kept)
    later = json.loads(callbacks.change_settings("radius", EXAMPLE, MODEL, labels, *settings)[0])
    assert later["edits"] == TEXTS
    heads = {"head_weights": "3:0", "affinity_bias": None, "symmetric": True}
    value, _, both = callbacks.change_heads(heads, EXAMPLE, MODEL, labels, *settings)
    assert json.loads(value)["edits"] == TEXTS and both == {
        "model": MODEL,
        "image": EXAMPLE,
        "head_weights": "3:0",
        **TEXTS,
    }
    value, _, fewer = callbacks.change_edits({"occlude": ""}, EXAMPLE, MODEL, labels, *DEFAULTS, both)
    assert set(json.loads(value)["edits"]) == {"affinity_edits", "class_thresholds"} and fewer["head_weights"] == "3:0"
    opened = json.loads(callbacks.open_example(1, MODEL, *DEFAULTS, both)[0])
    assert opened["edits"] == {} and opened["head_weights"][2] == 0  # edits belong to one image, weights do not
    other = (*DEFAULTS, {**kept, "model": "another"})
    assert json.loads(callbacks.change_settings("radius", EXAMPLE, MODEL, labels, *other)[0])["edits"] == {}
    none = dict.fromkeys(edit_settings.FIELDS, "")
    value, _, back = callbacks.change_edits(none, EXAMPLE, MODEL, labels, *settings)
    assert back == {} and json.loads(value)["key"] == session.request(EXAMPLE, MODEL).key
    assert callbacks.reset(MODEL)[-1] == {}


def test_scales_are_the_ablation_of_the_sidebar_too(callbacks):
    one = callbacks.change_edits({"scales": "1"}, EXAMPLE, MODEL, ["cat"], *DEFAULTS)
    assert one[1] == [SCALES] and one[2] == {} and json.loads(one[0])["scales"]["used"] == [1]
    two = callbacks.change_edits({"scales": "1,0.5"}, EXAMPLE, MODEL, ["cat"], one[1], *DEFAULTS[1:], one[2])
    assert (
        two[1] == []
        and two[2] == {"model": MODEL, "scales": "1,0.5"}
        and json.loads(two[0])["scales"]["used"] == [1, 0.5]
    )
    left_out = json.loads(
        callbacks.change_settings("left_out", EXAMPLE, MODEL, ["cat"], [SCALES], *DEFAULTS[1:], two[2])[0]
    )
    assert left_out["scales"]["used"] == [1]
    mirror = json.loads(callbacks.change_edits({"flip": "0"}, EXAMPLE, MODEL, ["cat"], *DEFAULTS, two[2])[0])
    assert (
        mirror["scales"]["used"] == [1, 0.5]
        and not mirror["flip"]
        and mirror["edits"] == {"scales": "1,0.5", "flip": "0"}
    )


@pytest.mark.parametrize("sent", [
    None, [], "x", {}, {"occlude": 5}, {"other": ""}, {"occlude": "0,1"}, {"affinity_edits": ["j1"]}, {"flip": False},
    {"class_thresholds": {"cat": 1}}, {"scales": [1]}, {"affinity_edits": "j1_2", "x": ""},
    {"occlude": "0,9,0,9" * 5000},
])  # fmt: skip
def test_an_event_of_another_form_is_refused(callbacks, sent):
    with raises_sentence(UserError):
        callbacks.change_edits(sent, EXAMPLE, MODEL, ["cat"], *DEFAULTS)


def test_image_labels_that_were_predicted_stay_those_of_the_whole_image(session, callbacks, photograph):
    whole = session.request(photograph, MODEL)
    labels = session.present_labels(whole)
    value, *_, kept = callbacks.change_edits({"occlude": "0,32,0,32"}, photograph, MODEL, labels, *DEFAULTS)
    shown = json.loads(value)
    assert [shown["names"][c["label"]] for c in shown["classes"]] == labels
    back, *_, none = callbacks.change_edits(
        {"occlude": ""}, photograph, MODEL, labels, *DEFAULTS, kept, shown=shown["key"]
    )
    assert json.loads(back)["key"] == whole.key and none == {}  # predicted again


def test_a_photograph_of_an_address_gets_its_edits_once_it_is_here(session, callbacks, photograph):
    mark = photograph.partition(":")[2][:8]
    restored = permalinks.restore({"photo": mark, "occlude": "0,16,0,16", "example": "scene0"}, session)
    assert restored.request.config.occlude is None and not restored.unfit
    kept = restored.settings[-1]
    value, *_ = callbacks._open(photograph, MODEL, (*DEFAULTS, kept))
    assert json.loads(value)["edits"] == {"occlude": "0,16,0,16"}
    value, *_ = callbacks.open_example(0, MODEL, *DEFAULTS, kept)
    assert json.loads(value)["edits"] == {}


def test_the_page_gets_the_explanation_as_computed(session, answers):
    moved = request(session, **FIELDS, head_weights=(0.0, *([None] * 15)))
    session.trace(moved)
    found = json.loads(answers.unedited({"key": moved.key}))
    plain = session.trace(request(session, head_weights=(0.0, *([None] * 15))))
    assert found["edits"] == {} and found["affinity"] == json.loads(json.dumps(payload.local_affinity(plain)))
    assert found["head_weights"][0] == 0  # weights of heads are no edits
    scene, before = (json.loads(answers.scene({"key": key}))["key"] for key in (moved.key, found["key"]))
    assert scene == f"{before}#0,16,0,32"
    with pytest.raises(KeyError):
        answers.unedited({"key": "x"})


def test_the_api_explains_with_edits(session, answers):
    api = Api(session, answers)
    asked = {
        "affinity_edits": [["join", [0, 1], [3, 5]], ["separate", [2], None]],
        "class_thresholds": {"cat": 0.6, "bird": 0.7}, "occlude": [0, 16, 0, 32], "scales": [1, 0.5], "flip": False,
    }  # fmt: skip
    found = api.explain(None, EXAMPLE, None, asked, None)
    trace = session.find_by_key(found["key"])[1]
    assert found["edits"] == {
        **FIELDS, "class_thresholds": dict(FIELDS["class_thresholds"]), "scales": (1.0, 0.5), "flip": False,
    }  # fmt: skip
    hidden = session.trace(request(session, occlude=FIELDS["occlude"], scales=(1.0, 0.5), flip=False))
    expected = after_edits(hidden.affinity.numpy(), FIELDS["affinity_edits"])
    rows, cols = found["grid"]
    for row, col in ((0, 0), (0, 2), (rows - 1, cols - 1)):
        cell = api.query(found["key"], row, col, None)
        np.testing.assert_allclose(cell["affinity"], expected[row * cols + col], atol=1e-6)
    plain = api.explain(None, EXAMPLE, None, dict.fromkeys(edit_settings.FIELDS), None)
    assert plain["key"] == session.request(EXAMPLE, MODEL).key and plain["edits"]["occlude"] is None
    for name in found["image_labels"]:
        assert found["class_logits"][name] == float(trace.class_logits[trace.class_names.index(name) - 1])
        assert found["class_logits"][name] != plain["class_logits"][name]


@pytest.mark.parametrize("asked, says", [
    ({"affinity_edits": [["join", [9999], None]]}, "affinity_edits names cell 9999; expected cells from 0 to"),
    ({"affinity_edits": "j1"}, "affinity_edits is 'j1'; expected at most 32 edits"),
    ({"class_thresholds": {"kat": 0.5}}, "class_thresholds names 'kat'; the nearest is 'cat'"),
    ({"class_thresholds": 0.5}, "class_thresholds is 0.5; expected numbers from 0 to 1 by class names"),
    ({"occlude": [0, 9999, 0, 5]}, "occlude is [0, 9999, 0, 5]; expected pixels"),
    ({"occlude": [0, 2000, 0, 5]}, "occlude is (0, 2000, 0, 5); expected a box (top, bottom, left, right) within"),
    ({"scales": [4, 0.5]}, "scales are 4, 0.5; expected some of 1, 0.5, 1.5"),
    ({"scales": [1.5, 1.5]}, "scales is [1.5, 1.5]; expected 1 to 16 different scales"),
    ({"scales": "1"}, "scales is '1'; expected 1 to 16 different scales"),
    ({"flip": "no"}, "flip is 'no'; expected True or False"),
    ({"edits": 1}, "num_iters, affinity_edits, class_thresholds, occlude, scales, flip."),
])  # fmt: skip
def test_the_api_refuses_other_edits_in_a_sentence(session, answers, asked, says):
    with raises_sentence(UserError, says):
        Api(session, answers).explain(None, EXAMPLE, None, asked, None)


def test_the_order_of_scales_makes_no_other_request(session, answers):
    keys = {Api(session, answers).explain(None, EXAMPLE, None, {"scales": scales}, None)["key"]
            for scales in ([1, 0.5], [0.5, 1], [0.5])}  # fmt: skip
    assert keys == {session.request(EXAMPLE, MODEL, config=ExplainConfig(scales=(1.0, 0.5))).key}


def test_the_copied_program_has_the_edits(session):
    moved = request(session, **FIELDS, flip=False)
    trace = session.trace(moved)
    code, again = copied_program(session, moved)
    for name, value in (*FIELDS.items(), ("flip", False)):
        assert f"{name}={value!r}" in code
    assert torch.equal(again.affinity, trace.affinity) and torch.equal(again.pseudo_label, trace.pseudo_label)
    assert torch.equal(again.image, trace.image)


def test_the_other_side_of_a_comparison_has_them_too(session, answers):
    moved = request(session, **FIELDS, scales=(1.0, 0.5))
    session.trace(moved)
    same = json.loads(answers._compare.compare({"key": moved.key, "b": {"setting": "num_iters", "value": 3}}))
    trace = session.trace(request(session, **FIELDS, scales=(1.0, 0.5), num_iters=3))
    assert same["cam_rw"]["data"] == payload.comparison(trace)["cam_rw"]["data"]
    session.trace(request(session, scales=(1.0,)))
    switched = json.loads(
        answers._compare.compare({"key": request(session, scales=(1.0,)).key, "b": {"switched": [SCALES]}})
    )
    assert switched["cam"]["data"] == payload.comparison(session.trace(request(session)))["cam"]["data"]
