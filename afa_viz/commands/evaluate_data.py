"""The images that `evaluate` scores, and what is said about them."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from afa_viz.evaluation import Sample
    from afa_viz.training.distributed import Processes

SCENES = 400  # sandbox scenes without --limit


@dataclass(frozen=True)
class EvaluationData:
    """title: data set and split. samples: of this process, behind a progress bar. count: of all processes. broken:
    names of images that were skipped. note: what must be known about the split, or ""."""

    title: str
    class_names: tuple[str, ...]
    samples: Iterable[Sample]
    count: int
    broken: list[str]
    note: str = ""


def default_split(args: argparse.Namespace) -> str:
    """The split to score: that of the options, else "test" of the sandbox and "val" of photographs."""
    return args.split or ("test" if args.data == "sandbox" else "val")


def open_data(args: argparse.Namespace, size: int, processes: Processes) -> EvaluationData:
    """The images of the options: scenes of the sandbox at `size` pixels, or photographs at their own sizes."""
    split = default_split(args)
    return _scenes(args, split, size, processes) if args.data == "sandbox" else _photographs(args, split, processes)


def split_note(data: str, split: str, classes: Sequence[str], count: int) -> str:
    """A sentence about VOC's two training splits, whose scores are easily mixed up; "" for everything else."""
    from afa_viz.classes import VOC_CLASSES
    from afa_viz.data.voc import SIZES

    name = split.removesuffix(".txt").replace("trainaug", "train_aug")
    if data != "voc" or tuple(classes) != VOC_CLASSES or name not in ("train", "train_aug"):
        return ""
    other = "train_aug" if name == "train" else "train"
    use = {"train": "is what papers score pseudo labels on", "train_aug": "is what they train on, with SBD's masks"}
    return (
        f"{name} ({count:,} images here, {SIZES[name]:,} published) {use[name]}; {other} ({SIZES[other]:,}) "
        f"{use[other]}: scores of the two are not comparable."
    )


def require_classes(names: Sequence[str], count: int, data: EvaluationData) -> None:
    """Raise ValueError unless a checkpoint has the classes of the data, in their order.

    Args:
        names: of the checkpoint's classes; count: of them, background included.
    """
    advice = "expected the same: evaluate a checkpoint that was trained on this data."
    if count != len(data.class_names):
        raise ValueError(
            f"the checkpoint has {count - 1} classes but {data.title} has {len(data.class_names) - 1}; {advice}"
        )
    for ours, theirs in zip(names, data.class_names, strict=False):
        if ours != theirs:
            raise ValueError(f"the checkpoint has a class {ours!r} where {data.title} has {theirs!r}; {advice}")


def _scenes(args: argparse.Namespace, split: str, size: int, processes: Processes) -> EvaluationData:
    """Scenes of the sandbox, rendered once and cached."""
    from afa_viz.classes import SANDBOX_CLASSES
    from afa_viz.data.sandbox import SandboxDataset, read_recipe
    from afa_viz.evaluation import Sample
    from afa_viz.progress import progress
    from afa_viz.training.distributed import rank_zero_first

    with rank_zero_first(processes):
        scenes = SandboxDataset(
            split, args.limit or SCENES, size=size, recipe=read_recipe(args.recipe), cache_dir=args.cache
        )

    def samples() -> Iterator[Sample]:
        chosen = range(*processes.shard_range(len(scenes)))
        for i in progress(chosen, desc="explain", unit="image", disable=not processes.is_main):
            s = scenes[i]
            yield Sample(s.image, s.image_labels, s.mask, s.parts, s.context)

    return EvaluationData(f"sandbox {split}", SANDBOX_CLASSES, samples(), len(scenes), [])


def _photographs(args: argparse.Namespace, split: str, processes: Processes) -> EvaluationData:
    """Photographs of a data set that have a mask."""
    from afa_viz.data.registry import open_images
    from afa_viz.evaluation.photographs import evenly_spaced, photograph_samples
    from afa_viz.progress import progress

    images = open_images(args.data, args.root, split, args.labels)
    masked = [i for i in range(len(images)) if images.has_mask(i)]
    if not masked:
        raise ValueError(f"{images.title} has no mask; expected masks to score against: see `data check {args.data}`.")
    chosen = [masked[i] for i in evenly_spaced(len(masked), args.limit)]
    mine = [chosen[i] for i in range(*processes.shard_range(len(chosen)))]
    broken: list[str] = []

    def samples() -> Iterator[Sample]:
        bar = progress(mine, desc="explain", unit="image", disable=not processes.is_main)
        yield from photograph_samples(images, bar, broken)

    title = images.title if len(masked) == len(images) else f"{images.title} ({len(images) - len(masked)} without mask)"
    note = split_note(args.data, split, images.class_names, len(images))
    return EvaluationData(title, images.class_names, samples(), len(chosen), broken, note)
