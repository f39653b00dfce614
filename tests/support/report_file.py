"""What a report holds: its compressed block, the maps in it, and its HTML as tags."""

from __future__ import annotations

import base64
import json
import re
import zlib
from html.parser import HTMLParser
from typing import Any

import numpy as np

from afa_viz.ui.handlers.prepared import answer_name

BLOCK = re.compile(r'<script type="text/plain" id="afa-data">([A-Za-z0-9+/=]+)</script>')


def block(html: str) -> dict[str, Any]:
    """What the page's script is given."""
    (packed,) = BLOCK.findall(html)
    return json.loads(zlib.decompress(base64.b64decode(packed)))


def answer(html: str, question: str, **asked: Any) -> dict[str, Any]:
    """One answer that the file holds."""
    return json.loads(block(html)["answers"][answer_name(question, {"key": "report", **asked})])


def values_of(packed: dict[str, Any]) -> np.ndarray:
    """The bytes of a packed map; see ui/site/packing.py."""
    values = np.frombuffer(zlib.decompress(base64.b64decode(packed["data"])), np.uint8).reshape(packed["shape"])
    if packed.get("filter") == "plane":
        values = values.cumsum(axis=-1, dtype=np.uint8).cumsum(axis=-2, dtype=np.uint8)
    return values


def opened(value: Any) -> Any:
    """An answer with its maps as bytes, however they are packed."""
    if isinstance(value, list):
        return [opened(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "data" in value and "shape" in value:
        return {**value, "filter": None, "data": values_of(value).tobytes()}
    return {key: opened(item) for key, item in value.items()}


def unpacked(packed: dict[str, Any]) -> np.ndarray:
    """A packed map: numbers, or labels where it has no range."""
    values = values_of(packed)
    if "low" not in packed:
        return values
    return packed["low"] + (packed["high"] - packed["low"]) * values.astype(np.float32) / 255


def attention_of(packed: dict[str, Any]) -> np.ndarray:
    """(heads, cells, keys) of a packed block."""
    heads, cells, _ = packed["shape"]
    low, high = (
        np.frombuffer(zlib.decompress(base64.b64decode(packed[name])), "<f4").reshape(heads, cells, 1)
        for name in ("lows", "peaks")
    )
    values = values_of(packed)
    return low + (high - low) * values.astype(np.float32) / 255


class Page(HTMLParser):
    """Tags of a page: opened and closed in order, pictures with texts, headings, ids, and the texts by language."""

    VOID = {"meta", "img", "input", "br"}

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.images: list[dict] = []
        self.pictures: list[str] = []
        self.ids: list[str] = []
        self.tags: set[str] = set()
        self._languages: list[str | None] = []
        self.said: list[tuple[str | None, str]] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.tags.add(tag)
        self.ids += [values["id"]] if "id" in values else []
        self.pictures += [values["data-picture"]] if "data-picture" in values else []
        if tag == "img":
            self.images.append(values)
        if tag not in self.VOID:
            self.open.append(tag)
            self._languages.append(values.get("lang") if tag == "span" else None)

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, f"</{tag}> closes nothing"
        self._languages.pop()

    def handle_data(self, data):
        if data.strip() and not {"script", "style", "title"} & set(self.open):
            self.said.append((next((one for one in reversed(self._languages) if one), None), data.strip()))

    def words(self, language: str) -> str:
        """Everything that a reader of a language sees, beside the explorer."""
        return " ".join(text for of, text in self.said if of in (None, language))
