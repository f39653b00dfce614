"""Requests that are allowed by their address and odd in all else: names, ranges, streams about nothing, slow and many
questions; each gets an answer, and nothing of it is printed or kept."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import threading
import time
import urllib.parse
from collections.abc import Callable

import pytest
from app_fixtures import launched, prepare
from raw_http import Reply, ask, exchange
from test_payload_validation import quiet
from test_untrusted_requests import sent
from test_upload_route import form, part, route

from afa_viz.ui.server import upload_route
from afa_viz.ui.server.guard import Guard
from afa_viz.ui.server.routes import MAX_NAME, MAX_PATH, find_route
from afa_viz.ui.server.uploads import Uploads

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*no_silent_downcasting"),  # an option that gradio sets in pandas
    pytest.mark.filterwarnings("ignore:The copy keyword is deprecated"),  # of pandas, in gradio's counts of requests
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # event loops that the server leaves to the collector
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
JSON = ("Content-Type", "application/json")


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    with launched(prepare(tmp_path_factory.mktemp("page"))) as address:
        yield address.rstrip("/")


@pytest.fixture(scope="module")
def file(address) -> str:
    """Where a picture of the gallery lies."""
    return re.findall(r"/gradio_api/file=/[^\"\\]+", ask(address, "/").body.decode())[0]


# --- names --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", ["/static/", "/assets/", "/static/img/", "/gradio_api/file=/tmp/"])
@pytest.mark.parametrize("name", ["a" * 256, "a" * 5000, "a/" * 2100 + "b", "%c3%a9" * 128], ids=lambda name: name[:9])
def test_no_file_has_a_name_that_long(address, capfd, folder, name):
    assert ask(address, folder + name).status == 404
    quiet(capfd)


def test_names_that_files_may_have_are_looked_for(address):
    for folder in ("/static/", "/assets/"):
        assert find_route("GET", folder + "a" * MAX_NAME) and not find_route("GET", folder + "a" * (MAX_NAME + 1))
        assert find_route("GET", folder + "a/" * 2000) is None and find_route(
            "GET", (folder + "a/" * 2000)[: MAX_PATH - 1] + "b"
        )
        assert ask(address, folder + "a" * MAX_NAME).status == 404


# --- parts of files -----------------------------------------------------------------------------------------------

ONE = {"bytes=0-0": 1, "bytes=2-5": 4, "bytes=-7": 7, "bytes=4-4": 1}
WHOLE = [
    "bytes=0-0,2-2", "bytes=0-,0-,0-", "bytes=" + ",".join(f"{i}-{i}" for i in range(0, 9000, 2)), "bytes=0-0,", "x",
    "bytes=5-1", "bytes=a-b", "items=0-1", "bytes=-0", "bytes= 0-1", "bytes=--1", "bytes=0-" + "9" * 40, "bytes=", "",
    "bytes=0x1-2", "bytes=\u0661-2",
]  # fmt: skip


@pytest.mark.parametrize("range_", ONE)
def test_one_part_of_a_file(address, file, range_):
    reply = ask(address, file, headers=[("Range", range_)])
    assert reply.status == 206 and len(reply.body) == ONE[range_]


@pytest.mark.parametrize("range_", WHOLE, ids=lambda text: text[:12])
def test_other_parts_are_the_whole(address, file, capfd, range_):
    whole = ask(address, file)
    assert whole.status == 200 and len(whole.body) > 100
    for headers in ([("Range", range_)], [("Range", range_), ("If-Range", '"x"')], [("Range", "bytes=0-0")] * 2):
        reply = ask(address, file, headers=headers)
        assert (reply.status, reply.body) == (200, whole.body)
    quiet(capfd)


def test_a_part_behind_the_end(address, file, capfd):
    assert ask(address, file, headers=[("Range", "bytes=99999999-")]).status == 416
    quiet(capfd)


@pytest.mark.parametrize("name", ["a.png", "a.html", "a.svg", "a.js", "a.xhtml", "a", "a.webp"])
def test_no_browser_takes_an_upload_for_a_page(address, name):
    status, body = sent(address, name, b"<html><script>alert(1)</script>" + name.encode())
    assert status == 200
    reply = ask(address, f"/gradio_api/file={json.loads(body)[0]}")
    assert reply.status == 200 and reply.headers["x-content-type-options"] == "nosniff"
    kind = reply.headers["content-type"]
    assert kind.startswith("image/") or reply.headers["content-disposition"].startswith("attachment")
    assert "html" not in kind and "svg" not in kind and "javascript" not in kind and "xml" not in kind


# --- streams ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["queue/data?session_hash=nobody", f"call/query/{'0' * 32}", f"call/explain/{'f' * 32}"]
)
def test_a_stream_about_nothing_ends(address, capfd, path):
    reply = ask(address, f"/gradio_api/{path}")
    assert reply.status == 200 and b"404: Not Found" in reply.body
    quiet(capfd)


NO_SESSION = ["", "?session_hash=", "?session_hash=%00", "?session_hash=../x", "?session_hash=a&session_hash=b",
              "?session_hash[]=a", "?Session_hash=a", "?session_hash=" + "a" * 65, "?session_hash=%ff",
              "?session_hash=a%0a", "?session_hash=a+b", "?x=a"]  # fmt: skip


@pytest.mark.parametrize("query", NO_SESSION, ids=lambda text: text[:20])
def test_a_stream_is_of_one_visitor(address, capfd, query):
    reply = ask(address, f"/gradio_api/queue/data{query}")
    assert reply.status == 400
    assert json.loads(reply.body)["detail"] == "session_hash is not a short word of letters and digits."
    assert ask(address, "/gradio_api/queue/data?__sign=x&session_hash=nobody").status == 200  # as a Space asks
    quiet(capfd)


def test_hundreds_of_streams_leave_the_page_free(address):
    place = urllib.parse.urlsplit(address)
    head = f"HTTP/1.1\r\nHost: {place.netloc}\r\n"
    held = []
    try:
        for number in range(300):
            target = (f"/gradio_api/heartbeat/h{number} {head}\r\n", f"/ {head}X: half", f"/config {head}\r\n")[
                number % 3
            ]
            held.append(socket.create_connection((place.hostname, place.port), timeout=30))
            held[-1].sendall(f"GET {target}".encode())
        began = time.monotonic()
        assert ask(address, "/").status == 200 and time.monotonic() - began < 10
    finally:
        for connection in held:
            connection.close()


# --- the guard: questions that arrive slowly, or all at once --------------------------------------------------------


class Asking:
    """A question that comes in parts; the rest when it is told to."""

    def __init__(self, guard: Guard, size: int) -> None:
        self.rest, self.sent, self._left = asyncio.Event(), [], [b" " * size, b""]
        headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
        scope = {"type": "http", "method": "POST", "path": "/gradio_api/component_server", "headers": headers}
        self.task = asyncio.ensure_future(guard(scope, self._receive, self._send))

    async def _receive(self) -> dict:
        if len(self._left) == 1:
            await self.rest.wait()
        return {"type": "http.request", "body": self._left.pop(0), "more_body": bool(self._left)}

    async def _send(self, message: dict) -> None:
        self.sent.append(message)

    @property
    def status(self) -> int:
        return self.sent[0]["status"]


async def answered(scope, receive, send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": (await receive())["body"]})


def test_a_question_that_does_not_come_is_not_waited_for():
    async def run() -> int:
        asking = Asking(Guard(answered, max_seconds=0.1), 5)
        await asyncio.wait_for(asking.task, 10)
        return asking.status

    assert asyncio.run(run()) == 408


def test_questions_that_arrive_have_a_limit_together():
    async def run() -> tuple[list[int], int]:
        guard = Guard(answered, max_arriving=1000)
        asking = [Asking(guard, 300) for _ in range(5)]
        await asyncio.sleep(0.1)
        for one in asking:
            one.rest.set()
        await asyncio.gather(*(one.task for one in asking))
        after = Asking(guard, 900)
        after.rest.set()
        await after.task
        return sorted(one.status for one in asking), after.status

    assert asyncio.run(run()) == ([200, 200, 200, 503, 503], 200)


def test_a_question_that_is_cut_off_takes_no_room():
    async def run() -> int:
        guard = Guard(answered, max_arriving=1000)
        for _ in range(5):
            asking = Asking(guard, 900)
            await asyncio.sleep(0)
            asking.task.cancel()
            await asyncio.gather(asking.task, return_exceptions=True)
        asking = Asking(guard, 900)
        asking.rest.set()
        await asking.task
        return asking.status

    assert asyncio.run(run()) == 200


def test_an_error_of_ours_is_not_hidden():
    async def broken(scope, receive, send) -> None:
        raise RuntimeError("ours")

    async def run() -> None:
        asking = Asking(Guard(broken), 5)
        asking.rest.set()
        await asking.task

    with pytest.raises(RuntimeError, match="ours"):
        asyncio.run(run())


# --- uploads that end at the same time ------------------------------------------------------------------------------


def test_two_photographs_at_a_time_are_in_memory(tmp_path, monkeypatch):
    inside, most, lock, inner = 0, 0, threading.Lock(), upload_route.one_file

    def counted(body: bytes, boundary: bytes) -> tuple[bytes, str]:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        time.sleep(0.05)
        with lock:
            inside -= 1
        return inner(body, boundary)

    monkeypatch.setattr(upload_route, "one_file", counted)
    statuses: list[int] = []

    def send(number: int) -> None:
        body = form(part(bytes([number]) * 1000))
        head = [("Content-Type", "multipart/form-data; boundary=an-edge")]
        statuses.append(ask(address, "/gradio_api/upload", "POST", headers=head, body=body).status)

    with route(Uploads(tmp_path)) as address:
        threads = [threading.Thread(target=send, args=(number,)) for number in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert statuses == [200] * 12 and most == upload_route.AT_ONCE == 2


# --- HTTP itself ----------------------------------------------------------------------------------------------------


def raw(address: str, request: Callable[[bytes], bytes], seconds: float = 20) -> Reply:
    return exchange(address, request(f"Host: {urllib.parse.urlsplit(address).netloc}\r\n".encode()), seconds=seconds)


POST = b"POST /gradio_api/queue/join HTTP/1.1\r\n%sContent-Type: application/json\r\nConnection: close\r\n"
ODD = [
    b"GET /config\r\n\r\n", b"GET /config http/1.1\r\n%s\r\n", b"GET /config HTTP/1.1\r\nHost : x\r\n%s\r\n",
    b"GET /config HTTP/1.1\r\n%sX: a\0b\r\n\r\n", b"\0\0\0\0\r\n\r\n", b"GET  /config HTTP/1.1\r\n%s\r\n",
    POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} ", POST + b"Content-Length: -2\r\n\r\n{}",
    POST + b"Content-Length: +2\r\n\r\n{}", POST + b"Content-Length: 0x2\r\n\r\n{}",
    POST + b"Transfer-Encoding: xchunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    POST + b"Transfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n",
    POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    POST + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b",
]  # fmt: skip


@pytest.mark.parametrize("request_", ODD, ids=range(len(ODD)))
def test_what_is_hardly_http(address, capfd, request_):
    reply = raw(address, lambda host: request_.replace(b"%s", host))
    assert reply.status == 400 and b"Traceback" not in reply.body
    quiet(capfd)


def test_each_request_of_a_connection_is_looked_at(address):
    reply = raw(address, lambda host: b"GET /gradio_api/startup-events HTTP/1.1\r\n" + host + b"\r\n"
                b"GET /config HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")  # fmt: skip
    assert reply.status == 200 and b"HTTP/1.1 403" in reply.body and b"components" not in reply.body
