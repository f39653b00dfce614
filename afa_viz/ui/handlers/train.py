"""Server functions of the Train tab: JSON texts about the runs of a `Trainer`, with errors as sentences."""

from __future__ import annotations

import base64
import functools
import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from afa_viz.figures.interactive.training import training_figures
from afa_viz.presets import PRESETS
from afa_viz.training.machine_errors import explain_machine_error
from afa_viz.ui.errors import UserError
from afa_viz.ui.handlers.charts import render
from afa_viz.ui.jobs.trainer import Run, Trainer
from afa_viz.ui.jobs.training_request import (
    MAX_ITERATIONS,
    MIN_ITERATIONS,
    OFFERED_BACKBONES,
    OFFERED_POOLINGS,
    RECIPES,
    STARTS,
    TrainingRequest,
)
from afa_viz.ui.localization import error_message
from afa_viz.ui.sessions.snapshots import training_phases

if TYPE_CHECKING:
    from afa_viz.figures.interactive.base import Figure

TRAINING_OFF = error_message("refused.training_off")
MEASURED = Path(__file__).parents[1] / "jobs" / "presets.json"  # written by tools/measure_presets.py
MAX_LINES = 400  # of losses that are sent; more are subsampled


def devices() -> tuple[str, ...]:
    """Devices of this machine that can train."""
    import torch

    found = ["auto", "cpu"]
    if torch.cuda.is_available():
        found.append("cuda")
    if torch.backends.mps.is_available():
        found.append("mps")
    return tuple(found)


