"""Steps whose losses or gradients are not finite: left out without a trace, counted, and too many of them stop a run
that can be gone on with."""

from __future__ import annotations

import copy
import dataclasses
import json
import shutil
from pathlib import Path

import pytest
import torch
from noise_runs import CONFIG, INF, NAN, PART, STEPS, Noise, run_in, small_network  # noqa: F401  (a fixture)

from afa_viz.training import records
from afa_viz.training.finite_checks import DivergedError, first_non_finite
from afa_viz.training.loop import Run
from afa_viz.training.means import Means

BAD_VALUES = (("image", NAN), ("image", INF), ("image", 1e38), ("labels", NAN), ("labels", -INF))
PHASES = {"classification": 1, "affinity": 2, "joint": 4}


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> dict:
    """The state of a run that nothing happened to."""
    torch.set_num_threads(1)
    run = run_in(tmp_path_factory.mktemp("whole"))
    run.run(progress=False)
    return run.train_state.state()


def state_of(run: Run) -> dict:
    return copy.deepcopy(run.train_state.state())


def assert_same(one, two, where="state"):
    assert type(one) is type(two), where
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, two), where
    elif isinstance(one, dict):
        assert one.keys() == two.keys(), where
        for key in one:
            if key != "lr":  # set anew before every step
                assert_same(one[key], two[key], f"{where}.{key}")
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(two), where
        for i, (a, b) in enumerate(zip(one, two, strict=True)):
            assert_same(a, b, f"{where}[{i}]")
    else:
        assert one == two, where


@pytest.mark.parametrize("at", PHASES.values(), ids=PHASES)
def test_a_bad_batch_leaves_no_trace(tmp_path, at):
    batches = Noise({at})
    run = run_in(tmp_path, batches)
    for _ in range(at):
        assert run.step()
    before = state_of(run)
    for skipped, bad in enumerate(BAD_VALUES, start=1):
        (batches.kind, batches.value), run.iteration = bad, at
        assert run.step() == {}, bad
        assert_same(state_of(run), before)
        assert (run.iteration, run.history.skipped_steps) == (at + 1, skipped)
    assert run.step() and run.history.skipped_steps == len(BAD_VALUES)
    assert first_non_finite(run.train_state.state()) is None
    assert run.card().training["skipped_steps"] == len(BAD_VALUES)


@pytest.mark.parametrize("accumulate", [1, 3])
def test_a_bad_gradient_behind_finite_losses_leaves_no_trace(tmp_path, accumulate):
    run = run_in(tmp_path, config=dataclasses.replace(CONFIG, accumulate=accumulate, clip_grad=0.0))
    for _ in range(5):
        run.step()
    before = state_of(run)
    bias = run.model.decoder.linear_pred.bias
    for value in (NAN, INF):
        hook = bias.register_hook(lambda gradient, value=value: gradient.index_fill(0, torch.tensor([2]), value))
        assert run.step() == {}, value
        hook.remove()
        assert_same(state_of(run), before)
    assert run.step()


def test_bad_steps_are_counted_in_the_log_and_no_mean_counts_them(tmp_path, caplog):
    run_in(tmp_path, Noise({3, 6})).run(progress=False)
    lines = [line for line in records.read_metrics(tmp_path) if "lr" in line]
    assert [line["iteration"] for line in lines] == list(range(1, STEPS + 1)), "no step is missing"
    assert "loss" not in lines[3] and lines[3]["skipped_steps"] == 1 and lines[-1]["skipped_steps"] == 2
    assert all("loss" in line for line in lines if line["iteration"] not in (4, 7))
    assert "the step to iteration 4 is skipped: loss nan" in caplog.text
    for text in (tmp_path / records.METRICS).read_text().splitlines():
        json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))


def test_means_are_over_the_steps_that_have_the_number():
    means = Means()
    for values in ({"a": 1.0}, {}, {"a": 2.0, "b": 5.0}):
        means.add(values)
    assert means.take() == {"a": 1.5, "b": 5.0} and means.take() == {}


@pytest.mark.parametrize("most", [0, 2])
def test_too_many_in_a_row_stop_the_run_and_it_can_be_gone_on_with(tmp_path, most, whole):
    config = dataclasses.replace(CONFIG, max_bad_steps=most)
    with pytest.raises(DivergedError) as caught:
        run_in(tmp_path, Noise(range(5, 99)), config).run(progress=False)
    text = str(caught.value)
    assert f"no finite numbers in {most + 1} steps in a row, up to iteration {6 + most} (loss nan" in text
    assert text.endswith("go on from iteration 4, whose state is kept, with --resume --set learning_rate=0.0001.")
    kept = torch.load(tmp_path / records.LAST, weights_only=True)
    before = torch.load(tmp_path / records.PREVIOUS, weights_only=True)
    assert (kept["iteration"], before["iteration"]) == (4, 2)
    assert first_non_finite(kept) is None and first_non_finite(before) is None
    again = run_in(tmp_path, resume=True)
    again.run(progress=False)
    assert_same(again.train_state.state(), whole)


