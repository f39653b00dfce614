"""Several evaluations side by side: mean and standard deviation over runs, and the paired difference of two models."""

from __future__ import annotations

import operator
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from afa_viz.config import ExplainConfig
from afa_viz.config_io import apply_settings
from afa_viz.evaluation.bootstrap import PairedBootstrap
from afa_viz.evaluation.tables import percent

Data = Mapping[str, Any]
SAME = ("data", "split", "recipe", "images")  # that a summary holds
FACTS = {
    "title": "data set",
    "data": "kind of data",
    "split": "split",
    "recipe": "recipe",
    "images": "number of images",
    "classes": "classes",
    "settings": "settings",
    "without_heads": "heads left out",
}  # that runs must share


def summarise_runs(runs: Sequence[Data]) -> dict[str, Any]:
    """Mean and sample standard deviation (n - 1) of every score over several evaluations.

    Args:
        runs: at least two, each as `evaluate --json` writes it, of the same images and classes.
    Returns: n; data, split and images; rows of score, mean, std, n and the value of each run. Scores are those of the
        summary, "boundary_iou_STAGE", "iou_STAGE/CLASS" and "published_PASS"; runs without a value are left out of its
        n, and std is None for fewer than two.
    Raises: ValueError: for fewer than two runs, and as `require_comparable`.
    """
    if len(runs) < 2:
        raise ValueError(f"got {len(runs)} run; expected at least two, for a standard deviation.")
    facts = [scored_on(run) for run in runs]
    require_comparable(facts)
    values = [_scores_of(run) for run in runs]
    rows = []
    for name in dict.fromkeys(name for one in values for name in one):
        row = [one.get(name) for one in values]
        known = [value for value in row if value is not None]
        if known:
            rows.append({
                "score": name, "mean": round(statistics.fmean(known), 2),
                "std": round(statistics.stdev(known), 2) if len(known) > 1 else None, "n": len(known),
                **{f"run_{i}": value for i, value in enumerate(row, 1)},
            })  # fmt: skip
    return {"n": len(runs), **{name: runs[0].get(name) for name in SAME}, "images": facts[0]["images"], "rows": rows}


def scored_on(run: Data) -> dict[str, Any]:
    """What must be the same for a mean over runs, by the names of `FACTS`."""
    passes = run.get("published", {})
    ious = run.get("iou") or {name: one["iou"] for name, one in passes.get("passes", {}).items()}
    return {
        **{name: run.get(name) for name in ("title", *SAME)}, "images": run.get("images", passes.get("images")),
        "classes": list(next(iter(ious.values()), {})), **scored_with(run.get("settings"), run.get("without_heads")),
    }  # fmt: skip


def scored_with(settings: Sequence[str] | None, without_heads: Sequence[int] | None) -> dict[str, Any]:
    """Settings by name, as values: `flip=no` is `flip=false`, in any order; and the heads that are left out."""
    given = dict(setting.partition("=")[::2] for setting in settings or ())
    try:
        config = apply_settings(ExplainConfig(), list(settings or ()))
        values = {key.strip(): operator.attrgetter(key.strip())(config) for key in given}
    except ValueError:  # of another version
        values = given
    return {"settings": values, "without_heads": sorted(set(without_heads or ()))}


def require_comparable(runs: Sequence[Data]) -> None:
    """Raise ValueError if runs differ in any of `FACTS`; those that a run does not hold are not compared."""
    for name in FACTS:
        known = [(number, run) for number, run in enumerate(runs, 1) if name in run]
        for number, other in known[1:]:
            first, one = known[0]
            if other[name] != one[name]:
                differing = [key for key in FACTS if key in one and key in other and one[key] != other[key]]
                raise ValueError(
                    f"run {first} was scored on {_format(one, differing)} and run {number} on "
                    f"{_format(other, differing)}; expected the same images and settings: they differ in the "
                    f"{', '.join(FACTS[key] for key in differing)}."
                )


def _format(facts: Data, differing: Sequence[str]) -> str:
    words = f"{facts['data']} {facts['split']}"
    words += f" ({facts['recipe']})" if facts["recipe"] not in (None, "default") else ""
    words += f" ({facts['title']})" if "title" in differing else ""
    words += f", {facts['images']} images" if "images" in facts else ""
    words += f" of {len(facts['classes'])} classes" if "classes" in facts else ""
    if "settings" in differing:
        settings = " ".join(f"{key}={value}" for key, value in facts["settings"].items())
        words += f", with {settings or 'no settings'}"
    if "without_heads" in differing:
        words += f", without {', '.join(map(str, facts['without_heads'])) or 'none'} of the heads"
    return words


def _scores_of(run: Data) -> dict[str, float | None]:
    found = dict(run.get("summary", {}))
    stages = run.get("boundaries", {}).get("stages", {})
    found |= {f"boundary_iou_{stage}": scores["boundary_iou"] for stage, scores in stages.items()}
    passes = run.get("published", {}).get("passes", {})
    found |= {f"published_{name}": one["miou"] for name, one in passes.items()}
    found |= {f"iou_{stage}/{name}": v for stage, column in run.get("iou", {}).items() for name, v in column.items()}
    return found


def runs_text(found: Data, by_class: str = "seg") -> str:
    """For reading: every score as mean ± standard deviation, and the IoU by class of one stage."""
    lines = [
        f"Mean ± sample standard deviation in percent over n = {found['n']} runs, {found['data']} {found['split']}, "
        f"{found['images']} images"
    ]
    for row in found["rows"]:
        name = row["score"]
        if name.startswith("iou_") and not name.startswith(f"iou_{by_class}/"):
            continue
        spread = "–" if row["std"] is None else f"{row['std']:.2f}"
        note = f"   (n = {row['n']})" if row["n"] < found["n"] else ""
        lines.append(f"{name:32s}{row['mean']:8.2f} ± {spread}{note}")
    return "\n".join(lines)


def paired_differences(one: PairedBootstrap, other: PairedBootstrap, prefix: str = "") -> list[dict[str, Any]]:
    """mIoU of two models on the same images by stage, their difference in points, and its 95 % interval.

    Args:
        prefix: of the names of the stages.
    """
    rows = []
    for stage in (stage for stage in one.stages if stage in other.stages):
        change = one.difference(other, stage)
        rows.append({
            "stage": f"{prefix}{stage}", "checkpoint": percent(one.interval(stage).value),
            "against": percent(other.interval(stage).value), "difference": percent(change.value),
            "low": percent(change.low), "high": percent(change.high),
        })  # fmt: skip
    return rows


def differences_text(title: str, rows: Sequence[Data]) -> str:
    """For reading: a row per stage."""
    lines = [title, f"{'':28s}{'checkpoint':>12s}{'against':>10s}{'difference':>12s}   95 % interval"]
    for row in rows:
        numbers = ("–" if row[name] is None else f"{row[name]:.1f}" for name in ("checkpoint", "against"))
        change = "–" if row["difference"] is None else f"{row['difference']:+.1f}"
        ends = "–" if row["low"] is None else f"[{row['low']:+.1f}, {row['high']:+.1f}]"
        checkpoint, against = numbers
        lines.append(f"{row['stage']:28s}{checkpoint:>12s}{against:>10s}{change:>12s}   {ends}")
    return "\n".join(lines)
