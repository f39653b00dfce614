"""What a run leaves in its folder: `last.pt` to go on from, `metrics.jsonl`; each whole or not at all."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch

LAST = "last.pt"
METRICS = "metrics.jsonl"


def save_state(folder: Path, state: dict[str, Any]) -> None:
    """Write `last.pt`. Raises: OSError: in one sentence, if there is no room; the older one stays."""
    partial = folder / f"{LAST}.partial"
    try:
        torch.save(state, partial)
        os.replace(partial, folder / LAST)
    except (OSError, RuntimeError) as error:  # torch reports a full disk as RuntimeError
        partial.unlink(missing_ok=True)
        raise OSError(f"the run in {folder} could not be saved ({error}); expected room on the disk: make some and "
                      "resume.") from error  # fmt: skip


def load_state(folder: Path, device: str) -> dict[str, Any]:
    """Read `last.pt`. Raises: ValueError: if it can not be read."""
    try:
        return torch.load(folder / LAST, map_location=device, weights_only=True)
    except Exception as error:  # a damaged file may raise anything
        raise ValueError(
            f"{folder / LAST} can not be read ({type(error).__name__}); expected the state of a run: begin again in "
            "another folder, with --init and the newest of its snapshots."
        ) from error


def append(folder: Path, line: dict[str, Any]) -> None:
    """Add one line to `metrics.jsonl`."""
    with open(folder / METRICS, "a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """The lines of `metrics.jsonl`, oldest first; a last line that was cut off is left out."""
    path = folder / METRICS
    lines = []
    for text in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            lines.append(json.loads(text))
        except json.JSONDecodeError:
            continue
    return lines


def drop_after(folder: Path, iteration: int) -> None:
    """Forget lines of `metrics.jsonl` behind an iteration: a killed run made those steps and lost them."""
    lines = read_metrics(folder)
    kept = [line for line in lines if line.get("iteration", 0) <= iteration]
    if len(kept) < len(lines):
        partial = folder / f"{METRICS}.partial"
        partial.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")
        os.replace(partial, folder / METRICS)
