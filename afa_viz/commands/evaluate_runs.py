"""`evaluate --runs`: mean and standard deviation over runs; `--against`: the paired difference of two checkpoints."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from afa_viz.commands.evaluate_data import SCENES, default_split, open_data
from afa_viz.commands.evaluate_model import Evaluation, evaluate_checkpoint, tables_text

if TYPE_CHECKING:
    from afa_viz.training.distributed import Processes


@dataclass(frozen=True)
class Report:
    """What one call of `evaluate` found: data for JSON, text for reading, names of the classes."""

    data: dict[str, Any]
    text: str
    class_names: tuple[str, ...]


def require_sources(args: argparse.Namespace) -> None:
    """Raise FileNotFoundError or ValueError for a checkpoint or file of scores that cannot be read, before the first
    one is scored. What lies on a hub is found when it is loaded."""
    from afa_viz.model.sources import checkpoint_files
    from afa_viz.model.weight_files import read_weights

    for source in filter(None, [args.against, *(args.runs or [])]):
        if args.runs and source.endswith(".json"):
            read_evaluation(source)
        elif ":" not in source:
            read_weights(checkpoint_files(source)[0])
    if args.runs:
        _require_comparable(args, {})


def _require_comparable(args: argparse.Namespace, found: Mapping[str, Any]) -> None:
    """Raise ValueError if files of scores differ from each other, or from what the options ask of checkpoints.

    Args:
        found: what is known of the images of the options, by the names of `comparison.FACTS`.
    """
    from afa_viz.evaluation.comparison import require_comparable, scored_on, scored_with

    are_files = [source.endswith(".json") for source in args.runs]
    asked = {
        "data": args.data, "split": default_split(args), "recipe": " ".join(args.recipe) or "default",
        **scored_with(args.settings, args.without_head), **found,
    }  # fmt: skip
    if args.data == "sandbox":
        asked["images"] = args.limit or SCENES
    runs = zip(args.runs, are_files, strict=True)
    require_comparable([scored_on(read_evaluation(source)) if is_file else asked for source, is_file in runs])
    given = {
        "--set": args.settings, "--without-head": args.without_head, "--split": args.split, "--limit": args.limit,
        "--recipe": args.recipe, "--root": args.root, "--labels": args.labels != "auto",
        "--data": args.data != "sandbox",
    }  # fmt: skip
    if all(are_files) and (ignored := [option for option, asked in given.items() if asked]):
        raise ValueError(
            f"{ignored[0]} is of checkpoints, and every run is a file of scores; expected a checkpoint, or leave it "
            "out."
        )


def single(args: argparse.Namespace, processes: Processes) -> Report:
    """One checkpoint."""
    found = evaluate_checkpoint(args, args.checkpoint, processes, sweep=args.sweep, without_heads=args.without_head)
    return Report(found.as_json(), tables_text(args, found), found.data.class_names)


def compare_with(args: argparse.Namespace, processes: Processes) -> Report:
    """One checkpoint, and its difference from another one on the same images."""
    from afa_viz.data.text_files import format_count
    from afa_viz.evaluation.comparison import differences_text, paired_differences
    from afa_viz.stage_scores import PARTIAL_LABELS

    one = evaluate_checkpoint(args, args.checkpoint, processes, sweep=args.sweep, without_heads=args.without_head)
    other = evaluate_checkpoint(args, args.against, processes, size=one.size)
    images, rows = 0, list[dict[str, Any]]()
    for prefix, pair in (("published_", _of_passes(one, other)), ("", _of_stages(one, other))):
        if pair is not None:
            images, rows = pair[0].images, rows + paired_differences(*pair, prefix)
    rows = [row for row in rows if row["stage"] not in PARTIAL_LABELS]  # they cover other pixels in each model
    data = {
        "checkpoint": args.against, "checkpoint_id": other.facts["checkpoint_id"], "images": images, "rows": rows,
    }  # fmt: skip
    title = (
        f"mIoU in percent of {args.checkpoint or 'the bundled model'} against {args.against}, {one.data.title}, "
        f"{format_count(images, 'image')}; the interval holds 95 % of a paired bootstrap over them"
    )
    text = f"{tables_text(args, one)}\n\n{differences_text(title, rows)}"
    return Report(one.as_json() | {"against": data}, text, one.data.class_names)


def _of_passes(one: Evaluation, other: Evaluation) -> tuple[Any, Any] | None:
    return None if one.published is None or other.published is None else (
        one.published.bootstrap, other.published.bootstrap)  # fmt: skip


def _of_stages(one: Evaluation, other: Evaluation) -> tuple[Any, Any] | None:
    if one.scores is None or other.scores is None:
        return None
    return one.scores.bootstrap, other.scores.bootstrap


def compare_runs(args: argparse.Namespace, processes: Processes) -> Report:
    """Several checkpoints, or JSON files of earlier evaluations: mean and standard deviation of every score."""
    from afa_viz.evaluation.comparison import runs_text, summarise_runs

    if args.data != "sandbox" and len({source.endswith(".json") for source in args.runs}) > 1:
        images = open_data(args, 0, processes)
        _require_comparable(args, {"title": images.title, "classes": list(images.class_names)})
    evaluations: list[dict[str, Any]] = []
    size: int | None = None
    for source in args.runs:
        if source.endswith(".json"):
            evaluations.append(read_evaluation(source))
        else:
            found = evaluate_checkpoint(args, source, processes, size=size, without_heads=args.without_head)
            size = found.size
            evaluations.append(found.as_json())
    summary = summarise_runs(evaluations)
    text = "\n".join([
        runs_text(summary),
        *(f"  run {i}: {source}" for i, source in enumerate(args.runs, 1)),
    ])  # fmt: skip
    data = {"runs": {"sources": list(args.runs), **summary}, "evaluations": evaluations}
    return Report(data, text, ())


def read_evaluation(path: str) -> dict[str, Any]:
    """A JSON file of `evaluate --json`. Raises: ValueError or FileNotFoundError: if it is none."""
    from afa_viz.evaluation.comparison import summarise_runs
    from afa_viz.structured_text import parse_json, read_text

    if not Path(path).is_file():
        raise FileNotFoundError(f"there is no {path}; expected a file of `evaluate --json`, or a checkpoint.")
    try:
        data = parse_json(read_text(Path(path)))
    except ValueError as error:
        raise ValueError(f"{path} is not JSON ({error}); expected a file of `evaluate --json`.") from None
    if not isinstance(data, dict) or not ("summary" in data or "published" in data):
        raise ValueError(f"{path} holds no scores of a checkpoint; expected a file of `evaluate --json`.")
    try:
        summarise_runs([data, data])
    except Exception as error:  # a file that was changed may hold anything
        raise ValueError(f"{path} holds scores of another form; expected a file of `evaluate --json`.") from error
    return data
