"""Turn a finished sandbox run into the bundled checkpoint: weights, card, snapshots, test scores, charts and page.

    PYTHONPATH=. python tools/publish_checkpoint.py runs/sandbox [--limit 400]
    PYTHONPATH=. python tools/measure_pathologies.py --scenes 200
    PYTHONPATH=. python tools/publish_checkpoint.py --page
    PYTHONPATH=. python tools/publish_checkpoint.py --score [--limit 400]

`--score` scores the published weights anew. `--page` writes checkpoints/README.md anew from
checkpoints/sandbox/scores.json and docs/data/pathologies.json.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from pathlib import Path
from typing import Any

import torch
from checkpoint_page import FOLDER, ROOT, write_page
from tqdm import tqdm

from afa_viz.atomic_files import atomic_write_text
from afa_viz.data.sandbox import SandboxDataset
from afa_viz.evaluation import Sample, ThresholdSweep, evaluate_samples, write_scores
from afa_viz.figures.evaluation_charts import write_plots
from afa_viz.figures.training import write_training_plot
from afa_viz.model.afa import AFA
from afa_viz.model.card import Card
from afa_viz.model.checkpoint import load_model, save_model
from afa_viz.presets import SANDBOX
from afa_viz.training.records import (
    HISTORY,
    SCORE_KEYS,
    SCORED_ON,
    SNAPSHOTS,
    read_metrics,
    score_history,
    write_history,
)

PICTURES = ROOT / "docs" / "pictures"
COMMAND = "python -m afa_viz train --config sandbox --threads 1 --out runs/sandbox"


def publish_snapshots(run: Path, scenes: SandboxDataset, chosen: set[int]) -> None:
    """The snapshots of a run, packed, each with its scores; and all evaluations of the run.

    Args:
        chosen: iterations; empty for all.
        scenes: of the val split that the run was evaluated on, for snapshots without scores.
    """
    evaluations = {entry["iteration"]: entry for entry in score_history(read_metrics(run))}
    paths = sorted((run / SNAPSHOTS).glob("iter_*.safetensors"))
    paths = [path for path in paths if not chosen or int(path.stem.removeprefix("iter_")) in chosen]
    for path in paths:
        model = load_model(path, device="cpu")
        entry = evaluations.get(model.card.training["iterations"], {})
        scores = model.card.scores or {name: entry[name] for name in SCORE_KEYS if entry.get(name) is not None}
        if not scores:
            samples = (Sample(s.image, s.image_labels, s.mask) for s in (scenes[i] for i in range(len(scenes))))
            scores = evaluate_samples(model, samples, SANDBOX.explain).summary()
        training = {**model.card.training, SCORED_ON: f"sandbox val, {len(scenes)} images"}
        card = dataclasses.replace(model.card, training=training, scores=scores)
        save_model(model, FOLDER / SNAPSHOTS / path.name, card, packed=True)
    write_history(run, FOLDER / SNAPSHOTS / HISTORY)
    for old in (FOLDER / SNAPSHOTS).glob("iter_*.*"):  # of an earlier run
        if old.stem not in {path.stem for path in paths}:
            old.unlink()


def score(args: argparse.Namespace, model: AFA, note: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Score a network on the test split; writes sandbox/scores.json and the charts.

    Returns: everything that was counted, and the scores of its card.
    """
    assert model.card is not None
    scenes = SandboxDataset("test", args.limit, size=model.card.input_size, cache_dir=args.cache)
    samples = (
        Sample(s.image, s.image_labels, s.mask, s.parts, s.context)
        for s in tqdm((scenes[i] for i in range(len(scenes))), total=len(scenes), unit="image")
    )
    sweep = ThresholdSweep(model.num_classes)
    scores = evaluate_samples(model, samples, multi_scale=True, on_trace=sweep.update, diagnose=True)
    data = scores.data()
    shares = {key: data[key] for key in ("parts", "parts_of_quadrupeds", "uncertain_parts")}
    facts = {
        "checkpoint_id": model.checkpoint_id,
        "split": "test",
        "parameters": sum(p.numel() for p in model.parameters()),
        "note": note,
        "sweep": sweep.data(),
    }
    write_scores(scores, FOLDER / "scores.json", facts)
    write_plots({**facts, **data}, PICTURES)
    return data, {"split": "test", "scenes": len(scenes), **data["summary"], **shares}


def publish(args: argparse.Namespace) -> None:
    """Write the run's network in half precision, score that, write card, scores, charts and snapshots."""
    model = load_model(Path(args.run) / "model.safetensors", device="cpu").eval()
    assert model.card is not None
    facts = {"command": COMMAND, "data": "sandbox", "rng_seed": SANDBOX.rng_seed}
    card = dataclasses.replace(model.card, training={**model.card.training, **facts})
    FOLDER.mkdir(parents=True, exist_ok=True)
    save_model(model, FOLDER / "model.safetensors", card, half=True)
    score_published(args, args.note)
    seen = SandboxDataset("val", args.val_scenes, size=card.input_size, cache_dir=args.cache)
    publish_snapshots(Path(args.run), seen, {int(n) for n in args.snapshots.split(",") if n})
    lines = read_metrics(Path(args.run))
    if lines:
        write_training_plot(lines, PICTURES / "training.png")


def score_published(args: argparse.Namespace, note: str) -> None:
    """Score the published weights; the scores go into their card, the weights stay."""
    start = time.monotonic()
    model = load_model(FOLDER, device="cpu").eval()
    data, scores = score(args, model, note)
    old = Card.read(FOLDER / "model.json")
    training = {**old.training, SCORED_ON: f"sandbox test, {scores['scenes']} images"}
    card = dataclasses.replace(old, training=training, scores=scores)
    atomic_write_text(FOLDER / "model.json", card.to_json())
    print(json.dumps({**data["summary"], "seconds": round(time.monotonic() - start)}, indent=2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", nargs="?", help="folder of the run")
    parser.add_argument("--page", action="store_true", help="only write checkpoints/README.md anew")
    parser.add_argument("--score", action="store_true", help="score the published weights and write the page anew")
    parser.add_argument("--limit", type=int, default=400, help="test scenes (default: 400)")
    parser.add_argument("--snapshots", default="", help="iterations of those to publish, like 50,450; default: all")
    parser.add_argument("--val-scenes", type=int, default=50, help="scenes of the run's evaluations (default: 50)")
    parser.add_argument("--cache", default="cache", help="folder for rendered images (default: cache)")
    parser.add_argument("--note", default="", help="a paragraph on what else is to be known of this run")
    args = parser.parse_args()
    if bool(args.run) + args.page + args.score != 1:
        parser.error("expected the folder of a run, --score or --page")
    torch.set_num_threads(1)
    if args.run:
        publish(args)
    elif args.score:
        score_published(args, args.note or json.loads((FOLDER / "scores.json").read_text(encoding="utf-8"))["note"])
    write_page()


if __name__ == "__main__":
    main()
