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
    from afa_viz.settings import apply_settings
    from afa_viz.training.batches import ImageSet
    from afa_viz.training.loop import Run, parts_of

    if args.config != "sandbox":
        raise ValueError(f"--config is {args.config!r}; expected sandbox: the other presets need their data sets.")
    config = apply_settings(PRESETS[args.config], args.settings)
    if args.threads:
        torch.set_num_threads(args.threads)
    device = ("cuda" if torch.cuda.is_available() else "cpu") if args.device == "auto" else args.device
    data = {}
    for single, size in sorted({(part.single_objects, part.image_size) for part in parts_of(config)}, reverse=True):
        count = min(SINGLE_IMAGES, 2 * config.train_images) if single else config.train_images
        arrays = load_split(render_split("train", count, size, single=single, cache_dir=args.cache))
        data[single, size] = ImageSet(arrays["images"], arrays["labels"])
    scenes = SandboxDataset("val", args.eval_images, size=256, cache_dir=args.cache)

    def samples():
        return (Sample(s.image, s.image_labels, s.mask) for s in (scenes[i] for i in range(len(scenes))))

    training = Run(
        config, data, args.out, SANDBOX_CLASSES, samples, resume=args.resume, device=device,
        eval_every=args.eval_every, snapshots=tuple(int(n) for n in args.snapshots.split(",") if n),
        init=args.init,
    )  # fmt: skip
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends like Ctrl-C: the run saves itself first
    training.run(until=args.until)
    scores = training.evaluate()
    training.export(training.folder / "model.safetensors", scores)
    print(json.dumps({"iterations": training.iteration, "seconds": round(training.seconds), **scores}, indent=2))
    (training.folder / "config.json").write_text(json.dumps(dataclasses.asdict(config), indent=2), encoding="utf-8")
    return 0
