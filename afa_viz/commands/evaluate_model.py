"""The evaluation of one checkpoint: every process scores its share, and all have the result."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from afa_viz.commands.evaluate_data import EvaluationData, default_split, open_data, require_classes

if TYPE_CHECKING:
    from afa_viz.config import ExplainConfig
    from afa_viz.evaluation import Sample, StageScores, ThresholdSweep
    from afa_viz.evaluation.head_worth import HeadWorth
    from afa_viz.evaluation.published import PublishedScores
    from afa_viz.model.interface import Network
    from afa_viz.trace import Trace
    from afa_viz.training.distributed import Processes


@dataclass(frozen=True)
class Evaluation:
    """Scores of one checkpoint. size: pixels that sandbox scenes were rendered at. long_side: pixels of the explained
    images. scores, published, sweep, heads: None where they were not asked for."""

    facts: dict[str, Any]
    data: EvaluationData
    size: int
    long_side: int
    scores: StageScores | None
    published: PublishedScores | None
    sweep: ThresholdSweep | None
    heads: HeadWorth | None

    def as_json(self) -> dict[str, Any]:
        """What `--json` writes."""
        return {**self.facts, **(self.scores.data() if self.scores else {})}


def evaluate_checkpoint(
    args: argparse.Namespace,
    source: str,
    processes: Processes,
    size: int | None = None,
    sweep: bool = False,
    without_heads: Sequence[int] = (),
) -> Evaluation:
    """Score a checkpoint on the images of the options.

    Args:
        size: of sandbox scenes in pixels; None: that of the checkpoint's card.
        sweep: also all thresholds.
        without_heads: heads of the learned affinity to leave out, from 1.
    """
    from afa_viz.config import BY_HAND, ExplainConfig
    from afa_viz.config_io import apply_settings
    from afa_viz.evaluation import ThresholdSweep, score_shards
    from afa_viz.evaluation.head_worth import HeadWorth
    from afa_viz.evaluation.published import REFERENCES, PublishedScores
    from afa_viz.model.afa import AFA
    from afa_viz.model.checkpoint import load_model
    from afa_viz.training.distributed import gather

    model = load_model(source, device=processes.device)
    if args.protocol != "stages" and not isinstance(model, AFA):
        raise ValueError(f"--protocol {args.protocol} is of AFA networks; expected --protocol stages for {source}.")
    config = apply_settings(ExplainConfig.for_model(model), args.settings)
    changed = [name for name in BY_HAND if getattr(config, name) is not None]
    if changed and args.protocol != "stages":
        raise ValueError(
            f"got {changed[0]} with --protocol {args.protocol}, which scores the method as published; expected "
            "--protocol stages."
        )
    if without_heads:
        config = _without(model, config, without_heads, source)
    if args.each_head:
        _require_learned(model, source, "--each-head")
    own_size = model.card.input_size if model.card is not None else 256
    data = open_data(args, size or own_size, processes)
    require_classes(model.card.class_names if model.card is not None else (), model.num_classes, data)
    published = PublishedScores(data.class_names, args.crf) if args.protocol != "stages" else None
    counts = ThresholdSweep(model.num_classes) if sweep else None
    heads = HeadWorth(model.num_classes) if args.each_head else None
    watching = [counter.update for counter in (counts, heads) if counter is not None]

    def watch(trace: Trace) -> None:
        for update in watching:
            update(trace)

    def counted() -> Iterator[Sample]:
        for sample in data.samples:
            if published is not None:
                assert isinstance(model, AFA)
                published.update(model, sample, config)
            yield sample

    scores = None
    if args.protocol == "published":
        for _ in counted():
            pass
    else:
        scores = score_shards(
            model, counted(), partial(gather, world_size=processes.world_size), config, args.multi_scale,
            on_trace=watch if watching else None, diagnose=True,
        )  # fmt: skip
    shares = gather((published, counts, heads, data.broken), processes.world_size)
    for share_published, share_counts, share_heads, _ in shares[1:] if processes.is_main else ():
        if published is not None and share_published is not None:
            published.add(share_published)
        if counts is not None and share_counts is not None:
            counts.add(share_counts)
        if heads is not None and share_heads is not None:
            heads.add(share_heads)
    split = default_split(args)
    facts: dict[str, Any] = {
        "checkpoint_id": model.checkpoint_id, "title": data.title, "data": args.data, "split": split,
        "recipe": " ".join(args.recipe) or "default", "settings": list(args.settings),
        "without_heads": list(without_heads),
        "skipped": [name for *_, names in shares for name in names],
    }  # fmt: skip
    if data.note:
        facts["note"] = data.note
    if published is not None:
        facts["published"] = published.data(REFERENCES.get((args.data, split), {}))
    if counts is not None:
        facts["sweep"] = counts.data()
    if heads is not None:
        facts["head_worth"] = heads.data()
    long_side = config.long_side or own_size
    return Evaluation(facts, data, size or own_size, long_side, scores, published, counts, heads)


def _require_learned(model: Network, source: str, option: str) -> int:
    """The number of heads of a learned affinity. Raises: ValueError: for a network without one."""
    head = model.affinity_head()
    if head is None:
        raise ValueError(f"{option} is of a learned affinity, which {source or 'this model'} has not; leave it out.")
    return head[0].numel()


def _without(model: Network, config: ExplainConfig, heads: Sequence[int], source: str) -> ExplainConfig:
    """The settings with heads left out. Raises: ValueError: for a head that there is not."""
    from afa_viz.evaluation.head_worth import without_heads

    try:
        silent = without_heads(_require_learned(model, source, "--without-head"), heads)
    except ValueError as error:
        raise ValueError(f"--without-head: {error}") from None
    given = config.head_weights or (None,) * len(silent)
    if len(given) != len(silent):
        return config  # `explain` says what is wrong with them
    return dataclasses.replace(
        config, head_weights=tuple(old if new is None else new for old, new in zip(given, silent, strict=True))
    )


def tables_text(args: argparse.Namespace, found: Evaluation) -> str:
    """Every table of an evaluation for reading; each names data set, split and number of images."""
    from afa_viz.data.text_files import format_count
    from afa_viz.evaluation.published import REFERENCES
    from afa_viz.evaluation.sweep import WARNING

    references = REFERENCES.get((args.data, found.facts["split"]), {})
    title, scores, skipped = found.data.title, found.scores, found.facts["skipped"]
    blocks = [f"note: {found.data.note}"] if found.data.note else []
    if found.published is not None:
        images = format_count(found.published.images, "image")
        head = f"IoU in percent, {title}, {images}, by the published protocols"
        blocks.append(f"{head}\n{found.published.table(references)}")
    if scores is not None:
        summary, images = scores.summary(), f"{title}, {format_count(len(scores.logits), 'image')}"
        blocks.append(
            f"Scores by stage in percent, {images} at the size that is explained ({found.long_side} pixels); all but "
            "seg are given the image labels"
        )
        blocks.append(scores.table())
        labels = f"mAP {summary['map']:.1f}   F1 {summary['f1']:.1f}   uncertain {summary['uncertain']:.1f}"
        if "pseudo_label" in references:
            published = references["pseudo_label"]
            labels += f"\npublished pseudo_label {published.miou}: {published.source}"
        blocks.append(labels)
        if scores.has_parts():
            head = f"Share in percent of the pixels of each part that has the right class, {images}"
            blocks.append(f"{head}\n{scores.part_table()}")
        if args.by == "context":
            head = "mIoU by context, and the share of its heads that has the right class, in percent; (scenes)"
            blocks.append(f"{head}\n{scores.context_table()}")
    if found.sweep is not None:
        images = format_count(found.sweep.images, "image")
        blocks += [f"Thresholds, {title}, {images}\n{found.sweep.table()}", WARNING]
    if found.heads is not None:
        from afa_viz.evaluation.head_worth import worth_table

        worth = found.heads.data()
        head = (
            f"What each head is worth, {title}, {format_count(worth['images'], 'image')}: change of the mIoU in "
            "points, with its 95 % interval"
        )
        blocks.append(f"{head}\n\n{worth_table(worth)}")
    if skipped:
        blocks.append(f"skipped {len(skipped)} of {found.data.count} images that cannot be read: {', '.join(skipped)}")
    return "\n\n".join(blocks)


def write_table_files(data: dict[str, Any], class_names: tuple[str, ...], folder: str) -> list[Path]:
    """`--tables`: CSV files, and charts of each confusion matrix and of the affinity's calibration."""
    from afa_viz.data.text_files import format_count
    from afa_viz.evaluation.csv_tables import confusion_matrices, write_tables
    from afa_viz.figures.calibration import calibration_chart
    from afa_viz.figures.charts import save_figure
    from afa_viz.figures.confusion import confusion_chart

    written = write_tables(data, folder, class_names)
    for stage, counts in confusion_matrices(data).items():
        images = data.get("images", data.get("published", {}).get("images"))
        title = f"{stage.replace('_', ' ')}, {data['title']}, {format_count(images, 'image')}"
        chart = confusion_chart(counts, class_names, title)
        written.append(save_figure(chart, Path(folder) / f"confusion_{stage}.png"))
    if "affinity_calibration" in data:
        where = f"{data['title']}, {format_count(data['images'], 'image')}"
        chart = calibration_chart(data["affinity_calibration"], where)
        written.append(save_figure(chart, Path(folder) / "affinity_calibration.png"))
    return written
