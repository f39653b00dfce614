"""Thresholds of classes, a hidden part and scales changed by hand in Chromium, and what is true of every edit."""

from __future__ import annotations

import numpy as np
import pytest
from browser import (  # noqa: F401  (fixtures)
    browser,
    click_and_recompute,
    drawn_and_fits,
    expect,
    key,
    next_frame,
    pytestmark,
    recomputed,
    requests,
    set_range,
    tab,
    visit,
)  # fmt: skip
from change_panels import EDITS, drag_over, open_edits, open_panel, score_table, scored
from uneven_example import LABELS, address  # noqa: F401  (fixture)
from waiting import until

from afa_viz import Trace
from afa_viz.stage_scores import stage_scores

CAM = EDITS["cam"]


def iou(traces: list[Trace], label: int) -> list[float]:
    """IoU of the CAM of a class, in percent."""
    return [100 * stage_scores(trace)["cam"]["iou"].get(label, 0) for trace in traces]


def test_thresholds_of_classes_move_their_own_label(visit, uneven_page):  # noqa: F811
    page, plain = open_edits(visit, "regions"), uneven_page.explained()
    panel, (cat, bird) = EDITS["regions"], (plain.class_names.index(name) for name in LABELS)
    slider = f'{panel} [data-label="{cat}"] input'

    def area(trace: Trace, label: int) -> float:
        return 100 * float((trace.pseudo_label == label).float().mean())

    asked = requests(page)
    for value in (0.9, 0.3):
        set_range(page, slider, value, release=False)
        next_frame(page)
        made, shown = uneven_page.explained(class_thresholds={"cat": value}), score_table(page, panel)
        for label in (cat, bird):
            assert shown[f"area_{label}"][0] == pytest.approx(area(plain, label), abs=0.5)
            assert shown[f"area_{label}"][1] == pytest.approx(area(made, label), abs=0.5)
            assert shown[f"area_{label}"][2] == pytest.approx(
                shown[f"area_{label}"][1] - shown[f"area_{label}"][0], abs=0.11
            )
    assert not asked, asked
    before = key(page)
    set_range(page, slider, 0.3)
    recomputed(page, before)
    page.wait_for_function("() => location.search.includes('class_thresholds=cat:0.3')")
    expect(page.locator(".afa-edited")).to_contain_text("foreground threshold of cat 0.3")
    assert uneven_page.api({"class_thresholds": {"cat": 0.3}})["key"] == key(page)
    click_and_recompute(page, f'{panel} [data-label="{cat}"] button')
    page.wait_for_function("() => !location.search.includes('class_thresholds')")


def test_a_hidden_part_and_what_the_cam_loses(visit, uneven_page):  # noqa: F811
    page, plain = open_edits(visit, "cam", "&class=cat"), uneven_page.explained()
    cat = plain.class_names.index("cat")
    expect(page.locator(f'{CAM} [data-part="words"]')).to_have_text("Nothing is hidden or left out yet.")
    before = key(page)
    drag_over(page, CAM, [1, 8, 15])  # from the first corner to the last
    recomputed(page, before)
    page.wait_for_function("() => location.search.includes('occlude=0,48,16,64')")
    box = (0, 48, 16, 64)
    made = uneven_page.explained(occlude=box)
    page.wait_for_selector(f'{CAM} [data-part="results"]:not([hidden])')
    shown = score_table(page, CAM)
    logits = [float(one.class_logits[cat - 1]) for one in (plain, made)]
    assert shown["logit"][:2] == pytest.approx(logits, abs=0.006)
    assert shown["logit"][2] == pytest.approx(logits[1] - logits[0], abs=0.011)
    assert shown["probability"][:2] == pytest.approx([100 / (1 + np.exp(-logit)) for logit in logits], abs=0.06)
    inside = [100 * float(one.cam[cat - 1, :48, 16:64].mean()) for one in (plain, made)]
    assert shown["inside"][:2] == pytest.approx(inside, abs=0.3)  # of maps of 8 bits
    assert shown["iou"][:2] == pytest.approx(iou([plain, made], cat), abs=0.6)
    found = uneven_page.api({"occlude": list(box)})
    assert found["key"] == key(page) and found["class_logits"]["cat"] == pytest.approx(logits[1], abs=1e-5)
    assert page.locator('[data-do="row"]').input_value()  # the class and the query stay
    click_and_recompute(page, f'{CAM} [data-do="unhide"]')
    page.wait_for_function("() => !location.search.includes('occlude')")


def test_scales_and_the_mirrored_image(visit, uneven_page):  # noqa: F811
    page, plain = open_edits(visit, "cam", "&class=cat"), uneven_page.explained()
    cat = plain.class_names.index("cat")
    for value, changes in (("0.5", {"scales": (1.0, 1.5)}), ("flip", {"scales": (1.0, 1.5), "flip": False})):
        click_and_recompute(page, f'{CAM} input[value="{value}"]')
        made = uneven_page.explained(**changes)
        page.wait_for_selector(f'{CAM} [data-part="results"]:not([hidden])')
        scores = pytest.approx(iou([plain, made], cat), abs=0.6)
        until(lambda: score_table(page, CAM)["iou"][:2] == scores)  # noqa: B023
    page.wait_for_function("() => location.search.includes('scales=1,1.5') && location.search.includes('flip=0')")
    click_and_recompute(page, f'{CAM} input[value="1.5"]')
    page.wait_for_function("() => location.search.includes('left_out=other') && !location.search.includes('scales=')")
    assert page.locator("#afa-left-out input").nth(3).is_checked()  # the setting of the sidebar is the same one
    click_and_recompute(page, '[data-do="as-computed"]')
    assert all(page.locator(f"{CAM} input").nth(i).is_checked() for i in range(4))


def test_another_image_is_as_computed(visit):  # noqa: F811
    page = open_edits(visit, query="&affinity_edits=s1_2&flip=0")
    click_and_recompute(page, "#afa-gallery .thumbnail-item >> nth=1")
    page.wait_for_function("() => location.search.includes('flip=0') && !location.search.includes('affinity_edits')")
    expect(page.locator(".afa-edited")).to_have_text("Changed by you: no mirrored image. As computed")


def test_what_does_not_fit_in_an_address_is_one_sentence(visit):  # noqa: F811
    page = visit(query="example=scene0&affinity_edits=j99_1&class_thresholds=cat:7&occlude=0,1&scales=9&flip=x")
    expect(page.locator(".afa-status")).to_contain_text(
        "ignored: affinity_edits, class_thresholds, occlude, scales, flip."
    )


@pytest.mark.parametrize("width, theme, language", [(1440, "light", "en"), (390, "dark", "ko")])
def test_the_panels_are_drawn_and_fit(visit, width, theme, language):  # noqa: F811
    query = f"&affinity_edits=j1-3_9,s15&class_thresholds=cat:0.4&occlude=16,48,32,64&lang={language}"
    page = open_edits(visit, query=query, width=width, theme=theme)
    for name, panel in EDITS.items():
        tab(page, name)
        open_panel(page, panel)
        if name == "affinity":
            scored(page)
        else:
            page.wait_for_selector(f"{panel} tr[data-score]")
        drawn_and_fits(page, panel, "canvas[role=img]", f"edits_{name}_{width}_{theme}", colours=3)
