"""Maps of a static site in a real browser: enlarged, of heads whose weights move, and what follows from q and k."""

from __future__ import annotations

import re

import numpy as np
import pytest
from browser import browser, keep_picture, key, pytestmark, ready, recomputed, set_range, visit  # noqa: F401  (fixtures)
from network_site import EXAMPLES
from pointing import box_at_rest
from site_page import address, panel, root  # noqa: F401  (fixtures)
from static_site import build_large

import afa_viz
from afa_viz.bundled import bundled_checkpoint
from afa_viz.ui.localization import texts
from afa_viz.ui.sessions.model_registry import ModelRegistry, name_sources
from afa_viz.ui.site.build import SiteOptions, build_site
from afa_viz.ui.site.contents import open_contents
from benchmarks.file_server import serve_folder

try:
    from playwright.sync_api import expect
except ImportError:  # the tests are skipped
    expect = None


@pytest.mark.parametrize("width, theme", [(1440, "light"), (390, "dark")])
def test_maps_of_a_site_are_enlarged_and_zoomed_alike(visit, width, theme):  # noqa: F811
    page = visit(width, 844, theme)
    for name in ("cam", "regions"):
        selector = panel(page, name)
        page.locator(".afa-views").focus()
        page.keyboard.press("f")
        large = page.locator("figure.afa-large")
        expect(large).to_be_visible()
        box = box_at_rest(large.locator("canvas[data-shape]"))
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.mouse.wheel(0, -300)
        page.wait_for_function("document.querySelector('.afa-zoomed')")
        expect(page.locator(".afa-zoom-value")).to_contain_text("Pixel")
        keep_picture(page, f"site_zoom_{name}_{width}")
        page.get_by_role("button", name=texts()["zoom.full"]).click()
        page.wait_for_function("document.fullscreenElement?.matches('figure.afa-large')")
        page.keyboard.press("Escape")
        page.wait_for_function("!document.fullscreenElement")
        expect(large).to_have_count(0)
        assert page.locator(f"{selector} canvas[data-shape]").first.evaluate(
            "(canvas) => new DOMMatrix(getComputedStyle(canvas).transform).a > 1"
        )
        page.get_by_role("button", name=texts()["zoom.reset"]).click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_weights_of_heads_are_moved_and_linked(visit):  # noqa: F811
    page = visit(query="example=scene0&head_weights=3:0&affinity_bias=0.5&tab=affinity")
    hand = '[data-for="weights"]'
    page.wait_for_selector(f'{hand} [data-part="results"][data-state=ready]')
    expect(page.locator(f'{hand} [data-part="state"]')).to_contain_text("Changed by you: 2")
    assert page.locator(f'{hand} [data-head="2"] input').input_value() == "0"
    before = key(page)
    set_range(page, f'{hand} [data-head="5"] input', 0.08)
    recomputed(page, before)
    page.wait_for_function("() => location.search.includes('head_weights=3:0,6:0.08')")
    before = key(page)
    page.locator(f'{hand} [data-preset="learned"]').click()
    recomputed(page, before)
    page.wait_for_function("() => !/head_weights|affinity_bias/.test(location.search)")
    page = visit(query="example=scene0&head_weights=3&affinity_bias=x")
    expect(page.locator(".afa-status")).to_contain_text("ignored: head_weights, affinity_bias.")


