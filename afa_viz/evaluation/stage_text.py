"""The scores by stage for reading, from the data of an evaluation's JSON file: every table says what it compares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from afa_viz.evaluation.tables import percent_table
from afa_viz.stage_scores import distinct_stages

Data = Mapping[str, Any]
CHOSEN_WITH_MASKS = "chosen with masks: a diagnosis, not a weakly supervised result"
STEPS = {
    "cam_rw": "the walk",
    "walk_after_par": "the walk, after PAR",
    "cam_par": "PAR",
    "seg": "the decoder, against PAR",
}
LABELS = {
    "affinity_label": "R_cam: CAM, PAR, two thresholds; what the affinity is trained on",
    "pseudo_label": "R_aff: CAM, walk, PAR, two thresholds; what the decoder is trained on in the joint phase",
}


def stage_text(data: Data) -> str:
    """All tables of `StageScores.data`, but parts and contexts."""
    blocks = [
        _same_rule_table(data),
        _change_lines(data),
        _largest_confusions(data),
        _boundary_table(data),
        _label_table(data),
        _thresholded_cam(data),
        _best_thresholds(data),
        _calibration(data),
    ]
    return "\n\n".join(block for block in blocks if block)


def _same_rule_table(data: Data) -> str:
    rule = data["rule"]
    shown = distinct_stages(rule["whole"], rule["left_out"])
    columns = {stage: {**data["iou"][stage], "mIoU": data["summary"][f"miou_{stage}"]} for stage in shown}
    for stage, column in columns.items():
        column["95 % from"], column["95 % to"] = data.get("intervals", {}).get(stage, {}).get("miou", (None, None))
    title = f"stages under one rule: strongest score at image size, background score {rule['bkg_score_low']:g}"
    lines = [f"{title}, all pixels; seg is computed without image labels", percent_table(columns)]
    if rule["left_out"]:
        lines.append(f"left out by the settings: {', '.join(rule['left_out'])}")
    return "\n".join(lines)


def _change_lines(data: Data) -> str:
    if not data["changes"]:
        return ""
    lines = [
        "change of mIoU in points, after minus before; in brackets its 95 % interval, by a paired bootstrap over images"
    ]
    for name, title in STEPS.items():
        if (found := data["changes"].get(name)) is not None:
            ends = ", ".join("–" if end is None else f"{end:+.1f}" for end in found["interval"])
            change = "–" if found["change"] is None else f"{found['change']:+.1f}"
            lines.append(f"{title:26s}{change:>7s} [{ends}]   {found['after']} - {found['before']}")
    return "\n".join(lines)


def _label_table(data: Data) -> str:
    names = next(iter(data["labels"].values()))
    columns = {name: {label: found[name] for label, found in data["labels"].items()} for name in names}
    lines = ["labels: certain pixels only, beside them PAR (par_) on the same pixels; not comparable with the stages"]
    lines.append(percent_table(columns))
    return "\n".join([*lines, *(f"  {label}: {LABELS[label]}" for label in data["labels"])])


def _thresholded_cam(data: Data) -> str:
    miou = data["summary"]["miou_cam"]
    shown = "–" if miou is None else f"{miou:.1f}"
    ends = data.get("intervals", {}).get("cam", {}).get("miou", (None, None))
    shown += "" if None in ends else f" [{ends[0]:.1f}, {ends[1]:.1f}]"
    return (
        f"cam: the CAM with one threshold, {data['rule']['bkg_score']:g}, as in the published validation: mIoU {shown}"
        "; a different rule from that of the stages above"
    )


def _largest_confusions(data: Data, most: int = 6) -> str:
    """The classes that the last stage most often labels as another one."""
    stage = "seg" if "seg" in data["confusion"] else data["rule"]["whole"][-1]
    counts, names = data["confusion"][stage], list(data["iou"][stage])
    found = [
        (count / sum(row), names[i], names[j])
        for i, row in enumerate(counts)
        for j, count in enumerate(row)
        if count and i != j
    ]
    if not found:
        return ""
    shown = (f"{true} as {label} {100 * share:.1f}" for share, true, label in sorted(found, reverse=True)[:most])
    return f"largest confusions of {stage}, in percent of the pixels of the true class: {', '.join(shown)}"


def _boundary_table(data: Data) -> str:
    found = data.get("boundaries")
    if not found:
        return ""
    rule = data["rule"]
    columns = {}
    for stage in distinct_stages(rule["whole"], rule["left_out"]):
        scores = found["stages"][stage]
        bands = {f"trimap {width} px": scores["trimap_accuracy"][str(width)] for width in found["trimap_widths"]}
        columns[stage] = {"boundary IoU": scores["boundary_iou"], **bands}
    title = (
        f"edges: mean boundary IoU within {100 * found['dilation_ratio']:g} % of the diagonal, and pixel accuracy in "
        "bands of the given width around the true boundaries"
    )
    return f"{title}\n{percent_table(columns)}"


def boundary_line(found: Data, stage: str) -> str:
    """Scores of the edges of one stage in a line, from `BoundaryScores.data`."""
    scores = found["stages"][stage]
    bands = ", ".join(f"{width} px {_percent(value)}" for width, value in scores["trimap_accuracy"].items())
    return f"boundary IoU {_percent(scores['boundary_iou'])}   pixel accuracy around the true boundaries: {bands}"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def _calibration(data: Data) -> str:
    found = data.get("affinity_calibration")
    if not found or found["expected_calibration_error"] is None:
        return ""
    pairs = sum(row["pairs"] for row in found["reliability"])
    auc = "–" if found["auc"] is None else f"{found['auc']:.3f}"
    lines = [
        f"affinity of {pairs:,} pairs up to {len(found['by_distance'])} cells apart, against the ground truth: "
        f"expected calibration error {found['expected_calibration_error']:.3f}, ROC AUC {auc}",
        f"{'affinity':14s}{'pairs':>12s}{'mean':>8s}{'same class':>12s}",
    ]
    for row in found["reliability"]:
        if row["pairs"]:
            name = f"{row['from']:.1f} to {row['to']:.1f}"
            lines.append(f"{name:14s}{row['pairs']:12,}{row['mean_affinity']:8.3f}{row['same_class_share']:12.3f}")
    lines.append(f"{'distance':14s}{'pairs':>12s}{'AUC':>8s}{'same class':>12s}")
    for row in found["by_distance"]:
        if row["pairs"]:
            name = f"{row['cells']} cell{'s' if row['cells'] > 1 else ''}"
            auc = "–" if row["auc"] is None else f"{row['auc']:.3f}"
            lines.append(f"{name:14s}{row['pairs']:12,}{auc:>8s}{row['same_class_share']:12.3f}")
    return "\n".join(lines)


def _best_thresholds(data: Data) -> str:
    found = data.get("best_thresholds")
    if not found:
        return ""
    lines = [f"every stage at its own best threshold ({CHOSEN_WITH_MASKS})", f"{'':14s}{'threshold':>11s}{'mIoU':>8s}"]
    for stage in distinct_stages(list(found), data["rule"]["left_out"]):
        if (best := found[stage])["miou"] is not None:
            lines.append(f"{stage:14s}{best['threshold']:11.2f}{best['miou']:8.1f}")
    return "\n".join(lines)
