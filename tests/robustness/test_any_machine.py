"""The app on anybody's machine: other accounts, no home, any address and port, Ctrl-C at any moment, odd consoles."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
from app_fixtures import scene
from app_process import AS_OTHER_USER, OTHER_USER, ROOT, App, open_folder, started
from raw_http import ask as ask_raw
from test_untrusted_requests import photograph, sent

from afa_viz.ui.server import account, launch
from afa_viz.ui.server.hosts import Host
from afa_viz.ui.server.ports import choose_port, require_address
from benchmarks.served_app import Page

linux = pytest.mark.skipif(sys.platform != "linux", reason="names of files are bytes, and accounts can be changed")
as_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0 or shutil.which("setpriv") is None,
    reason="only root becomes another user",
)


@pytest.fixture(scope="module")
def folder():
    with open_folder("machine") as made:
        yield made


def works(app: App) -> Page:
    """The page is sent, its pictures are, and an event is answered."""
    address = app.address()
    place = urllib.parse.urlsplit(address)
    assert place.port and place.port > 0
    with urllib.request.urlopen(f"{address}/", timeout=60) as answer:
        assert b"AFA Viz" in answer.read()
    page = Page(address)
    (found,) = page.event("explain", [None, "example:scene0", None, {"num_iters": 1}, None])
    assert found["image_labels"] == ["bird", "cat"]
    return page


def ends(app: App, number: int = signal.SIGINT) -> None:
    """It ends at once and in peace, and takes its uploads with it."""
    assert app.end(number) == 128 + number, app.log
    assert "Traceback" not in app.log and "terminate called" not in app.log
    assert not list((app.folder / "tmp").glob("afa-viz-uploads-*"))


# --- accounts --------------------------------------------------------------------------------------------------------


@linux
@as_root
@pytest.mark.slow
def test_a_second_account_without_a_home_or_a_name_can_start_it(folder, tmp_path):
    taken = folder / "tmp" / "gradio"  # of the first account
    taken.mkdir(parents=True)
    taken.parent.chmod(0o1777)
    with started(folder, "--port", "0", before=AS_OTHER_USER, env={"HOME": None, "PYTHONPATH": str(ROOT)}) as app:
        works(app)
        app.until(lambda: any((folder / "tmp").glob(f"afa-viz-{OTHER_USER}*/afa-viz/prepared/*.json.gz")))
        ends(app)
    assert list(taken.iterdir()) == []


@linux
@as_root
@pytest.mark.slow
def test_a_home_that_can_not_be_written_and_a_korean_console(folder):
    home = folder / "home"
    home.mkdir(mode=0o755)
    more = {"HOME": str(home), "PYTHONIOENCODING": "cp949"}
    with started(folder, "--port", "0", "--host", "::1", before=AS_OTHER_USER, env=more) as app:
        works(app)
        assert app.address().startswith("http://[::1]:")
        ends(app, signal.SIGTERM)
    assert list(home.iterdir()) == []


def test_folders_of_an_account(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for name in ("XDG_CACHE_HOME", "MPLCONFIGDIR"):
        monkeypatch.setenv(name, "x")
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    account.prepare_home()
    assert "XDG_CACHE_HOME" not in os.environ  # it can be written
    for home in ("/dev/null/home", str(tmp_path / "file" / "below")):
        (tmp_path / "file").write_text("no folder")
        monkeypatch.setenv("HOME", home)
        monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
        account.prepare_home()
        made = Path(os.environ["XDG_CACHE_HOME"])
        assert made.parent == tmp_path and made.stat().st_mode & 0o077 == 0
    made.chmod(0o777)  # somebody else can write there now
    other = account.private_folder()
    assert other != made and other.parent == tmp_path and other.stat().st_mode & 0o077 == 0
    made.rmdir()
    made.symlink_to(other)
    assert account.private_folder() not in (made, other)
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/mine")
    account.prepare_home()
    assert os.environ["XDG_CACHE_HOME"] == "/proc/mine"  # it was asked for


# --- addresses -------------------------------------------------------------------------------------------------------


@linux
@pytest.mark.slow
def test_every_network_a_proxy_and_names_of_files_in_other_encodings(folder, tmp_path):
    """`--host ::`, variables of a campus proxy, and a data folder that an old camera and a Mac have written."""
    photographs = tmp_path / "données"
    (photographs / "images").mkdir(parents=True)
    for name in (b"caf\xe9", "e\u0301te\u0301".encode(), "그림".encode(), b"\xff\xfe"):
        scene(1)[0].save(
            os.path.join(os.fsencode(photographs / "images"), name + b".png").decode("utf-8", "surrogateescape")
        )
    (photographs / "labels.csv").write_text(
        "café.png,cat\nété.png,dog\n그림.png,cat dog\nÿþ.png,dog\n", encoding="utf-8"
    )
    proxies = {
        "HTTP_PROXY": "http://127.0.0.1:9",
        "http_proxy": "http://127.0.0.1:9",
        "ALL_PROXY": "http://127.0.0.1:9",
    }
    with started(folder, "--port", "0", "--host", "::", "--data", f"folder:{photographs}", env=proxies) as app:
        page = works(app)
        assert "--host ::: everyone in this computer's networks" in app.log and "Training is off" in app.log
        (found,) = page.event("explain", [None, "example:scene0", None, {"num_iters": 1}, None])
        listed = page.ask(
            "dataset_page", key=found["key"], order="set", stage="seg", before="walk_start", class_name="", page=0
        )
        titles = [row["title"] for row in listed["cards"]]
        assert sorted(titles) == sorted(["café", "été", "그림", "ÿþ"])
        pictures = page.ask("dataset_thumbnails", ids=[row["id"] for row in listed["cards"]])
        assert all(picture["image"].startswith("data:image/jpeg") for picture in pictures.values())
        ends(app)


@pytest.mark.parametrize("host", ["203.0.113.7", "2001:db8::7", "no-such-name.invalid", "x" * 64 + ".example"])
def test_an_address_that_is_not_of_this_computer_is_a_sentence(host, monkeypatch):
    monkeypatch.setattr(launch, "build", None)  # it is said before anything is loaded
    with pytest.raises(SystemExit) as end:
        launch.launch(["--host", host])
    assert (
        str(end.value).startswith(f"app.py: this computer has no address {host}; choose") and str(end.value)[-1] == "."
    )


@pytest.mark.parametrize(
    "host", ["", "http://127.0.0.1", "127.0.0.1:7860", "[::1]:7860", "a b", "a/b", "[::1", "me@here", "그림"]
)
def test_what_is_no_address_is_a_sentence(host, capsys):
    with pytest.raises(SystemExit) as end:
        launch.launch(["--host", host])
    output = capsys.readouterr().err
    assert end.value.code == 2 and "expected an address or a name, with the port in --port" in output


def test_ports():
    require_address(Host("127.0.0.1"))
    require_address(Host("localhost"))
    assert choose_port(Host("127.0.0.1"), 0) > 0
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"port {port} of 127.0.0.1 is taken"):
            choose_port(Host("127.0.0.1"), port)


def test_the_first_free_port(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setenv("GRADIO_SERVER_PORT", str(port))
        monkeypatch.setenv("GRADIO_NUM_PORTS", "50")
        assert port < choose_port(Host("127.0.0.1"), None) < port + 50
        monkeypatch.setenv("GRADIO_NUM_PORTS", "1")
        with pytest.raises(OSError, match="no port of 127.0.0.1 from .* is free; choose one with --port"):
            choose_port(Host("127.0.0.1"), None)
    monkeypatch.setenv("GRADIO_SERVER_PORT", "many")
    with pytest.raises(OSError, match="GRADIO_SERVER_PORT is 'many'; expected a number"):
        choose_port(Host("127.0.0.1"), None)


# --- the end ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_ctrl_c_before_it_is_there(folder):
    """While Python starts, imports, loads and explains: no traceback, no abort."""
    for seconds in (0.1, 0.4, 0.8, 1.3, 1.9, 2.6, 3.4, 4.5):
        with started(folder, "--port", "0") as app:
            time.sleep(seconds)
            assert app.end() in (130, -signal.SIGINT), (seconds, app.log)
            assert "Traceback" not in app.log and "terminate" not in app.log, (seconds, app.log)
    assert not list((folder / "tmp").glob("afa-viz-uploads-*"))


@pytest.mark.slow
def test_ctrl_c_while_it_computes_and_a_stream_is_open(folder):
    """With the bundled network, which takes seconds for a photograph, and while examples are explained ahead."""
    with started(folder, "--port", "0", "--checkpoint", str(ROOT / "checkpoints" / "sandbox")) as app:
        address = app.address()
        page = Page(address)
        stream = urllib.request.urlopen(f"{address}/gradio_api/heartbeat/{page.session}", timeout=60)
        asking = [
            threading.Thread(target=ask, args=(address, number), daemon=True) for number in range(4)
        ]  # the answers are cut off
        for thread in asking:
            thread.start()
        time.sleep(0.7)
        ends(app)
        stream.close()
    for thread in asking:
        thread.join(10)


def ask(address: str, number: int) -> None:
    try:
        name = f"example:scene{number % 2}"
        Page(address).event("explain", [None, name, None, {"num_iters": 30, "radius": 3 + number}, "sandbox"])
    except (OSError, RuntimeError, http.client.HTTPException, ValueError):
        pass


@pytest.mark.slow
def test_nothing_of_visitors_is_printed(folder):
    with started(folder, "--port", "0") as app:
        page = works(app)
        address, before = app.address(), app.log
        assert len(before.splitlines()) == 3  # where it is, who can open it, who may train
        path = json.loads(sent(address, "secret-holiday.png", photograph())[1])[0]
        file = {"path": path, "meta": {"_type": "gradio.FileData"}}
        (found,) = page.event("explain", [file, None, None, {"num_iters": 1}, None])
        page.event("export", [found["key"], "html", None, None, None])
        for target, host in (("/nothing", ""), ("/", "evil.example"), ("/config", ""), ("/gradio_api/run/predict", "")):
            ask_raw(address, target, host=host)
        assert app.log == before
        ends(app)


# --- consoles --------------------------------------------------------------------------------------------------------


def answers(port: int, process: subprocess.Popen) -> bytes:
    """The page of an app that can not say where it is."""
    deadline = time.monotonic() + 120
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30) as answer:
                return answer.read()
        except OSError:
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.2)


@linux
@pytest.mark.parametrize("kind", ["closed", "nobody reads"])
@pytest.mark.slow
def test_without_a_console(folder, kind):
    port = choose_port(Host("127.0.0.1"), 0)
    close = "import os, sys; [os.close(n) for n in (0, 1, 2)]; "
    close += "os.execv(sys.executable, [sys.executable, 'app.py', *sys.argv[1:]])"
    reading, writing = os.pipe()
    os.close(reading)
    code = ("-c", close) if kind == "closed" else ("app.py",)
    with started(folder, "--port", str(port), code=code, stdout=writing, stderr=writing) as app:
        os.close(writing)
        assert b"AFA Viz" in answers(port, app.process)
        ends(app)


@pytest.mark.parametrize("encoding", ["cp949", "cp1252", "ascii"])
@pytest.mark.parametrize(
    "command",
    [
        ["app.py", "--host", "그림-é-×"],
        ["app.py", "--help"],
        ["-m", "afa_viz", "data", "check", "folder", "--root", "그림-é-×-→"],
        ["-m", "afa_viz", "--help"],
        ["-m", "afa_viz", "그림-é-×"],
    ],
    ids=" ".join,
)
def test_consoles_that_lack_letters(command, encoding):
    environment = os.environ | {"PYTHONIOENCODING": f"{encoding}:strict", "PYTHONUTF8": "0"}
    done = subprocess.run([sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, timeout=120)
    output = (done.stdout + done.stderr).decode(encoding)
    assert done.returncode in (0, 2) and "Traceback" not in output and output.strip(), output
