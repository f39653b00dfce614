"""The exported network against torch, run by onnxruntime at sizes that were not traced."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from kept_exports import export_once

import afa_viz
from afa_viz.model import onnx_export, onnx_packages
from afa_viz.model.afa import AFA, build_afa
from afa_viz.model.card import default_card
from afa_viz.model.mix_transformer import MixTransformer
from afa_viz.model.onnx_export import AllOutputs, export_onnx, output_names, relative_difference
from afa_viz.model.onnx_packages import ExportError
from afa_viz.model.onnx_split import split_onnx

HOW = "install it with `pip install onnx onnxscript onnxruntime`"
onnx = pytest.importorskip("onnx", reason=HOW)
onnxruntime = pytest.importorskip("onnxruntime", reason=HOW)

ODD_SIZES = ((3, 64, 48), (1, 256, 256), (1, 101, 333), (2, 16, 16), (1, 29, 30), (1, 500, 375))  # (B, H, W)


def small_network(pooling: str = "topk") -> AFA:
    """Two narrow stages fewer operations: what torch takes most of the time for is the number of them."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        encoder = MixTransformer((8, 16, 24, 32), (1, 1, 1, 2), num_heads=(1, 2, 3, 4))
        model = AFA(encoder, 5, pooling, topk=0.05, logit_offset=0.5)
    model.card = dataclasses.replace(default_card("mit_b0", 5), pooling=pooling, logit_offset=0.5)
    return model.eval()


def largest_difference(model: AFA, path: Path, sizes=ODD_SIZES) -> float:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    worst = 0.0
    for batch, height, width in sizes:
        image = torch.randn(batch, 3, height, width, generator=torch.Generator().manual_seed(height))
        with torch.no_grad():
            expected = AllOutputs(model)(image)
        found = session.run(output_names(model), {"image": image.numpy()})
        worst = max(worst, *(relative_difference(e, torch.from_numpy(f)) for e, f in zip(expected, found, strict=True)))
    return worst


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[AFA, Path]:
    model = small_network()
    path = tmp_path_factory.mktemp("onnx") / "small.onnx"
    export_once(model, path, half=True)  # what the export says of itself is in the card
    verified = json.loads(path.with_suffix(".json").read_text())["verified"]
    assert verified["max_difference"] <= onnx_export.TOLERANCE
    return model, path


def rounded(model: AFA) -> AFA:
    """The network that a file of 16-bit weights holds."""
    copied = small_network(model.pooling)
    copied.load_state_dict({name: value.half().float() for name, value in model.state_dict().items()})
    return copied


def test_all_sizes_give_the_outputs_of_torch(exported):
    model, path = exported
    assert largest_difference(rounded(model), path) <= 1e-4


def test_the_outputs_are_those_of_a_trace(exported):
    model, path = exported
    pixels = np.random.default_rng(0).integers(0, 256, (60, 84, 3), dtype=np.uint8)
    trace = afa_viz.explain(rounded(model), pixels, config=afa_viz.ExplainConfig(long_side=84, scales=(1.0,)))
    card = json.loads(path.with_suffix(".json").read_text())["model"]
    image = (trace.image.permute(2, 0, 1)[None].float() - torch.tensor(card["mean"]).view(3, 1, 1)) / torch.tensor(
        card["std"]
    ).view(3, 1, 1)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    found = dict(zip(output_names(model), session.run(None, {"image": image.numpy()}), strict=True))
    for name, expected in (
        ("class_logits", trace.class_logits), ("cam", trace.raw_cam), ("seg_logits", trace.seg_logits),
        ("affinity", trace.affinity), *((f"attn_logits_{i}", trace.logits(i)) for i in range(5)),
    ):  # fmt: skip
        assert relative_difference(expected[None], torch.from_numpy(found[name])) <= 1e-4, name
    logits = torch.from_numpy(found["affinity_logits"])
    assert torch.allclose(logits.sigmoid(), torch.from_numpy(found["affinity"]), atol=1e-6)


def test_axes_are_free_and_named(exported):
    _, path = exported
    graph = onnx.load(path).graph
    assert [axis.dim_param or axis.dim_value for axis in graph.input[0].type.tensor_type.shape.dim] == [
        "batch", 3, "height", "width",
    ]  # fmt: skip
    assert all(output.type.tensor_type.shape.dim[0].dim_param == "batch" for output in graph.output)


def test_half_weights_are_half_as_large_and_compute_in_float32(exported):
    _, path = exported
    graph = onnx.load(path).graph
    sizes = {onnx.TensorProto.FLOAT: 0, onnx.TensorProto.FLOAT16: 0}
    for constant in graph.initializer:
        if constant.data_type in sizes:
            sizes[constant.data_type] += int(np.prod(constant.dims))
    assert sizes[onnx.TensorProto.FLOAT16] > 20 * sizes[onnx.TensorProto.FLOAT]
    assert {output.type.tensor_type.elem_type for output in graph.output} == {onnx.TensorProto.FLOAT}


def test_the_card_says_what_a_runtime_needs(exported):
    model, path = exported
    card = json.loads(path.with_suffix(".json").read_text())
    assert list(card["outputs"]) == output_names(model)
    assert [block["heads"] for block in card["blocks"]] == [1, 2, 3, 4, 4]
    with torch.no_grad():
        scales = [block.scale for block in model.forward_intermediates(torch.zeros(1, 3, 32, 32)).attention]
    assert [block["scale"] for block in card["blocks"]] == pytest.approx(scales)
    assert (
        card["weights"] == "float16"
        and card["opset"] == onnx_export.OPSET
        and card["verified"]["max_difference"] <= 1e-4
    )
    assert card["affinity_weight"] == pytest.approx(rounded(model).attn_proj.weight.flatten().tolist())
    assert card["model"]["logit_offset"] == 0.5


