"""What is changed by hand in Chromium: page, API and Python give what follows with NumPy from the trace's numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from app_fixtures import launched, prepare
from browser import (  # noqa: F401  (fixtures)
    Page,
    browser,
    drawn_and_fits,
    expect,
    keep_picture,
    key,
    pytestmark,
    recomputed,
    requests,
    small_targets,
    tab,
    visit,
)  # fmt: skip
from PIL import Image

import afa_viz
from afa_viz import ExplainConfig, Trace
from afa_viz.stage_scores import stage_scores

LABELS = ["cat", "bird"]
ROWS, COLS = 4, 6  # cells of the first example
PANELS = {name: f'[role=tabpanel][data-tab="{name}"] [data-for="edit"]' for name in ("affinity", "cam", "regions")}
EDIT = PANELS["affinity"]
PATH = '[role=tabpanel][data-tab="affinity"] [data-for="path"]'


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Examples of which the first is not square: 4 x 6 cells, the last row and column not whole."""
    folder = tmp_path_factory.mktemp("edits")
    prepare(folder)
    rng = np.random.default_rng(5)
    rows, cols = np.mgrid[:59, :90]
    inside = (rows - 26) ** 2 + (cols - 40) ** 2 < 18**2
    image = rng.integers(40, 110, (59, 90, 3))
    image[inside] += np.array([120, 60, 0])
    Image.fromarray(image.astype(np.uint8)).save(folder / "examples" / "scene0.png")
    Image.fromarray(np.where(inside, 6, 0).astype(np.uint8)).save(folder / "examples" / "scene0_mask.png")
    return folder


@pytest.fixture(scope="module")
def address(folder):
    from afa_viz.ui.server.app import Options

    options = Options(
        checkpoint_folder=folder / "checkpoints", examples=folder / "examples", device="cpu", warm=False,
        cache=folder / "cache",
    )  # fmt: skip
    with launched(options) as address:
        yield address


@pytest.fixture(scope="module")
def model(folder):
    return afa_viz.load_model(str(folder / "checkpoints" / "tiny"), device="cpu")


def explained(folder: Path, model, **changes) -> Trace:
    examples = folder / "examples"
    image, mask = Image.open(examples / "scene0.png"), np.array(Image.open(examples / "scene0_mask.png"))
    return afa_viz.explain(model, image, LABELS, ExplainConfig.for_model(model, **changes), target=mask)


def edited_by_hand(affinity: np.ndarray, edits) -> np.ndarray:
    out, cells = affinity.copy(), range(len(affinity))
    for what, own, others in edits:
        for i in own:
            for j in [c for c in cells if c not in own] if others is None else others:
                if i != j:
                    out[i, j] = out[j, i] = float(what == "join")
    return out


def opened(visit, name: str = "affinity", query: str = "", **given) -> Page:  # noqa: F811
    page = visit(query=f"example=scene0&tab={name}{query}", **given)
    if name != "affinity":
        fold = page.locator(PANELS[name])
        if fold.get_attribute("open") is None:
            fold.locator("summary").click()
    page.wait_for_selector(f'{PANELS[name]} [data-part="body"]:not([hidden])')
    return page


