"""Interactive figures: they hold the numbers that they are given, in both themes and languages, small and escaped."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from afa_viz.figures import chart_style, interactive
from afa_viz.figures.interactive import base
from afa_viz.figures.phases import phases_of
from afa_viz.figures.translation import language_scope

EXPLORER = Path(__file__).parents[2] / "afa_viz" / "ui" / "explorer"
HOSTILE = ("<b>bold</b>", '<img src=x onerror="alert(1)">', "</script><script>alert(1)</script>", "%{x} &lt; $y$",
           '<a href="javascript:alert(1)">a</a>', "constructor", "var(--accent)")  # fmt: skip
LINES = [
    {"iteration": 20, "phase": "classification", "lr": 1e-3, "loss_cls": 2.0},
    {"iteration": 40, "phase": "classification", "lr": 5e-4, "loss_cls": 1.0},
    {"iteration": 40, "miou_cam": 30.0, "miou_seg": 1.0, "miou_cam_refined": 31.5, "map": 50.0},
    {"iteration": 60, "phase": "affinity", "lr": 1e-4, "loss_cls": 0.5, "loss_seg": 1.5, "loss_aff": 0.7},
]
IMAGES = [
    interactive.ImageScore("a1", "one", ("cow",), 0.5, 0.625),
    interactive.ImageScore("b2", "two", ("cow", "dog"), 0.8, 0.6),
    interactive.ImageScore("c3", "three", ("dog",), 0.4, 0.4),
]


def test_the_room_is_light_until_a_figure_is_made():
    code = (
        "import sys, afa_viz.figures, afa_viz.figures.interactive as i, afa_viz.figures.interactive.training, "
        "afa_viz.figures.interactive.dataset; i.plotly_version(); i.training_figures; "
        "print(sorted({'plotly', 'torch', 'matplotlib', 'numpy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_every_name_of_the_front_door_is_there():
    assert sorted(interactive._FILES) == sorted(interactive.__all__)
    assert all(callable(getattr(interactive, name)) for name in interactive.__all__)
    with pytest.raises(AttributeError, match="no attribute 'pie'"):
        interactive.pie  # noqa: B018


def named(figure) -> dict:
    return {trace.name: trace for trace in figure.data}


def test_curves_of_a_run_are_its_numbers():
    figures = interactive.training_figures(LINES, head_multiplier=10, end=100)
    assert list(figures) == ["losses", "rates", "scores"]
    losses = named(figures["losses"])
    assert (list(losses["classification"].x), list(losses["classification"].y)) == ([20, 40, 60], [2.0, 1.0, 0.5])
    assert list(losses["affinity"].y) == [0.7]
    assert list(named(figures["rates"])["classifier, affinity, decoder"].y) == [1e-2, 5e-3, 1e-3]
    scores = named(figures["scores"])
    assert list(scores["prediction"].y) == [1.0] and list(scores["CAM, one threshold (another rule)"].y) == [30.0]
    assert scores["PAR without the walk"].visible == "legendonly"  # a switch turns it on
    assert list(figures["losses"].layout.xaxis.range) == [0, 100]
    assert [shape.x1 for shape in figures["losses"].layout.shapes] == [40, 60]
    assert figures["losses"].layout.annotations[0].hovertext == "1 classification"
    assert phases_of(LINES) == [{"name": "classification", "until": 40}, {"name": "affinity", "until": 60}]
    meta = figures["losses"].layout.meta
    assert meta["table"]["columns"] == ["iteration", "classification", "segmentation", "affinity"]
    assert meta["table"]["rows"] == [["20", "2", "–", "–"], ["40", "1", "–", "–"], ["60", "0.5", "1.5", "0.7"]]
    assert meta["description"].startswith("Losses by iteration: classification from 2 to 0.5; segmentation from 1.5")
    assert interactive.training_figures([{"iteration": 1}]) == {} and interactive.training_figures([]) == {}


def test_the_dense_energy_loss_has_a_chart_where_a_run_has_it():
    lines = [*LINES[:3], {**LINES[3], "loss_energy": -0.03}, {**LINES[3], "iteration": 80, "loss_energy": -0.04}]
    figures = interactive.training_figures(lines)
    assert list(figures) == ["losses", "energy", "rates", "scores"]
    (energy,) = figures["energy"].data
    assert (list(energy.x), list(energy.y)) == ([60, 80], [-0.03, -0.04])
    assert figures["energy"].layout.meta["table"]["rows"] == [["60", "−0.03"], ["80", "−0.04"]]
    with language_scope("ko", {}):
        korean = interactive.training_figures(lines)["energy"].layout
    assert not re.search("[A-Za-z]{2,}", korean.title.text + "".join(korean.meta["table"]["columns"]))


def test_scores_of_snapshots_are_joined_with_the_history():
    history = [{"iteration": 10, "miou_seg": 5.0, "map": None}, {"iteration": 20, "map": None}]
    points = interactive.merge_scores(history, [(10, {"map": 40.0}), (30, {"miou_seg": 7.0}), (40, {})])
    assert points == [{"iteration": 10, "miou_seg": 5.0, "map": 40.0}, {"iteration": 30, "miou_seg": 7.0}]
    figure = interactive.score_figure(points, snapshots=[10, 30, 40])
    assert list(named(figure)["snapshots"].x) == [10, 30, 40] and list(named(figure)["prediction"].y) == [5.0, 7.0]
    assert figure.layout.xaxis.range[1] == 40
    assert interactive.score_figure([{"iteration": 3, "miou_seg": None}], snapshots=[3]) is None


def test_each_image_is_a_point():
    palette = {"cow": (1, 2, 3), "dog": (4, 5, 6)}
    figure = interactive.before_after_figure(IMAGES, "walk_start", "cam_rw", palette)
    points = {
        trace.customdata[i]: (trace.x[i], trace.y[i], trace.name) for trace in figure.data for i in range(len(trace.x))
    }
    assert points == {
        "a1": (50.0, 62.5, "cow"), "b2": (80.0, 60.0, "several classes"), "c3": (40.0, 40.0, "dog"),
    }  # fmt: skip
    assert named(figure)["cow"].marker.color == "rgb(1, 2, 3)"
    meta = figure.layout.meta  # the largest change first
    assert meta["ids"] == ["b2", "a1", "c3"]
    assert meta["table"]["rows"][0] == ["two", "cow, dog", "80.0", "60.0", "−20.0"]
    assert "better in 1 of 3 images, worse in 1" in meta["description"]
    assert figure.layout.dragmode == "select" and "random walk" in figure.layout.yaxis.title.text
    many = [interactive.ImageScore(str(i), str(i), (f"class {i % 30}",), 0.5, 0.5) for i in range(3001)]
    crowd = interactive.before_after_figure(many, "walk_start", "seg")
    assert {trace.type for trace in crowd.data} == {"scattergl"} and len(crowd.data) == 21
    assert "other classes" in named(crowd) and len(crowd.layout.meta["table"]["rows"]) == 500


def test_bins_hold_every_change_once():
    changes = [-12.4, -0.6, -0.4, 0.0, 0.4, 0.6, 3.0, 9.9]
    images = [interactive.ImageScore(str(i), str(i), ("cow",), 0.5, 0.5 + c / 100) for i, c in enumerate(changes)]
    figure = interactive.change_histogram(images, "walk_start", "cam_rw")
    bins = [(low, high, y) for t in figure.data for (low, high), y in zip(t.customdata, t.y, strict=True)]
    for low, high, count in bins:
        assert count == sum(low <= change < high for change in changes), (low, high)
    assert sum(count for *_, count in bins) == len(changes)
    assert {name: sum(trace.y) for name, trace in named(figure).items()} == {
        "worse": 2, "about the same": 3, "better": 3,
    }  # fmt: skip
    assert interactive.change_histogram([], "walk_start", "cam_rw").layout.meta["table"]["rows"] == [
        ["−0.5 … +0.5", "0"]
    ]


@pytest.mark.parametrize("draw", [interactive.before_after_figure, interactive.change_histogram])
def test_unknown_stages_and_scores_are_one_sentence(draw):
    for stages in (("walk", "cam_rw"), ("walk_start", "uncertain")):
        with pytest.raises(ValueError, match="there is no stage '(walk|uncertain)'; expected one of cam, "):
            draw(IMAGES, *stages)
        with pytest.raises(ValueError, match="there is no stage"):
            interactive.class_change_figure({}, *stages)
    for scores in ((float("nan"), 0.5), (0.5, float("inf"))):
        with pytest.raises(ValueError, match=r"x1 has the IoU \S+ before and \S+ after; expected numbers from 0 to 1"):
            draw([*IMAGES, interactive.ImageScore("x1", "x", ("cow",), *scores)], "walk_start", "cam_rw")


def test_means_of_classes_count_where_both_are_known():
    means = interactive.class_means([({"cow": 0.2, "dog": 0.4}, {"cow": 0.6}), ({"cow": 0.4}, {"cow": 0.5})])
    assert means == {"cow": (pytest.approx(0.3), pytest.approx(0.55), 2)}
    scores = {"cow": interactive.ClassScore(0.3, 0.55, 2), "dog": interactive.ClassScore(0.5, 0.1, 7)}
    figure = interactive.class_change_figure(scores, "walk_start", "cam_par")
    after = named(figure)["PAR"]
    assert list(after.customdata) == ["cow", "dog"] and list(after.x) == [55.0, 10.0]  # the largest loss on top
    assert figure.layout.meta["table"]["rows"][0] == ["dog", "7", "50.0", "10.0", "−40.0"]


def strings(part, key=""):
    """Every text of a figure's JSON that plotly writes on the page, with the key that it stands under."""
    if isinstance(part, dict):
        for name, value in part.items():
            if name not in ("meta", "customdata", "hovertemplate", "template"):
                yield from strings(value, name)
    elif isinstance(part, (list, tuple)):
        for value in part:
            yield from strings(value, key)
    elif isinstance(part, str):
        yield key, part


