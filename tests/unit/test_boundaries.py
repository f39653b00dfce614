"""Boundary IoU and trimap accuracy against slow loops that follow the papers' words, and against scipy's erosion."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from afa_viz.evaluation.boundaries import BoundaryScores
from afa_viz.ops.boundaries import boundary_counts, boundary_width, inner_boundary, trimap


def scene(seed: int, size=(23, 31), classes: int = 4, ignored: bool = True) -> np.ndarray:
    """A label map of blobs, some of it 255."""
    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(rng.standard_normal((classes, *size)), (0, 3, 3))
    label = smooth.argmax(axis=0).astype(np.int64)
    if ignored:
        label[ndimage.gaussian_filter(rng.standard_normal(size), 2) > 0.12] = 255
    return label


def near_outside(mask: np.ndarray, width: int) -> np.ndarray:
    """Pixels of a mask that have a pixel outside it, or the outside of the image, within `width`: in words, slowly."""
    rows, columns = mask.shape
    found = np.zeros_like(mask)
    for i in range(rows):
        for j in range(columns):
            for di in range(-width, width + 1):
                for dj in range(-width, width + 1):
                    y, x = i + di, j + dj
                    inside = 0 <= y < rows and 0 <= x < columns and mask[y, x]
                    found[i, j] |= mask[i, j] and not inside
    return found


def near_other(label: np.ndarray, width: int) -> np.ndarray:
    """Pixels with a pixel of another label within `width`, slowly."""
    rows, columns = label.shape
    found = np.zeros(label.shape, bool)
    for i in range(rows):
        for j in range(columns):
            window = label[max(0, i - width) : i + width + 1, max(0, j - width) : j + width + 1]
            found[i, j] = (window != label[i, j]).any()
    return found


@pytest.mark.parametrize("seed, width", [(0, 1), (1, 2), (2, 5), (3, 11)])
def test_regions_are_those_of_slow_loops(seed, width):
    label = scene(seed)
    masks = np.stack([label == k for k in (0, 1, 2, 3, 255)])
    got = inner_boundary(torch.from_numpy(masks), width).numpy()
    for mask, region in zip(masks, got, strict=True):
        assert (region == near_outside(mask, width)).all()
        eroded = ndimage.binary_erosion(mask, np.ones((3, 3)), iterations=width, border_value=0)
        assert (region == (mask & ~eroded)).all(), "Cheng et al.'s own form: erosions by 3 x 3, zeros around"
    assert (trimap(torch.from_numpy(label), width).numpy() == near_other(label, width)).all()


@pytest.mark.parametrize(
    "size, expected", [((512, 512), 14), ((480, 640), 16), ((256, 256), 7), ((10, 10), 1), ((1, 1), 1)]
)
def test_width_is_two_percent_of_the_diagonal(size, expected):
    assert boundary_width(*size) == expected


def test_a_square_moved_by_one_pixel():
    target, label = (torch.zeros(20, 20, dtype=torch.long) for _ in range(2))
    target[5:15, 5:15], label[5:15, 6:16] = 1, 1
    ((shared, union, true),) = boundary_counts(target, label, torch.tensor([1]), 1).tolist()
    assert true == 100 - 64, "a ring of one pixel"
    ring = np.zeros((20, 20), bool)
    ring[5:15, 5:15], ring[6:14, 6:14] = True, False
    moved = np.roll(ring, 1, axis=1)
    assert (shared, union) == ((ring & moved).sum(), (ring | moved).sum())


@pytest.mark.parametrize("seed", range(3))
def test_scores_over_images_are_those_of_loops(seed):
    targets = [scene(10 * seed + i) for i in range(3)]
    labels = [scene(10 * seed + i, ignored=i == 2) for i in range(3)]  # the last label leaves pixels uncertain
    labels[0][4:9] = 2
    scores = BoundaryScores(("a", "b"), 5, widths=(1, 3))
    halves = [BoundaryScores(("a", "b"), 5, widths=(1, 3)) for _ in range(2)]
    for i, (target, label) in enumerate(zip(targets, labels, strict=True)):
        both = {"a": torch.from_numpy(label), "b": torch.from_numpy(target)}
        scores.update(torch.from_numpy(target), both), halves[i % 2].update(torch.from_numpy(target), both)
    halves[0].add(halves[1])
    assert torch.equal(halves[0].boundary, scores.boundary) and torch.equal(halves[0].trimap, scores.trimap)
    expected = []
    for k in range(5):
        shared = union = true = 0
        for target, label in zip(targets, labels, strict=True):
            counted = (target != 255) & (label != 255)
            g, p = near_outside(target == k, 1) & counted, near_outside(label == k, 1) & counted
            shared, union, true = shared + (g & p).sum(), union + (g | p).sum(), true + g.sum()
        expected.append(shared / union if true else np.nan)
    np.testing.assert_allclose(scores.boundary_iou("a").numpy(), expected)
    assert np.isnan(expected[4]), "a class that is nowhere"
    assert scores.mean_boundary_iou("a") == pytest.approx(np.nanmean(expected))
    for width in (1, 3):
        right = counted = 0
        for target, label in zip(targets, labels, strict=True):
            band = near_other(target, width) & (target != 255) & (label != 255)
            right, counted = right + (label == target)[band].sum(), counted + band.sum()
        assert scores.trimap_accuracy("a")[width] == pytest.approx(right / counted)
    assert scores.mean_boundary_iou("b") == 1 and set(scores.trimap_accuracy("b").values()) == {1.0}
    data = scores.data(["k0", "k1", "k2", "k3", "k4"])
    assert data["stages"]["b"]["boundary_iou"] == 100 and data["stages"]["a"]["boundary_iou_by_class"]["k4"] is None


def test_no_boundary_no_number():
    scores = BoundaryScores(("a",), 2)
    nothing = torch.full((8, 8), 255)
    scores.update(nothing, {"a": torch.zeros(8, 8)})
    assert np.isnan(scores.mean_boundary_iou("a")) and np.isnan(scores.trimap_accuracy("a")[1])
    assert scores.data(["background", "x"])["stages"]["a"] == {
        "boundary_iou": None, "boundary_iou_by_class": {"background": None, "x": None},
        "trimap_accuracy": {str(width): None for width in (1, 2, 4, 8, 16)},
    }  # fmt: skip
    scores.update(torch.zeros(8, 8), {"a": torch.zeros(8, 8)})  # one class: a contour along the image, no band
    assert scores.mean_boundary_iou("a") == 1 and np.isnan(scores.trimap_accuracy("a")[16])


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="width"):
        trimap(torch.zeros(4, 4), 0)
    with pytest.raises(ValueError, match="masks"):
        inner_boundary(torch.zeros(4, 4, dtype=torch.bool), 1)
