"""VOC, COCO and own folders in their exact layouts: labels, masks, lists; a sentence for everything that is wrong."""

from __future__ import annotations

import json
import pickle
import shutil

import numpy as np
import pytest
from data_trees import SIZE, make_coco, make_folder, make_voc, one_hot_file, save_mask
from PIL import Image

from afa_viz.__main__ import main
from afa_viz.classes import VOC_CLASSES
from afa_viz.data.check import check
from afa_viz.data.folder import open_folder
from afa_viz.data.label_files import read_label_file
from afa_viz.data.masks import read_mask
from afa_viz.data.registry import open_images
from afa_viz.data.sbd import write_train_aug
from afa_viz.data.voc import open_voc


@pytest.fixture(scope="module")
def voc_original(tmp_path_factory):
    root = tmp_path_factory.mktemp("voc")
    return root, make_voc(root)


@pytest.fixture
def voc(voc_original, tmp_path):
    """A copy that a test may spoil, and the labels by name."""
    shutil.copytree(voc_original[0], tmp_path, dirs_exist_ok=True)
    return tmp_path, voc_original[1]


@pytest.fixture
def coco(tmp_path):
    return tmp_path, {split: make_coco(tmp_path, split) for split in ("train", "val")}


def found_labels(images) -> dict[str, list[int]]:
    return {name: (np.flatnonzero(row) + 1).tolist() for name, row in zip(images.names, images.labels, strict=True)}


# --- VOC -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["xml", "masks", "onehot"])
def test_voc_labels_from_every_source(voc, source):
    root, labels = voc
    one_hot_file(root / "VOCdevkit" / "VOC2012" / "cls_labels_onehot.npy", labels)
    images = open_voc(root, "val", source)
    assert found_labels(images) == {name: labels[name] for name in images.names}
    assert len(images) == 4 and images.class_names == VOC_CLASSES
    assert images.image(0).shape == (*SIZE, 3)
    assert set(np.unique(images.mask(0))) == {0, 255, *labels[images.names[0]]}


def test_train_aug_is_voc_train_and_sbd_without_voc_val(voc):
    root, labels = voc
    with pytest.raises(ValueError, match="data sbd"):
        open_voc(root, "train_aug")
    assert main(["data", "sbd", "--root", str(root), "--sbd", str(root / "benchmark_RELEASE")]) == 0
    images = open_voc(root, "train_aug")
    assert sorted(images.names) == sorted(name for name in labels if not name.startswith("2008"))
    assert found_labels(images) == {name: labels[name] for name in images.names}
    for i, name in enumerate(images.names):
        mask = images.mask(i)
        assert (255 in mask) == name.startswith("2007"), "VOC's own mask where there is one, else SBD's, which has none"
        assert set(np.unique(mask)) - {0, 255} == set(labels[name])
    assert write_train_aug(root, root, progress=False).masks == 0, "a second call has nothing to do"


def test_a_missing_mask_of_sbd_is_named(voc):
    root, _ = voc
    (root / "benchmark_RELEASE" / "dataset" / "cls" / "2010_000001.mat").write_bytes(b"no matrix")
    with pytest.raises(ValueError, match="2010_000001.mat cannot be read"):
        write_train_aug(root, root, progress=False)
    (root / "benchmark_RELEASE" / "dataset" / "cls" / "2010_000001.mat").unlink()
    with pytest.raises(ValueError, match="1 of 3 images have no file .*2010_000001"):
        write_train_aug(root, root, progress=False)


def test_voc_lists_in_other_forms(voc):
    root, _ = voc
    path = root / "mine.txt"
    path.write_text("/JPEGImages/2007_000001.jpg /SegmentationClassAug/2007_000001.png\n\n2008_000000\n")
    assert open_voc(root, str(path)).names == ("2007_000001", "2008_000000")
    with pytest.raises(ValueError, match="the nearest is 'val'"):
        open_voc(root, "vla")


def test_voc_faults_are_sentences(voc, tmp_path):
    root, labels = voc
    folder = root / "VOCdevkit" / "VOC2012"
    with pytest.raises(FileNotFoundError, match="no JPEGImages"):
        open_voc(tmp_path / "benchmark_RELEASE")
    (folder / "Annotations" / "2008_000001.xml").write_text(
        "<annotation><object><name>cta</name></object></annotation>"
    )
    with pytest.raises(ValueError, match="'cta'; the nearest is 'cat'"):
        open_voc(root, "val", "xml")
    (folder / "Annotations" / "2008_000001.xml").unlink()
    with pytest.raises(ValueError, match="1 of 4 images have no annotation .*2008_000001"):
        open_voc(root, "val")
    one_hot_file(folder / "cls_labels_onehot.npy", labels, count=7)
    with pytest.raises(ValueError, match="7.* values per image; expected 20"):
        open_voc(root, "val")
    (folder / "JPEGImages" / "2008_000003.jpg").unlink()
    with pytest.raises(ValueError, match="1 of 4 images have no file"):
        open_voc(root, "val")


class Hostile:
    def __reduce__(self):
        return open, ("hostile.txt", "w")


