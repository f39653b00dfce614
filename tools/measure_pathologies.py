"""Measure what each pathology of the sandbox does to every stage: the same test scenes with one knob changed.

    PYTHONPATH=. python tools/measure_pathologies.py --checkpoint checkpoints/sandbox --scenes 60

Writes docs/data/pathologies.json, docs/pathologies.md and docs/pictures/pathologies.png. Intervals are 95 % of 1000
resamplings of the scenes; changes are paired: the same scenes with and without the change.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pathology_page import page
from tqdm import tqdm

from afa_viz.atomic_files import atomic_write_text
from afa_viz.data.sandbox import HOMES, PART_NAMES, SandboxDataset, read_recipe
from afa_viz.evaluation import Sample, StageScores, score_samples
from afa_viz.evaluation.parts import ALL, RIGHT
from afa_viz.figures.charts import save_figure
from afa_viz.figures.pathologies import change_chart
from afa_viz.model.checkpoint import load_model
from afa_viz.stage_scores import stage_labels
from afa_viz.trace import Trace

DOCS = Path(__file__).parents[1] / "docs"
USED = ("cam", "walk_start", "cam_rw", "cam_par", "seg")  # decide every pixel; the first by another rule
SETTINGS = {  # knob of the default recipe -> what it means
    "default": "the sandbox as in training",
    "shared_body=0": "every quadruped species has its own coat",
    "shared_body=1": "quadrupeds differ only in their heads",
    "cooc=0": "the background is independent of the classes",
    "cooc=1": "the background is always a home of the first class",
    "camouflage=1": "all objects of a scene have similar colours",
    "small=0": "no small objects",
    "small=1": "only small objects",
    "clutter=1": "scraps and noise over the background",
    "occlusion=0": "objects stand apart",
    "occlusion=0.6": "objects overlap",
    "missing_labels=0.3": "three in ten image labels are left out",
}
COMPARED = ("head", "body")
ENDS = (
    ("shared_body=0", "shared_body=1"),
    ("cooc=0", "cooc=1"),
    ("small=0", "small=1"),
    ("occlusion=0", "occlusion=0.6"),
)
RESAMPLINGS = 1000
MISSED, GAINED_WALK, GAINED_PAR, HAD, LOST_WALK, LOST_PAR = range(6)  # pixels of a part, before and after a stage


@dataclass
class Counts:
    """Of one setting: per scene and stage, (n, K, K) confusions, (n, 2) all and right pixels of each compared part,
    and (n, 6) fates of the part's pixels after the start of the walk."""

    scores: StageScores
    confusions: dict[str, list[np.ndarray]] = field(default_factory=lambda: {stage: [] for stage in USED})
    parts: dict[tuple[str, str], list[np.ndarray]] = field(
        default_factory=lambda: {(part, stage): [] for part in COMPARED for stage in USED}
    )
    fates: dict[str, list[list[int]]] = field(default_factory=lambda: {part: [] for part in COMPARED})
    home: list[StageScores] = field(default_factory=list)
    away: list[StageScores] = field(default_factory=list)


def count(model, scenes: SandboxDataset, name: str) -> Counts:
    """Explain all scenes of a setting."""
    latest: list[Trace] = [None]  # type: ignore[list-item]
    bar = tqdm(range(len(scenes)), desc=name, unit="image")
    samples = (Sample(s.image, s.image_labels, s.mask, s.parts, s.context) for s in (scenes[i] for i in bar))
    counts: Counts | None = None
    for sample, one in score_samples(model, samples, on_trace=lambda trace: latest.__setitem__(0, trace)):
        counts = counts or Counts(StageScores.empty(one.matrices, one.class_names))
        counts.scores.add(one)
        quadrupeds = one.quadrupeds()
        for stage in USED:
            counts.confusions[stage].append(one.matrices[stage].matrix.numpy())
            found = one.parts[stage].counts[quadrupeds].sum(dim=0).numpy()
            for part in COMPARED:
                counts.parts[part, stage].append(found[PART_NAMES.index(part), [ALL, RIGHT]])
        for part in COMPARED:
            counts.fates[part].append(fates(latest[0], sample, part, quadrupeds))
        names = [one.class_names[i] for i in np.unique(sample.target) if i]
        at_home = [sample.context in HOMES[name] for name in names]
        if at_home and all(at_home):
            counts.home.append(one)
        elif at_home and not any(at_home):
            counts.away.append(one)
    assert counts is not None
    return counts


def fates(trace: Trace, sample: Sample, part: str, classes: list[int]) -> list[int]:
    """What walk and PAR make of the pixels of a part that the walk's start missed, and of those that it had.

    All three are decided by one rule, so that only the walk and PAR change anything.
    """
    labels = stage_labels(trace)
    truth = torch.from_numpy(sample.target)
    here = torch.from_numpy(sample.parts == PART_NAMES.index(part)) & torch.isin(truth, torch.tensor(classes))
    start, walked, refined = (labels[stage] == truth for stage in ("walk_start", "cam_rw", "cam_par"))
    missed, had = here & ~start, here & start
    kinds = (missed, missed & walked, missed & refined, had, had & ~walked, had & ~refined)
    return [int(kind.sum()) for kind in kinds]


