"""Weights from the hub: read from its cache by its own code, with the network switched off, and its refusals."""

from __future__ import annotations

import logging
import types
from pathlib import Path

import huggingface_hub
import pytest
import torch
from huggingface_hub import errors as hub
from safetensors.torch import load_file
from small_checkpoint import refused, save_small, small_card

from afa_viz.model.afa import build_afa
from afa_viz.model.card import Card, CheckpointError, default_card
from afa_viz.model.checkpoint import load_any, load_model

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="module")
def card() -> Card:
    return small_card()


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    return save_small(tmp_path_factory.mktemp("checkpoint"))


class TestHub:
    """A cache folder as huggingface_hub lays it out, read by its own code with the network switched off."""

    @pytest.fixture(autouse=True)
    def cache(self, tmp_path, monkeypatch) -> Path:
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
        return tmp_path / "hub"

    @pytest.fixture
    def publish(self, cache, saved):
        def publish(repo: str, *names: str, branch: str = "main") -> None:
            root = cache / f"models--{repo.replace('/', '--')}"
            (root / "refs").mkdir(parents=True)
            (root / "refs" / branch).write_text(COMMIT)
            for name in names:
                file = root / "snapshots" / COMMIT / name
                file.parent.mkdir(parents=True, exist_ok=True)
                if file.suffix == ".bin":
                    torch.save(load_file(saved), file)
                else:
                    file.write_bytes(saved.with_suffix(file.suffix).read_bytes())

        return publish

    def test_weights_and_card(self, publish, card):
        publish("lab/afa", "model.safetensors", "model.json")
        for source in ("hf://lab/afa", f"hf://lab/afa@{COMMIT}", "hf://lab/afa@main/model.safetensors"):
            assert load_model(source).card == card

    def test_named_file_in_a_folder(self, publish, card):
        publish("lab/afa", "runs/7/best.safetensors", "runs/7/best.json", branch="v1.0")
        assert load_model("hf://lab/afa@v1.0/runs/7/best.safetensors").card == card

    def test_pickle_where_there_is_no_safetensors(self, publish):
        publish("lab/afa", "pytorch_model.bin")
        assert load_model("hf://lab/afa").card == default_card("mit_b0", 21)

    def test_licence_note(self, publish, caplog):
        publish("nvidia/mit-b0", "model.safetensors")
        publish("smp-hub/mit_b0.imagenet", "model.safetensors")
        publish("lab/afa", "model.safetensors", "model.json")
        with caplog.at_level(logging.WARNING, "afa_viz.model.checkpoint"):
            load_model("hf://lab/afa")
            assert not caplog.records
            for repo in ("nvidia/mit-b0", "smp-hub/mit_b0.imagenet"):
                caplog.clear()
                load_any(build_afa("mit_b0", 21), f"hf://{repo}")
                assert f"{repo}: MiT and SegFormer weights are for non-commercial use" in caplog.text

    def test_offline(self):
        refused(
            "hf://lab/afa",
            "model.safetensors or pytorch_model.bin of lab/afa is not in the cache and the hub cannot be reached",
            kind=FileNotFoundError,
        )

    @pytest.mark.parametrize(
        "source", ["hf://", "hf://afa", "hf:/lab/afa", "hf://lab/afa@", "hf://la b/afa", "hf://../.."]
    )
    def test_malformed_address(self, source):
        refused(source, f"got {source!r}; expected hf://owner/repo")

    def test_name_that_the_hub_forbids(self):
        refused("hf://lab/afa--x", "lab/afa--x is not a name on the hub")

    @pytest.mark.parametrize(
        "fault,kind,said",
        [
            (hub.RepositoryNotFoundError, CheckpointError, "lab/afa@v2 is not on the hub"),
            (hub.RevisionNotFoundError, CheckpointError, "lab/afa@v2 is no revision on the hub"),
            (hub.HfHubHTTPError, CheckpointError, "lab/afa@v2 HfHubHTTPError; expected a model of the hub in reach"),
            (hub.RemoteEntryNotFoundError, FileNotFoundError, "has no model.safetensors or pytorch_model.bin"),
        ],
    )
    def test_refusals_of_the_hub(self, monkeypatch, fault, kind, said):
        def refuse(repo, name, revision):
            assert (repo, revision) == ("lab/afa", "v2")
            raise fault("no", response=types.SimpleNamespace(headers={}, request=None))

        monkeypatch.setattr(huggingface_hub, "hf_hub_download", refuse)
        refused("hf://lab/afa@v2", said, kind=kind)
