"""The radius and the scale of PAR that a card names: where they hold without being asked for, and what a page does."""

from __future__ import annotations

import dataclasses
import json
import re

import pytest
from app_fixtures import prepare, scene, tiny

import afa_viz
from afa_viz.__main__ import main
from afa_viz.classes import SANDBOX_CLASSES
from afa_viz.config import ExplainConfig
from afa_viz.model.card import Card, CheckpointError
from afa_viz.model.checkpoint import save_model
from afa_viz.presets import PRESETS
from afa_viz.training.loop import Run
from afa_viz.ui.handlers.api import Api
from afa_viz.ui.handlers.callbacks import Callbacks
from afa_viz.ui.handlers.explorer import ExplorerHandlers
from afa_viz.ui.page import permalinks
from afa_viz.ui.page.config_fields import SLIDERS
from afa_viz.ui.page.python_export import TabView, snippet

OWN = 3
FIELDS = [slider.field for slider in SLIDERS]


@pytest.fixture(scope="module")
def options(tmp_path_factory):
    """A page with two models: "near", whose card names a radius, and "tiny", whose card names none."""
    found = prepare(tmp_path_factory.mktemp("radius"))
    model, card = tiny(1)
    save_model(model, found.checkpoint_folder / "near" / "model.safetensors", dataclasses.replace(card, radius=OWN))
    return found


@pytest.fixture(scope="module")
def near(options):
    return afa_viz.load_model(options.checkpoint_folder / "near", device="cpu")


def test_a_model_is_explained_with_its_own_radius(near):
    image = scene(0)[0]
    assert afa_viz.explain(near, image, ["cat"]).config == ExplainConfig(radius=OWN)
    assert afa_viz.explain(near, image, ["cat"], ExplainConfig()).config.radius == 8  # asked for: the published one
    assert ExplainConfig.for_model(near, power=3.0) == ExplainConfig(radius=OWN, power=3.0)
    assert ExplainConfig.for_model(near, radius=5).radius == 5
    bare, _ = tiny(0)
    assert bare.card is None and ExplainConfig.for_model(bare) == ExplainConfig()


def test_the_command_line_begins_with_it(options, tmp_path):
    path, folder = tmp_path / "one.png", str(options.checkpoint_folder / "near")
    scene(0)[0].save(path)
    begin = ["explain", str(path), "--checkpoint", folder, "--device", "cpu", "--labels", "cat", "--out"]
    for settings, radius in (([], OWN), (["--set", "radius=2"], 2)):
        out = tmp_path / str(radius)
        assert main([*begin, str(out), *settings]) == 0
        assert afa_viz.Trace.load(out / "one" / "trace.npz").config.radius == radius


def test_the_card_of_a_run_names_the_radius_of_its_pseudo_labels():
    assert Card.from_json(tiny(0, radius=5)[1].to_json()).radius == 5
    for wrong in (-1, 129, 2.5, "4", None, True):
        with pytest.raises(CheckpointError, match="radius"):
            tiny(0, radius=wrong)
    text = json.loads(tiny(0)[1].to_json())
    del text["radius"]  # older cards
    assert Card.from_json(json.dumps(text)).radius == 8
    for config in PRESETS.values():  # a quarter of the grid, as 8 is at 512 pixels
        assert config.explain.radius == config.input_size // 16 // 4


def test_a_model_is_explained_with_its_own_scale_of_par(tmp_path):
    model, card = tiny(1)
    save_model(model, tmp_path / "whole.safetensors", dataclasses.replace(card, par_downscale=1))
    whole, image = afa_viz.load_model(tmp_path / "whole.safetensors", device="cpu"), scene(0)[0]
    assert afa_viz.explain(whole, image, ["cat"]).config == ExplainConfig.for_model(whole)
    assert ExplainConfig.for_model(whole).par_downscale == 1
    assert ExplainConfig.for_model(whole, par_downscale=4).par_downscale == 4
    assert afa_viz.explain(whole, image, ["cat"], ExplainConfig()).config.par_downscale == 2  # asked for: published
    for wrong in (0, 9, 1.5, "1", None, True):
        with pytest.raises(CheckpointError, match="par_downscale"):
            dataclasses.replace(card, par_downscale=wrong)
    text = json.loads(card.to_json())
    del text["par_downscale"]  # older cards
    assert Card.from_json(json.dumps(text)).par_downscale == 2


def test_a_run_names_its_scale_of_par_and_presets_have_the_published_reach(tmp_path):
    for config in PRESETS.values():  # the share of the image that PAR reaches over, as far as whole numbers allow
        assert config.explain.par_downscale == max(1, round(2 * config.input_size / 512))
    run = Run(PRESETS["few_seconds"], lambda *_: None, tmp_path, SANDBOX_CLASSES)
    assert run.card().par_downscale == PRESETS["few_seconds"].explain.par_downscale == 1


def test_the_page_begins_with_it_and_a_change_of_model_brings_it(session):
    callbacks = Callbacks(session, ExplorerHandlers(session))
    own = callbacks.reset("near")
    assert dict(zip(["left_out", *FIELDS, "heads"], own, strict=True))["radius"] == OWN
    published = callbacks.reset("tiny")
    *_, (value, _, line, radius) = callbacks.change_model("example:scene0", "near", *published)
    assert radius == OWN and json.loads(value)["radius"] == OWN and line
    *_, (value, _, _, radius) = callbacks.change_model("example:scene0", "tiny", *own)
    assert radius == 8 and json.loads(value)["radius"] == 8


def test_links_name_what_differs_from_it(session):
    assert session.request("example:scene0", "near").config.radius == OWN
    for model, radius, words in (("near", OWN, {}), ("near", 8, {"radius": "8"}), ("tiny", OWN, {"radius": f"{OWN}"})):
        config = ExplainConfig(radius=radius)
        asked = permalinks.query_parameters(session.request("example:scene0", model, config=config), session)
        assert {key: asked[key] for key in ("radius",) if key in asked} == words
        restored = permalinks.restore({"model": model, **asked}, session)
        assert restored is not None and restored.request.config.radius == radius and not restored.unfit
        assert restored.settings[1 + FIELDS.index("radius")] == radius
    assert permalinks.restore({"model": "near", "radius": "nothing"}, session).request.config.radius == OWN


def test_the_endpoint_and_the_copied_program_have_it(session, near):
    api = Api(session, ExplorerHandlers(session))
    for settings, radius in ((None, OWN), ({"power": 3}, OWN), ({"radius": 6}, 6)):
        found = api.explain(None, "example:scene0", ["cat"], settings, "near")
        request, trace = session.find_by_key(found["key"])
        assert trace.config.radius == radius
        code = snippet(request, trace, session, TabView("walk", 7, (0, 0), 0, None))
        calls = re.findall(r"config=(afa_viz.ExplainConfig.for_model\([^()]*\))", code)
        config = ExplainConfig.for_model(near)
        if calls:
            config = eval(calls[0], {"afa_viz": afa_viz, "model": near})
        assert config == trace.config