@pytest.fixture
def quick(exported, monkeypatch):
    """The bytes of the exported file in place of another export."""
    monkeypatch.setattr(onnx_export, "_to_onnx", lambda model, half: exported[1].read_bytes())


def test_a_file_that_differs_is_not_kept(quick, tmp_path):
    other = small_network()
    with torch.no_grad():
        other.classifier.weight += 0.1
    (tmp_path / "x.onnx").write_bytes(b"an earlier one")
    with pytest.raises(
        ExportError, match=r"differs from torch by .* of its range at 224 x 224 pixels; expected at most 1e-04"
    ):
        export_onnx(other, tmp_path / "x.onnx")
    assert (tmp_path / "x.onnx").read_bytes() == b"an earlier one"
    assert [path.name for path in tmp_path.iterdir()] == ["x.onnx"]


def test_without_onnxruntime_the_file_is_not_verified(quick, exported, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    assert export_onnx(exported[0], tmp_path / "x.onnx") is None
    assert json.loads((tmp_path / "x.json").read_text())["verified"] is None


@pytest.mark.parametrize("missing", [("onnxscript",), ("onnx", "onnxscript")])
def test_missing_packages_are_named_with_how_to_get_them(missing, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_packages, "find_spec", lambda name: None if name in missing else name)
    with pytest.raises(ExportError, match=rf"{' and '.join(missing)}.*pip install onnx onnxscript onnxruntime"):
        export_onnx(small_network(), tmp_path / "x.onnx")
    assert not list(tmp_path.iterdir())


def test_bad_names_and_networks_are_refused_in_a_sentence(tmp_path):
    with pytest.raises(ExportError, match="ends in .onnx"):
        export_onnx(small_network(), tmp_path / "x.pt")
    with pytest.raises(ExportError, match="no learned affinity or no decoder"):
        export_onnx(torch.nn.Linear(2, 2), tmp_path / "x.onnx")  # type: ignore[arg-type]


def test_the_exported_network_itself_is_left_as_it_was(quick, exported, tmp_path):
    model = small_network().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    export_onnx(model, tmp_path / "x.onnx", half=True)
    assert model.training and all(torch.equal(before[name], value) for name, value in model.state_dict().items())


@pytest.mark.slow
@pytest.mark.parametrize("backbone,pooling", [("mit_b0", "avg"), ("mit_b1", "max"), ("pvt_v2_b0", "topk")])
def test_random_networks_of_every_family(backbone, pooling, tmp_path):
    with torch.random.fork_rng():
        torch.manual_seed(2)
        model = build_afa(backbone, 21, pooling, topk=0.1).eval()
    verification = export_onnx(model, tmp_path / "x.onnx")
    assert verification is not None and verification.max_difference <= 1e-4
    assert largest_difference(model, tmp_path / "x.onnx", ODD_SIZES[:4]) <= 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("half", [False, True])
def test_the_bundled_network(half, tmp_path):
    model = afa_viz.load_model(device="cpu")
    path = tmp_path / "x.onnx"
    export_onnx(model, path, half)
    assert path.stat().st_size <= (8e6 if half else 16e6)
    assert largest_difference(model, path, ((1, 224, 224), (1, 320, 192), (1, 256, 171))) <= 1e-4  # float16 on the disk


def test_two_parts_give_together_what_the_whole_gives(exported):
    model, path = exported
    names = output_names(model)
    first = [name for name in names if name in ("class_logits", "cam") or name.startswith("attn_logits")]
    parts = split_onnx(path.read_bytes(), first)
    assert sum(map(len, parts)) < 1.05 * path.stat().st_size, "no weight is in both"
    whole, encoder, head = (
        onnxruntime.InferenceSession(part, providers=["CPUExecutionProvider"]) for part in (path.read_bytes(), *parts)
    )
    assert [value.name for value in encoder.get_inputs()] == ["image"]
    assert [value.name for value in head.get_outputs()] == [name for name in names if name not in first]
    for batch, height, width in ODD_SIZES[:4]:
        image = np.random.default_rng(height).standard_normal((batch, 3, height, width), np.float32)
        found = dict(zip([v.name for v in encoder.get_outputs()], encoder.run(None, {"image": image}), strict=True))
        found |= zip(
            [v.name for v in head.get_outputs()],
            head.run(None, {value.name: found[value.name] for value in head.get_inputs()}),
            strict=True,
        )
        for name, expected in zip(names, whole.run(names, {"image": image}), strict=True):
            assert relative_difference(torch.from_numpy(expected), torch.from_numpy(found[name])) <= 1e-6, name


@pytest.mark.parametrize("first", [[], ["cam", "shape"]])
def test_only_some_of_the_outputs_can_be_a_part(exported, first):
    with pytest.raises(ValueError, match="expected some and not all of class_logits, cam"):
        split_onnx(exported[1].read_bytes(), first)
    with pytest.raises(ValueError, match="expected some and not all"):
        split_onnx(exported[1].read_bytes(), output_names(exported[0]))