def drag(page: Page, panel: str, cells: list[int]) -> None:
    """Drag over cells, from the first to the last."""
    canvas = page.locator(f"{panel} canvas.afa-cells")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box
    places = [
        (box["x"] + (cell % COLS + 0.5) * box["width"] / COLS, box["y"] + (cell // COLS + 0.5) * box["height"] / ROWS)
        for cell in cells
    ]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=2)
    page.mouse.up()
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def choose(page: Page, **pressed: str) -> None:
    for name, value in pressed.items():
        page.locator(f'{EDIT} [data-{name}="{value}"]').click()


def settled(page: Page) -> None:
    """PAR and the scores of both sides have followed."""
    page.wait_for_selector(f'{EDIT} [data-part="results"][data-state=ready]')


def number(text: str) -> float:
    return float(text.replace("\xa0%", "").replace("−", "-").replace("+", ""))


def table(page: Page, panel: str) -> dict[str, list[float]]:
    """Before, after and change of every score of a panel."""
    rows = page.locator(f"{panel} tr[data-score]").evaluate_all(
        "rows => rows.map((row) => [row.dataset.score, [...row.querySelectorAll('td')].map((cell) => cell.innerText)])"
    )
    return {name: [number(text) for text in cells if text != "–"] for name, cells in rows}


def press_pair(page: Page, i: int, j: int) -> float:
    """The affinity of a pair of cells that the page works with."""
    canvas = page.locator('[data-tab="affinity"] [data-view="matrix"] canvas[role=img]')
    canvas.scroll_into_view_if_needed()
    box, cells = canvas.bounding_box(), ROWS * COLS
    assert box
    canvas.click(position={"x": (j + 0.5) * box["width"] / cells, "y": (i + 0.5) * box["height"] / cells})
    page.wait_for_function(
        "([path, pair]) => document.querySelector(path).dataset.pair === pair", arg=[PATH, f"{i} {j}"]
    )
    return float(page.locator(PATH).get_attribute("data-affinity") or "nan")


def client_explains(address: str, settings: dict) -> dict:
    from gradio_client import Client

    client = Client(address, verbose=False)
    found = client.predict(None, "example:scene0", LABELS, settings, None, api_name="/explain")
    found["rows"] = {
        cell: client.predict(found["key"], cell // COLS, cell % COLS, None, api_name="/query")["affinity"]
        for cell in (0, 7)
    }
    client.close()
    return found


def test_regions_are_joined_and_separated_by_brush(visit, folder, model, address):  # noqa: F811
    page, plain = opened(visit), explained(folder, model)
    assert plain.grid == (ROWS, COLS)
    affinity = plain.affinity.numpy()
    expect(page.locator(f'{EDIT} [data-do="apply"]')).to_be_disabled()
    asked = requests(page)
    drag(page, EDIT, [0, 1, 7])
    expect(page.locator(f'{EDIT} [data-part="pending"]')).to_contain_text("Brush over the cells of region B")
    choose(page, brush="b")
    drag(page, EDIT, [21, 22, 23])
    drag(page, EDIT, [14])
    choose(page, brush="erase")
    drag(page, EDIT, [14])
    expect(page.locator(f'{EDIT} [data-part="pending"]')).to_contain_text(
        "Joined: region A of 3 cells with region B of 3."
    )
    settled(page)
    assert not asked, asked  # nothing is asked of the server while a hand brushes
    edits = [("join", (0, 1, 7), (21, 22, 23))]
    made = explained(folder, model, affinity_edits=edits)
    assert np.array_equal(made.affinity.numpy(), edited_by_hand(affinity, edits))
    real = [stage_scores(one) for one in (plain, made)]
    shown = table(page, EDIT)
    for name, stage in (("walk_mean", "cam_rw"), ("par_mean", "cam_par")):
        for column, scores in enumerate(real):
            assert shown[name][column] == pytest.approx(100 * scores[stage]["miou"], abs=1.0)  # of maps of 8 bits
        assert shown[name][2] == pytest.approx(shown[name][1] - shown[name][0], abs=0.11)

    before = key(page)
    page.locator(f'{EDIT} [data-do="apply"]').click()
    recomputed(page, before)
    choose(page, what="separate", against="rest", brush="a")
    drag(page, EDIT, [8])
    before = key(page)
    page.locator(f'{EDIT} [data-do="apply"]').click()
    recomputed(page, before)
    page.wait_for_function("() => location.search.includes('affinity_edits=j1-2.8_22-24,s9')")
    edits.append(("separate", (8,), None))
    expected = edited_by_hand(affinity, edits)
    for i, j in ((0, 21), (23, 7), (8, 2), (3, 8), (2, 3), (10, 10)):
        assert press_pair(page, i, j) == pytest.approx(expected[i, j], abs=2e-3), (i, j)
    press_pair(page, 8, 2)
    expect(page.locator(f'{PATH} [data-step="sigmoid"]')).to_contain_text("You separated these two cells")
    expect(page.locator(".afa-edited")).to_contain_text("Changed by you: regions joined: 1, regions separated: 1.")
    found = client_explains(address, {"affinity_edits": [[what, list(a), b and list(b)] for what, a, b in edits]})
    assert found["key"] == key(page)  # the same explanation as the page's
    for cell, row in found["rows"].items():
        np.testing.assert_allclose(row, expected[cell], atol=1e-6)

    settled(page)
    kept = table(page, EDIT)
    page.reload()
    page.wait_for_selector(f'{EDIT} [data-part="results"][data-state=ready]')
    assert table(page, EDIT)["par_mean"] == pytest.approx(kept["par_mean"], abs=0.2)
    before = key(page)
    page.locator(f"{EDIT} [data-list=edits] button").nth(0).click()  # the join is taken back
    recomputed(page, before)
    page.wait_for_function("() => /affinity_edits=s9(&|$)/.test(location.search)")
    before = key(page)
    page.keyboard.press("Control+z")
    recomputed(page, before)
    page.wait_for_function("() => location.search.includes('affinity_edits=j1-2.8_22-24,s9')")
    before = key(page)
    page.locator('[data-do="as-computed"]').click()
    recomputed(page, before)
    page.wait_for_function("() => !location.search.includes('affinity_edits')")
    expect(page.locator(".afa-edited")).to_be_hidden()
    assert press_pair(page, 8, 2) == pytest.approx(affinity[8, 2], abs=2e-3)


def test_weights_of_heads_move_below_the_edits(visit, folder, model):  # noqa: F811
    page = opened(visit, query="&affinity_edits=s1_2&head_weights=3:0")
    page.wait_for_selector('[data-for="weights"] [data-part="results"][data-state=ready]')
    made = explained(
        folder, model, head_weights=(None, None, 0.0, *([None] * 13)), affinity_edits=[("separate", (0,), (1,))]
    )
    assert press_pair(page, 0, 1) == 0
    assert press_pair(page, 0, 2) == pytest.approx(float(made.affinity[0, 2]), abs=2e-3)
    before = key(page)
    page.locator('[data-for="weights"] [data-preset="learned"]').click()
    recomputed(page, before)
    page.wait_for_function(
        "() => location.search.includes('affinity_edits=s1_2') && !location.search.includes('head_weights')"
    )
    assert press_pair(page, 1, 0) == 0


def test_keys_mark_cells_and_draw_rectangles(visit):  # noqa: F811
    page = opened(visit, query="&cell=2,2")
    page.locator(f"{EDIT} canvas.afa-cells").focus()
    page.keyboard.press("Space")
    page.keyboard.press("ArrowRight")
    page.keyboard.down("Shift")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    page.keyboard.up("Shift")
    choose(page, what="separate", against="rest")
    before = key(page)
    page.locator(f'{EDIT} [data-do="apply"]').click()
    recomputed(page, before)
    page.wait_for_function("() => location.search.includes('affinity_edits=s8-10.16')")
    assert page.locator('[data-do="row"]').input_value() == "2"  # the query cell stays where it is

    tab(page, "cam")
    page.locator(PANELS["cam"]).locator("summary").click()
    page.wait_for_selector(f'{PANELS["cam"]} [data-part="body"]:not([hidden])')
    page.locator(f"{PANELS['cam']} canvas.afa-cells").focus()
    before = key(page)
    page.keyboard.down("Shift")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    page.keyboard.up("Shift")
    recomputed(page, before)
    page.wait_for_function("() => location.search.includes('occlude=16,48,16,48')")
    assert "affinity_edits=s8-10.16" in page.url  # one edit keeps the other


def test_a_finger_brushes(browser, address):  # noqa: F811
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = context.new_page()
    page.goto(f"{address}?example=scene0&tab=affinity")
    page.wait_for_selector(f'{EDIT} [data-part="body"]:not([hidden])')
    canvas = page.locator(f"{EDIT} canvas.afa-cells")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box
    page.touchscreen.tap(box["x"] + 0.5 * box["width"] / COLS, box["y"] + 0.5 * box["height"] / ROWS)
    page.locator(f'{EDIT} [data-against="rest"]').tap()
    expect(page.locator(f'{EDIT} [data-part="pending"]')).to_contain_text("region A of 1 cells")
    assert canvas.evaluate("canvas => getComputedStyle(canvas).touchAction") == "none"
    context.close()


def test_thresholds_of_classes_move_their_own_label(visit, folder, model, address):  # noqa: F811
    page, plain = opened(visit, "regions"), explained(folder, model)
    panel, (cat, bird) = PANELS["regions"], (plain.class_names.index(name) for name in LABELS)

    def move(label: int, value: float, final: bool = False) -> None:
        page.locator(f'{panel} [data-label="{label}"] input').evaluate(
            """(slider, [value, final]) => {
                 slider.value = value;
                 slider.dispatchEvent(new Event("input", { bubbles: true }));
                 if (final) slider.dispatchEvent(new Event("change", { bubbles: true }));
               }""",
            [value, final],
        )
        page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def area(trace: Trace, label: int) -> float:
        return 100 * float((trace.pseudo_label == label).float().mean())

    asked = requests(page)
    for value in (0.9, 0.3):
        move(cat, value)
        made, shown = explained(folder, model, class_thresholds={"cat": value}), table(page, panel)
        for label in (cat, bird):
            assert shown[f"area_{label}"][0] == pytest.approx(area(plain, label), abs=0.5)
            assert shown[f"area_{label}"][1] == pytest.approx(area(made, label), abs=0.5)
            assert shown[f"area_{label}"][2] == pytest.approx(
                shown[f"area_{label}"][1] - shown[f"area_{label}"][0], abs=0.11
            )
    assert not asked, asked
    before = key(page)
    move(cat, 0.3, final=True)
    recomputed(page, before)
    page.wait_for_function("() => location.search.includes('class_thresholds=cat:0.3')")
    expect(page.locator(".afa-edited")).to_contain_text("foreground threshold of cat 0.3")
    assert client_explains(address, {"class_thresholds": {"cat": 0.3}})["key"] == key(page)
    before = key(page)
    page.locator(f'{panel} [data-label="{cat}"] button').click()
    recomputed(page, before)
    page.wait_for_function("() => !location.search.includes('class_thresholds')")


def test_a_hidden_part_and_what_the_cam_loses(visit, folder, model, address):  # noqa: F811
    page, plain = opened(visit, "cam", "&class=cat"), explained(folder, model)
    panel, cat = PANELS["cam"], plain.class_names.index("cat")
    expect(page.locator(f'{panel} [data-part="words"]')).to_have_text("Nothing is hidden or left out yet.")
    before = key(page)
    drag(page, panel, [1, 8, 15])  # from the first corner to the last
    recomputed(page, before)
    page.wait_for_function("() => location.search.includes('occlude=0,48,16,64')")
    box = (0, 48, 16, 64)
    made = explained(folder, model, occlude=box)
    page.wait_for_selector(f'{panel} [data-part="results"]:not([hidden])')
    shown = table(page, panel)
    logits = [float(one.class_logits[cat - 1]) for one in (plain, made)]
    assert shown["logit"][:2] == pytest.approx(logits, abs=0.006)
    assert shown["logit"][2] == pytest.approx(logits[1] - logits[0], abs=0.011)
    assert shown["probability"][:2] == pytest.approx([100 / (1 + np.exp(-logit)) for logit in logits], abs=0.06)
    inside = [100 * float(one.cam[cat - 1, :48, 16:64].mean()) for one in (plain, made)]
    assert shown["inside"][:2] == pytest.approx(inside, abs=0.3)  # of maps of 8 bits
    iou = [100 * stage_scores(one)["cam"]["iou"].get(cat, 0) for one in (plain, made)]
    assert shown["iou"][:2] == pytest.approx(iou, abs=0.6)
    found = client_explains(address, {"occlude": list(box)})
    assert found["key"] == key(page) and found["class_logits"]["cat"] == pytest.approx(logits[1], abs=1e-5)
    assert page.locator('[data-do="row"]').input_value()  # the class and the query stay
    before = key(page)
    page.locator(f'{panel} [data-do="unhide"]').click()
    recomputed(page, before)
    page.wait_for_function("() => !location.search.includes('occlude')")


def test_scales_and_the_mirrored_image(visit, folder, model):  # noqa: F811
    page = opened(visit, "cam", "&class=cat")
    panel, plain = PANELS["cam"], explained(folder, model)
    cat = plain.class_names.index("cat")
    for value, changes in (("0.5", {"scales": (1.0, 1.5)}), ("flip", {"scales": (1.0, 1.5), "flip": False})):
        before = key(page)
        page.locator(f'{panel} input[value="{value}"]').uncheck()
        recomputed(page, before)
        made = explained(folder, model, **changes)
        page.wait_for_selector(f'{panel} [data-part="results"]:not([hidden])')
        iou = [100 * stage_scores(one)["cam"]["iou"].get(cat, 0) for one in (plain, made)]
        assert table(page, panel)["iou"][:2] == pytest.approx(iou, abs=0.6)
    page.wait_for_function("() => location.search.includes('scales=1,1.5') && location.search.includes('flip=0')")
    before = key(page)
    page.locator(f'{panel} input[value="1.5"]').uncheck()
    recomputed(page, before)
    page.wait_for_function("() => location.search.includes('left_out=other') && !location.search.includes('scales=')")
    assert page.locator("#afa-left-out input").nth(3).is_checked()  # the setting of the sidebar is the same one
    before = key(page)
    page.locator('[data-do="as-computed"]').click()
    recomputed(page, before)
    assert all(page.locator(f"{panel} input").nth(i).is_checked() for i in range(4))


def test_another_image_is_as_computed(visit):  # noqa: F811
    page = opened(visit, query="&affinity_edits=s1_2&flip=0")
    before = key(page)
    page.locator("#afa-gallery .thumbnail-item").nth(1).click()
    recomputed(page, before)
    page.wait_for_function("() => location.search.includes('flip=0') && !location.search.includes('affinity_edits')")
    expect(page.locator(".afa-edited")).to_have_text("Changed by you: no mirrored image. As computed")


def test_what_does_not_fit_in_an_address_is_one_sentence(visit):  # noqa: F811
    page = visit(query="example=scene0&affinity_edits=j99_1&class_thresholds=cat:7&occlude=0,1&scales=9&flip=x")
    expect(page.locator(".toast-body, .toast-text").first).to_contain_text(
        "ignored: affinity_edits, class_thresholds, occlude, scales, flip."
    )


@pytest.mark.parametrize("width, theme, language", [(1440, "light", "en"), (390, "dark", "ko")])
def test_it_is_drawn_and_fits(visit, width, theme, language):  # noqa: F811
    query = "&affinity_edits=j1-3_9,s15&class_thresholds=cat:0.4&occlude=16,48,32,64"
    for name in ("affinity", "cam", "regions"):
        page = opened(visit, name, f"{query}&lang={language}", width=width, theme=theme)
        panel = PANELS[name]
        if name == "affinity":
            settled(page)
        else:
            page.wait_for_selector(f"{panel} tr[data-score]")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert not small_targets(page, panel)
        assert "{" not in page.locator(panel).inner_text()
        drawn_and_fits(page, panel, "canvas[role=img]", f"edit_{name}_{width}", colours=3)
        keep_picture(page.locator(panel), f"edits_{name}_{width}_{theme}")


def test_a_report_joins_and_separates_without_a_server(browser, folder, model, tmp_path):  # noqa: F811
    """Also one of a trace that was edited before; what needs the network says so."""
    plain = explained(folder, model)
    edits = [("separate", (0,), (1,))]
    edited = explained(folder, model, affinity_edits=edits, class_thresholds={"cat": 0.4})
    affinity = plain.affinity.numpy()
    for name, trace, used in (("plain", plain, []), ("edited", edited, edits)):
        page = browser.new_context(viewport={"width": 1240, "height": 900}).new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error, errors=errors: errors.append(str(error)))
        page.goto(f"file://{trace.report(tmp_path / f'{name}.html')}")
        page.wait_for_selector(".afa[data-settled]", timeout=20_000)
        tab(page, "affinity")
        page.wait_for_selector(f'{EDIT} [data-part="body"]:not([hidden])')
        assert press_pair(page, 0, 1) == pytest.approx(edited_by_hand(affinity, used)[0, 1], abs=3e-3)
        choose(page, what="join", against="rest", brush="a")
        drag(page, EDIT, [10])
        before = key(page)
        page.locator(f'{EDIT} [data-do="apply"]').click()
        recomputed(page, before)
        expected = edited_by_hand(affinity, [*used, ("join", (10,), None)])
        for i, j in ((0, 1), (10, 3), (2, 10)):
            assert press_pair(page, i, j) == pytest.approx(expected[i, j], abs=3e-3), name
        tab(page, "cam")
        page.locator(PANELS["cam"]).locator("summary").click()
        expect(page.locator(f'{PANELS["cam"]} [data-part="lacks"]')).to_contain_text("the network has to run again")
        before = key(page)
        page.locator('[data-do="as-computed"]').click()
        recomputed(page, before)
        tab(page, "affinity")
        assert press_pair(page, 0, 1) == pytest.approx(affinity[0, 1], abs=3e-3), name
        assert not errors
        page.context.close()
