"""An ImageNet classifier of timm in a real browser: what it lacks is said, everything else is drawn."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from app_fixtures import launched, prepare
from browser import (  # noqa: F401  (fixtures)
    browser,
    drawn_and_fits,
    expect,
    keep_picture,
    pytestmark,
    tab,
    visit,
)
from other_methods import NAMES, timm_folder

from afa_viz.model import timm_networks
from afa_viz.ui.localization import texts


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("methods")
    options = prepare(folder)
    sources = [str(options.checkpoint_folder / "tiny"), *(timm_folder(folder / name, name) for name in NAMES)]
    patch = pytest.MonkeyPatch()
    patch.setattr(timm_networks, "PVT_SIDE", 192)  # quick
    patch.setattr(timm_networks, "VIT_CELLS", 14)
    with launched(replace(options, checkpoints=tuple(sources))) as served:
        yield served
    patch.undo()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("width, height, theme", [(1440, 900, "light"), (390, 844, "dark")])
def test_every_tab_is_drawn_or_says_what_is_missing(visit, width, height, theme, name):  # noqa: F811
    page = visit(width, height, theme, f"example=scene0&labels=&model=timm:{name}")
    line = page.locator('[data-fill="method"]')
    expect(line).to_contain_text("ImageNet classifier, affinity not learned, no decoder.", timeout=60_000)
    expect(line).to_contain_text("Most probable:")
    keep_picture(page, f"{name}-page-{width}-{theme}")
    for of in ("cam", "attention", "affinity", "walk", "par", "regions"):
        panel = tab(page, of)
        page.wait_for_function(
            "p => (document.querySelector(p).dataset.state ?? 'ready') === 'ready'", arg=panel, timeout=60_000
        )
        drawn_and_fits(page, panel, ".afa-figs canvas[role=img]:visible", f"{name}-{of}-{width}-{theme}", colours=1)
    assert page.locator(tab(page, "seg")).inner_text() == texts()["lacks.decoder"]
    assert texts()["lacks.decoder"] in page.locator('[data-stage="seg"]').inner_text()
    assert texts()["lacks.learned_affinity"] in page.locator(tab(page, "affinity")).inner_text()
    diagram = tab(page, "pipeline")  # no line to the decoder, and none that trains
    expect(page.locator(f"{diagram} .afa-operation:visible")).to_have_count(10)
    expect(page.locator(f'{diagram} [data-operation="heads"].afa-operation')).to_have_text("mean of heads")
    expect(page.locator(f"{diagram} .afa-fork path.afa-trains")).to_have_count(0)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_on_the_korean_page_classes_are_found_in_korean(visit):  # noqa: F811
    page = visit(query="example=scene0&labels=&model=timm:pvt_v2_b0&lang=ko")
    expect(page.locator('[data-fill="method"]')).to_contain_text("ImageNet", timeout=60_000)  # the link has been opened
    box = page.locator("#afa-labels input")
    box.click()
    box.fill("고양이")
    page.get_by_role("option", name=re.compile(r"^고양이 \(cat\)")).click()
    expect(page.locator('[data-list="classes"]')).to_contain_text("고양이", timeout=60_000)
    expect(page.locator("#afa-labels .token").filter(has_text="고양이 (cat)")).to_be_visible()
    expect(
        page.locator("#afa-labels .token").filter(has_text=re.compile(r"[가-힣]+ \(\w+\) \(\d+%\)"))
    ).not_to_have_count(0)


def test_compare_shows_both_kinds_of_method(visit):  # noqa: F811
    page = visit(query="example=scene0&model=tiny&tab=compare&b_model=timm:pvt_v2_b0&b_switched=")
    panel = page.locator('[role=tabpanel][data-tab="compare"]')
    expect(panel).to_have_attribute("data-state", "ready", timeout=60_000)
    assert f"B: {texts()['lacks.decoder']}" in panel.inner_text()
    keep_picture(panel, "compare-methods-1440")


def test_classes_are_searched_by_a_word_and_the_menu_says_what_would_be_fetched(visit):  # noqa: F811
    page = visit(query="example=scene0&labels=&model=timm:pvt_v2_b0")
    box = page.locator("#afa-labels input")
    box.click()
    box.fill("toy terr")
    page.get_by_role("option", name="toy terrier").click()
    expect(page.locator('[data-list="classes"]')).to_contain_text("toy terrier", timeout=60_000)
    chosen = page.locator("#afa-labels .token").filter(has_text="toy terrier")
    assert "\u2063" not in page.locator("#afa-labels").inner_text()
    expect(chosen).to_be_visible()
    box.fill("tiger cat")
    expect(page.locator("#afa-labels").get_by_role("option")).to_have_count(1)
    box.fill("tabby c")
    option = page.get_by_role("option", name="tabby (tabby cat)", exact=True)
    option.click()
    expect(page.locator("#afa-labels .token").filter(has_text="tabby")).to_have_text(re.compile(r"^\s*tabby\s*$"))
    page.locator("#afa-model input").click()
    expect(page.get_by_role("option", name="timm:pvt_v2_b2: ImageNet classifier")).to_be_visible()


@pytest.mark.parametrize("language", ["en", "ko"])
def test_every_tab_that_compares_says_what_is_missing(visit, language):  # noqa: F811
    """Compare, Lab, Data set, Snapshots: the sentence of the part, and never a number of what is not there."""
    words = texts(language)
    page = visit(query=f"example=scene0&labels=bird&model=timm:pvt_v2_b0&b_model=tiny&b_switched=&lang={language}")
    expect(page.locator('[data-fill="method"]')).to_contain_text("ImageNet", timeout=60_000)
    panel = page.locator(tab(page, "compare"))
    expect(panel).to_have_attribute("data-state", "ready", timeout=60_000)
    assert f"A: {words['lacks.decoder']}" in panel.inner_text()
    panel = page.locator(tab(page, "lab"))
    panel.get_by_role("button", name=words["lab.seg.title"]).click()
    expect(panel.locator('[data-fill="lab-missing"]')).to_contain_text(words["lacks.decoder"])
    expect(panel.locator("form")).to_be_hidden()
    panel.get_by_role("button", name=words["lab.crf.title"]).click()
    expect(panel.locator('[data-fill="lab-missing"]')).to_be_hidden()
    panel = page.locator(tab(page, "training"))
    foreign = words["training.foreign"].format(name="timm:pvt_v2_b0")
    expect(panel.locator('[data-fill="none"]')).to_have_text(foreign)
    panel = page.locator(tab(page, "data"))
    panel.locator('[data-set="stage"]').select_option("seg")
    panel.locator('[data-do="score"]').click()
    expect(panel.locator('[data-fill="changes"]')).to_have_text(words["lacks.decoder"], timeout=60_000)
    expect(panel.locator('[data-for="charts"]')).to_be_hidden()
    assert "NaN" not in panel.inner_text() and "undefined" not in panel.inner_text()
    panel.locator('[data-do="score"]').click()  # stop
