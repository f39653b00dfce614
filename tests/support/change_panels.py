"""The panels with which a page changes what was computed: weights per head, and edits of regions, classes and image."""

from __future__ import annotations

from browser import Page, next_frame, set_range
from pointing import box_at_rest
from uneven_example import CELLS, COLS, ROWS

AFFINITY = '[role=tabpanel][data-tab="affinity"]'
PATH = f'{AFFINITY} [data-for="path"]'  # of a pair of cells
WEIGHTS = f'{AFFINITY} [data-for="weights"]'
ACROSS = f'{AFFINITY} [data-for="across"]'  # two images
EDITS = {name: f'[role=tabpanel][data-tab="{name}"] [data-for="edit"]' for name in ("affinity", "cam", "regions")}
REGIONS = EDITS["affinity"]


def open_panel(page: Page, panel: str) -> None:
    """Unfold a panel, where it can be folded, and wait until it is filled."""
    if page.locator(panel).evaluate("panel => panel.tagName === 'DETAILS' && !panel.open"):
        page.locator(f"{panel} > summary").click()
    page.wait_for_selector(f'{panel} [data-part="body"]:not([hidden])')


def open_weights(visit, query: str = "", **given) -> Page:
    """The first example with the panel of the weights, its scores computed."""
    page = visit(query=f"example=scene0&tab=affinity{query}", **given)
    open_panel(page, WEIGHTS)
    scored(page, WEIGHTS)
    return page


def open_edits(visit, name: str = "affinity", query: str = "", **given) -> Page:
    """The first example with the panel of the edits of a tab."""
    page = visit(query=f"example=scene0&tab={name}{query}", **given)
    open_panel(page, EDITS[name])
    if name == "affinity":  # the panel above it moves it down when it is filled
        page.wait_for_selector(f'{WEIGHTS} [data-part="body"]:not([hidden])', state="attached")
    return page


def scored(page: Page, panel: str = REGIONS) -> None:
    """Wait until PAR and the scores of both sides have followed."""
    page.wait_for_selector(f'{panel} [data-part="results"][data-state=ready]')


def score_table(page: Page, panel: str) -> dict[str, list[float]]:
    """Before, after and change of every score of a panel, in its units."""
    rows = page.locator(f"{panel} tr[data-score]").evaluate_all(
        "rows => rows.map((row) => [row.dataset.score, [...row.querySelectorAll('td')].map((cell) => cell.innerText)])"
    )
    return {name: [number(text) for text in cells if text != "–"] for name, cells in rows}


def number(text: str) -> float:
    return float(text.replace("\xa0%", "").replace("−", "-").replace("+", ""))


def press_pair(page: Page, i: int, j: int) -> float:
    """Press a pair of cells in the matrix; the affinity that the page works with."""
    canvas = page.locator(f'{AFFINITY} [data-view="matrix"] canvas[role=img]')
    box = box_at_rest(canvas)
    canvas.click(position={"x": (j + 0.5) * box["width"] / CELLS, "y": (i + 0.5) * box["height"] / CELLS})
    page.wait_for_function(
        "([path, pair]) => document.querySelector(path).dataset.pair === pair", arg=[PATH, f"{i} {j}"]
    )
    return float(page.locator(PATH).get_attribute("data-affinity") or "nan")


def pair_logit(page: Page) -> float:
    """Of the pair that was pressed."""
    return float(page.locator(PATH).get_attribute("data-logit") or "nan")


def move_weight(page: Page, head: int | str, value: float, release: bool = False) -> float:
    """Drag the slider of a head, counted from 0, or of "bias"; the value on which it stands then."""
    slider = f'{WEIGHTS} [data-head="{head}"] input'
    set_range(page, slider, value, release)
    next_frame(page)
    return float(page.locator(slider).input_value())


def drag_over(page: Page, panel: str, cells: list[int], steps: int = 2) -> None:
    """Drag over the cells of the image of a panel, from the first to the last, in some steps from each to the next."""
    canvas = page.locator(f"{panel} canvas.afa-cells")
    box = box_at_rest(canvas)
    places = [
        (box["x"] + (cell % COLS + 0.5) * box["width"] / COLS, box["y"] + (cell // COLS + 0.5) * box["height"] / ROWS)
        for cell in cells
    ]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=steps)
    page.mouse.up()
    next_frame(page)


def choose(page: Page, **pressed: str) -> None:
    """Press buttons of the panel of regions, by what they stand for: what="join", against="rest", brush="b"."""
    for name, value in pressed.items():
        page.locator(f'{REGIONS} [data-{name}="{value}"]').click()
