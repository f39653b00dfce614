"""The report's sections from the walk to the prediction, and the settings."""

from __future__ import annotations

import dataclasses
from html import escape

import numpy as np
import torch

from afa_viz import stage_scores as scores
from afa_viz.config import ExplainConfig
from afa_viz.figures import colour, html, maps, stages
from afa_viz.figures.translation import translate
from afa_viz.figures.typography import format_percent
from afa_viz.inspection import par_steps, walk_steps
from afa_viz.ops import par as par_op
from afa_viz.ops import random_walk
from afa_viz.trace import Trace

WALK_FRAMES = 6  # steps that the slider shows at least; the published walk has one
LABELS = {"affinity_label": "affinity label (R_cam)", "pseudo_label": "pseudo label (R_aff)"}
PAR_FRAMES = 20  # iterations that the slider shows at most


def _score_figures(trace: Trace, stage: str) -> list[str]:
    of, image = (trace.cam_rw, stages.cam_rw) if stage == "cam_rw" else (trace.cam_par, stages.cam_par)
    limits = maps.shared_colour_limits(trace, of)
    word = "the random walk" if stage == "cam_rw" else "PAR"
    names = [(i, trace.class_names[i]) for i in maps.channels(trace)]
    return [html.figure(image(trace, i), f"Scores of {name} after {word}.", name, limits) for i, name in names]


def walk(trace: Trace, label: int) -> str:
    """Scores after the random walk, and step by step for one class."""
    config = trace.config
    label = label if label in trace.present else 0
    frames = [step[label] for step in walk_steps(trace, max(config.num_steps, WALK_FRAMES))]
    limits = maps.colour_limits(torch.stack(frames))
    names = [f"{i} step{'s' * (i != 1)}" for i in range(len(frames))]
    title = f"{trace.class_names[label]}, step by step"
    shown = config.num_steps if config.use_walk else 0
    used = "" if config.use_walk else " In this trace the walk is switched off: the maps show where it would start."
    return (
        html.text(
            "Scores now flow along strong affinities. A constant background score joins the classes, a softmax makes "
            f"them shares, and each step moves them to cells within {config.radius} rows and columns that the affinity "
            f"calls alike. The published walk takes one step.{used} Further steps on the slider show where scores "
            "would leak. Colours begin at the 2nd percentile, as a few cells that nothing reaches fall to 0.",
        )
        + html.equation(
            f"T<sub>ij</sub> = A<sub>ij</sub><sup>{config.power:g}</sup> / "
            f"( Σ<sub>k</sub> A<sub>kj</sub><sup>{config.power:g}</sup> + {random_walk.EPS:g} ), &emsp; "
            "m′<sub>c</sub>(j) = Σ<sub>i</sub> m<sub>c</sub>(i) T<sub>ij</sub>"
        )
        + html.grid([*_score_figures(trace, "cam_rw"), html.player(title, frames, names, limits, True, shown)])
    )


def _pixels(config: ExplainConfig) -> str:
    """Distances of PAR's nearest and farthest neighbours, in pixels of the displayed image."""
    nearest, farthest = (config.par_downscale * d for d in (min(config.dilations), max(config.dilations)))
    return f"{nearest} to {farthest}"


