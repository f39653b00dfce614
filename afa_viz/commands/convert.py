"""`convert SRC DST`: converts weights of any known layout to a checkpoint of this package."""

from __future__ import annotations

import argparse
from pathlib import Path

from afa_viz.commands.outputs import require_folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("source", metavar="SRC", help="a .pth, .safetensors or .bin file, a folder, or hf://owner/repo")
    parser.add_argument("destination", metavar="DST", help="ends in .safetensors; its card is written beside it")
    parser.add_argument("--backbone", help="expected backbone, such as mit_b1 (default: detected)")
    parser.add_argument(
        "--num-classes",
        type=int,
        metavar="K",
        help="expected number of classes, background included (default: detected)",
    )
    parser.add_argument("--half", action="store_true", help="store float16, half the size")


def run(args: argparse.Namespace) -> None:
    """Convert and print what was written."""
    if not args.destination.endswith(".safetensors"):
        raise ValueError(f"got DST {args.destination}; expected a name that ends in .safetensors: rename it.")
    require_folder(Path(args.destination).parent, "DST")

    from afa_viz.model.checkpoint import convert

    card = convert(args.source, args.destination, args.backbone, args.num_classes, args.half)
    print(f"{args.destination}: {card.backbone}, {card.num_classes} classes, {', '.join(card.parts)}")
    print(f"licence of the weights: {card.licence}")
