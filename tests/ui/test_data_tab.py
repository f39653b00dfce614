"""The Data set tab without a browser: sources, ids, scores in the background, order and pages, hostile questions."""

from __future__ import annotations

import base64
import io
import json
import math
import threading
import time

import numpy as np
import pytest
from app_fixtures import SIDE, prepare, scene
from data_trees import make_folder
from PIL import Image

from afa_viz import pipeline
from afa_viz.classes import SANDBOX_CLASSES
from afa_viz.config import ExplainConfig
from afa_viz.data.sandbox import render_scene
from afa_viz.ui.errors import UserError
from afa_viz.ui.handlers.callbacks import Callbacks
from afa_viz.ui.handlers.dataset import scoring as scoring_module
from afa_viz.ui.handlers.dataset.browse import PAGE_SIZE, ListingQuery, listing, progress, sorted_indices
from afa_viz.ui.handlers.dataset.charts import dataset_figures
from afa_viz.ui.handlers.dataset.handlers import DataSetHandlers
from afa_viz.ui.handlers.dataset.images import THUMBNAIL, DataSet, public_id
from afa_viz.ui.handlers.dataset.scoring import STAGES, TABLES_KEPT, Job, Score, Scorer, Table
from afa_viz.ui.handlers.dataset.sources import SandboxScenes, open_source
from afa_viz.ui.handlers.explorer import ExplorerHandlers
from afa_viz.ui.page import permalinks
from afa_viz.ui.page.config_fields import SLIDERS
from afa_viz.ui.sessions.folders import cache_folder
from afa_viz.ui.sessions.model_registry import ModelRegistry, discover_checkpoints
from afa_viz.ui.sessions.session import Session

DEFAULTS = tuple(slider.value(ExplainConfig()) for slider in SLIDERS)
DEFAULT_QUERY = {"order": "set", "stage": "seg", "before": "walk_start", "class_name": "", "page": 0}


class Discs:
    """Discs of the page's fixtures under the names of another class list; the last image can not be read."""

    title = "Discs"
    class_names = ("background", "cow", "cat", "unicorn")  # numbers of their own

    def __init__(self, count: int = 3):
        self.names = ("secret/folder/one disc", *(f"disc_{i}" for i in range(1, count)))
        self.broken = False

    def image(self, index: int) -> np.ndarray:
        if self.broken and index == len(self.names) - 1:
            raise ValueError("/home/somebody/disc.png is damaged")
        return np.array(scene(index % 2)[0])

    def image_labels(self, index: int) -> np.ndarray:
        return np.array([(index % 2) == 1, (index % 2) == 0, 0], np.float32)

    def mask(self, index: int) -> np.ndarray:
        return np.where(np.array(scene(index % 2)[1]) > 0, 2 - index % 2, 0).astype(np.uint8)


@pytest.fixture(scope="module")
def options(tmp_path_factory):
    return prepare(tmp_path_factory.mktemp("page"))


@pytest.fixture
def dataset(tmp_path):
    return DataSet(Discs(), tmp_path / "cache")


@pytest.fixture
def session(options, dataset):
    return Session(
        ModelRegistry(discover_checkpoints(options.checkpoint_folder), "cpu"), options.examples, dataset=dataset
    )


@pytest.fixture
def scorer(session, dataset, monkeypatch):
    monkeypatch.setattr(scoring_module, "IDLE_SECONDS", 0.0)
    made = Scorer(session, dataset)
    yield made
    made.stop(wait=True)


def finish(scorer: Scorer) -> None:
    """Wait until the worker has nothing left to do."""
    until = time.monotonic() + 60
    while scorer.running_job() is not None:
        assert time.monotonic() < until
        time.sleep(0.01)


# --- sources ---------------------------------------------------------------------------------------------------------


def test_a_scene_is_rendered_when_asked_for_and_kept(tmp_path, monkeypatch):
    source = SandboxScenes(tmp_path, 64, 3)
    assert source.names == ("val_0000", "val_0001", "val_0002") and source.known_labels(1) is None
    wanted = render_scene("val", 1, 64)
    assert (source.image(1) == wanted.image).all() and (source.mask(1) == wanted.mask).all()
    (kept,) = tmp_path.rglob("*.npz")
    monkeypatch.setattr("afa_viz.ui.handlers.dataset.sources.render_scene", lambda *args: pytest.fail("rendered again"))
    again = SandboxScenes(tmp_path, 64, 3)
    assert (again.known_labels(1) == wanted.image_labels).all()
    assert (again.image(1) == wanted.image).all() and (again.image_labels(1) == wanted.image_labels).all()
    monkeypatch.undo()
    kept.write_bytes(b"PK no archive")
    assert (SandboxScenes(tmp_path, 64, 3).mask(1) == wanted.mask).all()


def test_a_cache_that_can_not_be_written_is_no_error(tmp_path):
    (tmp_path / "file").write_text("in the way")
    source = SandboxScenes(tmp_path / "file", 64, 2)
    assert source.image(0).shape == (64, 64, 3) and source.known_labels(0) is not None
    table = Table(tmp_path / "file" / "scores.json")
    table.put("a", Score({"cam": 0.5}))
    table.save()
    assert table.get("a") == Score({"cam": 0.5}) and sorted(p.name for p in tmp_path.iterdir()) == ["file"]


def test_other_sets_are_named_at_the_launch(tmp_path):
    for text, words in {
        "imagenet:x": "sandbox or one of folder:PATH", "folder": "expected sandbox", "voc:": "expected sandbox",
        f"voc:{tmp_path}": "no JPEGImages", f"coco:{tmp_path}": "--data coco", f"folder:{tmp_path}/no": "no folder",
    }.items():  # fmt: skip
        with pytest.raises(UserError, match=words):
            open_source(text, tmp_path)
    assert isinstance(open_source("sandbox", tmp_path, 96), SandboxScenes)
    assert cache_folder(tmp_path) == tmp_path


