"""Names of files as text: in one Unicode form, and where their bytes are of another encoding, as Latin-1."""

from __future__ import annotations

import unicodedata


def readable_name(name: str) -> str:
    """A name as people write it: letters with their accents in one (NFC), whatever form a system keeps them in.

    Bytes that are no UTF-8 (Python has them as halves of characters, U+DC80 to U+DCFF) are read as Latin-1, and other
    halves of characters are shown as U+FFFD.
    """
    letters = (chr(ord(c) - 0xDC00) if "\udc80" <= c <= "\udcff" else c for c in name)
    whole = "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in letters)
    return unicodedata.normalize("NFC", whole)
