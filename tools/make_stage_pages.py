"""Write docs/stages/: one page per tab, and the glossary, from the same texts that the app shows.

PYTHONPATH=. python tools/make_stage_pages.py
"""

from __future__ import annotations

import re
from pathlib import Path

from afa_viz.ui.localization import languages, texts
from afa_viz.ui.page.assets import TABS

OUT = Path(__file__).parents[1] / "docs" / "stages"


def page_of(name: str) -> str:
    """What a tab shows in words, its equation and why, as Markdown with HTML."""
    found = texts()
    parts = [f"# {found[f'tabs.{name}']}", found[f"{name}.intro"]]
    if f"{name}.equation" in found:
        parts.append(found[f"{name}.equation"])
    why = found.get(f"{name}.why_html", "")
    if why:
        parts += ["## Why?", re.sub(r"</p>\s*<p>", "</p>\n\n<p>", why)]
    return "\n\n".join(parts) + "\n"


def glossary() -> str:
    """The terms of the field in every language, as a Markdown table."""
    names = [key for key in texts() if key.startswith("glossary.") and not key.endswith(("_info", "_match"))]
    rows = [
        f"| {' / '.join(texts(code)[name] for code in languages())} "
        f"| {'<br>'.join(texts(code)[f'{name}_info'] for code in languages())} |"
        for name in names
    ]
    head = "In the app, point at a term in a text, or choose *Glossary* in the menu *?*."
    return "\n".join(["# Glossary", "", head, "", "| term | meaning |", "| --- | --- |", *rows, ""])


def pages() -> dict[str, str]:
    """Every page by its file name."""
    listed = "\n".join(f"{i}. [{texts()[f'tabs.{name}']}]({name}.md)" for i, name in enumerate(TABS, start=1))
    origin = "Written by `PYTHONPATH=. python tools/make_stage_pages.py` from the app's own texts."
    index = f"# What each tab shows\n\n{origin}\n\n{listed}\n\nThe terms: [glossary](glossary.md).\n"
    tabs = {f"{name}.md": page_of(name) for name in TABS}
    return {"README.md": index, "glossary.md": glossary()} | tabs


def main() -> None:
    OUT.mkdir(exist_ok=True)
    for name, text in pages().items():
        (OUT / name).write_text(text, encoding="utf-8")
    print(f"wrote {len(pages())} pages to docs/{OUT.name}/")


if __name__ == "__main__":
    main()
