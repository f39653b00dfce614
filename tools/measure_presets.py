"""Measure what the short presets reach and cost: `PYTHONPATH=. python tools/measure_presets.py [PRESET …]`.

Each trains once on one thread, in a new folder and without cached images. Times are processor time (of one core),
which other work on the machine hardly changes. Results go to afa_viz/ui/jobs/presets.json, which the Train tab
quotes, and docs/presets.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from afa_viz.atomic_files import atomic_write_text
from afa_viz.config import TrainConfig
from afa_viz.data.sandbox import render_split
from afa_viz.presets import QUICK
from afa_viz.training.records import read_metrics
from afa_viz.ui.handlers.train import MEASURED

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "presets.md"
BUNDLED = ROOT / "checkpoints" / "sandbox"
LOSSES = {"loss_cls": "classification", "loss_seg": "segmentation", "loss_aff": "affinity"}
SCORES = {
    "map": "mAP",
    "miou_cam": "CAM",
    "miou_cam_rw": "walk",
    "miou_cam_par": "walk, PAR",
    "miou_seg": "prediction",
}
TEXT = """# Short trainings

Presets for a lesson on a laptop without GPU, as the Train tab and `python -m afa_viz train --config NAME` have them.
Presets that end in `_on` continue from trained weights (`--init checkpoints/sandbox`) with another pooling. Every row
is one run on one thread of {machine}, in float32, with newly rendered images; times are processor time of that core. A
laptop with two free cores is faster; a slow or busy one needs longer. Scores are percent over {images} validation
scenes at the preset's own size, the CAM with one threshold: they vary by some points from run to run, and are
comparable only with each other. Written by `PYTHONPATH=. python tools/measure_presets.py`.

| preset | iterations | time | of it rendering | losses, first → last | mAP | CAM | walk | + PAR | prediction |
|---|---|---|---|---|---|---|---|---|---|
{rows}

{words}
"""
WORDS = """What to expect:

- `two_minutes` trains the classifier alone, on images with one object each: one loss falls, and the CAM develops from
  noise to a blob on the object. Affinity and decoder stay random, so the walk spreads the scores arbitrarily.
- `ten_minutes` continues with scenes and then with all three losses. The scores rise visibly but stay far below those
  of the bundled model, which was trained far longer, on many more images.
- `two_minutes_on` and `ten_minutes_on` begin with all three losses and the published pooling, the maximum, in place of
  top-k. At first the classification loss is high, since the maxima of all channels exceed the mean of many cells; it
  falls, and the CAM changes with it. Scores of the CAM may fall: these presets show what the pooling changes. The
  segmentation loss need not fall, since its labels change with the CAM.
- Other poolings: `--set pooling=avg` or `pooling=topk`, with any of them.
"""


def measure(name: str, images: int) -> dict:
    """One run: its costs, and its first and last numbers."""
    with tempfile.TemporaryDirectory() as folder:
        init = ["--init", str(BUNDLED)] if name.endswith("_on") else []
        command = [
            sys.executable, "-m", "afa_viz", "train", "--config", name, "--threads", "1", "--device", "cpu", *init,
            "--snapshots", "evaluations", "--eval-images", str(images), "--out", f"{folder}/run", "--cache", folder,
        ]  # fmt: skip
        before = time.process_time()
        render(QUICK[name], folder)
        render_seconds = time.process_time() - before
        began = time.monotonic()
        rest = spent(command, {**os.environ, "OMP_NUM_THREADS": "1"})  # finds the images in the cache
        wall = time.monotonic() - began
        lines = read_metrics(Path(folder) / "run")
    evaluations = [line for line in lines if "miou_cam" in line]
    losses = [line for line in lines if "loss_cls" in line]
    found = {"iterations": QUICK[name].max_iters, "seconds": round(render_seconds + rest),
             "render_seconds": round(render_seconds), "wall_seconds": round(wall)}  # fmt: skip
    for key in SCORES:
        found |= {f"{key}_first": round(evaluations[0][key]), f"{key}_last": round(evaluations[-1][key])}
    for key in LOSSES:
        values = [line[key] for line in losses if key in line]
        if values:
            found |= {f"{key}_first": round(values[0], 2), f"{key}_last": round(sum(values[-5:]) / len(values[-5:]), 2)}
    return found


def render(config: TrainConfig, folder: str) -> None:
    """Render the training images of a preset, as its training would."""
    for single, size in {(part.single_objects, part.image_size) for part in config.curriculum}:
        count = config.train_images * (2 if single else 1)
        render_split("train", count, size, single=single, cache_dir=folder, progress=False)


def spent(command: list[str], environment: dict[str, str]) -> float:
    """Processor seconds of a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def row(name: str, found: dict) -> str:
    """Of the table."""
    losses = [f"{words} {found[f'{key}_first']:g} → {found[f'{key}_last']:g}" for key, words in LOSSES.items()
              if f"{key}_first" in found]  # fmt: skip
    scores = [f"{found[f'{key}_first']} → {found[f'{key}_last']}" for key in SCORES]
    cells = [f"`{name}`", str(found["iterations"]), f"{found['seconds']} s", f"{found['render_seconds']} s"]
    return f"| {' | '.join([*cells, '<br>'.join(losses), *scores])} |"


def machine() -> str:
    """Name of the processor."""
    info = Path("/proc/cpuinfo")
    for line in info.read_text().splitlines() if info.exists() else []:
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def main() -> None:
    names = [name for name in QUICK if name != "few_seconds"]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("preset", nargs="*", help="only these; the others keep their numbers")
    parser.add_argument("--images", type=int, default=24, help="validation scenes per evaluation (default: 24)")
    args = parser.parse_args()
    presets = json.loads(MEASURED.read_text(encoding="utf-8"))["presets"] if MEASURED.exists() else {}
    for name in args.preset or names:
        presets[name] = measure(name, args.images)
        print(json.dumps({name: presets[name]}), flush=True)
        kept = {key: presets[key] for key in names if key in presets}
        facts = {"machine": machine(), "images": args.images, "presets": kept}
        for path, text in (
            (MEASURED, json.dumps(facts, indent=2) + "\n"),
            (PAGE, TEXT.format(machine=machine(), images=args.images, words=WORDS.strip(),
                               rows="\n".join(row(key, value) for key, value in kept.items()))),
        ):  # fmt: skip
            atomic_write_text(path, text)


if __name__ == "__main__":
    main()
