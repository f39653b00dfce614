"""The strip as the fork it is, and the two labels: what is held against what, what each is for, live and as sent."""

from __future__ import annotations

import json
import re

import pytest
from app_fixtures import launched, prepare, tiny
from browser import (  # noqa: F401  (fixtures)
    Page,
    browser,
    changes,
    expect,
    keep_picture,
    key,
    next_frame,
    pixels,
    pytestmark,
    ready,
    recomputed,
    show_overview,
    tab,
    visit,
)

from afa_viz.model.checkpoint import save_model

LABELS = ("affinity_label", "pseudo_label")
DELTA = re.compile(r"[▲▼=] ([\d.]+)")


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """Three models: one whose teachers nobody knows, one taught as published, one with the other label for both."""
    options = prepare(tmp_path_factory.mktemp("page"))
    teachers = {
        "published": {"affinity_trained_on": "affinity_label", "decoder_trained_on": "pseudo_label"},
        "swapped": {"affinity_trained_on": "pseudo_label", "decoder_trained_on": "pseudo_label"},
    }
    for name, facts in teachers.items():
        model, card = tiny(1, **facts)
        save_model(model, options.checkpoint_folder / name / "model.safetensors", card)
    with launched(options) as served:
        yield served


def payload(page: Page) -> dict:
    """What the page shows, as the server sent it."""
    found: list[str] = []
    page.on("response", lambda response: found.append(response.url))
    return page.evaluate(
        """async () => {
             const config = window.gradio_config.components.find((c) => c.props.elem_id === "afa-explorer");
             return JSON.parse(config.props.value);
           }"""
    )


def stage(page: Page, name: str):
    return page.locator(f'.afa-stage[data-stage="{name}"]')


# --- the strip -------------------------------------------------------------------------------------------------------


def test_arrows_stand_where_a_step_may_be_credited(visit):  # noqa: F811
    page = visit()
    shown = payload(page)
    assert shown["steps"] == [
        {"stage": "cam_rw", "before": "walk_start"}, {"stage": "cam_par", "before": "par_start"},
        {"stage": "seg", "before": "cam_par"},
    ]  # fmt: skip
    expect(page.locator(".afa-stage .afa-arrow:visible")).to_have_count(3)
    label = str(shown["main"])
    for step in shown["steps"]:
        scores = shown["scores"]
        after, before = (scores[step[side]]["iou"].get(label, 0) for side in ("stage", "before"))
        found = DELTA.search(stage(page, step["stage"]).locator(".afa-arrow").inner_text())
        assert found and float(found[1]) == pytest.approx(abs(100 * (after - before)), abs=0.051), step
    expect(stage(page, "seg").locator(".afa-arrow")).to_contain_text("vs PAR")
    expect(stage(page, "cam").locator(".afa-score")).to_contain_text("at β: IoU")
    for name in LABELS:
        certain, right = 1 - shown["shares"][name]["uncertain"], shown["precision"][name]["all"]
        words = stage(page, name).locator(".afa-score")
        expect(words).to_contain_text(f"{100 * certain:.1f}\u00a0% certain")
        expect(words).to_contain_text(f"{100 * right:.1f}\u00a0% correct")
        expect(words).not_to_contain_text("IoU")
    expect(stage(page, "regions").locator(".afa-score")).not_to_contain_text("IoU")


@pytest.mark.parametrize("gone, stage_", [("random walk", "cam_rw"), ("PAR", "cam_par")])
def test_a_step_that_is_left_out_says_so_and_has_no_arrow(visit, gone, stage_):  # noqa: F811
    page = visit(query=f"left_out={gone.replace(' ', '+')}")
    expect(stage(page, stage_).locator(".afa-score")).to_have_text("left out")
    expect(stage(page, stage_).locator(".afa-arrow")).to_be_hidden()
    expect(page.locator(".afa-stage .afa-arrow:visible")).to_have_count(2)
    panel = tab(page, "seg")
    expect(page.locator(f'{panel} [data-fill="certain"]')).to_contain_text("left out.")
    expect(page.locator(f'{panel} [data-score="{stage_}"]')).to_have_count(0)
    expect(page.locator(f"{panel} .afa-fork, .afa-fork .afa-dashed")).to_have_count(1)
    start = {"cam_rw": "par_start", "cam_par": "walk_start"}[stage_]  # what the other step starts from is a row
    expect(page.locator(f'{panel} [data-score="{start}"]')).to_have_count(1)


