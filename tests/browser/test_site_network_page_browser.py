"""The page of a static site that explains photographs of visitors: chosen, dropped, pasted, with masks and labels."""

from __future__ import annotations

import base64

import pytest
from browser import browser, key, requests, tab, visit  # noqa: F401  (fixtures)
from browser import pytestmark as browser_marks
from image_bytes import encoded
from network_site import address, site  # noqa: F401  (fixtures)
from pointing import box_at_rest
from visitor_images import UPLOADS, mask_png

from afa_viz.ui.localization import texts

try:
    from playwright.sync_api import Page, expect
except ImportError:  # the tests are skipped
    Page = expect = None

pytestmark = [*browser_marks, pytest.mark.slow]


def bring(page: Page, data: bytes, name: str = "photo.png") -> None:
    page.locator("#afa-pick .afa-choose input").set_input_files({"name": name, "mimeType": "image/png", "buffer": data})


def settled(page: Page, before: str) -> str:
    page.wait_for_function(
        "before => { const at = document.querySelector('.afa').dataset; return at.settled !== before && at.settled; }",
        arg=before, timeout=240_000,
    )  # fmt: skip
    return key(page)


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("width, theme", [(1440, "light"), (390, "dark")])
def test_a_photograph_is_chosen_and_every_tab_follows(visit, language, width, theme):  # noqa: F811
    page = visit(width, 844, theme, f"lang={language}")
    before = key(page)
    asked_for = requests(page)
    assert not [url for url in asked_for if "network-" in url or "onnxruntime" in url], "not before it is needed"
    bring(page, UPLOADS["301 x 199 PNG"]())
    settled(page, before)
    done = texts(language)["site.own_done"].format(runtime="WebAssembly")
    expect(page.locator(".afa-sending")).to_have_text(done, timeout=20_000)
    assert sum("onnxruntime" in url or "network-" in url for url in asked_for) >= 3
    assert page.locator('[data-fill="picture"]').inner_text() == texts(language)["side.own_title"]
    for name in ("cam", "attention", "affinity", "walk", "par", "regions", "seg"):
        selector = tab(page, name)
        page.wait_for_timeout(200)
        words = page.locator(selector).inner_text()
        assert "{" not in words and texts(language)["gone"] not in page.locator(".afa-status").inner_text(), name
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
    for name in ("compare", "training", "data", "train", "lab"):
        tab(page, name)
        page.wait_for_timeout(200)
        assert texts(language)["gone"] not in page.locator(".afa-status").inner_text(), name


def test_labels_are_chosen_settings_moved_and_the_gallery_taken_again(visit):  # noqa: F811
    page = visit()
    before = key(page)
    expect(page.locator(".afa-own-labels")).to_be_hidden()
    bring(page, UPLOADS["97 x 143 PNG"]())
    first = settled(page, before)
    page.locator(".afa-own-labels summary").click()
    page.locator(".afa-own-labels").get_by_label("cat").check()
    second = settled(page, first)
    chips = page.locator('[data-list="classes"]').inner_text()
    assert second.endswith(":6") and "cat" in chips and page.locator(".afa-own-labels input:checked").count() == 1
    page.locator(".afa-own-labels").get_by_label("cat").uncheck()
    assert settled(page, second) == first
    page.locator('#afa-settings input[value="random walk"]').check()
    third = settled(page, first)
    assert "left_out" in third
    page.locator(".afa-gallery button").first.click()
    settled(page, third)
    expect(page.locator(".afa-own-labels")).to_be_hidden()
    expect(page.locator(".afa-sending")).to_be_hidden()
    expect(page.locator(".afa-add-mask")).to_be_hidden()


def test_a_mask_is_painted_and_every_score_uses_it(visit):  # noqa: F811
    page = visit()
    before = key(page)
    bring(page, UPLOADS["97 x 143 PNG"]())
    first = settled(page, before)
    expect(page.locator('[data-stage="target"]')).to_be_hidden()
    page.get_by_role("button", name="Add a ground-truth mask").click()
    dialog = page.locator("dialog.afa-mask")
    dialog.locator('[data-mask="brush"]').select_option(label="cat")
    dialog.locator('[data-mask="size"]').fill("15")
    box = box_at_rest(dialog.locator("canvas"))
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.5 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 0.5 * box["height"], steps=3)
    page.mouse.up()
    dialog.get_by_role("button", name="Use this mask").click()
    second = settled(page, first)
    assert second.startswith(f"{first}-")
    expect(page.locator('[data-stage="target"]')).to_be_visible()
    expect(page.locator('[data-fill="story"]')).to_have_text(texts()["side.masked_story"])
    expect(page.locator('[data-stage="cam_par"], [data-stage="cam"]').first).to_contain_text("IoU")
    panel = tab(page, "seg")
    expect(page.locator(f"{panel} [data-view=errors]")).to_be_visible()
    page.locator('#afa-settings input[value="PAR"]').check()  # a setting keeps the truth
    settled(page, second)
    expect(page.locator('[data-stage="target"]')).to_be_visible()


