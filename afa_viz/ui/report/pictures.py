"""Every stage of a trace as a picture with its numbers: what a browser without scripts shows, and what is printed."""

from __future__ import annotations

from html import escape

import torch

from afa_viz import stage_scores as scores
from afa_viz.figures import maps, stages, strip_tiles
from afa_viz.figures.strip_tiles import StageTile
from afa_viz.figures.translation import language_scope
from afa_viz.figures.typography import format_number, format_percent
from afa_viz.ops.affinity import AFFINITY_BLOCKS, asymmetry
from afa_viz.trace import NOT_KEPT, Trace
from afa_viz.ui import localization
from afa_viz.ui.report import numbers
from afa_viz.ui.report.markup import Words

MOST_CLASSES = 8  # whose maps are pictures; the explorer has all of them
HEAD_SIDE = 150  # pixels of the picture of one head


def sections(trace: Trace, words: Words) -> str:
    """The stages in pipeline order, for the main class and its strongest cell, as HTML.

    Names that are drawn into label maps are in the first language.
    """
    with language_scope(words.first, words.names[words.first]):
        tiles = {tile.stage: tile for tile in strip_tiles.stage_tiles(trace)}
        parts = [
            ("image", "Image and image labels", _image(trace, words, tiles)),
            ("cam", "Class activation maps", _cam(trace, words, tiles)),
            ("attention", "Attention", _attention(trace, words, tiles)),
            (
                "affinity",
                "Learned affinity" if trace.parts.affinity == "learned" else "Affinity",
                _affinity(trace, words, tiles),
            ),
            ("walk", "Random walk", _scores(trace, words, tiles["cam_rw"])),
            ("par", "Pixel-adaptive refinement", _scores(trace, words, tiles["cam_par"])),
            ("regions", "Regions", _labels(trace, words, tiles)),
            ("seg", "Prediction", _prediction(trace, words, tiles)),
        ]
    settings = f"{numbers.settings_table(trace, words)}<pre><code>{escape(numbers.program(trace))}</code></pre>"
    parts.append(("settings", "Settings and code", settings))
    return "".join(
        f'<section><h2>{words(title)}</h2>{_equation(words, name)}<div class="afa-pictures-row">{body}</div></section>'
        for name, title, body in parts
    )


def _equation(words: Words, tab: str) -> str:
    """The equation of a tab of the explorer, if there is one; the texts are HTML already."""
    key = f"{tab}.equation"
    if key not in localization.texts():
        return ""
    said = {language: localization.texts(language)[key] for language in words.names}
    return f'<p class="afa-equation">{words.spans(said)}</p>'


def _tile(tile: StageTile, words: Words) -> str:
    """A stage of the pipeline strip: its picture, its title and its lines of numbers."""
    notes = [tile.title, *tile.notes]
    if tile.change is not None and tile.stage != "seg":  # the prediction tells its own
        notes.append(f"change {format_percent(tile.change, signed=True)}")
    return words.figure(tile.stage, tile.image, notes, tile.limits)


def _other_classes(trace: Trace) -> list[int]:
    main = maps.main_label(trace)
    return [label for label in trace.present if label != main][: MOST_CLASSES - 1]


def _image(trace: Trace, words: Words, tiles: dict[str, StageTile]) -> str:
    target = _tile(tiles["target"], words) if "target" in tiles else ""
    return _tile(tiles["image"], words) + target + numbers.class_scores(trace, words)


def _cam(trace: Trace, words: Words, tiles: dict[str, StageTile]) -> str:
    figures = [_tile(tiles["cam"], words)]
    for label in _other_classes(trace):
        share = float((trace.cam[label - 1] > trace.config.bkg_score).float().mean())
        name, cut = trace.class_names[label], f"{trace.config.bkg_score:g}"
        notes = [f"CAM: {name}", f"{name}: {format_percent(share)} of the image above {cut}."]
        figures.append(words.figure("cam", stages.cam(trace, label), notes, (0.0, 1.0)))
    return "".join(figures)


