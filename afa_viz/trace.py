"""Trace: every stage of one explained image, frozen, on the CPU, saved and loaded without loss."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import afa_viz
from afa_viz.atomic_files import atomic_write
from afa_viz.config import ExplainConfig
from afa_viz.parts import Parts
from afa_viz.trace_file import FACTORS, FIELDS, OPTIONAL_META, read_arrays, write_arrays

FORMAT = 1
MAX_REASON = 300  # characters of the reason in a message
_ADDED = ("cam_refined", "cam_refined_high", "affinity_label")  # files of earlier versions lack them


MAX_NAMES = 8  # class names in a summary
NOT_KEPT = "the attention of stages 1 to 3 was not kept (keep_attention is 'last_stage')."


@dataclass(frozen=True, eq=False)  # equal only to itself: tensors have no single truth value
class Trace:
    """All stages of one image, in the order `image, cam, attention, affinity, cam_rw, cam_par, regions,
    pseudo_label, seg`.

    The stages do not form a chain: the affinity comes from the attention and joins the CAM at the walk, and two labels
    are made from the CAM: `affinity_label` (R_cam, without the walk) and `pseudo_label` (R_aff, with it).

    C foreground classes, K = C + 1 with background first, H W pixels of the explained image, h w cells at the stride
    of `parts`, 16 for AFA (ceil divisions), N = h * w cells in row-major order, X extra tokens (0 for AFA).

    Parts that a method lacks are None (`attn_logits`: empty), and `parts.lacks` says so in a sentence each.

    Attributes:
        image: (H, W, 3) uint8 RGB, at the size that was explained; where `config.occlude` hides a box, with that box
            filled.
        image_labels: (C,) float32 multi-hot: the classes that the pseudo label may use.
        labels_given: whether they came with the image (True) or were predicted (False).
        class_logits: (C,) float32, of the classifier.
        raw_cam: (C, h, w) float32: the class activation of the image as it is, from which `cam` begins; negative
            values are kept. None in files of an earlier version.
        attn_logits: one (heads, X + queries, X + keys) float32 map a block: q k^T before scale and softmax. Stages 1
            to 3 have fewer keys than queries; None for their blocks where `config.keep_attention` is "last_stage". Of
            a method that gives probabilities alone: their logarithm.
        attn_scales: the factor before softmax, one a block; see `attn_probs`.
        query_grids, key_grids: (rows, columns) of queries and keys, one a block.
        affinity_weight, affinity_bias: (heads of the last two blocks,) and (1,): the learned combination; None where
            the affinity is not learned. Those that made the affinity: `used_affinity_head`.
        cam: (C, H, W) float32 in [0, 1): fused over scales and flips, normalised; absent classes included.
        affinity: (N, N) float32: learned, in (0, 1); or averaged, in [0, 1], see `ops.averaged_affinity`; or None.
            Pairs that `config.affinity_edits` sets are 1 or 0.
        cam_rw, cam_rw_high: (K, h, w) float32 after the random walk, with the low and the high background score.
            Without the walk: where it would have started.
        cam_par, cam_par_high: (K, H, W) float32 after PAR, likewise. Without PAR: `cam_rw` at image size.
        pseudo_label: (H, W) uint8: 0 background, 1..C classes, 255 uncertain. R_aff, from `cam_par`: what the decoder
            is trained on in the joint phase.
        regions: (H, W) uint8, of `pseudo_label`: 0 reliable background, 1 reliable foreground, 2 uncertain.
        cam_refined, cam_refined_high: (K, H, W) float32: the CAM after PAR without the walk, with the low and the high
            background score. Without the walk they are `cam_par` and `cam_par_high`.
        affinity_label: (H, W) uint8 as `pseudo_label`: R_cam, from `cam_refined`: what the affinity is trained on.
        seg_logits: (K, H / 4, W / 4) float32, of the decoder; None without one.
        seg: (H, W) uint8 label of the decoder; uses no image labels. None without one.
        target: (H, W) uint8 ground truth with 255 = ignore, or None where it is not known.
        class_names: K names, background first. palette: K colours.
        config: the settings that made this trace. checkpoint_id: of the weights.
        affinity_trained_on, decoder_trained_on, affinity_at_centre: as in the model's card (`model.card.Card`); None
            where that is not known.
        parts: which parts the method has; see `Parts`.
        class_probs: (C,) float32, of the softmax over all classes of the network; None where each is decided for
            itself. Of a network with more classes than a label map holds, a trace has the given and the most probable.
        predictions: those most probable classes with their probabilities, to be given as image labels; None where the
            trace has all classes.
        queries, keys: one entry a block, (heads, X + N, d) float32 for each of the last two blocks and None for those
            before; `attn_logits` of a block is queries k^T. None for all where the network does not give them, and in
            files of an earlier version.
    """

    image: Tensor
    image_labels: Tensor
    labels_given: bool
    class_logits: Tensor
    raw_cam: Tensor | None
    attn_logits: tuple[Tensor | None, ...]
    attn_scales: tuple[float, ...]
    query_grids: tuple[tuple[int, int], ...]
    key_grids: tuple[tuple[int, int], ...]
    affinity_weight: Tensor | None
    affinity_bias: Tensor | None
    cam: Tensor
    affinity: Tensor | None
    cam_rw: Tensor
    cam_rw_high: Tensor
    cam_par: Tensor
    cam_par_high: Tensor
    regions: Tensor
    pseudo_label: Tensor
    cam_refined: Tensor
    cam_refined_high: Tensor
    affinity_label: Tensor
    seg_logits: Tensor | None
    seg: Tensor | None
    target: Tensor | None
    class_names: tuple[str, ...]
    palette: tuple[tuple[int, int, int], ...]
    config: ExplainConfig
    checkpoint_id: str
    affinity_trained_on: str | None = None
    decoder_trained_on: str | None = None
    affinity_at_centre: bool | None = None
    parts: Parts = Parts()
    class_probs: Tensor | None = None
    predictions: tuple[tuple[str, float], ...] | None = None
    queries: tuple[Tensor | None, ...] | None = None
    keys: tuple[Tensor | None, ...] | None = None

    @property
    def grid(self) -> tuple[int, int]:
        """(rows, columns) of the grid of CAM, walk and affinity, at the stride of `parts`."""
        rows, cols = self.cam_rw.shape[-2:]
        return rows, cols

    @property
    def present(self) -> tuple[int, ...]:
        """Labels (1..C) of the classes in `image_labels`."""
        return tuple(int(c) + 1 for c in self.image_labels.nonzero().flatten())

    @property
    def kept_blocks(self) -> range:
        """Numbers of the blocks whose attention was kept: all, or those of the last stage."""
        missing = sum(logits is None for logits in self.attn_logits)
        return range(missing, len(self.attn_logits))

    @property
    def used_affinity_head(self) -> tuple[Tensor, Tensor]:
        """Weight (heads of the last two blocks,) and bias (1,) that made `affinity`: learned, but for what
        `config.head_weights` and `config.affinity_bias` replace.

        Raises: ValueError: if the affinity is not learned.
        """
        self.parts.require("affinity")
        self.parts.require("learned_affinity")
        assert self.affinity_weight is not None and self.affinity_bias is not None
        from afa_viz.ops.affinity import replace_head  # a lazy step up, as in `report`

        return replace_head(
            self.affinity_weight, self.affinity_bias, self.config.head_weights, self.config.affinity_bias
        )

    def query_key(self, block: int) -> tuple[Tensor, Tensor] | None:
        """Queries and keys of one block, (heads, X + N, d) each; None where they were not kept.

        Raises: ValueError: as `logits`.
        """
        self.logits(block)
        if self.queries is None or self.keys is None:
            return None
        query, key = self.queries[block], self.keys[block]
        return None if query is None or key is None else (query, key)

    def logits(self, block: int) -> Tensor:
        """`attn_logits` of one block: (heads, queries, keys); negative numbers count from the end.

        Raises: ValueError: for a block that there is not, or whose attention was not kept.
        """
        self.parts.require("attention")
        blocks = len(self.attn_logits)
        found = self.attn_logits[block] if -blocks <= block < blocks else None
        if found is None:
            raise ValueError(
                f"got block {block}; expected {self.kept_blocks.start} to {blocks - 1}: "
                + (f"this network has {blocks} blocks." if not self.kept_blocks.start else NOT_KEPT)
            )
        return found

    def attn_probs(self, block: int) -> Tensor:
        """Attention of one block after scale and softmax: (heads, queries, keys), each query sums to 1.

        Raises: ValueError: as `logits`.
        """
        return (self.logits(block) * self.attn_scales[block]).softmax(dim=-1)

    def cell_logits(self, block: int) -> Tensor:
        """`logits` without the extra tokens: (heads, queries, keys)."""
        extra = self.parts.extra_tokens
        return self.logits(block)[:, extra:, extra:]

    def cell_probs(self, block: int) -> Tensor:
        """`attn_probs` without the extra tokens: (heads, queries, keys); what these get is missing from the sums."""
        extra = self.parts.extra_tokens
        return self.attn_probs(block)[:, extra:, extra:]

    def __repr__(self) -> str:
        """A line for the image, and one for every stage with its shape."""
        (height, width), (rows, cols) = self.image.shape[:2], self.grid
        names = ", ".join(self.class_names[label] for label in self.present[:MAX_NAMES]) or "no class"
        names += f" and {len(self.present) - MAX_NAMES} more" if len(self.present) > MAX_NAMES else ""
        given = "given" if self.labels_given else "predicted"
        lines = [f"Trace of {height} x {width} pixels, {rows} x {cols} cells, image labels ({given}): {names}"]
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value is None:
                lines.append(f"  {field.name}: none")
            elif field.name == "attn_logits" and not value:
                lines.append("  attn_logits: none")
            elif field.name in FACTORS:
                lines.append(
                    f"  {field.name}: last {sum(one is not None for one in value)} blocks, {_shape(value[-1])}"
                )
            elif isinstance(value, Tensor):
                lines.append(f"  {field.name}: {_shape(value)} {str(value.dtype).removeprefix('torch.')}")
            elif field.name == "attn_logits":
                first, last = self.logits(self.kept_blocks.start), self.logits(-1)
                kept = (
                    f"{len(value)} blocks"
                    if len(self.kept_blocks) == len(value)
                    else (f"last {len(self.kept_blocks)} of {len(value)} blocks")
                )
                lines.append(f"  attn_logits: {kept}, {_shape(first)} to {_shape(last)}")
        return "\n".join([*lines, *(f"  {sentence}" for sentence in self.parts.lacks.values())])

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write everything to one compressed `.npz` file, whole or not at all; returns its path."""
        path = Path(path)
        if path.suffix != ".npz":
            raise ValueError(f"{path.name} does not end in .npz; expected a name like trace.npz.")
        arrays = {name: value.numpy() for name in FIELDS if (value := getattr(self, name)) is not None}
        arrays |= {f"attn_logits_{i}": self.logits(i).numpy() for i in self.kept_blocks}
        for name in FACTORS:
            blocks = getattr(self, name) or ()
            arrays |= {f"{name}_{i}": block.numpy() for i, block in enumerate(blocks) if block is not None}
        meta = {
            "format": FORMAT,
            "package_version": afa_viz.__version__,  # for people; `format` decides what can be read
            "labels_given": self.labels_given,
            "attn_scales": self.attn_scales,
            "query_grids": self.query_grids,
            "key_grids": self.key_grids,
            "class_names": self.class_names,
            "palette": self.palette,
            "config": dataclasses.asdict(self.config),
            "checkpoint_id": self.checkpoint_id,
            **{name: getattr(self, name) for name in OPTIONAL_META},
            **({} if self.parts == Parts() else {"parts": dataclasses.asdict(self.parts)}),
            **({} if self.predictions is None else {"predictions": self.predictions}),
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as partial:
            write_arrays(partial, arrays, json.dumps(meta))
        return path

    @staticmethod
    def load(path: str | os.PathLike[str]) -> Trace:
        """Read a file of `save`. Safe for untrusted files: memory is allocated only after all shapes have been checked
        against each other and the file size; see `trace_file`. For files of earlier versions `affinity_label` and its
        scores are computed.

        Raises: FileNotFoundError: if there is no such file. ValueError: if it is not a trace, in one sentence.
        """
        if not Path(path).is_file():
            raise FileNotFoundError(f"there is no file {path}; expected a trace written by Trace.save.")
        try:
            arrays, meta = read_arrays(path)
            if meta["format"] != FORMAT:
                raise ValueError("it is of another version")
            tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
            config: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in meta["config"].items()}
            fields: dict[str, Any] = {name: tensors.get(name) for name in FIELDS} | {
                "attn_logits": _blocks(tensors, len(meta["attn_scales"]), meta["config"].get("keep_attention")),
                "attn_scales": tuple(meta["attn_scales"]),
                "query_grids": tuple((rows, cols) for rows, cols in meta["query_grids"]),
                "key_grids": tuple((rows, cols) for rows, cols in meta["key_grids"]),
                "labels_given": meta["labels_given"],
                "class_names": tuple(meta["class_names"]),
                "palette": tuple((r, g, b) for r, g, b in meta["palette"]),
                "config": ExplainConfig(**config),
                "checkpoint_id": meta["checkpoint_id"],
                **{name: meta.get(name) for name in OPTIONAL_META},
                "parts": Parts(**meta.get("parts", {})),
            }
            for name in FACTORS:
                found = tuple(tensors.get(f"{name}_{i}") for i in range(len(meta["attn_scales"])))
                fields[name] = found if any(block is not None for block in found) else None
            if "predictions" in meta:
                fields["predictions"] = tuple((name, share) for name, share in meta["predictions"])
            missing = [name for name in _ADDED if name not in tensors]
            if not missing:
                return Trace(**fields)
            if len(missing) < len(_ADDED):
                raise ValueError(f"it lacks {missing[0]}")
            from afa_viz.stages.one_image import compute_affinity_label  # a lazy step up, as in `report`

            return Trace(**fields | compute_affinity_label(fields, fields["config"]))
        except Exception as error:  # a broken or hostile file may raise anything
            reason = str(error).rstrip(".")[:MAX_REASON] or type(error).__name__
            raise ValueError(
                f"{Path(path).name} is not a trace of this version ({reason}); expected a file written by Trace.save."
            ) from error

    def report(
        self, path: str | os.PathLike[str], language: str = "en", names: Mapping[str, str] | None = None
    ) -> Path:
        """Write the explorer with this trace inside as one HTML file that opens without a network. Returns its path.

        Args:
            language: that it begins with, "en" or "ko"; the file holds both. names: what classes are called in it,
                beside the app's own translations; English keeps the names of the trace.
        Raises: ValueError: for another language.
        """
        return afa_viz.write_report(self, path, language, names)  # docs/decisions/002-trace-report.md


def _shape(tensor: Tensor) -> str:
    return " x ".join(map(str, tensor.shape))


def _blocks(arrays: dict[str, Tensor], count: int, keep_attention: str | None) -> tuple[Tensor | None, ...]:
    """The attention of every block in a file. Raises: ValueError: for one that should be there and is not."""
    found = tuple(arrays.get(f"attn_logits_{i}") for i in range(count))
    first = 0
    if keep_attention == "last_stage":
        first = next((i for i, block in enumerate(found) if block is not None), 0)
    missing = [i for i in range(first, count) if found[i] is None]
    if missing:
        raise ValueError(f"it lacks attn_logits_{missing[-1]}")
    return found
