"""Names that training programs put in front of those of the weights, and copies of a network in one file."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from torch import Tensor

_WRAPPERS = (  # around the network or the encoder
    "module.", "_orig_mod.", "model.", "net.", "network.", "wetr.", "student.", "teacher.", "ema.", "model_ema.",
    "ema_model.", "backbone.", "segformer.",
)  # fmt: skip
_COPIES = ("model.", "net.", "network.", "wetr.", "student.", "teacher.", "ema.", "model_ema.", "ema_model.")


def strip_wrappers(key: str) -> str:
    """The name of a weight without the names of what was put around the network or the encoder."""
    return _strip(key, _WRAPPERS)


def _strip(key: str, wrappers: tuple[str, ...]) -> str:
    while key.startswith(wrappers):
        key = key.split(".", 1)[1]
    return key


def single_network(state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], str]:
    """The weights of one network where a file holds copies of it, student and teacher or model and average.

    Returns: the weights, and what was left out, for people; empty if nothing was.
    """
    names = {key: _strip(key, ("module.", "_orig_mod.")) for key in state}
    found = [copy for copy in _COPIES if any(name.startswith(copy) for name in names.values())]
    rest = [copy for copy in found[1:] if all(_same_rest(names.values(), found[0], copy))]
    if not rest:
        return dict(state), ""
    kept = {key: tensor for key, tensor in state.items() if not names[key].startswith(tuple(rest))}
    return kept, f"{found[0]}* is read, {', '.join(f'{copy}*' for copy in rest)} is not"


def _same_rest(names: Collection[str], first: str, second: str) -> list[bool]:
    """For each name of a copy, whether the first copy has it too."""
    have = {name.removeprefix(first) for name in names if name.startswith(first)}
    return [name.removeprefix(second) in have for name in names if name.startswith(second)]
