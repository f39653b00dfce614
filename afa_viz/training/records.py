"""What a run leaves in its folder: `last.pt` to go on from, `metrics.jsonl`, its ladders; each whole or not at all."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

LAST = "last.pt"
METRICS = "metrics.jsonl"
SNAPSHOTS = "snapshots"  # folder of iter_NNNNNN.safetensors and their cards
HISTORY = "history.json"  # beside published snapshots: what `ladder_history` gives
LADDER = (  # percent
    "miou_cam", "miou_walk_start", "miou_cam_rw", "miou_cam_refined", "miou_cam_par", "miou_pseudo_label", "miou_seg",
    "map", "f1",
)  # fmt: skip
LOSSES = ("loss_cls", "loss_seg", "loss_aff")


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
    """Add one line to `metrics.jsonl`; a last line that was cut off stays alone."""
    with open(folder / METRICS, "ab+") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")
        file.write(f"{json.dumps(line)}\n".encode())


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """The lines of `metrics.jsonl`, oldest first; what is none, such as a line that was cut off, is left out."""
    path = folder / METRICS
    lines = []
    for text in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []:
        try:
            line = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(line, dict) and type(line.get("iteration")) is int:
            lines.append(line)
    return lines


def drop_after(folder: Path, iteration: int) -> None:
    """Forget lines of `metrics.jsonl` behind an iteration: a killed run made those steps and lost them."""
    lines = read_metrics(folder)
    kept = [line for line in lines if line.get("iteration", 0) <= iteration]
    if len(kept) < len(lines):
        partial = folder / f"{METRICS}.partial"
        partial.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")
        os.replace(partial, folder / METRICS)


def ladder_history(lines: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The ladders of a run, oldest first: each with its iteration, and the losses and phase of the steps before it.

    Args:
        lines: of `metrics.jsonl`, oldest first.
    Returns: dicts of "iteration", "phase", `LADDER` in percent and `LOSSES`; None for what was not measured.
    """
    history: dict[int, dict[str, Any]] = {}
    steps: Mapping[str, Any] = {}
    for line in lines:
        if "loss_cls" in line:
            steps = line
        if "miou_cam" in line and isinstance(line.get("iteration"), int):
            numbers = {name: finite_number(line.get(name)) for name in LADDER}
            numbers |= {name: finite_number(steps.get(name)) for name in LOSSES}
            history[line["iteration"]] = {"iteration": line["iteration"], "phase": steps.get("phase"), **numbers}
    return [history[iteration] for iteration in sorted(history)]


def finite_number(value: Any) -> float | None:
    """The value where it is a finite number, else None."""
    good = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return value if good else None


def write_history(folder: Path, path: Path) -> None:
    """Write the ladders of the run in a folder as JSON, whole or not at all."""
    partial = path.with_name(f"{path.name}.partial")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial.write_text(json.dumps(ladder_history(read_metrics(folder)), indent=1) + "\n", encoding="utf-8")
    os.replace(partial, path)
