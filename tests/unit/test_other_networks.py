"""Checkpoints of other methods are named as what they are; AFA's are found in any container and behind any prefix."""

from __future__ import annotations

import argparse
import logging

import pytest
import torch
from golden_vectors import recipe_weights
from torch import Tensor

from afa_viz.model.afa import AFA, build_afa
from afa_viz.model.card import CheckpointError
from afa_viz.model.checkpoint import load_any, load_model
from afa_viz.model.other_networks import NETWORKS

DIM = 8


@pytest.fixture(scope="module")
def weights() -> dict[str, Tensor]:
    return recipe_weights("mit_b0")


def vit(prefix: str = "", tokens: int = 1) -> dict[str, Tensor]:
    """A small ViT under the names of timm."""
    return {
        f"{prefix}cls_token": torch.zeros(1, tokens, DIM),
        f"{prefix}pos_embed": torch.zeros(1, 196 + tokens, DIM),
        f"{prefix}patch_embed.proj.weight": torch.zeros(DIM, 3, 16, 16),
        f"{prefix}blocks.0.attn.qkv.weight": torch.zeros(3 * DIM, DIM),
        f"{prefix}norm.weight": torch.zeros(DIM),
    }


def zeros(*names: str, shape: tuple[int, ...] = (DIM,)) -> dict[str, Tensor]:
    return {name: torch.zeros(shape) for name in names}


CONV_HEAD = {"head.weight": torch.zeros(20, DIM, 3, 3), "head.bias": torch.zeros(20)}
HEADS = zeros("classifier.weight", "aux_classifier.weight", shape=(20, DIM, 1, 1))
TOCO = vit("encoder.") | HEADS | zeros("proj_head.mlp.0.weight", "proj_head_t.mlp.0.weight", "decoder.conv6.weight")
SECO = TOCO | vit("encoder_k.") | zeros("prototypes", "queue", "queue_ptr", "decoder.c0.weight")
OTHERS = {
    "ToCo": TOCO,
    "SeCo": SECO,
    "DuPL": {f"{branch}.{key}": t for branch in ("branch1", "branch2") for key, t in TOCO.items()},
    "MCTformer": vit(tokens=20) | CONV_HEAD,
    "WeakTr": vit(tokens=20) | CONV_HEAD | zeros("adaptive_attention_fusion.fc.0.weight"),
    "TS-CAM": vit() | CONV_HEAD,
    "ViT or DeiT": vit() | zeros("head.weight", shape=(1000, DIM)),
    "WeakTr's second stage": vit("encoder.") | zeros("decoder.cls_emb", "decoder.proj_patch"),
    "SEAM": zeros("fc8.weight", "f8_3.weight", "f8_4.weight", "f9.weight", "b2.conv_branch2a.weight"),
    "IRN's CAM network": zeros(
        "resnet50.conv1.weight", "stage1.0.weight", "stage4.0.0.conv1.weight", "classifier.weight"
    ),
    "ResNet": zeros("conv1.weight", "layer1.0.conv1.weight", "layer4.0.conv1.weight", "fc.weight"),
}


@pytest.fixture(scope="module")
def network() -> AFA:
    """For weights that are refused: it stays as it is."""
    return build_afa("mit_b0", 21)


@pytest.mark.parametrize("wrap", [dict, lambda s: {f"module.{k}": t for k, t in s.items()}, lambda s: {"model": s}],
                         ids=["plain", "module", "container"])  # fmt: skip
@pytest.mark.parametrize("name", OTHERS)
def test_other_methods_are_named(name, wrap, network, tmp_path):
    path = tmp_path / "best.pth"
    torch.save(wrap(OTHERS[name]), path)
    with pytest.raises(CheckpointError) as caught:
        load_model(path, device="cpu")
    sentence = str(caught.value)
    assert f"are those of {name}, " in sentence and "expected AFA's network" in sentence
    assert "build_afa" not in sentence and sentence.endswith(".") and ". " not in sentence
    with pytest.raises(CheckpointError, match=f"those of {name}"):
        load_any(network, OTHERS[name])


def test_no_network_of_ours_is_taken_for_another(weights):
    for backbone in ("mit_b0", "pvt_v2_b0"):
        state = build_afa(backbone, 21).state_dict()
        assert not [other.name for other in NETWORKS if other.matches(state)]


@pytest.mark.parametrize("container", ["net", "wetr", "student", "ema", "state_dict", "model", "network", "teacher"])
@pytest.mark.parametrize("prefix", ["", "net.", "model.", "module.", "module.net.", "wetr.", "student.", "ema."])
def test_containers_and_prefixes(container, prefix, weights, tmp_path):
    path = tmp_path / "last.ckpt"
    torch.save({"epoch": 3, container: {prefix + key: t for key, t in weights.items()}}, path)
    model = load_model(path, device="cpu")
    assert torch.equal(model.classifier.weight, weights["classifier.weight"])


def test_a_lightning_checkpoint(weights, tmp_path):
    held = {
        "pytorch-lightning_version": "2.4.0",
        "global_step": 7,
        "hyper_parameters": {"lr": 1e-4, "model": {"name": "x"}},
        "optimizer_states": [{"state": {}}],
        "state_dict": {f"model.{key}": tensor for key, tensor in weights.items()},
    }
    torch.save(held, tmp_path / "epoch=1.ckpt")
    assert load_model(tmp_path / "epoch=1.ckpt", device="cpu").card.num_classes == 21


@pytest.mark.parametrize("form", ["containers", "prefixes"])
def test_of_two_copies_one_is_read_and_the_other_named(form, weights, tmp_path, caplog):
    other = {key: t + 1 if t.is_floating_point() else t for key, t in weights.items()}
    if form == "containers":
        held = {"ema": other, "model": weights}
    else:
        held = {f"teacher.{k}": t for k, t in other.items()} | {f"student.{k}": t for k, t in weights.items()}
    path = tmp_path / "two.pth"
    torch.save(held, path)
    with caplog.at_level(logging.WARNING):
        model = load_model(path, device="cpu")
    assert torch.equal(model.classifier.weight, weights["classifier.weight"])
    told = " ".join(record.getMessage() for record in caplog.records)
    assert (
        "holds model and ema: model is read" if form == "containers" else "student.* is read, teacher.* is not"
    ) in told


def test_options_of_a_run_beside_the_weights(weights, tmp_path):
    torch.save({"model": weights, "args": argparse.Namespace(lr=1e-4)}, tmp_path / "checkpoint.pth")
    assert load_model(tmp_path / "checkpoint.pth", device="cpu").card.num_classes == 21


def test_an_archive_of_torch_is_read(weights, tmp_path):
    torch.save({"state_dict": weights}, tmp_path / "checkpoint.pth.tar")
    assert load_model(tmp_path / "checkpoint.pth.tar", device="cpu").card.backbone == "mit_b0"
