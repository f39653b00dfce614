"""The upload route of a running page over raw HTTP: one file a request, its bytes counted while they arrive, room for
all of them, nothing left of those that were cut off."""

from __future__ import annotations

import http.client
import json
import os
import socket
import threading
import time
import urllib.error
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import uvicorn
from app_fixtures import launched, prepare
from test_untrusted_requests import photograph, sent

from afa_viz.image_files import MAX_BYTES
from afa_viz.ui.server import uploads as kept
from afa_viz.ui.server.upload_route import MAX_ENVELOPE, UploadRoute, one_file
from afa_viz.ui.server.uploads import Uploads
from afa_viz.ui.sessions.temporary import process_folder
from benchmarks.served_app import Page

EDGE = "an-edge"
MB = 2**20
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*no_silent_downcasting"),  # an option that gradio sets in pandas
    pytest.mark.filterwarnings("ignore:The copy keyword is deprecated"),  # of pandas, in gradio's counts of requests
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # event loops that the server leaves to the collector
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of uvicorn's dependencies
]


def part(content: bytes, name: str = "files", file: str | None = "a.png") -> bytes:
    """One part of a form: a file, or a text field."""
    named = f'; filename="{file}"' if file is not None else ""
    head = f'--{EDGE}\r\nContent-Disposition: form-data; name="{name}"{named}\r\n\r\n'
    return head.encode() + content + b"\r\n"


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + f"--{EDGE}--\r\n".encode()


class Sender:
    """A connection that sends a request by hand."""

    def __init__(self, address: str, path: str = "/gradio_api/upload", length: int | None = None) -> None:
        place = urlsplit(address)
        self.socket = socket.create_connection((place.hostname, place.port), timeout=30)
        size = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
        self.send(f"POST {path} HTTP/1.1\r\nHost: {place.netloc}\r\n{size}\r\n"
                  f"Content-Type: multipart/form-data; boundary={EDGE}\r\n\r\n".encode())  # fmt: skip

    def send(self, content: bytes) -> None:
        self.socket.sendall(content)

    def chunk(self, content: bytes) -> None:
        self.send(f"{len(content):x}\r\n".encode() + content + b"\r\n")

    def answer(self) -> tuple[int, str]:
        """Status and text."""
        answer = http.client.HTTPResponse(self.socket)
        answer.begin()
        return answer.status, answer.read().decode()

    def close(self) -> None:
        self.socket.close()


def asked(address: str, body: bytes, path: str = "/gradio_api/upload") -> tuple[int, str]:
    sender = Sender(address, path, len(body))
    sender.send(body)
    found = sender.answer()
    sender.close()
    return found


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    with launched(prepare(tmp_path_factory.mktemp("page"))) as address:
        yield address.rstrip("/")


