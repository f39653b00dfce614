"""An app whose first example is not square, and what Python and the API compute for it.

A browser test imports the fixture `address`, and gets the `UnevenPage` by the fixture `uneven_page` of conftest.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from app_fixtures import launched, prepare
from PIL import Image

import afa_viz
from afa_viz import ExplainConfig, Trace

HEIGHT, WIDTH = 59, 90  # pixels
ROWS, COLS = 4, 6  # cells, the last row and column of which are not whole
CELLS = ROWS * COLS
LABELS = ["cat", "bird"]


class UnevenPage:
    """A served app, its network, and the traces that this network gives of its examples."""

    def __init__(self, address: str, examples: Path, checkpoint: Path) -> None:
        from gradio_client import Client

        self.address, self._examples = address, examples
        self.model = afa_viz.load_model(str(checkpoint), device="cpu")
        self.client = Client(address, verbose=False)
        self._traces: dict[ExplainConfig, Trace] = {}

    def explained(self, **changes: Any) -> Trace:
        """The first example with these settings; the same ones are computed once."""
        config = ExplainConfig.for_model(self.model, **changes)
        if config not in self._traces:
            mask = np.array(Image.open(self._examples / "scene0_mask.png"))
            image = Image.open(self._examples / "scene0.png")
            self._traces[config] = afa_viz.explain(self.model, image, LABELS, config, target=mask)
        return self._traces[config]

    def second_example(self) -> Trace:
        """It is square, of 6 x 6 cells."""
        image = Image.open(self._examples / "scene1.png")
        return afa_viz.explain(self.model, image, ["boat"], ExplainConfig.for_model(self.model))

    def api(self, settings: dict[str, Any], cells: Sequence[int] = ()) -> dict[str, Any]:
        """What the API answers for the first example, with "rows": the affinities of some cells to all others."""
        found = self.client.predict(None, "example:scene0", LABELS, settings, None, api_name="/explain")
        found["rows"] = {
            cell: self.client.predict(found["key"], *divmod(cell, COLS), None, api_name="/query")["affinity"]
            for cell in cells
        }
        return found


@contextmanager
def uneven_app(folder: Path) -> Iterator[UnevenPage]:
    """Serve it within the context."""
    options = prepare(folder)
    for name in ("scene0.png", "scene0_mask.png"):
        with Image.open(options.examples / name) as image:
            image.crop((0, 0, WIDTH, HEIGHT)).save(options.examples / name)
    with launched(options) as address:
        page = UnevenPage(address, options.examples, options.checkpoint_folder / "tiny")
        try:
            yield page
        finally:
            page.client.close()


@pytest.fixture(scope="module")
def address(uneven_page: UnevenPage) -> str:
    return uneven_page.address
