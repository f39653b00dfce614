"""The Data set tab without a browser: scores in the background, what ends a run, order and pages."""

from __future__ import annotations

import json
import threading

import numpy as np
import pytest
from app_fixtures import scene
from disc_set import Discs, dataset, finish, scorer, session
from waiting import until

from afa_viz import pipeline
from afa_viz.classes import SANDBOX_CLASSES
from afa_viz.config import ExplainConfig
from afa_viz.ui.errors import UserError
from afa_viz.ui.handlers.dataset.browse import PAGE_SIZE, ListingQuery, listing, progress, sorted_indices
from afa_viz.ui.handlers.dataset.charts import dataset_figures
from afa_viz.ui.handlers.dataset.handlers import DataSetHandlers
from afa_viz.ui.handlers.dataset.images import DataSet
from afa_viz.ui.handlers.dataset.scoring import COMPARABLE_STAGES, TABLES_KEPT, Job, Score, Scorer, Table
from afa_viz.ui.sessions.model_registry import ModelRegistry, discover_checkpoints
from afa_viz.ui.sessions.session import Session

__all__ = ["dataset", "scorer", "session"]

# --- scores ----------------------------------------------------------------------------------------------------------


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return (a & b).sum() / (a | b).sum()


def test_the_worker_scores_the_set_and_keeps_it(scorer, session, dataset, monkeypatch, options):
    dataset.source.broken = True
    scorer.start("tiny", ExplainConfig())
    finish(scorer)
    table = scorer.table("tiny", ExplainConfig())
    assert len(table) == 3 and table.broken() == 1
    trace = session.trace(session.request("data:disc_1", "tiny"))
    seg, disc, cow = trace.seg.numpy(), np.array(scene(1)[1]) > 0, SANDBOX_CLASSES.index("cow")
    wanted = [iou(seg == 0, ~disc), iou(seg == cow, disc)]
    score = table.get("disc_1")
    assert score.of("seg", "cow") == pytest.approx(wanted[1], abs=1e-4)
    assert score.of("seg") == pytest.approx(np.mean(wanted), abs=1e-4)
    assert list(score.miou) == list(COMPARABLE_STAGES) and score.of("seg", "unicorn") is None

    monkeypatch.setattr(pipeline, "explain", lambda *args, **kwargs: pytest.fail("explained again"))
    again = Scorer(session, DataSet(Discs(), dataset.cache))
    known = again.table("tiny", ExplainConfig())
    assert known.get("disc_1") == score and len(known) == 2  # the damaged one is tried again
    assert len(again.table("tiny", ExplainConfig(radius=2))) == 0  # other settings, other scores
    assert len(Scorer(session, DataSet(Discs(4), dataset.cache)).table("tiny", ExplainConfig())) == 0  # another set


@pytest.mark.parametrize("error", [ValueError("shapes differ"), KeyError("cam"), RuntimeError("out of memory")])
def test_an_error_of_ours_ends_the_run_and_is_told(scorer, session, dataset, monkeypatch, caplog, error):
    def broken(*_, **__):
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(pipeline, "explain", broken)
        scorer.start("tiny", ExplainConfig())
        finish(scorer)
    table = scorer.table("tiny", ExplainConfig())
    assert len(table) == 0 and table.broken() == 0, "no image is to blame"
    output = progress(dataset, table, None)["failure"]
    assert output == f"Scoring stopped at {dataset.ids[0]}: something went wrong on the server; see its log."
    assert any(record.exc_info and record.exc_info[1] is error for record in caplog.records)
    key = session.request("data:disc_1", "tiny").key
    session.trace(session.request("data:disc_1", "tiny"))
    answers = DataSetHandlers(session, dataset, scorer)
    assert json.loads(answers.dataset_scoring({"key": key, "do": "look"}))["failure"] == output
    scorer.start("tiny", ExplainConfig())  # another attempt
    finish(scorer)
    assert len(table) == 3 and "failure" not in progress(dataset, table, None)


def test_weights_that_do_not_load_are_no_unreadable_images(options, tmp_path):
    registry = ModelRegistry(
        {**discover_checkpoints(options.checkpoint_folder), "gone": str(tmp_path / "gone.safetensors")}, "cpu"
    )
    session = Session(registry, options.examples)
    dataset = DataSet(Discs(), tmp_path / "cache")
    scorer = Scorer(session, dataset)
    scorer._job = Job("gone", ExplainConfig(), Table(tmp_path / "scores.json"))
    job = scorer._job
    worker = threading.Thread(target=scorer._work, args=(job,))  # it lowers its own priority
    worker.start()
    worker.join()
    assert job.table.broken() == 0 and "The model gone cannot be loaded" in job.table.failure


def test_a_few_tables_are_kept_and_that_of_the_run_always(scorer):
    first = scorer.table("tiny", ExplainConfig(radius=0))
    tables = [first, *(scorer.table("tiny", ExplainConfig(radius=radius)) for radius in range(1, TABLES_KEPT))]
    for radius, table in enumerate(tables):
        assert scorer.table("tiny", ExplainConfig(radius=radius)) is table
    scorer._job = Job("tiny", ExplainConfig(radius=0), first)
    scorer.table("tiny", ExplainConfig(radius=20))
    assert scorer.table("tiny", ExplainConfig(radius=0)) is first
    assert scorer.table("tiny", ExplainConfig(radius=3)) is tables[3] and len(scorer._tables) == TABLES_KEPT
    assert scorer.table("tiny", ExplainConfig(radius=1)) is not tables[1]


