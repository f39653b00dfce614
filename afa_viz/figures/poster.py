"""The strip with everything that a reader needs beside it: title, facts, colour bars, and what the colours mean."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from afa_viz.figures import colour
from afa_viz.figures.colour import Picture
from afa_viz.figures.maps import Cell
from afa_viz.figures.strip import LIGHT, Theme, strip
from afa_viz.figures.typography import fitting, font, written
from afa_viz.trace import Trace

Swatch = tuple[str, Picture]
MARGIN = 16  # pixels, as the strip's own
SIDE = 16  # of a swatch


def poster(
    trace: Trace,
    label: int | None = None,
    cell: Cell | None = None,
    title: str = "",
    side: int = 240,
    theme: Theme = LIGHT,
) -> Picture:
    """(H', W', 3): title, what was explained and how, the strip, the legend of its colours.

    Args:
        label, cell, side, theme: see `strip.strip`.
        title: above everything; "": the image labels.
    """
    body = Image.fromarray(strip(trace, label, cell, side, theme))
    names = ", ".join(trace.class_names[i] for i in trace.present) or "no class"
    sheet = Image.new("RGB", (body.width, body.height + 108), theme.paper)
    pen = ImageDraw.Draw(sheet)
    heading = written(title or names)
    pen.text((MARGIN, 34), heading, theme.ink, fitting(heading, body.width - 2 * MARGIN, 24, bold=True), "lm")
    line = written(facts(trace))
    pen.text((MARGIN, 60), line, theme.quiet, fitting(line, body.width - 2 * MARGIN, 14), "lm")
    sheet.paste(body, (0, 72))
    _legend(sheet, pen, 72 + body.height + 10, theme, swatches(trace))
    return np.array(sheet)


def facts(trace: Trace) -> str:
    """What was explained and with which settings, in one line."""
    config = trace.config
    walk = f"walk with power {config.power:g}, radius {config.radius}, steps {config.num_steps}"
    par = f"PAR with {config.num_iters} iterations"
    source = "given" if trace.labels_given else "predicted"
    names = ", ".join(trace.class_names[i] for i in trace.present) or "none"
    return (
        f"Image labels {source}: {names}.  low β {config.bkg_score_low:g}, high β {config.bkg_score_high:g};  "
        f"{walk if config.use_walk else 'no walk'};  {par if config.use_par else 'no PAR'}.  "
        f"Checkpoint {trace.checkpoint_id[:12] or 'without a name'}."
    )


def swatches(trace: Trace) -> list[Swatch]:
    """Words and a small picture of each colour in the strip: regions, then every class that a label map shows."""
    plain = [("sure foreground", colour.FOREGROUND), ("sure background", colour.BACKGROUND)]
    shown = {int(i) for picture in (trace.affinity_label, trace.pseudo_label, trace.seg) for i in picture.unique()} - {
        0,
        255,
    }
    known = sorted(shown | set(trace.present))
    plain += [(trace.class_names[i], trace.palette[i]) for i in known]
    filled: list[Swatch] = [(words, np.full((SIDE, SIDE, 3), shade, np.uint8)) for words, shade in plain]
    grey = np.zeros((SIDE, SIDE, 3), np.uint8)
    filled.insert(2, ("uncertain", colour.hatch(grey, np.ones((SIDE, SIDE), bool), alpha=1.0)))
    return filled


def _legend(sheet: Image.Image, pen: ImageDraw.ImageDraw, top: int, theme: Theme, rows: list[Swatch]) -> None:
    letters, left = font(14), MARGIN
    for english, picture in rows:
        words = written(english)
        width = SIDE + 8 + round(letters.getlength(words)) + 22
        if left + width > sheet.width:
            return  # more classes than the width has room for: the pictures carry their names too
        sheet.paste(Image.fromarray(picture), (left, top))
        pen.rectangle((left, top, left + SIDE - 1, top + SIDE - 1), outline=theme.quiet)
        pen.text((left + SIDE + 8, top + SIDE / 2), words, theme.ink, letters, "lm")
        left += width
