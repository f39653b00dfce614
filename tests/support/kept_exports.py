"""ONNX files that tests share: torch takes half a minute of a processor for each, most of it for symbolic shapes."""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any

from filelock import FileLock

from afa_viz.model.onnx_export import export_onnx

PACKAGE = Path(__file__).parents[2] / "afa_viz"
SOURCES = ("model", "ops")  # folders whose code decides what is exported
LIBRARIES = ("torch", "timm", "onnx", "onnxscript", "onnxruntime")


def export_once(model: Any, path: Path, half: bool = False) -> None:
    """`export_onnx`, once for the same weights and card by the same code: the file and its card are kept among the
    temporary files of this user."""
    weights = hashlib.sha256()
    for name, value in model.state_dict().items():
        weights.update(name.encode() + value.detach().cpu().numpy().tobytes())
    facts = f"{weights.hexdigest()} {model.card} {model.pooling} {model.topk} {model.logit_offset} {half}"
    digest = hashlib.sha256(f"{facts} {_code()}".encode()).hexdigest()[:16]
    kept = Path(tempfile.gettempdir()) / f"afa-viz-tests-{os.getuid()}" / digest
    partial = kept.with_suffix(".partial")
    kept.parent.mkdir(mode=0o700, exist_ok=True)
    with FileLock(kept.with_suffix(".lock")):
        if not kept.is_dir():
            shutil.rmtree(partial, ignore_errors=True)  # of a run that was ended
            partial.mkdir()
            export_onnx(model, partial / "kept.onnx", half)
            partial.rename(kept)
    for file in kept.iterdir():
        shutil.copy(file, path.with_suffix(file.suffix))


@functools.cache
def _code() -> str:
    digest = hashlib.sha256(" ".join(_version(name) for name in LIBRARIES).encode())
    for source in sorted(path for folder in SOURCES for path in (PACKAGE / folder).rglob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""
