"""Numbers that a script measured and the page about them, written together."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from afa_viz.atomic_files import atomic_write_text


def write_measured(out: Path, name: str, data: dict[str, Any], page: str) -> None:
    """Write out/data/NAME.json and out/NAME.md, and print the page."""
    (out / "data").mkdir(parents=True, exist_ok=True)
    atomic_write_text(out / "data" / f"{name}.json", json.dumps(data, indent=1) + "\n")
    atomic_write_text(out / f"{name}.md", page)
    print(page)
