"""Weight layouts: transformers and timm themselves are the oracles, the tables of the others are spelt out again."""

from __future__ import annotations

import copy
import json
import re

import pytest
import torch
from golden_vectors import ROOT, recipe_weights
from safetensors.torch import save_file
from torch import nn

from afa_viz.model import layouts
from afa_viz.model.afa import BACKBONES, build_afa
from afa_viz.model.card import PARTS, CheckpointError
from afa_viz.model.checkpoint import load_any, load_model

IMAGE = (1, 3, 75, 101)  # no multiple of any stride


@pytest.fixture(scope="module")
def weights() -> dict[str, torch.Tensor]:
    return recipe_weights("mit_b0")


def timm_model(name: str) -> nn.Module:
    import timm  # takes seconds, which whoever collects these tests is spared

    return timm.create_model(name)


@pytest.fixture(scope="module")
def segformer():
    """transformers' SegFormer at the size of MiT-B0, last stage at stride 16, every weight moved off its start."""
    import transformers

    config = transformers.SegformerConfig(
        depths=[2, 2, 2, 2],
        hidden_sizes=[32, 64, 160, 256],
        decoder_hidden_size=256,
        num_labels=21,
        strides=[4, 2, 2, 1],
    )
    net = transformers.SegformerForSemanticSegmentation(config).eval()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for tensor in net.state_dict().values():
            if tensor.is_floating_point():
                tensor.add_(0.2 * torch.rand(tensor.shape, generator=generator))
    return net


def with_eps_of(model: nn.Module, eps: float) -> nn.Module:
    model = copy.deepcopy(model).eval()
    for module in model.modules():
        if isinstance(module, nn.LayerNorm):
            module.eps = eps
    return model


def largest_difference(a: torch.Tensor, b: torch.Tensor) -> float:
    assert a.shape == b.shape
    return (a - b).abs().max().item()


def assert_like_transformers(model, net) -> None:
    """Features and segmentation logits, relative to their size.

    In float64 they are the same. In float32 the order of the sums in a convolution is each one's own: ours may lie at
    most twice as far from that as theirs.
    """
    image = torch.randn(IMAGE)
    model = with_eps_of(model, 1e-5)  # transformers has 1e-5 everywhere
    with torch.no_grad():
        theirs = net(image, output_hidden_states=True)
        single = model.encoder(image)
        logits = model.decoder(list(theirs.hidden_states))
        exact = copy.deepcopy(net).double()(image.double(), output_hidden_states=True)
        double = copy.deepcopy(model).double().encoder(image.double())
    assert largest_difference(logits, theirs.logits) <= 1e-5 * theirs.logits.abs().max()
    for ours, ours32, maps32, maps in zip(double, single, theirs.hidden_states, exact.hidden_states, strict=True):
        assert largest_difference(ours, maps) <= 1e-12 * maps.abs().max()
        assert largest_difference(ours32.double(), maps) <= 2 * largest_difference(maps32.double(), maps)


def test_transformers_in_memory(segformer):
    model = build_afa("mit_b0", 21)
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    report = load_any(model, segformer.state_dict())
    assert report.layout == "transformers_v5" and report.unused == ()
    assert report.loaded == ("encoder", "decoder") and report.unchanged == ("attn_proj", "classifier")
    assert "non-commercial" in report.licence
    assert_like_transformers(model, segformer)
    for key in ("attn_proj.weight", "classifier.weight"):
        assert torch.equal(model.state_dict()[key], before[key])


def test_transformers_on_disk(segformer, tmp_path):
    segformer.save_pretrained(tmp_path)
    model = build_afa("mit_b0", 21)
    assert load_any(model, tmp_path).layout == "transformers"
    assert_like_transformers(model, segformer)
    with pytest.raises(CheckpointError, match="holds encoder, decoder only.*load_any"):
        load_model(tmp_path)


