"""Pictures of a trace: known maps give known pixels, markers lie on their cell."""

from __future__ import annotations

import dataclasses

import matplotlib
import numpy as np
import pytest
import torch
from figure_trace import HEIGHT, IGNORE, WIDTH, figure_trace

from afa_viz import stage_scores as scores
from afa_viz.figures import colour, maps, stages
from afa_viz.trace import Trace


@pytest.fixture(scope="module")
def trace() -> Trace:
    return figure_trace()


@pytest.fixture
def bare(trace) -> Trace:
    """Without ground truth."""
    return dataclasses.replace(trace, target=None)


# --- colours ---------------------------------------------------------------------------------------------------------


def test_magnitude_is_the_colour_map_of_matplotlib():
    values = np.linspace(0, 1, 1000, dtype=np.float32).reshape(20, 50)
    expected = matplotlib.colormaps["viridis"](values, bytes=True)[..., :3]
    assert (colour.magnitude(values) == expected).all()
    assert (colour.magnitude(torch.from_numpy(values) * 7 - 2, low=-2, high=5) == expected).mean() > 0.99


def test_magnitude_of_extremes():
    dark, bright = colour.table("viridis")[[0, 255]]
    picture = colour.magnitude([[-1.0, 0.0, 1.0, 9.0, float("nan")]])
    assert (picture[0, :2] == dark).all() and (picture[0, 2:4] == bright).all()
    assert tuple(picture[0, 4]) == colour.NOT_A_NUMBER
    assert (colour.magnitude(np.ones((2, 2)), low=1, high=1) == dark).all()


def test_difference_is_centred_on_zero():
    picture = colour.difference([[-2.0, 0.0, 2.0]]).astype(int)
    assert picture[0, 1].min() > 240  # white
    assert picture[0, 2, 0] > picture[0, 2, 2] + 50  # more is red
    assert picture[0, 0, 2] > picture[0, 0, 0] + 50  # less is blue
    assert (colour.difference(np.zeros((2, 2))) > 240).all()
    assert (colour.difference([[1.0]], limit=2.0) != colour.difference([[1.0]])).any()


def test_overlay_between_photograph_and_colour():
    image = np.random.default_rng(1).integers(0, 256, (32, 48, 3), dtype=np.uint8)
    values = np.random.default_rng(2).random((4, 6), dtype=np.float32)
    opaque = colour.overlay(image, values, alpha=1, follow=False, smooth=False)
    assert (opaque == colour.magnitude(np.kron(values, np.ones((8, 8), np.float32)))).all()
    assert (colour.overlay(image, values, alpha=0) == colour.grey(image)).all()
    unsure = colour.overlay(image, np.zeros((4, 6)), alpha=0.9)
    sure = colour.overlay(image, np.zeros((4, 6)), alpha=0.9, follow=False)
    grey = colour.grey(image).astype(int)
    assert abs(unsure - grey).mean() < abs(sure - grey).mean() / 3  # weak areas show the photograph


def test_hatch_only_where_uncertain():
    image = np.full((64, 64, 3), 130, np.uint8)
    label = np.zeros((64, 64), np.uint8)
    label[16:40, 20:50] = IGNORE
    picture = colour.tint(image, label, ((0, 0, 255),), alpha=0.5)
    sure = picture[label == 0]
    assert (sure == sure[0]).all()
    unsure = np.unique(picture[label == IGNORE], axis=0)
    assert len(unsure) == 2 and (unsure.std(axis=1) < 1).all()  # two greys


def test_label_picture_colours_and_outline():
    label = np.zeros((8, 10), np.uint8)
    label[:, 5:] = 2
    picture = colour.label_image(label, ((1, 2, 3), (4, 5, 6), (70, 80, 90)))
    assert tuple(picture[3, 2]) == (1, 2, 3) and tuple(picture[3, 8]) == (70, 80, 90)
    assert (picture[:, 4] == 255).all() and (picture[:, 5] == 0).all()  # both sides of the border
    with pytest.raises(ValueError, match="label 7 has no colour"):
        colour.label_image(np.full((2, 2), 7), ((0, 0, 0),))


