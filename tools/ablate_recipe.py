"""Measure what each option of training from scratch is worth: short runs that differ in one option.

    PYTHONPATH=. python tools/ablate_recipe.py cam --init runs/sandbox/snapshots/iter_000700.safetensors
    PYTHONPATH=. python tools/ablate_recipe.py affinity --init runs/sandbox/snapshots/iter_003200.safetensors
    PYTHONPATH=. python tools/ablate_recipe.py decoder --init runs/sandbox/snapshots/iter_003200.safetensors
    PYTHONPATH=. python tools/ablate_recipe.py page

`cam` trains classification on scenes at 128 px and scores the cut CAM; `affinity` and `decoder` train all three losses
at 224 px and score the walk, and the decoder at one size and over several. The rows of a group begin with the same
weights and see the same batches, and are scored on validation scenes at 256 px with the published thresholds and the
radius of the recipe. Rows go to docs/data/recipe_options_NAME.json; `page` writes docs/recipe_options.md from all of
them.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import tempfile
from pathlib import Path

import torch

from afa_viz.atomic_files import atomic_write_text
from afa_viz.classes import SANDBOX_CLASSES
from afa_viz.config import CurriculumStage, TrainConfig
from afa_viz.data.sandbox import SandboxDataset, load_split, render_split
from afa_viz.evaluation import Sample, evaluate_samples
from afa_viz.presets import SANDBOX
from afa_viz.training.batches import ImageSet, SandboxBatches
from afa_viz.training.loop import Run

SCENES = CurriculumStage(250, 224, 128, 24, 5e-4, min_crop=0.7, topk_start=0.25, topk_end=0.15)
LABELS = CurriculumStage(150, 224, 224, 8, 1e-4, min_crop=0.8, topk_start=0.13, topk_end=0.07, half_size=0.3)
DOCS = Path(__file__).parents[1] / "docs"
DATA = DOCS / "data"

CAM = {
    "as shipped: offset 2, top-k 25 to 15 %": {},
    "no offset": {"logit_offset": 0.0},
    "top-k fixed at 6 %": {"topk": (0.06, 0.06)},
    "max pooling per class (top-k of one cell)": {"topk": (1e-6, 1e-6)},
    "average pooling per class (top-k of all cells)": {"topk": (1.0, 1.0)},
    "CAM keeps negative evidence (no ReLU)": {"cam_relu": False},
}
AFFINITY = {
    "as shipped: balanced pairs, labels from the middle": {},
    "labels from the top left pixel (published)": {"affinity_at_centre": False},
    "all pairs alike (published)": {"balance_affinity": False},
    "both as published": {"affinity_at_centre": False, "balance_affinity": False},
    "radius of 8 cells (published)": {"explain": dataclasses.replace(SANDBOX.explain, radius=8)},
    "top-k stays at 13 %": {"topk": (0.13, 0.13)},
}
DECODER = {
    "as shipped: full, half and three quarter size": {"seg_scales": SANDBOX.seg_scales},
    "full size alone (published)": {"seg_scales": (1.0,)},
}
GROUPS = {"cam": (SCENES, CAM), "affinity": (LABELS, AFFINITY), "decoder": (LABELS, DECODER)}


def configure(part: CurriculumStage, changes: dict, labels: bool) -> TrainConfig:
    """A run of one part with some options changed; the decoder sees full size alone where no row says otherwise."""
    changes = {"seg_scales": (1.0,)} | changes
    if "topk" in changes:
        start, end = changes.pop("topk")
        part = dataclasses.replace(part, topk_start=start, topk_end=end)
        changes["topk"] = end
    phases = {"cam_iters": 0 if labels else part.iterations, "joint_after": part.iterations}
    return dataclasses.replace(SANDBOX, curriculum=(part,), max_iters=part.iterations, **phases, **changes)


COLUMNS = {
    "map": "mAP", "miou_cam": "CAM, one threshold", "miou_cam_rw": "walk", "miou_cam_par": "walk, PAR",
    "miou_seg": "decoder, one size", "miou_seg_multi_scale": "decoder, three sizes and flips",
}  # fmt: skip
KEPT = {
    "cam": ("map", "miou_cam"),
    "affinity": ("map", "miou_cam", "miou_cam_rw", "miou_cam_par"),
    "decoder": ("miou_cam", "miou_cam_rw", "miou_cam_par", "miou_seg", "miou_seg_multi_scale"),
}
TITLES = {
    "cam": "Classification, scenes at 128 pixels",
    "affinity": "All three losses, scenes at 224 pixels",
    "decoder": "Sizes of the decoder's training images, scenes at 224 pixels",
}
PAGE = """# What each option of training from scratch is worth

