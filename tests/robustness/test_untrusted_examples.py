"""A folder of examples that somebody hands in: nothing outside it is shown, and what is damaged spoils nothing else."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import shutil
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from app_fixtures import launched, prepare, scene
from image_bytes import huge_png
from PIL import Image

from afa_viz.ui.errors import UserError
from afa_viz.ui.server.app import build
from afa_viz.ui.sessions.examples import read_examples
from afa_viz.ui.sessions.temporary import process_folder
from benchmarks.served_app import Page

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*no_silent_downcasting"),  # an option that gradio sets in pandas
    pytest.mark.filterwarnings("ignore:The copy keyword is deprecated"),  # of pandas, in gradio's counts of requests
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # event loops that the server leaves to the collector
]
GOOD = {"name": "good", "image": "scene0.png", "mask": "scene0_mask.png", "labels": ["cat"], "domain": "sandbox"}


@pytest.fixture
def folder(tmp_path) -> Path:
    """A folder with a good image, and files beside it that are nobody's business."""
    made = tmp_path / "examples"
    (made / "deeper").mkdir(parents=True)
    image, mask = scene(0)
    image.save(made / "scene0.png")
    mask.save(made / "scene0_mask.png")
    image.save(made / "deeper" / "inside.png")
    (tmp_path / "examples-secret").mkdir()
    for outside in (tmp_path / "secret.png", tmp_path / "examples-secret" / "a.png"):
        image.save(outside)
    (made / "link.png").symlink_to(tmp_path / "secret.png")
    (made / "folder").symlink_to(tmp_path)
    (made / "circle.png").symlink_to(made / "circle.png")
    (made / "near.png").symlink_to(made / "scene0.png")
    return made


def written(folder: Path, *entries: object) -> Path:
    (folder / "examples.json").write_text(json.dumps(entries))
    return folder


OUTSIDE = [
    "../secret.png", "deeper/../../secret.png", "../examples-secret/a.png", "./././../secret.png", "link.png",
    "folder/secret.png", "circle.png", "/etc/passwd", "/proc/self/environ", "..", "a\0b.png", "", "x" * 5000, 3, None,
    ["scene0.png"], {"path": "scene0.png"}, True, "~/secret.png", "//etc/passwd", "http://127.0.0.1/a.png",
    "file:///etc/passwd", "C:\\Windows\\win.ini", "..\\secret.png",
]  # fmt: skip


@pytest.mark.parametrize("field", ["image", "mask"])
@pytest.mark.parametrize("value", OUTSIDE, ids=lambda value: str(value)[:30])
def test_paths_stay_inside(folder, field, value, caplog):
    """An entry that leads outside is left out in one sentence; one that merely is not there is refused when opened."""
    if field == "mask" and not value:
        return  # no mask
    entry = {**GOOD, "name": "bad", field: str(folder.parent / "secret.png") if value == ".." else value}
    with caplog.at_level(logging.WARNING):
        found = read_examples(written(folder, entry, GOOD))
    assert found[-1].name == "good"
    if len(found) == 1:
        (record,) = [r.getMessage() for r in caplog.records]
        assert record.startswith("Example 1 of examples.json in examples is skipped: its ") and record.endswith(".")
        assert "\n" not in record and len(record) < 300
    else:
        assert all(path.is_relative_to(folder.resolve()) for path in (found[0].path, found[0].mask_path))
        with pytest.raises(UserError, match="The example bad cannot be read; choose another one"):
            found[0].read()


def test_files_inside_are_fine_however_they_are_named(folder):
    names = ("deeper/inside.png", "./scene0.png", "deeper/../scene0.png", "near.png", str(folder / "scene0.png"))
    found = read_examples(written(folder, *({**GOOD, "name": str(i), "image": n} for i, n in enumerate(names))))
    assert len(found) == len(names)
    for example in found:
        assert example.read().image.shape == (96, 96, 3)


def test_a_folder_that_is_a_link_itself_is_fine(folder, tmp_path):
    (tmp_path / "elsewhere").symlink_to(written(folder, GOOD))
    assert read_examples(tmp_path / "elsewhere")[0].read().labels == ("cat",)


DAMAGED = [
    3, None, "good", [], {}, {"name": "x"}, {"image": "scene0.png"}, {**GOOD, "name": ""}, {**GOOD, "name": 3},
    {**GOOD, "name": "a\nb"}, {**GOOD, "name": "x" * 101}, {**GOOD, "labels": "cat"}, {**GOOD, "labels": [3]},
    {**GOOD, "labels": [[]]}, {**GOOD, "labels": {"a": 1}}, {**GOOD, "title": ["x"]}, {**GOOD, "story": 10**15},
    {**GOOD, "title": "x" * 2001}, {**GOOD, "domain": "moon"}, {**GOOD, "pathology": []}, {**GOOD, "name": None},
]  # fmt: skip


