"""The network in a site, for photographs of visitors: its ONNX file, a runtime for browsers, and what both need."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from afa_viz.config import ExplainConfig
from afa_viz.model.onnx_export import card_of, export_onnx, output_names
from afa_viz.model.onnx_split import split_onnx
from afa_viz.ops import par, random_walk
from afa_viz.ui.localization import texts
from afa_viz.ui.page import assets
from afa_viz.ui.site.runtimes import RUNTIMES, Runtimes

if TYPE_CHECKING:
    from afa_viz.model.afa import AFA

MAX_CELLS = 1024  # of a grid that the browser refines, as in explorer/core/recompute.js
VERSION = re.compile(rb"ONNX Runtime Web v([\d.]+)")
EVERY_PASS = re.compile("class_logits|cam|attn_logits_.*")  # outputs; the others are those of the first pass alone


def require_small(model: AFA) -> None:
    """Raises: ValueError: for a model whose images are too large to be refined in a browser."""
    size = model.card.input_size if model.card else 0
    if not size or (-(-size // 16)) ** 2 > MAX_CELLS:
        raise ValueError(
            f"the model takes images of {size or 'any size'} pixels; expected at most 512 for photographs in the "
            "browser: leave --onnxruntime-web out, or choose another model."
        )


def write_network(folder: Path, model: AFA, name: str, runtimes: Runtimes) -> dict[str, Any]:
    """Write the network in two parts, with its runtimes and its worker, into a folder that a browser is served from.

    Args:
        name: of the model, in the page.
        runtimes: as `find_runtimes` gives them.
    Returns: addresses relative to the folder, what a visitor loads once with each runtime in `megabytes`, and `facts`
        for the worker.
    Raises: ExportError: if the network cannot be exported.
    """
    exported = folder / "network.onnx"
    export_onnx(model, exported, half=True)
    encoder, head = split_onnx(
        exported.read_bytes(), [name for name in output_names(model) if EVERY_PASS.fullmatch(name)]
    )
    exported.unlink()
    exported.with_suffix(".json").unlink()
    worker = f"{assets.script(assets.WORKER)}.start((address) => import(address));\n".encode()
    parts = {"encoder": encoder, "head": head, "script": worker}
    names = {
        part: f"network-{part}-{_digest(data)}.{'js' if part == 'script' else 'onnx'}" for part, data in parts.items()
    }
    for part, data in parts.items():
        (folder / names[part]).write_bytes(data)
    own = sum(map(len, parts.values()))
    given = {provider: _write_runtime(folder, own, *paths) for provider, paths in runtimes.items()}
    return {**names, "runtimes": given, "facts": facts(model, name)}


def _write_runtime(folder: Path, own: int, *paths: Path) -> dict[str, Any]:
    """Copy a script and its WebAssembly file; addresses and megabytes, with `own` bytes of the network."""
    script, wasm = (path.read_bytes() for path in paths)
    version = VERSION.search(script)
    below = f"onnxruntime-web-{version[1].decode() if version else _digest(script, wasm)}"
    (folder / below).mkdir(exist_ok=True)
    files = {f"{below}/{paths[0].stem}.js": script, f"{below}/{paths[1].name}": wasm}  # servers know .js, and not .mjs
    for path, data in files.items():
        (folder / path).write_bytes(data)
    names = dict(zip(("script", "wasm"), files, strict=True))
    return {**names, "megabytes": round((own + len(script) + len(wasm)) / 1e6)}


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
        "masked_story": texts()["side.masked_story"],
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


def network_files(folder: Path, provider: str = "*") -> list[Path]:
    """The files of the network in a site, which are loaded with the first photograph: with one runtime, or with all."""
    pairs = RUNTIMES.values() if provider == "*" else [RUNTIMES[provider]]
    stems = {Path(name).stem for pair in pairs for name in pair}
    return [*folder.glob("network-*"), *(path for path in folder.glob("onnxruntime-web-*/*") if path.stem in stems)]