@pytest.mark.parametrize("name", HOSTILE)
def test_names_stay_text(name, tmp_path):
    images = [
        interactive.ImageScore(name, name, (name,), 0.1, 0.2),
        interactive.ImageScore("b", "b", ("cow",), 0.3, 0.2),
    ]
    figures = {
        "images": interactive.before_after_figure(images, "walk_start", "cam_rw"),
        "classes": interactive.class_change_figure({name: interactive.ClassScore(0.1, 0.2, 1)}, "walk_start", "seg"),
    }
    for figure in figures.values():
        data = figure.to_plotly_json()
        for key, text in strings(data):
            assert key in ("family", "shape") or "<" not in text, (key, text)
        assert not any(name in trace.get("hovertemplate", "") for trace in data["data"])  # plotly would fill in %{x}
    assert set(figures["images"].layout.meta["ids"]) == {name, "b"}
    html = interactive.write_page(figures, tmp_path / "page.html").read_text(encoding="utf-8")
    own = html[: html.index("plotly.js v")] + html[html.rindex("</script>\n<script>") :]  # without plotly's own code
    assert own.count("<script") == 3 and own.count("</script>") == 3
    assert "<img" not in own and "<b>" not in own and "<a " not in own


def test_long_names_are_short_on_one_line():
    assert base.shorten("a" * 60) == "a" * 39 + "…" and base.shorten("a\n b\t c") == "a b c"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_themes_have_colours_of_their_own(theme):
    figures = interactive.training_figures(LINES, theme=theme)
    text = json.dumps([figure.to_plotly_json() for figure in figures.values()])
    assert "var(--" not in text and chart_style.THEMES[theme]["accent"] in text
    assert figures["losses"].layout.template.layout.paper_bgcolor == chart_style.THEMES[theme]["paper"]