def test_our_weights_in_transformers(segformer, weights, tmp_path):
    """The way back: transformers reads what `from_afa_keys` names, complains about nothing and computes the same."""
    segformer.config.save_pretrained(tmp_path)
    named = layouts.from_afa_keys(weights, "transformers")
    save_file({key: tensor.contiguous() for key, tensor in named.items()}, tmp_path / "model.safetensors")
    net, info = type(segformer).from_pretrained(tmp_path, output_loading_info=True)
    assert not any(info.values()), info
    model = build_afa("mit_b0", 21)
    model.load_state_dict(weights)
    assert_like_transformers(model, net.eval())


def test_transformers_eps_is_the_only_difference(segformer):
    model = build_afa("mit_b0", 21)
    load_any(model, segformer.state_dict())
    image = torch.randn(IMAGE)
    with torch.no_grad():
        theirs = segformer(image, output_hidden_states=True).hidden_states[-1]
        gap = largest_difference(model.eval().encoder(image)[-1], theirs)
    assert 0 < gap < 2e-4


def test_transformers_backbone_alone(segformer, tmp_path):
    """Without the name of the model in front, and with an ImageNet classifier, as the nvidia/mit-b* files have it."""
    net = segformer.segformer
    net.save_pretrained(tmp_path)
    bare, disk = build_afa("mit_b0", 21), build_afa("mit_b0", 3)
    assert load_any(bare, net.state_dict()).loaded == ("encoder",)
    assert load_any(disk, tmp_path).layout == "transformers"
    for key, tensor in disk.encoder.state_dict().items():
        assert torch.equal(bare.encoder.state_dict()[key], tensor), key
    head = {"classifier.weight": torch.zeros(1000, 256), "classifier.bias": torch.zeros(1000)}
    report = load_any(bare, {f"segformer.{key}": tensor for key, tensor in net.state_dict().items()} | head)
    assert report.loaded == ("encoder",) and report.unused == tuple(head)


def test_timm_pvt_v2():
    net = timm_model("pvt_v2_b0").eval()
    model = build_afa("pvt_v2_b0", 21).eval()
    report = load_any(model, net.state_dict())
    assert (report.layout, report.loaded) == ("timm_pvt_v2", ("encoder",))
    assert report.unused == ("head.weight", "head.bias")
    net.stages[3].downsample.proj.stride = (1, 1)
    image = torch.randn(IMAGE)
    with torch.no_grad():
        for ours, theirs in zip(
            model.encoder(image), net.forward_intermediates(image, intermediates_only=True), strict=True
        ):
            assert largest_difference(ours, theirs) <= 1e-5


