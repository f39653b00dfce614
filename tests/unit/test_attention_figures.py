"""Numbers of heads and of the affinity against loops and scipy; what the attention and affinity tabs are sent."""

from __future__ import annotations

import base64
import dataclasses
import math
import zlib
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
import torch
from PIL import Image

from afa_viz.config import ExplainConfig
from afa_viz.figures import affinity, attention, maps
from afa_viz.inspection import target_affinity, target_cells
from afa_viz.model.afa import build_afa
from afa_viz.pipeline import explain
from afa_viz.trace import Trace
from afa_viz.ui.handlers import payload, payload_attention

EXAMPLES = Path(__file__).parents[2] / "afa_viz" / "examples"
HEIGHT, WIDTH = 70, 96  # 5 x 6 cells; sides that no stage divides


@pytest.fixture(scope="module")
def trace() -> Trace:
    torch.manual_seed(0)
    pixels = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    target = np.zeros((HEIGHT, WIDTH), np.uint8)
    target[20:50, 30:70], target[:4] = 6, 255
    model = build_afa("mit_b0", num_classes=13)
    config = ExplainConfig(long_side=WIDTH, radius=2)
    return explain(model, Image.fromarray(pixels), labels=["cat", "dog"], config=config, target=target)


def with_maps(trace: Trace, block: int, logits: torch.Tensor) -> Trace:
    changed = list(trace.attn_logits)
    changed[block] = logits
    return dataclasses.replace(trace, attn_logits=tuple(changed))


# --- heads -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(16, 96), (96, 16)], ids=["wide", "tall"])
def test_a_side_smaller_than_a_key_has_numbers_too(size):
    """16 pixels are 4 queries of the first stage, whose keys span 8."""
    torch.manual_seed(0)
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    small = explain(build_afa("mit_b0", num_classes=13), pixels, labels=["cat"], config=ExplainConfig(long_side=96))
    everywhere = torch.ones((1, *small.image.shape[:2]), dtype=torch.bool)
    for block in range(len(small.attn_logits)):
        assert maps.key_ratio(small, block) in (1, 2, 4, 8)
        shares, even = attention.region_shares(small, block, everywhere)
        torch.testing.assert_close(shares, torch.ones_like(shares))
        assert even.item() == 1
        keys = maps.on_query_grid(small, block, torch.ones(small.key_grids[block]))
        assert keys.shape == small.query_grids[block] and keys.nansum() > 0
    assert "by_truth" in payload_attention.overview(small)


