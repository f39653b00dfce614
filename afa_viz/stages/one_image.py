"""The stages for one image: each reads fields of the unfinished `Trace` and returns the fields that it computes.

All take `(fields, config, model)`; only the first two need the model. Results stay on the device of the model, so that
walk and PAR run on a GPU too; `explain` moves them to the CPU at the end. Results of `cam_par` are already there: they
have a map for every class.

Symbols: H W pixels.
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from afa_viz.config import ExplainConfig
from afa_viz.ops import affinity as aff
from afa_viz.ops import affinity_edits, pseudo_label
from afa_viz.ops import cam as cams
from afa_viz.ops.averaged_affinity import averaged_affinity
from afa_viz.ops.image import normalize_image
from afa_viz.parts import Parts
from afa_viz.stages.edits import foreground_thresholds
from afa_viz.stages.kept_classes import cam_of_classes, keep_classes, predicted_labels
from afa_viz.stages.multi_scale_cam import multi_scale_cam_of
from afa_viz.stages.refine import present_channels, refine, refine_both, refine_cam
from afa_viz.stages.walk import walk

if TYPE_CHECKING:
    from afa_viz.model.interface import BlockAttention, Network


LAST_STAGE = 3  # of the four, counted from 0
PAR_FIELDS = ("cam_par", "cam_par_high", "cam_refined", "cam_refined_high")  # what `cam_par_stage` makes


def lazy_zeros(*shape: int) -> Tensor:
    """float32 zeros whose memory is allocated page by page on writing: maps of absent classes cost nothing."""
    if not hasattr(mmap, "MAP_PRIVATE") or not math.prod(shape):  # Windows
        return torch.zeros(shape)
    pages = mmap.mmap(-1, 4 * math.prod(shape), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with torch.inference_mode(False):  # an inference tensor would have to be copied into the trace
        return torch.frombuffer(pages, dtype=torch.float32).view(shape)


def network_input(model: Network, image: Tensor) -> Tensor:
    """(H, W, 3) uint8 -> (1, 3, H, W) normalised as the model's card says, of its weights' device and type."""
    weight = next(model.parameters())
    pixels = image.permute(2, 0, 1)[None].to(weight.device)
    card = getattr(model, "card", None)
    normalised = normalize_image(pixels, card.mean, card.std) if card is not None else normalize_image(pixels)
    return normalised.to(weight.dtype)


def network_stage(fields: dict, config: ExplainConfig, model: Network | None) -> dict:
    """One forward pass with all intermediates: class logits, prediction and the attention of every block."""
    assert model is not None
    model.eval()
    first_stage = LAST_STAGE if config.keep_attention == "last_stage" else 0
    output = model.forward_intermediates(network_input(model, fields["image"]), first_stage)
    head = model.affinity_head()
    made = {
        "raw_cam": output.cam[0].float(),
        "class_logits": output.class_logits[0].float(),
        "class_probs": None,
        "seg_logits": None,
        "seg": None,
        "attn_logits": tuple(None if block.logits is None else block.logits[0].float() for block in output.attention),
        **_queries_and_keys(output.attention),
        "attn_scales": tuple(block.scale for block in output.attention),
        "query_grids": tuple(block.query_grid for block in output.attention),
        "key_grids": tuple(block.key_grid for block in output.attention),
        "affinity_weight": None if head is None else head[0],
        "affinity_bias": None if head is None else head[1],
        "parts": model.parts,
    }
    if output.seg_logits is not None:
        seg = cams.resize(output.seg_logits, tuple(fields["image"].shape[:2])).max(dim=1).indices
        made |= {"seg_logits": output.seg_logits[0].float(), "seg": seg[0].to(torch.uint8)}
    probs = model.class_probs(output.class_logits.float())
    if probs is not None:
        made["class_probs"] = probs[0]
    return made | keep_classes(fields, made, model)


def _queries_and_keys(attention: Sequence[BlockAttention]) -> dict[str, tuple[Tensor | None, ...] | None]:
    """Of the last two blocks, None for the others; None for all where the network gives them for neither or one."""
    first = len(attention) - aff.AFFINITY_BLOCKS
    last = attention[max(0, first) :]
    if not last or any(block.query is None or block.key is None for block in last):
        return {"queries": None, "keys": None}
    before: tuple[None, ...] = (None,) * max(0, first)
    return {
        "queries": (*before, *(block.query[0].float() for block in last if block.query is not None)),
        "keys": (*before, *(block.key[0].float() for block in last if block.key is not None)),
    }


def keep_last_stage(attn_logits: tuple[Tensor | None, ...]) -> tuple[Tensor | None, ...]:
    """The attention of every block without that of stages 1 to 3: of the blocks that are not like the last one."""
    last = attn_logits[-1] if attn_logits else None
    if last is None:
        return attn_logits
    return tuple(block if block is not None and block.shape == last.shape else None for block in attn_logits)


def cam_stage(fields: dict, config: ExplainConfig, model: Network | None) -> dict:
    """The multi-scale CAM, starting from the raw CAM of the network stage."""
    assert model is not None
    model.eval()
    relu = getattr(getattr(model, "card", None), "cam_relu", True)
    image = network_input(model, fields["image"])
    raw = fields["raw_cam"]
    source = cam_of_classes(model, fields["class_names"])
    if raw is None:  # a trace from a file of an earlier version
        raw = source.forward_cam(image)[0].float()
    cam = multi_scale_cam_of(source, image, raw[None].to(image.device), config.scales, config.flip, relu=relu)
    return {"raw_cam": raw, "cam": cam[0].float()}


def used_head(
    learned: tuple[Tensor, Tensor] | None, parts: Parts, config: ExplainConfig
) -> tuple[Tensor, Tensor] | None:
    """Weight (heads,) and bias (1,) that the affinity is made with: learned, but for what the settings replace.

    Args:
        learned: see `Network.affinity_head`.
    Raises: ValueError: for another number of weights, or a method whose affinity is not learned.
    """
    changed = next((name for name in ("head_weights", "affinity_bias") if getattr(config, name) is not None), None)
    if learned is None or parts.affinity != "learned":
        if changed is not None:
            lack = parts.lacks.get("affinity") or parts.lacks.get("learned_affinity") or ""
            raise ValueError(f"{changed} is {getattr(config, changed)}; expected None: {lack}")
        return learned
    return aff.replace_head(*learned, config.head_weights, config.affinity_bias)


def affinity_stage(fields: dict, config: ExplainConfig, model: Network | None) -> dict:
    """The affinity, from the attention of the last two blocks: learned, averaged, or none; with what is set by hand."""
    device = fields["cam"].device  # where the walk will be, and where an earlier trace lies
    parts: Parts = fields["parts"]
    learned = fields["affinity_weight"]
    head = used_head(None if learned is None else (learned, fields["affinity_bias"]), parts, config)
    if parts.affinity is None:
        return {"affinity": None}
    made = _affinity(fields, config, head, device)
    if config.affinity_edits is not None:
        made = affinity_edits.edit_affinity(made, config.affinity_edits)
    return {"affinity": made[0]}


def _affinity(fields: dict, config: ExplainConfig, head: tuple[Tensor, Tensor] | None, device: torch.device) -> Tensor:
    """(1, N, N), learned or averaged."""
    parts: Parts = fields["parts"]
    logits = [block[None].to(device) for block in fields["attn_logits"] if block is not None]
    if parts.affinity == "averaged":
        scales = fields["attn_scales"][-aff.AFFINITY_BLOCKS :]
        probs = [
            (block * scale).softmax(-1) for block, scale in zip(logits[-aff.AFFINITY_BLOCKS :], scales, strict=True)
        ]
        return averaged_affinity(probs, parts.extra_tokens, config.symmetric)
    assert head is not None
    weight, bias = (part.to(device) for part in head)
    return aff.affinity_logits(logits, weight, bias, config.symmetric).sigmoid_()


def cam_rw_stage(fields: dict, config: ExplainConfig, model: Network | None) -> dict:
    """Image labels, predicted where none were given, and the walked scores."""
    labels = fields["image_labels"]
    if not fields["labels_given"]:
        labels = predicted_labels(fields["class_logits"], fields["class_probs"], config.label_threshold)
    grid = fields["query_grids"][-1] if fields["query_grids"] else tuple(fields["raw_cam"].shape[-2:])
    affinity = fields["affinity"]
    if affinity is not None:
        affinity = affinity.to(fields["cam"].device)[None]  # of an earlier trace, whose CAM alone was made anew
    thresholds = foreground_thresholds(config, fields["class_names"])
    low, high = walk(fields["cam"][None], affinity, labels[None], grid, config, thresholds)
    return {"image_labels": labels, "cam_rw": low[0], "cam_rw_high": high[0]}


def cam_par_stage(fields: dict, config: ExplainConfig, model: Network | None) -> dict:
    """Scores at image size after PAR, of the walked CAM and of the CAM itself; 0 for absent classes."""
    labels = present_channels(fields["image_labels"])
    image01 = _image01(fields)
    size = image01.shape[1:]
    thresholds = foreground_thresholds(config, fields["class_names"])
    walked = cams.resize(fields["cam_rw"][None], size)[0], cams.resize(fields["cam_rw_high"][None], size)[0]
    if config.use_walk:
        of_cam, of_walk = refine_both(image01, fields["cam"], walked, labels, config, thresholds)
        refined, par = _all_channels(fields, of_cam), _all_channels(fields, of_walk)
    else:
        refined = par = _all_channels(fields, refine(image01, fields["cam"], walked, labels, config, thresholds))
    return {"cam_refined": refined[0], "cam_refined_high": refined[1], "cam_par": par[0], "cam_par_high": par[1]}


def pseudo_label_stage(fields: dict, config: ExplainConfig, model: Network | None) -> dict:
    """The two labels that training uses, and the three regions of the pseudo label."""
    merged = _merge_label(fields, "cam_par")
    return {
        "pseudo_label": merged,
        "regions": pseudo_label.regions(merged),
        "affinity_label": _merge_label(fields, "cam_refined"),
    }


def compute_affinity_label(fields: dict, config: ExplainConfig) -> dict:
    """The CAM after PAR without the walk and its label, of a trace that lacks them: what the stages above make."""
    labels = present_channels(fields["image_labels"])
    thresholds = foreground_thresholds(config, fields["class_names"])
    of_cam = refine_cam(_image01(fields), fields["cam"], labels, config, thresholds)
    refined = _all_channels(fields, of_cam)
    made = {"cam_refined": refined[0], "cam_refined_high": refined[1]}
    return made | {"affinity_label": _merge_label(fields | made, "cam_refined")}


def _image01(fields: dict) -> Tensor:
    """(3, H, W) image in [0, 1], where the CAM lies."""
    return fields["image"].to(fields["cam"].device).permute(2, 0, 1).float() / 255


def _all_channels(fields: dict, scores: Tensor) -> Tensor:
    """(2, P, H, W) scores of the present classes -> (2, K, H, W), 0 for absent ones, on the CPU."""
    full = lazy_zeros(2, len(fields["image_labels"]) + 1, *scores.shape[-2:])
    full[:, present_channels(fields["image_labels"])] = scores.cpu()
    return full


def _merge_label(fields: dict, name: str) -> Tensor:
    """(H, W) uint8 label from the scores `name` of the low and the high background score."""
    labels = present_channels(fields["image_labels"])
    low, high = (pseudo_label.argmax_label(fields[one][labels], labels)[None] for one in (name, f"{name}_high"))
    return pseudo_label.merge_low_high(low, high)[0].to(torch.uint8)
