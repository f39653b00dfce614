"""Measure what the walk along the learned affinity is worth, and what limits it: every comparison under one rule.

    PYTHONPATH=. python tools/diagnose_affinity.py --checkpoint checkpoints/sandbox --scenes 150

Writes docs/data/affinity_diagnosis.json and docs/affinity_diagnosis.md. Masks are used to measure, never to choose a
setting of the model. Intervals are 95 % of 1000 resamplings of the scenes; differences are paired.

Symbols: K classes with background, P present ones, N = h w cells, T background scores, H W pixels.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import torch
from affinity_diagnosis_page import page
from measured_page import write_measured
from scene_tally import RESAMPLINGS, Tally, interval, label_of, percent
from torch import Tensor
from tqdm import tqdm

import afa_viz
from afa_viz.config import ExplainConfig
from afa_viz.data.sandbox import SandboxDataset
from afa_viz.ops import affinity as aff
from afa_viz.ops import cam as cams
from afa_viz.ops import pseudo_label, random_walk

DOCS = Path(__file__).parents[1] / "docs"
LOW = (0.25, 0.30, 0.35, 0.40, 0.45)  # background scores of the tables; 0.35 is published
HIGH = (0.45, 0.50, 0.55, 0.60, 0.65, 0.70)  # upper ones, from which equal coverage is read; 0.55 is published
BETAS = tuple(sorted({*LOW, *HIGH}))
PUBLISHED = (0.35, 0.55)
DOWNSCALES = (2, 1)  # of PAR: as published at 512 pixels, and the same reach relative to a 256-pixel image
DISTANCES = range(1, 9)  # cells, the larger of rows and columns
LEARNED = "learned"
SPLITS = ("val", "test")


def cell_truth(target: Tensor, grid: tuple[int, int]) -> Tensor:
    """(N,) ground-truth class of the pixel in the middle of every cell."""
    return aff.cell_labels(target[None].long(), at_centre=True, grid=grid)[0]


def affinities(trace: afa_viz.Trace, truth: Tensor) -> dict[str, Tensor]:
    """(N, N) affinities to compare: learned, softened, moved, of attention as it is, and of the ground truth."""
    blocks = [block[None] for block in trace.attn_logits[-2:]]
    logits = aff.affinity_logits(blocks, trace.affinity_weight, trace.affinity_bias)[0]
    found = {LEARNED: torch.sigmoid(logits)}
    for temperature in (10, 30, 100, 300):
        found[f"learned, logits / {temperature}"] = torch.sigmoid(logits / temperature)
    for share in (0.5, 1):  # fewer pairs joined, rightly or wrongly
        found[f"learned, logits - {share:g} of their spread"] = torch.sigmoid(logits - share * logits.std())
    attention = torch.stack([trace.attn_probs(-1).mean(dim=0), trace.attn_probs(-2).mean(dim=0)]).mean(dim=0)
    attention = (attention + attention.T) / 2
    off_diagonal = attention.clone().fill_diagonal_(0)
    found["mean attention, not learned"] = attention / off_diagonal.amax(dim=1, keepdim=True).clamp_min(1e-12)
    found["ground truth (upper bound)"] = (truth[:, None] == truth[None, :]).float()
    return found


def transitions(trace: afa_viz.Trace, truth: Tensor) -> dict[str, tuple[Tensor, int]]:
    """(N, N) transition matrices to compare, each with its number of steps; one setting differs from the first."""
    config, grid = trace.config, trace.grid

    def matrix(affinity: Tensor, radius: int = config.radius, power: float = 2.0, eps: float = 0.1) -> Tensor:
        mask = aff.radius_mask(*grid, radius=radius)
        return random_walk.transition_matrix(affinity.clamp(0, 1)[None], mask, power, eps)[0]

    of = affinities(trace, truth)
    found = {name: (matrix(affinity), 1) for name, affinity in of.items()}
    found |= {f"radius {r}": (matrix(of[LEARNED], radius=r), 1) for r in (2, 3, 6, 8)}
    found |= {f"power {p:g}": (matrix(of[LEARNED], power=p), 1) for p in (1.0, 4.0)}
    found |= {f"{steps} steps": (matrix(of[LEARNED]), steps) for steps in (2, 4)}
    return found | {"columns sum to 1": (matrix(of[LEARNED], eps=1e-6), 1)}


def count_scene(tally: Tally, trace: afa_viz.Trace) -> None:
    """All labels of one scene: start and walk by background score and transition, PAR and pseudo labels."""
    assert trace.target is not None
    target, size, grid = trace.target, (trace.image.shape[0], trace.image.shape[1]), trace.grid
    used = torch.tensor([0, *trace.present])
    image01 = trace.image.permute(2, 0, 1).float() / 255
    small = cams.resize(trace.cam[None], grid)
    starts = {b: random_walk.with_background(small, trace.image_labels[None], b)[0, used] for b in BETAS}
    walks = transitions(trace, cell_truth(target, grid))

    def walked(name: str, beta: float) -> Tensor:
        matrix, steps = walks[name]
        return random_walk.propagate(starts[beta][None], matrix[None], num_steps=steps)[0]

    tally.add("cam", target, pseudo_label.from_cam(trace.cam[None], trace.image_labels[None], 0.45)[0])
    for beta in LOW:
        tally.add(f"start {beta}", target, label_of(starts[beta], used, size))
    for name in walks:
        for beta in LOW:
            tally.add(f"walk {name} {beta}", target, label_of(walked(name, beta), used, size))
    options: dict[str, Any] = {"num_iters": trace.config.num_iters, "dilations": trace.config.dilations}
    for scale in DOWNSCALES:
        cam_only = pseudo_label.refine_cam(image01, trace.cam[used[1:] - 1], BETAS, downscale=scale, **options)
        grown = torch.stack([cams.resize(walked(LEARNED, beta)[None], size)[0] for beta in BETAS])
        both = pseudo_label.refine_walk(image01, grown, downscale=scale, **options)
        for kind, refined in (("without", cam_only), ("with", both)):
            labels = {beta: pseudo_label.argmax_label(s, used) for beta, s in zip(BETAS, refined, strict=True)}
            for low in LOW:
                tally.add(f"par {kind} /{scale} {low}", target, labels[low])
                for high in (h for h in HIGH if h >= low):
                    merged = pseudo_label.merge_low_high(labels[low][None], labels[high][None])[0]
                    tally.add(f"label {kind} /{scale} {low} {high}", target, merged)
    others = [name for name in walks if name != LEARNED]
    grown = torch.stack([cams.resize(walked(name, PUBLISHED[0])[None], size)[0] for name in others])
    for name, scores in zip(others, pseudo_label.refine_walk(image01, grown, **options), strict=True):
        tally.add(f"walk and par {name}", target, pseudo_label.argmax_label(scores, used))


def count_pairs(tally: Tally, trace: afa_viz.Trace) -> None:
    """How saturated the affinity is, and how often it joins what belongs together, by distance and kind of pair."""
    assert trace.target is not None
    rows, cols = trace.grid
    truth = cell_truth(trace.target, trace.grid)
    blocks = [block[None] for block in trace.attn_logits[-2:]]
    logits = aff.affinity_logits(blocks, trace.affinity_weight, trace.affinity_bias)[0]
    place = torch.stack([torch.arange(rows * cols) // cols, torch.arange(rows * cols) % cols], dim=1)
    distance = (place[:, None] - place[None, :]).abs().amax(dim=-1)
    known = (truth != pseudo_label.IGNORE)[:, None] & (truth != pseudo_label.IGNORE)[None, :]
    same = truth[:, None] == truth[None, :]
    ground = (truth == 0)[:, None].long() + (truth == 0)[None, :].long()
    joined = trace.affinity > 0.5
    between = (trace.affinity > 0.01) & (trace.affinity < 0.99)
    off = known & (distance > 0)
    tally.sums["graded"].append(np.array([int((between & off).sum()), int(off.sum())]))
    tally.sums["median"].append(np.array([float(logits[off].abs().median())]))
    for d in DISTANCES:
        here = known & (distance == d)
        counts = [int((here & where).sum()) for where in (joined & same, joined, same)]
        tally.sums[f"distance {d}"].append(np.array(counts))
    near = off & (distance <= trace.config.radius)
    kinds = {"both background": same & (ground == 2), "same class": same & (ground == 0),
             "object and background": ground == 1, "two classes": ~same & (ground == 0)}  # fmt: skip
    for name, where in kinds.items():
        tally.sums[f"kind {name}"].append(np.array([int((near & where & joined).sum()), int((near & where).sum())]))
    values = trace.cam_rw[[0, *trace.present]].amax(dim=0)
    tally.sums["strongest walked score"].append(
        np.array([float(values.min()), float(values.median()), float(values.max())])
    )
    foreground = (trace.target != 0) & (trace.target != pseudo_label.IGNORE)
    seed = pseudo_label.from_cam(trace.cam[None], trace.image_labels[None], 0.45)[0]
    right = (seed == trace.target) & foreground
    tally.sums["seed"].append(np.array([int(right.sum()), int(foreground.sum()), int((seed != 0).sum())]))


def numbers(tally: Tally, scenes: int) -> dict[str, Any]:
    """Everything measured, in percent, ready for JSON."""
    draws = np.random.default_rng(0).multinomial(scenes, np.full(scenes, 1 / scenes), RESAMPLINGS).astype(float)
    once = np.ones((1, scenes))

    def value(name: str) -> float:
        return round(float(tally.miou(name, once)[0]), 2)

    def difference(after: str, before: str) -> dict[str, Any]:
        spread = tally.miou(after, draws) - tally.miou(before, draws)
        return {"value": round(value(after) - value(before), 2), "interval": interval(spread)}

    def at_coverage(kind: str, scale: int, low: float, wanted: float) -> float | None:
        """mIoU of the pseudo label where it is certain of `wanted` percent, between the upper scores measured."""
        labels = [f"label {kind} /{scale} {low} {high}" for high in HIGH if high >= low]
        points = sorted((tally.coverage(name)[0], value(name)) for name in labels)
        x, y = zip(*points, strict=True)
        return round(float(np.interp(wanted, x, y)), 2) if x[0] <= wanted <= x[-1] else None

    def row_of(scale: int, low: float) -> dict[str, Any]:
        labels = {kind: f"label {kind} /{scale} {low} {PUBLISHED[1]}" for kind in ("without", "with")}
        start, walked = f"start {low}", f"walk {LEARNED} {low}"
        without, together = f"par without /{scale} {low}", f"par with /{scale} {low}"
        row: dict[str, Any] = {"par_downscale": scale, "bkg_score_low": low}
        row |= {"start": value(start), "walk": value(walked), "walk_gain": difference(walked, start)}
        row |= {"par_without": value(without), "par_with": value(together), "par_gain": difference(together, without)}
        for kind, name in labels.items():
            coverage, precision = (round(number, 2) for number in tally.coverage(name))
            row[f"label_{kind}"] = {"miou": value(name), "coverage": coverage, "precision": precision}
        wanted = tally.coverage(labels["with"])[0]
        return row | {"label_without_at_same_coverage": at_coverage("without", scale, low, wanted)}

    main = [row_of(scale, low) for scale in DOWNSCALES for low in LOW]
    best = {
        f"{kind} /{scale}": max(
            (row[f"par_{kind}"], row["bkg_score_low"]) for row in main if row["par_downscale"] == scale
        )
        for kind in ("without", "with")
        for scale in DOWNSCALES
    }
    ending = f" {LOW[0]}"
    names = [n[5 : -len(ending)] for n in tally.scenes if n.startswith("walk ") and n.endswith(ending)]
    walks = []
    for name in names:
        after = f"par with /2 {PUBLISHED[0]}" if name == LEARNED else f"walk and par {name}"
        top = max((value(f"walk {name} {beta}"), beta) for beta in LOW)
        walks.append({
            "name": name, "walk": value(f"walk {name} {PUBLISHED[0]}"),
            "gain": difference(f"walk {name} {PUBLISHED[0]}", f"start {PUBLISHED[0]}"),
            "best": top[0], "best_at": top[1], "after_par": value(after),
            "par_gain": difference(after, f"par without /2 {PUBLISHED[0]}"),
        })  # fmt: skip
    total = {name: np.sum(rows, axis=0) for name, rows in tally.sums.items()}
    medians = np.concatenate(tally.sums["median"])
    graded = [100 * part / whole for part, whole in tally.sums["graded"]]
    return {
        "cam": value("cam"),
        "main": main,
        "walks": walks,
        "best_after_par": best,
        "best_start": max((value(f"start {beta}"), beta) for beta in LOW),
        "graded": percent(*total["graded"]),
        "graded_by_scene": [round(float(min(graded)), 2), round(float(max(graded)), 2)],
        "median_logit": [round(float(v), 1) for v in (medians.min(), np.median(medians), medians.max())],
        "strongest_walked_score": [round(float(v), 3) for v in np.mean(tally.sums["strongest walked score"], axis=0)],
        "seed": {
            "recall": percent(total["seed"][0], total["seed"][1]),
            "precision": percent(total["seed"][0], total["seed"][2]),
        },
        "distance": [distance_row(d, *total[f"distance {d}"]) for d in DISTANCES],
        "kinds": {
            name[5:]: {"joined": percent(*counts), "pairs": int(counts[1])}
            for name, counts in total.items()
            if name.startswith("kind ")
        },
    }


def distance_row(cells: int, right: float, joined: float, same: float) -> dict[str, float]:
    """Precision and recall of the pairs so many cells apart."""
    return {"cells": cells, "precision": percent(right, joined), "recall": percent(right, same)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", default="checkpoints/sandbox", help="weights (default: checkpoints/sandbox)")
    parser.add_argument("--split", choices=SPLITS, default="test", help="of the scenes (default: test)")
    parser.add_argument("--scenes", type=int, default=150, help="of the split (default: 150)")
    parser.add_argument("--size", type=int, default=256, help="side of the scenes in pixels (default: 256)")
    parser.add_argument("--out", default=str(DOCS), help="folder to write to (default: docs)")
    args = parser.parse_args()
    if args.scenes < 2:
        parser.error(f"--scenes is {args.scenes}; expected at least 2")
    torch.set_num_threads(1)
    model = afa_viz.load_model(args.checkpoint, device="cpu")
    config = dataclasses.replace(ExplainConfig.for_model(model), use_par=False)
    scenes = SandboxDataset(args.split, args.scenes, args.size)
    tally = Tally(model.num_classes)
    with torch.inference_mode():
        for i in tqdm(range(len(scenes)), unit="scene"):
            scene = scenes[i]
            trace = afa_viz.explain(model, scene.image, scene.image_labels, config, target=scene.mask)
            count_scene(tally, trace)
            count_pairs(tally, trace)
    facts = {"checkpoint_id": model.checkpoint_id, "scenes": args.scenes, "size": args.size, "radius": config.radius}
    data = facts | numbers(tally, args.scenes)
    write_measured(Path(args.out), "affinity_diagnosis", data, page(data))


if __name__ == "__main__":
    main()
