"""`data sandbox` writes the procedural data set to disk; `data check` and `data sbd` look after real ones."""

from __future__ import annotations

import argparse

from afa_viz.commands.outputs import require_folder

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
    sandbox.add_argument(
        "--recipe", nargs="+", action="extend", default=[], metavar="WORD",
        help="a preset like hard, knobs like cooc=0.9, or both",
    )  # fmt: skip
    sandbox.add_argument("--workers", type=int, default=1, metavar="N", help="processes that render (default: 1)")

    check = kinds.add_parser("check", help="what of a data set is there, what is missing, where to get it")
    check.add_argument("data", choices=["voc", "coco", "folder"], help="its layout")
    check.add_argument("--root", required=True, metavar="DIR", help="its folder")
    check.add_argument(
        "--read", type=_count, default=20, metavar="N", help="images of a split to open; 0: all (default: 20)"
    )

    sbd = kinds.add_parser("sbd", help="SBD's masks and the list train_aug into the folder of VOC")
    sbd.add_argument("--root", required=True, metavar="DIR", help="the folder VOC2012")
    sbd.add_argument("--sbd", required=True, metavar="DIR", help="the folder benchmark_RELEASE of SBD")


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no number; expected 0 or more")
    return int(text)


def run(args: argparse.Namespace) -> int:
    """Do what the kind says; returns the exit code."""
    return {"sandbox": _write_sandbox, "check": _check, "sbd": _write_train_aug}[args.kind](args)


def _check(args: argparse.Namespace) -> int:
    from afa_viz.data.check import check

    report = check(args.data, args.root, args.read)
    print(report.text)
    return 0 if report.trainable else 1


def _write_train_aug(args: argparse.Namespace) -> int:
    from afa_viz.data.sbd import write_train_aug

    written = write_train_aug(args.root, args.sbd)
    print(f"train_aug: {written.names:,} images; {written.masks:,} masks written")
    return 0


def _write_sandbox(args: argparse.Namespace) -> int:
    from afa_viz.data.sandbox import read_recipe, write_voc_layout

    counts = {split: getattr(args, split) for split in DEFAULT_COUNTS if getattr(args, split)}
    if not counts:
        raise ValueError("every split has 0 scenes; expected at least one scene: raise --train, --val or --test.")
    require_folder(args.out, "--out")
    folder = write_voc_layout(args.out, counts, args.size, read_recipe(args.recipe), args.workers)
    print(f"{folder}: " + ", ".join(f"{count} {split}" for split, count in counts.items()) + " scenes")
    return 0
