"""Draw the images of README.md from the bundled model: the strip of one example, the running app and its tabs.

PYTHONPATH=. python tools/make_pictures.py [--chromium /usr/bin/chromium]
"""

from __future__ import annotations

import argparse
import io
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from PIL import Image, ImageDraw

from afa_viz.figures.typography import font
from afa_viz.ui.localization import texts
from afa_viz.ui.page.assets import TABS

ROOT = Path(__file__).parents[1]
OUT = ROOT / "docs" / "pictures"
EXAMPLE, LABELS = "default_216", ["cow"]
WIDTH = 1440  # pixels of the window
START = 120  # seconds that the app may take
COLUMNS, TILE, TITLE, GAP = 5, (316, 237), 26, 12  # of the sheet of tabs, pixels
BELOW_WORDS = """(panel) => Math.max(...[...panel.querySelectorAll(":scope > :is(.afa-intro, .afa-why)")]
  .map((words) => words.getBoundingClientRect().bottom)) - panel.getBoundingClientRect().top"""
SEEN = (1056, 792)  # pixels of a tab that its tile shows, from its upper left


def draw_strip() -> None:
    """docs/pictures/strip.png: every stage of one example."""
    import numpy as np

    import afa_viz
    from afa_viz.figures.strip import strip

    folder = ROOT / "afa_viz" / "examples"
    model = afa_viz.load_model(ROOT / "checkpoints" / "sandbox", device="cpu")
    target = np.asarray(Image.open(folder / f"{EXAMPLE}_mask.png"))
    trace = afa_viz.explain(model, folder / f"{EXAMPLE}.png", labels=LABELS, target=target)
    Image.fromarray(strip(trace)).save(OUT / "strip.png", optimize=True)


def tile(page, name: str) -> Image.Image:
    """The upper part of a tab, below its introduction, as small as on the sheet."""
    page.locator(f'[role=tab][data-tab="{name}"]').click()
    panel = page.locator(f'[role=tabpanel][data-tab="{name}"]')
    panel.locator(".afa-next, form").first.wait_for()
    if name == "training":  # the last snapshot, once all are processed
        panel.get_by_text("snapshots are ready").wait_for(timeout=START * 1000)
        panel.locator("input[type=range]").first.press("End")
    page.wait_for_timeout(1500)  # maps and charts of the tab
    shown = Image.open(io.BytesIO(panel.screenshot(animations="disabled"))).convert("RGB")
    top = round(panel.evaluate(BELOW_WORDS))
    whole = Image.new("RGB", SEEN, shown.getpixel((0, 0)))
    whole.paste(shown.crop((0, top, min(SEEN[0], shown.width), min(top + SEEN[1], shown.height))))
    return whole.resize(TILE, Image.Resampling.LANCZOS)


def draw_tabs(page) -> None:
    """docs/pictures/tabs.webp: every tab, with its name."""
    rows = -(-len(TABS) // COLUMNS)
    width, height = TILE[0] + GAP, TILE[1] + TITLE + GAP
    sheet = Image.new("RGB", (COLUMNS * width - GAP, rows * height - GAP), (255, 255, 255))
    draw = ImageDraw.Draw(sheet)
    for place, name in enumerate(TABS):
        left, top = place % COLUMNS * width, place // COLUMNS * height
        draw.text((left + 2, top + TITLE / 2), texts()[f"tabs.{name}"], fill=(32, 32, 32), font=font(17), anchor="lm")
        sheet.paste(tile(page, name), (left, top + TITLE))
        draw.rectangle((left, top + TITLE, left + TILE[0] - 1, top + TITLE + TILE[1] - 1), outline=(190, 190, 190))
    sheet.save(OUT / "tabs.webp", quality=82, method=6)


def shoot_app(chromium: str) -> None:
    """docs/pictures/app.png, the first sight of the app, and its tabs."""
    from playwright.sync_api import sync_playwright

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    app = subprocess.Popen([sys.executable, "app.py", "--port", str(port)], cwd=ROOT, stdout=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + START
        while True:
            try:
                urllib.request.urlopen(address, timeout=2).close()
                break
            except OSError:
                if time.monotonic() > deadline or app.poll() is not None:
                    raise SystemExit("the app did not start; run python app.py to see why") from None
                time.sleep(0.5)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
            page = browser.new_page(viewport={"width": WIDTH, "height": 900}, color_scheme="light")
            page.goto(address)
            page.locator(".afa[data-settled]").wait_for()
            page.wait_for_timeout(1500)  # fonts and images of the gallery
            page.screenshot(path=OUT / "app.png", full_page=True)
            draw_tabs(page)
            browser.close()
    finally:
        app.terminate()
        app.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chromium", default="/usr/bin/chromium", help="browser (default: /usr/bin/chromium)")
    args = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    draw_strip()
    shoot_app(args.chromium)
    print(f"wrote {', '.join(sorted(path.name for path in OUT.iterdir()))}")


if __name__ == "__main__":
    main()
