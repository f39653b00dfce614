"""What a run may be resumed with: which settings and data may differ from those it began with, and which may not."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from afa_viz.config import CurriculumStage, ExplainConfig, TrainConfig, override_curriculum
from afa_viz.presets import PRESETS, QUICK
from afa_viz.training.resume import CHANGEABLE, changed_settings, flat_settings

NAMES = ("background", "cat", "dog")
FACTS = {"data": "pets train", "images": 9, "image_labels": "the file", "fingerprint": "ab", "file_sizes": "cd"}
WAY = {"device": "cpu", "processes": 1, "threads": 2, "eval_every": 500, "snapshots": ()}
PHOTOS = TrainConfig(num_classes=3)


def flat(config=PHOTOS, names=NAMES, facts=FACTS, **way):
    return flat_settings(config, names, facts, {**WAY, **way})


def compare(before, now, iteration=100):
    return changed_settings(before, now, iteration, Path("runs/a"))


@pytest.mark.parametrize(
    "name, value",
    [("learning_rate", 1e-5), ("weight_decay", 0.1), ("betas", (0.8, 0.9)), ("warmup_iters", 3), ("warmup_ratio", 0.5),
     ("lr_power", 2.0), ("head_multiplier", 2.0), ("freeze_norms", False), ("clip_grad", 3.0), ("max_iters", 90000),
     ("amp", "bf16"), ("max_bad_steps", 9), ("batch_size", 4), ("accumulate", 2), ("pretrained", True)],
)  # fmt: skip
def test_the_way_there_may_change(name, value):
    before, now = flat(), flat(dataclasses.replace(PHOTOS, **{name: value}))
    assert compare(before, now) == {name: [getattr(PHOTOS, name), value]}


@pytest.mark.parametrize("name, value", [("device", "cuda"), ("threads", 9), ("processes", 4), ("eval_every", 1),
                                         ("snapshots", (3, 4))])  # fmt: skip
def test_how_it_is_carried_out_may_change(name, value):
    assert compare(flat(), flat(**{name: value})) == {name: [WAY[name], value]}


@pytest.mark.parametrize(
    "change, told",
    [({"backbone": "mit_b0"}, "backbone is 'mit_b1' there and 'mit_b0' here"),
     ({"pooling": "topk"}, "pooling is 'max' there and 'topk' here"),
     ({"topk": 0.5}, "topk is 0.05 there and 0.5 here"), ({"logit_offset": 2.0}, "logit_offset is 0.0 there"),
     ({"cam_relu": False}, "cam_relu is True there and False here"), ({"weight_aff": 1.0}, "weight_aff is 0.1 there"),
     ({"affinity_target": "seg"}, "affinity_target is 'cam' there and 'seg' here"),
     ({"balance_affinity": True}, "balance_affinity is False there"), ({"ema": 0.9}, "ema is 0.0 there and 0.9 here"),
     ({"seg_scales": (1.0, 0.5)}, r"seg_scales is \(1.0,\) there and \(1.0, 0.5\) here"),
     ({"crop_size": 64}, "crop_size is 512 there and 64 here"), ({"rng_seed": 2}, "rng_seed is 1 there and 2 here"),
     ({"scale_range": (1, 1)}, r"scale_range is \(0.5, 2.0\) there"), ({"official_parity": True}, "official_parity"),
     ({"explain": ExplainConfig(radius=5)}, "explain.radius is 8 there and 5 here"),
     ({"explain": ExplainConfig(bkg_score_low=0.3, num_iters=3)},
      "explain.bkg_score_low is 0.35 there and 0.3 here, explain.num_iters is 10 there and 3 here"),
     ({"num_classes": 4}, "num_classes is 3 there and 4 here")],
)  # fmt: skip
def test_what_the_weights_mean_may_not(change, told):
    with pytest.raises(ValueError, match=f"^runs/a was trained with other settings: {told}.*; expected the same"):
        compare(flat(), flat(dataclasses.replace(PHOTOS, **change)))


def test_a_field_is_free_only_where_the_table_says_so():
    fields = {field.name for field in dataclasses.fields(TrainConfig)}
    parts = {f"curriculum[].{field.name}" for field in dataclasses.fields(CurriculumStage)}
    assert fields | parts | WAY.keys() | {"validation"} >= CHANGEABLE, "names that exist"


def test_classes_and_their_order():
    with pytest.raises(ValueError, match=r"class_names\[1\] is 'cat' there and 'dog' here, class_names\[2\] is 'dog' "):
        compare(flat(), flat(names=("background", "dog", "cat")))
    with pytest.raises(ValueError, match=r"class_names\[2\] is 'dog' there and 'cow' here;"):
        compare(flat(), flat(names=("background", "cat", "cow")))
    with pytest.raises(ValueError, match=r"class_names\[3\] is nothing there and 'cow' here"):
        compare(flat(), flat(names=(*NAMES, "cow")))
    many = [f"class {i}" for i in range(12)]
    with pytest.raises(
        ValueError, match=r"class_names\[3\] is 'class 3' there and 'class 8' here and 8 more; expected"
    ):
        compare(flat(names=many), flat(names=many[::-1]))


@pytest.mark.parametrize(
    "facts, told",
    [({"fingerprint": "xx"}, "fingerprint is 'ab' there and 'xx' here"),
     ({"fingerprint": "xx", "data": "pets all", "images": 10}, "data is 'pets train' there and 'pets all' here"),
     ({"fingerprint": "xx", "image_labels": "the masks"}, "image_labels is 'the file' there and 'the masks' here"),
     ({"data": "cats train", "file_sizes": "yy"}, "data is 'pets train' there and 'cats train' here, file_sizes")],
)  # fmt: skip
def test_other_data_are_refused(facts, told):
    with pytest.raises(ValueError, match=told):
        compare(flat(), flat(facts={**FACTS, **facts}))


@pytest.mark.parametrize("facts", [{"data": "moved train"}, {"file_sizes": "yy"}, {"validation": "none"}])
def test_the_same_data_elsewhere_or_with_a_mended_image(facts):
    known = {**FACTS, "validation": "pets val, 3 images"}
    changed = compare(flat(facts=known), flat(facts={**known, **facts}))
    assert {name: pair[1] for name, pair in changed.items()} == facts


def test_a_run_is_not_shortened_below_what_is_done():
    for iterations, good in ((99, False), (100, True), (10**6, True)):
        now = flat(dataclasses.replace(PHOTOS, max_iters=iterations, cam_iters=0, joint_after=0))
        if good:
            assert compare(flat(), now)["max_iters"] == [20000, iterations]
        else:
            with pytest.raises(ValueError, match="max_iters is 99 but the run in runs/a has made 100 iterations"):
                compare(flat(), now)


def test_parts_of_a_curriculum():
    part = CurriculumStage(10, 64, 64, 2, 1e-3)

    def of(*parts):
        longest = sum(p.iterations for p in parts)
        return flat(dataclasses.replace(PHOTOS, curriculum=parts, max_iters=longest, cam_iters=0, joint_after=0))

    free = dataclasses.replace(part, iterations=20, learning_rate=1e-4, batch_size=8)
    assert compare(of(part), of(free), 5) == {
        "max_iters": [10, 20], "curriculum[0].iterations": [10, 20], "curriculum[0].batch_size": [2, 8],
        "curriculum[0].learning_rate": [1e-3, 1e-4],
    }  # fmt: skip
    with pytest.raises(ValueError, match=r"curriculum\[0\].crop_size is 64 there and 32 here"):
        compare(of(part), of(dataclasses.replace(part, crop_size=32)), 5)
    small = dataclasses.replace(part, crop_size=32)
    for iteration in (5, 10):  # what has not begun may change, be added or left out
        assert compare(of(part), of(part, small), iteration)["curriculum[1].crop_size"] == [None, 32]
        assert compare(of(part, part), of(part, small), iteration) == {"curriculum[1].crop_size": [64, 32]}
        assert compare(of(part, part), of(part), iteration)["curriculum[1].crop_size"] == [64, None]
    with pytest.raises(ValueError, match=r"curriculum\[1\].crop_size is 64 there and 32 here"):
        compare(of(part, part), of(part, small), 11)


def test_a_setting_that_older_versions_did_not_have():
    before = flat()
    del before["max_bad_steps"], before["ema"], before["fingerprint"]
    assert compare(before, flat()) == {}


# --- settings of a curriculum ----------------------------------------------------------------------------------------


def test_settings_that_the_parts_of_a_run_have_too_hold_in_them(tmp_path):
    from afa_viz.commands.train import read_config

    _, config = read_config("ten_minutes", ["learning_rate=1e-5", "batch_size=3", "clip_grad=2"])
    assert {(part.learning_rate, part.batch_size) for part in config.curriculum} == {(1e-5, 3)}
    assert [part.crop_size for part in config.curriculum] == [96, 96, 128] and config.clip_grad == 2
    (tmp_path / "a.json").write_text(json.dumps({"preset": "ten_minutes", "batch_size": 5}))
    assert {part.batch_size for part in read_config(str(tmp_path / "a.json"))[1].curriculum} == {5}
    whole = dataclasses.asdict(QUICK["ten_minutes"])
    (tmp_path / "b.json").write_text(json.dumps({"preset": "ten_minutes", **whole}))
    assert read_config(str(tmp_path / "b.json"))[1] == QUICK["ten_minutes"], "what a run has written is that run"
    assert override_curriculum(PRESETS["voc"], ["batch_size"]) == PRESETS["voc"]
