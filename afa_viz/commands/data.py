"""`data sandbox` writes the procedural data set; `data check`, `onehot` and `sbd` check and prepare real ones."""

from __future__ import annotations

import argparse

from afa_viz.commands.outputs import require_counts, require_file, require_folder
from afa_viz.data.arguments import add_data_arguments

DEFAULT_COUNTS = {"train": 8000, "val": 400, "test": 400}  # the sizes of the published splits
DEFAULT_SIZE = 160


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="KIND")
    sandbox = kinds.add_parser("sandbox", help="write rendered scenes of twelve classes with exact masks")
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
        help="a preset such as hard, knobs such as cooc=0.9, or both",
    )  # fmt: skip
    sandbox.add_argument("--workers", type=int, default=1, metavar="N", help="rendering processes (default: 1)")

    check = kinds.add_parser("check", help="report what of a data set is present, what is missing and where to get it")
    add_data_arguments(
        check,
        layout=True,
        root="folder of the data set",
        require_root=True,
        split="training split, as for `train` (default: train_aug for voc, else train)",
    )
    check.add_argument("--labels", default="auto", help="source of the image labels (default: the best available)")
    check.add_argument(
        "--read", type=_count, default=200, metavar="N", help="images to open per split; 0: all (default: 200)"
    )

    onehot = kinds.add_parser("onehot", help="write image labels as the .npy file that AFA, ToCo, SEAM and IRN read")
    add_data_arguments(
        onehot, layout=True, require_root=True, split="split; may be repeated (default: all)", several_splits=True
    )
    onehot.add_argument(
        "--out", default="cls_labels_onehot.npy", metavar="F", help="file to write (default: cls_labels_onehot.npy)"
    )
    onehot.add_argument("--labels", default="auto", help="source of the image labels (default: the best available)")

    sbd = kinds.add_parser("sbd", help="add SBD's masks and the train_aug list to the VOC folder")
    sbd.add_argument("--root", required=True, metavar="DIR", help="the folder VOC2012")
    sbd.add_argument("--sbd", required=True, metavar="DIR", help="the folder benchmark_RELEASE of SBD")


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number; expected 0 or more")
    return int(text)


def run(args: argparse.Namespace) -> int:
    """Run the sub-command; returns the exit code."""
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
