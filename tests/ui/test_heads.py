"""Weights of heads on the page and in the API: addresses, events, the copied program, and what the browser is sent."""

from __future__ import annotations

import base64
import dataclasses
import json
import zlib

import expected_affinity
import numpy as np
import pytest
import torch
from changed_request import DEFAULTS, EXAMPLE, MODEL, copied_program, request
from error_sentence import raises_sentence

from afa_viz.ui.errors import UserError
from afa_viz.ui.handlers import payload, payload_heads
from afa_viz.ui.handlers.api import Api
from afa_viz.ui.handlers.prepared import answer_name
from afa_viz.ui.handlers.prepared import prepare as prepare_answers
from afa_viz.ui.page import head_settings, permalinks
from afa_viz.ui.page.config_fields import SYMMETRY

MOVED = {"head_weights": "3:0,16:-1.25", "affinity_bias": "0.5"}
WEIGHTS = (None, None, 0.0, *([None] * 12), -1.25)


def floats(packed: dict) -> np.ndarray:
    """Numbers of `pack_precise`, read as its docstring says."""
    planes = np.frombuffer(zlib.decompress(base64.b64decode(packed["data"])), np.uint8).reshape(packed["shape"])
    low, high = (
        np.frombuffer(zlib.decompress(base64.b64decode(packed[name])), "<f4").reshape(*packed["shape"][1:3], 1)
        for name in ("lows", "peaks")
    )
    return low + (high - low) * (256.0 * planes[0] + planes[1]) / 65535


def by_hand(heads: dict, weights, bias: float, symmetric: bool = True) -> np.ndarray:
    """The affinity from what the browser is sent."""
    logits = np.concatenate([
        np.einsum("hdn,hdm->hnm", floats(block["queries"]), floats(block["keys"])) for block in heads["blocks"]
    ])  # fmt: skip
    used = [old if new is None else new for old, new in zip(heads["weights"], weights, strict=True)]
    return expected_affinity.of_logits(logits, used, bias, symmetric)


def test_the_browser_can_make_the_affinity_of_any_weights(session, answers):
    key = session.request(EXAMPLE, MODEL).key
    trace = session.trace(session.request(EXAMPLE, MODEL))
    heads = json.loads(answers.heads({"key": key}))
    assert heads["weights"] == pytest.approx(trace.affinity_weight.tolist(), rel=1e-7)
    for changes in (
        {}, {"head_weights": WEIGHTS, "affinity_bias": 0.5}, {"head_weights": (0.3,) * 16, "symmetric": False},
    ):  # fmt: skip
        made = session.trace(request(session, **changes))
        bias = made.config.affinity_bias
        found = by_hand(
            heads, made.config.head_weights or [None] * 16, heads["bias"] if bias is None else bias,
            made.config.symmetric,
        )  # fmt: skip
        np.testing.assert_allclose(found, made.affinity.numpy(), atol=1e-3)
    moved = request(session, head_weights=WEIGHTS)
    session.trace(moved)
    assert json.loads(answers.heads({"key": moved.key})) == heads  # settings do not change what they are made of


def test_without_queries_and_keys_their_products_are_sent(session):
    trace = session.trace(session.request(EXAMPLE, MODEL))
    sent = payload_heads.heads(dataclasses.replace(trace, queries=None, keys=None))
    logits = np.concatenate([floats(block["logits"]) for block in sent["blocks"]])
    whole = expected_affinity.logits_of(trace)
    np.testing.assert_allclose(logits, whole, atol=2 * np.ptp(whole) / 65535)
    prepared = dict(prepare_answers(trace, "k", "s", {}, groups=("heads",)))
    assert json.loads(prepared[answer_name("heads", {"key": "k"})]) == json.loads(
        payload.to_json(payload_heads.heads(trace))
    )


def test_a_second_image_is_explained_by_the_same_model_as_it_opens(session, answers):
    asked = request(session, head_weights=WEIGHTS)
    session.trace(asked)
    found = json.loads(answers.example({"key": asked.key, "name": "scene1"}))
    assert found["key"] == session.request("example:scene1", MODEL).key and found["head_weights"] is None
    assert (
        json.loads(answers.heads({"key": found["key"]}))["weights"]
        == json.loads(answers.heads({"key": asked.key}))["weights"]
    )
    for wrong in ({"key": asked.key, "name": "nowhere"}, {"key": asked.key, "name": 3}, {"key": "x", "name": "scene1"}):
        with pytest.raises(KeyError):
            answers.example(wrong)


def test_an_address_holds_the_weights_and_restores_them(session):
    moved = request(session, head_weights=WEIGHTS, affinity_bias=0.5)
    address = permalinks.query_parameters(moved, session)
    assert address == {"example": "scene0", **MOVED}
    restored = permalinks.restore(address, session)
    assert restored.request == moved and not restored.unfit
    assert restored.settings[-1] == {"model": MODEL, **MOVED}
    assert permalinks.query_parameters(session.request(EXAMPLE, MODEL), session) == {"example": "scene0"}


@pytest.mark.parametrize("name, text", [
    ("head_weights", text)
    for text in (
        "17:1", "0:1", "1:x", "1:1,1:2", "1:1,", "nan", "1:nan", "1:1e30", "1:inf", "5", "1:٣", "1 :1", "9" * 5000,
    )
] + [("affinity_bias", text) for text in ("x", "nan", "inf", "1e30", "1,2")])  # fmt: skip
def test_what_does_not_fit_in_an_address_is_left_out_and_named(session, name, text):
    other = {"affinity_bias": "0.25"} if name == "head_weights" else {"head_weights": "1:0"}
    restored = permalinks.restore({"example": "scene0", name: text, **other}, session)
    assert name in restored.unfit and list(other)[0] not in restored.unfit
    assert restored.settings[-1] == {"model": MODEL, **other}  # what fits is kept
    with pytest.raises(UserError) as caught:
        head_settings.from_texts({name: text}, lambda: 16)
    assert str(caught.value).startswith(name) and str(caught.value).endswith(".")


