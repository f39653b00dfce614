"""The chain in the browser against the chain in Python, on what the page really sends: 8-bit maps."""

from __future__ import annotations

import base64
import dataclasses
import json
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from browser import browser, pytestmark  # noqa: F401  (fixtures)
from PIL import Image

from afa_viz import stage_scores as scores
from afa_viz.classes import SANDBOX_CLASSES, palette
from afa_viz.config import ExplainConfig
from afa_viz.figures.maps import colour_limits
from afa_viz.inspection import label_cells, par_steps, walk_steps
from afa_viz.model.afa import build_afa
from afa_viz.ops import par
from afa_viz.pipeline import recompute
from afa_viz.trace import Trace
from afa_viz.ui.handlers import payload
from afa_viz.ui.page.bundle import bundle

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "afa_viz" / "examples"
EXPLORER = ROOT / "afa_viz" / "ui" / "explorer"
MODULES = ("pipeline", "resize", "par", "walk", "labels", "scores", "statistics", "changes")  # of explorer/method
SCORES = 2e-2  # of full scale; 8 bits give a twentieth of it
LABELS = 0.995  # share of the pixels that must agree

# Small tools that run beside the scripts: bytes in, largest differences out.
TOOLS = """
const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
const floats = (text) => new Float32Array(bytes(text).buffer);
const shares = (text) => Float32Array.from(bytes(text), (b) => b / 255);
const apart = (mine, theirs) => {
  if (mine.length !== theirs.length) return Infinity;
  let [most, full] = [0, 0];
  for (let i = 0; i < mine.length; i++) {
    const gap = Math.abs(mine[i] - theirs[i]);
    if (!(gap <= most)) most = Number.isFinite(gap) ? gap : Infinity;
    full = Math.max(full, Math.abs(theirs[i]));
  }
  return most / full;
};
const agree = (mine, theirs) => mine.length === theirs.length
  ? mine.reduce((sum, label, i) => sum + (label === theirs[i]), 0) / mine.length : 0;
"""


@pytest.fixture(scope="module")
def page(browser):  # noqa: F811
    opened = browser.new_page()
    opened.add_script_tag(content=TOOLS)
    for name in MODULES:
        opened.add_script_tag(content=f"const {name} = {bundle(EXPLORER, f'method/{name}.js')};")
    opened.add_script_tag(content=f"const difference = {bundle(EXPLORER, 'draw/difference.js')};")
    return opened


def packed(values: torch.Tensor) -> str:
    return base64.b64encode(values.contiguous().float().numpy().tobytes()).decode()


def as_text(label: torch.Tensor) -> str:
    return base64.b64encode(label.contiguous().numpy().tobytes()).decode()


def inflated(sent: dict) -> str:
    """What the page sends, unpacked: one byte a value."""
    return base64.b64encode(zlib.decompress(base64.b64decode(sent["data"]))).decode()


@pytest.fixture(scope="module")
def base() -> Trace:
    """Any trace of the right type; its CAM and affinity are replaced below."""
    import afa_viz
    from afa_viz.model.card import Card

    torch.manual_seed(0)
    model = build_afa("mit_b0", len(SANDBOX_CLASSES), "topk").eval()
    model.card = Card("mit_b0", len(SANDBOX_CLASSES), SANDBOX_CLASSES, palette(len(SANDBOX_CLASSES)), "topk")
    config = ExplainConfig(scales=(1.0,), flip=False, long_side=64)
    return afa_viz.explain(model, np.zeros((64, 64, 3), np.uint8), [SANDBOX_CLASSES[1]], config)


