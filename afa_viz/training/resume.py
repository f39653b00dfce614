"""Which settings may change when a run is resumed: those that do not change what its weights mean. Changes are logged.

Settings are compared as one flat table of names and values: "explain.radius", "curriculum[0].crop_size",
"class_names[3]", what the data are, and how the run is carried out.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from afa_viz.config import TrainConfig
from afa_viz.scalars import preview
from afa_viz.training import curriculum
from afa_viz.training.records import CHANGED, append_metrics, load_state
from afa_viz.training.run_files import has_state

# Schedule, precision, hardware and monitoring may change; what the weights mean may not: classes and their order,
# backbone, data, losses.
CHANGEABLE = frozenset(
    ("learning_rate", "weight_decay", "betas", "head_multiplier", "freeze_norms", "warmup_iters", "warmup_ratio",
     "lr_power", "clip_grad", "max_bad_steps", "batch_size", "accumulate", "max_iters", "cam_iters", "joint_after",
     "curriculum[].iterations", "curriculum[].batch_size", "curriculum[].learning_rate", "amp", "pretrained",
     "input_size", "validation", "device", "processes", "threads", "eval_every", "snapshots")
)  # fmt: skip
FINGERPRINT, SIZES = "fingerprint", "file_sizes"  # hashes: names and labels of the images; sizes of their files
DATA_FACTS = ("data", "images", "image_labels", SIZES)  # what else is known about the data
MAX_LISTED = 4  # differences listed in a message

log = logging.getLogger(__name__)


def saved_settings(state: Mapping[str, Any], now: Mapping[str, Any], config: str, folder: Path) -> Mapping[str, Any]:
    """The settings in the state of a run.

    Args:
        now, config: the present ones, and their `repr`, which is all that older versions wrote.
    Raises: ValueError: if those were others.
    """
    if "settings" not in state and state.get("config") != config:
        raise ValueError(
            f"{folder} was trained with other settings, by an older version that did not write them one by one; resume "
            "with the same ones."
        )
    return state.get("settings", now)


def flat_settings(
    config: TrainConfig, class_names: Sequence[str], facts: Mapping[str, Any], execution: Mapping[str, Any]
) -> dict[str, Any]:
    """Name -> value of everything that a run is made of.

    Args:
        facts: about the data; see `training_data.open_photographs`.
        execution: how the run is executed: device, threads, evaluations, snapshots.
    """
    known = {name: value for name, value in facts.items() if isinstance(value, (str, int, float))}
    return _flatten({**asdict(config), "class_names": [{"": name} for name in class_names], **known, **execution})


def require_resumable(folder: Path, config: TrainConfig, class_names: Sequence[str], facts: Mapping[str, Any]) -> None:
    """Raise ValueError if the run in a folder, where there is one, cannot be resumed like this; `Run` would, too, but
    only once its images are there."""
    if has_state(folder):
        state, now = load_state(folder, "cpu"), flat_settings(config, class_names, facts, {})
        changed_settings(saved_settings(state, now, repr(config), folder), now, state["iteration"], folder)


def _flatten(held: Mapping[str, Any], within: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in held.items():
        key = f"{within}.{name}" if within and name else within or name
        if isinstance(value, Mapping):
            found |= _flatten(value, key)
        elif isinstance(value, (list, tuple)) and value and isinstance(value[0], Mapping):
            for i, one in enumerate(value):
                found |= _flatten(one, f"{key}[{i}]")
        else:
            found[key] = tuple(value) if isinstance(value, list) else value
    return found


def changed_settings(
    before: Mapping[str, Any], now: Mapping[str, Any], iteration: int, folder: Path
) -> dict[str, list[Any]]:
    """{name: [before, now]} of the settings that a run is resumed with and that differ.

    Args:
        before: of the run as it was saved. A plain name that it lacks is a setting of a newer version.
        iteration: that the run stands at.
    Raises: ValueError: for a change of what the weights mean, with the names and both values; for a run that would be
        shorter than what is done.
    """
    if now["max_iters"] < iteration:
        raise ValueError(
            f"max_iters is {now['max_iters']} but the run in {folder} has made {iteration} iterations; expected at "
            "least as many."
        )
    found = {
        name: [before.get(name), now.get(name)]
        for name in dict.fromkeys([*before, *now])
        if before.get(name) != now.get(name) and (name in before or "[" in name)
    }
    free = CHANGEABLE | (set(DATA_FACTS) if _same_data(before, now) else set())
    refused = {
        name: pair
        for name, pair in found.items()
        if re.sub(r"\[\d+\]", "[]", name) not in free
        and not all(_is_of_later_stage(name, settings, iteration) for settings in (before, now))
    }
    if refused:
        more = f" and {len(refused) - MAX_LISTED} more" if len(refused) > MAX_LISTED else ""
        listed = ", ".join(f"{name} is {_format_value(old)} there and {_format_value(new)} here"
                         for name, (old, new) in list(refused.items())[:MAX_LISTED])  # fmt: skip
        raise ValueError(
            f"{folder} was trained with other settings: {listed}{more}; expected the same, since they change what its "
            "weights mean: resume with those, or begin another run in another folder."
        )
    return found


def _is_of_later_stage(name: str, settings: Mapping[str, Any], iteration: int) -> bool:
    """Whether this is a setting of a stage of the curriculum that the run has not begun: it may change, or be added."""
    part = re.match(r"curriculum\[(\d+)\]\.", name)
    lengths = [settings.get(f"curriculum[{i}].iterations", 0) for i in range(int(part[1]))] if part else []
    return part is not None and sum(lengths) >= iteration


def _same_data(before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether the images have the same names and labels, and are the same or at least called the same: a data set may
    have moved, or an image of it may have been mended."""
    same = {name for name in (FINGERPRINT, SIZES, "data") if before.get(name) == now.get(name) is not None}
    return FINGERPRINT in same and len(same) > 1


def _format_value(value: Any) -> str:
    return "nothing" if value is None else preview(value)


def log_changes(folder: Path, iteration: int, changed: Mapping[str, Sequence[Any]]) -> None:
    """Write the settings that a run is resumed with and that differ to `metrics.jsonl` and the log."""
    append_metrics(folder, {"iteration": iteration, CHANGED: changed})
    listed = ", ".join(f"{name} {old} -> {new}" for name, (old, new) in changed.items())
    log.warning("resumed at iteration %s with other settings: %s", iteration, listed)


def resume_hint(config: TrainConfig, iteration: int, saved: int) -> str:
    """How to continue a run that diverged at `iteration`, as the end of a sentence; `saved`: iteration of the state
    that is kept, negative if there is none."""
    part, _ = curriculum.locate(config, max(0, iteration - 1))
    kept = f"from iteration {saved}, whose state is kept, " if saved >= 0 else ""
    return f" and go on {kept}with --resume --set learning_rate={part.learning_rate / 10:.1g}"
