"""`predict`: label maps of every stage, read as strictly as a test server does; and `evaluate --from` of them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from data_trees import SIZE, make_voc, picture
from PIL import Image

import afa_viz
from afa_viz.__main__ import main
from afa_viz.classes import VOC_CLASSES, palette
from afa_viz.evaluation.label_maps import label_map
from afa_viz.model.afa import build_afa
from afa_viz.model.card import Card
from afa_viz.model.checkpoint import load_model, save_model
from afa_viz.parts import LABEL_STAGES
from afa_viz.stage_scores import label_score, stage_labels

ROOT = Path(__file__).parents[2]
FAST = ["--set", "scales=1", "flip=no", "num_iters=2"]


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A VOC tree, and a checkpoint that explains its images at their own size."""
    root = tmp_path_factory.mktemp("predict")
    make_voc(root)
    torch.manual_seed(0)
    model = build_afa("mit_b0", 21, "topk")
    save_model(model, root / "model.safetensors", Card("mit_b0", 21, VOC_CLASSES, palette(21), "topk",
                                                       input_size=max(SIZE)))  # fmt: skip
    return root


def predict(tree, out, *more):
    return main(["predict", "--checkpoint", str(tree / "model.safetensors"), "--out", str(out), *more, *FAST])


def of_voc(tree, *more):
    return ["--data", "voc", "--root", str(tree), *more]


def strict(path, size=SIZE, highest=20):
    """What a strict reader takes: an 8-bit palette PNG of VOC's colours, class numbers and 255."""
    with Image.open(path) as image:
        assert image.format == "PNG" and image.mode == "P" and image.size == size[::-1]
        colours = image.getpalette()
        assert colours[: 3 * 21] == [value for colour in palette(21) for value in colour]
        assert colours[-3:] == [224, 224, 192]
        label = np.array(image)
    assert set(np.unique(label)) <= {*range(highest + 1), 255}
    return label


@pytest.mark.parametrize("stage", LABEL_STAGES)
def test_a_split_in_its_own_names_and_sizes(tree, tmp_path, stage):
    assert predict(tree, tmp_path, *of_voc(tree), "--stage", stage) == 0
    names = [f"2008_{i:06d}" for i in range(4)]
    assert sorted(path.stem for path in tmp_path.glob("*.png")) == names
    model = load_model(tree / "model.safetensors")
    voc = tree / "VOCdevkit" / "VOC2012"
    config = afa_viz.ExplainConfig.for_model(model, scales=(1.0,), flip=False, num_iters=2)
    for name in names:
        label = strict(tmp_path / f"{name}.png")
        found = json.loads((tmp_path / "predict.json").read_text())
        assert found["stage"] == stage and found["checkpoint_id"] == model.checkpoint_id
        image = np.asarray(Image.open(voc / "JPEGImages" / f"{name}.jpg").convert("RGB"))
        mask = np.asarray(Image.open(voc / "SegmentationClass" / f"{name}.png"))
        trace = afa_viz.explain(model, image, sorted(set(np.unique(mask)) - {0, 255}), config)
        assert (label == stage_labels(trace)[stage].numpy()).all(), "explained at its own size: the trace's label"


def test_what_is_scored_from_the_folder_is_what_evaluate_prints(tree, tmp_path, capsys):
    assert main(["evaluate", "--checkpoint", str(tree / "model.safetensors"), *of_voc(tree), "--protocol", "stages",
                 "--json", str(tmp_path / "direct.json"), *FAST]) == 0  # fmt: skip
    direct = json.loads((tmp_path / "direct.json").read_text())
    for stage in LABEL_STAGES:
        assert predict(tree, tmp_path / stage, *of_voc(tree), "--stage", stage) == 0
        capsys.readouterr()
        wanted = str(tmp_path / f"{stage}.json")
        assert main(["evaluate", "--from", str(tmp_path / stage), *of_voc(tree), "--json", wanted]) == 0
        found = json.loads((tmp_path / f"{stage}.json").read_text())
        assert found["images"] == 4 and not found["missing"] and not found["broken"]
        assert found["miou"] == pytest.approx(direct["summary"][f"miou_{stage}"], abs=0.01)
        assert found["interval"] == pytest.approx(direct["intervals"][stage]["miou"], abs=0.01), stage
        assert f"{found['miou']:.1f}" in capsys.readouterr().out


