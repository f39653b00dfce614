"""Translation of the texts in figures, and of the captions in reports.

The code contains English texts and passes them to `translate` where they are drawn or written. A translation is found
for the whole text, for its sentences, or for a text with {placeholders}, whose contents are translated in turn. Texts
without a translation stay as they are: names of a data set, file names, numbers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from importlib import resources

ENGLISH = "en"
PLACE = re.compile(r"\{(\w+)\}")
WITHIN = r"((?:(?!\. ).)*?)"  # the content of a placeholder: no end of a sentence
SENTENCES = re.compile(r"(?<=\.)(\s+)")
LIST = re.compile(r"(, | and )")
_scope: ContextVar[tuple[str, Mapping[str, str]]] = ContextVar("spoken", default=(ENGLISH, {}))


@contextmanager
def language_scope(current_language: str, names: Mapping[str, str] | None = None) -> Iterator[None]:
    """Use a language within the context.

    Args:
        names: translations of names that only the caller knows, such as those of classes and examples.
    Raises: ValueError: for an unknown language.
    """
    check_language(current_language)
    token = _scope.set((current_language, names or {}))
    try:
        yield
    finally:
        _scope.reset(token)


def check_language(code: str) -> None:
    """Raises: ValueError: for an unknown language."""
    if code not in languages():
        raise ValueError(f"got the language {str(code)[:20]!r}; expected one of {', '.join(languages())}.")


@cache
def languages() -> tuple[str, ...]:
    """Codes of the available languages, English first."""
    names = (file.name for file in resources.files(__package__).joinpath("texts").iterdir())
    return (ENGLISH, *sorted(name.removesuffix(".json") for name in names if name.endswith(".json")))


def current_language() -> str:
    """Code of the language in use."""
    return _scope.get()[0]


@cache
def _known(code: str) -> tuple[dict[str, str], list[tuple[re.Pattern[str], str, list[str]]]]:
    """Translations of whole texts, and of texts with placeholders, the most specific ones first."""
    file = resources.files(__package__).joinpath(f"texts/{code}.json")
    known: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))
    patterns = []
    for english, own in known.items():
        if names := PLACE.findall(english):
            pattern = WITHIN.join(re.escape(part) for part in PLACE.split(english)[::2])
            patterns.append((re.compile(pattern), own, names))
    patterns.sort(key=lambda found: -len(found[0].pattern.replace(WITHIN, "")))
    return {english: own for english, own in known.items() if not PLACE.search(english)}, patterns


def translate(words: str) -> str:
    """An English text in the current language."""
    code, names = _scope.get()
    return words if code == ENGLISH else korean_particles(_translated(words, code, names))


def _translated(words: str, code: str, names: Mapping[str, str]) -> str:
    whole, patterns = _known(code)
    plain = words.strip()
    if not plain:
        return words
    own = names.get(plain) or whole.get(plain)
    if own is not None:
        return words.replace(plain, own)
    for pattern, own, places in patterns:
        if found := pattern.fullmatch(plain):
            for place, part in zip(places, found.groups(), strict=True):
                own = own.replace(f"{{{place}}}", _translated(part, code, names))
            return words.replace(plain, own)
    for between in (SENTENCES, LIST):
        parts = between.split(words)
        if len(parts) > 1 and "".join(parts[2:]):
            return "".join(part if i % 2 else _translated(part, code, names) for i, part in enumerate(parts))
    return words


def korean_particles(words: str) -> str:
    """Korean particles agree with the sound before them: 말이(가) -> 말이, 소을(를) -> 소를. As core/words.js."""
    digits = {"0": 21, "1": 8, "3": 16, "6": 1, "7": 8, "8": 8}  # the last consonant of a digit as it is spoken

    def agreed(found: re.Match[str]) -> str:
        letter, closed, open_ = found.groups()
        if "가" <= letter <= "힣":
            sound = (ord(letter) - 0xAC00) % 28
        elif letter.isdecimal() or letter == "%":
            sound = digits.get(letter, 0)
        else:
            return found[0]
        if closed is None:
            return letter + ("으로" if sound not in (0, 8) else "로")
        return letter + (closed if sound else open_)

    return re.sub(r"(.)(?:(이|을|은|과)\((가|를|는|와)\)|\(으\)로)", agreed, words)