@pytest.mark.parametrize("width, theme", [(1440, "light"), (1024, "dark"), (390, "light")])
def test_the_fork_is_a_fork(visit, width, theme):  # noqa: F811
    """Two things leave the network and meet at the walk; the other label leaves the CAM; the decoder stands apart."""
    page = visit(width, 900, theme)
    show_overview(page)
    lines = page.locator(".afa-fork > path")
    expect(lines).to_have_count(9)
    next_frame(page)
    boxes = {
        item["name"]: item
        for item in page.locator(".afa-stage:visible").evaluate_all(
            """(items) => items.map((item) => { const { x, y, width, height } = item.querySelector("[data-open] canvas")
                 .getBoundingClientRect(); return { name: item.dataset.stage, x, y, width, height }; })"""
        )
    }
    assert boxes["cam"]["x"] == pytest.approx(boxes["affinity"]["x"], abs=1)
    assert boxes["cam"]["y"] < boxes["image"]["y"] < boxes["affinity"]["y"]
    assert [boxes[name]["x"] for name in ("affinity", "cam_rw", "cam_par", "regions", "pseudo_label")] == sorted(
        boxes[name]["x"] for name in ("affinity", "cam_rw", "cam_par", "regions", "pseudo_label")
    )
    assert boxes["affinity_label"]["y"] == pytest.approx(boxes["cam"]["y"], abs=1)  # beside the CAM, not after the walk
    paths = lines.evaluate_all("(paths) => paths.map((path) => path.getAttribute('d'))")
    origin = page.locator(".afa-strip").bounding_box()
    ends = [(path, [float(n) for n in re.findall(r"[\d.]+", path)]) for path in paths]

    def into(name: str) -> int:
        """Lines that end at the left of a picture, in its middle, or above it."""
        left, top = boxes[name]["x"] - origin["x"], boxes[name]["y"] - origin["y"]
        x, y, count = left + boxes[name]["width"] / 2, top + boxes[name]["height"] / 2, 0
        for path, numbers in ends:
            if path.rfind("H") > path.rfind("V"):
                count += abs(numbers[-1] - left) < 6 and abs(numbers[-2 if "V" in path else 1] - y) < 2
            else:
                count += top - 40 < numbers[-1] < top and abs(numbers[-2 if "H" in path else 0] - x) < 2
        return count

    counts = {name: into(name) for name in boxes if name != "image"}
    assert counts == {"cam": 1, "affinity": 1, "cam_rw": 2, "cam_par": 1, "affinity_label": 1, "regions": 1,
                      "pseudo_label": 1, "seg": 1, "target": 0}  # fmt: skip
    for arrow in page.locator(".afa-stage .afa-arrow:visible").all():
        assert arrow.bounding_box()["width"] >= 24
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    keep_picture(page.locator(".afa-strip"), f"fork_{width}_{theme}")


# --- two labels ------------------------------------------------------------------------------------------------------


