"""Weights and cards that somebody made to do harm, or broke: what each is. `docs/trust.md` shows these tables."""

from __future__ import annotations

import functools
import importlib
import io
import json
import os
import pickle
import runpy
import struct
import subprocess
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

State = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Weights:
    """One file of weights: its name, what it is in words, and its bytes from good ones.

    Attributes:
        make: (good weights, a path that a successful attack creates) -> bytes.
        refused: part of the sentence.
    """

    name: str
    given: str
    make: Callable[[State, Path], bytes]
    refused: str = "cannot be read"


class Gadget:
    """Its pickle calls something when it is opened carelessly."""

    def __init__(self, call: Any, *arguments: Any) -> None:
        self.call, self.arguments = call, arguments

    def __reduce__(self) -> tuple:
        return self.call, self.arguments


def saved(content: Any, old: bool = False) -> bytes:
    file = io.BytesIO()
    torch.save(content, file, _use_new_zipfile_serialization=not old)
    return file.getvalue()


def gadgets(mark: Path) -> dict[str, Any]:
    """What an attacker would try; each makes the file `mark`."""
    touch, code = f"touch {mark}", f"open({str(mark)!r}, 'w')"
    inner = pickle.dumps(Gadget(os.system, touch))
    return {
        "os.system": Gadget(os.system, touch),
        "subprocess.check_call": Gadget(subprocess.check_call, ["touch", str(mark)]),
        "eval": Gadget(eval, code),
        "exec": Gadget(exec, code),
        "open": Gadget(open, str(mark), "w"),
        "os.mkdir": Gadget(os.mkdir, str(mark)),
        "a program of its own": Gadget(runpy._run_code, code, {}),
        "importlib": Gadget(importlib.import_module, "antigravity"),
        "functools.partial": Gadget(functools.partial, os.system, touch),
        "a pickle in a pickle": Gadget(pickle.loads, inner),
        "torch's own reader": Gadget(torch.storage._load_from_bytes, inner),
    }


def pickles() -> list[Weights]:
    """Every gadget as a zip file, as an old file, as a plain pickle."""
    forms: dict[str, Callable[[Any], bytes]] = {
        "zip": lambda content: saved({"classifier.weight": content}),
        "old": lambda content: saved({"classifier.weight": content}, old=True),
        "plain": lambda content: pickle.dumps(content),
    }
    return [
        Weights(f"{form}.pth", f"a pickle that calls {name}",
                lambda _, mark, name=name, write=write: write(gadgets(mark)[name]))
        for name in gadgets(Path("x"))
        for form, write in forms.items()
    ]  # fmt: skip


