"""The network as an ONNX file with every output that the explorer shows, checked against torch before it is kept.

Symbols: B batch, C foreground classes, K = C + 1, H W pixels, h w cells at stride 16, N = h * w, M keys of a block.
"""

from __future__ import annotations

import copy
import dataclasses
import json
import logging
import re
import warnings
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from afa_viz.atomic_files import atomic_write
from afa_viz.model import layouts
from afa_viz.model.afa import AFA
from afa_viz.model.card import default_card
from afa_viz.model.interface import Network
from afa_viz.model.onnx_packages import ExportError, require_packages
from afa_viz.model.pyramid import reduction_of
from afa_viz.ops.affinity import affinity_logits

OPSET = 20  # the first with GELU
INPUT = "image"
LAYOUTS = {  # name of an output -> its layout; those of the blocks follow as attn_logits_0 and so on
    "class_logits": "(B, C)",
    "cam": "(B, C, h, w), raw: before fusion and normalisation",
    "seg_logits": "(B, K, ceil(H / 4), ceil(W / 4))",
    "affinity_logits": "(B, N, N), before the sigmoid",
    "affinity": "(B, N, N), in (0, 1)",
}
BLOCK_OUTPUT = "attn_logits_{}"  # (B, heads, queries, keys), q k^T before scale and softmax
EXAMPLE_SIZE = (2, 3, 224, 288)  # traced; two images, since torch would take a batch of one for a constant
VERIFIED_SIZES = ((1, 224, 224), (2, 256, 256), (1, 320, 192), (1, 191, 253), (1, 17, 90))  # (B, H, W)
TOLERANCE = 1e-4  # largest difference to torch as a share of the range of an output
MIN_HALVED = 64  # numbers; smaller constants stay float32


@dataclasses.dataclass(frozen=True)
class Verification:
    """How far onnxruntime is from torch: the largest difference as a share of the range of an output."""

    max_difference: float
    output: str
    sizes: tuple[tuple[int, int, int], ...]
    onnxruntime: str


class AllOutputs(nn.Module):
    """(B, 3, H, W) normalised -> the outputs of `output_names` as a tuple, all from one forward pass."""

    def __init__(self, model: AFA) -> None:
        super().__init__()
        self.model = model

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        output = self.model.forward_intermediates(image)
        logits = [block.logits for block in output.attention if block.logits is not None]
        weight, bias = self.model.attn_proj.weight, self.model.attn_proj.bias
        assert bias is not None
        combined = affinity_logits(logits, weight, bias)
        assert output.seg_logits is not None
        return output.class_logits, output.cam, output.seg_logits, combined, combined.sigmoid(), *logits


def output_names(model: AFA) -> list[str]:
    """Names of the outputs in their order."""
    return [*LAYOUTS, *(BLOCK_OUTPUT.format(block) for block in range(sum(model.encoder.depths)))]


def require_afa(model: Network) -> AFA:
    """The network, if it has all outputs. Raises: ExportError: if it has no learned affinity and decoder."""
    if isinstance(model, AFA):
        return model
    raise ExportError(
        "this network has no learned affinity or no decoder; expected one of AFA: export such a checkpoint."
    )


def export_onnx(model: Network, path: Path, half: bool = False) -> Verification | None:
    """Write a network as an ONNX file, and a JSON card with the same name beside it; both or neither.

    Args:
        model: from `load_model`; put into evaluation mode.
        path: ends in .onnx.
        half: store the weights as float16; the file computes in float32 all the same.
    Returns: how far onnxruntime is from torch; None where onnxruntime is not installed.
    Raises: ExportError: if a package is missing, the network has no such outputs, or the file differs from torch by
        more than `TOLERANCE`; nothing is kept then.
    """
    if path.suffix != ".onnx":
        raise ExportError(f"got {path.name}; expected a name that ends in .onnx: rename it.")
    model = require_afa(model)
    require_packages()
    model = copy.deepcopy(model).cpu().float().eval()
    if half:
        _round_weights(model)
    try:
        with atomic_write(path.with_suffix(".json")) as notes, atomic_write(path) as file:
            file.write_bytes(_to_onnx(model, half))
            verification = verify_onnx(model, file)
            notes.write_text(
                json.dumps(card_of(model, half, verification), indent=2, ensure_ascii=False) + "\n", "utf-8"
            )
    except OSError as error:
        raise OSError(f"{path.name} could not be written ({error.strerror or error}); make room for it.") from None
    return verification


def card_of(model: AFA, half: bool, verification: Verification | None) -> dict[str, Any]:
    """What another program needs to run the file: input, outputs, blocks, and the card of the weights."""
    known = model.card or dataclasses.replace(
        default_card(layouts.infer_backbone(model.state_dict()), model.num_classes),
        pooling=model.pooling,
        topk=model.topk,
        logit_offset=model.logit_offset,
    )
    return {
        "format": 1,
        "opset": OPSET,
        "weights": "float16" if half else "float32",
        "input": {INPUT: "(B, 3, H, W) float32: RGB in 0..255, minus mean, divided by std; B >= 1, H and W >= 16"},
        "outputs": LAYOUTS
        | {
            BLOCK_OUTPUT.format(i): "(B, heads, N of the stage, M) before scale and softmax"
            for i in range(sum(model.encoder.depths))
        },
        "blocks": _blocks(model),
        "checkpoint_id": model.checkpoint_id,
        "affinity_weight": model.attn_proj.weight.detach().flatten().tolist(),
        "affinity_bias": float(model.attn_proj.bias.detach()),  # type: ignore[union-attr]
        "verified": None if verification is None else dataclasses.asdict(verification),
        "model": json.loads(known.to_json()),
    }


