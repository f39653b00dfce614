"""`bench`: groups of benchmarks, their reports, and one sentence where one cannot run."""

from __future__ import annotations

import json
import sys
import types

import pytest
import torch
from app_fixtures import prepare
from browser import missing

import afa_viz
from afa_viz.__main__ import main
from afa_viz.commands import bench
from afa_viz.pipeline import STAGE_SETTINGS
from benchmarks import explain as explain_benchmark
from benchmarks import machine, measurements, par_forms
from benchmarks import par as par_benchmark
from benchmarks import start as start_benchmark
from benchmarks.par_forms import FORMS


def group(monkeypatch, name: str, measure) -> bench.Group:
    """A group whose module is made up."""
    module = types.ModuleType(f"made_up_{name}")
    module.add_arguments = lambda parser: parser.add_argument("--size", type=int, default=3)
    module.run = lambda args: {"benchmark": name, "machine": {}, "rows": [measure(args.size)]}
    module.table = lambda report: f"| {name} | {report['rows'][0]} |"
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return bench.Group(name, f"all about {name}", module.__name__)


def no_device(size: int) -> int:
    raise OSError("there is no such device.")


@pytest.fixture
def groups(monkeypatch):
    found = (
        group(monkeypatch, "one", lambda size: size),
        group(monkeypatch, "two", no_device),
        group(monkeypatch, "three", lambda size: 10 * size),
    )
    monkeypatch.setattr(bench, "GROUPS", found)


def test_one_group_takes_its_own_options(groups, capsys, tmp_path):
    path = tmp_path / "report.json"
    assert main(["bench", "one", "--size", "5", "--json", str(path)]) == 0
    assert "| one | 5 |" in capsys.readouterr().out
    assert json.loads(path.read_text())["one"]["rows"] == [5]
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.json"]


def test_all_groups_run_and_one_that_can_not_says_why(groups, capsys, tmp_path):
    path = tmp_path / "report.json"
    assert main(["bench", "--json", str(path)]) == 1
    shown = capsys.readouterr()
    assert "| one | 3 |" in shown.out and "| three | 30 |" in shown.out
    assert shown.err == "bench two: there is no such device.\n"
    assert list(json.loads(path.read_text())) == ["one", "three"]


def test_a_group_alone_that_can_not_run_is_a_fault(groups, capsys):
    assert main(["bench", "two"]) == 2
    assert capsys.readouterr().err == "afa_viz: there is no such device.\n"
    assert main(["bench", "four"]) == 2
    assert "choose from" in capsys.readouterr().err and main(["bench", "one", "--size", "x"]) == 2


def test_without_the_source_code_there_is_nothing_to_measure(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "benchmarks", None)
    monkeypatch.delitem(sys.modules, "benchmarks.par", raising=False)
    assert main(["bench", "par"]) == 2
    assert "run this in a clone of the repository" in capsys.readouterr().err


def test_par_is_measured(capsys, tmp_path):
    path = tmp_path / "par.json"
    assert main(["bench", "par", "--size", "64", "--classes", "2", "--repeats", "2", "--json", str(path)]) == 0
    report = json.loads(path.read_text())["par"]
    (row,) = report["rows"]
    for form in FORMS:
        assert row[form]["max_abs_difference"] < 1e-4 and len(row[form]["samples_s"]) == 2
    shown = capsys.readouterr().out
    assert report["machine"]["commit"][:12] in shown and "target" not in shown


def test_forms_on_a_gpu_stand_only_where_there_is_one(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(par_benchmark, "measure_in_subprocess", lambda *given: None)
    hardware = machine.provenance() | {"gpu": "made up"}
    assert par_forms.forms_here() == FORMS and not set(par_benchmark.compare(16, 1, 2)) & set(par_forms.GPU_FORMS)

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(par_forms, "find_spec", lambda name: name)
    assert list(par_forms.forms_here()) == [*FORMS, "plain on the GPU", "Triton on the GPU"]
    monkeypatch.setattr(par_forms, "find_spec", lambda name: None)
    waited = []
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: waited.append(1))
    monkeypatch.setattr(torch.Tensor, "cuda", lambda tensor: tensor.clone())
    row = par_benchmark.compare(16, 1, 2)
    assert row["plain on the GPU"]["max_abs_difference"] < 1e-4 and len(waited) == 2 * 2 * (len(FORMS) + 1)
    shown = par_benchmark.table({"machine": hardware, "rows": [row]})
    assert "| plain on the GPU |" in shown and "Triton" not in shown and ", made up, torch" in shown


