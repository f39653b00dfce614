"""`bench gpu`: its checks on the CPU in place of a GPU, what a wrong answer shows, and one sentence without a GPU."""

from __future__ import annotations

import json
import os

import pytest
import torch

from afa_viz.__main__ import main
from benchmarks import gpu, gpu_checks, gpu_processes, gpu_steps

NO_GPU = pytest.mark.skipif(torch.cuda.is_available(), reason="about machines without a GPU")


def test_every_op_is_checked_and_equals_itself():
    rows = gpu_checks.op_checks("cpu")
    assert all(row["met"] and row["difference"] <= row["tolerance"] for row in rows), [r for r in rows if not r["met"]]
    names = {row["what"].split(":")[0] for row in rows}
    assert names == {"CAM", "affinity", "walk", "PAR", "pseudo label", "loss", "metrics", "boundaries"}
    assert len({row["what"] for row in rows}) == len(rows) >= 20


@pytest.mark.parametrize("wrong, shows", [
    (lambda x: x * (1 + 1e-3), "difference"), (lambda x: x[..., :1], "error"), (lambda x: x.double(), "error"),
])  # fmt: skip
def test_another_answer_is_missed(wrong, shows):
    calls = []

    def op(values):
        calls.append(values)
        return values if len(calls) == 1 else wrong(values)

    row = gpu_checks.check("op", op, (torch.rand(3, 4),), "cpu")
    assert row["met"] is False and shows in row


def test_an_op_that_the_device_lacks_is_named():
    def op(values):
        return values + 1

    row = gpu_checks.check("op", op, (torch.rand(3),), "meta")
    assert row["met"] is False and "error" in row


def test_steps_are_compared_by_phase_and_precision():
    rows = gpu_steps.step_checks("cpu", "mit_b0", 64, 2, ("off", "bf16"))
    assert [(row["phase"], row["amp"]) for row in rows] == [
        (phase, amp) for phase in ("classification", "affinity", "joint") for amp in ("off", "bf16")
    ]
    for row in rows:
        assert row["met"], row
        assert row["amp"] == "bf16" or row["difference"] == 0 and abs(row["gradient"]) < 1e-9
    assert set(rows[-1]["losses"]) == {"loss", "loss_cls", "loss_seg", "loss_aff"}


def test_the_whole_report_is_made_on_the_cpu_too(monkeypatch):
    """All that the command does on a GPU, at small sizes."""
    monkeypatch.setattr(gpu_processes, "two_process_check", lambda device: {
        "what": "two processes, gloo", "difference": 0.0, "tolerance": 5e-3, "met": True})  # fmt: skip
    report = gpu.measure("cpu", "mit_b0", 64, 1, 2, ("mit_b0", 32, 1), ("off",))
    assert all(row["met"] for row in report["checks"]) and report["machine"]["triton"] is False
    assert [row["what"] for row in report["rows"]] == ["step, joint phase, fp32", "a full trace"]
    assert "PAR takes the plain form" in gpu.table(report)


def test_times_and_page(tmp_path):
    facts = gpu.machine.provenance() | {"cuda": "12.4", "triton": True}
    rows = [gpu_steps.step_times("cpu", "mit_b0", 64, 1, "off", 2), gpu_steps.explain_times("cpu", "mit_b0", 64, 2)]
    assert all(len(row["samples_s"]) == 2 and row["median_s"] > 0 and row["peak_mib"] is None for row in rows)
    checks = [
        {"what": "an op", "difference": 1e-5, "tolerance": 2e-4, "met": True},
        {"what": "a step", "difference": 0.1, "gradient": 0.2, "loss_tolerance": 0.05, "gradient_tolerance": 0.05,
         "met": False},
        {"what": "two processes, nccl", "skipped": "1 CUDA device, two are needed", "tolerance": 5e-3, "met": None},
    ]  # fmt: skip
    gpu.write({"benchmark": "gpu", "machine": facts, "device": "cuda", "checks": checks, "rows": rows}, tmp_path)
    page = (tmp_path / "gpu.md").read_text()
    assert "1 checks met, 1 missed" in page and "**missed**" in page and "not measured" in page and "Triton" in page
    assert json.loads((tmp_path / "data" / "gpu.json").read_text())["checks"] == checks


@NO_GPU
def test_without_a_gpu_one_sentence_says_so(capsys, tmp_path, monkeypatch):
    assert main(["bench", "gpu", "--out", str(tmp_path)]) == 2
    shown = capsys.readouterr().err
    assert shown.startswith("afa_viz: there is no CUDA device here; expected") and shown.count("\n") == 1
    assert os.listdir(tmp_path) == []
    assert gpu_processes.two_process_check("cuda")["met"] is None


def test_two_cards_are_needed_for_nccl(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    row = gpu_processes.two_process_check("cuda")
    assert row["what"] == "two processes, nccl" and row["met"] is None and "two are needed" in row["skipped"]


@pytest.mark.slow
def test_two_processes_equal_one():
    row = gpu_processes.two_process_check("cpu")
    assert row["what"] == "two processes, gloo" and row["met"], row


def test_no_page_claims_a_run_that_was_not_made():
    """docs/gpu.md is made from docs/data/gpu.json; while there is none, README says so."""
    page, data = gpu.ROOT / "docs" / "gpu.md", gpu.ROOT / "docs" / "data" / "gpu.json"
    readme = (gpu.ROOT / "README.md").read_text(encoding="utf-8")
    assert page.exists() == data.exists() == ("no such run has been made" not in readme)
    if data.exists():
        report = json.loads(data.read_text(encoding="utf-8"))
        assert report["device"] == "cuda" and report["machine"]["gpu"] and page.read_text("utf-8") == gpu.page(report)