def test_regions_and_thresholds_are_edited_and_linked(visit):  # noqa: F811
    page = visit(query="example=scene0&affinity_edits=s1-2&class_thresholds=cat:0.7&tab=affinity")
    edit = '[role=tabpanel][data-tab="affinity"] [data-for="edit"]'
    page.wait_for_selector(f'{edit} [data-part="results"][data-state=ready]')
    expect(page.locator(".afa-edited")).to_contain_text("regions separated: 1, foreground threshold of cat 0.7")
    before = key(page)
    page.locator(f"{edit} [data-list=edits] button").click()
    recomputed(page, before)
    page.wait_for_function(
        "() => /class_thresholds=cat:0.7/.test(location.search) && !/affinity_edits/.test(location.search)"
    )
    page.locator(f"{panel(page, 'cam')} details[data-for=edit] summary").click()
    expect(page.locator('[data-tab="cam"] [data-part="lacks"]')).to_contain_text("the network has to run again")
    before = key(page)
    page.locator('[data-do="as-computed"]').click()
    recomputed(page, before)
    page = visit(query="example=scene0&affinity_edits=x&class_thresholds=cat&occlude=0,16,0,16&scales=1&flip=0")
    expect(page.locator(".afa-status")).to_contain_text(
        "ignored: affinity_edits, class_thresholds, occlude, scales, flip."
    )
    page = visit(query="example=scene0&class_thresholds=nobody:0.5")
    expect(page.locator(".afa-status")).to_contain_text("does not fit this image")


def test_attention_of_a_large_image_is_cut_out_of_whole_blocks(browser, tmp_path, monkeypatch):  # noqa: F811
    """Every head and the mean of the cell, before and after the softmax, and other heads and cells after them."""
    contents = build_large(tmp_path, monkeypatch)
    trace = contents.session.trace(contents.session.request("data:large", contents.model))
    with serve_folder(tmp_path / "www") as address:  # noqa: F811
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(f"{address}?tab=attention")
        ready(page)
        heads = page.locator(f"{panel(page, 'attention')} .afa-heads button")
        expect(heads).to_have_count(9)
        for logits in ("no", "yes"):
            page.locator(f"[data-logits={logits}]").click()
            for chosen in (0, 3):
                heads.nth(chosen).click()
                expect(heads.nth(1).locator("small")).to_contain_text(re.compile(r"\d"))
        expect(page.locator(".afa-status")).not_to_contain_text("not computed")
        page.locator("[data-do=row]").fill("9")
        page.locator("[data-do=row]").press("Enter")
        row, col = (int(page.locator(f"[data-do={name}]").input_value()) - 1 for name in ("row", "col"))
        values = trace.logits(7)[:, row * trace.grid[1] + col]
        expect(heads.nth(1).locator("small")).to_contain_text(f"{float(values[0].max()):.2g}"[:3])
        keep_picture(page, "site_large_attention")
        page.close()


@pytest.mark.slow
def test_logits_that_a_site_leaves_out_follow_from_queries_and_keys(browser, tmp_path):  # noqa: F811
    """Of the bundled network's last block, whose logits take more room than the queries and keys that make them."""
    registry, picture = ModelRegistry(name_sources([str(bundled_checkpoint())]), "cpu"), EXAMPLES / "chelsea.png"
    build_site(tmp_path / "www", open_contents(registry, EXAMPLES, tmp_path / "cache", images=[picture], limit=1),
               SiteOptions())  # fmt: skip
    held = {path.name for path in (tmp_path / "www" / "images").rglob("*.dat")}
    assert {"attention-7-false.dat", "attention-5-true.dat", "heads.dat"} <= held and "attention-7-true.dat" not in held
    with serve_folder(tmp_path / "www") as address:  # noqa: F811
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(address)
        ready(page)
        heads = page.locator(f"{panel(page, 'attention')} .afa-heads button small")
        page.locator("[data-logits=yes]").click()
        expect(heads.nth(1)).to_contain_text("…")
        row, col = (int(page.locator(f"[data-do={name}]").input_value()) - 1 for name in ("row", "col"))
        shown = [
            [float(x.replace("−", "-")) for x in re.findall(r"[-−+]?[\d.]+", text)] for text in heads.all_inner_texts()
        ]
        page.close()
    trace = afa_viz.explain(afa_viz.load_model(device="cpu"), picture)
    logits = trace.logits(7)[:, row * trace.grid[1] + col].numpy()
    expected = [[one.min(), one.max()] for one in (logits.mean(0), *logits)]
    assert np.abs(np.array(shown) - expected).max() < 0.02 * np.ptp(logits)
