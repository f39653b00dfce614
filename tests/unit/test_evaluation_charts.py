"""Charts of scores, printed and interactive, hold the numbers of their tables."""

# ruff: noqa: F811 (arguments of tests are fixtures, imported by name)
from __future__ import annotations

import re

import numpy as np
import pytest
from other_methods import CamOnly
from scored_scenes import CONFIG, by_stage, model, samples, sweep  # noqa: F401

from afa_viz.classes import SANDBOX_CLASSES
from afa_viz.evaluation import evaluate_samples
from afa_viz.figures import interactive
from afa_viz.figures.colour import MAGNITUDE, table
from afa_viz.figures.evaluation_charts import part_chart, stage_score_chart, threshold_sweep_chart, write_plots
from afa_viz.figures.interactive import evaluation_figures
from afa_viz.figures.training import training_chart, write_training_plot
from afa_viz.figures.translation import language_scope
from afa_viz.ui.localization import display_names

# --- charts ----------------------------------------------------------------------------------------------------------


def test_stage_chart_shows_the_numbers(by_stage):
    data = by_stage.data()
    axes = stage_score_chart(data).axes[0]
    stages = ["walk_start", "cam_rw", "cam_refined", "cam_par", "seg", "seg_multi_scale"]  # one rule, every pixel
    assert [bar.get_height() for bar in axes.patches] == [data["summary"][f"miou_{stage}"] for stage in stages]
    points = np.concatenate([collection.get_offsets()[:, 1] for collection in axes.collections])
    assert sorted(points) == sorted(v for stage in stages for v in data["iou"][stage].values() if v is not None)


def test_part_chart_writes_each_number_in_its_cell(by_stage):
    data = by_stage.data()
    axes = part_chart(data).axes[0]
    rows = [label.get_text() for label in axes.get_yticklabels()]
    texts = {(int(t.get_position()[1]), int(t.get_position()[0])): t.get_text() for t in axes.texts}
    stages = [stage for stage in data["parts"] if stage != "par_start"]  # that is the walk's column
    for i, stage in enumerate(stages):
        assert texts[rows.index("head"), i] == f"{data['parts'][stage]['head']:.0f}"
        assert texts[rows.index("quadruped body"), i] == f"{data['parts_of_quadrupeds'][stage]['body']:.0f}"
    assert texts[rows.index("head"), len(stages)] == f"{data['uncertain_parts']['head']:.0f}"
    assert axes.images[0].get_cmap().name == MAGNITUDE and table(MAGNITUDE).shape == (256, 3)


def test_sweep_chart_draws_the_curve_and_the_scores_in_use(by_stage, sweep):
    data = sweep.data()
    cam = threshold_sweep_chart(data).axes[0]
    curves = {line.get_label(): line for line in cam.lines}
    assert curves["mIoU"].get_ydata().tolist() == [row["miou"] for row in data["cam"]]
    assert any(list(line.get_xdata()) == [0.45, 0.45] for line in cam.lines)