@contextmanager
def route(uploads: Uploads, **options: Any) -> Iterator[str]:
    """The route alone, with options of a test."""

    async def nothing_else(scope, receive, send) -> None:
        raise AssertionError("only uploads are asked for")

    config = uvicorn.Config(UploadRoute(nothing_else, uploads, **options), port=0, log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(20)


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def open_files(folder: Path) -> list[str]:
    """Files of this process in a folder, those without a name too."""
    links = (Path("/proc/self/fd", number) for number in os.listdir("/proc/self/fd"))
    return [
        str(target) for link in links if link.is_symlink() and str(target := link.readlink()).startswith(str(folder))
    ]


# --- what may be sent ------------------------------------------------------------------------------------------------


def test_a_photograph_is_kept_once_and_opens(address):
    (path,) = json.loads(asked(address, form(part(photograph())))[1])
    assert Path(path).read_bytes() == photograph() and process_folder() in Path(path).parents
    assert json.loads(asked(address, form(part(photograph(), file="another name.png")))[1]) == [path]
    before = size_of(process_folder())
    page = Page(address)
    (found,) = page.event(
        "explain", [{"path": path, "meta": {"_type": "gradio.FileData"}}, None, None, {"num_iters": 1}, None]
    )
    assert len(found["key"]) == 20
    assert size_of(process_folder()) == before, "gradio made a copy: its names for files are others now"


@pytest.mark.parametrize(
    "body",
    [
        form(part(b"x"), part(b"y")),
        form(part(b"a text", file=None)),
        form(part(b"x"), part(b"a text", "note", None)),
        form(part(b"a text", "note", None), part(b"x")),
        form(part(b"x", name="other")),
        form(),
        b"",
        b"no form at all",
        form(part(b"x"))[:-8],
        form(part(b"x")) + b"and more",
        b"before it" + form(part(b"x")),
        part(b"x"),
        f"--{EDGE}\r\n".encode() + b"\r\nno head\r\n" + f"--{EDGE}--".encode(),
        f"--{EDGE}\r\n".encode() + b"Content-Disposition: form-data\r\n\r\nx\r\n" + f"--{EDGE}--".encode(),
        f"--{EDGE}\r\n".encode() + b"X: y\r\n" * 9000 + b"\r\nx\r\n" + f"--{EDGE}--".encode(),
    ],
    ids=["two files", "a text", "a text behind", "a text before", "another field", "no part", "nothing", "no form",
         "cut off", "more behind", "more before", "no end", "no head", "no name", "a long head"],
)  # fmt: skip
def test_whatever_is_not_one_file_is_one_sentence(address, body):
    before = size_of(process_folder())
    status, text = asked(address, body)
    assert (status, text) == (400, "An upload must be exactly one file; please send one photograph.")
    assert size_of(process_folder()) == before


@pytest.mark.parametrize(
    "path",
    ["/gradio_api/upload", "/upload", "/gradio_api/upload/", "/gradio_api/upload?upload_id=1", "/gradio_api/%75pload",
     "/gradio_api/run/upload"],
)  # fmt: skip
def test_no_spelling_of_the_address_leads_past_it(address, path):
    """Today gradio would take a thousand files and text fields of any length behind some of them."""
    status, text = asked(address, form(part(bytes(MAX_BYTES), "note", None), part(b"x")), path)
    assert status in (400, 404) and "Traceback" not in text


def test_the_largest_file_fits_and_one_byte_more_does_not(address):
    assert asked(address, form(part(bytes(MAX_BYTES))))[0] == 200
    status, text = asked(address, form(part(bytes(MAX_BYTES + 1))))
    assert (status, text) == (413, f"This file has more than {MAX_BYTES >> 20} MB; please choose a smaller one.")


@pytest.mark.parametrize("length", [str(300 * MB), "9" * 19, "9" * 30])
def test_a_length_that_is_too_large_is_refused_before_a_byte_arrives(address, length):
    sender = Sender(address, length=int(length))
    status, text = sender.answer()
    sender.close()
    assert status in (400, 413) and "Traceback" not in text


def test_bytes_are_counted_while_they_arrive(address):
    """Without a length: memory and disk hold no more than one file may have."""
    sender, before = Sender(address), open_files(process_folder())
    sender.chunk(part(b"")[:-2])
    sent_bytes, largest = 0, 0
    try:
        for _ in range(64):
            sender.chunk(bytes(MB))
            sent_bytes += MB
            new = set(open_files(process_folder())) - set(before)
            largest = max([largest, *(os.stat(f"/proc/self/fd/{n}").st_size for n in os.listdir("/proc/self/fd")
                                      if new and os.path.exists(f"/proc/self/fd/{n}")
                                      and os.readlink(f"/proc/self/fd/{n}") in new)])  # fmt: skip
    except OSError:
        pass  # the server has closed the connection
    status, text = sender.answer()
    sender.close()
    assert status == 413 and f"more than {MAX_BYTES >> 20} MB" in text and largest <= MAX_BYTES + MAX_ENVELOPE + MB


def test_names_and_contents_are_taken_as_they_are():
    for boundary in (b"x", b"----WebKitFormBoundaryabc"):
        for content in (b"", b"\r\n", b"\r\n--", b"--" + boundary, b"\r\n\r\n", b"\0" * 99):
            head = b"--" + boundary + b'\r\ncontent-disposition: form-data; name=files; filename="a.PNG"\r\n\r\n'
            assert one_file(head + content + b"\r\n--" + boundary + b"--", boundary) == (content, ".png")


# --- how much and how long -------------------------------------------------------------------------------------------


def test_the_server_hears_of_an_upload_before_it_has_arrived(tmp_path):
    heard = threading.Event()
    with route(Uploads(tmp_path), on_start=heard.set) as address:
        sender = Sender(address)
        sender.chunk(part(b"")[:-2])
        assert heard.wait(20)
        sender.socket.close()


def test_all_of_them_together_have_a_limit_and_the_oldest_unused_go_first(tmp_path):
    uploads = Uploads(tmp_path, max_total=4 * MB)
    with route(uploads) as address:
        paths = [Path(json.loads(asked(address, form(part(bytes([n]) * MB)))[1])[0]) for n in range(3)]
        for age, path in zip((300, 200, 100), paths, strict=True):
            os.utime(path, (time.time() - age,) * 2)
        os.utime(paths[0])  # read by an event
        (last,) = json.loads(asked(address, form(part(bytes([9]) * MB)))[1])
    assert not paths[1].exists() and paths[0].exists() and Path(last).exists()
    assert size_of(tmp_path) <= 4 * MB


def test_many_tiny_ones_have_a_limit_too(tmp_path):
    uploads = Uploads(tmp_path, max_total=10 * kept.MIN_COUNTED)
    for number in range(40):
        uploads.keep(number.to_bytes(2, "big"), ".png")
    assert len(list(tmp_path.iterdir())) <= 10


def test_where_all_room_is_taken_by_those_that_arrive_the_next_one_is_refused(tmp_path):
    with route(Uploads(tmp_path, max_total=3 * MB)) as address:
        first, second = Sender(address), Sender(address)
        for sender in (first, second):
            sender.chunk(part(b"")[:-2] + bytes(MB))
        deadline = time.monotonic() + 20
        while len(open_files(tmp_path)) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.2)
        status, text = asked(address, form(part(bytes(2 * MB))))
        assert status == 503 and "no room for more photographs" in text
        first.close()
        second.close()
        while open_files(tmp_path) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert asked(address, form(part(bytes(MB))))[0] == 200  # what was cut off takes no room


