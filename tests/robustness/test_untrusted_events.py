"""Whatever is done, the page changes rightly or says one sentence: events, addresses; and no visitor sees another."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from untrusted_input import (
    ANYTHING,
    EVENTS,
    app,
    assert_sentence,
    browser_calls,
    few_examples,
    functions,
    no_failure,
    parse_strict_json,
)

from afa_viz.ui.errors import UserError
from afa_viz.ui.handlers.callbacks import UNEXPECTED_ERROR, errors_as_warnings, stream_errors_as_warnings
from afa_viz.ui.page.config_fields import SLIDERS
from afa_viz.ui.page.permalinks import PARAMETERS

__all__ = ["app", "no_failure"]

# --- events ----------------------------------------------------------------------------------------------------------

PLACES = [(name, place) for name, good in EVENTS.items() for place in range(len(good))]


@settings(few_examples, max_examples=2 * len(PLACES))
@given(place=st.sampled_from(PLACES), value=ANYTHING)
def test_events_change_the_page_or_say_one_sentence(app, monkeypatch, place, value):
    name, argument = place
    output: list[str] = []
    monkeypatch.setattr("gradio.Warning", lambda text: output.append(text))
    arguments = list(EVENTS[name])
    if (name, argument) == ("open_upload", 0) and isinstance(value, str):
        return  # a path: gradio gives no other than that of an upload
    arguments[argument] = value
    call = getattr(app.callbacks, name)
    steps = name in ("open_data", "open_upload", "change_model")
    found = list(stream_errors_as_warnings(3)(call)(*arguments)) if steps else [errors_as_warnings(3)(call)(*arguments)]
    assert found and UNEXPECTED_ERROR not in output
    if output:
        (text,) = output
        assert_sentence(text)
        assert all(isinstance(part, dict) for part in found[-1]), "nothing is changed"
    else:
        assert parse_strict_json(found[-1][0])["key"]


# --- addresses -------------------------------------------------------------------------------------------------------

WORDS = st.text(max_size=30) | st.sampled_from(
    ["scene0", "nothing", "../../etc/passwd", "upload:0", "val_0001", "tiny", "tiny@10", "cat,bird", ",,",
     "cat,unicorn", "1e400", "-0", "nan", "inf", "0.5", "9" * 5000, "8.0", "PAR",
     "PAR,random walk,x", "%00", "\ud800", "<b>"]
)  # fmt: skip


@few_examples
@given(asked=st.dictionaries(st.sampled_from([*PARAMETERS, "tab", "__theme", "x"]), WORDS, max_size=5))
def test_any_address_opens_something_of_ours(app, monkeypatch, asked):
    output: list[str] = []
    monkeypatch.setattr("gradio.Warning", lambda text: output.append(text))
    outputs = errors_as_warnings(8 + len(SLIDERS))(app.callbacks.open_link)(asked)
    assert len(outputs) == 8 + len(SLIDERS)
    for text in output:
        assert_sentence(text)
    if isinstance(outputs[0], str):
        assert parse_strict_json(outputs[0])["key"] and outputs[1].partition(":")[0] in ("example", "data")
    else:
        assert not set(asked) & set(PARAMETERS) or output
    assert UNEXPECTED_ERROR not in output


def test_a_stale_link_says_what_it_left_out(app):
    asked = {"example": "gone", "model": "older", "labels": "unicorn", "radius": "99", "left_out": "x"}
    value = app.callbacks.open_link(asked)[0]
    assert sorted(parse_strict_json(value)["unfit"]) == sorted(asked)


# --- nothing of one visitor is visible to another --------------------------------------------------------------------


def test_an_upload_has_no_address_and_no_name_that_others_can_ask_for(app, monkeypatch):
    monkeypatch.setattr("gradio.Warning", lambda text: None)
    assert "example" not in app.answers.link(app.upload_request) and "data" not in app.answers.link(app.upload_request)
    for name in (app.upload, app.upload.partition(":")[2]):
        for kind in ("example", "data"):
            restored = app.callbacks.open_link({kind: name})
            assert restored[1] != app.upload
        with pytest.raises(UserError):
            app.api.explain(None, name, None, None, None)


@few_examples
@given(name=st.sampled_from(sorted(set(browser_calls()) - {"export_file"})))
def test_no_answer_to_one_visitor_names_what_another_has(app, name):
    text = functions(app)[name]({"key": app.key, **browser_calls()[name]})
    assert app.upload_request.key not in text and app.upload.partition(":")[2] not in text
