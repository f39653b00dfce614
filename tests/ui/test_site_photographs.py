"""The network that a static site holds for photographs of visitors, without a browser: its files and its refusals."""

from __future__ import annotations

import dataclasses
import json

import pytest
from small_checkpoint import small_card, small_model

from afa_viz.__main__ import main
from afa_viz.ui.site.network import network_files, require_small, write_network
from afa_viz.ui.site.runtimes import RUNTIMES, find_runtimes


def test_a_folder_without_the_runtime_is_refused_before_anything_is_computed(tmp_path, capsys):
    (tmp_path / "dist").mkdir()
    for script, wasm in RUNTIMES.values():  # the WebAssembly file of the first one is missing
        for name in (script, *([] if script == RUNTIMES["wasm"][0] else [wasm])):
            (tmp_path / "dist" / name).write_bytes(b"")
    assert main(["site", "--out", str(tmp_path / "site"), "--onnxruntime-web", str(tmp_path)]) == 2
    shown = capsys.readouterr().err
    assert "expected the folder of the npm package onnxruntime-web" in shown and shown.count("\n") == 1
    assert not (tmp_path / "site").exists()
    (tmp_path / "dist" / RUNTIMES["wasm"][1]).write_bytes(b"")
    every = {provider: tuple(tmp_path / "dist" / name for name in names) for provider, names in RUNTIMES.items()}
    for given in (tmp_path, tmp_path / "dist"):
        assert find_runtimes(given) == every
    every["webgpu"][1].unlink()
    assert find_runtimes(tmp_path) == {"wasm": every["wasm"]}


def test_the_network_of_a_site_has_its_own_files(tmp_path, monkeypatch):
    model = small_model()
    model.card = small_card()
    for script, wasm in RUNTIMES.values():
        (tmp_path / script).write_bytes(b"/* ONNX Runtime Web v9.8.7 */")
        (tmp_path / wasm).write_bytes(bytes(2_000_000))
    site = tmp_path / "site"
    site.mkdir()

    def exported(model, path, half):
        assert half
        path.write_bytes(b"weights")
        path.with_suffix(".json").write_text("{}")

    def split(data, first):
        assert data == b"weights" and set(first) == {"class_logits", "cam", *(f"attn_logits_{i}" for i in range(8))}
        return b"first", b"rest"

    monkeypatch.setattr("afa_viz.ui.site.network.export_onnx", exported)
    monkeypatch.setattr("afa_viz.ui.site.network.split_onnx", split)
    found = write_network(site, model, "small", find_runtimes(tmp_path))
    files = {path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()}
    runtimes = found["runtimes"].values()
    assert files == {*(found[name] for name in ("encoder", "head", "script")),
                     *(runtime[name] for runtime in runtimes for name in ("script", "wasm"))}  # fmt: skip
    assert found["runtimes"]["wasm"]["script"] == "onnxruntime-web-9.8.7/ort.wasm.bundle.min.js"
    assert [runtime["megabytes"] for runtime in runtimes] == [2, 2]
    assert ((site / found["encoder"]).read_bytes(), (site / found["head"]).read_bytes()) == (b"first", b"rest")
    given = json.loads(json.dumps(found["facts"]))
    assert (given["long_side"], given["cam_relu"], given["scales"]) == (320, False, [1.0, 0.5, 1.5])
    assert [(block["stage"], block["reduction"]) for block in given["blocks"]] == [
        (1, 8), (1, 8), (2, 4), (2, 4), (3, 2), (3, 2), (4, 1), (4, 1),
    ]  # fmt: skip
    assert len(given["affinity_weight"]) == 16 and given["settings"]["radius"] == model.card.radius
    assert set(network_files(site)) == {site / name for name in files}


def test_a_model_for_large_images_is_refused():
    model = small_model()
    model.card = dataclasses.replace(small_card(), input_size=512)
    require_small(model)
    model.card = dataclasses.replace(small_card(), input_size=544)
    with pytest.raises(ValueError, match="544 pixels; expected at most 512"):
        require_small(model)
