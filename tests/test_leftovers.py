"""Files and folders of processes that were killed go; those of living ones, and of anybody else, stay."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from afa_viz.leftovers import sweep_files, sweep_folders


@pytest.fixture
def dead() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def made(path: Path, age: float = 3600) -> Path:
    """A file that was last touched so many seconds ago."""
    path.write_text("half")
    touched = time.time() - age
    os.utime(path, (touched, touched))
    return path


def test_half_written_files_of_dead_processes_go(tmp_path, dead):
    gone = [made(tmp_path / f".a.json.{dead}.tmp"), made(tmp_path / f".a.json.{dead}-77.tmp")]
    names = [f".a.json.{os.getpid()}.tmp", f".b.json.{dead}.tmp", f"a.json.{dead}.tmp", ".a.json.tmp", "a.json",
             ".a.json.99999999999999999999999.tmp.x", f".aXjson.{dead}.tmp"]  # fmt: skip
    stay = [made(tmp_path / name) for name in names]
    stay.append(made(tmp_path / f".a.json.{dead}-5.tmp", age=1))  # may be of another container
    sweep_files(tmp_path / "a.json")
    assert not any(path.exists() for path in gone) and all(path.exists() for path in stay)
    sweep_files(tmp_path / "no folder" / "a.json")


def test_the_next_checkpoint_sweeps_what_a_killed_save_left(tmp_path, dead):
    from afa_viz.model.afa import build_afa
    from afa_viz.model.card import default_card
    from afa_viz.model.checkpoint import save_model

    left = [made(tmp_path / f".model.{kind}.{dead}.tmp") for kind in ("safetensors", "json")]
    save_model(build_afa("mit_b0"), tmp_path / "model.safetensors", default_card("mit_b0", 21))
    assert not any(path.exists() for path in left)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.json", "model.safetensors"]


def test_folders_of_dead_processes_go(tmp_path, dead):
    def folder(name: str) -> Path:
        (tmp_path / name).mkdir()
        made(tmp_path / name / "photo.png")
        os.utime(tmp_path / name, (1, 1))
        return tmp_path / name

    gone, mine, other = folder(f"up-{dead}-x1"), folder(f"up-{os.getpid()}-x2"), folder(f"upper-{dead}-x3")
    (tmp_path / f"up-{dead}-link").symlink_to(other)
    sweep_folders(tmp_path, "up")
    assert not gone.exists() and mine.exists() and (other / "photo.png").exists()


def test_each_app_has_uploads_of_its_own(tmp_path, monkeypatch):
    from afa_viz.ui import launch

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("GRADIO_TEMP_DIR", "")
    launch.own_uploads()
    first = Path(os.environ["GRADIO_TEMP_DIR"])
    monkeypatch.setenv("GRADIO_TEMP_DIR", "")
    launch.own_uploads()
    second = Path(os.environ["GRADIO_TEMP_DIR"])
    assert first != second and first.parent == second.parent == tmp_path
    assert first.is_dir() and str(os.getpid()) in first.name and first.stat().st_mode & 0o077 == 0
    monkeypatch.setenv("GRADIO_TEMP_DIR", "/chosen")
    launch.own_uploads()
    assert os.environ["GRADIO_TEMP_DIR"] == "/chosen"
