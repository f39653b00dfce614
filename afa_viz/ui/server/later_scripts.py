"""Scripts that a page loads when it first needs them, compressed: tabs beyond the first look, and plotly.js.

Their addresses hold a hash or the package's version, so that browsers may keep them for good.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Awaitable, Callable, MutableMapping
from functools import cache, partial
from typing import Any

import anyio

from afa_viz.figures.interactive.base import plotly_js
from afa_viz.ui.page.assets import later_addresses, later_script, plotly_address

COMPRESSION = 6
FOREVER = b"public, max-age=31536000, immutable"
NEVER = re.compile(r"\s*q\s*=\s*0(?:\.0*)?\s*")  # of a coding that a client does not take

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


@cache
def compressed(script: Callable[[], str]) -> bytes:
    """A script, compressed: it stays in memory once somebody has asked for it (plotly.js: 1.5 MB)."""
    return gzip.compress(script().encode(), COMPRESSION, mtime=0)


class LaterScripts:
    """ASGI middleware that answers with a script at its address and passes everything else on.

    Args:
        app: the next application.
    """

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self._app = app
        self._scripts = {f"/{plotly_address()}": plotly_js}
        self._scripts |= {f"/{address}": partial(later_script, name) for name, address in later_addresses().items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        script = self._scripts.get(scope["path"]) if scope["type"] == "http" else None
        if script is None:
            await self._app(scope, receive, send)
            return
        body = await anyio.to_thread.run_sync(compressed, script)
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
