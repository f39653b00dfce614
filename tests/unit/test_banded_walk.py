"""The banded walk against the dense form in float64 and golden vectors; its memory, its choice, its refusals."""

from __future__ import annotations

import json
import math

import pytest
import torch
from golden_vectors import cases, check

from afa_viz.__main__ import main
from afa_viz.ops import banded_walk as near
from afa_viz.ops import random_walk as walk
from afa_viz.ops.affinity import radius_mask
from benchmarks import allocated
from benchmarks.walk import banded, dense

MEMORY_SHARE = 0.15  # of the dense form at 48 x 48 cells and radius 8


def by_hand(affinity, grid, radius, power, eps):
    """T_ij of docs/spec.md section 6 in float64, cell by cell."""
    height, width = grid
    cells = [(row, col) for row in range(height) for col in range(width)]
    sharp = torch.zeros(len(cells), len(cells), dtype=torch.float64)
    for i, (row, col) in enumerate(cells):
        for j, (other_row, other_col) in enumerate(cells):
            if abs(row - other_row) <= radius and abs(col - other_col) <= radius:
                sharp[i, j] = float(affinity[i, j]) ** power
    return sharp / (sharp.sum(dim=0) + eps)


@pytest.mark.parametrize("grid", [(5, 7), (1, 6), (6, 1), (1, 1)], ids=str)
@pytest.mark.parametrize("radius", [0, 1, 2, 8])
@pytest.mark.parametrize("power,steps", [(2.0, 1), (3.5, 3), (1.0, 0)])
def test_against_the_matrix_by_hand(grid, radius, power, steps):
    cells = grid[0] * grid[1]
    affinity = torch.rand(2, cells, cells, dtype=torch.float64)  # not symmetric: rows and columns may not be swapped
    scores = torch.rand(2, 3, *grid, dtype=torch.float64)
    got = list(near.band_steps(scores, near.transition_band(affinity, grid, radius, power, 0.1), steps))
    assert len(got) == steps + 1 and torch.equal(got[0], scores)
    for b in range(2):
        want, transition = scores[b].flatten(1), by_hand(affinity[b], grid, radius, power, 0.1)
        for step in got:  # the matrix is applied again and again to the scores
            torch.testing.assert_close(step[b].flatten(1), want, rtol=0, atol=1e-12)
            want = want @ transition


@pytest.mark.parametrize("name,params,inputs,outputs", cases("random_walk_bkg"))
def test_golden_by_either_form(monkeypatch, name, params, inputs, outputs):
    mask = inputs.get("radius_mask")
    cams = inputs["cams"]
    grid = tuple(cams.shape[-2:])
    radii = [r for r in range(max(grid)) if mask is not None and torch.equal(radius_mask(*grid, radius=r), mask > 0)]
    radius = radii[0] if radii else max(grid)  # without a mask all pairs
    assert mask is None or radii
    start = walk.with_background(cams, inputs["cls_labels"], params["bkg_score"])
    for share in (0.0, 9.0):
        monkeypatch.setattr(near, "MAX_BAND_SHARE", share)
        assert near.uses_band(grid, radius) == (share > 0)
        affinity = inputs["affinity"][: len(cams)]
        check(near.propagate_windowed(start, affinity, radius, params["power"], params["eps"]), outputs["cams"])


def test_a_large_grid_is_equal_and_takes_little_memory():
    scores, affinity = torch.rand(1, 3, 48, 48), torch.rand(1, 48**2, 48**2)
    before = affinity.clone()
    exact = dense(scores.double(), affinity.double(), 8)
    torch.testing.assert_close(banded(scores.double(), affinity.double(), 8), exact, rtol=0, atol=1e-12)
    torch.testing.assert_close(banded(scores, affinity, 8).double(), exact, rtol=0, atol=1e-6)
    assert torch.equal(affinity, before)
    band, matrix = (allocated.peak_bytes(lambda form=form: form(scores, affinity, 8)) for form in (banded, dense))
    assert matrix > affinity.nbytes  # the dense form holds at least one more matrix
    assert band <= MEMORY_SHARE * affinity.nbytes  # even of that one matrix alone


def test_memory_counts_what_is_alive_at_once():
    def call():
        first = torch.zeros(1000, 1000)
        second = first + 1  # two at once
        del first
        return second + 1  # two again, never three

    assert 8_000_000 <= allocated.peak_bytes(call) < 9_000_000


