"""A second device in software: tensors that say that they lie elsewhere, and refuse to be mixed with those of the CPU.

They compute on the CPU and call their device "meta", which torch knows everywhere. With `OtherDevice` as context,
whatever a CUDA device would refuse is refused: an operation over tensors of both, unless the one of the CPU is a single
number, an index or the source of a copy.
"""

from __future__ import annotations

import contextlib
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

NAME = "meta"
INDEXING = {"index", "index_put", "index_put_"}  # takes indices from the CPU


class Elsewhere(Tensor):
    """A tensor of the other device; `held` is what it holds, on the CPU."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor, requires_grad: bool = False) -> Elsewhere:
        return Tensor._make_wrapper_subclass(
            cls, held.size(), held.stride(), held.storage_offset(), dtype=held.dtype, device=NAME,
            requires_grad=requires_grad,
        )  # fmt: skip

    def __init__(self, held: Tensor, requires_grad: bool = False) -> None:
        self.held = held

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        raise AssertionError(f"{func} outside of OtherDevice")


class MadeThere(TorchFunctionMode):
    """What torch does below any dispatch, by way of the CPU: `torch.tensor(numbers, device=...)`, `tolist`."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if func is torch.as_tensor and isinstance(args[0], Elsewhere):
            return args[0].to(**kwargs) if kwargs else args[0]
        if func is Tensor.tolist:
            args = (args[0].cpu(),)
        device = kwargs.pop("device", None) if func in (torch.tensor, torch.as_tensor) else None
        made = func(*args, **kwargs)
        return made if device is None else made.to(device)


class OtherDevice(TorchDispatchMode):
    """While it is entered, "meta" is the other device."""

    def __enter__(self):
        self.beside = contextlib.ExitStack()
        self.beside.enter_context(sdpa_kernel(SDPBackend.MATH))  # fast forms ask the device what it is
        self.beside.enter_context(MadeThere())
        return super().__enter__()

    def __exit__(self, *what) -> None:
        super().__exit__(*what)
        self.beside.close()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs, name = dict(kwargs or {}), func.overloadpacket.__name__
        values = tree_flatten((args, kwargs))[0]
        given = [value for value in values if isinstance(value, Tensor)]
        strays = [tuple(value.shape) for value in given if not is_there(value) and value.dim() > 0]
        named = next((value for value in values if isinstance(value, torch.device)), None)
        if named is not None:
            here = named.type != NAME
        elif name == "copy_":
            here = not is_there(args[0])
        elif name == "to" and len(given) == 2:
            here = not is_there(args[1])
        else:
            here = not any(map(is_there, given))
            indices = name in INDEXING and is_there(args[0]) and all(is_there(v) or v.dim() == 0 for v in args[2:3])
            assert here or indices or not strays, f"{name} mixes tensors of two devices; of the CPU: {strays}"
        plain = tree_map(_here, (args, kwargs))
        found = func(*plain[0], **plain[1])
        if func._schema.is_mutable and given and found is plain[0][0]:
            return args[0]
        if here:
            return found
        with torch.inference_mode(False):  # wrapped inference tensors cannot be detached
            return tree_map(lambda v: Elsewhere(v) if isinstance(v, Tensor) else v, found)


def _here(value: Any) -> Any:
    if isinstance(value, Elsewhere):
        return value.held
    return torch.device("cpu") if isinstance(value, torch.device) else value


def sent(model: nn.Module) -> nn.Module:
    """The model with its parameters and buffers on the other device; they take no gradients."""
    for module in model.modules():
        for name, value in module._parameters.items():
            if value is not None:
                module._parameters[name] = Elsewhere(value.detach())  # type: ignore[assignment]
        for name, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[name] = Elsewhere(buffer)
    return model


def is_there(value: Any) -> bool:
    """Whether a tensor lies on the other device."""
    return isinstance(value, Elsewhere)
