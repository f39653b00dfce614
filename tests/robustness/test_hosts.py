"""Under which names the server answers, and which pages may send it something; what a proxy says counts for nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from app_fixtures import prepare
from raw_http import ask, exchange

from afa_viz.ui.server import launch
from afa_viz.ui.server.app import build, serve
from afa_viz.ui.server.hosts import AllowedHosts, Host, Origin, parse_host, parse_origin
from afa_viz.ui.sessions.class_report import ClassReport

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*no_silent_downcasting"),  # an option that gradio sets in pandas
    pytest.mark.filterwarnings("ignore:The copy keyword is deprecated"),  # of pandas, in gradio's counts of requests
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # event loops that the server leaves to the collector
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

# --- how they are read -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name", "port"),
    [
        ("localhost", "localhost", None), ("LOCALHOST:80", "localhost", 80), ("127.0.0.1:7860", "127.0.0.1", 7860),
        ("[::1]", "::1", None), ("[0:0:0:0:0:0:0:1]:65535", "::1", 65535), ("a-b.c_d.example", "a-b.c_d.example", None),
    ],
)  # fmt: skip
def test_hosts(text, name, port):
    assert parse_host(text) == Host(name, port)


NO_HOSTS = [
    "", ":80", "localhost:", "localhost:0", "localhost:65536", "localhost:123456", "localhost:8 0", "localhost:+80",
    "localhost:x", "user@localhost", "user:word@localhost", "localhost/x", "localhost#x", "localhost?x", " localhost",
    "localhost ", "localhost\t", "local host", "localhost,evil.example", "localhost;evil", "::1", "[::1", "::1]", "[]",
    "[::1]x", "[127.0.0.1]", "[evil.example]", "[::1%25eth0]", "[fe80::1%eth0]", "localhost.", "-", ".", "..", "a..",
    "http://localhost", "localhost:80:80", "löcalhost", "localhost\0", "*", "%6cocalhost", "\\localhost", "[::g]",
]  # fmt: skip


@pytest.mark.parametrize("text", NO_HOSTS)
def test_what_is_no_host(text):
    assert parse_host(text) is None


def test_sites():
    assert parse_origin("https://viz.example.org") == Origin("https", Host("viz.example.org"))
    assert parse_origin("https://viz.example.org:443") == parse_origin("viz.example.org", "https")
    assert parse_origin("http://viz.example.org:80") == Origin("http", Host("viz.example.org"))
    assert str(parse_origin("viz.example.org:8443", "https")) == "https://viz.example.org:8443"
    for text in ("null", "", "file://", "viz.example.org", "ftp://x", "https://", "https:x", "https://x/y", "HTTPS://x",
                 "javascript:x", "https://a@b", "https://a https://b", "://x", "chrome-extension://abc"):  # fmt: skip
        assert parse_origin(text) is None, text


def test_loopback():
    for name in ("localhost", "127.0.0.1", "127.0.0.2", "127.255.255.254", "::1"):
        assert Host(name).is_loopback
    for name in ("0.0.0.0", "::", "10.0.0.1", "localhost.evil.example", "127.0.0.1.nip.io", "1", "127.1", "2130706433",
                 "0x7f.0.0.1", "0177.0.0.1", "local", "evil.example"):  # fmt: skip
        assert not Host(name).is_loopback, name


# --- the names of a server -------------------------------------------------------------------------------------------

HERE = ("127.0.0.1", 7860)
LOOPBACK = ["localhost", "localhost:7860", "127.0.0.1:7860", "127.0.0.2", "[::1]:7860", "LocalHost:9", "[0::1]"]
FOREIGN = [
    "evil.example", "evil.example:7860", "localhost.evil.example", "evil.localhost", "127.0.0.1.nip.io", "10.0.0.1",
    "192.168.1.7:7860", "0.0.0.0:7860", "[::]:7860", "169.254.169.254", "127.1", "2130706433", "0x7f000001", "[::2]",
    "[::ffff:10.0.0.1]", "metadata", "viz.example.org", "huggingface.co", *NO_HOSTS,
]  # fmt: skip


def test_a_server_of_this_computer_has_loopback_names_alone():
    for bound in ("127.0.0.1", "::1", "localhost", "127.0.0.2"):
        names = AllowedHosts(Host(bound))
        assert all(names.origin_for(text, HERE) for text in LOOPBACK)
        assert not any(names.origin_for(text, HERE) for text in FOREIGN)


def test_a_server_of_a_network_has_the_address_that_was_reached():
    names, there = AllowedHosts(Host("0.0.0.0")), ("10.0.0.1", 7860)
    served = [*LOOPBACK, "10.0.0.1", "10.0.0.1:8000", "0.0.0.0:7860"]
    assert all(names.origin_for(text, there) for text in served)
    assert not any(names.origin_for(text, there) for text in FOREIGN if text not in ("10.0.0.1", "0.0.0.0:7860"))
    assert names.origin_for("[2001:db8::1]:7860", ("2001:db8::1", 7860)) and not names.origin_for(
        "[2001:db8::2]", ("2001:db8::1", 1)
    )
    named = AllowedHosts(Host("lab-pc"))
    assert named.origin_for("LAB-PC:7860", HERE) and not named.origin_for("lab-pc2", HERE)


def test_public_names():
    names = AllowedHosts(
        Host("127.0.0.1"), [Origin("https", Host("viz.example.org")), Origin("http", Host("lab", 8080))]
    )
    assert (
        str(names.origin_for("viz.example.org", HERE))
        == str(names.origin_for("VIZ.example.org:443", HERE))
        == "https://viz.example.org"
    )
    assert str(names.origin_for("viz.example.org:7860", HERE)) == "http://viz.example.org:7860"  # without the proxy
    assert str(names.origin_for("viz.example.org:1", HERE)) == "https://viz.example.org"  # nobody's port is shown
    assert str(names.origin_for("lab:7860", HERE)) == "http://lab:8080"
    assert not any(
        names.origin_for(text, HERE) for text in ("example.org", "x.viz.example.org", "viz.example.org.evil.example")
    )


def test_origins():
    names = AllowedHosts(Host("127.0.0.1"), [Origin("https", Host("viz.example.org"))])
    own = [("http://127.0.0.1:7860", "127.0.0.1:7860"), ("http://[::1]:7860", "[0::1]:7860"),
           ("http://localhost", "LOCALHOST:80"), ("https://localhost:7860", "localhost:7860"),
           ("https://viz.example.org", "127.0.0.1:7860"),
           ("https://viz.example.org:443", "viz.example.org")]  # fmt: skip
    assert all(names.allows_origin(origin, host) for origin, host in own)
    for origin in ("null", "", "http://evil.example", "http://127.0.0.1", "http://127.0.0.1:7861",
                   "http://localhost:7860",
                   "http://127.0.0.1:7860.evil.example", "http://127.0.0.1:7860@evil.example", "file://",
                   "http://[::1]:7860",
                   "https://viz.example.org:8443", "http://viz.example.org", "https://x.viz.example.org",
                   "http://127.0.0.1:7860 http://evil.example", "http://127.0.0.1:7860/"):  # fmt: skip
        assert not names.allows_origin(origin, "127.0.0.1:7860"), origin


# --- a running server ------------------------------------------------------------------------------------------------

JSON = ("Content-Type", "application/json")
BODY = json.dumps({"data": [], "session_hash": "a"}).encode()


@pytest.fixture(scope="module")
def served(tmp_path_factory) -> Iterator[Any]:
    """A page that can be served anew under other names."""
    yield partial(build, prepare(tmp_path_factory.mktemp("page")))


@pytest.fixture(scope="module")
def address(served):
    page = served()
    _, address, _ = serve(page, prevent_thread_lock=True, quiet=True, server_name="127.0.0.1")
    yield address.rstrip("/")
    page.demo.close(verbose=False)


@pytest.fixture(scope="module")
def public(served):
    page, names = served(), AllowedHosts(Host("127.0.0.1"), [Origin("https", Host("viz.example.org"))])
    _, address, _ = serve(page, names, prevent_thread_lock=True, quiet=True, server_name="127.0.0.1")
    yield address.rstrip("/")
    page.demo.close(verbose=False)


PATHS = ("/", "/config", "/theme.css", "/gradio_api/info", "/gradio_api/heartbeat/abc", "/static/img/logo.svg")


def test_loopback_names_are_served(address):
    port = address.rsplit(":", 1)[1]
    for host in (
        f"127.0.0.1:{port}",
        f"localhost:{port}",
        f"LOCALHOST:{port}",
        f"[::1]:{port}",
        "127.0.0.2",
        "localhost:1",
    ):
        for path in ("/", "/config", "/theme.css"):
            assert ask(address, path, host=host).status == 200, host


@pytest.mark.parametrize("host", sorted({text.strip() for text in FOREIGN if text.isprintable()} - {"localhost"}))
def test_other_names_are_refused(address, host):
    for path in PATHS if host == "evil.example" else ("/config", "/"):
        reply = ask(address, path, host=host or " ")
        assert reply.status in (400, 403) and len(reply.body) < 200, (path, reply)
        assert len(host) < 4 or host.encode() not in reply.body
    for path in ("/gradio_api/queue/join", "/gradio_api/component_server", "/gradio_api/upload"):
        assert ask(address, path, "POST", host=host or " ", headers=[JSON], body=BODY).status in (400, 403)


def test_no_name_several_names_and_names_in_other_places(address):
    port = address.rsplit(":", 1)[1]
    assert ask(address, "/", host=None, version="1.0").status == 403
    assert ask(address, "/", host=None).status == 400
    for hosts in (("evil.example", "localhost"), ("localhost", "evil.example"), ("localhost", "localhost")):
        lines = "".join(f"Host: {host}\r\n" for host in hosts)
        assert exchange(address, f"GET / HTTP/1.1\r\n{lines}Connection: close\r\n\r\n".encode()).status in (400, 403)
        assert exchange(address, f"GET / HTTP/1.0\r\n{lines}\r\n".encode()).status in (400, 403)
    for target in (f"http://localhost:{port}/config", "http://evil.example/config", "//evil.example/config"):
        for host in ("evil.example", f"localhost:{port}"):
            assert ask(address, target, host=host).status in (400, 403, 404)
    folded = b"GET / HTTP/1.1\r\nHost: localhost\r\n evil.example\r\nConnection: close\r\n\r\n"
    assert exchange(address, folded).status in (400, 403)


FORWARDED = [
    ("X-Forwarded-Host", "evil.example"), ("X-Forwarded-Host", "viz.example.org"), ("X-Forwarded-Proto", "https"),
    ("Forwarded", "host=evil.example;proto=https"), ("X-Gradio-Server", "https://evil.example"),
    ("X-Original-Host", "evil.example"), ("X-Forwarded-Server", "evil.example"), ("X-Host", "evil.example"),
    ("X-Forwarded-For", "127.0.0.1"), ("X-Forwarded-Prefix", "/evil"), ("X-Original-URL", "/gradio_api/run/x"),
    ("X-Rewrite-URL", "/gradio_api/run/x"), ("X-HTTP-Method-Override", "DELETE"),
]  # fmt: skip


@pytest.mark.parametrize("header", FORWARDED, ids=lambda pair: f"{pair[0]}={pair[1]}")
def test_a_forwarded_header_is_not_believed(address, header):
    own = json.loads(ask(address, "/config").body)["root"]
    assert own == address
    for path in ("/config", "/", "/gradio_api/info"):
        reply = ask(address, path, headers=[header])
        assert reply.status == 200 and b"evil" not in reply.body and b"https://127.0.0.1" not in reply.body
    assert json.loads(ask(address, "/config", headers=[header]).body)["root"] == own
    assert (
        ask(address, "/config", host="evil.example", headers=[header, ("X-Forwarded-Host", "localhost")]).status == 403
    )


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "HEAD", "PUT"])
@pytest.mark.parametrize(
    "origin",
    ["null", "", "http://evil.example", "https://evil.example:7860", "http://localhost:1", "http://127.0.0.1",
     "http://127.0.0.1.evil.example", "chrome-extension://abc", "file://", "http://user@127.0.0.1", "http://[::1]"],
)  # fmt: skip
def test_pages_of_other_sites_are_refused(address, origin, method):
    more = [("Access-Control-Request-Method", "POST"), ("Access-Control-Request-Headers", "content-type")]
    for path in (*PATHS, "/gradio_api/queue/join", "/gradio_api/component_server/", "/gradio_api/upload"):
        body = BODY if method in ("POST", "PUT") else b""
        headers = [("Origin", origin), JSON, *(more if method == "OPTIONS" else [])]
        reply = ask(address, path, method, headers=headers, body=body)
        assert reply.status == 403, (path, reply)
        assert not [name for name in reply.headers if name.startswith("access-control")]


def test_several_origins_and_what_browsers_say_beside_it(address):
    own = ("Origin", address)
    assert ask(address, "/config", headers=[own]).status == 200
    assert ask(address, "/config", headers=[own, ("Origin", "http://evil.example")]).status == 403
    for output in ("cross-site", "same-site"):
        for path in PATHS[1:]:
            assert ask(address, path, headers=[("Sec-Fetch-Site", output)]).status == 403
        assert (
            ask(address, "/", headers=[("Sec-Fetch-Site", output), ("Sec-Fetch-Mode", "navigate")]).status == 200
        )  # a link
    for output in ("same-origin", "none"):
        assert ask(address, "/config", headers=[("Sec-Fetch-Site", output)]).status == 200


@pytest.mark.parametrize(
    "kind", ["text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded", "x"]
)
def test_questions_are_json(address, kind):
    """A form of another site can send other kinds without asking first."""
    for path in ("/gradio_api/queue/join", "/gradio_api/component_server", "/gradio_api/call/explain"):
        reply = ask(address, path, "POST", headers=[("Content-Type", kind)], body=BODY)
        assert reply.status == 415 and b"takes application/json here" in reply.body


def test_no_other_site_may_show_or_read_what_comes_back(address):
    reply = ask(address, "/")
    assert reply.headers["content-security-policy"] == "frame-ancestors 'self'"
    assert reply.headers["cross-origin-resource-policy"] == "same-origin"


def test_behind_a_proxy_with_a_public_name(public):
    """The proxy hands the name on, or calls the server by its address here; the page is at its public one."""
    root = "https://viz.example.org"
    assert json.loads(ask(public, "/config", host="viz.example.org").body)["root"] == root
    assert json.loads(ask(public, "/config", host="VIZ.example.org:443").body)["root"] == root
    html = ask(public, "/", host="viz.example.org", headers=[("X-Forwarded-Host", "evil.example")]).body
    assert root.encode() in html and b"evil" not in html and b"http://viz" not in html
    for host in ("viz.example.org", public.partition("://")[2]):
        reply = ask(public, "/gradio_api/queue/join", "POST", host, [("Origin", root), JSON], BODY)
        assert reply.status == 404 and b"no such event" in reply.body  # it was let in, and asks for nothing
    told = [("X-Forwarded-Host", "viz.example.org")]  # of a proxy that calls the server by its address here
    assert json.loads(ask(public, "/config", headers=told).body)["root"] == root
    for host in ("example.org", "viz.example.org.evil.example", "evil.example"):
        assert ask(public, "/config", host=host).status == ask(public, "/config", host=host, headers=told).status == 403
    assert (
        ask(
            public, "/gradio_api/queue/join", "POST", "viz.example.org", [("Origin", "http://evil.example")], BODY
        ).status
        == 403
    )


def test_what_gradio_asks_itself_is_for_this_computer(address):
    assert ask(address, "/gradio_api/startup-events").status == 200
    assert ask(address, "/gradio_api/startup-events", headers=[("X-Forwarded-For", "10.0.0.9")]).status == 404


# --- the command line ------------------------------------------------------------------------------------------------


def test_names_of_the_command_line(capsys):
    asked = launch.parser().parse_args
    found = asked(["--public-name", "viz.example.org", "--public-name", "http://lab:8080/"]).public_name
    assert [str(site) for site in found] == ["https://viz.example.org", "http://lab:8080"]
    for text in ("https://x/y", "a b", "ftp://x", "user@x", "", "*", "*.example.org", "x:99999"):
        with pytest.raises(SystemExit):
            asked(["--public-name", text])
        assert "expected NAME, NAME:PORT, https://NAME or http://NAME" in capsys.readouterr().err


def test_a_space_has_the_names_that_its_environment_tells(monkeypatch):
    monkeypatch.setenv("SPACE_HOST", "jane-afa-viz.hf.space, viz.example.org,,a b")
    assert [str(site) for site in launch.space_origins()] == [
        "https://jane-afa-viz.hf.space",
        "https://viz.example.org",
    ]
    monkeypatch.delenv("SPACE_HOST")
    monkeypatch.setenv("SPACE_ID", "Jane_D/AFA.viz")
    assert [str(site) for site in launch.space_origins()] == ["https://jane-d-afa-viz.hf.space"]
    monkeypatch.delenv("SPACE_ID")
    assert launch.space_origins() == []


def test_a_tunnel_has_its_own_name(served, monkeypatch):
    """`--share`: gradio's tunnel ends at this computer, under a name that is known once it is there."""
    monkeypatch.setattr("gradio.networking.setup_tunnel", lambda **options: "https://abc123.gradio.live")
    page, host = served(), Host("127.0.0.1")
    names = AllowedHosts(host)
    try:
        site = launch._listen(page, host, 0, names, share=True, on_spaces=False)
        assert str(site) == "https://abc123.gradio.live" and names.public == [site]
        address = f"http://127.0.0.1:{page.demo.server_port}"
        assert json.loads(ask(address, "/config", host="abc123.gradio.live").body)["root"] == str(site)
        assert ask(address, "/config", host="evil.gradio.live").status == 403
    finally:
        page.demo.close(verbose=False)