def test_a_bad_row_that_ends_does_not_stop_it(tmp_path):
    run = run_in(tmp_path, Noise({1, 2, 4, 5}), dataclasses.replace(CONFIG, max_bad_steps=2))
    for _ in range(7):
        run.step()
    assert run.history.skipped_steps == 4


@pytest.mark.parametrize("rate", [1e5, 1e6])
def test_a_rate_that_is_far_too_high_destroys_no_run(tmp_path, rate):
    def at(rate: float):
        part = dataclasses.replace(PART, learning_rate=rate, iterations=20)
        return dataclasses.replace(CONFIG, warmup_iters=0, curriculum=(part,), max_iters=20)

    run_in(tmp_path, config=at(1e-3)).run(until=3, progress=False)
    with pytest.raises(DivergedError, match="lower the learning rate and go on from iteration 3, whose state is kept"):
        run_in(tmp_path, config=at(rate), resume=True).run(progress=False)
    again = run_in(tmp_path, config=at(1e-4), resume=True)
    assert again.iteration == 3
    again.run(until=6, progress=False)
    assert again.history.skipped_steps == 0 and first_non_finite(again.train_state.state()) is None


@pytest.mark.parametrize("what", ["weight", "statistics"])
def test_weights_that_are_not_finite_stop_it_at_once_and_are_not_saved(tmp_path, what):
    run = run_in(tmp_path)
    run.run(until=4, progress=False)
    with torch.no_grad():
        (run.model.classifier.weight if what == "weight" else run.model.decoder.linear_fuse.bn.running_var)[1] = NAN
    run.iteration += 1  # as if a step had done it
    assert not run.save()
    if what == "weight":
        with pytest.raises(DivergedError, match="no finite numbers in 1 steps in a row, up to iteration 6"):
            run.run(progress=False)
    assert torch.load(tmp_path / records.LAST, weights_only=True)["iteration"] == 4
    assert run_in(tmp_path, resume=True).iteration == 4


def test_a_network_that_gives_no_finite_numbers_is_not_saved(tmp_path):
    run = run_in(tmp_path)
    run.run(until=2, progress=False)
    with torch.no_grad():
        for parameter in run.model.parameters():
            parameter.mul_(1e15)
    assert first_non_finite(run.train_state.state()) is None, "its numbers are finite"
    run.iteration = 3
    assert not run.save()
    assert torch.load(tmp_path / records.LAST, weights_only=True)["iteration"] == 2


@pytest.mark.parametrize("when", ["batch", "backward"])
def test_an_interrupted_step_is_as_if_it_had_not_begun(tmp_path, when, monkeypatch):
    class Stopping(Noise):
        def __call__(self, part, number, shard=(0, 1)):
            if number == 9:  # the second of two batches of step 4
                if when == "batch":
                    raise KeyboardInterrupt
                monkeypatch.setattr(torch.Tensor, "backward", self.stop)
            return super().__call__(part, number, shard)

        @staticmethod
        def stop(tensor):
            monkeypatch.undo()
            raise KeyboardInterrupt

    config = dataclasses.replace(CONFIG, accumulate=2)
    with pytest.raises(KeyboardInterrupt):
        run_in(tmp_path / "a", Stopping(), config).run(progress=False)
    assert torch.load(tmp_path / "a" / records.LAST, weights_only=True)["iteration"] == 4
    again, whole = run_in(tmp_path / "a", config=config, resume=True), run_in(tmp_path / "b", config=config)
    for run in (again, whole):
        while run.iteration < 5:
            run.step()
    assert_same(again.train_state.state(), whole.train_state.state())


class CountedScaler(torch.amp.GradScaler):
    """The scaler of a graphics card, on this processor."""

    def __init__(self, scale: float) -> None:
        super().__init__("cpu", init_scale=scale, enabled=True)


def test_a_scale_that_is_too_high_is_lowered_and_no_fault(tmp_path):
    run = run_in(tmp_path, config=dataclasses.replace(CONFIG, max_bad_steps=0))
    scaler = run.train_state.scaler = CountedScaler(2.0**24)
    run.model.classifier.weight.register_hook(lambda g: torch.where(g.abs() > 65504, INF, g))  # as float16 overflows
    before = state_of(run)
    assert run.step() == {}
    assert scaler.get_scale() == 2.0**23 and run.train_state.consecutive_bad_steps == 0
    assert_same(state_of(run)["optimizer"], before["optimizer"])
    for _ in range(15):
        if run.step():
            break
    assert 1 < run.history.skipped_steps < 12 and scaler.get_scale() == 2.0 ** (24 - run.history.skipped_steps)