def trace_of(base: Trace, name: str, crop: tuple[int, int], config: ExplainConfig, seed: int) -> Trace:
    """An example with a CAM that lights parts of its objects and an affinity that knows them, both with noise."""
    height, width = crop
    image = np.asarray(Image.open(EXAMPLES / f"{name}.png").convert("RGB").resize((256, 256)))[:height, :width]
    mask = np.asarray(Image.open(EXAMPLES / f"{name}_mask.png").resize((256, 256), Image.Resampling.NEAREST))
    target = torch.from_numpy(mask[:height, :width].copy())
    grid = (-(-height // 16), -(-width // 16))
    random = torch.Generator().manual_seed(seed)
    present = sorted(set(target.unique().tolist()) - {0, 255})
    cam = torch.zeros(len(SANDBOX_CLASSES) - 1, height, width)
    rows, cols = torch.meshgrid(torch.linspace(0, 3, height), torch.linspace(0, 3, width), indexing="ij")
    for label in present:
        evidence = (target == label).float() * (0.8 + 0.2 * torch.sin(rows * 2 + label) * torch.cos(cols * 2))
        pooled = torch.nn.functional.avg_pool2d(evidence[None], 15, 1, 7)[0]
        noise = torch.nn.functional.interpolate(
            torch.rand(1, 1, *grid, generator=random), (height, width), mode="bilinear"
        )
        cam[label - 1] = pooled + 0.15 * noise[0, 0]
    cam = (cam - cam.amin((1, 2), True)) / (cam - cam.amin((1, 2), True)).amax((1, 2), True).clamp_min(1e-5)
    cells = torch.nn.functional.interpolate(target[None, None].float(), grid)[0, 0].flatten()
    logits = 5 * (cells[:, None] == cells[None, :]).float() - 3 + torch.randn(len(cells), len(cells), generator=random)
    labels = torch.zeros(len(SANDBOX_CLASSES) - 1)
    labels[[label - 1 for label in present]] = 1
    first = dataclasses.replace(base.config, bkg_score_low=0.01, radius=0)  # so that every stage below runs again
    fresh = dataclasses.replace(
        base, image=torch.from_numpy(image.copy()), target=target, image_labels=labels, labels_given=True, cam=cam,
        affinity=torch.sigmoid((logits + logits.T) / 2), query_grids=(grid,), seg=target, config=first,
    )  # fmt: skip
    return recompute(fresh, dataclasses.replace(base.config, **dataclasses.asdict(config)))


PICTURES = [("default_004", (256, 256)), ("crowded_055", (256, 256)), ("default_005", (250, 187))]
SETTINGS = {
    "published": {},
    "sharp": {"power": 4.5, "radius": 3, "num_steps": 3},
    "wide": {"bkg_score_low": 0.2, "bkg_score_high": 0.6, "num_iters": 3, "power": 1.5},
    "no walk": {"use_walk": False},
    "no PAR": {"use_par": False},
    "other pixels": {"dilations": (1, 3), "par_downscale": 3},
}

RUN = """({value, picture, expected}) => {
  const of = {...picture, cam: shares(picture.cam), affinity: shares(picture.affinity), image: shares(picture.image)};
  const { low, high, radius, num_steps, num_iters, use_walk, use_par } = value;
  const settings = {...value.chain, low, high, radius, num_steps, num_iters, use_walk, use_par};
  const maker = pipeline.createPipeline(of);
  const maps = maker.run(settings);
  const steps = maker.steps(settings, low, 5);
  const iterations = maker.parSteps(settings, low, 2);
  const result = { labels: {}, scores: {}, cells: [] };
  for (const name of ["pseudo_label", "affinity_label"]) result.labels[name] = agree(maps[name], bytes(expected[name]));
  for (const name of ["cam_rw", "cam_rw_high", "cam_par", "cam_par_high", "cam_refined", "cam_refined_high"]) {
    result.scores[name] = apart(maps[name], floats(expected[name]));
  }
  expected.cells.forEach((cells, centre) => {
    result.cells.push(agree(maker.cellLabels(bytes(expected.affinity_label), Boolean(centre)), bytes(cells)));
  });
  expected.steps.forEach((step, i) => { result.scores[`step ${i}`] = apart(steps[i], floats(step)); });
  expected.iterations.forEach((map, i) => { result.scores[`iteration ${i}`] = apart(iterations[i], floats(map)); });
  let pieces = 1;
  while (maker.prepare(settings)) pieces++;
  const moved = {...settings, low: 0.31, high: 0.62};
  const [quick, slow] = [maker.run(moved), pipeline.createPipeline(of).run(moved)];
  result.pieces = pieces;
  result.dragged = Math.max(apart(quick.cam_par, slow.cam_par), apart(quick.cam_par_high, slow.cam_par_high));
  result.dragged_labels = ["pseudo_label", "affinity_label"].map((name) => agree(quick[name], slow[name]));
  return result;
}"""


@pytest.mark.parametrize("picture", PICTURES, ids=lambda p: p[0])
@pytest.mark.parametrize("changes", SETTINGS.values(), ids=SETTINGS)
def test_every_stage_agrees(page, base, picture, changes):
    config = dataclasses.replace(base.config, **changes)
    trace = trace_of(base, *picture, config, seed=1)
    assert trace.regions.unique().tolist() == [0, 1, 2]  # something to compare
    value = json.loads(payload.to_json(payload.stages(trace, "key", "scene")))
    channels = [0, *trace.present]
    sent = {
        "size": value["size"],
        "grid": value["grid"],
        "labels": channels,
        "cam": inflated(value["cam"]),
        "affinity": inflated(value["affinity"]),
        "image": base64.b64encode(trace.image.permute(2, 0, 1).contiguous().numpy().tobytes()).decode(),
    }
    names = [f"{name}{high}" for name in ("cam_rw", "cam_par", "cam_refined") for high in ("", "_high")]
    expected = {name: packed(getattr(trace, name)[channels]) for name in names}
    expected |= {name: as_text(getattr(trace, name)) for name in ("pseudo_label", "affinity_label")}
    found = page.evaluate(
        RUN,
        {
            "value": value,
            "picture": sent,
            "expected": expected
            | {
                "steps": [packed(step[channels]) for step in walk_steps(trace, 5)],
                "iterations": [packed(step) for step in par_steps(trace, 2)],
                "cells": [as_text(label_cells(trace, trace.affinity_label, centre)) for centre in (False, True)],
            },
        },
    )
    assert max(found["scores"].values()) < SCORES, found["scores"]
    assert min(found["labels"].values()) >= LABELS, found["labels"]
    assert found["cells"] == [1, 1]
    planes = 1 + len(trace.present)  # each goes through each iteration by itself
    pieces = 6 * max(1, trace.config.num_iters * trace.config.use_par * planes)
    assert found["pieces"] == (2 * pieces - 1 if trace.config.use_walk else pieces)  # of both labels, where they differ
    assert found["dragged"] < 1e-5  # six background scores give all others
    assert min(found["dragged_labels"]) > 0.9999


@pytest.mark.parametrize("corners", [False, True])
@pytest.mark.parametrize(
    "size, out", [((16, 16), (256, 256)), ((250, 187), (16, 12)), ((5, 1), (3, 7)), ((4, 6), (1, 1))]
)
def test_resizes_as_torch_does(page, size, out, corners):
    maps = torch.rand(2, *size, generator=torch.Generator().manual_seed(3))
    expected = torch.nn.functional.interpolate(maps[None], out, mode="bilinear", align_corners=corners)[0]
    gap = page.evaluate(
        """([maps, size, out, corners, theirs]) =>
             apart(resize.resize(floats(maps), size, out, corners), floats(theirs))""",
        [packed(maps), list(size), list(out), corners, packed(expected)],
    )
    assert gap < 1e-4  # places among 250 in single precision


@pytest.mark.parametrize("size", [(40, 56), (7, 5)])
def test_the_kernel_of_par(page, size):
    """Also on an image smaller than the reach, with a flat part."""
    image = torch.rand(3, *size, generator=torch.Generator().manual_seed(4))
    image[:, : size[0] // 2, : size[1] // 2] = 0.5
    kernel = par.pixel_affinity(image[None])
    gap = page.evaluate(
        """([image, size, settings, theirs]) => {
             const rows = par.kernelByRows(floats(image), size, settings);
             for (let y = 1; y < 4; y++) if (!rows.more()) throw new Error(`only ${y} rows`);
             return apart(rows.all().weights, floats(theirs));
           }""",
        [packed(image), list(size), {"dilations": par.DILATIONS, "w1": par.W1, "w2": par.W2}, packed(kernel)],
    )
    assert gap < 1e-4
    offsets = page.evaluate("(dilations) => par.neighbourOffsets(dilations)", list(par.DILATIONS))
    assert offsets == par.neighbour_offsets().tolist()


def test_the_numbers_beside_the_pictures(page, base):
    trace = trace_of(base, *PICTURES[0], dataclasses.replace(base.config, bkg_score_high=0.5), seed=2)
    assert trace.target is not None
    target = trace.target.clone()
    target[:9] = 255
    trace = dataclasses.replace(trace, target=target)
    assert trace.regions.unique().tolist() == [0, 1, 2]
    both = [base64.b64encode(m.numpy().tobytes()).decode() for m in (trace.pseudo_label, target)]
    found = page.evaluate(
        """(both) => {
             const [label, target] = both.map(bytes);
             return { shares: scores.regionShares(label), certain: scores.certainScores(label, target),
               scores: scores.iouScores(label, target) };
           }""",
        both,
    )
    assert found["shares"] == pytest.approx(scores.region_shares(trace.pseudo_label))
    precision = scores.certain_precision(trace.pseudo_label, trace.target)
    assert precision is not None
    assert {k: v["precision"] for k, v in found["certain"].items()} == pytest.approx(precision)
    known = target != 255
    right = (trace.pseudo_label == target) & known
    real = known & (target > 0)
    assert found["certain"]["foreground"]["recall"] == pytest.approx(float(right[real].sum() / real.sum()))
    expected = scores.label_score(target, trace.pseudo_label, len(trace.class_names))
    assert found["scores"]["miou"] == pytest.approx(expected["miou"])
    assert {int(k): v for k, v in found["scores"]["iou"].items()} == pytest.approx(expected["iou"])


def test_the_order_of_two_lists_and_limits_without_outliers(page):
    """The order is the share of pairs, counted one by one; ties count half."""
    random = np.random.default_rng(5)
    first, second = random.integers(0, 9, 41).astype(np.float32), random.integers(-3, 7, 23).astype(np.float32)
    wins = (first[:, None] > second).mean() + (first[:, None] == second).mean() / 2
    lists = [base64.b64encode(values.tobytes()).decode() for values in (first, second)]
    found = page.evaluate("([first, second]) => statistics.pairwiseAuc(floats(first), floats(second))", lists)
    assert found == pytest.approx(wins)
    values = np.concatenate([random.random(254), [-50, 8]]).astype(np.float32)
    text = base64.b64encode(values.tobytes()).decode()
    low, high = page.evaluate("(text) => statistics.robustLimits(floats(text))", text)
    assert 0 <= low < 0.1 and high == 8  # the one that nothing reaches does not count
    assert colour_limits(torch.from_numpy(values)) == pytest.approx((low, high))
    spike = np.zeros(100, np.float32)
    spike[7] = 1
    assert page.evaluate(
        "(text) => statistics.robustLimits(floats(text))", base64.b64encode(spike.tobytes()).decode()
    ) == [0, 1]
    for size in (1, 2, 60, 300):
        numbers = random.integers(0, 256, size).tolist()
        of_bytes, of_numbers = page.evaluate(
            """(list) => [statistics.robustByteLimits(Uint8Array.from(list)),
                 statistics.robustLimits(Float32Array.from(list))]""",
            numbers,
        )
        assert of_bytes == of_numbers
    after = values + np.float32(0.5)
    after[254] = 30  # from below the colours to far above: no change of the others
    texts = [base64.b64encode(array.tobytes()).decode() for array in (after - values, values, after)]
    most = page.evaluate("(texts) => statistics.robustChange(...texts.map(floats))", texts)
    assert most == pytest.approx(0.5)


def test_a_change_that_rounds_to_none_is_neither_good_nor_bad(page):
    found = page.evaluate(
        """[0, 0.0004, -0.0004, 0.0006, -0.0006, 0.2].map(difference.iouChange)
             .map((box) => [box.textContent, box.className])"""
    )
    none, better, worse = ["= 0.0", ""], ["▲ 0.1", "afa-more"], ["▼ 0.1", "afa-less"]
    assert found == [none, none, none, better, worse, ["▲ 20.0", "afa-more"]]


def test_a_key_is_for_colours_that_are_there(page):
    """Of four kinds of changed pixels; without texts a key stands for itself."""
    found = page.evaluate(
        """() => {
             const legend = (...maps) => difference.changeLegend(changes.labelChanges(...maps, 1));
             const words = (...maps) => legend(...maps).map((item) => item.textContent);
             return [words([0, 1], [0, 1], null), words([0, 1], [1, 1], null), words([0, 1, 1], [1, 0, 0], [1, 1, 0])];
           }"""
    )
    assert found == [[], ["strip.gained"], ["strip.gained", "strip.lost", "strip.lost_wrong"]]


def test_an_error_of_a_module_names_its_file_and_line(page):
    stack = page.evaluate("() => { try { pipeline.createPipeline(null); } catch (error) { return error.stack; } }")
    lines = (EXPLORER / "method" / "pipeline.js").read_text(encoding="utf-8").splitlines()
    line = next(at for at, text in enumerate(lines, 1) if "} = picture;" in text)
    assert f"createPipeline (afa-viz/method/pipeline.js:{line}:" in stack, stack
