"""The hub does not answer, answers slowly, or answers with an error: one sentence within seconds, never a traceback."""

from __future__ import annotations

import http.server
import shutil
import socket
import threading
import time
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub import constants
from small_checkpoint import save_small

from afa_viz.__main__ import main
from afa_viz.model import hub, pretrained
from afa_viz.model.afa import build_afa
from afa_viz.model.card import CheckpointError
from afa_viz.model.checkpoint import load_model

SECONDS = 4  # for an answer that comes at once, or a port where nobody listens


class Answer(http.server.BaseHTTPRequestHandler):
    """The status that the server was given, to any question."""

    def do_GET(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_POST = do_PUT = do_GET

    def log_message(self, *_):
        pass


@pytest.fixture
def asked_at(tmp_path, monkeypatch):
    """Point the hub's client at an address of this machine."""

    def point(port: int) -> None:
        address = f"http://127.0.0.1:{port}"
        monkeypatch.setattr(constants, "ENDPOINT", address)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}"
        )
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setenv("HF_TOKEN", "hf_of_a_test")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        huggingface_hub.close_session()

    yield point
    huggingface_hub.close_session()


@pytest.fixture
def nobody(asked_at) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        asked_at(held.getsockname()[1])


@pytest.fixture
def answers(asked_at):
    """A server that gives one status."""
    servers = []

    def serve(status: int) -> None:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        server.status = status
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        asked_at(server.server_address[1])

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    return save_small(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture
def clone(tmp_path, checkpoint) -> Path:
    folder = tmp_path / "clone"
    (folder / "checkpoints").mkdir(parents=True)
    shutil.copy(checkpoint, folder / "checkpoints")
    for name in ("app.py", "requirements.txt"):
        (folder / name).write_text("")
    (folder / "README.md").write_text("---\nsdk: gradio\n---\n")
    return folder


def output(capsys) -> str:
    """What the command line printed to stderr: one sentence."""
    text = capsys.readouterr().err.strip()
    assert text.startswith("afa_viz: ") and "\n" not in text and text.endswith("."), text
    return text


class Within:
    """The block ends within so many seconds."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __enter__(self):
        self.began = time.monotonic()

    def __exit__(self, *_):
        assert time.monotonic() - self.began < self.seconds


def test_weights_where_nobody_listens(nobody):
    with Within(SECONDS), pytest.raises(FileNotFoundError, match="not in the cache and the hub cannot be reached"):
        load_model("hf://jane/afa")
    with Within(SECONDS), pytest.raises(FileNotFoundError, match="model.bin of jane/afa is not in the cache"):
        load_model("hf://jane/afa@v1/model.bin")


def test_weights_of_the_cache_where_nobody_listens(nobody, checkpoint, tmp_path):
    root, commit = tmp_path / "cache" / "models--jane--afa", "0" * 40
    (root / "snapshots" / commit).mkdir(parents=True)
    (root / "refs").mkdir()
    (root / "refs" / "main").write_text(commit)
    for suffix in (".safetensors", ".json"):
        shutil.copy(checkpoint.with_suffix(suffix), root / "snapshots" / commit / f"model{suffix}")
    with Within(SECONDS):
        assert load_model("hf://jane/afa").card == load_model(checkpoint).card


def test_a_hub_that_never_answers(asked_at, monkeypatch):
    monkeypatch.setattr(hub, "TIMEOUT", 1.0)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(50)
        asked_at(silent.getsockname()[1])
        with Within(SECONDS), pytest.raises(FileNotFoundError, match="the hub cannot be reached"):
            load_model("hf://jane/afa")  # asked once, not for every file


@pytest.mark.parametrize(
    "status,advice",
    [(401, "log in with"), (403, "ask for access"), (404, "check the address"), (429, "wait some minutes"),
     (500, "try again later"), (502, "try again later"), (503, "try again later"), (504, "try again later")],
)  # fmt: skip
def test_weights_where_the_hub_refuses(answers, status, advice):
    answers(status)
    with Within(SECONDS), pytest.raises(CheckpointError) as caught:
        load_model("hf://jane/afa")
    text = str(caught.value)
    assert text.startswith(f"jane/afa cannot be fetched: the hub answers {status}; expected ") and advice in text
    assert "\n" not in text and text.endswith(".")


def test_imagenet_weights_where_nobody_listens(nobody):
    model = build_afa("pvt_v2_b0", 4)
    with Within(SECONDS), pytest.raises(CheckpointError, match="cannot be fetched .*pretrained=no"):
        pretrained.load_imagenet(model, "pvt_v2_b0")
    with Within(SECONDS), pytest.raises(FileNotFoundError, match="the hub cannot be reached"):
        pretrained.load_imagenet(build_afa("mit_b0", 4), "mit_b0")


def test_uploads_where_nobody_listens(nobody, checkpoint, clone, capsys):
    for arguments in (["push", str(checkpoint), "jane/afa"], ["space", "jane/afa", "--folder", str(clone)]):
        with Within(SECONDS):
            assert main(arguments) == 2
        text = output(capsys)
        assert "the hub cannot be reached (" in text and "send jane/afa again" in text


def test_another_server_in_the_place_of_the_hub(answers, checkpoint, clone, capsys):
    answers(200)  # with a page of its own, such as the login of a network
    for arguments in (["push", str(checkpoint), "jane/afa"], ["space", "jane/afa", "--folder", str(clone)]):
        assert main(arguments) == 2
        assert "jane/afa cannot be read" in output(capsys)
    with Within(SECONDS), pytest.raises(FileNotFoundError, match="the hub cannot be reached"):
        load_model("hf://jane/afa")


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 502, 503])
def test_uploads_that_the_hub_refuses(answers, checkpoint, clone, capsys, status):
    answers(status)
    for arguments in (["push", str(checkpoint), "jane/afa"], ["space", "jane/afa", "--folder", str(clone)]):
        with Within(SECONDS):
            assert main(arguments) == 2
        text = output(capsys)
        assert str(status) in text and "jane/afa" in text


def test_uploads_with_the_network_switched_off(nobody, checkpoint, clone, capsys, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    huggingface_hub.close_session()
    for arguments in (["push", str(checkpoint), "jane/afa"], ["space", "jane/afa", "--folder", str(clone)]):
        assert main(arguments) == 2
        assert "HF_HUB_OFFLINE is 1; unset it first" in output(capsys)


@pytest.mark.parametrize("command", [["explain", "IMAGE", "--out", "OUT"], ["evaluate", "--limit", "1"]])
def test_commands_say_it_too(nobody, command, tmp_path, capsys):
    from PIL import Image

    Image.new("RGB", (32, 32)).save(tmp_path / "a.png")
    words = [{"IMAGE": str(tmp_path / "a.png"), "OUT": str(tmp_path / "out")}.get(word, word) for word in command]
    with Within(2 * SECONDS):
        assert main([*words, "--checkpoint", "hf://jane/afa", "--device", "cpu"]) == 2
    assert "the hub cannot be reached" in output(capsys)
