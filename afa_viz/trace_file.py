"""The file of a trace: which arrays it holds, of which kind and shape, and how untrusted files are read safely.

It is a zip of `.npy` files, as `numpy.savez_compressed` writes it. Every header is read and compared with the table
before memory is taken for any array; nothing is unpickled.
"""

from __future__ import annotations

import ast
import io
import math
import os
import re
import zipfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from afa_viz.parts import Parts
from afa_viz.structured_text import parse_json

FREE_BYTES, MAX_RATIO = 2**27, 64  # a file's arrays may hold so many bytes, and so many times what the file has
MAX_TOTAL = 2**36  # bytes of all arrays
MAX_DIRECTORY = 2**17  # bytes of the zip's list of files
MAX_BLOCKS = 200
MAX_META, MAX_HEADER = 2**22, 2**12  # bytes of the settings and names, and of the head of an array
MAX_SIDE = 2**15  # of any array
MAX_CLASSES = 256
CHUNK = 2**20  # bytes that are unpacked at a time
META = "meta"
ATTENTION = re.compile(r"attn_logits_(0|[1-9]\d{0,2})")
FACTORS = ("queries", "keys")  # of the logits, of some blocks: queries_7, keys_7
FACTOR = re.compile(r"(queries|keys)_(0|[1-9]\d{0,2})")


@dataclass(frozen=True)
class Field:
    """An array of a trace.

    Attributes:
        kind: as NumPy writes it: "f4" float32, "u1" uint8.
        shape: numbers, and symbols that mean the same in all fields: H W pixels of the image, K classes with the
            background and C without, h w cells and N all of them; other symbols are whatever comes first.
        optional: whether a file may lack it.
        part: of `parts.LACKS` that it comes from: a file has it exactly where the network has that part.
    """

    kind: str
    shape: str
    optional: bool = False
    part: str | None = None


FIELDS: dict[str, Field] = {
    "image": Field("u1", "H W 3"),
    "image_labels": Field("f4", "C"),
    "class_logits": Field("f4", "C"),
    "raw_cam": Field("f4", "C h w", optional=True),
    "cam": Field("f4", "C H W"),
    "class_probs": Field("f4", "C", optional=True),
    "affinity_weight": Field("f4", "heads", part="learned_affinity"),
    "affinity_bias": Field("f4", "1", part="learned_affinity"),
    "affinity": Field("f4", "N N", part="affinity"),
    "cam_rw": Field("f4", "K h w"),
    "cam_rw_high": Field("f4", "K h w"),
    "cam_par": Field("f4", "K H W"),
    "cam_par_high": Field("f4", "K H W"),
    "regions": Field("u1", "H W"),
    "pseudo_label": Field("u1", "H W"),
    "cam_refined": Field("f4", "K H W", optional=True),
    "cam_refined_high": Field("f4", "K H W", optional=True),
    "affinity_label": Field("u1", "H W", optional=True),
    "seg_logits": Field("f4", "K H/4 W/4", part="decoder"),
    "seg": Field("u1", "H W", part="decoder"),
    "target": Field("u1", "H W", optional=True),
}
META_TYPES = {"format": int, "labels_given": bool, "checkpoint_id": str, "config": dict}  # beside the arrays
LABEL_SOURCES = ("affinity_label", "pseudo_label", "nothing")  # what affinity and decoder may have been trained on
OPTIONAL_META = {  # and what each of them may be, beside not known
    "affinity_trained_on": LABEL_SOURCES,
    "decoder_trained_on": LABEL_SOURCES,
    "affinity_at_centre": (False, True),
}
LABELS = ("pseudo_label", "affinity_label", "seg", "target")  # label maps: class indices; 255 = ignore


@dataclass(frozen=True)
class _Array:
    """What the head of an array says; `start` bytes of its file are head."""

    entry: zipfile.ZipInfo
    kind: str
    shape: tuple[int, ...]
    fortran: bool
    start: int

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * np.dtype(self.kind).itemsize


