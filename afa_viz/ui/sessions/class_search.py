"""Words by which a class is found in a list that is searched: its name, other words for it, and other languages'."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from afa_viz.classes import OTHER_WORDS
from afa_viz.ui.localization import CLASS, languages, texts

SEPARATOR = "\u2063"  # invisible; host/server/gradio_words.js puts the parts together


def choice(name: str, note: str = "", synonyms: Mapping[str, Sequence[str]] | None = None) -> str:
    """The entry of a class in a list: name, note, other words, words of other languages, with `SEPARATOR` between them.

    Gradio searches an entry by any part of it. The page shows name and note, in an open list also the other words.

    Args:
        note: such as a probability.
        synonyms: other words by name, beside `OTHER_WORDS`.
    """
    others = ", ".join((synonyms or {}).get(name, OTHER_WORDS.get(name, ())))
    foreign = " ".join(texts(code).get(CLASS + name, "") for code in languages()[1:]).strip()
    return SEPARATOR.join([name, note, others, foreign]) if note or others or foreign else name