def par(trace: Trace, label: int) -> str:
    """Scores after PAR, and iteration by iteration for one class."""
    config = trace.config
    label = label if label in trace.present else 0
    channel = maps.channels(trace).index(label)
    iterations = min(max(config.num_iters, 1), PAR_FRAMES)
    frames = [step[channel] for step in par_steps(trace, iterations)]
    limits = maps.colour_limits(torch.stack(frames))
    names = [f"{i} iteration{'s' * (i != 1)}" for i in range(len(frames))]
    title = f"{trace.class_names[label]}, iteration by iteration"
    shown = min(config.num_iters, iterations) if config.use_par else 0
    used = "" if config.use_par else " In this trace PAR is switched off: the maps are the walk's at image size."
    return (
        html.text(
            "Cells are coarse; edges in the photograph are not. PAR works on the image at 1 / "
            f"{config.par_downscale} of its size. In every iteration each pixel there takes a weighted sum of the "
            f"scores of {8 * len(config.dilations)} neighbours, {_pixels(config)} pixels of this image away, with more "
            "weight on those of a similar colour, so that scores move towards the object's outline."
            f"{used} Colours begin at the 2nd percentile. σ is the standard deviation among the neighbours, ρ the "
            "distance.",
        )
        + html.equation("κ<sub>ij</sub> = softmax<sub>j</sub>( −mean<sub>RGB</sub> (|I<sub>j</sub> − I<sub>i</sub>| / "
                    f"({par_op.W1:g} σ))² ) + {par_op.W2:g} softmax<sub>j</sub>( −(ρ<sub>ij</sub> / "
                    f"({par_op.W1:g} σ<sub>ρ</sub>))² ), &emsp; m′(i) = Σ<sub>j</sub> κ<sub>ij</sub> m(j)")
        + html.grid([*_score_figures(trace, "cam_par"), html.player(title, frames, names, limits, False, shown)])
    )  # fmt: skip


def _columns(trace: Trace) -> tuple[str, ...]:
    return ("area",) if trace.target is None else ("area", "precision")


def regions(trace: Trace) -> str:
    """Foreground, background and uncertain regions; the histogram of the CAM; thresholds to try."""
    config = trace.config
    low, high = config.bkg_score_low, config.bkg_score_high
    shares, precision = scores.label_shares(trace), scores.label_precision(trace)
    header = ["region", *(f"{kind}, {LABELS[name]}" for name in scores.PARTIAL_LABELS for kind in _columns(trace))]
    rows = [[region] for region in scores.REGIONS]
    for name in scores.PARTIAL_LABELS:
        for row in rows:
            row.append(format_percent(shares[name][row[0]]))
            if precision is not None:
                row.append(format_percent(precision[name].get(row[0])))
    strongest = (
        trace.cam[[i - 1 for i in trace.present]].amax(dim=0) if trace.present else torch.zeros(trace.cam.shape[1:])
    )
    grey = html.grey_uri(np.rint(np.asarray(strongest) * 255), side=256)
    sliders = "".join(
        f'<div class="controls"><label for="cut-{name}">{translate(f"β {name}")}</label>'
        f'<input class="{name}" id="cut-{name}" type="range" min="0" max="1" step="0.01" value="{value}"></div>'
        for name, value in (("low", low), ("high", high))
    )
    caption = translate("Try it: the CAM alone, before walk and PAR, cut by two thresholds.")
    cutter = (
        f'<figure class="cutter"><div class="stack"><img src="{grey}" alt="" hidden>'
        f'<canvas role="img" aria-label="{translate("The CAM cut by the two thresholds")}"></canvas></div>'
        f'{sliders}<output class="quiet">{translate("Needs JavaScript.")}</output>'
        f"<figcaption>{caption}</figcaption></figure>"
    )
    alt = (
        "Regions: "
        + ", ".join(f"{region} {format_percent(share)}" for region, share in shares["pseudo_label"].items())
        + "."
    )
    legend = html.key(fg="foreground", bg="background", un="uncertain")
    return (
        html.text(
            f"The walk and PAR run twice, with a low background score β<sub>l</sub>&nbsp;=&nbsp;{low:g} and a high one "
            f"β<sub>h</sub>&nbsp;=&nbsp;{high:g}. What is foreground even against the high one is reliable foreground, "
            "what is background even against the low one is reliable background, and the rest is uncertain.",
        )
        + legend
        + html.grid(
            [
                html.figure(stages.regions(trace), alt, "The three regions of the pseudo label."),
                cutter,
                html.histogram(
                    "Share of the pixels by the CAM score of their strongest class (square-root height)",
                    maps.cam_histogram(trace).tolist(), low, high,
                ),
                html.table("Areas", header, rows),
            ]
        )
    )  # fmt: skip


