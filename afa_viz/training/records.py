"""The files of a run: `last.pt` and `previous.pt` to resume from, `metrics.jsonl` and its history of scores; all
written atomically."""

from __future__ import annotations

import json
import logging
import math
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from afa_viz.atomic_files import atomic_write
from afa_viz.setting_checks import MAX_ITERATIONS as LONGEST
from afa_viz.training.machine_errors import explain_machine_error
from afa_viz.training.run_files import DAMAGED, LAST, PREVIOUS, has_state

__all__ = ["DAMAGED", "LAST", "PREVIOUS", "has_state"]

METRICS = "metrics.jsonl"
SNAPSHOTS = "snapshots"  # folder of iter_NNNNNN.safetensors and their cards
HISTORY = "history.json"  # beside published snapshots: what `score_history` gives
SCORE_KEYS = (  # percent
    "miou_cam", "miou_walk_start", "miou_cam_rw", "miou_cam_refined", "miou_cam_par", "miou_pseudo_label", "miou_seg",
    "map", "f1",
)  # fmt: skip
LOSS_KEYS = ("loss_cls", "loss_seg", "loss_aff", "loss_energy")
PHASE, CHANGED = "phase", "changed"  # in a line of metrics: a text, and {setting: [before, now]}
SCORED_ON = "scored_on"  # data set, split and number of images of an evaluation
TEXTS = (PHASE, SCORED_ON)

CHUNK = 2**24  # bytes

log = logging.getLogger(__name__)


def save_state(folder: Path, state: dict[str, Any]) -> None:
    """Write `last.pt` atomically; the older one becomes `previous.pt`.

    Raises: OSError: in one sentence, if there is no room; both older ones stay.
    """
    import torch  # here, as below: the app reads the records of runs without it

    partial, last, previous = folder / f"{LAST}.partial", folder / LAST, folder / PREVIOUS
    try:
        torch.save(state, partial)
        if last.exists():
            previous.unlink(missing_ok=True)
            try:
                os.link(last, previous)  # there is no moment without a `last.pt`
            except OSError:  # a file system without links
                os.replace(last, previous)
        os.replace(partial, last)
    except (OSError, RuntimeError) as error:  # torch reports a full disk as RuntimeError
        partial.unlink(missing_ok=True)
        raise OSError(f"the run in {folder} could not be saved ({error}); expected room on the disk: make some and "
                      "resume.") from error  # fmt: skip


def load_state(folder: Path, device: str) -> dict[str, Any]:
    """Read `last.pt`, or `previous.pt` if that is damaged, with a warning in the log.

    A damaged `last.pt` is renamed to `damaged.pt`, and the older state takes its place.

    Args:
        device: of the tensors.
    Raises: ValueError: if neither can be used. OSError: if the disk or memory fails, and not the file.
    """
    last, previous = folder / LAST, folder / PREVIOUS
    try:
        return _read_state(last, device)
    except ValueError as error:
        try:
            state = _read_state(previous, device)
        except ValueError:
            raise ValueError(
                f"{error}; expected the state of a run: begin again in another folder, with --init and the newest of "
                "its snapshots."
            ) from error
        if last.exists():
            os.replace(last, folder / DAMAGED)
        os.replace(previous, last)
        log.warning("%s; the run goes on from the state before it, of iteration %s.", error, state["iteration"])
        return state


def _read_state(path: Path, device: str) -> dict[str, Any]:
    """Raises: ValueError: half a sentence about what is wrong with the file."""
    if not path.exists():
        raise ValueError(f"{path} is not there")
    with path.open("rb") as file:  # a read error of the disk is not a damaged file
        while file.read(CHUNK):
            pass
    import torch

    from afa_viz.training.finite_checks import first_non_finite

    try:
        state = torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # a damaged file may raise anything
        if explain_machine_error(error) is not None:  # memory ran out
            raise
        raise ValueError(f"{path} cannot be read ({type(error).__name__})") from error
    if not isinstance(state, dict) or type(state.get("iteration")) is not int:
        raise ValueError(f"{path} holds no state of a run")
    if (name := first_non_finite(state)) is not None:
        raise ValueError(f"{path} holds NaN or infinite numbers in {name}")
    return state


def append_metrics(folder: Path, line: Mapping[str, Any]) -> None:
    """Add a line of strict JSON to `metrics.jsonl`, null for what is not finite; starts a new line after a truncated
    one."""
    with open(folder / METRICS, "ab+") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")
        file.write(f"{json.dumps(_strict(line), allow_nan=False)}\n".encode())


def _strict(value: Any) -> Any:
    """A value that JSON has: null for NaN and infinity, at any depth."""
    if isinstance(value, Mapping):
        return {str(name): _strict(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_strict(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def read_metrics(folder: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """The lines of `metrics.jsonl`, oldest first, each with what was measured: finite numbers, the name of the phase,
    what an evaluation was made on, and settings that were changed. What is no line, such as one that was cut off, is
    left out."""
    path = Path(folder) / METRICS
    lines = []
    for text in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []:
        try:
            line = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(line, dict) and type(line.get("iteration")) is int and 0 <= line["iteration"] <= LONGEST:
            lines.append({name: value for name, value in line.items() if _measured(name, value)})
    return lines


def _measured(name: str, value: Any) -> bool:
    if name in TEXTS or name == CHANGED:
        return isinstance(value, dict if name == CHANGED else str)
    return finite_number(value) is not None


def truncate_metrics(folder: Path, iteration: int) -> None:
    """Remove lines of `metrics.jsonl` after an iteration: steps that a killed run made and lost."""
    lines = read_metrics(folder)
    kept = [line for line in lines if line.get("iteration", 0) <= iteration]
    if len(kept) < len(lines):
        text = "".join(json.dumps(_strict(line), allow_nan=False) + "\n" for line in kept)
        with atomic_write(folder / METRICS) as partial:
            partial.write_text(text, encoding="utf-8")


def score_history(lines: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The evaluations of a run, oldest first: each with its iteration, and the losses and phase of the steps before it.

    Args:
        lines: of `metrics.jsonl`, oldest first.
    Returns: dicts of "iteration", "phase", `SCORE_KEYS` in percent and `LOSS_KEYS`; None for what was not measured.
    """
    history: dict[int, dict[str, Any]] = {}
    steps: Mapping[str, Any] = {}
    for line in lines:
        if "loss_cls" in line:
            steps = line
        if "miou_cam" in line and isinstance(line.get("iteration"), int):
            numbers = {name: finite_number(line.get(name)) for name in SCORE_KEYS}
            numbers |= {name: finite_number(steps.get(name)) for name in LOSS_KEYS}
            history[line["iteration"]] = {"iteration": line["iteration"], "phase": steps.get("phase"), **numbers}
    return [history[iteration] for iteration in sorted(history)]


def finite_number(value: Any) -> float | None:
    """The value where it is a finite number, else None."""
    good = isinstance(value, (int, float)) and not isinstance(value, bool)
    return value if good and abs(value) < math.inf and abs(value) <= sys.float_info.max else None


def write_history(folder: Path, path: Path) -> None:
    """Write the history of scores of the run in a folder as JSON, atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as partial:
        partial.write_text(json.dumps(score_history(read_metrics(folder)), indent=1) + "\n", encoding="utf-8")
