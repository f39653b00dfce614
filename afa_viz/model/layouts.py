"""How others name the weights: key maps between AFA's names and every published layout.

Each layout is a table of pairs, our name and theirs. `{i}` is the stage from 1, `{k}` the same from 0, `{r}` the
same from 0 but last stage first, `{j}` the block, `{rest}` whatever follows. Both directions read the same table.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Mapping

import torch
from torch import Tensor

from afa_viz.model.card import PARTS, CheckpointError, format_names
from afa_viz.model.mix_transformer import VARIANTS
from afa_viz.model.other_networks import reject_other_networks
from afa_viz.model.wrappers import strip_wrappers
from afa_viz.ops.checks import require_finite

Weights = Mapping[str, Tensor]
Pairs = tuple[tuple[str, str], ...]

AFA = "afa"
SEGFORMER = "segformer"
TRANSFORMERS = "transformers"
TRANSFORMERS_V5 = "transformers_v5"
SMP = "smp"
TIMM_PVT_V2 = "timm_pvt_v2"


def _block_pairs(theirs: str, leaves: dict[str, str]) -> Pairs:
    return tuple(
        (f"encoder.block{{i}}.{{j}}.{ours}.{{rest}}", f"{theirs}.{leaf}.{{rest}}") for ours, leaf in leaves.items()
    )


_HUGGING_FACE_HEAD: Pairs = (
    ("decoder.linear_fuse.conv.{rest}", "decode_head.linear_fuse.{rest}"),
    ("decoder.linear_fuse.bn.{rest}", "decode_head.batch_norm.{rest}"),
    ("decoder.linear_pred.{rest}", "decode_head.classifier.{rest}"),
)

TABLES: dict[str, Pairs] = {  # the authors' files and ours share their names
    AFA: (("{rest}", "{rest}"),),
    SEGFORMER: (
        ("encoder.patch_embed{i}.{rest}", "patch_embed{i}.{rest}"),
        ("encoder.block{i}.{rest}", "block{i}.{rest}"),
        ("encoder.norm{i}.{rest}", "norm{i}.{rest}"),
        ("decoder.linear_c{i}.{rest}", "decode_head.linear_c{i}.{rest}"),
        ("decoder.linear_fuse.{rest}", "decode_head.linear_fuse.{rest}"),
        ("decoder.linear_pred.{rest}", "decode_head.linear_pred.{rest}"),
    ),
    TRANSFORMERS: (
        ("encoder.patch_embed{i}.proj.{rest}", "encoder.patch_embeddings.{k}.proj.{rest}"),
        ("encoder.patch_embed{i}.norm.{rest}", "encoder.patch_embeddings.{k}.layer_norm.{rest}"),
        *_block_pairs(
            "encoder.block.{k}.{j}",
            {
                "norm1": "layer_norm_1",
                "attn.q": "attention.self.query",
                "attn.k": "attention.self.key",
                "attn.v": "attention.self.value",
                "attn.sr": "attention.self.sr",
                "attn.norm": "attention.self.layer_norm",
                "attn.proj": "attention.output.dense",
                "norm2": "layer_norm_2",
                "mlp.fc1": "mlp.dense1",
                "mlp.dwconv.dwconv": "mlp.dwconv.dwconv",
                "mlp.fc2": "mlp.dense2",
            },
        ),
        ("encoder.norm{i}.{rest}", "encoder.layer_norm.{k}.{rest}"),
        ("decoder.linear_c{i}.proj.{rest}", "decode_head.linear_c.{k}.proj.{rest}"),
        *_HUGGING_FACE_HEAD,
    ),
    TRANSFORMERS_V5: (
        ("encoder.patch_embed{i}.proj.{rest}", "stages.{k}.patch_embeddings.proj.{rest}"),
        ("encoder.patch_embed{i}.norm.{rest}", "stages.{k}.patch_embeddings.layer_norm.{rest}"),
        *_block_pairs(
            "stages.{k}.blocks.{j}",
            {
                "norm1": "layernorm_before",
                "attn.q": "attention.q_proj",
                "attn.k": "attention.k_proj",
                "attn.v": "attention.v_proj",
                "attn.sr": "attention.sequence_reduction.sequence_reduction",
                "attn.norm": "attention.sequence_reduction.layer_norm",
                "attn.proj": "attention.o_proj",
                "norm2": "layernorm_after",
                "mlp.fc1": "mlp.fc1",
                "mlp.dwconv.dwconv": "mlp.dwconv.dwconv",
                "mlp.fc2": "mlp.fc2",
            },
        ),
        ("encoder.norm{i}.{rest}", "stages.{k}.layer_norm.{rest}"),
        ("decoder.linear_c{i}.proj.{rest}", "decode_head.linear_projections.{k}.proj.{rest}"),
        *_HUGGING_FACE_HEAD,
    ),
    SMP: (
        ("encoder.{rest}", "encoder.{rest}"),
        ("decoder.linear_c{i}.proj.{rest}", "decoder.mlp_stage.{r}.linear.{rest}"),
        ("decoder.linear_fuse.conv.{rest}", "decoder.fuse_stage.0.{rest}"),
        ("decoder.linear_fuse.bn.{rest}", "decoder.fuse_stage.1.{rest}"),
        ("decoder.linear_pred.{rest}", "segmentation_head.0.{rest}"),
    ),
    TIMM_PVT_V2: (
        ("encoder.patch_embed.{rest}", "patch_embed.{rest}"),
        ("encoder.stages.{rest}", "stages.{rest}"),
    ),
}
LAYOUTS = tuple(TABLES)

_MARKER_KEYS = (  # a key that no other layout has; the first that is found decides
    (SMP, "decoder.mlp_stage.0.linear.weight"),
    (TRANSFORMERS, "encoder.patch_embeddings.0.proj.weight"),
    (TRANSFORMERS_V5, "stages.0.patch_embeddings.proj.weight"),
    (AFA, "encoder.patch_embed1.proj.weight"),
    (AFA, "encoder.patch_embed.proj.weight"),
    (SEGFORMER, "patch_embed1.proj.weight"),
    (TIMM_PVT_V2, "patch_embed.proj.weight"),
)
_MMSEG = re.compile(r"layers\.\d+\.\d+\..+")
_FIELDS = {"i": r"\d{1,3}", "k": r"\d{1,3}", "r": r"[0-3]", "j": r"\d{1,3}", "rest": r".+"}


def detect_layout(state: Weights) -> str:
    """The layout of a state dict, one of `LAYOUTS`.

    Raises: CheckpointError: for the network of another method, which is named, for mmseg's layout, which is not read,
        and for names that no layout has.
    """
    keys = {strip_wrappers(key): tensor for key, tensor in state.items()}
    reject_other_networks(keys)
    for layout, sign in _MARKER_KEYS:
        if sign in keys:
            return layout
    if any(map(_MMSEG.fullmatch, keys)):
        raise CheckpointError(
            "these weights have mmseg's layout (names such as layers.0.1.0.attn.attn.in_proj_weight), which fuses "
            "query, key and value and is not read; expected another layout: use the SegFormer authors' file or "
            "nvidia/mit-b0 to b5 on the hub."
        )
    first = f"the names begin with {format_names(list(state))}" if state else "there are no tensors"
    raise CheckpointError(f"{first}; expected one of the layouts {', '.join(LAYOUTS)}: check that the file is right.")


def to_afa_keys(state: Weights, layout: str) -> dict[str, Tensor]:
    """The weights under AFA's names; what has no place in AFA is left out (see `unused_keys`).

    Args:
        state: weights in the given layout; the tensors are not copied, except keys and values that are stored apart.
        layout: one of `LAYOUTS`, as `detect_layout` finds it.
    Raises: CheckpointError: if two tensors claim one name or a key lacks its value.
    """
    renamed: dict[str, Tensor] = {}
    for key, tensor in state.items():
        name = _rename(strip_wrappers(key), layout)
        if name in renamed:
            raise CheckpointError(f"two tensors claim the name {name}; expected one: check how {key} was written.")
        if name is not None:
            renamed[name] = tensor
    return _fuse_key_value(renamed) if layout in (TRANSFORMERS, TRANSFORMERS_V5) else renamed


def unused_keys(state: Weights, layout: str, used: Collection[str]) -> tuple[str, ...]:
    """Keys of a state dict that are not among the `used` names of AFA, such as the ImageNet classifier."""
    names = ((key, _rename(strip_wrappers(key), layout)) for key in state)
    return tuple(key for key, name in names if name is None or re.sub(r"\.attn\.[kv]\.", ".attn.kv.", name) not in used)


def from_afa_keys(state: Weights, layout: str) -> dict[str, Tensor]:
    """The inverse of `to_afa_keys`; what the layout has no name for (`attn_proj`, `classifier`) is left out."""
    split_pairs = layout in (TRANSFORMERS, TRANSFORMERS_V5)
    named: dict[str, Tensor] = {}
    for key, tensor in (_split_key_value(state) if split_pairs else state).items():
        name = _rename(key, layout, inverse=True)
        if name is not None:
            prefix = "segformer." if split_pairs and not name.startswith("decode_head.") else ""
            named[prefix + name] = tensor
    return named


def parts_in(state: Weights) -> tuple[str, ...]:
    """Which of `PARTS` a state dict with AFA's names has."""
    found = {key.split(".", 1)[0] for key in state}
    return tuple(part for part in PARTS if part in found)


