"""What a request from anywhere may ask of the server, before gradio reads it: a route of ours, under a name of ours,
sent by a page of ours or by a program, and no address of another host in place of a file.

Gradio fetches what a file's path names if that is an address of the web: anybody could send this server to any host.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from afa_viz.ui.server.hosts import Host, Names
from afa_viz.ui.server.routes import JSON, MAX_BODY, THIS_COMPUTER, Route, find

ADDRESS = re.compile(r"\s*(?:[a-z][a-z0-9+.-]+:|[/\\]{2})", re.IGNORECASE)  # two letters at least: C:\ is a folder
MOST_NESTED = 100  # levels of a question
PROXIES = (b"forwarded", b"x-forwarded-", b"x-gradio-server")  # what a proxy says about a visitor, and what anybody may
FRAMES = b"frame-ancestors 'self'"

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Check = Callable[[str, bytes], None]
ServerApp = Callable[[Scope, Receive, Send], Awaitable[None]]


class RequestError(Exception):
    """A request that is not let in: HTTP status and one sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class Guard:
    """ASGI middleware: refuses in one sentence, and lets everything else through unchanged and as it comes.

    Args:
        app: what is guarded.
        names: of the server; None: those of a server that only this computer reaches.
        frames: sites beside its own that may show the page in a frame.
        check: looks at the path and the body of a question in JSON. Raises: RequestError.
    """

    def __init__(
        self, app: ServerApp, names: Names | None = None, frames: tuple[str, ...] = (), check: Check | None = None
    ) -> None:
        self.app = app
        self.check = check or (lambda path, body: None)
        self.names = names or Names(Host("localhost"))
        self.policy = b" ".join([FRAMES, *(site.encode() for site in frames)])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. Raises: ValueError: for a protocol that is neither HTTP nor WebSocket."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":  # there is none to talk to
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)
        else:
            raise ValueError(f"a request by {scope['type']}; expected http, websocket or lifespan.")

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            scope, route = self._admit(scope)
            if route.body == JSON:
                body = await _checked_body(receive, route.most)
                self.check(scope["path"], body)
                receive = _again(body, receive)
        except RequestError as error:
            await _refuse(send, error)
        else:
            await self.app(scope, receive, self._marked(send))

    def _admit(self, scope: Scope) -> tuple[Scope, Route]:
        """The request as gradio may read it, and its route. Raises: RequestError."""
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        host = _only(headers, b"host")
        site = host and self.names.site(host, scope.get("server"), _only(headers, b"x-forwarded-host") or "")
        if not host or not site:
            raise RequestError(403, "This server has no such name; start it with --public-name to give it one.")
        if _only(headers, b"origin") is not None and not self.names.may_send(_only(headers, b"origin") or "", host):
            raise RequestError(403, "This server takes nothing from pages of other sites.")
        route = find(scope["method"], scope["path"])
        if route is None or (route.who == THIS_COMPUTER and not _is_this_computer(scope)):
            raise RequestError(404, "Not Found")
        if scope["path"] != "/" and _only(headers, b"sec-fetch-site") in ("cross-site", "same-site", ""):
            raise RequestError(403, "This server takes nothing from pages of other sites.")
        if route.body and (_only(headers, b"content-type") or route.body).split(";")[0].strip().lower() != route.body:
            raise RequestError(415, f"This server takes {route.body} here.")
        kept = [(name, value) for name, value in headers if name != b"host" and not name.startswith(PROXIES)]
        kept.append((b"host", str(site.host).encode("ascii")))
        return {**scope, "headers": kept, "scheme": site.scheme}, route

    def _marked(self, send: Send) -> Send:
        """A `send` whose answers no page of another site may show or read."""

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = [(b"cross-origin-resource-policy", b"same-origin"), (b"content-security-policy", self.policy)]
                message = {**message, "headers": [*message.get("headers", ()), *own]}
            await send(message)

        return marked


def _only(headers: list[tuple[bytes, bytes]], name: bytes) -> str | None:
    """The value of a header; None where it is not there, "" where it is there more than once."""
    found = [value.decode("latin-1") for key, value in headers if key == name]
    return None if not found else found[0] if len(found) == 1 else ""


def _is_this_computer(scope: Scope) -> bool:
    client, server = scope.get("client") or ("",), scope.get("server") or ("",)
    return Host(client[0]).is_loopback or client[0] == server[0] != ""


async def _checked_body(receive: Receive, most: int = MAX_BODY) -> bytes:
    """All of a question. Raises: RequestError: where it is too much, or names an address of another host."""
    body = await _body(receive, most)
    if body is None:
        size = f"{most >> 20} MB" if most >= 2**20 else f"{most >> 10} KB"
        raise RequestError(413, f"This question has more than {size}; ask for less.")
    if names_an_address(body):
        raise RequestError(403, "This server fetches nothing from other hosts; upload the file and send its path.")
    return body


async def _body(receive: Receive, most: int) -> bytes | None:
    """All of a request's body; None where that is too much."""
    parts, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] != "http.request":  # the visitor has gone
            break
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > most:
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


async def _refuse(send: Send, error: RequestError) -> None:
    body = json.dumps({"detail": str(error)}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