def test_a_page_puts_in_its_own_colours():
    found = set()
    for figure in interactive.training_figures(LINES, theme="page").values():
        found |= set(re.findall(r"var\(--(\w+)\)", json.dumps(figure.to_plotly_json())))
    assert {"accent", "ink", "grid"} <= found <= set(chart_style.THEMES["light"]) == set(chart_style.THEMES["dark"])
    with pytest.raises(ValueError, match="got the theme 'blue'; expected one of light, dark, page"):
        interactive.training_figures(LINES, theme="blue")
    with pytest.raises(ValueError, match="got no figure"):
        interactive.write_page({}, "nowhere.html")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_colours_are_those_of_the_page(theme):
    css = (EXPLORER / "style.css").read_text(encoding="utf-8")
    rule = re.search(r"\.dark \.afa \{([^}]*)\}" if theme == "dark" else r"\n\.afa \{([^}]*)\}", css)[1]
    page = dict(re.findall(r"--([\w-]+): (#\w{6})", rule))
    assert len(page) >= 6 and page == {name: chart_style.THEMES[theme][name] for name in page}


def test_figures_are_korean_on_the_korean_page():
    allowed = re.compile(r"CAM|PAR|m?IoU|mAP|%p|rgb\(|system-ui|sans-serif|var\(--\w+\)")
    with language_scope("ko", {"cow": "소", "dog": "개"}):
        figures = [*interactive.training_figures(LINES, theme="page").values(),
                   interactive.before_after_figure(IMAGES, "walk_start", "cam_rw", theme="page"),
                   interactive.change_histogram(IMAGES, "walk_start", "cam_rw", theme="page")]  # fmt: skip
    for figure in figures:
        layout = figure.layout
        said = [layout.title.text, layout.xaxis.title.text, layout.yaxis.title.text, layout.meta["description"],
                *layout.meta["table"]["columns"], *(trace.name for trace in figure.data)]  # fmt: skip
        for text in filter(None, said):
            assert not re.search("[A-Za-z]{2,}", allowed.sub("", text)), text
    assert "소" in named(figures[3])


def test_json_is_small():
    lines = [{"iteration": 5 * i, "lr": 1e-3 / (i + 1), "loss_cls": 1 / (i + 3), "loss_seg": 0.123456, "loss_aff": 0.3}
             for i in range(400)]  # fmt: skip
    figures = interactive.training_figures(lines, theme="page")
    assert sum(len(figure.to_json()) for figure in figures.values()) < 100_000
    images = [interactive.ImageScore(f"val_{i:04d}", f"val_{i:04d}", ("cow",), i / 400, 0.5) for i in range(400)]
    assert len(interactive.before_after_figure(images, "walk_start", "seg", theme="page").to_json()) < 60_000


def test_plotly_js_comes_from_the_package():
    script = interactive.plotly_js()
    assert len(script) > 1_000_000 and "Plotly" in script[-200:]
    assert re.fullmatch(r"\d+\.\d+\.\d+\w*", interactive.plotly_version())
