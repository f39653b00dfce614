"""`data check` finds what training would, counts what is left out, and never says Ready for what training refuses."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from data_form import Form, hot, mask, npy
from data_forms import FORMS
from data_trees import SIZE, make_folder, make_voc, save_mask
from layout_forms import LIST, OWN_IMAGES, coco, xml

from afa_viz.__main__ import main
from afa_viz.data.check import check
from afa_viz.data.registry import open_images
from afa_viz.presets import PRESETS
from afa_viz.training.training_data import open_photographs
from afa_viz.ui.errors import UserError
from afa_viz.ui.handlers.dataset.sources import open_source

TEN = [f"images/{i}.jpg" for i in range(12)]
BINARY = {"classes.txt": "crack\n"} | {f"masks/{i}.png": mask(*[255] * (i % 3)) for i in range(12)}


def trains(form: Form, root) -> bool:
    """Whether training opens a set; its refusal is one sentence."""
    try:
        source = open_photographs(form.kind, PRESETS[form.kind], root, split=form.split, labels=form.source)
    except (ValueError, FileNotFoundError) as error:
        assert "\n" not in str(error)
        return False
    source.batches.close()
    return True


@pytest.mark.parametrize("form", FORMS, ids=lambda form: f"{form.kind}: {form.given}"[:80])
def test_check_says_ready_for_what_training_opens_and_for_nothing_else(form, tmp_path):
    form.write(tmp_path)
    assert check(form.kind, tmp_path, split=form.split, labels=form.source).trainable == trains(form, tmp_path)


@pytest.mark.parametrize(
    "form",
    [
        Form("classes twice", {"classes.txt": "cat\ncat\n", "masks/0.png": mask(1)}, images=TEN),
        Form("a class called background", {"labels.csv": "name,cat\n0.jpg,1\n", "classes.txt": "cat\nbackground\n"},
             images=TEN),
        Form("0 and 255 with two classes", {**BINARY, "classes.txt": "crack\nhole\n"}, images=TEN),
        Form("no label at all", {"labels.csv": "name,cat\n0.jpg,0\n1.jpg,0\n"}, images=TEN),
        Form("pictures that are none", {"labels.csv": "".join(f"{i}.jpg,cat\n" for i in range(12)),
             **{name: b"zz" for name in TEN}}, images=TEN),
        Form("another class list in val", {"annotations/train.json": coco([(1, "0.jpg")], [{"image_id": 1}]),
             "annotations/val.json": coco([(1, "1.jpg")], [{"image_id": 1}], [{"id": 1, "name": "fox"}])}, kind="coco",
             images=TEN),
        Form("a broken list val", {"labels.csv": "0.jpg,cat\n1.jpg,dog\n", "train.txt": "0\n", "val.txt": "zz\n"},
             images=TEN),
        Form("two categories of one name", {"annotations/train.json": coco([(1, "0.jpg")], [{"image_id": 1}],
             [{"id": 1, "name": "cat"}, {"id": 2, "name": "cat"}])}, kind="coco", images=TEN),
        Form("255 in the labels", {**LIST, "cls_labels.npy": npy({"a": hot(*[255] * 20), "b": hot(*[0] * 20)}),
             "ImageSets/Segmentation/val.txt": "a\n"}, kind="voc", images=OWN_IMAGES),
    ],
    ids=lambda form: form.given,
)  # fmt: skip
def test_not_ready(form, tmp_path):
    form.write(tmp_path)
    report = check(form.kind, tmp_path)
    assert not report.trainable and "Not ready to train" in report.text and "Ready:" not in report.text


def test_a_folder_of_binary_masks(tmp_path):
    Form("", {**BINARY, "README.txt": "hello\n", "masks/99.png": mask(0)}, images=TEN).write(tmp_path)
    report = check("folder", tmp_path)
    assert report.trainable
    for words in ("1 crack 8", "masks are black and white: 255 is crack", "3 images without any: 0, 3, 9",
                  "1 mask in masks without an image of that name: 99.png", "not read: README.txt"):  # fmt: skip
        assert words in report.text, words
    assert "Split README" not in report.text and "Split classes" not in report.text
    images = open_images("folder", tmp_path, "all")
    assert images.labels.ravel().tolist() == [float(i % 3 > 0) for i in map(int, images.names)]
    assert images.mask(images.names.index("1")).ravel()[:2].tolist() == [1, 0]


def test_broken_and_mismatched_masks_count(tmp_path):
    make_folder(tmp_path, 12)
    (tmp_path / "masks" / "photo_0.png").write_bytes(b"no picture")
    save_mask(np.zeros((5, 5), np.uint8), tmp_path / "masks" / "photo_1.png")
    save_mask(np.full(SIZE, 7, np.uint8), tmp_path / "masks" / "photo_2.png")
    report = check("folder", tmp_path)
    assert report.trainable
    assert "but 3 of 12 opened images cannot be used" in report.text and "holds 7; expected 0 to 2" in report.text


def test_what_both_splits_share_is_said(tmp_path):
    Form("", {"labels.csv": "0.jpg,cat\n1.jpg,dog\n", "train.txt": "0\n1\n", "val.txt": "1\n"}, images=TEN).write(
        tmp_path
    )
    assert "1 image in both train and val, so that scores are too good: 1.jpg" in check("folder", tmp_path).text


def test_the_page_and_the_log_say_what_was_left_out(tmp_path, caplog):
    Form("", BINARY, images=TEN).write(tmp_path)
    open_source(f"folder:{tmp_path}", tmp_path / "cache")
    assert "255 is crack" in caplog.text
    (tmp_path / "classes.txt").write_text("crack\ncrack\n")
    with pytest.raises(UserError, match="names 'crack' twice"):
        open_source(f"folder:{tmp_path}", tmp_path / "cache")


def test_the_page_opens_a_coco_set_of_any_split(tmp_path):
    things = [{"image_id": 1}]
    Form("", {"annotations/instances_night.json": coco([(1, "0.jpg")], things)}, images=TEN).write(tmp_path)
    assert open_source(f"coco:{tmp_path}", tmp_path / "cache").names == ("0",)


def test_training_without_validation_only_where_a_set_has_none(tmp_path):
    form = Form("", {"annotations/train.json": coco([(1, "0.jpg")], [{"image_id": 1}])}, kind="coco", images=TEN,
                split="train")  # fmt: skip
    form.write(tmp_path)
    source = open_photographs("coco", PRESETS["coco"], tmp_path)
    source.batches.close()
    assert source.samples is None and source.facts["validation"] == "none"


# --- one-hot files ---------------------------------------------------------------------------------------------------


def test_onehot_is_read_by_the_programs_that_share_the_form(tmp_path, capsys):
    labels = make_voc(tmp_path)
    out = tmp_path / "cls_labels.npy"
    assert main(["data", "onehot", "voc", "--root", str(tmp_path), "--out", str(tmp_path / "gone" / "x.npy")]) != 0
    assert main(["data", "onehot", "voc", "--root", str(tmp_path), "--out", str(out)]) == 0
    assert "10 images of train, val, 20 values each" in capsys.readouterr().out
    table = np.load(out, allow_pickle=True).item()
    for name, found in labels.items():
        if name.startswith("2010"):  # of SBD alone, in no list
            assert name not in table
            continue
        row = table[name]  # as AFA, ToCo and SEAM look it up
        assert row.dtype == np.float32 and row.tolist() == [float(i in found) for i in range(1, 21)]
        number = np.array([name.replace("_", "")], np.int32)[0]
        assert table[number] is not None and (table[number] == row).all(), "as IRN looks it up"
    (tmp_path / "VOCdevkit" / "VOC2012" / "cls_labels.npy").write_bytes(out.read_bytes())
    again = open_images("voc", tmp_path, "val")
    assert again.label_source == "the one-hot file cls_labels.npy"
    assert (again.labels == open_images("voc", tmp_path, "val", "xml").labels).all()


def test_onehot_of_an_own_set(tmp_path, capsys):
    rows = make_folder(tmp_path, 8)
    out = tmp_path / "cls_labels_onehot.npy"
    assert main(["data", "onehot", "folder", "--root", str(tmp_path), "--out", str(out)]) == 0
    table = np.load(out, allow_pickle=True).item()
    names = ("cat", "fire engine")
    assert {key: [c for c, v in zip(names, row, strict=True) if v] for key, row in table.items()} == rows
    (tmp_path / "labels.csv").unlink()
    images = open_images("folder", tmp_path, labels="onehot")
    assert (images.labels == [table[name] for name in images.names]).all()
    assert main(["data", "onehot", "folder", "--root", str(tmp_path), "--out", str(tmp_path / "x.csv")]) != 0
    assert "ends in .npy" in capsys.readouterr().err


def test_own_classes_of_annotations_go_by_all_of_them(tmp_path):
    """train shows one of two classes: both splits must still have the same list."""
    lists = {"ImageSets/Segmentation/train.txt": "a\n", "ImageSets/Segmentation/val.txt": "b\n"}
    form = Form("", {**lists, "Annotations/a.xml": xml("dent"), "Annotations/b.xml": xml("scratch")}, kind="voc",
                images=OWN_IMAGES)  # fmt: skip
    form.write(tmp_path)
    assert check("voc", tmp_path).trainable
    for split in ("train", "val"):
        assert open_images("voc", tmp_path, split).class_names == ("background", "dent", "scratch")


def test_forms_are_tables_of_whole_rows():
    assert len({form.given for form in FORMS}) > 100
    assert all((form.labels is None) == bool(form.refused) for form in FORMS)
    assert all(dataclasses.is_dataclass(form) for form in FORMS)
