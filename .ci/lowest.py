"""Install the lowest versions that requirements.txt promises into a fresh environment, and run tests there.

python .ci/lowest.py [--folder DIR] [--keep PACKAGE …] [--tests FILE …]

A promise that nobody tests is soon broken. Packages named by --keep have the version of the Python that runs this:
torch and torchvision by default, which are large; `--keep` alone tries their lowest, too.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parents[1]
LARGE = ("torch", "torchvision")
TOOLS = ("pytest", "hypothesis", "gradio_client")  # of the tests, not of the package
TESTS = (  # every package of requirements.txt is used by one of them
    "unit/test_model.py", "unit/test_explain.py", "unit/test_recompute.py", "unit/test_checkpoint.py",
    "unit/test_hub.py", "docs/test_authors_files.py", "robustness/test_uploads.py", "ui/test_images_and_cache.py",
    "unit/test_figures.py", "unit/test_interactive_figures.py", "unit/test_report.py", "ui/test_app.py",
    "ui/test_api.py", "unit/test_cli.py", "unit/test_training.py", "unit/test_sandbox.py",
    "robustness/test_untrusted_calls.py",
)  # fmt: skip


def promised(path: Path = ROOT / "requirements.txt") -> dict[str, str]:
    """The lowest version of each package. Raises: ValueError: for a line that promises none."""
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        line = line.partition("#")[0].strip()
        if not line:
            continue
        match = re.fullmatch(r"([\w.-]+)>=([\w.]+)", line)
        if match is None:
            raise ValueError(f"{path.name} has {line!r}; expected NAME>=VERSION.")
        found[match[1]] = match[2]
    return found


def pins(lowest: dict[str, str], kept: Sequence[str]) -> list[str]:
    """What pip has to install: each package at its lowest version, or at the one that is here."""
    return [f"{name}=={version(name).partition('+')[0] if name in kept else low}" for name, low in lowest.items()]


def main() -> int:
    """Install, test, say which versions were used; returns the exit code of the tests."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, help="of the environment (default: a temporary one)")
    parser.add_argument("--keep", nargs="*", default=LARGE, metavar="P", help="packages at the version that is here")
    parser.add_argument("--tests", nargs="*", default=TESTS, metavar="F", help="files of tests/")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.folder or Path(temporary)
        if not (folder / "pyvenv.cfg").exists():
            venv.create(folder, with_pip=True)
        python = folder / "bin" / "python"
        wanted = pins(promised(), args.keep)
        print("lowest versions:", *wanted, flush=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *wanted, *TOOLS], check=True)
        files = [ROOT / "tests" / name for name in args.tests]
        environment = os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "GRADIO_ANALYTICS_ENABLED": "False"}
        done = subprocess.run([python, "-m", "pytest", "-q", "-W", "default", *files], cwd=ROOT, env=environment)
        return done.returncode


if __name__ == "__main__":
    sys.exit(main())