def infer_backbone(state: Weights) -> str:
    """The backbone of a state dict with AFA's names, from the widths and depths of its stages.

    Raises: CheckpointError: if they are those of no backbone.
    """
    family = "pvt_v2" if "encoder.patch_embed.proj.weight" in state else "mit"
    if family == "mit":
        embeds, blocks = [f"encoder.patch_embed{i}" for i in range(1, 5)], r"encoder\.block([1-4])\.(\d{1,3})\..+"
    else:
        embeds = ["encoder.patch_embed", *(f"encoder.stages.{i}.downsample" for i in range(1, 4))]
        blocks = r"encoder\.stages\.([0-3])\.blocks\.(\d{1,3})\..+"
    found = [state.get(f"{embed}.proj.weight") for embed in embeds]
    widths = tuple(0 if weight is None or weight.dim() == 0 else weight.shape[0] for weight in found)
    depths = [0, 0, 0, 0]
    for match in filter(None, (re.fullmatch(blocks, key) for key in state)):
        stage = int(match[1]) - (family == "mit")
        depths[stage] = max(depths[stage], int(match[2]) + 1)
    for name, shape in VARIANTS.items():  # PVT v2 has the same widths and depths as MiT, b0 to b5
        if shape == (widths, tuple(depths)):
            return name.replace("mit", family)
    raise CheckpointError(
        f"the encoder has widths {list(widths)} and depths {depths}; expected those of mit_b0 to b5 or pvt_v2_b0 to "
        "b5: check that the file is whole and of such a backbone."
    )


