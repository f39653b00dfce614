"""The page for everybody: fingers, keyboard, names, contrast, calm; every control explains itself, in both languages;
a large grid stays small on the wire, and a link leads to the numbers of the API."""

from __future__ import annotations

import contextlib
import functools
import re

import pytest
from app_fixtures import launched, prepare, tiny
from browser import Page, browser, changes, expect, key, phone, pixels, pytestmark, ready, show_overview, tab, visit  # noqa: F401
from gradio_client import Client
from pointing import box_at_rest

from afa_viz.classes import SANDBOX_CLASSES
from afa_viz.model.checkpoint import save_model
from afa_viz.ui import localization
from afa_viz.ui.page.assets import TABS

LARGE = 512  # pixels, 32 x 32 cells
FIRST_LOAD = 1_500_000  # bytes, UI.md
CONTRAST = 4.5  # WCAG 2.2, 1.4.3
OURS = "#afa-page"  # explorer, and what gradio draws beside it
CONTROLS = "button, select, input, textarea, summary, a[href], [tabindex]"

NAMELESS = """([ours, controls]) => {
  const shown = (e) => e.checkVisibility({ visibilityProperty: true }) && e.getClientRects().length;
  const named = (e) => (e.getAttribute("aria-label") ?? "").trim() || (e.alt ?? "").trim() || (e.title ?? "").trim()
    || document.getElementById(e.getAttribute("aria-labelledby"))?.textContent.trim()
    || [...(e.labels ?? [])].some((label) => label.textContent.trim())
    || (!/INPUT|SELECT|CANVAS|IMG/.test(e.tagName) && e.textContent.trim());
  return [...document.querySelector(ours).querySelectorAll(`${controls}, [role=img], img`)]
    .filter((e) => shown(e) && !e.closest("[aria-hidden=true]") && !named(e)).map((e) => e.outerHTML.slice(0, 160));
}"""

UNREACHABLE = """([ours, controls]) => [...document.querySelector(ours).querySelectorAll(controls)].filter((e) =>
  e.checkVisibility() && e.getClientRects().length && !e.disabled && e.tabIndex < 0
  // one of a group that arrow keys walk through is enough
  && !(e.parentElement.querySelector(":scope > [tabindex='0']") || e.closest("[role=listbox], [role=tablist]"))
).map((e) => e.outerHTML.slice(0, 160))"""

PALE = """([ours, least]) => {
  const sheet = Object.assign(document.createElement("canvas"), { width: 1, height: 1 });
  const context = sheet.getContext("2d", { willReadFrequently: true });
  const known = new Map();
  const over = (ground, colour) => { // colours of any notation, with opacity
    const both = `${ground} ${colour}`;
    if (!known.has(both)) known.set(both, painted(ground, colour));
    return known.get(both);
  };
  const painted = (ground, colour) => {
    context.fillStyle = `rgb(${ground})`;
    context.fillRect(0, 0, 1, 1);
    context.fillStyle = colour;
    context.fillRect(0, 0, 1, 1);
    return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  const parts = [0.2126, 0.7152, 0.0722];
  const light = (colour) => colour.map((c, i) => parts[i] * linear(c / 255)).reduce((a, b) => a + b);
  const groundOf = (e) => {
    const chain = [];
    for (let at = e; at; at = at.parentElement) chain.unshift(getComputedStyle(at).backgroundColor);
    return chain.reduce((ground, colour) => over(ground, colour), [255, 255, 255]);
  };
  const found = new Map();
  const texts = document.createTreeWalker(document.querySelector(ours), NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const e = texts.currentNode.parentElement;
    const words = texts.currentNode.data.trim();
    if (!words || !e.checkVisibility({ visibilityProperty: true }) || !e.getClientRects().length) continue;
    if (e.closest("[aria-hidden=true], :disabled, option, details:not([open]) > :not(summary)")) continue;
    const ground = groundOf(e);
    const [a, b] = [light(over(ground, getComputedStyle(e).color)), light(ground)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < least) found.set(`${e.tagName}.${e.className}: ${words.slice(0, 40)}`, ratio.toFixed(2));
  }
  return [...found];
}"""

