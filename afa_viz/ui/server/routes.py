"""Every request that the server answers, as data. Anything else is "not found", whatever gradio serves beside it.

A path is compared whole and as gradio's router compares it: after it was decoded once, letter by letter, with its case
and its slashes. `tests/robustness/test_routes.py` lists the routes of the running app and fails on an unknown one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

ANYONE, THIS_COMPUTER = "anyone", "this computer"
JSON, FILES = "application/json", "multipart/form-data"
MAX_BODY = 2**20  # bytes of a question; those of the page have a few thousand. Uploads have a limit of their own
MAX_NAME, MAX_PATH = 255, 4096  # bytes: what files may be called
MAX_VALUES = 2**16  # bytes of an event's values: gradio keeps the last ones of a thousand visitors
ENDPOINTS = ("explain", "query", "export")  # the public ones: docs/api.md

API = "/gradio_api"
NAMES = r"[\w-][\w.-]*(?:/[\w-][\w.-]*)*"  # of files in a folder; none begins with a dot
SESSION = r"[\w-]{1,64}"
FILE_PATH = (
    r"(?:/(?![/\\])|[A-Za-z]:[/\\])[^\x00-\x1f\x7f]+"  # a whole path on this computer, of no other and of no web
)
CALLS = rf"{API}/call/(?:{'|'.join(ENDPOINTS)})"


@dataclass(frozen=True)
class Route:
    """One kind of request.

    Attributes:
        methods: that are answered.
        path: regular expression of the whole decoded path.
        purpose: what it is open for.
        who: `ANYONE`, or `THIS_COMPUTER` for callers that reach the server by its loopback address or its own one.
        body: content type of what is sent; "" for none. most: bytes of it, where it is JSON.
        session: whether the address must name one visitor.
    """

    methods: tuple[str, ...]
    path: str
    purpose: str
    who: str = ANYONE
    body: str = ""
    most: int = MAX_BODY
    session: bool = False

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """`path`, compiled."""
        return re.compile(self.path, re.ASCII)


GET, POST = ("GET",), ("POST",)
ROUTES = (
    Route(("GET", "HEAD"), "/", "the page; gradio asks by HEAD whether it has started"),
    Route(GET, f"/assets/{NAMES}", "scripts and styles of the page"),
    Route(GET, f"/static/{NAMES}", "fonts and icons of the page"),
    Route(GET, r"/theme\.css", "colours of the page"),
    Route(GET, r"/favicon\.ico", "icon of the browser's tab"),
    Route(GET, rf"{API}/file={FILE_PATH}", "pictures of the gallery, uploads and exports; gradio checks the folder"),
    Route(GET, rf"{API}/heartbeat/{SESSION}", "stream that tells when a visitor leaves"),
    Route(GET, rf"{API}/queue/data", "stream of what events answer", session=True),
    Route(POST, rf"{API}/queue/join", "events of the page, calls of gradio_client", body=JSON, most=MAX_VALUES),
    Route(POST, rf"{API}/component_server/?", "functions of the page", body=JSON),
    Route(POST, rf"{API}/upload", "a photograph", body=FILES),
    Route(GET, "/config", "gradio_client: what the page consists of"),
    Route(GET, rf"{API}/info", "gradio_client: arguments of the public endpoints"),
    Route(POST, CALLS, "public endpoints without gradio_client", body=JSON, most=MAX_VALUES),
    Route(GET, rf"{CALLS}/[0-9a-f]{{32}}", "stream of what a public endpoint answers"),
    Route(GET, rf"{API}/startup-events", "gradio asks itself once, when it starts", THIS_COMPUTER),
)


def find_route(method: str, path: str) -> Route | None:
    """The route of a request, or None. A path with a segment `.` or `..`, or longer than any file's, is none of ours.

    Args:
        path: decoded, as ASGI's `scope["path"]`.
    """
    names = re.split(r"[/\\=]", path)
    if (
        {".", ".."} & set(names)
        or len(path.encode()) > MAX_PATH
        or max(len(name.encode()) for name in names) > MAX_NAME
    ):
        return None
    return next((route for route in ROUTES if method in route.methods and route.pattern.fullmatch(path)), None)
