"""`data sandbox` writes the procedural data set to disk; `data check`, `onehot` and `sbd` look after real ones."""

from __future__ import annotations

import argparse

from afa_viz.commands.outputs import require_counts, require_file, require_folder

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
    check.add_argument("--split", help="that is trained on, as `train` has it (default: train_aug of voc, else train)")
    check.add_argument("--labels", default="auto", help="where image labels come from (default: the best there is)")
    check.add_argument(
        "--read", type=_count, default=200, metavar="N", help="images of a split to open; 0: all (default: 200)"
    )

    onehot = kinds.add_parser("onehot", help="image labels as the .npy that AFA, ToCo, SEAM and IRN read")
    onehot.add_argument("data", choices=["voc", "coco", "folder"], help="its layout")
    onehot.add_argument("--root", required=True, metavar="DIR", help="its folder")
    onehot.add_argument("--out", default="cls_labels_onehot.npy", metavar="F", help="(default: cls_labels_onehot.npy)")
    onehot.add_argument(
        "--split", action="append", default=[], help="may be given more than once (default: all that the set has)"
    )
    onehot.add_argument("--labels", default="auto", help="where image labels come from (default: the best there is)")

    sbd = kinds.add_parser("sbd", help="SBD's masks and the list train_aug into the folder of VOC")
    sbd.add_argument("--root", required=True, metavar="DIR", help="the folder VOC2012")
    sbd.add_argument("--sbd", required=True, metavar="DIR", help="the folder benchmark_RELEASE of SBD")


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no number; expected 0 or more")
    return int(text)


def run(args: argparse.Namespace) -> int:
    """Do what the kind says; returns the exit code."""
    commands = {"sandbox": _write_sandbox, "check": _check, "onehot": _write_onehot, "sbd": _write_train_aug}
    return commands[args.kind](args)


def _check(args: argparse.Namespace) -> int:
    from afa_viz.data.check import check

    report = check(args.data, args.root, args.read, args.split, args.labels)
    print(report.text)
    return 0 if report.trainable else 1


def _write_onehot(args: argparse.Namespace) -> int:
    from pathlib import Path

    from afa_viz.data.onehot import require_npy, write_onehot
    from afa_viz.data.registry import declared_splits, list_splits, open_images

    require_npy(Path(args.out))
    require_file(args.out, "--out")
    there = {*declared_splits(args.data, args.root)}
    usual = [split for split in list_splits(args.data, args.root) if args.data == "coco" or split in there]
    splits = args.split or (["all"] if args.data == "folder" else usual or ["train_aug"])
    sets = [open_images(args.data, args.root, split, args.labels) for split in splits]
    count = write_onehot(Path(args.out), sets)
    values = len(sets[0].class_names) - 1
    print(f"{args.out}: {count:,} images of {', '.join(splits)}, {values} values each ({sets[0].label_source})")
    return 0


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
    require_counts(args, workers=1)
    require_folder(args.out, "--out")
    folder = write_voc_layout(args.out, counts, args.size, read_recipe(args.recipe), args.workers)
    print(f"{folder}: " + ", ".join(f"{count} {split}" for split, count in counts.items()) + " scenes")
    return 0
