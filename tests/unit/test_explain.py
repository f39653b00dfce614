"""One image through all stages: the trace, its file, images and labels of every kind."""

from __future__ import annotations

import copy
import dataclasses
import pickle

import numpy as np
import pytest
import torch
from explained import assert_same, noise, trace_of_noise
from golden_vectors import golden_model
from PIL import Image

import afa_viz
from afa_viz import ExplainConfig, Trace, trace_file
from afa_viz.inputs import read_image
from afa_viz.inspection import par_steps, target_affinity, walk_steps
from afa_viz.model.afa import build_afa
from afa_viz.pipeline import recompute
from afa_viz.stages.multi_scale_cam import multi_scale_cam, multi_scale_cam_of
from afa_viz.stages.one_image import network_input


@pytest.fixture(scope="module")
def model():
    return golden_model()


@pytest.fixture(scope="module")
def picture():
    return noise()


@pytest.fixture(scope="module")
def trace():
    return trace_of_noise()


def test_shapes_and_ranges(trace):
    assert trace.image.shape == (75, 101, 3)
    assert trace.grid == (5, 7)
    assert trace.present == (3, 8)
    assert trace.cam.shape == (20, 75, 101)
    assert trace.affinity.shape == (35, 35)
    assert trace.cam_rw.shape == (21, 5, 7)
    assert trace.cam_par.shape == (21, 75, 101)
    assert len(trace.attn_logits) == 8
    for i, logits in enumerate(trace.attn_logits):
        queries, keys = (int(np.prod(grid)) for grid in (trace.query_grids[i], trace.key_grids[i]))
        assert logits.shape[1:] == (queries, keys)
        torch.testing.assert_close(trace.attn_probs(i).sum(dim=-1), torch.ones(logits.shape[:2]))
    assert set(trace.pseudo_label.unique().tolist()) <= {0, 3, 8, 255}
    assert torch.equal(trace.regions == 2, trace.pseudo_label == 255)
    assert torch.equal(trace.affinity, trace.affinity.T)
    assert not trace.cam.is_inference()


def test_same_input_same_trace(model, picture, trace):
    again = afa_viz.explain(model, Image.fromarray(picture), labels=[3, 8], target=trace.target)
    assert_same(trace, again)
    hot = np.zeros(20, np.float32)
    hot[[2, 7]] = 1
    assert_same(trace, afa_viz.explain(model, picture, labels=hot, target=trace.target))


def test_save_and_load_lose_nothing(trace, tmp_path):
    path = trace.save(tmp_path / "deep" / "trace.npz")
    assert_same(trace, Trace.load(path))
    assert [p.name for p in path.parent.iterdir()] == ["trace.npz"]
    without_truth = dataclasses.replace(trace, target=None)
    assert Trace.load(without_truth.save(tmp_path / "b.npz")).target is None


def test_every_tensor_of_a_trace_is_a_field_of_its_file():
    tensors = {field.name for field in dataclasses.fields(Trace) if field.type in ("Tensor", "Tensor | None")}
    assert tensors == set(trace_file.FIELDS)