def test_a_label_file_never_runs_code(voc, monkeypatch):
    root, _ = voc
    monkeypatch.chdir(root)
    np.save(root / "VOCdevkit" / "VOC2012" / "cls_labels_onehot.npy", {"a": Hostile()})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="it calls"):
        open_voc(root, "val")
    assert not (root / "hostile.txt").exists()
    (root / "VOCdevkit" / "VOC2012" / "cls_labels_onehot.npy").write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(ValueError, match="not a dictionary of arrays"):
        open_voc(root, "val")


def test_masks_in_colour_or_with_foreign_numbers_are_refused(tmp_path):
    Image.new("RGB", (4, 4), (12, 34, 56)).save(tmp_path / "colour.png")
    with pytest.raises(ValueError, match=r"mode RGB with the colour \(12, 34, 56\); expected a palette or grey PNG"):
        read_mask(tmp_path / "colour.png", 21)
    save_mask(np.array([[0, 21, 255, 90]], np.uint8), tmp_path / "ids.png")
    with pytest.raises(ValueError, match="holds 21, 90; expected 0 to 20"):
        read_mask(tmp_path / "ids.png", 21)
    (tmp_path / "broken.png").write_bytes(b"\x89PNG")
    with pytest.raises(ValueError, match="cannot be read"):
        read_mask(tmp_path / "broken.png", 21)


# --- COCO ------------------------------------------------------------------------------------------------------------


def test_coco_from_its_annotations(coco):
    root, labels = coco
    images = open_images("coco", root)
    assert images.class_names == ("background", "person", "cat", "toothbrush"), "in the order of the category ids"
    assert found_labels(images) == labels["train"], "images without annotation are none of the split"
    assert images.image(0).shape == (*SIZE, 3), "grey images get three channels"
    for i, name in enumerate(images.names):
        mask = images.mask(i)
        small, big = mask[20, 20], mask[12, 12]
        assert sorted([small, big]) == labels["train"][name]
        assert ((mask == small).sum(), (mask == big).sum()) == (100, 300), "small objects lie on top of large ones"
        assert mask[10, 10] == big and mask[9, 10] == 0


def test_coco_masks_agree_with_pycocotools(coco):
    from pycocotools.coco import COCO

    root, _ = coco
    images = open_images("coco", root, "val")
    oracle = COCO(root / "annotations" / "instances_val2014.json")
    for i, number in enumerate(oracle.getImgIds()[: len(images)]):
        want = np.zeros(SIZE, np.uint8)
        for entry in sorted(oracle.imgToAnns[number], key=lambda entry: -entry["area"]):
            want[oracle.annToMask(entry) > 0] = sorted(oracle.cats).index(entry["category_id"]) + 1
        np.testing.assert_array_equal(images.mask(i), want)


def test_coco_lists_and_mask_files(coco):
    root, labels = coco
    name = sorted(labels["val"])[1]
    (root / "val.txt").write_text(f"{name}.jpg\n")
    folder = root / "SegmentationClass" / "val2014"
    folder.mkdir(parents=True)
    save_mask(np.full(SIZE, 3, np.uint8), folder / f"{name}.png")
    images = open_images("coco", root, "val")
    assert images.names == (name,) and (images.mask(0) == 3).all()
    assert found_labels(open_images("coco", root, "val", "masks")) == {name: [3]}


def test_coco_faults_are_sentences(coco):
    root, _ = coco
    with pytest.raises(FileNotFoundError, match="no folder test2014|no folder test"):
        open_images("coco", root, "test")
    path = root / "annotations" / "instances_val2014.json"
    held = json.loads(path.read_text())
    held["annotations"][0]["category_id"] = 5
    path.write_text(json.dumps(held))
    with pytest.raises(ValueError, match="category 5"):
        open_images("coco", root, "val")
    path.write_text("[1, 2]")
    with pytest.raises(ValueError, match="no COCO annotation"):
        open_images("coco", root, "val")


# --- own folders -----------------------------------------------------------------------------------------------------


def test_folder_with_labels_masks_and_a_fixed_split(tmp_path):
    rows = make_folder(tmp_path, 24)
    every = open_folder(tmp_path)
    assert every.class_names == ("background", "cat", "fire engine")
    assert {n: [every.class_names[i] for i in found] for n, found in found_labels(every).items()} == rows
    assert found_labels(open_folder(tmp_path, labels="masks")) == found_labels(every)
    train, val = open_images("folder", tmp_path), open_folder(tmp_path, "val")
    assert sorted([*train.names, *val.names]) == sorted(rows) and len(train) > 3 * len(val) > 0
    shutil.copy(tmp_path / "images" / "photo_0.png", tmp_path / "images" / "more.png")
    with open(tmp_path / "labels.csv", "a") as file:
        file.write("more.png,cat\n")
    assert set(val.names) <= set(open_folder(tmp_path, "val").names), "an image stays where it is when others come"
    (tmp_path / "train.txt").write_text("photo_0.png\nimages/new/photo_3\n")
    assert open_folder(tmp_path, "train").names == ("photo_0", "new/photo_3")
    with pytest.raises(ValueError, match="no split 'val'.*the nearest|no split 'val'.*expected one of"):
        open_folder(tmp_path, "val")


