"""A built wheel in an environment of its own: everything that the app and the commands read is in it."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The package as `pip wheel` builds it from a copy of the files that git has."""
    copy, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    for name in filter(None, files.split("\0")):
        if (ROOT / name).is_file() and not name.startswith(("tests/", "docs/")):
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            os.link(ROOT / name, copy / name)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-q", "-w", out, copy]
    subprocess.run(command, check=True, timeout=300)
    (found,) = out.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """An environment with the wheel; the packages that it needs are those of this one."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    others = [path for path in sys.path if path.endswith("site-packages")]
    (site / "others.pth").write_text("\n".join(others))
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--prefix", folder, wheel]
    subprocess.run(command, check=True, timeout=300)
    return folder


def run(installed: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """`afa-viz WORDS` in another folder than the source's."""
    command = [installed / "bin" / "python", installed / "bin" / "afa-viz", *words]
    alone = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(command, cwd=folder, env=alone, capture_output=True, text=True, timeout=300)


def test_every_file_that_is_read_is_in_the_wheel(wheel):
    held = set(zipfile.ZipFile(wheel).namelist())
    folders = ("explorer", "texts")
    files = [path for name in folders for path in (ROOT / "afa_viz" / "ui" / name).rglob("*") if path.is_file()]
    files += [path for path in (ROOT / "afa_viz" / "examples").rglob("*") if path.is_file()]
    assert [str(path) for path in files if path.relative_to(ROOT).as_posix() not in held] == []
    models = [path.relative_to(ROOT).as_posix() for path in (ROOT / "checkpoints").rglob("*") if path.is_file()]
    assert models and [path for path in models if f"afa_viz/{path}" not in held] == []
    assert {name.split("/")[0].split("-")[0] for name in held} == {"afa_viz"}  # nothing else in site-packages


@pytest.mark.slow
def test_commands_find_the_bundled_model_from_another_folder(installed, tmp_path):
    example = next((ROOT / "afa_viz" / "examples").glob("*.png"))
    found = run(installed, tmp_path, "explain", str(example), "--out", "out", "--device", "cpu")
    assert found.returncode == 0, found.stderr
    assert list((tmp_path / "out").rglob("report.html"))
    where = "import afa_viz; print(afa_viz.__file__, afa_viz.load_model(device='cpu').card.class_names[1])"
    python = [installed / "bin" / "python", "-c", where]
    alone = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    told = subprocess.run(python, cwd=tmp_path, env=alone, capture_output=True, text=True, timeout=300)
    assert told.stdout.split()[0].startswith(str(installed)) and len(told.stdout.split()) == 2, told.stderr


@pytest.mark.slow
def test_the_app_starts_from_another_folder(installed, tmp_path):
    refused = run(installed, tmp_path, "app", "--port", "70000")
    assert refused.returncode == 2 and refused.stderr.startswith("afa_viz: ") and refused.stderr.count("\n") == 1
    assert run(installed, tmp_path, "app", "--help").stdout.startswith("usage: afa-viz app")
    assert "app" in run(installed, tmp_path, "--help").stdout
