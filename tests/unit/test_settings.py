"""Every setting refuses what it is not in one sentence, and takes numpy's and torch's scalars as it takes Python's."""

from __future__ import annotations

import dataclasses
import json
from fractions import Fraction

import numpy as np
import pytest
import torch
from explained import noise
from golden_vectors import golden_model
from PIL import Image

import afa_viz
from afa_viz.__main__ import main
from afa_viz.config import ExplainConfig
from afa_viz.ops import affinity, banded_walk, cam, checks, dense_crf, metrics, par, pseudo_label, random_walk
from afa_viz.trace import Trace
from afa_viz.ui.errors import UserError
from afa_viz.ui.page.config_fields import SLIDERS, config_from

WHOLE = ("long_side", "radius", "num_steps", "num_iters", "par_downscale")
NUMBERS = ("label_threshold", "bkg_score", "bkg_score_low", "bkg_score_high", "power")
BOOLEANS = ("flip", "symmetric", "use_walk", "use_par")
LISTS = ("scales", "dilations")
WORDS = ("keep_attention",)
OPTIONAL = ("affinity_bias",)  # a number, or None
HEADS = ("head_weights",)  # a list of those, or None
EDITS = ("affinity_edits", "class_thresholds", "occlude")  # lists of lists, or None

NO_NUMBER = ["512", "", b"1", True, False, np.bool_(True), [1], (1,), {}, object(), 1j, np.array([1, 2]), torch.ones(2),
             float("nan"), float("inf"), -float("inf"), np.float32("nan"), np.float64("inf"), torch.tensor(torch.nan),
             np.datetime64("2020")]  # fmt: skip
HUGE = [10**400, 10**5000]
NO_BOOLEAN = ["no", "yes", "True", "", 0, 1, 1.0, None, np.int64(1), [], [True], float("nan"), np.array([True])]
NO_LIST = [1, 1.0, "1", "1,0.5", b"12", None, True, (), [], {}, {1: 2}, {1.0}, ["1"], [None], [True], [[1]], [0], [-1],
           [float("nan")], [float("inf")], np.array(1), np.ones((1, 1)), np.array([]), [10**400], [5000], [1] * 1000,
           iter([1])]  # fmt: skip


def one_sentence(error: BaseException) -> str:
    text = str(error)
    assert text.endswith(".") and "\n" not in text and "expected" in text and len(text) < 250, text
    return text


def wrong_settings():
    yield from ((name, value) for name in (*WHOLE, *NUMBERS) for value in NO_NUMBER + HUGE)
    yield from ((name, value) for name in OPTIONAL for value in NO_NUMBER + HUGE)
    yield from (
        (name, value) for name in HEADS for value in (1, "1", b"1", {}, True, ["x"], [[1]], [float("nan")], [10**400])
    )
    yield from (
        (name, value) for name in EDITS for value in (1, "1", b"1", True, ["x"], [[1]], [[]], [None], [10**400])
    )
    yield from ((name, value) for name in WHOLE for value in (1.5, np.float64(2.5), Fraction(1, 3), -1, 10**6))
    yield from ((name, None) for name in (*WHOLE[1:], *NUMBERS))
    yield from ((name, value) for name in BOOLEANS for value in NO_BOOLEAN)
    yield from ((name, value) for name in LISTS for value in NO_LIST)
    yield from ((name, value) for name in WORDS for value in ("none", "", "All", 1, None, True, ["all"], b"all"))
    yield from [("dilations", [1.5]), ("dilations", 24), ("scales", np.float64(1)), ("scales", [0.1]), ("scales", [5])]


@pytest.mark.parametrize(
    "name,value", list(wrong_settings()), ids=lambda x: x if isinstance(x, str) else type(x).__name__
)
def test_a_wrong_setting_is_one_sentence(name, value):
    with pytest.raises(ValueError) as caught:
        ExplainConfig(**{name: value})
    assert one_sentence(caught.value).startswith(f"{name} is ")
    with pytest.raises(ValueError):
        dataclasses.replace(ExplainConfig(), **{name: value})


def test_every_setting_is_tried():
    assert {field.name for field in dataclasses.fields(ExplainConfig)} == {
        *WHOLE,
        *NUMBERS,
        *BOOLEANS,
        *LISTS,
        *WORDS,
        *OPTIONAL,
        *HEADS,
        *EDITS,
    }