@pytest.mark.parametrize(
    "name,text",
    [
        ("a.csv", "name,classes\na.jpg,cat fire_engine\nb.jpg,cat\nc.jpg,\n"),
        ("a.csv", "name,cat,fire_engine\na.jpg,1,1\nb.jpg,1,0\nc.jpg,0,0\n"),
        ("a.csv", "a.jpg;cat;fire_engine\nb.jpg;cat\nc.jpg;\n"),
        ("a.tsv", "image\tlabels\na.jpg\tcat|fire_engine\nb.jpg\tcat\nc.jpg\t\n"),
        ("a.json", '{"a.jpg": ["cat", "fire_engine"], "b.jpg": "cat", "c.jpg": []}'),
        ("a.json", '[{"file_name": "a.jpg", "labels": ["cat", "fire_engine"]}, {"name": "b.jpg", "classes": "cat"},'
                   ' {"name": "c.jpg", "classes": []}]'),
    ],
)  # fmt: skip
def test_labels_that_people_wrote(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    written = read_label_file(tmp_path / name)
    assert written.classes == {"a.jpg": ("cat", "fire_engine"), "b.jpg": ("cat",), "c.jpg": ()}
    assert written.class_names() == ("background", "cat", "fire_engine")


@pytest.mark.parametrize(
    "name,content,reason",
    [
        ("a.csv", b"just a word\n", "expected a name, a comma"),
        ("a.csv", b"name,cat,cat\na.jpg,1,0\n", "one title for each class"),
        ("a.csv", b"name,cat,dog\na.jpg,1\n", "line 2: 1 cells|line 2: 2 cells"),
        ("a.csv", b"name,classes\n,cat\n", "no name"),
        ("a.csv", b"\xff\xfe\x00,\n", "not UTF-8"),
        ("a.json", b'{"a": 3}', "expected names of classes"),
        ("a.json", b"3", "holds a int"),
        ("a.json", b"{", "cannot be read"),
        ("a.json", b"[3]", "expected .*classes"),
    ],
)
def test_label_files_that_can_not_be_used(tmp_path, name, content, reason):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=reason):
        read_label_file(tmp_path / name)


def test_folder_faults_are_sentences(tmp_path):
    make_folder(tmp_path, 6, masks=False)
    labels = tmp_path / "labels.csv"
    text = labels.read_text()
    labels.write_text(text + "gone.png,cat\n")
    with pytest.raises(ValueError, match="1 of 7 images have no file .*gone.png"):
        open_folder(tmp_path)
    labels.write_text(text + "photo_1.png,cta\n")
    with pytest.raises(ValueError, match="'cta'.*the nearest is 'cat'"):
        open_folder(tmp_path)
    labels.unlink()
    with pytest.raises(ValueError, match="no image labels; expected the file labels.csv, .*the masks"):
        open_folder(tmp_path)
    with pytest.raises(ValueError, match="the nearest is 'folder'"):
        open_images("foldr", tmp_path)
    with pytest.raises(ValueError, match="--root"):
        open_images("voc", None)


# --- the report ------------------------------------------------------------------------------------------------------


def test_check_tells_what_is_there_and_where_to_get_the_rest(voc, capsys):
    root, _ = voc
    arguments = ["data", "check", "voc", "--root", str(root)]
    assert main(arguments) == 1
    page = capsys.readouterr().out
    assert "Not ready to train" in page and "data sbd" in page and "Split val: 4 images (published: 1,449)" in page
    write_train_aug(root, root, progress=False)
    assert main(arguments) == 0
    page = capsys.readouterr().out
    assert "Ready: python -m afa_viz train --config voc" in page
    assert "Split train_aug: 9 images (published: 10,582), 9 with a mask" in page
    assert "opened 9: 0 broken" in page
    assert "cls_labels_onehot.npy: https" in page and "Annotations: " not in page.split("Where to get")[1]
    assert len(page.splitlines()) < 45, "one page"


def test_check_finds_what_is_broken_or_does_not_fit(voc):
    root, _ = voc
    folder = root / "VOCdevkit" / "VOC2012"
    (folder / "JPEGImages" / "2008_000001.jpg").write_bytes(b"no picture")
    save_mask(np.zeros((5, 5), np.uint8), folder / "SegmentationClass" / "2008_000002.png")
    save_mask(np.full(SIZE, 9, np.uint8), folder / "SegmentationClass" / "2008_000003.png")
    page = check("voc", root, read=0).text
    assert "opened 4: 2 broken" in page
    assert "2008_000001" in page and "its mask (5, 5)" in page
    assert "name different classes in 1: 2008_000003" in page


def test_check_of_the_other_kinds(coco, tmp_path_factory):
    root, _ = coco
    report = check("coco", root)
    assert report.trainable and "masks as PNG files" in report.text and "2.00 per image" in report.text
    own = tmp_path_factory.mktemp("own")
    make_folder(own)
    assert check("folder", own).trainable
    (own / "labels.csv").unlink()
    shutil.rmtree(own / "masks")
    report = check("folder", own)
    assert not report.trainable and "write one line per image" in report.text
