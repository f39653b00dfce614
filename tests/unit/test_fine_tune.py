"""Weights that were trained on other classes: rows of equal names are kept, from every layout and by the command."""

from __future__ import annotations

import dataclasses
import json

import pytest
import torch
from data_trees import make_folder
from golden_vectors import recipe_weights

from afa_viz.__main__ import main
from afa_viz.classes import VOC_CLASSES, palette
from afa_viz.model import layouts
from afa_viz.model.afa import build_afa
from afa_viz.model.card import Card, CheckpointError
from afa_viz.model.checkpoint import load_any, load_model, save_model
from afa_viz.model.class_rows import match_classes

OWN = ("background", "zebra", "potted plant", "cow")  # cow is VOC's, zebra is not, the plant is but for a space


def source_card(names=VOC_CLASSES) -> Card:
    return Card("mit_b0", len(names), tuple(names), palette(len(names)), affinity_trained_on="affinity_label",
                decoder_trained_on="pseudo_label", licence="CC0-1.0")  # fmt: skip


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A checkpoint of VOC's classes with weights that are all different."""
    path = tmp_path_factory.mktemp("source") / "model.safetensors"
    model = build_afa("mit_b0", 21)
    model.load_state_dict(recipe_weights("mit_b0"))
    save_model(model, path, source_card())
    return path


@pytest.fixture(scope="module")
def weights():
    return recipe_weights("mit_b0")


def fresh(num_classes: int):
    torch.manual_seed(3)
    return build_afa("mit_b0", num_classes)


@pytest.mark.parametrize("form", ["file", "folder", "afa state dict", "authors' file"])
def test_rows_of_equal_names_are_kept_and_the_rest_begins_anew(source, weights, tmp_path, form):
    given = {"file": source, "folder": source.parent, "afa state dict": weights, "authors' file": tmp_path / "a.pth"}
    torch.save({f"module.{key}": tensor for key, tensor in weights.items()}, tmp_path / "a.pth")
    model, before = fresh(4), fresh(4).state_dict()
    report = load_any(model, given[form], class_names=OWN)
    after = model.state_dict()
    for key, tensor in after.items():
        if not key.startswith(("decoder.linear_pred", "classifier")):
            assert torch.equal(tensor, weights[key]), key
    cow, plant = VOC_CLASSES.index("cow"), VOC_CLASSES.index("pottedplant")
    for key, first in (("decoder.linear_pred.weight", 0), ("decoder.linear_pred.bias", 0), ("classifier.weight", 1)):
        for ours, theirs in ((0, 0), (2, plant), (3, cow)):
            if ours >= first:
                assert torch.equal(after[key][ours - first], weights[key][theirs - first]), (key, ours)
        assert torch.equal(after[key][1 - first], before[key][1 - first]), "zebra begins anew"
    assert report.class_rows.kept == ("background", "potted plant", "cow") and report.class_rows.new == ("zebra",)
    assert len(report.class_rows.dropped) == 18 and "aeroplane" in report.class_rows.dropped
    assert "kept encoder, decoder, affinity" in report.summary() and "begun anew: zebra" in report.summary()
    if form in ("file", "folder"):
        assert report.licence == "CC0-1.0" and report.trained_on["affinity"] == "affinity_label"
        assert "decoder" not in report.trained_on, "it has rows that were never trained"


def test_the_same_classes_in_another_order_keep_every_score(source):
    shuffled = (VOC_CLASSES[0], *reversed(VOC_CLASSES[1:]))
    model = fresh(21)
    report = load_any(model.eval(), source, class_names=shuffled)
    assert not report.class_rows.new and not report.class_rows.dropped
    assert report.trained_on == {"affinity": "affinity_label", "decoder": "pseudo_label"}
    image = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        old, new = load_model(source, "cpu")(image), model(image)
    order = [VOC_CLASSES.index(name) for name in shuffled]
    torch.testing.assert_close(new.seg_logits, old.seg_logits[:, order])
    torch.testing.assert_close(new.class_logits, old.class_logits[:, [i - 1 for i in order[1:]]])
    torch.testing.assert_close(new.affinity, old.affinity)


def test_equal_class_lists_load_as_before(source, weights):
    model = fresh(21)
    report = load_any(model, source, class_names=VOC_CLASSES)
    assert report.class_rows is None and report.loaded == ("encoder", "decoder", "attn_proj", "classifier")
    assert all(torch.equal(tensor, weights[key]) for key, tensor in model.state_dict().items())


@pytest.mark.parametrize("layout", [layouts.SEGFORMER, layouts.TRANSFORMERS, layouts.TRANSFORMERS_V5, layouts.SMP])
def test_other_layouts_give_encoder_and_decoder_but_no_class(weights, layout):
    """Their classes have no names, and their first one need not be background."""
    model, before = fresh(4), fresh(4).state_dict()
    report = load_any(model, layouts.from_afa_keys(weights, layout), class_names=OWN)
    after = model.state_dict()
    assert report.layout == layout and not report.class_rows.kept and report.class_rows.new == OWN
    assert "affinity" in report.summary() and "class heads begun anew" in report.summary()
    assert torch.equal(after["decoder.linear_fuse.conv.weight"], weights["decoder.linear_fuse.conv.weight"])
    for key in ("decoder.linear_pred.weight", "classifier.weight", "attn_proj.weight"):
        assert torch.equal(after[key], before[key]), key


def test_an_encoder_alone_is_no_matter_of_classes(weights):
    encoder = {key: tensor for key, tensor in weights.items() if key.startswith("encoder.")}
    report = load_any(fresh(4), encoder, class_names=OWN)
    assert report.class_rows is None and report.loaded == ("encoder",)
    assert report.summary() == "kept encoder; begun anew: decoder, affinity, classifier"