def labels(trace: Trace) -> str:
    """The two labels that training uses, and which of them this model was trained on."""
    figures = []
    for name, image in (("affinity_label", stages.affinity_label), ("pseudo_label", stages.pseudo_label)):
        found = sorted({int(v) for v in getattr(trace, name).unique()} - {0, colour.IGNORE})
        names = ", ".join(trace.class_names[i] for i in found) or "background only"
        title = LABELS[name][0].upper() + LABELS[name][1:]
        figures.append(html.figure(image(trace), f"{title}: {names}.", f"{title}: {names}; hatched: uncertain."))
    return html.text(
        "The reliable regions with their classes are what training learns from; uncertain pixels train nothing, and no "
        "human drew them. Without the walk they are the affinity label, R_cam, which the affinity is trained on (in "
        "the recipe for COCO until the joint phase); with it the pseudo label, R_aff, which the decoder is trained on "
        f"in the joint phase. {supervision_summary(trace)}"
    ) + html.grid(figures)


def supervision_summary(trace: Trace) -> str:
    """One sentence each about the label that affinity and decoder of this model were trained on last."""
    sentences = []
    for part, teacher in (("affinity", trace.affinity_trained_on), ("decoder", trace.decoder_trained_on)):
        if teacher is None:
            sentences.append(f"What the {part} of this model learned from is not known: its card does not say it.")
        elif teacher == "nothing":
            sentences.append(f"The {part} of this model learned nothing: its training ended before.")
        else:
            sentences.append(f"The {part} of this model learned from the {LABELS[teacher]}.")
    return " ".join(sentences)


def seg(trace: Trace) -> str:
    """The decoder's prediction, with the ground truth if it is known."""
    found = sorted({int(v) for v in trace.seg.unique()} - {0})
    names = ", ".join(trace.class_names[i] for i in found) or "background only"
    figures = [html.figure(stages.seg(trace), f"Prediction: {names}.", f"Prediction of the decoder: {names}.")]
    key = ""
    if trace.target is not None:
        before = scores.stage_labels(trace)["cam_par"]
        count = scores.pixel_changes(before, trace.seg, trace.target)
        caption = f"Prediction against PAR: {count['gained']:,} pixels gained, {count['lost']:,} lost."
        figures.append(html.figure(stages.target(trace), "Ground truth.", "Ground truth; hatched: does not count."))
        figures.append(html.figure(stages.label_change(trace, before, trace.seg), caption, caption))
        key = html.key(
            gained="gained (right only now)", lost="lost (right only before)", changed="wrong both times"
        )  # fmt: skip
    return (
        html.text(
            "The decoder, trained on labels of many images, reads the features of all four stages. It needs no "
            "image labels, and it can be better than the labels it learned from, where errors differ between images.",
        )
        + html.grid(figures)
        + key
    )


def settings(trace: Trace) -> str:
    """All settings, and code that reproduces this trace."""
    plain = ExplainConfig()
    rows, changed = [], []
    for field in dataclasses.fields(trace.config):
        value, default = getattr(trace.config, field.name), getattr(plain, field.name)
        rows.append([field.name, str(value), "" if value == default else str(default)])
        if value != default:
            changed.append(f"{field.name}={value!r}")
    labels = [trace.class_names[i] for i in trace.present] if trace.labels_given else None
    code = (
        "import afa_viz\n\n"
        f'model = afa_viz.load_model("…")  # checkpoint {trace.checkpoint_id}\n'
        f"config = afa_viz.ExplainConfig({', '.join(changed)})\n"
        f'trace = afa_viz.explain(model, "image.png", labels={labels!r}, config=config)\n'
        'trace.report("report.html")'
    )
    return html.table("Settings of this trace", ["setting", "value", "published, where it differs"], rows) + (
        f"<p>{translate('The same in Python:')}</p><pre><code>{escape(code)}</code></pre>"
    )
