"""What a browser gets of the explorer: HTML, script, style and tables, assembled from the files of `explorer/`.

Nothing here knows gradio: the app, the static site and the one-file report are made of the same pieces.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from afa_viz import image_files
from afa_viz.figures import colour
from afa_viz.figures.interactive.base import plotly_version
from afa_viz.ui import localization
from afa_viz.ui.page.bundle import bundle, bundle_in_parts
from afa_viz.ui.page.config_fields import SLIDERS

EXPLORER = Path(__file__).parents[1] / "explorer"
TABS = (  # views/<tab>/: all stages at once, each in pipeline order, then what goes across them
    "pipeline", "cam", "attention", "affinity", "walk", "par", "regions", "seg", "compare", "training", "data", "train",
    "lab",
)  # fmt: skip
# entry modules: of the app, of a static site, of a report, of the worker that runs the network in a site
SERVER, STATIC, INLINE, WORKER = "host/server.js", "host/static.js", "host/inline.js", "host/onnx/worker.js"
ENTRIES = (SERVER, STATIC, INLINE, WORKER)
STYLES = ("page.css", "style.css", "components/strip.css", "tabs.css")
LATER_SCRIPTS: dict[str, tuple[str, ...]] = {  # of the app: which modules beyond the first look they hold
    "tabs": (),  # what is in no other
    "more": ("components/guide/", "components/share_menu.js", "draw/tab_picture.js", "views/par/crf.js"),
    "lab": ("views/lab/",),
    "pipeline": ("views/pipeline/",),
    "edits": (  # weights of heads, paths of numbers, and what is changed by hand
        "views/affinity/heads/",
        "views/affinity/edit/",
        "views/cam/edit/",
        "views/regions/edit/",
        "views/walk/path.js",
        "components/edits/",
        "host/prepared/edited.js",
        "core/head",
        "core/edit",
        "method/heads.js",
        "method/edits.js",
    ),
    "device": (  # photographs that the visitor's browser explains
        "host/server/device.js",
        "host/onnx",
        "host/prepared",
        "components/own_labels.js",
        "components/sidebar.js",
    ),
}
LATER_STYLES = {  # which come with them
    "tabs": ("components/photo_sending.css", "components/zoom/zoom.css", "components/mask/mask.css"),
    "more": ("components/guide/guide.css",),
    "lab": ("views/lab/questions.css",),
    "pipeline": ("views/pipeline/diagram.css",),
    "edits": ("views/affinity/heads/heads.css", "components/edits/edits.css"),
    "device": ("components/sidebar.css",),
}
STANDALONE_STYLES = (
    ("standalone.css",),
    ("components/frame.css",),
)  # of pages without gradio: before and after the others
INDENTED = re.compile(r"\n\s+")
UNSENT = re.compile(r"/\*[\s\S]*?\*/\n?|^ +|(?<=[;{:,]) +|(?<=[;{},])\n", re.MULTILINE)  # of style sheets
GAINED, LOST = (86, 180, 233), (204, 121, 167)  # Okabe and Ito's sky blue and purple, told apart without red and green


def _fragment(path: str) -> str:
    return (EXPLORER / path).read_text(encoding="utf-8")


def _tab(name: str) -> str:
    """The panel of a tab: what it shows in words, its equation and why, and the body that its script draws into.

    The lab is no step of the method: it has no equation.
    """
    head = f'<p class="afa-intro">{{{{{name}.intro}}}}</p>'
    if name != "lab":
        head += f'<p class="afa-equation">{{{{{name}.equation}}}}</p>'
        head += f'<details class="afa-why"><summary>{{{{why}}}}</summary>{{{{{name}.why_html}}}}</details>'
    return (
        f'<section class="afa-tab" role="tabpanel" id="afa-panel-{name}" aria-labelledby="afa-tab-{name}" '
        f'data-tab="{name}" hidden>{head}{_fragment(f"views/{name}/{name}.html")}</section>'
    )


def explorer_html(tabs: Sequence[str] = TABS) -> str:
    """The HTML of the explorer with some tabs before anything is drawn."""
    buttons = "".join(
        f'<button type="button" role="tab" id="afa-tab-{name}" aria-controls="afa-panel-{name}" data-tab="{name}" '
        f'aria-selected="false" tabindex="-1">{{{{tabs.{name}}}}}</button>'
        for name in tabs
    )
    frame = _fragment("frame.html").replace("<!--tabs-->", buttons)
    whole = localization.fill_template(frame.replace("<!--panels-->", "".join(_tab(name) for name in tabs)))
    return INDENTED.sub("\n", whole)


@cache
def script(entry: str = SERVER) -> str:
    """All modules that an entry needs as one JavaScript expression: the object of what the entry exports.

    Args:
        entry: a module of `explorer/host/`; it exports `start`.
    """
    return _in_parts()[""] if entry == SERVER else bundle(EXPLORER, entry)


def later_script(name: str = "tabs") -> str:
    """What the app's page loads when it first needs it, with texts and style; name: of `LATER_SCRIPTS`."""
    tables_of_later = _json({"style": _joined(LATER_STYLES[name]), **localization.later_texts(name)})
    return f"(globalThis.afaLaterTables??=[]).push({tables_of_later});\n{_in_parts()[name]}"