def official(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """What the SegFormer authors' files hold: the encoder bare, the decoder as decode_head, two unused layers."""
    state = {}
    for key, tensor in weights.items():
        if key.startswith("encoder."):
            state[key.removeprefix("encoder.")] = tensor
        elif key.startswith("decoder."):
            state["decode_head." + key.removeprefix("decoder.")] = tensor
    return state | {"head.weight": torch.zeros(1000, 256), "decode_head.conv_seg.weight": torch.zeros(21, 128, 1, 1)}


def smp(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """What segmentation_models_pytorch's Segformer holds."""
    swaps = [(f"decoder.linear_c{i}.proj", f"decoder.mlp_stage.{4 - i}.linear") for i in (1, 2, 3, 4)]
    swaps += [
        ("decoder.linear_fuse.conv", "decoder.fuse_stage.0"),
        ("decoder.linear_fuse.bn", "decoder.fuse_stage.1"),
        ("decoder.linear_pred", "segmentation_head.0"),
    ]
    state = {}
    for key, tensor in weights.items():
        if key.startswith(("encoder.", "decoder.")):
            for ours, theirs in swaps:
                key = key.replace(ours, theirs)
            state[key] = tensor
    return state


@pytest.mark.parametrize("prefix", ["", "module.", "module.backbone."])
def test_official_segformer(weights, prefix):
    model = build_afa("mit_b0", 21)
    state = {prefix + key if "head" not in key else key: tensor for key, tensor in official(weights).items()}
    report = load_any(model, state)
    assert (report.layout, report.loaded) == ("segformer", ("encoder", "decoder"))
    assert report.unused == ("head.weight", "decode_head.conv_seg.weight")
    for key, tensor in model.state_dict().items():
        if key.startswith(("encoder.", "decoder.")):
            assert torch.equal(tensor, weights[key]), key


def test_smp(weights):
    model = build_afa("mit_b0", 21)
    assert load_any(model, smp(weights)).layout == "smp"
    for key, tensor in model.state_dict().items():
        if key.startswith(("encoder.", "decoder.")):
            assert torch.equal(tensor, weights[key]), key


def test_encoder_of_smp_hub(weights):
    state = {k.removeprefix("encoder."): v for k, v in weights.items() if k.startswith("encoder.")}
    report = load_any(build_afa("mit_b0", 5), state)
    assert (report.layout, report.loaded, report.unused) == ("segformer", ("encoder",), ())


def test_authors_names_load_every_part(weights):
    model = build_afa("mit_b0", 21)
    report = load_any(model, {f"module.{key}": tensor for key, tensor in weights.items()})
    assert (report.layout, report.loaded, report.unchanged) == ("afa", PARTS, ())
    assert all(torch.equal(tensor, weights[key]) for key, tensor in model.state_dict().items())


def test_ours_of_pvt_v2():
    source, model = build_afa("pvt_v2_b0", 13), build_afa("pvt_v2_b0", 13)
    assert load_any(model, source.state_dict()).layout == "afa"
    assert all(torch.equal(tensor, source.state_dict()[key]) for key, tensor in model.state_dict().items())


@pytest.mark.parametrize("state", [{"layers.0.1.0.attn.attn.in_proj_weight": torch.zeros(96, 32)}], ids=["mit_b0"])
@pytest.mark.parametrize("prefix", ["", "backbone."])
def test_mmseg_is_refused_with_the_reason(state, prefix):
    with pytest.raises(CheckpointError, match=r"mmseg's layout .* fuses .* SegFormer authors' file"):
        layouts.detect_layout({prefix + key: tensor for key, tensor in state.items()})


@pytest.mark.parametrize("state,said", [({}, "no tensors"), ({"conv1.weight": torch.zeros(1)}, "conv1.weight")])
def test_unknown_names_are_refused(state, said):
    with pytest.raises(CheckpointError, match=f"{said}.*expected one of the layouts afa, segformer"):
        layouts.detect_layout(state)


def shapes_of(backbone: str) -> dict[str, torch.Tensor]:
    if backbone.startswith("mit_"):
        keys = json.loads((ROOT / "state_dict_keys.json").read_text())["models"][backbone]["state_dict"]
        return {key: torch.empty(shape, device="meta") for key, shape in keys.items()}
    with torch.device("meta"):
        state = timm_model(backbone).state_dict()
    return layouts.to_afa_keys(state, layouts.detect_layout(state))


@pytest.mark.parametrize("backbone", [name for name in BACKBONES if name not in ("pvt_v2_b3", "pvt_v2_b4")])  # slow
def test_backbone_and_names_of_every_size(backbone):
    state = shapes_of(backbone)
    assert layouts.infer_backbone(state) == backbone
    assert layouts.infer_num_classes(state) == (21 if backbone.startswith("mit_") else 0)
    family = ("timm_pvt_v2",) if backbone.startswith("pvt") else ("segformer", "transformers", "transformers_v5", "smp")
    for layout in family:
        there = layouts.from_afa_keys(state, layout)
        assert layouts.detect_layout(there) == layout
        back = layouts.to_afa_keys(there, layout)
        shared = [key for key in state if key.startswith(("encoder.", "decoder."))]
        assert sorted(back) == sorted(shared)
        assert all(back[key].shape == state[key].shape for key in shared)


def test_unknown_widths_are_refused(weights):
    state = {key: tensor for key, tensor in weights.items() if ".block3.1." not in key}
    with pytest.raises(CheckpointError, match=re.escape("depths [2, 2, 1, 2]; expected those of mit_b0")):
        layouts.infer_backbone(state)


def test_key_without_value_is_refused(weights):
    state = layouts.from_afa_keys(weights, "transformers")
    del state["segformer.encoder.block.0.0.attention.self.value.weight"]
    with pytest.raises(CheckpointError, match=r"attn\.k\.weight has no .*attn\.v\.weight"):
        layouts.to_afa_keys(state, "transformers")


def test_one_name_twice_is_refused(weights):
    with pytest.raises(CheckpointError, match=r"claim the name attn_proj\.bias"):
        layouts.to_afa_keys(weights | {"module.attn_proj.bias": weights["attn_proj.bias"]}, "afa")


class TestWhatDoesNotFit:
    """A refusal names the reason and the way out, and leaves the model as it was."""

    @pytest.fixture
    def model(self):
        return build_afa("mit_b0", 5)

    @pytest.fixture(autouse=True)
    def unchanged(self, model):
        before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
        yield
        if getattr(model, "may_change", False):
            return
        assert all(torch.equal(tensor, before[key]) for key, tensor in model.state_dict().items())

    def test_other_classes(self, model, weights):
        with pytest.raises(CheckpointError, match=r"has 21 classes; expected 5: pass drop_classes=True"):
            load_any(model, weights)

    def test_other_classes_dropped(self, model, weights):
        model.may_change = True
        own = model.classifier.weight.clone()
        report = load_any(model, {f"module.{key}": tensor for key, tensor in weights.items()}, drop_classes=True)
        assert report.loaded == ("encoder", "decoder", "attn_proj") and report.unchanged == ("classifier",)
        dropped = {"decoder.linear_pred.weight", "decoder.linear_pred.bias", "classifier.weight"}
        assert {key.removeprefix("module.") for key in report.unused} == dropped
        assert torch.equal(model.classifier.weight, own)
        assert torch.equal(model.decoder.linear_fuse.conv.weight, weights["decoder.linear_fuse.conv.weight"])

    def test_encoder_alone(self, model, weights):
        model.may_change = True
        report = load_any(model, layouts.from_afa_keys(weights, "transformers"), parts=("encoder",))
        assert report.loaded == ("encoder",) and all(key.startswith("decode_head.") for key in report.unused)

    def test_parts_without_encoder(self, model, weights):
        with pytest.raises(CheckpointError, match="expected the encoder among the parts"):
            load_any(model, weights, parts=("decoder",))

    def test_other_backbone(self, model):
        with pytest.raises(CheckpointError, match="holds a pvt_v2_b0; expected mit_b0"):
            load_any(model, timm_model("pvt_v2_b0").state_dict())

    def test_wider_decoder(self, model, weights):
        state = {k: v for k, v in weights.items() if k.startswith("encoder.")}
        state |= {k: v for k, v in build_afa("mit_b0", 5).state_dict().items() if k.startswith("decoder.")}
        state["decoder.linear_fuse.conv.weight"] = torch.zeros(768, 3072, 1, 1)
        with pytest.raises(CheckpointError, match=r"conv\.weight \[768, 3072, 1, 1\] instead of \[256, 1024, 1, 1\]"):
            load_any(model, state)

    def test_missing_in_the_encoder(self, model, weights):
        state = official(weights)
        del state["block2.1.attn.q.bias"], state["norm4.weight"]
        with pytest.raises(
            CheckpointError, match=r"missing: encoder\.block2\.1\.attn\.q\.bias, encoder\.norm4\.weight\)"
        ):
            load_any(model, state, parts=("encoder",))

    def test_nan(self, model, weights):
        state = official(weights)
        state["norm4.weight"] = torch.full_like(state["norm4.weight"], torch.nan)
        with pytest.raises(ValueError, match=r"encoder\.norm4\.weight .* holds 256 NaN"):
            load_any(model, state, parts=("encoder",))

    def test_integers(self, model, weights):
        state = official(weights)
        state["norm4.weight"] = state["norm4.weight"].long()
        with pytest.raises(CheckpointError, match=r"norm4\.weight torch\.int64"):
            load_any(model, state, parts=("encoder",))


def test_layout_names_are_checked():
    with pytest.raises(CheckpointError, match="got layout 'caffe'; expected one of afa, segformer"):
        layouts.to_afa_keys({"x": torch.zeros(1)}, "caffe")
