"""What each head of the learned affinity is worth: the scores without it, with it alone, and with all heads equal.

Every variant differs from the trace in the weights of its heads alone: same CAM, same walk, same PAR, one rule over all
pixels. A head that takes over what another one did does not show in these numbers, so they do not add up.

Symbols: K classes with background, P present classes, H W pixels.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from afa_viz.evaluation.bootstrap import Change, PairedBootstrap
from afa_viz.evaluation.tables import percent
from afa_viz.ops import cam as cams
from afa_viz.ops import pseudo_label
from afa_viz.ops.metrics import ConfusionMatrix
from afa_viz.pipeline import recompute
from afa_viz.stage_scores import label_score
from afa_viz.stages.refine import present_channels
from afa_viz.trace import Trace

WALKED_STAGES = ("cam_rw", "cam_par")  # that the affinity decides
USED, EQUAL = "as used", "all equal"
HeadWeights = tuple[float | None, ...]


def without_heads(count: int, heads: Iterable[int]) -> HeadWeights:
    """`ExplainConfig.head_weights` that leave heads out.

    Args:
        count: of all heads. heads: from 1 to `count`, block by block.
    Raises: ValueError: for a head that there is not.
    """
    chosen = list(heads)
    for head in chosen:
        if not 1 <= head <= count:
            raise ValueError(f"got head {head}; expected 1 to {count}, block by block: the last two blocks' heads.")
    return tuple(0.0 if head in chosen else None for head in range(1, count + 1))


def variants(weight: Tensor) -> dict[str, HeadWeights]:
    """Weights of every variant by its name, "without 1" … "only 1" … and "all equal", which gives each head the mean
    size of the weights.

    Args:
        weight: (heads,), as used.
    """
    values = weight.tolist()
    heads = range(1, len(values) + 1)
    found: dict[str, HeadWeights] = {}
    for head in heads:
        found[f"without {head}"] = tuple(0.0 if other == head else values[other - 1] for other in heads)
    for head in heads:
        found[f"only {head}"] = tuple(values[other - 1] if other == head else 0.0 for other in heads)
    found[EQUAL] = (float(weight.abs().mean()),) * len(values)
    return found


def variant_labels(trace: Trace) -> dict[str, dict[str, Tensor]]:
    """(H, W) label of each of `WALKED_STAGES` under every variant and as used, low background score.

    Raises: ValueError: for a method whose affinity is not learned, or a trace without the walk.
    """
    weight, _ = trace.used_affinity_head
    if not trace.config.use_walk:
        raise ValueError("the walk is left out, so no head changes anything; expected a trace with use_walk=True.")
    config, used = trace.config, present_channels(trace.image_labels)
    size = (trace.image.shape[0], trace.image.shape[1])
    weights: dict[str, HeadWeights | None] = {USED: config.head_weights, **variants(weight)}
    walked = []
    for given in weights.values():
        made = recompute(trace, dataclasses.replace(config, head_weights=given, use_par=False))
        walked.append(cams.resize(made.cam_rw[used][None], size)[0])
    image01 = trace.image.permute(2, 0, 1).float() / 255
    iterations = config.num_iters if config.use_par else 0
    refined = pseudo_label.refine_walk(  # one kernel for all
        image01, torch.stack(walked), num_iters=iterations, dilations=config.dilations, downscale=config.par_downscale
    )
    return {
        name: {"cam_rw": pseudo_label.argmax_label(before, used), "cam_par": pseudo_label.argmax_label(after, used)}
        for name, before, after in zip(weights, walked, refined, strict=True)
    }


def head_worth(trace: Trace) -> dict[str, dict[str, float]]:
    """The mIoU of one image after the walk and after PAR, "cam_rw" and "cam_par", by variant; see `variants`.

    Raises: ValueError: as `variant_labels`, and without a ground truth.
    """
    if trace.target is None:
        raise ValueError("the ground truth of this image is not known; expected a trace with a target.")
    target, classes = trace.target, len(trace.class_names)
    return {
        name: {stage: label_score(target, label, classes)["miou"] for stage, label in labels.items()}
        for name, labels in variant_labels(trace).items()
    }


class HeadWorth:
    """The same over many images, with paired intervals.

    Args:
        num_classes: K.
    """

    def __init__(self, num_classes: int) -> None:
        self.num_classes = num_classes
        self.head: tuple[list[float], list[int]] | None = None  # weights as used, and the block of each
        self.bootstrap: PairedBootstrap | None = None

    def update(self, trace: Trace) -> None:
        """Count one image. Raises: ValueError: as `variant_labels`."""
        found = variant_labels(trace)
        if self.bootstrap is None:
            names = [f"{variant} {stage}" for variant in found for stage in WALKED_STAGES]
            self.bootstrap = PairedBootstrap(names, self.num_classes)
            weight = trace.used_affinity_head[0].tolist()
            blocks: list[int] = []
            for block in reversed(trace.kept_blocks):
                if len(blocks) < len(weight):
                    blocks = [block + 1] * len(trace.logits(block)) + blocks
            self.head = weight, blocks
        assert trace.target is not None
        matrices = {
            f"{variant} {stage}": ConfusionMatrix(self.num_classes).update(trace.target, label).matrix
            for variant, labels in found.items()
            for stage, label in labels.items()
        }
        self.bootstrap.update(matrices, trace.image.numpy())

    def add(self, other: HeadWorth) -> None:
        """Count what another process counted."""
        if self.bootstrap is None:
            self.head, self.bootstrap = other.head, other.bootstrap
        elif other.bootstrap is not None:
            self.bootstrap.add(other.bootstrap)

    def data(self) -> dict[str, Any]:
        """Percent, ready for JSON: images; `used`, mIoU by stage; `all_equal` and for each of `heads` `without` and
        `only`: change against `used` by stage with its interval; block (from 1), place in it and weight of the head."""
        if self.bootstrap is None or self.head is None:
            return {"images": 0, "used": {}, "all_equal": {}, "heads": []}
        boot = self.bootstrap

        def changes(variant: str) -> dict[str, Any]:
            return {stage: _entry(boot.change(f"{USED} {stage}", f"{variant} {stage}")) for stage in WALKED_STAGES}

        weights, blocks = self.head
        heads = [
            {
                "head": number, "block": block, "place": blocks[:number].count(block), "weight": round(weight, 4),
                "without": changes(f"without {number}"), "only": changes(f"only {number}"),
            }
            for number, (weight, block) in enumerate(zip(weights, blocks, strict=True), start=1)
        ]  # fmt: skip
        used = {stage: percent(boot.interval(f"{USED} {stage}").value) for stage in WALKED_STAGES}
        return {"images": boot.images, "used": used, "all_equal": changes(EQUAL), "heads": heads}


def _entry(change: Change) -> dict[str, Any]:
    return {"change": percent(change.value), "interval": [percent(change.low), percent(change.high)]}


def worth_table(data: dict[str, Any]) -> str:
    """`HeadWorth.data` as a Markdown table: mIoU in points against the weights as used, with its interval."""

    def cell(entry: dict[str, Any]) -> str:
        low, high = entry["interval"]
        known = entry["change"] is not None
        ends = "" if low is None or high is None else f" [{low:+.1f}, {high:+.1f}]"
        return f"{entry['change']:+.1f}{ends}" if known else "–"

    rows = [
        "| head | block | weight | without it: walk | without it: PAR | alone: walk | alone: PAR |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in data["heads"]:
        cells = [cell(row[kind][stage]) for kind in ("without", "only") for stage in WALKED_STAGES]
        rows.append(
            f"| {row['head']} | {row['block']}, head {row['place']} | {row['weight']:+.2f} | {' | '.join(cells)} |"
        )
    equal = [cell(data["all_equal"][stage]) for stage in WALKED_STAGES] if data["heads"] else []
    rows += [f"| all equal | | | {' | '.join(equal)} | | |"] if equal else []
    return "\n".join(rows)
