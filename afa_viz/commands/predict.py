"""`predict`: label maps of one stage as palette PNGs, for images, folders, lists, or a split of a data set.

Each map has the size and name of its image. Existing maps of the same image and settings are kept, so an interrupted
run can be repeated; other files are only replaced with --overwrite, and images never. Under torchrun every process
handles its share.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from afa_viz.commands.outputs import require_counts, require_folder
from afa_viz.commands.stage_settings import add_stage_settings
from afa_viz.data.arguments import LAYOUTS, add_data_arguments
from afa_viz.parts import LABEL_STAGES

if TYPE_CHECKING:
    import numpy as np

    from afa_viz.data.images import LabelledImages
    from afa_viz.model.interface import Network
    from afa_viz.training.distributed import Processes

METADATA_FILE = "predict.json"  # in the output folder: model and settings of the maps


class Item(NamedTuple):
    """An image to predict: its name without extension (with folders), and its index in a list of paths or a split."""

    name: str
    place: int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "images", nargs="*", metavar="IMAGE", help="images, folders of them, or .txt files with one path per line"
    )
    add_data_arguments(
        parser,
        data={"choices": LAYOUTS, "help": "a data set in place of images"},
        split="split of the data set (default: val)",
    )
    parser.add_argument("--checkpoint", help="weights (default: the bundled model)")
    parser.add_argument(
        "--stage", default="seg", choices=LABEL_STAGES, help="stage whose label is written (default: seg)"
    )
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for NAME.png of every image")
    parser.add_argument(
        "--labels", metavar="L",
        help="image labels by name, A,B, the same for all images; for a data set: their source, or "
        "`predicted` (default: those of the data set, else predicted)",
    )  # fmt: skip
    parser.add_argument("--multi-scale", action="store_true", help="seg over three scales and flips")
    parser.add_argument("--crf", action="store_true", help="refine the scores of the stage with a dense CRF")
    parser.add_argument(
        "--scores", action="store_true", help="also write NAME.npz: scores in half precision, and classes"
    )
    add_stage_settings(parser)
    parser.add_argument("--limit", type=int, help="maximum number of images")
    parser.add_argument("--overwrite", action="store_true", help="replace existing files NAME.png")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default: auto)")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (default: 0, torch's choice)")


def run(args: argparse.Namespace) -> int:
    """Write the maps; returns the exit code: 1 where some images could not be read, 2 for all."""
    _check_options(args)
    names = [] if args.data else _find_images(args.images, Path(args.out))
    from afa_viz.training import distributed

    if args.threads:
        import torch

        torch.set_num_threads(args.threads)
    processes = distributed.start(args.device)
    try:
        with distributed.peer_error_guard(processes):
            return _predict(args, names, processes)
    finally:
        distributed.stop()


def _check_options(args: argparse.Namespace) -> None:
    """Raise ValueError for contradictory options before the model is loaded."""
    if bool(args.images) == bool(args.data):
        raise ValueError("expected either images, folders or lists, or --data with --root; got " + (
            "both." if args.data else "neither."))  # fmt: skip
    for option, value in {"--root": args.root, "--split": args.split}.items():
        if value and not args.data:
            raise ValueError(f"{option} is of a data set; expected --data voc, coco or folder, or leave it out.")
    if args.multi_scale and args.stage != "seg":
        raise ValueError(f"--multi-scale is of the decoder; expected --stage seg, got {args.stage}.")
    if args.labels is not None and not _names(args.labels):
        raise ValueError("--labels names no class; expected names, A,B, or leave it out: the labels are predicted.")
    require_counts(args, threads=0, limit=1)
    require_folder(args.out, "--out")


def _find_images(arguments: list[str], out: Path) -> list[tuple[str, Path]]:
    """(name, path) of every image: of a file its own name, of a folder the path in it, of a list the path as written.

    Args:
        out: folder of the maps, which are no images; it may lie in a folder of images.
    Raises: FileNotFoundError or ValueError: for what is not there, and two images of one name.
    """
    from afa_viz.data.file_index import IMAGE_EXTENSIONS, find_files, stem_of
    from afa_viz.data.text_files import read_lines

    found: dict[str, Path] = {}

    def add(name: str, path: Path) -> None:
        if name in found and found[name].resolve() != path.resolve():
            raise ValueError(
                f"{found[name]} and {path} would both be written as {name}.png; expected different names: predict "
                "them into two folders."
            )
        found[name] = path

    for argument in arguments:
        path = Path(argument)
        if path.is_dir():
            if path.resolve() == out.resolve():
                raise ValueError(f"--out {out} is the folder of the images; expected another one, for the maps alone.")
            files = find_files(path, IMAGE_EXTENSIONS, recursive=True)
            files = {name: file for name, file in files.items() if out.resolve() not in file.resolve().parents}
            if not files:
                raise FileNotFoundError(f"{path} holds no image; expected files like a.jpg or a.png in it.")
            for name, file in files.items():
                add(stem_of(name), file)
        elif path.suffix == ".txt" and path.is_file():
            for line in read_lines(path):
                image = Path(line) if Path(line).is_absolute() else path.parent / line
                add(stem_of(Path(line).name if Path(line).is_absolute() or ".." in Path(line).parts else line), image)
        else:
            add(path.stem, path)
    there = [path for path in found.values() if path.is_file()]
    if not there:
        first = next(iter(found.values()))
        raise FileNotFoundError(f"there is no image {first}; expected images, folders of them, or .txt lists.")
    return list(found.items())


def _predict(args: argparse.Namespace, listed: list[tuple[str, Path]], processes: Processes) -> int:
    from afa_viz.atomic_files import atomic_write_text
    from afa_viz.classes import names_for
    from afa_viz.config import ExplainConfig
    from afa_viz.config_io import apply_settings
    from afa_viz.data.text_files import format_count
    from afa_viz.evaluation.label_maps import label_map, write_label_map, write_scores
    from afa_viz.evaluation.photographs import evenly_spaced
    from afa_viz.inputs import multi_hot
    from afa_viz.model.afa import AFA
    from afa_viz.model.checkpoint import load_model
    from afa_viz.ops.pseudo_label import IGNORE
    from afa_viz.pipeline import explain
    from afa_viz.progress import progress
    from afa_viz.training.distributed import gather

    model = load_model(args.checkpoint, device=processes.device)
    if args.stage == "seg":
        model.parts.require("decoder")
    several = model if args.multi_scale and isinstance(model, AFA) else None
    if model.num_classes > IGNORE:
        raise ValueError(
            f"{args.checkpoint} has {model.num_classes - 1} classes; expected at most {IGNORE - 1}, which a label map "
            "can hold: write reports of single images with `explain`."
        )
    config = apply_settings(ExplainConfig.for_model(model), args.settings)
    config = dataclasses.replace(config, keep_attention="last_stage")
    images, predicted = None, args.labels == "predicted"
    if args.labels not in (None, "predicted") and not args.data:  # wrong ones are refused before the first image
        multi_hot(_names(args.labels), model.card.class_names if model.card else names_for(model.num_classes))
    if args.data:
        images, predicted = _open_split(args)
        _require_classes(model, images)
    names = [name for name, _ in listed] if images is None else list(images.names)
    items = [Item(names[i], i) for i in evenly_spaced(len(names), args.limit)]
    out = Path(args.out)
    facts = _metadata(args, model, config, images)
    _require_same(out, facts, args.overwrite)
    broken: list[str] = []
    noted = False  # only once an image could be read: a refused command leaves nothing behind
    mine = [items[i] for i in range(*processes.shard_range(len(items)))]
    paths = [path for _, path in listed] if images is None else images.image_paths
    _require_no_input(out, [item.name for item in items], paths)
    todo = [
        item for item in mine if args.overwrite or not _is_done(out, item.name, paths[item.place], facts, args.scores)
    ]
    with progress(todo, desc=args.stage, unit="image", disable=processes.rank > 0) as bar:
        for item in bar:
            png, npz = (out / f"{item.name}.{ending}" for ending in ("png", "npz"))
            try:
                image, labels = _read(item, listed, images, "predicted" if predicted else args.labels)
                source = _source(paths[item.place], facts)
            except (ValueError, OSError) as error:
                broken.append(item.name)
                bar.write(f"skipped: {error}", file=sys.stderr)
                continue
            trace = explain(model, image, labels, config)
            found = label_map(trace, image, args.stage, crf=args.crf, multi_scale=several)
            png.parent.mkdir(parents=True, exist_ok=True)
            if not noted:
                atomic_write_text(out / METADATA_FILE, json.dumps(facts, indent=1) + "\n")
                noted = True
            if args.scores:
                write_scores(npz, found)
            elif png.is_file():
                npz.unlink(missing_ok=True)  # of the map that is replaced
            write_label_map(png, found.label, trace.palette, source)  # last: with it the image is done
    parts = gather((broken, len(todo)), processes.world_size)
    broken = [name for names, _ in parts for name in names]
    if processes.rank == 0:
        made = sum(count for _, count in parts) - len(broken)
        kept = len(items) - sum(count for _, count in parts)
        print(
            f"{out}: {format_count(made, 'label map')} of {args.stage} written"
            + (f", {kept} were there" if kept else "")
        )
        if broken:
            named = ", ".join(broken)
            print(
                f"afa_viz: skipped {len(broken)} of {len(items)} images that cannot be read: {named}.", file=sys.stderr
            )
    return 0 if not broken else 2 if len(broken) == len(items) else 1


def _read(
    item: Item, listed: list[tuple[str, Path]], images: LabelledImages | None, labels: str | None
) -> tuple[np.ndarray, Any]:
    """(H, W, 3) image and its image labels, None for predicted. Raises: ValueError, OSError."""
    from afa_viz.inputs import read_image

    if images is not None:
        return images.image(item.place), None if labels == "predicted" else images.image_labels(item.place)
    return read_image(listed[item.place][1]), None if labels in (None, "predicted") else _names(labels)


def _names(labels: str) -> list[str]:
    return [name.strip() for name in labels.split(",") if name.strip()]


def _open_split(args: argparse.Namespace) -> tuple[LabelledImages, bool]:
    """The split, and whether its image labels are predicted: where that is asked for, or it has none."""
    from afa_viz.data.images import NO_LABELS, MissingLabelsError
    from afa_viz.data.registry import open_images

    split = args.split or "val"
    if args.labels != "predicted":
        try:
            return open_images(args.data, args.root, split, args.labels or "auto"), False
        except MissingLabelsError:
            if args.labels is not None:
                raise
    return open_images(args.data, args.root, split, NO_LABELS), True


def _require_no_input(out: Path, names: Sequence[str], images: Sequence[Path]) -> None:
    """Raise ValueError where a map would take the place of an image."""
    inputs = {path.resolve(): path for path in images}
    for name in names:
        if (image := inputs.get((out / f"{name}.png").resolve())) is not None:
            raise ValueError(f"--out {out} would replace the image {image} by its map; expected another folder.")


def _source(image: Path, facts: dict[str, Any]) -> str:
    """What a map is made of: a digest of the image file and of the settings. Raises: OSError."""
    digest = hashlib.blake2b(image.read_bytes(), digest_size=16)
    settings = {name: value for name, value in facts["config"].items() if value is not None}
    digest.update(json.dumps({**facts, "config": settings}, sort_keys=True).encode())
    return digest.hexdigest()


def _is_done(out: Path, name: str, image: Path, facts: dict[str, Any], with_scores: bool) -> bool:
    """Whether the map of an image is there. Raises: FileExistsError: if another file has its name."""
    from afa_viz.evaluation.label_maps import source_of

    png = out / f"{name}.png"
    if not png.is_file() or not image.is_file():
        return False
    before = source_of(png)
    if before == _source(image, facts):
        return not with_scores or (out / f"{name}.npz").is_file()
    raise FileExistsError(
        f"{png} is no label map that predict wrote of this image with these settings; expected another folder: choose "
        "another --out, or --overwrite to replace it."
    )


def _metadata(args: argparse.Namespace, model: Network, config: Any, images: LabelledImages | None) -> dict[str, Any]:
    """Model and settings shared by all maps of the folder, as JSON values."""
    return json.loads(json.dumps({
        "stage": args.stage, "checkpoint_id": model.checkpoint_id, "crf": args.crf, "multi_scale": args.multi_scale,
        "labels": args.labels, "data": images.title if images is not None else None,
        "config": dataclasses.asdict(config),
    }))  # fmt: skip


def _require_same(out: Path, facts: dict[str, Any], overwrite: bool) -> None:
    """Raise ValueError if the folder holds maps made with other settings."""
    from afa_viz.structured_text import parse_json, read_text

    path = out / METADATA_FILE
    if path.is_file() and not overwrite:
        before = parse_json(read_text(path))
        if isinstance(before.get("config"), dict):  # what it lacks is a setting of a newer version, which was not set
            before["config"] = {**dict.fromkeys(facts["config"]), **before["config"]}
        differing = [name for name in facts if before.get(name) != facts[name]]
        if differing:
            raise ValueError(
                f"{out} holds label maps that were made with another {differing[0].replace('_', ' ')}; expected the "
                "same: choose another folder, or --overwrite."
            )


def _require_classes(model: Network, images: LabelledImages) -> None:
    names = model.card.class_names if model.card is not None else images.class_names
    if tuple(names) != tuple(images.class_names):
        raise ValueError(
            f"the checkpoint has the classes {', '.join(names[1:4])} … ({len(names) - 1}) but {images.title} has "
            f"{', '.join(images.class_names[1:4])} … ({len(images.class_names) - 1}); expected the same."
        )
