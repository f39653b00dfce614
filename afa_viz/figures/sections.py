"""The report's sections in order; here those from the pipeline to the affinity.

Each has two or three sentences, the equation, images and numbers of one stage.
"""

from __future__ import annotations

from html import escape

import torch

from afa_viz import stage_scores as scores
from afa_viz.figures import colour, html, label_sections, maps, stages, strip
from afa_viz.figures.maps import Cell
from afa_viz.figures.translation import translate
from afa_viz.figures.typography import format_number, format_percent
from afa_viz.ops.affinity import asymmetry
from afa_viz.ops.cam import EPS
from afa_viz.trace import NOT_KEPT, Trace

LOGITS_SHOWN = 5
STAGE_NAMES = {
    "walk_start": "start of the random walk",
    "cam_rw": "after the random walk",
    "par_start": "start of PAR",
    "cam_refined": "after PAR, without the walk",
    "cam_par": "after PAR",
    "seg": "prediction",
}


def sections(trace: Trace) -> list[tuple[str, str, str]]:
    """(id, title, HTML) of every section in pipeline order, for the main class and its strongest cell."""
    label = maps.main_label(trace)
    cell = maps.strongest_cell(trace, label)
    return [
        ("strip", "The pipeline", _strip(trace, label, cell)),
        ("image", "Image and image labels", _image(trace)),
        ("cam", "Class activation maps", _cam(trace)),
        ("attention", "Attention", _attention(trace, cell)),
        ("affinity", "Learned affinity", _affinity(trace, cell)),
        ("cam_rw", "Random walk", label_sections.walk(trace, label)),
        ("cam_par", "Pixel-adaptive refinement", label_sections.par(trace, label)),
        ("regions", "Regions", label_sections.regions(trace)),
        ("pseudo_label", "Two labels", label_sections.labels(trace)),
        ("seg", "Prediction", label_sections.seg(trace)),
        ("settings", "Settings and code", label_sections.settings(trace)),
    ]


def _strip(trace: Trace, label: int, cell: Cell) -> str:
    name = trace.class_names[label]
    caption = f"Every stage for {escape(name)} and one query cell (framed). Bright is more; hatched is uncertain."
    fork = "The affinity comes from the attention and meets the CAM at the walk; two labels leave the CAM."
    found = scores.stage_scores(trace)
    arrows = "" if found is None else f" {strip.CHANGES}"
    body = html.text(f"{caption} {fork}{arrows} {strip.COLOURS}") + html.pipeline(strip.stage_tiles(trace, label, cell))
    if found is None:
        return body + html.text("The ground truth of this image is not known, so no stage is scored.")
    return body + _score_table(trace, found) + _label_table(trace)


def _score_table(trace: Trace, found: dict[str, scores.StageScore]) -> str:
    """The stages that decide every pixel, and what each step changes."""
    assert trace.target is not None
    present = sorted({int(v) for v in trace.target.unique()} - {colour.IGNORE})
    changes, gone = scores.stage_changes(found, trace.config), scores.disabled_stages(trace.config)

    def row(stage: str, title: str, change: str) -> list[str]:
        score = found[stage]
        numbers = [score["miou"], *(score["iou"].get(i) for i in present), score["pixel_accuracy"]]
        return [title, *map(format_percent, numbers), change]

    rows = [
        row(stage, title, format_percent(changes[stage], signed=True) if stage in changes else "")
        for stage, title in STAGE_NAMES.items()
        if stage not in gone and (stage != "par_start" or not trace.config.use_walk)
    ]
    rows += [[f"{STAGE_NAMES[stage]}: left out"] for stage in gone]
    header = ["stage", "mIoU", *(trace.class_names[i] for i in present), "pixel accuracy", "mIoU since its start"]
    rule = f"the strongest score, background score {trace.config.bkg_score_low:g}"
    cut = row("cam", f"CAM cut once at {trace.config.bkg_score:g}: another rule, not comparable", "")
    return html.table(
        f"IoU with the ground truth, over the classes of this image; one rule: {rule}", header, [*rows, cut]
    )


def _label_table(trace: Trace) -> str:
    shares, precision = scores.label_shares(trace), scores.label_precision(trace)
    assert precision is not None
    kinds = ("all", "background", "foreground")
    rows = [
        [
            label_sections.LABELS[name],
            format_percent(1 - shares[name]["uncertain"]),
            *(format_percent(precision[name][k]) for k in kinds),
        ]
        for name in scores.PARTIAL_LABELS
    ]
    header = ["label", "certain pixels", "precision", "background precision", "foreground precision"]
    return html.table("Labels decide a part of the pixels alone; no stage is compared with them", header, rows)


