"""Names that are markup, in a browser: of models, classes, examples, files and addresses; each shows as letters."""

from __future__ import annotations

import dataclasses
import json
from urllib.parse import quote

import pytest
from app_fixtures import launched, prepare, scene, tiny
from browser import browser, expect, pytestmark, ready, tab, visit

from afa_viz.model.checkpoint import save_model
from afa_viz.ui.page.assets import TABS

__all__ = ["browser", "pytestmark", "visit"]

EVIL = '<img src=zz onerror="window.pwned=1">'
CLASSES = (
    "background",
    f"A{EVIL}",
    'B"onmouseover="window.pwned=1',
    "C</script><script>window.pwned=1",
    "D{{1}}${x}&lt;b&gt;",
)
FILES = (f"broken{EVIL}.png", f"fine{EVIL}.png", "b<b>old.png")


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    options = prepare(folder)
    model, card = tiny(0, CLASSES)
    for name in ("A first", f"B{EVIL}"):
        save_model(model, options.checkpoint_folder / name / "model.safetensors", card)
    (options.checkpoint_folder / f"C{EVIL}").mkdir()
    (options.checkpoint_folder / f"C{EVIL}" / "model.safetensors").write_bytes(b"damaged")
    entries = json.loads((options.examples / "examples.json").read_text())
    evil = {
        **entries[-1],
        "name": f"n{EVIL}",
        "title": f"t{EVIL}",
        "story": f"s{EVIL}",
        "labels": [CLASSES[1], CLASSES[2]],
    }
    (options.examples / "examples.json").write_text(json.dumps([evil, *entries[2:]]))
    images = folder / "images"
    images.mkdir()
    for name in FILES[1:]:
        scene(1)[0].save(images / name, format="PNG")
    (images / FILES[0]).write_bytes(b"\x89PNG damaged")
    (images / "labels.csv").write_text(
        "name,classes\n" + "".join(f'"{n.replace(chr(34), chr(34) * 2)}",cat\n' for n in FILES)
    )
    with launched(dataclasses.replace(options, data=f"folder:{images}")) as served:
        yield served


def untouched(page) -> None:
    """Nothing of a name has become part of the page."""
    assert page.evaluate("window.pwned") is None
    assert page.locator("img[src='zz']").count() == 0 and page.locator("[onmouseover], [onerror]").count() == 0


def test_every_tab_shows_names_as_letters(visit):
    page = visit()
    expect(page.locator("#afa-page")).to_contain_text(f"t{EVIL}")
    expect(page.locator("#afa-page")).to_contain_text(f"s{EVIL}")
    for name in TABS:
        tab(page, name)
        page.wait_for_timeout(150)
        untouched(page)
    assert CLASSES[1] in page.locator("#afa-page").inner_text()


def test_refusals_show_names_as_letters(visit):
    page = visit()
    tab(page, "data")
    card = page.locator('[role=tabpanel][data-tab="data"]').get_by_text("broken", exact=False).first
    card.click()
    toast = page.locator(".toast-wrap")
    expect(toast).to_contain_text(f"broken{EVIL}", timeout=15_000)
    untouched(page)


@pytest.mark.parametrize("query", ["model", "example", "data", "labels", "radius", "tab", "lang", EVIL])
def test_addresses_show_what_they_hold_as_letters(visit, query):
    page = visit(query=f"{quote(query)}={quote(EVIL)}")
    ready(page)
    untouched(page)


def test_models_show_their_names_as_letters(visit):
    page = visit()
    page.locator("#afa-model input").click()
    option = page.get_by_role("option", name=f"C{EVIL}")
    expect(option).to_be_visible()
    untouched(page)
    option.click()
    expect(page.locator(".toast-wrap")).to_contain_text(f"C{EVIL}", timeout=15_000)
    untouched(page)
