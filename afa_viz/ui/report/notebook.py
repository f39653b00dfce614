"""`afa_viz.show(trace)`: the explorer in a notebook's cell, as a frame of its own that is saved with the notebook."""

from __future__ import annotations

import warnings
from functools import cached_property
from html import escape
from typing import Any

from afa_viz.figures.translation import ENGLISH, check_language
from afa_viz.trace import Trace
from afa_viz.ui.report.document import document

HEIGHT = 760  # pixels
HEIGHTS = (200, 4000)
FRAME = 'title="AFA Viz" sandbox="allow-scripts allow-downloads allow-modals" allow="clipboard-write" allowfullscreen'
LOOK = "display:block;box-sizing:border-box;width:100%;border:1px solid #8888;border-radius:6px"
SENTENCE = "This is the explorer of a trace, which notebooks draw; elsewhere write a file: trace.report('trace.html')."


class NotebookView:
    """The explorer of one trace as the output of a cell: a frame that shares nothing with the notebook or with others.

    Several stand in one notebook, and each is kept in the saved file. `_repr_html_` is what notebooks ask for.
    """

    def __init__(self, trace: Trace, height: int = HEIGHT, language: str = ENGLISH) -> None:
        low, high = HEIGHTS
        if isinstance(height, bool) or not isinstance(height, int) or not low <= height <= high:
            raise ValueError(f"height is {height!r}; expected a whole number of pixels from {low} to {high}.")
        check_language(language)
        self._trace, self._height, self._language = trace, height, language
        self._shown_in: Any = None  # the number of the cell that has shown it

    @cached_property
    def _html(self) -> str:
        style = f"{LOOK};height:{self._height}px"
        page = escape(document(self._trace, self._language))
        return f'<iframe srcdoc="{page}" {FRAME} style="{style}"></iframe>'

    def _repr_html_(self) -> str:
        return self._html

    def __repr__(self) -> str:
        return SENTENCE

    def _ipython_display_(self) -> None:
        """Shown once in a cell: the last line of a cell is displayed again by the notebook."""
        from IPython import get_ipython
        from IPython.display import publish_display_data

        cell = getattr(get_ipython(), "execution_count", None)
        if cell is not None and cell == self._shown_in:
            return
        self._shown_in = cell
        publish_display_data({"text/html": self._html, "text/plain": repr(self)})


def show(trace: Trace, height: int = HEIGHT, language: str = ENGLISH) -> NotebookView:
    """Show the explorer of a trace in the cell of a notebook: Jupyter, VS Code, Colab.

    Args:
        height: of the frame in pixels, 200 to 4000; its width is the cell's.
        language: that it begins with, "en" or "ko".
    Returns: the view, which other notebooks than IPython's draw where a cell ends with it. Without a notebook a
        warning says how to write a file instead.
    Raises: ValueError: for a height or a language that there is not. TypeError: for something else than a trace.
    """
    if not isinstance(trace, Trace):
        raise TypeError(f"got {type(trace).__name__}; expected a Trace, as afa_viz.explain and Trace.load return it.")
    view = NotebookView(trace, height, language)
    if _in_notebook():
        view._ipython_display_()
    else:
        warnings.warn(repr(view), stacklevel=2)
    return view


def _in_notebook() -> bool:
    """Whether IPython runs this, and a front end that draws HTML may be listening."""
    try:
        from IPython import get_ipython
    except ImportError:
        return False
    shell = get_ipython()
    return shell is not None and type(shell).__name__ != "TerminalInteractiveShell"
