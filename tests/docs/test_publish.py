"""`push`: what is sent to the hub, that it loads again, and refusals as sentences."""

from __future__ import annotations

import json

import pytest
from hub_stub import HUB, committed, httpx, hub  # noqa: F401
from safetensors.torch import save_file

from afa_viz.__main__ import main
from afa_viz.classes import VOC_CLASSES, palette
from afa_viz.model.afa import build_afa
from afa_viz.model.card import Card
from afa_viz.model.checkpoint import load_model, save_model


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    """model.safetensors with a card as a run leaves it."""
    folder = tmp_path_factory.mktemp("run")
    card = Card(
        "mit_b0", 21, VOC_CLASSES, palette(21), licence="not stated; non-commercial",
        training={"config": {"backbone": "mit_b0", "max_iters": 20000}, "data": "PASCAL VOC 2012 train_aug",
                  "rng_seed": 1, "config_sha256": "0123456789abcdef"},
        scores={"miou_seg": 61.5},
    )  # fmt: skip
    save_model(build_afa("mit_b0", 21), folder / "model.safetensors", card)
    return folder


def test_weights_card_settings_and_page_are_sent(run_folder, hub, tmp_path, capsys):  # noqa: F811
    asked, _ = hub
    assert main(["push", str(run_folder), "jane/afa-voc", "--private"]) == 0
    create = json.loads(asked[0].content)
    assert (create["name"], create["organization"]) == ("afa-voc", "jane") and create.get("type", "model") == "model"
    assert create.get("visibility") == "private" or create.get("private") is True
    added, deleted = committed(asked)
    assert sorted(added) == ["README.md", "config.json", "model.json", "model.safetensors"] and not deleted
    assert json.loads(added["config.json"])["max_iters"] == 20000
    page = added["README.md"].decode()
    assert page.startswith("---\nlicense: other\n") and "non-commercial" in page and "| miou_seg | 61.5 |" in page
    assert "0123456789abcdef" in page and "PASCAL VOC 2012 train_aug" in page and 'hf://jane/afa-voc"' in page
    for name in ("model.safetensors", "model.json"):
        (tmp_path / name).write_bytes(added[name])
    assert load_model(tmp_path, "cpu").checkpoint_id == load_model(run_folder, "cpu").checkpoint_id
    assert "load_model('hf://jane/afa-voc')" in capsys.readouterr().out


def test_what_can_not_be_sent_is_a_sentence(run_folder, hub, tmp_path, capsys):  # noqa: F811
    asked, refusals = hub
    save_file({"a": build_afa("mit_b0", 3).classifier.weight}, tmp_path / "bare.safetensors")
    for arguments, words in (
        ((str(run_folder), "afa-voc"), "expected OWNER/NAME"),
        ((str(tmp_path / "bare.safetensors"), "jane/x"), "has no card beside it"),
        ((str(tmp_path / "gone"), "jane/x"), "there is no"),
    ):
        assert main(["push", *arguments]) == 2
        assert words in capsys.readouterr().err
    assert not asked, "nothing was sent"
    refusals.append(httpx.Response(403, json={"error": "You don't own jane"}, request=httpx.Request("POST", HUB)))
    assert main(["push", str(run_folder), "jane/x"]) == 2
    assert "the hub refused jane/x (You don't own jane)" in capsys.readouterr().err
