"""`explain IMAGE…`: one folder per image, with PNGs of every stage, the trace and the report."""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from afa_viz.atomic_files import atomic_write
from afa_viz.commands.outputs import require_folder
from afa_viz.commands.stage_settings import add_stage_settings
from afa_viz.config import ExplainConfig
from afa_viz.config_io import apply_settings, text_settings
from afa_viz.image_files import NAMES

if TYPE_CHECKING:
    import numpy as np

    from afa_viz.trace import Trace


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("images", nargs="+", metavar="IMAGE", help=f"{NAMES} files")
    parser.add_argument(
        "--checkpoint",
        metavar="C",
        help=".safetensors, folder, .pth or hf://owner/repo or timm:NAME (default: the bundled model)",
    )
    parser.add_argument("--out", required=True, metavar="DIR", help="output folder; one folder per image is made in it")
    parser.add_argument(
        "--labels", metavar="A,B", help="image labels by class name, the same for all images (default: predicted)"
    )
    parser.add_argument(
        "--truth", metavar="DIR", help="ground truth: folder with NAME.png for NAME.jpg; class indices, 255 = ignore"
    )
    keys = ", ".join(text_settings(ExplainConfig()))
    add_stage_settings(parser, f"override settings: {keys}")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default: auto)")


def run(args: argparse.Namespace) -> int:
    """Explain every image; returns the exit code: 1 if some images could not be read, 2 if none could.

    Unreadable images, and those too small for the part to hide, are skipped; any other error ends the command.
    """
    labels = None if args.labels is None else [name.strip() for name in args.labels.split(",") if name.strip()]
    paths = [Path(image) for image in args.images]
    skipped = {path: problem for path in paths if (problem := _missing_file(path, args.truth))}
    count = len(set(paths))
    if len(skipped) == count:
        first = next(iter(skipped.values()))
        raise FileNotFoundError(first if count == 1 else f"none of the {count} images can be read: {first}")
    require_folder(args.out, "--out")

    from afa_viz.classes import names_for
    from afa_viz.inputs import multi_hot
    from afa_viz.model.checkpoint import load_model
    from afa_viz.pipeline import STAGE_SETTINGS, explain
    from afa_viz.progress import progress
    from afa_viz.stages.edits import BeyondImageError

    model = load_model(args.checkpoint, args.device)
    config = apply_settings(ExplainConfig.for_model(model), args.settings)
    if labels is not None:  # the same for all images: unknown names fail before the first
        multi_hot(labels, model.card.class_names if model.card else names_for(model.num_classes))

    def skip(path: Path, problem: str) -> None:
        skipped[path] = problem
        bar.write(f"skipped: {problem}", file=sys.stderr)
        bar.update(len(STAGE_SETTINGS) + 1)

    with progress(total=len(paths) * (len(STAGE_SETTINGS) + 1), unit="stage") as bar:
        for path, folder in zip(paths, _folders(paths, Path(args.out)), strict=True):

            def show(stage: str, path: Path = path) -> None:
                bar.set_description(f"{path.name}: {stage}")
                bar.update()

            try:
                image, target = _read(path, args.truth, model.num_classes)
            except (ValueError, OSError) as error:
                if count == 1:
                    raise
                skip(path, skipped.get(path) or str(error))
                continue
            try:
                trace = explain(model, image, labels, config, target=target, progress=show)
            except BeyondImageError as error:
                if count == 1:
                    raise
                skip(path, f"{path}: {error}")
                continue
            show("images")
            images = write_trace(trace, folder)
            names = ", ".join(trace.class_names[label] for label in trace.present) or "no class"
            bar.write(f"{folder}: {names}; {images} images, trace.npz, report.html")
            for sentence in trace.parts.lacks.values() if path == paths[0] else ():
                bar.write(sentence)
    if not skipped:
        return 0
    named = ", ".join(str(path) for path in skipped)
    print(f"afa_viz: skipped {len(skipped)} of {count} images: {named}.", file=sys.stderr)
    return 2 if len(skipped) == count else 1


