"""Reads the golden vectors in tests/golden and compares with their stated tolerances; builds the recipe weights."""

from __future__ import annotations

import functools
import json
import math
import zlib
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

ROOT = Path(__file__).parents[1] / "golden"


@functools.cache
def _manifest() -> dict:
    return json.loads((ROOT / "manifest.json").read_text())


@functools.cache
def _tensors(name: str) -> dict[str, torch.Tensor]:
    return load_file(ROOT / name)


def cases(op: str) -> list[tuple[str, dict, dict, dict]]:
    """(case name, parameters, inputs, outputs) of every case of an op; an output is (tensor, manifest entry)."""
    found = []
    for file_name, file in _manifest()["files"].items():
        for name, case in file["cases"].items():
            if case["op"] == op:
                data = _tensors(file_name)
                inputs = {key: data[entry["tensor"]] for key, entry in case["inputs"].items()}
                outputs = {key: (data[entry["tensor"]], entry) for key, entry in case["outputs"].items()}
                found.append((name, case["params"], inputs, outputs))
    assert found, f"no golden case for {op}"
    return found


def ids(value: object) -> str:
    """How pytest names a case: by its name alone."""
    return value if isinstance(value, str) else ""


def check(got: torch.Tensor, expected: tuple[torch.Tensor, dict]) -> None:
    """Assert that a tensor equals the stored one within the tolerance of its manifest entry."""
    want, entry = expected
    assert tuple(got.shape) == tuple(want.shape), (tuple(got.shape), tuple(want.shape))
    if entry["compare"] == "close":
        torch.testing.assert_close(
            got.detach().double(), want.double(), rtol=entry["rtol"], atol=entry["atol"], equal_nan=True
        )
    else:
        share = (got.long() != want.long()).double().mean().item()
        assert share <= entry["max_mismatch_fraction"], f"{share:.4%} of the labels differ"


def _unit(salt: str, key: str, count: int) -> np.ndarray:
    u = np.uint64
    with np.errstate(over="ignore"):
        seed = u(zlib.crc32(f"{salt}/{key}".encode())) << u(32)
        x = seed + np.arange(count, dtype=u) + u(0x9E3779B97F4A7C15)
        x = (x ^ (x >> u(30))) * u(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> u(27))) * u(0x94D049BB133111EB)
        x = x ^ (x >> u(31))
    return (x >> u(40)).astype(np.float32) * np.float32(2**-23) - np.float32(1)


def recipe_weights(backbone: str, salt: str = "afa-golden-v1") -> dict[str, torch.Tensor]:
    """The deterministic weights that the golden forward passes were made with: a function of each key's name."""
    keys = json.loads((ROOT / "state_dict_keys.json").read_text())["models"][backbone]["state_dict"]
    state = {}
    for key, shape in keys.items():
        if key.endswith("num_batches_tracked"):
            state[key] = torch.zeros((), dtype=torch.int64)
            continue
        s = _unit(salt, key, math.prod(shape))
        if key.endswith("running_var"):
            s = np.float32(1) + s / np.float32(4)
        elif key.endswith("running_mean") or key == "attn_proj.weight":
            s = s / np.float32(8)
        elif len(shape) == 1:
            s = s / np.float32(8)
            if key.endswith(".weight"):
                s = np.float32(1) + s
            elif key == "decoder.linear_fuse.bn.bias":
                s = s - np.float32(0.5)
        else:
            s = s * np.float32(math.sqrt(3 / math.prod(shape[1:])))
            if key.endswith(("attn.proj.weight", "mlp.fc2.weight")):
                s = s / np.float32(4)
        state[key] = torch.from_numpy(s.reshape(shape))
    return state


def golden_model(backbone: str = "mit_b0", pooling: str = "max", drop_path_rate: float = 0.1):
    """The network with recipe weights, in evaluation mode."""
    from afa_viz.model.afa import build_afa

    model = build_afa(backbone, num_classes=21, pooling=pooling, drop_path_rate=drop_path_rate)
    model.load_state_dict(recipe_weights(backbone))
    return model.eval()
