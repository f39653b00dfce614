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

Thing = TypeVar("Thing")
TIMEOUT = timedelta(minutes=30)  # a first evaluation on rank 0 may take long


@dataclass(frozen=True)
class Processes:
    """rank of this process among world; device that it computes on."""

    rank: int = 0
    world: int = 1
    device: str = "cpu"

    @property
    def first(self) -> bool:
        """Whether this is the process that writes files and speaks."""
        return self.rank == 0

    @property
    def shard(self) -> tuple[int, int]:
        """(rank, world): of n things this process takes those with number % world == rank."""
        return self.rank, self.world

    def shard_of(self, count: int) -> tuple[int, int, int]:
        """Those of `count` things as arguments of `range`."""
        return self.rank, count, self.world


def start(device: str = "auto") -> Processes:
    """Join the processes that torchrun started, with nccl on CUDA and gloo elsewhere.

    Args:
        device: "auto" takes this process's CUDA device if there is one; or "cpu", "cuda", "cuda:N", "mps".
    Raises: ValueError: for a device that is not here; if CUDA is asked for and has fewer devices than processes here.
    """
    world, rank, local = (int(os.environ.get(name, default)) for name, default in _VARIABLES)
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
    if world > 1:
        dist.init_process_group("nccl" if device.startswith("cuda") else "gloo", timeout=TIMEOUT)
    return Processes(rank, world, device)


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


LOST = ("gloo", "nccl", "connection closed", "connection reset", "broken pipe", "socket timeout")  # lower case


@contextlib.contextmanager
def together(processes: Processes) -> Iterator[None]:
    """A block that all processes run: if one of them is gone, the others end with a sentence.

    Raises: OSError: in the place of what the communication library raised.
    """
    try:
        yield
    except RuntimeError as error:
        words = str(error).lower()
        if processes.world == 1 or isinstance(error, torch.OutOfMemoryError) or not any(w in words for w in LOST):
            raise
        raise OSError(
            f"process {processes.rank} of {processes.world} lost the others ({str(error).splitlines()[0][:120]}); "
            "expected all of them: look at what the first one to end said, and start again with --resume."
        ) from error


@contextlib.contextmanager
def first_goes_ahead(processes: Processes) -> Iterator[None]:
    """The first process runs the block, then all others do: for files that one makes and everybody reads."""
    if processes.world > 1 and not processes.first:
        dist.barrier()
    yield
    if processes.world > 1 and processes.first:
        dist.barrier()


def mean_counts(counts: Sequence[Tensor], world: int, extra: int = 0) -> tuple[Tensor, ...]:
    """Divisors of a loss whose batch is shared: the mean over processes of each.

    The mean over processes of (own sum / this) is (sum over the whole batch / its count): what one process with the
    whole batch would have. `extra` is what each count was raised by; the whole batch's is raised by it once.
    """
    if world == 1:
        return tuple(counts)
    stacked = torch.stack([count.double() for count in counts])
    dist.all_reduce(stacked)
    return tuple(((stacked - extra * (world - 1)) / world).unbind())


def mean_of(values: dict[str, float], world: int) -> dict[str, float]:
    """The mean over processes of named numbers, the same names in each."""
    if world == 1:
        return values
    stacked = torch.tensor(list(values.values()), dtype=torch.float64)
    if dist.get_backend() == "nccl":
        stacked = stacked.cuda()
    dist.all_reduce(stacked)
    return dict(zip(values, (stacked / world).tolist(), strict=True))


def all_true(mine: bool, world: int) -> bool:
    """Whether something holds in every process; the same answer in each."""
    return mean_of({"mine": float(mine)}, world)["mine"] == 1.0


def gather(thing: Thing, world: int) -> list[Thing]:
    """The same thing of every process, by rank; it is pickled on the way."""
    if world == 1:
        return [thing]
    found: list[Any] = [None] * world
    dist.all_gather_object(found, thing)
    return found


class SumOverProcesses(torch.autograd.Function):
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


class SharedBatchNorm(nn.BatchNorm2d):
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
        total = SumOverProcesses.apply(torch.cat([wide.sum((0, 2, 3)), own]))
        number, mean = total[-1], total[:-1] / total[-1]
        centred = wide - mean[:, None, None]
        variance = SumOverProcesses.apply(centred.square().sum((0, 2, 3))) / number
        with torch.no_grad():
            assert self.running_mean is not None and self.running_var is not None
            assert self.num_batches_tracked is not None and self.momentum is not None
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * number / (number - 1).clamp_min(1), self.momentum)
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return (centred * scale[:, None, None] + self.bias[:, None, None]).to(maps.dtype)


def share_batch_norms(model: nn.Module, processes: Processes) -> nn.Module:
    """The model with its batch norms over all processes; parameters and buffers stay the same tensors."""
    if processes.world == 1:
        return model
    if processes.device.startswith("cuda"):
        return nn.SyncBatchNorm.convert_sync_batchnorm(model)
    for module in model.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = SharedBatchNorm
    return model