def test_colour_bar_begins_and_ends_with_its_colours():
    bar = colour.colour_bar(0, 0.25, "Attention", width=200, height=48)
    assert bar.shape == (48, 200, 3) and bar.dtype == np.uint8
    middle = bar[(48 // 4 + 4 + 48 - 48 // 4 - 5) // 2]
    assert (middle[1] == colour.table("viridis")[0]).all() and (middle[-2] == colour.table("viridis")[255]).all()


# --- geometry --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size,grid", [((70, 96), (5, 6)), ((64, 64), (4, 4)), ((33, 17), (3, 2))])
def test_cells_tile_the_image(size, grid):
    owner = np.full(size, -1)
    for row in range(grid[0]):
        for col in range(grid[1]):
            top, bottom, left, right = maps.cell_box(size, grid, (row, col))
            assert (owner[top:bottom, left:right] == -1).all()
            owner[top:bottom, left:right] = row * grid[1] + col
    cells = np.arange(grid[0] * grid[1], dtype=np.float32).reshape(grid)
    assert (owner == colour.upsample(cells, size, smooth=False)).all()
    for row, col in [(0, 0), (size[0] - 1, size[1] - 1), (size[0] // 2, size[1] // 3), (9999, -5)]:
        r, c = maps.cell_at(size, grid, row, col)
        assert owner[min(row, size[0] - 1), max(col, 0)] == r * grid[1] + c


def test_marker_lies_on_its_cell_and_nowhere_else(trace):
    cell = (2, 4)
    plain, marked = (stages.attention(trace, -1, 0, cell, marker=flag) for flag in (False, True))
    rows, cols = np.nonzero((plain != marked).any(axis=-1))
    top, bottom, left, right = maps.cell_box((HEIGHT, WIDTH), trace.grid, cell)
    assert rows.min() >= top and rows.max() < bottom and cols.min() >= left and cols.max() < right
    assert (marked[top, left:right] == 0).all() and (marked[top + 1, left + 1 : right - 1] == 255).all()
    inside = (slice(top + 2, bottom - 2), slice(left + 2, right - 2))
    assert (marked[inside] == plain[inside]).all()


def test_queries_of_fine_stages_lie_in_the_cell(trace):
    for block, grid in enumerate(trace.query_grids):
        every = [q for row in range(5) for col in range(6) for q in maps.queries_in(trace, block, (row, col))]
        assert sorted(every) == list(range(grid[0] * grid[1]))  # each query belongs to one cell
        for query in maps.queries_in(trace, block, (1, 5)):
            row, col = divmod(query, grid[1])
            assert (row * 5 // grid[0], col * 6 // grid[1]) == (1, 5)
    assert len(maps.queries_in(trace, -1, (1, 5))) == 1


# --- stages ----------------------------------------------------------------------------------------------------------


def test_attention_is_the_softmax_of_the_trace(trace):
    for block in range(len(trace.attn_logits)):
        queries = maps.queries_in(trace, block, (3, 2))
        probs = trace.attn_probs(block)[:, queries].mean(dim=1)
        got = maps.attention(trace, block, 0, (3, 2))
        assert got.shape == trace.key_grids[block]
        assert torch.allclose(got.flatten(), probs[0], atol=1e-6)
        mean = maps.attention(trace, block, None, (3, 2))
        assert torch.allclose(mean.flatten(), probs.mean(dim=0), atol=1e-6)
        assert float(mean.sum()) == pytest.approx(1, abs=1e-5)


def test_attention_with_reduced_keys_shines_where_the_key_looks(trace):
    assert trace.query_grids[0] == (18, 24) and trace.key_grids[0] == (2, 3)  # 8 x 8 queries a key, 2 rows left over
    logits = torch.zeros_like(trace.attn_logits[0])
    logits[:, :, 4] = 1e4  # key in row 1, column 1
    sharp = dataclasses.replace(trace, attn_logits=(logits, *trace.attn_logits[1:]))
    picture = stages.attention(sharp, 0, 0, (0, 0), marker=False).astype(int)
    coloured = abs(picture.max(axis=-1) - picture.min(axis=-1)) > 80  # yellow
    rows, cols = np.nonzero(coloured)
    assert rows.min() >= HEIGHT * 8 / 18 - 1 and rows.max() <= HEIGHT * 16 / 18
    assert (cols.min(), cols.max()) == (WIDTH * 8 // 24, WIDTH * 16 // 24 - 1)
    assert maps.on_query_grid(trace, 0, torch.ones(2, 3))[16:].isnan().all()


def test_affinity_maps(trace):
    index = 3 * trace.grid[1] + 2
    assert torch.equal(maps.affinity(trace, (3, 2)).flatten(), trace.affinity[index])
    mean = torch.cat(trace.attn_logits[-2:]).mean(dim=0)
    assert torch.allclose(maps.raw_affinity(trace, (3, 2)).flatten(), mean[index])
    both = maps.raw_affinity(trace, (3, 2), symmetric=True).flatten()
    assert torch.allclose(both, (mean[index] + mean[:, index]) / 2)
    assert [len(w) for w in maps.head_weights(trace)] == [8, 8]


def test_strongest_pixel_of_the_cam_is_the_brightest_colour(trace):
    label = 6
    row, col = divmod(int(trace.cam[label - 1].argmax()), WIDTH)
    expected = 0.15 * colour.grey(trace.image)[row, col] + 0.85 * colour.table("viridis")[255]
    assert abs(stages.cam(trace, label)[row, col] - expected).max() <= 2
    spot = torch.zeros_like(trace.cam)
    spot[label - 1, 40, 70] = 1
    assert maps.strongest_cell(dataclasses.replace(trace, cam=spot), label) == maps.cell_at((70, 96), (5, 6), 40, 70)


def test_regions_picture(trace):
    regions = torch.zeros(HEIGHT, WIDTH, dtype=torch.uint8)
    regions[:, 30:60], regions[:, 60:] = 1, 2
    picture = stages.regions(dataclasses.replace(trace, regions=regions), alpha=1.0)
    assert (picture[:, :30] == colour.BACKGROUND).all() and (picture[:, 30:60] == colour.FOREGROUND).all()
    unsure = picture[:, 60:].reshape(-1, 3).astype(int)
    assert (np.ptp(unsure, axis=1) < 40).all() and len(np.unique(unsure, axis=0)) > 1


def test_every_stage_is_a_picture_of_the_image(trace):
    label, cell = maps.main_label(trace), maps.strongest_cell(trace)
    assert label in trace.present
    pictures = [
        stages.image(trace), stages.cam(trace, label), stages.attention(trace, -1, None, cell),
        stages.attention(trace, 0, 0, cell), stages.affinity(trace, cell), stages.raw_affinity(trace, cell),
        stages.raw_affinity(trace, cell, symmetric=True), stages.cam_rw(trace, 0),
        stages.cam_rw(trace, label, high=True),
        stages.cam_par(trace, 0, high=True), stages.cam_par(trace, label), stages.regions(trace),
        stages.pseudo_label(trace), stages.seg(trace), stages.target(trace),
        stages.label_change(trace, trace.pseudo_label, trace.seg), stages.difference(trace.cam[0], trace.cam[1]),
    ]  # fmt: skip
    before = trace.image.clone()
    for picture in pictures:
        assert picture.shape == (HEIGHT, WIDTH, 3) and picture.dtype == np.uint8
    pictures[0][:] = 0
    assert torch.equal(trace.image, before)  # pictures are copies


def test_label_change_colours(trace):
    before, after = torch.zeros(HEIGHT, WIDTH), torch.zeros(HEIGHT, WIDTH)
    before[30, 40] = 6  # right, and then lost
    after[30, 50] = 6  # gained
    after[2, 50] = 6  # its truth is not known
    picture = stages.label_change(trace, before, after).astype(int)
    for at, wanted in (((30, 40), stages.LOST), ((30, 50), stages.GAINED), ((2, 50), stages.CHANGED)):
        assert abs(picture[at] - np.array(wanted)).max() <= 0.2 * 255
    assert scores.pixel_changes(before, after, trace.target) == {"gained": 1, "lost": 1, "changed": 3}
    assert scores.pixel_changes(before, after, None) == {"changed": 3}


def test_head_grid_has_a_tile_a_head(trace):
    sheet = stages.head_grid(trace, -1, (0, 0), columns=4, tile=96)
    assert sheet.dtype == np.uint8 and sheet.shape[1] == 4 * (96 + 4) + 4
    captions = stages.head_captions(trace, -1, (0, 0))
    assert [text.split(" · ")[0] for text in captions] == [f"head {i}" for i in range(1, 9)]
    assert all(" · w " in text for text in captions)
    assert len(stages.head_captions(trace, 0, (0, 0))) == 1 and " · w " not in stages.head_captions(trace, 0, (0, 0))[0]


@pytest.mark.parametrize(
    "call,message",
    [
        (lambda t: stages.cam(t, 0), "got label 0; expected 1 to 12"),
        (lambda t: stages.cam_rw(t, 13), "got label 13; expected 0 to 12"),
        (lambda t: stages.affinity(t, (5, 0)), r"got cell \(5, 0\); expected a row from 0 to 4"),
        (lambda t: stages.attention(t, 99, 0, (0, 0)), "got block 99"),
        (lambda t: stages.attention(t, -1, 8, (0, 0)), "got head 8; expected 0 to 7"),
        (lambda t: stages.target(dataclasses.replace(t, target=None)), "no ground truth"),
    ],
)
def test_what_is_not_there_is_said(trace, call, message):
    with pytest.raises(ValueError, match=message):
        call(trace)


# --- scores ----------------------------------------------------------------------------------------------------------


def test_scores_of_a_perfect_and_an_empty_label(trace):
    truth = torch.as_tensor(trace.target)
    perfect = scores.label_score(truth, truth, 13)
    assert perfect["miou"] == 1 and perfect["coverage"] == 1 and perfect["iou"] == {0: 1.0, 6: 1.0}
    half = truth.clone()
    half[20:50, 50:70] = IGNORE
    decided = scores.label_score(truth, half, 13)
    known = (HEIGHT - 4) * WIDTH
    assert decided["miou"] == 1 and decided["coverage"] == pytest.approx(1 - 30 * 20 / known)
    nothing = scores.label_score(truth, torch.zeros_like(truth), 13)
    assert nothing["iou"][6] == 0 and nothing["miou"] == pytest.approx((known - 30 * 40) / known / 2)


def test_stage_scores(trace, bare):
    by_stage = scores.stage_scores(trace)
    assert by_stage is not None and list(by_stage) == list(scores.SCORED_STAGES)
    expected = scores.label_score(trace.target, trace.seg, 13)
    assert by_stage["seg"] == expected
    assert scores.stage_scores(bare) is None and scores.label_precision(bare) is None


def test_shares_and_precision(trace):
    label = torch.zeros(HEIGHT, WIDTH, dtype=torch.uint8)
    label[20:50, 30:50], label[50:] = 6, IGNORE
    shares = scores.region_shares(label)
    assert shares["foreground"] == pytest.approx(600 / (HEIGHT * WIDTH)) and sum(shares.values()) == pytest.approx(1)
    precision = scores.certain_precision(label, trace.target)
    assert precision["foreground"] == 1
    assert precision["background"] == pytest.approx(1 - 600 / (46 * WIDTH - 600))