def test_folders_lists_and_images_keep_their_names(tree, tmp_path):
    rng = np.random.default_rng(0)
    for name, size in (("a.jpg", (40, 50)), ("deep/b.png", (64, 33))):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture([3], rng, size)[0]).save(path)
    assert predict(tree, tmp_path / "out", str(tmp_path / "in")) == 0
    strict(tmp_path / "out" / "a.png", (40, 50)), strict(tmp_path / "out" / "deep" / "b.png", (64, 33))
    (tmp_path / "in" / "list.txt").write_text("deep/b.png\n")
    assert predict(tree, tmp_path / "listed", str(tmp_path / "in" / "list.txt")) == 0
    strict(tmp_path / "listed" / "deep" / "b.png", (64, 33))
    assert predict(tree, tmp_path / "one", str(tmp_path / "in" / "a.jpg"), "--labels", "cat", "--stage", "cam_par") == 0
    assert set(np.unique(strict(tmp_path / "one" / "a.png", (40, 50)))) <= {0, 8}


def test_it_goes_on_where_it_was_stopped_and_mixes_nothing(tree, tmp_path, capsys):
    assert predict(tree, tmp_path, *of_voc(tree), "--limit", "2") == 0
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.png")}
    assert predict(tree, tmp_path, *of_voc(tree)) == 0
    assert "2 label maps of seg written, 2 were there" in capsys.readouterr().out
    assert all((tmp_path / name).stat().st_mtime_ns == time for name, time in before.items())
    for more, what in ((("--stage", "cam"), "stage"), (("--set", "bkg_score=0.3"), "config"), (("--crf",), "crf")):
        assert predict(tree, tmp_path, *of_voc(tree), *more) == 2
        assert f"another {what}" in capsys.readouterr().err
    facts = json.loads((tmp_path / "predict.json").read_text())
    del facts["config"]["occlude"]  # of a version that did not have it
    (tmp_path / "predict.json").write_text(json.dumps(facts))
    assert predict(tree, tmp_path, *of_voc(tree)) == 0
    assert predict(tree, tmp_path, *of_voc(tree), "--set", "occlude=0,8,0,8") == 2
    assert "another config" in capsys.readouterr().err
    assert predict(tree, tmp_path, *of_voc(tree), "--stage", "cam", "--overwrite") == 0
    assert json.loads((tmp_path / "predict.json").read_text())["stage"] == "cam"


