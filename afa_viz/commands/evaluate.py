"""`evaluate`: scores every stage on a data set, by class, part and context; thresholds and plots on request."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--checkpoint", default="checkpoints/sandbox", help="weights (default: checkpoints/sandbox)")
    parser.add_argument("--data", default="sandbox", choices=["sandbox"], help="data set (default: sandbox)")
    parser.add_argument("--split", default="test", choices=["train", "val", "test"], help="(default: test)")
    parser.add_argument("--limit", type=int, default=400, help="images at most (default: 400)")
    parser.add_argument(
        "--recipe", nargs="+", action="extend", default=[], metavar="WORD",
        help="of the sandbox: a preset like hard, knobs like cooc=0.9, or both",
    )  # fmt: skip
    parser.add_argument(
        "--set", dest="settings", nargs="+", action="extend", default=[], metavar="KEY=VALUE", help="see explain"
    )
    parser.add_argument("--multi-scale", action="store_true", help="also the decoder over three scales and flips")
    parser.add_argument("--by", choices=["context"], help="also a table of the scenes of each kind")
    parser.add_argument("--sweep", action="store_true", help="also the CAM and the pseudo label over all thresholds")
    parser.add_argument("--json", default=None, metavar="F", help="write all scores to this file")
    parser.add_argument("--plots", default=None, metavar="DIR", help="write plots of all scores to this folder")
    parser.add_argument("--cache", default="cache", help="where rendered images are kept (default: cache)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default: auto)")


def run(args: argparse.Namespace) -> int:
    """Score every stage on a data set and print the ladder; returns the exit code."""
    if args.limit < 1:
        raise ValueError(f"--limit is {args.limit}; expected at least 1 image.")
    from tqdm import tqdm

    from afa_viz.config import ExplainConfig
    from afa_viz.data.sandbox import SandboxDataset, read_recipe
    from afa_viz.evaluation import Sample, ThresholdSweep, evaluate_samples, write_scores
    from afa_viz.evaluation.sweep import WARNING
    from afa_viz.model.checkpoint import load_model
    from afa_viz.settings import apply_settings

    recipe, config = read_recipe(args.recipe), apply_settings(ExplainConfig(), args.settings)
    model = load_model(args.checkpoint, device=args.device)
    size = model.card.input_size if model.card is not None else 256
    scenes = SandboxDataset(args.split, args.limit, size=size, recipe=recipe, cache_dir=args.cache)
    if model.num_fg_classes != len(scenes[0].image_labels):
        raise ValueError(
            f"the checkpoint knows {model.num_fg_classes} classes but the sandbox has {len(scenes[0].image_labels)}; "
            "evaluate a checkpoint that was trained on the sandbox."
        )
    bar = tqdm(range(len(scenes)), desc="explain", unit="image")
    samples = (Sample(s.image, s.image_labels, s.mask, s.parts, s.context) for s in (scenes[i] for i in bar))
    sweep = ThresholdSweep(model.num_classes) if args.sweep else None
    ladder = evaluate_samples(model, samples, config, args.multi_scale, watch=sweep.update if sweep else None)
    summary = ladder.summary()
    print(f"IoU in percent, sandbox {args.split}, {len(scenes)} images; stages before seg know the image labels")
    print(ladder.table())
    print(f"mAP {summary['map']:.1f}   F1 {summary['f1']:.1f}   uncertain {summary['uncertain']:.1f}")
    if ladder.has_parts():
        print("\nShare in percent of the pixels of each part that has the right class")
        print(ladder.part_table())
    if args.by == "context":
        print("\nmIoU by context, and the share of its heads that has the right class, in percent; (number of scenes)")
        print(ladder.context_table())
    if sweep is not None:
        print(f"\n{sweep.table()}\n\n{WARNING}")
    facts = {
        "checkpoint_id": model.checkpoint_id,
        "data": args.data,
        "split": args.split,
        "recipe": " ".join(args.recipe) or "default",
        "settings": list(args.settings),
        **({"sweep": sweep.data()} if sweep is not None else {}),
    }
    if args.json:
        write_scores(ladder, args.json, facts)
    if args.plots:
        from afa_viz.figures.ladder import write_plots

        written = write_plots({**facts, **ladder.data()}, args.plots)
        print(f"\nplots: {', '.join(str(path) for path in written)}")
    return 0
