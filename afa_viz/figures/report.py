"""One self-contained HTML page of a trace: every stage with its equation, images, numbers and sliders."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from html import escape
from importlib import resources
from pathlib import Path
from string import Template

import afa_viz
from afa_viz.atomic_files import atomic_write
from afa_viz.figures import colour, html
from afa_viz.figures.sections import sections
from afa_viz.figures.translation import ENGLISH, current_language, language_scope, translate
from afa_viz.trace import Trace

TEMPLATE = "report.html"
FOOTER = (
    "Written by AFA Viz {version}. The method is AFA: Ru, Zhan, Yu, Du, “Learning Affinity from Attention: End-to-End "
    "Weakly-Supervised Semantic Segmentation with Transformers”, CVPR 2022. Everything on this page is inside this "
    "file."
)
SCRIPT_WORDS = {
    "stages": "Stages",
    "play": "Play",
    "pause": "Pause",
    "cut": "β low %low, β high %high: foreground %foreground, background %background, uncertain %uncertain",
}


def write_report(
    trace: Trace, path: str | os.PathLike[str], language: str = ENGLISH, names: Mapping[str, str] | None = None
) -> Path:
    """Write the page, whole or not at all; it opens without a network. Returns its path.

    Args:
        language, names: see `translation.language_scope`.
    """
    path = Path(path)
    with language_scope(language, names):
        text = page(trace)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as partial:
        partial.write_text(text, encoding="utf-8")
    return path


@cache
def _template() -> Template:
    return Template(resources.files(__package__).joinpath(TEMPLATE).read_text(encoding="utf-8"))


def page(trace: Trace) -> str:
    """The page as HTML."""
    parts = sections(trace)
    names = [trace.class_names[i] for i in trace.present]
    height, width = trace.image.shape[:2]
    source = "given with the image" if trace.labels_given else "predicted by the classifier"
    return _template().substitute(
        language=current_language(),
        title=escape(translate(f"How an image label became a mask: {', '.join(names) or 'no class'}")),
        lead=escape(
            translate(
                f"{width} × {height} pixels, a grid of {trace.grid[0]} × {trace.grid[1]} cells. Image labels {source}. "
                f"Checkpoint {trace.checkpoint_id or 'without a name'}."
            )
        ),
        **{name: escape(translate(words)) for name, words in SCRIPT_WORDS.items()},
        footer=translate(FOOTER.format(version=afa_viz.__version__)),
        photo=html.image_uri(colour.grey(trace.image)),
        width=width,
        height=height,
        ramp=html.ramp_css(),
        contents="".join(f'<li><a href="#{key}">{translate(title)}</a></li>' for key, title, _ in parts),
        sections="\n".join(
            f'<section id="{key}"><h2><b>{i}</b>{translate(title)}</h2>{body}</section>'
            for i, (key, title, body) in enumerate(parts)
        ),
    )
