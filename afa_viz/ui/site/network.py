"""The network in a site, for photographs of visitors: its ONNX file, a runtime for browsers, and what both need."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from afa_viz.config import ExplainConfig
from afa_viz.model.onnx_export import card_of, export_onnx
from afa_viz.ops import par, random_walk
from afa_viz.ui.localization import texts
from afa_viz.ui.page import assets

if TYPE_CHECKING:
    from afa_viz.model.afa import AFA

RUNTIME, WASM = "ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"  # of onnxruntime-web
MAX_CELLS = 1024  # of a grid that the browser refines, as in explorer/core/recompute.js
VERSION = re.compile(rb"ONNX Runtime Web v([\d.]+)")
FOLDERS = ("", "dist", "onnxruntime-web/dist", "node_modules/onnxruntime-web/dist")  # below what was given


def find_runtime(folder: Path) -> tuple[Path, Path]:
    """The script and the WASM file of onnxruntime-web in its folder, or in one that holds it.

    Raises: ValueError: if they are not there.
    """
    for below in FOLDERS:
        found = folder / below / RUNTIME, folder / below / WASM
        if all(path.is_file() for path in found):
            return found
    raise ValueError(
        f"--onnxruntime-web {folder} has no {RUNTIME} with {WASM}; expected the folder of the npm package "
        "onnxruntime-web: run `npm install onnxruntime-web` and name node_modules/onnxruntime-web."
    )


def require_small(model: AFA) -> None:
    """Raises: ValueError: for a model whose images are too large to be refined in a browser."""
    size = model.card.input_size if model.card else 0
    if not size or (-(-size // 16)) ** 2 > MAX_CELLS:
        raise ValueError(
            f"the model takes images of {size or 'any size'} pixels; expected at most 512 for photographs in the "
            "browser: leave --onnxruntime-web out, or choose another model."
        )


def write_network(folder: Path, model: AFA, name: str, runtime: tuple[Path, Path]) -> dict[str, Any]:
    """Write the network with its runtime and its worker into the folder of a site.

    Args:
        name: of the model, in the page.
        runtime: as `find_runtime` gives them.
    Returns: addresses relative to the page, `megabytes` that a visitor loads once, and `facts` for the worker.
    Raises: ExportError: if the network cannot be exported.
    """
    script, wasm = (path.read_bytes() for path in runtime)
    version = VERSION.search(script)
    below = f"onnxruntime-web-{version[1].decode() if version else _digest(script, wasm)}"
    (folder / below).mkdir()
    stem = Path(RUNTIME).stem  # servers know the type of .js, and not of .mjs
    files = {f"{below}/{stem}.js": script, f"{below}/{WASM}": wasm}
    exported = folder / "network.onnx"
    export_onnx(model, exported, half=True)
    model_bytes = exported.read_bytes()
    exported.unlink()
    exported.with_suffix(".json").unlink()
    worker = f"{assets.script(assets.WORKER)}.start((address) => import(address));\n".encode()
    names = {"model": f"network-{_digest(model_bytes)}.onnx", "script": f"network-{_digest(worker)}.js"}
    files |= {names["model"]: model_bytes, names["script"]: worker}
    for path, data in files.items():
        (folder / path).write_bytes(data)
    return {
        **names,
        "runtime": f"{below}/{stem}.js",
        "wasm": f"{below}/{WASM}",
        "megabytes": round(sum(map(len, files.values())) / 1e6),
        "facts": facts(model, name),
    }


def facts(model: AFA, name: str) -> dict[str, Any]:
    """What host/onnx/trace.js reads of a network: its card, its blocks, and the settings of `explain`."""
    config, card = ExplainConfig.for_model(model), card_of(model, half=True, verification=None)
    own = card["model"]
    settings = {
        "low": config.bkg_score_low, "high": config.bkg_score_high, "w1": par.W1, "w2": par.W2, "eps": random_walk.EPS,
        **_taken(config, "bkg_score", "radius", "power", "num_steps", "num_iters", "use_walk", "use_par", "dilations",
                 "par_downscale"),
    }  # fmt: skip
    return {
        "model": name,
        "title": texts()["side.own_title"],
        "story": texts()["site.own_story"],
        "names": own["class_names"],
        "palette": own["palette"],
        "mean": own["mean"],
        "std": own["std"],
        "long_side": config.long_side or own["input_size"],
        "cam_relu": own["cam_relu"],
        "parts": {**dataclasses.asdict(model.parts), "lacks": list(model.parts.lacks)},
        "at_centre": own["affinity_at_centre"],
        "trained_on": {"affinity": own["affinity_trained_on"], "decoder": own["decoder_trained_on"]},
        **_taken(config, "label_threshold", "scales", "flip", "symmetric"),
        **{key: card[key] for key in ("affinity_weight", "affinity_bias", "blocks")},
        "settings": settings,
    }


def _taken(config: ExplainConfig, *names: str) -> dict[str, Any]:
    every = json.loads(json.dumps(dataclasses.asdict(config)))
    return {name: every[name] for name in names}


def _digest(*parts: bytes) -> str:
    return hashlib.sha256(b"".join(parts)).hexdigest()[:8]


def network_files(folder: Path) -> list[Path]:
    """The files of the network in a site, which are loaded with the first photograph."""
    return [*folder.glob("network-*"), *folder.glob("onnxruntime-web-*/*")]