def _image(trace: Trace) -> str:
    order = trace.class_logits.argsort(descending=True).tolist()
    shown = [c for i, c in enumerate(order) if i < LOGITS_SHOWN or c + 1 in trace.present]
    rows = [
        [
            trace.class_names[c + 1],
            format_number(float(trace.class_logits[c])),
            "yes" if c + 1 in trace.present else "no",
        ]
        for c in shown
    ]
    return html.text(
        "All that training knows about an image is which classes it shows. The transformer turns the image into a "
        "grid of feature vectors, one for every 16 × 16 pixels; classified and pooled over the grid, they give one "
        "score a class.",
    ) + html.grid(
        [
            html.figure(stages.image(trace), "The explained image.", "The image as the network saw it.", full=True),
            html.table("Highest class scores (logits)", ["class", "score", "image label"], rows),
        ]
    )


def _cam(trace: Trace) -> str:
    cut = trace.config.bkg_score
    figures = []
    for label in trace.present:
        name, share = trace.class_names[label], float((trace.cam[label - 1] > cut).float().mean())
        row, col = maps.strongest_cell(trace, label)
        alt = f"CAM of {name}, strongest near row {row + 1}, column {col + 1} of the grid."
        caption = f"{name}: {format_percent(share)} of the image above {cut:g}."
        figures.append(html.figure(stages.cam(trace, label), alt, caption, (0.0, 1.0)))
    return (
        html.text(
            "The classifier's weights applied to every cell show where a class gets its score from. Of the image and "
            "its mirror image x̃ the larger value counts; the scales s are added, and the sum is stretched to 0…1 "
            "for each class. Such maps often find the most telling parts of an object rather than all of it.",
        )
        + html.equation(
            "M<sub>c</sub> = Σ<sub>s</sub> ReLU( max( w<sub>c</sub> · F(x<sub>s</sub>), mirrored w<sub>c</sub> · "
            "F(x̃<sub>s</sub>) ) ), &emsp; CAM<sub>c</sub> = (M<sub>c</sub> − min M<sub>c</sub>) / "
            f"(max(M<sub>c</sub> − min M<sub>c</sub>) + {EPS:g})"
        )
        + html.grid(figures)
    )


def _attention(trace: Trace, cell: Cell) -> str:
    blocks = len(trace.attn_logits)
    where = f"row {cell[0] + 1}, column {cell[1] + 1}"
    sheets = []
    for block in range(max(0, blocks - maps.AFFINITY_BLOCKS), blocks):
        captions = stages.head_captions(trace, block, cell)
        figures = [
            html.figure(
                stages.attention(trace, block, head, cell),
                f"Block {block + 1}, {caption}.",
                caption,
                side=html.SMALL_SIDE,
            )
            for head, caption in enumerate(captions)
        ]
        sheets.append(f"<h3>{translate(f'Block {block + 1} of {blocks}')}</h3>" + html.grid(figures, small=True))
    return (
        html.text(
            "In every block each cell asks all others a question: its query is compared with their keys, and a softmax "
            "turns the scores into shares that sum to 1. Heads ask different questions. The query is the framed cell "
            f"in {where}, where the CAM is strongest. Each head is scaled from 0 to its own maximum; w is its weight "
            "in the affinity.",
        )
        + html.equation("P = softmax(q k<sup>⊤</sup> / √d)")
        + (html.text(NOT_KEPT[0].upper() + NOT_KEPT[1:]) if trace.kept_blocks.start else "")
        + "".join(sheets)
    )


def _affinity(trace: Trace, cell: Cell) -> str:
    raw, symmetric = (maps.raw_affinity(trace, cell, flag) for flag in (False, True))
    one = (float(torch.minimum(raw, symmetric).min()), float(torch.maximum(raw, symmetric).max()))
    uneven = float(asymmetry(maps.raw_matrix(trace)))
    where = f"for the cell in row {cell[0] + 1}, column {cell[1] + 1}"
    figures = [
        html.figure(
            stages.raw_affinity(trace, cell, False, one), f"Mean logits {where}.", "Raw: mean of all logits.", one
        ),
        html.figure(
            stages.raw_affinity(trace, cell, True, one),
            f"Symmetrised mean logits {where}.",
            f"Symmetrised, on the same scale. Asymmetry of the mean map: {format_number(uneven)} (0: none).",
            one,
        ),
        html.figure(stages.affinity(trace, cell), f"Learned affinity {where}.", "Learned affinity A.", (0.0, 1.0)),
    ]
    blocks = len(trace.attn_logits)
    weights = [
        (f"block {blocks - maps.AFFINITY_BLOCKS + 1 + i}", group.tolist())
        for i, group in enumerate(maps.head_weights(trace))
    ]
    bias = format_number(float(trace.affinity_bias))
    return (
        html.text(
            "Two cells of one class should get a high value, whether they are of one object or of two. The logits S of "
            "the last two blocks, before their softmax, are added to their transpose, so that the answer does not "
            "depend on which cell asks; one learned weight a head and a sigmoid turn them into a number from 0 to 1: "
            "how surely both cells show the same class.",
        )
        + html.equation("A = σ( Σ<sub>k</sub> w<sub>k</sub> (S<sub>k</sub> + S<sub>k</sub><sup>⊤</sup>) + b )")
        + html.grid(figures)
        + html.bars(f"Learned weight of each head in the affinity; bias {bias}", weights)
    )
