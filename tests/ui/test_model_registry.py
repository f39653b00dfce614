"""The models of a page: one that is loaded is there at once while another loads; each is loaded once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from afa_viz.model import checkpoint
from afa_viz.ui.errors import UserError
from afa_viz.ui.sessions.model_registry import SNAPSHOTS_HELD, ModelRegistry

TIMEOUT = 20


@pytest.fixture
def loads(monkeypatch):
    """What is loaded, by source; one that begins with "slow" waits until it is let go."""

    class Loads:
        sources: list[str] = []
        begun, go = threading.Event(), threading.Event()

    found = Loads()
    found.sources = []

    def load(source, device):
        found.sources.append(source)
        if source.startswith("slow"):
            found.begun.set()
            assert found.go.wait(TIMEOUT)
        if source.startswith("broken"):
            raise ValueError("half a file")
        return object()

    monkeypatch.setattr(checkpoint, "load_model", load)
    yield found
    found.go.set()


@pytest.mark.parametrize("added", [False, True], ids=["a model", "weights of a training"])
def test_a_loaded_model_does_not_wait_for_another_one(loads, added):
    registry = ModelRegistry({"one": "one"} if added else {"one": "one", "two": "slow two"})
    if added:
        registry.add("two", "slow two")
        registry.add("three", "three")
        three = registry.get("three")
    one = registry.get("one")
    with ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(registry.get, "two") for _ in range(2)]
        assert loads.begun.wait(TIMEOUT)
        assert pool.submit(registry.get, "one").result(TIMEOUT) is one
        if added:
            assert pool.submit(registry.get, "three").result(TIMEOUT) is three
        assert not any(future.done() for future in waiting)
        loads.go.set()
        assert waiting[0].result(TIMEOUT) is waiting[1].result(TIMEOUT)
    assert loads.sources.count("slow two") == 1


def test_one_that_does_not_load_is_refused_and_tried_again(loads):
    registry = ModelRegistry({"one": "one", "bad": "broken"})
    for _ in range(2):
        with pytest.raises(UserError, match="cannot be loaded: half a file"):
            registry.get("bad")
    assert loads.sources == ["broken", "broken"]


def test_few_weights_of_trainings_stay_and_every_model_does(loads):
    registry = ModelRegistry({f"model {i}": f"model {i}" for i in range(5)})
    models = [registry.get(f"model {i}") for i in range(5)]
    for i in range(4):
        registry.add(f"run@{i}", f"run {i}")
        registry.get(f"run@{i}")
    assert [registry.get(f"model {i}") for i in range(5)] == models
    before = len(loads.sources)
    for i in range(3, 3 - SNAPSHOTS_HELD, -1):
        registry.get(f"run@{i}")
    assert len(loads.sources) == before
    registry.get("run@0")
    assert len(loads.sources) == before + 1
