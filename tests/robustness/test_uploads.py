"""Every file of the corpus explains right or gets its sentence, in bounded memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from app_fixtures import open_session, prepare
from upload_corpus import CORPUS, PEAK_MB, STILL, Upload

from afa_viz.image_files import MAX_SCANS
from afa_viz.inputs import read_image
from afa_viz.ui.errors import UserError
from afa_viz.ui.handlers.api import Api
from afa_viz.ui.handlers.explorer import ExplorerHandlers
from afa_viz.ui.sessions.images import read_upload

ROOT = Path(__file__).parents[2]
OPENED = [upload for upload in CORPUS if upload.shows is not None]
HEAVY = "megapixels"  # these are read in the other process, where their memory is measured
LIGHT = [upload for upload in CORPUS if HEAVY not in upload.name]
SLOW = 20  # seconds for any file, on a busy machine


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("uploads")


def path_of(folder: Path, upload: Upload) -> Path:
    """The file on the disk, in a folder of its own; made when it is first asked for."""
    path = folder / str(CORPUS.index(upload)) / upload.name
    if not path.exists():
        path.parent.mkdir()
        path.write_bytes(upload.make())
    return path


def test_the_corpus_is_one():
    assert len(CORPUS) >= 100 and len(OPENED) >= 50 and len(CORPUS) - len(OPENED) >= 40
    assert len({upload.given for upload in CORPUS if upload.name.endswith(".png")}) > 45


@pytest.mark.parametrize("upload", LIGHT, ids=lambda upload: upload.name)
def test_a_file_opens_right_or_gets_its_sentence(folder, upload):
    path = path_of(folder, upload)
    if upload.shows is None:
        with pytest.raises(UserError) as refused:
            read_upload(path)
        text = str(refused.value)
        assert upload.refused in text and text.endswith(".") and text.count(".") == 1 and len(text) < 200
        assert "please" in text or "may be at most" in text
        assert str(folder) not in text and upload.name not in text
        return
    picture = read_upload(path).image
    assert picture.shape == upload.shows.shape and picture.dtype == np.uint8 and not picture.flags.writeable
    assert np.abs(picture.astype(int) - upload.shows).mean() <= upload.off


@pytest.mark.parametrize("upload", [u for u in LIGHT if u.shows is not None], ids=lambda upload: upload.name)
def test_the_command_line_sees_the_same_pixels(folder, upload):
    assert np.array_equal(read_image(path_of(folder, upload)), read_upload(path_of(folder, upload)).image)


CHILD = """
import json, sys, time
from pathlib import Path
import numpy as np
from afa_viz.ui.errors import UserError
from afa_viz.ui.sessions.images import read_upload

def resident(what):
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(what)).split()[1]) / 1024

for path in sys.argv[1:]:
    Path("/proc/self/clear_refs").write_text("5")
    before, began = resident("VmRSS"), time.perf_counter()
    try:
        picture = read_upload(path).image
        seen = [list(picture.shape), int(picture.min()), int(picture.max())]
    except UserError:
        seen = None
    print(json.dumps([seen, resident("VmHWM") - before, time.perf_counter() - began]), flush=True)
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="peak memory is read from /proc, on Linux")
@pytest.mark.slow
def test_memory_stays_bounded_and_no_file_takes_long(folder):
    paths = [str(path_of(folder, upload)) for upload in CORPUS]
    done = subprocess.run(
        [sys.executable, "-c", CHILD, *paths], cwd=ROOT, capture_output=True, text=True, timeout=300,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(found) == len(CORPUS), done.stderr[-2000:]
    for upload, (seen, peak, seconds) in zip(CORPUS, found, strict=True):
        assert peak <= PEAK_MB, (upload.name, peak)
        assert seconds <= SLOW, (upload.name, seconds)
        if HEAVY in upload.name and upload.shows is not None:
            assert seen == [list(upload.shows.shape), int(upload.shows.min()), int(upload.shows.max())]
        else:
            assert (seen is None) == (upload.shows is None)


def test_the_number_of_passes_is_that_of_the_picture(folder):
    """What lies behind the end of a JPEG, such as the film of a phone, is none of its passes."""
    plain = next(upload for upload in CORPUS if upload.name == "progressive.jpg")
    path = folder / "film.jpg"
    path.write_bytes(plain.make() + b"\xff\xda\0\x02" * (2 * MAX_SCANS))
    assert np.array_equal(read_upload(path).image, read_upload(path_of(folder, plain)).image)


def test_what_opens_is_explained_and_what_does_not_leaves_no_trace(folder, tmp_path):
    options = prepare(tmp_path)
    session = open_session(options)
    api = Api(session, ExplorerHandlers(session, tmp_path / "out"))
    fast = {"leave_out": ["PAR", "random walk", "other scales of the CAM"]}
    keys = {}
    for upload in OPENED:
        if upload.name in ("16x16.png", "16x128.png", "grey_16.png", "turned_6.jpeg", "rgb.png", "photo.exe"):
            found = api.explain(str(path_of(folder, upload)), None, None, fast, None)
            assert found["image_labels"] and not found["labels_given"] and found["miou"] is None
            keys[upload.name] = found["key"]
    assert len(set(keys.values())) == 5 and keys["rgb.png"] == keys["photo.exe"]  # the same pixels, the same key
    for upload in CORPUS:
        if upload.refused == STILL:
            with pytest.raises(UserError):
                api.explain(str(path_of(folder, upload)), None, None, fast, None)
    assert not list((tmp_path / "out").glob("*"))
