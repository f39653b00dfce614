"""docs/data_sets.md is what its script prints, and has a row for every form of the table."""

from __future__ import annotations

import re
from pathlib import Path

import make_data_page
from data_forms import EXAMPLES, FORMS

TESTS = Path(__file__).parents[1]


def test_the_page_is_what_its_script_prints():
    made = make_data_page.page()
    assert made == make_data_page.OUT.read_text(encoding="utf-8"), "run tools/make_data_page.py"
    assert all(f"| {form.given} |" in made for form in FORMS)
    assert made.count("$ python -m afa_viz data check") == len(EXAMPLES) == 3
    assert "/tmp" not in made and str(Path.home()) not in made, "no path of this machine"


def test_the_tests_that_the_page_names_are_there():
    for file, name in re.findall(r"`(test_\w+\.py)::(\w+)`", make_data_page.OUT.read_text(encoding="utf-8")):
        source = next(TESTS.rglob(file)).read_text(encoding="utf-8")
        assert re.search(rf"^def {name}\(", source, re.M), f"{file}::{name}"
