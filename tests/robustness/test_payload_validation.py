"""Events and functions of the page over raw HTTP, as anybody can send them: one sentence, or what was asked; nothing of
gradio's is printed, no traceback and no value, and the private ones check what they take as the public ones do."""

from __future__ import annotations

import dataclasses
import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from app_fixtures import launched, prepare
from raw_http import ask, exchange
from test_untrusted_requests import photograph, sent
from untrusted_input import DEFAULTS, ODD_VALUES, assert_sentence

from afa_viz.ui.server.routes import ENDPOINTS, MAX_VALUES
from benchmarks.served_app import Page

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*no_silent_downcasting"),  # an option that gradio sets in pandas
    pytest.mark.filterwarnings("ignore:The copy keyword is deprecated"),  # of pandas, in gradio's counts of requests
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # event loops that the server leaves to the collector
]

JSON = [("Content-Type", "application/json")]
CHANGE = [None, "tiny", ["cat"], *DEFAULTS]
EVENTS: dict[str, tuple[list, Any]] = {  # values and event_data that each event takes
    "open_example": (["tiny", *DEFAULTS], {"index": 0, "value": None, "selected": True}),
    "open_data": (["tiny", *DEFAULTS], {"data": "val_0001"}),
    "open_upload": (["tiny", *DEFAULTS], {"path": None, "labels": None}),
    "change_model": ([None, "tiny", *DEFAULTS], None),
    "open_checkpoint": ([None, *DEFAULTS], {"run": "x", "iteration": 0}),
    "change_heads": (CHANGE, {"head_weights": "3:0", "affinity_bias": None, "symmetric": True}),
    "change_edits": (CHANGE, {"affinity_edits": "j1_3", "class_thresholds": "cat:0.6", "occlude": "0,16,0,16"}),
    "choose_labels": (CHANGE, {"labels": ["cat"]}),
    "reset": (["tiny"], None),
    "restore": ([], None),
    "explain": ([None, "example:scene0", None, {"num_iters": 1}, None], None),
    "explain_with_mask": ([None, None, None, {"num_iters": 1}, None], None),
    "query": (["0" * 20, 0, 0, None], None),
    "export": (["0" * 20, "png", None, None, None], None),
}


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    with launched(dataclasses.replace(prepare(folder), train=True, runs=folder / "runs")) as address:
        yield address.rstrip("/")


@pytest.fixture(scope="module")
def page(address) -> Page:
    return Page(address)


def join(address: str, page: Page, **fields: Any) -> tuple[bool, list[str]]:
    """What comes of an event: whether it was done, and the sentences that were said."""
    session = page.session
    body = {"event_data": None, "trigger_id": None, "session_hash": session, **fields}
    reply = ask(address, "/gradio_api/queue/join", "POST", headers=JSON, body=dumped(body))
    if reply.status != 200:
        assert 400 <= reply.status < 500, reply
        return False, [json.loads(reply.body)["detail"]]
    stream = ask(address, f"/gradio_api/queue/data?session_hash={session}", until=b"close_stream")
    messages = [
        json.loads(line[5:]) for line in stream.body.split(b"\n") if line.startswith(b"data:") and b"msg" in line
    ]
    (last,) = [message for message in messages if message["msg"] == "process_completed"]
    output = [message["log"] for message in messages if message["msg"] == "log"]
    if not last["success"]:
        output.append(last["output"]["error"])
    return last["success"], output


def dumped(body: Any) -> bytes:
    return json.dumps(body).encode("utf-8", "surrogatepass")


def quiet(capfd) -> None:
    """Nothing on the streams: what is logged on purpose goes through `logging`."""
    out, err = capfd.readouterr()
    assert "Traceback" not in out + err and "xxxxx" not in out + err, (out + err)[-3000:]


def test_every_event_is_asked_here(page):
    changes = {name for name in page.functions if name.startswith("change_") or name == "after_reset"}
    assert set(page.functions) == {*EVENTS, *changes} and len(changes) >= 9


def names() -> list[str]:
    return [*EVENTS, "change_labels", "after_reset"]


