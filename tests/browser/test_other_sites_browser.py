"""In a real browser: what a page of another site, or one whose name was pointed here, can do with the app. Nothing."""

from __future__ import annotations

import dataclasses
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from app_fixtures import launched, prepare
from browser import ARGUMENTS, CHROMIUM, pytestmark, ready, running_playwright  # noqa: F401

from afa_viz.ui.server import app as app_module
from afa_viz.ui.server.guard import Guard
from benchmarks.served_app import Page

NAMES = "--host-resolver-rules=MAP evil.example 127.0.0.1,MAP rebound.example 127.0.0.1"
ATTACKS = """
async ({app, question, file}) => {
  const found = {}, post = (type, mode, body = question, path = "component_server/") =>
    fetch(`${app}/gradio_api/${path}`, {method: "POST", mode, body, headers: type ? {"Content-Type": type} : {}});
  const note = async (name, work) => {
    try { found[name] = await Promise.race([work(), new Promise((r) => setTimeout(() => r("waited"), 4000))]); }
    catch (error) { found[name] = "refused"; }
  };
  const text = (promise) => promise.then(async (r) => r.type === "opaque" ? "opaque" : `read ${r.status}`);
  const loaded = (tag, key, url) => new Promise((resolve) => {
    const element = document.createElement(tag);
    element.onload = () => resolve("loaded"); element.onerror = () => resolve("refused");
    element[key] = url; if (tag === "link") element.rel = "stylesheet";
    document.body.append(element);
  });
  const stream = (options) => new Promise((resolve) => {
    const source = new EventSource(`${app}/gradio_api/heartbeat/abc`, options);
    source.onmessage = () => resolve("read"); source.onerror = () => { source.close(); resolve("refused"); };
  });
  for (const path of ["/config", "/", "/gradio_api/info", `/gradio_api/file=${file}`]) {
    await note(`read ${path}`, () => text(fetch(app + path)));
    await note(`read with cookies ${path}`, () => text(fetch(app + path, {credentials: "include"})));
    await note(`opaque ${path}`, () => text(fetch(app + path, {mode: "no-cors"})));
  }
  await note("json", () => text(post("application/json", "cors")));
  await note("text", () => text(post("text/plain", "no-cors")));
  await note("text, cors", () => text(post("text/plain", "cors")));
  await note("form", () => text(post("application/x-www-form-urlencoded", "no-cors")));
  await note("no type", () => text(post("", "no-cors", new Blob([question]))));
  await note("join", () => text(post("text/plain", "no-cors", question, "queue/join")));
  const data = new FormData(); data.append("files", new File(["x"], "x.png"));
  await note("upload", () => text(post("", "no-cors", data, "upload")));
  await note("put", () => text(fetch(`${app}/gradio_api/upload`, {method: "PUT", body: "x"})));
  await note("beacon", async () => (navigator.sendBeacon(`${app}/gradio_api/component_server/`, question), "sent"));
  await note("stream", () => stream());
  await note("stream with cookies", () => stream({withCredentials: true}));
  await note("socket", () => new Promise((resolve) => {
    const socket = new WebSocket(`${app.replace("http", "ws")}/gradio_api/queue/join`);
    socket.onopen = () => resolve("open"); socket.onerror = () => resolve("refused");
  }));
  await note("image", () => loaded("img", "src", `${app}/gradio_api/file=${file}`));
  await note("script", () => loaded("script", "src", `${app}/config`));
  await note("style", () => loaded("link", "href", `${app}/theme.css`));
  await note("form post", () => new Promise((resolve) => {
    const frame = document.createElement("iframe"), form = document.createElement("form");
    frame.name = "target"; frame.onload = () => setTimeout(() => resolve("sent"), 500); document.body.append(frame);
    form.action = `${app}/gradio_api/component_server/`; form.method = "POST"; form.enctype = "text/plain";
    form.target = "target"; const field = document.createElement("input");
    field.name = question.slice(0, -1) + ', "x": "'; field.value = '"}'; form.append(field);
    document.body.append(form); form.submit();
  }));
  await note("frame", () => new Promise((resolve) => {
    const frame = document.createElement("iframe");
    frame.onload = () => resolve(frame.contentWindow.length ? "shown" : "empty"); frame.src = app;
    document.body.append(frame);
  }));
  return found;
}
"""
HARMLESS = {"refused", "opaque", "sent", "empty"}  # nothing is read of what the last three bring; see `let_in`


