"""The file of a report: the explorer with one trace inside, and every stage as pictures, for printers and browsers
without scripts.

Everything that comes from a trace is inside one compressed block of base64, or escaped.
"""

from __future__ import annotations

import base64
import json
import os
import re
import zlib
from collections.abc import Mapping
from functools import cache
from html import escape
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

import afa_viz
from afa_viz.atomic_files import atomic_write
from afa_viz.figures.poster import summary_line
from afa_viz.figures.translation import ENGLISH, check_language
from afa_viz.trace import Trace
from afa_viz.ui import localization
from afa_viz.ui.handlers.lab import COSTLY
from afa_viz.ui.handlers.prepared import answer_name, prepare
from afa_viz.ui.page import assets
from afa_viz.ui.report import numbers, pictures
from afa_viz.ui.report.markup import Words, ramp_css
from afa_viz.ui.site.held import LEVEL, held_maps
from afa_viz.ui.site.packing import smaller

KEY = "report"  # of the one explanation in the file
EXPLORER = """<script type="text/plain" id="afa-data">{data}</script>
<script>
"use strict";
(async () => {{ // the explorer and all that it shows; where that fails the pictures stay
  const packed = document.querySelector("#afa-data").textContent;
  const bytes = Uint8Array.fromBase64?.(packed) ?? Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  const {{ script, ...given }} = await new Response(stream).json();
  await (0, eval)(script).start(document.querySelector(".afa-explorer"), given);
}})();
</script>
"""
NEEDS_SCRIPT = "Sliders, tabs and hovering need JavaScript; without it every stage is an image with its numbers."
NO_CLASS = "This trace has no class, so there is nothing to explore: every stage is an image with its numbers."
TABS = ("pipeline", "cam", "attention", "affinity", "walk", "par", "regions", "seg", "compare", "lab")
FOOTER = (
    "Written by AFA Viz {version}. The method is AFA: Ru, Zhan, Yu, Du, “Learning Affinity from Attention: End-to-End "
    "Weakly-Supervised Semantic Segmentation with Transformers”, CVPR 2022. This file contains everything that it "
    "shows."
)


def write_report(
    trace: Trace,
    path: str | os.PathLike[str],
    language: str = ENGLISH,
    names: Mapping[str, str] | None = None,
    about: Mapping[str, str] | None = None,
) -> Path:
    """Write the page, whole or not at all; it opens without a network. Returns its path.

    Args:
        language, names, about: see `document`.
    """
    path = Path(path)
    text = document(trace, language, names, about)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as partial:
        partial.write_text(text, encoding="utf-8")
    return path


def document(
    trace: Trace,
    language: str = ENGLISH,
    names: Mapping[str, str] | None = None,
    about: Mapping[str, str] | None = None,
) -> str:
    """The page as HTML.

    Args:
        language: that it begins with; it holds the others too. names: what classes are called in that language, beside
            the app's own translations.
        about: "title", "story" and "domain" of the image as the app shows them; without them the title is the classes.
    Raises: ValueError: for an unknown language.
    """
    check_language(language)
    known = {code: {**localization.display_names(code)} for code in localization.languages()}
    known[language].update(names or {})
    words = Words(known, language)
    heading = f"How an image label became a mask: {_class_names(trace)}"
    shown = pictures.sections(trace, words)
    explorer, missing = "", f"<p>{words(NO_CLASS)}</p>"
    if trace.present:
        sent = {
            "key": KEY,
            "language": language,
            "script": assets.script(assets.INLINE),
            "markup": assets.explorer_html(TABS),
            "tables": _tables(language, names or {}),
            "answers": _answers(trace, about or {}, len(shown)),
            "program": numbers.program(trace),
        }
        packed = zlib.compress(json.dumps(sent, ensure_ascii=False).encode(), 6)
        explorer = EXPLORER.format(data=base64.b64encode(packed).decode("ascii"))
        missing = f"<noscript><p>{words(NEEDS_SCRIPT)}</p></noscript>"
    return _template().substitute(
        language=language,
        title=escape(words.plain(heading, language)),
        style=f"{assets.style(standalone=True)}\n{_own_style()}",
        ramp=ramp_css(),
        heading=words(heading),
        lead=words(_lead(trace)),
        pictures=shown,
        missing=missing,
        footer=words(FOOTER.format(version=afa_viz.__version__)),
        explorer=explorer,
    )


def _class_names(trace: Trace) -> str:
    return ", ".join(trace.class_names[i] for i in trace.present) or "no class"


def _lead(trace: Trace) -> str:
    (height, width), (rows, cols) = trace.image.shape[:2], trace.grid
    return f"{width} × {height} pixels, a grid of {rows} × {cols} cells. {summary_line(trace)}"


def _settings(trace: Trace) -> str:
    """The settings in one English sentence of the page's texts, which the page says in its own language."""
    config, said = trace.config, localization.error_message
    walk = {"power": f"{config.power:g}", "radius": config.radius, "steps": config.num_steps}
    return said(
        "site.report_story",
        low=f"{config.bkg_score_low:g}",
        high=f"{config.bkg_score_high:g}",
        walk=said("site.report_walk", **walk) if config.use_walk else said("site.report_no_walk"),
        par=said("site.report_par", iterations=config.num_iters) if config.use_par else said("site.report_no_par"),
        checkpoint=trace.checkpoint_id[:12] or said("site.report_nameless"),
    )


def _answers(trace: Trace, about: Mapping[str, str], used: int) -> dict[str, str]:
    """The JSON texts that the page may ask for, by their names; `used`: characters of the rest."""
    made = prepare(trace, KEY, KEY, {}, groups=("stages", "par", "lab"), without=COSTLY)
    others = {name: smaller(text, LEVEL) for name, text in made}
    maps, held = held_maps(trace, KEY, used + sum(map(len, others.values())))
    facts = {
        "title": about.get("title") or _class_names(trace),
        "story": about.get("story", ""),
        "settings": _settings(trace),
        "domain": about.get("domain", ""),
        "model": trace.checkpoint_id[:12],
        "held": held or None,
    }
    stages = answer_name("stages", {"key": KEY})
    return {**others, **dict(maps), stages: json.dumps({**json.loads(others[stages]), **facts}, ensure_ascii=False)}


def _tables(language: str, names: Mapping[str, str]) -> dict[str, Any]:
    """The constants of the page; given names of classes are texts like its own. English has the trace's names."""
    made = json.loads(assets.tables(standalone=True))
    for texts in (made["texts"], *made["languages"].values()):  # a file is no site
        texts["site.needs_server"] = texts["site.not_prepared"] = texts["site.file_lacks"]
        texts["site.settings_not_prepared"] = texts["site.file_settings"]
    if language != ENGLISH:
        made["languages"][language].update({f"{localization.CLASS}{name}": own for name, own in names.items()})
    return made


@cache
def _template() -> Template:
    return Template(resources.files(__package__).joinpath("report.html").read_text(encoding="utf-8"))


@cache
def _own_style() -> str:
    """The style of what a report has beside the explorer; of each text one language is shown."""
    codes = localization.languages()
    one = "".join(f":root:lang({code}) .afa-spoken [lang]:not([lang={code}]) {{ display: none; }}\n" for code in codes)
    sheet = resources.files(__package__).joinpath("report.css").read_text(encoding="utf-8")
    return re.sub(r"\s*\n\s*", " ", sheet + one)