def test_load_refuses_other_files(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file"):
        Trace.load(tmp_path / "x.npz")
    (tmp_path / "y.npz").write_bytes(b"no trace")
    with pytest.raises(ValueError, match="not a trace"):
        Trace.load(tmp_path / "y.npz")
    np.savez(tmp_path / "z.npz", a=np.zeros(3))
    with pytest.raises(ValueError, match="not a trace"):
        Trace.load(tmp_path / "z.npz")


def test_every_picture_passes_the_network_once(model, picture, monkeypatch):
    seen: list[torch.Tensor] = []
    embed = type(model.encoder).embed

    def watched(encoder, i, maps):
        if i == 0:
            seen.extend(maps)
        return embed(encoder, i, maps)

    monkeypatch.setattr(type(model.encoder), "embed", watched)
    afa_viz.explain(model, picture, labels=[3])
    assert len(seen) == 6  # three scales, each with its mirror image
    for i, one in enumerate(seen):
        assert not any(one.shape == other.shape and torch.equal(one, other) for other in seen[:i])


@pytest.mark.parametrize("flip", [True, False])
def test_cam_of_a_pass_already_made_is_the_published_one(model, picture, flip):
    image = network_input(model, torch.from_numpy(picture))
    scales = (0.5, 1.0, 1.5)
    with torch.no_grad():
        got = multi_scale_cam_of(model, image, model.forward_intermediates(image).cam, scales, flip)
    expected, _ = multi_scale_cam(model, image, scales, flip)
    torch.testing.assert_close(got, expected, rtol=0, atol=2e-5)


def test_predicted_labels(model, picture):
    best = afa_viz.explain(model, picture, config=ExplainConfig(label_threshold=1e9))
    assert best.present == (int(best.class_logits.argmax()) + 1,)
    assert not best.labels_given
    every = afa_viz.explain(model, picture, config=ExplainConfig(label_threshold=-1e9))
    assert len(every.present) == 20


def test_long_side_and_small_images(model, picture):
    assert afa_viz.explain(model, picture, [1], ExplainConfig(long_side=64)).image.shape == (48, 64, 3)
    for size in ((1, 1), (5, 40), (17, 16)):
        trace = afa_viz.explain(model, np.full((*size, 3), 99, np.uint8), [1])
        assert torch.isfinite(trace.cam_par).all()


def test_kinds_of_images(model, tmp_path):
    grey = np.random.default_rng(0).integers(0, 256, (40, 40), dtype=np.uint8)
    Image.fromarray(grey).save(tmp_path / "grey.png")
    a = afa_viz.explain(model, tmp_path / "grey.png", [1])
    b = afa_viz.explain(model, grey, [1])
    assert torch.equal(a.image, b.image)


def test_steps_on_request(trace):
    walked = list(walk_steps(trace, 2))
    assert len(walked) == 3
    torch.testing.assert_close(walked[1], trace.cam_rw)
    refined = list(par_steps(trace, trace.config.num_iters))
    assert len(refined) == 11
    assert refined[0].shape == (3, 37, 50)
    full = torch.nn.functional.interpolate(refined[-1][None], size=(75, 101), mode="bilinear")[0]
    torch.testing.assert_close(full, trace.cam_par[[0, 3, 8]])
    assert target_affinity(trace).shape == (35, 35)


def test_fresh_network_without_card():
    trace = afa_viz.explain(build_afa("mit_b0", num_classes=13), np.zeros((32, 48, 3), np.uint8))
    assert trace.class_names[1] == "aeroplane"


def test_refusals(model, picture, trace, tmp_path):
    (tmp_path / "text.png").write_text("no image")
    for call, error, words in (
        (lambda: afa_viz.explain(model, tmp_path / "none.png"), FileNotFoundError, "no image"),
        (lambda: afa_viz.explain(model, tmp_path / "text.png"), ValueError, "cannot be read"),
        (lambda: afa_viz.explain(model, np.zeros((4, 4, 2), np.uint8)), ValueError, "shape"),
        (lambda: afa_viz.explain(model, picture.astype(float)), ValueError, "uint8"),
        (lambda: afa_viz.explain(model, picture, ["unicorn"]), ValueError, "unicorn"),
        (lambda: afa_viz.explain(model, picture, [21]), ValueError, "1 to 20"),
        (lambda: afa_viz.explain(model, picture, target=np.zeros((3, 3))), ValueError, "same size"),
        (lambda: recompute(trace, ExplainConfig(long_side=64)), ValueError, "explain"),
        (lambda: recompute(trace, ExplainConfig(flip=False)), ValueError, "model="),
        (lambda: recompute(trace, ExplainConfig(flip=False), model=build_afa("mit_b0")), ValueError, "model="),
        (lambda: ExplainConfig(bkg_score_low=0.8), ValueError, "bkg_score_low"),
        (lambda: ExplainConfig(power=0), ValueError, "power"),
    ):
        with pytest.raises(error, match=words):
            call()


QUICK = ExplainConfig(scales=(1,), num_iters=0)


@pytest.mark.parametrize(
    "labels,present",
    [
        ("dog", (12,)),
        (3, (3,)),
        (np.int64(7), (7,)),
        (np.uint8(7), (7,)),
        (7.0, (7,)),
        (np.float32(7), (7,)),
        (np.array(7), (7,)),
        (torch.tensor(7), (7,)),
        (np.str_("dog"), (12,)),
        ([np.int32(3), "dog", torch.tensor(7)], (3, 7, 12)),
        ({3, 7}, (3, 7)),
        ([np.bool_(False)] * 19 + [np.bool_(True)], (20,)),
        (np.array(["dog", "cat"]), (8, 12)),
        (np.array(["dog"] * 20), (12,)),
        ([0, 1, *[0] * 18], (2,)),
        ([False] * 19 + [True], (20,)),
        (torch.arange(20) == 3, (4,)),
        (torch.tensor([3], dtype=torch.int16), (3,)),
        ([], ()),
    ],
)
def test_labels_in_any_form(model, labels, present):
    trace = afa_viz.explain(model, np.full((32, 32, 3), 9, np.uint8), labels, QUICK)
    assert trace.present == present
    assert trace.labels_given


@pytest.mark.parametrize(
    "labels,words",
    [
        ([2.5], "label 2.5"),
        (np.zeros((1, 20)), "one value for each class"),
        (torch.full((20,), torch.nan), "NaN"),
        ([None], "label None"),
        (["background"], "background"),
        (np.eye(13)[2], "1 to 20"),
        (True, "label True"),
        (np.bool_(True), "label True"),
        (np.float64("nan"), "label nan"),
        (1e400, "label inf"),
        (b"cat", "labels are b'cat'; expected class names or numbers"),
        ({"cat": 0}, "labels are {'cat': 0}"),
        (object(), "labels are <object"),
        ([np.array([1, 0])], r"label array\(\[1, 0\]\)"),
        ([True, False], "label True"),
        (np.where(np.eye(20)[2] > 0, 255, 0), "labels hold 255; expected 0 and 1"),
        (torch.eye(20)[3] * -1, "labels hold -1"),
        (np.eye(20)[4] * 0.9, "labels hold 0.9"),
        ([255] + [0] * 19, "label 255"),
    ],
)
def test_labels_that_are_refused(model, labels, words):
    with pytest.raises(ValueError, match=words):
        afa_viz.explain(model, np.full((32, 32, 3), 9, np.uint8), labels, QUICK)


def test_targets(model):
    image, truth = np.full((32, 32, 3), 9, np.uint8), np.full((32, 32), 3, np.uint8)
    truth.flags.writeable = False
    for target in (truth, torch.from_numpy(truth.astype(np.int64)), Image.fromarray(truth)):
        assert afa_viz.explain(model, image, [1], QUICK, target=target).target.unique().tolist() == [3]
    for target in (np.full((32, 32), 300), np.full((32, 32), -1), np.full((32, 32), 0.5)):
        with pytest.raises(ValueError, match="ignored"):
            afa_viz.explain(model, image, [1], QUICK, target=target)


def test_trace_without_labels_survives_file_pickle_and_copy(model, tmp_path):
    config = ExplainConfig(scales=[1, 0.5], dilations=[1, 2], num_iters=np.int64(2))
    trace = afa_viz.explain(model, np.full((40, 33, 3), 9, np.uint8), [], config)
    assert trace.pseudo_label.max() == 0
    for other in (Trace.load(trace.save(tmp_path / "a.npz")), pickle.loads(pickle.dumps(trace)), copy.deepcopy(trace)):
        assert_same(trace, other)
        assert trace != other  # and no complaint about tensors without a truth value


def test_load_refuses_broken_files(trace, tmp_path):
    whole = trace.save(tmp_path / "a.npz").read_bytes()
    middle = len(whole) // 2
    flipped = whole[:middle] + bytes(255 - value for value in whole[middle : middle + 4]) + whole[middle + 4 :]
    for content in (b"", whole[:middle], flipped):
        (tmp_path / "b.npz").write_bytes(content)
        with pytest.raises(ValueError, match="b.npz is not a trace"):
            Trace.load(tmp_path / "b.npz")


def test_trace_does_not_share_memory_with_the_model(picture):
    network = build_afa("mit_b0", num_classes=21).eval()
    trace = afa_viz.explain(network, picture, [1], QUICK)
    weight, bias = trace.affinity_weight.clone(), trace.affinity_bias.clone()
    with torch.no_grad():
        network.attn_proj.weight.add_(1)
        network.attn_proj.bias.add_(1)
    assert torch.equal(trace.affinity_weight, weight)
    assert torch.equal(trace.affinity_bias, bias)


@pytest.mark.parametrize("dtype,atol", [(torch.float16, 0.02), (torch.bfloat16, 0.1), (torch.float64, 1e-4)])
def test_weights_of_other_types(model, picture, trace, dtype, atol):
    other = afa_viz.explain(copy.deepcopy(model).to(dtype), picture, ["bird", "cat"])
    assert other.cam.dtype == torch.float32
    torch.testing.assert_close(other.cam, trace.cam, rtol=0, atol=atol)


def test_par_steps_without_the_walk_start_from_the_cam(model, picture):
    trace = afa_viz.explain(model, picture, ["bird"], ExplainConfig(use_walk=False, num_iters=3))
    *_, last = par_steps(trace, 3)
    full = torch.nn.functional.interpolate(last[None], size=(75, 101), mode="bilinear")[0]
    torch.testing.assert_close(full, trace.cam_par[[0, 3]])


def test_pictures_of_all_sorts(tmp_path):
    levels = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64) * 16
    Image.fromarray(levels).save(tmp_path / "deep.png")
    assert np.array_equal(read_image(tmp_path / "deep.png")[..., 0], np.round(levels / 257))

    red = np.zeros((40, 30, 4), np.uint8)
    red[..., 0], red[:20, :, 3] = 200, 255
    Image.fromarray(red).save(tmp_path / "clear.png")
    for picture in (tmp_path / "clear.png", Image.fromarray(red), red):
        shown = read_image(picture)
        assert (shown[:20] == (200, 0, 0)).all()
        assert (shown[20:] == 255).all()
    Image.new("P", (40, 30), 0).save(tmp_path / "palette.png", transparency=0)
    assert (read_image(tmp_path / "palette.png") == 255).all()

    Image.new("CMYK", (40, 30), (255, 0, 0, 0)).save(tmp_path / "print.jpg")
    assert read_image(tmp_path / "print.jpg").mean(axis=(0, 1)).round().tolist() == [0, 255, 255]

    turned = Image.fromarray(red[..., :3])
    note = turned.getexif()
    note[0x0112] = 6  # a quarter turn clockwise
    turned.save(tmp_path / "turned.png", exif=note)
    with Image.open(tmp_path / "turned.png") as opened:
        for picture in (tmp_path / "turned.png", opened):
            assert read_image(picture).shape == (30, 40, 3)

    frames = [Image.new("RGB", (40, 30), (value, value, value)) for value in (10, 120, 240)]
    for name in ("moving.gif", "moving.webp"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], lossless=True)
        assert (read_image(tmp_path / name) == 10).all()

    for picture in (Image.new("F", (8, 8), 0.5), Image.fromarray(np.full((8, 8), 70000, np.int32))):
        with pytest.raises(ValueError, match="grey levels"):
            read_image(picture)


