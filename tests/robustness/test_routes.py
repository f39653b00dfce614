"""What is answered, and that everything else is not found: whatever gradio serves, however it is written."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from app_fixtures import prepare
from raw_http import Reply, ask

from afa_viz.figures.interactive import plotly_js
from afa_viz.ui.page.assets import later_addresses, later_script, plotly_address
from afa_viz.ui.server.app import build, serve
from afa_viz.ui.server.guard import Guard
from afa_viz.ui.server.later_scripts import accepts_gzip
from afa_viz.ui.server.routes import ENDPOINTS, ROUTES, THIS_COMPUTER, find_route
from benchmarks.served_app import Page

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*no_silent_downcasting"),  # an option that gradio sets in pandas
    pytest.mark.filterwarnings("ignore:The copy keyword is deprecated"),  # of pandas, in gradio's counts of requests
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # event loops that the server leaves to the collector
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

TABS = later_addresses()["tabs"]
SAMPLES = {  # of what stands in braces in gradio's routes
    "path:path": "index.js", "api_name": "explain", "event_id": "0" * 32, "session_hash": "abc", "run": "1",
    "component_id": "1", "segment_id": "1", "ext": "ts", "id": "1", "environment": "client", "type": "component",
    "file_name": "index.js", "url_path:path": "https://x.hf.space/a.png", "path_or_url:path": "/tmp/a.png",
    "size": "8", "key": "k", "endpoint": "explain", "record_id": "0" * 32, "asset_id": "a",
}  # fmt: skip
OPEN = {  # of gradio's routes
    "GET /", "HEAD /", "GET /assets/{path:path}", "GET /static/{path:path}", "GET /theme.css", "GET /favicon.ico",
    "GET /gradio_api/file={path_or_url:path}", "GET /gradio_api/heartbeat/{session_hash}",
    "GET /gradio_api/queue/data", "POST /gradio_api/queue/join", "POST /gradio_api/component_server",
    "POST /gradio_api/component_server/", "POST /gradio_api/upload", "GET /config", "GET /gradio_api/info",
    "POST /gradio_api/call/{api_name}", "GET /gradio_api/call/{api_name}/{event_id}",
    "GET /gradio_api/startup-events",
}  # fmt: skip
CLOSED = {  # of gradio's routes, as far as this test has been told of them: those of the app, then of its API
    "GET /config/", "GET /gradio_api/deep_link", "GET /logout", "GET /manifest.json", "GET /monitoring",
    "GET /monitoring/summary", "GET /monitoring/{key}", "GET /pwa_icon", "GET /pwa_icon/{size}", "GET /robots.txt",
    "GET /svelte/{path:path}", "POST /login", "POST /login/",
} | {
    f"{method} /gradio_api/{path}"
    for method, paths in {
        "GET": (
            "app_id", "app_id/", "call/v2/{api_name}/{event_id}",
            "custom_component/{id}/{environment}/{type}/{file_name}", "dev/reload", "file/{path:path}", "info/",
            "login_check", "login_check/", "openapi.json", "proxy={url_path:path}", "queue/status", "runs", "runs/",
            "stream/{session_hash}/{run}/{component_id}/playlist-file",
            "stream/{session_hash}/{run}/{component_id}/playlist.m3u8",
            "stream/{session_hash}/{run}/{component_id}/{segment_id}.{ext}", "theme.css", "token", "token/",
            "upload_progress", "user", "user/", "vibe-code", "vibe-code/",
        ),
        "HEAD": ("file={path_or_url:path}", "proxy={url_path:path}"),
        "POST": (
            "api/{api_name}", "api/{api_name}/", "call/v2/{api_name}", "call/v2/{api_name}/", "call/{api_name}/",
            "cancel", "process_recording", "reset", "reset/", "run/{api_name}", "run/{api_name}/", "stream/{event_id}",
            "stream/{event_id}/close", "undo-vibe-edit", "undo-vibe-edit/", "vibe-code", "vibe-code/", "vibe-edit",
            "vibe-edit/", "vibe-starter-queries", "vibe-starter-queries/",
        ),
    }.items()
    for path in paths
}  # fmt: skip


@pytest.fixture(scope="module")
def served(tmp_path_factory) -> Iterator[tuple[Any, str]]:
    page = build(prepare(tmp_path_factory.mktemp("page")))
    app, address, _ = serve(page, prevent_thread_lock=True, quiet=True, server_name="127.0.0.1")
    yield app, address.rstrip("/")
    page.demo.close(verbose=False)


@pytest.fixture(scope="module")
def address(served):
    return served[1]


def routes_of(router: Any, prefix: str = "") -> Iterator[str]:
    """Every route of an app, those of routers and apps within it included."""
    for route in router.routes:
        inner = getattr(route, "original_router", None) or (route if hasattr(route, "routes") else None)
        if inner is not None:
            yield from routes_of(inner, prefix + getattr(route, "path", ""))
            continue
        for method in sorted(getattr(route, "methods", None) or {"WEBSOCKET"}):
            yield f"{method} {prefix}{route.path}"


def sample(route: str) -> tuple[str, str]:
    """Method and a path of a route of gradio's."""
    method, path = route.split(" ", 1)
    return method, re.sub(r"\{(.+?)\}", lambda found: SAMPLES[found[1]], path)


