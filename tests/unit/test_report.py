"""The strip of stages and the report: whole, escaped, in need of nothing else, and with the trace's numbers."""

from __future__ import annotations

import dataclasses
import json
import re

import numpy as np
import pytest
import torch
from figure_trace import figure_trace
from report_file import Page, answer, attention_of, block, opened, unpacked

import afa_viz
from afa_viz import lab
from afa_viz import stage_scores as scores
from afa_viz.config import ExplainConfig
from afa_viz.figures import maps, strip, strip_tiles
from afa_viz.figures.typography import format_number, format_percent
from afa_viz.model.afa import build_afa
from afa_viz.pipeline import recompute
from afa_viz.trace import NOT_KEPT, Trace
from afa_viz.ui.handlers import payload, payload_attention
from afa_viz.ui.localization import texts
from afa_viz.ui.report.document import document
from afa_viz.ui.site import held


@pytest.fixture(scope="module")
def trace() -> Trace:
    return figure_trace()


@pytest.fixture(scope="module")
def page(trace) -> str:
    return document(trace)


@pytest.fixture
def bare(trace) -> Trace:
    """Without ground truth."""
    return dataclasses.replace(trace, target=None)


def test_strip_lists_the_stages_and_their_change(trace, bare):
    row = strip_tiles.stage_tiles(trace, label=6)
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
    assert by_stage["cam"].notes[0].startswith("cat IoU") and by_stage["cam"].notes[-1] == "threshold 0.45"
    assert all(p.change is None for p in strip_tiles.stage_tiles(bare))
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
    row = {p.stage: p for p in strip_tiles.stage_tiles(other)}
    for stage in ("cam_rw", "cam_par"):
        assert row[stage].left_out == (stage in gone) == ("left out" in row[stage].title)
        assert (row[stage].change is None) == (stage in gone)
    text = document(other)
    assert answer(text, "stages")["left_out"] == gone
    words = Page(text).words("en")
    assert words.count(": left out") == len(gone)
    assert words.count("is switched off") == sum(not value for value in changes.values() if value is False)


def test_labels_name_the_parts_that_they_train(trace):
    known = dataclasses.replace(trace, affinity_trained_on="affinity_label", decoder_trained_on="pseudo_label")
    for other, notes, words in (
        (
            known,
            ("trains affinity", "trains decoder"),
            "The decoder of this model was last trained on the pseudo label (R_aff).",
        ),
        (
            dataclasses.replace(known, decoder_trained_on="affinity_label"),
            ("trains affinity and decoder", "trains no part of this model"),
            "The decoder of this model was last trained on the affinity label (R_cam).",
        ),
        (
            dataclasses.replace(known, affinity_trained_on="pseudo_label"),  # COCO
            ("trains no part of this model", "trains affinity and decoder"),
            "The affinity of this model was last trained on the pseudo label (R_aff).",
        ),
        (trace, (None, None), "The card of this model does not state what its decoder was trained on."),
    ):
        row = {p.stage: p for p in strip_tiles.stage_tiles(other)}
        for stage, note in zip(("affinity_label", "pseudo_label"), notes, strict=True):
            assert [text for text in row[stage].notes if text.startswith("trains")] == ([note] if note else [])
        assert words in Page(document(other)).words("en")


# --- the file --------------------------------------------------------------------------------------------------------


def test_report_is_whole_and_needs_nothing_else(trace, tmp_path):
    path = trace.report(tmp_path / "deep" / "report.html")
    text = path.read_text(encoding="utf-8")
    assert [p.name for p in path.parent.iterdir()] == ["report.html"]  # nothing half-written is left
    assert path.stat().st_size < 1_500_000
    assert "http:" not in text and "https:" not in text and "<link" not in text and "default-src 'none'" in text
    given = block(text)
    assert "plotly.js v" not in given["script"] and not re.search(r"https?://(?!www\.w3\.org/)", given["script"])
    found = Page(text)
    assert len(found.ids) == len(set(found.ids))
    assert all(image["src"].startswith("data:image/webp;base64,") and image["alt"] for image in found.images)
    assert found.tags >= {"main", "section", "h1", "h2", "figure", "figcaption", "table", "caption", "noscript"}
    assert "prefers-color-scheme: dark" in text and "@media print" in text