def fits_in_file(nbytes: int, file_size: int) -> bool:
    """Whether a file of so many bytes may hold arrays of so many."""
    return nbytes <= min(FREE_BYTES + MAX_RATIO * file_size, MAX_TOTAL)


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray], meta: str) -> None:
    """Write a file that `read_arrays` reads: compressed, unless it would look like one that is made to take memory."""
    whole = {**arrays, META: np.array(meta)}
    with open(path, "wb") as file:  # numpy adds .npz to names
        np.savez_compressed(file, allow_pickle=False, **whole)
        if not fits_in_file(sum(array.nbytes for array in arrays.values()), file.tell()):
            file.seek(0)
            file.truncate()
            np.savez(file, allow_pickle=False, **whole)


def read_arrays(path: str | os.PathLike[str]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Arrays by name, and what stands beside them: settings, names, grids.

    Raises: ValueError: half a sentence about what is wrong with it. OSError. Whatever zip files raise.
    """
    with open(path, "rb") as file:
        _require_short_directory(file)
        with zipfile.ZipFile(file) as opened:
            entries = _entries(opened)
            meta = _read_meta(opened, entries.pop(META))
            _require_parts(entries, Parts(**meta.get("parts", {})))
            arrays = {name: _read_header(opened, entry) for name, entry in entries.items()}
            _require_shapes(arrays, meta)
            total = sum(array.nbytes for array in arrays.values())
            if not fits_in_file(total, os.fstat(file.fileno()).st_size):
                raise ValueError(f"its arrays take {total >> 20} MB, far more than a file of its size holds")
            found = {name: _read(opened, array) for name, array in arrays.items()}
    classes = len(meta["class_names"])
    for name in LABELS:
        if name in found and ((found[name] >= classes) & (found[name] != 255)).any():
            raise ValueError(f"{name} holds numbers that are not classes")
    if found["regions"].max() > 2:
        raise ValueError("regions holds numbers above 2")
    return found, meta


def _require_short_directory(file: IO[bytes]) -> None:
    """The list of files is read whole by `zipfile`; NumPy writes nothing behind it."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 42))
    end = file.read()
    if len(end) < 42 or end[20:24] != b"PK\5\6" or end[40:42] != b"\0\0" or end[:4] == b"PK\6\7":
        raise ValueError("it does not end as a small zip file")
    if int.from_bytes(end[32:36], "little") > MAX_DIRECTORY:
        raise ValueError("it holds too many files")
    file.seek(0)


def _entries(opened: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    found: dict[str, zipfile.ZipInfo] = {}
    for entry in opened.infolist():
        name = entry.filename.removesuffix(".npy")
        known = name in FIELDS or name == META or ATTENTION.fullmatch(name) or FACTOR.fullmatch(name)
        if not known or not entry.filename.endswith(".npy") or name in found:
            raise ValueError(f"it holds {ascii(entry.filename[:40])}")
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"{name} is packed in a way that is not ours")
        found[name] = entry
    always = [name for name, field in FIELDS.items() if not field.optional and field.part is None]
    missing = [name for name in always if name not in found]
    if META not in found or missing:
        raise ValueError(f"it lacks {', '.join(missing[:3]) or META}")
    return found


def _require_parts(found: Collection[str], parts: Parts) -> None:
    """Raises: ValueError: unless there are exactly the arrays of the parts that the network has."""
    lacks = set(parts.lacks) | ({"learned_affinity"} if parts.affinity is None else set())
    needed = [name for name, field in FIELDS.items() if field.part is not None and field.part not in lacks]
    missing = [name for name in needed if name not in found]
    if missing:
        raise ValueError(f"it lacks {', '.join(missing[:3])}")
    for name, field in FIELDS.items():
        if field.part in lacks and name in found:
            raise ValueError(f"it holds {name} of a part that its network lacks")


def _read_meta(opened: zipfile.ZipFile, entry: zipfile.ZipInfo) -> dict[str, Any]:
    if entry.file_size > MAX_META:
        raise ValueError("its settings are too long")
    with opened.open(entry) as member:
        content = io.BytesIO(member.read(MAX_META))
    descr, shape, _ = _npy_header(content)
    if not re.fullmatch(r"[<>]U\d{1,7}", descr) or shape != ():
        raise ValueError("its settings are not text")
    text = content.read().decode("utf-32-le" if descr[0] == "<" else "utf-32-be")
    meta = parse_json(text.rstrip("\0"))
    _require_meta(meta)
    return meta


def _require_meta(meta: Any) -> None:
    """Raises: ValueError: unless names, colours and grids are such, one for each class and block."""

    def require(good: bool, what: str) -> None:
        if not good:
            raise ValueError(f"its {what} cannot be those of a trace")

    require(isinstance(meta, dict), "settings")
    names, palette, scales = meta.get("class_names"), meta.get("palette"), meta.get("attn_scales")
    require(_is_list_of(names, str) and 1 <= len(names) <= MAX_CLASSES, "class names")
    require(_is_list_of(palette, list) and len(palette) == len(names), "colours")
    require(all(_is_list_of(c, int) and len(c) == 3 and all(0 <= v <= 255 for v in c) for c in palette), "colours")
    parts = meta.get("parts", {})
    require(isinstance(parts, dict), "parts")
    try:
        has_attention = Parts(**parts).attention is not None
    except (TypeError, ValueError):
        raise ValueError("its parts are not those of a trace") from None
    least = 1 if has_attention else 0
    require(_is_list_of(scales, (int, float)) and least <= len(scales) <= MAX_BLOCKS * least, "scales")
    offered = meta.get("predictions", [])
    good = isinstance(offered, list) and len(offered) <= MAX_CLASSES
    require(good and all(_is_prediction(entry) for entry in offered), "predictions")
    require(all(math.isfinite(scale) for scale in scales), "scales")
    for grids in (meta.get("query_grids"), meta.get("key_grids")):
        require(_is_list_of(grids, list) and len(grids) == len(scales), "grids")
        require(all(_is_list_of(g, int) and len(g) == 2 and all(1 <= v <= MAX_SIDE for v in g) for g in grids), "grids")
    for name, kind in META_TYPES.items():
        require(isinstance(meta.get(name), kind), name)
    for name, known in OPTIONAL_META.items():
        require(meta.get(name) is None or any(type(meta[name]) is type(k) and meta[name] == k for k in known), name)


def _is_prediction(entry: Any) -> bool:
    """Whether it is a name and a probability."""
    named = isinstance(entry, list) and len(entry) == 2 and isinstance(entry[0], str) and type(entry[1]) in (int, float)
    return named and 0 <= entry[1] <= 1


def _is_list_of(values: Any, kind: type | tuple[type, ...]) -> bool:
    """Whether it is a list of things of a kind; true and false are not numbers."""
    return isinstance(values, list) and all(isinstance(v, kind) and not isinstance(v, bool) for v in values)


def _read_header(opened: zipfile.ZipFile, entry: zipfile.ZipInfo) -> _Array:
    with opened.open(entry) as member:
        content = io.BytesIO(member.read(MAX_HEADER))
    descr, shape, fortran = _npy_header(content)
    array = _Array(entry, descr[1:], shape, fortran, content.tell())
    if descr not in ("<f4", "|u1") or array.start + array.nbytes != entry.file_size:
        raise ValueError(f"{entry.filename} does not match its header")
    return array


def _npy_header(content: IO[bytes]) -> tuple[str, tuple[int, ...], bool]:
    """Kind, shape and order of an array whose head begins here. Raises: ValueError: for any other head."""
    magic = content.read(8)
    size = {b"\x01\x00": 2, b"\x02\x00": 4, b"\x03\x00": 4}.get(magic[6:], 0)
    length = int.from_bytes(content.read(size), "little")
    if magic[:6] != b"\x93NUMPY" or not 0 < length < MAX_HEADER - 12:
        raise ValueError("it holds files that are not arrays")
    try:
        held = ast.literal_eval(content.read(length).decode("latin-1").strip())
    except (ValueError, SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError("the head of an array cannot be read") from error
    if not isinstance(held, dict) or set(held) != {"descr", "fortran_order", "shape"}:
        raise ValueError("the head of an array lacks its kind or shape")
    descr, shape, fortran = held["descr"], held["shape"], held["fortran_order"]
    sides = isinstance(shape, tuple) and len(shape) <= 4 and all(type(n) is int and 0 < n <= MAX_SIDE**2 for n in shape)
    if not isinstance(descr, str) or not sides or not isinstance(fortran, bool):
        raise ValueError("the head of an array holds no kind or shape of ours")
    return descr, shape, fortran


def _require_shapes(arrays: Mapping[str, _Array], meta: Mapping[str, Any]) -> None:
    """Every array is of its kind and shape; the shapes agree with each other and with the names and grids beside."""
    queries, keys, count = meta["query_grids"], meta["key_grids"], len(meta["class_names"])
    scores = arrays["cam_rw"].shape
    h, w = queries[-1] if queries else (scores[-2:] if len(scores) == 3 else (1, 1))
    extra = Parts(**meta.get("parts", {})).extra_tokens
    known = {"K": count, "C": count - 1, "h": h, "w": w, "N": h * w}
    for name, field in FIELDS.items():
        if name in arrays:
            _require_shape(name, arrays[name], field.kind, field.shape.split(), known)
    if known.get("H/4", 0) > known["H"] or known.get("W/4", 0) > known["W"] or h > known["H"] or w > known["W"]:
        raise ValueError("its maps are larger than its image")
    for name, array in arrays.items():
        if name in FIELDS:
            continue
        block = int(name.rsplit("_", 1)[-1])
        if block >= len(queries):
            raise ValueError(f"it holds {name} but has {len(queries)} blocks")
        if factor := FACTOR.fullmatch(name):
            pair = [f"{other}_{block}" for other in (*FACTORS, "attn_logits")]
            if lacking := [other for other in pair if other not in arrays]:
                raise ValueError(f"it holds {name} but lacks {lacking[0]}")
            tokens = extra + math.prod((queries if factor[1] == "queries" else keys)[block])
            _require_shape(name, array, "f4", [f"heads of {block}", str(tokens), f"width of {block}"], known)
            continue
        sides = [f"heads of {block}", *(str(extra + math.prod(grids[block])) for grids in (queries, keys))]
        _require_shape(name, array, "f4", sides, known)
    last = [known.get(f"heads of {block}", 0) for block in range(len(queries))[-2:]]
    if "heads" in known and sum(last) != known["heads"]:
        raise ValueError(f"affinity_weight has {known['heads']} numbers for {sum(last)} heads of the last two blocks")


def _require_shape(name: str, array: _Array, kind: str, sides: Sequence[str], known: dict[str, int]) -> None:
    """Raises: ValueError: unless an array is of a kind and shape. Symbols that are new become known."""
    wanted = tuple(int(side) if side.isdecimal() else known.get(side, -1) for side in sides)
    same = len(wanted) == len(array.shape) and all(w in (-1, n) for w, n in zip(wanted, array.shape, strict=False))
    if not same or array.kind != kind:
        expected = ", ".join(str(size) if size >= 0 else side for side, size in zip(sides, wanted, strict=True))
        raise ValueError(f"{name} has shape {array.shape} and kind {array.kind}; expected ({expected}) and {kind}")
    known |= {side: size for side, size in zip(sides, array.shape, strict=True) if not side.isdecimal()}


def _read(opened: zipfile.ZipFile, array: _Array) -> np.ndarray:
    """The numbers of an array, a part at a time."""
    flat = np.empty(array.nbytes, np.uint8)
    place, room = 0, memoryview(flat)  # type: ignore[arg-type]
    with opened.open(array.entry) as member:
        member.read(array.start)
        while place < array.nbytes:
            part = member.read(min(CHUNK, array.nbytes - place))
            if not part:
                raise ValueError(f"{array.entry.filename} breaks off")
            room[place : place + len(part)] = part
            place += len(part)
        member.read(1)  # the end, where the sum of the bytes is compared
    numbers = flat.view(np.dtype(f"<{array.kind}"))
    return numbers.reshape(array.shape[::-1]).T if array.fortran else numbers.reshape(array.shape)