def test_every_route_of_gradio_is_open_or_closed_on_purpose(served):
    found = set(routes_of(served[0]))
    assert not found - OPEN - CLOSED, "gradio has grown: is each closed? then name it here"
    assert not OPEN - found, "gradio no longer has it: close it"


def test_the_table_opens_these_and_no_others():
    assert {route for route in OPEN | CLOSED if find_route(*sample(route))} == OPEN
    assert all(route.purpose and route.methods for route in ROUTES)
    assert [route.path for route in ROUTES if route.clients == THIS_COMPUTER] == ["/gradio_api/startup-events"]


BODY = json.dumps({"data": [], "session_hash": "a", "event_id": "b", "fn_index": 0}).encode()
JSON = [("Content-Type", "application/json")]


def answer(address: str, method: str, path: str) -> Reply:
    return ask(address, path, method, headers=JSON, body=BODY if method not in ("GET", "HEAD") else b"")


@pytest.mark.parametrize("route", sorted(CLOSED))
def test_closed_routes_are_not_found(address, route):
    method, path = sample(route)
    spellings = {
        path, path + "?x=1", path.replace("/gradio_api", "//gradio_api"), path.replace("gradio", "gr%61dio"),
        "/" + path[1:].replace("/", "%2F"), path.replace("/", "%2F"), "/%2e" + path, "/x/.." + path, "/x/%2e%2e" + path,
        path + "#x", "/." + path, path + "%20", path + "%00",
    }  # fmt: skip
    for spelling in spellings:
        reply = answer(address, method, spelling)
        assert reply.status == 404 and b"Traceback" not in reply.body, (spelling, reply)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "get", "BREW"])
def test_methods(address, method):
    for route in OPEN:
        allowed, path = sample(route)
        if allowed != method and f"{method} {route.partition(' ')[2]}" not in OPEN:
            assert answer(address, method, path).status == 404, (method, path)


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/run/upload", "/gradio_api/run/predict/upload", "/x/gradio_api/upload", "/gradio_api/upload/",
        "/gradio_api/upload/x", "/gradio_api/Upload", "/GRADIO_API/upload", "/gradio_api//upload",
        "//gradio_api/upload", "/gradio_api/upload%2f", "/gradio_api/upload%252f",
        "/gradio_api%5cupload", "/gradio_api/upload;x",
        "/upload",
        "/gradio_api/x/../upload", "/gradio_api/%2e/upload", "/gradio_api/queue/join/", "/gradio_api/queue//join",
        "/gradio_api/queue/join%00", "/gradio_api/queue/join%0a", "/gradio_api/queue/join ", "/queue/join",
        "/gradio_api/component_server//", "/gradio_api/component_server/x", "/component_server",
        "/gradio_api/call/open_example", "/gradio_api/call/reset", "/gradio_api/call/explain/", "/call/explain",
        "/gradio_api/call/Explain", "/gradio_api/call/explain/x", "/gradio_api/call/", "/gradio_api/call/_",
        "http://127.0.0.1/gradio_api/queue/join", "*", "/", "",
    ],
)  # fmt: skip
def test_what_looks_like_an_open_route_is_not_found(address, path):
    reply = answer(address, "POST", path)
    assert reply.status in (400, 404) and b"Traceback" not in reply.body, reply  # 400: it is no request at all


