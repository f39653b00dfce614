"""Commands that must be refused: with one sentence, an exit code, and everything left as it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from afa_viz.__main__ import main

ROOT = Path(__file__).parents[2]
CHECKPOINT = str(ROOT / "checkpoints" / "sandbox")
OF_A_RUN = {"runs", "status.json", "run.lock", "log.txt"}  # a run that was refused says so in its folder


@pytest.fixture(scope="module")
def image(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("image") / "a.png"
    Image.fromarray(np.full((32, 32, 3), 9, np.uint8)).save(path)
    return str(path)


def files_in(folder: Path) -> dict[str, bytes | None]:
    """What lies in a folder, None for folders; what says of a run that it was refused does not count."""
    found = {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*")) if path.name not in OF_A_RUN}
    return {
        name: path.read_bytes() if path.is_file() else None
        for name, path in found.items()
        if not name.startswith("runs/") or path.is_file()
    }


@pytest.fixture
def refused(tmp_path, monkeypatch, capfd):
    """Run a command that must end with a sentence or argparse's line, and leave everything as it was."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> str:
        before = files_in(tmp_path)
        code = main(arguments)
        output = capfd.readouterr()
        lines = [line for line in output.err.splitlines() if line.strip()]
        assert code in (1, 2), (arguments, code)
        assert "Traceback" not in output.err
        assert files_in(tmp_path) == before, arguments
        if lines:
            assert lines[-1].startswith("afa_viz: ") and lines[-1].endswith(".") or " error: " in lines[-1], lines[-1]
        else:
            assert code == 1 and output.out.strip(), arguments  # `data check` prints what it has found
        return lines[-1] if lines else output.out

    return run
