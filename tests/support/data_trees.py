"""Small data sets in the exact layouts of PASCAL VOC 2012 with SBD, MS COCO 2014 and own folders."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import savemat

from afa_viz.classes import VOC_CLASSES, palette

SIZE = (60, 72)  # rows, columns; small, and not square
COCO_CATEGORIES = {1: "person", 17: "cat", 90: "toothbrush"}


def picture(labels: list[int], rng: np.random.Generator, size: tuple[int, int] = SIZE) -> tuple[np.ndarray, np.ndarray]:
    """(H, W, 3) uint8 noise with a disc in the colour of each label, and its (H, W) uint8 mask with a rim of 255."""
    rows, cols = np.mgrid[: size[0], : size[1]]
    image = rng.integers(90, 160, (*size, 3))
    mask = np.zeros(size, np.uint8)
    for k, label in enumerate(labels):
        centre = size[0] // 2, (2 * k + 1) * size[1] // (2 * len(labels))
        distance = np.hypot(rows - centre[0], cols - centre[1])
        radius = size[0] // 3 if len(labels) == 1 else size[1] // (2 * len(labels)) - 4
        mask[distance < radius + 2] = 255
        mask[distance < radius] = label
        image[distance < radius + 1] = palette(21)[label % 21]
    return np.clip(image + rng.integers(-12, 13, image.shape), 0, 255).astype(np.uint8), mask


def save_mask(mask: np.ndarray, path: Path) -> None:
    indexed = Image.fromarray(mask).convert("P")
    indexed.putpalette([value for colour in palette(256) for value in colour])
    indexed.save(path)


def annotation_xml(name: str, labels: list[int]) -> str:
    """A VOC annotation; every object has a part whose name is not a class, as persons have there."""
    objects = "".join(
        f"<object><name>{VOC_CLASSES[label]}</name><difficult>{i % 2}</difficult>"
        "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox>"
        "<part><name>head</name></part></object>"
        for i, label in enumerate(labels)
    )
    return f"<annotation><folder>VOC2012</folder><filename>{name}.jpg</filename>{objects}</annotation>"


def make_voc(root: Path, train: int = 6, val: int = 4, extra: int = 3) -> dict[str, list[int]]:
    """root/VOCdevkit/VOC2012 and root/benchmark_RELEASE; returns the labels by name.

    `extra` images are outlined by SBD alone; SBD also outlines all of VOC's.
    """
    rng = np.random.default_rng(0)
    voc, sbd = root / "VOCdevkit" / "VOC2012", root / "benchmark_RELEASE" / "dataset"
    for folder in ("JPEGImages", "Annotations", "SegmentationClass", "ImageSets/Segmentation"):
        (voc / folder).mkdir(parents=True)
    (sbd / "cls").mkdir(parents=True)
    names = {
        "train": [f"2007_{i:06d}" for i in range(train)],
        "val": [f"2008_{i:06d}" for i in range(val)],
        "sbd": [f"2010_{i:06d}" for i in range(extra)],
    }
    labels = {}
    for number, name in enumerate(name for part in names.values() for name in part):
        labels[name] = sorted({1 + number % 3, 15}) if number % 2 else [1 + number % 3]
        image, mask = picture(labels[name], rng)
        Image.fromarray(image).save(voc / "JPEGImages" / f"{name}.jpg", quality=95)
        (voc / "Annotations" / f"{name}.xml").write_text(annotation_xml(name, labels[name]))
        savemat(sbd / "cls" / f"{name}.mat", {"GTcls": {"Segmentation": np.where(mask == 255, 0, mask)}})
        if name not in names["sbd"]:
            save_mask(mask, voc / "SegmentationClass" / f"{name}.png")
    lists = voc / "ImageSets" / "Segmentation"
    for split in ("train", "val"):
        (lists / f"{split}.txt").write_text("".join(f"{name}\n" for name in names[split]))
    (sbd / "train.txt").write_text("\n".join([*names["train"], *names["sbd"]]))
    (sbd / "val.txt").write_text("\n".join(names["val"]))
    return labels


def one_hot_file(path: Path, labels: dict[str, list[int]], count: int = 20) -> None:
    """The authors' form: a dictionary in a `.npy` file."""
    table = {name: np.isin(np.arange(1, count + 1), found).astype(np.float32) for name, found in labels.items()}
    np.save(path, table)  # type: ignore[arg-type]


