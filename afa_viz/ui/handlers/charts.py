"""Charts as the browser draws them: figures of `figures.interactive` as plotly's JSON, in the page's language."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from afa_viz.figures.interactive.base import PAGE
from afa_viz.figures.translation import language_scope
from afa_viz.ui.localization import ENGLISH, display_names, languages

if TYPE_CHECKING:
    from afa_viz.figures.interactive.base import Figure


def render(params: Mapping[str, Any], figures: Callable[[str], Mapping[str, Figure | None]]) -> dict[str, Any]:
    """Charts by name: {"data", "layout"} each; `layout.meta` holds the table of its numbers and a description.

    Args:
        params: of a call; `language` is that of all texts (default: English).
        figures: makes them for a theme; None for one that has nothing to show.
    Raises: KeyError: for an unknown language.
    """
    language = params.get("language", ENGLISH)
    if language not in languages():
        raise KeyError("language")
    with language_scope(language, display_names(language)):
        return {name: figure.to_plotly_json() for name, figure in figures(PAGE).items() if figure is not None}