UNEXPLAINED = """(panel) => {
  const held = "select, input:not([type=radio], [type=file]), [role=group]:has(> button[aria-pressed]), fieldset";
  return [...document.querySelectorAll(`.afa-bar, ${panel}`)].flatMap((at) => [...at.querySelectorAll(held)])
    .filter((e) => e.getClientRects().length && !e.closest("form[data-do=answer], .afa-heads, .afa-board"))
    .map((e) => [e.outerHTML.slice(0, 120), e.closest("[title]")?.title ?? ""]);
}"""

SAID = """(ours) => {
  const texts = document.createTreeWalker(document.querySelector(ours), NodeFilter.SHOW_TEXT);
  const found = [];
  while (texts.nextNode()) {
    const words = texts.currentNode.data.trim();
    if (words && !texts.currentNode.parentElement.closest(".afa-equation")) found.push(words); // those are symbols
  }
  for (const name of ["title", "alt", "aria-label", "placeholder"])
    for (const e of document.querySelector(ours).querySelectorAll(`[${name}]`)) found.push(e.getAttribute(name).trim());
  return [...new Set(found)];
}"""


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    options = prepare(folder)
    model, card = tiny(1, side=LARGE)
    save_model(model, folder / "checkpoints" / "large.safetensors", card)
    with launched(options) as served:
        yield served


def shown(page: Page, name: str) -> str:
    """Open a tab and wait for what it asks the server for."""
    panel = tab(page, name)
    page.locator(f"{panel}:not([data-state=waiting], [data-state=loading])").wait_for(timeout=15_000)
    return panel


def left(page: Page, script: str, args: list) -> list:
    """What a script still finds after a while: tabs fill up by and by."""
    from playwright.sync_api import TimeoutError

    with contextlib.suppress(TimeoutError):
        page.wait_for_function(f"(args) => ({script})(args).length === 0", arg=args, polling=200, timeout=8_000)
        return []
    return page.evaluate(script, args)


def unfold(page: Page) -> None:
    """Open the accordions of the settings."""
    folded = page.locator("#afa-settings button.label-wrap:not(.open)")
    folded.evaluate_all("found => found.forEach((e) => e.click())")
    expect(folded).to_have_count(0)


# --- reach ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_everything_has_a_name_a_way_to_it_and_contrast(visit, theme):  # noqa: F811
    page = visit(theme=theme)
    unfold(page)
    for name in TABS:
        panel = shown(page, name)
        page.locator(f"{panel} details.afa-why > summary").first.evaluate_all(
            "found => found.forEach((e) => e.click())"
        )
        where = OURS if name == TABS[0] else panel
        assert left(page, NAMELESS, [where, CONTROLS]) == [], name
        assert left(page, UNREACHABLE, [where, CONTROLS]) == [], name
        assert left(page, PALE, [where, CONTRAST]) == [], name


def test_the_tab_key_walks_through_the_whole_page(visit):  # noqa: F811
    page = visit()
    wanted = page.evaluate(
        """([ours, controls]) => {
             const all = [...document.querySelector(ours).querySelectorAll(controls)].filter((e) => e.tabIndex >= 0
               && !e.disabled && e.checkVisibility({ visibilityProperty: true }) && e.getClientRects().length
               && !(e.type === "radio" && !e.checked));
             all.forEach((e, i) => { e.dataset.stop = i; });
             document.activeElement.blur();
             return all.length;
           }""",
        [OURS, CONTROLS],
    )
    stops = set()
    for _ in range(2 * wanted):
        page.keyboard.press("Tab")
        stops.add(page.evaluate("document.activeElement?.dataset.stop ?? ''"))
        if len(stops - {""}) == wanted:
            break
    unseen = page.evaluate(
        """(found) => [...document.querySelectorAll("[data-stop]")].filter((e) => !found.includes(e.dataset.stop))
             .map((e) => e.outerHTML.slice(0, 160))""",
        sorted(stops),
    )
    assert wanted > 40 and unseen == []


