"""Record the animation of README.md from the running page: the affinity under the pointer, the random walk, PAR.

PYTHONPATH=. python tools/make_animation.py     # writes docs/pictures/steps.webp; needs playwright and Chromium
"""

from __future__ import annotations

import io
import math
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks.browser import ROOT, launch_browser, load, open_window, serve_app

OUT = ROOT / "docs" / "pictures" / "steps.webp"
FRAME = 100  # milliseconds
MAX_SECONDS, MAX_BYTES = 8.0, 3_000_000
WIDTH = 1000  # pixels of the pictures
QUALITY = 78
SETTLE = 60  # milliseconds until a change is drawn
FIGURES = {"affinity": 4, "walk": 4, "par": 3}  # of each tab, from the left
PATH = [(0.72, 0.50), (0.60, 0.60), (0.45, 0.62), (0.30, 0.62), (0.15, 0.25), (0.60, 0.15), (0.72, 0.50)]
# what the animation leaves out: texts, and what stands below the maps
STYLE = """
.afa-intro, .afa-equation, .afa-why, .afa-tab [data-for=crf] { display: none !important }
#afa-cursor { position: fixed; z-index: 9999; width: 22px; pointer-events: none; filter: drop-shadow(0 1px 1px #0008) }
"""
CURSOR = """() => {
  const cursor = document.createElement("div");
  cursor.id = "afa-cursor";
  cursor.innerHTML = '<svg viewBox="0 0 16 24"><path d="M1 1v19l5-5 3 8 3-1-3-8h6z" fill="#fff" stroke="#000"/></svg>';
  document.body.append(cursor);
  const follow = ({ clientX: x, clientY: y }) => { Object.assign(cursor.style, { left: `${x}px`, top: `${y}px` }); };
  addEventListener("mousemove", follow);
}"""
SET = "(slider, value) => { slider.value = value; slider.dispatchEvent(new Event('input', { bubbles: true })); }"


def along(path: list[tuple[float, float]], count: int) -> Iterator[tuple[float, float]]:
    """Points at equal steps along a path, its ends included."""
    lengths = [math.dist(a, b) for a, b in zip(path, path[1:], strict=False)]
    for number in range(count):
        left, place = sum(lengths) * number / (count - 1), 0
        while place < len(lengths) - 1 and left > lengths[place]:
            left, place = left - lengths[place], place + 1
        share = left / lengths[place]
        (x, y), (u, v) = path[place], path[place + 1]
        yield x + share * (u - x), y + share * (v - y)


class Recorder:
    """Pictures of the maps of one tab after another."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.frames: list[Image.Image] = []
        self.tab = ""

    def open(self, tab: str) -> None:
        """Open a tab and wait for its maps."""
        self.tab = tab
        self.page.locator(f'[role=tab][data-tab="{tab}"]').click()
        self.page.locator(f"{self.panel} .afa-figs canvas[role=img]").first.scroll_into_view_if_needed()
        self.page.wait_for_timeout(1200)

    @property
    def panel(self) -> str:
        """The selector of the open tab."""
        return f'[role=tabpanel][data-tab="{self.tab}"]'

    def take(self, times: int = 1) -> None:
        """Keep what is shown for some frames."""
        self.page.wait_for_timeout(SETTLE)
        boxes = [figure.bounding_box() for figure in self.page.locator(f"{self.panel} .afa-figs figure:visible").all()]
        used = boxes[: FIGURES[self.tab]]
        left, top = min(box["x"] for box in used) - 8, min(box["y"] for box in used) - 6
        right, bottom = max(box["x"] + box["width"] for box in used) + 8, max(box["y"] + box["height"] for box in used)
        clip = {"x": left, "y": top, "width": right - left, "height": bottom - top + 8}
        picture = Image.open(io.BytesIO(self.page.screenshot(clip=clip))).convert("RGB")
        self.frames += [picture] * times


def record(page: Any) -> list[Image.Image]:
    """The frames: the pointer over the affinity, steps of the walk, iterations of PAR."""
    recorder = Recorder(page)
    recorder.open("affinity")
    box = page.locator(f"{recorder.panel} .afa-figs canvas[role=img]").first.bounding_box()
    for x, y in along(PATH, 34):
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
        recorder.take()
    page.mouse.move(0, 0)
    recorder.open("walk")
    for step in (0, 1, 2, 3, 4):
        page.locator(f"{recorder.panel} [data-step]").evaluate(SET, step)
        recorder.take(6 if step == 0 else 3)
    recorder.open("par")
    for iteration in range(11):
        page.locator(f'{recorder.panel} [data-do="iteration"]').evaluate(SET, iteration)
        recorder.take(8 if iteration == 10 else 2)
    return recorder.frames


def main() -> None:
    """Record, and write the file if it is as short and as small as README asks for."""
    checkpoint, examples = str(ROOT / "checkpoints" / "sandbox"), ROOT / "afa_viz" / "examples"
    with (
        tempfile.TemporaryDirectory() as folder,
        launch_browser() as chromium,
        serve_app(checkpoint, examples, Path(folder)) as address,
        open_window(chromium) as page,
    ):
        load(page, f"{address}?example=default_216&__theme=light")
        page.add_style_tag(content=STYLE)
        page.evaluate(CURSOR)
        frames = record(page)
    size = (WIDTH, max(round(frame.height * WIDTH / frame.width) for frame in frames))
    sheets = []
    for frame in frames:
        scaled = frame.resize((WIDTH, round(frame.height * WIDTH / frame.width)), Image.Resampling.LANCZOS)
        sheet = Image.new("RGB", size, "white")
        sheet.paste(scaled, (0, 0))
        sheets.append(sheet)
    seconds = len(sheets) * FRAME / 1000
    if seconds > MAX_SECONDS:
        raise SystemExit(f"{seconds} seconds; at most {MAX_SECONDS} are wanted")
    sheets[0].save(OUT, save_all=True, append_images=sheets[1:], duration=FRAME, loop=0, quality=QUALITY, method=4)
    print(f"{OUT.name}: {seconds:.1f} s, {OUT.stat().st_size / 1e6:.2f} MB, {size[0]} × {size[1]} pixels")
    if OUT.stat().st_size > MAX_BYTES:
        raise SystemExit(f"more than {MAX_BYTES / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
