"""The snapshots of one training run beside a model's weights: found, read, never changed."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from afa_viz.model.card import Card, CheckpointError
from afa_viz.structured_text import parse_json, read_text
from afa_viz.training.records import HISTORY, LADDER, LOSSES, SNAPSHOTS, finite_number, ladder_history, read_metrics

NAME = re.compile(r"iter_(\d{1,9})")
Numbers = dict[str, float | None]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Snapshot:
    """Weights of one moment.

    Attributes:
        iteration: optimiser steps made until then.
        path: of the weights.
        scores: ladder of that moment on validation images in percent, by `LADDER`; empty where it was not measured.
    """

    iteration: int
    path: Path
    scores: Numbers = field(default_factory=dict)


def folder_of(source: str) -> Path | None:
    """Where the snapshots of a model would lie: `snapshots/` beside its weights; None for a model of the hub.

    A snapshot that was opened itself lies among the others of its run.
    """
    if source.startswith("hf:"):
        return None
    path = Path(source).expanduser()
    if path.parent.name == SNAPSHOTS and path.is_file():
        return path.parent
    return (path if path.is_dir() else path.parent) / SNAPSHOTS


def find_snapshots(folder: Path | None) -> list[Snapshot]:
    """The snapshots in a folder, oldest first; one with a card that can not be read is left out, and logged."""
    found = []
    for path in sorted(folder.glob("iter_*.safetensors")) if folder else []:
        name = NAME.fullmatch(path.stem)
        if name is None:
            continue
        try:
            card = Card.read(path.with_suffix(".json"))
        except (OSError, CheckpointError) as error:
            log.warning("the snapshot %s is left out: %s", path.name, error)
            continue
        found.append(Snapshot(int(name[1]), path, {key: finite_number(card.scores.get(key)) for key in LADDER}))
    return sorted(found, key=lambda snapshot: snapshot.iteration)


def read_history(folder: Path | None) -> list[Numbers]:
    """The ladders of the run, oldest first, from `history.json` or the run's own `metrics.jsonl`; [] without either."""
    if folder is None:
        return []
    try:
        path = folder / HISTORY
        published = path.exists()
        rows = parse_json(read_text(path)) if published else ladder_history(read_metrics(folder.parent))
        kept = [{key: finite_number(row.get(key)) for key in ("iteration", *LADDER, *LOSSES)} for row in rows]
    except (OSError, ValueError, AttributeError, TypeError, RecursionError) as error:
        log.warning("the history of %s can not be read: %r", folder.parent.name, error)
        return []
    return [row for row in kept if row["iteration"] is not None]


def training_phases(training: dict[str, Any]) -> list[dict[str, Any]]:
    """What a run trains when: [{"name", "until" this iteration}], from the `training` of a card; [] if not told."""
    config = training.get("config")
    if not isinstance(config, dict):
        return []
    ends = [config.get(name) for name in ("cam_iters", "joint_after", "max_iters")]
    single = 0
    for part in config.get("curriculum") or []:
        if not isinstance(part, dict) or not part.get("single_objects"):
            break
        single += int(finite_number(part.get("iterations")) or 0)
    found = [("single", single), *zip(("classification", "affinity", "joint"), ends, strict=True)]
    result: list[dict[str, Any]] = []
    for name, end in found:
        if not isinstance(end, int):
            return []
        if end > (result[-1]["until"] if result else 0):
            result.append({"name": name, "until": end})
    return result
