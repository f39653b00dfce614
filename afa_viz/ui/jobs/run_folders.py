"""What the files in the folder of a run say."""

from __future__ import annotations

import json
import logging
import re
import time
from pathlib import Path

from afa_viz.structured_text import parse_json, read_text
from afa_viz.ui.jobs.training_request import TrainingRequest, stored_training_request

log = logging.getLogger(__name__)


def read_training_request(path: Path) -> TrainingRequest | None:
    """The stored request; None if it is invalid. Raises: OSError: if the file cannot be read at the moment."""
    try:
        return stored_training_request(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, RecursionError) as error:
        log.warning("the training run %s is skipped: %r", path.parent.name, error)
        return None


def snapshot_iteration(path: Path) -> int | None:
    """Iteration of a snapshot file, as `training.loop` names it; None for any other file."""
    number = path.stem.removeprefix("iter_")
    matches = number.isdecimal() and path.name == f"iter_{int(number):06d}{path.suffix}"
    return int(number) if matches and path.is_file() else None


def run_number(path: Path) -> int:
    """Number at the end of the name of a run's folder."""
    found = re.search(r"-(\d+)$", path.name)
    return int(found[1]) if found else 0


def file_age(path: Path) -> float:
    """Seconds since a file was written; negative for a date in the future."""
    return time.time() - path.stat().st_mtime if path.exists() else float("inf")


def backbone_of(folder: Path | None) -> str | None:
    """Backbone of the checkpoint in a folder, according to its card."""
    cards = [] if folder is None else list(Path(folder).glob("*.json"))
    for card in cards:
        try:
            return str(parse_json(read_text(card))["backbone"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return None