def test_who_asks_for_calm_gets_no_movement(browser, address):  # noqa: F811
    context = browser.new_context(reduced_motion="reduce")
    page = context.new_page()
    page.goto(f"{address}?tab=compare")
    ready(page)
    moving = page.evaluate(
        """() => [...document.querySelectorAll(".afa, .afa *")].filter((e) => {
             const style = getComputedStyle(e);
             const lasts = (times) => times.split(", ").some((time) => parseFloat(time) > 0);
             const animated = style.animationName !== "none" && lasts(style.animationDuration);
             return animated || lasts(style.transitionDuration);
           }).map((e) => e.outerHTML.slice(0, 120))"""
    )
    assert moving == []
    panel = shown(page, "par")
    page.locator(f"{panel} [data-do=iteration]").fill("0")
    expect(page.locator(f"{panel} [data-fill=iteration]")).to_have_text("0 of 10")
    page.wait_for_timeout(400)  # nothing plays by itself
    expect(page.locator(f"{panel} [data-fill=iteration]")).to_have_text("0 of 10")
    context.close()


def test_a_finger_moves_the_query_and_paints_seeds(phone):  # noqa: F811
    page = phone()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    show_overview(page)
    picture = page.locator('[role=tabpanel][data-tab="cam"] [data-view="map"] canvas[role=img]')
    picture.scroll_into_view_if_needed()
    before = pixels(page, '[data-stage="affinity"] [data-open] canvas')
    picture.tap(position={"x": 6, "y": 6})
    expect(page.locator(".afa-status")).to_contain_text("Row 1, column 1, pinned")
    changes(page, '[data-stage="affinity"] [data-open] canvas', before)
    page.locator('[data-move="1 0"]').tap()
    expect(page.locator(".afa-status")).to_contain_text("Row 2, column 1")
    panel = shown(page, "walk")
    page.locator(f'{panel} [data-mode="seeds"]').tap()
    expect(page.locator(f'{panel} [data-fill="leak"]')).to_contain_text("Nothing is painted yet")
    paper = page.locator(f'{panel} [data-view="before"] canvas[role=img]')
    paper.scroll_into_view_if_needed()
    paper.tap()
    expect(page.locator(f'{panel} [data-fill="leak"]')).to_contain_text("outside")


# --- words ----------------------------------------------------------------------------------------------------------


def english_left(output: list[str]) -> list[str]:
    """What the page says in English although the strings file has it in Korean."""
    whole, filled = translated()
    found = [f"{whole[text]}: {text}" for text in output if text in whole]
    return found + [f"{name}: {text}" for text in output for name, pattern in filled if pattern.fullmatch(text)]


@functools.cache
def translated() -> tuple[dict[str, str], list[tuple[str, re.Pattern]]]:
    """The names of English texts that are others in Korean: by the text, and with a pattern where it has gaps."""
    korean = localization.texts("ko")
    whole, filled = {}, []
    for name, text in localization.texts().items():
        plain = re.sub(r"<[^>]+>", "", text)
        parts = re.split(r"\{\w+\}", plain)
        if name == "language.name" or korean[name] == text or len(re.sub(r"\W", "", "".join(parts))) < 3:
            continue
        if len(parts) == 1:
            whole[plain] = name
        else:
            filled.append((name, re.compile(".+".join(map(re.escape, parts)))))
    return whole, filled


