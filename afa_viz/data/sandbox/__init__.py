"""The sandbox: a procedural data set of clay-like scenes with exact masks, instances and parts for twelve VOC classes.

scene = render_scene("train", 0)
data = SandboxDataset("val", recipe=PRESETS["biased"], cache_dir="cache")
"""

from afa_viz.data.sandbox.dataset import (
    LENGTHS,
    RENDER_VERSION,
    SandboxDataset,
    load_split,
    render_split,
    require_scenes,
    write_voc_layout,
)
from afa_viz.data.sandbox.recipe import CLASSES, HOMES, KNOB_RANGES, PRESETS, Recipe, read_recipe
from afa_viz.data.sandbox.scene import Scene, render_scene
from afa_viz.data.sandbox.shapes import PART_NAMES

__all__ = [
    "CLASSES",
    "HOMES",
    "KNOB_RANGES",
    "LENGTHS",
    "PART_NAMES",
    "PRESETS",
    "RENDER_VERSION",
    "Recipe",
    "SandboxDataset",
    "Scene",
    "load_split",
    "read_recipe",
    "render_scene",
    "render_split",
    "require_scenes",
    "write_voc_layout",
]
