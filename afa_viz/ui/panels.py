"""What each view of the explorer is called and says, in pipeline order; the browser draws into the canvas of each."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape


@dataclass(frozen=True)
class Panel:
    """One view.

    Attributes:
        key: the stage's word; `explorer.js` draws by it.
        title: heading. sentence: what one sees (HTML). equation: of the step (HTML), "" for none.
        kind: "map" (colours with a bar), "labels" (palette with a legend), "image", or "wide" (drawn by its own code).
        arrow: what comes in from the view before, for the arrow's tooltip; "" for no arrow.
    """

    key: str
    title: str
    sentence: str
    equation: str = ""
    kind: str = "map"
    arrow: str = ""


PANELS = (
    Panel(
        "image",
        "Image",
        "The picture as the network sees it. The frame is the <b>query cell</b>: move it over any view.",
        "<span data-fill='grid'></span>",
        "image",
    ),
    Panel(
        "cam",
        "Activation map",
        "Where the classifier finds evidence for the class. It lights the most typical parts, seldom the whole object.",
        "<i>M<sub>c</sub></i> = ReLU(<i>w<sub>c</sub></i> · <i>F</i>) ∕ max",
        arrow="classifier",
    ),
    Panel(
        "heads",
        "Attention, head by head",
        "Where the query cell looks. Every head has its own habit; choose one to see it large. "
        "<b>w</b> is the weight that the affinity gives to a head.",
        "softmax(<i>q k</i><sup>⊤</sup> ∕ √<i>d</i>)",
        "wide",
    ),
    Panel(
        "attention",
        "Attention",
        "One head, large. It is <b>not symmetric</b>: a cell may look at another that does not look back.",
        "softmax(<i>q k</i><sup>⊤</sup> ∕ √<i>d</i>)",
    ),
    Panel(
        "affinity",
        "Learned affinity",
        "Which cells the network takes for <b>the same thing</b> as the query cell, learned from all heads. "
        "Dashed: the window of the walk.",
        "<i>A</i> = σ(Σ<sub>k</sub> <i>w<sub>k</sub></i> <span data-fill='symmetric'></span> + <i>b</i>)",
        arrow="symmetrise, weigh",
    ),
    Panel(
        "cam_rw",
        "Random walk",
        "Scores flow to cells of high affinity: gaps inside an object fill, stray spots fade.",
        "<i>T</i> = <i>A</i><sup>∘α</sup> ∕ Σ,  <i>p</i> ← <i>p T</i>",
        arrow="spread the CAM",
    ),
    Panel(
        "cam_par",
        "PAR refinement",
        "Pixels that look alike share their scores, so edges of the picture become edges of the map.",
        "<i>m</i> ← Σ<sub>n</sub> κ<sub>n</sub> <i>m<sub>n</sub></i>",
        arrow="snap to edges",
    ),
    Panel(
        "regions",
        "Reliable regions",
        "<b>Foreground</b> wins even against the high background score, <b>background</b> already against the low one. "
        "Between them the method does not commit itself.",
        "β<sub>l</sub> = <span data-fill='low'></span>, β<sub>h</sub> = <span data-fill='high'></span>",
        "regions",
        arrow="two thresholds",
    ),
    Panel(
        "pseudo_label",
        "Pseudo label",
        "What the network is trained on in place of a drawn mask. Hatched pixels do not count.",
        "arg max<sub>c</sub>, where reliable",
        "labels",
        arrow="",
    ),
    Panel(
        "seg",
        "Prediction",
        "What the trained decoder says in a single pass, without being told the classes.",
        "arg max<sub>c</sub> decoder(<i>F</i>)",
        "labels",
        arrow="trained on pseudo labels",
    ),
    Panel(
        "target",
        "Truth",
        "Known for this picture. It only serves the numbers here: training never saw a mask.",
        "",
        "labels",
    ),
    Panel(
        "ladder",
        "Where is it won or lost?",
        "Intersection over union with the truth, step by step.",
        "IoU = |<i>A</i> ∩ <i>B</i>| ∕ |<i>A</i> ∪ <i>B</i>|",
        "wide",
    ),
)

SCORED = ("cam", "cam_rw", "cam_par", "pseudo_label", "seg")  # views with a label to compare with the truth

PAR_CONTROLS = (
    '<div class="afa-par"><button type="button" data-do="play" aria-label="Play the iterations" title="Play (Space)">▶'
    '</button><input type="range" min="0" max="10" value="10" step="1" data-do="iteration" '
    'aria-label="PAR iteration"><output data-fill="iteration"></output></div>'
)


def panel_html(panel: Panel, number: int) -> str:
    """The section of one view, empty until the browser draws it."""
    arrow = f'<span class="afa-arrow" title="{escape(panel.arrow)}" aria-hidden="true">→</span>' if panel.arrow else ""
    if panel.kind == "wide":
        body = f'<div class="afa-{panel.key}"></div>'
    else:
        body = f'<canvas role="img" aria-label="{escape(panel.title)}"></canvas>'
    below = '<div class="afa-scale"></div>' if panel.kind == "map" else ""
    below = '<div class="afa-legend"></div>' if panel.kind in ("labels", "regions") else below
    controls = PAR_CONTROLS if panel.key == "cam_par" else ""
    score = '<p class="afa-score" data-fill="score"></p>' if panel.key in SCORED else ""
    equation = f'<p class="afa-equation">{panel.equation}</p>' if panel.equation else ""
    return (
        f'<section class="afa-panel" data-panel="{panel.key}">{arrow}'
        f'<h3><span class="afa-number">{number}</span><span data-fill="title">{escape(panel.title)}</span>'
        f"</h3>{body}{below}{controls}{score}"
        f'<p class="afa-sentence">{panel.sentence}</p>{equation}</section>'
    )


STORY = (
    '<div class="afa-story"><h2><span data-fill="picture"></span> '
    '<span class="afa-domain" data-fill="domain"></span></h2>'
    '<p><span data-fill="story"></span> <span class="afa-labels" data-fill="labels"></span></p></div>'
)

KEYS = (
    ("← ↑ → ↓", "move the query cell"),
    ("Enter", "pin it, or let it go"),
    ("Esc", "back to the strongest cell"),
    ("[ ]", "previous and next head"),
    ("Space", "play the PAR iterations"),
)

BAR = """
<div class="afa-bar">
  <div class="afa-field"><span class="afa-name" id="afa-class-name">Class</span>
    <div class="afa-chips" role="group" aria-labelledby="afa-class-name" data-list="classes"></div></div>
  <label class="afa-field"><span class="afa-name">Block</span><select data-do="block"></select></label>
  <label class="afa-field"><span class="afa-name">Head</span><select data-do="head"></select></label>
  <div class="afa-field" role="group" aria-label="Query cell"><span class="afa-name">Query cell</span>
    <label class="afa-step">row <input type="number" data-do="row" min="1" step="1"></label>
    <label class="afa-step">column <input type="number" data-do="col" min="1" step="1"></label></div>
  <label class="afa-field afa-check"><input type="checkbox" data-do="shared"> one colour scale for all heads</label>
  <div class="afa-field afa-end">
    <button type="button" data-export="html" title="One page with every stage, for offline use">↓ Report</button>
    <button type="button" data-export="npz" title="Every array of this explanation">↓ Data</button>
    <details class="afa-keys"><summary aria-label="Keys">?</summary><table>%s</table></details></div>
</div>
"""


def explorer_html() -> str:
    """The whole explorer before anything is drawn."""
    keys = "".join(f"<tr><th>{escape(key)}</th><td>{escape(what)}</td></tr>" for key, what in KEYS)
    sections = "".join(panel_html(panel, number) for number, panel in enumerate(PANELS, start=1))
    return (
        f'<div class="afa" data-state="waiting">{STORY}{BAR % keys}'
        '<p class="afa-status" data-fill="status">Loading …</p><p class="afa-aloud" aria-live="polite"></p>'
        '<div class="afa-panels" tabindex="0" role="group" aria-label="Linked views of one explanation: arrow keys '
        f'move the query cell, Enter pins it, brackets change the head">{sections}</div></div>'
    )
