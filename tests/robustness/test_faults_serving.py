"""Several at once, and visitors who leave: closed browsers, two pages, two apps, a taken port."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from functools import partial
from pathlib import Path

import pytest
from app_fixtures import launched, open_session, prepare
from untrusted_input import parse_strict_json
from waiting import until

from afa_viz import pipeline
from afa_viz.data.sandbox import dataset as rendering
from afa_viz.trace import Trace
from afa_viz.ui.handlers.dataset.scoring import Score, Table
from afa_viz.ui.handlers.explorer import ExplorerHandlers
from afa_viz.ui.handlers.exports import KINDS
from afa_viz.ui.server import app as app_module
from afa_viz.ui.server import launch as launch_module
from afa_viz.ui.sessions.exports import Exports
from afa_viz.ui.sessions.session import Session
from benchmarks.served_app import Page

ROOT = Path(__file__).parents[2]
SETTINGS = [[], 0.35, 0.55, 8, 2, 1, 10, None]
WAIT = 60  # seconds; a test machine may be busy
ROOM = 12 * 2**20  # bytes for files to download: six of these, and a few older ones
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*no_silent_downcasting"),  # an option that gradio sets in pandas
    pytest.mark.filterwarnings("ignore:The copy keyword is deprecated"),  # of pandas, in gradio's counts of requests
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # event loops that the server leaves to the collector
]


@pytest.fixture(scope="module")
def options(tmp_path_factory):
    return prepare(tmp_path_factory.mktemp("page"))


def test_a_browser_that_is_closed_in_a_computation_disturbs_nobody(options, monkeypatch):
    began, may_end, sessions = threading.Event(), threading.Event(), []
    explain = pipeline.explain

    def slow(*args, **kwargs):
        began.set()
        assert may_end.wait(WAIT)
        return explain(*args, **kwargs)

    class Watched(Session):
        def __init__(self, *args, **kwargs) -> None:
            super().__init__(*args, **kwargs)
            sessions.append(self)

    monkeypatch.setattr(app_module, "Session", Watched)
    with launched(options) as address:
        monkeypatch.setattr(pipeline, "explain", slow)
        gone, stays = Page(address.rstrip("/")), Page(address.rstrip("/"))
        chosen = {"index": 1, "value": None, "selected": True}
        body = {"data": ["tiny", *SETTINGS], "event_data": chosen, "fn_index": gone.functions["open_example"]}
        gone.post("queue/join", {**body, "trigger_id": gone.gallery, "session_hash": gone.session})
        stream = urllib.request.urlopen(f"{gone.api}/queue/data?session_hash={gone.session}", timeout=WAIT)
        assert began.wait(WAIT)
        stream.close()  # the browser is closed while the network runs
        found: list[str] = []
        asking = partial(stays.event, "open_example", ["tiny", *SETTINGS], chosen)
        waiting = threading.Thread(target=lambda: found.extend(asking()))
        waiting.start()  # asks for the same picture, which is being explained for nobody
        time.sleep(0.2)
        may_end.set()
        waiting.join(WAIT)
        assert parse_strict_json(found[0])["link"] == {"example": "scene1"} and found[1] == ["cow"]
        until(lambda: sessions[0].is_idle(0.0))
        again = Page(address.rstrip("/")).event("open_example", ["tiny", *SETTINGS], {**chosen, "index": 0})
        assert parse_strict_json(again[0])["link"] == {"example": "scene0"}


def test_two_pages_on_one_machine(options):
    with launched(options) as one, launched(options) as two:
        assert one != two
        for address in (one, two):
            found = Page(address.rstrip("/")).event("explain", [None, "example:scene0", None, {"num_iters": 1}, None])
            assert found[0]["image_labels"] == ["bird", "cat"]


@pytest.mark.parametrize("port", ["taken", 70_000, -1])
def test_a_taken_port_is_a_sentence(options, monkeypatch, port):
    monkeypatch.setattr(launch_module, "build", None)  # it is said before anything is loaded
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1] if port == "taken" else port
        with pytest.raises(SystemExit) as end:
            launch_module.launch(["--port", str(number)])
    text = str(end.value)
    assert text.startswith(f"app.py: port {number} of 127.0.0.1 is taken") and "--port" in text and text.endswith(".")


def test_two_apps_lose_no_score_of_each_other(tmp_path):
    one, two = Table(tmp_path / "scores.json"), Table(tmp_path / "scores.json")
    one.put("a", Score({"seg": 0.5}, {"seg": {"cat": 0.5}}))
    two.put("b", Score({"seg": 0.25}, {}))
    one.save()
    two.save()
    two.put("a", Score({"seg": 0.75}, {}))  # its own word counts for itself
    two.save()
    found = json.loads((tmp_path / "scores.json").read_text())
    assert set(found) == {"a", "b"} and found["a"][0]["seg"] == 0.75 and found["b"][0]["seg"] == 0.25
    assert len(Table(tmp_path / "scores.json")) == 2


RENDER = """
import sys
from pathlib import Path
from afa_viz.data.sandbox import dataset as rendering
rendered = []
render = rendering.render_scene
rendering.render_scene = lambda *args, **kwargs: rendered.append(args) or render(*args, **kwargs)
path = rendering.render_split("val", 40, 64, cache_dir=sys.argv[1], progress=False)
print(len(rendered), path.name, int(rendering.load_split(path)["images"].sum()))
"""


def test_two_processes_render_the_same_scenes_once(tmp_path):
    start = [sys.executable, "-c", RENDER, str(tmp_path / "shared")]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    processes = [
        subprocess.Popen(start, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    ended = [process.communicate(timeout=WAIT) for process in processes]
    output = [out.split() for out, _ in ended]
    assert all(process.returncode == 0 for process in processes), ended
    alone = rendering.render_split("val", 40, 64, cache_dir=tmp_path / "alone", progress=False)
    total = str(int(rendering.load_split(alone)["images"].sum()))
    assert sorted(int(count) for count, *_ in output) == [0, 40]
    assert {(name, pixels) for _, name, pixels in output} == {(alone.name, total)}


def test_many_visitors_save_the_same_files(options, tmp_path):
    """Eight at once, each kind, while older files are tidied away; every one that was promised is there and whole."""
    session = open_session(options)
    answers = ExplorerHandlers(session, tmp_path / "exports")
    requests = [session.request(f"example:scene{number}", "tiny") for number in (0, 1)]
    traces = [session.trace(request) for request in requests]
    answers.exports.files = Exports(tmp_path / "exports", max_bytes=ROOM)
    for number in range(9):
        answers.exports.files.write(
            f"old{number}", "old.png", lambda path, n=number: path.write_bytes(bytes([n]) * (ROOM // 8))
        )
    wrong: list[BaseException] = []

    def visit(number: int) -> None:
        try:
            for turn in range(3):
                kind = KINDS[(number + turn) % 3]
                path = Path(answers.exports.write(requests[number % 2], traces[number % 2], kind))
                content = path.read_bytes()
                if kind == "npz":
                    assert Trace.load(path).present == traces[number % 2].present
                else:
                    assert content.rstrip().endswith(b"</html>" if kind == "html" else b"IEND\xaeB`\x82")
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=visit, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT)
    assert wrong == []
    files = [path for path in (tmp_path / "exports").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= ROOM and len(list((tmp_path / "exports").rglob("old.png"))) < 8
    assert not [path for path in (tmp_path / "exports").rglob(".*")]
