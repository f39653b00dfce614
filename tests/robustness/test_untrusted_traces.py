"""Files that are called traces: each opens right or gets one sentence, in memory that its size allows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from untrusted_traces import TRACES, head, members_of, npy, packed, zeros

import afa_viz
from afa_viz.config import ExplainConfig
from afa_viz.model.afa import build_afa
from afa_viz.trace import Trace
from afa_viz.trace_file import FIELDS, FREE_BYTES, MAX_RATIO, fits_in_file

ROOT = Path(__file__).parents[2]
QUICK = ExplainConfig(scales=(1.0,), flip=False, num_iters=1)
PEAK_MB = 400  # beyond what is held before: the free 128 MB for the arrays, and room for the rest


@pytest.fixture(scope="module")
def trace() -> Trace:
    torch.manual_seed(0)
    picture = np.random.default_rng(0).integers(0, 255, (64, 96, 3), dtype=np.uint8)
    truth = np.zeros((64, 96), np.uint8)
    return afa_viz.explain(build_afa("mit_b0", num_classes=13).eval(), picture, [1], QUICK, target=truth)


@pytest.fixture(scope="module")
def members(trace, tmp_path_factory):
    return members_of(trace.save(tmp_path_factory.mktemp("trace") / "good.npz").read_bytes())


def test_a_good_one_opens(trace, members, tmp_path):
    for number, method in enumerate((0, 8)):
        path = tmp_path / f"{number}.npz"
        path.write_bytes(packed(members, method))
        found = Trace.load(path)
        assert all(torch.equal(getattr(found, n), getattr(trace, n)) for n in FIELDS if getattr(trace, n) is not None)


def test_arrays_in_the_other_order_open(trace, members, tmp_path):
    """NumPy keeps an array that was turned as it lies in memory."""
    turned = np.asfortranarray(trace.affinity.numpy())
    (tmp_path / "a.npz").write_bytes(packed({**members, "affinity.npy": npy(turned)}))
    assert torch.equal(Trace.load(tmp_path / "a.npz").affinity, trace.affinity)


@pytest.mark.parametrize("hostile", TRACES, ids=lambda hostile: hostile.given)
def test_a_file_that_is_no_trace_is_one_sentence(hostile, members, tmp_path):
    path = tmp_path / "a.npz"
    path.write_bytes(hostile.make(members))
    with pytest.raises(ValueError, match=r"^a\.npz is not a trace of this version \(.*\); expected a file") as refused:
        Trace.load(path)
    output = str(refused.value)
    assert type(refused.value) is ValueError and hostile.refused in output, output
    assert (
        "\n" not in output
        and len(output) < 500
        and str(tmp_path) not in output
        and output.endswith("written by Trace.save.")
    )


CHILD = """
import json, sys
from pathlib import Path
from afa_viz.trace import Trace

def resident(what):
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(what)).split()[1]) / 1024

for path in sys.argv[1:]:
    Path("/proc/self/clear_refs").write_text("5")
    before = resident("VmRSS")
    try:
        Trace.load(path)
        refused = False
    except ValueError:
        refused = True
    print(json.dumps([refused, resident("VmHWM") - before]), flush=True)
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="peak memory is read from /proc, on Linux")
@pytest.mark.slow
def test_memory_stays_bounded(members, tmp_path):
    paths = []
    for number, hostile in enumerate(TRACES):
        paths.append(tmp_path / f"{number}.npz")
        paths[-1].write_bytes(hostile.make(members))
    done = subprocess.run(
        [sys.executable, "-c", CHILD, *map(str, paths)], cwd=ROOT, capture_output=True, text=True, timeout=300,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(found) == len(TRACES), done.stderr[-2000:]
    for hostile, (refused, peak) in zip(TRACES, found, strict=True):
        assert refused and peak <= PEAK_MB, (hostile.given, peak)


def test_how_much_a_file_may_hold():
    assert FREE_BYTES == 2**27 and MAX_RATIO == 64
    assert (
        fits_in_file(2**27, 0)
        and not fits_in_file(2**27 + 65, 1)
        and fits_in_file(2**27 + 64, 1)
        and not fits_in_file(2**31, 2 * 2**20)
    )
    assert not fits_in_file(2**40, 2**40)


def test_what_save_writes_load_reads(trace, tmp_path, monkeypatch):
    """Pictures of one colour pack so well that they would look like a bomb: these are not packed."""
    from afa_viz import trace_file

    monkeypatch.setattr(trace_file, "FREE_BYTES", 0)
    monkeypatch.setattr(trace_file, "MAX_RATIO", 1.2)
    assert torch.equal(Trace.load(trace.save(tmp_path / "a.npz")).affinity, trace.affinity)


def test_any_field_cut_or_changed_is_taken_or_refused(members, tmp_path):
    """No array's head and no byte of the settings lets another error out."""
    rng = np.random.default_rng(1)
    path = tmp_path / "a.npz"
    for name, content in members.items():
        for _ in range(12):
            place = int(rng.integers(0, min(len(content), 600)))
            changed = bytearray(content)
            changed[place] = int(rng.integers(0, 256))
            path.write_bytes(packed({**members, name: bytes(changed)}, 0))
            try:
                Trace.load(path)
            except ValueError as error:
                assert "is not a trace" in str(error)


def test_the_head_is_read_before_the_numbers(members, tmp_path):
    """A size in the list of files that is a lie does not help: no more is unpacked than the head says."""
    path = tmp_path / "a.npz"
    path.write_bytes(zeros(members, "cam.npy", head(shape=(12, 64, 96)), 2**28))
    with pytest.raises(ValueError, match="does not match its header"):
        Trace.load(path)