Short runs that differ from the recipe of the bundled model in one option, on the same batches and from the same
weights. The tables were measured with an earlier form of that recipe (3700 iterations, top-k down to 7 %, no joint
phase) and from the snapshots of its run; "as shipped" is that recipe. Percent over validation scenes of 256 pixels; in
brackets the change. Every row is one run: a difference of a point or two may be chance. Written by
`PYTHONPATH=. python tools/ablate_recipe.py page`.
"""


def write_page() -> None:
    """docs/recipe_options.md from the files of rows that are there."""
    parts = [PAGE]
    for what, title in TITLES.items():
        path = DATA / f"recipe_options_{what}.json"
        if not path.is_file():
            continue
        data = json.loads(path.read_text(encoding="utf-8"))
        kept = [name for name in COLUMNS if name in data["rows"][0]]
        parts.append(
            f"## {title}\n\n{data['iterations']} iterations from `{data['init']}`, {data['scenes']} scenes.\n\n"
            f"| option | {' | '.join(COLUMNS[name] for name in kept)} |\n|---|{'---|' * len(kept)}"
        )
        first = data["rows"][0]
        for row in data["rows"]:
            cells = [
                f"{row[name]:.1f}" + ("" if row is first else f" ({row[name] - first[name]:+.1f})") for name in kept
            ]
            parts[-1] += f"\n| {row['option']} | {' | '.join(cells)} |"
        parts[-1] += "\n"
    atomic_write_text(DOCS / "recipe_options.md", "\n".join(parts))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=(*GROUPS, "page"))
    parser.add_argument("--init", help="weights that every row begins with")
    parser.add_argument("--scenes", type=int, default=60, help="of the val split (default: 60)")
    parser.add_argument("--cache", default="cache", help="folder for rendered images (default: cache)")
    args = parser.parse_args()
    if args.what == "page":
        write_page()
        return
    if args.init is None:
        parser.error("--init is missing: the weights that every row begins with")
    torch.set_num_threads(1)
    part, rows = GROUPS[args.what]
    arrays = load_split(render_split("train", SANDBOX.train_images, part.image_size, cache_dir=args.cache))
    data = {(False, part.image_size): ImageSet(arrays["images"], arrays["labels"])}
    val = SandboxDataset("val", max(args.scenes, 100), size=SANDBOX.input_size, cache_dir=args.cache)
    table = []
    for name, changes in rows.items():
        with tempfile.TemporaryDirectory() as folder:
            config = configure(part, changes, labels=part is LABELS)
            batches = SandboxBatches(data, config.rng_seed)
            run = Run(config, batches, folder, SANDBOX_CLASSES, eval_every=10**9, init=args.init)
            run.run(progress=False)
            run.model.eval()
            run.model.card = run.card()
            samples = [Sample(s.image, s.image_labels, s.mask) for s in (val[i] for i in range(args.scenes))]
            summary = evaluate_samples(run.model, samples, multi_scale=args.what == "decoder").summary()
        table.append({"option": name, **{key: summary[key] for key in KEPT[args.what]}})
        print(json.dumps(table[-1]), flush=True)
    data = {"iterations": part.iterations, "scenes": args.scenes, "init": Path(args.init).name, "rows": table}
    atomic_write_text(DATA / f"recipe_options_{args.what}.json", json.dumps(data, indent=2) + "\n")


if __name__ == "__main__":
    main()
