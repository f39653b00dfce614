"""What a built package holds of the app: every file of the explorer and every text, by pyproject.toml."""

from __future__ import annotations

import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_file_of_the_explorer_is_packaged():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    found = re.search(r"^\[tool\.setuptools\.package-data\]\nafa_viz = (\[[^\]]*\])", text, re.MULTILINE)
    assert found
    packaged = {path for pattern in json.loads(found[1]) for path in (ROOT / "afa_viz").glob(pattern)}
    needed = [path for name in ("explorer", "texts") for path in (ROOT / "afa_viz" / "ui" / name).rglob("*")]
    assert [str(path) for path in needed if path.is_file() and path not in packaged] == []
    assert len([path for path in packaged if path.suffix == ".js"]) > 70
