"""The network against the golden forward passes and against itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from golden_vectors import cases, check, golden_model

from afa_viz.model.afa import POOLINGS, build_afa, build_encoder, parameter_count
from afa_viz.model.drop_path import DropPath
from afa_viz.model.empty_weights import EmptyWeights
from afa_viz.model.mix_transformer import _fill_normal
from afa_viz.model.pyramid import as_maps
from afa_viz.model.segformer_head import SegFormerHead
from afa_viz.ops import affinity as aff


@pytest.mark.parametrize(
    "name,params,inputs,outputs", cases("model_forward"), ids=lambda v: v if isinstance(v, str) else ""
)
def test_golden_forward(name, params, inputs, outputs):
    model = golden_model(params["backbone"], params["pooling"])
    with torch.no_grad():
        features = model.encoder(inputs["image"])
        look = model.forward_intermediates(inputs["image"])
        train = model(inputs["image"])
        cam = model.forward_cam(inputs["image"])
        cam_too, affinity = model.forward_cam_affinity(inputs["image"])
        seg = model.forward_seg(inputs["image"])
    for out in (look, train):
        check(out.class_logits, outputs["cls_logits"])
        check(out.seg_logits, outputs["seg_logits"])
    check(seg, outputs["seg_logits"])
    check(train.affinity, outputs["attn_pred"])
    check(affinity, outputs["attn_pred"])
    logits = [a.logits for a in look.attention]
    check(aff.affinity_from_logits(logits, model.attn_proj.weight, model.attn_proj.bias), outputs["attn_pred"])
    for maps in (look.cam, cam, cam_too):
        check(maps, outputs["cam"])
    for i, block in enumerate(look.attention):
        check(aff.pool_queries(block.logits, block.query_grid, block.reduction), outputs[f"attn_{i}"])
        assert block.logits.shape[-2] == block.query_grid[0] * block.query_grid[1]
        assert block.logits.shape[-1] == block.key_grid[0] * block.key_grid[1]
    for i, maps in enumerate(features):
        if f"feat_{i + 1}" in outputs:
            check(maps, outputs[f"feat_{i + 1}"])


@pytest.mark.parametrize("batch", [1, 2])
def test_maps_of_tokens_have_their_channels_last_for_torch_too(batch):
    rows, cols, dim = 3, 5, 4
    tokens = torch.randn(batch, rows * cols, dim)
    maps = as_maps(tokens, (rows, cols))
    assert torch.equal(maps, tokens.transpose(1, 2).unflatten(2, (rows, cols)))
    assert maps.data_ptr() == tokens.data_ptr()
    convolved = torch.nn.Conv2d(dim, dim, 3, padding=1, groups=dim)(maps)  # takes over the order that it was given
    assert convolved.stride() == (rows * cols * dim, 1, cols * dim, dim)


PARAMETERS = {  # K = 21, docs/spec.md section 3
    "mit_b0": 3_724_678,
    "mit_b1": 13_692_902,
    "mit_b2": 24_737_766,
    "mit_b3": 44_613_606,
    "mit_b4": 61_384_166,
    "mit_b5": 81_984_486,
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameter_counts(name):
    with EmptyWeights():
        model = build_afa(name)
    assert parameter_count(model) == PARAMETERS[name]


def test_linear_weights_begin_as_with_timm():
    from timm.layers import trunc_normal_  # takes seconds, which whoever collects these tests is spared

    torch.manual_seed(5)
    first = next(m for m in build_encoder("mit_b0").block1.modules() if isinstance(m, torch.nn.Linear))
    assert 0.019 < first.weight.std() < 0.021 and not first.bias.any()
    torch.manual_seed(5)
    ours = _fill_normal(torch.empty(400, 300), std=0.02)
    torch.manual_seed(5)
    assert torch.equal(ours, trunc_normal_(torch.empty(400, 300), std=0.02))


@pytest.mark.parametrize("rate", [0.0, 0.25, 0.9])
def test_drop_path_is_that_of_timm(rate):
    from timm.layers import DropPath as TimmDropPath

    branch = torch.randn(64, 5, 7)
    for training in (True, False):
        torch.manual_seed(1)
        ours = DropPath(rate).train(training)(branch)
        torch.manual_seed(1)
        assert torch.equal(ours, TimmDropPath(rate).train(training)(branch))
    with pytest.raises(ValueError, match="got rate 1.0; expected a probability"):
        DropPath(1.0)


def test_a_mix_transformer_does_without_timm():
    code = (
        "import sys; from afa_viz.model.afa import build_afa; build_afa('mit_b0')\n"
        "heavy = {'timm', 'torchvision', 'torch._dynamo', 'sympy'} & set(sys.modules); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=True)


@pytest.mark.parametrize("name", ["mit_b0", "pvt_v2_b0"])
@pytest.mark.parametrize("size", [(64, 96), (75, 50), (17, 130)])
def test_both_families_keep_one_interface(name, size):
    model = build_afa(name, num_classes=5).eval()
    image = torch.randn(2, 3, *size)
    with torch.no_grad():
        features = model.encoder(image)
        features_look, attention = model.encoder.forward_attention(image)
        features_fast, blocks = model.encoder.forward_query_key(image)
        out = model(image)
    rows, cols = aff.token_grid(*size)
    for strided, maps in zip((4, 8, 16, 16), features, strict=True):
        assert maps.shape[-2:] == aff.token_grid(*size, stride=strided)
    for one, two, three in zip(features, features_look, features_fast, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(one, three)
    assert len(attention) == sum(model.encoder.depths)
    assert attention[-1].query_grid == attention[-1].key_grid == (rows, cols)
    assert out.affinity.shape == (2, rows * cols, rows * cols)
    for block, kept in zip(attention[-2:], blocks, strict=True):
        torch.testing.assert_close(block.logits, kept.query @ kept.key.transpose(-1, -2), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("mode", ["eval", "train"])
def test_decoder_equals_fusing_at_stride_4(mode):
    torch.manual_seed(3)
    head = SegFormerHead((32, 64, 160, 256), 5, width=24, dropout=0.0).train(mode == "train")
    head.linear_fuse.bn.running_mean.normal_()
    maps = [
        torch.randn(2, d, *grid)
        for d, grid in zip((32, 64, 160, 256), ((12, 20), (6, 10), (3, 5), (3, 5)), strict=True)
    ]

    def textbook() -> torch.Tensor:
        layers = (head.linear_c4, head.linear_c3, head.linear_c2, head.linear_c1)
        embedded = []
        for layer, feature in zip(layers, reversed(maps), strict=True):
            cells = layer.proj(feature.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
            embedded.append(F.interpolate(cells, size=(12, 20), mode="bilinear", align_corners=False))
        fused = head.linear_fuse.conv(torch.cat(embedded, dim=1))
        return head.linear_pred(F.relu(head.linear_fuse.bn(fused)))

    state = {name: value.clone() for name, value in head.state_dict().items()}
    want = textbook()
    want_grad = torch.autograd.grad(want.square().sum(), list(head.parameters()))
    head.load_state_dict(state)
    found = head(maps)
    torch.testing.assert_close(found, want, atol=2e-5, rtol=1e-4)
    for found_part, part in zip(
        torch.autograd.grad(found.square().sum(), list(head.parameters())), want_grad, strict=True
    ):
        torch.testing.assert_close(found_part, part, atol=2e-3, rtol=1e-3)


def test_reduced_keys_have_their_own_grid():
    model = build_afa("mit_b0", num_classes=5).eval()
    with torch.no_grad():
        _, attention = model.encoder.forward_attention(torch.randn(1, 3, 128, 192))
    grids = [(block.query_grid, block.key_grid) for block in attention[::2]]
    assert grids == [((32, 48), (4, 6)), ((16, 24), (4, 6)), ((8, 12), (4, 6)), ((8, 12), (8, 12))]


def test_training_stores_no_map_of_single_heads():
    """The largest tensor kept for the backward pass stays below one (heads, N, N) stack of the last stage."""
    model = build_afa("mit_b0", num_classes=5)
    image = torch.randn(1, 3, 320, 320)
    cells = 20 * 20
    kept: list[torch.Size] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: (kept.append(t.shape), t)[1], lambda t: t):
        model(image)
    assert all(shape[-2:] != (cells, cells) or shape[:-2].numel() < 8 for shape in kept if len(shape) >= 2)


def test_poolings():
    torch.manual_seed(0)
    features = torch.randn(2, 256, 4, 5)
    models = {pooling: build_afa("mit_b0", 5, pooling, topk=0.1, logit_offset=0.5).eval() for pooling in POOLINGS}
    for pooling, model in models.items():
        model.load_state_dict(models["max"].state_dict())
        cam = model.classifier(features)
        got = model.classify(features)
        if POOLINGS[pooling] == "avg":
            torch.testing.assert_close(got, cam.mean(dim=(2, 3)) - 0.5, rtol=1e-4, atol=1e-5)
        elif pooling == "topk":
            torch.testing.assert_close(got, cam.flatten(2).topk(2).values.mean(dim=2) - 0.5)
        else:
            torch.testing.assert_close(got, model.classifier(features.amax(dim=(2, 3), keepdim=True))[..., 0, 0] - 0.5)
    with pytest.raises(ValueError, match="max, avg or topk"):
        build_afa("mit_b0", 5, "median")
    with pytest.raises(ValueError, match="resnet"):
        build_afa("resnet50")
    with pytest.raises(ValueError, match="num_classes"):
        build_afa("mit_b0", 1)


@pytest.mark.parametrize("share", [0, -0.5, 1.5, float("nan")])
def test_impossible_shares_are_refused(share):
    with pytest.raises(ValueError, match="share of the cells"):
        build_afa("mit_b0", pooling="topk", topk=share)