class Watched(Guard):
    """Notes what is let in."""

    let_in: list[tuple[str, str, str]] = []

    def __init__(self, app, *args, **kwargs) -> None:
        async def noted(scope, receive, send):
            if scope["type"] == "http":
                agent = dict(scope["headers"]).get(b"user-agent", b"").decode()
                self.let_in.append((scope["method"], scope["path"], agent))
            await app(scope, receive, send)

        super().__init__(noted, *args, **kwargs)


@pytest.fixture(scope="module")
def options(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    return dataclasses.replace(prepare(folder), train=True, runs=folder / "runs")


@pytest.fixture(scope="module")
def address(options) -> Iterator[str]:
    patch = pytest.MonkeyPatch()
    patch.setattr(app_module, "Guard", Watched)
    with launched(options) as served:
        yield served.rstrip("/")
    patch.undo()


@pytest.fixture(scope="module")
def other_site() -> Iterator[int]:
    """The port of a server with an empty page."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>another site</title><body>")

        def log_message(self, *args) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def browser():
    opened = running_playwright().chromium.launch(executable_path=str(CHROMIUM), args=[*ARGUMENTS, NAMES])
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def asked(address) -> dict[str, str]:
    """What an attacker may know: where the app is, a question that starts a training, a file of the gallery."""
    page = Page(address)
    order = {"recipe": "two_minutes", "start": "scratch", "pooling": "topk", "backbone": "mit_b0", "iterations": 10,
             "device": "cpu"}  # fmt: skip
    question = {"data": {"order": order}, "component_id": page.explorer, "fn_name": "train_start", "session_hash": "a"}
    return {"app": address, "question": json.dumps(question), "file": gallery_file(address)}


def gallery_file(address: str) -> str:
    import urllib.request

    with urllib.request.urlopen(f"{address}/config", timeout=30) as answer:
        text = answer.read().decode()
    return text.partition("/gradio_api/file=")[2].partition('"')[0]


@pytest.mark.parametrize("name", ["evil.example", "127.0.0.1", "localhost"])
def test_a_page_of_another_site_reads_nothing_and_starts_nothing(name, browser, address, options, other_site, asked):
    page = browser.new_page()
    page.goto(f"http://{name}:{other_site}/")
    Watched.let_in.clear()
    found = page.evaluate(ATTACKS, asked)
    page.wait_for_timeout(500)
    page.close()
    assert len(found) > 25 and set(found.values()) <= HARMLESS, found
    assert {what for *what, agent in map(list, Watched.let_in) if "Mozilla" in agent and what != ["GET", "/"]} == set()
    assert not options.runs.exists()


def test_a_link_from_another_site_opens_the_app(browser, address, other_site):
    page = browser.new_page()
    page.goto(f"http://evil.example:{other_site}/")
    page.evaluate("address => { location.href = address + '/?tab=walk'; }", address)
    page.wait_for_selector(".afa[data-settled]")
    page.close()


def test_a_name_that_was_pointed_here_is_not_served(browser, address, options, asked):
    """DNS rebinding: to the browser, the page and the app are one site then."""
    port = address.rsplit(":", 1)[1]
    page = browser.new_page()
    answer = page.goto(f"http://rebound.example:{port}/")
    assert answer.status == 403 and "rebound" not in answer.text()
    Watched.let_in.clear()
    statuses = page.evaluate(
        """async ({question}) => {
          const post = (path, headers) => fetch(`/gradio_api/${path}`, {method: "POST", body: question, headers});
          const json = {"Content-Type": "application/json"}, own = {...json, "X-Forwarded-Host": "localhost"};
          const answers = [fetch("/config"), fetch("/", {headers: {"X-Forwarded-Host": "localhost"}}),
                           fetch("/gradio_api/heartbeat/abc"), post("component_server/", json),
                           post("component_server/", own), post("queue/join", json), post("upload", {})];
          return (await Promise.all(answers)).map((answer) => answer.status);
        }""",
        asked,
    )
    assert statuses == 7 * [403] and not Watched.let_in and not options.runs.exists()
    page.close()


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_the_page_itself_may(name, browser, address, asked):
    """Else the tests above would prove nothing; and a loopback name works as well as the other."""
    port = address.rsplit(":", 1)[1]
    page = browser.new_page()
    page.goto(f"http://{name}:{port}/")
    ready(page)
    status = page.evaluate(
        """async (question) => (await fetch("/gradio_api/component_server/", {
             method: "POST", body: question, headers: {"Content-Type": "application/json"}})).status""",
        asked["question"].replace("train_start", "train_status"),
    )
    assert status == 200
    page.close()
