"""Heads under the hand in Chromium: page, API and Python give the affinity that follows from the trace's logits."""

from __future__ import annotations

import dataclasses
import json
import re
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
from afa_viz.two_images import affinity_between
from afa_viz.value_paths import affinity_path, walk_path

LABELS = ["cat", "bird"]
HAND = '[data-for="weights"]'
PATH = '[role=tabpanel][data-tab="affinity"] [data-for="path"]'


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Examples of which the first is not square: 4 x 6 cells, the last row and column not whole."""
    folder = tmp_path_factory.mktemp("hand")
    prepare(folder)
    rng = np.random.default_rng(5)
    rows, cols = np.mgrid[:59, :96]
    inside = (rows - 26) ** 2 + (cols - 40) ** 2 < 18**2
    image = rng.integers(40, 110, (59, 96, 3))
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


def by_hand(trace: Trace, weights: dict[int, float], bias: float | None = None, symmetric: bool = True) -> np.ndarray:
    """(N, N) affinity from the logits of a trace, in double precision; heads from 0."""
    logits = np.concatenate([trace.logits(-2).double().numpy(), trace.logits(-1).double().numpy()])
    used = trace.affinity_weight.double().numpy().copy()
    for head, weight in weights.items():
        used[head] = weight
    both = logits + logits.transpose(0, 2, 1) if symmetric else 2 * logits
    return 1 / (1 + np.exp(-(np.tensordot(used, both, 1) + (float(trace.affinity_bias) if bias is None else bias))))


def opened(visit, **given) -> Page:  # noqa: F811
    query = given.pop("query", "example=scene0&tab=affinity")
    page = visit(query=query, **given)
    page.wait_for_selector(f'{HAND} [data-part="body"]:not([hidden])')
    settled(page)
    return page


def settled(page: Page) -> None:
    """PAR and the scores have followed."""
    page.wait_for_selector(f'{HAND} [data-part="results"][data-state=ready]')


def move(page: Page, head: int | str, value: float, final: bool = False) -> None:
    """Drag the slider of a head, from 0, or of "bias"; `final`: let it go."""
    page.locator(f'{HAND} [data-head="{head}"] input').evaluate(
        """(slider, [value, final]) => {
             slider.value = value;
             slider.dispatchEvent(new Event("input", { bubbles: true }));
             if (final) slider.dispatchEvent(new Event("change", { bubbles: true }));
           }""",
        [value, final],
    )
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def press(page: Page, i: int, j: int, cells: int) -> None:
    """Press the pair of cells i and j in the matrix."""
    canvas = page.locator('[data-tab="affinity"] [data-view="matrix"] canvas[role=img]')
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box
    place = {"x": (j + 0.5) * box["width"] / cells, "y": (i + 0.5) * box["height"] / cells}
    canvas.click(position=place)
    page.wait_for_function(
        "([path, pair]) => document.querySelector(path).dataset.pair === pair", arg=[PATH, f"{i} {j}"]
    )


def path(page: Page) -> tuple[float, float]:
    """Logit and affinity of the pair that the page follows."""
    found = page.locator(PATH).evaluate("box => [box.dataset.logit, box.dataset.affinity]")
    return float(found[0]), float(found[1])


def scores(page: Page, column: int) -> dict[str, float]:
    """A column of the table of scores, in percent: 0 learned, 1 with the weights under the hand, 2 the change."""
    rows = page.locator(f'{HAND} [data-part="results"] tr[data-score]').evaluate_all(
        "(rows, i) => rows.map((row) => [row.dataset.score, row.querySelectorAll('td')[i].textContent])", column
    )
    return {name: float(text.replace("\xa0%", "").replace("−", "-")) for name, text in rows}


def test_page_api_and_python_give_the_affinity_of_the_logits(visit, folder, model, address):  # noqa: F811
    page, plain = opened(visit), explained(folder, model)
    rows, cols = plain.grid
    assert rows != cols
    learned = scores(page, 0)
    assert scores(page, 1) == learned and not any(scores(page, 2).values())
    asked = requests(page)
    given: dict[int, float] = {}
    for head, value in ((1, -0.11), (9, 0.07), (15, 0.0)):
        move(page, head, value)
        shown = page.locator(f'{HAND} [data-head="{head}"] input').input_value()
        given[head] = float(shown)
        assert given[head] == pytest.approx(value, abs=2e-3)
        expected = by_hand(plain, given)
        for i, j in ((0, 1), (rows * cols - 1, 3), (7, 7)):
            press(page, i, j, rows * cols)
            logit, affinity = path(page)
            assert affinity == pytest.approx(expected[i, j], abs=2e-3)
            assert logit == pytest.approx(np.log(expected[i, j] / (1 - expected[i, j])), abs=2e-2)
    move(page, "bias", -0.3)
    bias = float(page.locator(f'{HAND} [data-head="bias"] input').input_value())
    expected = by_hand(plain, given, bias)
    press(page, 2, 11, rows * cols)
    assert path(page)[1] == pytest.approx(expected[2, 11], abs=2e-3)
    assert not asked, asked  # nothing is asked of the server while a hand moves
    expect(page.locator(f'{HAND} [data-part="state"]')).to_contain_text("Changed by you: 4")
    settled(page)
    weights = tuple(given.get(head) for head in range(16))
    moved = explained(folder, model, head_weights=weights, affinity_bias=bias)
    np.testing.assert_allclose(moved.affinity.numpy(), expected, atol=2e-5)
    drawn, real = scores(page, 1), stage_scores(moved)
    for name, stage in (("walk_mean", "cam_rw"), ("par_mean", "cam_par")):
        assert drawn[name] == pytest.approx(100 * real[stage]["miou"], abs=1.0)  # of maps of 8 bits
        assert scores(page, 2)[name] == pytest.approx(drawn[name] - learned[name], abs=0.11)

    before = key(page)
    move(page, "bias", bias, final=True)
    recomputed(page, before)
    settled(page)
    page.wait_for_url("**head_weights=**")
    assert "2:" in page.url and "10:" in page.url and "16:0" in page.url and "affinity_bias=" in page.url
    press(page, 2, 11, rows * cols)
    assert path(page)[1] == pytest.approx(expected[2, 11], abs=2e-3)

    from gradio_client import Client

    client = Client(address, verbose=False)
    settings = {"head_weights": list(weights), "affinity_bias": bias}
    found = client.predict(None, "example:scene0", LABELS, settings, None, api_name="/explain")
    assert found["key"] == key(page)  # the same explanation as the page's
    cell = client.predict(found["key"], 0, 2, None, api_name="/query")
    np.testing.assert_allclose(cell["affinity"], expected[2], atol=2e-5)
    client.close()

    page.reload()
    page.wait_for_selector(f'{HAND} [data-part="results"][data-state=ready]')
    expect(page.locator(f'{HAND} [data-part="state"]')).to_contain_text("Changed by you: 4")
    assert scores(page, 0) == pytest.approx(learned, abs=0.5)  # the learned side stays the learned one
    before = key(page)
    page.locator(f'{HAND} [data-preset="learned"]').click()
    recomputed(page, before)
    assert "head_weights" not in page.url or page.wait_for_function("() => !location.href.includes('head_weights')")


def test_presets_and_symmetry(visit, folder, model):  # noqa: F811
    page, plain = opened(visit), explained(folder, model)
    cells = plain.grid[0] * plain.grid[1]
    learned = plain.affinity_weight.tolist()
    page.locator(f'{HAND} [data-head="4"] input').focus()
    expect(page.locator(f'{HAND} [data-preset="only"]')).to_have_text("Only head 5")
    cases = {
        "without": {4: 0.0},
        "only": {head: 0.0 for head in range(16) if head != 4},
        "equal": {head: float(np.abs(learned).mean()) for head in range(16)},
        "learned": {},
    }
    for name, weights in cases.items():
        before = key(page)
        page.locator(f'{HAND} [data-preset="{name}"]').click()
        recomputed(page, before)
        settled(page)
        press(page, 3, 9, cells)
        assert path(page)[1] == pytest.approx(by_hand(plain, weights)[3, 9], abs=2e-3), name
    before = key(page)
    page.locator(f"{HAND} input[type=checkbox]").uncheck()
    recomputed(page, before)
    press(page, 3, 9, cells)
    assert path(page)[1] == pytest.approx(by_hand(plain, {}, symmetric=False)[3, 9], abs=2e-3)
    expect(page.locator(f'{PATH} [data-step="transposed"]')).to_contain_text("The transpose is left out")
    assert page.locator("#afa-left-out input").nth(2).is_checked()  # the setting of the sidebar is the same one


def test_the_steps_of_a_pair_multiply_out(visit, folder, model):  # noqa: F811
    page, plain = opened(visit), explained(folder, model)
    cols = plain.grid[1]
    cells = plain.grid[0] * cols
    for i, j in ((1, 10), (cells - 1, 0)):
        press(page, i, j, cells)
        real = affinity_path(plain, divmod(i, cols), divmod(j, cols))
        page.locator(f"{PATH} .afa-path-heads button").nth(11).click()
        q, k, products = (
            np.array([float(value) for value in row.split()])
            for row in page.locator(f'{PATH} [data-step="product"] .afa-bars').evaluate_all(
                "rows => rows.map((row) => row.dataset.values)"
            )
        )
        assert len(q) == len(k) == 32
        np.testing.assert_allclose(q, real.query[11], atol=1e-3)
        np.testing.assert_allclose(k, real.key[11], atol=1e-3)
        np.testing.assert_allclose(products, q * k, atol=1e-4)
        assert products.sum() == pytest.approx(float(real.logits[11]), abs=1e-2)
        parts = page.locator(f"{PATH} .afa-path-heads tbody tr").evaluate_all(
            "rows => rows.map((row) => Number(row.dataset.part))"
        )
        np.testing.assert_allclose(parts, [*real.contributions, real.bias], atol=1e-2)
        logit, affinity = path(page)
        assert sum(parts) == pytest.approx(logit, abs=1e-4) and logit == pytest.approx(real.logit, abs=1e-2)
        assert affinity == pytest.approx(1 / (1 + np.exp(-logit)), abs=1e-6)
        words = page.locator(PATH).inner_text()
        assert f"{affinity:.3f}" in words and "The 32 products add up to" in words
    page.locator(f'{PATH} input[data-end="to 1"]').fill("99")  # beyond the grid: its last column
    page.keyboard.press("Tab")
    assert page.locator(PATH).get_attribute("data-pair") == f"{cells - 1} {cols - 1}"


@pytest.mark.parametrize("cell", [(1, 3), (0, 0)])
def test_what_the_neighbours_gave_a_cell(visit, folder, model, cell):  # noqa: F811
    page = visit(query=f"example=scene0&tab=walk&class=cat&cell={cell[0] + 1},{cell[1] + 1}")
    plain = explained(folder, model)
    box = page.locator('[data-tab="walk"] [data-for="path"]')
    real = walk_path(plain, cell, plain.class_names.index("cat"))
    expect(box).to_have_attribute("data-cell", str(cell[0] * plain.grid[1] + cell[1]))
    assert float(box.get_attribute("data-value")) == pytest.approx(real.value, abs=5e-3)
    given = box.locator("tbody tr").evaluate_all("rows => rows.map((row) => Number(row.lastElementChild.textContent))")
    assert sum(given[:-1]) == pytest.approx(given[-1], abs=1e-3)  # the last line is their sum
    best = np.unravel_index(int(real.contributions.argmax()), plain.grid)
    first = "itself" if tuple(best) == cell else f"row {best[0] + 1}, column {best[1] + 1}"
    expect(box.locator("tbody tr").first).to_contain_text(first)


@pytest.mark.parametrize("width, theme, language", [(1440, "light", "en"), (390, "dark", "ko")])
def test_it_is_drawn_and_fits(visit, width, theme, language):  # noqa: F811
    page = opened(visit, width=width, theme=theme, query=f"example=scene0&tab=affinity&lang={language}")
    page.locator('[data-do="path"]').click()
    page.locator('[data-do="worth"]').click()
    page.wait_for_selector(f'{HAND} [data-part="worth"][data-state=ready]', timeout=30_000)
    assert page.locator(f'{HAND} [data-part="worth"] tbody tr').count() == 16
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert not small_targets(page, HAND)
    assert "{" not in page.locator(HAND).inner_text()
    drawn_and_fits(page, tab(page, "affinity"), f"{HAND} canvas[role=img]", f"heads_{width}", colours=3)
    keep_picture(page.locator(HAND), f"hand_{width}_{theme}")


def test_what_each_head_is_worth_in_an_image(visit, folder, model):  # noqa: F811
    from afa_viz.evaluation.head_worth import head_worth

    page, plain = opened(visit), explained(folder, model)
    page.locator('[data-do="worth"]').click()
    page.wait_for_selector(f'{HAND} [data-part="worth"][data-state=ready]', timeout=30_000)
    rows = page.locator(f'{HAND} [data-part="worth"] tbody tr').evaluate_all(
        "rows => rows.map((row) => [...row.querySelectorAll('td')].map((box) => box.textContent))"
    )
    real = head_worth(plain)
    for head, cells in enumerate(rows, start=1):
        expected = [
            100 * (real[f"{kind} {head}"][stage] - real["as used"][stage])
            for kind in ("without", "only")
            for stage in ("cam_rw", "cam_par")
        ]
        assert [float(text.replace("−", "-")) for text in cells] == pytest.approx(expected, abs=1.5)


def test_a_report_moves_heads_without_a_server(browser, folder, model, tmp_path):  # noqa: F811
    """Also of a trace without queries and keys, and of one whose weights were changed before."""
    plain = explained(folder, model)
    moved = explained(folder, model, head_weights=(0.0, *([None] * 15)))
    cells = plain.grid[0] * plain.grid[1]
    for name, trace, used in (
        ("plain", plain, {}), ("moved", moved, {0: 0.0}),
        ("bare", dataclasses.replace(plain, queries=None, keys=None), {}),
    ):  # fmt: skip
        page = browser.new_context(viewport={"width": 1240, "height": 900}).new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error, errors=errors: errors.append(str(error)))
        page.goto(f"file://{trace.report(tmp_path / f'{name}.html')}")
        page.wait_for_selector(".afa[data-settled]", timeout=20_000)
        tab(page, "affinity")
        settled(page)
        press(page, 1, 8, cells)
        assert path(page)[1] == pytest.approx(by_hand(plain, used)[1, 8], abs=2e-3), name
        before = key(page)
        move(page, 6, 0.09, final=True)
        recomputed(page, before)
        settled(page)
        shown = float(page.locator(f'{HAND} [data-head="6"] input').input_value())
        press(page, 1, 8, cells)
        assert path(page)[1] == pytest.approx(by_hand(plain, used | {6: shown})[1, 8], abs=2e-3), name
        told = page.locator(f'{PATH} [data-step="product"]').inner_text()
        assert ("not available here" in told) == (name == "bare")
        if name == "moved":
            before = key(page)
            page.locator(f'{HAND} [data-preset="learned"]').click()
            recomputed(page, before)
            press(page, 1, 8, cells)
            assert path(page)[1] == pytest.approx(by_hand(plain, {})[1, 8], abs=2e-3)
        assert not errors
        page.context.close()


# --- two images, one query -------------------------------------------------------------------------------------------

ACROSS = '[role=tabpanel][data-tab="affinity"] [data-for="across"]'


def across(page: Page, name: str) -> list[float]:
    """Affinities of the query cell in this image ("own") or in the second one ("other"), row by row."""
    page.wait_for_selector(f"{ACROSS}[data-state=ready]")
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return [float(value) for value in page.locator(ACROSS).get_attribute(f"data-{name}").split()]


def test_a_second_image_is_asked_by_the_same_query(visit, folder, model):  # noqa: F811
    page, plain = opened(visit, query="example=scene0&tab=affinity&cell=2,4"), explained(folder, model)
    other = afa_viz.explain(
        model, Image.open(folder / "examples" / "scene1.png"), ["boat"], ExplainConfig.for_model(model)
    )
    rows, cols = plain.grid
    expect(page.locator(f"{ACROSS} figure").first).to_be_hidden()
    page.locator(f"{ACROSS} select").select_option("scene1")
    expected = affinity_between(plain, other).numpy()
    at = 1 * cols + 3
    np.testing.assert_allclose(across(page, "own"), plain.affinity[at], atol=2e-3)
    np.testing.assert_allclose(across(page, "other"), expected[at], atol=2e-3)
    expect(page.locator(ACROSS)).to_contain_text("never attended from one image to the other")
    expect(page.locator(f"{ACROSS} [data-part=words]")).to_contain_text(
        f"{(expected[at] > 0.5).sum()} of {other.grid[0] * other.grid[1]} of the second"
    )
    asked = requests(page)
    page.locator('[data-do="col"]').fill("6")
    page.locator('[data-do="col"]').press("Enter")
    at = 1 * cols + 5
    np.testing.assert_allclose(across(page, "other"), expected[at], atol=2e-3)
    move(page, 3, -0.12)  # a head under the hand counts here, too
    shown = float(page.locator(f'{HAND} [data-head="3"] input').input_value())
    moved = explained(folder, model, head_weights=tuple(shown if head == 3 else None for head in range(16)))
    np.testing.assert_allclose(across(page, "other"), affinity_between(moved, other)[at], atol=2e-3)
    np.testing.assert_allclose(across(page, "own"), moved.affinity[at], atol=2e-3)
    assert not asked, asked
    page.wait_for_url("**second=scene1**")
    page.locator(f"{ACROSS} [data-do=undo-second]").click()
    expect(page.locator(f"{ACROSS} figure").first).to_be_hidden()
    expect(page.locator(f"{ACROSS} select")).to_have_value("")
    page.wait_for_function("!location.search.includes('second=')")


def test_the_second_image_of_an_address_and_the_one_before(visit):  # noqa: F811
    page = opened(visit, query="example=scene0&tab=affinity&second=scene1")
    assert len(across(page, "other")) == 36
    expect(page.locator(f"{ACROSS} option[value='scene0']")).to_have_count(0)  # not with itself
    before = key(page)
    page.locator("#afa-gallery .thumbnail-item").nth(1).click()
    recomputed(page, before)
    settled(page)
    select = page.locator(f"{ACROSS} select")
    expect(select).to_have_value("")  # the second image is the first one now
    select.select_option(index=1)  # the one that was open before
    expect(page.locator(f"{ACROSS} option:checked")).to_have_text("before: Scene 0")
    assert len(across(page, "other")) == 24
    page.wait_for_url("**second=scene0**")
    wrong = opened(visit, query="example=scene0&tab=affinity&second=nowhere")
    expect(wrong.locator(".afa-status")).to_contain_text("ignored: second")


@pytest.mark.parametrize("width, theme, language", [(1440, "light", "en"), (390, "dark", "ko")])
def test_two_images_fit(visit, width, theme, language):  # noqa: F811
    page = opened(visit, width=width, theme=theme, query=f"example=scene0&tab=affinity&second=scene1&lang={language}")
    across(page, "other")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert not small_targets(page, ACROSS)
    words = page.locator(ACROSS).inner_text()
    assert "{" not in words and "across." not in words
    keep_picture(page.locator(ACROSS), f"two_images_{width}_{theme}")


def test_what_two_images_need_is_said(visit, browser, folder, model, tmp_path):  # noqa: F811
    page = opened(visit)

    def without_factors(route) -> None:
        if route.request.post_data_json["fn_name"] != "heads":
            return route.continue_()
        sent = route.fetch()
        answer = {**json.loads(sent.json()), "blocks": [{"logits": None}] * 2}
        return route.fulfill(response=sent, json=json.dumps(answer))

    page.route(re.compile("component_server"), without_factors)
    page.locator(f"{ACROSS} select").select_option("scene1")
    expect(page.locator(f"{ACROSS} .afa-lacks")).to_contain_text("Queries and keys are not held here")
    expect(page.locator(f"{ACROSS} figure").first).to_be_hidden()
    page.unroute(re.compile("component_server"))
    report = browser.new_context().new_page()
    report.goto(f"file://{explained(folder, model).report(tmp_path / 'report.html')}")
    report.wait_for_selector(".afa[data-settled]", timeout=20_000)
    tab(report, "affinity")
    expect(report.locator(ACROSS)).to_contain_text("only one image is available")
    report.context.close()
