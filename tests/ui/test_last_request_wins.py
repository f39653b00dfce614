"""Of what one visitor does, the last counts, whatever is ready first."""

from __future__ import annotations

import threading

import pytest

from afa_viz.ui.errors import UserError
from afa_viz.ui.handlers.callbacks import last_output, stream_errors_as_warnings
from afa_viz.ui.handlers.last_request_wins import MAX_VISITORS, LastRequestWins

WAIT = 10  # seconds


def value(key: str) -> str:
    return f'{{"key":"{key}","scene":"x"}}'


class Slow:
    """An opening that goes on when it is told to; gives its subject and what it was asked with."""

    def __init__(self) -> None:
        self.began, self.go, self.asked = threading.Event(), threading.Event(), []

    def __call__(self, subject, model, *settings):
        self.asked.append((model, settings))
        self.began.set()
        assert self.go.wait(WAIT)
        yield value(subject), [], subject


def at_once(subject, model, *settings):
    yield value(subject), [], subject


def in_thread(call) -> tuple[threading.Thread, list]:
    found: list = []
    thread = threading.Thread(target=lambda: found.extend(call()))
    thread.start()
    return thread, found


def test_an_opening_that_is_overtaken_shows_nothing():
    requests, slow = LastRequestWins(), Slow()
    thread, late = in_thread(lambda: requests.run_opening("me", slow, "a", "m", 1))
    assert slow.began.wait(WAIT)
    assert [outputs[2] for outputs in requests.run_opening("me", at_once, "b", "m", 1)] == ["b"]
    slow.go.set()
    thread.join(WAIT)
    assert late == [] and requests.state_of("me").image_id == "b" and requests.state_of("me").openings_in_progress == 0
    assert [o[2] for o in requests.run_opening("another", at_once, "c", "m")] == ["c"]  # one visitor is not the other


def test_what_is_set_while_a_picture_comes_is_set_in_it():
    requests, slow = LastRequestWins(), Slow()
    thread, shown = in_thread(lambda: requests.run_opening("me", slow, "a", "m", 1))
    assert slow.began.wait(WAIT)
    made: list = []
    assert list(requests.run_change("me", made.append, "old", settings=(2,))) == []
    assert list(requests.run_change("me", made.append, "old", model="n", settings=(3,))) == []
    slow.go.set()
    thread.join(WAIT)
    assert not made and slow.asked == [("m", (1,)), ("n", (3,))]
    assert [outputs[2] for outputs in shown] == ["a", "a"] and requests.state_of("me").openings_in_progress == 0


def test_a_change_knows_the_picture_that_was_opened_and_the_newest_counts():
    requests = LastRequestWins()
    list(requests.run_opening("me", at_once, "a", "m"))
    assert [o[0] for o in requests.run_change("me", lambda image_id: [(value(image_id), 0)], "old")] == [value("a")]
    assert requests.state_of("me").key == "a"

    def overtaken(image_id):
        assert list(requests.run_change("me", lambda image_id: [(value("newer"), 0)], image_id))
        yield value("older"), 0

    assert list(requests.run_change("me", overtaken, "a")) == [] and requests.state_of("me").key == "newer"

    def opened_meanwhile(image_id):
        list(requests.run_opening("me", at_once, "b", "m"))
        yield value("of the old picture"), 0

    assert list(requests.run_change("me", opened_meanwhile, "a")) == [] and requests.state_of("me").image_id == "b"


def test_what_is_refused_leaves_the_turn_to_the_one_before():
    requests, slow = LastRequestWins(), Slow()
    thread, shown = in_thread(lambda: requests.run_opening("me", slow, "a", "m"))
    assert slow.began.wait(WAIT)

    def refused(*asked):
        raise UserError("no")

    with pytest.raises(UserError):
        list(requests.run_opening("me", refused, "b", "m"))
    slow.go.set()
    thread.join(WAIT)
    assert [outputs[2] for outputs in shown] == ["a"]
    with pytest.raises(UserError):
        list(requests.run_change("me", refused, "a"))
    assert requests.state_of("me").openings_in_progress == 0


def test_visitors_are_forgotten_in_time():
    requests = LastRequestWins()
    for number in range(MAX_VISITORS + 5):
        requests.state_of(str(number))
    assert len(requests._visitors) == MAX_VISITORS and "0" not in requests._visitors


def test_outputs_that_do_not_come_change_nothing():
    no_updates = last_output(2)(lambda: iter(()))()
    assert len(no_updates) == 2 and all(isinstance(part, dict) for part in no_updates)
    assert last_output(2)(lambda: iter([(1, 2), (3, 4)]))() == (3, 4)
    (steps,) = stream_errors_as_warnings(3)(lambda: iter(()))()
    assert len(steps) == 3 and all(isinstance(part, dict) for part in steps)
