"""What the Train tab asks the server for: JSON texts about the runs of a `Trainer`, and its refusals as sentences."""

from __future__ import annotations

import base64
import functools
import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from afa_viz.config import PRESETS
from afa_viz.figures.panel import panel_facts
from afa_viz.training.faults import sentence
from afa_viz.ui.errors import UserError
from afa_viz.ui.jobs.trainer import Run, Trainer
from afa_viz.ui.jobs.training_request import BACKBONES, LONGEST, POOLINGS, RECIPES, SHORTEST, STARTS, TrainingRequest
from afa_viz.ui.localization import error_message
from afa_viz.ui.sessions.snapshots import training_phases

OFF = error_message("refused.training_off")
COLUMNS = (  # of metrics.jsonl, as the page draws them
    "iteration", "lr", "loss_cls", "loss_seg", "loss_aff", "map", "miou_cam", "miou_walk_start", "miou_cam_rw",
    "miou_cam_refined", "miou_cam_par", "miou_pseudo_label", "miou_seg",
)  # fmt: skip
MEASURED = Path(__file__).parents[1] / "jobs" / "presets.json"  # written by tools/measure_presets.py
MOST_LINES = 400  # of losses that are sent; more are thinned out


def devices() -> tuple[str, ...]:
    """What this machine can train on."""
    found = ["auto", "cpu"]
    if torch.cuda.is_available():
        found.append("cuda")
    if torch.backends.mps.is_available():
        found.append("mps")
    return tuple(found)


def columns(lines: Sequence[Mapping[str, Any]]) -> dict[str, list]:
    """Lines of `metrics.jsonl` by column, null where a line lacks a number; every ladder, and not too many losses."""
    losses = [line for line in lines if "loss_cls" in line]
    step = -(-len(losses) // MOST_LINES) or 1
    chosen = {id(line) for line in losses[::-1][::step]}
    kept = [line for line in lines if "loss_cls" not in line or id(line) in chosen]
    return {name: [line.get(name) for line in kept] for name in COLUMNS}


def _answered(answer: Callable[[Any, dict], Any]) -> Callable[[Any, dict], str]:
    """An answer as JSON; a refusal, or a disk without room, as {"refused": one sentence}."""

    @functools.wraps(answer)
    def ask(self, params: dict) -> str:
        try:
            if not isinstance(params, dict):
                raise UserError(error_message("refused.no_question"))
            return json.dumps(answer(self, params), separators=(",", ":"))
        except UserError as error:
            return json.dumps({"refused": str(error)})
        except OSError as error:
            return json.dumps({"refused": sentence(error) or error_message("refused.runs_unusable", error=error)})

    return ask


class TrainHandlers:
    """Server functions of the Train tab.

    Args:
        trainer: of the runs; None where training is off.
    """

    def __init__(self, trainer: Trainer | None) -> None:
        self._trainer = trainer

    @property
    def trainer(self) -> Trainer:
        """Raises: UserError: where training is off."""
        if self._trainer is None:
            raise UserError(OFF)
        return self._trainer

    def server_functions(self) -> tuple[Callable[[dict], str], ...]:
        """What a browser may ask for, each by its name."""
        return self.train_look, self.train_start, self.train_stop, self.train_resume, self.train_panel

    def offers(self) -> dict[str, Any]:
        """What the form of the page offers; `off` and why, where training is off."""
        if self._trainer is None:
            return {"off": OFF}
        starts = STARTS if self._trainer.bundled_backbone else STARTS[:1]
        lengths = {name: PRESETS[name].max_iters for base in RECIPES for name in (base, f"{base}_on")}
        return {
            "recipe": RECIPES,
            "start": starts,
            "pooling": POOLINGS,
            "backbone": BACKBONES,
            "device": devices(),
            "iterations": lengths,
            "own_pooling": {name: PRESETS[name].pooling for name in lengths},
            "bundled_backbone": self._trainer.bundled_backbone,
            "shortest": SHORTEST,
            "longest": LONGEST,
            "measured": json.loads(MEASURED.read_text(encoding="utf-8"))["presets"],
        }

    @_answered
    def train_look(self, params: dict) -> dict[str, Any]:
        """The runs, and everything about one of them: `params["run"]`, or the newest.

        `params["known"]` is the "mark" of the last answer: where nothing has changed since, no numbers are sent.
        """
        names = self.trainer.names()
        if not names:
            return {"runs": [], "run": None}
        run = self.trainer.run(params.get("run") or names[0])
        lines = self.trainer.lines(run.name)
        mark = f"{run.name} {run.state} {len(names)} {len(lines)} {lines[-1]['iteration'] if lines else -1}"
        found: dict[str, Any] = {"run": self._facts(run, lines), "mark": mark}
        if params.get("known") != mark:
            runs = [self.trainer.run(name) for name in names]
            found["runs"] = [{"name": r.name, "state": r.state, **r.order.data()} for r in runs]
            found["lines"] = columns(lines)
            found["moments"] = self.trainer.snapshot_iterations(run.name)
        return found

    def _facts(self, run: Run, lines: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """What the lines of text about a run need."""
        config = run.order.config
        return {
            "name": run.name,
            "order": run.order.data(),
            "state": run.state,
            "live": run.live,
            "message": run.message,
            "rendered": [run.status.done, run.status.of],
            "iteration": max((line["iteration"] for line in lines), default=0),
            "left": self.trainer.seconds_left(run) if run.state == "training" else None,
            "seconds": max((line.get("seconds", 0) for line in lines), default=0),
            "head_multiplier": config.head_multiplier,
            "phases": training_phases({"config": asdict(config)}),
            "command": self._command(run.order),
        }

    @staticmethod
    def _command(order: TrainingRequest) -> str:
        """What does the same from a command line."""
        init = ["--init", "checkpoints/sandbox"] if order.start == "bundled" else []
        words = ["python", "-m", "afa_viz", "train", "--config", order.preset, "--set", *order.settings]
        return shlex.join([*words, "--iterations", str(order.iterations), *init, "--out", "runs/mine"])

    @_answered
    def train_start(self, params: dict) -> dict[str, Any]:
        """Begin what `params["order"]` says."""
        order = params.get("order")
        if not isinstance(order, dict):
            raise UserError(error_message("refused.no_question"))
        return {"run": self.trainer.start(self.trainer.parse_training_request(order, devices()))}

    @_answered
    def train_stop(self, params: dict) -> dict[str, Any]:
        """Stop a run."""
        self.trainer.stop(params.get("run"))
        return {}

    @_answered
    def train_resume(self, params: dict) -> dict[str, Any]:
        """Go on with a run."""
        self.trainer.resume(params.get("run"))
        return {}

    @_answered
    def train_panel(self, params: dict) -> dict[str, Any]:
        """The panel of a moment as a data URL, with what its rows and columns are."""
        path = self.trainer.panel(params.get("run"), params.get("iteration"))
        image = "data:image/jpeg;base64," + base64.b64encode(path.read_bytes()).decode("ascii")
        return {"picture": image, **panel_facts(path)}
