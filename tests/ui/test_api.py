"""Export and sharing without a browser: the three endpoints, their page of documentation, pictures, copy as Python."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from app_fixtures import add_snapshots, launched, scene
from PIL import Image

from afa_viz.config import ExplainConfig
from afa_viz.figures import colour, stages
from afa_viz.figures.poster import poster, summary_line, swatches
from afa_viz.figures.strip import strip
from afa_viz.inspection import with_crf
from afa_viz.ops import dense_crf
from afa_viz.stage_scores import stage_scores
from afa_viz.trace import Trace
from afa_viz.ui.errors import UserError
from afa_viz.ui.handlers.api import Api
from afa_viz.ui.handlers.dataset.images import DataSet
from afa_viz.ui.handlers.dataset.sources import SandboxScenes
from afa_viz.ui.page.python_export import TabView, changed_settings, snippet
from afa_viz.ui.sessions.model_registry import ModelRegistry, discover_checkpoints
from afa_viz.ui.sessions.session import Session

ROOT = Path(__file__).parents[2]
ODD = [None, "", "x", "../../etc/passwd", -1, 10**9, 1.5, float("nan"), float("inf"), True, [], {}, [1], {"a": 1}]


@pytest.fixture(scope="module")
def api(session, answers):
    return Api(session, answers)


@pytest.fixture(scope="module")
def key(api) -> str:
    return api.explain(None, "example:scene0", None, None, None)["key"]


@pytest.fixture
def trace(session, key) -> Trace:
    return session.find_by_key(key)[1]


# --- the endpoints ---------------------------------------------------------------------------------------------------


def test_explain_gives_the_numbers_of_the_trace(api, session):
    found = api.explain(None, "example:scene0", ["cat"], {"num_iters": 2, "leave_out": ["random walk"]}, "tiny")
    trace = session.find_by_key(found["key"])[1]
    assert found["image_labels"] == ["cat"] and trace.config.num_iters == 2 and not trace.config.use_walk
    truth, seg = trace.target.numpy(), trace.seg.numpy()
    shown = [((seg == i) & (truth == i)).sum() / ((seg == i) | (truth == i)).sum() for i in np.unique(truth)]
    assert found["miou"]["seg"] == pytest.approx(np.mean(shown)) and sum(found["regions"].values()) == pytest.approx(1)
    table = stage_scores(trace)
    assert found["miou"] == {stage: score["miou"] for stage, score in table.items()}
    assert found["coverage"] == {stage: score["coverage"] for stage, score in table.items()}
    assert found["changes"] == {  # none credits the walk, which is left out
        "cam_par": table["cam_par"]["miou"] - table["par_start"]["miou"],
        "seg": table["seg"]["miou"] - table["cam_par"]["miou"],
    }
    assert found["left_out"] == ["cam_rw"] and found["steps"] == {"cam_par": "par_start", "seg": "cam_par"}
    assert found["affinity_label"] == found["pseudo_label"]  # without the walk they are one
    predicted = api.explain(None, "example:scene0", [], None, None)
    assert not predicted["labels_given"] and predicted["key"] != found["key"]
    assert api.explain(None, "example:photo", None, None, None)["miou"] is None


def test_a_cell_has_the_numbers_of_the_trace(api, key, trace):
    cell = api.query(key, 2, 3, None)
    index = 2 * 6 + 3
    assert cell["block"] == 7 and len(cell["attention"]) == 8 and cell["key_grid"] == [6, 6]
    for head, row in enumerate(cell["attention"]):
        assert row == pytest.approx(trace.attn_probs(7)[head, index].tolist(), abs=1e-6)
        assert sum(row) == pytest.approx(1, abs=1e-4)
    assert cell["affinity"] == pytest.approx(trace.affinity[index].tolist(), abs=1e-6)
    assert cell["scores"]["cam_rw"]["cat"] == pytest.approx(float(trace.cam_rw[6, 2, 3]), abs=1e-6)
    assert cell["scores"]["cam"]["cat"] == pytest.approx(float(trace.cam[5, 40, 56]), abs=1e-6)
    names = dict(enumerate(trace.class_names)) | {255: "uncertain"}
    assert cell["labels"]["pseudo_label"] == names[int(trace.pseudo_label[40, 56])]
    assert cell["labels"]["target"] == names[int(trace.target[40, 56])]
    fine = api.query(key, 0, 0, 0)
    assert len(fine["attention"]) == 1 and sum(fine["attention"][0]) == pytest.approx(1, abs=1e-4)


def test_exports_are_the_trace_its_report_and_its_picture(api, key, trace):
    assert torch.equal(Trace.load(api.export(key, "npz", None, None, None)).cam, trace.cam)
    assert "<html" in Path(api.export(key, "html", None, None, None)).read_text(encoding="utf-8")[:300]
    one, two = (np.asarray(Image.open(api.export(key, "png", *view))) for view in (("cat", 1, 1), ("bird", 1, 1)))
    assert (one == poster(trace, 6, (1, 1), "Scene 0")).all() and (one != two).any()
    default = np.asarray(Image.open(api.export(key, "png", None, None, None)))
    assert (default == poster(trace, title="Scene 0")).all()


@pytest.mark.parametrize("value", ODD, ids=repr)
def test_untrusted_values_are_refused_in_one_sentence(api, key, value):
    calls = [
        (api.query, [key, 0, 0, None], {0: value, 1: value, 2: value, 3: value}),
        (api.export, [key, "png", None, 0, 0], {0: value, 1: value, 2: value, 3: value, 4: value}),
        (api.explain, [None, "example:scene0", None, None, None], {1: value, 2: value, 3: value, 4: value}),
    ]
    allowed = {  # call -> place of an argument that may be this
        "query": {3: (None,)}, "export": {2: (None, "")}, "explain": {2: (None, []), 3: (None, {}), 4: (None, "")},
    }  # fmt: skip
    for call, good, places in calls:
        for place, odd in places.items():
            if any(type(odd) is type(fine) and odd == fine for fine in allowed[call.__name__].get(place, ())):
                continue
            asked = list(good)
            asked[place] = odd
            with pytest.raises(UserError) as refused:
                call(*asked)
            text = str(refused.value)
            assert "\n" not in text and text.endswith(".") and str(ROOT) not in text and len(text) < 400


def test_what_is_not_there_is_refused(api, session, key):
    with pytest.raises(UserError, match="no such example"):
        api.explain(None, "example:nothing", None, None, None)
    name = session.images.store(session.images.find("example:photo"))
    with pytest.raises(UserError, match="expected example:NAME or data:ID"):
        api.explain(None, name, None, None, None)  # what others uploaded stays theirs
    with pytest.raises(UserError, match="expected example:NAME"):
        api.explain(None, "file:///etc/passwd", None, None, None)
    with pytest.raises(UserError, match="no setting 'radiu'"):
        api.explain(None, "example:scene0", None, {"radiu": 2}, None)
    with pytest.raises(UserError, match="call /explain first"):
        api.query("0" * 20, 0, 0, None)


@pytest.mark.filterwarnings("ignore:.*no_silent_downcasting")  # an option that gradio sets in pandas
def test_the_documented_example_runs(options, tmp_path, monkeypatch):
    import gradio_client as client_module

    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    program = "".join(re.findall(r"```python\n(.*?)```", text, re.S))
    image, mask = scene(0)
    image.save(tmp_path / "photo.jpg")
    mask.save(tmp_path / "mask.png")
    monkeypatch.chdir(tmp_path)
    with launched(options) as address:
        client = client_module.Client(address, verbose=False, download_files=str(tmp_path))
        named = client.view_api(print_info=False, return_format="dict")["named_endpoints"]
        assert list(named) == ["/explain", "/explain_with_mask", "/query", "/export"]
        for name, endpoint in named.items():
            arguments = [parameter["parameter_name"] for parameter in endpoint["parameters"]]
            assert f"`{name}({', '.join(arguments)})`" in text
        program = program.replace('Client("http://127.0.0.1:7860")', "client").replace("default_216", "scene0")
        names: dict = {"client": client}
        exec(program.replace('"cow", 7, 12', '"cat", 3, 4').replace('"key"], 7, 12', '"key"], 3, 4'), names)
        assert names["mine"]["image_labels"] == ["cow"] and names["found"]["image_labels"] == ["bird", "cat"]
        assert names["scored"]["image_labels"] == ["cat"] and names["scored"]["miou"]["seg"] is not None
        assert len(names["cell"]["affinity"]) == 36 and Image.open(names["picture"]).width > 500
        assert Trace.load(names["arrays"]).present == (2, 6) and Path(names["report"]).suffix == ".html"
        with pytest.raises(Exception, match="row is 99; expected a whole number from 0 to 5"):
            client.predict(names["found"]["key"], 99, 0, None, api_name="/query")
        client.close()


# --- pictures --------------------------------------------------------------------------------------------------------


def test_the_picture_says_what_it_is(trace):
    picture = poster(trace, 6, (1, 1), "Two discs", side=120)
    inner = strip(trace, 6, (1, 1), 120)
    assert (picture[72 : 72 + len(inner)] == inner).all()
    assert (picture[:72] < 128).any() and "Image labels given: bird, cat." in summary_line(trace)
    legend = {words: tuple(shown[8, 8]) for words, shown in swatches(trace)}
    assert legend["reliable foreground"] == colour.FOREGROUND and legend["cat"] == tuple(trace.palette[6])
    assert {"uncertain", "bird"} <= set(legend)


# --- copy as Python --------------------------------------------------------------------------------------------------


@pytest.fixture
def bundled(tmp_path, monkeypatch):
    """A folder like that of the source code, to run programs in."""
    work = tmp_path / "work"
    work.mkdir()
    for name in ("checkpoints", "afa_viz"):
        (work / name).symlink_to(ROOT / name)
    monkeypatch.chdir(work)
    dataset = DataSet(SandboxScenes(tmp_path, 64, 5), tmp_path)
    registry = ModelRegistry(discover_checkpoints(ROOT / "checkpoints"), "cpu")
    return Session(registry, ROOT / "afa_viz" / "examples", dataset=dataset)


@pytest.mark.parametrize(
    "picture, tab, config, drawn",
    [
        ("example:default_216", "cam", {"num_iters": 3, "flip": False}, lambda t: stages.cam(t, 7)),
        ("data:val_0003", "compare", {"use_par": False}, lambda t: strip(t, 7, (1, 2))),
    ],
)
def test_the_program_makes_the_same_view(bundled, picture, tab, config, drawn, capsys):
    request = bundled.request(picture, "sandbox", ["cow"], ExplainConfig(scales=(1.0,), **config))
    trace = bundled.trace(request)
    code = snippet(request, trace, bundled, TabView(tab, 7, (1, 2), 7, None))
    assert str(ROOT) not in code and "/tmp" not in code
    names: dict = {}
    exec(compile(code, "copied", "exec"), names)
    assert names["trace"].config == request.config and torch.equal(names["trace"].cam_par, trace.cam_par)
    assert torch.equal(names["trace"].target, trace.target) and "miou" in capsys.readouterr().out
    (file,) = Path.cwd().glob("*.png")
    assert (np.asarray(Image.open(file)) == drawn(trace)).all()


def test_the_program_makes_both_sides_of_a_comparison(bundled, monkeypatch):
    monkeypatch.setattr(dense_crf, "dense_crf", lambda image, scores: scores / scores.sum(dim=-3, keepdim=True))
    request = bundled.request("example:default_216", "sandbox", ["cow"], ExplainConfig(scales=(1.0,)))
    trace = bundled.trace(request)
    other = dataclasses.replace(request, config=dataclasses.replace(request.config, use_walk=False))
    names: dict = {}
    code = snippet(request, trace, bundled, TabView("compare", 7, (1, 2), 7, None, other, crf=True))
    exec(compile(code, "copied", "exec"), names)
    wanted = with_crf(bundled.trace(other))
    assert torch.equal(names["trace"].cam_par, trace.cam_par) and torch.equal(names["other"].cam_par, wanted.cam_par)
    assert (np.asarray(Image.open("other.png")) == strip(wanted, 7, (1, 2))).all()


def test_the_program_of_a_photograph_reads_its_mask(bundled, tmp_path, capsys):
    """The mask that the page saves: grey levels of class indices, at a size of its own."""
    rng = np.random.default_rng(0)
    photograph = Image.fromarray(rng.integers(0, 256, (96, 128, 3), np.uint8))
    photograph.save("photograph.png")
    labels = np.zeros((48, 64), np.uint8)
    labels[10:30, 20:50], labels[0] = 6, 255
    Image.fromarray(np.stack([labels] * 3 + [np.full_like(labels, 255)], -1)).save("mask.png")  # as a canvas writes it
    names = bundled.registry.class_names("sandbox")
    image_id = bundled.images.store_upload("photograph.png", "mask.png", names)
    request = bundled.request(image_id, "sandbox", None, ExplainConfig(scales=(1.0,)))
    trace = bundled.trace(request)
    code = snippet(request, trace, bundled, TabView("cam", 6, (1, 2), 7, None))
    variables: dict = {}
    exec(compile(code.replace("photograph.jpg", "photograph.png"), "copied", "exec"), variables)
    assert torch.equal(variables["trace"].target, trace.target) and "miou" in capsys.readouterr().out
    assert torch.equal(variables["trace"].cam_par, trace.cam_par)


def test_masks_of_other_classes_are_no_part_of_the_program(bundled, tmp_path):
    """An index means another class there."""
    Image.fromarray(np.full((64, 64, 3), 90, np.uint8)).save(tmp_path / "a.png")
    Image.fromarray(np.full((64, 64), 1, np.uint8)).save(tmp_path / "b.png")
    image_id = bundled.images.store_upload(tmp_path / "a.png", tmp_path / "b.png", ("background", "cat"))
    request = bundled.request(image_id, "sandbox")
    trace = bundled.trace(request)
    assert trace.target is not None and trace.present == (6,)
    assert "target" not in snippet(request, trace, bundled, TabView("cam", 6, (1, 2), 7, None))


@pytest.mark.parametrize(
    "mask, words",
    [
        (Image.fromarray(np.full((72, 96, 3), (255, 0, 0), np.uint8)), "in colour"),
        (Image.fromarray(np.full((72, 96), 40, np.uint8)), "holds 40, and this model has the classes 0 to 12"),
        (Image.fromarray(np.full((72, 96), 300, np.uint16)), "holds 300"),
        (Image.fromarray(np.zeros((96, 72), np.uint8)), "not the proportions"),
        (None, "two files"),
    ],
    ids=["colour", "number", "16 bits", "shape", "none"],
)
def test_wrong_masks_are_refused_in_one_sentence(api, tmp_path, mask, words):
    scene(0)[0].resize((96, 72)).save(tmp_path / "a.png")
    if mask is not None:
        mask.save(tmp_path / "m.png")
    with pytest.raises(UserError, match=words):
        path = mask and tmp_path / "m.png"
        api.explain_with_mask(tmp_path / "a.png", path, None, None, None)


def test_entries_of_a_palette_are_class_indices(api, session, tmp_path):
    picture, mask = scene(0)
    indexed = mask.convert("P") if mask.mode != "P" else mask
    indexed.putpalette([v for i in range(256) for v in (i, 255 - i, (37 * i) % 256)])
    picture.save(tmp_path / "a.png")
    indexed.save(tmp_path / "m.png")
    key = api.explain_with_mask(tmp_path / "a.png", tmp_path / "m.png", None, None, None)["key"]
    assert session.find_by_key(key)[1].present == (6,)


def test_the_program_of_a_snapshot_names_its_file(options, session, answers, key):
    add_snapshots(options)
    good = {"key": key, "tab": "training", "label": 6, "cell": [1, 2], "block": 7, "head": -1}
    code = json.loads(answers.exports.python_code({**good, "b": {"model": "tiny@40"}}))["code"]
    assert "other_model = afa_viz.load_model('checkpoints/tiny/snapshots/iter_000040.safetensors')" in code
    assert "other = afa_viz.explain(other_model, image, labels=['bird', 'cat'], target=target)" in code
    compile(code, "copied", "exec")
    for same in ({}, {"model": "tiny"}, None):
        assert "other" not in json.loads(answers.exports.python_code({**good, "b": same}))["code"]
    for wrong in ("tiny@40", [], {"switched": 3}, {"model": "nobody"}):
        with pytest.raises((TypeError, ValueError)):
            answers.exports.python_code({**good, "b": wrong})


def test_every_tab_has_its_lines(session, trace, key):
    request, _ = session.find_by_key(key)
    codes = {
        tab: snippet(request, trace, session, TabView(tab, 6, (1, 2), 5, head))
        for tab, head in (("attention", 3), ("affinity", None), ("walk", None), ("par", None), ("regions", None),
                          ("seg", None), ("data", None))
    }  # fmt: skip
    assert "stages.attention(trace, 5, 3, (1, 2))" in codes["attention"]
    assert len(set(codes.values())) == 7 and "strip.strip(" in codes["data"]
    for code in codes.values():
        compile(code, "copied", "exec")
    assert changed_settings(ExplainConfig(), ExplainConfig()) == ""
    assert changed_settings(ExplainConfig(radius=3), ExplainConfig()) == "radius=3"
    assert changed_settings(ExplainConfig(), ExplainConfig(radius=3)) == "radius=8"
    upload = session.request(session.images.store(session.images.find("example:photo")), "tiny")
    assert 'image = "photograph.jpg"' in snippet(
        upload, session.trace(upload), session, TabView("cam", 1, (0, 0), 7, 0)
    )


def test_the_page_gets_its_program_and_nothing_else(answers, key):
    good = {"key": key, "tab": "cam", "label": 6, "cell": [1, 2], "block": 7, "head": -1}
    assert "stages.cam(" in json.loads(answers.exports.python_code(good))["code"]
    assert "print(1)" not in json.loads(answers.exports.python_code({**good, "tab": "cam(print(1))"}))["code"]
    for name, values in {
        "key": ["", None, 3], "tab": [None, 3, []], "label": [0, 13, "cat", None, True, 1.5],
        "cell": [[6, 0], [0], [0, 0, 0], "00", None, [0.5, 1], [True, 1], {}], "block": [8, -1, None, "1", True],
        "head": [8, -2, None, "mean", False],
    }.items():  # fmt: skip
        for value in values:
            with pytest.raises((KeyError, TypeError)):
                answers.exports.python_code({**good, name: value})
    with pytest.raises(KeyError):
        answers.exports.export_file({"key": key, "kind": "png", "label": 6, "cell": [9, 9]})
    file = json.loads(answers.exports.export_file({"key": key, "kind": "png", "label": 6, "cell": [1, 2]}))
    assert file["name"] == "afa-viz.png" and Path(file["path"]).read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
