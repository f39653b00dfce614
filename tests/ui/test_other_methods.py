"""The app with timm's classifiers and with a method that has nothing but a CAM: API, page, report, permalinks."""

from __future__ import annotations

import json
import threading
from dataclasses import replace

import pytest
from app_fixtures import prepare
from other_methods import NAMES, CamOnly, photograph, timm_folder
from PIL import Image

from afa_viz.__main__ import main
from afa_viz.figures.strip import stage_tiles
from afa_viz.figures.translation import language_scope
from afa_viz.model.imagenet_classes import VOC_GROUPS
from afa_viz.parts import LACKS
from afa_viz.ui.errors import UserError
from afa_viz.ui.handlers import compare
from afa_viz.ui.handlers.api import Api
from afa_viz.ui.handlers.callbacks import Callbacks
from afa_viz.ui.handlers.explorer import ExplorerHandlers
from afa_viz.ui.localization import texts
from afa_viz.ui.page import permalinks
from afa_viz.ui.page.config_fields import SLIDERS
from afa_viz.ui.report.document import document
from afa_viz.ui.sessions.model_registry import ModelRegistry, name_sources
from afa_viz.ui.sessions.session import Session

TIMM = [f"timm:{name}" for name in NAMES]


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    folder = tmp_path_factory.mktemp("methods")
    options = prepare(folder)
    sources = [str(options.checkpoint_folder / "tiny"), *(timm_folder(folder / name, name) for name in NAMES)]
    registry = ModelRegistry(name_sources(sources), "cpu")
    for name in TIMM:  # at their own sizes they take seconds
        model = registry.get(name)
        model.card = replace(model.card, input_size=96, par_downscale=1)
    registry.add("bare", "bare")
    registry._snapshots.get("bare", CamOnly)
    return Session(registry, options.examples)


@pytest.fixture(scope="module")
def keys(session, answers):
    api = Api(session, answers)
    return {name: api.explain(None, "example:scene0", [], None, name)["key"] for name in (*TIMM, "bare")}


def trace_of(session, key):
    return session.find_by_key(key)[1]


def test_names_of_the_menu_show_no_path(session):
    assert session.registry.names[:3] == ["tiny", *TIMM]
    line = session.registry.describe(TIMM[0])
    assert "ImageNet classifier" in line and "affinity not learned" in line and "no decoder" in line


@pytest.mark.parametrize("name", [*TIMM, "bare"])
def test_the_api_answers_null_and_a_sentence(session, answers, keys, name):
    api, trace = Api(session, answers), trace_of(session, keys[name])
    found = api.explain(None, "example:scene0", [], None, name)
    assert found["prediction"] is None and found["lacks"] == trace.parts.lacks
    assert "seg" in found["left_out"] and "seg" not in found["steps"]
    cell = api.query(keys[name], 0, 0, None)
    for part in ("attention", "affinity"):
        assert (cell[part] is None) == (part in trace.parts.lacks)
    assert "seg" not in cell["labels"]
    if name == "bare":
        with pytest.raises(UserError, match="no attention maps"):
            api.query(keys[name], 0, 0, 0)
    for kind in ("png", "npz", "html"):
        assert api.export(keys[name], kind, None, None, None)


@pytest.mark.parametrize("name", [*TIMM, "bare"])
def test_every_question_of_the_page_is_answered(session, answers, keys, name):
    key, trace = {"key": keys[name]}, trace_of(session, keys[name])
    sent = json.loads(answers.stages(session.request_of(keys[name])))
    assert sent["parts"]["lacks"] == list(trace.parts.lacks)
    assert json.loads(answers.scene(key))["seg"] is None
    for function, part in ((answers.overview, "attention"), (answers.affinity, "affinity")):
        refused = json.loads(function(key)).get("refused")
        assert refused == (texts()[f"lacks.{part}"] if part in trace.parts.lacks else None)
    found = json.loads(answers.attention({**key, "block": 0, "logits": False}))
    assert ("refused" in found) == (name == "bare")
    missing = {step["name"]: step["missing"] for step in json.loads(answers.lab(key))["steps"]}
    assert missing["seg"] == missing["end_to_end"] == "decoder"
    assert missing["labels"] == ("mask" if trace.target is None else "")  # of other classes the mask is not known
    assert missing["pairs"] in trace.parts.lacks and missing["phases"] in trace.parts.lacks
    assert missing["pooling"] == ("" if trace.parts.cam == "linear" else "linear_cam")
    assert (missing["heads"] == "attention") == ("attention" in trace.parts.lacks)
    with pytest.raises(ValueError, match="no decoder"):
        answers.lab_check({**key, "step": "seg", "answer": "same", "label": trace.present[0]})
    code = json.loads(
        answers.exports.python_code({**key, "tab": "seg", "label": 1, "cell": [0, 0], "block": 0, "head": -1})
    )["code"]
    assert "stages.seg" not in code and "strip.strip" in code and f"# {texts()['lacks.decoder']}" in code
    assert "/tmp" not in code


