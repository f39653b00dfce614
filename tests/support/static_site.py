"""A static site of the small network, and a plain file server that gives it out below a path."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app_fixtures import add_snapshots, prepare

from afa_viz.ui.sessions.model_registry import ModelRegistry, discover_checkpoints
from afa_viz.ui.site.build import SiteOptions, build_site
from afa_viz.ui.site.contents import open_contents
from benchmarks.file_server import serve_folder

BELOW = "sub/path"  # of the server


def build_small(folder: Path, scenes: int = 2, **given) -> Path:
    """Build a site of the small network's examples; returns the folder that a server gives out.

    Args:
        scenes: of the sandbox, in the Data set tab.
    """
    options = prepare(folder)
    add_snapshots(options)
    registry = ModelRegistry(discover_checkpoints(options.checkpoint_folder), "cpu")
    contents = open_contents(registry, options.examples, folder / "cache", limit=scenes, **given)
    site = folder / "www" / BELOW
    site.mkdir(parents=True)
    build_site(site, contents, SiteOptions(title="Small & <b>site</b>"))
    return folder / "www"


@contextmanager
def served(root: Path) -> Iterator[str]:
    """The address of the site below `root`."""
    with serve_folder(root) as address:
        yield f"{address}{BELOW}/"
