"""The Data set tab without a browser: what a page asks for, hostile questions, an image that is opened."""

from __future__ import annotations

import json
import math

import pytest
from disc_set import dataset, finish, scorer, session

from afa_viz.config import ExplainConfig
from afa_viz.ui.errors import UserError
from afa_viz.ui.handlers.callbacks import Callbacks
from afa_viz.ui.handlers.dataset.browse import PAGE_SIZE
from afa_viz.ui.handlers.dataset.handlers import DataSetHandlers
from afa_viz.ui.handlers.explorer import ExplorerHandlers
from afa_viz.ui.page import permalinks
from afa_viz.ui.page.config_fields import SLIDERS

__all__ = ["dataset", "scorer", "session"]

DEFAULTS = tuple(slider.value(ExplainConfig()) for slider in SLIDERS)
DEFAULT_QUERY = {"order": "set", "stage": "seg", "before": "walk_start", "class_name": "", "page": 0}


def test_the_browser_browses_scores_and_stops(session, dataset, scorer, tmp_path):
    answers = DataSetHandlers(session, dataset, scorer)
    request = session.request("data:disc_1", "tiny")
    session.trace(request)
    page = json.loads(answers.dataset_page({"key": request.key, **DEFAULT_QUERY}))
    assert [card["id"] for card in page["cards"]] == list(dataset.ids) and page["cards"][0]["labels"] == ["cat"]
    thumbnails = json.loads(answers.dataset_thumbnails({"ids": list(dataset.ids)}))
    assert thumbnails["disc_1"]["labels"] == ["cow"] and thumbnails["disc_1"]["image"].startswith("data:image/jpeg")
    assert json.loads(answers.dataset_scoring({"key": request.key, "do": "start"}))["complaint"] == ""
    finish(scorer)
    look = json.loads(answers.dataset_scoring({"key": request.key, "do": "look"}))
    assert (look["state"], look["known"]) == ("done", 3)
    worst = json.loads(answers.dataset_page({"key": request.key, **DEFAULT_QUERY, "order": "worst"}))
    found = [card["miou"]["seg"] for card in worst["cards"]]
    assert found == sorted(found) and all(math.isfinite(value) for value in found)
    json.loads(answers.dataset_scoring({"key": request.key, "do": "stop"}))


def test_what_the_browser_asks_for_is_checked(session, dataset, scorer):
    answers = DataSetHandlers(session, dataset, scorer)
    request = session.request("data:disc_1", "tiny")
    session.trace(request)
    good = {"key": request.key, **DEFAULT_QUERY}
    for name, values in {
        "key": ["", "../x", None, 3, ["a"]],
        "order": ["random", None, 7, ["set"]],
        "stage": ["image", None, {}],
        "before": ["seg_logits", 0],
        "class_name": ["dragon", None, 3, "background", "<script>"],
        "page": [-1, "0", None, float("nan"), float("inf"), True, 1.5],
        "ids": ["disc_1", 3, [3], [["disc_1"]], {"disc_1": 1}, [None]],
    }.items():
        for value in values:
            for answer in (answers.dataset_page, answers.dataset_charts):
                with pytest.raises((KeyError, TypeError)):
                    answer({**good, name: value})
    assert json.loads(answers.dataset_charts(good)) == {}  # nothing is scored
    for language in ("xx", None, 3, ["en"], "../ko"):
        with pytest.raises(KeyError):
            answers.dataset_charts({**good, "language": language})
    for ask in (
        {"ids": ["../../etc/passwd"]}, {"ids": "disc_1"}, {"ids": ["disc_1"] * (PAGE_SIZE + 1)}, {"ids": [None]}, {},
    ):  # fmt: skip
        with pytest.raises((KeyError, UserError)):
            answers.dataset_thumbnails(ask)
    for do in ("delete", None, 3, ["start"]):
        with pytest.raises(KeyError):
            answers.dataset_scoring({"key": request.key, "do": do})
    assert scorer.running_job() is None


def test_a_second_run_is_refused_in_words(session, dataset, scorer):
    answers = DataSetHandlers(session, dataset, scorer)
    one = session.request("data:disc_1", "tiny")
    two = session.request("data:disc_1", "tiny", None, ExplainConfig(radius=2))
    for request in (one, two):
        session.trace(request)
    session._explaining = 1
    assert json.loads(answers.dataset_scoring({"key": one.key, "do": "start"}))["state"] in ("running", "paused")
    refused = json.loads(answers.dataset_scoring({"key": two.key, "do": "start"}))
    assert refused["state"] == "other" and "stop that first" in refused["complaint"]


def test_an_image_of_the_set_opens_and_its_address_leads_back(session, tmp_path):
    callbacks = Callbacks(session, ExplorerHandlers(session, tmp_path))
    *_, (value, labels, picture, gallery) = callbacks.open_data({"data": "disc_1"}, "tiny", [], *DEFAULTS)
    assert gallery["selected_index"] == -1
    data = json.loads(value)
    assert picture == "data:disc_1" and labels == ["cow"] and data["title"] == "disc_1" and data["scores"]
    assert data["link"] == {"data": "disc_1"}
    found = permalinks.restore(data["link"], session)
    assert found.request == session.request("data:disc_1", "tiny") and found.gallery_index is None and not found.unfit
    strange = permalinks.restore({"data": "../../etc/passwd", "model": "tiny"}, session)
    assert strange.request.image_id == "example:scene0" and "data" in strange.unfit
    for asked in ({"data": "nothing"}, {}, None, {"data": {"a": 1}}, {"data": 10**30}, "disc_1", [1]):
        with pytest.raises(UserError, match="no such image"):
            list(callbacks.open_data(asked, "tiny", [], *DEFAULTS))
