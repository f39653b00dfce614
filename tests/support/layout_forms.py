"""Forms of splits and folders, of VOC's layout and of COCO's format."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from data_form import AB, CD, SIDE, Form, hot, npy
from mask_forms import TABLE, TWO_RGB

from afa_viz.classes import VOC_CLASSES

SPLITS = [
    Form("lists beside the images: train.txt, val.txt, …", {"labels.csv": "name,classes\na.jpg,cat\nb.jpg,dog\n",
         "train.txt": "a\n", "val.txt": "images/b.jpg\n"}, {"a": ("cat",)}, split="train", shown="train.txt: a"),
    Form("the file of the list as well as its name", {"labels.csv": "name,classes\na.jpg,cat\nb.jpg,dog\n",
         "splits/train.txt": "a\n"}, {"a": ("cat",)}, split="train.txt", shown="--split train.txt"),
    Form("a name twice in a list counts once", {"labels.csv": "name,classes\na.jpg,cat\nb.jpg,dog\n", "train.txt":
         "a\nb\na\n"}, {"a": ("cat",), "b": ("dog",)}, split="train", note="names 1 image more than once",
         shown="train.txt: a, b, a"),
    Form("folders train and val", {"labels.csv": "name,classes\na.jpg,cat\nb.jpg,dog\n"}, {"val/b": ("dog",)},
         split="val", images=("images/train/a.jpg", "images/val/b.jpg"),
         shown="images/train/a.jpg, images/val/b.jpg"),
    Form("`valid` for `val`", {"labels.csv": "name,classes\na.jpg,cat\nb.jpg,dog\n"}, {"valid/b": ("dog",)},
         split="val", images=("train/a.jpg", "valid/b.jpg"), shown="train/a.jpg, valid/b.jpg"),
    Form("a folder for each class", {}, {"cat/1": ("cat",), "dog/1": ("dog",)}, images=("cat/1.jpg", "dog/1.jpg"),
         classes=CD, shown="cat/1.jpg, dog/1.jpg"),
    Form("a folder for each class in each split", {}, {"train/cat/1": ("cat",), "train/dog/2": ("dog",)},
         split="train", images=("train/cat/1.jpg", "train/dog/2.jpg", "val/cat/3.jpg"), classes=CD,
         shown="train/cat/1.jpg, train/dog/2.jpg, val/cat/3.jpg"),
    Form("texts that are not a list", {"labels.csv": "name,classes\na.jpg,cat\nb.jpg,dog\n", "README.txt":
         "About\nthis set\n", "class_names.txt": "cat\ndog\n"}, refused="there is no split 'README'", split="README"),
    Form("a list that names a missing image", {"labels.csv": "name,classes\na.jpg,cat\nb.jpg,dog\n", "train.txt":
         "a\nz\n"}, refused="1 of 2 images have no image with labels (train.txt): z", split="train"),
    Form("an empty list", {"labels.csv": "name,classes\na.jpg,cat\nb.jpg,dog\n", "train.txt": "\n"},
         refused="is empty", split="train"),
]  # fmt: skip


def xml(*names: str) -> str:
    objects = "".join(f"<object><name>{name}</name></object>" for name in names)
    return f"<annotation>{objects}</annotation>"


VOC_IMAGES = ("VOC2007/JPEGImages/a.jpg", "VOC2007/JPEGImages/b.jpg")
OWN_IMAGES = ("JPEGImages/a.jpg", "JPEGImages/b.jpg")
LIST = {"ImageSets/Segmentation/train.txt": "a\nb\n"}
VOC_HOT = {name: hot(*(float(VOC_CLASSES[i] in found) for i in range(1, 21))) for name, found in AB.items()}
VOC = [
    Form("the objects of Annotations/*.xml, here of VOC2007", {"VOC2007/ImageSets/Segmentation/train.txt": "a\nb\n",
         "VOC2007/Annotations/a.xml": xml("cat", "dog"), "VOC2007/Annotations/b.xml": xml("dog")}, AB, kind="voc",
         split="train", images=VOC_IMAGES, classes=VOC_CLASSES[1:]),
    Form("own classes in the annotations", {**LIST, "Annotations/a.xml": xml("scratch", "dent"), "Annotations/b.xml":
         xml("dent")}, {"a": ("dent", "scratch"), "b": ("dent",)}, kind="voc", split="train", images=OWN_IMAGES,
         classes=("dent", "scratch")),
    Form("annotations in GBK, as their first line says",
         {**LIST, "Annotations/a.xml": f'<?xml version="1.0" encoding="gbk"?>{xml("大象")}'.encode("gbk"),
          "Annotations/b.xml": xml("dent")}, {"a": ("大象",), "b": ("dent",)}, kind="voc", split="train",
         images=OWN_IMAGES, classes=("dent", "大象"), shown="<name>大象</name>, in GBK"),
    Form("own classes with their list", {**LIST, "Annotations/a.xml": xml("scratch", "person"), "Annotations/b.xml":
         xml("person"), "classes.txt": "scratch\nperson\n"}, {"a": ("scratch", "person"), "b": ("person",)},
         kind="voc", split="train", images=OWN_IMAGES, classes=("scratch", "person")),
    Form("cls_labels_onehot.npy or cls_labels.npy of 20 values", {**LIST, "cls_labels_onehot.npy": npy(VOC_HOT)}, AB,
         kind="voc", split="train", images=OWN_IMAGES, shown="{'a': [0, …, 1], …}"),
    Form("of 21 values, background first", {**LIST, "cls_labels.npy": npy({n: hot(1, *v) for n,
         v in VOC_HOT.items()})}, AB, kind="voc", split="train", images=OWN_IMAGES, shown="{'a': [1, 0, …, 1], …}"),
    Form("numbers for names", {"ImageSets/Segmentation/train.txt": "2007_000032\n", "cls_labels.npy":
         npy({2007000032: VOC_HOT["a"]})}, {"2007_000032": ("cat", "dog")}, kind="voc", split="train",
         images=("JPEGImages/2007_000032.jpg",), shown="{2007000032: [0, …, 1]}"),
    Form("CVAT's export: labelmap.txt, masks in its colours, the split default",
         {"ImageSets/Segmentation/default.txt": "a\nb\n", "labelmap.txt": TABLE, **{f"SegmentationClass/{path[6:]}":
         content for path, content in TWO_RGB.items()}}, AB, kind="voc", split="default", images=OWN_IMAGES,
         classes=CD, masks={"a": (0, 1, 2)}),
    Form("the file of a list as well as its name", {**LIST, "Annotations/a.xml": xml("cat", "dog"),
         "Annotations/b.xml":xml("dog")}, AB, kind="voc", split="train.txt", images=OWN_IMAGES,
         shown="--split train.txt"),
    Form("a name twice in a list counts once", {"ImageSets/Segmentation/train.txt": "a\nb\nb\n",
         "Annotations/a.xml":xml("cat", "dog"), "Annotations/b.xml": xml("dog")}, AB, kind="voc", split="train",
         images=OWN_IMAGES, note="names 1 image more than once"),
    Form("an object that is not a class, among VOC's", {**LIST, "Annotations/a.xml": xml("cta", "dog"),
         "Annotations/b.xml":xml("dog")}, refused="'cta'; the nearest is 'cat'", kind="voc", split="train",
         images=OWN_IMAGES),
]  # fmt: skip

SQUARE = [[1, 1, 4, 1, 4, 4, 1, 4]]


def coco(
    images: Sequence[tuple[object, str]], things: Sequence[Mapping[str, object]], categories: object = None
) -> str:
    """An annotation file: (id, file_name) of each image, annotations, categories."""
    listed = [{"id": i, "file_name": name, "height": SIDE[0], "width": SIDE[1]} for i, name in images]
    held = [{"id": i, "category_id": 1, "segmentation": SQUARE, "area": 9, **thing} for i, thing in enumerate(things)]
    named = categories if categories is not None else [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]
    return json.dumps({"images": listed, "annotations": held, "categories": named})


PLACES = ("images/000000.jpg", "images/000001.jpg")
PAIR = ((1, "000000.jpg"), (2, "000001.jpg"))
BOTH = [{"image_id": 1}, {"image_id": 2, "category_id": 2}]
READ = {"000000": ("cat",), "000001": ("dog",)}
# The image of a skipped annotation keeps its label; both images are there because of their first annotation.
COCO = [
    Form("ids that begin at 1 beside names that begin at 0", {"annotations/instances_train.json": coco(PAIR, BOTH)},
         READ, kind="coco", split="train", images=PLACES, classes=CD),
    Form("ids that are texts", {"annotations/instances_train.json":coco((("x", "000000.jpg"), ("y", "000001.jpg")),
         [{"image_id": "x"}, {"image_id": "y", "category_id": 2}])}, READ, kind="coco", split="train", images=PLACES),
    Form("ids far from the names", {"annotations/train.json": coco(((90001, "000000.jpg"), (90000, "000001.jpg")),
         [{"image_id": 90001}, {"image_id": 90000, "category_id": 2}])}, READ, kind="coco", split="train",
         images=PLACES),
    Form("Roboflow's layout and a split `valid`", {"valid/_annotations.coco.json": coco(((0, "one.jpg"),),
         [{"image_id": 0}])}, {"one": ("cat",)}, kind="coco", split="val", images=("valid/one.jpg",)),
    Form("any name of a split; folders in `file_name`", {"annotations/instances_night.json":coco(((0, "cam1/x.jpg"),
         (1, "cam2/x.jpg")), [{"image_id": 0}, {"image_id": 1, "category_id": 2}])}, {"cam1/x": ("cat",), "cam2/x":
         ("dog",)}, kind="coco", split="night", images=("cam1/x.jpg", "cam2/x.jpg")),
    Form("annotations without an outline: in the image labels, not in masks", {"annotations/instances_train.json":
         coco(PAIR, [*BOTH, {"image_id": 1, "category_id": 2, "segmentation": []}, {"image_id": 1, "category_id": 2,
         "segmentation": [[]]}, {"image_id": 1, "category_id": 2, "segmentation": None}])}, {"000000": CD, "000001":
         ("dog",)}, kind="coco", split="train", images=PLACES, note="3 annotations without an outline"),
    Form("a polygon of two points", {"annotations/instances_train.json": coco(PAIR, [*BOTH, {"image_id": 1,
         "category_id": 2, "segmentation": [[1, 1, 4, 4]]}])}, {"000000": CD, "000001": ("dog",)}, kind="coco",
         split="train", images=PLACES, note="1 annotation with polygons of fewer than three points"),
    Form("no area, or `area: null`", {"annotations/instances_train.json":coco(PAIR, [{"image_id": 1, "area": None},
         {"image_id": 2, "category_id": 2, "area": "9"}])}, READ, kind="coco", split="train", images=PLACES,
         masks={"000000": (0,) * 9 + (1, 1, 1, 0)}),
    Form("run lengths of another size", {"annotations/instances_train.json": coco(PAIR, [*BOTH, {"image_id": 1,
         "category_id": 2, "segmentation": {"counts": [4, 4, 8], "size": [4, 4]}}])}, {"000000": CD, "000001": ("dog",
         )}, kind="coco", split="train", images=PLACES, note="of another size than the image"),
    Form("an annotation of an image that is not listed", {"annotations/instances_train.json":coco(PAIR, [*BOTH,
         {"image_id": 77}])}, READ, kind="coco", split="train", images=PLACES,
         note="1 annotation of images that the file does not list skipped"),
    Form("an image without annotation", {"annotations/instances_train.json": coco(PAIR, BOTH[:1])}, {"000000": ("cat",
         )}, kind="coco", split="train", images=PLACES,
         note="1 image of instances_train.json without an annotation left out"),
    Form("a category called background", {"annotations/instances_train.json": coco(PAIR, [*BOTH, {"image_id": 1,
         "category_id": 0}], [{"id": 0, "name": "background"}, {"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}])},
         READ, kind="coco", split="train", images=PLACES, classes=CD, note="of the category background skipped"),
    Form("an empty list of annotations", {"annotations/instances_train.json": coco(PAIR, [])},
         refused="empty list of annotations", kind="coco", split="train", images=PLACES),
    Form("one category twice", {"annotations/instances_train.json":coco(PAIR, BOTH, [{"id": 1, "name": "cat"}, {"id":
         2, "name": "cat"}])}, refused="names 'cat' twice", kind="coco", split="train", images=PLACES),
    Form("one id for two images", {"annotations/instances_train.json": coco(((1, "000000.jpg"), (1, "000001.jpg")),
         BOTH[:1])}, refused="lists image 1 twice", kind="coco", split="train", images=PLACES),
    Form("a category that is not listed", {"annotations/instances_train.json": coco(PAIR, [{"image_id": 1,
         "category_id": 9}])}, refused="category 9", kind="coco", split="train", images=PLACES),
    Form("a file that is not there", {"annotations/instances_train.json": coco(PAIR, BOTH)},
         refused="1 of 2 images have no file", kind="coco", split="train", images=PLACES[:1]),
]  # fmt: skip
