"""The Data set tab without a browser: sources of images, their ids, thumbnails and ground truth."""

from __future__ import annotations

import base64
import io
import threading
import time

import numpy as np
import pytest
from app_fixtures import SIDE, open_session, scene
from data_trees import make_folder
from disc_set import dataset, session
from PIL import Image

from afa_viz.classes import SANDBOX_CLASSES
from afa_viz.data.sandbox import render_scene
from afa_viz.ui.errors import UserError
from afa_viz.ui.handlers.dataset.images import THUMBNAIL, DataSet, public_id
from afa_viz.ui.handlers.dataset.scoring import Score, Table
from afa_viz.ui.handlers.dataset.sources import SandboxScenes, open_source
from afa_viz.ui.sessions.folders import cache_folder

__all__ = ["dataset", "session"]

# --- sources ---------------------------------------------------------------------------------------------------------


def test_a_scene_is_rendered_when_asked_for_and_kept(tmp_path, monkeypatch):
    source = SandboxScenes(tmp_path, 64, 3)
    assert source.names == ("val_0000", "val_0001", "val_0002") and source.known_labels(1) is None
    wanted = render_scene("val", 1, 64)
    assert (source.image(1) == wanted.image).all() and (source.mask(1) == wanted.mask).all()
    (kept,) = tmp_path.rglob("*.npz")
    monkeypatch.setattr("afa_viz.ui.handlers.dataset.sources.render_scene", lambda *args: pytest.fail("rendered again"))
    again = SandboxScenes(tmp_path, 64, 3)
    assert (again.known_labels(1) == wanted.image_labels).all()
    assert (again.image(1) == wanted.image).all() and (again.image_labels(1) == wanted.image_labels).all()
    monkeypatch.undo()
    kept.write_bytes(b"PK no archive")
    assert (SandboxScenes(tmp_path, 64, 3).mask(1) == wanted.mask).all()


def test_a_cache_that_can_not_be_written_is_no_error(tmp_path):
    (tmp_path / "file").write_text("in the way")
    source = SandboxScenes(tmp_path / "file", 64, 2)
    assert source.image(0).shape == (64, 64, 3) and source.known_labels(0) is not None
    table = Table(tmp_path / "file" / "scores.json")
    table.put("a", Score({"cam": 0.5}))
    table.save()
    assert table.get("a") == Score({"cam": 0.5}) and sorted(p.name for p in tmp_path.iterdir()) == ["file"]


def test_other_sets_are_named_at_the_launch(tmp_path):
    for text, words in {
        "imagenet:x": "sandbox or one of folder:PATH", "folder": "expected sandbox", "voc:": "expected sandbox",
        f"voc:{tmp_path}": "no JPEGImages", f"coco:{tmp_path}": "--data coco", f"folder:{tmp_path}/no": "no folder",
    }.items():  # fmt: skip
        with pytest.raises(UserError, match=words):
            open_source(text, tmp_path)
    assert isinstance(open_source("sandbox", tmp_path, 96), SandboxScenes)
    assert cache_folder(tmp_path) == tmp_path


def test_an_own_folder_is_browsed_and_scored(tmp_path, options, monkeypatch):
    rows = make_folder(tmp_path / "photos", 4)
    dataset = DataSet(open_source(f"folder:{tmp_path / 'photos'}", tmp_path), tmp_path / "cache")
    assert dataset.source.title == "photos all" and len(dataset) == 4
    assert {name: dataset.labels(i) for i, name in enumerate(dataset.source.names)} == {
        name: tuple(sorted(labels)) for name, labels in rows.items()
    }
    session = open_session(options, dataset=dataset)
    cats = [i for i, labels in enumerate(rows.values()) if labels == ["cat"]]
    place = list(dataset.source.names).index(list(rows)[cats[0]])
    picture = session.images.find(f"data:{dataset.ids[place]}")
    assert (
        session.ground_truth(picture, "tiny") == np.where(picture.mask == 1, 6, picture.mask)
    ).all()  # cat is 6 there
    old = dataset.fingerprint
    assert DataSet(open_source(f"folder:{tmp_path / 'photos'}", tmp_path), tmp_path).fingerprint == old
    (path,) = [path for path in dataset.source.mask_paths if path is not None][:1]
    path.write_bytes(path.read_bytes() + b" ")
    assert DataSet(open_source(f"folder:{tmp_path / 'photos'}", tmp_path), tmp_path).fingerprint != old


def test_on_spaces_only_temporary_files_are_written(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own" / "afa-viz"
    monkeypatch.setenv("SPACE_ID", "a/b")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    assert cache_folder() == tmp_path / "temporary" / "afa-viz"


def test_many_readers_of_one_scene_render_it_once(tmp_path, monkeypatch):
    source, rendered = SandboxScenes(tmp_path, 64, 1), []
    monkeypatch.setattr(
        "afa_viz.ui.handlers.dataset.sources.render_scene",
        lambda *args: (rendered.append(args), time.sleep(0.05), render_scene(*args))[2],
    )
    threads = [threading.Thread(target=source.image, args=(0,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(rendered) == 1


# --- images ----------------------------------------------------------------------------------------------------------


def test_ids_say_nothing_of_folders(dataset):
    assert dataset.ids[1:] == ("disc_1", "disc_2")
    assert dataset.ids[0] == public_id("secret/folder/one disc") and "secret" not in dataset.ids[0]
    assert dataset.title(0) == "one disc" and dataset.labels(0) == ("cat",)
    for name in ("", "nothing", "../disc_1", "disc_1/", 1, None, ["disc_1"], {}, float("nan"), True):
        with pytest.raises(UserError, match="no such image"):
            dataset.input_image(name)


def test_a_picture_has_its_truth_in_the_numbers_of_the_model(session, dataset):
    trace = session.trace(session.request("data:disc_1", "tiny"))
    assert [trace.class_names[i] for i in trace.present] == ["cow"] and trace.labels_given
    disc = np.array(scene(1)[1]) > 0
    assert (trace.target.numpy() == np.where(disc, SANDBOX_CLASSES.index("cow"), 0)).all()
    dataset.source.mask = lambda index: np.full((SIDE, SIDE), 3, np.uint8)  # a class that the model does not know
    assert session.ground_truth(dataset.input_image("disc_2"), "tiny") is None
    dataset.source.mask = lambda index: np.full((SIDE, SIDE), 9, np.uint8)  # no class at all
    assert session.ground_truth(dataset.input_image("disc_2"), "tiny") is None
    dataset.source.mask = lambda index: np.full((SIDE, SIDE), 255, np.uint8)
    assert (session.ground_truth(dataset.input_image("disc_2"), "tiny") == 255).all()


def test_a_damaged_image_is_one_sentence_without_its_path(session, dataset):
    dataset.source.broken = True
    with pytest.raises(UserError, match="disc_2 of the data set cannot be read") as refused:
        session.images.find("data:disc_2")
    assert "home" not in str(refused.value) and dataset.thumbnail(2) == ""


def test_thumbnails_are_small_and_large_images_shrink(dataset):
    head, _, letters = dataset.thumbnail(0).partition(",")
    assert head == "data:image/jpeg;base64"
    assert max(Image.open(io.BytesIO(base64.b64decode(letters))).size) <= THUMBNAIL
    dataset.source.image = lambda index: np.zeros((900, 3000, 3), np.uint8)
    dataset.source.mask = lambda index: np.ones((900, 3000), np.uint8)
    picture = dataset.input_image("disc_1")
    assert picture.image.shape == (307, 1024, 3) and picture.mask.shape == (307, 1024) and (picture.mask == 1).all()