def measure(counts: Counts, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Numbers in percent for each of R weightings of the scenes: (R, n) -> R values a name."""
    found: dict[str, np.ndarray] = {}
    with np.errstate(invalid="ignore", divide="ignore"):
        for stage, matrices in counts.confusions.items():
            sums = np.tensordot(weights, np.stack(matrices).astype(float), axes=1)
            hits, truth = np.diagonal(sums, axis1=1, axis2=2), sums.sum(axis=2)
            iou = hits / (truth + sums.sum(axis=1) - hits)
            found[f"miou_{stage}"] = 100 * np.nanmean(np.where(truth > 0, iou, np.nan), axis=1)
        for (part, stage), pixels in counts.parts.items():
            total, right = (weights @ np.stack(pixels)).T
            found[f"{part}_{stage}"] = 100 * right / total
        for stage in USED:
            found[f"gap_{stage}"] = found[f"head_{stage}"] - found[f"body_{stage}"]
        for part in COMPARED:
            sums = (weights @ np.array(counts.fates[part])).T
            found[f"{part}_gained_by_walk"] = 100 * sums[GAINED_WALK] / sums[MISSED]
            found[f"{part}_gained_by_par"] = 100 * sums[GAINED_PAR] / sums[MISSED]
            found[f"{part}_lost_by_walk"] = 100 * sums[LOST_WALK] / sums[HAD]
            found[f"{part}_lost_by_par"] = 100 * sums[LOST_PAR] / sums[HAD]
    return found


def interval(values: np.ndarray) -> list[float | None]:
    """The middle 95 %; None where a resampling had nothing to count."""
    if np.isnan(values).all():
        return [None, None]
    return [round(float(v), 2) for v in np.nanpercentile(values, [2.5, 97.5])]


def rounded(values: np.ndarray) -> float | None:
    return None if np.isnan(values[0]) else round(float(values[0]), 2)


def describe(counts: Counts, default: Counts, draws: np.ndarray) -> dict[str, Any]:
    """Numbers of a setting, their intervals, and their paired changes from the default setting."""
    values = measure(counts, np.ones((1, draws.shape[1])))
    summary = counts.scores.summary()
    return {
        "map": summary["map"],
        "f1": summary["f1"],
        "uncertain": summary["uncertain"],
        "values": {name: rounded(value) for name, value in values.items()},
        "intervals": {name: interval(value) for name, value in measure(counts, draws).items()},
        **changes(default, counts, draws),
    }


def changes(before: Counts, after: Counts, draws: np.ndarray) -> dict[str, Any]:
    """Paired changes of every number from one setting to another, and their intervals."""
    once = np.ones((1, draws.shape[1]))
    old, new = measure(before, once), measure(after, once)
    old_spread, new_spread = measure(before, draws), measure(after, draws)
    return {
        "changes": {name: rounded(new[name] - old[name]) for name in new},
        "change_intervals": {name: interval(new_spread[name] - old_spread[name]) for name in new},
    }


def by_home(default: Counts) -> dict[str, Any]:
    """mIoU of the default setting over scenes whose classes are all at home, and over those where none is."""
    found = {}
    for name, scores_of_images in (("at home", default.home), ("away", default.away)):
        whole = StageScores.empty(default.scores.matrices, default.scores.class_names)
        for one in scores_of_images:
            whole.add(one)
        if scores_of_images:
            found[name] = {
                "images": len(scores_of_images),
                **{stage: round(100 * whole.scores()[stage].miou, 2) for stage in USED},
            }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", default="checkpoints/sandbox", help="weights (default: checkpoints/sandbox)")
    parser.add_argument("--scenes", type=int, default=60, help="of the test split, each setting (default: 60)")
    parser.add_argument("--size", type=int, default=256, help="side of the scenes in pixels (default: 256)")
    parser.add_argument("--cache", default="cache", help="folder for rendered images (default: cache)")
    parser.add_argument("--out", default=str(DOCS), help="folder to write to (default: docs)")
    args = parser.parse_args()
    if args.scenes < 2:
        parser.error(f"--scenes is {args.scenes}; expected at least 2")
    torch.set_num_threads(1)
    model = load_model(args.checkpoint, device="cpu")
    draws = np.random.default_rng(0).multinomial(args.scenes, np.full(args.scenes, 1 / args.scenes), RESAMPLINGS)
    found: dict[str, Counts] = {}
    for name in SETTINGS:
        scenes = SandboxDataset("test", args.scenes, args.size, read_recipe([name]), cache_dir=args.cache)
        found[name] = count(model, scenes, name)
    default, weights = found["default"], draws.astype(float)
    data = {
        "checkpoint_id": model.checkpoint_id,
        "scenes": args.scenes,
        "size": args.size,
        "split": "test",
        "settings": {
            name: {"meaning": meaning, **describe(found[name], default, weights)} for name, meaning in SETTINGS.items()
        },
        "ends": [{"from": low, "to": high, **changes(found[low], found[high], weights)} for low, high in ENDS],
        "default_by_home": by_home(default),
    }
    out = Path(args.out)
    for folder in ("data", "pictures"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    atomic_write_text(out / "data" / "pathologies.json", json.dumps(data, indent=1, allow_nan=False) + "\n")
    atomic_write_text(out / "pathologies.md", page(data))
    save_figure(change_chart(data), out / "pictures" / "pathologies.png")
    print(page(data))


if __name__ == "__main__":
    main()
