"""Settings of training: values out of range, names that do not exist; on the command line, in files and in Python."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import json
import pickle

import numpy as np
import pytest

from afa_viz.__main__ import main
from afa_viz.commands.train import read_config
from afa_viz.config import CurriculumStage, ExplainConfig, TrainConfig, scale_iterations
from afa_viz.config_io import apply_settings
from afa_viz.presets import PRESETS, SANDBOX
from afa_viz.setting_checks import CURRICULUM_CHECKS, TRAIN_CHECKS
from afa_viz.spelling import nearest

NAN, INF = float("nan"), float("inf")
WRONG = [
    ("batch_size", 0, "expected a whole number from 1"), ("batch_size", -2, "from 1"), ("batch_size", 2.5, "from 1"),
    ("batch_size", "2", "from 1"), ("batch_size", True, "from 1"), ("crop_size", 0, "expected a multiple of 32"),
    ("crop_size", -32, "a multiple of 32"), ("crop_size", 100, "a multiple of 32"), ("crop_size", NAN, "of 32"),
    ("scale_range", (2, 1), "the smaller one first"), ("scale_range", (0, 1), "above 0"),
    ("scale_range", (1, NAN), "two numbers"), ("scale_range", (1,), "two numbers"), ("scale_range", 1.0, "two numbers"),
    ("scale_range", "12", "two numbers"), ("scale_range", (-1, 1), "above 0"), ("learning_rate", -1, "above 0"),
    ("learning_rate", 0, "above 0"), ("learning_rate", NAN, "above 0"), ("learning_rate", INF, "a number"),
    ("learning_rate", "1e-3", "a number"), ("learning_rate", None, "a number"), ("rng_seed", -1, "from 0"),
    ("rng_seed", 1.5, "a whole number"), ("rng_seed", 2**70, "from 0"), ("max_iters", 0, "from 1"),
    ("weight_decay", -0.1, "from 0"), ("betas", (0.9, 1.0), "below 1"), ("betas", (0.9,), "two numbers"),
    ("betas", (NAN, 0.9), "two numbers"), ("warmup_iters", -1, "from 0"), ("warmup_ratio", 2, "from 0 up to 1"),
    ("lr_power", NAN, "a number"), ("clip_grad", -1, "from 0"), ("clip_grad", NAN, "a number"),
    ("drop_path_rate", 1, "below 1"), ("topk", 0, "above 0"), ("topk", 1.5, "up to 1"), ("num_classes", 1, "from 2"),
    ("num_classes", 300, "to 255"), ("weight_seg", NAN, "a number"), ("weight_aff", -1, "from 0"),
    ("head_multiplier", INF, "a number"), ("logit_offset", NAN, "a number"), ("train_images", 0, "from 1"),
    ("input_size", 0, "from 32"), ("accumulate", 0, "1 or more"), ("ema", 1, "below 1"), ("ema", NAN, "below 1"),
    ("amp", "fp8", "'fp16'"), ("affinity_target", "walk", "'seg'"), ("freeze_norms", "no", "True or False"),
    ("official_parity", 1, "True or False"), ("backbone", "", "a name"), ("pooling", 3, "a name"),
    ("max_bad_steps", -1, "from 0"), ("explain", {"radius": 3}, "an ExplainConfig"), ("curriculum", 3, "a list"),
    ("curriculum", [{"iterations": 3}], "a list of CurriculumStage"), ("seg_scales", 1.0, "1.0 and then others"),
    ("seg_scales", (1.0, NAN), "1.0 and then others"),
]  # fmt: skip


@pytest.mark.parametrize("name, value, expected", WRONG, ids=lambda v: str(v)[:24])
def test_a_value_out_of_range_is_a_sentence(name, value, expected):
    with pytest.raises(ValueError) as caught:
        TrainConfig(**{name: value})
    text = str(caught.value)
    assert text.startswith(f"{name} is ") and expected in text and text.endswith(".") and "\n" not in text
    assert not isinstance(caught.value, TypeError)


@pytest.mark.parametrize(
    "setting",
    ["batch_size=0", "crop_size=0", "scale_range=2,1", "learning_rate=-1", "learning_rate=nan", "rng_seed=-1"],
)
def test_it_is_refused_before_anything_is_made(setting, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    key, value = setting.split("=")
    assert main(["train", "--config", "few_seconds", "--set", setting]) == 2
    output = capsys.readouterr().err
    assert output.startswith(f"afa_viz: {key} is ") and output.count("\n") == 1
    held = [float(v) for v in value.split(",")]
    text = json.dumps(
        {"preset": "few_seconds", key: held if len(held) > 1 else held[0] if "rate" in key else int(value)}
    )
    (tmp_path / "mine.json").write_text(text)
    assert main(["train", "--config", "mine.json"]) == 2
    assert capsys.readouterr().err == output
    assert [path.name for path in tmp_path.iterdir()] == ["mine.json"]


def test_every_setting_has_a_range():
    nested = {"explain", "curriculum"}
    assert TRAIN_CHECKS.keys() | nested == {field.name for field in dataclasses.fields(TrainConfig)}
    assert CURRICULUM_CHECKS.keys() == {field.name for field in dataclasses.fields(CurriculumStage)}


@pytest.mark.parametrize("name", ["iterations", "image_size", "crop_size", "batch_size", "learning_rate", "min_crop"])
@pytest.mark.parametrize("value", [0, -1, NAN, "3", None])
def test_a_part_of_a_run_is_checked_too(name, value):
    good = {"iterations": 4, "image_size": 64, "crop_size": 64, "batch_size": 2, "learning_rate": 1e-3}
    with pytest.raises(ValueError, match=f"^{name} is .*; expected .*"):
        CurriculumStage(**{**good, name: value})


def test_a_part_with_pseudo_labels_has_a_grid():
    parts = (CurriculumStage(4, 112, 112, 2, 1e-3, single_objects=True), CurriculumStage(6, 112, 112, 2, 1e-3))
    base = dataclasses.replace(SANDBOX, curriculum=parts, max_iters=10, cam_iters=10, joint_after=10)
    assert base.curriculum == parts, "image labels alone need none"
    with pytest.raises(ValueError, match=r"curriculum\[1\]\.crop_size is 112; expected a multiple of 32"):
        dataclasses.replace(base, cam_iters=8)


def test_numbers_of_numpy_and_lists_are_the_same_settings():
    config = TrainConfig(
        batch_size=np.int64(4), learning_rate=np.float32(0.5), betas=[0.8, 0.9], scale_range=np.array([0.5, 1.0]),
        max_iters=30000.0, rng_seed=np.uint8(7), curriculum=[],
    )  # fmt: skip
    same = TrainConfig(
        batch_size=4, learning_rate=0.5, betas=(0.8, 0.9), scale_range=(0.5, 1), max_iters=30000, rng_seed=7
    )
    assert config == same and repr(config) == repr(same) and type(config.batch_size) is int
    json.dumps(dataclasses.asdict(config))


def test_presets_are_what_they_were():
    for name, config in PRESETS.items():
        assert config == dataclasses.replace(config), name
        assert scale_iterations(config, 77).max_iters == 77


# --- names -----------------------------------------------------------------------------------------------------------

MEANT = {
    "lr": "learning_rate", "LR": "learning_rate", "learnrate": "learning_rate", "learning-rate": "learning_rate",
    "bs": "batch_size", "batchsize": "batch_size", "wd": "weight_decay", "decay": "weight_decay", "seed": "rng_seed",
    "iterations": "max_iters", "max_iterations": "max_iters", "warmup": "warmup_iters", "clip": "clip_grad",
    "radius": "explain.radius", "crop": "crop_size", "pretrain": "pretrained",
}  # fmt: skip


@pytest.mark.parametrize("name, meant", MEANT.items())
def test_the_name_that_was_meant_is_said_everywhere(name, meant, tmp_path):
    sentence = f"there is no setting {name!r}; the nearest is {meant!r}."
    with pytest.raises(ValueError) as caught:
        apply_settings(TrainConfig(), [f"{name}=1"])
    assert str(caught.value) == sentence
    (tmp_path / "a.json").write_text(json.dumps({"preset": "voc", name: 1}))
    (tmp_path / "a.toml").write_text(f'preset = "voc"\n"{name}" = 1\n')
    for file in ("a.json", "a.toml"):
        with pytest.raises(ValueError) as caught:
            read_config(str(tmp_path / file))
        assert str(caught.value) == sentence
    if "." not in meant:
        for call in (lambda: TrainConfig(**{name: 1}), lambda: dataclasses.replace(TrainConfig(), **{name: 1})):
            for kind in (ValueError, TypeError):  # what Python raises, and what the program shows
                with pytest.raises(kind) as caught:
                    call()
                assert str(caught.value) == sentence


def test_names_within_tables_and_other_settings():
    with pytest.raises(ValueError, match="no setting 'radios'; the nearest is 'radius'"):
        ExplainConfig(radios=3)
    with pytest.raises(ValueError, match="no setting 'lr'; the nearest is 'learning_rate'"):
        CurriculumStage(1, 64, 64, 2, lr=1e-3)
    with pytest.raises(ValueError, match="no setting 'momentous'; expected one of backbone, "):
        TrainConfig(momentous=1)
    with pytest.raises(TypeError, match="positional argument"):
        CurriculumStage(1)


@pytest.mark.parametrize(
    "held, message",
    [
        ({"explain": {"radios": 3}}, "no setting 'explain.radios'; the nearest is 'radius'"),
        ({"explain.radios": 3}, "no setting 'explain.radios'; the nearest is 'radius'"),
        ({"curriculum": [{"lr": 3}]}, r"no setting 'curriculum\[0\].lr'; the nearest is 'learning_rate'"),
        ({"curriculum": [{"iterations": 3}]}, r"curriculum\[0\] has no 'image_size'"),
    ],
)
def test_nested_names_of_a_file(held, message, tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(held))
    with pytest.raises(ValueError, match=message):
        read_config(str(tmp_path / "a.json"))


def test_a_file_may_write_nested_names_with_dots(tmp_path):
    (tmp_path / "a.json").write_text(
        json.dumps({"explain.radius": 3, "explain": {"power": 1.5}, "explain.num_iters": 4})
    )
    explain = read_config(str(tmp_path / "a.json"))[1].explain
    assert (explain.radius, explain.power, explain.num_iters) == (3, 1.5, 4)


def test_words_without_a_near_one():
    assert nearest("zzz", ["alpha", "beta_gamma"]) is None
    assert nearest("engine", ["cat", "fire engine"]) == "fire engine"
    assert nearest("Explian", ["explain", "export"]) == "explain"


def test_settings_are_still_plain_dataclasses():
    for config in (TrainConfig(), ExplainConfig(), SANDBOX.curriculum[0]):
        assert pickle.loads(pickle.dumps(config)) == config == copy.deepcopy(config)
        assert list(inspect.signature(type(config)).parameters) == [f.name for f in dataclasses.fields(config)]