def test_every_stage_is_a_picture_with_its_numbers(trace, page):
    found = Page(page)
    stages = {tile.stage for tile in strip_tiles.stage_tiles(trace)}
    assert set(found.pictures) == stages | {"head", "affinity_raw", "change"}
    heads = sum(len(trace.logits(block)) for block in (-1, -2))
    assert found.pictures.count("head") == heads and len(found.images) == len(found.pictures)
    for classes in ("cam", "cam_rw", "cam_par"):  # of every class, and the background where it has scores
        assert found.pictures.count(classes) == len(trace.present) + (classes != "cam")
    words = found.words("en")
    table, label = scores.stage_scores(trace), maps.main_label(trace)
    assert table is not None
    for stage in ("cam", "walk_start", "cam_rw", "cam_par", "seg"):
        assert format_percent(table[stage]["miou"]) in words and format_percent(table[stage]["pixel_accuracy"]) in words
    for change in scores.stage_changes(table, trace.config, label).values():
        assert f"change {format_percent(change, signed=True)}" in words
    precision = scores.label_precision(trace)
    assert precision is not None
    for name in scores.PARTIAL_LABELS:
        assert format_percent(precision[name]["all"]) in words
    for logit in trace.class_logits.topk(5).values.tolist():
        assert format_number(logit) in words
    for weight in maps.head_weights(trace)[0].tolist():
        assert format_number(weight) in words
    for key in ("cam", "attention", "affinity", "walk", "par", "regions", "seg"):
        assert texts()[f"{key}.equation"] in page  # test_statements holds them to the code


def test_the_explorer_in_it_has_the_numbers_of_the_trace(trace, page):
    stages, scene = answer(page, "stages"), answer(page, "scene")
    sent = payload.stages(trace, "report", "report")
    assert opened({name: stages[name] for name in sent}) == opened(json.loads(payload.to_json(sent)))
    used = [0, *trace.present]
    for name, values in (("cam_rw", trace.cam_rw[used]), ("cam_par", trace.cam_par[used])):
        step = (stages[name]["high"] - stages[name]["low"]) / 255
        assert np.abs(unpacked(stages[name]) - values.numpy()).max() <= step / 2 + 1e-6
    for name in scores.PARTIAL_LABELS:
        assert (unpacked(stages[name]) == getattr(trace, name).numpy()).all()
    assert trace.target is not None
    assert (unpacked(scene["seg"]) == trace.seg.numpy()).all()
    assert (unpacked(scene["target"]) == trace.target.numpy()).all()
    assert answer(page, "overview") == json.loads(payload.to_json(payload_attention.overview(trace)))
    affinity = json.loads(payload.to_json(payload_attention.affinity(trace)))
    assert opened(answer(page, "affinity")) == opened(affinity)
    for number in range(8):
        for logits in (False, True):
            shown = attention_of(answer(page, "attention", block=number, logits=logits))
            real = payload_attention.cell_maps(trace, number, logits).numpy()
            assert np.abs(shown - real).max() <= max(np.ptp(real), real.max()) / 255
    assert stages["held"] is None


def test_the_lab_in_it_gives_the_verdicts_of_the_trace(trace, page):
    steps = answer(page, "lab")
    assert [step["name"] for step in steps["steps"]] == [question.name for question in lab.QUESTIONS]
    assert steps["failures"] == [] and not any("example" in step for step in steps["steps"])
    assert {step["name"] for step in steps["steps"] if step["missing"] == "file"} == {"crf"}
    pairs = ["positive", "ignored", "negative"]
    for step, given in (("labels", "tiny"), ("cut", 0.4), ("walk", "rises"), ("par", "same"), ("pairs", pairs)):
        found = answer(page, "lab_verdicts", step=step, label=6)
        verdict = found["verdicts"][found["answers"][json.dumps(given, separators=(",", ":"))]]
        real = lab.check(trace, step, given, 6)
        assert (verdict["right"], verdict["truth"]) == (real.is_correct, real.correct_option)
        assert verdict["facts"] == real.facts


def test_what_comes_from_outside_is_escaped(bare):
    evil = "</script><script>window.hacked=1</script><img src=x onerror=hacked=1>&{{x}}"
    names = ("background", *(f"{evil}{i}" for i in range(1, 13)))
    text = document(dataclasses.replace(bare, class_names=names, checkpoint_id=f"{evil}\nimport os"), about={
        "title": evil, "story": evil, "domain": evil})  # fmt: skip
    assert text.count("<script") == 2 and text.count("</script>") == 2 and "<img src=x" not in text
    assert "&lt;/script&gt;&lt;script&gt;window.hacked=1" in text
    Page(text)
    assert answer(text, "stages")["names"] == list(names) and answer(text, "stages")["title"] == evil
    (line,) = [line for line in block(text)["program"].splitlines() if "checkpoint" in line]
    assert line.startswith("model = ") and "import os" in line  # still a comment
    compile(block(text)["program"], "program", "exec")


def test_report_without_truth_classes_walk_and_refinement(bare):
    config = dataclasses.replace(bare.config, use_walk=False, use_par=False, num_iters=0)
    predicted = document(dataclasses.replace(bare, labels_given=False))
    assert "The ground truth of this image is not known" in Page(predicted).words("en")
    assert answer(predicted, "scene")["target"] is None and answer(predicted, "stages")["scores"] is None
    nothing = document(dataclasses.replace(bare, image_labels=torch.zeros(12), config=config))
    words = Page(nothing).words("en")
    assert "switched off" in words and "no class" in words and "nothing to explore" in words
    assert "<script" not in nothing  # the pictures alone