def test_regions_shows_both_labels_and_what_each_is_for(visit):  # noqa: F811
    page = visit(query="model=published&tab=regions")
    panel, canvas = "[role=tabpanel][data-tab=regions]", '[data-tab="regions"] [data-view="label"] canvas'
    expect(page.locator(f'{panel} [data-fill="purpose"]')).to_contain_text(
        "The decoder is trained on it in the joint phase"
    )
    expect(page.locator(f'{panel} [data-fill="taught"]')).to_have_text(
        "In this model, the affinity was last trained on the affinity label, the decoder on the pseudo label."
    )
    before = pixels(page, canvas)
    page.get_by_role("button", name="Affinity label", exact=True).last.click()
    changes(page, canvas, before)
    expect(page.locator(f'{panel} [data-view="label"] figcaption')).to_have_text("Affinity label")
    expect(page.locator(f'{panel} [data-fill="purpose"]')).to_contain_text("The affinity is trained on it")
    page.wait_for_function("location.search.includes('label=affinity_label')")
    again = visit(query="model=published&tab=regions&label=affinity_label")
    expect(again.locator(f'{panel} [data-label="affinity_label"]')).to_have_attribute("aria-pressed", "true")
    assert pixels(again, canvas) == pixels(page, canvas)
    unknown = visit(query="model=tiny&tab=regions&label=nonsense")
    expect(unknown.locator(f'{panel} [data-fill="taught"]')).to_contain_text("does not state")
    expect(unknown.locator(".afa-status")).to_contain_text("ignored: label")


@pytest.mark.parametrize("label", LABELS)
def test_thresholds_are_live_for_both_labels(visit, label):  # noqa: F811
    """While a threshold is dragged the browser draws what the server then says."""
    page = visit(query=f"tab=regions&label={label}")
    page.wait_for_timeout(1500)  # the browser has got ready
    slider = page.locator('[data-tab="regions"] [data-setting="high"] input')
    canvas, before = '[data-tab="regions"] [data-view="label"] canvas', key(page)
    old = pixels(page, canvas)
    slider.evaluate("(slider) => { slider.value = 0.8; slider.dispatchEvent(new Event('input')); }")
    changes(page, canvas, old)
    dragged = page.locator('[data-tab="regions"] [data-list="shares"]').inner_text()
    assert key(page) == before  # nobody was asked
    slider.evaluate("(slider) => slider.dispatchEvent(new Event('change'))")
    recomputed(page, before)
    output = page.locator('[data-tab="regions"] [data-list="shares"]').inner_text()
    numbers = [[float(n) for n in re.findall(r"[\d.]+", text)] for text in (dragged, output)]
    assert numbers[0] == pytest.approx(numbers[1], abs=0.3)


def test_the_affinity_tab_is_labelled_by_the_label_that_the_affinity_learned_from(visit):  # noqa: F811
    output = {}
    for model in ("published", "swapped", "tiny"):
        page = visit(query=f"model={model}&tab=affinity")
        panel = "[role=tabpanel][data-tab=affinity]"
        page.locator(f"{panel}[data-state=ready]").wait_for()
        output[model] = page.locator(f'{panel} [data-fill="teacher"]').inner_text()
    assert output["published"].endswith("from the affinity label: CAM, PAR and two thresholds, without the walk.")
    assert "trained on the other label" in output["swapped"] and "pseudo label" in output["swapped"]
    assert "does not state what its affinity was trained on" in output["tiny"]


def test_the_labels_of_pairs_follow_a_threshold(visit):  # noqa: F811
    page = visit(query="tab=affinity&cell=3,3")
    page.locator("[role=tabpanel][data-tab=affinity][data-state=ready]").wait_for()
    page.locator('[data-tab="affinity"] [data-matrix="labels"]').click()
    maps = [f'[data-tab="affinity"] [data-view="{name}"] canvas' for name in ("labels", "matrix")]
    old, before = [pixels(page, one) for one in maps], key(page)
    page.locator("#afa-bkg_score_high input[type=range]").evaluate(
        """(slider) => { slider.dispatchEvent(new PointerEvent("pointerdown", { bubbles: true })); slider.value = 1;
             slider.dispatchEvent(new Event("input", { bubbles: true })); }"""
    )
    for one, was in zip(maps, old, strict=True):
        changes(page, one, was)
    live = page.locator('[data-tab="affinity"] [data-list="labels"]').inner_text()
    assert key(page) == before
    page.evaluate("window.dispatchEvent(new PointerEvent('pointerup'))")
    recomputed(page, before)
    page.locator("[role=tabpanel][data-tab=affinity][data-state=ready]").wait_for()
    expect(page.locator('[data-tab="affinity"] [data-list="labels"]')).to_have_text(live)


