"""docs/heads.md is made from its numbers, and they are those of every head of one model."""

from __future__ import annotations

import json
from pathlib import Path

from measure_heads import page

DOCS = Path(__file__).parents[2] / "docs"
DATA = json.loads((DOCS / "data" / "heads.json").read_text(encoding="utf-8"))


def test_the_page_is_made_from_the_numbers():
    assert (DOCS / "heads.md").read_text(encoding="utf-8") == page(DATA)


def test_every_head_is_there_once():
    assert [row["head"] for row in DATA["heads"]] == list(range(1, len(DATA["heads"]) + 1))
    assert all(row["without"].keys() == row["only"].keys() == {"cam_rw", "cam_par"} for row in DATA["heads"])
