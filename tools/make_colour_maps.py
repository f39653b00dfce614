"""Write matplotlib's colour maps that the app uses to a file, so that it needs no matplotlib to start.

Run: PYTHONPATH=. python tools/make_colour_maps.py
"""

from __future__ import annotations

import json

import matplotlib
import numpy as np

from afa_viz.atomic_files import atomic_write_text
from afa_viz.figures.colour import COLOUR_MAPS, DIFFERENCE, MAGNITUDE


def colour_map(name: str) -> np.ndarray:
    """(256, 3) uint8 colours of a map of matplotlib."""
    return matplotlib.colormaps[name](np.arange(256), bytes=True)[:, :3]


def main() -> None:
    """Write the file."""
    maps = {name: colour_map(name).tobytes().hex() for name in (MAGNITUDE, DIFFERENCE)}
    atomic_write_text(COLOUR_MAPS, json.dumps(maps, indent=1) + "\n")


if __name__ == "__main__":
    main()