def write_trace(trace: Trace, folder: Path) -> int:
    """Write pictures of every stage as PNG, `trace.npz` and `report.html`, each atomically.

    Of what the method lacks there is none. Returns: the number of pictures.
    """
    from PIL import Image

    from afa_viz.figures import maps, stages
    from afa_viz.figures.strip import strip

    lacks = trace.parts.lacks
    cell = maps.strongest_cell(trace)
    images = {
        "strip": strip(trace, cell=cell),
        "image": stages.image(trace),
        "regions": stages.regions(trace),
        "affinity_label": stages.affinity_label(trace),
        "pseudo_label": stages.pseudo_label(trace),
    }
    if "attention" not in lacks:
        images |= {"attention": stages.attention(trace, -1, None, cell), "heads": stages.head_grid(trace, -1, cell)}
    if not {"affinity", "attention_logits"} & set(lacks):
        images["affinity_raw"] = stages.raw_affinity(trace, cell)
    if "affinity" not in lacks:
        images["affinity"] = stages.affinity(trace, cell)
    if "decoder" not in lacks:
        images["seg"] = stages.seg(trace)
    words = _file_name_parts(trace)
    for label in trace.present:
        images[f"cam_{words[label]}"] = stages.cam(trace, label)
    for label in maps.channels(trace):
        images[f"cam_rw_{words[label]}"] = stages.cam_rw(trace, label)
        images[f"cam_par_{words[label]}"] = stages.cam_par(trace, label)
    if trace.target is not None:
        images["target"] = stages.target(trace)
    folder.mkdir(parents=True, exist_ok=True)
    for name, pixels in images.items():
        with atomic_write(folder / f"{name}.png") as partial:
            Image.fromarray(pixels).save(partial, "PNG")
    trace.save(folder / "trace.npz")
    trace.report(folder / "report.html")
    return len(images)


def _file_name_parts(trace: Trace) -> dict[int, str]:
    """Class names as parts of file names, by label; the label is appended to duplicates."""
    words = {label: re.sub(r"[^\w-]+", "_", name).strip("_") for label, name in enumerate(trace.class_names)}
    alike = Counter(word.lower() for word in words.values())
    return {label: word if word and alike[word.lower()] == 1 else f"{word}{label}" for label, word in words.items()}


def _folders(paths: list[Path], out: Path) -> list[Path]:
    """A folder for every image, named after it; duplicates get a number."""
    folders: list[Path] = []
    for path in paths:
        name, number = path.stem, 1
        while out / name in folders:
            number += 1
            name = f"{path.stem}_{number}"
        folders.append(out / name)
    return folders


def _missing_file(image: Path, truth_folder: str | None) -> str:
    """Error message for a missing file; "" if image and truth exist."""
    if not image.is_file():
        return f"there is no image {image}; expected the path of a {NAMES} file."
    if truth_folder is None or (truth := _truth_path(image, truth_folder)).is_file():
        return ""
    return f"there is no ground truth {truth}; expected a PNG of class indices named like the image."


def _truth_path(image: Path, folder: str) -> Path:
    return Path(folder) / f"{image.stem}.png"


def _read(path: Path, truth_folder: str | None, num_classes: int) -> tuple[np.ndarray, np.ndarray | None]:
    """(H, W, 3) image and (H, W) truth. Raises: ValueError, OSError: for what cannot be read or does not fit."""
    from afa_viz.data.masks import read_mask
    from afa_viz.inputs import read_image, read_target

    if problem := _missing_file(path, truth_folder):
        raise FileNotFoundError(problem)
    image = read_image(path, may_reduce=truth_folder is None)
    if truth_folder is None:
        return image, None
    return image, read_target(read_mask(_truth_path(path, truth_folder), num_classes), image.shape[:2])
