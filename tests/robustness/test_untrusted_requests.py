"""Requests that no browser of ours would send: files outside, addresses of other hosts, huge questions, odd uploads."""

from __future__ import annotations

import http.client
import io
import json
import threading
import urllib.error
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from app_fixtures import launched, prepare, scene

from afa_viz.image_files import MAX_BYTES
from afa_viz.ui.server.guard import MAX_NESTING, contains_remote_file
from afa_viz.ui.server.routes import MAX_BODY
from afa_viz.ui.sessions.temporary import process_folder
from benchmarks.served_app import Page

ROOT = Path(__file__).parents[2]
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*no_silent_downcasting"),  # an option that gradio sets in pandas
    pytest.mark.filterwarnings("ignore:The copy keyword is deprecated"),  # of pandas, in gradio's counts of requests
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # event loops that the server leaves to the collector
]


@pytest.fixture(scope="module")
def options(tmp_path_factory):
    return prepare(tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="module")
def address(options):
    with launched(options) as address:
        yield address.rstrip("/")


@pytest.fixture
def other_host(monkeypatch):
    """A host that counts who asks it; gradio is made to believe that it lies in the open web."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args) -> None:
            pass

    async def believe(host: str) -> str:
        asked.append(host)
        return "127.0.0.1"

    monkeypatch.setattr("safehttpx.async_validate_url", believe)
    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()
    thread.join()


def get(address: str, path: str) -> tuple[int, bytes]:
    """Status and body of a path that is sent as it is."""
    place = urllib.parse.urlsplit(address)
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=30)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def post(address: str, path: str, body: bytes, kind: str = "application/json") -> tuple[int, bytes]:
    request = urllib.request.Request(f"{address}{path}", body, {"Content-Type": kind})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def sent(address: str, name: str, content: bytes) -> tuple[int, bytes]:
    """An upload as browsers send it."""
    edge = "an-edge"
    head = f'--{edge}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'.encode()
    body = head + content + f"\r\n--{edge}--\r\n".encode()
    return post(address, "/gradio_api/upload", body, f"multipart/form-data; boundary={edge}")


def photograph() -> bytes:
    file = io.BytesIO()
    scene(1)[0].save(file, format="PNG")
    return file.getvalue()


def test_no_file_outside_is_served(options, address):
    folder = options.examples.parent
    secrets = [
        "/etc/passwd", ROOT / "pyproject.toml", ROOT / "afa_viz" / "trace.py", folder / "examples" / "examples.json",
        folder / "checkpoints" / "tiny" / "model.safetensors", "app.py", "../../etc/passwd", "C:/Windows/win.ini",
        "file:///etc/passwd", "/proc/self/environ", "/proc/self/root/etc/passwd",
    ]  # fmt: skip
    for secret in map(str, secrets):
        for place in (secret, urllib.parse.quote(secret, safe=""), "/tmp/../" + secret, "/%2e%2e/%2e%2e" + secret):
            for route in ("/gradio_api/file=", "/file=", "/gradio_api/proxy=", "/static/", "/assets/", "/theme/"):
                status, body = get(address, route + place.replace(" ", "%20"))
                assert status in (400, 403, 404, 405), (route, place, status)
                assert b"root:" not in body and b"Traceback" not in body and b"[project]" not in body


def test_the_server_asks_no_other_host(address, other_host):
    there, asked = other_host
    for place in (f"{there}/x", urllib.parse.quote(f"{there}/x", safe=""), f"%20{there}/x", there.upper() + "/x"):
        for route in ("/gradio_api/file=", "/file=", "/gradio_api/proxy=", "/gradio_api//file="):
            assert get(address, route + place)[0] in (403, 404, 307)
    page = Page(address)
    file = {"path": f"{there}/x.png", "meta": {"_type": "gradio.FileData"}}
    for body in (
        {"data": [file, None, None, None, None]},
        {"data": [None, {"a": [file]}, None, None, None]},
        {"data": [{**file, "path": f"  {there}/x"}, None, None, None, None]},
    ):
        for path in ("/gradio_api/call/explain", "/gradio_api/queue/join"):
            whole = body | {"fn_index": page.functions["explain"], "session_hash": page.session}
            status, answer = post(address, path, json.dumps(whole).encode())
            assert status == 403 and b"fetches nothing from other hosts" in answer, (path, status, answer)
    assert asked == []


def test_without_the_guard_it_would(options, other_host, monkeypatch):
    """Else the test above would prove nothing."""

    async def pass_on(self, scope, receive, send):
        await self.app(scope, receive, send)

    monkeypatch.setattr("afa_viz.ui.server.guard.Guard.__call__", pass_on)
    there, asked = other_host
    with launched(options) as address:
        get(address.rstrip("/"), f"/gradio_api/file={there}/x")
    assert "127.0.0.1" in asked


def test_what_is_an_address():
    assert contains_remote_file(b'[{"a": {"path": "ftp://x"}}]') and contains_remote_file(b'{"path": " HTTPS:x"}')
    assert contains_remote_file(b"[" * (MAX_NESTING + 1) + b"]" * (MAX_NESTING + 1))
    for fine in (
        b'{"path": "/tmp/a.png", "url": "http://127.0.0.1/a"}',
        b'{"path": "C:/a"}',
        b"{",
        b"\xff",
        b"[]",
        b"3",
    ):
        assert not contains_remote_file(fine)
    assert not contains_remote_file(b"[" * 100_000)  # gradio refuses what can not be read


def test_a_path_that_was_not_uploaded_is_refused(options, address):
    for path in ("/etc/passwd", str(options.examples / "photo.png"), "../x.png", "", None, 3, "x" * 5000):
        file = {"path": path, "meta": {"_type": "gradio.FileData"}}
        page = Page(address)
        for name, data, event in (
            ("explain", [file, None, None, None, None], None),
            ("open_upload", ["tiny", [], 0.35, 0.55, 8, 2, 1, 10, None], {"path": path, "labels": None}),
        ):
            try:
                found = page.event(name, data, event)
            except (RuntimeError, urllib.error.HTTPError) as error:
                assert "Traceback" not in str(error) and "root:" not in str(error)
                if isinstance(error, urllib.error.HTTPError):
                    error.close()
            else:
                assert not isinstance(found[0], str) or "key" not in found[0], (name, path)


def test_huge_and_broken_questions_are_refused(address):
    page = Page(address)
    big = {"data": {"key": "x" * MAX_BODY}, "component_id": page.explorer, "fn_name": "scene", "session_hash": "a"}
    status, body = post(address, "/gradio_api/component_server", json.dumps(big).encode())
    assert status == 413 and b"more than 1 MB" in body
    for body in (b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 200_000, b'{"fn_index": 1e400}', b'{"data": NaN}'):
        for path in ("/gradio_api/component_server", "/gradio_api/queue/join", "/gradio_api/call/explain"):
            status, answer = post(address, path, body)
            assert status >= 400 and b"Traceback" not in answer and str(ROOT).encode() not in answer
    assert get(address, "/config")[0] == 200


@pytest.mark.parametrize(
    "name", ["__init__", "postprocess", "_is_server_fn", "write", "warm", "", "__class__", None, 3]
)
def test_only_the_functions_of_the_page_can_be_called(address, name):
    page = Page(address)
    body = {"data": {"key": "x"}, "component_id": page.explorer, "fn_name": name, "session_hash": "a"}
    status, answer = post(address, "/gradio_api/component_server", json.dumps(body).encode())
    assert status >= 400 and b"Traceback" not in answer


def test_uploads_keep_to_their_folder_and_their_size(address):
    for name in (
        "../../evil.png",
        "/etc/evil.png",
        "..\\..\\evil.png",
        "a\0b.png",
        "x" * 300 + ".png",
        ".png",
        "é그림.png",
    ):
        status, body = sent(address, name, photograph())
        if status == 200:
            (path,) = json.loads(body)
            assert Path(path).resolve().is_relative_to(Path(path).parents[1].resolve())
            assert process_folder() in Path(path).parents and Path(path).read_bytes() == photograph()
        else:
            assert b"Traceback" not in body
    status, body = sent(address, "large.png", bytes(MAX_BYTES + 1))
    assert status == 413 and b"Traceback" not in body


def test_two_visitors_have_two_answers(address):
    """The same page at the same time: each sees its own photograph, and neither's address leads to it."""
    pages, keys = [Page(address), Page(address)], []
    for number, page in enumerate(pages):
        file = io.BytesIO()
        scene(number + 3)[0].save(file, format="PNG")
        (path,) = json.loads(sent(address, "photo.png", file.getvalue())[1])
        upload = {"path": path, "meta": {"_type": "gradio.FileData"}}
        (found,) = page.event("explain", [upload, None, None, {"num_iters": 1}, None])
        keys.append(found["key"])
    assert len(set(keys)) == 2
    answers = [page.ask("scene", key=key) for page, key in zip(pages, keys, strict=True)]
    assert answers[0]["image"] != answers[1]["image"]
    value = json.loads(
        pages[1].event(
            "open_example", ["tiny", [], 0.35, 0.55, 8, 2, 1, 10, None], {"index": 0, "value": None, "selected": True}
        )[0]
    )
    assert keys[0] not in json.dumps(value) and value["link"] == {"example": "scene0"}