def test_a_photograph_and_its_mask_are_chosen_together(visit):  # noqa: F811
    page = visit()
    before = key(page)
    files = {"mine.png": UPLOADS["97 x 143 PNG"](), "mine_mask.png": encoded(mask_png((97, 143), (6,)), "PNG")}
    page.locator("#afa-pick .afa-choose input").set_input_files(
        [{"name": name, "mimeType": "image/png", "buffer": data} for name, data in files.items()]
    )
    settled(page, before)
    expect(page.locator("dialog.afa-mask .afa-mask-values label")).to_have_count(3)
    page.keyboard.press("Escape")
    expect(page.locator("dialog.afa-mask")).to_be_hidden()


def test_the_network_is_loaded_once_somebody_is_about_to_choose(visit):  # noqa: F811
    page = visit()
    asked_for = requests(page)
    with page.expect_response(lambda response: "network-head" in response.url):
        page.locator("#afa-pick .afa-choose input").focus()
    before = key(page)
    bring(page, UPLOADS["40 x 33 PNG"]())
    settled(page, before)
    assert sum(url.endswith(".wasm") for url in asked_for) == 1


GPU = {  # what a browser offers; none of them runs the network here
    "an adapter": "{requestAdapter: async () => ({})}",
    "none": "{requestAdapter: async () => null}",
    "an error": "{requestAdapter: async () => { throw new Error('no'); }}",
    "nothing": "undefined",
}


@pytest.mark.parametrize("kind", GPU)
def test_a_gpu_is_tried_where_there_is_one_and_webassembly_takes_over(browser, address, kind):  # noqa: F811
    page = browser.new_context().new_page()
    page.add_init_script(f"Object.defineProperty(navigator, 'gpu', {{value: {GPU[kind]}}})")
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    asked_for = requests(page)
    page.goto(address)
    page.wait_for_selector(".afa[data-settled]")
    before = key(page)
    for photograph in ("40 x 33 PNG", "97 x 143 PNG"):
        bring(page, UPLOADS[photograph]())
        before = settled(page, before)
    expect(page.locator(".afa-sending")).to_contain_text("WebAssembly", timeout=20_000)
    tried = sum("ort.webgpu.bundle" in url for url in asked_for)
    assert tried == (kind == "an adapter"), "and not again for the next photograph"
    assert sum("ort.wasm.bundle" in url for url in asked_for) == 1
    fallen = [words for words in said if words.startswith("WebGPU could not run the network (")]
    assert len(fallen) == tried, said
    page.context.close()


DROP = """([kind, data, type]) => {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], "photo.png", {type}));
  const options = {bubbles: true, cancelable: true};
  document.body.dispatchEvent(kind === "drop" ? new DragEvent("drop", {dataTransfer: transfer, ...options})
    : new ClipboardEvent("paste", {clipboardData: transfer, ...options}));
}"""


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_a_photograph_is_dropped_or_pasted(visit, kind):  # noqa: F811
    page = visit()
    before = key(page)
    page.evaluate(DROP, [kind, base64.b64encode(UPLOADS["257 x 255 grey PNG"]()).decode(), "image/png"])
    assert settled(page, before).startswith("photo-")


def test_a_bad_file_leaves_the_image_and_says_why(visit):  # noqa: F811
    page = visit()
    before = key(page)
    page.evaluate(DROP, ["drop", base64.b64encode(b"hello").decode(), "text/plain"])
    expect(page.locator(".afa-sending")).to_have_text(texts()["site.no_image_file"], timeout=30_000)
    assert key(page) == before and page.locator(".afa-sending progress").is_hidden()
    bring(page, UPLOADS["40 x 33 PNG"]())
    assert settled(page, before).startswith("photo-")


def test_the_page_never_freezes(visit):  # noqa: F811
    """While the network runs the page answers within a second, on a machine that may be busy; the work takes more."""
    page = visit()
    before = key(page)
    bring(page, UPLOADS["257 x 255 grey PNG"]())  # loads the network
    first = settled(page, before)
    page.evaluate("""() => {
      window.longest = 0;
      let last = performance.now();
      const tick = () => {
        window.longest = Math.max(window.longest, performance.now() - last);
        last = performance.now();
        setTimeout(tick);
      };
      tick();
    }""")
    bring(page, UPLOADS["2048 x 1531 JPEG"]())
    settled(page, first)
    assert page.evaluate("window.longest") <= 1000
