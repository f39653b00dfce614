"""Turn a finished sandbox run into the bundled checkpoint: score it on the test split, write weights, card and page.

python docs/publish_checkpoint.py runs/sandbox [--limit 400]
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import time
from pathlib import Path

import torch

from afa_viz.classes import SANDBOX_CLASSES
from afa_viz.config import SANDBOX
from afa_viz.data.sandbox import SandboxDataset
from afa_viz.evaluation import Ladder, Sample, evaluate_samples
from afa_viz.model.checkpoint import save_model
from afa_viz.training.loop import Run

ROOT = Path(__file__).parents[1]
OUT = ROOT / "checkpoints"
COMMAND = "python -m afa_viz train --config sandbox --threads 1 --out runs/sandbox"

PAGE = """# The bundled model

`sandbox/model.safetensors` (half precision) and its card `sandbox/model.json`: {backbone}, {parameters:.1f} M
parameters, trained from scratch on image labels of the sandbox, no mask seen.

- Recipe: `{command}` (`SANDBOX` in `afa_viz/config.py`), {iterations} iterations, seed {rng_seed}.
- Time: {minutes} minutes of training on one thread of a CPU, shared with other work.
- Curriculum: {curriculum}.
- This page and the scores in the card: `python docs/publish_checkpoint.py runs/sandbox`.

## Scores on the test split

IoU in percent over {count} scenes of {size} pixels. CAM, walk, PAR and pseudo label know the image labels, the two
decoder columns do not. The pseudo label leaves uncertain pixels out.

```
{table}
mAP {map:.1f}   F1 {f1:.1f}
```
{remark}
Thresholds are the published ones; none was chosen on masks.
{note}"""


def describe(config) -> str:
    """The curriculum in words."""
    parts = []
    for stage in config.curriculum:
        kind = "single objects" if stage.single_objects else "scenes"
        parts.append(f"{stage.iterations} × {stage.batch_size} {kind} at {stage.crop_size} px")
    return (
        ", ".join(parts) + f"; pseudo labels after iteration {config.cam_iters}, walked ones after {config.joint_after}"
    )


def remark(ladder: Ladder) -> str:
    """Which classes the decoder finds worst, in a sentence."""
    iou = ladder.scores()["seg"].iou
    worst = sorted(range(1, len(iou)), key=lambda i: float(iou[i]))[:3]
    return (
        "Weakest classes of the decoder: "
        + ", ".join(f"{ladder.class_names[i]} {100 * iou[i]:.0f}" for i in worst)
        + ".\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", help="folder of the run")
    parser.add_argument("--limit", type=int, default=400, help="test scenes (default: 400)")
    parser.add_argument("--cache", default="cache", help="where rendered images are kept (default: cache)")
    parser.add_argument("--note", default="", help="a paragraph on what else is to be known of this run")
    args = parser.parse_args()
    torch.set_num_threads(1)
    run = Run(SANDBOX, {}, args.run, SANDBOX_CLASSES, resume=True)
    run.model.card = run.card()
    scenes = SandboxDataset("test", args.limit, size=run.model.card.input_size, cache_dir=args.cache)
    start = time.monotonic()
    samples = (Sample(s.image, s.image_labels, s.mask) for s in (scenes[i] for i in range(len(scenes))))
    ladder = evaluate_samples(run.model, samples, multi_scale=True)
    summary = ladder.summary()
    card = dataclasses.replace(
        run.card({"split": "test", "scenes": len(scenes), **summary}),
        training={**run.card().training, "command": COMMAND, "data": "sandbox", "rng_seed": SANDBOX.rng_seed},
    )
    folder = OUT / "sandbox"
    folder.mkdir(parents=True, exist_ok=True)
    save_model(run.model, folder / "model.safetensors", card, half=True)
    page = PAGE.format(
        backbone="MiT-B0",
        parameters=sum(p.numel() for p in run.model.parameters()) / 1e6,
        command=COMMAND,
        iterations=run.iteration,
        rng_seed=SANDBOX.rng_seed,
        minutes=round(run.seconds / 60),
        curriculum=describe(SANDBOX),
        count=len(scenes),
        size=card.input_size,
        table=ladder.table(),
        remark=remark(ladder),
        note=f"\n{args.note}\n" if args.note else "",
        **{key: summary[key] for key in ("map", "f1")},
    )
    partial = OUT / "README.md.partial"
    partial.write_text(page, encoding="utf-8")
    os.replace(partial, OUT / "README.md")
    print(json.dumps({**summary, "seconds": round(time.monotonic() - start)}, indent=2))


if __name__ == "__main__":
    main()
