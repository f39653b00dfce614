"""Shared by the tests of untrusted input: the app without gradio, odd values, and what every result must look like.

A test file imports the fixtures `app` and `no_failure`.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from app_fixtures import add_snapshots, open_session, prepare
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from afa_viz.config import ExplainConfig
from afa_viz.ui.handlers.api import Api
from afa_viz.ui.handlers.callbacks import Callbacks
from afa_viz.ui.handlers.dataset.handlers import DataSetHandlers
from afa_viz.ui.handlers.dataset.images import DataSet
from afa_viz.ui.handlers.dataset.scoring import Scorer
from afa_viz.ui.handlers.dataset.sources import SandboxScenes
from afa_viz.ui.handlers.explorer import ExplorerHandlers
from afa_viz.ui.handlers.train import TrainHandlers
from afa_viz.ui.jobs.trainer import START, Trainer
from afa_viz.ui.page.component import errors_as_null
from afa_viz.ui.page.config_fields import SLIDERS

ROOT = Path(__file__).parents[2]
few_examples = settings(
    max_examples=100, derandomize=True, deadline=None, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip

ODD_VALUES = [
    None, True, "", "x", "../../etc/passwd", "example:../../etc/passwd", "data:../x", "upload:0", "tiny@../../x", "\0",
    "\ud800", "<img src=x onerror=alert(1)>", "x" * 5000, -1, 99, 2**63, 10**400, -(10**400), 1.5, float("nan"),
    float("inf"), [], {}, [[]], ["cat", 3], {"a": 1}, [0, 10**400], ["\ud800"],
]  # fmt: skip
ANYTHING = st.sampled_from(ODD_VALUES) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)

ENDPOINTS = {
    "explain": {"picture": None, "image": "example:scene0", "labels": None, "settings": None, "model": None},
    "query": {"key": None, "row": 0, "column": 0, "block": None},
    "export": {"key": None, "kind": "png", "label": None, "row": 0, "column": 0},
}
DEFAULTS = [[], *(slider.value(ExplainConfig()) for slider in SLIDERS), None]  # no weight of a head was moved
EVENTS = {
    "open_example": [0, "tiny", *DEFAULTS],
    "open_data": [{"data": "val_0001"}, "tiny", *DEFAULTS],
    "open_upload": [None, "tiny", *DEFAULTS],
    "change_model": ["example:scene0", "tiny", *DEFAULTS],
    "open_checkpoint": [{"run": "x", "iteration": 0}, "example:scene0", *DEFAULTS],
    "change_labels": ["example:scene0", "tiny", ["cat"], *DEFAULTS],
    "change_heads": [
        {"head_weights": "3:0", "affinity_bias": 1.0, "symmetric": True},
        "example:scene0",
        "tiny",
        ["cat"],
        *DEFAULTS,
    ],
    "change_edits": [
        {"affinity_edits": "j1_3", "class_thresholds": "cat:0.6", "occlude": "0,16,0,16", "scales": "1", "flip": "0"},
        "example:scene0",
        "tiny",
        ["cat"],
        *DEFAULTS,
    ],
    "change_settings": ["radius", "example:scene0", "tiny", ["cat"], *DEFAULTS],
}


class AppUnderTest:
    """The app without gradio, with two visitors: one has explained an example, the other an uploaded photograph."""

    def __init__(self, folder: Path) -> None:
        options = prepare(folder)
        add_snapshots(options)
        self.folder, self.exports = folder, folder / "exports"
        dataset = DataSet(SandboxScenes(folder / "scenes", 64, 3), folder / "scores")
        self.session = open_session(options, dataset=dataset)
        self.answers = ExplorerHandlers(self.session, self.exports)
        self.api = Api(self.session, self.answers)
        self.training = TrainHandlers(Trainer(folder / "runs", folder / "cache", options.checkpoint_folder / "tiny"))
        self.callbacks = Callbacks(self.session, self.answers, self.training)
        self.scorer = Scorer(self.session, dataset)
        self.browse = DataSetHandlers(self.session, dataset, self.scorer)
        self.key = self.api.explain(None, "example:scene0", None, None, None)["key"]
        self.trace = self.session.find_by_key(self.key)[1]
        self.upload = self.session.images.store(self.session.images.find("example:photo"))
        self.upload_request = self.session.request(self.upload, "tiny")
        self.session.trace(self.upload_request)

    def outside(self) -> dict[str, int]:
        """The size of every file that no request may change."""
        left = ("exports", "scores", "scenes")
        return {
            str(path): path.stat().st_size
            for path in self.folder.rglob("*")
            if path.is_file() and path.relative_to(self.folder).parts[0] not in left and path.name != START
        }


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppUnderTest]:
    """The app; when it is closed, no request may have written outside the allowed folders."""
    found = AppUnderTest(tmp_path_factory.mktemp("app"))
    before = found.outside()
    yield found
    found.scorer.stop(wait=True)
    assert found.outside() == before, "a request wrote outside the allowed folders"


@pytest.fixture(autouse=True)
def no_failure(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No unexpected error is in the log; expected ones are not logged as errors."""
    yield
    records = caplog.get_records("call")
    assert not [r.getMessage() for r in records if r.levelno >= logging.ERROR and r.name.startswith("afa_viz")]


def assert_sentence(text: str) -> None:
    assert text.endswith(".") and "\n" not in text and "Traceback" not in text and len(text) < 500, text
    assert "/tmp" not in text and str(ROOT) not in text


def parse_strict_json(text: str) -> Any:
    """JSON as a browser reads it: without NaN."""

    def no_number(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    text.encode("utf-8")
    return json.loads(text, parse_constant=no_number)


def browser_calls() -> dict[str, dict[str, Any]]:
    """Every server function with valid parameters."""
    cell = [1, 2]
    return {
        "scene": {}, "attention": {"block": 7, "logits": False, "head": 0, "cell": cell}, "overview": {},
        "affinity": {"cell": cell}, "heads": {}, "par": {}, "crf": {}, "unedited": {}, "lab": {},
        "example": {"name": "scene1"},
        "compare": {"b": {"switched": ["PAR"], "setting": "radius", "value": 3}},
        "training_run": {}, "snapshot": {"model": "tiny@10"},
        "export_file": {"kind": "png", "label": 6, "cell": cell},
        "python_code": {"tab": "cam", "label": 6, "cell": cell, "block": 7, "head": -1, "b": {"model": "tiny@10"}},
        "lab_check": {"step": "labels", "answer": "small", "label": 6, "reason": "half", "first": True},
        "dataset_page": {"order": "set", "stage": "seg", "before": "walk_start", "class_name": "", "page": 0},
        "dataset_charts": {
            "order": "set", "stage": "seg", "before": "walk_start", "class_name": "", "page": 0, "language": "ko",
        },
        "training_charts": {"language": "ko"},
        "dataset_thumbnails": {"ids": ["val_0001"]}, "dataset_scoring": {"do": "look"},
        "train_status": {"run": "", "known": ""}, "train_start": {"request": {"recipe": "two_minutes"}},
        "train_stop": {"run": "x"}, "train_resume": {"run": "x"}, "train_panel": {"run": "x", "iteration": 0},
    }  # fmt: skip


def functions(app: AppUnderTest) -> dict[str, Callable[[Any], str]]:
    public = (*app.answers.server_functions(), *app.browse.server_functions(), *app.training.server_functions())
    return {answer.__name__: errors_as_null(answer) for answer in public}
