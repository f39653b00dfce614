"""Scores of a run on its evaluation samples, by stage and class; each process scores its share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial

from afa_viz.config import ExplainConfig
from afa_viz.evaluation import Sample, score_shards
from afa_viz.model.afa import AFA
from afa_viz.training.distributed import Processes, gather

Samples = Callable[[tuple[int, int]], Iterable[Sample]]


@dataclass(frozen=True)
class RunScores:
    """Scores at one iteration, in percent.

    Attributes:
        iteration: -1 before the first evaluation.
        summary: mIoU by stage, mAP, F1 and others; see `StageScores.summary`.
        by_class: "iou_STAGE/CLASS" -> IoU, without classes that were not there.
        scored_on: data set, split and number of images, such as "sandbox val, 24 images".
    """

    iteration: int = -1
    summary: dict[str, float] = field(default_factory=dict)
    by_class: dict[str, float] = field(default_factory=dict)
    scored_on: str = ""


def score_run(
    model: AFA, samples: Samples, title: str, iteration: int, config: ExplainConfig, processes: Processes
) -> RunScores:
    """Score a network; every process must call it.

    Args:
        model: with its card; put into evaluation mode.
        samples: (rank, world_size) -> the samples of that process.
        title: data set and split of the samples.
        config: settings of the stages.
    """
    model.eval()
    found = score_shards(
        model, samples(processes.shard), partial(gather, world_size=processes.world_size), config
    )  # fmt: skip
    by_class = {
        f"iou_{stage}/{name}": round(100 * value, 2)
        for stage, scores in found.scores().items()
        for name, value in zip(found.class_names, scores.iou.tolist(), strict=True)
        if value == value
    }
    images = len(found.logits)
    where = f"{title}, {images} image{'' if images == 1 else 's'}".removeprefix(", ")
    return RunScores(iteration, found.summary(), by_class, where)