def test_the_limits_are_those_that_are_promised():
    assert kept.MAX_TOTAL == 2**30 and kept.MAX_SECONDS == 2 * 3600 and MAX_BYTES == 40 * MB


@pytest.mark.parametrize("how", ["closed", "stalled", "slow"])
def test_nothing_is_left_of_a_photograph_that_was_half_sent(tmp_path, how):
    with route(
        Uploads(tmp_path), max_pause=0.5 if how == "stalled" else 30, max_seconds=1.0 if how == "slow" else 30
    ) as address:
        sender = Sender(address)
        sender.chunk(part(b"")[:-2] + bytes(MB))
        deadline = time.monotonic() + 20
        while not open_files(tmp_path) and time.monotonic() < deadline:  # until it has begun to arrive
            time.sleep(0.01)
        if how == "closed":
            sender.close()
        if how == "slow":
            for _ in range(30):
                try:
                    sender.chunk(b"x")
                except OSError:
                    break
                time.sleep(0.1)
        if how != "closed":
            status, text = sender.answer()
            assert status == 408 and text == "This photograph took too long to arrive; please send it again."
            sender.close()
        deadline = time.monotonic() + 20
        while open_files(tmp_path) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not open_files(tmp_path) and not list(tmp_path.iterdir())


def test_what_nobody_has_used_for_long_goes(tmp_path):
    uploads = Uploads(tmp_path, max_seconds=60)
    old, new = uploads.keep(b"old", ".png"), uploads.keep(b"new", "")
    os.utime(old, (time.time() - 61,) * 2)
    uploads.remove_expired()
    assert not old.parent.exists() and new.exists()
    new.unlink()  # by somebody else
    uploads.remove_expired()
    assert uploads.keep(b"new", "") == new and new.exists()


def test_a_full_disk_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "write_bytes", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with route(Uploads(tmp_path)) as address:
        status, text = asked(address, form(part(b"x")))
    assert status == 503 and text.startswith("The server has no room for more photographs")


def test_one_that_is_gone_is_asked_for_again(address):
    (path,) = json.loads(sent(address, "a.png", photograph()[:-12] + b"\0" * 12)[1])
    Path(path).unlink()
    page, file = Page(address), {"path": path, "meta": {"_type": "gradio.FileData"}}
    with pytest.raises(urllib.error.HTTPError) as refused:
        page.event("explain", [file, None, None, None, None])
    with refused.value as answer:
        assert answer.code == 400 and b"no longer holds this photograph; please upload it again." in answer.read()
