"""Each process has one folder for what visitors send and ask for; it goes with the process, however that ends."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from afa_viz.ui.sessions import temporary

ROOT = Path(__file__).parents[2]
CHILD = """
import sys, time
from afa_viz.console import exit_on_signals
from afa_viz.ui.sessions import temporary
with exit_on_signals():
    folder = temporary.process_folder()
    (folder / "abc").mkdir()
    (folder / "abc" / "photo.png").write_text("somebody's")
    print(folder, flush=True)
    if sys.argv[1] != "end":
        time.sleep(60)
"""


def started(tmp_path: Path, what: str = "wait") -> tuple[subprocess.Popen, Path]:
    """A process with a photograph in its folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, what], cwd=ROOT, stdout=subprocess.PIPE, text=True,
        env=os.environ | {temporary.GRADIO_FOLDER_VARIABLE: str(tmp_path)},
    )  # fmt: skip
    assert process.stdout is not None
    folder = Path(process.stdout.readline().strip())
    process.stdout.close()
    return process, folder


@pytest.fixture
def fresh(tmp_path, monkeypatch):
    """As in a process that has not asked for its folder yet."""
    monkeypatch.setattr(temporary, "_created", [])
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv(temporary.GRADIO_FOLDER_VARIABLE, "")


def test_the_folder_is_private_and_gradio_uses_it(fresh, tmp_path):
    from gradio.utils import get_upload_folder

    folder = temporary.process_folder()
    assert folder.parent == tmp_path and folder.stat().st_mode & 0o077 == 0 and str(os.getpid()) in folder.name
    assert get_upload_folder() == str(folder) and temporary.process_folder() == folder
    (folder / temporary.LOCK).unlink()
    folder.rmdir()  # as those who tidy /tmp do
    assert temporary.process_folder().is_dir() and folder.stat().st_mode & 0o077 == 0
    (folder / "photo.png").touch()
    os.utime(folder, (1, 1))  # it is no longer new
    for _ in range(2):
        temporary.sweep_folders(tmp_path)  # as another process does
        assert (folder / "photo.png").exists(), "a folder that is created again is locked like the first one"
        assert temporary.process_folder() == folder


def test_it_lies_in_the_folder_that_the_owner_names(fresh, tmp_path, monkeypatch):
    monkeypatch.setenv(temporary.GRADIO_FOLDER_VARIABLE, str(tmp_path / "chosen"))
    assert temporary.process_folder().parent == tmp_path / "chosen"


@pytest.mark.parametrize("how", ["end", signal.SIGTERM, signal.SIGINT])
def test_it_goes_at_the_end(tmp_path, how):
    process, folder = started(tmp_path, "end" if how == "end" else "wait")
    if how != "end":
        assert (folder / "abc" / "photo.png").exists()
        process.send_signal(how)
    assert process.wait(20) == (0 if how == "end" else 128 + how)
    assert not list(tmp_path.iterdir())


def test_that_of_a_killed_process_goes_at_the_next_start_and_those_of_living_ones_stay(tmp_path):
    (killed, its), (living, other) = started(tmp_path), started(tmp_path)
    killed.kill()
    killed.wait(20)
    assert (its / "abc" / "photo.png").exists()
    (tmp_path / f"{temporary.PREFIX}-1-x").mkdir()  # of a process that is just starting: no lock yet
    (tmp_path / "another program's").mkdir()
    (tmp_path / f"{temporary.PREFIX}-2-x").symlink_to(other)
    third, _ = started(tmp_path, "end")
    third.wait(20)
    assert not its.exists() and (other / "abc" / "photo.png").exists()
    assert len(list(tmp_path.iterdir())) == 4
    living.terminate()
    living.wait(20)


def test_files_that_belong_to_nothing_go(tmp_path):
    for name in ("tmp1", "tmp2", temporary.LOCK):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (time.time() - 2 * temporary.STRAY_AGE,) * 2)
    (tmp_path / "tmp3").touch()
    (tmp_path / "kept").mkdir()
    os.utime(tmp_path / "kept", (1, 1))
    temporary.sweep(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {temporary.LOCK, "tmp3", "kept"}


def test_sweeping_goes_on_until_nobody_needs_it():
    class Kept:
        swept = 0

        def tidy(self) -> None:
            Kept.swept += 1

    kept = Kept()
    temporary.sweep_regularly(kept.tidy, every=0.01)
    deadline = time.monotonic() + 20
    while Kept.swept < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    del kept
    gc.collect()
    time.sleep(0.1)
    swept = Kept.swept
    time.sleep(0.1)
    assert Kept.swept == swept >= 3