def test_a_file_of_a_trace_is_enough(trace, page, tmp_path):
    loaded = Trace.load(trace.save(tmp_path / "trace.npz"))
    assert document(dataclasses.replace(loaded, checkpoint_id="nobody knows it")) != page
    assert document(loaded) == page


def test_names_and_language_are_those_that_were_asked_for(trace):
    korean = document(trace, "ko", {"cat": "<야옹이>"})
    assert '<html lang="ko">' in korean and block(korean)["language"] == "ko"
    assert "&lt;야옹이&gt;" in korean and "<야옹이>" not in korean and "CAM: <야옹이>" in Page(korean).words("ko")
    given = block(korean)["tables"]["languages"]["ko"]
    assert given["class.cat"] == "<야옹이>" and given["class.dog"] == "개"
    assert "야옹이" not in Page(korean).words("en")
    with pytest.raises(ValueError, match="expected one of en, ko"):
        document(trace, "tlh")


def test_write_report_is_the_same_as_a_function(trace, page, tmp_path):
    assert afa_viz.write_report(trace, tmp_path / "a.html").read_text(encoding="utf-8") == page


# --- what a file has no room for --------------------------------------------------------------------------------------


def facts_of(text: str) -> dict:
    return answer(text, "stages")["held"]


def sizes(trace: Trace) -> tuple[list[int], int]:
    """Characters of the attention of the last two blocks, and of what is held whatever it takes."""
    answers, _ = held.held_maps(trace, "report")
    last = [len(text) for name, text in answers if re.search(r'"block":[67].*"logits":false', name)]
    return last, sum(len(text) for name, text in answers if not name.startswith("attention"))


def test_early_blocks_are_left_out_first(trace, monkeypatch):
    last, others = sizes(trace)
    monkeypatch.setattr(held, "PAGE", 0)
    monkeypatch.setattr(held, "FILE", others + sum(last) + 200)
    answers, facts = held.held_maps(trace, "report")
    assert facts == {"probs": [6, 7], "logits": [], "queries": None}
    assert sum(len(text) for _, text in answers) <= held.FILE


def test_where_not_even_the_last_block_fits_some_cells_are_held(trace, monkeypatch):
    last, others = sizes(trace)
    monkeypatch.setattr(held, "PAGE", 0)
    monkeypatch.setattr(held, "FILE", others + min(last) - 1)
    answers, facts = held.held_maps(trace, "report")
    assert facts["probs"] == facts["logits"] == [6, 7]
    queries = [tuple(cell) for cell in facts["queries"]]
    assert {maps.strongest_cell(trace, label) for label in trace.present} <= set(queries) and len(queries) < 30
    named = dict(answers)
    assert sum(name.startswith("attention") for name in named) == 4 * len(queries)
    assert sum('"cell"' in name for name in named) == 5 * len(queries)
    for cell in queries[:2]:
        name = held.answer_name("attention", {"key": "report", "block": 7, "logits": False, "cell": list(cell)})
        shown = attention_of(json.loads(named[name]))
        real = payload_attention.cell_maps(trace, 7, cell=cell).numpy()
        assert np.abs(shown - real).max() <= real.max() / 255


@pytest.mark.parametrize(
    "grid, always, most", [((34, 40), [(0, 0), (33, 39)], 100), ((5, 6), [(2, 2)], 1), ((64, 64), [], 64)]
)
def test_a_lattice_is_even_and_has_what_it_must(grid, always, most):
    cells = held.lattice(grid, always, most)
    assert len(cells) <= max(most, len(always)) and set(always) <= set(cells) and len(set(cells)) == len(cells)
    assert cells == sorted(cells) and all(0 <= r < grid[0] and 0 <= c < grid[1] for r, c in cells)
    rows = sorted({r for r, _ in set(cells) - set(always)})
    assert len({b - a for a, b in zip(rows, rows[1:], strict=False)}) <= 1


def test_of_256_pixels_a_file_has_at_most_3_mb_whatever_they_show():
    """Noise, of which nothing is small: photographs and maps of a trained network take less."""
    torch.manual_seed(0)
    pixels = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    model, config = build_afa("mit_b0", num_classes=13), ExplainConfig(scales=(1.0,), flip=False, num_iters=1)
    trace = afa_viz.explain(model, pixels, ["cat", "dog", "bird"], config, target=np.full((256, 256), 6, np.uint8))
    text = document(trace)
    assert len(text.encode()) <= 3_000_000
    assert 7 in facts_of(text)["probs"]


def test_attention_that_was_not_kept_is_said_to_be_missing(trace, page):
    early = [None] * 6
    less = dataclasses.replace(trace, attn_logits=(*early, *trace.attn_logits[6:]),
                               config=dataclasses.replace(trace.config, keep_attention="last_stage"))  # fmt: skip
    text = document(less)
    assert NOT_KEPT[1:] in Page(text).words("en") and NOT_KEPT[1:] not in Page(page).words("en")
    assert Page(text).pictures == Page(page).pictures
    assert answer(text, "stages")["first_block"] == 6 and answer(text, "overview")["blocks"][:6] == early
    assert facts_of(text) is None
