"""Print what the walk is worth along affinities that were not learned, made of a model's own attention.

    PYTHONPATH=. python tools/compare_affinity_scalings.py checkpoints/sandbox --scenes 60

Every line is the mIoU of the walk and of its start, one rule over the same pixels at the published background score,
with the interval of 95 % of 1000 resamplings of the scenes, paired. Masks measure, they choose nothing. The column
"kept" is the mean over cells of what a step of the walk keeps of the scores: s / (s + 0.1) of its column.

Symbols: N cells.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

import numpy as np
import torch
from scene_tally import RESAMPLINGS, Tally, interval, label_of
from torch import Tensor
from tqdm import tqdm

import afa_viz
from afa_viz.data.sandbox import SandboxDataset
from afa_viz.ops.affinity import radius_mask
from afa_viz.ops.averaged_affinity import scale_rows
from afa_viz.ops.random_walk import transition_matrix
from afa_viz.stages.walk import walk, walk_start

BLOCKS = 2  # the last ones


def mean_attention(trace: afa_viz.Trace) -> Tensor:
    """(1, N, N) mean of the softmaxed heads of the last two blocks, symmetrised."""
    probs = torch.cat([trace.cell_probs(block) for block in range(-BLOCKS, 0)]).mean(dim=0)[None]
    return (probs + probs.transpose(1, 2)) / 2


def off_diagonal(affinity: Tensor) -> Tensor:
    """The matrix with 0 on its diagonal."""
    return affinity.masked_fill(torch.eye(affinity.shape[-1], dtype=torch.bool), 0)


def largest_of_rows(affinity: Tensor) -> Tensor:
    """(1, N, 1) largest value of each row off the diagonal."""
    return off_diagonal(affinity).amax(dim=-1, keepdim=True)


SCALINGS: dict[str, Callable[[Tensor], Tensor]] = {
    "as softmax gives it": lambda a: a,
    "by the largest of the whole matrix": lambda a: (a / off_diagonal(a).amax()).clamp_max(1),
    "each row by its largest": scale_rows,
    "each row, the diagonal not limited to 1": lambda a: a / largest_of_rows(a),
    "each row by its 95th percentile": lambda a: (a / a.quantile(0.95, dim=-1, keepdim=True)).clamp_max(1),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("checkpoint", nargs="?", default="checkpoints/sandbox", help="default: checkpoints/sandbox")
    parser.add_argument("--scenes", type=int, default=60, help="scenes of the split (default: 60)")
    parser.add_argument("--split", default="val", help="split of the sandbox (default: val)")


def measure(checkpoint: str, split: str, count: int) -> list[str]:
    """The lines of the table, as Markdown."""
    model = afa_viz.load_model(checkpoint, device="cpu")
    scenes = SandboxDataset(split, count, model.card.input_size if model.card else 256)
    tally = Tally(model.num_classes)
    kept: dict[str, list[float]] = {}
    for i in tqdm(range(len(scenes)), unit="scene"):
        scene = scenes[i]
        config = afa_viz.ExplainConfig.for_model(model, use_par=False)
        trace = afa_viz.explain(model, scene.image, scene.image_labels, config, target=scene.mask)
        assert trace.target is not None and trace.affinity is not None
        used, size = torch.tensor([0, *trace.present]), (trace.image.shape[0], trace.image.shape[1])
        cam, labels = trace.cam[None], trace.image_labels[None]
        start = walk_start(cam, labels, trace.grid, config.bkg_score_low)[0, used]
        tally.add("start", trace.target, label_of(start, used, size))
        near, attention = radius_mask(*trace.grid, radius=config.radius), mean_attention(trace)
        found = {"learned": trace.affinity[None], **{name: scaled(attention) for name, scaled in SCALINGS.items()}}
        for name, affinity in found.items():
            walked = walk(cam, affinity, labels, trace.grid, config)[0][0, used]
            tally.add(name, trace.target, label_of(walked, used, size))
            kept.setdefault(name, []).append(float(transition_matrix(affinity, near).sum(dim=1).mean()))
    draws = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), RESAMPLINGS).astype(float)
    weights = np.vstack([np.ones((1, count)), draws])
    before = tally.miou("start", weights)
    lines = [
        "| affinity | walk | walk − start | kept |",
        "|---|---|---|---|",
        f"| none: the start | {before[0]:.1f} | | |",
    ]
    for name in kept:
        after = tally.miou(name, weights)
        low, high = interval((after - before)[1:])
        change = f"{after[0] - before[0]:+.1f} [{low:+.1f}, {high:+.1f}]"
        lines.append(f"| {name} | {after[0]:.1f} | {change} | {np.mean(kept[name]):.2f} |")
    return lines


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add_arguments(parser)
    args = parser.parse_args(arguments)
    print("\n".join(measure(args.checkpoint, args.split, args.scenes)))


if __name__ == "__main__":
    main()