@pytest.mark.parametrize(
    "kind", [int, float, np.int64, np.int8, np.uint8, np.float16, np.float64, np.array, torch.tensor]
)
def test_scalars_of_any_library_are_the_same_setting(kind):
    plain = ExplainConfig(long_side=64, radius=3, num_steps=2, num_iters=5, par_downscale=1, power=3, bkg_score=1.0,
                          bkg_score_low=0.0, bkg_score_high=1.0, label_threshold=1.0)  # fmt: skip
    numbers = {name: getattr(plain, name) for name in (*WHOLE, *NUMBERS)}
    other = ExplainConfig(**{name: kind(value) for name, value in numbers.items()})
    assert other == plain and hash(other) == hash(plain) and repr(other) == repr(plain)
    assert json.dumps(dataclasses.asdict(other)) == json.dumps(dataclasses.asdict(plain))


@pytest.mark.parametrize("kind", [list, np.array, torch.tensor, lambda values: [np.float32(v) for v in values]])
def test_lists_and_booleans_of_any_library_are_the_same_setting(kind):
    plain = ExplainConfig(scales=(1.0, 0.5), dilations=(1, 3), flip=False, use_walk=False)
    other = ExplainConfig(
        scales=kind([1.0, 0.5]), dilations=kind([1, 3]), flip=np.bool_(False), use_walk=torch.tensor(False)
    )
    assert other == plain and repr(other) == repr(plain)
    assert ExplainConfig(dilations=range(1, 4)).dilations == (1, 2, 3)


def test_a_trace_made_with_numpy_scalars_is_saved_and_loaded(tmp_path):
    picture = np.full((32, 32, 3), 9, np.uint8)
    config = ExplainConfig(
        scales=np.array([1.0]),
        num_iters=np.int64(2),
        radius=np.int32(2),
        bkg_score=np.float32(0.5),
        flip=np.bool_(False),
    )
    trace = afa_viz.explain(golden_model(), picture, np.int64(3), config)
    again = Trace.load(trace.save(tmp_path / "a.npz"))
    assert again.config == config == trace.config
    changed = afa_viz.recompute(trace, dataclasses.replace(config, num_steps=np.int64(2)), labels=np.int64(7))
    assert changed.present == (7,) and changed.config.num_steps == 2


def test_settings_in_another_form_are_refused():
    model, picture = golden_model(), noise()
    for config in ({}, {"radius": 4}, "default", 3):
        with pytest.raises(ValueError, match="expected an ExplainConfig") as caught:
            afa_viz.explain(model, picture, config=config)
        one_sentence(caught.value)
    with pytest.raises(ValueError, match="afa_viz.load_model gives one"):
        afa_viz.explain("checkpoints/sandbox", picture)
    trace = afa_viz.explain(model, np.full((32, 32, 3), 9, np.uint8), [1], ExplainConfig(scales=(1,), num_iters=0))
    with pytest.raises(ValueError, match="expected an ExplainConfig"):
        afa_viz.recompute(trace, {"radius": 4})


