"""`python -m afa_viz train`: a run in a folder, resumable, with logs and checkpoints."""

from __future__ import annotations

import argparse
import dataclasses
import json
import signal

SINGLE_IMAGES = 6000  # rendered for the single-object part of the sandbox curriculum


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    parser.add_argument("--config", default="sandbox", help="name of a preset: sandbox (default)")
    parser.add_argument("--out", default="runs/sandbox", help="folder of the run (default: runs/sandbox)")
    parser.add_argument(
        "--set", dest="settings", nargs="+", action="extend", default=[], metavar="KEY=VALUE", help="change a setting"
    )
    parser.add_argument("--resume", action="store_true", help="go on with the run in --out")
    parser.add_argument("--init", metavar="C", help="checkpoint whose weights a new run begins with")
    parser.add_argument("--cache", default="cache", help="where rendered images are kept (default: cache)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default: auto)")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0 leaves the choice to torch")
    parser.add_argument("--until", type=int, default=None, help="stop after this iteration, to go on later")
    parser.add_argument("--eval-every", type=int, default=500, help="iterations between two ladders (default: 500)")
    parser.add_argument("--eval-images", type=int, default=50, help="scenes of the val split in a ladder (default: 50)")
    parser.add_argument("--snapshots", default="", help="iterations at which weights are kept, like 100,400,900")


def run(args: argparse.Namespace) -> int:
    """Train as the options say; returns the exit code."""
    import torch

    from afa_viz.classes import SANDBOX_CLASSES
    from afa_viz.config import PRESETS
    from afa_viz.data.sandbox import SandboxDataset, load_split, render_split
    from afa_viz.evaluation import Sample
    from afa_viz.figures.training import write_training_plot
    from afa_viz.settings import apply_settings
    from afa_viz.training import distributed
    from afa_viz.training.batches import ImageSet, SandboxBatches
    from afa_viz.training.loop import Run, parts_of
    from afa_viz.training.records import read_metrics

    if args.config != "sandbox":
        raise ValueError(f"--config is {args.config!r}; expected sandbox: the other presets need their data sets.")
    config = apply_settings(PRESETS[args.config], args.settings)
    if args.threads:
        torch.set_num_threads(args.threads)
    processes = distributed.start(args.device)
    try:
        with distributed.first_goes_ahead(processes):  # renders what the others then read
            data = {}
            for single, size in sorted({(p.single_objects, p.image_size) for p in parts_of(config)}, reverse=True):
                count = min(SINGLE_IMAGES, 2 * config.train_images) if single else config.train_images
                arrays = load_split(render_split("train", count, size, single=single, cache_dir=args.cache))
                data[single, size] = ImageSet(arrays["images"], arrays["labels"])
            scenes = SandboxDataset("val", args.eval_images, size=config.input_size, cache_dir=args.cache)

        def samples():
            return (Sample(s.image, s.image_labels, s.mask, s.parts) for s in (scenes[i] for i in range(len(scenes))))

        def draw(training: Run) -> None:
            write_training_plot(read_metrics(training.folder), training.folder / "training.png")

        training = Run(
            config, SandboxBatches(data, config.rng_seed), args.out, SANDBOX_CLASSES, samples, resume=args.resume,
            processes=processes, eval_every=args.eval_every, init=args.init, evaluated=draw,
            snapshots=tuple(int(n) for n in args.snapshots.split(",") if n),
        )  # fmt: skip
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends like Ctrl-C: the run saves itself first
        training.run(until=args.until)
        if processes.first:
            scores = training.evaluate()
            training.export(training.folder / "model.safetensors", scores)
            text = json.dumps(dataclasses.asdict(config), indent=2)
            (training.folder / "config.json").write_text(text, encoding="utf-8")
            done = {"iterations": training.iteration, "seconds": round(training.seconds), **scores}
            print(json.dumps(done, indent=2))
    finally:
        distributed.stop()
    return 0