def parts(state: State) -> tuple[dict[str, Any], bytes]:
    """Header and data of a safetensors file."""
    content = save(state)
    length = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def joined(header: Any, data: bytes, length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def changed(change: Callable[[dict[str, Any]], None]) -> Callable[[State, Path], bytes]:
    """A safetensors file whose header says something else."""

    def make(state: State, _: Path) -> bytes:
        header, data = parts(state)
        change(header)
        return joined(header, data)

    return make


def of(state: Callable[[State], State]) -> Callable[[State, Path], bytes]:
    """A whole safetensors file of other weights."""
    return lambda good, _: save({key: tensor.contiguous() for key, tensor in state(dict(good)).items()})


KEY = "attn_proj.weight"  # (1, 16, 1, 1)


def deflated(state: State, _: Path) -> bytes:
    """A zip whose 256 MB of zeros are packed; torch would unpack them."""
    plain = zipfile.ZipFile(io.BytesIO(saved({"x": torch.zeros(2**26)})))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
        for name in plain.namelist():
            packed.writestr(name, plain.read(name))
    return file.getvalue()


def lengths() -> list[Weights]:
    return [
        Weights("length.safetensors", f"header length {words}",
                lambda state, _, n=n: joined(*parts(state), length=n))
        for n, words in ((0, "0"), (1, "1"), (2**20, "beyond the header"), (2**40, "beyond the file"), (2**63, "2⁶³"),
                         (2**64 - 1, "2⁶⁴ − 1"))
    ]  # fmt: skip


def odd(key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda header: header[KEY].update({key: value})


SAFETENSORS = [
    *lengths(),
    Weights("text.safetensors", "a header that is not JSON", lambda s, _: joined(b"{not json", parts(s)[1])),
    Weights("list.safetensors", "a header that is a list", lambda s, _: joined([1], parts(s)[1])),
    Weights("nothing.safetensors", "no byte at all", lambda s, _: b""),
    Weights("pickle.safetensors", "a pickle under another name", lambda s, _: saved(s)),
    Weights("dtype.safetensors", "a number format that there is not", changed(odd("dtype", "F99"))),
    Weights("beyond.safetensors", "offsets beyond the file", changed(odd("data_offsets", [0, 2**40]))),
    Weights("backward.safetensors", "offsets that run backwards", changed(odd("data_offsets", [64, 0]))),
    Weights("negative.safetensors", "negative offsets", changed(odd("data_offsets", [-64, 0]))),
    Weights("overlap.safetensors", "two tensors on the same bytes", changed(odd("data_offsets", [0, 64]))),
    Weights("larger.safetensors", "a shape larger than its bytes", changed(odd("shape", [1, 2**40, 1, 1]))),
    Weights("overflow.safetensors", "a shape that overflows", changed(odd("shape", [2**62, 2**62, 4, 4]))),
    Weights("minus.safetensors", "a negative shape", changed(odd("shape", [-16, -1, 1, 1]))),
    Weights("tail.safetensors", "bytes behind the last tensor", lambda s, _: save(s) + b"x"),
    Weights("cut.safetensors", "truncated in the middle", lambda s, _: save(s)[: len(save(s)) // 2]),
    Weights("int8.safetensors", "a packed matrix without its scales",
            of(lambda s: s | {KEY: s[KEY].to(torch.int8), "classifier.weight.int8_scale": torch.ones(20)})),
    Weights("scales.safetensors", "more scales than rows",
            of(lambda s: s | {KEY: s[KEY].to(torch.int8), f"{KEY}.int8_scale": torch.ones(7)})),
    Weights("scale.safetensors", "scales that are NaN",
            of(lambda s: s | {KEY: torch.ones_like(s[KEY]).to(torch.int8), f"{KEY}.int8_scale": torch.full((1,),
               torch.nan)}),
            "NaN or infinite"),
]  # fmt: skip

UNFIT = [
    Weights("none.safetensors", "no tensors", of(lambda s: {}), "there are no tensors"),
    Weights("missing.safetensors", "a tensor is missing", of(lambda s: {k: v for k, v in s.items() if k != KEY}),
            "missing: attn_proj.weight"),
    Weights("extra.safetensors", "a tensor too many", of(lambda s: s | {"aux": torch.ones(1)}), "extra: aux"),
    Weights("name.safetensors", "a tensor named like a path of 5000 letters",
            of(lambda s: s | {"../../x" + "y" * 5000: torch.ones(1)}), "extra: ../../x"),
    Weights("shape.safetensors", "a wrong shape", of(lambda s: s | {KEY: torch.zeros(1, 8, 1, 1)}), "[1, 8, 1, 1]"),
    Weights("scalar.safetensors", "a number in place of a matrix",
            of(lambda s: s | {"classifier.weight": torch.tensor(1.0)}), "classifier.weight []"),
    Weights("flat.safetensors", "numbers in place of the first layer",
            of(lambda s: s | {"encoder.patch_embed1.proj.weight": torch.tensor(1.0)}), "patch_embed1.proj.weight []"),
    Weights("classes.safetensors", "another number of classes than the card's",
            of(lambda s: s | {"classifier.weight": torch.zeros(7, 256, 1, 1)}), "[7, 256, 1, 1]"),
    *[Weights(f"{word}.safetensors", f"weights that are {word}",
              of(lambda s, value=value: s | {KEY: torch.full((1, 16, 1, 1), value)}), "NaN or infinite")
      for word, value in (("nan", torch.nan), ("inf", torch.inf), ("minus_inf", -torch.inf))],
    Weights("whole.safetensors", "whole numbers", of(lambda s: s | {KEY: s[KEY].to(torch.int32)}), "torch.int32"),
    Weights("layers.safetensors", "a backbone of eleven blocks a stage",
            of(lambda s: s | {"encoder.block1.10.norm1.weight": torch.ones(32)}), "extra: encoder.block1.10"),
    Weights("mmseg.safetensors", "mmseg's layout",
            of(lambda s: {"backbone.layers.0.1.0.ffn.w": torch.ones(1)}), "mmseg"),
    Weights("resnet.safetensors", "another network",
            of(lambda s: {"conv1.weight": torch.ones(1)}), "one of the layouts"),
    Weights("sparse.pth", "a sparse tensor", lambda s, _: saved(s | {KEY: s[KEY].to_sparse()}), "attn_proj.weight"),
    Weights("complex.pth", "complex numbers", lambda s, _: saved(s | {KEY: s[KEY].to(torch.complex64)}), "complex64"),
    Weights("meta.pth", "a tensor without numbers",
            lambda s, _: saved(s | {KEY: s[KEY].to("meta")}), "attn_proj.weight"),
    Weights("quantised.pth", "a quantised tensor",
            lambda s, _: saved(s | {KEY: torch.quantize_per_tensor(s[KEY], 0.1, 0, torch.qint8)}), "attn_proj.weight"),
    Weights("view.pth", "a tensor of 2⁵⁰ numbers that are all the same one",
            lambda s, _: saved(s | {KEY: torch.ones(1).expand(2**50)}), "attn_proj.weight"),
    Weights("loop.pth", "a container that holds itself", lambda s, _: saved(holding_itself()), "is not a state dict"),
    Weights("packed.pth", "256 MB of zeros in a small zip", deflated, "is packed"),
]  # fmt: skip


def holding_itself() -> dict[str, Any]:
    container: dict[str, Any] = {"epoch": 3}
    container["state_dict"] = container
    return container


@dataclass(frozen=True)
class CardChange:
    """One card: what is changed in a good one, in words and as fields; or its whole text."""

    given: str
    fields: dict[str, Any] = field(default_factory=dict)
    text: str = ""
    refused: str = "the card"


NAMES = ["background", *(f"class {i}" for i in range(1, 21))]
CARDS = [
    CardChange("names that are paths", {"class_names": [*NAMES[:20], "../../etc/passwd\n"]}, refused="class_names"),
    CardChange("a name over two lines", {"class_names": [*NAMES[:20], "a\nb"]}, refused="class_names"),
    CardChange("a name of half a character", {"class_names": [*NAMES[:20], "\ud800"]}, refused="class_names"),
    CardChange("a name of 10 000 letters", {"class_names": [*NAMES[:20], "x" * 10_000]}, refused="class_names"),
    CardChange("an empty name", {"class_names": [*NAMES[:20], ""]}, refused="class_names"),
    CardChange("one name twice", {"class_names": [*NAMES[:20], "class 1"]}, refused="class_names"),
    CardChange("a hundred thousand classes", {"num_classes": 10**5, "class_names": [f"c{i}" for i in range(10**5)],
               "palette": [[0, 0, 0]] * 10**5}, refused="num_classes"),
    CardChange("images of a million pixels per side", {"input_size": 10**6}, refused="input_size"),
    CardChange("a number of 5000 digits", text='{"format": ' + "9" * 5000 + "}"),
    CardChange("a number of 4000 digits", {"num_classes": 10**4000}, refused="num_classes"),
    CardChange("brackets a hundred thousand deep", text='{"training": ' + "[" * 10**5),
    CardChange("a card of 20 MB", {"training": {"config": "x" * 20 * 2**20}}, refused="MB"),
    CardChange("no object", text="[]"),
    CardChange("nothing", text=""),
    CardChange("a backbone that is a path", {"backbone": "../../mit_b0"}, refused="../../mit_b0"),
    CardChange("a backbone of the other family", {"backbone": "pvt_v2_b0"}, refused="pvt_v2_b0"),
    CardChange("13 classes for weights of 21", {"num_classes": 13, "class_names": NAMES[:13],
               "palette": [[0, 0, 0]] * 13}, refused="13 classes"),
    CardChange("a field too many", {"__class__": "os.system"}),
]  # fmt: skip