@pytest.mark.parametrize(
    "path",
    [
        "/config/", "/Config", "/config%2f", "//config", "/./config", "/theme.CSS", "/themexcss", "/assets/", "/assets",
        "/assets/../index.html", "/assets/%2e%2e/index.html", "/assets//index.js", "/assets/.hidden", "/static/",
        "/static/..%2f..%2fblocks.py", "/static/%5c..%5c..%5cblocks.py", "/static/img/../../index.html",
        "/gradio_api/file=", "/gradio_api/file=x.png", "/gradio_api/file=./x.png", "/gradio_api/file=//host/x.png",
        "/gradio_api/file=%5c%5chost%5cx.png", "/gradio_api/file=http://x/y", "/gradio_api/file=/a/../b",
        "/gradio_api/file=HTTP:/x/y", "/gradio_api/file=/tmp/x%00.png", "/gradio_api/file=file:/etc/passwd",
        "/gradio_api/file/tmp/x.png", "/gradio_api/heartbeat/", "/gradio_api/heartbeat/a/b",
        "/gradio_api/heartbeat/a%0d",
        "/gradio_api/heartbeat/" + "a" * 65, "/gradio_api/queue/data/", "/gradio_api/queue/status", "/index.html",
        "/class-report", "/class-report/", "/class-report/" + "A" * 22,
        "/gradio_api/call/explain/short", "/gradio_api/call/explain/" + "G" * 32, "/gradio_api", "/gradio_api/",
        "/docs", "/redoc", "/openapi.json", "/gradio_api/mcp", "/gradio_api/mcp/sse", "/.env", "/x",
        "http://127.0.0.1/config", "http://evil.example/", "https:/config", "/\\evil.example", "/config\t",
    ],
)  # fmt: skip
def test_nothing_else_can_be_read(address, path):
    reply = ask(address, path)
    assert reply.status in (400, 403, 404) and b"Traceback" not in reply.body and len(reply.body) < 200, reply


def test_other_protocols(address):
    upgrade = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "13"),
               ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")]  # fmt: skip
    for path in ("/gradio_api/queue/join", "/queue/join", "/gradio_api/dev/reload", "/ws"):
        assert ask(address, path, headers=upgrade).status in (400, 403, 404, 426)
    assert ask(address, "/", "PRI", host=None, version="2.0").status in (400, 403, 404, 505)
    assert ask(address, "127.0.0.1:80", "CONNECT").status in (400, 403, 404)


def test_the_open_ones_answer(address):
    page = Page(address)
    (found,) = page.event("explain", [None, "example:scene0", None, {"num_iters": 1}, None])
    (file,) = page.event("export", [found["key"], "png", None, None, None])
    html = ask(address, "/").body.decode()
    asset, static = re.search(r'src="\.(/assets/[^"]+)"', html)[1], "/static/img/logo.svg"  # type: ignore[index]
    for path in ("/", asset, static, "/theme.css", "/favicon.ico", "/config", "/gradio_api/info",
                 f"/gradio_api/file={file['path']}"):  # fmt: skip
        assert ask(address, path).status == 200, path
    assert ask(address, "/", "HEAD").status == 200
    assert page.ask("overview", key=found["key"])
    assert set(json.loads(ask(address, "/gradio_api/info").body)["named_endpoints"]) == {f"/{n}" for n in ENDPOINTS}


@pytest.mark.parametrize(
    "path, whole",
    [
        (plotly_address(), plotly_js),
        *((path, partial(later_script, name)) for name, path in later_addresses().items()),
    ],
)
def test_later_scripts_are_served_compressed_and_for_good(address, path, whole):
    path = f"/{path}"
    small = ask(address, path, headers=[("Accept-Encoding", "br, gzip;q=0.8")])
    assert small.status == 200 and len(small.body) < 1_600_000
    headers = small.headers
    assert headers["content-encoding"] == "gzip" and headers["vary"] == "accept-encoding"
    assert headers["cache-control"] == "public, max-age=31536000, immutable"
    assert headers["content-type"] == "text/javascript; charset=utf-8"
    script = whole().encode()
    assert gzip.decompress(small.body) == script
    plain = ask(address, path, headers=[("Accept-Encoding", "gzip;q=0, identity")])
    assert plain.body == script and "content-encoding" not in plain.headers