def test_training_is_off_where_others_can_come(monkeypatch):
    monkeypatch.delenv("SPACE_ID", raising=False)
    for host in ("127.0.0.1", "127.0.0.2", "localhost", "::1"):
        assert launch.training_allowed(None, host, share=False)
        assert not launch.training_allowed(None, host, share=False, public=True) and not launch.training_allowed(
            None, host, share=True
        )
        assert launch.training_allowed(True, host, share=True, public=True) and not launch.training_allowed(
            False, host, share=False
        )
    for host in ("0.0.0.0", "::", "10.0.0.1", "lab-pc"):
        assert not launch.training_allowed(None, host, share=False) and launch.training_allowed(True, host, share=False)


@pytest.mark.parametrize(
    ("bound", "public", "share", "train", "expected"),
    [
        ("127.0.0.1", [], None, True,
         ["at http://127.0.0.1:7860 ", "Only this computer", "Everyone who can open it can start"]),
        ("::1", [], None, False, ["at http://[::1]:7860 ", "Only this computer", "Training is off"]),
        ("0.0.0.0", [], None, False,
         ["at http://localhost:7860 ", "--host 0.0.0.0: everyone in this computer's networks", "Training is off"]),
        ("::", [], None, True, ["at http://[::1]:7860 ", "--host ::: everyone", "--no-train"]),
        ("10.0.0.1", [], None, False,
         ["at http://10.0.0.1:7860 ", "--host 10.0.0.1: everyone who reaches this address", "Training is off"]),
        ("127.0.0.1", ["viz.example.org"], None, False,
         ["at http://127.0.0.1:7860 ", "also answers as https://viz.example.org: everyone", "Training is off"]),
        ("127.0.0.1", [], "a.gradio.live", True,
         ["at http://127.0.0.1:7860 ", "also answers as https://a.gradio.live", "--share: that is", "--no-train"]),
    ],
)  # fmt: skip
def test_startup_lines(bound, public, share, train, expected):
    site = Origin("https", Host(share)) if share else None
    names = AllowedHosts(Host(bound), [Origin("https", Host(name)) for name in public] + ([site] if site else []))
    lines = launch.startup_lines(Host(bound), 7860, names, site, train)
    assert len(lines) == len(expected) and all(part in line for part, line in zip(expected, lines, strict=True)), lines
    report = ClassReport()
    more = launch.startup_lines(Host(bound), 7860, names, site, train, report)
    assert more[: len(lines)] == lines and len(more) == len(lines) + 2
    assert f":7860/class-report/{report.token} " in more[-2] and "Everyone who knows that address" in more[-1]
