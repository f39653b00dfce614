"""Print what the walk along the affinity is worth for any checkpoint, by background score, with intervals.

    PYTHONPATH=. python tools/measure_walk.py checkpoints/sandbox --scenes 150
    PYTHONPATH=. python tools/measure_walk.py runs/sandbox/model.safetensors --split val --scenes 60 --json walk.json

Every pair of columns compares one rule over the same pixels. Radius and scale of PAR are those of the model's card.
Masks are used to measure, never to choose a setting. Intervals are 95 % of 1000 resamplings of the scenes, paired.

Symbols: P present classes with background, h w cells, H W pixels.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scene_tally import RESAMPLINGS, Tally, interval, label_of
from torch import Tensor
from tqdm import tqdm

import afa_viz
from afa_viz.classes import SANDBOX_PARTS, SANDBOX_QUADRUPEDS
from afa_viz.config import ExplainConfig
from afa_viz.config_io import apply_settings
from afa_viz.data.sandbox import SandboxDataset
from afa_viz.evaluation import Sample, evaluate_samples
from afa_viz.model.afa import AFA
from afa_viz.ops import cam as cams
from afa_viz.ops import pseudo_label
from afa_viz.stages.walk import walk, walk_start

LOW = (0.25, 0.30, 0.35, 0.40, 0.45)  # background scores of the rows; 0.35 is published
HIGH = (0.35, 0.40, 0.45, 0.50, 0.55, 0.60, 0.65, 0.70)  # upper ones, from which equal coverage is read
BETAS = tuple(sorted({*LOW, *HIGH}))
PARTS = ("head", "body")  # of the quadrupeds
KINDS = ("without", "with")
COLUMNS = (
    "β_l", "start", "walk", "walk − start", "PAR without", "PAR with", "with − without", "label without", "label with",
    "with − without, same coverage", "PAR there", "bodies, start", "bodies, walk", "gain",
)  # fmt: skip


def grids_of(trace: afa_viz.Trace, walked: bool) -> dict[float, Tensor]:
    """Background score -> (P, h, w) scores on the grid, before the walk or after it."""
    used = torch.tensor([0, *trace.present])
    cam, labels = trace.cam[None], trace.image_labels[None]
    if not walked:
        return {beta: walk_start(cam, labels, trace.grid, beta)[0, used] for beta in BETAS}
    found = {}
    for beta in BETAS:
        config = dataclasses.replace(trace.config, bkg_score_low=beta, bkg_score_high=beta)
        found[beta] = walk(cam, trace.affinity[None], labels, trace.grid, config)[0][0, used]
    return found


def count_scene(tally: Tally, trace: afa_viz.Trace, parts: np.ndarray, high: float) -> None:
    """All labels of one scene, for every background score."""
    assert trace.target is not None
    target, size, config = trace.target, (trace.image.shape[0], trace.image.shape[1]), trace.config
    used, image = torch.tensor([0, *trace.present]), trace.image.permute(2, 0, 1).float() / 255
    starts, walks = grids_of(trace, False), grids_of(trace, True)
    of_part = torch.from_numpy(np.asarray(parts))
    quadrupeds = [i for i, name in enumerate(trace.class_names) if name in SANDBOX_QUADRUPEDS]
    quadruped = torch.isin(target, torch.tensor(quadrupeds))
    for beta in LOW:
        for name, scores in (("start", starts[beta]), ("walk", walks[beta])):
            label = label_of(scores, used, size)
            tally.add(f"{name} {beta}", target, label)
            for part in PARTS:
                here = (of_part == SANDBOX_PARTS.index(part)) & quadruped
                counts = [int((here & (label == target)).sum()), int(here.sum())]
                tally.sums[f"{part} {name} {beta}"].append(np.array(counts))
    options: dict[str, Any] = {"num_iters": config.num_iters, "dilations": config.dilations}
    options["downscale"] = config.par_downscale
    grown = torch.stack([cams.resize(walks[beta][None], size)[0] for beta in BETAS])
    refined = {
        "without": pseudo_label.refine_cam(image, trace.cam[used[1:] - 1], BETAS, **options),
        "with": pseudo_label.refine_walk(image, grown, **options),
    }
    for kind in KINDS:
        labels = {b: pseudo_label.argmax_label(s, used) for b, s in zip(BETAS, refined[kind], strict=True)}
        for low in LOW:
            tally.add(f"par {kind} {low}", target, labels[low])
            for upper in (h for h in HIGH if h >= low):
                merged = pseudo_label.merge_low_high(labels[low][None], labels[upper][None])[0]
                tally.add(f"label {kind} {low} {upper}", target, merged)
                if kind == "with" and upper == high:
                    there = labels[low].masked_fill(merged == pseudo_label.IGNORE, pseudo_label.IGNORE)
                    tally.add(f"par there {low}", target, there)


def rows(tally: Tally, scenes: int, high: float) -> list[dict[str, Any]]:
    """One row for each background score, in percent, ready for JSON."""
    draws = np.random.default_rng(0).multinomial(scenes, np.full(scenes, 1 / scenes), RESAMPLINGS).astype(float)
    weights = np.vstack([np.ones((1, scenes)), draws])  # all scenes once, then the resamplings

    def change(after: np.ndarray, before: np.ndarray) -> dict[str, Any]:
        return {"value": round(float(after[0] - before[0]), 2), "interval": interval((after - before)[1:])}

    def share(name: str) -> np.ndarray:
        right, whole = (weights @ np.stack(tally.sums[name]).astype(float)).T
        return 100 * right / np.maximum(whole, 1)

    found = []
    for low in LOW:
        value = {name: tally.miou(f"{name} {low}", weights) for name in ("start", "walk", "par without", "par with")}
        label = f"label with {low} {high}"
        points = sorted((tally.coverage(f"label without {low} {h}")[0], h) for h in HIGH if h >= low)
        wanted, with_walk = tally.coverage(label)[0], tally.miou(label, weights)
        row: dict[str, Any] = {"bkg_score_low": low} | {name: round(float(v[0]), 2) for name, v in value.items()}
        row["walk_gain"] = change(value["walk"], value["start"])
        row["par_gain"] = change(value["par with"], value["par without"])
        for kind in KINDS:
            name = f"label {kind} {low} {high}"
            coverage, precision = (round(number, 2) for number in tally.coverage(name))
            miou = round(float(tally.miou(name, weights)[0]), 2)
            row[f"label_{kind}"] = {"miou": miou, "coverage": coverage, "precision": precision}
        row["label_gain"] = None  # beyond the upper scores measured
        if points[0][0] <= wanted <= points[-1][0] and len(points) > 1:
            after = next(i for i in range(1, len(points)) if wanted <= points[i][0])
            (x0, first), (x1, second) = points[after - 1 : after + 1]
            part = (wanted - x0) / max(x1 - x0, 1e-9)  # on a line between two upper scores, the same in each resampling
            without = [tally.miou(f"label without {low} {h}", weights) for h in (first, second)]
            row["label_gain"] = change(with_walk, (1 - part) * without[0] + part * without[1])
        row["par_there"] = round(float(tally.miou(f"par there {low}", weights)[0]), 2)
        for part in PARTS:
            before, after = share(f"{part} start {low}"), share(f"{part} walk {low}")
            row[part] = {"start": round(float(before[0]), 2), "walk": round(float(after[0]), 2)}
            row[part]["gain"] = change(after, before)
        found.append(row)
    return found


def measure(model: AFA, args: argparse.Namespace) -> dict[str, Any]:
    """Everything that is printed, ready for JSON. Args: args: of the command line."""
    config = apply_settings(ExplainConfig.for_model(model), args.settings)
    size = config.long_side or (model.card.input_size if model.card else 256)
    scenes, tally = SandboxDataset(args.split, args.scenes, size), Tally(model.num_classes)
    parts: list[np.ndarray] = []

    def samples() -> Iterator[Sample]:
        for i in tqdm(range(len(scenes)), unit="scene"):
            scene = scenes[i]
            parts.append(scene.parts)
            yield Sample(scene.image, scene.image_labels, scene.mask, scene.parts)

    with torch.inference_mode():
        by_stage = evaluate_samples(
            model, samples(), config, args.several_sizes, lambda trace: count_scene(tally, trace, parts[-1], args.high)
        )
    scores = {
        name: value for name, value in by_stage.summary().items() if name.startswith(("miou_cam", "miou_seg", "map"))
    }
    facts = {"radius": config.radius, "par_downscale": config.par_downscale, "bkg_score_high": args.high}
    facts |= {"checkpoint_id": model.checkpoint_id, "split": args.split, "scenes": args.scenes, "size": size}
    return facts | {"rows": rows(tally, args.scenes, args.high), "scores": scores}


def as_table(data: dict[str, Any]) -> str:
    """The rows as Markdown, and the scores below them."""

    def changed(found: dict[str, Any] | None) -> str:
        if found is None:
            return "–"
        return f"{found['value']:+.1f} [{found['interval'][0]:+.1f}, {found['interval'][1]:+.1f}]"

    def label(found: dict[str, Any]) -> str:
        return f"{found['miou']:.1f} ({found['coverage']:.0f}, {found['precision']:.1f})"

    lines = [
        f"Checkpoint {data['checkpoint_id']}, {data['scenes']} scenes of {data['split']} at {data['size']} pixels, "
        f"radius {data['radius']}, PAR /{data['par_downscale']}, β_h {data['bkg_score_high']}; mIoU in percent, labels "
        "on their certain pixels (share, precision); bodies: pixels of quadrupeds' bodies with the right class.",
        "",
        f"| {' | '.join(COLUMNS)} |",
        "|---" * len(COLUMNS) + "|",
    ]
    for row in data["rows"]:
        body = row["body"]
        cells = [
            f"{row['bkg_score_low']:.2f}", f"{row['start']:.1f}", f"{row['walk']:.1f}", changed(row["walk_gain"]),
            f"{row['par without']:.1f}", f"{row['par with']:.1f}", changed(row["par_gain"]),
            label(row["label_without"]), label(row["label_with"]), changed(row["label_gain"]),
            f"{row['par_there']:.1f}", f"{body['start']:.1f}", f"{body['walk']:.1f}", changed(body["gain"]),
        ]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    best = {kind: max((row[f"par {kind}"], row["bkg_score_low"]) for row in data["rows"]) for kind in KINDS}
    told = ", ".join(f"{kind} {miou:.1f} (β_l {beta:.2f})" for kind, (miou, beta) in best.items())
    scores = ", ".join(f"{name} {value:.1f}" for name, value in data["scores"].items())
    return "\n".join(
        [*lines, "", f"After PAR, each side at its own best β_l (chosen with masks): {told}.", f"{scores}."]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", help="weights or their folder")
    parser.add_argument("--split", choices=("val", "test"), default="test", help="of the scenes (default: test)")
    parser.add_argument("--scenes", type=int, default=150, help="of the split, from the first on (default: 150)")
    parser.add_argument("--high", type=float, choices=HIGH, default=0.55, help="β_h of the labels (default: 0.55)")
    parser.add_argument("--several-sizes", action="store_true", help="also the decoder over several sizes")
    parser.add_argument(
        "--set", dest="settings", nargs="+", default=[], metavar="KEY=VALUE", help="change a setting of the card"
    )
    parser.add_argument("--json", help="also write the numbers to this file")
    args = parser.parse_args()
    if args.scenes < 2:
        parser.error(f"--scenes is {args.scenes}; expected at least 2, so that there is an interval")
    torch.set_num_threads(1)
    model = afa_viz.load_model(args.checkpoint, device="cpu")
    data = measure(model, args)
    print(as_table(data))
    if args.json:
        Path(args.json).write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
