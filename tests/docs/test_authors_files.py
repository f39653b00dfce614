"""The authors' checkpoints: every container they come in, cut and hostile files."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest
import torch
from golden_vectors import cases, check, recipe_weights
from small_checkpoint import refused

from afa_viz import classes
from afa_viz.model.checkpoint import load_model


@pytest.fixture(scope="module")
def weights() -> dict[str, torch.Tensor]:
    return recipe_weights("mit_b0")


@pytest.fixture(scope="module")
def pth(weights, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("authors") / "wetr_iter_20000.pth"
    torch.save({f"module.{key}": tensor for key, tensor in weights.items()}, path)
    return path


class TestAuthorsFiles:
    @pytest.mark.parametrize("name", ["b0_64x96", "b0_odd_75x101"])
    def test_forward_equals_the_golden_one(self, pth, name):
        _, _, inputs, outputs = next(case for case in cases("model_forward") if case[0] == name)
        model = load_model(pth, device="cpu")
        with torch.no_grad():
            out = model.forward_intermediates(inputs["image"])
        check(out.class_logits, outputs["cls_logits"])
        check(out.seg_logits, outputs["seg_logits"])
        check(out.cam, outputs["cam"])
        assert model.card.class_names == classes.VOC_CLASSES and "non-commercial" in model.card.licence

    @pytest.mark.parametrize("wrap", [dict, lambda s: {"state_dict": s}, lambda s: {"model": s, "iteration": 3}])
    @pytest.mark.parametrize("old", [False, True], ids=["zip", "old"])
    def test_containers_and_old_files(self, weights, tmp_path, wrap, old):
        torch.save(wrap(weights), tmp_path / "x.pt", _use_new_zipfile_serialization=not old)
        assert load_model(tmp_path / "x.pt").card.backbone == "mit_b0"

    def test_bigger_backbone_is_recognised(self, tmp_path):
        torch.save(recipe_weights("mit_b1"), tmp_path / "x.bin")
        assert load_model(tmp_path / "x.bin").card.backbone == "mit_b1"

    @pytest.mark.parametrize("old", [False, True], ids=["zip", "old"])
    def test_untrusted_pickle_does_nothing(self, tmp_path, old):
        mark = tmp_path / "mark"
        path = tmp_path / "x.pth"
        torch.save({"classifier.weight": Hostile(mark)}, path, _use_new_zipfile_serialization=not old)
        refused(path, "x.pth cannot be read", "no code is run")
        assert not mark.exists()

    def test_untrusted_plain_pickle_does_nothing(self, tmp_path):
        mark = tmp_path / "mark"
        (tmp_path / "x.bin").write_bytes(pickle.dumps(Hostile(mark)))
        refused(tmp_path / "x.bin", "cannot be read")
        assert not mark.exists()

    @pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
    def test_cut_file(self, pth, tmp_path, share):
        content = pth.read_bytes()
        (tmp_path / "x.pth").write_bytes(content[: int(share * len(content))])
        refused(tmp_path / "x.pth", "x.pth cannot be read")

    @pytest.mark.parametrize("content", [[1, 2], {"epoch": 3}, torch.zeros(3)], ids=["list", "numbers", "tensor"])
    def test_no_state_dict(self, tmp_path, content):
        torch.save(content, tmp_path / "x.pth")
        refused(tmp_path / "x.pth", "is not a state dict")


class Hostile:
    """Its pickle makes a folder when it is opened carelessly."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)
