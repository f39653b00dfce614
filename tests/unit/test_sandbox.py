"""The clay world: deterministic scenes, consistent truth, knobs, a cache and a VOC layout."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from afa_viz.data import sandbox
from afa_viz.data.sandbox import CLASSES, PART_NAMES, PRESETS, Recipe, SandboxDataset, render_scene

NUM_SCENES = 24
EXAMPLES = Path(sandbox.__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def scenes():
    return [render_scene("train", i, 96) for i in range(NUM_SCENES)]


def same(a, b) -> bool:
    arrays = ("image", "mask", "instances", "parts", "image_labels")
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in arrays)


def test_a_scene_is_a_function_of_its_arguments(scenes):
    assert same(scenes[3], render_scene("train", 3, 96))


def test_indices_and_splits_do_not_coincide(scenes):
    images = {scene.image.tobytes() for scene in scenes}
    images |= {render_scene(split, i, 96).image.tobytes() for split in ("val", "test") for i in range(4)}
    assert len(images) == NUM_SCENES + 8


@pytest.mark.parametrize("index", range(6))
def test_the_same_scene_at_two_sizes(index):
    small, large = render_scene("val", index, 96), render_scene("val", index, 192)
    assert small.objects == large.objects and small.context == large.context
    assert np.mean(small.mask == large.mask[::2, ::2]) > 0.95
    assert np.mean(small.parts == large.parts[::2, ::2]) > 0.95
    halved = np.asarray(Image.fromarray(large.image).resize((96, 96), Image.Resampling.BOX), float)
    assert np.abs(halved - small.image).mean() < 8


def test_shapes_types_and_ranges(scenes):
    for scene in scenes:
        assert scene.image.shape == (96, 96, 3) and scene.image.dtype == np.uint8
        for array, highest in ((scene.mask, 12), (scene.instances, 3), (scene.parts, len(PART_NAMES) - 1)):
            assert array.shape == (96, 96) and array.dtype == np.uint8 and array.max() <= highest
        assert scene.image_labels.shape == (12,) and scene.image_labels.dtype == np.float32


def test_labels_are_the_classes_of_the_mask(scenes):
    for scene in scenes:
        present = set(np.unique(scene.mask)) - {0}
        assert present == {i + 1 for i in np.flatnonzero(scene.image_labels)}
        assert present == {CLASSES.index(name) + 1 for name in scene.objects}


def test_instances_and_parts_agree_with_the_mask(scenes):
    for scene in scenes:
        assert np.array_equal(scene.instances > 0, scene.mask > 0)
        assert np.array_equal(scene.parts > 0, scene.mask > 0)
        for i, name in enumerate(scene.objects, 1):
            assert set(np.unique(scene.mask[scene.instances == i])) == {CLASSES.index(name) + 1}
        assert scene.instances.max(initial=0) == len(scene.objects)


@pytest.mark.parametrize("name", CLASSES)
def test_every_class_alone(name):
    scene = render_scene("train", 5, 64, only=name)
    assert scene.objects == (name,)
    assert np.mean(scene.mask > 0) > 0.08


def test_animals_show_their_heads():
    for name in ("cat", "cow", "dog", "horse", "sheep", "bird", "person"):
        scene = render_scene("val", 2, 96, only=name)
        assert np.mean(scene.parts == PART_NAMES.index("head")) > 0.01


def test_objects_are_large_enough_to_find(scenes):
    areas = [np.mean(s.instances == i) for s in scenes for i in range(1, len(s.objects) + 1)]
    assert np.median(areas) > 0.08


def test_distractors_change_the_picture_but_not_the_layout():
    for index in range(4):
        few = render_scene("val", index, 96, Recipe(distractors=0.0))
        many = render_scene("val", index, 96, Recipe(distractors=6.0))
        assert few.context == many.context and not np.array_equal(few.image, many.image)
        assert np.mean((few.mask != many.mask) & (many.mask > 0)) < 0.01


@pytest.mark.parametrize("knob, value", [("camouflage", 1.0), ("clutter", 1.0)])
def test_colour_knobs_keep_the_mask(knob, value):
    plain, edited = (render_scene("val", 1, 96, replace(Recipe(), **{knob: v})) for v in (0.0, value))
    assert np.array_equal(plain.mask, edited.mask)
    assert np.abs(plain.image.astype(int) - edited.image).mean() > 1


def test_shearing_a_sheep_keeps_its_head():
    shorn, woolly = (render_scene("val", 3, 96, Recipe(fleece=v, distractors=0.0), only="sheep") for v in (0.0, 1.0))
    head = PART_NAMES.index("head")
    assert shorn.context == woolly.context and not np.array_equal(shorn.image, woolly.image)
    shares = [np.mean(scene.parts == head) / np.mean(scene.mask > 0) for scene in (shorn, woolly)]
    assert abs(shares[0] - shares[1]) < 0.15


def test_missing_labels_leave_the_mask_alone():
    plain, edited = (render_scene("val", 1, 96, Recipe(missing_labels=v)) for v in (0.0, 1.0))
    assert np.array_equal(plain.mask, edited.mask) and np.array_equal(plain.image, edited.image)
    assert plain.image_labels.sum() > 0 and edited.image_labels.sum() == 0


def test_pinned_classes_stay_in_their_context():
    for index in range(30):
        scene = render_scene("train", index, 64, PRESETS["boats_on_water"])
        assert "boat" not in scene.objects or scene.context == "water"


def test_small_and_max_objects():
    small = [render_scene("train", i, 64, Recipe(small=1.0, max_objects=1)) for i in range(8)]
    assert all(len(scene.objects) <= 1 for scene in small)
    assert np.median([np.mean(scene.mask > 0) for scene in small]) < 0.06


@pytest.mark.parametrize("size", [95, 62, 514])
def test_bad_sizes_are_refused(size):
    with pytest.raises(ValueError, match="expected an even number from 64 to 512"):
        render_scene("train", 0, size)


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="expected one of train"):
        render_scene("training", 0)
    with pytest.raises(ValueError, match="expected one of aeroplane"):
        render_scene("train", 0, only="unicorn")
    with pytest.raises(ValueError, match="expected 1, 2 or 3"):
        Recipe(max_objects=4)


def test_data_set_without_cache():
    data = SandboxDataset("test", size=64, only_single=True)
    assert len(data) == 400 and data[0].objects == ("aeroplane",) and data[-400].objects == ("aeroplane",)
    with pytest.raises(IndexError):
        data[400]


def test_cache_is_written_once_and_reused(tmp_path, monkeypatch):
    data = SandboxDataset("val", 5, 64, cache_dir=tmp_path)
    fresh = SandboxDataset("val", 5, 64)
    assert all(same(data[i], fresh[i]) and data[i].context == fresh[i].context for i in range(5))
    assert [scene.objects for scene in data] == [scene.objects for scene in fresh]

    def refuse(*_):
        raise AssertionError("rendered again")

    monkeypatch.setattr(sandbox.dataset, "render_scene", refuse)
    path = sandbox.render_split("val", 5, 64, cache_dir=tmp_path)
    assert sandbox.load_split(path)["images"].shape == (5, 64, 64, 3)
    assert [p.name for p in tmp_path.iterdir() if p.suffix != ".lock"] == [path.name]
    assert sandbox.load_split(path)["masks"].flags.writeable is False


def test_interrupted_rendering_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(sandbox.dataset, "CHUNK", 2)
    seen, original = [], sandbox.dataset.render_scene

    def fails_at_three(split, index, *rest):
        seen.append(index)
        if index == 3 and seen.count(3) == 1:
            raise KeyboardInterrupt
        return original(split, index, *rest)

    monkeypatch.setattr(sandbox.dataset, "render_scene", fails_at_three)
    with pytest.raises(KeyboardInterrupt):
        sandbox.render_split("val", 4, 64, cache_dir=tmp_path, progress=False)
    path = sandbox.render_split("val", 4, 64, cache_dir=tmp_path, progress=False)
    assert seen == [0, 1, 2, 3, 2, 3]
    assert np.array_equal(sandbox.load_split(path)["images"][0], original("val", 0, 64).image)


def test_recipes_have_their_own_cache():
    keys = {sandbox.dataset.split_key("val", 5, 64, recipe, False) for recipe in PRESETS.values()}
    assert len(keys) == len(PRESETS)


def test_voc_layout(tmp_path):
    sandbox.write_voc_layout(tmp_path, {"train": 2, "val": 1}, size=64, progress=False)
    names = (tmp_path / "ImageSets/Segmentation/train.txt").read_text().split()
    assert names == ["train_000000", "train_000001"]
    scene = render_scene("train", 1, 64)
    with Image.open(tmp_path / "SegmentationClass/train_000001.png") as mask:
        assert mask.mode == "P" and np.array_equal(np.asarray(mask), scene.mask)
        assert mask.getpalette()[3:6] == [128, 0, 0]
    with Image.open(tmp_path / "parts/train_000001.png") as parts:
        assert np.array_equal(np.asarray(parts), scene.parts)
    with Image.open(tmp_path / "JPEGImages/val_000000.jpg") as image:
        assert image.size == (64, 64)
    with open(tmp_path / "labels.csv", newline="") as file:
        rows = {row["name"]: row["classes"].split() for row in csv.DictReader(file)}
    assert set(rows["train_000001"]) == set(scene.objects) and len(rows) == 3


@pytest.mark.parametrize("number", [0, 5])
def test_pixels_are_those_of_the_machine_that_made_the_examples(number):
    """The bundled examples were rendered once and stored: another platform may differ by 1/255 and 0.1 % of a mask."""
    example = json.loads((EXAMPLES / "examples.json").read_text(encoding="utf-8"))[number]
    preset, index = example["name"].rsplit("_", 1)
    stored = np.array(Image.open(EXAMPLES / example["image"])).astype(int)
    scene = render_scene("test", int(index), len(stored), PRESETS[preset])
    assert np.abs(scene.image - stored).max() <= 1
    assert (np.array(Image.open(EXAMPLES / example["mask"])) != scene.mask).mean() <= 0.001