def test_compare_holds_labels_by_what_is_certain(visit):  # noqa: F811
    page = visit(query="tab=compare&b_switched=random+walk&b_stage=pseudo_label")
    titles = page.locator('[data-tab="compare"] .afa-pair figcaption')
    expect(titles.nth(0)).to_contain_text(re.compile(r"A: Pseudo label, [\d.]+\s% certain, [\d.]+\s% correct"))
    expect(titles.nth(1)).to_contain_text(re.compile(r"B: Pseudo label, [\d.]+\s% certain, [\d.]+\s% correct"))
    columns = page.locator('[data-tab="compare"] .afa-board > .afa-score')
    expect(columns.nth(5)).not_to_contain_text(re.compile("[▲▼]"))  # no change of IoU between different pixels
    expect(columns.nth(3)).to_contain_text(re.compile(r"[▲▼=]"))  # the walk, on all pixels


def test_compare_shows_both_labels(visit):  # noqa: F811
    page = visit(query="tab=compare&b_switched=random+walk&b_stage=affinity_label")
    titles = page.locator('[data-tab="compare"] .afa-pair figcaption')
    expect(titles.nth(1)).to_contain_text(re.compile(r"B: Affinity label, [\d.]+\s% certain, [\d.]+\s% correct"))
    column = page.locator('[data-tab="compare"] .afa-board > .afa-score').nth(1)
    expect(column).to_contain_text("equal")  # it is made without the walk
    page = visit(query="tab=compare&b_switched=other+scales+of+the+CAM&b_stage=affinity_label")
    column = page.locator('[data-tab="compare"] .afa-board > .afa-score').nth(1)
    expect(column).to_contain_text(re.compile(r"[\d.]+\s%"))
    expect(column).not_to_contain_text(re.compile("[▲▼]"))
    expect(column).not_to_contain_text("equal")


def test_what_the_server_sends_is_what_is_drawn(visit):  # noqa: F811
    """The label par_start is sent where PAR does not start from the walk, and drawn from there."""
    page = visit(query="left_out=random+walk")
    asked: list[str] = []
    page.on("console", lambda message: asked.append(message.text))
    stage(page, "cam_par").locator(".afa-arrow").hover()
    expect(page.locator(".afa-change strong")).to_have_text("PAR against its start")
    expect(page.locator(".afa-change .afa-rule")).to_contain_text("same rule")
    assert json.dumps(asked) == "[]"


def test_a_list_of_models_that_is_opened_and_closed_changes_nothing(visit):  # noqa: F811
    page = visit()
    before = key(page)
    page.locator("#afa-labels .token-remove").first.click()  # one of two labels
    recomputed(page, before)
    before = key(page)
    page.locator("#afa-model input").click()
    page.locator(".afa-story").click()
    page.wait_for_timeout(1000)
    assert key(page) == before
    expect(page.locator("#afa-labels .token")).to_have_count(1)
    page.locator("#afa-model input").click()
    page.get_by_role("option", name="swapped").click()
    recomputed(page, before)
    expect(page.locator("#afa-labels .token")).to_have_count(2)  # another model: the picture's own again


def test_an_emptied_field_of_the_query_cell_keeps_its_number(visit):  # noqa: F811
    page = visit(query="cell=3,5")
    for name, number in (("row", "3"), ("col", "5")):
        page.locator(f'[data-do="{name}"]').fill("")
        page.locator(f'[data-do="{name}"]').press("Enter")
        expect(page.locator(f'[data-do="{name}"]')).to_have_value(number)