def pictures(folder, names, size=(48, 64), seed=0):
    """Images in a folder, all different."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        Image.fromarray(picture([3], rng, size)[0]).save(folder / name)
    return {path: path.read_bytes() for path in folder.iterdir()}


def test_images_are_never_replaced_and_maps_are_no_images(tree, tmp_path, capsys):
    before = pictures(tmp_path / "in", ["a.png", "b.png", "c.jpg"])
    for more in ([], ["--overwrite"]):
        assert predict(tree, tmp_path / "in", str(tmp_path / "in"), *more) == 2
        assert "is the folder of the images" in capsys.readouterr().err
        assert predict(tree, tmp_path / "in", str(tmp_path / "in" / "a.png"), *more) == 2
        assert "would replace the image" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in (tmp_path / "in").iterdir()} == before
    for kept in (0, 3):  # a folder of maps within: they are not predicted themselves
        assert predict(tree, tmp_path / "in" / "maps", str(tmp_path / "in")) == 0
        assert f"{3 - kept} label maps of seg written" in capsys.readouterr().out
    assert sorted(path.name for path in (tmp_path / "in" / "maps").rglob("*.png")) == ["a.png", "b.png", "c.png"]


def test_maps_of_other_images_and_settings_do_not_count_as_done(tree, tmp_path, capsys):
    pictures(tmp_path / "first", ["0001.png"])
    pictures(tmp_path / "second", ["0001.png", "0002.png"], (64, 96), seed=1)
    out = tmp_path / "out"
    assert predict(tree, out, str(tmp_path / "first"), "--scores") == 0
    assert predict(tree, out, str(tmp_path / "second")) == 2
    assert "0001.png is no label map that predict wrote of this image" in capsys.readouterr().err
    assert not (out / "0002.png").exists()
    assert predict(tree, out, str(tmp_path / "second"), "--overwrite", "--limit", "1", "--stage", "cam") == 0
    assert not (out / "0001.npz").exists()  # it was of the map that was replaced
    assert predict(tree, out, str(tmp_path / "second"), "--stage", "cam") == 0
    assert "1 label map of cam written, 1 were there" in capsys.readouterr().out
    assert predict(tree, out, str(tmp_path / "second"), "--overwrite", "--limit", "1") == 0  # as if interrupted
    assert predict(tree, out, str(tmp_path / "second")) == 2
    assert "0002.png is no label map that predict wrote" in capsys.readouterr().err
    (tmp_path / "third").mkdir()
    Image.new("P", (9, 9)).save(tmp_path / "third" / "0001.png")
    assert predict(tree, tmp_path / "third", str(tmp_path / "first")) == 2
    assert "is no label map that predict wrote" in capsys.readouterr().err


@pytest.mark.parametrize("more", [[], ["--labels", "predicted"]])
def test_a_test_split_needs_no_labels(tree, tmp_path, more):
    names = ["2010_000001.jpg", "2010_000002.jpg"]
    pictures(tmp_path / "VOC2012" / "JPEGImages", names)
    lists = tmp_path / "VOC2012" / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    (lists / "test.txt").write_text("2010_000001\n2010_000002\n")
    split = ["--data", "voc", "--root", str(tmp_path), "--split", "test"]
    assert predict(tree, tmp_path / "out", *split, *more) == 0
    assert predict(tree, tmp_path / "listed", str(tmp_path / "VOC2012" / "JPEGImages")) == 0
    for name in ("2010_000001.png", "2010_000002.png"):
        found = strict(tmp_path / "out" / name, (48, 64))
        assert np.array_equal(found, strict(tmp_path / "listed" / name, (48, 64)))
    assert predict(tree, tmp_path / "none", *split, "--labels", "xml") == 2


def test_broken_images_are_named_and_skipped(tree, tmp_path, capsys):
    Image.fromarray(picture([3], np.random.default_rng(0))[0]).save(tmp_path / "good.png")
    (tmp_path / "bad.png").write_bytes(b"no image")
    assert predict(tree, tmp_path / "out", str(tmp_path / "good.png"), str(tmp_path / "bad.png")) == 1
    told = capsys.readouterr()
    assert "skipped 1 of 2 images" in told.err and "bad" in told.err and "Traceback" not in told.err
    assert [path.name for path in (tmp_path / "out").glob("*.png")] == ["good.png"]


def test_scores_in_half_precision_and_the_crf(tree, tmp_path):
    assert predict(tree, tmp_path, *of_voc(tree), "--stage", "cam_par", "--scores", "--crf", "--limit", "1") == 0
    (path,) = tmp_path.glob("*.npz")
    with np.load(path) as file:
        scores, classes = file["scores"], file["classes"]
    assert scores.dtype == np.float16 and scores.shape == (len(classes), *SIZE) and classes[0] == 0
    label = strict(path.with_suffix(".png"))
    assert (classes[scores.astype(np.float32).argmax(axis=0)] == label).mean() > 0.99
    assert np.allclose(scores.astype(np.float32).sum(axis=0), 1, atol=1e-2), "marginals of the CRF"
    assert main(["evaluate", "--from", str(tmp_path), *of_voc(tree, "--limit", "1")]) == 0


def test_several_scales_are_of_the_decoder(tree, tmp_path, capsys):
    assert predict(tree, tmp_path, *of_voc(tree, "--limit", "1"), "--multi-scale") == 0
    assert predict(tree, tmp_path / "b", *of_voc(tree), "--multi-scale", "--stage", "cam") == 2
    assert "--stage seg" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments, words",
    [
        ([], "neither"), (["--data", "voc", "x.png"], "both"), (["x.png", "--root", "."], "--root is of a data set"),
        (["nowhere.png"], "there is no image"), (["--data", "voc"], "--root"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_one_sentence(tree, tmp_path, capsys, arguments, words):
    assert predict(tree, tmp_path / "out", *arguments) == 2
    told = capsys.readouterr()
    assert words in told.err + told.out and "Traceback" not in told.err


def test_two_images_of_one_name_are_not_one_map(tree, tmp_path, capsys):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        Image.fromarray(picture([3], np.random.default_rng(0))[0]).save(tmp_path / folder / "x.png")
    assert predict(tree, tmp_path / "out", str(tmp_path / "a" / "x.png"), str(tmp_path / "b" / "x.png")) == 2
    assert "different names" in capsys.readouterr().err


def test_an_unknown_stage_is_refused(tree):
    model = load_model(tree / "model.safetensors")
    image = np.zeros((*SIZE, 3), np.uint8)
    trace = afa_viz.explain(model, image, [1])
    with pytest.raises(ValueError, match="there is no stage"):
        label_map(trace, image, "cam2")
    with pytest.raises(ValueError, match="decoder"):
        label_map(trace, image, "cam", multi_scale=model)


# --- other methods ----------------------------------------------------------------------------------------------------


def masks_of(tree):
    folder = tree / "VOCdevkit" / "VOC2012" / "SegmentationClass"
    return {f"2008_{i:06d}": np.array(Image.open(folder / f"2008_{i:06d}.png")) for i in range(4)}


def as_dictionary(mask, form):
    """A CAM of 0.9 on each class of the mask and 0.1 elsewhere, as other methods save theirs."""
    present = sorted(set(np.unique(mask)) - {0, 255})
    cams = {label - 1: np.where(mask == label, 0.9, 0.1).astype(np.float32) for label in present}
    if form == "seam":
        return cams
    stacked = np.stack(list(cams.values()))
    return {"keys": np.array(list(cams)), "cam": stacked[:, ::4, ::4], "high_res": stacked}


@pytest.mark.parametrize("form", ["seam", "irn"])
def test_cams_of_other_methods(tree, tmp_path, capsys, form):
    for name, mask in masks_of(tree).items():
        np.save(tmp_path / f"{name}.npy", as_dictionary(mask, form), allow_pickle=True)
    out = str(tmp_path / "scores.json")
    assert main(["evaluate", "--from", str(tmp_path), *of_voc(tree), "--json", out]) == 0
    found = json.loads((tmp_path / "scores.json").read_text())
    assert found["miou"] == 100 and found["coverage"] == 100 and found["bkg_score"] == 0.45
    assert 0.1 <= found["best"]["bkg_score"] < 0.9 and found["best"]["miou"] == 100
    assert len(found["thresholds"]) == 19 and found["thresholds"][-1]["miou"] < 50
    assert "chosen with masks" in capsys.readouterr().out


def test_a_label_map_decides_only_some_pixels(tree, tmp_path):
    for name, mask in masks_of(tree).items():
        label = mask.copy()
        label[:10] = 255
        Image.fromarray(label).save(tmp_path / f"{name}.png")
    assert main(["evaluate", "--from", str(tmp_path), *of_voc(tree), "--json", str(tmp_path / "s.json")]) == 0
    found = json.loads((tmp_path / "s.json").read_text())
    assert found["miou"] == 100 and 75 < found["coverage"] < 90 and found["best"] is None


def test_what_does_not_fit_is_named_and_the_rest_scored(tree, tmp_path, capsys):
    (first, mask), *others = masks_of(tree).items()
    Image.fromarray(mask).save(tmp_path / f"{first}.png")
    for (name, _), held in zip(others, ({99: mask}, b"no numpy"), strict=False):
        if isinstance(held, bytes):
            (tmp_path / f"{name}.npy").write_bytes(held)
        else:
            np.save(tmp_path / f"{name}.npy", held, allow_pickle=True)
    assert main(["evaluate", "--from", str(tmp_path), *of_voc(tree)]) == 0
    told = capsys.readouterr().out
    assert "1 of 4 images" in told and "names class 100" in told and "without a file: 1" in told


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--from", "nowhere", "--data", "voc"], "there is no folder"), (["--from", "."], "voc, coco or folder"),
        (["--from", ".", "--data", "voc", "--crf"], "--crf is about a model"),
        (["--from", ".", "--data", "voc", "--checkpoint", "x"], "expected one of them"),
        (["--from", ".", "--data", "voc", "--sweep"], "--sweep"),
    ],
)  # fmt: skip
def test_evaluate_from_refuses_in_one_sentence(tree, capsys, arguments, words):
    root = ["--root", str(tree)] if "--data" in arguments else []
    assert main(["evaluate", *arguments, *root]) == 2
    told = capsys.readouterr().err
    assert words in told and told.count("\n") <= 2


def test_an_image_score_counts_what_label_score_counts(tree, tmp_path):
    """One image: the folder's score is that of `label_score`."""
    (name, mask), *_ = masks_of(tree).items()
    label = np.roll(np.where(mask == 255, 0, mask), 5, axis=1)
    Image.fromarray(label).save(tmp_path / f"{name}.png")
    assert main(["evaluate", "--from", str(tmp_path), *of_voc(tree, "--limit", "1"), "--json",
                 str(tmp_path / "s.json")]) == 0  # fmt: skip
    wanted = label_score(torch.from_numpy(mask), torch.from_numpy(label), 21)["miou"]
    assert json.loads((tmp_path / "s.json").read_text())["miou"] == pytest.approx(100 * wanted, abs=0.01)


