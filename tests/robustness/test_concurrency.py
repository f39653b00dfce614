"""A few at a time, some in line, one sentence for the rest; equal questions at the same time are one."""

from __future__ import annotations

import asyncio
import json
import threading
import time

import pytest
from waiting import until

from afa_viz.ui.errors import BusyError
from afa_viz.ui.page.component import run_in_threads
from afa_viz.ui.sessions import concurrency
from afa_viz.ui.sessions.concurrency import ConcurrencyLimit, SharedCalls

WAIT = 30  # seconds


def visitors(limit: ConcurrencyLimit, count: int, may_go: threading.Event) -> tuple[list[threading.Thread], dict]:
    """So many threads that want to be inside, one after the other, and what becomes of them."""
    seen: dict[str, list[int]] = {"inside": [], "refused": [], "done": []}

    def visit(number: int) -> None:
        try:
            with limit.slot():
                seen["inside"].append(number)
                assert may_go.wait(WAIT)
            seen["done"].append(number)
        except BusyError:
            seen["refused"].append(number)

    threads = [threading.Thread(target=visit, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
        time.sleep(0.01)
    return threads, seen


def test_the_limits_are_those_that_are_promised():
    assert (concurrency.EXPENSIVE_AT_ONCE, concurrency.EXPENSIVE_WAITING) == (2, 10)
    waiting = concurrency.EXPENSIVE_AT_ONCE + concurrency.EXPENSIVE_WAITING
    for room in (concurrency.PAGE_EVENTS, concurrency.API_EVENTS, concurrency.ANSWER_THREADS):
        assert room > waiting, "those who wait for what is dear must leave room for the rest"


def test_two_are_inside_ten_wait_and_the_rest_are_refused():
    limit, may_go = ConcurrencyLimit(2, 10), threading.Event()
    threads, seen = visitors(limit, 15, may_go)
    until(lambda: len(seen["refused"]) == 3)
    assert seen["inside"] == [0, 1] and seen["refused"] == [12, 13, 14] and limit.in_use
    may_go.set()
    for thread in threads:
        thread.join(WAIT)
    assert sorted(seen["inside"]) == sorted(seen["done"]) == list(range(12)) and not limit.in_use
    with limit.slot():
        assert limit.in_use


def test_without_a_line_limit_nobody_is_refused():
    limit, may_go = ConcurrencyLimit(1), threading.Event()
    threads, seen = visitors(limit, 20, may_go)
    may_go.set()
    for thread in threads:
        thread.join(WAIT)
    assert seen["inside"] == list(range(20)) and not seen["refused"], "all, in the order in which they came"


def test_who_is_inside_needs_no_second_slot_and_errors_give_it_back():
    limit = ConcurrencyLimit(1, 0)
    with pytest.raises(ValueError, match="inside"), limit.slot(), limit.slot():
        raise ValueError("inside")
    assert not limit.in_use
    with limit.slot(), limit.slot():
        pass
    assert not limit.in_use


def test_the_refusal_is_one_sentence():
    limit = ConcurrencyLimit(1, 0)
    with limit.slot():
        output: list[str] = []
        thread = threading.Thread(target=lambda: output.append(json.loads(asyncio.run(ask()))["refused"]))

        def expensive(asked: dict) -> str:
            with limit.slot():
                return "{}"

        async def ask() -> str:
            return await run_in_threads([expensive])[0]({})

        thread.start()
        thread.join(WAIT)
    assert output[0].startswith("The server is at its limit") and output[0].count(".") == 1


def test_equal_questions_at_the_same_time_are_one_call_and_later_ones_another():
    calls: list[dict] = []

    def answer(asked: dict) -> str:
        calls.append(asked)
        time.sleep(0.1)
        return json.dumps(asked)

    async def classroom() -> list[str]:
        ask = run_in_threads([answer])[0]
        same = [ask({"b": 1, "a": [2]}) for _ in range(30)]
        return await asyncio.gather(*same, ask({"a": [3], "b": 1}))

    found = asyncio.run(classroom())
    assert len(set(found[:30])) == 1 and found[30] != found[0] and len(calls) == 2
    asyncio.run(classroom())
    assert len(calls) == 4


def test_what_does_something_is_done_for_everybody():
    calls: list[dict] = []

    def train_start(asked: dict) -> str:
        calls.append(asked)
        time.sleep(0.05)
        return "{}"

    async def twice() -> None:
        ask = run_in_threads([train_start])[0]
        await asyncio.gather(ask({}), ask({}))

    asyncio.run(twice())
    assert len(calls) == 2


def test_a_visitor_who_leaves_stops_it_for_nobody():
    async def story() -> str:
        shared, began, may_end = SharedCalls(), asyncio.Event(), asyncio.Event()

        async def run() -> str:
            began.set()
            await may_end.wait()
            return "answer"

        leaves = asyncio.ensure_future(shared.call("x", {}, run))
        await began.wait()
        stays = asyncio.ensure_future(shared.call("x", {}, run))
        await asyncio.sleep(0)
        leaves.cancel()
        await asyncio.sleep(0)
        may_end.set()
        return await stays

    assert asyncio.run(story()) == "answer"


@pytest.mark.parametrize("asked", [float("nan"), {"a": {1, 2}}, {"x": b"bytes"}], ids=repr)
def test_questions_that_are_no_json_are_not_shared(asked):
    async def run() -> str:
        return "answer"

    assert asyncio.run(SharedCalls().call("x", asked, run)) == "answer"