def test_small_grids_stay_dense_and_large_ones_do_not(monkeypatch):
    made = []
    for module, name in ((near, "transition_band"), (walk, "transition_matrix")):
        real = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *a, real=real, name=name: (made.append(name), real(*a))[1])
    for side in (14, 32, 48):
        near.propagate_windowed(torch.rand(1, 2, side, side), torch.rand(1, side**2, side**2), radius=8)
    assert made == ["transition_matrix", "transition_band", "transition_band"]


@pytest.mark.parametrize("share", [0.0, 9.0])  # dense, banded
def test_only_present_classes_walk(monkeypatch, share):
    monkeypatch.setattr(near, "MAX_BAND_SHARE", share)
    walked = []
    for module, name in ((near, "band_steps"), (walk, "walk_steps")):
        real = getattr(module, name)
        monkeypatch.setattr(module, name, lambda s, *a, real=real: (walked.append(s.shape[1]), real(s, *a))[1])
    affinity, labels = torch.rand(2, 20, 20), torch.tensor([[1, 0, 0, 0], [0, 0, 1, 0]])
    start = walk.with_background(torch.rand(2, 4, 4, 5), labels, 0.4)
    steps = list(near.windowed_walk_steps(start, affinity, 2, num_steps=2))
    assert walked == [3] and len(steps) == 3  # background and the two classes that are in either image
    mask = radius_mask(4, 5, 2)
    for step, want in zip(steps, walk.walk_steps(start, walk.transition_matrix(affinity, mask), 2), strict=True):
        torch.testing.assert_close(step, want)
    assert all(step[:, [2, 4]].abs().max() == 0 for step in steps)
    nothing = near.propagate_windowed(torch.zeros(2, 3, 4, 5), affinity, 2)
    assert nothing.shape == (2, 3, 4, 5) and nothing.abs().max() == 0


def test_no_step_makes_no_matrix(monkeypatch):
    for module, name in ((near, "transition_band"), (walk, "transition_matrix")):
        monkeypatch.setattr(module, name, None)
    scores = torch.rand(1, 2, 4, 4)
    got = near.propagate_windowed(scores, torch.rand(1, 16, 16), 2, num_steps=0)
    assert torch.equal(got, scores) and got.data_ptr() != scores.data_ptr()


def test_refusals():
    scores, affinity = torch.rand(1, 2, 3, 4), torch.rand(1, 12, 12)
    band = near.transition_band(affinity, (3, 4), 2)
    for call, words in (
        (lambda: near.transition_band(affinity[:, :8], (3, 4), 2), "square"),
        (lambda: near.transition_band(affinity, (3, 5), 2), "3 x 5 has 15 cells"),
        (lambda: near.transition_band(affinity, (3, 4), -1), "radius -1"),
        (lambda: near.transition_band(affinity, (3, 4), 2, power=0), "power 0"),
        (lambda: near.transition_band(affinity, (3, 4), 2, power=math.inf), "power inf"),
        (lambda: near.transition_band(affinity * math.nan, (3, 4), 2), "NaN"),
        (lambda: near.transition_band(-affinity, (3, 4), 2, power=1.5), "apply the sigmoid"),
        (lambda: list(near.band_steps(scores[..., :3], band)), "token grid"),
        (lambda: list(near.band_steps(scores * math.nan, band)), "scores holds"),
        (lambda: list(near.band_steps(scores, band, -1)), "num_steps -1"),
        (lambda: near.propagate_windowed(scores, affinity, 2, num_steps=-1), "num_steps -1"),
        (lambda: near.propagate_windowed(scores[0], affinity, 2), "expected 4 dimensions"),
    ):
        with pytest.raises(ValueError, match=words):
            call()


def test_it_is_measured(capsys, tmp_path):
    path = tmp_path / "walk.json"
    assert main(["bench", "walk", "--grid", "6", "12", "--radius", "2", "--repeats", "2", "--json", str(path)]) == 0
    rows = json.loads(path.read_text())["walk"]["rows"]
    assert [row["taken"] for row in rows] == ["dense", "banded"] and all(row["met"] for row in rows)
    assert all(len(row[form]["samples_s"]) == 2 for row in rows for form in ("dense", "banded"))
    assert "| 12² | 3 |" in capsys.readouterr().out
    assert main(["bench", "walk", "--repeats", "1"]) == 2
