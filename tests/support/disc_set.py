"""The data set of the tests of the Data set tab, three images of the page's fixtures, with its session and scorer.

A test file of `tests/ui` imports the fixtures `dataset`, `session`, `scorer`.
"""

from __future__ import annotations

import numpy as np
import pytest
from app_fixtures import open_session, scene
from waiting import until

from afa_viz.ui.handlers.dataset import scoring as scoring_module
from afa_viz.ui.handlers.dataset.images import DataSet
from afa_viz.ui.handlers.dataset.scoring import Scorer


class Discs:
    """Discs of the page's fixtures under the names of another class list; the last image can not be read."""

    title = "Discs"
    class_names = ("background", "cow", "cat", "unicorn")  # numbers of their own

    def __init__(self, count: int = 3):
        self.names = ("secret/folder/one disc", *(f"disc_{i}" for i in range(1, count)))
        self.broken = False

    def image(self, index: int) -> np.ndarray:
        if self.broken and index == len(self.names) - 1:
            raise ValueError("/home/somebody/disc.png is damaged")
        return np.array(scene(index % 2)[0])

    def image_labels(self, index: int) -> np.ndarray:
        return np.array([(index % 2) == 1, (index % 2) == 0, 0], np.float32)

    def mask(self, index: int) -> np.ndarray:
        return np.where(np.array(scene(index % 2)[1]) > 0, 2 - index % 2, 0).astype(np.uint8)


@pytest.fixture
def dataset(tmp_path):
    return DataSet(Discs(), tmp_path / "cache")


@pytest.fixture
def session(options, dataset):
    return open_session(options, dataset=dataset)


@pytest.fixture
def scorer(session, dataset, monkeypatch):
    monkeypatch.setattr(scoring_module, "IDLE_SECONDS", 0.0)
    made = Scorer(session, dataset)
    yield made
    made.stop(wait=True)


def finish(scorer: Scorer) -> None:
    """Wait until the worker has nothing left to do."""
    until(lambda: scorer.running_job() is None)
