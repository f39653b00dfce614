"""One command is clean: lint, format, types, and the texts that must agree."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMAND = "python3 -m venv .venv && .venv/bin/pip install -q -r requirements-dev.txt && .venv/bin/python -m pytest"


@pytest.mark.parametrize("tool", [["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"]], ids=" ".join)
def test_tool_is_content(tool):
    done = subprocess.run([sys.executable, "-m", *tool], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_readme_and_ci_run_the_same_command():
    assert COMMAND in (ROOT / "README.md").read_text(encoding="utf-8")
    assert COMMAND in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_ci_runs_what_the_fast_command_leaves_out():
    """Every test runs in one of the three commands."""
    options = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert "-m 'not slow and not browser'" in options and '"slow: ' in options and '"browser: ' in options
    run = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert run[-3].endswith("-m pytest || again")
    commands = [line.partition("-m pytest ")[2] for line in run[-2:]]
    assert commands == ["-m browser || again -m browser", "-m slow || again -m slow"]
