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
    World,
    browser_calls,
    failures,
    few,
    functions,
    is_sentence,
    opened,
    strict,
)

from afa_viz.ui.errors import UserError
from afa_viz.ui.handlers.explorer import KINDS
from afa_viz.ui.page.config_fields import ABLATIONS, SLIDERS


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with opened(tmp_path_factory.mktemp("world")) as found:
        yield found


@pytest.fixture(autouse=True)
def no_failure(caplog):
    yield
    assert not failures(caplog)


# --- the named endpoints -------------------------------------------------------------------------------------------


def check_answer(world: World, name: str, asked: dict[str, Any], found: Any) -> None:
    """An answer that was not refused is the right one."""
    if name == "explain":
        trace = world.session.find_by_key(found["key"])[1]
        assert found["size"] == list(trace.image.shape[:2]) and sum(found["regions"].values()) == pytest.approx(1)
        assert json.dumps(found, allow_nan=False)
    elif name == "query":
        assert found["cell"] == [asked["row"], asked["column"]] and 0 <= found["block"] < 8
        assert all(sum(head) == pytest.approx(1, abs=1e-3) for head in found["attention"])
    else:
        path = Path(found).resolve()
        assert path.is_file() and world.exports.resolve() in path.parents and path.suffix[1:] == asked["kind"]


@few
@given(
    name=st.sampled_from([(call, argument) for call, good in ENDPOINTS.items() for argument in good]),
    value=ANYTHING,
)
def test_endpoints(world, name, value):
    call, argument = name
    if argument == "picture":
        return  # a path, which gradio checks: see test_untrusted_requests.py
    asked = {**ENDPOINTS[call], argument: value}
    if "key" in asked and argument != "key":
        asked["key"] = world.key
    try:
        found = getattr(world.api, call)(**asked)
    except UserError as refusal:
        is_sentence(str(refusal))
    else:
        check_answer(world, call, asked, found)


@few
@given(row=st.integers(-3, 9) | ANYTHING, column=st.integers(-3, 9) | ANYTHING, block=st.integers(-2, 10) | ANYTHING)
def test_cells_are_on_the_grid_or_refused(world, row, column, block):
    asked = {"key": world.key, "row": row, "column": column, "block": block}
    inside = all(type(x) is int and 0 <= x < 6 for x in (row, column)) and (block is None or type(block) is int)
    try:
        found = world.api.query(**asked)
    except UserError as refusal:
        is_sentence(str(refusal))
        assert not inside or (block is not None and not 0 <= block < 8)
    else:
        check_answer(world, "query", asked, found)


NUMBERS = st.floats() | st.integers(-5, 40) | ANYTHING


@few
@given(
    values=st.dictionaries(st.sampled_from([slider.field for slider in SLIDERS]), NUMBERS, max_size=2),
    without=st.lists(st.sampled_from([*ABLATIONS, "everything", ""]), max_size=3) | ANYTHING,
)
def test_settings_are_in_their_range_or_refused(world, values, without):
    fast = {"num_iters": 1, "num_steps": 1}
    try:
        found = world.api.explain(None, "example:scene1", None, {**fast, **values, "leave_out": without}, None)
    except UserError as refusal:
        is_sentence(str(refusal))
    else:
        config = world.session.find_by_key(found["key"])[0].config
        for slider in SLIDERS:
            assert slider.low <= getattr(config, slider.field) <= slider.high
        assert config.bkg_score_low <= config.bkg_score_high


# --- what a browser may call -----------------------------------------------------------------------------------------


def test_every_function_of_the_page_is_asked_here(world):
    assert set(functions(world)) == set(browser_calls())
    for name, question in browser_calls().items():
        answer = strict(functions(world)[name]({**question, "key": world.key}))
        if name not in ("crf", *(call for call in browser_calls() if call.startswith("train"))):
            assert answer is not None and "refused" not in answer, name


def check_text(world: World, name: str, asked: Any, text: str) -> None:
    found = strict(text)
    if isinstance(found, dict) and "refused" in found:
        is_sentence(found["refused"])
    if name == "export_file" and found:
        path = Path(found["path"]).resolve()
        assert path.is_file() and world.exports.resolve() in path.parents and found["name"].split(".")[-1] in KINDS
    else:
        assert str(world.folder) not in text and "Traceback" not in text and str(ROOT) not in text


CALLS = [(name, argument) for name, good in browser_calls().items() for argument in ("key", *good)]


@settings(few, max_examples=1000)
@given(place=st.sampled_from(CALLS), value=ANYTHING, without=st.booleans())
def test_functions_of_the_page(world, place, value, without):
    name, argument = place
    asked = {"key": world.key, **browser_calls()[name], argument: value}
    if without:
        del asked[argument]
    check_text(world, name, asked, functions(world)[name](asked))


@few
@given(name=st.sampled_from(sorted(browser_calls())), asked=ANYTHING)
def test_functions_of_the_page_take_any_question(world, name, asked):
    text = functions(world)[name](asked)
    check_text(world, name, asked, text)
    if name not in ("train_look", "dataset_thumbnails"):  # all others need a key or a name that is there
        assert text == "null" or "refused" in json.loads(text), text


@few
@given(
    b=st.dictionaries(st.sampled_from(["model", "switched", "crf", "setting", "value", "more"]), ANYTHING, max_size=3)
)
def test_the_other_side_of_a_comparison(world, b):
    for name in ("compare", "python_code"):
        asked = {"key": world.key, **browser_calls()[name], "b": b}
        check_text(world, name, asked, functions(world)[name](asked))
