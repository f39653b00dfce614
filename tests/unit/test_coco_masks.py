"""COCO's outlines, pixel by pixel as pycocotools draws them; labels and masks by id, whatever the names."""

from __future__ import annotations

import json

import numpy as np
import pytest
from data_form import SIDE, Form
from layout_forms import coco
from PIL import Image

from afa_viz.data.coco_masks import decode_runs, polygon_mask, run_mask
from afa_viz.data.registry import open_images


@pytest.mark.parametrize("kind", ["wide", "whole", "hundredths", "beyond the image", "thin"])
def test_polygons_are_those_of_pycocotools(kind):
    from pycocotools import mask as oracle

    rng = np.random.default_rng(["wide", "whole", "hundredths", "beyond the image", "thin"].index(kind))
    for _ in range(150):
        height, width, corners = *rng.integers(1, 60, 2).tolist(), int(rng.integers(3, 9))
        points = rng.uniform(0, 60, (corners, 2))
        points = {
            "wide": points, "whole": points.round(), "hundredths": points.round(2), "beyond the image": points * 2 - 30,
            "thin": points * [1, 0.02],
        }[kind].ravel().tolist()  # fmt: skip
        want = oracle.decode(oracle.frPyObjects([points], height, width))[..., 0] > 0
        np.testing.assert_array_equal(polygon_mask(points, height, width), want)


def test_run_lengths_are_those_of_pycocotools():
    from pycocotools import mask as oracle

    rng = np.random.default_rng(5)
    for share in (0.0, 0.02, 0.5, 1.0):
        pixels = rng.random((37, 53)) < share
        text = oracle.encode(np.asfortranarray(pixels.astype(np.uint8)))["counts"].decode()
        np.testing.assert_array_equal(run_mask(decode_runs(text), 37, 53), pixels)
    with pytest.raises(ValueError, match="cover 5 pixels; expected 2 x 3"):
        run_mask([2, 3], 2, 3)
    for text in ("~~~", "o"):
        with pytest.raises(ValueError, match="run lengths"):
            decode_runs(text)


@pytest.mark.parametrize("ids", ["from 0", "from 1", "far", "backwards", "texts", "texts of numbers", "floats"])
@pytest.mark.parametrize("names", ["{:012d}.jpg", "COCO_train2014_{:012d}.jpg", "photo {}.jpg", "cam/{}.jpg"])
def test_labels_and_masks_go_by_id(ids, names, tmp_path):
    """Image i is grey level 20 i, shows class i % 2 + 1 and has a square at column i."""
    count = 5
    number = {
        "from 0": lambda i: i, "from 1": lambda i: i + 1, "far": lambda i: 90000 + 7 * i,
        "backwards": lambda i: count - i, "texts": lambda i: f"img-{i}", "texts of numbers": lambda i: str(3 * i),
        "floats": lambda i: float(i + 1),
    }[ids]  # fmt: skip
    things = [
        {"image_id": number(i), "category_id": i % 2 + 1, "segmentation": [[i, 0, i + 2, 0, i + 2, 2, i, 2]]}
        for i in range(count)
    ]
    listed = [(number(i), names.format(i)) for i in range(count)]
    Form("", {"annotations/instances_day.json": coco(listed, things)}).write(tmp_path)
    for i in range(count):
        path = tmp_path / "images" / names.format(i)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", SIDE[::-1], 20 * i).save(path, quality=100)
    images = open_images("coco", tmp_path, "day")
    assert len(images) == count
    for k in range(count):
        i = round(int(images.image(k)[0, 0, 0]) / 20)
        assert images.labels[k].tolist() == [i % 2 == 0, i % 2 == 1]
        want = np.zeros(SIDE, np.uint8)
        want[:2, i : i + 2] = i % 2 + 1
        np.testing.assert_array_equal(images.mask(k), want)


def test_a_mask_of_an_image_without_size_is_as_large_as_the_file(tmp_path):
    held = json.loads(coco([(1, "a.jpg")], [{"image_id": 1}]))
    held["images"] = [{"id": 1, "file_name": "a.jpg"}]
    Form("", {"annotations/day.json": json.dumps(held)}, images=["images/a.jpg"]).write(tmp_path)
    assert open_images("coco", tmp_path, "day").mask(0).shape == SIDE