@pytest.mark.parametrize("names, source_names, pairs", [
    (("bg", "a", "b"), ("background", "b", "a"), {0: 0, 1: 2, 2: 1}),
    (("background", "A b", "x"), ("background", "a_b", "y"), {0: 0, 1: 1}),
    (("background", "cat", "Cat"), ("background", "Cat", "cat"), {0: 0, 1: 2, 2: 1}),
    (("background", "CAT"), ("background", "Cat", "cat"), {0: 0}),  # which one is not known
    (("background", "a-b", "a b"), ("background", "ab"), {0: 0, 1: 1}),
    (("background", "a"), None, {}),
])  # fmt: skip
def test_names_that_are_equal(names, source_names, pairs):
    found = match_classes(names, source_names)
    assert found.source == pairs
    assert {*found.kept, *found.new} == set(names) and not {*found.kept} & {*found.new}


def test_what_does_not_fit_is_refused_and_changes_nothing(source, weights, tmp_path):
    model, before = fresh(4), fresh(4).state_dict()
    short = weights | {"classifier.weight": weights["classifier.weight"][:7]}
    broken = weights | {"encoder.norm1.weight": torch.full_like(weights["encoder.norm1.weight"], float("nan"))}
    for given, says in (
        (short, "classifier.weight has 7 rows; expected 20, for 21 classes"),
        (broken, "encoder.norm1.weight"),
        (recipe_weights("mit_b1"), "holds a mit_b1; expected mit_b0: choose the backbone 'mit_b1'"),
    ):
        with pytest.raises(ValueError, match=says):
            load_any(model, given, class_names=OWN)
    with pytest.raises(CheckpointError, match="got 3 class names; expected 4"):
        load_any(model, weights, class_names=OWN[:3])
    target = tmp_path / "wrong.safetensors"
    target.write_bytes(source.read_bytes())
    target.with_suffix(".json").write_text(source_card(VOC_CLASSES[:5]).to_json())
    with pytest.raises(CheckpointError, match="the card names 5 classes but the weights have 21"):
        load_any(model, target, class_names=OWN)
    assert all(torch.equal(tensor, before[key]) for key, tensor in model.state_dict().items())


# --- the command -----------------------------------------------------------------------------------------------------

SETTINGS = {
    "preset": "folder", "backbone": "mit_b0", "pretrained": False, "crop_size": 32, "input_size": 32, "max_iters": 2,
    "cam_iters": 0, "joint_after": 1, "warmup_iters": 1, "explain": {"scales": [1.0], "num_iters": 1, "flip": False},
}  # fmt: skip


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """Own images of two classes: cat, which VOC has, and fire engine, which it has not."""
    root = tmp_path_factory.mktemp("tree")
    make_folder(root)
    (root / "small.json").write_text(json.dumps(SETTINGS))
    return root


def train(tree, out, *more):
    return main(["train", "--config", str(tree / "small.json"), "--root", str(tree), "--out", str(out), "--device",
                 "cpu", "--eval-images", "1", "--readers", "1", *more])  # fmt: skip


def test_the_command_says_what_it_kept_and_the_run_goes_on_without_the_source(source, tree, tmp_path, capsys):
    assert train(tree, tmp_path / "run", "--init", str(source.parent), "--until", "0") == 0
    shown = capsys.readouterr()
    assert "class heads of 2 of 3 classes kept by name (background, cat); begun anew: fire engine" in shown.err
    json.loads(shown.out)
    card = Card.read(tmp_path / "run" / "model.json")
    assert card.class_names == ("background", "cat", "fire engine") and card.licence == "CC0-1.0"
    assert train(tree, tmp_path / "run", "--init", str(tmp_path / "moved"), "--resume", "--until", "0") == 0
    assert "class heads" not in capsys.readouterr().err
    assert load_model(tmp_path / "run", "cpu").num_classes == 3


def test_the_hub_is_a_source_like_any_other(source, tree, tmp_path, monkeypatch, capsys):
    from afa_viz.model import hub

    def file(self, name):
        assert self.repo == "owner/repo"
        path = source.parent / name
        if not path.exists():
            raise hub.errors.EntryNotFoundError(name)
        return path

    monkeypatch.setattr(hub.HubFiles, "_file", file)
    assert train(tree, tmp_path / "run", "--init", "hf://owner/repo", "--until", "0") == 0
    assert "(background, cat); begun anew: fire engine" in capsys.readouterr().err


def test_another_backbone_is_refused_in_one_sentence(source, tree, tmp_path, capsys):
    assert train(tree, tmp_path / "run", "--init", str(source), "--set", "backbone=mit_b1") == 2
    shown = capsys.readouterr().err.strip().splitlines()
    assert shown[-1].startswith("afa_viz: ") and "choose the backbone 'mit_b0'" in shown[-1]
    assert not list((tmp_path / "run").glob("*.pt"))


def test_a_card_of_the_same_number_of_other_classes_is_not_taken_as_it_is(tmp_path, weights):
    """Equal numbers of classes do not make equal classes."""
    others = ("background", *(f"kind {i}" for i in range(20)))
    model = build_afa("mit_b0", 21)
    model.load_state_dict(weights)
    save_model(model, tmp_path / "m.safetensors", dataclasses.replace(source_card(), class_names=others))
    report = load_any(fresh(21), tmp_path, class_names=VOC_CLASSES)
    assert report.class_rows.kept == ("background",) and len(report.class_rows.new) == 20
