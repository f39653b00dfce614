"""The stages of one image as tiles of the strip: picture, colour scale, and the lines of text below."""

from __future__ import annotations

from dataclasses import dataclass

from afa_viz.figures import maps, stages
from afa_viz.figures.colour import RGBImage
from afa_viz.figures.maps import Cell, Limits
from afa_viz.figures.typography import format_percent
from afa_viz.inspection import parts_trained_on
from afa_viz.stage_scores import (
    StageScore,
    compared_stages,
    disabled_stages,
    label_precision,
    label_shares,
    stage_changes,
    stage_scores,
)
from afa_viz.trace import Trace


@dataclass(frozen=True)
class StageTile:
    """One stage of the strip.

    Attributes:
        stage: name of the stage.
        title: above the image.
        limits: of the colour scale; None if colours are not numbers.
        notes: lines below the image.
        change: of the class's IoU against the stage that it starts from (`stage_scores.compared_stages`), or None.
        scored: whether the first note is an IoU.
        left_out: switched off by the settings, so that no arrow leads to it.
    """

    stage: str
    title: str
    image: RGBImage
    limits: Limits | None = None
    notes: tuple[str, ...] = ()
    change: float | None = None
    scored: bool = False
    left_out: bool = False


def stage_tiles(trace: Trace, label: int | None = None, cell: Cell | None = None) -> list[StageTile]:
    """The stages for one class and one query cell; their positions are in `strip.PLACES`.

    Args:
        label: class 1..C; None: the main one. cell: query of attention and affinity; None: the strongest CAM cell.
    """
    label = maps.main_label(trace) if label is None else maps.check_label(trace, label)
    cell = maps.strongest_cell(trace, label) if cell is None else maps.check_cell(trace, cell)
    config = trace.config
    name = trace.class_names[label]
    scores = stage_scores(trace)
    names = ", ".join(trace.class_names[i] for i in trace.present) or "no class"
    where = f"row {cell[0] + 1}, column {cell[1] + 1}"
    disabled = disabled_stages(config, trace.parts)
    walk = "left out" if "cam_rw" in disabled else f"{config.num_steps} step{'s' * (config.num_steps != 1)}"
    par = "left out" if "cam_par" in disabled else f"{config.num_iters} iterations"
    cut = () if scores is None else (*_iou(name, scores["cam"], label), f"threshold {config.bkg_score:g}")
    row = [
        StageTile("image", "image", stages.image(trace), notes=("image labels:", names)),
        StageTile("cam", f"CAM: {name}", stages.cam(trace, label), (0.0, 1.0), cut, scored=bool(cut)),
        _label(trace, "affinity_label", "affinity label (R_cam)"),
        _attention(trace, cell, where),
        _affinity(trace, cell, where),
        _step(
            trace, "cam_rw", f"random walk, {walk}", stages.cam_rw(trace, label), label, scores,
            maps.shared_colour_limits(trace, trace.cam_rw),
        ),
        _step(
            trace, "cam_par", f"PAR, {par}", stages.cam_par(trace, label), label, scores,
            maps.shared_colour_limits(trace, trace.cam_par),
        ),
        StageTile("regions", "regions", stages.regions(trace), notes=_areas(trace)),
        _label(trace, "pseudo_label", "pseudo label (R_aff)"),
        _step(trace, "seg", "prediction", stages.seg(trace), label, scores)
        if trace.parts.decoder else _lacking(trace, "seg", "prediction", "decoder"),
    ]  # fmt: skip
    if trace.target is not None:
        row.append(StageTile("target", "ground truth", stages.target(trace)))
    return row


def _attention(trace: Trace, cell: Cell, where: str) -> StageTile:
    if trace.parts.attention is None:
        return _lacking(trace, "attention", "attention", "attention")
    heads, peak = trace.logits(-1).shape[0], float(maps.attention(trace, -1, None, cell).max())
    notes = (f"from {where},", f"last block, mean of {heads} heads")
    return StageTile("attention", "attention", stages.attention(trace, -1, None, cell), (0.0, peak), notes)


def _affinity(trace: Trace, cell: Cell, where: str) -> StageTile:
    if trace.parts.affinity is None:
        return _lacking(trace, "affinity", "learned affinity", "affinity")
    title = "learned affinity" if trace.parts.affinity == "learned" else "affinity, not learned"
    return StageTile("affinity", title, stages.affinity(trace, cell), (0.0, 1.0), (f"to {where}",))


def _lacking(trace: Trace, stage: str, title: str, part: str) -> StageTile:
    """A stage that the method lacks: grey, with its sentence in lines that fit."""
    lines = trace.parts.lacks[part].replace(", ", ",\n").splitlines()
    return StageTile(stage, title, stages.lacking(trace), notes=tuple(lines), left_out=True)


def _areas(trace: Trace) -> tuple[str, str]:
    shares = label_shares(trace)["pseudo_label"]
    foreground, background, uncertain = (
        f"{100 * shares[kind]:.0f} %" for kind in ("foreground", "background", "uncertain")
    )
    return f"fg {foreground}, bg {background}", f"uncertain {uncertain}"


def _iou(name: str, score: StageScore, label: int) -> tuple[str, str]:
    return f"{name} IoU {format_percent(score['iou'].get(label))}", f"mIoU {format_percent(score['miou'])}"


def _step(
    trace: Trace,
    stage: str,
    title: str,
    image: RGBImage,
    label: int,
    scores: dict[str, StageScore] | None,
    limits: Limits | None = None,
) -> StageTile:
    """A stage that labels every pixel, with its IoU and the change against the stage that it starts from."""
    disabled = stage in disabled_stages(trace.config, trace.parts)
    if scores is None:
        return StageTile(stage, title, image, limits, left_out=disabled)
    first, mean = _iou(trace.class_names[label], scores[stage], label)
    before = compared_stages(trace.config, trace.parts).get(stage)
    change = stage_changes(scores, trace.config, label, trace.parts).get(stage)
    notes = [first, mean]
    if before is not None:
        old = format_percent(scores[before]["iou"].get(label))
        # No arrow leads to the prediction, which reads the features of the network: its change is told here.
        notes.insert(
            1, f"PAR {old}, change {format_percent(change, signed=True)}" if stage == "seg" else f"its start {old}"
        )
    return StageTile(stage, title, image, limits, tuple(notes), change, scored=True, left_out=disabled)


def _label(trace: Trace, name: str, title: str) -> StageTile:
    """A label that leaves pixels uncertain: its coverage, its precision, and what is trained on it."""
    precision = label_precision(trace)
    notes = [f"certain {format_percent(1 - label_shares(trace)[name]['uncertain'])}"]
    if precision is not None:
        notes.append(f"precision {format_percent(precision[name]['all'])}")
    trained = parts_trained_on(trace, name)
    if trained is not None:
        notes.append(f"trains {' and '.join(trained)}" if trained else "trains no part of this model")
    return StageTile(name, title, stages.labels_over_image(trace, getattr(trace, name)), notes=tuple(notes))
