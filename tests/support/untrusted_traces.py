"""Files that are called traces, with what has to come of them. `docs/trust.md` shows this table."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

MB = 2**20
Members = dict[str, bytes]


@dataclass(frozen=True)
class MaliciousTrace:
    """A file: what it is, words of its sentence, and how it is made of the members of a good one."""

    given: str
    refused: str
    make: Callable[[Members], bytes]


def npy(array: np.ndarray, **options: Any) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, array, **options)
    return file.getvalue()


def head(descr: object = "<f4", shape: object = (4,), fortran: object = False, text: str | None = None) -> bytes:
    """The head of an array, and nothing behind it."""
    held = text if text is not None else repr({"descr": descr, "fortran_order": fortran, "shape": shape})
    written = held.encode("latin-1")
    return b"\x93NUMPY\x02\x00" + struct.pack("<I", len(written)) + written


def packed(members: Members, method: int = zipfile.ZIP_DEFLATED, comment: bytes = b"") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as opened:
        for name, content in members.items():
            opened.writestr(name, content)
        opened.comment = comment
    return file.getvalue()


def zeros(members: Members, name: str, head_: bytes, count: int) -> bytes:
    """A zip with so many zeros behind a head, made without holding them."""
    file, megabyte = io.BytesIO(), bytes(MB)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as opened:
        for other, content in members.items():
            if other != name:
                opened.writestr(other, content)
        with opened.open(name, "w", force_zip64=True) as member:
            member.write(head_)
            for _ in range(count // MB):
                member.write(megabyte)
            member.write(bytes(count % MB))
    return file.getvalue()


def meta(members: Members, **changes: Any) -> Members:
    """The members with some of the settings changed."""
    held = json.loads(str(np.lib.format.read_array(io.BytesIO(members["meta.npy"]))))
    return {**members, "meta.npy": npy(np.array(json.dumps({**held, **changes})))}


def text(members: Members, written: str) -> Members:
    return {**members, "meta.npy": npy(np.array(written))}


def put(name: str, content: bytes) -> Callable[[Members], bytes]:
    return lambda members: packed({**members, f"{name}.npy": content})


def row(given: str, refused: str, make: Callable[[Members], bytes]) -> MaliciousTrace:
    return MaliciousTrace(given, refused, make)


def without(members: Members, name: str) -> Members:
    return {other: content for other, content in members.items() if other != f"{name}.npy"}


def large_array(members: Members) -> bytes:
    return zeros(members, "affinity.npy", head(shape=(2**28,)), 2**30)


def lying(members: Members) -> bytes:
    """A member whose size in the list of files is a few bytes, and whose head says a gigabyte."""
    whole = bytearray(packed({**members, "affinity.npy": head(shape=(16_384, 16_384)) + bytes(64)}))
    return bytes(whole)


def whole_bomb(members: Members) -> bytes:
    """All shapes agree with each other: a grid of 128 x 128 cells, whose affinity alone has a gigabyte of zeros."""
    side, (h, w) = 128, (128, 128)
    held = json.loads(str(np.lib.format.read_array(io.BytesIO(members["meta.npy"]))))
    blocks, classes = len(held["attn_scales"]), len(held["class_names"])
    changed = meta(members, query_grids=[[h, w]] * blocks, key_grids=[[1, 1]] * blocks)
    shapes = {
        "image": ("|u1", (side, side, 3)), "cam": ("<f4", (classes - 1, side, side)), "regions": ("|u1", (side, side)),
        "pseudo_label": ("|u1", (side, side)), "seg": ("|u1", (side, side)), "target": ("|u1", (side, side)),
        "raw_cam": ("<f4", (classes - 1, h, w)), "cam_rw": ("<f4", (classes, h, w)),
        "cam_rw_high": ("<f4", (classes, h, w)), "cam_par": ("<f4", (classes, side, side)),
        "cam_par_high": ("<f4", (classes, side, side)), "seg_logits": ("<f4", (classes, 32, 32)),
        "cam_refined": ("<f4", (classes, side, side)), "cam_refined_high": ("<f4", (classes, side, side)),
        "affinity_label": ("|u1", (side, side)),
    }  # fmt: skip
    for name, (descr, shape) in shapes.items():
        if f"{name}.npy" in changed:
            changed[f"{name}.npy"] = head(descr, shape) + bytes(int(np.prod(shape)) * (1 if "u" in descr else 4))
    for name in [name for name in changed if name.startswith(("queries_", "keys_"))]:
        del changed[name]  # a trace need not have them
    for block in range(blocks):
        heads = np.lib.format.read_array(io.BytesIO(members[f"attn_logits_{block}.npy"])).shape[0]
        changed[f"attn_logits_{block}.npy"] = npy(np.zeros((heads, h * w, 1), np.float32))
    return zeros(changed, "affinity.npy", head(shape=(h * w, h * w)), 4 * (h * w) ** 2)


def many_files(members: Members) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as opened:
        for number in range(20_000):
            opened.writestr(f"cam{number}.npy", b"")
    return file.getvalue()


def damaged(members: Members) -> bytes:
    """The last bytes of an array changed, so that the sum of its bytes is another one."""
    whole = bytearray(packed(members, zipfile.ZIP_STORED))
    place = whole.find(members["affinity.npy"]) + len(members["affinity.npy"]) - 2
    whole[place] ^= 1
    return bytes(whole)


DEEP = 100_000
TRACES = (
    row("nothing", "small zip file", lambda m: b""),
    row("no zip file", "small zip file", lambda m: b"x" * 5000),
    row("an array alone", "small zip file", lambda m: npy(np.zeros(9))),
    row("a pickle", "small zip file", lambda m: b"\x80\x04cos\nsystem\n(S'true'\ntR."),
    row("cut off in the middle", "small zip file", lambda m: packed(m)[:-1000]),
    row("bytes behind the zip", "small zip file", lambda m: packed(m) + b"more"),
    row("a comment behind the zip", "small zip file", lambda m: packed(m, comment=b"a comment")),
    row("a comment that is the end of another zip", "lacks", lambda m: packed(m, comment=b"PK\5\6" + bytes(18))),
    row("20 000 files in the zip", "too many files", many_files),
    row("a gigabyte of zeros in a megabyte", "affinity", large_array),
    row("the same, and all shapes agree", "far more than a file of its size holds", whole_bomb),
    row("settings of 64 MB of blanks", "too long", lambda m: zeros(m, "meta.npy", head("<U16777216", ()), 2**26)),
    row("a header of a gigabyte, and 64 bytes", "does not match its header", lying),
    row("a shape of 2⁶⁰ numbers", "no kind or shape", put("affinity", head(shape=(2**60,)))),
    row("a shape whose product overflows", "does not match", put("affinity", head(shape=(2**30, 2**30, 2**30)))),
    row("a negative side", "no kind or shape", put("affinity", head(shape=(-4, 4)))),
    row("a side of 4000 digits", "no kind or shape", put("affinity", head(shape=(10**3900,)))),
    row("a side that is a fraction", "no kind or shape", put("affinity", head(shape=(2.5,)))),
    row("an array without numbers", "no kind or shape", put("affinity", head(shape=(0, 0)))),
    row("thirty sides", "no kind or shape", put("affinity", head(shape=(1,) * 30))),
    row("pickled objects", "does not match", put("affinity", npy(np.array([{}, print], dtype=object)))),
    row("a record in place of numbers", "no kind or shape", put("affinity", head(descr=[("a", "<f4")]))),
    row("texts of a gigabyte each", "does not match", put("affinity", head(descr="<U300000000", shape=(1,)))),
    row("64-bit numbers", "does not match", put("affinity", npy(np.zeros((4, 4))))),
    row("numbers the other way round", "does not match", put("affinity", npy(np.zeros((4, 4), ">f4")))),
    row("a head of brackets", "head of an array", put("affinity", head(text="(" * 3000))),
    row("a head of minus signs", "head of an array", put("affinity", head(text="-" * 3900 + "1"))),
    row("a head that is a program", "head of an array", put("affinity", head(text="__import__('os').getcwd()"))),
    row("a head of four gigabytes", "not arrays", put("affinity", b"\x93NUMPY\x02\x00\xff\xff\xff\xff")),
    row("an array of another version", "not arrays", put("affinity", b"\x93NUMPY\x09\x00" + bytes(99))),
    row("no array at all", "not arrays", put("affinity", b"text")),
    row("an affinity for another grid", "affinity has shape", put("affinity", npy(np.zeros((4, 4), np.float32)))),
    row("a picture of another size", "cam has shape (12", put("image", npy(np.zeros((64, 48, 3), np.uint8)))),
    row("a grey picture", "image has shape", put("image", npy(np.zeros((64, 48), np.uint8)))),
    row("a label of numbers with a point", "kind f4", put("seg", npy(np.zeros((9, 9), np.float32)))),
    row("a block of attention too many", "but has", put("attn_logits_100", npy(np.zeros((1, 1, 1), np.float32)))),
    row("a number of heads too many", "heads", put("affinity_weight", npy(np.zeros(17, np.float32)))),
    row("an array missing", "lacks", lambda m: packed(without(m, "cam_rw"))),
    row("a block of attention missing", "attn_logits_3", lambda m: packed(without(m, "attn_logits_3"))),
    row("no settings", "lacks meta", lambda m: packed(without(m, "meta"))),
    row("an array more", "it holds", put("other", npy(np.zeros(3)))),
    row("a name that is a path", "it holds", lambda m: packed({**m, "../../cam.npy": b""})),
    row("bzip2", "packed in a way", lambda m: packed(m, zipfile.ZIP_BZIP2)),
    row("a wrong sum of bytes", "CRC", damaged),
    row("class numbers beyond the names", "not classes", lambda m: packed({**m, "seg.npy": filled(m["seg.npy"], 200)})),
    row("regions beyond the three", "above 2", lambda m: packed({**m, "regions.npy": filled(m["regions.npy"], 3)})),
    row("settings that are not text", "not text", put("meta", npy(np.zeros(3)))),
    row("settings that are not JSON", "line 1", lambda m: packed(text(m, "{"))),
    row("settings a hundred thousand brackets deep", "levels deep", lambda m: packed(text(m, "[" * DEEP + "]" * DEEP))),
    row("settings that are a list", "settings", lambda m: packed(text(m, "[]"))),
    row("a number of 400 digits", "64 bits", lambda m: packed(meta(m, attn_scales=[10**400]))),
    row("a number of 5000 digits", "digits", lambda m: packed(text(m, '{"format": 1' + "0" * 5000 + "}"))),
    row("scales that are not numbers", "scales", lambda m: packed(meta(m, attn_scales=[float("nan")] * 8))),
    row("scales for other blocks", "grids", lambda m: packed(meta(m, attn_scales=[1.0] * 3))),
    row("a hundred thousand blocks", "scales", lambda m: packed(meta(m, attn_scales=[1] * 10**5))),
    row("a grid of no cells", "grids", lambda m: packed(meta(m, query_grids=[[0, 0]] * 8))),
    row("a grid of 2⁶² rows", "grids", lambda m: packed(meta(m, query_grids=[[2**62, 1]] * 8))),
    row("names that are numbers", "class names", lambda m: packed(meta(m, class_names=[1, 2]))),
    row("names for other arrays", "shape", lambda m: packed(meta(m, class_names=["a", "b"], palette=[[0, 0, 0]] * 2))),
    row("colours beyond 255", "colours", lambda m: packed(meta(m, palette=[[300, 0, 0]] * 13))),
    row("a setting that there is not", "no setting", lambda m: packed(meta(m, config={"x": 1}))),
    row("a setting out of range", "radius", lambda m: packed(meta(m, config={"radius": 9999}))),
    row("a fact of another kind", "affinity_at_centre", lambda m: packed(meta(m, affinity_at_centre="yes"))),
    row("some scores of a label and not the label", "affinity_label", lambda m: packed(without(m, "affinity_label"))),
    row("a later version", "another version", lambda m: packed(meta(m, format=2))),
)  # fmt: skip


def filled(content: bytes, value: int) -> bytes:
    """An array of the same kind and shape with one number everywhere."""
    return npy(np.full_like(np.lib.format.read_array(io.BytesIO(content)), value))


def members_of(whole: bytes) -> Members:
    with zipfile.ZipFile(io.BytesIO(whole)) as opened:
        return {name: opened.read(name) for name in opened.namelist()}