@pytest.mark.parametrize("size", [(1, 3000), (3000, 1)])
def test_very_long_pictures(model, size):
    trace = afa_viz.explain(model, np.full((*size, 3), 99, np.uint8), [1], ExplainConfig(long_side=256))
    assert sorted(trace.seg.shape) == [16, 256]


@pytest.mark.parametrize("field", ["num_steps", "num_iters", "par_downscale", "long_side"])
@pytest.mark.parametrize("value", [40.5, float("nan"), float("inf")])
def test_settings_that_must_be_whole(field, value):
    with pytest.raises(ValueError, match=f"{field} is .* whole number"):
        ExplainConfig(**{field: value})


def test_a_trace_is_shown_as_its_stages_and_shapes(trace, model):
    shown = repr(trace)
    assert str(trace) == shown and len(shown) < 1500 and "tensor" not in shown
    assert shown.startswith("Trace of 75 x 101 pixels, 5 x 7 cells, image labels (given): bird, cat\n")
    for line in (
        "cam: 20 x 75 x 101 float32", "attn_logits: 8 blocks, 1 x 494 x 6 to 8 x 35 x 35", "seg: 75 x 101 uint8",
        "affinity: 35 x 35 float32", "pseudo_label: 75 x 101 uint8",
    ):  # fmt: skip
        assert f"\n  {line}" in shown, line
    less = afa_viz.explain(model, np.full((32, 32, 3), 9, np.uint8), np.ones(20), ExplainConfig(
        scales=(1,), num_iters=0, keep_attention="last_stage"))  # fmt: skip
    assert "attn_logits: last 2 of 8 blocks, " in repr(less) and "\n  target: none" in repr(less)
    assert "bottle, bus, car, cat and 12 more" in repr(less).replace("\n", " ")
