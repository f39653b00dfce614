"""`site --out DIR`: the explorer as a static web site, for any web server that gives out files."""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from afa_viz.bundled import bundled_checkpoint
from afa_viz.commands.outputs import require_counts, require_folder
from afa_viz.data.arguments import SET_HELP, SET_SPLIT_HELP, add_data_arguments

if TYPE_CHECKING:
    from afa_viz.ui.site.contents import Contents
    from afa_viz.ui.site.sizes import Sizes

DESCRIPTION = """The explorer as a static web site: no server computes, any web server can hold it, under any path.

Every answer of the page is made beforehand and written as a file; walk, PAR, thresholds and comparisons are computed in
the browser. The gallery shows the bundled examples, or --images, or --data. With --onnxruntime-web the network itself
runs in the browser, so that visitors explain photographs of their own, which stay on their device. What needs a server
(other models, training) says so on the page."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.description = DESCRIPTION
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "--out", required=True, type=Path, metavar="DIR",
        help="folder of the site; an earlier site there is replaced, anything else in it is refused",
    )  # fmt: skip
    add_content_arguments(parser)


def add_content_arguments(parser: argparse._ActionsContainer) -> None:
    """Declare what a site shows."""
    parser.add_argument(
        "--checkpoint", metavar="C", help="folder, file or hf://owner/repo of the network (default: the bundled model)",
    )  # fmt: skip
    parser.add_argument(
        "--images", nargs="+", type=Path, default=[], metavar="PATH",
        help="show these image files, or those in these folders, in place of the examples",
    )  # fmt: skip
    add_data_arguments(
        parser,
        data={"metavar": "SET", "help": f"show images of a data set in place of the examples: {SET_HELP} "
              "(default: the examples, and the sandbox in the tab Data set)"},
        root="folder of the data set, if --data is only folder, voc or coco",
        split=SET_SPLIT_HELP,
    )  # fmt: skip
    parser.add_argument(
        "--limit", type=int, help="number of images at most (default: all of --images, 12 of a data set)"
    )
    parser.add_argument(
        "--snapshots", type=int, default=1, metavar="N",
        help="number of images that every snapshot of the training run explains (default: 1)",
    )  # fmt: skip
    parser.add_argument(
        "--onnxruntime-web", type=Path, metavar="DIR",
        help="folder of the npm package onnxruntime-web: visitors explain their own photographs in the browser "
        "(needs `pip install onnx onnxscript`; 49 MB more; default: they cannot)",
    )  # fmt: skip
    parser.add_argument("--title", default="AFA Viz", help="title of the site (default: AFA Viz)")
    parser.add_argument("--cache", type=Path, help="folder for rendered scenes (default: the user's cache)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default: auto)")


def run(args: argparse.Namespace) -> int:
    """Build the site and print what it weighs; returns the exit code: 1 where some images were skipped."""
    from afa_viz.ui.site.folder import require_replaceable
    from afa_viz.ui.site.sizes import measure

    require_replaceable(args.out)
    require_folder(args.out, "--out")
    began = time.monotonic()
    contents = build(args, args.out)
    print(summary(measure(args.out), time.monotonic() - began))
    print(f"{args.out}: open it with  python -m http.server --directory {shlex.quote(str(args.out))}")
    return 1 if tell_skipped(contents) else 0


def tell_skipped(contents: Contents) -> bool:
    """Name the images that could not be shown on stderr; whether there are any."""
    for sentence in contents.skipped:
        print(f"afa_viz: skipped: {' '.join(sentence.split())}", file=sys.stderr)
    return bool(contents.skipped)


def build(args: argparse.Namespace, out: Path) -> Contents:
    """Build the site of `add_content_arguments` in a folder, whole or not at all, with a progress bar; returns what it
    shows."""
    from afa_viz.model.onnx_packages import require_packages
    from afa_viz.ui.site.runtimes import find_runtimes

    runtimes = None if args.onnxruntime_web is None else find_runtimes(args.onnxruntime_web)
    if runtimes is not None:
        require_packages()
    contents = open_contents(args)

    from tqdm import tqdm

    from afa_viz.ui.site.build import SiteOptions, build_site, count_steps
    from afa_viz.ui.site.folder import replaced_folder

    options = SiteOptions(args.title, args.snapshots, runtimes)
    with replaced_folder(out) as folder, tqdm(total=count_steps(contents, options), unit="step") as bar:

        def show(steps: int, what: str) -> None:
            bar.set_description(what)
            bar.update(steps)

        build_site(folder, contents, options, show)
    return contents


def open_contents(args: argparse.Namespace) -> Contents:
    """The images that the arguments name. Raises: ValueError: in one sentence."""
    require_counts(args, limit=1, snapshots=0)
    data = args.data
    if args.images and data is not None:
        raise ValueError("--images and --data are both given; expected one of them: leave the other out.")
    if args.root is not None:
        if data is None or ":" in data or data == "sandbox":
            raise ValueError(f"--root {args.root} needs --data folder, voc or coco; got --data {data}.")
        data = f"{data}:{args.root}"
    if not args.title.strip():
        raise ValueError("--title is empty; expected words for the title of the site.")

    from afa_viz.ui.server.options import Options
    from afa_viz.ui.sessions.folders import cache_folder
    from afa_viz.ui.sessions.model_registry import ModelRegistry, name_sources
    from afa_viz.ui.site.contents import open_contents

    registry = ModelRegistry(name_sources([args.checkpoint or str(bundled_checkpoint())]), args.device)
    cache = cache_folder(args.cache)
    return open_contents(registry, Options.examples, cache, args.images, data, args.split, args.limit)


def summary(sizes: Sizes, seconds: float) -> str:
    """The sizes as a table, in kB and MB as transferred."""
    rows = [("first view", sizes.first_view), ("each further image, at most", sizes.example)]
    rows += [(f"{question.replace('_', ' ')}, at most", size) for question, size in sizes.deeper.items()]
    width = max(len(name) for name, _ in rows)
    lines = [f"{name:<{width}}  {size / 1000:7.1f} kB" for name, size in rows]
    if sizes.network:
        lines.append(f"with the first own photograph, once: {sizes.network / 1e6:.1f} MB (network and runtime)")
    whole = f"{sizes.files} files, {sizes.whole / 1e6:.1f} MB, and plotly.js, {sizes.plotly / 1e6:.1f} MB"
    return "\n".join(["as transferred (gzip):", *lines, f"{whole}; built in {seconds:.0f} s"])
