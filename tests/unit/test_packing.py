"""Packed checkpoints: a quarter of the size, every weight within half a level, damage refused."""

from __future__ import annotations

import pytest
import torch
from golden_vectors import recipe_weights
from safetensors.torch import load_file, save_file

from afa_viz.model import packing
from afa_viz.model.afa import build_afa
from afa_viz.model.card import CheckpointError, default_card
from afa_viz.model.checkpoint import load_model, save_model


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("packed")
    model = build_afa("mit_b0", 21)
    model.load_state_dict(recipe_weights("mit_b0"))
    save_model(model, folder / "whole.safetensors", default_card("mit_b0", 21))
    save_model(model, folder / "packed.safetensors", default_card("mit_b0", 21), packed=True)
    return folder


def test_a_quarter_of_the_size_and_within_half_a_level(files):
    whole, packed = files / "whole.safetensors", files / "packed.safetensors"
    assert packed.stat().st_size < 0.28 * whole.stat().st_size
    wanted, found = load_model(whole).state_dict(), load_model(packed).state_dict()
    assert wanted.keys() == found.keys()
    for name, tensor in wanted.items():
        rows = tensor.float().reshape(len(tensor), -1) if tensor.dim() >= 2 else None
        if rows is None:
            torch.testing.assert_close(found[name], tensor, rtol=1e-3, atol=1e-6)
        else:
            level = rows.abs().amax(dim=1) / packing.LEVELS
            assert ((found[name].reshape(len(tensor), -1) - rows).abs() <= 0.501 * level[:, None] + 1e-12).all(), name


def test_the_network_says_nearly_the_same(files):
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        wanted, found = (load_model(files / name)(image) for name in ("whole.safetensors", "packed.safetensors"))
    torch.testing.assert_close(found.affinity, wanted.affinity, atol=0.02, rtol=0)
    spread = wanted.seg_logits.std()
    assert (found.seg_logits - wanted.seg_logits).abs().mean() < 0.05 * spread


def test_packing_rows_of_zeros_and_keeping_integers():
    state = {"a": torch.zeros(2, 3), "b": torch.tensor([1.0, 2.0]), "n": torch.tensor(7)}
    back = packing.unpack(packing.pack(state))
    assert set(back) == set(state) and all(torch.equal(back[name].float(), state[name].float()) for name in state)
    assert packing.unpack(state) == state


@pytest.mark.parametrize("how", [{"half": True}, {"packed": True}, {"half": True, "packed": True}], ids=str)
@pytest.mark.parametrize("value", [1e5, -7e4, 3e38, 1e-9])
def test_what_half_precision_can_not_hold_is_stored_as_it_is(tmp_path, how, value):
    model = build_afa("mit_b0", 21)
    with torch.no_grad():
        model.decoder.linear_fuse.bn.running_var.fill_(abs(value))
        model.decoder.linear_fuse.bn.running_mean[0] = value
        model.classifier.weight[3] = value
    save_model(model, tmp_path / "x.safetensors", default_card("mit_b0", 21), **how)
    found = load_model(tmp_path / "x.safetensors")
    assert torch.equal(found.decoder.linear_fuse.bn.running_var, model.decoder.linear_fuse.bn.running_var)
    tiny = abs(value) < 1e-6  # among larger ones it may vanish, as float16 and int8 have it
    torch.testing.assert_close(found.decoder.linear_fuse.bn.running_mean[0].item(), 0.0 if tiny else value)
    if not tiny:
        torch.testing.assert_close(found.classifier.weight[3], model.classifier.weight[3], rtol=0.01, atol=0)
    stored = load_file(tmp_path / "x.safetensors")
    assert stored["decoder.linear_fuse.bn.weight"].dtype == torch.float16, "the others are as small as ever"


@pytest.mark.parametrize("how", [{}, {"half": True}, {"packed": True}], ids=str)
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("key", ["classifier.weight", "decoder.linear_fuse.bn.running_var"])
def test_no_file_is_written_that_would_not_load(tmp_path, how, value, key):
    model = build_afa("mit_b0", 21)
    model.state_dict()[key].flatten()[5] = value
    with pytest.raises(ValueError, match=f"{key} holds"):
        save_model(model, tmp_path / "x.safetensors", default_card("mit_b0", 21), **how)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("change", ["scale missing", "matrix missing", "too few scales"])
def test_damage_is_refused_in_a_sentence(files, tmp_path, change):
    stored = load_file(files / "packed.safetensors")
    name = "classifier.weight"
    if change == "scale missing":
        del stored[name + packing.SCALE]
    elif change == "matrix missing":
        del stored[name]
    else:
        stored[name + packing.SCALE] = stored[name + packing.SCALE][:-1].clone()
    save_file(stored, tmp_path / "x.safetensors")
    with pytest.raises(CheckpointError, match=r"x\.safetensors cannot be read .* expected a whole file"):
        load_model(tmp_path / "x.safetensors")
