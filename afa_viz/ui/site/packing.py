"""Prepared answers as small files: maps filtered and deflated, photographs as lossless WebP, the whole in gzip.

Files are gzip themselves, so that they are small on every server, whether or not it compresses what it sends. The
browser looks at the first bytes, so a server may also unpack them on its way.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import re
import zlib
from typing import Any

import numpy as np
from PIL import Image

PNG = "data:image/png;base64,"
WEBP = "data:image/webp;base64,"
SUFFIX = ".dat"
UNSAFE = re.compile(r"[^A-Za-z0-9]+")


def file_name(name: str) -> str:
    """The file of an answer by its `answer_name`, such as attention-3-false.dat; `key` is left to the folder.

    The same as `fileName` in explorer/host/files.js.
    """
    question, _, asked = name.partition(" ")
    values = [value for key, value in sorted(json.loads(asked or "{}").items()) if key != "key"]
    texts = [v if isinstance(v, str) else json.dumps(v, separators=(",", ":"), ensure_ascii=False) for v in values]
    return "-".join([question, *(UNSAFE.sub("_", text) for text in texts)]) + SUFFIX


def pack(text: str) -> bytes:
    """The bytes of the file of one answer. Nothing that the page draws is changed."""
    return compress(smaller(text))


def compress(text: str) -> bytes:
    """The bytes of the file of an answer that `smaller` has packed already."""
    return gzip.compress(text.encode("utf-8"), 6, mtime=0)


def smaller(text: str, level: int = 9) -> str:
    """The JSON text of an answer with its maps and photographs packed smaller; what the page draws is the same.

    Args:
        level: of zlib, 1 to 9.
    """
    return json.dumps(_smaller(json.loads(text), level), separators=(",", ":"), ensure_ascii=False)


def _smaller(value: Any, level: int) -> Any:
    if isinstance(value, list):
        return [_smaller(item, level) for item in value]
    if isinstance(value, str) and value.startswith(PNG):
        return _webp(value)
    if not isinstance(value, dict):
        return value
    if isinstance(value.get("data"), str) and isinstance(value.get("shape"), list):
        return {key: _smaller(item, level) for key, item in value.items()} | _packed_map(value, level)
    return {key: _smaller(item, level) for key, item in value.items()}


def _packed_map(packed: dict[str, Any], level: int) -> dict[str, Any]:
    """A map deflated again; as differences to the values on the left and above where that is smaller at a glance."""
    chosen, extra = zlib.decompress(base64.b64decode(packed["data"])), {}
    values = np.frombuffer(chosen, np.uint8).reshape(packed["shape"])
    if values.ndim >= 2:
        filtered = plane_differences(values).tobytes()
        if len(zlib.compress(filtered, 1)) < len(zlib.compress(chosen, 1)):
            chosen, extra = filtered, {"filter": "plane"}
    return {"data": base64.b64encode(zlib.compress(chosen, level)).decode("ascii"), **extra}


def plane_differences(values: np.ndarray) -> np.ndarray:
    """value - left - above + above left, modulo 256, in every (rows, columns) plane; beyond the edges 0.

    Args:
        values: (…, rows, columns) uint8.
    """
    across = np.diff(values, axis=-1, prepend=np.zeros_like(values[..., :1]))
    return np.diff(across, axis=-2, prepend=np.zeros_like(across[..., :1, :]))


def _webp(png: str) -> str:
    file = io.BytesIO()
    Image.open(io.BytesIO(base64.b64decode(png.removeprefix(PNG)))).save(file, format="WEBP", lossless=True)
    smaller = WEBP + base64.b64encode(file.getvalue()).decode("ascii")
    return smaller if len(smaller) < len(png) else png
