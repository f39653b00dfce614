"""Tensors out of files: safetensors and pickles of any training program, without running what a pickle may hold."""

from __future__ import annotations

import argparse
import logging
import zipfile
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

from afa_viz.model import packing
from afa_viz.model.card import CheckpointError
from afa_viz.model.wrappers import single_network

SUFFIXES = (".safetensors", ".pth", ".pt", ".bin", ".ckpt", ".tar")
CONTAINERS = (  # keys under which training programs store weights; the first that exists is read
    "state_dict", "model", "model_state_dict", "net", "network", "wetr", "module", "student", "ema", "model_ema",
    "ema_state_dict", "state_dict_ema", "teacher",
)  # fmt: skip
MAX_DEPTH = 4  # nested containers

log = logging.getLogger(__name__)


def read_weights(path: Path) -> dict[str, Tensor]:
    """Every tensor of a safetensors file or a pickle, on the CPU, under the names of the file. No code of the file
    runs."""
    if path.suffix not in SUFFIXES:
        raise CheckpointError(f"{path.name} is not a checkpoint; expected {', '.join(SUFFIXES)}: choose such a file.")
    ours = path.suffix == ".safetensors"
    try:
        with path.open("rb") as file:
            pointer = file.read(40).startswith(b"version https://git-lfs")
        packed = not ours and _is_compressed(path)
        if not pointer and not packed:
            content = packing.unpack(safetensors.torch.load_file(path)) if ours else _load_pickle(path)
    except Exception as error:  # a broken or hostile file may raise anything
        advice = (
            "a whole file: fetch it again" if ours else "whole, plain weights (no code is run): ask for safetensors"
        )
        raise CheckpointError(f"{path.name} cannot be read ({type(error).__name__}); expected {advice}.") from None
    if pointer:
        raise CheckpointError(f"{path.name} is a Git LFS pointer; expected the weights: run `git lfs pull`.")
    if packed:
        raise CheckpointError(
            f"{path.name} is packed; expected a zip that holds its tensors as they are: save it with torch.save."
        )
    content = _unwrap(content, path.name)
    if not isinstance(content, dict) or not all(isinstance(v, Tensor) for v in content.values()):
        raise CheckpointError(f"{path.name} is not a state dict; expected names and tensors: save model.state_dict().")
    weights, left_out = single_network({str(key): tensor for key, tensor in content.items()})
    if left_out:
        log.warning("%s holds a network more than once: %s.", path.name, left_out)
    return weights


def _load_pickle(path: Path) -> object:
    """What `torch.save` wrote: tensors, plain values, and the options of a run that some programs keep beside them."""
    with torch.serialization.safe_globals([argparse.Namespace]):
        return torch.load(path, "cpu", weights_only=True)


def _unwrap(content: object, name: str) -> object:
    """The state dict inside the containers of a file, with a warning if there are several."""
    for _ in range(MAX_DEPTH):
        if not isinstance(content, dict):
            break
        weights = [key for key in CONTAINERS if _holds_tensors(content.get(key), MAX_DEPTH)]
        if not weights:
            break
        if len(weights) > 1:
            log.warning("%s holds %s: %s is read.", name, " and ".join(weights), weights[0])
        content = content[weights[0]]
    return content


def _holds_tensors(content: object, depth: int) -> bool:
    """Whether something is a container with a tensor in it or in one of its containers."""
    if not isinstance(content, dict) or not depth:
        return False
    return any(isinstance(v, Tensor) for v in content.values()) or any(
        _holds_tensors(content.get(key), depth - 1) for key in CONTAINERS
    )


def _is_compressed(path: Path) -> bool:
    """Whether a zip file promises more bytes than it has; torch packs nothing, so unpacking could only fill memory."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as file:
        return sum(part.file_size for part in file.infolist()) > path.stat().st_size
