"""Several processes that train one model: started by torchrun, one a device, each with its share of every batch.

Without torchrun there is one process, and nothing here does anything.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

Item = TypeVar("Item")
TIMEOUT = timedelta(minutes=30)  # a first evaluation on rank 0 may take long


@dataclass(frozen=True)
class Processes:
    """Rank of this process, number of processes (`torchrun` terms), and the device that this one computes on."""

    rank: int = 0
    world_size: int = 1
    device: str = "cpu"

    @property
    def is_main(self) -> bool:
        """Whether this is rank 0, the process that writes files and logs."""
        return self.rank == 0

    @property
    def shard(self) -> tuple[int, int]:
        """(rank, world_size): of n items this process takes those whose index satisfies index % world_size == rank."""
        return self.rank, self.world_size

    def shard_range(self, count: int) -> tuple[int, int, int]:
        """This process's share of `count` items, as arguments of `range`."""
        return self.rank, count, self.world_size


def start(device: str = "auto") -> Processes:
    """Join the processes that torchrun started, with nccl on CUDA and gloo elsewhere.

    Args:
        device: "auto" takes this process's CUDA device if there is one; or "cpu", "cuda", "cuda:N", "mps".
    Raises: ValueError: for a device that is not here; if CUDA is asked for and has fewer devices than processes here.
    """
    world_size, rank, local = (int(os.environ.get(name, default)) for name, default in _VARIABLES)
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    _require_device(device)
    if device == "cuda":
        if local >= torch.cuda.device_count():
            raise ValueError(
                f"process {local} of this machine has no CUDA device ({torch.cuda.device_count()} there); expected "
                "--nproc-per-node of at most that many, or --device cpu."
            )
        device = f"cuda:{local}"
        torch.cuda.set_device(local)
    if world_size > 1:
        dist.init_process_group("nccl" if device.startswith("cuda") else "gloo", timeout=TIMEOUT)
    return Processes(rank, world_size, device)


def _require_device(device: str) -> None:
    """What "cuda" lacks is said by `start`, which knows how many processes want one."""
    here = ["auto", "cpu", "cuda", *(f"cuda:{number}" for number in range(torch.cuda.device_count()))]
    if torch.backends.mps.is_available():
        here.append("mps")
    if device not in here:
        raise ValueError(f"got device {device!r}; expected one that is here ({', '.join(here)}): choose it.")


_VARIABLES = (("WORLD_SIZE", "1"), ("RANK", "0"), ("LOCAL_RANK", "0"))


def stop() -> None:
    """Leave the group, if there is one."""
    if dist.is_initialized():
        dist.destroy_process_group()


LOST_PEER_MESSAGES = (
    "gloo",
    "nccl",
    "connection closed",
    "connection reset",
    "broken pipe",
    "socket timeout",
)  # lower case


@contextlib.contextmanager
def peer_error_guard(processes: Processes) -> Iterator[None]:
    """Turn the communication error that follows the loss of another process into one readable sentence.

    Raises: OSError: in the place of what the communication library raised.
    """
    try:
        yield
    except RuntimeError as error:
        words = str(error).lower()
        if (
            processes.world_size == 1
            or isinstance(error, torch.OutOfMemoryError)
            or not any(w in words for w in LOST_PEER_MESSAGES)
        ):
            raise
        raise OSError(
            f"process {processes.rank} of {processes.world_size} lost the others ({str(error).splitlines()[0][:120]}); "
            "expected all of them: look at what the first one to end said, and start again with --resume."
        ) from error


@contextlib.contextmanager
def rank_zero_first(processes: Processes) -> Iterator[None]:
    """Rank 0 runs the block before all others do: for files that one process makes and all of them read."""
    if processes.world_size > 1 and not processes.is_main:
        dist.barrier()
    yield
    if processes.world_size > 1 and processes.is_main:
        dist.barrier()


def mean_counts(counts: Sequence[Tensor], world_size: int, extra: int = 0) -> tuple[Tensor, ...]:
    """Divisors of a loss whose batch is shared: the mean over processes of each.

    The mean over processes of (own sum / this) is (sum over the whole batch / its count): what one process with the
    whole batch would have. `extra` is what each count was raised by; the whole batch's is raised by it once.
    """
    if world_size == 1:
        return tuple(counts)
    stacked = torch.stack([count.double() for count in counts])
    dist.all_reduce(stacked)
    return tuple(((stacked - extra * (world_size - 1)) / world_size).unbind())


def mean_over_processes(values: dict[str, float], world_size: int) -> dict[str, float]:
    """The mean over processes of named numbers, the same names in each."""
    if world_size == 1:
        return values
    stacked = torch.tensor(list(values.values()), dtype=torch.float64)
    if dist.get_backend() == "nccl":
        stacked = stacked.cuda()
    dist.all_reduce(stacked)
    return dict(zip(values, (stacked / world_size).tolist(), strict=True))


def true_in_all_processes(condition: bool, world_size: int) -> bool:
    """Whether a condition holds in every process; the answer is the same in each."""
    return mean_over_processes({"mine": float(condition)}, world_size)["mine"] == 1.0


def gather(item: Item, world_size: int) -> list[Item]:
    """The same object of every process, by rank (`all_gather_object`: it is pickled on the way)."""
    if world_size == 1:
        return [item]
    found: list[Any] = [None] * world_size
    dist.all_gather_object(found, item)
    return found


class AllReduceSum(torch.autograd.Function):
    """The sum of a tensor over all processes; its gradient is the sum of theirs."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        """Every process gets the same sum."""
        total = values.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        """Every process's value is in every process's sum."""
        total = gradients[0].clone()
        dist.all_reduce(total)
        return total


class CpuSyncBatchNorm(nn.BatchNorm2d):
    """Batch norm over the batches of all processes, where torch's own needs CUDA.

    out = (x - m) / sqrt(v + eps) * weight + bias with m and v over every process's pixels; gradients flow through m
    and v. The variance is the mean of (x - m)^2, not E[x^2] - m^2, of which rounding leaves nothing where m is large.
    In evaluation mode and alone it is plain batch norm.
    """

    def forward(self, maps: Tensor) -> Tensor:
        if not self.training or not dist.is_initialized():
            return super().forward(maps)
        wide = maps.float()
        own = wide.new_tensor([wide.numel() // wide.shape[1]])
        total = AllReduceSum.apply(torch.cat([wide.sum((0, 2, 3)), own]))
        number, mean = total[-1], total[:-1] / total[-1]
        centred = wide - mean[:, None, None]
        variance = AllReduceSum.apply(centred.square().sum((0, 2, 3))) / number
        with torch.no_grad():
            assert self.running_mean is not None and self.running_var is not None
            assert self.num_batches_tracked is not None and self.momentum is not None
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * number / (number - 1).clamp_min(1), self.momentum)
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return (centred * scale[:, None, None] + self.bias[:, None, None]).to(maps.dtype)


def synchronize_batch_norms(model: nn.Module, processes: Processes) -> nn.Module:
    """Convert batch norms to synchronised ones; parameters and buffers stay the same tensors."""
    if processes.world_size == 1:
        return model
    if processes.device.startswith("cuda"):
        return nn.SyncBatchNorm.convert_sync_batchnorm(model)
    for module in model.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = CpuSyncBatchNorm
    return model
