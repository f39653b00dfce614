"""Measure what fine-tuning to five of the sandbox's classes changes: short runs from the bundled model.

    export PYTHONPATH=.
    python tools/measure_fine_tuning.py run        # docs/data/fine_tuning.json and the page: a quarter of an hour
    python tools/measure_fine_tuning.py page       # docs/fine_tuning.md from docs/data/fine_tuning.json

The data is an own folder, as a person would bring it: scenes with objects of these classes alone, masks with numbers
1 to 5. `train --init` keeps encoder, decoder, affinity and the rows of the five classes. Before: these weights without
a step (`--until 0`); after: a run for each seed. Both are scored on the same validation scenes.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from short_runs import DOCS, evaluate, runs_of, train

from afa_viz.atomic_files import atomic_write_text
from afa_viz.classes import SANDBOX_CLASSES
from afa_viz.data.sandbox import Scene, render_scene
from afa_viz.model.card import Card
from afa_viz.model.checkpoint import load_model
from afa_viz.structured_text import parse_json, read_text

DATA, PAGE = DOCS / "data" / "fine_tuning.json", DOCS / "fine_tuning.md"
CLASSES = ("car", "cat", "dog", "horse", "person")
ITERATIONS, SCENES, TRAIN_SCENES, SIZE, SEEDS = 120, 40, 160, 192, (1, 2)
SIZE_RENDERED = 256  # pixels of a scene
STAGES = {
    "cam_rw": "walk", "cam_par": "walk, PAR", "pseudo_label": "pseudo label, certain pixels", "seg": "decoder",
}  # fmt: skip
IMAGE_SCORES = {"f1": "F1 of the image labels", "map": "mAP of the image labels"}


def scenes_of_classes(split: str, count: int, size: int) -> Iterator[tuple[str, Scene]]:
    """The first scenes of a split that show objects of `CLASSES` alone, with their names."""
    found, i = 0, 0
    while found < count:
        scene = render_scene(split, i, size)
        if {SANDBOX_CLASSES[1:][k] for k in np.flatnonzero(scene.image_labels)} <= set(CLASSES):
            yield f"{split}_{i:06d}", scene
            found += 1
        i += 1


def write_scenes(folder: Path) -> None:
    """An own data set in `folder`: images and masks by split, classes.txt, labels.csv. A complete one is kept."""
    if (folder / "labels.csv").is_file():
        return
    number_of = np.zeros(256, np.uint8)
    for number, name in enumerate(CLASSES, 1):
        number_of[SANDBOX_CLASSES.index(name)] = number
    rows = []
    for split, count in (("train", TRAIN_SCENES), ("val", SCENES)):
        images, masks = folder / "images" / split, folder / "masks" / split
        images.mkdir(parents=True, exist_ok=True)
        masks.mkdir(parents=True, exist_ok=True)
        for name, scene in scenes_of_classes(split, count, SIZE_RENDERED):
            Image.fromarray(scene.image).save(images / f"{name}.png")
            Image.fromarray(number_of[scene.mask]).save(masks / f"{name}.png")
            present = np.flatnonzero(scene.image_labels)
            rows.append((f"{split}/{name}", " ".join(SANDBOX_CLASSES[1:][k] for k in present)))
    atomic_write_text(folder / "classes.txt", "\n".join(CLASSES) + "\n")
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("name", "classes"), *rows])


def recipe(card: Card, seed: int) -> dict[str, Any]:
    """Settings of a run: the form of the network from its card; affinity and decoder learn from the second step."""
    same = ("backbone", "pooling", "topk", "logit_offset", "cam_relu", "affinity_at_centre", "input_size")
    return {
        "preset": "folder", **{name: getattr(card, name) for name in same}, "pretrained": False,
        "explain": {"scales": [1.0, 0.5], "flip": False, "radius": card.radius, "par_downscale": card.par_downscale},
        "max_iters": ITERATIONS, "cam_iters": 0, "joint_after": 0, "warmup_iters": 20, "crop_size": SIZE,
        "batch_size": 4, "learning_rate": 1e-4, "head_multiplier": 2.0, "scale_range": [0.75, 1.25],
        "freeze_norms": False, "clip_grad": 1.0, "weight_seg": 0.5, "weight_aff": 1.0, "balance_affinity": True,
        "rng_seed": seed,
    }  # fmt: skip


def scores(found: dict[str, Any]) -> dict[str, Any]:
    """What is kept of an evaluation: scores, intervals of the stages, AUC of pairs, what the walk is worth."""
    summary = found["summary"]
    return {
        "stages": {s: {"miou": summary[f"miou_{s}"], "interval": found["intervals"][s]["miou"]} for s in STAGES},
        **{name: summary[name] for name in IMAGE_SCORES},
        "pair_auc": found["affinity_calibration"]["auc"],
        "walk": {name: found["changes"][name] for name in ("cam_rw", "walk_after_par")},
    }


def measure(runs: Path, init: str, seeds: Sequence[int] = SEEDS) -> dict[str, Any]:
    """Train and score all runs; what is there already is kept."""
    card = load_model(init, "cpu").card
    if card is None:
        raise SystemExit(f"{init} has no card; expected a checkpoint that `train` wrote.")
    data, runs = runs / "scenes", runs_of(runs, init)
    write_scenes(data)
    images = ("--data", "folder", "--root", data, "--split", "val")
    before = runs / "before"
    train(before, recipe(card, seeds[0]), init, "--root", data, "--until", 0)
    first = evaluate(runs / "before_scores.json", before, *images)
    rows = []
    for seed in seeds:
        after = runs / f"seed{seed}"
        train(after, recipe(card, seed), init, "--root", data)
        found = evaluate(runs / f"seed{seed}_scores.json", after, *images, "--against", before)
        changes = {row["stage"]: row for row in found["against"]["rows"] if row["stage"] in STAGES}
        rows.append({"seed": seed, **scores(found), "changes": changes})
    return {
        "init": runs.name, "classes": CLASSES, "iterations": ITERATIONS, "scenes": SCENES,
        "train_scenes": TRAIN_SCENES, "size": SIZE, "before": scores(first), "after": rows,
    }  # fmt: skip


TEXT = """# Fine-tuning to five of the sandbox's classes

