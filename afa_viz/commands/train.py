"""`train`: a resumable run in a folder, with logs and checkpoints; distributed under torchrun."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from afa_viz.atomic_files import atomic_write
from afa_viz.commands import train_runs
from afa_viz.commands.outputs import require_counts, require_folder
from afa_viz.commands.stage_settings import add_stage_settings
from afa_viz.config import override_curriculum, scale_iterations
from afa_viz.config_io import apply_mapping, apply_settings, nearest, read_settings
from afa_viz.data.arguments import add_data_arguments
from afa_viz.presets import PRESETS

if TYPE_CHECKING:
    from afa_viz.config import TrainConfig
    from afa_viz.training.loop import Run
    from afa_viz.training.status import Reporter

AT_EVALUATIONS = "evaluations"  # value of --snapshots: keep weights at every evaluation


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command-line options."""
    parser.add_argument(
        "--config", default="sandbox", metavar="NAME|FILE",
        help=f"one of {', '.join(PRESETS)}; or a TOML or JSON file whose `preset` is one of them",
    )  # fmt: skip
    add_data_arguments(parser, split="split to train on (default: train_aug for voc, else train)")
    parser.add_argument("--labels", default="auto", help="source of the image labels (default: the best available)")
    parser.add_argument("--out", help="folder of the run (default: runs/NAME)")
    add_stage_settings(parser, "override settings")
    parser.add_argument(
        "--official-parity", action="store_true",
        help="reproduce the side effects of the published code: docs/decisions/010-official-parity.md",
    )  # fmt: skip
    parser.add_argument(
        "--iterations", type=int, help="scale the whole recipe to this many steps, each stage in proportion"
    )
    parser.add_argument("--resume", action="store_true", help="continue the run in --out")
    parser.add_argument(
        "--init", metavar="C",
        help="checkpoint with the initial weights of a new run; if its classes differ, the class heads of equal "
        "names are kept",
    )  # fmt: skip
    parser.add_argument("--cache", default="cache", help="folder for rendered images (default: cache)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default: auto)")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (default: 0, torch's choice)")
    parser.add_argument("--readers", type=int, default=2, help="threads that prefetch photographs (default: 2)")
    parser.add_argument(
        "--until", type=int, default=None, help="stop after this iteration; continue later with --resume"
    )
    parser.add_argument(
        "--eval-every",
        type=int,
        help="iterations between evaluations (default: 8 per run, at most 500 apart; photographs: 10 per run)",
    )
    parser.add_argument(
        "--eval-images", type=int, help="images per evaluation (default: 24 or 50 scenes; 100 photographs)"
    )
    parser.add_argument(
        "--snapshots",
        default="",
        help=f"iterations at which weights are kept, such as 100,400,900, or {AT_EVALUATIONS!r}",
    )


def run(args: argparse.Namespace) -> int:
    """Train as the options say; returns the exit code."""
    from afa_viz.training.run_files import has_state, reject_overwriting
    from afa_viz.training.status import report_status  # before torch: other processes see the status at once

    require_counts(args, threads=0, readers=1, until=0, eval_every=1, eval_images=1)
    preset, config = read_config(args.config, args.settings, args.official_parity)
    if args.iterations is not None:
        config = scale_iterations(config, args.iterations)
    args.out = args.out or f"runs/{preset}"
    args.snapshots = _parse_snapshots(args.snapshots, config.max_iters)
    require_folder(args.out, "--out")
    reject_overwriting(Path(args.out), args.resume)
    first = os.environ.get("RANK", "0") == "0"
    if first and args.resume and not has_state(Path(args.out)):
        print(f"afa_viz: {args.out} holds no state to resume: the run begins at iteration 0.", file=sys.stderr)
    with report_status(args.out, is_main=first) as reporter:
        done = _train(args, preset, config, reporter)
    if done is not None:
        print(json.dumps({name: value for name, value in done.items() if value == value}, indent=2))
    return 0


def read_config(name: str, settings: Sequence[str] = (), official_parity: bool = False) -> tuple[str, TrainConfig]:
    """The preset of a run and its settings, merged in order: preset, file, `key=value` pairs.

    Args:
        name: a preset, or the path of a TOML or JSON file.
        settings: `batch_size`, `learning_rate` and `crop_size` apply to every stage of the curriculum, also from a file
            without one.
    Raises: ValueError or FileNotFoundError: for unknown names, with the nearest known one.
    """
    values: dict[str, Any] = {}
    preset = name
    if name.endswith((".toml", ".json")):
        values = read_settings(Path(name))
        preset = str(values.pop("preset", "voc"))
    if preset not in PRESETS:
        close = nearest(preset, list(PRESETS))
        tail = (
            f"the nearest is {close!r}" if close else f"expected one of {', '.join(PRESETS)}, or a .toml or .json file"
        )
        raise ValueError(f"there are no settings {preset!r}; {tail}.")
    config = apply_settings(apply_mapping(PRESETS[preset], values), settings)
    asked = [setting.partition("=")[0].strip() for setting in settings]
    config = override_curriculum(config, asked if "curriculum" in values else [*values, *asked])
    return preset, dataclasses.replace(config, official_parity=True) if official_parity else config


def _train(args: argparse.Namespace, preset: str, config: TrainConfig, reporter: Reporter) -> dict[str, Any] | None:
    """Run the training; returns iterations, seconds and scores on rank 0, None elsewhere."""
    import torch

    from afa_viz.model.sources import checkpoint_files
    from afa_viz.model.weight_files import read_weights
    from afa_viz.training import distributed
    from afa_viz.training.batch_size import batch_warning
    from afa_viz.training.precision import precision_warning
    from afa_viz.training.run_files import has_state

    if args.threads:
        torch.set_num_threads(args.threads)
    processes = distributed.start(args.device)
    training: Run | None = None
    with contextlib.ExitStack() as opened:
        opened.callback(distributed.stop)
        try:
            with distributed.peer_error_guard(processes):
                warnings = (
                    batch_warning(preset, config, processes.world_size), precision_warning(config, processes.device),
                )  # fmt: skip
                for warning in filter(None, warnings if processes.is_main else ()):
                    print(f"afa_viz: warning: {warning}", file=sys.stderr, flush=True)
                if args.init is not None and not has_state(Path(args.out)):
                    read_weights(checkpoint_files(args.init)[0])  # fail before anything is rendered
                if preset in train_runs.NUM_EVALUATIONS:
                    training = train_runs.photograph_run(args, preset, config, processes, opened)
                else:
                    training = train_runs.scene_run(args, config, processes, reporter)
                if processes.is_main:
                    _write_config(preset, training)
                    if training.init_report is not None:
                        print(f"--init {args.init}: {training.init_report.summary()}", file=sys.stderr, flush=True)
                reporter.update("training")
                if training.iteration == 0:
                    training.evaluate_and_log()
                training.run(until=args.until)
                scores = training.evaluate()
        except KeyboardInterrupt:
            if processes.is_main:
                _report_stop(args, training, alone=processes.world_size == 1)
            raise
        if not processes.is_main:
            return None
        training.export(training.folder / "model.safetensors", scores)
        reporter.update("finished" if training.iteration == config.max_iters else "stopped")
        where = {"scored_on": training.scores.scored_on} if scores else {}
        return {"iterations": training.iteration, "seconds": round(training.seconds), **where, **scores}


def _report_stop(args: argparse.Namespace, training: Run | None, alone: bool) -> None:
    """Print what is kept of an interrupted run; with `--snapshots evaluations` the current weights are evaluated
    too."""
    if training is None or training.saved < 0:
        outcome = "before its first step: start it again, and what is rendered or fetched is there"
    else:
        outcome = f"at iteration {training.iteration}; iteration {training.saved} is saved: go on with --resume"
    print(f"afa_viz: the run in {args.out} was stopped {outcome}.", file=sys.stderr, flush=True)
    if args.snapshots is None and alone and training is not None and training.on_evaluated is not None:
        training.on_evaluated(training)


def _write_config(preset: str, training: Run) -> None:
    """Write `config.json`, which `--config` accepts, atomically."""
    text = json.dumps({"preset": preset, **dataclasses.asdict(training.config)}, indent=2)
    with atomic_write(training.folder / "config.json") as partial:
        partial.write_text(text + "\n", encoding="utf-8")


def _parse_snapshots(text: str, last: int) -> tuple[int, ...] | None:
    """Iterations at which weights are kept; None: at every evaluation.

    Raises: ValueError: for any other text, and for iterations beyond the run.
    """
    if text == AT_EVALUATIONS:
        return None
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not all(word.isdecimal() and int(word) <= last for word in words):
        raise ValueError(
            f"--snapshots is {text!r}; expected iterations like 100,400,900, none beyond {last}, or {AT_EVALUATIONS!r}."
        )
    return tuple(int(word) for word in words)