def test_an_event_changes_the_weights_and_other_settings_keep_them(session, callbacks):
    sent = {"head_weights": MOVED["head_weights"], "affinity_bias": 0.5, "symmetric": False}
    value, left_out, heads = callbacks.change_heads(sent, EXAMPLE, MODEL, ["cat", "bird"], *DEFAULTS)
    stages = json.loads(value)
    assert left_out == [SYMMETRY] and heads == {"model": MODEL, **MOVED}
    assert stages["head_weights"] == list(WEIGHTS) and stages["affinity_bias"] == 0.5 and not stages["symmetric"]
    for name, word in MOVED.items():
        assert stages["link"][name] == word
    settings = (left_out, *DEFAULTS[1:], heads)
    later = json.loads(callbacks.change_settings("radius", EXAMPLE, MODEL, ["cat"], *settings)[0])
    assert later["head_weights"] == list(WEIGHTS) and not later["symmetric"]
    opened = json.loads(callbacks.open_example(1, MODEL, *settings)[0])
    assert opened["head_weights"] == list(WEIGHTS)
    back = {"head_weights": "", "affinity_bias": None, "symmetric": True}
    value, left_out, heads = callbacks.change_heads(back, EXAMPLE, MODEL, ["cat"], *settings)
    assert left_out == [] and heads == {} and json.loads(value)["head_weights"] is None
    assert callbacks.reset(MODEL)[-1] == {}
    other = (*DEFAULTS, {"model": "another", **MOVED})  # another model has other heads
    assert json.loads(callbacks.change_settings("radius", EXAMPLE, MODEL, ["cat"], *other)[0])["head_weights"] is None


@pytest.mark.parametrize("sent", [
    None, [], "x", {}, {"symmetric": "yes"}, {"symmetric": True, "head_weights": 5},
    {"symmetric": True, "head_weights": "1:1", "affinity_bias": [1]},
    {"symmetric": True, "affinity_bias": float("nan")},
])  # fmt: skip
def test_an_event_of_another_form_is_refused(callbacks, sent):
    with raises_sentence(UserError):
        callbacks.change_heads(sent, EXAMPLE, MODEL, ["cat"], *DEFAULTS)


def test_the_api_explains_with_weights(session, answers):
    api = Api(session, answers)
    asked = {"head_weights": list(WEIGHTS), "affinity_bias": 0.5, "leave_out": [SYMMETRY]}
    found = api.explain(None, EXAMPLE, None, asked, None)
    trace = session.find_by_key(found["key"])[1]
    plain = api.explain(None, EXAMPLE, None, {"head_weights": None, "affinity_bias": None}, None)
    assert plain["key"] == session.request(EXAMPLE, MODEL).key
    head = found["affinity_head"]
    assert head["learned_weights"] == plain["affinity_head"]["weights"] and not head["symmetric"]
    assert head["weights"][2] == 0 and head["weights"][15] == -1.25 and head["bias"] == 0.5
    expected = expected_affinity.of_logits(expected_affinity.logits_of(trace), head["weights"], 0.5, symmetric=False)
    rows, cols = found["grid"]
    for row, col in ((0, 0), (rows - 1, 2), (3, cols - 1)):
        cell = api.query(found["key"], row, col, None)
        np.testing.assert_allclose(cell["affinity"], expected[row * cols + col], atol=2e-5)


@pytest.mark.parametrize("asked, says", [
    ({"head_weights": [1, 2]}, "head_weights has 2 numbers; expected 16"),
    ({"head_weights": "1:0"}, "head_weights is '1:0'; expected a list of one number for each head"),
    ({"head_weights": [1e9] * 16}, "of at most 1e+06"),
    ({"affinity_bias": "x"}, "affinity_bias is 'x'; expected a number"),
    ({"affinity_bias": []}, "affinity_bias is []; expected a number"),
    ({"weights": 1}, "There is no setting 'weights'; expected leave_out, head_weights, affinity_bias or some of"),
])  # fmt: skip
def test_the_api_refuses_other_weights_in_a_sentence(session, answers, asked, says):
    with raises_sentence(UserError, says):
        Api(session, answers).explain(None, EXAMPLE, None, asked, None)


def test_the_copied_program_has_the_weights(session):
    moved = request(session, head_weights=WEIGHTS, affinity_bias=0.5)
    trace = session.trace(moved)
    code, again = copied_program(session, moved)
    assert f"head_weights={WEIGHTS!r}, affinity_bias=0.5" in code
    assert torch.equal(again.affinity, trace.affinity) and torch.equal(again.pseudo_label, trace.pseudo_label)


def test_the_other_side_of_a_comparison_has_them_too(session, answers):
    moved = request(session, head_weights=WEIGHTS)
    session.trace(moved)
    same = json.loads(answers._compare.compare({"key": moved.key, "b": {"setting": "num_iters", "value": 3}}))
    trace = session.trace(request(session, head_weights=WEIGHTS, num_iters=3))
    assert same["cam_rw"]["data"] == payload.comparison(trace)["cam_rw"]["data"]
