"""Draw the pictures of README.md from the bundled model: the strip of one example and the running app.

PYTHONPATH=. python tools/make_pictures.py [--chromium /usr/bin/chromium]
"""

from __future__ import annotations

import argparse
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[1]
OUT = ROOT / "docs" / "pictures"
EXAMPLE, LABELS = "default_216", ["cow"]
WIDTH = 1440  # pixels of the window
START = 120  # seconds that the app may take


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


def shoot_app(chromium: str) -> None:
    """docs/pictures/app.png, the first sight of the app."""
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
            page.wait_for_timeout(1500)  # fonts and pictures of the gallery
            page.screenshot(path=OUT / "app.png", full_page=True)
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
