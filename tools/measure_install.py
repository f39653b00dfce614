"""What an installation takes on the disk, with and without the libraries of CUDA: the figures of README.

PYTHONPATH=. python tools/measure_install.py     # in the environment to measure
"""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parents[1]
CUDA_PACKAGES = re.compile(r"^(nvidia-|cuda-|triton$)")
CUDA_FILES = re.compile(r"(cuda|nvrtc|cudnn|cublas|nccl)[^/]*\.(so|a)(\.|$)|\.cubin$")  # inside torch


def required(name: str, seen: set[str]) -> set[str]:
    """A package and all that it needs, by normalised names; packages that are not installed are left out."""
    key = re.sub(r"[-_.]+", "-", name).lower()
    if key in seen:
        return seen
    try:
        needs = metadata.requires(key) or []
    except metadata.PackageNotFoundError:
        return seen
    seen.add(key)
    for need in needs:
        if "extra ==" not in need:
            required(re.split(r"[\s;<>=!~\[(]", need, maxsplit=1)[0], seen)
    return seen


def sizes(name: str) -> tuple[int, int]:
    """Bytes of a package, and those of them that only CUDA needs."""
    whole = cuda = 0
    for file in metadata.files(name) or []:
        path = Path(str(file.locate()))
        size = path.stat().st_size if path.is_file() else 0
        whole += size
        cuda += size if CUDA_PACKAGES.match(name) or CUDA_FILES.search(file.name) else 0
    return whole, cuda


def main() -> None:
    """Print the size of everything that requirements.txt installs."""
    seen: set[str] = set()
    for line in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines():
        if name := re.split(r"[\s;<>=!~\[#]", line.strip(), maxsplit=1)[0]:
            required(name, seen)
    found = {name: sizes(name) for name in seen}
    whole, cuda = (sum(pair[i] for pair in found.values()) / 1e9 for i in (0, 1))
    print(f"{len(seen)} packages: {whole:.1f} GB, {cuda:.1f} GB of it for CUDA, {whole - cuda:.1f} GB without")
    for name, (size, _) in sorted(found.items(), key=lambda item: -item[1][0])[:12]:
        print(f"  {size / 1e6:7.0f} MB  {name}")


if __name__ == "__main__":
    main()
