"""Two processes that share each batch train as one process with the whole batch does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist

from afa_viz.config import CurriculumStage
from afa_viz.presets import SANDBOX
from afa_viz.training.batches import ImageSet, random_batch
from afa_viz.training.distributed import CpuSyncBatchNorm, Processes, mean_counts, mean_over_processes, start
from afa_viz.training.loop import build_model

SCRIPT = Path(__file__).parents[1] / "support" / "two_processes.py"


def launch(folder: Path, processes: int, batch_size: int) -> list[dict[str, float]]:
    start_processes(processes, SCRIPT, str(folder), str(batch_size))
    return json.loads((folder / "losses.json").read_text())


def start_processes(processes: int, script: Path, *arguments: str) -> None:
    command = [sys.executable]
    if processes > 1:
        command += ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    environment = os.environ | {
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join([str(SCRIPT.parents[2]), os.environ.get("PYTHONPATH", "")]),
    }
    done = subprocess.run(
        [*command, str(script), *arguments], env=environment, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.slow
def test_two_processes_equal_one(tmp_path):
    alone = launch(tmp_path / "one", 1, 4)
    shared = launch(tmp_path / "two", 2, 2)
    assert {"loss_cls", "loss_seg", "loss_aff"} <= set(alone[-1]), "all three phases ran"
    for one, two in zip(alone, shared, strict=True):
        assert one.keys() == two.keys()
        for name, value in one.items():
            assert two[name] == pytest.approx(value, rel=2e-3, abs=1e-4), name
    one, two = (torch.load(tmp_path / name / "last.pt", weights_only=True)["model"] for name in ("one", "two"))
    begun = build_model(SANDBOX).state_dict()
    assert one.keys() == two.keys() == begun.keys()
    for name in ("decoder.linear_fuse.bn.running_mean", "decoder.linear_fuse.bn.running_var"):
        torch.testing.assert_close(two[name], one[name], rtol=1e-3, atol=1e-5)
    for name, tensor in one.items():
        if name.startswith("decoder.linear_c") and name.endswith(".bias"):
            continue  # the batch norm behind them takes them away: their gradient is rounding alone
        moved = (tensor - begun[name]).abs().float().mean()
        assert (two[name] - tensor).abs().float().mean() <= 0.1 * moved + 1e-9, name


@pytest.mark.parametrize("parity", [(), ("parity",)], ids=["", "official parity"])
@pytest.mark.slow
def test_a_bad_batch_of_one_process_is_left_out_by_all(tmp_path, parity):
    start_processes(2, SCRIPT.with_name("bad_rank.py"), str(tmp_path), *parity)
    one, two = (json.loads((tmp_path / f"rank_{rank}.json").read_text()) for rank in (0, 1))
    assert one[:3] == two[:3], "the same steps, the same weights"
    assert "no finite numbers in 2 steps in a row, up to iteration 7" in two[3], "the same end"
    made, (non_finite, _), skipped, stopped = one
    assert made == [True, False] * 3 and non_finite is None and skipped == 4
    assert "no finite numbers in 2 steps in a row, up to iteration 7" in stopped
    assert "go on from iteration 6, whose state is kept" in stopped
    assert torch.load(tmp_path / "last.pt", weights_only=True)["iteration"] == 6


def test_shares_of_a_batch_are_the_batch():
    images = np.random.default_rng(0).integers(0, 256, (9, 48, 48, 3), dtype=np.uint8)
    data = ImageSet(images, np.eye(9, dtype=np.float32))
    whole = random_batch(data, CurriculumStage(1, 48, 32, 6, 1e-3), 1, 3)
    parts = [random_batch(data, CurriculumStage(1, 48, 32, 2, 1e-3), 1, 3, (rank, 3)) for rank in range(3)]
    for rank, part in enumerate(parts):
        assert torch.equal(part.image, whole.image[rank::3])
        assert torch.equal(part.image_labels, whole.image_labels[rank::3])


def test_alone_nothing_changes():
    assert start("cpu") == Processes(0, 1, "cpu")
    counts = (torch.tensor(3), torch.tensor(0))
    assert mean_counts(counts, 1) == counts
    assert mean_over_processes({"loss": 2.0}, 1) == {"loss": 2.0}
    torch.manual_seed(0)
    plain, shared = torch.nn.BatchNorm2d(4), CpuSyncBatchNorm(4)
    maps = torch.randn(3, 4, 5, 6)
    torch.testing.assert_close(shared(maps), plain(maps))


@pytest.fixture
def group(tmp_path):
    """A group of this process alone, which computes as one of several does."""
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.parametrize("mean, spread", [(0.0, 1.0), (1000.0, 0.01), (-3000.0, 0.1), (5.0, 0.0)])
def test_shared_batch_norm_is_exact_far_from_zero(group, mean, spread):
    maps = (torch.randn(8, 3, 16, 16, generator=torch.Generator().manual_seed(1)) * spread + mean).requires_grad_()
    weights = torch.randn(8, 3, 16, 16, generator=torch.Generator().manual_seed(2))
    shared, plain = CpuSyncBatchNorm(3), torch.nn.BatchNorm2d(3).double()
    for norm in (shared, plain):
        torch.nn.init.constant_(norm.weight, 1.5)
        torch.nn.init.constant_(norm.bias, -0.5)
    wide = maps.detach().double().requires_grad_()
    got, want = shared(maps), plain(wide)
    torch.testing.assert_close(got, want.float(), rtol=1e-2, atol=1e-2)  # float32 has the mean of 1000 to 6e-5
    torch.testing.assert_close(shared.running_var, plain.running_var.float(), rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(shared.running_mean, plain.running_mean.float(), rtol=1e-5, atol=1e-5)
    (got * weights).sum().backward()
    (want * weights).sum().backward()
    assert (maps.grad - wide.grad.float()).abs().max() <= 1e-2 * wide.grad.abs().max()
