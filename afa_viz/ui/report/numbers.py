"""The numbers of a trace as tables: scores of classes and stages, labels, settings; and the program that makes it."""

from __future__ import annotations

import dataclasses

from afa_viz import stage_scores as scores
from afa_viz.config import ExplainConfig
from afa_viz.figures import colour
from afa_viz.figures.typography import format_number, format_percent
from afa_viz.trace import Trace
from afa_viz.ui.report.markup import Words

LOGITS_SHOWN = 5
STAGE_NAMES = {
    "walk_start": "start of the random walk",
    "cam_rw": "after the random walk",
    "par_start": "start of PAR",
    "cam_refined": "after PAR, without the walk",
    "cam_par": "after PAR",
    "seg": "prediction",
}
LABELS = {"affinity_label": "affinity label (R_cam)", "pseudo_label": "pseudo label (R_aff)"}


def class_scores(trace: Trace, words: Words) -> str:
    """The highest logits of the classifier, and those of the image labels."""
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
    return words.table("Highest class scores (logits)", ["class", "score", "image label"], rows)


def stage_table(trace: Trace, words: Words) -> str:
    """The stages that decide every pixel, and what each step changes; a sentence where the truth is not known."""
    found = scores.stage_scores(trace)
    if found is None or trace.target is None:
        return f"<p>{words('The ground truth of this image is not known, so no stage is scored.')}</p>"
    present = sorted({int(v) for v in trace.target.unique()} - {colour.IGNORE})
    changes = scores.stage_changes(found, trace.config, parts=trace.parts)
    disabled = scores.disabled_stages(trace.config, trace.parts)

    def row(stage: str, title: str, change: str) -> list[str]:
        score = found[stage]
        numbers = [score["miou"], *(score["iou"].get(i) for i in present), score["pixel_accuracy"]]
        return [title, *map(format_percent, numbers), change]

    rows = [
        row(stage, title, format_percent(changes[stage], signed=True) if stage in changes else "")
        for stage, title in STAGE_NAMES.items()
        if stage not in disabled and (stage != "par_start" or not trace.config.use_walk)
    ]
    rows += [[f"{STAGE_NAMES[stage]}: left out"] for stage in disabled]
    header = ["stage", "mIoU", *(trace.class_names[i] for i in present), "pixel accuracy", "mIoU since its start"]
    rule = f"the strongest score, background score {trace.config.bkg_score_low:g}"
    cut = row("cam", f"CAM, one threshold ({trace.config.bkg_score:g}): another rule, not comparable", "")
    return words.table(
        f"IoU with the ground truth, over the classes of this image; one rule: {rule}", header, [*rows, cut]
    )


def label_table(trace: Trace, words: Words) -> str:
    """How much the two labels decide, and how much of that is right where the truth is known."""
    shares, precision = scores.label_shares(trace), scores.label_precision(trace)
    rows = []
    for name, title in LABELS.items():
        row = [title, *(format_percent(share) for share in (1 - shares[name]["uncertain"], *_areas(shares[name])))]
        if precision is not None:
            row += [format_percent(precision[name][kind]) for kind in ("all", "background", "foreground")]
        rows.append(row)
    header = ["label", "certain pixels", "background", "foreground"]
    if precision is not None:
        header += ["precision", "background precision", "foreground precision"]
    return words.table("Labels decide only a part of the pixels, so no stage is compared with them", header, rows)


def _areas(shares: dict[str, float]) -> tuple[float, float]:
    return shares["background"], shares["foreground"]


def supervision(trace: Trace) -> str:
    """One sentence each about the label that affinity and decoder of this model were trained on last."""
    sentences = []
    for part, teacher in (("affinity", trace.affinity_trained_on), ("decoder", trace.decoder_trained_on)):
        lacking = [trace.parts.lacks[name] for name in (part, f"learned_{part}") if name in trace.parts.lacks]
        if lacking:
            sentences.append(lacking[0][0].upper() + lacking[0][1:])
        elif teacher is None:
            sentences.append(f"The card of this model does not state what its {part} was trained on.")
        elif teacher == "nothing":
            sentences.append(f"The {part} of this model was not trained: its training ended before.")
        else:
            sentences.append(f"The {part} of this model was last trained on the {LABELS[teacher]}.")
    return " ".join(sentences)


def head_weights(trace: Trace, words: Words, groups: list[list[float]]) -> str:
    """The learned weight of every head that the affinity reads."""
    first = len(trace.attn_logits) - len(groups) + 1
    heads = max(len(group) for group in groups)
    rows = [[f"block {first + i}", *(format_number(weight) for weight in group)] for i, group in enumerate(groups)]
    caption = f"Learned weight of each head in the affinity; bias {format_number(float(trace.affinity_bias or 0))}"
    return words.table(caption, ["", *(f"head {i + 1}" for i in range(heads))], rows)


def settings_table(trace: Trace, words: Words) -> str:
    """All settings, and the published ones where they differ."""
    plain, rows = ExplainConfig(), []
    for field in dataclasses.fields(trace.config):
        value, published = getattr(trace.config, field.name), getattr(plain, field.name)
        rows.append([field.name, str(value), "" if value == published else str(published)])
    return words.table("Settings of this trace", ["setting", "value", "published, where it differs"], rows)


def program(trace: Trace) -> str:
    """Python code that explains an image with the same labels and settings."""
    plain = ExplainConfig()
    values = {field.name: getattr(trace.config, field.name) for field in dataclasses.fields(trace.config)}
    changed = [f"{name}={value!r}" for name, value in values.items() if value != getattr(plain, name)]
    labels = [trace.class_names[i] for i in trace.present] if trace.labels_given else None
    checkpoint = " ".join(trace.checkpoint_id.split())  # one line, whatever a file says
    return (
        "import afa_viz\n\n"
        f'model = afa_viz.load_model("…")  # checkpoint {checkpoint or "without a name"}\n'
        f"config = afa_viz.ExplainConfig({', '.join(changed)})\n"
        f'trace = afa_viz.explain(model, "image.png", labels={labels!r}, config=config)\n'
        'trace.report("report.html")\n'
    )