`train --init` with another class list keeps encoder, decoder trunk and affinity, and the rows of the classes whose
names the source has ([research.md](research.md)). Here: {iterations} steps from the bundled model ({init}) on an own
folder with the classes {names}: {train_scenes} scenes with objects of these classes alone, four crops of {size} pixels
a step, and affinity and decoder learn from the second step, the decoder from the walked pseudo label. Before: the same
weights without a step, restricted to the five classes.

Percent over {scenes} validation scenes. In brackets 95 % intervals of a bootstrap over the scenes: of the score, and of
the paired difference to the same scenes before. They say how sure the scores of these networks are.
{others} mIoU counts every pixel, by one rule, but for the pseudo
label.

{table}

What the walk is worth is a difference of mIoU in points: after the walk minus before it on the grid, and with PAR
behind both. A difference whose interval holds 0 shows nothing.

Measured and written by `PYTHONPATH=. python tools/measure_fine_tuning.py run`; `… page` writes this page from
`docs/data/fine_tuning.json`. The commands of each run are printed.
"""
ONE_RUN = "This is one run: what another seed would give is not known."


def interval(ends: list[float | None], sign: str = "") -> str:
    """An interval in brackets."""
    return "[" + ", ".join("–" if end is None else f"{end:{sign}.1f}" for end in ends) + "]"


def table(data: dict[str, Any]) -> str:
    """A row per score; columns: before, then each run with its difference."""
    before, after = data["before"], data["after"]
    titles = ["score", "before", *(f"after, seed {row['seed']}" for row in after)]
    rows = [titles, ["---"] * len(titles)]
    for stage, title in STAGES.items():
        was = before["stages"][stage]
        cells = [f"mIoU: {title}", f"{was['miou']:.1f} {interval(was['interval'])}"]
        for row in after:
            change = row["changes"].get(stage)
            now = row["stages"][stage]
            difference = "" if change is None else (
                f"; {change['difference']:+.1f} {interval([change['low'], change['high']], '+')}"
            )  # fmt: skip
            cells.append(f"{now['miou']:.1f} {interval(now['interval'])}{difference}")
        rows.append(cells)
    for name, title in IMAGE_SCORES.items():
        rows.append([title, *(f"{one[name]:.1f}" for one in (before, *after))])
    rows.append(["affinity: ROC AUC of pairs", *(f"{100 * one['pair_auc']:.1f}" for one in (before, *after))])
    for name, title in (("cam_rw", "what the walk is worth"), ("walk_after_par", "what the walk is worth, after PAR")):
        worth = [one["walk"][name] for one in (before, *after)]
        rows.append([title, *(f"{one['change']:+.1f} {interval(one['interval'], '+')}" for one in worth)])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def page_text(data: dict[str, Any]) -> str:
    """docs/fine_tuning.md from the measurement."""
    facts = {key: data[key] for key in ("init", "iterations", "scenes", "train_scenes", "size")}
    names = ", ".join(data["classes"][:-1]) + " and " + data["classes"][-1]
    others = "What another seed gives is seen in the columns." if len(data["after"]) > 1 else ONE_RUN
    return TEXT.format(names=names, table=table(data), others=others, **facts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("run", "page"))
    parser.add_argument("--init", default="checkpoints/sandbox", help="weights that every run begins with")
    parser.add_argument("--runs", type=Path, default=Path("runs/fine_tuning"), help="folder of the runs and scenes")
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS, help="a run each (default: 1 2)")
    args = parser.parse_args()
    if args.what == "run":
        atomic_write_text(DATA, json.dumps(measure(args.runs, args.init, args.seeds), indent=2) + "\n")
    atomic_write_text(PAGE, page_text(parse_json(read_text(DATA))))


if __name__ == "__main__":
    main()
