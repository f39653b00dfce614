"""Suggestions for misspelled names of settings, commands, splits and classes."""

from __future__ import annotations

import dataclasses
import difflib
import functools
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

Config = TypeVar("Config")
STEM = 4  # letters that two words must begin with alike
TYPO, SIMILAR = 0.8, 0.6  # shares of letters that two words have in common, as difflib counts them


class UnknownSettingError(ValueError, TypeError):
    """A setting that does not exist; a TypeError too, as Python raises for a keyword that a function does not have."""


def nearest(word: str, words: Sequence[str]) -> str | None:
    """The candidate closest to a misspelled or abbreviated word, or None.

    Tried in turn, of dotted names also with the last part alone: nearly the same letters (`radios`: explain.radius);
    the first letters of the parts (`lr`: learning_rate); one of the parts (`decay`: weight_decay); a part that begins
    alike (`iterations`: max_iters); similar letters.
    """
    asked = word.strip().lower().replace("-", "_")
    last = {w: w.rsplit(".", 1)[-1].lower().replace(" ", "_") for w in words}
    parts = {w: name.split("_") for w, name in last.items()}

    def alike(cutoff: float) -> str | None:
        for names in ({w: w.lower() for w in words}, last):
            if close := difflib.get_close_matches(asked, list(names.values()), n=1, cutoff=cutoff):
                return next(w for w, name in names.items() if name == close[0])
        return None

    def first(fits: Callable[[list[str]], bool]) -> str | None:
        return next((w for w, own in parts.items() if fits(own)), None)

    return (
        alike(TYPO)
        or first(lambda own: len(own) > 1 and asked == "".join(part[:1] for part in own))
        or first(lambda own: asked in own)
        or first(lambda own: any(part[:STEM] == asked[:STEM] and len(part) >= STEM for part in own))
        or alike(SIMILAR)
    )


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """End of an error message that names the nearest of `words`, or all of them."""
    words = list(words)
    close = nearest(word, words)
    return f"the nearest is {close!r}" if close else f"expected one of {', '.join(words) or 'none: there are none'}"


def reject_unknown(names: Iterable[str], known: Sequence[str], within: str = "") -> None:
    """Raise UnknownSettingError for the first name that is not known, with the nearest one that is.

    Args:
        within: what stands before the names, such as "explain.".
    """
    for name in names:
        if name not in known:
            raise UnknownSettingError(f"there is no setting {within + name!r}; {did_you_mean(name, known)}.")


def named_settings(kind: type[Config]) -> type[Config]:
    """A dataclass whose constructor names the nearest field for a keyword that it does not have."""
    init = kind.__init__
    known = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]

    @functools.wraps(init)
    def checked(self: Config, *values: object, **named: object) -> None:
        reject_unknown(named, known)
        init(self, *values, **named)

    kind.__init__ = checked  # type: ignore[method-assign, assignment]
    return kind
