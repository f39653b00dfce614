"""The notebooks run from clean, are stored without outputs, and their helper judges guesses rightly."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

ROOT = Path(__file__).parents[2]
LABS = ROOT / "labs"
NOTEBOOKS = sorted(LABS.glob("*.ipynb"))
sys.path.insert(0, str(LABS))

import classroom  # noqa: E402  (a folder of notebooks, not a package)


def cells(path: Path, kind: str) -> list[str]:
    found = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in found if cell["cell_type"] == kind]


def test_there_are_four():
    assert [path.name[0] for path in NOTEBOOKS] == ["1", "2", "3", "4"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_stored_clean_and_asks_before_it_tells(path):
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        assert not cell.get("outputs") and cell.get("execution_count") is None
    assert sum("**Guess" in text or "guess" in text.lower() for text in cells(path, "markdown")) >= 2
    assert sum("# GUESS" in text for text in cells(path, "code")) >= 2


@pytest.mark.filterwarnings("ignore")  # of the kernel's own libraries
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
@pytest.mark.slow
def test_a_notebook_runs_from_clean(path, monkeypatch, tmp_path):
    nbclient = pytest.importorskip("nbclient", reason="notebooks need nbclient and ipykernel: requirements-dev.txt")
    nbformat = pytest.importorskip("nbformat", reason="install it with `pip install nbformat`")
    monkeypatch.setenv("AFA_LABS", "fast")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    notebook = nbformat.read(path, as_version=4)
    place = {"metadata": {"path": str(LABS)}}
    nbclient.NotebookClient(notebook, timeout=240, kernel_name="python3", resources=place).execute()
    said = "".join(
        output.text
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output.output_type == "stream" and output.name == "stdout"
    )
    assert said.count("Well guessed") + said.count("Not quite") >= 2
    for cell in notebook.cells:  # the explorer itself, in the cell that asks for it
        if cell.cell_type == "code" and "afa_viz.show(" in cell.source:
            (html,) = [output.data["text/html"] for output in cell.outputs if "data" in output]
            assert "<iframe srcdoc=" in html and "afa-data" in html


def test_a_guess_is_compared(capsys):
    assert classroom.compare("the share", 0.5, 0.58, tolerance=0.1)
    assert "Well guessed: the share is 0.58, your guess was 0.5." in capsys.readouterr().out
    assert not classroom.compare("the share", 0.3, 0.58, tolerance=0.1)
    assert "Not quite" in capsys.readouterr().out


def test_the_iou_of_one_class_counts_what_both_have():
    truth = np.array([[3, 3, 0, 255]], dtype=np.uint8)
    assert classroom.class_iou(torch.tensor([[3, 0, 3, 3]]), truth, 3) == pytest.approx(1 / 3)


def test_examples_are_found_by_what_they_show():
    assert classroom.example().mask.shape == classroom.example().image.shape[:2]
    assert classroom.example("leak").labels
    with pytest.raises(ValueError, match="no example shows 'leek'; expected one of .*leak"):
        classroom.example("leek")
