"""All routes that the server answers, as data. Anything else is "not found", even if gradio would serve it.

A path is matched as a whole, as by gradio's router: decoded once, case-sensitive, with its slashes.
`tests/robustness/test_routes.py` lists the routes of the running app and fails on an unknown one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

ANYONE, THIS_COMPUTER = "anyone", "this computer"
JSON, FILES = "application/json", "multipart/form-data"
MAX_BODY = 2**20  # bytes of a body; the app sends a few thousand. Uploads have a separate limit
MAX_NAME, MAX_PATH = 255, 4096  # bytes of a file name and of a path
MAX_VALUES = 2**16  # bytes of an event's values, which gradio keeps for a thousand visitors
ENDPOINTS = ("explain", "explain_with_mask", "query", "export")  # public, see docs/api.md

API = "/gradio_api"
NAMES = r"[\w-][\w.-]*(?:/[\w-][\w.-]*)*"  # of static files; none begins with a dot
SESSION = r"[\w-]{1,64}"
FILE_PATH = r"(?:/(?![/\\])|[A-Za-z]:[/\\])[^\x00-\x1f\x7f]+"  # an absolute local path, not a network path or URL
NETWORK_FILE = (
    r"(?:network-(?:encoder|head)-[0-9a-f]{8}\.onnx|network-script-[0-9a-f]{8}\.js"
    r"|onnxruntime-web-[\w.]{1,32}/ort[\w.-]{1,60}\.(?:js|wasm))"
)
CALLS = rf"{API}/call/(?:{'|'.join(ENDPOINTS)})"


@dataclass(frozen=True)
class Route:
    """One kind of request.

    Attributes:
        methods: allowed HTTP methods.
        path: regular expression that matches the whole decoded path.
        purpose: why it is open.
        clients: `ANYONE`, or `THIS_COMPUTER` for clients at the server's loopback address or its own address.
        body: content type of the body; "" for none.
        max_bytes: of a JSON body.
        session: whether the query must contain one session hash.
    """

    methods: tuple[str, ...]
    path: str
    purpose: str
    clients: str = ANYONE
    body: str = ""
    max_bytes: int = MAX_BODY
    session: bool = False

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The compiled `path`."""
        return re.compile(self.path, re.ASCII)


GET, POST = ("GET",), ("POST",)
ROUTES = (
    Route(("GET", "HEAD"), "/", "the app; gradio checks by HEAD whether it has started"),
    Route(GET, f"/assets/{NAMES}", "scripts and styles of the app"),
    Route(GET, f"/static/{NAMES}", "fonts and icons of the app"),
    Route(GET, r"/theme\.css", "colours of the app"),
    Route(GET, r"/charts/plotly-[\w.]+\.min\.js", "plotly.js, see later_scripts.py; another version is not found"),
    Route(
        GET,
        r"/scripts/(?:tabs|more|lab|pipeline|edits|device)-[0-9a-f]{12}\.js",
        "parts for later; another hash is not found",
    ),
    Route(
        GET,
        rf"/network/[0-9a-f]{{16}}/{NETWORK_FILE}",
        "the network and its runtime for the visitor's browser, see device_networks.py; with --onnxruntime-web alone",
    ),
    Route(GET, r"/class-report/[\w-]{22}", "what a class answered, with --class-report; a wrong token is not found"),
    Route(GET, r"/favicon\.ico", "icon of the browser's tab"),
    Route(GET, rf"{API}/file={FILE_PATH}", "images of the gallery, uploads and exports; gradio checks the folder"),
    Route(GET, rf"{API}/heartbeat/{SESSION}", "stream that ends when a visitor leaves"),
    Route(GET, rf"{API}/queue/data", "stream of the answers to events", session=True),
    Route(POST, rf"{API}/queue/join", "events of the app, calls of gradio_client", body=JSON, max_bytes=MAX_VALUES),
    Route(POST, rf"{API}/component_server/?", "functions of the app", body=JSON),
    Route(POST, rf"{API}/upload", "a photograph", body=FILES),
    Route(GET, "/config", "gradio_client: the components of the app"),
    Route(GET, rf"{API}/info", "gradio_client: arguments of the public endpoints"),
    Route(POST, CALLS, "public endpoints without gradio_client", body=JSON, max_bytes=MAX_VALUES),
    Route(GET, rf"{CALLS}/[0-9a-f]{{32}}", "stream of the answers of a public endpoint"),
    Route(GET, rf"{API}/startup-events", "requested once by gradio itself, when it starts", THIS_COMPUTER),
)


def find_route(method: str, path: str) -> Route | None:
    """The route of a request; None for an unknown one, a path with a segment `.` or `..`, or one that is too long.

    Args:
        path: decoded, as in ASGI's `scope["path"]`.
    """
    names = re.split(r"[/\\=]", path)
    if (
        {".", ".."} & set(names)
        or len(path.encode()) > MAX_PATH
        or max(len(name.encode()) for name in names) > MAX_NAME
    ):
        return None
    return next((route for route in ROUTES if method in route.methods and route.pattern.fullmatch(path)), None)