@pytest.mark.parametrize(
    "path",
    [
        "/charts/plotly-0.0.1.min.js", "/charts/", "/charts", "/charts/plotly.min.js", "/charts/../config",
        "/plotly.min.js", "/charts/plotly-7.1.0.min.js/", "/charts//plotly-7.1.0.min.js",
        "/charts/plotly-%2e%2e.min.js", "/Charts/plotly-7.1.0.min.js", "/scripts/tabs-000000000000.js",
        "/network/0123456789abcdef/network-head-01234567.onnx", "/scripts/device-000000000000.js",
        "/scripts/tabs-.js", "/scripts/", f"/{TABS}/", f"/{TABS.upper()}",
    ],
)  # fmt: skip
def test_no_other_script_is_served(address, path):
    assert ask(address, path).status == 404
    assert answer(address, "POST", f"/{plotly_address()}").status == 404
    foreign = ask(address, f"/{plotly_address()}", headers=[("Sec-Fetch-Site", "cross-site")])
    assert foreign.status == 403 and len(foreign.body) < 200


@pytest.mark.parametrize("accepted, taken", [
    ("gzip", True), ("GZIP ; q=0.5", True), ("*", True), ("br", False), ("", False), ("gzip;q=0", False),
    ("gzip; q=0.000", False), ("identity, gzip;q=1.0", True), ("xgzip", False), ("gzip;q=0.001", True),
])  # fmt: skip
def test_who_takes_compressed_scripts(accepted, taken):
    assert accepts_gzip([(b"accept-encoding", accepted.encode())]) is taken
    assert accepts_gzip([]) is False


def test_streams_are_not_held_back(address):
    """What a stream says first is there although it goes on."""
    beat = ask(address, "/gradio_api/heartbeat/abc", until=b"ALIVE")
    assert beat.status == 200 and b"data: ALIVE" in beat.body


def test_an_endpoint_without_gradio_client(address):
    body = json.dumps({"data": [None, "example:scene1", None, {"num_iters": 1}, None]}).encode()
    event = json.loads(ask(address, "/gradio_api/call/explain", "POST", headers=JSON, body=body).body)["event_id"]
    reply = ask(address, f"/gradio_api/call/explain/{event}", until=b"event: complete")
    assert reply.status == 200 and b"event: complete" in reply.body


def test_the_guard_knows_three_protocols():
    """Events of the server's life pass, sockets are closed before they open, and anything else is an error."""
    calls, sent = [], []

    async def app(scope, receive, send) -> None:
        calls.append(scope["type"])

    async def receive() -> dict:
        return {"type": "websocket.connect"}

    async def send(message) -> None:
        sent.append(message)

    for kind in ("lifespan", "websocket"):
        asyncio.run(Guard(app)({"type": kind, "path": "/", "headers": []}, receive, send))
    assert calls == ["lifespan"] and sent == [{"type": "websocket.close", "code": 1008}]
    with pytest.raises(ValueError, match="a request by smoke"):
        asyncio.run(Guard(app)({"type": "smoke"}, receive, send))


def test_without_names_the_guard_lets_this_computer_in():
    """And passes a body on in the parts in which it comes, one that gradio reads itself."""
    parts, got, sent = [b"a", b"b", b"c"], [], []

    async def app(scope, receive, send) -> None:
        more = True
        while more:
            message = await receive()
            got.append(message["body"])
            more = message["more_body"]
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive() -> dict:
        assert len(got) == 3 - len(parts)  # none is held back
        return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}

    async def send(message) -> None:
        sent.append(message["status"])

    headers = [(b"host", b"localhost"), (b"content-type", b"multipart/form-data; boundary=x")]
    scope = {"type": "http", "method": "POST", "path": "/gradio_api/upload", "headers": headers}
    asyncio.run(Guard(app)(scope, receive, send))
    assert got == [b"a", b"b", b"c"] and sent == [200]