@pytest.mark.parametrize("name", names())
def test_any_value_is_taken_or_refused_in_one_sentence(address, page, name, capfd):
    good, event_data = EVENTS.get(name, (CHANGE, None))
    number = page.functions[name]
    nasty = itertools.cycle(ODD_VALUES)
    cases = [(place, value) for place in range(len(good)) for value in itertools.islice(nasty, 4)]
    for place, value in cases:
        data = [value if i == place else item for i, item in enumerate(good)]
        done, output = join(address, page, fn_index=number, data=data, event_data=event_data)
        assert done or output, (place, value)
        for sentence in output:
            assert_sentence(sentence)
    for value in ODD_VALUES if event_data else ODD_VALUES[::6]:
        done, output = join(address, page, fn_index=number, data=good, event_data=value)
        assert done or output, value
        for sentence in output:
            assert_sentence(sentence)
    quiet(capfd)


@pytest.mark.parametrize(
    ("place", "value"),
    [(2, ""), (2, {}), (2, 0), (2, False), (4, 1.5), (4, True), (5, 99), (6, 1.5), (8, 0.9), (8, 2.0**60), (3, "PAR")],
)  # fmt: skip
def test_nothing_is_guessed(address, page, place, value):
    """Values that could be bent into shape are refused too, by every event that takes settings and labels."""
    data = [value if i == place else item for i, item in enumerate(CHANGE)]
    for name in ("change_labels", "change_bkg_score_high", "after_reset"):
        done, output = join(address, page, fn_index=page.functions[name], data=data)
        assert output, (name, done)


def test_the_number_of_an_event_and_of_its_values(address, page, capfd):
    good = {"fn_index": page.functions["change_labels"], "data": CHANGE}
    assert join(address, page, **good) == (True, [])
    for wrong in (None, -1, 10**9, 10**400, 1.0, True, "1", [], {}):
        assert join(address, page, **{**good, "fn_index": wrong}) == (False, ["The app has no such event."])
    for data in (CHANGE[:-1], [*CHANGE, None], [], None, {}, "x", 3):
        done, (output,) = join(address, page, **{**good, "data": data})
        assert not done and "list of 11 values" in output
    for trigger in ("x", -1, 1.5, [], True, 10**400):
        refused = (False, ["trigger_id is not the number of a component."])
        assert join(address, page, **good, trigger_id=trigger) == refused
    for trigger in (0, 10**9, page.gallery):
        assert join(address, page, **good, trigger_id=trigger)[0]
    for session in (None, "", 3, [], {}, "a b", "x" * 65, "../x", "é"):
        body = dumped({**good, "session_hash": session})
        reply = ask(address, "/gradio_api/queue/join", "POST", headers=JSON, body=body)
        assert reply.status == 400 and b"session_hash is not a short word" in reply.body
    for name in ("open_example", "reset", "restore", "nothing", ""):
        body = dumped({"data": []})
        assert ask(address, f"/gradio_api/call/{name}", "POST", headers=JSON, body=body).status == 404
    for name in ENDPOINTS:
        for data in ([], [None], 9 * [None], None):
            reply = ask(address, f"/gradio_api/call/{name}", "POST", headers=JSON, body=dumped({"data": data}))
            assert reply.status == 400 and b"values" in reply.body
    quiet(capfd)


def test_values_that_are_no_json_or_too_many(address, page):
    number = page.functions["restore"]
    for body in (b"", b"{", b"[]", b"null", b"3", b'"x"', b"\xff", b'{"data": NaN}', b'{"data": [Infinity]}',
                 b'{"a": "\\ud800"}', b"[" * 50_000, b'{"a":' * 50_000, b'{"data": ' + b"9" * 5000 + b"}"):  # fmt: skip
        for path in ("queue/join", "component_server", "component_server/", "call/explain"):
            reply = ask(address, f"/gradio_api/{path}", "POST", headers=JSON, body=body)
            assert 400 <= reply.status < 500 and b"detail" in reply.body and b"Traceback" not in reply.body, (
                body[:9],
                reply,
            )
    large = dumped({"fn_index": number, "data": ["x" * MAX_VALUES], "session_hash": "a"})
    reply = ask(address, "/gradio_api/queue/join", "POST", headers=JSON, body=large)
    assert reply.status == 413 and b"more than 64 KB" in reply.body
    chunk = b"8000\r\n" + b"x" * 2**15 + b"\r\n"
    head = b"POST /gradio_api/queue/join HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    assert exchange(address, head + b"Transfer-Encoding: chunked\r\n\r\n" + 3 * chunk, until=b"}").status == 413


