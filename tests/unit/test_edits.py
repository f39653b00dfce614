"""What is changed by hand: regions of the affinity, thresholds per class, a hidden part; worked out with NumPy."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from error_sentence import raises_sentence
from expected_affinity import after_edits
from small_checkpoint import small_model

import afa_viz
from afa_viz import ExplainConfig, Trace, TrainConfig
from afa_viz.config_io import apply_settings
from afa_viz.evaluation import ThresholdSweep
from afa_viz.inspection import with_crf
from afa_viz.ops import affinity_edits, pseudo_label
from afa_viz.ops import cam as cams
from afa_viz.pipeline import recompute
from afa_viz.stages import one_image
from afa_viz.value_paths import affinity_path

SIZES = [(96, 160), (128, 128), (90, 170)]  # pixels; the last one fills no whole cells
LABELS = [1, 7]


@pytest.fixture(scope="module")
def model():
    return small_model().eval()


@pytest.fixture(scope="module", params=SIZES, ids=lambda size: "x".join(map(str, size)))
def trace(request, model) -> Trace:
    image = np.random.default_rng(1).integers(0, 256, (*request.param, 3), dtype=np.uint8)
    return afa_viz.explain(model, image, LABELS, ExplainConfig(scales=(1.0, 0.5), num_iters=2, radius=3))


def edits_of(trace: Trace) -> tuple:
    """Two regions joined, one separated, and a pair that a later edit wins."""
    cells = trace.affinity.shape[0]
    left = tuple(range(0, cells // 3, 2))
    return ("join", left, (cells - 1, cells - 3)), ("separate", (1, 4, 5), None), ("separate", (0,), (cells - 1, 0)), (
        "join", (2, 6), (6, 2, 4),
    )  # fmt: skip


def walked_by_hand(trace: Trace, affinity: np.ndarray, cam: np.ndarray, beta: float) -> np.ndarray:
    """(P + 1, h, w): docs/spec.md section 6, from the CAM on the grid and an affinity; in double precision."""
    (rows, cols), config = trace.grid, trace.config
    scores = np.concatenate([np.full((1, rows, cols), beta), cam])
    scores = np.exp(scores) / np.exp(scores).sum(0)
    row, col = np.divmod(np.arange(rows * cols), cols)
    near = np.maximum(abs(row[:, None] - row), abs(col[:, None] - col)) <= config.radius
    sharp = affinity.astype(float) ** config.power * near
    matrix = sharp / (sharp.sum(0) + 0.1)
    flat = scores.reshape(len(scores), -1)
    for _ in range(config.num_steps):
        flat = flat @ matrix
    return flat.reshape(len(scores), rows, cols)


def small_cam(trace: Trace) -> np.ndarray:
    """(P, h, w) CAMs of the image labels on the grid."""
    present = [label - 1 for label in trace.present]
    return cams.resize(trace.cam[None, present], trace.grid)[0].double().numpy()


# --- affinity --------------------------------------------------------------------------------------------------------


def test_joined_and_separated_regions(trace, model):
    edits = edits_of(trace)
    made = recompute(trace, dataclasses.replace(trace.config, affinity_edits=edits))  # needs no model
    expected = after_edits(trace.affinity.numpy(), edits)
    assert np.array_equal(made.affinity.numpy(), expected)
    np.testing.assert_allclose(expected, expected.T, atol=1e-6)
    assert np.array_equal(np.diag(expected), np.diag(trace.affinity.numpy()))  # a cell with itself stays
    channels = [0, *made.present]
    for beta, scores in ((0.35, made.cam_rw), (0.55, made.cam_rw_high)):
        np.testing.assert_allclose(
            scores[channels].numpy(), walked_by_hand(made, expected, small_cam(made), beta), atol=1e-5
        )
    again = afa_viz.explain(model, trace.image.numpy(), LABELS, made.config)
    for name in ("affinity", "cam_rw", "cam_par", "pseudo_label", "affinity_label"):
        assert torch.equal(getattr(again, name), getattr(made, name)), name
    assert made.cam.data_ptr() == trace.cam.data_ptr()
    back = recompute(made, trace.config)
    assert torch.equal(back.affinity, trace.affinity) and torch.equal(back.pseudo_label, trace.pseudo_label)


def test_edits_come_after_other_weights_of_heads(trace):
    weights = dataclasses.replace(trace.config, head_weights=(0.0, *([None] * 15)))
    plain, edits = recompute(trace, weights), edits_of(trace)
    made = recompute(trace, dataclasses.replace(weights, affinity_edits=edits))
    assert np.array_equal(made.affinity.numpy(), after_edits(plain.affinity.numpy(), edits))


def test_the_path_of_an_edited_pair_says_so(trace):
    made = recompute(trace, dataclasses.replace(trace.config, affinity_edits=edits_of(trace)))
    cols, plain = trace.grid[1], trace.affinity
    for i, j in ((0, 4), (1, 8), (0, len(plain) - 1), (len(plain) - 1, 0), (7, 9), (2, 2), (3, 3)):
        path = affinity_path(made, divmod(i, cols), divmod(j, cols))
        assert path.affinity == pytest.approx(float(plain[i, j]), abs=2e-5)  # what was learned
        kept = float(made.affinity[i, j]) == float(plain[i, j])
        assert path.edited is None if kept else path.edited == float(made.affinity[i, j])


@pytest.mark.parametrize("edits, says", [
    ("separate", "affinity_edits is 'separate'; expected at most 32 edits such as ('join', cells, others)"),
    ([("separate", (1,))], "expected at most 32 edits"),
    ([("split", (1,), None)], "expected at most 32 edits"),
    ([("separate", (), None)], "expected at most 32 edits"),
    ([("separate", (-1,), None)], "expected at most 32 edits"),
    ([("separate", (1.5,), None)], "expected at most 32 edits"),
    ([("separate", (True,), None)], "expected at most 32 edits"),
    ([("separate", (1,), ())], "expected at most 32 edits"),
    ([("separate", (1,), None)] * 33, "expected at most 32 edits"),
    ([("join", (1,), (16,))], "affinity_edits names cell 16; expected cells from 0 to 15, row by row"),
])  # fmt: skip
def test_other_edits_are_refused_in_a_sentence(model, edits, says):
    with raises_sentence(ValueError, says):
        afa_viz.explain(model, np.zeros((64, 64, 3), np.uint8), [1], ExplainConfig(affinity_edits=edits))


def test_the_op_alone_refuses_what_is_no_edit():
    affinity = torch.full((1, 4, 4), 0.5)
    for edits in (
        [("x", (0,), None)],
        [("join", (0.5,), None)],
        [("join", (True,), None)],
        [("join", (0,))],
        ["join"],
        5,
    ):
        with pytest.raises(ValueError, match="edits are .*; expected at most 32 edits such as"):
            affinity_edits.edit_affinity(affinity, edits)
    with pytest.raises(ValueError, match="names cell 4; expected cells from 0 to 3"):
        affinity_edits.edit_affinity(affinity, [("join", (4,), None)])
    both = affinity_edits.edit_affinity(affinity.repeat(2, 1, 1), [("separate", (0, 1), (1, 2))])
    assert (
        both.shape == (2, 4, 4)
        and torch.equal(both[0], both[1])
        and torch.equal(affinity, torch.full_like(affinity, 0.5))
    )
    assert both[0].tolist() == [[0.5, 0, 0, 0.5], [0, 0.5, 0, 0.5], [0, 0, 0.5, 0.5], [0.5] * 4]


def test_a_method_without_an_affinity_refuses_them(trace):
    bare = dataclasses.replace(trace, parts=dataclasses.replace(trace.parts, affinity=None), affinity=None)
    with pytest.raises(ValueError, match="affinity_edits is set; expected None: .*"):
        recompute(bare, dataclasses.replace(trace.config, affinity_edits=[("separate", (1,), None)], use_walk=False))


# --- thresholds of classes -------------------------------------------------------------------------------------------


def test_a_threshold_of_a_class_moves_its_cam_before_the_softmax(trace):
    first, second = (trace.class_names[label] for label in trace.present)
    made = recompute(trace, dataclasses.replace(trace.config, class_thresholds={first: 0.8, second: 0.5}))
    moved = small_cam(made) - np.array([0.8, 0.5])[:, None, None] + 0.55
    channels = [0, *made.present]
    expected = walked_by_hand(made, made.affinity.numpy(), moved, 0.55)
    np.testing.assert_allclose(made.cam_rw_high[channels].numpy(), expected, atol=1e-5)
    for name in ("cam_rw", "cam_par", "cam_refined", "affinity"):
        assert torch.equal(getattr(made, name), getattr(trace, name)), name  # the low background score stays common
    for scores, label in (("cam_par", made.pseudo_label), ("cam_refined", made.affinity_label)):
        low, high = (
            pseudo_label.argmax_label(getattr(made, name)[channels], torch.tensor(channels)).numpy()
            for name in (scores, f"{scores}_high")
        )
        assert np.array_equal(label.numpy(), np.where(high > 0, high, np.where(low > 0, 255, 0)))


@pytest.mark.parametrize("use_walk", [True, False])
@pytest.mark.parametrize("score", [0.4, 0.7, 1.0])
def test_one_threshold_for_all_classes_is_the_high_background_score(trace, score, use_walk):
    names = [trace.class_names[label] for label in trace.present]
    plain = dataclasses.replace(trace.config, use_walk=use_walk)
    own = recompute(trace, dataclasses.replace(plain, class_thresholds=dict.fromkeys(names, score)))
    common = recompute(trace, dataclasses.replace(plain, bkg_score_high=score))
    for name in ("cam_rw_high", "cam_par_high", "cam_refined_high"):
        torch.testing.assert_close(getattr(own, name), getattr(common, name), atol=1e-6, rtol=1e-5)
    for name in ("pseudo_label", "affinity_label", "regions"):
        assert (getattr(own, name) != getattr(common, name)).float().mean() < 1e-3, name  # ties
    crf = with_crf(own)
    assert (crf.pseudo_label != with_crf(common).pseudo_label).float().mean() < 1e-3


def test_a_higher_threshold_takes_area_from_its_class_alone(trace):
    first, second = trace.present
    areas = []
    for score in (0.3, 0.55, 0.9):
        made = recompute(trace, dataclasses.replace(trace.config, class_thresholds={trace.class_names[first]: score}))
        areas.append([int((made.pseudo_label == label).sum()) for label in (first, second)])
    assert areas[0][0] >= areas[1][0] >= areas[2][0] and areas[0][0] > areas[2][0]
    assert areas[1] == [int((trace.pseudo_label == label).sum()) for label in (first, second)]
    assert areas[2][1] >= areas[1][1]


@pytest.mark.parametrize("thresholds, says", [
    ({"cat": 1.5}, "expected numbers from 0 to 1 by class names"),
    ({"cat": float("nan")}, "expected numbers from 0 to 1"),
    ({"cat": "x"}, "expected numbers from 0 to 1"),
    ({3: 0.5}, "expected numbers from 0 to 1"),
    ([("cat", 0.5), ("cat", 0.6)], "expected numbers from 0 to 1"),
    ([("cat",)], "expected numbers from 0 to 1"),
    ("cat:0.5", "expected numbers from 0 to 1"),
    (0.5, "expected numbers from 0 to 1"),
    ({"kat": 0.5}, "class_thresholds names 'kat'; the nearest is 'cat'"),
    ({"background": 0.5}, "class_thresholds names 'background'"),
])  # fmt: skip
def test_other_thresholds_are_refused_in_a_sentence(model, thresholds, says):
    with raises_sentence(ValueError, says):
        config = ExplainConfig(class_thresholds=thresholds)
        afa_viz.explain(model, np.zeros((64, 64, 3), np.uint8), [1], config)


# --- a hidden part ---------------------------------------------------------------------------------------------------


def test_a_hidden_part_is_the_mean_colour_and_the_network_runs_on_what_is_left(trace, model):
    box = (16, 48, 32, 80)
    made = afa_viz.explain(model, trace.image.numpy(), LABELS, dataclasses.replace(trace.config, occlude=box))
    pixels = trace.image.numpy().copy()
    pixels[16:48, 32:80] = [124, 116, 104]  # of ImageNet, rounded
    assert np.array_equal(made.image.numpy(), pixels)
    plain = afa_viz.explain(model, pixels, LABELS, trace.config)
    for name in ("class_logits", "cam", "affinity", "cam_rw", "cam_par", "pseudo_label", "seg"):
        assert torch.equal(getattr(made, name), getattr(plain, name)), name
    assert not torch.equal(made.class_logits, trace.class_logits)
    for config, other in ((trace.config, made), (made.config, trace)):
        with pytest.raises(ValueError, match="occlude changed, which needs the original image"):
            recompute(other, config)
    later = recompute(made, dataclasses.replace(made.config, radius=1))  # other settings need no network
    assert torch.equal(later.image, made.image) and later.config.occlude == box


@pytest.mark.parametrize("box, says", [
    ((0, 65, 0, 64), "occlude is (0, 65, 0, 64); expected a box (top, bottom, left, right) within the 64 x 64 pixels"),
    ((0, 10, 60, 70), "within the 64 x 64 pixels"),
    ((10, 10, 0, 5), "expected pixels top < bottom and left < right"),
    ((0, 10, 5), "expected pixels top < bottom"),
    ((0, 10, -5, 5), "expected pixels top < bottom"),
    ((0.5, 10, 0, 5), "expected pixels top < bottom"),
    ("0,10,0,5", "expected pixels top < bottom"),
])  # fmt: skip
def test_other_boxes_are_refused_in_a_sentence(model, box, says):
    with raises_sentence(ValueError, says):
        afa_viz.explain(model, np.zeros((64, 64, 3), np.uint8), [1], ExplainConfig(occlude=box))


# --- settings --------------------------------------------------------------------------------------------------------


def test_settings_of_every_kind_mean_the_same():
    edit = ("separate", (1, 3), None)
    assert ExplainConfig(affinity_edits=[["separate", [3, 1, 3], None]]).affinity_edits == (edit,)
    assert ExplainConfig(affinity_edits=[("separate", np.array([3, 1]), None)]) == ExplainConfig(affinity_edits=(edit,))
    assert ExplainConfig(affinity_edits=[]) == ExplainConfig(class_thresholds={}) == ExplainConfig()
    pairs = (("cat", 0.5), ("dog", 1.0))
    assert ExplainConfig(class_thresholds={"dog": 1, "cat": 0.5}).class_thresholds == pairs
    assert ExplainConfig(class_thresholds=[["dog", 1], ["cat", 0.5]]) == ExplainConfig(class_thresholds=pairs)
    assert repr(ExplainConfig(affinity_bias=-0.0)) == repr(ExplainConfig(affinity_bias=0.0))
    for scales in ((0.5, 0.5), (1.0,) * 3):
        with pytest.raises(ValueError, match="different scales"):
            ExplainConfig(scales=scales)
    assert ExplainConfig(occlude=[0, 8, 0, 8]) == ExplainConfig(occlude=torch.tensor([0, 8, 0, 8]))
    assert apply_settings(ExplainConfig(), ["occlude=0,8,0,8"]).occlude == (0, 8, 0, 8)
    assert apply_settings(ExplainConfig(occlude=(0, 8, 0, 8)), ["occlude=none"]) == ExplainConfig()
    for text in ("affinity_edits=join", "class_thresholds=cat"):
        with pytest.raises(ValueError, match="cannot be set from text"):
            apply_settings(ExplainConfig(), [text])
    assert len({ExplainConfig(affinity_edits=(edit,)), ExplainConfig(class_thresholds=pairs)}) == 2  # hashable


@pytest.mark.parametrize("changes", [
    {"affinity_edits": [("separate", (1,), None)]}, {"class_thresholds": {"cat": 0.5}}, {"occlude": (0, 8, 0, 8)},
])  # fmt: skip
def test_a_run_of_many_images_takes_none(changes):
    with pytest.raises(
        ValueError, match=rf"explain.{next(iter(changes))} is set; expected None: a run has many images"
    ):
        TrainConfig(explain=ExplainConfig(**changes))


@pytest.mark.parametrize("changes", [{"head_weights": (0.0,) * 16}, {"affinity_bias": 1.0}])
def test_a_run_learns_the_weights_of_heads(changes):
    with pytest.raises(ValueError, match=rf"explain.{next(iter(changes))} is set; expected None: a run learns"):
        TrainConfig(explain=ExplainConfig(**changes))


def test_a_sweep_has_its_own_scores(trace):
    target = torch.from_numpy(np.random.default_rng(2).choice([0, *LABELS], trace.image.shape[:2]).astype(np.uint8))
    found = []
    for thresholds in (None, {trace.class_names[1]: 0.95}):
        config = dataclasses.replace(trace.config, class_thresholds=thresholds)
        sweep = ThresholdSweep(len(trace.class_names), (0.45,), (0.35, 0.55))
        sweep.update(dataclasses.replace(recompute(trace, config), target=target))
        found.append(sweep.data()["pseudo_label"])
    assert found[0] == found[1]


def test_a_file_without_its_affinity_label_is_completed_with_them(trace):
    made = recompute(trace, dataclasses.replace(trace.config, class_thresholds={trace.class_names[1]: 0.8}))
    again = one_image.compute_affinity_label(dict(vars(made)), made.config)
    assert torch.equal(again["affinity_label"], made.affinity_label)
    torch.testing.assert_close(again["cam_refined_high"], made.cam_refined_high, atol=1e-6, rtol=0)


def test_a_trace_is_saved_with_them(trace, model, tmp_path):
    config = dataclasses.replace(
        trace.config,
        affinity_edits=edits_of(trace),
        class_thresholds={trace.class_names[1]: 0.7},
        occlude=(0, 16, 0, 32),
    )
    made = afa_viz.explain(model, trace.image.numpy(), LABELS, config)
    loaded = Trace.load(made.save(tmp_path / "x.npz"))
    assert loaded.config == made.config and torch.equal(loaded.affinity, made.affinity)
    assert torch.equal(recompute(loaded, made.config).pseudo_label, made.pseudo_label)
