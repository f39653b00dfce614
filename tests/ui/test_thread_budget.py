"""Who gets how many threads, and who goes first."""

from __future__ import annotations

import dataclasses
import threading
import time

import pytest
import torch
from app_fixtures import open_session, prepare

from afa_viz import pipeline
from afa_viz.config import ExplainConfig
from afa_viz.ui.handlers.explorer import ExplorerHandlers
from afa_viz.ui.server import app
from afa_viz.ui.sessions.threads import LARGE, ThreadBudget
from afa_viz.ui.sessions.trace_reuse import trace_bytes

WAIT = 20  # seconds


@pytest.fixture(autouse=True)
def one_thread_again():
    yield
    torch.set_num_threads(1)


@pytest.fixture
def session(tmp_path):
    options = prepare(tmp_path)
    return open_session(options)


@pytest.mark.parametrize(
    ("all_threads", "pixels", "alone", "expected"),
    [(4, LARGE, True, 4), (4, LARGE - 1, True, 2), (4, LARGE, False, 2), (1, LARGE, True, 1), (3, 1, False, 1)],
)
def test_a_large_picture_alone_has_all_threads(all_threads, pixels, alone, expected):
    budget = ThreadBudget(all_threads)
    with budget.allocate(pixels, alone):
        assert torch.get_num_threads() == expected
    with pytest.raises(KeyError), budget.allocate(LARGE, True):
        raise KeyError
    assert torch.get_num_threads() == budget.share == max(1, all_threads // 2)


@pytest.fixture
def seen(session, monkeypatch):
    """How many threads each explanation ran with, of four."""
    session._threads = ThreadBudget(4)
    numbers: list[int] = []
    for name in ("explain", "recompute"):
        inner = getattr(pipeline, name)

        def counted(*args, inner=inner, **kwargs):
            numbers.append(torch.get_num_threads())
            return inner(*args, **kwargs)

        monkeypatch.setattr(pipeline, name, counted)
    return numbers


def test_explanations_share_the_threads(session, seen):
    large = ExplainConfig(long_side=512, scales=(1.0,), flip=False, use_par=False)
    request = session.request("example:scene0", "tiny", config=large)
    session.trace(request)  # alone
    session.trace(dataclasses.replace(request, config=dataclasses.replace(large, flip=True)))  # recomputed
    session.trace(session.request("example:scene0", "tiny"))  # small
    session._explaining = 1  # somebody else
    session.trace(session.request("example:scene1", "tiny", config=large))
    assert seen == [4, 4, 2, 2]


def test_what_is_explained_ahead_is_nobodys_and_takes_a_share(session, seen, monkeypatch):
    large = ExplainConfig(long_side=512, scales=(1.0,), flip=False, use_par=False)
    quiet: list[bool] = []
    inner = session._explain
    monkeypatch.setattr(session, "_explain", lambda *args: (quiet.append(session.is_idle(60)), inner(*args))[1])
    session.trace(session.request("example:scene0", "tiny", config=large), in_background=True)
    assert seen == [2] and quiet == [True] and session.is_idle(60)


def test_whoever_is_there_goes_before_the_examples(session, tmp_path, monkeypatch):
    monkeypatch.setattr(app, "IDLE_SECONDS", 0.0)
    session._explaining = 1
    answers = ExplorerHandlers(session, tmp_path / "exports")
    ahead = threading.Thread(target=app._warm, args=(session, answers, "tiny"), daemon=True)
    ahead.start()
    time.sleep(0.5)
    assert not session._traces.items()
    session._explaining = 0
    ahead.join(WAIT)
    assert not ahead.is_alive() and len(session._traces.items()) == len(session.examples)


def test_examples_that_would_put_each_other_out_are_not_explained_ahead(session, tmp_path, monkeypatch):
    monkeypatch.setattr(app, "IDLE_SECONDS", 0.0)
    first = session.trace(session.request(f"example:{session.examples[0].name}", "tiny"))
    monkeypatch.setattr(session, "_trace_bytes_max", int(1.5 * trace_bytes([first])))
    app._warm(session, ExplorerHandlers(session, tmp_path / "exports"), "tiny")
    assert len(session.examples) > 1 and len(session._traces.items()) == 1
