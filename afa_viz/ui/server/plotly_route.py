"""The route of plotly.js, which a page loads when its first chart is opened: from the installed package, compressed.

Its address holds the package's version, so that browsers may keep it for good.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Awaitable, Callable, MutableMapping
from functools import cache
from typing import Any

import anyio

from afa_viz.figures.interactive.base import plotly_js
from afa_viz.ui.page.assets import plotly_address

COMPRESSION = 6
FOREVER = b"public, max-age=31536000, immutable"
NEVER = re.compile(r"\s*q\s*=\s*0(?:\.0*)?\s*")  # of a coding that a client does not take

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


@cache
def compressed_script() -> bytes:
    """plotly.js, compressed: 1.5 MB that stay in memory once somebody has opened a chart."""
    return gzip.compress(plotly_js().encode(), COMPRESSION, mtime=0)


class PlotlyRoute:
    """ASGI middleware that answers with plotly.js at its address and passes everything else on.

    Args:
        app: the next application.
    """

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self._app = app
        self._path = f"/{plotly_address()}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or scope["path"] != self._path:
            await self._app(scope, receive, send)
            return
        body = await anyio.to_thread.run_sync(compressed_script)
        encoding = [(b"content-encoding", b"gzip")]
        if not accepts_gzip(scope["headers"]):
            body, encoding = await anyio.to_thread.run_sync(gzip.decompress, body), []
        headers = [
            (b"content-type", b"text/javascript; charset=utf-8"), (b"content-length", str(len(body)).encode()),
            (b"cache-control", FOREVER), (b"vary", b"accept-encoding"), (b"x-content-type-options", b"nosniff"),
        ]  # fmt: skip
        await send({"type": "http.response.start", "status": 200, "headers": [*headers, *encoding]})
        await send({"type": "http.response.body", "body": body})


def accepts_gzip(headers: list[tuple[bytes, bytes]]) -> bool:
    """Whether a client takes compressed responses."""
    accepted = ",".join(value.decode("latin-1") for name, value in headers if name == b"accept-encoding")
    for coding, _, weight in (part.partition(";") for part in accepted.split(",")):
        if coding.strip().lower() in ("gzip", "*"):
            return NEVER.fullmatch(weight) is None
    return False