@pytest.mark.parametrize("name", TIMM)
def test_a_permalink_leads_back(session, answers, name):
    request = session.request("example:scene0", name, ["beagle", "crane (bird)"])
    session.trace(request)
    restored = permalinks.restore(answers.link(request), session)
    assert restored.request == request and not restored.unfit
    assert "checkpoints/" in answers.exports.python_code(
        {"key": request.key, "tab": "cam", "label": 1, "cell": [0, 0], "block": 0, "head": 0}
    )


def test_classes_are_found_by_a_word_and_predictions_come_first(session, keys):
    choices = session.registry.label_choices(TIMM[0], session.predictions("example:scene0", TIMM[0]))
    shown, value = choices[0]
    assert shown.startswith(value) and "%" in shown
    values = [choice if isinstance(choice, str) else choice[1] for choice in choices]
    assert len(values) == len(set(values)) == 1019 and "toy terrier" in values
    with pytest.raises(UserError, match="similar ones are .*terrier"):
        session.request("example:scene0", TIMM[0], ["terrier"])
    with pytest.raises(UserError, match="no name is similar"):
        session.request("example:scene0", TIMM[0], ["qqqq"])


def found_by(session, model, typed):
    """Values of the entries that gradio keeps for what is typed: those that hold it, in any case."""
    return [value for words, value in session.registry.label_choices(model) if typed.lower() in words.lower()]


def test_classes_are_found_by_each_of_their_words_and_in_other_languages(session):
    from timm.data import ImageNetInfo

    info = ImageNetInfo("imagenet-1k")
    entries = {value: words.lower() for words, value in session.registry.label_choices(TIMM[0])}
    names = session.registry.class_names(TIMM[0])[-1000:]
    for name, synset in zip(names, info.label_names(), strict=True):
        for word in info.label_name_to_description(synset).split(","):
            assert word.strip().lower() in entries[name], (name, word)
    for group in VOC_GROUPS:
        assert group in found_by(session, TIMM[0], texts("ko")[f"class.{group}"]), group
    assert found_by(session, TIMM[0], "tabby cat") == ["tabby"] and "dog" in found_by(session, TIMM[0], "개")
    assert "aeroplane" in found_by(session, TIMM[0], "airplane")
    assert found_by(session, "tiny", "고양이") == ["cat"] and found_by(session, "tiny", "airplane") == ["aeroplane"]


def test_other_labels_of_very_many_are_explained_anew(session):
    first = session.trace(session.request("example:scene0", TIMM[0], []))
    other = session.trace(session.request("example:scene0", TIMM[0], ["toy terrier"]))
    assert "toy terrier" not in first.class_names and "toy terrier" in other.class_names


def test_compare_puts_it_beside_an_afa_model(session, answers):
    request = session.request("example:scene0", "tiny", ["bird"])
    trace = session.trace(request)
    found = json.loads(answers._compare.compare({"key": request.key, "b": {"model": TIMM[0]}}))
    assert found["seg"] is None and found["grid"] != list(trace.grid) and "decoder" in found["parts"]["lacks"]
    back = session.request("example:scene0", TIMM[0], ["bird"])
    session.trace(back)
    assert json.loads(answers._compare.compare({"key": back.key, "b": {"model": "tiny"}}))["seg"] is not None


@pytest.mark.parametrize("name", [*TIMM, "bare"])
def test_reports_and_pictures_say_what_is_missing_in_both_languages(session, keys, name):
    trace = trace_of(session, keys[name])
    html = document(trace, "ko")
    for part in trace.parts.lacks:
        english, korean = (texts(code)[f"lacks.{part}"] for code in ("en", "ko"))
        assert english[1:] in html and korean[1:] in html or part == "attention_logits"
    assert [LACKS[p] for p in LACKS] == [texts()[f"lacks.{p}"] for p in LACKS]
    with language_scope("ko"):
        tiles = {tile.stage: tile for tile in stage_tiles(trace)}
    assert " ".join(tiles["seg"].notes) == LACKS["decoder"] and tiles["seg"].left_out


