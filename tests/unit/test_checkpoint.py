"""Weights in and out: our files and their cards, what does not fit, conversion."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from pathlib import Path

import pytest
import torch
from golden_vectors import recipe_weights
from safetensors.torch import load_file, save_file
from small_checkpoint import refused, save_small, small_card, small_model

import afa_viz
from afa_viz import classes
from afa_viz.model.afa import AFA, build_afa
from afa_viz.model.card import PARTS, Card, CheckpointError, default_card
from afa_viz.model.checkpoint import convert, load_any, load_model, save_model
from afa_viz.model.empty_weights import EmptyWeights


@pytest.fixture(scope="module")
def card() -> Card:
    return small_card()


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    return save_small(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture(scope="module")
def model() -> AFA:
    return small_model()


@pytest.fixture(scope="module")
def weights() -> dict[str, torch.Tensor]:
    return recipe_weights("mit_b0")


@pytest.fixture
def copy_of(saved, tmp_path):
    """Copies of the saved weights under other names, with the card unless `bare`."""

    def copy(name: str = "copy.safetensors", bare: bool = False) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(saved.read_bytes())
        if not bare:
            path.with_suffix(".json").write_text(saved.with_suffix(".json").read_text())
        return path

    return copy


class TestOurFormat:
    def test_round_trip_is_bit_exact(self, saved, weights, card):
        state = torch.random.get_rng_state()
        model = load_model(saved, device="cpu")
        assert torch.equal(torch.random.get_rng_state(), state)
        assert isinstance(model, AFA) and not model.training and model.card == card
        assert (model.pooling, model.topk, model.logit_offset) == ("topk", 0.2, 1.5)
        assert model.checkpoint_id == hashlib.sha256(saved.read_bytes()).hexdigest()[:12]
        for key, tensor in model.state_dict().items():
            assert tensor.dtype == weights[key].dtype and torch.equal(tensor, weights[key]), key

    @pytest.mark.parametrize("backbone", ["mit_b0", "pvt_v2_b0"])
    def test_first_weights_are_not_drawn_where_those_of_a_file_fill_every_tensor(self, backbone):
        before = torch.random.get_rng_state()
        with EmptyWeights():
            network = build_afa(backbone, 21)
        assert torch.equal(torch.random.get_rng_state(), before)
        held = {name for name, _ in [*network.named_parameters(), *network.named_buffers()]}
        assert held == set(network.state_dict()), "what is not in a file would stay empty"

    def test_half(self, model, weights, card, tmp_path, saved):
        path = tmp_path / "half.safetensors"
        save_model(model, path, card, half=True)
        assert path.stat().st_size < 0.52 * saved.stat().st_size
        stored = load_file(path)
        assert stored["classifier.weight"].dtype == torch.float16
        assert stored["decoder.linear_fuse.bn.num_batches_tracked"].dtype == torch.int64
        for key, tensor in load_model(path).state_dict().items():
            assert tensor.dtype == weights[key].dtype
            torch.testing.assert_close(tensor, weights[key].to(tensor.device), rtol=2**-11, atol=2**-25)
        for key, tensor in model.state_dict().items():
            assert torch.equal(tensor, weights[key])

    def test_half_keeps_what_overflows_as_it_is(self, card, tmp_path):
        model = build_afa("mit_b0", 21, "topk", topk=0.2, logit_offset=1.5)
        model.attn_proj.bias.data.fill_(1e5)
        save_model(model, tmp_path / "x.safetensors", card, half=True)
        assert load_model(tmp_path / "x.safetensors", device="cpu").attn_proj.bias.item() == 1e5
        model.attn_proj.bias.data.fill_(float("inf"))
        with pytest.raises(ValueError, match=r"attn_proj\.bias holds 1 NaN or infinite"):
            save_model(model, tmp_path / "y.safetensors", card, half=True)
        assert sorted(file.name for file in tmp_path.iterdir()) == ["x.json", "x.safetensors"]

    def test_saving_leaves_nothing_behind_and_replaces(self, model, card, tmp_path):
        path = tmp_path / "new" / "x.safetensors"
        for score in (0.1, 0.2):
            save_model(model, path, dataclasses.replace(card, scores={"miou": score}))
        assert sorted(file.name for file in path.parent.iterdir()) == ["x.json", "x.safetensors"]
        assert path.stat().st_mode == path.with_suffix(".json").stat().st_mode  # whoever may read one may read both
        assert load_model(path).card.scores == {"miou": 0.2}

    def test_other_weights_are_no_longer_those_of_the_file(self, saved):
        model = load_model(saved)
        load_any(model, model.state_dict())
        assert model.checkpoint_id == ""

    def test_broken_off_saving_keeps_the_old_file(self, model, card, copy_of, monkeypatch):
        path = copy_of()
        before = path.read_bytes()
        monkeypatch.setattr(Card, "to_json", lambda self: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            save_model(model, path, card)
        assert path.read_bytes() == before and len(list(path.parent.iterdir())) == 2

    @pytest.mark.parametrize(
        "change", [{"topk": 0.3}, {"pooling": "max"}, {"logit_offset": 0.0}, {"backbone": "mit_b1"}]
    )
    def test_card_must_agree_with_the_model(self, model, card, tmp_path, change):
        with pytest.raises(CheckpointError, match=f"the card says {next(iter(change))} .*; expected the model's"):
            save_model(model, tmp_path / "x.safetensors", dataclasses.replace(card, **change))

    def test_name_must_end_in_safetensors(self, model, card, tmp_path):
        with pytest.raises(CheckpointError, match=r"got x\.pth; expected a name that ends in \.safetensors"):
            save_model(model, tmp_path / "x.pth", card)

    def test_front_door(self, saved):
        assert afa_viz.load_model is load_model
        assert load_model(str(saved), device=torch.device("cpu")).card.licence == "CC0-1.0"

    def test_without_card_published_settings_are_assumed(self, copy_of, caplog):
        model = load_model(copy_of(bare=True))
        assert (model.pooling, model.card) == ("max", default_card("mit_b0", 21))
        assert model.card.class_names == classes.VOC_CLASSES and model.card.palette == classes.palette(21)
        assert "has no card" in caplog.text

    def test_folder(self, copy_of):
        folder = copy_of("one.safetensors").parent
        assert load_model(folder).card.input_size == 320
        copy_of("two.safetensors")
        refused(folder, "has one.safetensors, two.safetensors", "name the file")
        copy_of("model.safetensors")
        assert load_model(folder).card.input_size == 320

    def test_folder_without_weights(self, tmp_path):
        refused(tmp_path, "has no .safetensors file")


class TestCard:
    def test_round_trip(self, card):
        assert Card.from_json(card.to_json()) == card
        assert set(json.loads(card.to_json())) == {field.name for field in dataclasses.fields(Card)}

    def test_numbers_of_any_kind_can_be_written(self, card):
        scores = {
            "a": float("nan"),
            "b": torch.tensor(0.25),
            "c": (1, torch.tensor([1.0, float("inf")])),
            "d": Path("x"),
        }
        back = Card.from_json(dataclasses.replace(card, scores=scores).to_json())
        assert back.scores == {"a": None, "b": 0.25, "c": [1, [1.0, None]], "d": "x"}

    def test_unknown_and_missing_fields(self, card):
        data = json.loads(card.to_json())
        del data["palette"], data["mean"]
        with pytest.raises(
            CheckpointError, match="the card lacks palette, mean and has unknown colour; expected exactly"
        ):
            Card.from_json(json.dumps(data | {"colour": 1}))

    @pytest.mark.parametrize("text", ["", "{", "[" * 100_000], ids=["empty", "cut", "deep"])
    def test_no_json(self, text):
        with pytest.raises(CheckpointError, match="not valid JSON"):
            Card.from_json(text)

    def test_other_json(self):
        with pytest.raises(CheckpointError, match="holds a JSON list; expected an object"):
            Card.from_json("[]")

    def test_newer_format(self, card):
        with pytest.raises(CheckpointError, match="has format 2; expected 1: a newer afa_viz wrote it"):
            Card.from_json(json.dumps(json.loads(card.to_json()) | {"format": 2}))

    @pytest.mark.parametrize(
        "field,value",
        [
            ("num_classes", 20), ("num_classes", True), ("num_classes", "21"), ("class_names", "abc"),
            ("class_names", [1] * 21), ("palette", [[0, 0, 256]] * 21), ("palette", [[0, 0]] * 21),
            ("palette", [1] * 21), ("mean", [1, 2]), ("mean", None), ("std", [1, 0, 1]), ("std", [1, "x", 1]),
            ("input_size", 0), ("topk", 0), ("topk", "x"), ("logit_offset", None), ("cam_relu", 1),
            ("backbone", 3), ("licence", None),
            ("training", []), ("parts", ["decoder"]), ("parts", ["encoder", "tail"]),
        ],
    )  # fmt: skip
    def test_wrong_values(self, card, field, value):
        with pytest.raises(CheckpointError, match=r"the card's \w+ is .*; expected .*: correct the card\.$"):
            Card.from_json(json.dumps(json.loads(card.to_json()) | {field: value}))

    def test_infinity_in_json(self, card):
        text = card.to_json().replace('"logit_offset": 1.5', '"logit_offset": Infinity')
        with pytest.raises(CheckpointError, match="logit_offset is inf"):
            Card.from_json(text)

    @pytest.mark.parametrize("change,said", [({"backbone": "resnet"}, "resnet"), ({"pooling": "soft"}, "soft")])
    def test_unknown_names(self, copy_of, change, said):
        path = copy_of()
        card = path.with_suffix(".json")
        card.write_text(json.dumps(json.loads(card.read_text()) | change))
        refused(path, said, kind=ValueError)

    def test_no_text(self, copy_of):
        path = copy_of()
        path.with_suffix(".json").write_bytes(b"\xff\xfe\x00")
        refused(path, "is not text")

    def test_other_numbers_of_classes_have_names(self):
        assert default_card("mit_b0", 4).class_names == ("background", "class 1", "class 2", "class 3")
        assert default_card("pvt_v2_b0", 81).class_names == classes.COCO_CLASSES


class TestWhatDoesNotFit:
    def change(self, path: Path, **tensors: torch.Tensor | None) -> Path:
        state = load_file(path) | {key.replace("__", "."): tensor for key, tensor in tensors.items()}
        save_file({key: tensor for key, tensor in state.items() if tensor is not None}, path)
        return path

    def test_missing(self, copy_of):
        path = self.change(copy_of(), encoder__norm1__bias=None, classifier__weight=None)
        refused(path, "mit_b0 with 21 classes (missing: encoder.norm1.bias, classifier.weight)")

    def test_many_missing_are_counted(self, copy_of):
        path = copy_of()
        state = {key: tensor for key, tensor in load_file(path).items() if not key.startswith("decoder.")}
        save_file(state, path)
        refused(path, "missing: decoder.linear_c4.proj.weight", "and 13 more)")

    def test_extra(self, copy_of):
        refused(self.change(copy_of(), aux__weight=torch.zeros(1)), "(extra: aux.weight)")

    def test_wrong_shape(self, copy_of):
        path = self.change(copy_of(), attn_proj__weight=torch.zeros(1, 8, 1, 1))
        refused(path, "attn_proj.weight [1, 8, 1, 1] instead of [1, 16, 1, 1]")

    def test_everything_at_once_is_one_sentence(self, copy_of):
        path = self.change(copy_of(), encoder__norm1__bias=None, a=torch.zeros(1), attn_proj__bias=torch.zeros(2))
        refused(path, "missing: encoder.norm1.bias; extra: a; of the wrong shape or type: attn_proj.bias [2]")

    @pytest.mark.parametrize("value", [torch.nan, torch.inf])
    def test_not_finite(self, copy_of, value):
        refused(self.change(copy_of(), attn_proj__bias=torch.full((1,), value)), "attn_proj.bias of", kind=ValueError)

    def test_wrong_number_of_classes_in_the_card(self, copy_of):
        path = copy_of()
        path.with_suffix(".json").write_text(default_card("mit_b0", 13).to_json())
        refused(
            path, "does not fit mit_b0 with 13 classes", "classifier.weight [20, 256, 1, 1] instead of [12, 256, 1, 1]"
        )

    def test_other_backbone_in_the_card(self, copy_of):
        path = copy_of()
        path.with_suffix(".json").write_text(default_card("pvt_v2_b0", 21).to_json())
        refused(path, "does not fit pvt_v2_b0", "more")

    def test_encoder_alone_without_card(self, copy_of):
        path = copy_of(bare=True)
        save_file({key: tensor for key, tensor in load_file(path).items() if key.startswith("encoder.")}, path)
        refused(path, "holds encoder only", "load_any")

    @pytest.mark.parametrize("share", [0.0, 0.0001, 0.5, 0.9999])
    def test_cut_safetensors(self, copy_of, share):
        path = copy_of()
        content = path.read_bytes()
        path.write_bytes(content[: int(share * len(content))])
        refused(path, "copy.safetensors cannot be read", "fetch it again")

    def test_tampered_header(self, copy_of):
        path = copy_of()
        content = bytearray(path.read_bytes())
        content[:8] = (2**60).to_bytes(8, "little")
        path.write_bytes(content)
        refused(path, "cannot be read")

    def test_large_file_pointer(self, tmp_path):
        (tmp_path / "x.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
        refused(tmp_path / "x.safetensors", "is a Git LFS pointer", "git lfs pull")

    def test_nothing_there(self, tmp_path):
        refused(tmp_path / "x.safetensors", "there is no", "check the path", kind=FileNotFoundError)

    def test_other_kind_of_file(self, tmp_path):
        (tmp_path / "x.txt").write_text("x")
        refused(tmp_path / "x.txt", "x.txt is not a checkpoint", ".safetensors, .pth, .pt, .bin")

    @pytest.mark.parametrize("device", ["tpu", "cuda:99", "meta", "", None, "cpu:x"])
    def test_device_that_is_not_there(self, saved, device):
        refused(saved, "expected one that is here (auto, cpu", device=device)


class TestConvert:
    def test_authors_file(self, weights, tmp_path):
        torch.save({f"module.{key}": tensor for key, tensor in weights.items()}, tmp_path / "x.pth")
        card = convert(tmp_path / "x.pth", tmp_path / "y.safetensors", backbone="mit_b0", num_classes=21)
        model = load_model(tmp_path / "y.safetensors")
        assert model.card == card == default_card("mit_b0", 21)
        assert all(torch.equal(tensor.cpu(), weights[key]) for key, tensor in model.state_dict().items())

    def test_ours_keeps_its_card(self, saved, card, tmp_path):
        assert convert(saved, tmp_path / "half.safetensors", half=True) == card
        assert load_model(tmp_path / "half.safetensors").card == card

    def test_encoder_alone(self, weights, tmp_path):
        state = {k.removeprefix("encoder."): v for k, v in weights.items() if k.startswith("encoder.")}
        torch.save(state | {"head.weight": torch.zeros(1000, 256)}, tmp_path / "mit_b0.pth")
        card = convert(tmp_path / "mit_b0.pth", tmp_path / "y.safetensors")
        assert (card.backbone, card.num_classes, card.parts, card.class_names) == ("mit_b0", 0, ("encoder",), ())
        assert Card.from_json((tmp_path / "y.json").read_text()) == card
        refused(tmp_path / "y.safetensors", "holds encoder only", "load_any")
        model = build_afa("mit_b0", 4)
        assert load_any(model, tmp_path / "y.safetensors").unchanged == PARTS[1:]
        assert torch.equal(model.encoder.norm4.weight, weights["encoder.norm4.weight"])

    @pytest.mark.parametrize("options", [{"backbone": "mit_b1"}, {"num_classes": 81}])
    def test_other_than_asked_for(self, saved, tmp_path, options):
        said = re.escape(
            f"small.safetensors is a mit_b0 with 21 classes; expected {options.get('backbone', 'mit_b0')} with"
        )
        with pytest.raises(CheckpointError, match=said):
            convert(saved, tmp_path / "y.safetensors", **options)
        assert not list(tmp_path.iterdir())
