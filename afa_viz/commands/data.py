"""`data sandbox`: writes the procedural data set to disk, in the layout of PASCAL VOC."""

from __future__ import annotations

import argparse

DEFAULT_COUNTS = {"train": 8000, "val": 400, "test": 400}  # those of the data set
DEFAULT_SIZE = 160


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="KIND")
    sandbox = kinds.add_parser("sandbox", help="the clay world: twelve classes with exact masks")
    sandbox.add_argument("--out", required=True, metavar="DIR", help="folder to write to")
    for split, count in DEFAULT_COUNTS.items():
        sandbox.add_argument(
            f"--{split}", type=_count, default=count, metavar="N", help=f"scenes of this split (default: {count})"
        )
    sandbox.add_argument(
        "--size", type=int, default=DEFAULT_SIZE, metavar="S", help=f"side in pixels (default: {DEFAULT_SIZE})"
    )
    sandbox.add_argument("--workers", type=int, default=1, metavar="N", help="processes that render (default: 1)")


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no number of scenes; expected 0 or more")
    return int(text)


def run(args: argparse.Namespace) -> None:
    """Write the data set and say where."""
    from afa_viz.data.sandbox import write_voc_layout

    counts = {split: getattr(args, split) for split in DEFAULT_COUNTS if getattr(args, split)}
    if not counts:
        raise ValueError("every split has 0 scenes; expected at least one scene: raise --train, --val or --test.")
    folder = write_voc_layout(args.out, counts, args.size, workers=args.workers)
    print(f"{folder}: " + ", ".join(f"{count} {split}" for split, count in counts.items()) + " scenes")