def test_the_worker_gives_way_and_stops(scorer, session, dataset):
    session._explaining = 1  # somebody explains, and does not end
    scorer.start("tiny", ExplainConfig())
    scorer.start("tiny", ExplainConfig())  # the same run: nothing
    with pytest.raises(UserError, match="stop that first"):
        scorer.start("tiny", ExplainConfig(radius=3))
    until(lambda: scorer.running_job().paused)
    assert len(scorer.table("tiny", ExplainConfig())) == 0
    scorer.stop(wait=True)
    assert scorer.running_job() is None and len(scorer.table("tiny", ExplainConfig())) == 0
    session._explaining = 0
    assert session.is_idle(0.0)
    session.trace(session.request("example:scene0", "tiny"))
    assert not session.is_idle(60.0)


def test_an_explanation_makes_the_session_busy(session, monkeypatch):
    seen = []
    inner = session._explain
    monkeypatch.setattr(session, "_explain", lambda *args: (seen.append(session.is_idle(0.0)), inner(*args))[1])
    assert session.is_idle(0.0)
    session.trace(session.request("example:scene0", "tiny"))
    assert seen == [False] and session.is_idle(0.0)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": [1]}', '{"a": [{"cam": 7}, {}]}', '{"a": [{"cam": NaN}, {}]}'])
def test_a_damaged_file_of_scores_is_made_anew(tmp_path, text):
    (tmp_path / "scores.json").write_text(text)
    assert len(Table(tmp_path / "scores.json")) == 0


# --- order and pages -------------------------------------------------------------------------------------------------


@pytest.fixture
def scored(tmp_path):
    """Thirty images, of which the first four have scores made by hand."""
    dataset = DataSet(Discs(30), tmp_path)
    table = Table(tmp_path / "scores.json")
    for place, (cam, walk, cow) in enumerate([(0.5, 0.3, 0.1), (0.2, 0.6, 0.9), (0.4, 0.4, 0.2), (0.3, 0.8, 0.4)]):
        table.put(
            dataset.ids[place],
            Score({"walk_start": cam, "cam_rw": walk}, {"walk_start": {"cow": 0.5}, "cam_rw": {"cow": cow}}),
        )
    return dataset, table


@pytest.mark.parametrize(
    "order, first",
    [("set", [0, 1, 2, 3, 4]), ("worst", [0, 2, 1, 3, 4]), ("best", [3, 1, 2, 0, 4]), ("lost", [0, 2, 1, 3, 4]),
     ("gained", [3, 1, 2, 0, 4])],
)  # fmt: skip
def test_images_are_ordered_and_unscored_ones_come_last(scored, order, first):
    assert sorted_indices(*scored, ListingQuery(order, "cam_rw", "walk_start"))[:5] == first


def test_a_class_filters_and_orders_by_its_own_iou(scored):
    dataset, table = scored
    assert sorted_indices(dataset, table, ListingQuery("set", class_name="cow"))[:3] == [1, 3, 5]
    assert sorted_indices(dataset, table, ListingQuery("worst", "cam_rw", class_name="cow"))[:2] == [3, 1]
    assert sorted_indices(dataset, table, ListingQuery("set", class_name="unicorn")) == []


def test_pages_and_the_overview(scored):
    dataset, table = scored
    page = listing(dataset, table, ListingQuery("lost", "cam_rw", "walk_start"), None)
    assert len(page["cards"]) == PAGE_SIZE and page["pages"] == 2 and page["matching"] == 30
    assert page["overview"]["means"]["cam_rw"] == pytest.approx((0.3 + 0.6 + 0.4 + 0.8) / 4)
    assert [page["overview"][name] for name in ("scored", "better", "worse", "compared")] == [4, 2, 1, 4]
    assert page["progress"] == {"state": "idle", "known": 4, "total": 30, "broken": 0, "seconds": None}
    last = listing(dataset, table, ListingQuery(page=10**9), None)
    assert last["page"] == 1 and [card["id"] for card in last["cards"]] == list(dataset.ids[PAGE_SIZE:])
    empty = listing(dataset, table, ListingQuery(class_name="unicorn"), None)
    assert empty["cards"] == [] and empty["pages"] == 1 and empty["overview"]["means"]["walk_start"] is None
    assert "secret" not in json.dumps(page)


def test_images_that_were_chosen_are_listed_alone(scored):
    dataset, table = scored
    ids = frozenset({dataset.ids[3], dataset.ids[1], "no such image"})
    page = listing(dataset, table, ListingQuery("worst", "cam_rw", "walk_start", ids=ids), None)
    assert [card["id"] for card in page["cards"]] == [dataset.ids[1], dataset.ids[3]] and page["matching"] == 2
    assert page["overview"]["scored"] == 2
    assert listing(dataset, table, ListingQuery(ids=frozenset()), None)["cards"] == []


def test_the_charts_hold_the_scores_of_the_table(scored):
    dataset, table = scored
    figures = dataset_figures(dataset, table, ListingQuery("set", "cam_rw", "walk_start"), {"cow": (1, 2, 3)}, "page")
    points = {
        trace.customdata[i]: (trace.x[i], trace.y[i]) for trace in figures["images"].data for i in range(len(trace.x))
    }
    assert points == dict(zip(dataset.ids, [(50, 30), (20, 60), (40, 40), (30, 80)], strict=False))
    assert sum(sum(trace.y) for trace in figures["changes"].data) == 4
    (row,) = figures["classes"].layout.meta["table"]["rows"]
    assert row == ["cow", "4", "50.0", "40.0", "−10.0"]
    cow = dataset_figures(dataset, table, ListingQuery("set", "cam_rw", "walk_start", "cow"), {}, "page")["images"]
    assert {id: y for trace in cow.data for id, y in zip(trace.customdata, trace.y, strict=True)} == {
        dataset.ids[1]: 90, dataset.ids[3]: 40,
    }  # fmt: skip
    assert dataset_figures(dataset, table, ListingQuery("set", "seg", "walk_start"), {}, "page") == {}
