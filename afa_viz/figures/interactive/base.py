"""What all interactive figures share: themes, text that stays text, the table behind a figure, plotly.js itself.

A figure is put together as dictionaries and becomes a `plotly.graph_objects.Figure` at the end: plotly is imported
when the first figure is made. Colours are written `var(--NAME)`, with the names of `chart_style.THEMES`: `finish` puts
those of a theme in their place, a page (theme "page") those of its style sheet.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from afa_viz.figures.chart_style import THEMES
from afa_viz.figures.translation import translate

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

THEMED = tuple(THEMES)
PAGE = "page"  # theme: colours stay names for the page's style sheet
CONFIG = {"displaylogo": False, "showSendToCloud": False, "plotlyServerURL": "", "responsive": True}
HEIGHT = 340  # pixels
MAX_LETTERS = 40  # of a name
Table = tuple[Sequence[str], Sequence[Sequence[str]]]


def label(words: object, max_letters: int = MAX_LETTERS) -> str:
    """Text for a figure, translated, shortened and escaped: plotly would take `<b>` or `<a href>` in it for markup."""
    return html.escape(shorten(translate(str(words)), max_letters), quote=False)


def shorten(words: str, max_letters: int = MAX_LETTERS) -> str:
    """Text on one line, with "…" for what is beyond a number of letters."""
    line = " ".join(words.split())
    return line if len(line) <= max_letters else f"{line[: max_letters - 1]}…"


def colour(name: str) -> str:
    """A colour of the theme by its name in `chart_style.THEMES`."""
    return f"var(--{name})"


def finish(
    title: str,
    data: Sequence[Mapping[str, Any]],
    layout: Mapping[str, Any],
    table: Table,
    description: str = "",
    theme: str = "light",
    **meta: Any,
) -> Figure:
    """The figure of some traces.

    Args:
        title: in English; class names in it are escaped by `label`.
        layout: beside the style that all figures share.
        table: columns and rows, cells as text: what the figure says, for those who read or hear it.
        description: what the figure shows in words; "" repeats the title.
        theme: "light", "dark", or "page": colours stay `var(--NAME)`.
        meta: kept beside the table in `layout.meta`, for the page that shows the figure.
    Raises: ValueError: for another theme.
    """
    if theme not in (*THEMED, PAGE):
        raise ValueError(f"got the theme {theme!r}; expected one of {', '.join((*THEMED, PAGE))}.")
    import plotly.graph_objects as go

    columns, rows = table
    own = {
        "template": {"layout": _STYLE},
        "title": {"text": label(title, 120)},
        "height": HEIGHT,
        "meta": {
            "description": description or shorten(translate(title), 120),
            "table": {"columns": list(columns), "rows": [list(row) for row in rows]},
            **meta,
        },
    }
    figure = {"data": list(data), "layout": {**own, **layout}}
    if theme == PAGE:  # JSON for our own page, not for a notebook: plotly's checks take most of the time
        return go.Figure(figure, _validate=False)
    return go.Figure(with_theme(figure, theme))


_AXIS = {
    "gridcolor": colour("grid"), "linecolor": colour("muted"), "zeroline": False, "automargin": True,
    "title": {"standoff": 8},
}  # fmt: skip
_STYLE = {
    "font": {"family": "system-ui, sans-serif", "size": 12, "color": colour("ink")},
    "title": {"x": 0, "xref": "paper", "font": {"size": 14}},
    "paper_bgcolor": colour("paper"),
    "plot_bgcolor": "rgba(0,0,0,0)",
    "colorway": [colour(name) for name in ("accent", "warm", "good", "pseudo", "start", "bad", "muted")],
    "margin": {"l": 52, "r": 16, "t": 48, "b": 44},
    "xaxis": _AXIS,
    "yaxis": _AXIS,
    "legend": {"orientation": "h", "x": 0, "y": -0.2, "yanchor": "top"},
    "hoverlabel": {"bgcolor": colour("paper"), "bordercolor": colour("muted"), "font": {"color": colour("ink")}},
    "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": colour("muted"), "activecolor": colour("accent")},
    "hoverdistance": 30,
}


def with_theme(figure: Mapping[str, Any], theme: str) -> dict[str, Any]:
    """A figure as a dictionary, its colours those of a theme instead of names."""
    return _coloured(figure, THEMES[theme])


def _coloured(part: Any, colours: Mapping[str, str], key: str = "") -> Any:
    """The same with the colours of a theme; what stands under other keys is no colour and stays."""
    if isinstance(part, Mapping):
        return {name: _coloured(value, colours, name) for name, value in part.items()}
    if "color" not in key:
        return [_coloured(value, colours) for value in part] if isinstance(part, (list, tuple)) else part
    if isinstance(part, (list, tuple)):
        return [_coloured(value, colours, key) for value in part]
    return colours.get(part[6:-1], part) if isinstance(part, str) and part.startswith("var(--") else part


def number(value: float | None, digits: int = 4) -> str:
    """A number for a table: some significant digits, "–" for none."""
    return "–" if value is None or value != value else f"{value:.{digits}g}".replace("-", "−")


def percent(value: float | None) -> str:
    """A number that is a percentage already, with one decimal; "–" for none."""
    return "–" if value is None or value != value else f"{value:.1f}".replace("-", "−")


def table_of_lines(x_name: str, lines: Iterable[tuple[str, Sequence[float], Sequence[float | None]]]) -> Table:
    """Curves as a table: a row for each place on the x axis, a column for each curve (name, x, y)."""
    lines = list(lines)
    places = sorted({place for _, x, _ in lines for place in x})
    known = [dict(zip(x, y, strict=True)) for _, x, y in lines]
    rows = [[f"{place:,g}", *(number(values.get(place)) for values in known)] for place in places]
    return [translate(x_name), *(shorten(translate(name)) for name, _, _ in lines)], rows


def plotly_js() -> str:
    """plotly.js as the installed package carries it: one script of five million letters that needs no other file."""
    from plotly.offline import get_plotlyjs

    return get_plotlyjs()


def plotly_version() -> str:
    """Version of the installed package, which decides that of its plotly.js; asked for without importing it."""
    return version("plotly")