def test_par_stands_beside_its_targets():
    kernel_mib = 48  # 48 weights a pixel of four bytes, 512 x 512 pixels
    forms = dict.fromkeys(FORMS, {"peak_extra_mib": kernel_mib + 57.3})
    slow, fast = ({**forms["afa_viz"], "speedup": speedup} for speedup in (20.0, 29.9))
    rows = [{"size": size, "num_classes": maps, "afa_viz": own}
            for size, maps, own in [(512, 3, slow), (512, 21, fast), (256, 21, slow), (512, 4, slow)]]  # fmt: skip
    found = measurements.table(par_benchmark.measurements_of({"rows": rows}))[2:]
    assert [line.split(" | ")[1:] for line in found] == [
        ["20", "≥ 20", "met |"], ["60.1 MB", "≤ 60 MB", "**missed** |"],
        ["29.9", "≥ 30", "**missed** |"], ["60.1 MB", "≤ 60 MB", "**missed** |"],
    ]  # fmt: skip


def test_explain_is_measured_stage_by_stage(tmp_path):
    checkpoint = prepare(tmp_path).checkpoint_folder / "tiny"
    model = afa_viz.load_model(checkpoint, device="cpu")
    row = explain_benchmark.measure("bundled", model, 64, runs=2)
    assert row["tokens"] == 16 and len(row["samples_s"]) == 2 and list(row["stages_cpu_s"]) == list(STAGE_SETTINGS)
    assert 0 < sum(row["stages_cpu_s"].values()) <= sum(row["cpu_samples_s"])
    report = {"machine": machine.provenance(), "rows": [row | {"median_s": 0.4}, row | {"median_s": 0.6}]}
    met = [line.split("|")[8].strip() for line in explain_benchmark.table(report).splitlines() if "bundled" in line]
    assert met == ["yes", "no"]


def test_start_and_memory_stand_beside_their_targets(monkeypatch, capsys):
    pages = {"app.py": iter([9.0, 7.0, 5.0]), start_benchmark.BARE: iter([1.0, 5.0, 4.0])}
    monkeypatch.setattr(start_benchmark, "page_seconds", lambda program="app.py": next(pages[program]))
    monkeypatch.setattr(start_benchmark, "first_start_seconds", iter([20.0, 7.0, 7.5]).__next__)
    monkeypatch.setattr(start_benchmark, "prepare", lambda: None)
    monkeypatch.setattr(start_benchmark, "bare_memory", lambda: 140.0)
    monkeypatch.setattr(
        start_benchmark,
        "memory",
        lambda uploads: start_benchmark.Memory(170.0, 4.0, [850.0, *[900.0 + 10 * i for i in range(uploads)]]),
    )
    assert main(["bench", "start", "--runs", "2", "--uploads", "50"]) == 0
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    assert "| 4.50 s | |" in rows[2] and "| 6.00 s | 6 | yes |" in rows[3] and "| 7.25 s | 8 | yes |" in rows[5]
    assert "| 1.32 times | 1.3 | no |" in rows[4]  # the median of 7 / 5 and 5 / 4
    assert "| 140.00 MB | |" in rows[6] and "| 170.00 MB | 350 | yes |" in rows[7] and "| 4.00 s | 5 | yes |" in rows[8]
    assert "| 850.00 MB | 900 | yes |" in rows[9]
    assert "over 50 different uploads | 1390.00 MB | 1300 | no |" in rows[10]


@pytest.mark.slow
@pytest.mark.skipif(bool(missing), reason=missing)
def test_the_page_is_measured(capsys, tmp_path):
    options = prepare(tmp_path)
    path = tmp_path / "app.json"
    rows = ["click", "threshold", "example", "new", "new_first"]
    arguments = ["--runs", "2", "--checkpoint", str(options.checkpoint_folder / "tiny"), "--json", str(path)]
    assert main(["bench", "app", *arguments, "--examples", str(options.examples), "--only", *rows]) == 0
    report = json.loads(path.read_text())["app"]
    assert [row["name"] for row in report["rows"]] == rows and report["chromium"]
    shown = capsys.readouterr().out
    for row in report["rows"]:
        assert len(row["samples"]) == 2 and row["met"] == (row["median_ms"] <= row["target_ms"])
        assert 0 < row["median_ms"] < 60_000 and f"{row['median_ms']:.1f}" in shown
    click, *_, new, first = report["rows"]
    assert click["samples"][0]["cell"] != click["samples"][1]["cell"], "a click moves the query cell"
    assert all(a["ms"] >= b["ms"] > 20 for a, b in zip(new["samples"], first["samples"], strict=True))


def test_without_chromium_one_sentence_says_how_to_get_it(monkeypatch, capsys):
    monkeypatch.setenv("CHROMIUM", "/nowhere/chromium")
    assert main(["bench", "app", "--only", "hover"]) == 2
    shown = capsys.readouterr().err
    assert "apt-get install chromium" in shown and shown.count("\n") == 1
    assert main(["bench", "app", "--runs", "1"]) == 2
    assert "expected at least 2" in capsys.readouterr().err