def test_an_own_folder_is_browsed_and_scored(tmp_path, options, monkeypatch):
    rows = make_folder(tmp_path / "photos", 4)
    dataset = DataSet(open_source(f"folder:{tmp_path / 'photos'}", tmp_path), tmp_path / "cache")
    assert dataset.source.title == "photos all" and len(dataset) == 4
    assert {name: dataset.labels(i) for i, name in enumerate(dataset.source.names)} == {
        name: tuple(sorted(labels)) for name, labels in rows.items()
    }
    session = Session(
        ModelRegistry(discover_checkpoints(options.checkpoint_folder), "cpu"), options.examples, dataset=dataset
    )
    cats = [i for i, labels in enumerate(rows.values()) if labels == ["cat"]]
    place = list(dataset.source.names).index(list(rows)[cats[0]])
    picture = session.input_image(f"data:{dataset.ids[place]}")
    assert (
        session.ground_truth(picture, "tiny") == np.where(picture.mask == 1, 6, picture.mask)
    ).all()  # cat is 6 there
    old = dataset.fingerprint
    assert DataSet(open_source(f"folder:{tmp_path / 'photos'}", tmp_path), tmp_path).fingerprint == old
    (path,) = [path for path in dataset.source.mask_paths if path is not None][:1]
    path.write_bytes(path.read_bytes() + b" ")
    assert DataSet(open_source(f"folder:{tmp_path / 'photos'}", tmp_path), tmp_path).fingerprint != old


def test_on_spaces_only_temporary_files_are_written(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own" / "afa-viz"
    monkeypatch.setenv("SPACE_ID", "a/b")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    assert cache_folder() == tmp_path / "temporary" / "afa-viz"


# --- images ----------------------------------------------------------------------------------------------------------


def test_ids_say_nothing_of_folders(dataset):
    assert dataset.ids[1:] == ("disc_1", "disc_2")
    assert dataset.ids[0] == public_id("secret/folder/one disc") and "secret" not in dataset.ids[0]
    assert dataset.title(0) == "one disc" and dataset.labels(0) == ("cat",)
    for name in ("", "nothing", "../disc_1", "disc_1/", 1, None, ["disc_1"], {}, float("nan"), True):
        with pytest.raises(UserError, match="no such image"):
            dataset.input_image(name)


def test_a_picture_has_its_truth_in_the_numbers_of_the_model(session, dataset):
    trace = session.trace(session.request("data:disc_1", "tiny"))
    assert [trace.class_names[i] for i in trace.present] == ["cow"] and trace.labels_given
    disc = np.array(scene(1)[1]) > 0
    assert (trace.target.numpy() == np.where(disc, SANDBOX_CLASSES.index("cow"), 0)).all()
    dataset.source.mask = lambda index: np.full((SIDE, SIDE), 3, np.uint8)  # a class that the model does not know
    assert session.ground_truth(dataset.input_image("disc_2"), "tiny") is None
    dataset.source.mask = lambda index: np.full((SIDE, SIDE), 9, np.uint8)  # no class at all
    assert session.ground_truth(dataset.input_image("disc_2"), "tiny") is None
    dataset.source.mask = lambda index: np.full((SIDE, SIDE), 255, np.uint8)
    assert (session.ground_truth(dataset.input_image("disc_2"), "tiny") == 255).all()


def test_a_damaged_image_is_one_sentence_without_its_path(session, dataset):
    dataset.source.broken = True
    with pytest.raises(UserError, match="disc_2 of the data set cannot be read") as refused:
        session.input_image("data:disc_2")
    assert "home" not in str(refused.value) and dataset.thumbnail(2) == ""


def test_thumbnails_are_small_and_large_images_shrink(dataset):
    head, _, letters = dataset.thumbnail(0).partition(",")
    assert head == "data:image/jpeg;base64"
    assert max(Image.open(io.BytesIO(base64.b64decode(letters))).size) <= THUMBNAIL
    dataset.source.image = lambda index: np.zeros((900, 3000, 3), np.uint8)
    dataset.source.mask = lambda index: np.ones((900, 3000), np.uint8)
    picture = dataset.input_image("disc_1")
    assert picture.image.shape == (307, 1024, 3) and picture.mask.shape == (307, 1024) and (picture.mask == 1).all()


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
    assert list(score.miou) == list(STAGES) and score.of("seg", "unicorn") is None

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
    scorer._work(job)
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
    until = time.monotonic() + 20
    while not scorer.running_job().paused:
        assert time.monotonic() < until
        time.sleep(0.01)
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


# --- what a browser asks for -----------------------------------------------------------------------------------------


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
    assert found.request == session.request("data:disc_1", "tiny") and found.gallery_index is None and not found.warning
    strange = permalinks.restore({"data": "../../etc/passwd", "model": "tiny"}, session)
    assert strange.request.image_id == "example:scene0" and "data" in strange.warning
    for asked in ({"data": "nothing"}, {}, None, {"data": {"a": 1}}, {"data": 10**30}, "disc_1", [1]):
        with pytest.raises(UserError, match="no such image"):
            list(callbacks.open_data(asked, "tiny", [], *DEFAULTS))


def test_many_readers_of_one_scene_render_it_once(tmp_path, monkeypatch):
    source, rendered = SandboxScenes(tmp_path, 64, 1), []
    monkeypatch.setattr(
        "afa_viz.ui.handlers.dataset.sources.render_scene",
        lambda *args: (rendered.append(args), time.sleep(0.05), render_scene(*args))[2],
    )
    threads = [threading.Thread(target=source.image, args=(0,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(rendered) == 1
