"""Output on consoles that cannot encode every character: unencodable ones are replaced, nothing is raised."""

from __future__ import annotations

import codecs
import sys

PLAIN = {
    "–": "-", "—": "-", "−": "-", "…": "...", "→": "->", "←": "<-", "×": "x", "·": ".", "≤": "<=", "≥": ">=",
    "±": "+/-", "▲": "+", "▼": "-", "’": "'", "‘": "'", "“": '"', "”": '"', "\u00a0": " ", "\u202f": " ",
}  # fmt: skip
HANDLER = "afa_viz.plain"
STOPPING = ("strict", "surrogateescape")  # what Python does with a letter that is missing, unless it is told otherwise


def escape_unencodable() -> None:
    """Let `print` write any text to consoles of cp949, latin-1 and the like: signs that they lack in a plain form,
    other letters as \\uXXXX."""
    codecs.register_error(HANDLER, _plain)
    for stream in (sys.stdout, sys.stderr):
        if getattr(stream, "errors", None) in STOPPING and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=HANDLER)


def _plain(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letters = error.object[error.start : error.end]
    texts = (PLAIN.get(letter) or letter.encode("ascii", "backslashreplace").decode() for letter in letters)
    return "".join(texts), error.end
