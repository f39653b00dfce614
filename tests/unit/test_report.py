"""The strip of stages and the report: whole, escaped, and in need of nothing else."""

from __future__ import annotations

import dataclasses
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from figure_trace import figure_trace

from afa_viz import stage_scores as scores
from afa_viz.figures import label_sections, report, strip
from afa_viz.pipeline import recompute
from afa_viz.trace import Trace


@pytest.fixture(scope="module")
def trace() -> Trace:
    return figure_trace()


@pytest.fixture
def bare(trace) -> Trace:
    """Without ground truth."""
    return dataclasses.replace(trace, target=None)


def test_strip_lists_the_stages_and_their_change(trace, bare):
    row = strip.stage_tiles(trace, label=6)
    assert [p.stage for p in row] == [
        "image", "cam", "affinity_label", "attention", "affinity", "cam_rw", "cam_par", "regions", "pseudo_label",
        "seg", "target",
    ]  # fmt: skip
    assert {p.stage for p in row} == set(strip.PLACES) and len(set(strip.PLACES.values())) == len(strip.PLACES)
    found = scores.stage_scores(trace)
    assert found is not None
    by_stage = {p.stage: p for p in row}
    for stage, before in (("cam_rw", "walk_start"), ("cam_par", "cam_rw"), ("seg", "cam_par")):
        old, new = (found[one]["iou"][6] for one in (before, stage))
        assert by_stage[stage].change == pytest.approx(new - old)
    changed = {p.stage for p in row if p.change is not None}
    assert changed == {"cam_rw", "cam_par", "seg"}  # no arrow from another rule, none from or to a part of the pixels
    assert by_stage["cam"].notes[0].startswith("cat IoU") and by_stage["cam"].notes[-1] == "cut once at 0.45"
    assert all(p.change is None for p in strip.stage_tiles(bare))
    assert strip.strip(bare, side=80).dtype == np.uint8
    dark = strip.strip(trace, side=80, theme=strip.DARK)
    assert tuple(dark[0, 0]) == strip.DARK.paper


def test_the_strip_is_a_fork():
    """The affinity comes from the attention, never from the CAM; both meet at the walk; R_cam branches off the CAM."""
    into = {after: {before for before, one in strip.ARROWS if one == after} for _, after in strip.ARROWS}
    assert into["affinity"] == {"attention"} and into["attention"] == {"image"}
    assert into["cam_rw"] == {"cam", "affinity"}
    assert into["affinity_label"] == {"cam"} and into["pseudo_label"] == {"regions"}


@pytest.mark.parametrize(
    "changes, gone",
    [
        ({"use_walk": False}, ["cam_rw"]),
        ({"use_par": False}, ["cam_par"]),
        ({"num_iters": 0}, ["cam_par"]),
        ({"use_walk": False, "use_par": False}, ["cam_rw", "cam_par"]),
    ],
    ids=str,
)
def test_a_step_that_is_left_out_says_so_and_has_no_arrow(trace, changes, gone):
    other = recompute(trace, dataclasses.replace(trace.config, **changes))
    row = {p.stage: p for p in strip.stage_tiles(other)}
    for stage in ("cam_rw", "cam_par"):
        assert row[stage].left_out == (stage in gone) == ("left out" in row[stage].title)
        assert (row[stage].change is None) == (stage in gone)
    Page(report.page(other))
    html = report.page(other)
    assert html.count('<span class="fork"') == ("cam_rw" not in gone)
    assert html.count("left out</th>") == len(gone)


def test_labels_say_what_they_taught(trace):
    known = dataclasses.replace(trace, affinity_trained_on="affinity_label", decoder_trained_on="pseudo_label")
    for other, notes, words in (
        (
            known,
            ("taught affinity", "taught decoder"),
            "The decoder of this model learned from the pseudo label (R_aff).",
        ),
        (
            dataclasses.replace(known, decoder_trained_on="affinity_label"),
            ("taught affinity and decoder", "taught nothing in this model"),
            "The decoder of this model learned from the affinity label (R_cam).",
        ),
        (
            dataclasses.replace(known, affinity_trained_on="pseudo_label"),  # COCO
            ("taught nothing in this model", "taught affinity and decoder"),
            "The affinity of this model learned from the pseudo label (R_aff).",
        ),
        (trace, (None, None), "What the decoder of this model learned from is not known: its card does not say it."),
    ):
        row = {p.stage: p for p in strip.stage_tiles(other)}
        for stage, note in zip(("affinity_label", "pseudo_label"), notes, strict=True):
            assert [text for text in row[stage].notes if text.startswith("taught")] == ([note] if note else [])
        assert words in report.page(other)


class Page(HTMLParser):
    """Tags of a page: opened and closed in order, pictures with texts, headings, ids."""

    VOID = {"meta", "img", "input", "br"}

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.images: list[dict] = []
        self.ids: list[str] = []
        self.tags: set[str] = set()
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.tags.add(tag)
        self.ids += [values["id"]] if "id" in values else []
        if tag == "img":
            self.images.append(values)
        if tag not in self.VOID and tag not in ("line", "rect"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        if tag in ("line", "rect") and (not self.open or self.open[-1] != tag):
            return
        assert self.open and self.open.pop() == tag, f"</{tag}> closes nothing"


def test_report_is_whole_and_needs_nothing_else(trace, tmp_path):
    path = trace.report(tmp_path / "deep" / "report.html")
    text = path.read_text(encoding="utf-8")
    assert [p.name for p in path.parent.iterdir()] == ["report.html"]  # nothing half-written is left
    assert path.stat().st_size < 1_500_000
    assert "http:" not in text and "https:" not in text and "<link" not in text and 'src="data:' in text
    assert "url(data:image/png;base64," in text and "$" not in text
    page = Page(text)
    for stage in ("image", "cam", "attention", "affinity", "cam_rw", "cam_par", "regions", "pseudo_label", "seg"):
        assert stage in page.ids
    assert len(page.ids) == len(set(page.ids))
    assert all("alt" in image for image in page.images)
    assert sum(not image["alt"] for image in page.images) == 1  # the hidden data of the threshold canvas
    assert page.tags >= {
        "main",
        "nav",
        "section",
        "h1",
        "h2",
        "figure",
        "figcaption",
        "table",
        "caption",
        "svg",
        "canvas",
    }
    assert "prefers-color-scheme: dark" in text


def test_report_escapes_what_comes_from_a_checkpoint(bare):
    names = ("background", *(f"<u>{i}&" for i in range(1, 13)))
    text = report.page(dataclasses.replace(bare, class_names=names, checkpoint_id="<script>"))
    assert "<u>" not in text and "&lt;u&gt;6&amp;" in text
    assert text.count("<script>") == 1  # its own
    Page(text)


def test_report_without_classes_walk_and_refinement(bare):
    config = dataclasses.replace(bare.config, use_walk=False, use_par=False, num_iters=0)
    empty = torch.zeros(12)
    text = report.page(dataclasses.replace(bare, image_labels=empty, config=config))
    assert "switched off" in text and "no class" in text


def test_sliders_show_the_trace(trace):
    walked = label_sections.walk(trace, 6)
    assert walked.count("cat, step by step: ") == label_sections.WALK_FRAMES + 1
    refined = label_sections.par(trace, 6)
    assert refined.count("cat, iteration by iteration: ") == trace.config.num_iters + 1
    assert 'value="10"' in refined and "10 iterations" in refined
