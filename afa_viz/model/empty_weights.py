"""Networks whose first weights are not drawn, since those of a file take their place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode

FILLS = frozenset({
    Tensor.uniform_, Tensor.normal_, Tensor.erfinv_, Tensor.fill_, Tensor.zero_, Tensor.mul_, Tensor.add_,
    Tensor.clamp_,
})  # fmt: skip


class EmptyWeights(TorchFunctionMode):
    """Context in which a network is built with whatever its memory holds: every tensor of it must be filled afterwards.

    To draw first weights takes several times as long as to build the modules and read the file. In this thread alone.
    """

    def __torch_function__(
        self, func: Callable, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = kwargs or {}
        if func in FILLS or getattr(func, "__module__", "") == "torch.nn.init":
            return args[0] if args else given["tensor"]
        return func(*args, **given)
