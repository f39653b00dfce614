"""Charts of plotly in a real browser: loaded when first opened, read under the pointer, pressed, boxed and zoomed."""

from __future__ import annotations

import dataclasses
import html
import json
import re
import shutil

import pytest
from app_fixtures import add_snapshots, launched, prepare
from browser import (  # noqa: F401  (fixtures)
    SCREENSHOTS,
    browser,
    key,
    phone,
    pytestmark,
    ready,
    recomputed,
    requests,
    small_targets,
    tab,
    visit,
)
from data_trees import make_folder
from PIL import Image
from pointing import box_at_rest, fingers

from afa_viz.figures import interactive
from afa_viz.training.status import report_status
from afa_viz.ui.handlers.dataset import scoring
from afa_viz.ui.jobs.trainer import REQUEST

try:
    from playwright.sync_api import Page, expect
except ImportError:  # the tests are skipped
    Page = expect = None

WAIT = 30_000  # milliseconds; a test machine may be busy
ODD = "<b>odd<img src=x onerror=alert(1)>"  # the name of an image; plotly takes some tags in a text for markup
ORDER = {"recipe": "two_minutes", "start": "scratch", "pooling": "max", "backbone": "mit_b0", "iterations": 400,
         "device": "cpu"}  # fmt: skip
PLACE = """(figure, [x, y]) => {
  const plot = figure.querySelector(".js-plotly-plot");
  const { xaxis, yaxis } = plot._fullLayout;
  const box = plot.querySelector(".nsewdrag").getBoundingClientRect();
  return [box.left + xaxis.l2p(x), box.top + yaxis.l2p(y)];
}"""  # where a point of the axes lies on the page
POINTS = """(figure) => figure.querySelector(".js-plotly-plot").data.filter((t) => t.visible !== false).flatMap(
  (t) => t.x.map((x, i) => ({ x, y: t.y[i], id: t.customdata?.[i], text: t.text?.[i], name: t.name })))"""