@pytest.mark.parametrize(
    "setting",
    ["scales=", "scales=one", "scales=nan", "scales=1,inf", "long_side=wide", "long_side=1.5", "use_walk=maybe",
     "use_walk=2", "power=nan", "power=inf", "label_threshold=inf", "radius=none", "radius=9999999999", "dilations=0",
     "dilations=1,x", "num_iters=", "par_downscale=1e1", "flip="],
)  # fmt: skip
def test_the_command_line_refuses_a_wrong_setting(setting, tmp_path, capsys):
    picture = tmp_path / "a.png"
    Image.fromarray(np.full((32, 32, 3), 9, np.uint8)).save(picture)
    assert main(["explain", str(picture), "--out", str(tmp_path / "out"), "--set", setting, "--device", "cpu"]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("afa_viz: ") and setting.split("=")[0] in said and "expected" in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("slider", SLIDERS, ids=lambda slider: slider.field)
def test_the_page_refuses_a_wrong_setting(slider):
    own = ExplainConfig()
    for value in (*NO_NUMBER, *HUGE, None, -1, 10**6):
        with pytest.raises(UserError) as caught:
            config_from({slider.field: value}, [], own)
        one_sentence(caught.value)
    if isinstance(slider.value(own), int):
        with pytest.raises(UserError):  # never cut off to 2 without a word
            config_from({slider.field: 2.5}, [], own)
        assert getattr(config_from({slider.field: 2.0}, [], own), slider.field) == 2


# --- ops -------------------------------------------------------------------------------------------------------------

IMAGE = torch.rand(1, 3, 6, 8, generator=torch.Generator().manual_seed(0))
SCORES = torch.rand(1, 2, 6, 8, generator=torch.Generator().manual_seed(1))
AFFINITY = torch.rand(1, 12, 12, generator=torch.Generator().manual_seed(2))
CELLS = torch.rand(1, 2, 3, 4, generator=torch.Generator().manual_seed(3))
LABELS = torch.ones(1, 2)
KERNEL = par.pixel_affinity(IMAGE, (1, 2))
LOGITS = [torch.rand(1, 2, 12, 12)]

WHOLE_IN_OPS = {
    "refine num_iters": lambda v: par.refine(SCORES, KERNEL, (1, 2), num_iters=v),
    "refine_steps num_iters": lambda v: list(par.refine_steps(SCORES, KERNEL, (1, 2), num_iters=v)),
    "pixel_adaptive_refinement num_iters": lambda v: par.pixel_adaptive_refinement(IMAGE, SCORES, (1,), num_iters=v),
    "dilation": lambda v: par.pixel_affinity(IMAGE, (v,)),
    "neighbour row": lambda v: par.neighbour_weights(KERNEL, v, 0, (1, 2)),
    "neighbour col": lambda v: par.neighbour_weights(KERNEL, 0, v, (1, 2)),
    "propagate num_steps": lambda v: random_walk.propagate(CELLS, AFFINITY, num_steps=v),
    "propagate_near num_steps": lambda v: banded_walk.propagate_windowed(CELLS, AFFINITY, 1, num_steps=v),
    "band_steps num_steps": lambda v: list(
        banded_walk.band_steps(CELLS, banded_walk.transition_band(AFFINITY, (3, 4), 1), num_steps=v)
    ),
    "propagate_near radius": lambda v: banded_walk.propagate_windowed(CELLS, AFFINITY, v),
    "transition_band radius": lambda v: banded_walk.transition_band(AFFINITY, (3, 4), v),
    "radius_mask radius": lambda v: affinity.radius_mask(3, 4, v),
    "radius_mask height": lambda v: affinity.radius_mask(v, 4, 1),
    "radius_mask width": lambda v: affinity.radius_mask(3, v, 1),
    "token_grid height": lambda v: affinity.token_grid(v, 32),
    "token_grid stride": lambda v: affinity.token_grid(32, 32, v),
    "cell_labels stride": lambda v: affinity.cell_labels(torch.zeros(1, 32, 32), v),
    "affinity_labels stride": lambda v: affinity.affinity_labels(torch.zeros(1, 32, 32), stride=v),
    "pool_queries reduction": lambda v: affinity.pool_queries(torch.ones(1, 1, 16, 4), (4, 4), v),
    "resize size": lambda v: cam.resize(CELLS, (v, 4)),
    "refine_cam num_iters": lambda v: pseudo_label.refine_cam(IMAGE[0], SCORES[0], (0.5,), v),
    "refine_cam downscale": lambda v: pseudo_label.refine_cam(IMAGE[0], SCORES[0], (0.5,), 1, (1,), v),
    "refine_walk downscale": lambda v: pseudo_label.refine_walk(IMAGE[0], SCORES, 1, (1,), v),
    "num_classes": lambda v: metrics.ConfusionMatrix(v),
}  # fmt: skip
POSITIVE_IN_OPS = {
    "w1": lambda v: par.pixel_affinity(IMAGE, (1,), w1=v),
    "transition power": lambda v: random_walk.transition_matrix(AFFINITY, power=v),
    "transition eps": lambda v: random_walk.transition_matrix(AFFINITY, eps=v),
    "band power": lambda v: banded_walk.transition_band(AFFINITY, (3, 4), 1, power=v),
    "band eps": lambda v: banded_walk.transition_band(AFFINITY, (3, 4), 1, eps=v),
}
NUMBERS_IN_OPS = {
    "w2": lambda v: par.pixel_affinity(IMAGE, (1,), w2=v),
    "with_background bkg_score": lambda v: random_walk.with_background(CELLS, LABELS, v),
    "from_cam bkg_score": lambda v: pseudo_label.from_cam(CELLS, LABELS, v),
    "with_uncertain low": lambda v: pseudo_label.with_uncertain(CELLS, LABELS, 0.5, v, 3),
    "with_uncertain high": lambda v: pseudo_label.with_uncertain(CELLS, LABELS, 0.5, 0.1, v),
    "refine_cam bkg_scores": lambda v: pseudo_label.refine_cam(IMAGE[0], SCORES[0], (v,), 0),
}
BOOLEANS_IN_OPS = {
    "symmetric": lambda v: affinity.affinity_logits(LOGITS, torch.ones(2), torch.zeros(1), symmetric=v),
    "at_centre": lambda v: affinity.cell_labels(torch.zeros(1, 32, 32), at_centre=v),
    "relu": lambda v: cam.fuse_scales([CELLS], relu=v),
}


def same(one, other):
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other or type(one) is type(other) is metrics.ConfusionMatrix


@pytest.mark.parametrize("call", list(WHOLE_IN_OPS.values()), ids=WHOLE_IN_OPS)
def test_whole_numbers_of_the_ops(call):
    for kind in (float, np.int64, np.int32, np.uint8, np.float32, torch.tensor):
        assert same(call(2), call(kind(2)))
    for value in (*NO_NUMBER, None, 1.5, np.float64(2.5), -1):
        with pytest.raises(ValueError) as caught:
            call(value)
        one_sentence(caught.value)


@pytest.mark.parametrize("call", [*POSITIVE_IN_OPS.values(), *NUMBERS_IN_OPS.values()],
                         ids=[*POSITIVE_IN_OPS, *NUMBERS_IN_OPS])  # fmt: skip
def test_numbers_of_the_ops(call):
    for kind in (int, np.int64, np.float32, torch.tensor):
        assert same(call(2.0), call(kind(2)))
    for value in (*NO_NUMBER, *HUGE, None):
        with pytest.raises(ValueError) as caught:
            call(value)
        one_sentence(caught.value)


@pytest.mark.parametrize("call", list(POSITIVE_IN_OPS.values()), ids=POSITIVE_IN_OPS)
def test_positive_numbers_of_the_ops(call):
    for value in (0, -1.0, np.float32(-2)):
        with pytest.raises(ValueError, match="above 0"):
            call(value)


@pytest.mark.parametrize("call", list(BOOLEANS_IN_OPS.values()), ids=BOOLEANS_IN_OPS)
def test_booleans_of_the_ops(call):
    assert same(call(True), call(np.bool_(True)))
    for value in NO_BOOLEAN:
        with pytest.raises(ValueError, match="expected True or False"):
            call(value)


def test_lists_of_the_ops():
    for values in ([1, 2], np.array([1, 2]), torch.tensor([1, 2]), (np.int64(1), 2.0)):
        assert torch.equal(par.pixel_affinity(IMAGE, values), KERNEL)
    for values in (1, 1.0, "12", None, (), {1: 2}, {1}, ["1"], [None], [True], [0], [float("nan")], np.ones((1, 1))):
        with pytest.raises(ValueError, match="expected one or more whole numbers"):
            par.neighbour_offsets(values)
    for size in (3, "34", None, (3,), (3, 4, 5), (3, 0), (3, 1.5), ("3", "4")):
        with pytest.raises(ValueError, match="expected two whole numbers"):
            checks.require_size("grid", size)


def test_numbers_of_the_dense_crf():
    image, scores = torch.zeros(4, 5, 3, dtype=torch.uint8), torch.ones(2, 4, 5)
    assert same(dense_crf.dense_crf(image, scores, np.int64(2)), dense_crf.dense_crf(image, scores, 2))
    for name in ("num_iters", "sxy_gauss", "sxy_bilateral", "srgb", "weight_gauss", "weight_bilateral"):
        for value in NO_NUMBER:
            with pytest.raises(ValueError):
                dense_crf.dense_crf(image, scores, **{name: value})
