"""Photographs of visitors in a static site: what the browser computes is what `explain` computes."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from browser import browser, key, missing, requests, tab, visit  # noqa: F401
from browser import pytestmark as browser_marks
from network_site import DRIVER, EXAMPLES, arrays, build_with_network, network_of
from PIL import Image
from static_site import served

import afa_viz
from afa_viz.stage_scores import stage_labels
from afa_viz.ui.handlers import payload, payload_attention
from afa_viz.ui.localization import texts

try:
    from playwright.sync_api import Page, expect
except ImportError:  # the tests are skipped
    Page = expect = None

pytestmark = [*browser_marks, pytest.mark.slow]
NAMES = sorted(path.name for path in EXAMPLES.glob("*.png") if not path.stem.endswith("_mask"))


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    if missing:
        pytest.skip(missing)
    return build_with_network(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def address(site) -> Iterator[str]:
    with served(site) as base:
        yield base


@pytest.fixture(scope="module")
def model():
    return afa_viz.load_model(device="cpu")


@pytest.fixture(scope="module")
def worker(browser, address, site):  # noqa: F811
    """A page that speaks with the worker of the site."""
    page = browser.new_context().new_page()
    page.set_default_timeout(60_000)
    page.goto(address)
    page.evaluate(DRIVER)
    page.evaluate("network => driver.open(network)", network_of(site))
    return page


def explained(worker, data: bytes, kind: str = "image/png") -> dict:
    sent = [base64.b64encode(data).decode(), kind]
    answer = worker.evaluate("([data, kind]) => driver.explain(data, kind)", sent)
    return arrays(worker.evaluate("key => driver.ask(key, 'stages')", answer["key"])) | answer


def asked(worker, answer: dict, question: str, **parameters) -> dict:
    return arrays(worker.evaluate("([key, question, asked]) => driver.ask(key, question, asked)",
                                  [answer["key"], question, parameters]))  # fmt: skip


def compare(found: dict, trace) -> None:
    """Labels equal on 99 % of the pixels, scores within 2 % of full scale."""
    channels = [0, *trace.present]
    assert [one["label"] for one in found["classes"]] == list(trace.present)
    assert found["size"] == list(trace.image.shape[:2]) and found["grid"] == list(trace.grid)
    labels = stage_labels(trace)
    shown = {stage: found["labels"][stage]["map"] for stage in payload.LABELLED_STAGES if stage in found["labels"]}
    shown |= {name: found[name]["map"] for name in ("affinity_label", "pseudo_label")}
    expected = labels | {"affinity_label": trace.affinity_label, "pseudo_label": trace.pseudo_label}
    for name, label in shown.items():
        equal = float((label == expected[name].numpy()).mean())
        assert equal >= 0.99, f"{name}: {equal:.4f} of the pixels"
    scores = {"cam": trace.cam[[label - 1 for label in trace.present]], "cam_rw": trace.cam_rw[channels],
              "cam_par": trace.cam_par[channels], "affinity": trace.affinity}  # fmt: skip
    for name, values in scores.items():
        apart = float(np.abs(found[name]["map"] - values.numpy()).max())
        assert apart <= 0.02, f"{name}: {apart:.4f} of full scale"
    for one in found["classes"]:
        assert one["logit"] == pytest.approx(float(trace.class_logits[one["label"] - 1]), abs=0.05)


@pytest.mark.parametrize("name", NAMES)
def test_bundled_examples(worker, model, name):
    found = explained(worker, (EXAMPLES / name).read_bytes())
    compare(found, afa_viz.explain(model, EXAMPLES / name))


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, format=kind, **options)
    return file.getvalue()


def scene(name: str, size: tuple[int, int]) -> Image.Image:
    return Image.open(EXAMPLES / name).convert("RGB").resize(size, Image.Resampling.BICUBIC)


def turned(image: Image.Image, orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(image, "JPEG", quality=92, exif=exif)


UPLOADS = {
    "301 x 199 PNG": lambda: encoded(scene("default_004.png", (301, 199)), "PNG"),
    "97 x 143 PNG": lambda: encoded(scene("default_005.png", (97, 143)), "PNG"),
    "1023 x 577 JPEG": lambda: encoded(scene("chelsea.png", (1023, 577)), "JPEG", quality=90),
    "2048 x 1531 JPEG": lambda: encoded(scene("crowded_055.png", (2048, 1531)), "JPEG", quality=80),
    "640 x 480 JPEG on its side": lambda: turned(scene("biased_041.png", (640, 480)), 6),
    "333 x 500 JPEG, mirrored": lambda: turned(scene("biased_045.png", (333, 500)), 2),
    "500 x 375 WebP": lambda: encoded(scene("astronaut.png", (500, 375)), "WEBP", quality=90),
    "257 x 255 grey PNG": lambda: encoded(scene("default_011.png", (257, 255)).convert("L"), "PNG"),
    "411 x 123 PNG with a palette": lambda: encoded(scene("default_013.png", (411, 123)).quantize(64), "PNG"),
    "120 x 300 PNG, half transparent": lambda: encoded(with_alpha(scene("cluttered_076.png", (120, 300))), "PNG"),
    "40 x 33 PNG": lambda: encoded(scene("default_004.png", (40, 33)), "PNG"),
}


def with_alpha(image: Image.Image) -> Image.Image:
    alpha = np.tile(np.linspace(0, 255, image.width).round().astype(np.uint8), (image.height, 1))
    image.putalpha(Image.fromarray(alpha))
    return image


@pytest.mark.parametrize("kind", UPLOADS)
def test_uploads_of_odd_sizes(worker, model, tmp_path, kind):
    data = UPLOADS[kind]()
    (tmp_path / "photo").write_bytes(data)
    compare(explained(worker, data, "image/any"), afa_viz.explain(model, tmp_path / "photo"))


def test_chosen_labels_are_those_of_explain(worker, model):
    found = explained(worker, (EXAMPLES / "default_004.png").read_bytes())
    chosen = [3, 6, 11]
    stages = asked(worker, {"key": f"{found['key']}:3,6,11"}, "stages")
    compare(stages, afa_viz.explain(model, EXAMPLES / "default_004.png", labels=chosen))
    assert stages["labels_given"] and stages["key"] != found["key"]


def mask_png(size: tuple[int, int], labels: tuple[int, ...]) -> Image.Image:
    """Two discs of two labels, or one, in the background, and a frame that does not count."""
    rows, cols = np.mgrid[: size[1], : size[0]]
    mask = np.zeros((size[1], size[0]), np.uint8)
    for i, label in enumerate(labels):
        mask[(rows - size[1] / 2) ** 2 + (cols - size[0] * (i + 1) / (len(labels) + 1)) ** 2 < (min(size) / 5) ** 2] = (
            label
        )
    mask[:3] = 255
    return Image.fromarray(mask)


@pytest.mark.parametrize(
    "kind, size, labels", [("301 x 199 PNG", (301, 199), (3, 6)), ("257 x 255 grey PNG", (514, 510), (11,))]
)
def test_a_ground_truth_gives_the_scores_of_the_app(worker, model, tmp_path, kind, size, labels):
    data = UPLOADS[kind]()
    (tmp_path / "photo").write_bytes(data)
    found = explained(worker, data)
    assert found["scores"] is None and found["precision"] is None and not found["labels_given"]
    mask = mask_png(size, labels)
    answer = worker.evaluate("mask => driver.mask(mask)", base64.b64encode(encoded(mask, "PNG")).decode())
    assert answer["key"].startswith(found["key"]) and answer["key"] != found["key"]
    stages = asked(worker, answer, "stages")
    shape = tuple(reversed(Image.open(io.BytesIO(data)).size))
    target = np.asarray(mask.resize((shape[1], shape[0]), Image.Resampling.NEAREST))
    trace = afa_viz.explain(model, tmp_path / "photo", labels=sorted(labels), target=target)
    compare(stages, trace)
    assert stages["labels_given"] and stages["story"] == texts()["side.masked_story"]
    scene_found = asked(worker, answer, "scene")
    assert np.array_equal(scene_found["target"]["map"], trace.target.numpy())
    expected = payload.stages(trace, "x", "y")
    for stage, score in expected["scores"].items():
        assert stages["scores"][stage]["miou"] == pytest.approx(score["miou"], abs=0.01), stage
        for label, iou in score["iou"].items():
            assert stages["scores"][stage]["iou"][str(label)] == pytest.approx(iou, abs=0.02), (stage, label)
    for name, regions in expected["precision"].items():
        for region, share in regions.items():
            assert (stages["precision"][name][region] is None) == (share is None)
            assert share is None or stages["precision"][name][region] == pytest.approx(share, abs=0.01)
    assert asked(worker, answer, "overview")["by_truth"]
    alike(asked(worker, answer, "overview"), payload_attention.overview(trace))
    alike(asked(worker, answer, "affinity")["numbers"], payload_attention.affinity(trace)["numbers"])
    assert asked(worker, {"key": found["key"]}, "stages") is None, "the image has a ground truth now"


def alike(found, expected, where=""):
    """Numbers to three digits, everything else equal."""
    if isinstance(expected, dict):
        assert set(found) >= set(expected), (where, set(expected) - set(found))
        for name in expected:
            alike(found[name], expected[name], f"{where}.{name}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), where
        for i, item in enumerate(expected):
            alike(found[i], item, f"{where}[{i}]")
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, rel=5e-3, abs=5e-3), where
    else:
        assert found == expected, where


@pytest.mark.parametrize("kind", ["301 x 199 PNG", "97 x 143 PNG"])
def test_what_tabs_ask_is_what_the_app_answers(worker, model, tmp_path, kind):
    data = UPLOADS[kind]()
    (tmp_path / "photo").write_bytes(data)
    trace = afa_viz.explain(model, tmp_path / "photo")
    found = explained(worker, data)
    scene_found, expected = asked(worker, found, "scene"), payload.scene(trace, "x")
    alike(scene_found["blocks"], expected["blocks"])
    assert (scene_found["seg"]["map"] == trace.seg.numpy()).mean() >= 0.99
    alike(asked(worker, found, "overview"), payload_attention.overview(trace))
    numbers = payload_attention.affinity(trace)
    answer = asked(worker, found, "affinity")
    alike(answer["numbers"], numbers["numbers"])
    alike({name: answer[name] for name in ("cells_of", "at_centre", "bias")},
          {name: numbers[name] for name in ("cells_of", "at_centre", "bias")})  # fmt: skip
    for block in range(len(trace.attn_logits)):
        for logits in (False, True):
            for part in ({}, {"head": -1}, {"head": 0}, {"cell": [1, 2]}):
                values = payload_attention.cell_maps(trace, block, logits, part.get("cell")).numpy()
                values = (
                    values if "head" not in part else values.mean(0, keepdims=True) if part["head"] < 0 else values[:1]
                )
                maps = asked(worker, found, "attention", block=block, logits=logits, **part)
                lows, peaks = (maps[name].reshape(maps["shape"][:2] + [1]) for name in ("lows", "peaks"))
                shown = lows + (peaks - lows) * maps["bytes"].reshape(maps["shape"]) / 255
                span = float(np.ptp(values)) or 1
                assert shown.shape == values.shape and np.abs(shown - values).max() <= 0.02 * span, (
                    block,
                    logits,
                    part,
                )


def test_the_work_on_an_older_image_ends(worker):
    """Three images at once: only the newest one is explained."""
    data = [base64.b64encode((EXAMPLES / name).read_bytes()).decode() for name in NAMES[:3]]
    answers = worker.evaluate("data => Promise.all(data.map((one) => driver.explain(one, 'image/png')))", data)
    assert [one["done"] for one in answers] == [False, False, True] and answers[2]["key"].startswith("photo-")
    passes = worker.evaluate("driver.progress.filter(({progress}) => progress).length")
    assert 6 <= passes <= 10


@pytest.mark.parametrize(
    "data, failure",
    [
        (b"", "site.no_image_file"),
        (b"hello", "site.no_image_file"),
        (b"\x89PNG\r\n\x1a\n" + b"x" * 99, "site.no_image_file"),
        (encoded(Image.new("RGB", (15, 40)), "PNG"), "refused.small"),
        (encoded(Image.new("RGB", (900, 100)), "PNG"), "refused.narrow"),
        (encoded(Image.new("L", (7000, 7000)), "PNG"), "refused.far_too_many"),
    ],
    ids=["empty", "text", "damaged", "small", "narrow", "megapixels"],
)  # fmt: skip
def test_bad_files_are_named(worker, data, failure):
    caught = worker.evaluate(
        "data => driver.explain(data, 'image/png').then(() => '', (error) => error.message)",
        base64.b64encode(data).decode(),
    )
    found = json.loads(caught)
    assert found["key"] == failure
    assert "{" not in texts()[failure].format(**found["places"])


# --- the page --------------------------------------------------------------------------------------------------------


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
    box = dialog.locator("canvas").bounding_box()
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
