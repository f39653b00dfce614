"""Short runs of `train` from given weights on one thread of a CPU, and their evaluations: what measurements share."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from afa_viz.atomic_files import atomic_write_text
from afa_viz.model.checkpoint import load_model
from afa_viz.structured_text import parse_json, read_text

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


def run_command(*arguments: str | Path | int) -> None:
    """Run a command of the package; the command and its output are printed."""
    words = [sys.executable, "-m", "afa_viz", *map(str, arguments)]
    print("$ python -m afa_viz", *map(str, arguments), flush=True)
    subprocess.run(words, cwd=ROOT, check=True)


def train(folder: Path, recipe: dict[str, Any], init: str, *options: str | Path | int) -> None:
    """One run in a folder, its recipe beside it; a finished one is kept and a stopped one goes on.

    Args:
        recipe: settings with their preset, as `train --config FILE` reads them.
    """
    if (folder / "model.safetensors").is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    settings = folder.with_suffix(".json")
    atomic_write_text(settings, json.dumps(recipe, indent=2) + "\n")
    resume = ["--resume"] if (folder / "last.pt").is_file() else []
    run_command("train", "--config", settings, "--init", init, "--out", folder, "--device", "cpu", "--threads", 1,
                "--eval-every", recipe["max_iters"], "--eval-images", 4, *options, *resume)  # fmt: skip


def evaluate(out: Path, checkpoint: Path, *options: str | Path | int) -> dict[str, Any]:
    """The scores of a checkpoint, from their file once it is there.

    Args:
        options: of `evaluate`: the images, and `--against` for paired differences.
    """
    if not out.is_file():
        run_command("evaluate", "--checkpoint", checkpoint, *options, "--device", "cpu", "--threads", 1, "--json", out)
    found: dict[str, Any] = parse_json(read_text(out))
    return found


def runs_of(folder: Path, init: str) -> Path:
    """Folder of the runs that begin with these weights, by their id: runs from others are not taken for them."""
    return folder / load_model(init, "cpu").checkpoint_id


def last_losses(folder: Path) -> dict[str, float]:
    """Means of the last logged steps."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return {k: v for line in lines for k, v in line.items() if k.startswith("loss_")}
