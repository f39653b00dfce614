"""The tables of an evaluation as CSV files, from the data of its JSON file; scores in percent, empty where unknown."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from afa_viz.atomic_files import atomic_write_text

Data = Mapping[str, Any]
Rows = Sequence[Sequence[Any]]


def write_tables(data: Data, folder: str | os.PathLike[str], class_names: Sequence[str]) -> list[Path]:
    """Write every table that the data has; returns the paths.

    scores: mIoU by stage with its interval, boundary IoU, trimap accuracies. iou: by class and stage. confusion_STAGE:
    pixels, rows ground truth, columns label; confusion_STAGE_normalised: shares of each row. affinity_reliability and
    affinity_by_distance: as fractions. changes: what each step changes. published, published_iou: the published passes.
    Of label maps or CAMs of a folder also their coverage and accuracies in scores, and thresholds: mIoU by background
    score.

    Args:
        data: of `StageScores.data`, with "published" where those passes ran; of `FolderScores.data`; or of a comparison
            of runs or checkpoints.
        class_names: K names, background first.
    """
    tables: dict[str, Rows] = {}
    if "iou" in data:
        tables |= _of_stages(data, class_names) if "summary" in data else _of_folder(data, class_names)
    for stage, counts in confusion_matrices(data).items():
        tables[f"confusion_{stage}"] = matrix_rows(counts, class_names)
        tables[f"confusion_{stage}_normalised"] = matrix_rows(normalised_rows(counts), class_names)
    if "affinity_calibration" in data:
        for name in ("reliability", "by_distance"):
            tables[f"affinity_{name}"] = rows_of(data["affinity_calibration"][name])
    if data.get("changes"):
        tables["changes"] = [
            ("step", "before", "after", "change", "low", "high"),
            *((name, one["before"], one["after"], one["change"], *one["interval"])
              for name, one in data["changes"].items()),
        ]  # fmt: skip
    if "published" in data:
        passes = data["published"]["passes"]
        scores = ((name, one["miou"], *one["interval"]) for name, one in passes.items())
        tables["published"] = [("pass", "miou", "low", "high"), *scores]
        tables["published_iou"] = _by_class({name: one["iou"] for name, one in passes.items()}, class_names)
    for name in ("against", "runs"):
        if name in data:
            tables[name] = rows_of(data[name]["rows"])
    return [_write(Path(folder) / f"{name}.csv", rows) for name, rows in tables.items()]


def confusion_matrices(data: Data) -> dict[str, list[list[int]]]:
    """(K, K) counts by stage, those of the published passes as "published_PASS"."""
    passes = data.get("published", {}).get("passes", {})
    return {**data.get("confusion", {}), **{f"published_{name}": one["confusion"] for name, one in passes.items()}}


def normalised_rows(counts: Sequence[Sequence[int]]) -> list[list[float | None]]:
    """Shares of each row of a confusion matrix; None in rows of classes without a pixel."""
    sums = [sum(row) for row in counts]
    return [[round(n / total, 6) if total else None for n in row] for row, total in zip(counts, sums, strict=True)]


def matrix_rows(values: Sequence[Sequence[Any]], class_names: Sequence[str]) -> Rows:
    """A matrix with class names in its first row and column."""
    head = ("ground truth \\ label", *class_names)
    return [head, *((name, *row) for name, row in zip(class_names, values, strict=True))]


def rows_of(records: Sequence[Mapping[str, Any]]) -> Rows:
    """Records with the same keys as rows under their names."""
    return [tuple(records[0]), *(tuple(one.values()) for one in records)] if records else []


def _of_stages(data: Data, class_names: Sequence[str]) -> dict[str, Rows]:
    widths = _trimap_widths(data)
    head = ("stage", "images", "miou", "low", "high", "boundary_iou", *(f"trimap_{width}px" for width in widths))
    rows = []
    for stage in data["iou"]:
        ends = data.get("intervals", {}).get(stage, {}).get("miou", (None, None))
        rows.append((stage, data["images"], data["summary"][f"miou_{stage}"], *ends, *_edges(data, stage)))
    return {"scores": [head, *rows], "iou": _by_class(data["iou"], class_names)}


def _of_folder(data: Data, class_names: Sequence[str]) -> dict[str, Rows]:
    widths, accuracies = _trimap_widths(data), ("pixel_accuracy", "mean_accuracy", "coverage")
    head = ("images", "miou", "low", "high", *accuracies, "boundary_iou", *(f"trimap_{width}px" for width in widths))
    counted = (data[name] for name in accuracies)
    row = (data["images"], data["miou"], *data["interval"], *counted, *_edges(data, "label"))
    tables: dict[str, Rows] = {"scores": [head, row], "iou": _by_class({"label": data["iou"]}, class_names)}
    if data["thresholds"]:
        tables["thresholds"] = rows_of(data["thresholds"])
    return tables


def _trimap_widths(data: Data) -> list[str]:
    return [str(width) for width in data.get("boundaries", {"trimap_widths": []})["trimap_widths"]]


def _edges(data: Data, stage: str) -> list[float | None]:
    """Boundary IoU and trimap accuracies of a stage."""
    edges = data.get("boundaries", {"stages": {}})["stages"].get(stage, {"boundary_iou": None, "trimap_accuracy": {}})
    return [edges["boundary_iou"], *(edges["trimap_accuracy"].get(width) for width in _trimap_widths(data))]


def _by_class(columns: Mapping[str, Mapping[str, float | None]], class_names: Sequence[str]) -> Rows:
    return [("class", *columns), *((name, *(one[name] for one in columns.values())) for name in class_names)]


def _write(path: Path, rows: Rows) -> Path:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write_text(path, text.getvalue())
    return path