def subsampled(lines: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Lines of `metrics.jsonl`: all evaluations, at most `MAX_LINES` losses, the last among them."""
    losses = [line for line in lines if "loss_cls" in line]
    step = -(-len(losses) // MAX_LINES) or 1
    chosen = {id(line) for line in losses[::-1][::step]}
    return [line for line in lines if "loss_cls" not in line or id(line) in chosen]


def _as_json(function: Callable[[Any, dict], Any]) -> Callable[[Any, dict], str]:
    """Decorator: the result as JSON, a `UserError` or `OSError` as {"refused": sentence}."""

    @functools.wraps(function)
    def ask(self, params: dict) -> str:
        try:
            if not isinstance(params, dict):
                raise UserError(error_message("refused.no_question"))
            return json.dumps(function(self, params), separators=(",", ":"))
        except UserError as error:
            return json.dumps({"refused": str(error)})
        except OSError as error:
            return json.dumps(
                {"refused": explain_machine_error(error) or error_message("refused.runs_unusable", error=error)}
            )

    return ask


class TrainHandlers:
    """Server functions of the Train tab.

    Args:
        trainer: manages the runs; None if training is off.
        known_devices: of this machine that can train; None: torch is asked.
    """

    def __init__(self, trainer: Trainer | None, known_devices: tuple[str, ...] | None = None) -> None:
        self._trainer, self._known_devices = trainer, known_devices

    def _devices(self) -> tuple[str, ...]:
        return devices() if self._known_devices is None else self._known_devices

    @property
    def trainer(self) -> Trainer:
        """The trainer. Raises: UserError: if training is off."""
        if self._trainer is None:
            raise UserError(TRAINING_OFF)
        return self._trainer

    def server_functions(self) -> tuple[Callable[[dict], str], ...]:
        """The functions that a browser may call by name."""
        return self.train_status, self.train_start, self.train_stop, self.train_resume, self.train_panel

    def offers(self) -> dict[str, Any]:
        """The choices of the form; only `off`, with the reason, if training is off."""
        if self._trainer is None:
            return {"off": TRAINING_OFF}
        starts = STARTS if self._trainer.bundled_backbone else STARTS[:1]
        lengths = {name: PRESETS[name].max_iters for base in RECIPES for name in (base, f"{base}_on")}
        return {
            "recipe": RECIPES,
            "start": starts,
            "pooling": OFFERED_POOLINGS,
            "backbone": OFFERED_BACKBONES,
            "device": self._devices(),
            "iterations": lengths,
            "own_pooling": {name: PRESETS[name].pooling for name in lengths},
            "bundled_backbone": self._trainer.bundled_backbone,
            "shortest": MIN_ITERATIONS,
            "longest": MAX_ITERATIONS,
            "measured": json.loads(MEASURED.read_text(encoding="utf-8"))["presets"],
        }

    @_as_json
    def train_status(self, params: dict) -> dict[str, Any]:
        """All runs, and the details of one of them: `params["run"]`, or the newest.

        `params["known"]` is the "mark" of the last result: if nothing has changed since, no charts are sent.
        """
        names = self.trainer.names()
        if not names:
            return {"runs": [], "run": None}
        run = self.trainer.run(params.get("run") or names[0])
        lines = self.trainer.metrics(run.name)
        mark = f"{run.name} {run.state} {len(names)} {len(lines)} {lines[-1]['iteration'] if lines else -1}"
        found: dict[str, Any] = {"run": self._facts(run, lines), "mark": mark}
        if params.get("known") != mark:
            runs = [self.trainer.run(name) for name in names]
            found["runs"] = [{"name": r.name, "state": r.state, **r.request.to_dict()} for r in runs]
            found["charts"] = render(params, lambda theme: self._figures(run, lines, theme))
            found["iterations"] = self.trainer.snapshot_iterations(run.name)
        return found

    @staticmethod
    def _figures(run: Run, lines: Sequence[Mapping[str, Any]], theme: str) -> dict[str, Figure]:
        """Losses, learning rates and scores of a run."""
        config = run.request.config
        phases = training_phases({"config": asdict(config)})
        return training_figures(subsampled(lines), phases, config.head_multiplier, config.max_iters, theme)

    def _facts(self, run: Run, lines: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Facts for the texts about a run."""
        return {
            "name": run.name,
            "request": run.request.to_dict(),
            "state": run.state,
            "live": run.is_active,
            "message": run.message,
            "rendered": [run.status.done, run.status.of],
            "iteration": max((line["iteration"] for line in lines), default=0),
            "left": self.trainer.seconds_left(run) if run.state == "training" else None,
            "seconds": max((line.get("seconds", 0) for line in lines), default=0),
            "command": self._command(run.request),
        }

    @staticmethod
    def _command(request: TrainingRequest) -> str:
        """The command that starts the same run from a command line."""
        init = ["--init", "checkpoints/sandbox"] if request.start == "bundled" else []
        words = ["python", "-m", "afa_viz", "train", "--config", request.preset, "--set", *request.settings]
        return shlex.join([*words, "--iterations", str(request.iterations), *init, "--out", "runs/mine"])

    @_as_json
    def train_start(self, params: dict) -> dict[str, Any]:
        """Start the run that `params["request"]` describes."""
        request = params.get("request")
        if not isinstance(request, dict):
            raise UserError(error_message("refused.no_question"))
        return {"run": self.trainer.start(self.trainer.parse_training_request(request, self._devices()))}

    @_as_json
    def train_stop(self, params: dict) -> dict[str, Any]:
        """Stop the run `params["run"]`."""
        self.trainer.stop(params.get("run"))
        return {}

    @_as_json
    def train_resume(self, params: dict) -> dict[str, Any]:
        """Resume the run `params["run"]`."""
        self.trainer.resume(params.get("run"))
        return {}

    @_as_json
    def train_panel(self, params: dict) -> dict[str, Any]:
        """The panel image of an iteration as a data URL, with the meaning of its rows and columns."""
        from afa_viz.figures.panel import panel_facts  # draws with the stages, which need torch

        path = self.trainer.panel(params.get("run"), params.get("iteration"))
        image = "data:image/jpeg;base64," + base64.b64encode(path.read_bytes()).decode("ascii")
        return {"picture": image, **panel_facts(path)}
