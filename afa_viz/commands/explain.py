"""`explain IMAGE…`: a folder an image, with pictures of every stage, the trace and the report."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING

from afa_viz.atomic_files import atomic_write
from afa_viz.commands.outputs import require_folder
from afa_viz.config import ExplainConfig
from afa_viz.settings import apply_settings, field_types

if TYPE_CHECKING:
    import numpy as np

    from afa_viz.trace import Trace


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="PNG, JPEG or WebP files")
    parser.add_argument(
        "--checkpoint",
        default="checkpoints/sandbox",
        metavar="C",
        help=".safetensors, folder, .pth or hf://owner/repo (default: checkpoints/sandbox)",
    )
    parser.add_argument("--out", required=True, metavar="DIR", help="one folder an image is made in it")
    parser.add_argument(
        "--labels", metavar="A,B", help="image labels by name, the same for all images (default: predicted)"
    )
    parser.add_argument(
        "--truth", metavar="DIR", help="folder with NAME.png for NAME.jpg: class numbers, 255 does not count"
    )
    keys = ", ".join(field_types(ExplainConfig()))
    parser.add_argument(
        "--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE", dest="settings", help=f"one of: {keys}"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda (default: auto)")


def run(args: argparse.Namespace) -> None:
    """Explain every image and say what was written."""
    labels = None if args.labels is None else [name.strip() for name in args.labels.split(",") if name.strip()]
    paths = [Path(image) for image in args.images]
    for path in paths:
        if not path.is_file():
            raise FileNotFoundError(f"there is no image {path}; expected the path of a PNG, JPEG or WebP file.")
    truths = [_truth_path(path, args.truth) for path in paths]
    require_folder(args.out, "--out")

    from tqdm import tqdm

    from afa_viz.model.checkpoint import load_model
    from afa_viz.pipeline import STAGES, explain

    model = load_model(args.checkpoint, args.device)
    config = apply_settings(ExplainConfig.for_model(model), args.settings)
    with tqdm(total=len(paths) * (len(STAGES) + 1), unit="stage") as bar:
        for path, truth, folder in zip(paths, truths, _folders(paths, Path(args.out)), strict=True):

            def show(stage: str, path: Path = path) -> None:
                bar.set_description(f"{path.name}: {stage}")
                bar.update()

            target = None if truth is None else _read_truth(truth)
            trace = explain(model, path, labels, config, target=target, progress=show)
            show("pictures")
            count = write_trace(trace, folder)
            names = ", ".join(trace.class_names[label] for label in trace.present) or "no class"
            bar.write(f"{folder}: {names}; {count} pictures, trace.npz, report.html")


def write_trace(trace: Trace, folder: Path) -> int:
    """Write pictures of every stage as PNG, `trace.npz` and `report.html`, each whole or not at all.

    Returns: the number of pictures.
    """
    from PIL import Image

    from afa_viz.figures import maps, stages
    from afa_viz.figures.strip import strip

    cell = maps.strongest_cell(trace)
    pictures = {
        "strip": strip(trace, cell=cell),
        "image": stages.image(trace),
        "attention": stages.attention(trace, -1, None, cell),
        "heads": stages.head_grid(trace, -1, cell),
        "affinity_raw": stages.raw_affinity(trace, cell),
        "affinity": stages.affinity(trace, cell),
        "regions": stages.regions(trace),
        "affinity_label": stages.affinity_label(trace),
        "pseudo_label": stages.pseudo_label(trace),
        "seg": stages.seg(trace),
    }
    for label in trace.present:
        pictures[f"cam_{_word(trace.class_names[label])}"] = stages.cam(trace, label)
    for label in maps.channels(trace):
        name = _word(trace.class_names[label])
        pictures[f"cam_rw_{name}"] = stages.cam_rw(trace, label)
        pictures[f"cam_par_{name}"] = stages.cam_par(trace, label)
    if trace.target is not None:
        pictures["target"] = stages.target(trace)
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in pictures.items():
        with atomic_write(folder / f"{name}.png") as partial:
            Image.fromarray(picture).save(partial, "PNG")
    trace.save(folder / "trace.npz")
    trace.report(folder / "report.html")
    return len(pictures)


def _word(name: str) -> str:
    """A class name as a part of a file name."""
    return re.sub(r"[^\w-]+", "_", name).strip("_") or "class"


def _folders(paths: list[Path], out: Path) -> list[Path]:
    """A folder for every image, named like it; equal names get a number."""
    folders: list[Path] = []
    for path in paths:
        name, number = path.stem, 1
        while out / name in folders:
            number += 1
            name = f"{path.stem}_{number}"
        folders.append(out / name)
    return folders


def _truth_path(image: Path, folder: str | None) -> Path | None:
    if folder is None:
        return None
    path = Path(folder) / f"{image.stem}.png"
    if not path.is_file():
        raise FileNotFoundError(f"there is no truth {path}; expected a PNG of class numbers named like the image.")
    return path


def _read_truth(path: Path) -> np.ndarray:
    import numpy as np
    from PIL import Image

    with Image.open(path) as opened:
        if opened.mode not in ("L", "P"):
            raise ValueError(f"{path.name} has mode {opened.mode}; expected a grey or palette PNG of class numbers.")
        return np.array(opened)
