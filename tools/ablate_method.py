"""Measure what each part of AFA is worth, from runs: the last two stages of the recipe with one part changed.

    export PYTHONPATH=.
    python tools/ablate_method.py run               # docs/data/ablation.json and the page: four hours of one core
    python tools/ablate_method.py run --seeds 1     # the first seed alone; a later call measures what is missing
    python tools/ablate_method.py page              # docs/ablation.md and its figure from the numbers
    python tools/ablate_method.py chart --out F     # the page's figure as an interactive chart, one HTML file

Every run begins with the bundled model's snapshot of iteration 3600, a classifier whose CAM covers parts of the
objects, and goes through the two stages in which affinity and decoder learn, with a quarter of their steps and the
decoder at full size alone. The runs of a seed see the same batches. They are scored on validation scenes with the
published thresholds. Runs whose numbers are in the folder of the runs or in docs/data are not made again.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from ablation_page import chart, draw, page_text
from short_runs import DOCS, ROOT
from torch import Tensor

from afa_viz.atomic_files import atomic_write_text
from afa_viz.classes import SANDBOX_CLASSES
from afa_viz.config import ExplainConfig, TrainConfig
from afa_viz.data.sandbox import SandboxDataset, load_split, render_split
from afa_viz.evaluation import Sample, evaluate_samples
from afa_viz.figures.interactive.page import write_page as write_page_of_figures
from afa_viz.model.afa import AFA
from afa_viz.model.checkpoint import load_model
from afa_viz.ops.averaged_affinity import averaged_affinity
from afa_viz.parts import Parts
from afa_viz.presets import SANDBOX
from afa_viz.structured_text import parse_json, read_text
from afa_viz.training.batches import ImageSet, SandboxBatches
from afa_viz.training.loop import Run

DATA, PAGE = DOCS / "data" / "ablation.json", DOCS / "ablation.md"
PICTURE = DOCS / "pictures" / "ablation.png"
INIT = ROOT / "checkpoints" / "sandbox" / "snapshots" / "iter_003600.safetensors"
ITERATIONS, JOINT_AFTER = (120, 60), 130  # of the two stages; in the recipe (430, 300) and 580
TRAIN_SCENES = 1600  # more than a run draws
SEEDS = (1, 2, 3)
KEPT = (
    "map", "miou_cam", "miou_walk_start", "miou_cam_rw", "miou_cam_refined", "miou_cam_par", "miou_pseudo_label",
    "coverage_pseudo_label", "precision_pseudo_label", "miou_seg", "body_cam_rw",
)  # fmt: skip


class OneDirection(AFA):
    """Its affinity is made of 2 S in place of S + S^T, in training as well."""

    def _encode(self, image: Tensor) -> tuple[list[Tensor], Tensor]:
        features, blocks = self.encoder.forward_query_key(image)
        scaled = torch.cat([block.query for block in blocks], dim=1) * self.attn_proj.weight.reshape(1, -1, 1, 1)
        query = scaled.transpose(1, 2).flatten(2)
        key = torch.cat([block.key for block in blocks], dim=1).transpose(1, 2).flatten(2)
        return features, torch.sigmoid(2 * query @ key.transpose(1, 2) + self.attn_proj.bias)


class MeanAttention(AFA):
    """Its affinity is the mean of the softmaxed heads of the last two blocks: nothing is learned for it."""

    parts = Parts(affinity="averaged")

    def _encode(self, image: Tensor) -> tuple[list[Tensor], Tensor]:
        features, blocks = self.encoder.forward_query_key(image)
        logits = [block.query @ block.key.transpose(-1, -2) / block.query.shape[-1] ** 0.5 for block in blocks]
        with torch.no_grad():
            return features, averaged_affinity([one.softmax(dim=-1) for one in logits])


@dataclass(frozen=True)
class Variant:
    """What sets a run apart from the recipe.

    Attributes:
        title: in the table.
        changes: of the training's settings. explain: of the settings of its pseudo labels, which it is scored with.
        only_training: of these settings, in training alone.
        network: class of the network.
        seeds: how many runs.
    """

    title: str
    changes: dict[str, Any] = field(default_factory=dict)
    explain: dict[str, Any] = field(default_factory=dict)
    only_training: dict[str, Any] = field(default_factory=dict)
    network: type[AFA] = AFA
    seeds: int = 1


NO_JOINT = {"joint_after": sum(ITERATIONS)}
VARIANTS = {
    "recipe": Variant("the recipe", seeds=3),
    "no_affinity_loss": Variant(
        "no affinity loss", {"weight_aff": 0.0, **NO_JOINT}, seeds=3
    ),
    "no_joint_phase": Variant("no joint phase", NO_JOINT, seeds=3),
    "no_par": Variant("labels without PAR", only_training={"use_par": False}),
    "one_direction": Variant("not symmetrised", explain={"symmetric": False}, network=OneDirection),
    "mean_attention": Variant(
        "mean attention, not learned", {"weight_aff": 0.0, "calibrate_affinity": False},
        network=MeanAttention,
    ),
    "max_pooling": Variant("max pooling", {"pooling": "max"}),
    "average_pooling": Variant("average pooling", {"pooling": "avg"}),
    "radius_2": Variant("radius 2", explain={"radius": 2}),
    "radius_8": Variant("radius 8", explain={"radius": 8}),
}  # fmt: skip


def recipe_of(variant: Variant, seed: int) -> TrainConfig:
    """The last two stages of the sandbox recipe, shortened, with what the variant changes."""
    parts = [
        dataclasses.replace(part, iterations=iterations)
        for part, iterations in zip(SANDBOX.curriculum[-2:], ITERATIONS, strict=True)
    ]
    explain = dataclasses.replace(SANDBOX.explain, **variant.explain, **variant.only_training)
    settings: dict[str, Any] = {
        "curriculum": tuple(parts), "max_iters": sum(ITERATIONS), "cam_iters": 0, "joint_after": JOINT_AFTER,
        "seg_scales": (1.0,), "amp": "off", "explain": explain, "rng_seed": seed,
    }  # fmt: skip
    return dataclasses.replace(SANDBOX, **settings | variant.changes)


def train(name: str, seed: int, images: ImageSet, folder: Path, shared: Path) -> Run:
    """One run to its end.

    Args:
        shared: file of the state in which the recipe enters the joint phase, which the run without it goes on from.
    """
    recipe = recipe_of(VARIANTS[name], seed)
    sets = {(False, part.image_size): images for part in recipe.curriculum}
    run = Run(recipe, SandboxBatches(sets, seed), folder, SANDBOX_CLASSES, eval_every=10**9, init=INIT)
    run.model.__class__ = VARIANTS[name].network
    if name == "no_joint_phase" and shared.is_file():
        run.train_state.load(torch.load(shared, weights_only=True))
        run.iteration = JOINT_AFTER
    run.run(until=JOINT_AFTER, progress=False)
    if name == "recipe":
        torch.save(run.train_state.state(), shared)
    run.run(progress=False)
    return run


def score(run: Run, variant: Variant, val: Sequence[Any]) -> dict[str, Any]:
    """Scores of a trained run on the validation scenes."""
    run.model.eval()
    run.model.card = run.card()
    samples = (Sample(scene.image, scene.image_labels, scene.mask, scene.parts) for scene in val)
    config = ExplainConfig.for_model(run.model, **variant.explain)
    scored = evaluate_samples(run.model, samples, config, diagnose=True)
    summary, changes = scored.summary(), scored.changes()
    return {
        "scores": {name: summary[name] for name in KEPT if name in summary},
        "walk": {name: changes[name] for name in ("cam_rw", "walk_after_par") if name in changes},
        "seconds": round(run.seconds),
    }


def facts(scenes: int) -> dict[str, Any]:
    """What all runs have in common."""
    last = SANDBOX.curriculum[-1]
    return {
        "init": load_model(INIT, "cpu").checkpoint_id, "iterations": sum(ITERATIONS), "joint_after": JOINT_AFTER,
        "batch_size": last.batch_size, "crop_size": last.crop_size, "scenes": scenes,
    }  # fmt: skip


def kept_rows(runs: Path, common: dict[str, Any]) -> dict[tuple[str, int], dict[str, Any]]:
    """Numbers of the runs that were made with the same settings, by variant and seed."""
    data = parse_json(read_text(DATA)) if DATA.is_file() else {"rows": []}
    rows = data["rows"] if all(data.get(key) == value for key, value in common.items()) else []
    rows = [*rows, *(parse_json(read_text(path)) for path in sorted(runs.glob("*_seed*.json")))]
    return {(row["name"], row["seed"]): row for row in rows}


def run_all(runs: Path, seeds: Sequence[int], scenes: int, cache: str, names: Sequence[str]) -> None:
    """Measure what is not yet measured, seed by seed, and write the numbers of all runs that are there."""
    size = SANDBOX.curriculum[-1].image_size
    arrays = load_split(render_split("train", TRAIN_SCENES, size, cache_dir=cache))
    images = ImageSet(arrays["images"], arrays["labels"])
    dataset = SandboxDataset("val", max(scenes, 100), size=SANDBOX.input_size, cache_dir=cache)
    val = [dataset[i] for i in range(scenes)]
    common = facts(scenes)
    runs = runs / "_".join(map(str, common.values()))  # those of other settings lie elsewhere
    runs.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        for name in names:
            if seed > VARIANTS[name].seeds or (name, seed) in kept_rows(runs, common):
                continue
            with tempfile.TemporaryDirectory() as folder:
                run = train(name, seed, images, Path(folder), runs / f"recipe_seed{seed}.pt")
                row = {"name": name, "seed": seed, **score(run, VARIANTS[name], val)}
            atomic_write_text(runs / f"{name}_seed{seed}.json", json.dumps(row, indent=1) + "\n")
            print(json.dumps(row), flush=True)
    kept = kept_rows(runs, common)
    rows = [kept[name, seed] for name in VARIANTS for seed in SEEDS if (name, seed) in kept]
    parts = {name: variant.title for name, variant in VARIANTS.items() if any(row["name"] == name for row in rows)}
    atomic_write_text(DATA, json.dumps({**common, "parts": parts, "rows": rows}, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("run", "page", "chart"))
    parser.add_argument("--runs", type=Path, default=Path("runs/ablation"), help="folder of the runs' numbers")
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS, help="default: 1 2 3")
    parser.add_argument("--variants", nargs="+", choices=tuple(VARIANTS), default=tuple(VARIANTS), help="default: all")
    parser.add_argument("--scenes", type=int, default=40, help="of the val split (default: 40)")
    parser.add_argument("--cache", default="cache", help="folder for rendered images (default: cache)")
    parser.add_argument("--out", type=Path, default=Path("ablation.html"), help="file of the chart")
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.what == "run":
        run_all(args.runs, args.seeds, args.scenes, args.cache, args.variants)
    data = parse_json(read_text(DATA))
    if args.what == "chart":
        write_page_of_figures({"parts": chart(data)}, args.out, "What each part of AFA is worth")
        print(args.out)
    else:
        atomic_write_text(PAGE, page_text(data))
        draw(data, PICTURE)


if __name__ == "__main__":
    main()
