"""Write docs/data_sets.md: every form in which a data set may come, from the table that the tests run through.

PYTHONPATH=.:tests/support python tools/make_data_page.py
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from data_form import Form
from data_forms import EXAMPLES, FORMS, GROUPS
from layout_forms import SQUARE

from afa_viz.__main__ import main as afa_viz
from afa_viz.data.registry import open_images

OUT = Path(__file__).parents[1] / "docs" / "data_sets.md"
TEST = "test_data_forms.py::test_a_form_is_read_right_or_gets_its_sentence"
CHECK = "test_data_check.py::test_check_says_ready_for_what_training_opens_and_for_nothing_else"
LONGEST = 160  # letters of a file that are shown
DEFAULTS = {"segmentation": SQUARE, "area": 9}  # of the annotations in the table


@contextlib.contextmanager
def folder_of(form: Form, name: str) -> Iterator[Path]:
    """A form written into a folder of that name, which is in the present folder, so that no other path is said."""
    before = os.getcwd()
    with tempfile.TemporaryDirectory() as place:
        os.chdir(place)
        try:
            root = Path(name)
            root.mkdir()
            form.write(root)
            yield root
        finally:
            os.chdir(before)


def code(text: str) -> str:
    """A cell of a table in code letters, a line each."""
    lines = [line.replace("|", "\\|").replace("\t", " ⇥ ") for line in text.split("\n") if line.strip()]
    return "<br>".join(f"`` {line} ``" if "`" in line else f"`{line}`" for line in lines)


def annotations(text: str) -> str:
    """An annotation file of COCO in short: ids and files, categories, and the specific fields of each annotation."""
    held = json.loads(text)
    lines = ["images: " + ", ".join(f"{json.dumps(image['id'])} {image['file_name']}" for image in held["images"])]
    lines += ["categories: " + ", ".join(f"{entry['id']} {entry['name']}" for entry in held["categories"])]
    for entry in held["annotations"]:
        own = {key: value for key, value in entry.items() if value != DEFAULTS.get(key, entry) and key != "id"}
        lines.append(json.dumps(own))
    return "\n".join(lines)


def written(form: Form) -> str:
    """What lies in the folder, as far as it is text."""
    if form.shown:
        return code(form.shown)
    if form.kind == "coco":
        return "<br>".join(f"{name}:<br>{code(annotations(str(text)))}" for name, text in form.files.items())
    parts, others = [], []
    for name, content in form.files.items():
        text = content if isinstance(content, str) else content.decode(errors="replace")
        if "\0" in text or "\ufffd" in text:
            others.append(name)
            continue
        text = text.replace("\r", "\n").removeprefix("\ufeff")
        text = re.sub("</?(annotation|object)>", "", text) if name.endswith(".xml") else text
        shown = text if len(text) <= LONGEST else text[:LONGEST] + " …"
        parts.append(f"{name}: {code(shown)}" if len(form.files) > 1 else code(shown))
    return "<br>".join([*parts, *([", ".join(others)] if others else [])])


def read_as(form: Form) -> str:
    """What comes of a form: classes by image and what is said, or the sentence that it gets."""
    with folder_of(form, "set") as root:
        try:
            images = open_images(form.kind, root, form.split, form.source, quiet=True)
            masks = {name: images.mask(i) for i, name in enumerate(images.names)}
        except (ValueError, FileNotFoundError) as error:
            return f"“{error}”".replace("|", "\\|")
    found = [
        f"{name}: {', '.join(images.class_names[i + 1] for i in np.flatnonzero(row)) or 'nothing'}"
        for name, row in zip(images.names, images.labels, strict=True)
    ]
    for name, values in form.masks.items():
        pixels = masks[name]
        assert pixels is not None
        found.append(f"mask of {name}: {', '.join(map(str, pixels.ravel()[: len(values)].tolist()))}, …")
    notes = [f"*{note}*" for note in images.notes if form.note and form.note in note]
    return "<br>".join([*found[:4], *(["…"] if len(found) > 4 else []), *notes]).replace("|", "\\|")


def table(forms: list[Form], last: str) -> str:
    """Forms as a table in Markdown."""
    rows = [f"| {form.given} | {written(form)} | {read_as(form)} |" for form in forms]
    return "\n".join([f"| form | written as | {last} |", "|---|---|---|", *rows])


def check_output(name: str) -> str:
    """What `data check` prints for an example."""
    form, printed = EXAMPLES[name], io.StringIO()
    with folder_of(form, name), contextlib.redirect_stdout(printed):
        afa_viz(["data", "check", form.kind, "--root", name])
    command = f"$ python -m afa_viz data check {form.kind} --root {name}"
    return f"### {form.given[0].upper()}{form.given[1:]}\n\n```\n{command}\n{printed.getvalue().rstrip()}\n```"


def page() -> str:
    """The page as text."""
    logging.disable(logging.WARNING)
    try:
        parts = [
            "# Data sets: what is read, and as what",
            "Written by `PYTHONPATH=.:tests/support python tools/make_data_page.py` from the table that the "
            "tests use: "
            f"each of the {len(FORMS)} rows is a case of `{TEST}`, and of `{CHECK}`.",
            "Nothing is left out silently: what is not read is counted and named when a set is opened, by "
            "`data check`, `train`, `evaluate` and the Data set tab alike, and what is refused gets one sentence.",
            "`python -m afa_viz data onehot voc --root data --out cls_labels.npy` writes the image labels of a set as "
            "the dictionary that AFA, ToCo and SEAM look up by name and IRN by number.",
        ]
        for title, forms in GROUPS.items():
            parts += [f"## {title}", table([form for form in forms if form.labels is not None], "read as")]
            refused = [form for form in forms if form.labels is None]
            if refused:
                parts += ["Refused:", table(refused, "the sentence")]
        parts += ["## What `data check` prints", *(check_output(name) for name in EXAMPLES)]
        return "\n\n".join(parts) + "\n"
    finally:
        logging.disable(logging.NOTSET)


def main() -> None:
    OUT.write_text(page(), encoding="utf-8")
    print(f"wrote docs/{OUT.name}")


if __name__ == "__main__":
    main()
