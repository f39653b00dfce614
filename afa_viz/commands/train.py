"""`python -m afa_viz train`: a run in a folder, resumable, with logs and checkpoints."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from afa_viz.config import PRESETS, QUICK, at_length

if TYPE_CHECKING:
    from afa_viz.config import TrainConfig
    from afa_viz.evaluation import Sample
    from afa_viz.training.batches import ImageSet
    from afa_viz.training.loop import Run
    from afa_viz.training.status import Reporter

SINGLE_IMAGES = 6000  # rendered for the single-object part of the sandbox curriculum
AT_LADDERS = "ladders"
SHOWN = (14, 8, 19)  # scenes of the val split on the panel: an aeroplane, a boat, a cow


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    parser.add_argument("--config", default="sandbox", help=f"name of a preset: {', '.join(PRESETS)}")
    parser.add_argument("--out", default="runs/sandbox", help="folder of the run (default: runs/sandbox)")
    parser.add_argument(
        "--set", dest="settings", nargs="+", action="extend", default=[], metavar="KEY=VALUE", help="change a setting"
    )
    parser.add_argument("--iterations", type=int, help="the whole recipe in so many steps, each part in proportion")
    parser.add_argument("--resume", action="store_true", help="go on with the run in --out")
    parser.add_argument("--init", metavar="C", help="checkpoint whose weights a new run begins with")
    parser.add_argument("--cache", default="cache", help="where rendered images are kept (default: cache)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default: auto)")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0 leaves the choice to torch")
    parser.add_argument("--until", type=int, default=None, help="stop after this iteration, to go on later")
    parser.add_argument("--eval-every", type=int, help="iterations between two ladders (default: 8 a run, at most 500)")
    parser.add_argument("--eval-images", type=int, help="scenes of the val split in a ladder (default: 24 or 50)")
    parser.add_argument(
        "--snapshots", default="", help=f"iterations at which weights are kept, like 100,400,900, or {AT_LADDERS!r}"
    )


def run(args: argparse.Namespace) -> int:
    """Train as the options say; returns the exit code."""
    from afa_viz.training.status import reported  # before torch: who looks from outside knows at once

    with reported(args.out, first=os.environ.get("RANK", "0") == "0") as reporter:
        done = _train(args, reporter)
    if done is not None:
        print(json.dumps(done, indent=2))
    return 0


def _train(args: argparse.Namespace, reporter: Reporter) -> dict[str, Any] | None:
    """The run; its numbers on the first process."""
    import torch

    from afa_viz.classes import SANDBOX_CLASSES
    from afa_viz.settings import apply_settings
    from afa_viz.training import distributed
    from afa_viz.training.batches import SandboxBatches
    from afa_viz.training.loop import Run

    if args.config not in ("sandbox", *QUICK):
        raise ValueError(
            f"--config is {args.config!r}; expected one of sandbox, {', '.join(QUICK)}: others need their data sets."
        )
    config = apply_settings(PRESETS[args.config], args.settings)
    if args.iterations is not None:
        config = at_length(config, args.iterations)
    short = config.max_iters < 2000
    eval_every = args.eval_every or max(1, min(500, -(-config.max_iters // 8)))
    if args.threads:
        torch.set_num_threads(args.threads)
    processes = distributed.start(args.device)
    try:
        with distributed.first_goes_ahead(processes):  # renders what the others then read
            data, samples = _sandbox(config, args.eval_images or (24 if short else 50), args.cache, reporter)
        reporter.say("training")
        at_ladders = args.snapshots == AT_LADDERS
        training = Run(
            config, SandboxBatches(data, config.rng_seed), args.out, SANDBOX_CLASSES, samples,
            resume=args.resume, processes=processes, eval_every=eval_every, init=args.init,
            evaluated=_show(config, at_ladders),
            snapshots=() if at_ladders else tuple(int(n) for n in args.snapshots.split(",") if n),
        )  # fmt: skip
        if processes.first and training.iteration == 0:
            training.ladder()
        try:
            training.run(until=args.until)
        except KeyboardInterrupt:
            if at_ladders and processes.first:
                training.snapshot()
            raise
        if not processes.first:
            return None
        scores = training.evaluate()
        training.export(training.folder / "model.safetensors", scores)
        text = json.dumps(dataclasses.asdict(config), indent=2)
        (training.folder / "config.json").write_text(text, encoding="utf-8")
        reporter.say("finished" if training.iteration == config.max_iters else "stopped")
        return {"iterations": training.iteration, "seconds": round(training.seconds), **scores}
    finally:
        distributed.stop()


def _sandbox(
    config: TrainConfig, count: int, cache: str, reporter: Reporter
) -> tuple[dict[tuple[bool, int], ImageSet], Callable[[], Iterator[Sample]]]:
    """Rendered training images by (single_objects, image_size), and validation scenes; each kept for the next run."""
    from afa_viz.data.sandbox import SandboxDataset, load_split, render_split
    from afa_viz.evaluation import Sample
    from afa_viz.training.batches import ImageSet
    from afa_viz.training.loop import parts_of

    kinds = sorted({(part.single_objects, part.image_size) for part in parts_of(config)}, reverse=True)
    counts = {kind: min(SINGLE_IMAGES, 2 * config.train_images) if kind[0] else config.train_images for kind in kinds}
    whole, before = sum(counts.values()), 0
    data = {}
    for (single, size), number in counts.items():

        def watch(done: int, before: int = before) -> None:
            reporter.say("rendering", before + done, whole)

        watch(0)
        arrays = load_split(render_split("train", number, size, single=single, cache_dir=cache, watch=watch))
        data[single, size] = ImageSet(arrays["images"], arrays["labels"])
        before += number
    scenes = SandboxDataset("val", count, size=config.input_size, cache_dir=cache)

    def samples() -> Iterator[Sample]:
        return (Sample(s.image, s.image_labels, s.mask, s.parts) for s in (scenes[i] for i in range(len(scenes))))

    return data, samples


def _show(config: TrainConfig, keep: bool) -> Callable[[Run], None]:
    """What is done after each ladder: curves and a panel of fixed images; with `keep` the weights stay too."""
    from afa_viz.data.sandbox import render_scene
    from afa_viz.explain import explain
    from afa_viz.figures.panel import write_panel
    from afa_viz.figures.training import write_training_plot
    from afa_viz.training.records import read_metrics

    scenes = [render_scene("val", index, config.input_size) for index in SHOWN]

    def show(training: Run) -> None:
        model, folder = training.shown, training.folder
        model.eval()
        traces = [explain(model, s.image, s.image_labels, config.explain, target=s.mask) for s in scenes]
        write_panel(traces, folder / "panels" / f"iter_{training.iteration:06d}.jpg")
        if keep:
            training.snapshot()
        if not keep or training.iteration == config.max_iters:  # the page draws its own curves meanwhile
            write_training_plot(read_metrics(folder), folder / "training.png")

    return show
