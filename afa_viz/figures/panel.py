"""A panel of a training run at one iteration: every stage of a few fixed images, as one small image."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from afa_viz.atomic_files import atomic_write
from afa_viz.figures import maps, stages
from afa_viz.figures.colour import RGBImage
from afa_viz.figures.typography import scale_to_fit
from afa_viz.structured_text import parse_json
from afa_viz.trace import Trace

PANEL_STAGES = ("image", "cam", "affinity", "cam_rw", "cam_par", "pseudo_label", "seg", "target")
SIDE = 128  # pixels of a tile
QUALITY = 88  # of the JPEG


def panel(traces: Sequence[Trace], side: int = SIDE) -> RGBImage:
    """(rows * side, len(PANEL_STAGES) * side, 3): one row per trace, one column per stage; affinity of one cell.

    Raises: ValueError: if there is no trace, or one without ground truth.
    """
    if not traces:
        raise ValueError("there is no trace to show; expected at least one.")
    return np.concatenate([_row(trace, side) for trace in traces])


def _row(trace: Trace, side: int) -> RGBImage:
    label = maps.main_label(trace)
    cell = maps.strongest_cell(trace, label)
    images = (
        stages.image(trace),
        stages.cam(trace, label),
        stages.affinity(trace, cell) if trace.parts.affinity else stages.lacking(trace),
        stages.cam_rw(trace, label),
        stages.cam_par(trace, label),
        stages.pseudo_label(trace, names=False),
        stages.seg(trace, names=False) if trace.parts.decoder else stages.lacking(trace),
        stages.target(trace, names=False),
    )
    tiles = np.full((side, len(images) * side, 3), 255, np.uint8)
    for i, image in enumerate(images):
        tile = np.asarray(scale_to_fit(image, side, side))
        tiles[: tile.shape[0], i * side : i * side + tile.shape[1]] = tile
    return tiles


def write_panel(traces: Sequence[Trace], path: str | os.PathLike[str], side: int = SIDE) -> Path:
    """Write the panel as a JPEG with its description in the comment, whole or not at all; returns its path."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    facts = {
        "side": side,
        "stages": PANEL_STAGES,
        "classes": [trace.class_names[maps.main_label(trace)] for trace in traces],
    }
    with atomic_write(path) as partial:
        Image.fromarray(panel(traces, side)).save(partial, "JPEG", quality=QUALITY, comment=json.dumps(facts).encode())
    return path


def panel_facts(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The description that `write_panel` stores in the file: "side" of a tile, "stages" by column, "classes" by row."""
    with Image.open(path) as opened:
        return parse_json(opened.info["comment"].decode("utf-8"))
