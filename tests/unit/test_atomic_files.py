"""Files are written whole or not at all; what killed processes left of theirs goes, what living ones write stays."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from figure_trace import figure_trace
from matplotlib.figure import Figure

from afa_viz import atomic_files
from afa_viz.atomic_files import atomic_write, atomic_write_text, sweep_files
from afa_viz.figures import charts, interactive


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


# --- every writer's own temporary files are swept by its next write --------------------------------------------------


def write_trace(path: Path) -> None:
    from explained import trace_of_noise

    trace_of_noise().save(path)


def write_report(path: Path) -> None:
    from explained import trace_of_noise

    trace_of_noise().report(path)


def write_checkpoint(path: Path) -> None:
    from afa_viz.model.afa import build_afa
    from afa_viz.model.card import default_card
    from afa_viz.model.checkpoint import save_model

    save_model(build_afa("mit_b0"), path, default_card("mit_b0", 21))


def write_chart(path: Path) -> None:
    from matplotlib.figure import Figure

    from afa_viz.figures.charts import save_figure

    save_figure(Figure((1, 1)), path)


def write_panel(path: Path) -> None:
    from explained import trace_of_noise

    from afa_viz.figures import panel

    panel.write_panel([trace_of_noise()], path)


def write_scores(path: Path) -> None:
    from afa_viz.evaluation import write_scores as write

    write(None, path, {"data": "sandbox"})


def write_bench(path: Path) -> None:
    from afa_viz.commands import bench

    bench._write(path, {"app": {}})


def write_table_of_scores(path: Path) -> None:
    from afa_viz.ui.handlers.dataset.scoring import Table

    Table(path).save()


def write_scene(path: Path) -> None:
    from afa_viz.ui.handlers.dataset.sources import SandboxScenes

    scenes = SandboxScenes(path.parent, 64, 1)
    scenes._folder = path.parent
    scenes._kept(0)


WRITERS = {
    "trace.npz": write_trace,
    "report.html": write_report,
    "model.safetensors": write_checkpoint,
    "chart.png": write_chart,
    "panel.jpg": write_panel,
    "scores.json": write_scores,
    "bench.json": write_bench,
    "table.json": write_table_of_scores,
    "val_0000.npz": write_scene,
}


@pytest.mark.parametrize("name,write", list(WRITERS.items()), ids=list(WRITERS))
def test_what_a_killed_writer_left_is_swept_by_the_next_write(name, write, tmp_path, dead, monkeypatch):
    class Killed(BaseException):
        pass

    def killed(*_):
        raise Killed

    with monkeypatch.context() as patched:
        # not of `os` itself: file locks of this process would take it for a forked child
        patched.setattr(atomic_files, "os", SimpleNamespace(**vars(os) | {"getpid": lambda: dead, "replace": killed}))
        patched.setattr(os, "replace", killed)
        patched.setattr(Path, "unlink", lambda *_, **__: None)
        with pytest.raises(Killed):
            write(tmp_path / name)
    left = [path for path in tmp_path.iterdir() if path.is_file()]
    assert left and not (tmp_path / name).exists(), "it was killed while it wrote"
    for path in left:
        os.utime(path, (1, 1))
    write(tmp_path / name)
    assert (tmp_path / name).exists() and not any(path.exists() for path in left)


def test_a_write_that_fails_keeps_the_old_file(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), atomic_write(path) as partial:
        partial.write_text("new")
        1 / 0  # noqa: B018
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]
    with atomic_write(path) as partial:
        partial.write_text("new")
    assert path.read_text() == "new" and list(tmp_path.iterdir()) == [path]


def test_what_is_no_file_is_written_to_as_it_is(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with atomic_write(pipe) as partial:
            partial.write_text("all of it")
        assert os.read(reader, 100) == b"all of it"
    finally:
        os.close(reader)
    assert pipe.is_fifo() and list(tmp_path.iterdir()) == [pipe]
    with atomic_write(os.devnull) as partial:
        assert partial == Path(os.devnull)  # never replaced by a file


@pytest.fixture(scope="module")
def trace():
    return figure_trace()


WRITERS = {
    "text": lambda trace, path: atomic_write_text(path, "text"),
    "trace": lambda trace, path: trace.save(path),
    "report": lambda trace, path: trace.report(path),
    "page": lambda trace, path: interactive.write_page(
        {"classes": interactive.class_change_figure({"a": interactive.ClassScore(0.1, 0.2, 1)}, "walk_start", "seg")},
        path,
    ),
    "chart": lambda trace, path: charts.save_figure(Figure(), path),
    "panel": lambda trace, path: write_panel(path),
}


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_a_folder_in_the_place_of_a_file_is_refused_in_one_sentence(trace, tmp_path, write):
    folder = tmp_path / "there.npz"
    folder.mkdir()
    (tmp_path / "link.npz").symlink_to(folder)
    for path in (folder, tmp_path / "link.npz"):
        with pytest.raises(IsADirectoryError) as refused:
            write(trace, path)
        assert str(refused.value) == f"{path} is a folder; expected a file to write: name one in it."
    assert sorted(entry.name for entry in tmp_path.rglob("*")) == ["link.npz", "there.npz"]


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "a.json").write_text("old")
    link = tmp_path / "link.json"
    link.symlink_to(tmp_path / "there" / "a.json")
    with atomic_write(link) as partial:
        partial.write_text("new")
    assert link.is_symlink() and (tmp_path / "there" / "a.json").read_text() == "new"
    assert [path.name for path in (tmp_path / "there").iterdir()] == ["a.json"]
