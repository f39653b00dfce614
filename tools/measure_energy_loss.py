"""Measure what the dense energy loss changes: runs from the bundled model with and without it.

    export PYTHONPATH=.
    python tools/measure_energy_loss.py run        # docs/data/energy_loss.json and the page: half an hour on one core
    python tools/measure_energy_loss.py page       # docs/energy_loss.md from docs/data/energy_loss.json

Every run begins with the bundled weights, is in the joint phase from its first step (the decoder learns from the
walked pseudo label), and sees the same batches as the others of its seed. `evaluate --against` scores each run with
the loss and the one without on the same validation scenes.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from short_runs import DOCS, evaluate, last_losses, runs_of, train

from afa_viz.atomic_files import atomic_write_text
from afa_viz.structured_text import parse_json, read_text

DATA, PAGE = DOCS / "data" / "energy_loss.json", DOCS / "energy_loss.md"
ITERATIONS, SCENES, TRAIN_SCENES, SIZE = 120, 80, 480, 192
BASE = (0.0, 1)  # weight and seed of the run that the others are compared with
RUNS = (
    (0.01, 1),  # the published weight
    (0.12, 1),  # as much loss as 0.01 gives at 512 pixels, see the page
    (0.0, 2),  # what another seed changes
)
RECIPE = {
    "preset": "sandbox", "max_iters": ITERATIONS, "cam_iters": 0, "joint_after": 0, "warmup_iters": 20,
    "calibrate_affinity": False, "train_images": TRAIN_SCENES, "crop_size": SIZE, "seg_scales": [1.0], "amp": "off",
    "curriculum": [{
        "iterations": ITERATIONS, "image_size": SIZE, "crop_size": SIZE, "batch_size": 4, "learning_rate": 1e-4,
        "min_crop": 0.8, "topk_start": 0.07, "topk_end": 0.07, "half_size": 0.0,
    }],
}  # fmt: skip
STAGES = ("cam_rw", "cam_par", "seg")


def measure(runs: Path, init: str) -> dict[str, Any]:
    """Train all runs and score each one against `BASE`; what is there already is kept."""
    rows, runs = [], runs_of(runs, init)
    folders = {(weight, seed): runs / f"seed{seed}_weight{weight}" for weight, seed in (BASE, *RUNS)}
    for (weight, seed), folder in folders.items():
        train(folder, {**RECIPE, "energy_weight": weight, "rng_seed": seed}, init)
    for weight, seed in RUNS:
        folder = folders[weight, seed]
        out = folder.with_name(f"{folder.name}_scores.json")
        images = ("--data", "sandbox", "--split", "val", "--limit", SCENES)
        found = evaluate(out, folder, "--against", folders[BASE], *images)
        compared = [row for row in found["against"]["rows"] if row["stage"] in STAGES]
        rows.append({"seed": seed, "weight": weight, "stages": compared, "losses": last_losses(folder)})
    return {
        "init": runs.name, "iterations": ITERATIONS, "scenes": SCENES, "train_scenes": TRAIN_SCENES, "size": SIZE,
        "rows": rows,
    }  # fmt: skip


TITLES = {"cam_rw": "walk", "cam_par": "walk, PAR", "seg": "decoder"}
TEXT = """# The dense energy loss in short runs of the sandbox

`train --set energy_weight=W` adds W times the dense energy loss to the decoder's ([spec.md](spec.md), section 9). The
paper's best result was trained with W = 0.01 at 512 pixels. Here: {iterations} steps from the bundled model ({init})
with and without it, all else equal, batches included. Every run is in the joint phase from its second step: four scenes
of {size} pixels a step, decoder at full size alone, {train_scenes} training scenes, float32. They are short and small:
they ask what the loss changes, not how good the model can become.

The loss sums over pairs of pixels, at half size and weighted with a Gaussian of 50 pixels: an image of 512 pixels has
14 times as much of it as one of {size}. W = 0.01 is therefore next to nothing here, and W = 0.12 is about what 0.01 is
there; both are measured.

mIoU in percent of {scenes} validation scenes, one rule, every pixel; in brackets the interval that holds 95 % of a
paired bootstrap over the scenes. It says how sure the difference of these two networks is, not that of two other runs:
so the last rows compare two runs without the loss, with different seeds.

| run | stage | mIoU | W = 0 | difference |
|---|---|---|---|---|
{rows}

The energy loss itself, before W, in the last logged steps: {energies}.

{verdict}{note}

Measured and written by `PYTHONPATH=. python tools/measure_energy_loss.py run`; `… page` writes this page from
`docs/data/energy_loss.json`. The commands of each run are printed: `train --config RECIPE --init checkpoints/sandbox`
and `evaluate --against`.
"""


def verdict(rows: list[dict[str, Any]]) -> str:
    """What may be said of the decoder, which the loss acts on: differences within what another seed makes are none."""
    decoders = {(row["weight"], row["seed"]): row["stages"][-1]["difference"] for row in rows}
    by_chance = max(abs(change) for (weight, _), change in decoders.items() if not weight)
    sentences = [f"Another seed alone changes the decoder's mIoU by {by_chance:.1f} points."]
    for (weight, _), change in decoders.items():
        if weight:
            within = "no more than that: no effect is shown" if abs(change) <= by_chance else "more than that"
            sentences.append(f"The loss with W = {weight:g} changes it by {change:+.1f}, {within}.")
    return " ".join(sentences)


def name_of(row: dict[str, Any]) -> str:
    """What sets a run apart."""
    return f"W = {row['weight']:g}" if row["weight"] else "W = 0, another seed"


def page_text(data: dict[str, Any]) -> str:
    """docs/energy_loss.md from the measurement."""
    lines = [
        f"| {name_of(row)} | {TITLES[stage['stage']]} | {stage['checkpoint']:.1f} | {stage['against']:.1f} | "
        f"{stage['difference']:+.2f} [{stage['low']:+.2f}, {stage['high']:+.2f}] |"
        for row in data["rows"]
        for stage in row["stages"]
    ]
    energies = ", ".join(
        f"{row['losses']['loss_energy']:.3f} (W = {row['weight']:g})" for row in data["rows"] if row["weight"]
    )
    facts = {key: data[key] for key in ("init", "iterations", "scenes", "train_scenes", "size")}
    note = f"\n\n{data['note']}" if "note" in data else ""
    return TEXT.format(rows="\n".join(lines), energies=energies, verdict=verdict(data["rows"]), note=note, **facts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("run", "page"))
    parser.add_argument("--init", default="checkpoints/sandbox", help="weights that every run begins with")
    parser.add_argument("--runs", type=Path, default=Path("runs/energy_loss"), help="folder of the runs")
    args = parser.parse_args()
    if args.what == "run":
        atomic_write_text(DATA, json.dumps(measure(args.runs, args.init), indent=2) + "\n")
    atomic_write_text(PAGE, page_text(parse_json(read_text(DATA))))


if __name__ == "__main__":
    main()
