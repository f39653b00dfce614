"""The snapshots of a training run that are stored beside a model's weights; read only."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from afa_viz.model.card import Card, CheckpointError
from afa_viz.structured_text import parse_json, read_text
from afa_viz.training.records import (
    HISTORY,
    LOSS_KEYS,
    SCORE_KEYS,
    SNAPSHOTS,
    finite_number,
    read_metrics,
    score_history,
)

NAME = re.compile(r"iter_(\d{1,9})")
Numbers = dict[str, float | None]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Snapshot:
    """The weights at one iteration.

    Attributes:
        iteration: number of optimiser steps.
        path: of the weights.
        scores: by stage on validation images, in percent, by the names of `SCORE_KEYS`; empty if not measured.
    """

    iteration: int
    path: Path
    scores: Numbers = field(default_factory=dict)


def snapshot_folder(source: str) -> Path | None:
    """Where the snapshots of a model would be: `snapshots/` beside its weights; None for a model from the hub.

    For a snapshot that was opened as a model it is the folder that contains the snapshot.
    """
    if source.startswith("hf:"):
        return None
    path = Path(source).expanduser()
    if path.parent.name == SNAPSHOTS and path.is_file():
        return path.parent
    return (path if path.is_dir() else path.parent) / SNAPSHOTS


def find_snapshots(folder: Path | None) -> list[Snapshot]:
    """The snapshots in a folder, oldest first; one whose card cannot be read is skipped and logged."""
    found = []
    for path in sorted(folder.glob("iter_*.safetensors")) if folder else []:
        name = NAME.fullmatch(path.stem)
        if name is None:
            continue
        try:
            card = Card.read(path.with_suffix(".json"))
        except (OSError, CheckpointError) as error:
            log.warning("the snapshot %s is skipped: %s", path.name, error)
            continue
        found.append(Snapshot(int(name[1]), path, {key: finite_number(card.scores.get(key)) for key in SCORE_KEYS}))
    return sorted(found, key=lambda snapshot: snapshot.iteration)


def read_history(folder: Path | None) -> list[Numbers]:
    """Scores and losses of the run, oldest first, from `history.json` or else from `metrics.jsonl`; [] without both."""
    if folder is None:
        return []
    try:
        path = folder / HISTORY
        published = path.exists()
        rows = parse_json(read_text(path)) if published else score_history(read_metrics(folder.parent))
        kept = [{key: finite_number(row.get(key)) for key in ("iteration", *SCORE_KEYS, *LOSS_KEYS)} for row in rows]
    except (OSError, ValueError, AttributeError, TypeError, RecursionError) as error:
        log.warning("the history of %s cannot be read: %r", folder.parent.name, error)
        return []
    return [row for row in kept if row["iteration"] is not None]


def training_phases(training: dict[str, Any]) -> list[dict[str, Any]]:
    """The phases of a run, [{"name", "until" this iteration}], from the `training` of a card; [] if it has none."""
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