@pytest.mark.parametrize("block", [0, 3, 5, 7])
def test_entropy_and_distance_by_loops(trace, block):
    found = attention.block_statistics(trace, block)
    probs = trace.attn_probs(block).double().numpy()
    (q_rows, q_cols), (k_rows, k_cols) = trace.query_grids[block], trace.key_grids[block]
    span = {0: 4, 3: 8, 5: 16, 7: 16}[block]  # pixels that a query spans
    wide = {0: 32, 3: 32, 5: 32, 7: 16}[block]  # and a key
    head = len(probs) - 1
    far, even = 0.0, 0.0
    for q in range(q_rows * q_cols):
        y, x = (q // q_cols + 0.5) * span, (q % q_cols + 0.5) * span
        for k in range(k_rows * k_cols):
            apart = math.hypot(y - (k // k_cols + 0.5) * wide, x - (k % k_cols + 0.5) * wide) / 16
            far += probs[head, q, k] * apart / (q_rows * q_cols)
            even += apart / (q_rows * q_cols * k_rows * k_cols)
    assert found.distance[head] == pytest.approx(far, rel=1e-4)
    assert found.uniform_distance == pytest.approx(even, rel=1e-4)
    entropy = scipy.stats.entropy(probs[head], axis=-1, base=probs.shape[-1]).mean()
    assert found.entropy[head] == pytest.approx(entropy, rel=1e-4)
    assert (found.asymmetry is None) == (trace.query_grids[block] != trace.key_grids[block])


def test_a_head_that_looks_at_itself(trace):
    cells = len(trace.affinity)
    found = attention.block_statistics(with_maps(trace, -1, 1e5 * torch.eye(cells).repeat(8, 1, 1)), -1)
    assert max(found.entropy) < 1e-5 and max(found.distance) < 1e-5 and max(found.asymmetry or (1,)) < 1e-6
    spread = attention.block_statistics(with_maps(trace, -1, torch.zeros(8, cells, cells)), -1)
    assert spread.entropy == pytest.approx([1] * 8)
    assert spread.distance == pytest.approx([spread.uniform_distance] * 8)


@pytest.mark.parametrize("block", [2, 7])
def test_share_inside_by_loops(trace, block):
    region = trace.target == 6
    shares, even = attention.region_shares(trace, block, torch.stack([region, torch.zeros_like(region)]))
    (q_rows, q_cols), (k_rows, k_cols) = trace.query_grids[block], trace.key_grids[block]
    span, ratio = {2: (8, 4), 7: (16, 1)}[block]
    inside = region.double().numpy()
    grid = np.array([
        [inside[y * span : (y + 1) * span, x * span : (x + 1) * span].mean() for x in range(q_cols)]
        for y in range(q_rows)
    ])  # fmt: skip
    query = grid.ravel()
    key = np.array([
        grid[y * ratio : (y + 1) * ratio, x * ratio : (x + 1) * ratio].mean()
        for y in range(k_rows) for x in range(k_cols)
    ])  # fmt: skip
    probs = trace.attn_probs(block).double().numpy()
    assert shares[0].tolist() == pytest.approx([(query @ p @ key) / query.sum() for p in probs], rel=1e-4)
    assert float(even[0]) == pytest.approx(key.mean(), rel=1e-5)
    assert shares[1].isnan().all() and even[1].isnan()
    with pytest.raises(ValueError, match="regions have shape"):
        attention.region_shares(trace, block, region)


# --- affinity --------------------------------------------------------------------------------------------------------


def test_order_is_the_statistic_of_mann_and_whitney():
    random = torch.Generator().manual_seed(1)
    labels = torch.randint(0, 2, (20, 20), generator=random)
    labels[:, 3] = 255
    values = torch.randint(0, 9, (20, 20), generator=random).float() + labels.clamp(max=1)  # with ties
    found = affinity.pairwise_auc(values, labels)
    kept = ~torch.eye(20, dtype=torch.bool)
    equal, different = (values[(labels == kind) & kept].numpy() for kind in (1, 0))
    wanted = scipy.stats.mannwhitneyu(equal, different).statistic / (len(equal) * len(different))
    assert found == pytest.approx(wanted, rel=1e-6)
    assert affinity.pairwise_auc(labels.float(), labels) == 1 and affinity.pairwise_auc(-labels.float(), labels) == 0
    assert affinity.pairwise_auc(torch.zeros(20, 20), labels) == 0.5
    assert math.isnan(affinity.pairwise_auc(values, torch.ones(20, 20)))


def test_pairs_are_labelled_by_the_truth_or_as_in_training(trace):
    bare = dataclasses.replace(trace, target=None)
    for centre in (False, True):
        assert torch.equal(affinity.pair_labels(bare, centre), target_affinity(bare, centre))
    copied = dataclasses.replace(trace, affinity_label=trace.target)  # then both ways must agree
    assert torch.equal(affinity.pair_labels(trace, True), target_affinity(copied, True))


def test_numbers_of_the_affinity(trace):
    found = affinity.affinity_numbers(trace, True)
    raw = torch.cat(trace.attn_logits[-2:]).mean(0).double().numpy()
    wanted = np.linalg.norm(raw - raw.T) / np.linalg.norm(raw + raw.T)
    assert found.asymmetry_raw == pytest.approx(wanted, rel=1e-5)
    assert found.asymmetry_learned == pytest.approx(0, abs=1e-6) and found.by_truth
    labels = affinity.pair_labels(trace, True)
    assert found.auc_learned == pytest.approx(affinity.pairwise_auc(trace.affinity, labels), abs=1e-3)
    assert found.auc_symmetric == affinity.pairwise_auc(torch.from_numpy(raw + raw.T), labels)
    lonely = dataclasses.replace(trace, target=torch.zeros_like(trace.target))
    assert math.isnan(affinity.affinity_numbers(lonely).auc_raw)  # one class alone: nothing to compare


# --- what the page is sent -------------------------------------------------------------------------------------------


def unpacked(packed: str, dtype=np.uint8) -> np.ndarray:
    return np.frombuffer(zlib.decompress(base64.b64decode(packed)), dtype)


def sent_map(sent: dict, head: int, query: int) -> np.ndarray:
    heads, queries, keys = sent["shape"]
    row = unpacked(sent["data"]).reshape(heads, queries, keys)[head, query] / 255
    low, peak = (unpacked(sent[name], "<f4").reshape(heads, queries)[head, query] for name in ("lows", "peaks"))
    return low + row * (peak - low)


@pytest.mark.parametrize("block", [0, 3, 7])
@pytest.mark.parametrize("logits", [False, True])
def test_one_head_or_one_cell_is_that_of_all(trace, block, logits):
    cell, head = (2, 3), trace.attn_logits[block].shape[0] - 1
    query = cell[0] * trace.grid[1] + cell[1]
    whole = payload_attention.attention(trace, block, logits)
    wanted = sent_map(whole, head, query)
    heads = [sent_map(whole, h, query) for h in range(head + 1)]
    step = 1.1 * max(row.max() - (row.min() if logits else 0) for row in heads) / 255
    one_head = payload_attention.attention(trace, block, logits, head=head)
    one_cell = payload_attention.attention(trace, block, logits, cell=cell)
    assert np.abs(sent_map(one_head, 0, query) - wanted).max() <= step
    assert np.abs(sent_map(one_cell, head, 0) - wanted).max() <= step
    mean = payload_attention.attention(trace, block, logits, head=payload_attention.MEAN)
    assert np.abs(sent_map(mean, 0, query) - np.mean(heads, axis=0)).max() <= step
    if not logits:
        exact = maps.attention(trace, block, head, cell).flatten().numpy()
        assert np.abs(wanted - exact).max() <= 0.51 / 255 * exact.max()


def test_heads_and_cells_that_are_not_there(trace):
    for wrong in ({"head": 8}, {"head": -2}, {"cell": (5, 0)}, {"block": 8}):
        with pytest.raises(ValueError, match="expected"):
            payload_attention.attention(trace, **{"block": 7, **wrong})


def test_the_overview_has_the_numbers_of_the_figures(trace):
    sent = payload_attention.overview(trace)
    assert sent["by_truth"] and len(sent["blocks"]) == 8
    numbers = attention.block_statistics(trace, 7)
    assert sent["blocks"][7]["entropy"] == pytest.approx(numbers.entropy, rel=1e-3)
    assert sent["blocks"][0]["asymmetry"] is None
    shares, even = attention.region_shares(trace, 7, (trace.target == 6)[None])
    assert sent["blocks"][7]["inside"]["6"]["heads"] == pytest.approx(shares[0].tolist(), rel=1e-3)
    assert sent["blocks"][7]["inside"]["6"]["even"] == pytest.approx(float(even[0]), rel=1e-3)
    assert sent["blocks"][7]["inside"]["8"]["heads"] == [None] * 8  # the truth has no dog
    payload.to_json(sent)  # no NaN


def test_the_matrices_of_the_affinity(trace, monkeypatch):
    trace = dataclasses.replace(trace, affinity_at_centre=True)
    sent = payload_attention.affinity(trace)
    raw = maps.raw_matrix(trace).numpy()
    span = (sent["raw"]["high"] - sent["raw"]["low"]) / 255
    got = sent["raw"]["low"] + unpacked(sent["raw"]["data"]).reshape(raw.shape) * span
    assert np.abs(got - raw).max() <= 0.51 * span and "learned" not in sent
    cells = unpacked(sent["cells"]["data"]).reshape(5, 6)
    assert (cells == target_cells(trace, True).numpy()).all()
    monkeypatch.setattr(payload_attention, "MAX_CELLS", 10)
    assert "raw" not in payload_attention.affinity(trace)
    rows = payload_attention.affinity(trace, cell=(1, 4))
    span = (rows["raw_row"]["high"] - rows["raw_row"]["low"]) / 255
    for name, wanted in (("raw_row", raw[10]), ("raw_column", raw[:, 10])):
        assert np.abs(rows[name]["low"] + unpacked(rows[name]["data"]) * span - wanted).max() <= 0.51 * span
    learned = trace.affinity[10].numpy()
    assert np.abs(unpacked(rows["learned"]["data"]) / 255 - learned).max() <= 0.51 / 255


def test_large_grids_send_windows(trace, monkeypatch):
    monkeypatch.setattr(payload, "WHOLE_CELLS", 20)
    monkeypatch.setattr(payload, "WINDOW", 2)
    sent = payload.local_affinity(trace)
    assert sent["band"] == 2 and sent["shape"] == [30, 5, 5]
    windows = unpacked(sent["data"]).reshape(30, 5, 5)
    rows, cols = trace.grid
    for i in range(30):
        for dy in range(-2, 3):
            for dx in range(-2, 3):
                y, x = i // cols + dy, i % cols + dx
                inside = 0 <= y < rows and 0 <= x < cols
                wanted = float(trace.affinity[i, y * cols + x]) if inside else 0.0
                assert abs(windows[i, dy + 2, dx + 2] / 255 - wanted) <= 0.51 / 255
    wide = dataclasses.replace(trace, config=dataclasses.replace(trace.config, radius=9))
    assert "band" not in payload.local_affinity(wide)  # the windows would be larger than the matrix


def test_first_load_of_a_large_grid_is_small():
    """512 pixels, 32 x 32 cells, of a network whose affinities nothing compresses."""
    torch.manual_seed(0)
    model = build_afa("mit_b0", num_classes=13)
    picture = Image.open(EXAMPLES / "astronaut.png").convert("RGB").resize((512, 512), Image.Resampling.BICUBIC)
    with torch.no_grad():
        found = explain(
            model, picture, labels=["person"], config=ExplainConfig(long_side=512, scales=(1.0,), flip=False)
        )
    noisy = dataclasses.replace(found, affinity=torch.rand(1024, 1024, generator=torch.Generator().manual_seed(2)))
    sent = [payload.stages(noisy, "key", "scene"), payload.scene(noisy, "scene")]
    assert sum(len(payload.to_json(part)) for part in sent) < 1_500_000
    head = payload_attention.attention(noisy, 7, head=0)
    assert len(payload.to_json(head)) < 1_500_000  # one head for every query
    assert len(payload.to_json(payload_attention.attention(noisy, 7, cell=(3, 3)))) < 20_000
