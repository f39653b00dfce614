"""Middleware that admits a request only if it asks for a known route under an allowed host name, comes from this app
or from a program rather than from another site, and names no remote file.

Gradio downloads a file whose path is a URL: without this check any client could make the server request any host.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

import anyio
from starlette.exceptions import HTTPException

from afa_viz.ui.server.hosts import AllowedHosts, Host
from afa_viz.ui.server.routes import API, JSON, SESSION, THIS_COMPUTER, Route, find_route

REMOTE_ADDRESS = re.compile(
    r"\s*(?:[a-z][a-z0-9+.-]+:|[/\\]{2})", re.IGNORECASE
)  # two letters at least: C:\ is a folder
MAX_NESTING = 100  # levels of a JSON body
MAX_SECONDS = 30.0  # until a body has arrived
MAX_ARRIVING = 64 * 2**20  # bytes of all bodies that are arriving
RANGE = re.compile(rb"bytes=(?:[0-9]{1,15}-|-[1-9][0-9]{0,14}|([0-9]{1,15})-([0-9]{1,15}))")
RANGES = (b"range", b"if-range")
PROXIES = (b"forwarded", b"x-forwarded-", b"x-gradio-server")  # set by proxies, but any client can send them
FRAMES = b"frame-ancestors 'self'"

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Check = Callable[[str, bytes], None]
ServerApp = Callable[[Scope, Receive, Send], Awaitable[None]]


class RequestError(Exception):
    """A request that is not admitted: HTTP status and one sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class Guard:
    """ASGI middleware that rejects a request with one sentence, or passes it on unchanged as it arrives.

    Args:
        app: the guarded application.
        allowed_hosts: of the server; None: those of a server that only this computer can reach.
        frames: other origins that may embed the app in a frame.
        check: validates path and body of a JSON request. Raises: RequestError.
        max_seconds: until a body has arrived.
        max_arriving: bytes of all bodies that are arriving together.
    """

    def __init__(
        self,
        app: ServerApp,
        allowed_hosts: AllowedHosts | None = None,
        frames: tuple[str, ...] = (),
        check: Check | None = None,
        max_seconds: float = MAX_SECONDS,
        max_arriving: int = MAX_ARRIVING,
    ) -> None:
        self.app = app
        self._max_seconds, self._max_arriving, self._arriving = max_seconds, max_arriving, 0
        self.check = check or (lambda path, body: None)
        self.allowed_hosts = allowed_hosts or AllowedHosts(Host("localhost"))
        self.policy = b" ".join([FRAMES, *(site.encode() for site in frames)])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request. Raises: ValueError: for a protocol that is neither HTTP nor WebSocket."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":  # the app has none
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
                body = await self._body(receive, route.max_bytes)
                self.check(scope["path"], body)
                receive = _replay(body, receive)
        except RequestError as error:
            await _reject(send, error)
        else:
            await self._pass_on(
                scope, receive, self._with_security_headers(send, scope["path"].startswith(f"{API}/file="))
            )

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call gradio, which ends a stream about an unknown event by an error whose traceback would fill the log."""
        try:
            await self.app(scope, receive, send)
        except RuntimeError as error:
            if not isinstance(error.__cause__, HTTPException):
                raise
            await send({"type": "http.response.body", "body": b""})

    def _admit(self, scope: Scope) -> tuple[Scope, Route]:
        """The scope with sanitised headers, and the route. Raises: RequestError."""
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        host = _single_header(headers, b"host")
        origin = host and self.allowed_hosts.origin_for(
            host, scope.get("server"), _single_header(headers, b"x-forwarded-host") or ""
        )
        if not host or not origin:
            raise RequestError(403, "This server has no such name; start it with --public-name to give it one.")
        if _single_header(headers, b"origin") is not None and not self.allowed_hosts.allows_origin(
            _single_header(headers, b"origin") or "", host
        ):
            raise RequestError(403, "This server accepts nothing from pages of other sites.")
        route = find_route(scope["method"], scope["path"])
        if route is None or (route.clients == THIS_COMPUTER and not _is_this_computer(scope)):
            raise RequestError(404, "Not Found")
        if scope["path"] != "/" and _single_header(headers, b"sec-fetch-site") in ("cross-site", "same-site", ""):
            raise RequestError(403, "This server accepts nothing from pages of other sites.")
        if (
            route.body
            and (_single_header(headers, b"content-type") or route.body).split(";")[0].strip().lower() != route.body
        ):
            raise RequestError(415, f"This server takes {route.body} here.")
        if route.session and not _has_one_session(scope["query_string"]):
            raise RequestError(400, "session_hash is not a short word of letters and digits.")
        dropped = (b"host",) if _is_one_range(headers) else (b"host", *RANGES)
        kept = [(name, value) for name, value in headers if name not in dropped and not name.startswith(PROXIES)]
        kept.append((b"host", str(origin.host).encode("ascii")))
        return {**scope, "headers": kept, "scheme": origin.scheme}, route

    async def _body(self, receive: Receive, max_bytes: int) -> bytes:
        """The whole body. Raises: RequestError: if it is too large or too slow, or names a remote file."""
        parts, size = [], 0
        try:
            with anyio.fail_after(self._max_seconds):
                async for part in _parts_of_body(receive):
                    parts.append(part)
                    size += len(part)
                    self._arriving += len(part)
                    if size > max_bytes:
                        limit = f"{max_bytes >> 20} MB" if max_bytes >= 2**20 else f"{max_bytes >> 10} KB"
                        raise RequestError(413, f"This request has more than {limit}; ask for less.")
                    if self._arriving > self._max_arriving:
                        raise RequestError(503, "Too many requests arrive at the same time; please try again.")
        except TimeoutError:
            raise RequestError(408, "This request took too long to arrive; please send it again.") from None
        finally:
            self._arriving -= size
        body = b"".join(parts)
        if contains_remote_file(body):
            raise RequestError(403, "This server fetches nothing from other hosts; upload the file and send its path.")
        return body

    def _with_security_headers(self, send: Send, is_file: bool) -> Send:
        """A `send` that adds headers: no other site may embed or read the response, no sniffing of file types."""

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = [(b"cross-origin-resource-policy", b"same-origin"), (b"content-security-policy", self.policy)]
                own += [(b"x-content-type-options", b"nosniff")] if is_file else []
                message = {**message, "headers": [*message.get("headers", ()), *own]}
            await send(message)

        return marked


def _single_header(headers: list[tuple[bytes, bytes]], name: bytes) -> str | None:
    """The value of a header; None if it is missing, "" if it is repeated."""
    found = [value.decode("latin-1") for key, value in headers if key == name]
    return None if not found else found[0] if len(found) == 1 else ""


def _is_this_computer(scope: Scope) -> bool:
    client, server = scope.get("client") or ("",), scope.get("server") or ("",)
    return Host(client[0]).is_loopback or client[0] == server[0] != ""


def _is_one_range(headers: list[tuple[bytes, bytes]]) -> bool:
    """Whether the Range header names one range; gradio fails on several, which a server may ignore."""
    found = RANGE.fullmatch((_single_header(headers, b"range") or "").encode("latin-1"))
    return found is not None and (found[1] is None or int(found[1]) <= int(found[2]))


def _has_one_session(query: bytes) -> bool:
    found = parse_qs(query.decode("latin-1"), keep_blank_values=True).get("session_hash", [])
    return len(found) == 1 and re.fullmatch(SESSION, found[0], re.ASCII) is not None


async def _parts_of_body(receive: Receive) -> AsyncIterator[bytes]:
    """The parts of a body as they arrive, until it ends or the client disconnects."""
    more = True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            break
        yield message.get("body", b"")
        more = message.get("more_body", False)


def _replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that returns a body which was read already, and then passes on."""
    left = [body]

    async def give() -> Message:
        if left:
            return {"type": "http.request", "body": left.pop(), "more_body": False}
        return await receive()

    return give


def contains_remote_file(body: bytes) -> bool:
    """Whether a JSON text contains a file whose `path` is a URL. Its `url` may be one: gradio ignores that."""
    try:
        level: list[Any] = [json.loads(body)]
    except (ValueError, RecursionError):
        return False  # not JSON: gradio rejects it
    for _ in range(MAX_NESTING):
        for item in level:
            if isinstance(item, dict) and _is_remote_address(item.get("path")):
                return True
        level = [part for item in level if isinstance(item, (dict, list)) for part in _parts(item)]
        if not level:
            return False
    return True  # no valid request is nested that deeply


def _parts(item: dict | list) -> list[Any]:
    return list(item.values()) if isinstance(item, dict) else item


def _is_remote_address(value: Any) -> bool:
    return isinstance(value, str) and REMOTE_ADDRESS.match(value) is not None


async def _reject(send: Send, error: RequestError) -> None:
    body = json.dumps({"detail": str(error)}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