def test_files_are_those_that_were_uploaded(address, page, tmp_path, capfd):
    path = json.loads(sent(address, "photo.png", photograph())[1])[0]
    mark = {"_type": "gradio.FileData"}
    good = {"path": path, "meta": mark}
    outside = tmp_path / "photo.png"
    outside.write_bytes(photograph())
    link = Path(path).with_name("link.png")
    link.unlink(missing_ok=True)
    link.symlink_to(outside)
    rest = [None, None, {"num_iters": 1}, None]
    upload = {"fn_index": page.functions["open_upload"], "data": ["tiny", *DEFAULTS]}
    assert join(address, page, **upload, event_data={"path": path, "labels": None}) == (True, [])
    for wrong in (
        str(outside),
        str(link),
        path + "x",
        str(Path(path).parent),
        path + "/../../../../etc/passwd",
        "x\0",
        "a" * 5000,
        3,
        [path],
        {"path": path},
        "https://evil.example/x.png",
        "//evil.example/x.png",
    ):
        for sent_files in ({"path": wrong}, {"path": path, "mask": wrong}):
            done, output = join(address, page, **upload, event_data=sent_files)
            assert not done and output, wrong
            assert_sentence(output[0])
    event = {"fn_index": page.functions["explain"]}
    assert join(address, page, **event, data=[good, *rest]) == (True, [])
    for file in (
        str(outside), {"path": str(outside), "meta": mark}, {"path": path}, {"path": path, "meta": {}}, [good],
        [[good]], {"path": str(link), "meta": mark}, {"path": path + "x", "meta": mark}, {"meta": mark},
        {"path": str(Path(path).parent), "meta": mark}, {"path": path + "/../../../../etc/passwd", "meta": mark},
        {"path": "x\0", "meta": mark}, {"path": "a" * 5000, "meta": mark}, {**good, "is_stream": True},
        {**good, "size": "x"}, {**good, "url": 3}, {**good, "orig_name": []}, {**good, "mime_type": {}},
        {"path": 3, "meta": mark}, {"path": [path], "meta": mark}, {"path": "//evil.example/x.png", "meta": mark},
        {"path": "https://evil.example/x.png", "meta": mark}, {"path": "\\\\evil.example\\x.png", "meta": mark},
        "https://evil.example/x.png", 3, "", True,
    ):  # fmt: skip
        done, output = join(address, page, **event, data=[file, *rest])
        assert not done and output, file
        assert_sentence(output[0])
    done, output = join(address, page, **event, data=[None, [good], *rest[1:]])
    assert not done and output == ["There is a file where this event takes none."]
    link.unlink()
    quiet(capfd)


def test_functions_of_the_page(address, page, capfd):
    good = {"component_id": page.explorer, "fn_name": "scene", "session_hash": "a", "data": {"key": "x"}}

    def status(**fields: Any) -> int:
        body = dumped({name: value for name, value in {**good, **fields}.items() if value != "left out"})
        reply = ask(address, "/gradio_api/component_server/", "POST", headers=JSON, body=body)
        assert b"Traceback" not in reply.body
        return reply.status

    assert status() == 200
    for number in (0, -1, 10**9, "1", None, [], True, 1.0, page.gallery, "left out"):
        assert status(component_id=number) == 404
    for name in (
        "write",
        "__init__",
        "postprocess",
        "preprocess",
        "load",
        "",
        None,
        3,
        [],
        {"a": 1},
        "scene ",
        "left out",
    ):
        assert status(fn_name=name) == 404
    for session in ("", None, 3, [], "a b", "x" * 100, "left out"):
        assert status(session_hash=session) == 400
    assert status(data="left out") == 400
    for value in ODD_VALUES:
        if isinstance(value, str) and not value.isprintable() or value == ["\ud800"]:
            continue
        assert status(data=value) in (200, 400)
    quiet(capfd)


def test_sessions_are_few(address, page):
    """Asking under ever new names leaves no more than the last of them."""
    from afa_viz.ui.server.app import MAX_SESSIONS

    body = {"component_id": page.explorer, "fn_name": "scene", "data": {}, "session_hash": ""}
    assert MAX_SESSIONS <= 1000
    for number in range(20):
        page.post("component_server/", {**body, "session_hash": f"new{number}"})
