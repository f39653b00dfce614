"""A stage has one colour and one kind of line in every chart, of the page and of the figures; so have scores."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from afa_viz.figures import charts, evaluation_charts, pathologies, training

EXPLORER = Path(__file__).parents[2] / "afa_viz" / "ui" / "explorer"
LIGHT = {"accent": charts.BLUE, "warm": charts.ORANGE, "good": charts.GREEN, "muted": charts.GREY,
         "pseudo": charts.PURPLE, "start": charts.SKY}  # fmt: skip
LINE = re.compile(r"miou_(\w+): \{ colour: \"(\w+)\", dash: \[([\d, ]*)\] \}")


def page_lines() -> dict[str, tuple[str, bool]]:
    """Colour and whether the line is whole, by stage, as the page's charts have them."""
    text = (EXPLORER / "charts" / "stage_lines.js").read_text(encoding="utf-8")
    found = LINE.findall(text[text.index("const STAGE_LINES") :])
    return {stage: (LIGHT[colour], not dash) for stage, colour, dash in found}


def test_page_and_figures_draw_a_stage_alike():
    page = page_lines()
    assert set(page) == {"cam", "walk_start", "cam_rw", "cam_par", "pseudo_label", "seg"}
    for stage, (colour, whole) in page.items():
        assert charts.STAGE_LINES[stage][0] == colour, stage
        assert (charts.STAGE_LINES[stage][1] == "-") == whole, stage


@pytest.mark.parametrize("script", sorted(EXPLORER.rglob("*.js")), ids=lambda path: path.stem)
def test_no_script_has_colours_of_its_own_for_a_stage(script):
    text = script.read_text(encoding="utf-8")
    if script.stem == "stage_lines":
        text = text[: text.index("const STAGE_LINES")] + text[text.index("};", text.index("const STAGE_LINES")) :]
    assert not re.search(r"miou_\w+\"?,?:? (colour: )?[\[{]? ?\"?(colour|accent|warm|good|muted|pseudo)", text)


def test_curves_of_a_run_show_the_walk_beside_its_own_start():
    """The CAM is cut by another rule: it is drawn as that, and alone only where a run knew nothing else."""
    for script in ("charts/stage_scores.js", "charts/stage_lines.js"):
        assert "miou_walk_start" in (EXPLORER / script).read_text(encoding="utf-8")
    for language in ("en", "ko"):
        texts = json.loads((EXPLORER.parent / "texts" / f"{language}.json").read_text(encoding="utf-8"))
        for tab in ("train.", "training.line_"):
            names = {stage: texts[f"{tab}miou_{stage}"] for stage in ("cam", "walk_start", "cam_rw", "cam_par", "seg")}
            assert len(set(names.values())) == len(names)
            assert {"en": "another rule", "ko": "다른 규칙"}[language] in names["cam"]


def test_figures_draw_a_stage_alike():
    for key, (_, colour, style) in training.STAGES.items():
        assert (colour, style) == charts.STAGE_LINES[key.removeprefix("miou_")], key
    for key, (_, colour, _) in pathologies.SERIES.items():
        assert colour == charts.STAGE_LINES[key.removeprefix("miou_")][0], key
    assert len({charts.STAGE_LINES[stage] for stage in charts.STAGE_LINES}) == len(charts.STAGE_LINES)
    assert charts.STAGE_LINES["cam"][0] != charts.STAGE_LINES["seg"][0]
    assert set(charts.STAGE_TITLES) - {"uncertain"} == set(charts.STAGE_LINES)


def test_precision_and_recall_have_the_colours_of_the_page():
    text = (EXPLORER / "views" / "cam" / "cam.js").read_text(encoding="utf-8")
    page = dict(re.findall(r'\["(found|right)", plot\.(\w+)\]', text))
    rows = [{"bkg_score": b, "miou": 1, "precision": 2, "recall": 3} for b in (0.1, 0.2)]
    cut = [{"low": b, "high": b, "miou": 1, "precision": 2, "recall": 3, "background_precision": 4, "coverage": 5}
           for b in (0.1, 0.2)]  # fmt: skip
    in_use = {"bkg_score": 0.1, "bkg_score_low": 0.1, "bkg_score_high": 0.2}
    figure = evaluation_charts.threshold_sweep_chart({"cam": rows, "pseudo_label": cut, "in_use": in_use, "images": 1})
    for axes in figure.axes[:2]:
        lines = {line.get_label(): line.get_color() for line in axes.get_lines()}
        for name, word in (("recall", "found"), ("precision", "right")):
            (colour,) = {c for label, c in lines.items() if name in label and "background" not in label}
            assert colour == LIGHT[page[word]], name
