"""timm's classifiers behind the interface: against timm's own logits and attention, from a local folder."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from other_methods import NAMES, CamOnly, photograph, timm_folder, timm_network

import afa_viz
from afa_viz.classes import VOC_CLASSES
from afa_viz.model.afa import build_afa
from afa_viz.model.card import CheckpointError
from afa_viz.model.checkpoint import load_any
from afa_viz.model.imagenet_classes import ABSENT, VOC_GROUPS, group_members, imagenet_names
from afa_viz.model.timm_networks import build_timm
from afa_viz.parts import LACKS, Parts

GROUPS = len(VOC_GROUPS)
SIZES = ((96, 128), (75, 101))
EXTENDED = ("deit_tiny_distilled_patch16_224", "vit_medium_patch16_gap_256", "pvt_v2_b1", "vit_small_patch32_224")


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    return {name: timm_folder(tmp_path_factory.mktemp("timm") / name, name) for name in NAMES}


@pytest.fixture(scope="module")
def models(sources):
    return {name: afa_viz.load_model(source, device="cpu") for name, source in sources.items()}


@pytest.fixture(scope="module")
def traces(models):
    return {
        name: afa_viz.explain(model, photograph(), config=afa_viz.ExplainConfig.for_model(model, long_side=128))
        for name, model in models.items()
    }


def image(size: tuple[int, int]) -> torch.Tensor:
    return torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", NAMES)
@torch.no_grad()
def test_logits_are_timms(models, name, size):
    wanted = timm_network(name)(image(size))
    found = models[name].forward_intermediates(image(size)).class_logits
    assert torch.allclose(found[:, GROUPS:], wanted, atol=1e-5 * float(wanted.max() - wanted.min()))
    probs = models[name].class_probs(found)
    for place, members in enumerate(group_members().values()):
        assert torch.isclose(probs[0, place], wanted.softmax(1)[0, list(members)].sum(), rtol=1e-4)
    assert torch.allclose(probs[:, GROUPS:], wanted.softmax(1), atol=1e-6)


@pytest.mark.parametrize("size", SIZES)
@torch.no_grad()
def test_the_mean_of_a_map_and_the_bias_are_the_logit_of_pvt_v2(models, size):
    net = timm_network("pvt_v2_b0")
    wanted = net(image(size))
    cam = models["pvt_v2_b0"].forward_intermediates(image(size)).cam
    assert cam.shape[-2:] == models["pvt_v2_b0"].token_grid(*size) == tuple(-(-side // 32) for side in size)
    apart = cam[:, GROUPS:].mean((-2, -1)) + net.head.bias - wanted
    assert float(apart.abs().max()) <= 1e-6 * float(wanted.max() - wanted.min())
    assert torch.equal(cam, models["pvt_v2_b0"].forward_cam(image(size)))


@torch.no_grad()
def test_a_vit_that_averages_its_tokens_is_exact_and_one_with_a_class_token_says_it_is_not(models):
    model, net = build_timm("vit_medium_patch16_gap_256")
    assert model.parts.cam == "linear" and model.parts.extra_tokens == 0
    wanted = net(image((96, 128)))
    apart = model.forward_cam(image((96, 128)))[:, GROUPS:].mean((-2, -1)) + net.head.bias - wanted
    assert float(apart.abs().max()) <= 1e-5 * float(wanted.max() - wanted.min())
    assert models["deit_tiny_patch16_224"].parts.cam == "class token"


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", NAMES)
@torch.no_grad()
def test_attention_is_timms(models, name, size):
    net, kept = timm_network(name), []
    hooks = [
        module.register_forward_hook(lambda module, given, made: kept.append(given[0]))
        for part, module in net.named_modules()
        if part.endswith("attn_drop")
    ]
    net(image(size))
    for hook in hooks:
        hook.remove()
    blocks = models[name].forward_intermediates(image(size)).attention
    assert len(blocks) == len(kept)
    for block, wanted in zip(blocks, kept, strict=True):
        assert float(((block.logits * block.scale).softmax(-1) - wanted).abs().max()) <= 1e-6
        assert block.logits.shape[-2] - models[name].parts.extra_tokens == np.prod(block.query_grid)


@pytest.mark.parametrize("name", NAMES)
def test_the_affinity_is_the_scaled_mean_of_the_heads_of_the_last_two_blocks(traces, name):
    trace = traces[name]
    extra = trace.parts.extra_tokens
    probs = torch.cat([trace.attn_probs(-2), trace.attn_probs(-1)]).mean(0)[extra:, extra:]
    both = (probs + probs.T) / 2
    apart = ~torch.eye(len(both), dtype=torch.bool)
    largest = both.masked_fill(~apart, 0).max(1, keepdim=True).values
    assert torch.allclose(trace.affinity, (both / largest).clamp(max=1), atol=1e-6)
    assert torch.allclose(trace.affinity.masked_fill(~apart, 0).max(1).values, torch.ones(len(both)))
    # power and eps of the walk keep their meaning: columns of its matrix lose little
    assert float(afa_viz.ops.random_walk.transition_matrix(trace.affinity[None]).sum(1).mean()) > 0.9
    assert float(afa_viz.ops.random_walk.transition_matrix(both[None]).sum(1).mean()) < 0.9


@pytest.mark.parametrize("name", NAMES)
def test_a_trace_keeps_some_classes_and_says_what_is_missing(traces, models, name, tmp_path):
    trace = traces[name]
    assert trace.seg is trace.seg_logits is trace.affinity_weight is trace.affinity_bias is None
    assert trace.parts.lacks == {part: LACKS[part] for part in ("decoder", "learned_affinity")}
    assert all(sentence in repr(trace) for sentence in trace.parts.lacks.values())
    assert 5 <= len(trace.class_names) - 1 <= 10 and len(trace.predictions) >= 5
    assert [share for _, share in trace.predictions] == sorted((s for _, s in trace.predictions), reverse=True)
    loaded = afa_viz.Trace.load(trace.save(tmp_path / "x.npz"))
    assert loaded.parts == trace.parts and loaded.predictions == trace.predictions
    assert torch.equal(loaded.affinity, trace.affinity) and loaded.seg is None
    again = afa_viz.recompute(loaded, dataclasses.replace(loaded.config, flip=False, power=3.0), model=models[name])
    wanted = afa_viz.explain(models[name], photograph(), config=again.config)
    assert torch.allclose(again.cam_par, wanted.cam_par, atol=1e-5) and again.class_names == wanted.class_names


def test_labels_by_name_join_the_classes_of_a_trace(models):
    model = models["pvt_v2_b0"]
    config = afa_viz.ExplainConfig.for_model(model, long_side=96, flip=False, scales=(1.0,))
    target = np.zeros((120, 160), np.uint8)
    target[40:80, 30:70] = list(VOC_GROUPS).index("sheep") + 1
    trace = afa_viz.explain(model, photograph(), ["beagle", "dog"], config, target=target)
    assert {trace.class_names[i] for i in trace.present} == {"beagle", "dog"} and trace.labels_given
    assert {trace.class_names[int(i)] for i in trace.target.unique()} == {"background", "sheep"}
    assert len(set(trace.palette)) == len(trace.palette)
    with pytest.raises(ValueError, match="1019 classes, such as .*terrier"):
        afa_viz.explain(model, photograph(), ["terrier"], config)


def test_the_groups_are_vocs_classes_that_imagenet_has():
    assert set(VOC_GROUPS) | set(ABSENT) == set(VOC_CLASSES[1:])
    names, members = imagenet_names(), group_members()
    assert len(names) == len(set(names)) == 1000 and not any("," in name for name in names)
    flat = [i for group in members.values() for i in group]
    assert len(flat) == len(set(flat)) and len(members["dog"]) == 118 and len(members["cat"]) == 5
    assert not set(names) & set(VOC_GROUPS)
    assert [names[i] for i in members["horse"]] == ["sorrel"] and [names[i] for i in members["cow"]] == ["ox"]


@pytest.mark.parametrize("name", EXTENDED)
@torch.no_grad()
def test_other_names_of_the_two_families_are_read(name):
    model, net = build_timm(name)
    found = model.forward_intermediates(image((64, 96)))
    assert torch.allclose(found.class_logits[:, GROUPS:], net(image((64, 96))), atol=1e-4)
    assert found.cam.shape[-2:] == model.token_grid(64, 96)


@pytest.mark.parametrize(
    "source, sentence",
    [
        ("timm:", "expected timm:NAME"),
        ("timm:pvt_v2_b0@", "expected timm:NAME"),
        ("timm:PVT", "expected timm:NAME"),
        ("timm:nonsense", "timm has no model 'nonsense'"),
        ("timm:resnet18", "of a kind that is not read here"),
        ("timm:pvt_v2_b2_li", "of a kind that is not read here"),
        ("timm:vit_small_patch16_224.bogus", "timm cannot build"),
        ("timm:vit_small_patch14_dinov2", "it has no classes"),
        ("timm:pvt_v2_b0@/no/such/file.pth", "there is no"),
    ],
)
def test_a_source_that_cannot_be_used_is_one_sentence(source, sentence):
    with pytest.raises((CheckpointError, FileNotFoundError), match=sentence) as caught:
        afa_viz.load_model(source, device="cpu")
    assert "\n" not in str(caught.value) and str(caught.value).endswith(".")


def test_weights_of_another_network_do_not_fit(sources):
    folder = sources["pvt_v2_b0"].partition("@")[2]
    with pytest.raises(CheckpointError, match="does not fit timm's pvt_v2_b1"):
        afa_viz.load_model(f"timm:pvt_v2_b1@{folder}", device="cpu")
    with pytest.raises(CheckpointError, match="a classifier as it is"):
        load_any(build_afa("pvt_v2_b0"), sources["pvt_v2_b0"])


def test_the_hub_is_asked_only_for_what_is_not_here(monkeypatch, sources):
    """Without a network: one sentence. With one, the file of the hub is read, and how far it is is told."""
    from pathlib import Path

    from afa_viz.model import hub

    with pytest.raises((CheckpointError, FileNotFoundError), match="the hub cannot be reached"):
        afa_viz.load_model("timm:pvt_v2_b0", device="cpu")
    told, asked = [], []

    def file(self, name):
        asked.append((self.repo, name))
        self._progress(5, 10)
        return Path(sources["pvt_v2_b0"].partition("@")[2]) / name

    monkeypatch.setattr(hub.HubFiles, "_file", file)
    model = afa_viz.load_model("timm:pvt_v2_b0", device="cpu", progress=lambda *at: told.append(at))
    assert asked == [("timm/pvt_v2_b0.in1k", "model.safetensors")] and told == [(5, 10)]
    assert model.card.licence.startswith("Apache-2.0") and model.card.parts == ("encoder", "classifier")


def test_a_method_with_nothing_but_a_cam_is_explained(tmp_path):
    model = CamOnly()
    trace = afa_viz.explain(model, photograph(60, 70))
    assert trace.grid == (8, 9) and not trace.config.use_walk and trace.attn_logits == ()
    assert trace.affinity is trace.seg is None
    assert set(trace.parts.lacks) == {"decoder", "affinity", "attention"}
    loaded = afa_viz.Trace.load(trace.save(tmp_path / "x.npz"))
    assert loaded.grid == trace.grid and loaded.parts == model.parts
    with pytest.raises(ValueError, match="no attention maps"):
        trace.attn_probs(0)
    trace.report(tmp_path / "x.html")
    text = (tmp_path / "x.html").read_text(encoding="utf-8")
    assert "no affinity, so there is no random walk" in text and "no decoder" in text


def test_parts_that_cannot_be_are_refused():
    for wrong in ({"affinity": "guessed"}, {"stride": 0}, {"extra_tokens": -1}, {"attention": None}, {"decoder": 1}):
        with pytest.raises(ValueError, match="parts"):
            Parts(**wrong)