def make_coco(root: Path, split: str = "train", count: int = 4) -> dict[str, list[int]]:
    """Images and annotations of one split with three categories; returns the labels (1 to 3) by name.

    Image 0 is grey, image 1 has a crowd in run lengths, and one more image has no annotation.
    """
    rng = np.random.default_rng(1)
    folder = root / f"{split}2014"
    folder.mkdir(parents=True)
    (root / "annotations").mkdir(exist_ok=True)
    ids = list(COCO_CATEGORIES)
    images, annotations, labels = [], [], {}
    for number in range(count + 1):
        name = f"COCO_{split}2014_{number + 1:012d}"
        labels[name] = [] if number == count else [1 + number % 3]
        image, _ = picture(labels[name], rng)
        grey = number == 0
        Image.fromarray(image).convert("L" if grey else "RGB").save(folder / f"{name}.jpg", quality=95)
        images.append({"id": number + 1, "file_name": f"{name}.jpg", "height": SIZE[0], "width": SIZE[1]})
        for label in labels[name]:
            # A square of 20 x 20 pixels; a small one of the next category lies on top of it and covers 10 x 10.
            big = {"segmentation": [[10, 10, 30, 10, 30, 30, 10, 30]], "area": 400, "iscrowd": 0}
            if number == 1:
                runs = np.zeros(SIZE, np.uint8)
                runs[10:30, 10:30] = 1
                big = {"segmentation": {"counts": run_lengths(runs), "size": list(SIZE)}, "area": 400, "iscrowd": 1}
            small = {"segmentation": [[15, 15, 25, 15, 25, 25, 15, 25]], "area": 100, "iscrowd": 0}
            other = label % 3 + 1
            for entry, category in ((small, other), (big, label)):
                annotations.append(
                    {"id": len(annotations), "image_id": number + 1, "category_id": ids[category - 1], **entry}
                )
            labels[name] = sorted([label, other])
    held = {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": i, "name": name} for i, name in reversed(COCO_CATEGORIES.items())],
    }
    (root / "annotations" / f"instances_{split}2014.json").write_text(json.dumps(held))
    return {name: found for name, found in labels.items() if found}


def run_lengths(mask: np.ndarray) -> list[int]:
    """Uncompressed run lengths of COCO: down the columns, zeros first."""
    counts, value = [0], 0
    for pixel in mask.ravel(order="F"):
        if pixel != value:
            counts.append(0)
            value = pixel
        counts[-1] += 1
    return counts


def make_folder(root: Path, count: int = 12, masks: bool = True) -> dict[str, list[str]]:
    """images/, labels.csv, classes.txt and masks/; returns the names of the classes by image."""
    rng = np.random.default_rng(2)
    (root / "images" / "new").mkdir(parents=True)
    names = ["cat", "fire engine"]
    rows = {}
    for number in range(count):
        name = f"new/photo_{number}" if number % 4 == 3 else f"photo_{number}"
        chosen = [1, 2] if number % 3 == 2 else [1 + number % 3]
        image, mask = picture(chosen, rng)
        Image.fromarray(image).save(root / "images" / f"{name}.png")
        rows[name] = [names[i - 1] for i in chosen]
        if masks:
            (root / "masks" / "new").mkdir(parents=True, exist_ok=True)
            save_mask(mask, root / "masks" / f"{name}.png")
    (root / "classes.txt").write_text("\n".join(names) + "\n")
    with open(root / "labels.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["name", "classes"])
        writer.writerows((f"{name}.png", ";".join(found)) for name, found in rows.items())
    return rows