def infer_num_classes(state: Weights) -> int:
    """K of a state dict with AFA's names, 0 if it has neither decoder nor classifier."""
    for key, extra in (("decoder.linear_pred.weight", 0), ("classifier.weight", 1)):
        if key in state and state[key].dim() > 0:
            return state[key].shape[0] + extra
    return 0


def select(state: Weights, parts: Collection[str]) -> dict[str, Tensor]:
    """The weights of some of `PARTS`."""
    return {key: tensor for key, tensor in state.items() if key.split(".", 1)[0] in parts}


def require_matching(name: str, expected: Weights, got: Weights, what: str) -> None:
    """Raise CheckpointError if weights are missing, extra, of the wrong shape or type; ValueError if not finite."""
    wrong = []
    for key in (key for key in expected if key in got):
        wanted, found_tensor = expected[key], got[key]
        if wanted.shape != found_tensor.shape:
            wrong.append(f"{key} {list(found_tensor.shape)} instead of {list(wanted.shape)}")
        elif _tensor_type(wanted) != _tensor_type(found_tensor):
            wrong.append(
                f"{key} {found_tensor.dtype}, {found_tensor.layout} instead of {wanted.dtype}, {wanted.layout}"
            )
        elif found_tensor.is_meta:
            wrong.append(f"{key} without its numbers")
    found = (
        ("missing", [key for key in expected if key not in got]),
        ("extra", [key for key in got if key not in expected]),
        ("of the wrong shape or type", wrong),
    )
    if fault := "; ".join(f"{word}: {format_names(keys)}" for word, keys in found if keys):
        raise CheckpointError(f"{name} does not fit {what} ({fault}); expected exactly its weights: choose another.")
    for key, tensor in got.items():
        require_finite(f"{key} of {name}", tensor)


def _tensor_type(tensor: Tensor) -> tuple:
    return tensor.is_floating_point(), tensor.is_complex(), tensor.is_quantized, tensor.layout


def _rename(key: str, layout: str, inverse: bool = False) -> str | None:
    for source, target in _compiled(layout, inverse):
        if match := source.fullmatch(key):
            fields = match.groupdict()
            if "i" in fields:
                stage = int(fields["i"])
            else:
                stage = int(fields["k"]) + 1 if "k" in fields else 4 - int(fields.get("r", 0))
            return target.format(i=stage, k=stage - 1, r=4 - stage, j=fields.get("j"), rest=fields.get("rest"))
    return None


@functools.cache
def _compiled(layout: str, inverse: bool) -> list[tuple[re.Pattern[str], str]]:
    if layout not in TABLES:
        raise CheckpointError(f"got layout {layout!r}; expected one of {', '.join(LAYOUTS)}.")
    pairs = [(ours, theirs) if inverse else (theirs, ours) for ours, theirs in TABLES[layout]]
    return [(re.compile(_pattern(source)), target) for source, target in pairs]


def _pattern(template: str) -> str:
    return re.sub(r"\\{(\w+)\\}", lambda m: f"(?P<{m[1]}>{_FIELDS[m[1]]})", re.escape(template))


def _fuse_key_value(state: Weights) -> dict[str, Tensor]:
    fused = dict(state)
    for key in state:
        if ".attn.k." in key:
            partner = key.replace(".attn.k.", ".attn.v.")
            if partner not in state or state[partner].shape != state[key].shape or state[key].dim() == 0:
                raise CheckpointError(f"{key} has no {partner} of its shape; expected both: check the file is whole.")
            fused[key.replace(".attn.k.", ".attn.kv.")] = torch.cat([fused.pop(key), fused.pop(partner)])
    return fused


def _split_key_value(state: Weights) -> dict[str, Tensor]:
    split: dict[str, Tensor] = {}
    for key, tensor in state.items():
        if ".attn.kv." in key:
            split[key.replace(".kv.", ".k.")], split[key.replace(".kv.", ".v.")] = tensor.chunk(2)
        else:
            split[key] = tensor
    return split
