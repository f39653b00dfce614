"""Shared by the tests of the app: a small network with random weights, examples, a session and a launched app."""

from __future__ import annotations

import functools
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
from afa_viz.model.afa import AFA, build_afa
from afa_viz.model.card import Card
from afa_viz.model.checkpoint import save_model
from afa_viz.pipeline import explain
from afa_viz.trace import Trace
from afa_viz.ui.handlers.dataset.images import DataSet
from afa_viz.ui.server.app import Options, build, serve
from afa_viz.ui.sessions.model_registry import ModelRegistry, discover_checkpoints
from afa_viz.ui.sessions.session import Session

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
    """Write a checkpoint and examples; returns the options that use them."""
    model, card = tiny(0)
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


def tiny(rng_seed: int, names: tuple[str, ...] = SANDBOX_CLASSES, side: int = SIDE, **facts) -> tuple[AFA, Card]:
    """A network with random weights and its card."""
    torch.manual_seed(rng_seed)
    model = build_afa("mit_b0", len(names), "topk")
    return model, Card("mit_b0", len(names), names, palette(len(names)), "topk", input_size=side, **facts)


@functools.cache
def scene_trace() -> Trace:
    """The first scene with its two classes, explained by the small network."""
    model, model.card = tiny(0)
    image, mask = scene(0)
    return explain(model.eval(), image, ["cat", "bird"], target=np.asarray(mask))


def add_snapshots(options: Options, iterations: tuple[int, ...] = (10, 40, 90)) -> Path:
    """Snapshots of the training of the model "tiny", with ladders for all but the last; returns their folder."""
    folder = options.checkpoint_folder / "tiny" / "snapshots"
    for number, iteration in enumerate(iterations):
        scores = {} if iteration == iterations[-1] else {"miou_cam": 20.0 + number, "miou_seg": 10.0, "map": 50.0}
        config = {"cam_iters": 30, "joint_after": 60, "max_iters": 100, "curriculum": []}
        facts = {"training": {"config": config, "iterations": iteration}, "scores": scores}
        model, card = tiny(iteration, **facts)
        save_model(model, folder / f"iter_{iteration:06d}.safetensors", card, packed=True)
    return folder


def open_session(options: Options, dataset: DataSet | None = None) -> Session:
    """The app without gradio: a session of all models of these options."""
    registry = ModelRegistry(discover_checkpoints(options.checkpoint_folder), "cpu")
    return Session(registry, options.examples, dataset=dataset)


@contextmanager
def launched(options: Options) -> Iterator[str]:
    """The address of an app that is served within the context."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # server and client leave event loops to the collector
        warnings.simplefilter("ignore", DeprecationWarning)  # of their dependencies
        app = build(options)
        torch.set_num_threads(1)
        try:
            _, address, _ = serve(app, prevent_thread_lock=True, quiet=True, server_name="127.0.0.1")
            yield address
        finally:
            app.demo.close(verbose=False)
            del app
            gc.collect()
