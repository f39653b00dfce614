"""`evaluate --from DIR`: label maps or CAMs of any method, scored against the masks of a data set."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from afa_viz.commands.evaluate_data import split_note
from afa_viz.commands.evaluate_model import write_table_files


def check_options(args: argparse.Namespace) -> None:
    """Raise ValueError for options about a model."""
    if args.data == "sandbox":
        raise ValueError("--from is scored on a data set on the disk; expected --data voc, coco or folder with --root.")
    if args.checkpoint is not None:
        raise ValueError(
            "--checkpoint names a model and --from a folder to score in place of one; expected one of them."
        )
    of_models = {"--plots": args.plots, "--by": args.by, "--sweep": args.sweep, "--multi-scale": args.multi_scale}
    of_models |= {"--checkpoint": args.checkpoint, "--runs": args.runs, "--against": args.against}
    of_models |= {"--without-head": args.without_head, "--each-head": args.each_head}
    for option, asked in {**of_models, "--crf": args.crf}.items():
        if asked:
            raise ValueError(
                f"{option} is about a model; expected it without --from, which scores what is in a folder."
            )


def run(args: argparse.Namespace) -> int:
    """Score the label maps or CAMs of a folder; returns the exit code."""
    from afa_viz.atomic_files import atomic_write_text
    from afa_viz.config import ExplainConfig
    from afa_viz.config_io import apply_settings
    from afa_viz.data.registry import open_images
    from afa_viz.evaluation.label_folder import score_folder
    from afa_viz.evaluation.photographs import evenly_spaced
    from afa_viz.progress import progress

    folder = Path(args.folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}; expected one with NAME.png, .npz or .npy files in it.")
    config = apply_settings(ExplainConfig(), args.settings)
    split = args.split or "val"
    images = open_images(args.data, args.root, split, args.labels)
    masked = [i for i in range(len(images)) if images.has_mask(i)]
    if not masked:
        raise ValueError(f"{images.title} has no mask; expected masks to score against: see `data check {args.data}`.")
    chosen = [masked[i] for i in evenly_spaced(len(masked), args.limit)]
    found = score_folder(folder, images, progress(chosen, desc="score", unit="image"), config.bkg_score)
    if not found.images:
        first = (found.broken or [f"there is no file for {found.missing[0]}"])[0]
        raise ValueError(f"{folder} holds nothing that can be scored on {images.title}: {first.rstrip('.')}.")
    note = split_note(args.data, split, images.class_names, len(images))
    facts = {"folder": folder.name, "title": images.title, "data": args.data, "split": split, **found.data()}
    if note:
        facts["note"] = note
    if args.json:
        atomic_write_text(args.json, json.dumps(facts, indent=1) + "\n")
    if note:
        print(f"note: {note}\n")
    print(f"IoU in percent, {folder}, {images.title}, {found.images} of {len(chosen)} images, at their own sizes")
    print(found.table())
    for name, names, between in (("without a file", found.missing, ", "), ("skipped", found.broken, " ")):
        if names:
            print(f"{name}: {len(names)}: {between.join(names[:20])}{' …' if len(names) > 20 else ''}")
    if args.tables:
        print(f"tables: {len(write_table_files(facts, images.class_names, args.tables))} files in {args.tables}")
    return 0
