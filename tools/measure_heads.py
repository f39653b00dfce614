"""Measure what each head of the learned affinity is worth on the test split, and write the page about it.

    PYTHONPATH=. python tools/measure_heads.py

Writes docs/data/heads.json and docs/heads.md. Masks are used to measure, never to choose a setting of the model.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
from measured_page import write_measured
from tqdm import tqdm

import afa_viz
from afa_viz.config import ExplainConfig
from afa_viz.data.sandbox import SandboxDataset
from afa_viz.evaluation.head_worth import HeadWorth, worth_table

DOCS = Path(__file__).parents[1] / "docs"
TEXT = """# What each head is worth

Checkpoint `{checkpoint_id}`, {images} test scenes of {size} pixels. With the learned weights, the mIoU is
{cam_rw:.1f} % after the walk and {cam_par:.1f} % after PAR; the table shows the change from there, in points, when the
weight of one head is 0, and when all other weights are. Square brackets: 95 % interval over the scenes, paired. "All
equal": every head gets the mean magnitude of the learned weights. Masks are used to measure, never to choose a setting.
Written by `PYTHONPATH=. python tools/measure_heads.py --scenes {images}`; for another model or data set
`python -m afa_viz evaluate --each-head` prints the same table.

{table}

Heads overlap: where one is left out, another may supply the same, so the changes do not add up, and a change near 0
does not mean that a head has no effect. In the tab Affinity of the app, every weight is a slider.
"""


def page(data: dict[str, Any]) -> str:
    """The page as Markdown."""
    return TEXT.format(**data, **data["used"], table=worth_table(data))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", default="checkpoints/sandbox", help="weights (default: checkpoints/sandbox)")
    parser.add_argument("--scenes", type=int, default=150, help="of the test split (default: 150)")
    parser.add_argument("--size", type=int, default=256, help="side of the scenes in pixels (default: 256)")
    parser.add_argument("--out", default=str(DOCS), help="folder to write to (default: docs)")
    args = parser.parse_args()
    if args.scenes < 2:
        parser.error(f"--scenes is {args.scenes}; expected at least 2")
    torch.set_num_threads(1)
    model = afa_viz.load_model(args.checkpoint, device="cpu")
    config = ExplainConfig.for_model(model, keep_attention="last_stage")
    scenes, worth = SandboxDataset("test", args.scenes, args.size), HeadWorth(model.num_classes)
    with torch.inference_mode():
        for i in tqdm(range(len(scenes)), unit="scene"):
            scene = scenes[i]
            worth.update(afa_viz.explain(model, scene.image, scene.image_labels, config, target=scene.mask))
    data = {"checkpoint_id": model.checkpoint_id, "size": args.size, **worth.data()}
    write_measured(Path(args.out), "heads", data, page(data))


if __name__ == "__main__":
    main()
