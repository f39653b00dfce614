"""The soak: a growing process is noticed, visitors check what they get; and free memory is given back."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest
from app_fixtures import launched, open_session, prepare

from afa_viz.__main__ import main
from afa_viz.ui.sessions import memory
from afa_viz.ui.sessions.memory import MemoryTrimmer
from benchmarks.growth import WARM_UP, growth, slope
from benchmarks.soak import WRONG, Visitor, table
from benchmarks.students import Expected

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*no_silent_downcasting"),  # an option that gradio sets in pandas
    pytest.mark.filterwarnings("ignore:The copy keyword is deprecated"),  # of pandas, in gradio's counts of requests
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # event loops that the server leaves to the collector
]


def test_the_slope_is_that_of_polyfit_with_its_error():
    rng = np.random.default_rng(0)
    times = np.arange(20) * 60.0
    values = 900 + 3 * np.arange(20) + rng.normal(0, 5, 20)
    rate, error = slope(times, values)
    (wanted, _), covariance = np.polyfit(np.arange(20), values, 1, cov=True)
    assert rate == pytest.approx(wanted) and error == pytest.approx(np.sqrt(covariance[0, 0]))
    assert slope(np.arange(400) * 2.0, np.full(400, 7.0)) == (0.0, 0.0)
    with pytest.raises(ValueError, match="soak longer"):
        slope(times[:2], values[:2])


def readings(memory: np.ndarray) -> list[dict[str, float]]:
    return [{"time": 2.0 * i, "memory": m, "files": 10.0, "threads": 8.0} for i, m in enumerate(memory)]


def test_growth_is_told_from_noise_and_from_the_warm_up():
    rng = np.random.default_rng(1)
    filling = np.concatenate([np.linspace(700, 1200, 200), np.full(400, 1200.0)])  # caches fill, then stay
    assert len(filling) * WARM_UP == 200
    steady, *_ = growth(readings(filling + rng.normal(0, 20, 600)))
    assert steady["met"] and abs(steady["a_minute"]) < 2 * steady["standard_error"] + 1e-9
    leaking, files, _ = growth(readings(filling + 0.2 * np.arange(600) + rng.normal(0, 20, 600)))
    assert not leaking["met"] and leaking["a_minute"] == pytest.approx(6, abs=1.5)
    assert files["met"] and files["a_minute"] == 0
    where = {"commit": "1234567890abcdef", "uncommitted_changes": False, "cpu": "x", "cpu_capability": "y",
             "threads": 1, "cores": 2, "torch": "3"}  # fmt: skip
    rows = [{"action": "upload", "samples": [0.1, 0.2, 0.3], "median": 0.2, "p95": 0.3}]
    text = table({"machine": where, "rows": rows, "errors": ["lab: x"], "visitors": 2, "minutes": 5,
                  "growth": [leaking, files]})  # fmt: skip
    assert "3 answers, 1 errors, error rate 25.00%" in text and "lab: x" in text
    assert [line.rsplit("|", 2)[1].strip() for line in text.splitlines() if line.startswith("| ")][1:] == ["no", "yes"]


@pytest.mark.slow
def test_visitors_do_everything_and_check_it(tmp_path):
    options = prepare(tmp_path)
    expected = Expected(open_session(options))
    expected.prepare()
    with launched(options) as address:
        visitor = Visitor(0, address.rstrip("/"), expected, time.time() + 600, pause=0.0)
        visitor.actions = ()
        visitor.end = 0  # opens the page and one example, no more
        visitor.run()
        for action in Visitor.actions:
            visitor.timed(action)
        assert visitor.errors == [] and set(visitor.times) == set(Visitor.actions)
        for name, data, sentence in WRONG:
            visitor.refusal(name, data, sentence)()
        for name, data, sentence in (
            ("query", [visitor.key, 0, 0, None], "does not hold this key"),  # nothing is refused
            ("query", ["0" * 20, 0, 0, None], "another sentence"),
        ):
            with pytest.raises(AssertionError):
                visitor.refusal(name, data, sentence)()


def test_too_short_a_soak_is_a_sentence(capsys):
    assert main(["bench", "soak", "--minutes", "0.01"]) == 2
    assert capsys.readouterr().err == "afa_viz: 0.01 minutes and 4 visitors; expected at least 0.2 and 1.\n"


@pytest.mark.parametrize("quiet, within", [(True, 60.0), (False, 0.1)])
def test_memory_waits_for_quiet_but_not_for_ever(monkeypatch, quiet, within):
    trims, state = [], {"quiet": False}
    monkeypatch.setattr(memory, "POLL_INTERVAL", 0.01)
    trim = MemoryTrimmer(lambda: state["quiet"], within)
    monkeypatch.setattr(trim, "_trim", lambda left: trims.append(left) or 0)
    for _ in range(3):
        trim.trim_when_idle()
    time.sleep(0.05)
    assert not trims
    state["quiet"] = quiet
    until = time.monotonic() + 30
    while not trims and time.monotonic() < until:
        time.sleep(0.01)
    assert trims == [0], "three calls are one"
    trim.trim_when_idle()
    while len(trims) < 2 and time.monotonic() < until:
        time.sleep(0.01)
    assert trims == [0, 0]


def test_free_memory_is_given_back():
    trim = MemoryTrimmer(lambda: True)
    if not Path("/proc/self/status").exists() or not trim.trim():
        pytest.skip("this C library gives nothing back")

    def resident() -> float:
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024

    def hoard() -> None:  # small blocks, every thousandth of which stays: nothing goes back by itself
        blocks = [bytes(20_000) for _ in range(10_000)]
        kept.extend(blocks[::1000])

    kept: list[bytes] = []
    thread = threading.Thread(target=hoard)
    thread.start()
    thread.join()
    before = resident()
    assert trim.trim() and resident() <= before
    assert len(kept) == 10
