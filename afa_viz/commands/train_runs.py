"""The runs that `train` starts: on photographs, and on scenes of the sandbox."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from afa_viz.commands.evaluate_data import split_note
from afa_viz.commands.outputs import require_folder

if TYPE_CHECKING:
    from afa_viz.config import TrainConfig
    from afa_viz.evaluation import Sample
    from afa_viz.training.distributed import Processes
    from afa_viz.training.loop import Run
    from afa_viz.training.status import Reporter

SINGLE_IMAGES = 6000  # rendered for the single-object stage of the sandbox curriculum
PANEL_SCENES = (14, 8, 19)  # scenes of the val split on the panel: an aeroplane, a boat, a cow
NUM_EVALUATIONS = {"voc": 10, "coco": 16, "folder": 10}  # data set -> evaluations per run; docs/spec.md section 12


def photograph_run(
    args: argparse.Namespace, preset: str, config: TrainConfig, processes: Processes, opened: contextlib.ExitStack
) -> Run:
    """A run on a data set of photographs; `opened` stops the prefetching threads on exit."""
    from afa_viz.training.loop import Run
    from afa_viz.training.training_data import open_photographs

    source = open_photographs(
        preset, config, args.root, split=args.split, labels=args.labels, eval_images=args.eval_images or 100,
        threads=args.readers,
    )  # fmt: skip
    opened.callback(source.batches.close)
    note = split_note(preset, args.split or "train_aug", source.class_names, source.facts["images"])
    if note.startswith("train (") and processes.is_main:
        print(f"afa_viz: note: {note}", file=sys.stderr, flush=True)
    return Run(
        source.config, source.batches, args.out, source.class_names, source.samples, facts=source.facts,
        scored_on=source.scored_on,
        resume=args.resume, processes=processes, init=args.init,
        eval_every=args.eval_every or max(1, config.max_iters // NUM_EVALUATIONS[preset]),
        on_evaluated=_after_evaluation(source.panel_samples, args), snapshots=args.snapshots or (),
    )  # fmt: skip


def scene_run(args: argparse.Namespace, config: TrainConfig, processes: Processes, reporter: Reporter) -> Run:
    """A run on scenes of the sandbox, rendered by rank 0 and cached for later runs."""
    from afa_viz.classes import SANDBOX_CLASSES
    from afa_viz.data.sandbox import (
        RENDER_VERSION,
        SandboxDataset,
        load_split,
        render_scene,
        render_split,
        require_scenes,
    )
    from afa_viz.evaluation import Sample
    from afa_viz.training.batches import ImageSet, SandboxBatches
    from afa_viz.training.curriculum import curriculum_stages
    from afa_viz.training.distributed import rank_zero_first
    from afa_viz.training.loop import Run
    from afa_viz.training.resume import require_resumable
    from afa_viz.training.train_state import build_model

    facts = {"data": "sandbox train", "images": config.train_images, "renderer": RENDER_VERSION}
    if config.num_classes != len(SANDBOX_CLASSES):
        raise ValueError(
            f"num_classes is {config.num_classes} but the sandbox has {len(SANDBOX_CLASSES)}, background included; "
            "expected the same number: leave it out."
        )
    require_folder(args.cache, "--cache")
    build_model(config)  # unknown names and numbers fail before scenes are rendered
    with rank_zero_first(processes):
        require_resumable(Path(args.out), config, SANDBOX_CLASSES, facts)
    kinds = sorted({(part.single_objects, part.image_size) for part in curriculum_stages(config)}, reverse=True)
    counts = {kind: min(SINGLE_IMAGES, 2 * config.train_images) if kind[0] else config.train_images for kind in kinds}
    evaluated = args.eval_images or (24 if config.max_iters < 2000 else 50)
    for split, number, size in (("val", evaluated, config.input_size), *(("train", counts[k], k[1]) for k in kinds)):
        require_scenes(split, number, size)
    whole, before = sum(counts.values()), 0
    data = {}
    with rank_zero_first(processes):
        for (single, size), number in counts.items():

            def watch(done: int, before: int = before) -> None:
                reporter.update("rendering", before + done, whole)

            watch(0)
            arrays = load_split(
                render_split("train", number, size, single=single, cache_dir=args.cache, on_progress=watch)
            )
            data[single, size] = ImageSet(arrays["images"], arrays["labels"])
            before += number
        scenes = SandboxDataset("val", evaluated, size=config.input_size, cache_dir=args.cache)

    def samples(shard: tuple[int, int]) -> Iterator[Sample]:
        chosen = (scenes[i] for i in range(shard[0], len(scenes), shard[1]))
        return (Sample(s.image, s.image_labels, s.mask, s.parts) for s in chosen)

    panel = [render_scene("val", index, config.input_size) for index in PANEL_SCENES] if processes.is_main else []
    return Run(
        config, SandboxBatches(data, config.rng_seed), args.out, SANDBOX_CLASSES, samples, facts=facts,
        scored_on="sandbox val",
        resume=args.resume, processes=processes, init=args.init,
        eval_every=args.eval_every or max(1, min(500, -(-config.max_iters // 8))),
        on_evaluated=_after_evaluation([Sample(s.image, s.image_labels, s.mask) for s in panel], args),
        snapshots=args.snapshots or (),
    )  # fmt: skip


def _after_evaluation(samples: Sequence[Sample], args: argparse.Namespace) -> Callable[[Run], None]:
    """Callback after each evaluation: curves, a panel of fixed images; with `--snapshots evaluations` also a
    snapshot."""
    from afa_viz.figures.panel import write_panel
    from afa_viz.figures.training import write_training_plot
    from afa_viz.pipeline import explain
    from afa_viz.training.records import read_metrics

    def show(training: Run) -> None:
        model, folder, keep = training.eval_model, training.folder, args.snapshots is None
        model.eval()
        traces = [explain(model, s.image, s.image_labels, training.config.explain, target=s.target) for s in samples]
        if traces:
            write_panel(traces, folder / "panels" / f"iter_{training.iteration:06d}.jpg")
        if keep:
            training.snapshot()
        if not keep or training.iteration == training.config.max_iters:  # the app draws its own curves meanwhile
            write_training_plot(read_metrics(folder), folder / "training.png")

    return show