def test_a_bad_loss_leaves_the_scale_alone(tmp_path):
    run = run_in(tmp_path, Noise({1, 2}))
    scaler = run.train_state.scaler = CountedScaler(256.0)
    for _ in range(4):
        run.step()
    assert scaler.get_scale() == 256.0 and run.history.skipped_steps == 2
    assert scaler.state_dict()["_growth_tracker"] == 2


# --- the states on the disk ------------------------------------------------------------------------------------------


def damage(path, how: str) -> None:
    if how == "gone":
        path.unlink()
    elif how == "NaN":
        state = torch.load(path, weights_only=True)
        state["model"]["classifier.weight"][0, 0] = NAN
        torch.save(state, path)
    elif how == "another file":
        torch.save({"a": torch.zeros(3)}, path)
    else:
        path.write_bytes(path.read_bytes()[: {"cut": 5000, "empty": 0}[how]])


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """The folder of a run that was stopped after five steps."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("stopped")
    run_in(folder).run(until=5, progress=False)
    return folder


@pytest.mark.parametrize("how", ["cut", "empty", "NaN", "another file", "gone"])
def test_a_damaged_state_falls_back_to_the_one_before(tmp_path, how, caplog, stopped, whole):
    folder = tmp_path / "a"
    shutil.copytree(stopped, folder)
    damage(folder / records.LAST, how)
    again = run_in(folder, resume=True)
    assert again.iteration == 4
    assert "the run goes on from the state before it, of iteration 4." in caplog.text
    assert (folder / records.DAMAGED).exists() == (how != "gone")
    again.run(progress=False)
    assert_same(again.train_state.state(), whole)
    lines = [line["iteration"] for line in records.read_metrics(folder) if "lr" in line]
    assert lines == list(range(1, STEPS + 1)), "no step twice"


@pytest.mark.parametrize("how", ["cut", "NaN"])
def test_two_damaged_states_are_a_sentence(tmp_path, how, stopped):
    shutil.copytree(stopped, tmp_path, dirs_exist_ok=True)
    for name in (records.LAST, records.PREVIOUS):
        damage(tmp_path / name, how)
    with pytest.raises(ValueError, match=r"last\.pt .*; expected the state of a run: begin again in another folder"):
        run_in(tmp_path, resume=True)
    assert {records.LAST, records.PREVIOUS} <= {path.name for path in tmp_path.iterdir()}, "nothing is taken away"


def test_the_last_two_states_are_kept(tmp_path):
    run = run_in(tmp_path)
    seen = []
    for _ in range(5):
        run.save()
        run.save()  # nothing new: the one before stays
        seen.append(run.iteration)
        run.step()
    found = [torch.load(tmp_path / name, weights_only=True)["iteration"] for name in (records.PREVIOUS, records.LAST)]
    assert found == seen[-2:]
    assert sorted(path.name for path in tmp_path.iterdir()) == [records.LAST, records.PREVIOUS]


def test_a_file_system_without_links(tmp_path, monkeypatch):
    def refused(*paths):
        raise OSError("no links here")

    monkeypatch.setattr("os.link", refused)
    for iteration in (1, 2, 3):
        records.save_state(tmp_path, {"iteration": iteration})
    monkeypatch.undo()
    assert records.load_state(tmp_path, "cpu") == {"iteration": 3}
    (tmp_path / records.LAST).unlink()  # killed between the two renames
    assert records.has_state(tmp_path) and records.load_state(tmp_path, "cpu") == {"iteration": 2}


def test_a_machine_that_fails_is_no_damage(tmp_path, monkeypatch):
    for iteration in (1, 2):
        records.save_state(tmp_path, {"iteration": iteration})

    def fails(error):
        def raised(*arguments, **named):
            raise error

        return raised

    for place, name, error in (
        (Path, "open", OSError(5, "Input/output error")),
        (torch, "load", RuntimeError("CUDA out of memory. Tried to allocate")),
        (torch, "load", MemoryError()),
    ):
        with monkeypatch.context() as patch, pytest.raises(type(error)):
            patch.setattr(place, name, fails(error))
            records.load_state(tmp_path, "cpu")
    assert records.load_state(tmp_path, "cpu") == {"iteration": 2}


# --- until -----------------------------------------------------------------------------------------------------------


def test_until_zero_trains_nothing(tmp_path):
    run = run_in(tmp_path)
    run.run(until=0, progress=False)
    assert run.iteration == 0 and torch.load(tmp_path / records.LAST, weights_only=True)["iteration"] == 0
    again = run_in(tmp_path, resume=True)
    again.run(until=3, progress=False)
    again.run(until=2, progress=False)  # made already
    assert again.iteration == 3
    with pytest.raises(ValueError, match="until is -1; expected"):
        again.run(until=-1)