def test_commands_refuse_what_it_lacks(session, tmp_path, capsys):
    source = session.registry.source(TIMM[0])
    Image.fromarray(photograph(64, 64)).save(tmp_path / "a.png")
    out = ["--checkpoint", source, "--out", str(tmp_path / "out")]
    assert main(["predict", str(tmp_path / "a.png"), *out]) == 2
    assert "no decoder" in capsys.readouterr().err
    assert main(["predict", str(tmp_path / "a.png"), "--stage", "cam", *out]) == 2
    assert "1019 classes" in capsys.readouterr().err
    assert main(["explain", str(tmp_path / "a.png"), "--set", "long_side=64", *out]) == 0
    assert "no decoder" in "".join(capsys.readouterr())
    names = {path.name for path in (tmp_path / "out" / "a").iterdir()}
    assert "affinity.png" in names and "seg.png" not in names and "report.html" in names


def test_an_offered_model_is_fetched_only_when_it_is_chosen(session, monkeypatch, tmp_path):
    asked = []
    registry = ModelRegistry({"tiny": session.registry.source("tiny")}, "cpu")
    monkeypatch.setattr(registry, "_load", lambda name, source: asked.append(source) or session.registry.get(name))
    registry.offer("timm:pvt_v2_b0", "14 MB")
    assert registry.names == ["tiny", "timm:pvt_v2_b0"]
    assert "14 MB" in registry.choices[1][0] and "ImageNet" in registry.choices[1][0]
    registry.class_names("tiny")
    assert asked == [registry.source("tiny")]
    own = Session(registry, session_examples(session))
    callbacks = Callbacks(own, ExplorerHandlers(own, tmp_path))
    settings = ([], *(slider.value(registry.config("tiny")) for slider in SLIDERS))
    *_, last = callbacks.change_model("example:scene0", "timm:pvt_v2_b0", *settings)
    assert asked[-1] == "timm:pvt_v2_b0" and "ImageNet classifier" in last[2]


def test_without_the_hub_choosing_it_is_one_sentence(session):
    registry = ModelRegistry({"tiny": session.registry.source("tiny")}, "cpu")
    registry.offer("timm:pvt_v2_b0", "14 MB")
    with pytest.raises(UserError, match="cannot be loaded: .*the hub cannot be reached"):
        registry.get("timm:pvt_v2_b0")


def session_examples(session):
    return session.examples[0].path.parent


def test_attention_without_logits_says_so(session, answers):
    trace = session.trace(session.request("example:scene0", TIMM[1], []))
    given = replace(trace, parts=replace(trace.parts, attention="probabilities"))
    assert "attention_logits" in given.parts.lacks
    from afa_viz.ui.handlers import payload_attention

    with pytest.raises(ValueError, match="no attention logits"):
        payload_attention.attention(given, 0, logits=True)
    assert "raw" not in payload_attention.affinity(given)
    assert "no attention logits" in document(given)


def test_side_b_says_how_far_its_model_is_fetched(session, tmp_path, monkeypatch):
    """The first answers are sentences with a share; then it is compared. An error is a sentence, and is tried again."""
    registry = ModelRegistry({"tiny": session.registry.source("tiny")}, "cpu")
    arrived, began = threading.Event(), threading.Event()
    sources: list[str] = []

    def slow(source, device, progress):
        sources.append(source)
        if len(sources) == 1:
            raise OSError("no network")
        progress(34, 100)
        began.set()
        arrived.wait(60)
        return session.registry.get(TIMM[0])

    monkeypatch.setattr("afa_viz.model.checkpoint.load_model", slow)
    registry.offer("timm:pvt_v2_b0", "14 MB")
    assert sources == [] and "14 MB" in registry.offered()["timm:pvt_v2_b0"]
    load = registry.get
    monkeypatch.setattr(registry, "get", lambda name: session.registry.get(name) if name == "tiny" else load(name))
    own = Session(registry, session_examples(session))
    answers = ExplorerHandlers(own, tmp_path)
    request = own.request("example:scene0", "tiny", ["bird"])
    own.trace(request)
    asked = {"key": request.key, "b": {"model": "timm:pvt_v2_b0"}}
    assert "no network" in json.loads(answers._compare.compare(asked))["refused"]
    monkeypatch.setattr(compare, "FETCH_SECONDS", 0.01)
    began.clear()
    first = json.loads(answers._compare.compare(asked))
    assert first["waiting"] and "14 MB" in first["refused"]
    began.wait(60)
    line = "Fetching timm:pvt_v2_b0 (14 MB) from the hub: 34% …"
    assert json.loads(answers._compare.compare(asked))["refused"] == line
    arrived.set()
    monkeypatch.setattr(compare, "FETCH_SECONDS", 60)
    found = json.loads(answers._compare.compare(asked))
    assert "refused" not in found and found["seg"] is None and sources == ["timm:pvt_v2_b0"] * 2
