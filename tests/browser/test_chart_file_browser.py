"""A file of plotly figures in a real browser, opened from the disk, with names that a page might take for markup."""

from __future__ import annotations

from browser import browser, pytestmark  # noqa: F401  (fixtures)

from afa_viz.figures import interactive

try:
    from playwright.sync_api import expect
except ImportError:  # the tests are skipped
    expect = None

WAIT = 30_000  # milliseconds; a test machine may be busy


def test_a_file_of_figures_opens_from_the_disk(browser, tmp_path):  # noqa: F811
    hostile = ("<b>bold</b>", '<img src=x onerror="alert(1)">', "</script><script>alert(1)</script>",
               '<a href="javascript:alert(1)">go</a>', "&lt;i&gt;")  # fmt: skip
    scores = {name: interactive.ClassScore(0.1 * i, 0.5, 3) for i, name in enumerate(hostile)}
    images = [interactive.ImageScore(name, name, (name,), 0.2 * i, 0.5) for i, name in enumerate(hostile)]
    figures = {
        "classes": interactive.class_change_figure(scores, "walk_start", "cam_rw", theme="page"),
        "images": interactive.before_after_figure(images, "walk_start", "cam_rw", theme="page"),
    }
    path = interactive.write_page(figures, tmp_path / "page.html", "<b>Title</b>")
    troubles: list[str] = []
    context = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme="dark", offline=True)
    page = context.new_page()
    page.on("console", lambda message: troubles.append(message.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("dialog", lambda dialog: troubles.append(dialog.message))
    page.on("request", lambda r: None if r.url.startswith(("file:", "data:", "blob:")) else troubles.append(r.url))
    page.goto(path.as_uri())
    expect(page.locator(".main-svg").first).to_be_visible(timeout=WAIT)
    ticks = page.locator("#classes .ytick text").all_text_contents()
    assert sorted(ticks) == sorted(name if len(name) <= 18 else f"{name[:17]}…" for name in hostile)
    legend = page.locator("#images .legendtext").all_text_contents()
    assert set(legend) == set(hostile)
    assert not page.locator("main img, main b, main i, main a:not([class])").count()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    dark = page.locator("#classes .xtick text").first.evaluate("(text) => getComputedStyle(text).fill")
    page.emulate_media(color_scheme="light")
    expect(page.locator("#classes .xtick text").first).not_to_have_css("fill", dark)
    page.locator("#classes summary").click()
    assert page.locator("#classes tbody th").all_inner_texts() == list(hostile)[::-1] or sorted(
        page.locator("#classes tbody th").all_inner_texts()) == sorted(hostile)  # fmt: skip
    context.close()
    assert not troubles
