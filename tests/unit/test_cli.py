"""The command line: quick help, lazy imports, the commands on a small model, faults as one sentence and exit code 2."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from explained import trace_of_noise
from PIL import Image

import afa_viz
from afa_viz import __version__
from afa_viz.__main__ import COMMANDS, main
from afa_viz.commands import explain as explain_command
from afa_viz.config import ExplainConfig, TrainConfig
from afa_viz.config_io import apply_settings, field_types, text_settings
from afa_viz.model.afa import build_afa
from afa_viz.model.card import default_card
from afa_viz.model.checkpoint import load_model, save_model
from afa_viz.trace import Trace

ROOT = Path(__file__).parents[2]
SIZE = 64


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """weights/model.safetensors with its card, two images, and the truth of one."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("cli")
    model = build_afa("mit_b0", num_classes=13)
    save_model(model, folder / "weights" / "model.safetensors", default_card("mit_b0", 13))
    random = np.random.default_rng(0)
    for name in ("one.png", "two.jpg"):
        Image.fromarray(random.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)).save(folder / name)
    (folder / "truth").mkdir()
    Image.fromarray(np.full((SIZE, SIZE), 6, np.uint8)).save(folder / "truth" / "one.png")
    return folder


def fault(capsys, *arguments: str) -> str:
    """Run a command that must fail in the polite way; returns its sentence."""
    assert main(arguments) == 2
    shown = capsys.readouterr()
    assert shown.err.startswith("afa_viz: ") and shown.err.count("\n") == 1
    return shown.err


# --- the frame -------------------------------------------------------------------------------------------------------


def test_help_is_quick():
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "afa_viz", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert time.perf_counter() - started < 1.5
    assert all(command.name in done.stdout for command in COMMANDS) and done.stderr == ""