def _attention(trace: Trace, words: Words, tiles: dict[str, StageTile]) -> str:
    """The mean of the last block, and every head of the blocks that the affinity reads."""
    if trace.parts.attention is None:
        return _tile(tiles["attention"], words)
    cell, blocks = maps.strongest_cell(trace), len(trace.attn_logits)
    heads = []
    for block in range(max(trace.kept_blocks.start, blocks - AFFINITY_BLOCKS), blocks):
        for head, caption in enumerate(stages.head_captions(trace, block, cell)):
            image = stages.attention(trace, block, head, cell)
            heads.append(words.figure("head", image, [f"Block {block + 1}, {caption}."], side=HEAD_SIDE))
    missing = f"<p>{words(_sentence(NOT_KEPT))}</p>" if trace.kept_blocks.start else ""
    return f'{_tile(tiles["attention"], words)}<div class="afa-pictures-heads">{"".join(heads)}</div>{missing}'


def _affinity(trace: Trace, words: Words, tiles: dict[str, StageTile]) -> str:
    lacks = trace.parts.lacks
    if "affinity" in lacks:
        return _tile(tiles["affinity"], words)
    said = "".join(
        f"<p>{words(_sentence(lacks[p]))}</p>" for p in ("attention_logits", "learned_affinity") if p in lacks
    )
    if "attention_logits" in lacks:
        return _tile(tiles["affinity"], words) + said
    cell = maps.strongest_cell(trace)
    raw, symmetric = (maps.raw_affinity(trace, cell, flag) for flag in (False, True))
    both = (float(torch.minimum(raw, symmetric).min()), float(torch.maximum(raw, symmetric).max()))
    uneven = format_number(float(asymmetry(maps.raw_matrix(trace))))
    notes = (
        ["Raw: mean of all logits."],
        ["Symmetrised, on the same scale.", f"Asymmetry of the mean map: {uneven} (0: none)."],
    )
    figures = [
        words.figure("affinity_raw", stages.raw_affinity(trace, cell, flag, both), said, both)
        for flag, said in zip((False, True), notes, strict=True)
    ]
    weights = [group.tolist() for group in maps.head_weights(trace)]
    table = numbers.head_weights(trace, words, weights) if weights else said
    return "".join(figures) + _tile(tiles["affinity"], words) + table


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]


def _scores(trace: Trace, words: Words, tile: StageTile) -> str:
    """The scores of all present classes and the background after the walk or PAR."""
    stage, walk = tile.stage, tile.stage == "cam_rw"
    draw, made, after = (
        (stages.cam_rw, trace.cam_rw, "the random walk") if walk else (stages.cam_par, trace.cam_par, "PAR")
    )
    limits = maps.shared_colour_limits(trace, made)
    others = [
        words.figure(stage, draw(trace, label), [f"Scores of {trace.class_names[label]} after {after}."], limits)
        for label in (0, *_other_classes(trace))
    ]
    used = trace.config.use_walk if walk else trace.config.use_par
    if walk and trace.affinity is None:
        return _tile(tile, words) + "".join(others) + f"<p>{words(_sentence(trace.parts.lacks['affinity']))}</p>"
    off = {
        "cam_rw": "In this trace the walk is switched off: the maps show its start.",
        "cam_par": "In this trace PAR is switched off: the maps are those of the walk at image size.",
    }
    return _tile(tile, words) + "".join(others) + ("" if used else f"<p>{words(off[stage])}</p>")


def _labels(trace: Trace, words: Words, tiles: dict[str, StageTile]) -> str:
    shown = "".join(_tile(tiles[name], words) for name in ("affinity_label", "regions", "pseudo_label"))
    return f"{shown}{numbers.label_table(trace, words)}<p>{words(numbers.supervision(trace))}</p>"


def _prediction(trace: Trace, words: Words, tiles: dict[str, StageTile]) -> str:
    figures = [_tile(tiles["seg"], words)]
    if trace.seg is None:
        return figures[0] + numbers.stage_table(trace, words)
    if trace.target is not None:
        before = scores.stage_labels(trace)["cam_par"]
        count = scores.pixel_changes(before, trace.seg, trace.target)
        caption = f"Prediction against PAR: {count['gained']:,} pixels gained, {count['lost']:,} lost."
        gained, lost = "green: gained (correct only after)", "vermilion: lost (correct only before)"
        colours = [gained, lost, "pink: wrong both times"]
        figures.append(words.figure("change", stages.label_change(trace, before, trace.seg), [caption, *colours]))
    return "".join(figures) + numbers.stage_table(trace, words)
