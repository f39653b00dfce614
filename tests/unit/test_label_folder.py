"""`evaluate --from`: files of other forms are named and left out, and the rest is scored."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from data_trees import make_voc
from PIL import Image

from afa_viz.__main__ import main
from afa_viz.evaluation.label_folder import read_class_scores

NAMES = tuple(f"2008_{i:06d}" for i in range(4))


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    root = tmp_path_factory.mktemp("labels")
    make_voc(root)
    return root


def score(tree, folder, *more: str) -> int:
    return main(["evaluate", "--from", str(folder), "--data", "voc", "--root", str(tree), *more])


def mask_of(tree, name):
    return np.array(Image.open(tree / "VOCdevkit" / "VOC2012" / "SegmentationClass" / f"{name}.png"))


ZEROS = np.zeros((1, 8, 8), np.float32)
ODD = {
    "text for classes": ("npz", {"scores": np.zeros((2, 8, 8)), "classes": np.array(["a", "b"])}, "classes are <U1"),
    "broken class": ("npz", {"scores": np.zeros((2, 8, 8)), "classes": np.array([0, 1.7])}, "class 1.7"),
    "no class": ("npz", {"scores": ZEROS, "classes": np.array([np.nan])}, "class nan"),
    "one class for all": ("npz", {"scores": ZEROS, "classes": np.array(3)}, "of shape ()"),
    "truth values": ("npz", {"scores": ZEROS, "classes": np.array([True])}, "classes are bool"),
    "twice": ("npz", {"scores": np.zeros((2, 8, 8)), "classes": np.array([3, 3])}, "class 3 more than once"),
    "text for scores": ("npz", {"scores": np.full((1, 8, 8), "x"), "classes": np.array([1])}, "of type <U1"),
    "objects": ("npz", {"scores": np.full((1, 8, 8), None), "classes": np.array([1])}, "Python objects"),
    "complex": ("npz", {"scores": np.zeros((1, 8, 8), complex), "classes": np.array([1])}, "of type complex128"),
    "too large": ("npz", {"scores": np.full((1, 8, 8), 1e300), "classes": np.array([1])}, "infinite scores"),
    "other names": ("npz", {"a": ZEROS, "b": ZEROS}, "it holds a, b"),
    "key between": ("npy", {4.5: ZEROS[0]}, "class 4.5"),
    "word as key": ("npy", {"cow": ZEROS[0]}, "classes are <U3"),
    "complex CAM": ("npy", {4: ZEROS[0].astype(np.complex64)}, "of type complex64"),
    "no CAM": ("npy", {"keys": np.array([4])}, "it holds keys"),
    "keys between": ("npy", {"keys": np.array([4.5]), "cam": ZEROS}, "class 4.5"),
    "other shapes": ("npy", {4: ZEROS[0], 5: ZEROS[0, :4]}, "same shape"),
    "words in keys": ("npy", {"keys": np.array(["a"]), "cam": ZEROS}, "classes are <U1"),
}  # fmt: skip


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", ODD)
def test_a_file_of_another_form_is_one_sentence(tmp_path, kind):
    ending, held, words = ODD[kind]
    path = tmp_path / f"a.{ending}"
    np.savez(path, **held) if ending == "npz" else np.save(path, held, allow_pickle=True)
    with pytest.raises(ValueError) as caught:
        read_class_scores(path, 20)
    told = str(caught.value)
    assert words in told and "; expected " in told and told.endswith(".") and ".." not in told and "\n" not in told


def test_whole_classes_count_however_they_are_written(tmp_path):
    np.savez(tmp_path / "a.npz", scores=np.zeros((2, 8, 8)), classes=np.array([0.0, 2.0]))
    np.save(tmp_path / "a.npy", {"10": ZEROS[0], np.int64(4): ZEROS[0] + 1}, allow_pickle=True)
    assert read_class_scores(tmp_path / "a.npz", 20)[1].tolist() == [2]
    scores, classes, background = read_class_scores(tmp_path / "a.npy", 20)
    assert classes.tolist() == [5, 11] and scores[0].min() == 1 and background is None


def test_one_odd_file_ends_nothing(tree, tmp_path, capsys):
    first, second, *_ = NAMES
    np.savez(tmp_path / f"{second}.npz", scores=np.zeros((2, 8, 8)), classes=np.array(["a", "b"]))
    assert score(tree, tmp_path) == 2
    told = capsys.readouterr().err.splitlines()[-1]
    assert "holds nothing that can be scored" in told and told.endswith("classes.") and ".." not in told
    Image.fromarray(mask_of(tree, first)).save(tmp_path / f"{first}.PNG")
    assert score(tree, tmp_path) == 0
    told = capsys.readouterr().out
    assert "1 of 4 images" in told and f"skipped: 1: {second}: " in told and ".." not in told


def test_maps_that_decide_nothing_have_no_accuracy(tree, tmp_path, capsys):
    for name in NAMES:
        Image.fromarray(np.full_like(mask_of(tree, name), 255)).save(tmp_path / f"{name}.png")
    assert score(tree, tmp_path) == 0
    told = capsys.readouterr().out
    assert "pixel accuracy –   on the 0.0 %" in told and "None" not in told


def rows_of(path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("kind", ["label maps", "CAMs"])
def test_all_numbers_of_a_folder_are_in_its_tables(tree, tmp_path, capsys, kind):
    maps, tables = tmp_path / "maps", tmp_path / "tables"
    maps.mkdir()
    for name in NAMES[:2]:
        mask = mask_of(tree, name)
        if kind == "label maps":
            Image.fromarray(np.where(mask == 255, 0, mask)).save(maps / f"{name}.png")
        else:
            np.save(maps / f"{name}.npy", {14: (mask == 15).astype(np.float32)}, allow_pickle=True)
    assert score(tree, maps, "--json", str(tmp_path / "s.json"), "--tables", str(tables)) == 0
    data = json.loads((tmp_path / "s.json").read_text(encoding="utf-8"))
    (row,) = rows_of(tables / "scores.csv")
    for name in ("images", "miou", "pixel_accuracy", "mean_accuracy", "coverage"):
        assert float(row[name]) == data[name]
    assert [float(row[end]) for end in ("low", "high")] == data["interval"]
    assert float(row["boundary_iou"]) == data["boundaries"]["stages"]["label"]["boundary_iou"]
    found = {line["class"]: line["label"] for line in rows_of(tables / "iou.csv")}
    assert found == {name: "" if iou is None else str(iou) for name, iou in data["iou"].items()}
    assert (tables / "thresholds.csv").is_file() == (kind == "CAMs")
    if kind == "CAMs":
        assert [float(line["miou"]) for line in rows_of(tables / "thresholds.csv")] == [
            one["miou"] for one in data["thresholds"]
        ]
