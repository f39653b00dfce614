"""The pipeline strip with title, summary, colour bars and legend, as one image."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from afa_viz.figures import colour
from afa_viz.figures.colour import RGBImage
from afa_viz.figures.maps import Cell
from afa_viz.figures.strip import LIGHT, Theme, strip
from afa_viz.figures.typography import fitting_font, font, translate_drawable
from afa_viz.trace import Trace

Swatch = tuple[str, RGBImage]
MARGIN = 16  # pixels, as the strip's own
SIDE = 16  # of a swatch


def poster(
    trace: Trace,
    label: int | None = None,
    cell: Cell | None = None,
    title: str = "",
    side: int = 240,
    theme: Theme = LIGHT,
) -> RGBImage:
    """(H', W', 3): title, summary of labels and settings, the strip, the legend of its colours.

    Args:
        label, cell, side, theme: see `strip.strip`.
        title: above everything; "": the image labels.
    """
    body = Image.fromarray(strip(trace, label, cell, side, theme))
    names = ", ".join(trace.class_names[i] for i in trace.present) or "no class"
    sheet = Image.new("RGB", (body.width, body.height + 108), theme.paper)
    pen = ImageDraw.Draw(sheet)
    heading = translate_drawable(title or names)
    pen.text((MARGIN, 34), heading, theme.ink, fitting_font(heading, body.width - 2 * MARGIN, 24, bold=True), "lm")
    line = translate_drawable(summary_line(trace))
    pen.text((MARGIN, 60), line, theme.muted, fitting_font(line, body.width - 2 * MARGIN, 14), "lm")
    sheet.paste(body, (0, 72))
    _legend(sheet, pen, 72 + body.height + 10, theme, swatches(trace))
    return np.array(sheet)


def summary_line(trace: Trace) -> str:
    """Image labels and settings in one line."""
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
    """Name and swatch of each colour in the strip: regions, then every class in the label maps."""
    plain = [("reliable foreground", colour.FOREGROUND), ("reliable background", colour.BACKGROUND)]
    made = (trace.affinity_label, trace.pseudo_label, trace.seg)
    shown = {int(i) for image in made if image is not None for i in image.unique()} - {0, 255}
    known = sorted(shown | set(trace.present))
    plain += [(trace.class_names[i], trace.palette[i]) for i in known]
    filled: list[Swatch] = [(words, np.full((SIDE, SIDE, 3), shade, np.uint8)) for words, shade in plain]
    grey = np.zeros((SIDE, SIDE, 3), np.uint8)
    filled.insert(2, ("uncertain", colour.hatch(grey, np.ones((SIDE, SIDE), bool), alpha=1.0)))
    return filled


def _legend(sheet: Image.Image, pen: ImageDraw.ImageDraw, top: int, theme: Theme, rows: list[Swatch]) -> None:
    letters, left = font(14), MARGIN
    for english, image in rows:
        words = translate_drawable(english)
        width = SIDE + 8 + round(letters.getlength(words)) + 22
        if left + width > sheet.width:
            return  # more classes than the width has room for: the pictures carry their names too
        sheet.paste(Image.fromarray(image), (left, top))
        pen.rectangle((left, top, left + SIDE - 1, top + SIDE - 1), outline=theme.muted)
        pen.text((left + SIDE + 8, top + SIDE / 2), words, theme.ink, letters, "lm")
        left += width