@pytest.mark.slow
def test_two_processes_write_what_one_writes(tree, tmp_path):
    """Each takes its share of a split, with labels, scores and one broken image; the first reports for both."""
    voc = tmp_path / "VOCdevkit" / "VOC2012"
    shutil.copytree(tree / "VOCdevkit" / "VOC2012", voc)
    (voc / "JPEGImages" / "2008_000001.jpg").write_bytes(b"no image")
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    said = {}
    for name, start in (("one", []), ("two", ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"])):
        fixed = ["--checkpoint", str(tree / "model.safetensors"), "--device", "cpu", "--data", "voc", "--root"]
        wanted = [str(tmp_path), "--out", str(tmp_path / name), "--stage", "pseudo_label", "--scores", *FAST]
        done = subprocess.run(
            [sys.executable, *start, "-m", "afa_viz", "predict", *fixed, *wanted], cwd=ROOT, env=environment,
            capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        said[name] = done.stdout + done.stderr
        assert "3 label maps of pseudo_label written" in done.stdout, said[name][-3000:]
        assert done.stderr.count("skipped 1 of 4 images that cannot be read: 2008_000001.") == 1
        assert done.returncode == 1
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files == sorted(path.name for path in (tmp_path / "two").iterdir()) and len(files) == 7
    for file in files:
        one, two = tmp_path / "one" / file, tmp_path / "two" / file
        if file.endswith(".npz"):
            with np.load(one) as first, np.load(two) as second:
                assert all((first[key] == second[key]).all() for key in ("scores", "classes"))
        else:
            assert one.read_bytes() == two.read_bytes(), file