def test_help_of_the_commands_imports_nothing_heavy():
    code = (
        "import sys; from afa_viz.__main__ import main\n"
        "for name in ('explain', 'evaluate', 'convert', 'data', 'train', 'push', 'bench'):\n"
        "    assert main([name, '--help']) == 0, name\n"
        "heavy = {'torch', 'timm', 'matplotlib', 'PIL', 'numpy'} & set(sys.modules); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True)


def test_every_command_has_its_module(capsys):
    for command in COMMANDS:
        assert main([command.name, "--help"]) == 0
        assert f"python -m afa_viz {command.name}" in capsys.readouterr().out


def test_version_and_no_command(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == f"afa_viz {__version__}"
    assert main([]) == 2
    assert "COMMAND" in capsys.readouterr().err


def test_unknown_command_names_the_nearest(capsys):
    assert "the nearest is 'explain'" in fault(capsys, "explian", "x.png")
    assert "expected one of train" in fault(capsys, "zzz")


def test_faults_of_our_own_keep_their_trace(monkeypatch):
    def broken(args):
        raise KeyError("a fault of the program")

    monkeypatch.setattr(explain_command, "run", broken)
    with pytest.raises(KeyError):
        main(["explain", "x.png", "--out", "y"])


# --- settings --------------------------------------------------------------------------------------------------------


def test_settings_follow_the_type_of_their_field():
    config = apply_settings(
        ExplainConfig(),
        ["radius=5", "power=3", "flip=no", "scales=1,0.5", "dilations=(1,2)", "long_side=128", "use_par = off"],
    )
    assert config == ExplainConfig(
        radius=5, power=3.0, flip=False, scales=(1.0, 0.5), dilations=(1, 2), long_side=128, use_par=False
    )
    assert isinstance(config.power, float)
    assert apply_settings(config, ["long_side=none"]).long_side is None
    assert apply_settings(config, []) == config


def test_settings_are_checked_together():
    config = apply_settings(ExplainConfig(), ["bkg_score_low=0.6", "bkg_score_high=0.8"])  # 0.6 > the old high one
    assert (config.bkg_score_low, config.bkg_score_high) == (0.6, 0.8)


def test_nested_settings():
    config = apply_settings(TrainConfig(), ["explain.radius=5", "batch_size=4", "betas=0.8,0.9", "backbone=mit_b0"])
    assert config.explain == ExplainConfig(radius=5)
    assert (config.batch_size, config.betas, config.backbone) == (4, (0.8, 0.9), "mit_b0")
    assert "explain.radius" in field_types(TrainConfig())


@pytest.mark.parametrize(
    "config,setting,message",
    [
        (ExplainConfig(), "radios=5", "there is no setting 'radios'; the nearest is 'radius'"),
        (TrainConfig(), "radius=5", "the nearest is 'explain.radius'"),
        (TrainConfig(), "explain.radios=5", "the nearest is 'explain.radius'"),
        (ExplainConfig(), "qqqqqq=5", "expected one of long_side, label_threshold"),
        (ExplainConfig(), "radius", "expected key=value"),
        (ExplainConfig(), "radius=5.5", "got radius=5.5; expected a whole number"),
        (ExplainConfig(), "power=much", "got power=much; expected a number"),
        (ExplainConfig(), "flip=perhaps", "expected yes or no"),
        (ExplainConfig(), "radius=-1", "radius is -1; expected 0 to 128"),
        (TrainConfig(), "betas=0.9", "expected 2 values"),
    ],
)
def test_wrong_settings_are_explained(config, setting, message):
    with pytest.raises(ValueError) as caught:
        apply_settings(config, [setting])
    assert message in str(caught.value)


# --- explain ---------------------------------------------------------------------------------------------------------


def test_explain_writes_a_folder_an_image(folder, capsys):
    out = folder / "out"
    images = [str(folder / "one.png"), str(folder / "two.jpg")]
    options = ["--checkpoint", str(folder / "weights"), "--out", str(out), "--labels", "cat, dog", "--device", "cpu"]
    settings = ["--set", "long_side=64", "scales=1", "--set", "num_iters=2"]
    assert main(["explain", *images, *options, *settings]) == 0
    shown = capsys.readouterr()
    assert "one: cat, dog; " in shown.out + shown.err
    names = {path.name for path in (out / "one").iterdir()}
    assert names == {path.name for path in (out / "two").iterdir()}
    stages = {
        "strip",
        "image",
        "attention",
        "heads",
        "affinity_raw",
        "affinity",
        "affinity_label",
        "regions",
        "pseudo_label",
        "seg",
    }
    stages |= {"cam_cat", "cam_dog"}
    stages |= {f"{stage}_{name}" for stage in ("cam_rw", "cam_par") for name in ("background", "cat", "dog")}
    assert names == {f"{stage}.png" for stage in stages} | {"trace.npz", "report.html"}
    trace = Trace.load(out / "one" / "trace.npz")
    assert trace.config == ExplainConfig(long_side=64, scales=(1.0,), num_iters=2) and trace.labels_given
    with Image.open(out / "one" / "cam_cat.png") as picture:
        assert picture.size == (SIZE, SIZE)


def test_explain_with_truth_and_equal_names(folder, capsys):
    (folder / "again").mkdir(exist_ok=True)
    (folder / "again" / "one.png").write_bytes((folder / "one.png").read_bytes())
    out = folder / "with truth"
    images = [str(folder / "one.png"), str(folder / "again" / "one.png")]
    options = ["--checkpoint", str(folder / "weights"), "--truth", str(folder / "truth"), "--out", str(out)]
    assert main(["explain", *images, *options, "--set", "long_side=64", "scales=1"]) == 0
    for name in ("one", "one_2"):
        assert (out / name / "target.png").is_file()
        trace = Trace.load(out / name / "trace.npz")
        assert trace.target is not None and bool((trace.target == 6).all()) and not trace.labels_given


@pytest.mark.parametrize(
    "arguments,message",
    [
        (["missing.png"], "there is no image missing.png"),
        (["IMAGE", "--set", "radios=3"], "the nearest is 'radius'"),
        (["IMAGE", "--set", "radius=999"], "radius is 999; expected 0 to 128"),
        (["IMAGE", "--checkpoint", "nowhere.safetensors"], "there is no 'nowhere.safetensors'"),
        (["IMAGE", "--labels", "unicorn", "--set", "long_side=64"], "'unicorn' is not a class of this model"),
        (["IMAGE", "--device", "toaster"], "got device 'toaster'"),
        (["IMAGE", "--truth", "no folder"], "there is no ground truth"),
    ],
)
def test_explain_faults_are_sentences(folder, capsys, arguments, message):
    words = [str(folder / "one.png") if word == "IMAGE" else word for word in arguments]
    checkpoint = [] if "--checkpoint" in words else ["--checkpoint", str(folder / "weights")]
    assert main(["explain", *words, *checkpoint, "--out", str(folder / "unused")]) == 2
    shown = capsys.readouterr().err.splitlines()[-1]
    assert shown.startswith("afa_viz: ") and message in shown
    assert not (folder / "unused").exists()


def test_a_file_that_is_no_image(folder, capsys):
    (folder / "broken.png").write_bytes(b"not a picture")
    arguments = [str(folder / "broken.png"), "--checkpoint", str(folder / "weights"), "--out", str(folder / "unused")]
    assert main(["explain", *arguments]) == 2
    assert "broken.png cannot be read as an image" in capsys.readouterr().err


def broken_files(folder: Path) -> dict[str, str]:
    """Files that are no images, and a word of what is said about each."""
    with Image.open(folder / "one.png") as picture:
        picture.save(folder / "cut.png")
        picture.convert("F").save(folder / "floats.tif")
    (folder / "cut.png").write_bytes((folder / "cut.png").read_bytes()[:200])
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "text.png").write_text("no picture")
    (folder / "folder.png").mkdir(exist_ok=True)
    return {
        "cut.png": "cannot be read", "floats.tif": "not whole numbers", "empty.jpg": "cannot be read",
        "text.png": "cannot be read", "folder.png": "there is no image", "gone.png": "there is no image",
    }  # fmt: skip


def test_broken_images_among_many_are_named_and_skipped(folder, capsys):
    broken = broken_files(folder)
    names = list(broken)
    images = [names[0], "one.png", *names[1:4], "two.jpg", *names[4:]]
    out = folder / "some are broken"
    options = ["--checkpoint", str(folder / "weights"), "--out", str(out), "--set", "long_side=64", "scales=1"]
    assert main(["explain", *(str(folder / image) for image in images), *options]) == 1
    said = capsys.readouterr().err
    assert "Traceback" not in said
    for name, words in broken.items():
        assert any(line.startswith("skipped: ") and name in line and words in line for line in said.splitlines()), name
    last = said.splitlines()[-1]
    assert last.startswith("afa_viz: skipped 6 of 8 images: ") and all(n in last for n in names)
    assert sorted(path.name for path in out.iterdir()) == ["one", "two"]
    assert (out / "one" / "report.html").is_file() and (out / "two" / "trace.npz").is_file()


def test_images_too_small_for_the_part_to_hide_are_named_and_skipped(folder, capsys):
    Image.new("RGB", (96, 48)).save(folder / "wide.png")
    Image.new("RGB", (96, 96)).save(folder / "high.png")
    out = folder / "partly hidden"
    settings = ("long_side=96", "scales=1", "occlude=40,60,0,8")
    options = ["--checkpoint", str(folder / "weights"), "--out", str(out), "--set", *settings]
    assert main(["explain", str(folder / "wide.png"), str(folder / "high.png"), *options]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert any("wide.png: occlude is (40, 60, 0, 8)" in line and "48 x 96" in line for line in lines)
    assert lines[-1].startswith("afa_viz: skipped 1 of 2 images: ")
    assert [path.name for path in out.iterdir()] == ["high"]
    assert main(["explain", str(folder / "wide.png"), *options]) == 2
    assert "within the 48 x 96 pixels" in capsys.readouterr().err


def test_help_lists_the_settings_that_text_can_set(capsys):
    assert main(["explain", "--help"]) == 0
    words = set(re.findall(r"\w+", capsys.readouterr().out.partition("override settings:")[2].partition("--")[0]))
    assert words == set(text_settings(ExplainConfig())) and "occlude" in words
    for name in field_types(ExplainConfig()):
        texts = {"affinity_edits": "1", "class_thresholds": "cat,0.5"}.get(name, "none")
        try:
            apply_settings(ExplainConfig(), [f"{name}={texts}"])
        except ValueError as error:
            assert ("set it in Python" in str(error)) == (name not in words), name


def test_only_broken_images(folder, capsys):
    names = [str(folder / name) for name in broken_files(folder)]
    options = ["--checkpoint", str(folder / "weights"), "--out", str(folder / "unused"), "--set", "long_side=64"]
    assert main(["explain", *names, *options]) == 2
    assert "skipped 6 of 6 images" in capsys.readouterr().err.splitlines()[-1]
    assert main(["explain", "gone.png", "away.png", *options]) == 2
    assert "none of the 2 images can be read: there is no image gone.png" in capsys.readouterr().err
    assert not (folder / "unused").exists()


def test_a_broken_truth_is_skipped_too(folder, capsys):
    truths = folder / "broken truths"
    truths.mkdir()
    (truths / "one.png").write_bytes((folder / "truth" / "one.png").read_bytes())
    (truths / "two.png").write_bytes(b"no mask")
    Image.fromarray(np.zeros((3, 3), np.uint8)).save(truths / "small.png")
    for name in ("small", "lonely"):
        (folder / f"{name}.png").write_bytes((folder / "one.png").read_bytes())
    images = [str(folder / name) for name in ("two.jpg", "small.png", "one.png", "lonely.png")]
    options = ["--checkpoint", str(folder / "weights"), "--truth", str(truths), "--out", str(folder / "with some")]
    assert main(["explain", *images, *options, "--set", "long_side=64", "scales=1"]) == 1
    said = capsys.readouterr().err
    assert "skipped 3 of 4 images" in said and "there is no ground truth" in said and "expected the same size" in said
    assert [path.name for path in (folder / "with some").iterdir()] == ["one"]


def test_an_error_of_ours_is_no_broken_image(folder, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("a bug")

    monkeypatch.setattr(afa_viz.pipeline, "explain", broken)
    images = [str(folder / "one.png"), str(folder / "two.jpg")]
    with pytest.raises(RuntimeError, match="a bug"):
        main(["explain", *images, "--checkpoint", str(folder / "weights"), "--out", str(folder / "unused")])


def test_class_names_that_are_alike_as_files_get_numbers(tmp_path):
    trace = trace_of_noise()
    names = list(trace.class_names)
    names[3], names[8], names[1] = "fire engine", "Fire_engine", "???"
    trace = dataclasses.replace(trace, class_names=tuple(names))
    assert explain_command.write_trace(trace, tmp_path) == len(list(tmp_path.glob("*.png")))
    assert (tmp_path / "cam_fire_engine3.png").is_file() and (tmp_path / "cam_Fire_engine8.png").is_file()


# --- convert and data ------------------------------------------------------------------------------------------------


def test_convert_keeps_the_weights(folder, capsys):
    source = folder / "plain.pth"
    model = load_model(folder / "weights", device="cpu")
    torch.save({f"module.{name}": tensor for name, tensor in model.state_dict().items()}, source)
    target = folder / "converted" / "model.safetensors"
    assert main(["convert", str(source), str(target), "--backbone", "mit_b0", "--num-classes", "13"]) == 0
    assert "mit_b0, 13 classes" in capsys.readouterr().out
    converted = load_model(target, device="cpu").state_dict()
    assert all(torch.equal(tensor, converted[name]) for name, tensor in model.state_dict().items())
    assert "mit_b0 with 13 classes" in fault(capsys, "convert", str(source), str(target), "--backbone", "mit_b1")
    assert "there is no" in fault(capsys, "convert", "nothing.pth", str(target))


def test_data_sandbox(folder, capsys):
    out = folder / "sandbox"
    assert (
        main(["data", "sandbox", "--out", str(out), "--train", "2", "--val", "1", "--test", "0", "--size", "64"]) == 0
    )
    assert "2 train, 1 val scenes" in capsys.readouterr().out
    assert len(list((out / "JPEGImages").iterdir())) == 3
    with Image.open(next((out / "SegmentationClass").iterdir())) as mask:
        assert mask.size == (64, 64)
    assert main(["data", "sandbox", "--out", str(out), "--train", "-1"]) == 2
    assert "is not a number" in capsys.readouterr().err
    nothing = ["--train", "0", "--val", "0", "--test", "0"]
    assert "at least one scene" in fault(capsys, "data", "sandbox", "--out", str(out), *nothing)
    assert main(["data", "sandbox", "--out", str(out), "--size", "7"]) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("afa_viz: size is 7")
