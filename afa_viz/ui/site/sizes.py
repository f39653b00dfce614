"""What a site weighs as its visitors get it: compressed by gzip."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from afa_viz.ui.site.network import network_files
from afa_viz.ui.site.packing import SUFFIX
from afa_viz.ui.site.runtimes import REQUIRED

FIRST_FILES = ("stages", "scene")  # of an image, with its thumbnail


@dataclass(frozen=True)
class Sizes:
    """Bytes as transferred.

    Attributes:
        first_view: the page with its first image, and the thumbnails of the gallery.
        example: the largest further image of the gallery.
        deeper: question -> the largest file that answers it, for questions of tabs that are opened later.
        whole: all files but plotly.js, the network and its runtime.
        files: their number.
        plotly: plotly.js, which is loaded when the first chart is opened.
        network: network and runtime for the processor, which are loaded with the first photograph of a visitor; 0 where
            there are none.
    """

    first_view: int
    example: int
    deeper: dict[str, int]
    whole: int
    files: int
    plotly: int
    network: int = 0


def measure(folder: Path) -> Sizes:
    """The sizes of a site."""
    site_file = next(folder.glob(f"site-*{SUFFIX}"))
    images = json.loads(gzip.decompress(site_file.read_bytes()))["images"]
    gallery = [image for image in images if image["gallery"]]

    def first(image: dict) -> int:
        return sum(transferred(folder / "images" / image["folder"] / f"{name}{SUFFIX}") for name in FIRST_FILES)

    page = [folder / "index.html", site_file, *folder.glob("style-*.css"), *folder.glob("explorer-*.js")]
    thumbnails = [folder / image["thumbnail"] for image in gallery]
    deeper: dict[str, int] = {}
    for path in folder.glob(f"images/*/*{SUFFIX}"):
        question = path.stem.partition("-")[0]
        if question not in FIRST_FILES:
            deeper[question] = max(deeper.get(question, 0), transferred(path))
    plotly = set(folder.glob("plotly-*.js"))
    network = set(network_files(folder))
    every = [path for path in folder.rglob("*") if path.is_file() and path not in plotly | network]
    return Sizes(
        first_view=_total([*page, *thumbnails]) + first(gallery[0]),
        example=max(map(first, gallery)),
        deeper=dict(sorted(deeper.items())),
        whole=_total(every),
        files=len(every),
        plotly=_total(plotly),
        network=_total(network_files(folder, REQUIRED)),
    )


def transferred(path: Path) -> int:
    """Bytes of a file compressed by gzip; of one that no compression makes smaller, its own."""
    data = path.read_bytes()
    return min(len(data), len(gzip.compress(data, 6)))


def _total(paths: Iterable[Path]) -> int:
    return sum(map(transferred, paths))
