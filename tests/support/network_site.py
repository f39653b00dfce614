"""A static site with the bundled network for photographs of visitors, and what its worker makes of an image."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from kept_exports import export_once
from static_site import BELOW, served

from afa_viz.bundled import bundled_checkpoint
from afa_viz.ui.sessions.model_registry import ModelRegistry, name_sources
from afa_viz.ui.site.build import SiteOptions, build_site
from afa_viz.ui.site.contents import open_contents
from afa_viz.ui.site.packing import SUFFIX
from afa_viz.ui.site.runtimes import find_runtimes

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "afa_viz" / "examples"
PACKAGE = ROOT / "node_modules" / "onnxruntime-web"


def require_network_packages() -> None:
    """Skip where the network cannot be exported, or no browser could run it."""
    for package in ("onnx", "onnxscript"):
        pytest.importorskip(package, reason="install it with `pip install onnx onnxscript`")
    if not PACKAGE.is_dir():
        pytest.skip("onnxruntime-web is not installed: npm ci")


@contextmanager
def exported_once() -> Iterator[None]:
    """Networks of sites and apps are exported by `export_once`."""
    with mock.patch("afa_viz.ui.site.network.export_onnx", export_once):
        yield


def build_with_network(folder: Path) -> Path:
    """Build a site of one example; returns the folder that a server gives out. Skips without onnxruntime-web."""
    require_network_packages()
    registry = ModelRegistry(name_sources([str(bundled_checkpoint())]), "cpu")
    contents = open_contents(registry, EXAMPLES, folder / "cache", images=[EXAMPLES / "chelsea.png"], limit=1)
    site = folder / "www" / BELOW
    site.mkdir(parents=True)
    with exported_once():
        build_site(site, contents, SiteOptions(title="Network", snapshots=0, runtimes=find_runtimes(PACKAGE)))
    return folder / "www"


def network_of(site: Path) -> dict[str, Any]:
    """What the page is given of the network; `site` as `build_with_network` returns it."""
    return json.loads(gzip.decompress(next((site / BELOW).glob(f"site-*{SUFFIX}")).read_bytes()))["network"]


DRIVER = (ROOT / "benchmarks" / "site_driver.js").read_text(encoding="utf-8")


def arrays(value: Any) -> Any:
    """An answer of the driver with its maps as arrays: uint8 maps that have a range as float."""
    if isinstance(value, list):
        return [arrays(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "base64" in value:
        kind = {"Float32Array": "<f4"}.get(value["kind"], np.uint8)
        return np.frombuffer(base64.b64decode(value["base64"]), kind)
    found = {name: arrays(item) for name, item in value.items()}
    if "bytes" in found and "shape" in found:
        found["map"] = found["bytes"].reshape(found["shape"])
        if found.get("high") is not None:
            found["map"] = found["low"] + (found["high"] - found["low"]) * found["map"].astype(np.float64) / 255
    return found


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    return build_with_network(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def address(site) -> Iterator[str]:
    with served(site) as base:
        yield base
