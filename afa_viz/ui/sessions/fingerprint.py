"""Digests of everything that prepared answers depend on: the bytes of checkpoint, example and code, settings, versions
of libraries, and the machine, whose processor and threads decide the last digits of a number.

Bytes and no dates: a date of change may stay the same, and a copy of a folder gets new ones.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import platform
import sys
from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path

from afa_viz import __version__
from afa_viz.ui.sessions.examples import Example

PACKAGE = Path(__file__).parents[2]
SOURCES = ("*.py", "ui/texts/*.json")  # of the package: answers hold titles and sentences of the page
LIBRARIES = ("torch", "timm", "numpy", "scipy", "scikit-image", "pillow", "safetensors")
VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "ATEN_CPU_CAPABILITY")
ACCELERATORS = ("nvidia[0-9]*", "kfd", "dri/render*")  # in /dev
CHUNK = 2**20


def base_digest(files: Iterable[Path], settings: object, examples: Sequence[Example]) -> str | None:
    """What the answers about every example depend on; None where the code cannot be read, as in a zip file.

    Args:
        files: checkpoint and card.
        settings: what else decides the answers; its `repr` counts.
        examples: all of them, since the lab recommends some to everybody.
    Raises: OSError: for a file that cannot be read.
    """
    sources = sorted(path for pattern in SOURCES for path in PACKAGE.rglob(pattern))
    if not any(path.name == "fingerprint.py" for path in sources):
        return None
    entries = [dataclasses.replace(example, path=Path(), mask_path=None) for example in examples]
    masks = [example.mask_path is not None for example in examples]
    digest = hashlib.sha256(repr((settings, entries, masks, _environment())).encode())
    for path in sources:
        digest.update(f"{path.relative_to(PACKAGE).as_posix()} ".encode())
        _update(digest, path)
    for path in files:
        _update(digest, path)
    return digest.hexdigest()


def example_digest(base: str, example: Example) -> str | None:
    """`base` together with the images of one example; None if they cannot be read."""
    digest = hashlib.sha256(f"{base} {example.name} {example.mask_path is not None}".encode())
    try:
        for path in (example.path, example.mask_path):
            if path is not None:
                _update(digest, path)
    except OSError:
        return None
    return digest.hexdigest()[:40]


def _update(digest: hashlib._Hash, path: Path) -> None:
    """Add a file: its length first, so that bytes cannot move from one file to the next."""
    digest.update(f"{path.stat().st_size} ".encode())
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)


def _environment() -> tuple:
    """Versions, and what is known of the machine without loading torch."""
    versions = [_version(name) for name in LIBRARIES]
    variables = [os.environ.get(name) for name in VARIABLES]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    devices = [path.name for pattern in ACCELERATORS for path in sorted(Path("/dev").glob(pattern))]
    return __version__, sys.version, versions, variables, cores, devices, platform.machine(), _processor()


def _version(library: str) -> str | None:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    """Model and instruction sets of the first core; they decide which kernels a library takes."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            first = file.read(2**14).partition("\n\n")[0]
        wanted = ("model name", "flags", "Features", "CPU part")
        return "".join(line for line in first.splitlines() if line.startswith(wanted))
    except OSError:
        return platform.processor()
