"""The route for uploads, in place of gradio's: one file per request, rejected if it is too large or too slow."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
from python_multipart.multipart import parse_options_header

from afa_viz.image_files import MAX_BYTES
from afa_viz.ui.errors import StorageFullError
from afa_viz.ui.localization import error_message
from afa_viz.ui.server.uploads import IncomingUpload, Uploads

MAX_ENVELOPE = 2**14  # bytes of a request beside its file: a few headers, and the boundary twice
MAX_SECONDS, MAX_PAUSE = 180.0, 30.0  # duration of an upload, and of a pause in it
BUFFER = 2**18  # bytes that are written at a time
AT_ONCE = 2  # complete uploads that are in memory at a time
MAX_DISCARDED = 2**29  # bytes that are read of a request that has been rejected
ROUTE = "/upload"  # end of the path; no such request reaches gradio
FIELD = b"files"  # name of the form field
TEXT = "text/plain; charset=utf-8"
SUFFIX = re.compile(rb"\.\w{1,5}\Z")

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class UploadError(Exception):
    """A rejected upload: HTTP status and one sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class ClientDisconnected(Exception):
    """The client no longer waits for a response."""


class Body:
    """The body of a request, read part by part.

    Attributes:
        more: whether further parts will arrive.
    """

    def __init__(self, receive: Receive, max_pause: float) -> None:
        self.more = True
        self._receive, self._max_pause = receive, max_pause

    async def read(self, deadline: float) -> bytes:
        """The next part. Raises: UploadError: if it does not arrive in time. ClientDisconnected."""
        try:
            with anyio.fail_after(max(0.0, min(self._max_pause, deadline - time.monotonic()))):
                message = await self._receive()
        except TimeoutError:
            raise UploadError(408, error_message("refused.upload_slow")) from None
        if message["type"] != "http.request":
            raise ClientDisconnected
        self.more = message.get("more_body", False)
        return message.get("body", b"")

    async def discard(self) -> None:
        """Read and discard the rest: many clients do not read the response until they have sent everything."""
        deadline, left = time.monotonic() + self._max_pause, MAX_DISCARDED
        with suppress(UploadError, ClientDisconnected):
            while self.more and left > 0:
                left -= len(await self.read(deadline))


class UploadRoute:
    """ASGI middleware that responds to uploads with the path of the file, as gradio does, and passes the rest on.

    Args:
        app: the next application.
        uploads: stores the photographs.
        on_start: called when an upload begins.
        max_bytes: of one photograph.
        max_seconds, max_pause: duration of an upload, and of a pause in it.
    """

    def __init__(
        self,
        app: Callable[[Scope, Receive, Send], Awaitable[None]],
        uploads: Uploads,
        on_start: Callable[[], None] = lambda: None,
        max_bytes: int = MAX_BYTES,
        max_seconds: float = MAX_SECONDS,
        max_pause: float = MAX_PAUSE,
    ) -> None:
        self._app, self._uploads, self._on_start = app, uploads, on_start
        self._max_bytes, self._max_seconds, self._max_pause = max_bytes, max_seconds, max_pause
        self._store_limiter = anyio.CapacityLimiter(AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or scope["method"] != "POST" or not scope["path"].rstrip("/").endswith(ROUTE):
            await self._app(scope, receive, send)
            return
        self._on_start()
        body = Body(receive, self._max_pause)
        try:
            path = await self._receive(dict(scope["headers"]), body)
            await _respond(send, body, 200, "application/json", json.dumps([str(path)]))
        except UploadError as error:
            await _respond(send, body, error.status, TEXT, str(error))
        except (StorageFullError, OSError):
            await _respond(send, body, 503, TEXT, error_message("refused.no_room_for_photograph"))
        except ClientDisconnected:
            return

    async def _receive(self, headers: dict[bytes, bytes], body: Body) -> Path:
        """Path of the received photograph. Raises: UploadError, StorageFullError, OSError, ClientDisconnected."""
        kind, options = parse_options_header(headers.get(b"content-type", b""))
        boundary = options.get(b"boundary", b"")
        if kind != b"multipart/form-data" or not 1 <= len(boundary) <= 200:
            raise _not_one_file()
        limit = self._max_bytes + MAX_ENVELOPE
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or len(length) > 20 or int(length) > limit:
            raise self._too_large()
        deadline = time.monotonic() + self._max_seconds
        with self._uploads.arriving() as upload:
            buffer = bytearray()
            while body.more:
                buffer += await body.read(deadline)
                if upload.size + len(buffer) > limit:
                    raise self._too_large()
                if len(buffer) >= BUFFER or not body.more:
                    await anyio.to_thread.run_sync(upload.write, bytes(buffer))
                    buffer.clear()
            return await anyio.to_thread.run_sync(self._keep, upload, boundary, limiter=self._store_limiter)

    def _keep(self, upload: IncomingUpload, boundary: bytes) -> Path:
        content, suffix = one_file(upload.read(), boundary)
        if len(content) > self._max_bytes:
            raise self._too_large()
        return self._uploads.keep(content, suffix)

    def _too_large(self) -> UploadError:
        return UploadError(413, error_message("refused.upload_size", most=self._max_bytes >> 20))


def one_file(body: bytes, boundary: bytes) -> tuple[memoryview, str]:
    """Content of the only part of a form, and the suffix of its name. Raises: UploadError: for another form."""
    edge = b"\r\n--" + boundary
    start = body.find(b"\r\n\r\n", 0, MAX_ENVELOPE)
    end = body.find(edge, start + 4)
    if not body.startswith(edge[2:] + b"\r\n") or start < 0 or body[end:].rstrip(b"\r\n") != edge + b"--":
        raise _not_one_file()
    for line in body[len(edge) : start].split(b"\r\n"):
        field, _, value = line.partition(b":")
        if field.strip().lower() == b"content-disposition":
            _, options = parse_options_header(value.strip())
            if options.get(b"name") == FIELD and b"filename" in options:
                suffix = SUFFIX.search(options[b"filename"])
                return memoryview(body)[start + 4 : end], suffix[0].decode("ascii").lower() if suffix else ""
    raise _not_one_file()


def _not_one_file() -> UploadError:
    return UploadError(400, error_message("refused.upload_form"))


async def _respond(send: Send, body: Body, status: int, kind: str, text: str) -> None:
    """Send the response; the connection stays open until the rest of the request has been read."""
    content = text.encode()
    headers = [(b"content-type", kind.encode()), (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content, "more_body": True})
    await body.discard()
    await send({"type": "http.response.body", "body": b""})
