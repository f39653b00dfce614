"""The cut through a CAM: every place that scores it says the same, and what the sliders say they do, they do."""

from __future__ import annotations

import re

import pytest
from browser import Page, address, browser, expect, key, pytestmark, recomputed, tab, visit  # noqa: F401  (fixtures)


def number(text: str, before: str) -> str:
    """The percentage that follows some words."""
    found = re.search(re.escape(before) + r"\s*([\d.]+)\s%", text)
    assert found, (before, text)
    return found[1]


def places(page: Page) -> list[str]:
    """The IoU of the cut CAM of the chosen class in strip, CAM tab, Regions and Prediction, as they print it."""
    strip = page.locator("[data-stage=cam] .afa-score").inner_text()
    cut = page.locator(f'{tab(page, "cam")} [data-fill="words"]').inner_text()
    regions = page.locator(f'{tab(page, "regions")} [data-fill="iou"]').inner_text()
    by_stage = page.locator(f"{tab(page, 'seg')} .afa-score-bars > div").first.inner_text()
    return [
        number(strip, "IoU"),
        number(cut, "(IoU"),
        number(regions, "CAM threshold:"),
        number(by_stage, "CAM, threshold"),
    ]


@pytest.mark.parametrize("example", ["scene0", "scene1"])
def test_a_cut_is_scored_alike_everywhere(visit, example):  # noqa: F811
    page = visit(query=f"example={example}")
    found = places(page)
    assert len(set(found)) == 1, found


def test_another_cut_is_the_same_in_both_tabs(visit):  # noqa: F811
    page = visit()
    panel = tab(page, "cam")
    for cut in ("0.2", "0.6"):
        tab(page, "cam")
        page.locator(f'{panel} [data-setting="bkg_score"] input').fill(cut)
        expect(page.locator(f'{panel} [data-fill="words"]')).to_contain_text(f"At threshold {float(cut):.2f}")
        _, own, regions, _ = places(page)
        assert own == regions


@pytest.mark.parametrize("name, kind, words", [
    ("low", "background", "Higher: more reliable background"),
    ("high", "foreground", "Higher: less reliable foreground"),
])  # fmt: skip
def test_a_slider_does_what_it_says(visit, name, kind, words):  # noqa: F811
    page = visit()
    panel = tab(page, "regions")
    setting = page.locator(f'{panel} [data-setting="{name}"]')
    assert words in (setting.get_attribute("title") or "")
    shares = []
    for value in ("0.4", "0.95"):
        old = key(page)
        setting.locator("input").fill(value)
        recomputed(page, old)
        legend = page.locator(f'{panel} [data-list="shares"]').inner_text()
        shares.append(float(number(legend, kind)))
    assert (shares[1] > shares[0]) == (name == "low"), shares
