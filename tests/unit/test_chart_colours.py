"""A stage has one colour and one kind of line in every chart, of the page and of the figures; so have scores."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from afa_viz.figures import chart_style, charts, evaluation_charts, pathologies, training, translation
from afa_viz.figures.interactive import training as curves

EXPLORER = Path(__file__).parents[2] / "afa_viz" / "ui" / "explorer"


def test_page_and_printed_figures_draw_a_stage_alike():
    for stage, (colour, line) in chart_style.STAGE_STYLES.items():
        assert charts.STAGE_LINES[stage] == (chart_style.PRINTED[colour], charts.MATPLOTLIB_LINES[line])
        assert colour in chart_style.THEMES["light"] and stage in chart_style.STAGE_NAMES
    for key, (name, colour, line) in curves.SCORES.items():
        if key != "map":
            stage = key.removeprefix("miou_")
            assert (name, colour, line) == (chart_style.STAGE_NAMES[stage], *chart_style.STAGE_STYLES[stage])


@pytest.mark.parametrize("script", sorted(EXPLORER.rglob("*.js")), ids=lambda path: path.stem)
def test_no_script_has_colours_of_its_own_for_a_stage(script):
    text = script.read_text(encoding="utf-8")
    assert not re.search(r"miou_\w+\"?,?:? (colour: )?[\[{]? ?\"?(colour|accent|warm|good|muted|pseudo)", text)


def test_curves_of_a_run_show_the_walk_beside_its_own_start():
    """The CAM is cut by another rule: it is drawn as that, and alone only where a run knew nothing else."""
    names = {stage: curves.SCORES[f"miou_{stage}"][0] for stage in ("cam", "walk_start", "cam_rw", "cam_par", "seg")}
    for language, rule in {"en": "another rule", "ko": "다른 규칙"}.items():
        with translation.language_scope(language):
            said = [translation.translate(name) for name in names.values()]
            assert len(set(said)) == len(said) and rule in translation.translate(names["cam"])


def test_figures_draw_a_stage_alike():
    for key, (_, colour, style) in training.SCORE_LINES.items():
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
            assert colour == chart_style.PRINTED[page[word]], name
