"""A static site of the small network, and a plain file server that gives it out below a path."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app_fixtures import add_snapshots, prepare, scene, tiny

from afa_viz.model.checkpoint import save_model
from afa_viz.ui.sessions.model_registry import ModelRegistry, discover_checkpoints, name_sources
from afa_viz.ui.site.build import SiteOptions, build_site
from afa_viz.ui.site.contents import Contents, open_contents
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


def build_large(folder: Path, monkeypatch) -> Contents:
    """Build a site of one image of 20 x 21 cells, whose attention a page does not ask for whole, in `folder`/www."""
    groups = ("stages", "affinity", "heads", "attention", "logits")  # the others take long
    monkeypatch.setattr("afa_viz.ui.site.build.GROUPS", groups)
    (folder / "examples").mkdir()
    (folder / "examples" / "examples.json").write_text("[]")
    model, card = tiny(0, side=336)
    save_model(model, folder / "model.safetensors", card)
    scene(0)[0].resize((336, 320)).save(folder / "large.png")
    registry = ModelRegistry(name_sources([str(folder / "model.safetensors")]), "cpu")
    contents = open_contents(registry, folder / "examples", folder / "cache", images=[folder / "large.png"])
    build_site(folder / "www", contents, SiteOptions())
    return contents


@contextmanager
def served(root: Path) -> Iterator[str]:
    """The address of the site below `root`."""
    with serve_folder(root) as address:
        yield f"{address}{BELOW}/"
