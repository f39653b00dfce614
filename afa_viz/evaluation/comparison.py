"""Several evaluations side by side: mean and standard deviation over runs, and the paired difference of two models."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from afa_viz.evaluation.bootstrap import PairedBootstrap
from afa_viz.evaluation.tables import percent

Data = Mapping[str, Any]
SAME = ("data", "split", "recipe", "images")  # facts that runs must share


def summarise_runs(runs: Sequence[Data]) -> dict[str, Any]:
    """Mean and sample standard deviation (n - 1) of every score over several evaluations.

    Args:
        runs: at least two, each as `evaluate --json` writes it, of the same images and classes.
    Returns: n; data, split and images; rows of score, mean, std, n and the value of each run. Scores are those of the
        summary, "boundary_iou_STAGE", "iou_STAGE/CLASS" and "published_PASS"; runs without a value are left out of its
        n, and std is None for fewer than two.
    Raises: ValueError: for fewer than two runs, and for runs on other images.
    """
    if len(runs) < 2:
        raise ValueError(f"got {len(runs)} run; expected at least two, for a standard deviation.")
    first = scored_on(runs[0])
    for number, run in enumerate(runs[1:], 2):
        if (other := scored_on(run)) != first:
            raise ValueError(
                f"run 1 was scored on {_format(first)} and run {number} on {_format(other)}; expected the same images."
            )
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
    return {"n": len(runs), **{name: runs[0].get(name) for name in SAME}, "images": first["images"], "rows": rows}


def scored_on(run: Data) -> dict[str, Any]:
    """Data set, split, recipe, number of images and classes of an evaluation."""
    passes = run.get("published", {})
    ious = run.get("iou") or {name: one["iou"] for name, one in passes.get("passes", {}).items()}
    return {
        **{name: run.get(name) for name in SAME}, "images": run.get("images", passes.get("images")),
        "classes": list(next(iter(ious.values()), {})),
    }  # fmt: skip


def _format(facts: Mapping[str, Any]) -> str:
    recipe = f" ({facts['recipe']})" if facts["recipe"] not in (None, "default") else ""
    return f"{facts['data']} {facts['split']}{recipe}, {facts['images']} images of {len(facts['classes'])} classes"


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
