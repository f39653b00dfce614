"""Figures as one HTML file that opens from the disk, offline: plotly.js and all numbers are inside."""

from __future__ import annotations

import html
import json
import os
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from afa_viz.atomic_files import atomic_write_text
from afa_viz.figures.interactive.base import CONFIG, THEMED, plotly_js, with_theme
from afa_viz.figures.translation import current_language, translate

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


def write_page(
    figures: Mapping[str, Figure], path: str | os.PathLike[str], title: str = "AFA Viz", intro: str = ""
) -> Path:
    """Write figures below each other, each with the table of its numbers; returns the path.

    Args:
        figures: by names that become the anchors of the page; made with theme "page" they follow the reader's theme.
        title, intro: of the page, in English.
    Raises: ValueError: without any figure. OSError: if the file cannot be written.
    """
    if not figures:
        raise ValueError("got no figure; expected at least one to write.")
    plain = {name: figure.to_plotly_json() for name, figure in figures.items()}
    themed = {theme: {name: with_theme(one, theme) for name, one in plain.items()} for theme in THEMED}
    for one in (figure for group in themed.values() for figure in group.values()):
        one["layout"] = {key: value for key, value in one["layout"].items() if key not in ("meta", "title")}
    filled = {
        "language": current_language(),
        "title": html.escape(translate(title)),
        "intro": html.escape(translate(intro)),
        "figures": "\n".join(_section(name, figure["layout"]) for name, figure in plain.items()),
        "data": _script_json({"themes": themed, "config": CONFIG}),
        "plotly": plotly_js(),
    }
    text = resources.files(__package__).joinpath("page.html").read_text(encoding="utf-8")
    parts = text.split("<!--")  # in pieces: what is filled in is not searched again
    page = parts[0] + "".join(filled[name] + rest for name, _, rest in (part.partition("-->") for part in parts[1:]))
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write_text(path, page)
    return path


def _section(name: str, layout: Mapping[str, Any]) -> str:
    """The place of one figure, with its name and its table."""
    meta, own = layout["meta"], html.escape(name)
    head = "".join(f"<th scope=col>{html.escape(column)}</th>" for column in meta["table"]["columns"])
    rows = "".join(
        f"<tr><th scope=row>{html.escape(first)}</th>{''.join(f'<td>{html.escape(cell)}</td>' for cell in rest)}</tr>"
        for first, *rest in meta["table"]["rows"]
    )
    return (
        f'<figure id="{own}"><figcaption>{layout["title"]["text"]}</figcaption>'
        f'<div class="chart" data-figure="{own}" role="group" aria-label="{html.escape(meta["description"])}"></div>'
        f"<details><summary>{html.escape(translate('The numbers as a table'))}</summary>"
        f'<div class="scroll" tabindex="0"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
        f"</details></figure>"
    )


def _script_json(data: Any) -> str:
    """JSON that may stand inside a script element."""
    return json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
