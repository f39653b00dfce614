"""Text files of unknown origin: encoding, lines, and names in Unicode form NFC."""

from __future__ import annotations

import codecs
import unicodedata
from collections.abc import Sequence
from pathlib import Path

MAX_LISTED = 3  # names listed in a message
BYTE_ORDER_MARKS = (  # longest first: that of UTF-16 begins that of UTF-32
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (b"\x84\x31\x95\x33", "gb18030"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
OTHER_ENCODINGS = {
    "gb18030": "GBK",
    "cp949": "cp949",
    "shift_jis": "Shift JIS",
    "big5": "Big5",
    "cp1252": "Windows-1252",
}


def normalize_unicode(text: str) -> str:
    """Text in Unicode form NFC, so that equal names compare equal.

    Bytes of a file's name that are no UTF-8 (Python has them as halves of characters, U+DC80 to U+DCFF) are read as
    Latin-1, and other halves of characters are shown as U+FFFD.
    """
    letters = (chr(ord(c) - 0xDC00) if "\udc80" <= c <= "\udcff" else c for c in text)
    whole = "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in letters)
    return unicodedata.normalize("NFC", whole)


def read_text(path: Path) -> str:
    """The text of a file in UTF-8, or in the encoding that its byte order mark names; NFC, lines end in newlines.

    Raises: ValueError: for any other file; the sentence names the encodings that it may be in.
    """
    data = path.read_bytes()
    mark, encoding = next(((m, e) for m, e in BYTE_ORDER_MARKS if data.startswith(m)), (b"", "utf-8"))
    try:
        text = data.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        if mark:
            reason = f"is not UTF-8 text: it begins as {encoding.upper()} and then breaks off ({error.reason})"
            raise ValueError(f"{path} {reason}; expected text: save it as UTF-8.") from error
        line = data.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"{path} is not UTF-8 text (byte {data[error.start]:#04x} in line {line}); expected UTF-8: save it as "
            f"UTF-8{_possible_encodings(data)}."
        ) from error
    if "\0" in text:
        raise ValueError(
            f"{path} is not UTF-8 text: it holds zero bytes, as UTF-16 without a byte order mark does; expected UTF-8: "
            "save it as UTF-8."
        )
    return normalize_unicode(text).replace("\r\n", "\n").replace("\r", "\n")


def _possible_encodings(data: bytes) -> str:
    if b"\0" in data:
        return " (it may be UTF-16)"
    names = []
    for encoding, name in OTHER_ENCODINGS.items():
        try:
            data.decode(encoding)
        except UnicodeDecodeError:
            continue
        names.append(name)
    return f" (it may be {' or '.join(names)})" if names else ""


def read_lines(path: Path) -> list[str]:
    """Lines of a text file that hold something, stripped. Raises: ValueError: if there is none, or as `read_text`."""
    lines = [line for line in (line.strip() for line in read_text(path).split("\n")) if line]
    if not lines:
        raise ValueError(f"{path} is empty; expected one name per line.")
    return lines


def format_list(words: Sequence[str]) -> str:
    """The first few words, and how many more."""
    rest = len(words) - MAX_LISTED
    return ", ".join(words[:MAX_LISTED]) + (f" and {rest:,} more" if rest > 0 else "")


def format_count(count: int, one: str, many: str = "") -> str:
    """A number with its noun: "1 image", "2,000 images"."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