@pytest.mark.parametrize("entry", DAMAGED, ids=lambda entry: str(entry)[:40])
def test_a_damaged_entry_is_one_sentence_and_the_rest_is_there(folder, entry, caplog):
    with caplog.at_level(logging.WARNING):
        found = read_examples(written(folder, GOOD, entry, {**GOOD, "name": "second"}))
    assert [example.name for example in found] == ["good", "second"]
    (record,) = [r.getMessage() for r in caplog.records]
    assert record.startswith("Example 2 of examples.json") and record.endswith(".") and len(record) < 300


def test_a_name_that_is_taken_is_left_out(folder, caplog):
    assert len(read_examples(written(folder, GOOD, {**GOOD, "image": "near.png"}))) == 1
    assert "its name 'good' is taken" in caplog.text


@pytest.mark.parametrize(
    "text", ["[" * 100_000 + "]" * 100_000, '{"a":' * 100_000 + "1" + "}" * 100_000, "[1" + "0" * 400 + "]",
             "[1" + "0" * 5000 + "]", '["x"]', "3", '"x"', "\x00", "[NaN", "[" + " " * 9 * 2**20 + "]"],
    ids=["lists", "objects", "400 digits", "5000 digits", "text", "number", "letters", "zero", "cut", "9 MB"],
)  # fmt: skip
def test_a_file_that_is_no_list_is_one_sentence(folder, text):
    (folder / "examples.json").write_text(text)
    with pytest.raises(
        UserError, match=r"^examples\.json in examples is not a list of examples \(.*\); expected"
    ) as refused:
        read_examples(folder)
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 300


@pytest.mark.parametrize("what", ["garbage", "bomb", "empty", "gone", "folder", "colour mask", "other size", "program"])
def test_a_picture_that_can_not_be_read_is_a_sentence(folder, what):
    image, mask = folder / "bad.png", folder / "scene0_mask.png"
    shutil.copy(folder / "scene0.png", image)
    if what == "garbage":
        image.write_bytes(os.urandom(999))
    elif what == "bomb":
        huge_png(image)
    elif what == "empty":
        image.write_bytes(b"")
    elif what == "gone":
        image.unlink()
    elif what == "folder":
        image = folder / "deeper"
    elif what == "program":
        image.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n(/etc/passwd) run\n")
    elif what == "colour mask":
        Image.new("RGB", (96, 96)).save(mask)
    else:
        Image.new("L", (40, 96)).save(mask)
    (example,) = read_examples(written(folder, {**GOOD, "image": image.name}))
    with pytest.raises(UserError, match="The example good cannot be read; choose another one"):
        example.read()
    assert np.asarray(example.thumbnail()).shape[2] == 3


def test_one_bad_example_keeps_the_page_from_nothing(tmp_path, caplog):
    """Neither as the first one nor in the middle; the others are prepared, and no file outside is published."""
    options = prepare(tmp_path)
    secret = tmp_path / "secret.txt"
    secret.write_text("nobody's business")
    (options.examples / "broken.png").write_bytes(b"\x89PNG broken")
    entries = json.loads((options.examples / "examples.json").read_text())
    broken, outside = {"name": "b", "image": "broken.png"}, {"name": "s", "image": "../secret.txt"}
    written(options.examples, broken, entries[0], outside, {**broken, "name": "c"}, *entries[1:])
    with launched(dataclasses.replace(options, warm=True)) as address:
        page = Page(address.rstrip("/"))
        values = [[], 0.35, 0.55, 8, 2, 1, 10, None]
        chosen = {"value": None, "selected": True}
        for place, name in ((1, "scene0"), (3, "scene1"), (4, "photo")):
            value = json.loads(page.event("open_example", ["tiny", *values], {**chosen, "index": place})[0])
            assert value["link"]["example"] == name
        html = urllib.request.urlopen(address).read().decode()
        assert "secret" not in html and not [p for p in process_folder().rglob("*") if p.name.startswith("secret")]
    output = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
    assert any("Example 3 of examples.json" in text for text in output)
    assert any(text == "The example b cannot be read; choose another one." for text in output)


def test_a_page_without_any_example_is_one_sentence(tmp_path):
    options = prepare(tmp_path)
    (options.examples / "broken.png").write_bytes(b"broken")
    written(options.examples, {"name": "b", "image": "broken.png"})
    with pytest.raises(UserError, match=r"^There are no examples that can be read; expected .*\.$"):
        build(options)


def test_a_mark_of_windows_editors_is_no_fault(folder):
    (folder / "examples.json").write_bytes(b"\xef\xbb\xbf" + json.dumps([GOOD]).encode())
    assert [example.name for example in read_examples(folder)] == ["good"]


def test_a_page_has_so_many_examples(folder):
    entries = [{**GOOD, "name": str(number)} for number in range(501)]
    assert len(read_examples(written(folder, *entries[:500]))) == 500
    with pytest.raises(UserError, match="it names 501, more than 500"):
        read_examples(written(folder, *entries))
