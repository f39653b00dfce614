"""Calibration of the affinity against loops over pairs; AUC against the rank statistic of scipy."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.stats import mannwhitneyu

from afa_viz.evaluation.affinity_calibration import AffinityCalibration

GRID, RADIUS = (5, 7), 3


def made(seed: int, unknown: bool = True):
    """A symmetric affinity that says something about the labels, and the labels of its cells."""
    rng = np.random.default_rng(seed)
    count = GRID[0] * GRID[1]
    cells = rng.integers(0, 3, count)
    logits = rng.standard_normal((count, count)) + 1.5 * (cells[:, None] == cells[None])
    affinity = 1 / (1 + np.exp(-(logits + logits.T)))
    if unknown:
        cells[rng.random(count) < 0.2] = 255
    return affinity, cells


def pairs_of(affinity, cells):
    """(distance, affinity, same class) of every pair of known cells within the window."""
    places = list(itertools.product(range(GRID[0]), range(GRID[1])))
    for (i, a), (j, b) in itertools.combinations(enumerate(places), 2):
        distance = max(abs(a[0] - b[0]), abs(a[1] - b[1]))
        if distance <= RADIUS and 255 not in (cells[i], cells[j]):
            yield distance, affinity[i, j], bool(cells[i] == cells[j])


@pytest.fixture(scope="module")
def counted():
    calibration, parts, found = AffinityCalibration(RADIUS), [AffinityCalibration(RADIUS) for _ in range(2)], []
    for seed in range(4):
        affinity, cells = made(seed)
        for one in (calibration, parts[seed % 2]):
            one.count(torch.from_numpy(affinity), torch.from_numpy(cells), GRID)
        found += pairs_of(affinity, cells)
    parts[0].add(parts[1])
    return calibration, parts[0], found


def test_shares_add_up(counted):
    calibration, shared, _ = counted
    assert torch.allclose(shared.reliability, calibration.reliability)
    assert torch.equal(shared.histograms, calibration.histograms)


def test_reliability_is_that_of_a_loop(counted):
    calibration, _, found = counted
    error = 0.0
    for row in calibration.data()["reliability"]:
        here = [
            (value, same) for _, value, same in found if row["from"] <= value < row["to"] or row["to"] == value == 1
        ]
        assert row["pairs"] == len(here)
        if here:
            values, same = (np.mean(part) for part in zip(*here, strict=True))
            assert row["mean_affinity"] == pytest.approx(values, abs=1e-4)
            assert row["same_class_share"] == pytest.approx(same, abs=1e-4)
            error += abs(values - same) * len(here) / len(found)
    assert calibration.expected_calibration_error() == pytest.approx(error)


def test_auc_by_distance_is_the_rank_statistic(counted):
    calibration, _, found = counted
    for distance in (None, 1, 2, 3):
        here = [(value, same) for d, value, same in found if distance in (None, d)]
        one, other = ([value for value, same in here if same is kind] for kind in (True, False))
        expected = mannwhitneyu(one, other).statistic / (len(one) * len(other))
        assert calibration.auc(distance) == pytest.approx(expected, abs=1e-3), "bins of the logit are 0.01 wide"


def test_what_is_perfect_and_what_says_nothing():
    cells = torch.tensor([0, 0, 1, 1])
    same = (cells[:, None] == cells[None]).double()
    perfect, blind = AffinityCalibration(3), AffinityCalibration(3)
    perfect.count(same, cells, (1, 4)), blind.count(torch.full((4, 4), 1 / 3).double(), cells, (1, 4))
    assert perfect.auc() == 1 and perfect.expected_calibration_error() == 0
    assert blind.auc() == 0.5 and blind.expected_calibration_error() == pytest.approx(0, abs=1e-6), (
        "2 of 6 pairs are equal"
    )


def test_without_pairs_there_is_no_number():
    empty = AffinityCalibration(2)
    empty.count(torch.rand(6, 6), torch.full((6,), 255), (2, 3))
    data = empty.data()
    assert math.isnan(empty.auc()) and data["auc"] is None and data["expected_calibration_error"] is None
    assert {row["auc"] for row in data["by_distance"]} == {None} and data["by_distance"][0]["pairs"] == 0
