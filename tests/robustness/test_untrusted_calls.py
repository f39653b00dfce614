"""Whatever is asked, an answer is right or one sentence: the named endpoints, and every function of the page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from untrusted_input import (
    ANYTHING,
    ENDPOINTS,
    ROOT,
    AppUnderTest,
    app,
    assert_sentence,
    browser_calls,
    few_examples,
    functions,
    no_failure,
    parse_strict_json,
)

from afa_viz.ui.errors import UserError
from afa_viz.ui.handlers.exports import KINDS
from afa_viz.ui.page.config_fields import ABLATIONS, SLIDERS

__all__ = ["app", "no_failure"]

# --- the named endpoints -------------------------------------------------------------------------------------------


def check_answer(app: AppUnderTest, name: str, asked: dict[str, Any], found: Any) -> None:
    """An answer that was not refused is the right one."""
    if name == "explain":
        trace = app.session.find_by_key(found["key"])[1]
        assert found["size"] == list(trace.image.shape[:2]) and sum(found["regions"].values()) == pytest.approx(1)
        assert json.dumps(found, allow_nan=False)
    elif name == "query":
        assert found["cell"] == [asked["row"], asked["column"]] and 0 <= found["block"] < 8
        assert all(sum(head) == pytest.approx(1, abs=1e-3) for head in found["attention"])
    else:
        path = Path(found).resolve()
        assert path.is_file() and app.exports.resolve() in path.parents and path.suffix[1:] == asked["kind"]


@few_examples
@given(
    name=st.sampled_from([(call, argument) for call, good in ENDPOINTS.items() for argument in good]),
    value=ANYTHING,
)
def test_endpoints(app, name, value):
    call, argument = name
    if argument == "picture":
        return  # a path, which gradio checks: see test_untrusted_requests.py
    asked = {**ENDPOINTS[call], argument: value}
    if "key" in asked and argument != "key":
        asked["key"] = app.key
    try:
        found = getattr(app.api, call)(**asked)
    except UserError as refusal:
        assert_sentence(str(refusal))
    else:
        check_answer(app, call, asked, found)


@few_examples
@given(row=st.integers(-3, 9) | ANYTHING, column=st.integers(-3, 9) | ANYTHING, block=st.integers(-2, 10) | ANYTHING)
def test_cells_are_on_the_grid_or_refused(app, row, column, block):
    asked = {"key": app.key, "row": row, "column": column, "block": block}
    inside = all(type(x) is int and 0 <= x < 6 for x in (row, column)) and (block is None or type(block) is int)
    try:
        found = app.api.query(**asked)
    except UserError as refusal:
        assert_sentence(str(refusal))
        assert not inside or (block is not None and not 0 <= block < 8)
    else:
        check_answer(app, "query", asked, found)


NUMBERS = st.floats() | st.integers(-5, 40) | ANYTHING


@few_examples
@given(
    values=st.dictionaries(st.sampled_from([slider.field for slider in SLIDERS]), NUMBERS, max_size=2),
    without=st.lists(st.sampled_from([*ABLATIONS, "everything", ""]), max_size=3) | ANYTHING,
)
def test_settings_are_in_their_range_or_refused(app, values, without):
    fast = {"num_iters": 1, "num_steps": 1}
    try:
        found = app.api.explain(None, "example:scene1", None, {**fast, **values, "leave_out": without}, None)
    except UserError as refusal:
        assert_sentence(str(refusal))
    else:
        config = app.session.find_by_key(found["key"])[0].config
        for slider in SLIDERS:
            assert slider.low <= getattr(config, slider.field) <= slider.high
        assert config.bkg_score_low <= config.bkg_score_high


# --- what a browser may call -----------------------------------------------------------------------------------------


def test_every_function_of_the_page_is_asked_here(app):
    assert set(functions(app)) == set(browser_calls())
    for name, question in browser_calls().items():
        answer = parse_strict_json(functions(app)[name]({**question, "key": app.key}))
        if name not in ("crf", *(call for call in browser_calls() if call.startswith("train"))):
            assert answer is not None and "refused" not in answer, name


def check_text(app: AppUnderTest, name: str, asked: Any, text: str) -> None:
    found = parse_strict_json(text)
    if isinstance(found, dict) and "refused" in found:
        assert_sentence(found["refused"])
    if name == "export_file" and found:
        path = Path(found["path"]).resolve()
        assert path.is_file() and app.exports.resolve() in path.parents and found["name"].split(".")[-1] in KINDS
    else:
        assert str(app.folder) not in text and "Traceback" not in text and str(ROOT) not in text


CALLS = [(name, argument) for name, good in browser_calls().items() for argument in ("key", *good)]


@settings(few_examples, max_examples=1000)
@given(place=st.sampled_from(CALLS), value=ANYTHING, without=st.booleans())
def test_functions_of_the_page(app, place, value, without):
    name, argument = place
    asked = {"key": app.key, **browser_calls()[name], argument: value}
    if without:
        del asked[argument]
    check_text(app, name, asked, functions(app)[name](asked))


@few_examples
@given(name=st.sampled_from(sorted(browser_calls())), asked=ANYTHING)
def test_functions_of_the_page_take_any_question(app, name, asked):
    text = functions(app)[name](asked)
    check_text(app, name, asked, text)
    if name not in ("train_status", "dataset_thumbnails"):  # all others need a key or a name that is there
        assert text == "null" or "refused" in json.loads(text), text


@few_examples
@given(
    b=st.dictionaries(st.sampled_from(["model", "switched", "crf", "setting", "value", "more"]), ANYTHING, max_size=3)
)
def test_the_other_side_of_a_comparison(app, b):
    for name in ("compare", "python_code"):
        asked = {"key": app.key, **browser_calls()[name], "b": b}
        check_text(app, name, asked, functions(app)[name](asked))
