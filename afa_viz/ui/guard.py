"""What a request from anywhere may ask of the server before gradio reads it: no address of another host, no huge body.

Gradio fetches what a file's path names if that is an address of the web: anybody could send this server to any host.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import unquote

MAX_BODY = 2**20  # bytes of a question; those of the page have a few thousand. Uploads have a limit of their own
ADDRESS = re.compile(r"\s*[a-z][a-z0-9+.-]+:", re.IGNORECASE)  # two letters at least: C:\ is a folder
FETCHING = re.compile(r"/(?:file|proxy)=(.*)", re.DOTALL)
MOST_NESTED = 100  # levels of a question

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Guard:
    """ASGI middleware: refuses in one sentence, and lets everything else through as it came."""

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self.app = app

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        place = unquote(scope["path"])
        asked = FETCHING.search(place)
        if asked and ADDRESS.match(unquote(asked[1])):
            await _refuse(send, 403, "This server fetches nothing from other hosts; upload the file.")
            return
        if scope["method"] != "POST" or place.rstrip("/").endswith("/upload"):
            await self.app(scope, receive, send)
            return
        body = await _body(receive)
        if body is None:
            await _refuse(send, 413, f"This question has more than {MAX_BODY >> 20} MB; ask for less.")
        elif names_an_address(body):
            await _refuse(send, 403, "This server fetches nothing from other hosts; upload the file and send its path.")
        else:
            await self.app(scope, _again(body, receive), send)


async def _body(receive: Receive) -> bytes | None:
    """All of a request's body; None where that is too much."""
    parts, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] != "http.request":  # the visitor has gone
            break
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > MAX_BODY:
            return None
        more = message.get("more_body", False)
    return b"".join(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives a body which was read already, then whatever comes."""
    left = [body]

    async def give() -> Message:
        if left:
            return {"type": "http.request", "body": left.pop(), "more_body": False}
        return await receive()

    return give


def names_an_address(body: bytes) -> bool:
    """Whether a JSON text holds a file whose path is an address of the web. Its `url`, which gradio ignores, may be."""
    try:
        level: list[Any] = [json.loads(body)]
    except (ValueError, RecursionError):
        return False  # no JSON: gradio refuses it
    for _ in range(MOST_NESTED):
        for item in level:
            if isinstance(item, dict) and _is_address(item.get("path")):
                return True
        level = [part for item in level if isinstance(item, (dict, list)) for part in _parts(item)]
        if not level:
            return False
    return True  # nothing of ours is that deep: refused with the rest


def _parts(item: dict | list) -> list[Any]:
    return list(item.values()) if isinstance(item, dict) else item


def _is_address(value: Any) -> bool:
    return isinstance(value, str) and ADDRESS.match(value) is not None


async def _refuse(send: Send, status: int, sentence: str) -> None:
    body = json.dumps({"detail": sentence}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