def losses(last: int) -> list[dict]:
    return [
        {"iteration": i, "phase": "classification", "lr": 1e-3, "loss_cls": 100 / (i + 50)} for i in range(2, last, 2)
    ]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a training that seems to be at work."""
    folder = tmp_path_factory.mktemp("runs") / "two_minutes-001"
    folder.mkdir()
    (folder / REQUEST).write_text(json.dumps(ORDER))
    (folder / "metrics.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in losses(120)))
    with report_status(folder) as reporter:
        reporter.update("training")
        yield folder


@pytest.fixture(scope="module")
def address(tmp_path_factory, run):
    folder = tmp_path_factory.mktemp("page")
    options = prepare(folder)
    add_snapshots(options)
    make_folder(folder / "photos", 6)
    rename(folder / "photos")
    options = dataclasses.replace(options, data=f"folder:{folder / 'photos'}", train=True, runs=run.parent)
    with pytest.MonkeyPatch.context() as patch, launched(options) as served:
        patch.setattr(scoring, "IDLE_SECONDS", 0.0)
        yield served


def rename(photos) -> None:
    """Its classes are those of the model; one image gets an odd name, in its files and in the table of labels."""
    table = photos / "labels.csv"
    for path in (table, photos / "classes.txt"):
        path.write_text(path.read_text().replace("fire engine", "dog"))
    name = table.read_text().splitlines()[1].partition(".png")[0]
    for path in list(photos.rglob(f"{name}.*")):
        shutil.move(path, path.with_name(path.name.replace(name, ODD)))
    table.write_text(table.read_text().replace(name, ODD))


def chart(page: Page, panel: str, name: str):
    """A chart once it is drawn."""
    found = page.locator(f'{panel} [data-chart="{name}"]')
    expect(found).to_have_attribute("data-chart-state", "drawn", timeout=WAIT)
    return found


def spot(figure, x: float, y: float) -> tuple[float, float]:
    figure.scroll_into_view_if_needed()
    return tuple(figure.evaluate(PLACE, [x, y]))


def scored(page: Page):
    """The Data set tab with all of its images scored; its panel and the chart of the images."""
    panel = tab(page, "data")
    button = page.locator(f'{panel} [data-do="score"]')
    work = page.locator(f'{panel} [data-fill="work"]')
    expect(work).not_to_be_empty(timeout=WAIT)
    if button.is_visible():
        button.click()
    expect(work).to_contain_text("All 6 images are scored", timeout=WAIT)
    figure = chart(page, panel, "images")
    page.wait_for_function("(figure) => figure.querySelector('.js-plotly-plot').data.flatMap((t) => t.x).length === 6",
                           arg=figure.element_handle())  # fmt: skip
    return panel, figure


def test_plotly_js_comes_with_the_first_chart_and_once(visit, address):  # noqa: F811
    page = visit()
    seen = requests(page)
    for name in ("attention", "walk", "regions", "compare", "cam"):
        tab(page, name)
    assert not [url for url in seen if "plotly" in url] and page.evaluate("typeof Plotly") == "undefined"
    chart(page, tab(page, "training"), "scores")
    chart(page, tab(page, "train"), "losses")
    assert [url for url in seen if "plotly" in url] == [f"{address}charts/plotly-{interactive.plotly_version()}.min.js"]


def test_scores_over_snapshots_are_read_pressed_and_switched(visit):  # noqa: F811
    page = visit()
    panel = tab(page, "training")
    figure, frame = chart(page, panel, "scores"), page.locator(f'{panel} [data-fill="frame"]')
    expect(frame).to_have_text("iteration 10 (1 of 3)", timeout=WAIT)
    page.mouse.move(*spot(figure, 40, 50))
    hover = figure.locator(".hoverlayer")
    expect(hover).to_contain_text("image labels, mAP : 50")
    expect(hover).to_contain_text("CAM, one threshold (another rule) : 21")
    page.mouse.click(*spot(figure, 35, 50))  # beside it: the nearest one
    expect(frame).to_have_text("iteration 40 (2 of 3)")
    mark = "(figure) => figure.querySelector('.js-plotly-plot').layout.shapes.at(-1).x0"
    page.wait_for_function(f"(figure) => ({mark})(figure) === 40", arg=figure.element_handle())
    switch = figure.get_by_role("button", name="prediction", exact=True)
    switch.focus()
    page.keyboard.press("Space")
    expect(switch).to_have_attribute("aria-pressed", "false")
    assert "prediction" not in {point["name"] for point in figure.evaluate(POINTS)}
    switch.dblclick()  # alone
    assert {point["name"] for point in figure.evaluate(POINTS)} - {"snapshots"} == {"prediction"}
    switch.dblclick()  # and all again
    assert len({point["name"] for point in figure.evaluate(POINTS)}) == 4
    summary = figure.locator("summary")
    summary.focus()
    page.keyboard.press("Enter")
    rows = [row.split("\t") for row in figure.locator("table").inner_text().splitlines()]
    assert rows[0] == ["iteration", "prediction", "CAM, one threshold (another rule)", "image labels, mAP"]
    assert rows[1:] == [["10", "10", "20", "50"], ["40", "10", "21", "50"]]
    assert figure.locator(".afa-plotly").get_attribute("aria-label").startswith("Scores by stage during training")


def test_a_zoomed_chart_stays_in_its_frame_and_in_the_picture_of_the_tab(visit, tmp_path):  # noqa: F811
    page = visit()
    panel = tab(page, "training")
    figure = chart(page, panel, "scores")
    clipped = figure.locator(".cartesianlayer [clip-path]")
    clips = clipped.evaluate_all("(all) => all.map((element) => element.getAttribute('clip-path'))")
    assert clips and all(re.fullmatch(r"url\(['\"]?#[\w-]+['\"]?\)", clip) for clip in clips)  # whatever the address
    page.locator(".afa-share summary").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Image of this tab").click()
    download.value.save_as(tmp_path / "with.png")
    with Image.open(tmp_path / "with.png") as picture:
        assert picture.height > 700  # the chart stands below the four maps


def test_a_point_opens_its_image_and_a_box_lists_images(visit):  # noqa: F811
    page = visit()
    panel, figure = scored(page)
    points = figure.evaluate(POINTS)
    cards = page.locator(f"{panel} .afa-cards button")
    for point in points:  # what the chart says is what the cards say
        card = page.locator(f'{panel} .afa-cards [data-id="{point["id"]}"] .afa-points')
        expect(card).to_contain_text(f"{point['x']:.1f} → {point['y']:.1f}")
    odd = next(point for point in points if "odd" in point["text"])
    page.mouse.move(*spot(figure, odd["x"], odd["y"]))
    hover = figure.locator(".hoverlayer")
    expect(hover).to_contain_text(ODD)
    assert not figure.locator("img").count()

    xs, ys = [point["x"] for point in points], [point["y"] for point in points]
    left, top = spot(figure, min(xs) - 2, max(ys) + 2)
    middle = sorted(xs)[3]
    wanted = [point["id"] for point in points if point["x"] < middle - 0.05]
    right, bottom = spot(figure, middle - 0.05, min(ys) - 2)
    page.mouse.move(left, top)
    page.mouse.down()
    page.mouse.move((left + right) / 2, (top + bottom) / 2)
    page.mouse.move(right, bottom)
    page.mouse.up()
    expect(cards).to_have_count(len(wanted), timeout=WAIT)
    assert sorted(cards.evaluate_all("(all) => all.map((card) => card.dataset.id)")) == sorted(wanted)
    expect(page.locator(f'{panel} [data-fill="found"]')).to_contain_text(f"of the {len(wanted)} chosen in the chart")
    page.locator(f'{panel} [data-do="all"]').click()
    expect(cards).to_have_count(6, timeout=WAIT)

    figure.locator("summary").click()
    before = key(page)
    first = figure.locator("tbody tr").first
    name = first.locator("th").inner_text()
    first.get_by_role("button").focus()
    page.keyboard.press("Enter")  # the keyboard opens an image from the table
    recomputed(page, before)
    expect(page.locator(".afa-story h2")).to_have_text(name)
    other = next(
        point for point in points if html.escape(name, quote=False) != point["text"] and points_near(points, point) == 1
    )
    before = key(page)
    page.mouse.click(*spot(figure, other["x"], other["y"]))
    recomputed(page, before)
    expect(page.locator(f'{panel} .afa-cards [aria-current="true"]')).to_have_attribute("data-id", other["id"])


def points_near(points: list[dict], one: dict) -> int:
    return sum(abs(point["x"] - one["x"]) < 2 and abs(point["y"] - one["y"]) < 2 for point in points)


def test_bars_list_images_and_a_class_chooses_itself(visit):  # noqa: F811
    page = visit()
    panel, _ = scored(page)
    changes = chart(page, panel, "changes")
    bar = max(changes.evaluate(POINTS), key=lambda point: point["y"])
    page.mouse.click(*spot(changes, bar["x"], bar["y"] / 2))
    expect(page.locator(f"{panel} .afa-cards button")).to_have_count(bar["y"], timeout=WAIT)
    classes = chart(page, panel, "classes")
    marks = page.locator(f'{panel} [data-chart="classes"] .afa-switches circle')
    assert [mark.get_attribute("fill") for mark in marks.all()] == ["none", "currentColor"]  # before is open, as drawn
    point = classes.evaluate(POINTS)[-1]
    page.mouse.click(*spot(classes, point["x"], point["y"]))
    expect(page.locator(f'{panel} [data-set="class_name"]')).to_have_value(point["id"])
    expect(page.locator(f'{panel} [data-fill="found"]')).to_contain_text(f"known to show {point['id']}", timeout=WAIT)


def test_a_live_chart_grows_and_keeps_its_zoom(visit, run):  # noqa: F811
    page = visit()
    figure = chart(page, tab(page, "train"), "losses")
    plot = "figure.querySelector('.js-plotly-plot')"
    assert figure.evaluate(f"(figure) => {plot}.data[0].x.at(-1)") < 400
    (left, top), (right, bottom) = spot(figure, 10, 1.5), spot(figure, 60, 0.9)
    page.mouse.move(left, top)
    page.mouse.down()
    page.mouse.move((left + right) / 2, (top + bottom) / 2)
    page.mouse.move(right, bottom)
    page.mouse.up()
    zoom = f"(figure) => {plot}._fullLayout.xaxis.range.map(Math.round)"
    page.wait_for_function(f"(figure) => ({zoom})(figure)[1] < 100", arg=figure.element_handle())
    zoomed = figure.evaluate(zoom)
    last = figure.evaluate(f"(figure) => {plot}.data[0].x.at(-1)")
    (run / "metrics.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in losses(last + 40)))
    grown = f"(figure) => {plot}.data[0].x.at(-1) > {last + 30}"
    page.wait_for_function(grown, arg=figure.element_handle(), timeout=WAIT)
    assert figure.evaluate(zoom) == zoomed
    figure.locator(".nsewdrag").dblclick()  # everything again
    page.wait_for_function(f"(figure) => ({zoom})(figure)[1] === 400", arg=figure.element_handle())


def test_a_run_that_is_chosen_is_shown_while_an_answer_of_another_is_on_its_way(visit, run):  # noqa: F811
    earlier = run.parent / "two_minutes-000"
    shutil.copytree(run, earlier)
    (earlier / REQUEST).write_text(json.dumps(ORDER | {"iterations": 300}))
    try:
        page = visit()
        panel = tab(page, "train")
        chart(page, panel, "losses")
        runs = page.locator(f'{panel} [data-do="run"]')
        expect(runs.locator("option")).to_have_count(2)
        page.evaluate(
            """() => {
              const ask = window.fetch;
              window.late = 0; // answers about the newest run that come late
              window.fetch = async (...asked) => {
                const body = String(asked[1]?.body);
                const answer = await ask(...asked);
                if (body.includes("train_status") && !body.includes("two_minutes-000")) {
                  window.late += 1;
                  await new Promise((done) => { setTimeout(done, 2500); });
                }
                return answer;
              };
            }"""
        )
        page.wait_for_function("window.late")
        runs.select_option("two_minutes-000")
        command = page.locator(f'{panel} [data-fill="command"]')
        expect(command).to_contain_text("--iterations 300", timeout=2000)
        page.wait_for_timeout(3000)  # the late answer is here
        expect(runs).to_have_value("two_minutes-000")
        expect(command).to_contain_text("--iterations 300")
    finally:
        shutil.rmtree(earlier)


@pytest.mark.parametrize("theme, query", [("light", ""), ("dark", "lang=ko")])
@pytest.mark.parametrize("width", [1440, 390])
def test_charts_fit_in_both_themes_and_languages(visit, width, theme, query):  # noqa: F811
    page = visit(width, 900, theme, query)
    for name, charts in {
        "training": ["scores"],
        "train": ["losses", "rates"],
        "data": ["images", "changes", "classes"],
    }.items():
        panel = tab(page, name)
        if name == "data":
            expect(page.locator(f'{panel} [data-fill="work"]')).not_to_be_empty(timeout=WAIT)
            if page.locator(f'{panel} [data-do="score"]').is_visible():
                page.locator(f'{panel} [data-do="score"]').click()
        for one in charts:
            figure = chart(page, panel, one)
            box, plot = figure.bounding_box(), figure.locator(".main-svg").first.bounding_box()
            assert plot["width"] <= box["width"] + 1 and plot["width"] > 250, (name, one)
            figure.locator("summary").click()
            expect(figure.locator("table tr").nth(1)).to_be_visible()
            ink = page.locator(".afa").evaluate("(page) => getComputedStyle(page).color")
            assert figure.locator(".xtick text").first.evaluate("(text) => getComputedStyle(text).fill") == ink
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        assert not small_targets(page, panel), name
        text = page.locator(panel).inner_text()
        assert "{" not in text and "var(--" not in text
        if query:
            assert re.search("[가-힣]", page.locator(f'{panel} [data-chart="{charts[0]}"] .xtitle').text_content())
        SCREENSHOTS.mkdir(exist_ok=True)
        page.locator(panel).screenshot(path=SCREENSHOTS / f"charts_{name}_{width}_{theme}.png")


def test_colours_follow_the_page(visit):  # noqa: F811
    page = visit()
    figure = chart(page, tab(page, "training"), "scores")
    line = figure.locator(".scatterlayer .js-line").first
    before = line.evaluate("(line) => getComputedStyle(line).stroke")
    page.evaluate("document.body.classList.add('dark')")
    expect(line).not_to_have_css("stroke", before)
    warm = page.locator(".afa").evaluate("(page) => getComputedStyle(page).getPropertyValue('--warm').trim()")
    assert warm == "#e69f00" and line.evaluate("(line) => getComputedStyle(line).stroke") == "rgb(230, 159, 0)"


def test_without_plotly_js_the_table_stays(browser, address):  # noqa: F811
    page = browser.new_context().new_page()
    page.route("**/charts/plotly-*", lambda route: route.abort())
    page.goto(f"{address}?tab=training")
    ready(page)
    panel = tab(page, "training")
    figure = page.locator(f'{panel} [data-chart="scores"]')
    expect(figure).to_have_attribute("data-chart-state", "lost", timeout=WAIT)
    expect(figure).to_contain_text("The charts could not be loaded; the table holds the same numbers.")
    expect(figure.locator("table tbody tr")).to_have_count(2)
    page.unroute("**/charts/plotly-*")
    tab(page, "train")  # the next chart tries again
    chart(page, '[role=tabpanel][data-tab="train"]', "losses")
    page.context.close()


def test_a_finger_scrolls_over_charts_and_a_tap_tells_values(phone):  # noqa: F811
    """A swipe that begins on a chart moves the page; neither it nor a pinch zooms or presses. A tap is one press."""
    page = phone()
    panel = tab(page, "training")
    figure = chart(page, panel, "scores")
    send = fingers(page)
    axes = "(figure) => ['xaxis', 'yaxis'].map((a) => figure.querySelector('.js-plotly-plot')._fullLayout[a].range)"
    middle = "(figure) => figure.scrollIntoView({ block: 'center', behavior: 'instant' })"
    page.evaluate(
        """() => {
          window.held = 0; // touches that the page keeps from the browser
          for (const kind of ["touchstart", "touchmove"]) {
            addEventListener(kind, (event) => {
              setTimeout(() => { window.held += Number(event.defaultPrevented); }); // when all have heard of it
            }, true);
          }
        }"""
    )
    figure.evaluate(
        """(figure) => {
          window.presses = { plotly_click: 0, plotly_doubleclick: 0 };
          const plot = figure.querySelector(".js-plotly-plot");
          for (const kind of Object.keys(window.presses)) plot.on(kind, () => { window.presses[kind] += 1; });
        }"""
    )
    figure.evaluate(middle)
    before, ranges = page.evaluate("scrollY"), figure.evaluate(axes)
    box = box_at_rest(figure.locator(".nsewdrag").first)
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    send("touchStart", (x, y))
    for step in range(20, 200, 20):
        send("touchMove", (x, y - step))
    send("touchEnd")
    page.wait_for_function("before => scrollY > before + 50", arg=before)  # the end of the page is near
    figure.evaluate(middle)
    send("touchStart", (x - 20, y), (x + 20, y))
    for gap in (30, 45, 60):
        send("touchMove", (x - gap, y), (x + gap, y))
    send("touchEnd")
    assert page.evaluate("window.held") == 0 and figure.evaluate(axes) == ranges
    now = page.locator(f'{panel} [data-fill="frame"]')
    for number, (at, value, words) in enumerate([(40, 50, "image labels, mAP : 50"), (10, 20, ": 20")], start=1):
        box_at_rest(figure.locator(".nsewdrag").first)
        page.touchscreen.tap(*figure.evaluate(PLACE, [at, value]))
        expect(figure.locator(".hoverlayer")).to_contain_text(words)
        expect(now).to_contain_text(f"iteration {at} ")
        page.wait_for_timeout(600)  # at once the next would be the second of a double tap
        assert page.evaluate("window.presses") == {"plotly_click": number, "plotly_doubleclick": 0}
    switch = figure.get_by_role("button", name="prediction", exact=True)
    switch.tap()
    expect(switch).to_have_attribute("aria-pressed", "false")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
