"""The page's JavaScript: it parses, nothing in it is dead or left over, files stay small, and the page stays light."""

from __future__ import annotations

import gzip
import json
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from afa_viz.image_files import SENTENCES
from afa_viz.ui import localization
from afa_viz.ui.page import assets as page
from afa_viz.ui.page.bundle import ordered
from afa_viz.ui.page.component import GIVEN, load_script
from afa_viz.ui.page.config_fields import ABLATIONS, SLIDERS

FILES = sorted(page.EXPLORER.rglob("*.js"))
NAMED = re.compile(r"^(export )?(?:async )?(?:function|const|let|class) (\w+)", re.MULTILINE)
NODE_TESTS = Path(__file__).parents[1] / "js"


def named(file: Path) -> str:
    return file.relative_to(page.EXPLORER).as_posix()


def test_every_script_is_part_of_the_page():
    used = {module.name for entry in page.ENTRIES for module in ordered(page.EXPLORER, entry, later=True)}
    assert {named(file) for file in FILES} == used
    styles = {*sum(page.STANDALONE_STYLES, ()), *page.STYLES, *(f"views/{tab}/{tab}.css" for tab in page.TABS)}
    assert {file.relative_to(page.EXPLORER).as_posix() for file in page.EXPLORER.rglob("*.css")} <= styles | {
        *sum(page.LATER_STYLES.values(), ())
    }


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node; the browser tests parse the script too")
def test_the_script_parses(tmp_path):
    whole = tmp_path / "page.mjs"
    scripts = [f"(({GIVEN}) => {{\n{load_script()}\n}});\n", *(f"({page.script(entry)});\n" for entry in page.ENTRIES)]
    whole.write_text("".join(scripts), encoding="utf-8")
    done = subprocess.run(["node", "--check", str(whole)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("file", FILES, ids=named)
def test_a_script_is_tidy(file):
    text = file.read_text(encoding="utf-8")
    lines = text.splitlines()
    assert len(lines) <= 340, "one idea a file"
    assert text.endswith("\n") and not [line for line in lines if line != line.rstrip()]
    assert not [line for line in lines if len(line) > 140]
    assert not re.findall(r"\bvar \w|console\.log|debugger|\balert\(|[^=!<>]==(?! null)[^=]|TODO|innerHTML \+=", text)


def test_nothing_is_dead():
    """What a module names it uses, or exports; what it exports another one uses, or a test under node."""
    texts = {file: file.read_text(encoding="utf-8") for file in [*FILES, *NODE_TESTS.glob("*.js")]}
    used = {file: Counter(re.findall(r"[\w$]+", text)) for file, text in texts.items()}
    dead, count = [], 0
    for file in FILES:
        others = [words for other, words in used.items() if other != file]
        for exported, name in NAMED.findall(texts[file]):
            count += 1
            if not any(words[name] for words in others) if exported else used[file][name] < 2:
                dead.append(f"{named(file)}: {name}")
    assert count > 400 and not dead


def test_every_text_is_said():
    """By a fragment, a script (also as the start of a composed key), the frame of a tab, or the server."""
    fragments = "".join(file.read_text(encoding="utf-8") for file in page.EXPLORER.rglob("*.html"))
    script = "".join(file.read_text(encoding="utf-8") for file in FILES)
    composed = {start for start in re.findall(r"[`\"]([\w.]+?)(?:\$\{|\")", script) if "." in start}
    server = "".join(file.read_text(encoding="utf-8") for file in page.EXPLORER.parent.rglob("*.py"))
    examples = json.loads((page.EXPLORER.parents[1] / "examples" / "examples.json").read_text(encoding="utf-8"))
    outside = {f"example.{example['name']}.{what}" for example in examples for what in ("title", "story")}
    outside |= {f"side.{slider.field}{what}" for slider in SLIDERS for what in ("", "_info")}
    outside |= {key for key in localization.texts() if key.startswith("gradio.")} | {"refused.disk", "refused.memory"}
    outside |= {f"device.{key.partition('.')[2]}" for key in localization.texts() if key.startswith("site.")}
    outside |= {f"refused.{key}" for key in SENTENCES}  # of image files, for the command line too
    unsaid = []
    for key, text in localization.texts().items():
        framed = (
            key in ("why", "head_html") or key.startswith("tabs.") or key.endswith((".intro", ".equation", ".why_html"))
        )
        said = f"{{{{{key}}}}}" in fragments or any(key.startswith(start) for start in composed) or f'"{key}"' in script
        said |= key in outside or f'"{key}"' in server or (key.startswith("side.without_") and text in ABLATIONS)
        if not (framed or said):
            unsaid.append(key)
    assert not unsaid


def test_the_page_is_light():
    parts = {"script": page.script(), "style": page.style(), "html": page.explorer_html(), "tables": page.tables()}
    sizes = {name: len(text.encode()) for name, text in parts.items()}
    assert sum(sizes.values()) < 460_000, sizes  # two languages, before the server compresses it
    assert len(gzip.compress(parts["script"].encode(), 6)) < 60_500
    # when a later tab, zoom or mask is first opened; the guided tour or the lab
    for name in page.LATER_SCRIPTS:
        limit = 14_000 if name == "device" else 35_000  # beside the network itself
        assert len(gzip.compress(page.later_script(name).encode(), 6)) < limit, name
