"""docs/trust.md is what its script prints, and its tables name tests that there are."""

from __future__ import annotations

import re
from pathlib import Path

import make_trust_page
from fault_table import FAULTS
from upload_corpus import CORPUS

TESTS = Path(__file__).parents[1]


def test_the_page_is_what_its_script_prints():
    made = make_trust_page.page()
    assert made == make_trust_page.OUT.read_text(encoding="utf-8"), "run tools/make_trust_page.py"
    assert all(f"`{upload.name}` | {upload.given}" in made for upload in CORPUS)


def test_every_test_that_the_page_names_is_there():
    page = make_trust_page.OUT.read_text(encoding="utf-8")
    named = set(re.findall(r"`(test_\w+\.py)::(\w+)`", page))
    assert len(named) > 40 and {tuple(fault.test.split("::")) for fault in FAULTS} <= named
    for file, name in named:
        source = next(TESTS.rglob(file)).read_text(encoding="utf-8")
        assert re.search(rf"^def {name}\(", source, re.M), f"{file}::{name}"