@cache
def later_addresses() -> dict[str, str]:
    """Where they are below the root of the app, by their names."""
    hashes = {name: hashlib.sha256(later_script(name).encode()).hexdigest()[:12] for name in LATER_SCRIPTS}
    return {name: f"scripts/{name}-{digest}.js" for name, digest in hashes.items()}


@cache
def _in_parts() -> dict[str, str]:
    """The scripts of the app by their names; "": the first one."""
    _, *others = LATER_SCRIPTS.values()
    return dict(zip(("", *LATER_SCRIPTS), bundle_in_parts(EXPLORER, SERVER, others), strict=True))


def style(standalone: bool = False) -> str:
    """The style sheet, without comments and indentation.

    Args:
        standalone: with what gradio's theme gives the app: for a page without gradio.
    """
    first, last = STANDALONE_STYLES if standalone else ((), ())
    later = sum(LATER_STYLES.values(), ()) if standalone else ()
    return _joined((*first, *STYLES, *(f"views/{name}/{name}.css" for name in TABS), *later, *last))


def _joined(paths: Sequence[str]) -> str:
    """Style sheets as one, those that exist, without comments and indentation."""
    files = [EXPLORER / path for path in paths]
    return UNSENT.sub("", "\n".join(file.read_text(encoding="utf-8") for file in files if file.is_file()))


def _json(sent: object) -> str:
    return json.dumps(sent, ensure_ascii=False, separators=(",", ":"))


@cache
def tables(standalone: bool = False) -> str:
    """Constants for the scripts, as JSON: colours, limits of sliders and uploads, and texts.

    Args:
        standalone: with the texts that only a page without a server says.
    """
    lut, difference = (
        base64.b64encode(colour.table(name).tobytes()).decode("ascii") for name in (colour.MAGNITUDE, colour.DIFFERENCE)
    )
    flat = {"foreground": colour.FOREGROUND, "background": colour.BACKGROUND, "gained": GAINED, "lost": LOST}
    limits = {slider.field: [slider.low, slider.high, slider.step] for slider in SLIDERS}
    said = {"texts": localization.script_texts(standalone), "languages": localization.translations(standalone)}
    sent = {"lut": lut, "difference": difference, **flat, "sliders": limits, "uploads": image_files.limits(), **said}
    return _json(sent)


def plotly_address() -> str:
    """Where plotly.js is below the root of the app, which serves it when the first chart is opened."""
    return f"charts/plotly-{plotly_version()}.min.js"
