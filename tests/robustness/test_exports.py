"""Files to download: whole, bounded in bytes and time, never tidied away while they are written."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from app_fixtures import launched, prepare
from gradio.processing_utils import save_file_to_cache

from afa_viz.ui.errors import UserError
from afa_viz.ui.sessions import exports as kept
from afa_viz.ui.sessions.exports import Exports
from afa_viz.ui.sessions.temporary import process_folder
from benchmarks.served_app import Page

KB = 2**10
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*no_silent_downcasting"),  # an option that gradio sets in pandas
    pytest.mark.filterwarnings("ignore:The copy keyword is deprecated"),  # of pandas, in gradio's counts of requests
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # event loops that the server leaves to the collector
]


def of(content: bytes):
    return lambda path: path.write_bytes(content)


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_the_limits_are_those_that_are_promised():
    assert kept.MAX_BYTES == 500 * 2**20 and kept.MAX_SECONDS == 2 * 3600


def test_a_file_is_written_once_and_found_again(tmp_path):
    exports = Exports(tmp_path)
    path = exports.write("a", "x.png", of(b"picture"))
    assert exports.write("a", "x.png", None) == path == exports.find("a") and exports.find("b") is None
    assert exports.write("b", "x.png", of(b"picture")) == path  # the same content under another name
    path.unlink()
    assert exports.find("a") is None
    assert exports.write("a", "x.png", of(b"picture")) == path and path.read_bytes() == b"picture"


def test_what_was_not_asked_for_the_longest_goes_first(tmp_path):
    exports = Exports(tmp_path, max_bytes=10 * KB)
    first, second, third = (exports.write(str(n), "x.npz", of(bytes([n]) * 3 * KB)) for n in range(3))
    assert exports.find("0") == first  # asked for again
    exports.write("4", "x.npz", of(bytes([4]) * 3 * KB))
    assert first.exists() and not second.parent.exists() and third.exists()
    assert sum(path.stat().st_size for path in files(tmp_path)) <= 10 * KB


def test_a_file_that_is_too_large_by_itself_is_refused(tmp_path):
    exports = Exports(tmp_path, max_bytes=10 * KB)
    path = exports.write("a", "x.png", of(b"small"))
    with pytest.raises(UserError, match="no room for this file"):
        exports.write("b", "x.npz", of(bytes(11 * KB)))
    assert files(tmp_path) == [path]


def test_nothing_stays_for_long(tmp_path):
    exports = Exports(tmp_path, max_seconds=0.2)
    old = exports.write("a", "x.png", of(b"old"))
    time.sleep(0.25)
    new = exports.write("b", "x.png", of(b"new"))
    assert not old.exists() and new.exists() and exports.find("a") is None
    time.sleep(0.25)
    exports.remove_expired()
    assert not list(tmp_path.iterdir())


def test_what_is_being_written_is_not_tidied_away_and_not_seen_in_part(tmp_path):
    exports, may_end, began = Exports(tmp_path, max_bytes=4 * KB, max_seconds=0.1), threading.Event(), threading.Event()

    def slowly(path: Path) -> None:
        path.write_bytes(b"half")
        began.set()
        assert may_end.wait(30)
        assert path.read_bytes() == b"half"
        path.write_bytes(b"whole")

    found: list[Path] = []
    thread = threading.Thread(target=lambda: found.append(exports.write("slow", "x.html", slowly)))
    thread.start()
    assert began.wait(30)
    for number in range(9):
        exports.write(str(number), "x.png", of(bytes([number]) * KB))
    time.sleep(0.15)
    exports.remove_expired()
    assert exports.find("slow") is None
    may_end.set()
    thread.join(30)
    assert found[0].read_bytes() == b"whole"


def test_a_write_that_fails_leaves_nothing(tmp_path):
    def fails(path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        Exports(tmp_path).write("a", "x.png", fails)
    assert not list(tmp_path.iterdir())


def test_gradio_needs_no_copy(tmp_path):
    path = Exports(tmp_path).write("a", "x.png", of(b"picture"))
    assert save_file_to_cache(path, str(tmp_path)) == str(path)


def test_those_of_a_page_lie_in_the_folder_that_is_swept_and_are_served_from_there(tmp_path):
    before = set(files(process_folder()))  # of other apps in this process
    with launched(prepare(tmp_path)) as address:
        page = Page(address.rstrip("/"))
        (found,) = page.event("explain", [None, "example:scene0", None, {"num_iters": 1}, None])
        (file,) = page.event("export", [found["key"], "npz", None, None, None])
        again = page.ask("export_file", key=found["key"], kind="npz", label=6, cell=[0, 0])["path"]
        assert Path(file["path"]) == Path(again) and (process_folder() / "exports") in Path(again).parents
        assert len([path for path in set(files(process_folder())) - before if path.suffix == ".npz"]) <= 1
        import urllib.request

        with urllib.request.urlopen(f"{page.api}/file={again}") as answer:
            assert answer.read() == Path(again).read_bytes()
            assert answer.headers["Content-Disposition"].startswith("attachment")