@pytest.mark.parametrize("language, default", [("en", r"Default|Published"), ("ko", r"기본|논문|처음")])
def test_every_control_tells_its_default_and_every_tab_begins_with_words(visit, language, default):  # noqa: F811
    page = visit(query=f"lang={language}")
    texts = localization.texts(language)
    unfold(page)
    for block in page.locator(
        "#afa-settings :is(input[type=range], input[type=checkbox], [role=listbox], input[role=listbox])"
    ).all():
        around = block.locator("xpath=ancestor::*[contains(@class, 'block')][1]")
        assert re.search(default, around.inner_text()), around.inner_text()
    lacking: set[tuple[str, str, str]] = set()
    for name in TABS:
        panel = shown(page, name)
        if name == "train":
            expect(page.locator(f"{panel} [data-for=off]")).not_to_be_empty()
        told = page.evaluate(UNEXPLAINED, panel)
        lacking |= {(name, what, text) for what, text in told if not re.search(default, text)}
        assert page.locator(f"{panel} .afa-intro").first.inner_text() == texts[f"{name}.intro"]
        if name != "lab":
            assert page.locator(f"{panel} > .afa-equation").inner_text().strip()
            fold = page.locator(f"{panel} > details.afa-why")
            assert not fold.evaluate("fold => fold.open")
            fold.locator("summary").click()
            assert len(fold.inner_text()) > 150
        if language == "ko":
            assert english_left(page.evaluate(SAID, OURS if name == TABS[0] else panel)) == [], name
    assert not lacking


# --- large grids, links ---------------------------------------------------------------------------------------------


def test_of_a_large_grid_what_is_looked_at_is_sent(browser, address):  # noqa: F811
    context = browser.new_context()
    page = context.new_page()
    sizes: list[int] = []
    page.goto(f"{address}?model=large&tab=attention&head=1")
    ready(page)
    panel = shown(page, "attention")
    expect(page.locator('[data-fill="grid"]')).to_have_text(re.compile("32 × 32 cells"), timeout=30_000)
    line = page.locator(f'{panel} [data-fill="bytes"]')
    expect(line).to_have_text(re.compile(r"sent on demand \(\d,\d{3} kB"), timeout=20_000)  # a head for every query
    stated = 1000 * float(re.findall(r"\(([\d,]+)", line.inner_text())[0].replace(",", ""))
    assert 1024**2 < stated < FIRST_LOAD
    page.on("requestfinished", lambda request: sizes.append(request.sizes()["responseBodySize"]))
    canvas = page.locator(f'{panel} [data-view="large"] canvas[role=img]')
    canvas.scroll_into_view_if_needed()
    before = pixels(page, f'{panel} [data-view="large"] canvas[role=img]')
    box = box_at_rest(canvas)
    for step in range(8):
        page.mouse.move(box["x"] + 4 + 10 * step, box["y"] + 8)
    changes(page, f'{panel} [data-view="large"] canvas[role=img]', before)  # at once, from what is here
    page.wait_for_timeout(600)  # the hand rests: the other heads of this query come
    assert sum(sizes) < FIRST_LOAD / 10
    context.close()


def test_a_link_leads_to_the_numbers_of_the_api(visit, address):  # noqa: F811
    name = SANDBOX_CLASSES[7]
    page = visit(query=f"model=tiny&example=scene1&class={name}&cell=2,5")
    status = page.locator(".afa-status")
    expect(status).to_contain_text("Row 2, column 5, pinned")
    client = Client(address, verbose=False)
    try:
        asked = client.predict(None, "example:scene1", None, None, "tiny", api_name="/explain")
        answer = client.predict(asked["key"], 1, 4, None, api_name="/query")
    finally:
        client.close()
    assert page.get_by_role("button", name=name, exact=True).get_attribute("aria-pressed") == "true"
    output = status.inner_text()
    cam, close, cells = re.findall(r"([\d.]+); affinity above ½ with (\d+) of (\d+)", output)[0]
    affinity = answer["affinity"]
    assert float(cam) == pytest.approx(answer["scores"]["cam"][name], abs=0.02)
    assert int(cells) == len(affinity)
    assert sum(value > 0.502 for value in affinity) <= int(close) <= sum(value > 0.498 for value in affinity)
    assert f"pseudo label {answer['labels']['pseudo_label']}" in output
    assert f"prediction {answer['labels']['seg']}" in output