def test_training_chart_draws_lines_and_phases(tmp_path):
    lines = [
        {"iteration": 20, "phase": "classification", "lr": 1e-3, "loss_cls": 2.0},
        {"iteration": 40, "phase": "classification", "lr": 5e-4, "loss_cls": 1.0},
        {"iteration": 40, "miou_cam": 30.0, "miou_seg": 1.0, "map": 50.0, "f1": 40.0},
        {"iteration": 60, "phase": "affinity", "lr": 1e-4, "loss_cls": 0.5, "loss_seg": 1.5, "loss_aff": 0.7},
    ]
    losses, rate, by_stage, labels = training_chart(lines).axes
    curves = {line.get_label(): list(zip(*line.get_data(), strict=True)) for line in losses.lines}
    assert curves["classification"] == [(20, 2.0), (40, 1.0), (60, 0.5)] and curves["affinity"] == [(60, 0.7)]
    assert [text.get_text() for text in losses.texts] == ["classification", "affinity"]
    assert list(rate.lines[0].get_ydata()) == [1e-3, 5e-4, 1e-4]
    assert {line.get_label() for line in by_stage.lines} == {"CAM, one threshold (another rule)", "prediction"}
    assert {line.get_label() for line in labels.lines} == {"mAP", "F1"}
    energies = [{**lines[0]}, {**lines[-1], "loss_energy": -0.03}]
    _, energy, _, _, _ = training_chart(energies).axes  # it is negative, which the losses' logarithm cannot show
    assert list(zip(*energy.lines[0].get_data(), strict=True)) == [(60, -0.03)]
    short = training_chart([{**lines[0], "iteration": 1}, {**lines[-1], "iteration": 100}]).axes[0]
    assert [text.get_text() for text in short.texts] == ["", "affinity"]  # a name must not leave its phase
    assert write_training_plot(lines, tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
    assert [path.name for path in tmp_path.iterdir()] == ["plot.png"]
    with pytest.raises(ValueError, match="no numbers yet"):
        training_chart([])


# --- interactive figures ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def data(model, samples, sweep, by_stage):
    whole = evaluate_samples(model, samples, CONFIG, diagnose=True)
    assert whole.matrices["seg"].matrix.equal(by_stage.matrices["seg"].matrix)
    return {**whole.data(), "sweep": sweep.data()}


@pytest.fixture(scope="module")
def figures(data):
    return evaluation_figures(data)


def test_an_evaluation_has_its_figures(figures, data):
    assert list(figures) == [
        "stages", "classes", "steps", "confusion_seg", "confusion_cam_par", "parts", "contexts", "cam_thresholds",
        "label_miou", "label_precision", "label_coverage",
    ]  # fmt: skip
    bare = {name: data[name] for name in ("images", "rule", "summary", "iou")}
    assert list(evaluation_figures(bare)) == ["stages", "classes"]  # of a file that an earlier version wrote


OF_FOLDER = {"iou": {"background": 50.0}, "confusion": {"label": [[1]]}, "miou": 50.0}
OTHER = {"--from": OF_FOLDER, "empty": {}, "--runs": {"runs": {}, "evaluations": []}, "list": [1],
         "published": {"published": {"images": 3}}, "half": {"rule": {"whole": ["seg"]}, "summary": {}, "iou": {}},
         "no scores": {"rule": {"whole": ["seg"], "left_out": []}, "summary": {}, "iou": {"seg": {}}}}  # fmt: skip


@pytest.mark.parametrize("kind", OTHER)
@pytest.mark.parametrize("draw", [evaluation_figures, write_plots, interactive.stage_figure, interactive.class_figure,
                                  interactive.confusion_figure, interactive.part_figure, interactive.context_figure,
                                  interactive.step_figure])  # fmt: skip
def test_another_report_is_one_sentence(tmp_path, draw, kind):
    more = [tmp_path] if draw is write_plots else []
    with pytest.raises(ValueError, match=r"(report has no|there is no) .*; expected what `evaluate --json` writes"):
        draw(OTHER[kind], *more)


def test_unknown_stages_and_scores_are_one_sentence(data):
    with pytest.raises(ValueError, match="stage 'sag'; expected one of cam, .*seg"):
        interactive.confusion_figure(data, "sag")
    with pytest.raises(ValueError, match="there is no score 'mIoU'; expected one of miou, precision, coverage"):
        interactive.threshold_map(data["sweep"], "mIoU")
    for draw in (interactive.threshold_map, interactive.cam_threshold_figure):
        for other in (data, {}, None):
            with pytest.raises(ValueError, match="the sweep has no .*; expected the part `sweep`"):
                draw(other)


def test_a_network_without_a_decoder_has_its_table_and_figures(samples):
    found = evaluate_samples(CamOnly(len(SANDBOX_CLASSES)), samples[:2], diagnose=True)
    figures = evaluation_figures(found.data())
    assert {"stages", "classes", "confusion_cam_par"} <= set(figures) and "confusion_seg" not in figures
    assert "largest confusions of cam_par" in found.table() and found.part_table()


def test_figures_of_an_evaluation_are_korean_in_korean(data):
    with language_scope("ko", display_names("ko")):
        figures = evaluation_figures(data, theme="page")
    plain = re.compile(r"CAM|PAR|m?IoU|%p|<sub>.</sub>|<br>")
    for name, figure in figures.items():
        layout = figure.layout
        table = layout.meta["table"]
        said = [layout.title.text, layout.xaxis.title.text, layout.yaxis.title.text, *table["columns"],
                *(row[0] for row in table["rows"]), *(trace.name for trace in figure.data),
                *(layout.xaxis.ticktext or ()), *(layout.yaxis.ticktext or ())]  # fmt: skip
        for text in filter(None, said):
            assert not re.search("[A-Za-z]{2,}", plain.sub("", text)), (name, text)


def test_stages_and_classes_have_their_scores_and_intervals(figures, data):
    stages = ["walk_start", "cam_rw", "cam_refined", "cam_par", "seg"]
    bars, points = figures["stages"].data
    assert list(bars.x) == [data["summary"][f"miou_{stage}"] for stage in reversed(stages)]
    assert sorted(points.x) == sorted(v for stage in stages for v in data["iou"][stage].values() if v is not None)
    for i, stage in enumerate(reversed(stages)):
        low, high = data["intervals"][stage]["miou"]
        assert bars.x[i] + bars.error_x.array[i] == pytest.approx(max(high, bars.x[i]), abs=0.02)
        assert bars.x[i] - bars.error_x.arrayminus[i] == pytest.approx(min(low, bars.x[i]), abs=0.02)
    seg = next(trace for trace in figures["classes"].data if trace.name == "prediction")
    assert dict(zip(seg.text, seg.x, strict=True)) == {k: v for k, v in data["iou"]["seg"].items() if v is not None}
    assert list(figures["steps"].data[0].x) == [step["change"] for step in reversed(data["changes"].values())]


def test_rows_of_a_confusion_matrix_add_up(figures, data, by_stage):
    counts = by_stage.matrices["seg"].matrix
    assert data["confusion"]["seg"] == counts.tolist() and set(data["confusion"]) >= {"seg", "cam_par"}
    cells = figures["confusion_seg"].data[0]
    names = list(figures["confusion_seg"].layout.yaxis.ticktext)
    for row, name in zip(cells.z, names, strict=True):
        known = [value for value in row if value is not None]
        assert not known or sum(known) == pytest.approx(100, abs=0.6)
        i = SANDBOX_CLASSES.index(name)
        if known:
            share = 100 * int(counts[i, i]) / int(counts[i].sum())
            assert row[names.index(name)] == pytest.approx(share, abs=0.06)


def test_maps_hold_the_cells_of_their_tables(figures, data):
    stages = [stage for stage in data["parts"] if stage != "par_start"]
    parts = dict(zip(figures["parts"].layout.yaxis.ticktext, figures["parts"].data[0].z, strict=True))
    assert list(parts["head"]) == [*(data["parts"][stage]["head"] for stage in stages), data["uncertain_parts"]["head"]]
    field = figures["label_miou"].data[0]
    for row in data["sweep"]["pseudo_label"]:
        i, j = list(field.y).index(row["low"]), list(field.x).index(row["high"])
        assert field.z[i][j] == row["miou"]
    assert field.z[2][0] is None  # the higher score below the lower one
    best = next(trace for trace in figures["label_miou"].data if (trace.name or "").startswith("highest"))
    known = [row for row in data["sweep"]["pseudo_label"] if row["miou"] is not None]
    top = max(known, key=lambda row: row["miou"])
    assert (best.x[0], best.y[0]) == (top["high"], top["low"])
    curve = figures["cam_thresholds"].data[0]
    assert list(curve.y) == [row["miou"] for row in data["sweep"]["cam"]]
