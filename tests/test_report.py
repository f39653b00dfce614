"""The strip of stages and the report: whole, escaped, and in need of nothing else."""

from __future__ import annotations

import dataclasses
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from pictured import pictured

from afa_viz import stage_scores as scores
from afa_viz.figures import label_sections, report, strip
from afa_viz.trace import Trace


@pytest.fixture(scope="module")
def trace() -> Trace:
    return pictured()


@pytest.fixture
def bare(trace) -> Trace:
    """Without ground truth."""
    return dataclasses.replace(trace, target=None)


def test_strip_lists_the_stages_and_their_change(trace, bare):
    row = strip.panels(trace, label=6)
    assert [p.stage for p in row] == [
        "image", "cam", "attention", "affinity", "cam_rw", "cam_par", "regions", "pseudo_label", "seg", "target",
    ]  # fmt: skip
    ladder = scores.stage_scores(trace)
    assert ladder is not None
    by_stage = {p.stage: p for p in row}
    assert by_stage["cam_rw"].change == pytest.approx(ladder["cam_rw"]["iou"][6] - ladder["cam"]["iou"][6])
    assert by_stage["cam"].notes[0].startswith("cat IoU")
    assert all(p.change is None for p in strip.panels(bare))
    one, two = strip.strip(bare, side=80), strip.strip(bare, side=80, columns=5)
    assert one.dtype == np.uint8 and one.shape[1] > two.shape[1] and one.shape[0] < two.shape[0]
    dark = strip.strip(trace, side=80, theme=strip.DARK)
    assert tuple(dark[0, 0]) == strip.DARK.paper


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
