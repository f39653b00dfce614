"""What the tests of the page share: a small network with random weights, two examples, a launched page."""

from __future__ import annotations

import gc
import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from afa_viz.classes import SANDBOX_CLASSES, palette
from afa_viz.model.afa import build_afa
from afa_viz.model.card import Card
from afa_viz.model.checkpoint import save_model
from afa_viz.ui.app import Options, build, serve

SIDE = 96  # pixels, 6 x 6 cells


def scene(number: int) -> tuple[Image.Image, Image.Image]:
    """A bright disc on a textured ground, and its mask with the number of a class."""
    rng = np.random.default_rng(number)
    rows, cols = np.mgrid[:SIDE, :SIDE]
    inside = (rows - 40 - 10 * number) ** 2 + (cols - 50) ** 2 < 24**2
    image = rng.integers(40, 110, (SIDE, SIDE, 3))
    image[inside] += np.array([120, 60, 10 * number])
    mask = np.where(inside, 6 + number, 0)
    return Image.fromarray(image.astype(np.uint8)), Image.fromarray(mask.astype(np.uint8))


def prepare(folder: Path) -> Options:
    """A checkpoint and examples on the disk, and the options that use them."""
    torch.manual_seed(0)
    model = build_afa("mit_b0", len(SANDBOX_CLASSES), "topk")
    card = Card("mit_b0", len(SANDBOX_CLASSES), SANDBOX_CLASSES, palette(len(SANDBOX_CLASSES)), "topk", input_size=SIDE)
    save_model(model, folder / "checkpoints" / "tiny" / "model.safetensors", card)
    examples = folder / "examples"
    examples.mkdir()
    entries = []
    for number in range(2):
        image, mask = scene(number)
        image.save(examples / f"scene{number}.png")
        mask.save(examples / f"scene{number}_mask.png")
        entries.append({
            "name": f"scene{number}", "image": f"scene{number}.png", "mask": f"scene{number}_mask.png",
            "labels": [SANDBOX_CLASSES[6 + number]] + ["bird"] * (number == 0), "title": f"Scene {number}",
            "story": "A disc.", "domain": "sandbox", "pathology": "part" if number else "",
        })  # fmt: skip
    scene(0)[0].save(examples / "photo.png")
    entries.append({
        "name": "photo", "image": "photo.png", "mask": None, "labels": None, "title": "A photograph", "story": "Real.",
        "domain": "photograph",
    })  # fmt: skip
    (examples / "examples.json").write_text(json.dumps(entries))
    return Options(
        checkpoint_folder=folder / "checkpoints", examples=examples, device="cpu", warm=False, cache=folder / "cache"
    )


@contextmanager
def launched(options: Options) -> Iterator[str]:
    """The address of a page that is served while the context lasts."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # server and client leave event loops to the collector
        warnings.simplefilter("ignore", DeprecationWarning)  # of their dependencies
        page = build(options)
        torch.set_num_threads(1)
        try:
            _, address, _ = serve(page, prevent_thread_lock=True, quiet=True, server_name="127.0.0.1")
            yield address
        finally:
            page.demo.close(verbose=False)
            del page
            gc.collect()
