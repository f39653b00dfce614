"""The network for visitors' own browsers: exported once, served to them, and no other file with it."""

from __future__ import annotations

import dataclasses
import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from app_fixtures import prepare
from raw_http import Reply, ask

from afa_viz.__main__ import main
from afa_viz.ui.server.app import BuiltApp, build, serve
from afa_viz.ui.server.routes import find_route
from afa_viz.ui.site.runtimes import RUNTIMES
from benchmarks.served_app import Page

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*no_silent_downcasting"),  # an option that gradio sets in pandas
    pytest.mark.filterwarnings("ignore:The copy keyword is deprecated"),  # of pandas, in gradio's counts of requests
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # event loops that the server leaves to the collector
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
SCRIPT = b"/* ONNX Runtime Web v9.8.7 */"


@dataclasses.dataclass
class Served:
    """An app with a network whose export takes no time."""

    address: str
    page: BuiltApp
    cache: Path
    exports: list[str]

    def given(self, **asked: Any) -> dict[str, Any]:
        return Page(self.address).ask("device_network", **asked)

    def get(self, path: str, *headers: tuple[str, str]) -> Reply:
        return ask(self.address, path, headers=list(headers))


@pytest.fixture(scope="module")
def served(tmp_path_factory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("page")
    package = folder / "onnxruntime-web"
    package.mkdir()
    for script, wasm in RUNTIMES.values():
        (package / script).write_bytes(SCRIPT)
        (package / wasm).write_bytes(b"\0asm" + bytes(5000))
    exports: list[str] = []

    def export(model, path, half):
        exports.append(model.checkpoint_id)
        path.write_bytes(b"weights")
        path.with_suffix(".json").write_text("{}")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("afa_viz.ui.site.network.export_onnx", export)
        patch.setattr("afa_viz.ui.site.network.split_onnx", lambda data, first: (b"first" + data, b"rest"))
        options = dataclasses.replace(prepare(folder), onnxruntime_web=package)
        page = build(options)
        _, address, _ = serve(page, prevent_thread_lock=True, quiet=True, server_name="127.0.0.1")
        yield Served(address.rstrip("/"), page, folder / "cache", exports)
        page.demo.close(verbose=False)


def files_of(given: dict[str, Any]) -> dict[str, bytes]:
    """Address -> content, as far as it is known."""
    runtimes = given["runtimes"].values()
    return {
        given["encoder"]: b"firstweights", given["head"]: b"rest",
        **{runtime["script"]: SCRIPT for runtime in runtimes},
        **{runtime["wasm"]: b"\0asm" + bytes(5000) for runtime in runtimes},
    }  # fmt: skip


def test_every_file_is_served_and_made_once(served):
    given = served.given(model="tiny")
    assert given == served.given(model="tiny") and len(served.exports) == 1
    assert set(given["runtimes"]) == set(RUNTIMES) and given["facts"]["model"] == "tiny"
    types = {"js": "text/javascript; charset=utf-8", "wasm": "application/wasm", "onnx": "application/octet-stream"}
    for path, content in files_of(given).items():
        reply = served.get(f"/{path}")
        assert (reply.status, reply.body) == (200, content), path
        assert reply.headers["content-type"] == types[path.rpartition(".")[2]]
        assert "immutable" in reply.headers["cache-control"] and reply.headers["x-content-type-options"] == "nosniff"
        small = served.get(f"/{path}", ("Accept-Encoding", "gzip"))
        compressed = small.headers.get("content-encoding") == "gzip"
        assert compressed is not path.endswith(".onnx")
        assert (gzip.decompress(small.body) if compressed else small.body) == content
    assert b"host/onnx/worker.js" in served.get(f"/{given['script']}").body
    assert not list((served.cache / "network").glob(".partial*"))


def test_nothing_beside_them_is_served(served):
    given = served.given(model="tiny")
    folder = given["encoder"].rpartition("/")[0]
    wasm = given["runtimes"]["wasm"]["wasm"]
    assert (served.cache / folder / "network.json").is_file() and (served.cache / f"{wasm}.gz").is_file()
    closed = [
        f"/{folder}/network.json", f"/{wasm}.gz", f"/{folder}/", f"/{folder}", "/network", "/network/",
        f"/{folder}/../../network.json", f"/{folder}/%2e%2e/%2e%2e/x.js", f"/{folder.upper()}/network.json",
        f"/{given['encoder']}/", f"/{given['encoder'].replace('network-encoder', 'network-other')}",
        f"/{given['encoder'].replace('network/', 'network/0', 1)}", f"//{given['encoder']}",
        f"/{folder}/onnxruntime-web-9.8.7/../network.json",
        "/network/0123456789abcdef/network-head-01234567.onnx",
    ]  # fmt: skip
    for path in closed:
        assert served.get(path).status == 404, path
    assert ask(served.address, f"/{given['encoder']}", "POST").status == 404
    foreign = served.get(f"/{given['script']}", ("Sec-Fetch-Site", "cross-site"))
    assert foreign.status == 403 and len(foreign.body) < 200
    assert find_route("GET", f"/{given['encoder']}") and find_route("GET", f"/{wasm}")


@pytest.mark.parametrize("model", ["none", "", 3, None, ["tiny"], "../tiny"])
def test_another_model_is_refused(served, model):
    found = served.given(model=model)
    assert found is None or found["refused"].endswith((".", "?"))
    assert served.given() is None


def test_a_network_for_large_images_is_refused(served, monkeypatch):
    model = served.page.session.registry.get("tiny")
    monkeypatch.setattr(model, "card", dataclasses.replace(model.card, input_size=1024))
    assert "1024 pixels; expected at most 512" in served.given(model="tiny")["refused"]


def test_what_an_earlier_process_left_is_made_anew(served):
    given = served.given(model="tiny")
    folder = served.cache / given["encoder"].rpartition("/")[0]
    (folder / "network.json").unlink()
    made = len(served.exports)
    assert served.given(model="tiny") == given and len(served.exports) == made + 1


def test_a_full_disk_is_a_sentence(served, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("afa_viz.ui.site.network.export_onnx", full)
    (served.cache / served.given(model="tiny")["encoder"]).with_name("network.json").unlink()
    assert served.given(model="tiny")["refused"]
    assert not list((served.cache / "network").glob(".partial*"))


def test_without_the_package_the_app_does_not_start(tmp_path, capsys):
    assert main(["app", "--onnxruntime-web", str(tmp_path)])
    said = capsys.readouterr().err
    assert f"--onnxruntime-web {tmp_path} has no ort.wasm.bundle.min.mjs with" in said and said.count("\n") == 1