def _blocks(model: AFA) -> list[dict[str, Any]]:
    """Stage from 1, heads, scale of the logits, and queries that a key spans along each side, of every block."""
    return [
        {
            "stage": stage + 1,
            "heads": block.attn.num_heads,
            "scale": (model.encoder.widths[stage] / block.attn.num_heads) ** -0.5,
            "reduction": reduction_of(block.attn),
        }
        for stage in range(4)
        for block in cast(Any, model.encoder.stage(stage)[0])
    ]


def verify_onnx(model: AFA, path: Path) -> Verification | None:
    """Compare a file with torch on noise of `VERIFIED_SIZES`; None where onnxruntime is not installed.

    Raises: ExportError: where an output has another shape, or differs by more than `TOLERANCE` of its range.
    """
    try:
        import onnxruntime
    except ModuleNotFoundError:
        return None
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    noise = torch.Generator().manual_seed(0)
    worst, where = 0.0, ""
    for batch, height, width in VERIFIED_SIZES:
        image = torch.randn(batch, 3, height, width, generator=noise)
        with torch.no_grad():
            expected = AllOutputs(model)(image)
        found = session.run(output_names(model), {INPUT: image.numpy()})
        for name, want, got in zip(output_names(model), expected, found, strict=True):
            difference = relative_difference(want, torch.from_numpy(got))
            if not difference <= TOLERANCE:
                raise ExportError(
                    f"{name} of the exported network differs from torch by {difference:.1e} of its range at {height} x "
                    f"{width} pixels; expected at most {TOLERANCE:.0e}: the file is not kept, update torch and onnx."
                )
            worst, where = max((worst, where), (difference, name))
    return Verification(worst, where, VERIFIED_SIZES, onnxruntime.__version__)


def relative_difference(expected: Tensor, found: Tensor) -> float:
    """Largest difference as a share of the range of the expected values; infinite for another shape."""
    if expected.shape != found.shape:
        return float("inf")
    span = float(expected.max() - expected.min()) or 1.0
    return float((found - expected).abs().max()) / span


def _round_weights(model: nn.Module) -> None:
    """Round the parameters to float16 where it can hold them, in place."""
    for parameter in model.parameters():
        rounded = parameter.data.half().float()
        if bool(torch.isfinite(rounded).all()):
            parameter.data = rounded


def _to_onnx(model: AFA, half: bool) -> bytes:
    """The network as the bytes of an ONNX file, batch and sides free."""
    from onnxscript import opset20 as op

    def round_half_even(number: Any, digits: None = None) -> Any:
        return op.Cast(op.Round(number), to=7)  # int64; `round` of "topk", which torch leaves to its users

    dynamic = torch.export.Dim.DYNAMIC
    axes = ({0: dynamic, 2: dynamic, 3: dynamic},)
    with warnings.catch_warnings(), _quiet_exporter():
        warnings.simplefilter("ignore")  # of torch and onnx about their own code
        traced = torch.export.export(AllOutputs(model), (torch.zeros(EXAMPLE_SIZE),), dynamic_shapes=axes, strict=False)
        program = torch.onnx.export(
            traced, (), dynamo=True, input_names=[INPUT], output_names=output_names(model), opset_version=OPSET,
            custom_translation_table={round: round_half_even}, optimize=True, verbose=False,
        )  # fmt: skip
    assert program is not None
    graph = program.model_proto
    _name_axes(graph)
    if half:
        _store_half(graph)
    return graph.SerializeToString()


class _quiet_exporter:
    """The exporter's own log messages are about its passes, not about the network."""

    def __enter__(self) -> None:
        self._loggers = [(logging.getLogger(name), logging.getLogger(name).level) for name in ("onnx_ir", "onnxscript")]
        for logger, _ in self._loggers:
            logger.setLevel(logging.ERROR)

    def __exit__(self, *_: object) -> None:
        for logger, level in self._loggers:
            logger.setLevel(level)


def _name_axes(graph: Any) -> None:
    """Call the free axes of input and outputs batch, height and width, and drop the notes of the trace."""
    axes = [axis.dim_param for axis in graph.graph.input[0].type.tensor_type.shape.dim]
    names = {axis: name for axis, name in zip(axes, ("batch", "", "height", "width"), strict=True) if axis}
    pattern = re.compile("|".join(rf"\b{re.escape(axis)}\b" for axis in names))
    for value in (*graph.graph.input, *graph.graph.output):
        for axis in value.type.tensor_type.shape.dim:
            if axis.dim_param:
                axis.dim_param = pattern.sub(lambda found: names[found[0]], axis.dim_param)
    del graph.graph.value_info[:]
    for node in graph.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""


def _store_half(graph: Any) -> None:
    """Store constants that float16 holds without loss as float16, each with a cast behind it."""
    import numpy as np
    import onnx

    casts = []
    for constant in graph.graph.initializer:
        if constant.data_type != onnx.TensorProto.FLOAT:
            continue
        values = onnx.numpy_helper.to_array(constant)
        halved = values.astype(np.float16)
        if values.size < MIN_HALVED or not np.array_equal(halved.astype(np.float32), values):
            continue
        name = constant.name
        constant.CopyFrom(onnx.numpy_helper.from_array(halved, f"{name}_half"))
        casts.append(onnx.helper.make_node("Cast", [f"{name}_half"], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *graph.graph.node]
    del graph.graph.node[:]
    graph.graph.node.extend(nodes)
