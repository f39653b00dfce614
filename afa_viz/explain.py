"""The one place where the order of the stages is written: image, cam, affinity, walk, PAR, pseudo label, prediction.

`explain` and `recompute` run the stages for one image and keep everything in a `Trace`; `make_pseudo_labels` runs the
same stages for a training batch and keeps the labels.

Symbols: B batch, C foreground classes, K = C + 1, P present classes with background, H W pixels, h w cells.
"""

from __future__ import annotations

import dataclasses
import sys
import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from afa_viz import classes
from afa_viz.config import ExplainConfig
from afa_viz.inputs import ImageLike, Labels, fit_size, multi_hot, read_image, read_target
from afa_viz.ops import affinity as aff
from afa_viz.ops import banded_walk, pseudo_label, random_walk
from afa_viz.ops import cam as cams
from afa_viz.ops.image import denormalize_image, normalize_image
from afa_viz.trace import Trace

if TYPE_CHECKING:
    from afa_viz.model.afa import AFA

Progress = Callable[[str], None]

# The stages in order, each with the settings that it reads. A changed setting recomputes its stage and all below.
STAGES: dict[str, tuple[str, ...]] = {
    "network": ("long_side",),
    "cam": ("scales", "flip"),
    "affinity": ("symmetric",),
    "cam_rw": (
        "label_threshold", "bkg_score_low", "bkg_score_high", "use_walk", "radius", "power", "num_steps",
    ),
    "cam_par": ("use_par", "num_iters", "dilations", "par_downscale"),
    "pseudo_label": (),
}  # fmt: skip


# --- stages on tensors, shared by explain and training ---------------------------------------------------------------


def multi_scale_cam(
    model: AFA, image: Tensor, scales: Sequence[float], flip: bool = True, relu: bool = True, as_published: bool = False
) -> tuple[Tensor, Tensor]:
    """Normalised CAM fused over scales and flips, and the affinity of the largest scale that ran.

    Args:
        model: in the mode in which its passes should run.
        image: (B, 3, H, W) normalised.
        scales: scale 1 runs first, listed or not, then the others in order.
        flip: also run the mirrored image.
        relu: see `ops.cam.fuse_scales`.
        as_published: also run the decoder, whose batch-norm statistics then count these passes in training mode.
    Returns: cam (B, C, H, W) in [0, 1], at least float32; affinity (B or 2B, N, N), the first B of the images as they
        are.
    Source: SPEC.md section 5.
    """
    size = (image.shape[-2], image.shape[-1])
    ordered = _ordered(scales)
    largest = max(ordered)
    fused: list[Tensor] = []
    affinity: Tensor | None = None
    with torch.no_grad():
        for scale in ordered:
            scaled = _scaled(image, scale)
            batch = torch.cat([scaled, scaled.flip(-1)]) if flip else scaled
            if as_published:
                raw, pair = model.forward_cam_as_published(batch)
            elif scale == largest:
                raw, pair = model.forward_cam_affinity(batch)
            else:
                raw, pair = model.forward_cam(batch), None
            if scale == largest:
                affinity = pair
            maps = _enlarged(raw, size)
            fused.append(cams.fuse_flip(*maps.chunk(2)) if flip else maps)
    assert affinity is not None
    return cams.normalize(cams.fuse_scales(fused, relu=relu)), affinity


def multi_scale_cam_of(
    model: AFA, image: Tensor, raw: Tensor, scales: Sequence[float], flip: bool = True, relu: bool = True
) -> Tensor:
    """The CAM of `multi_scale_cam` where that of the image as it is, at scale 1, has been computed already.

    Args:
        raw: (B, C, h, w), of the image at scale 1, not mirrored. The others as `multi_scale_cam`.
    Returns: cam (B, C, H, W) in [0, 1].
    """
    size = (image.shape[-2], image.shape[-1])
    fused: list[Tensor] = []
    for scale in _ordered(scales):
        scaled = _scaled(image, scale)
        if scale != 1:
            maps = _enlarged(model.forward_cam(torch.cat([scaled, scaled.flip(-1)]) if flip else scaled), size)
            fused.append(cams.fuse_flip(*maps.chunk(2)) if flip else maps)
        elif flip:
            fused.append(cams.fuse_flip(_enlarged(raw, size), _enlarged(model.forward_cam(scaled.flip(-1)), size)))
        else:
            fused.append(_enlarged(raw, size))
    return cams.normalize(cams.fuse_scales(fused, relu=relu))


def _ordered(scales: Sequence[float]) -> list[float]:
    return [1.0, *(float(s) for s in scales if s != 1)]


def _scaled(image: Tensor, scale: float) -> Tensor:
    return cams.resize(image, (int(scale * image.shape[-2]), int(scale * image.shape[-1])))


def _enlarged(raw: Tensor, size: tuple[int, int]) -> Tensor:
    return cams.resize(raw.to(torch.promote_types(raw.dtype, torch.float32)), size)


def walk(
    cam: Tensor, affinity: Tensor, image_labels: Tensor, grid: tuple[int, int], config: ExplainConfig
) -> tuple[Tensor, Tensor]:
    """Scores on the grid after the random walk, with the low and with the high background score.

    Args:
        cam: (B, C, H, W) in [0, 1]; absent classes may hold anything.
        affinity: (B', N, N) with B' >= B.
        image_labels: (B, C) multi-hot.
        grid: (h, w) of the affinity.
    Returns: two (B, K, h, w). Without the walk: where it would have started.
    Source: SPEC.md section 11, step 4.
    """
    small = cams.resize(cam, grid)
    starts = [
        random_walk.with_background(small, image_labels, beta) for beta in (config.bkg_score_low, config.bkg_score_high)
    ]
    if not config.use_walk:
        return starts[0], starts[1]
    walked = banded_walk.propagate_near(
        torch.cat(starts, dim=1), affinity[: len(cam)], config.radius, config.power, num_steps=config.num_steps
    )
    low, high = walked.chunk(2, dim=1)
    return low, high


def kept_channels(image_labels: Tensor) -> Tensor:
    """(C,) multi-hot -> labels of the channels in use: 0 and the present classes."""
    return torch.cat([image_labels.new_zeros(1), image_labels.nonzero().flatten() + 1]).long()


def refine(image: Tensor, cam: Tensor, walked: tuple[Tensor, Tensor], labels: Tensor, config: ExplainConfig) -> Tensor:
    """Scores of one image after PAR, for the low and the high background score.

    Args:
        image: (3, H, W) in [0, 1], cropped to its real pixels.
        cam: (C, H, W), the same crop; read only without the walk.
        walked: two (K, H, W), the walked scores at image size, the same crop.
        labels: (P,) channels in use, from the image labels; 0 first.
    Returns: (2, P, H, W).
    Source: SPEC.md section 8, `refine_with_cls_label`; without the walk `refine_with_bkg`.
    """
    iterations = config.num_iters if config.use_par else 0
    options: dict[str, Any] = {
        "num_iters": iterations,
        "dilations": config.dilations,
        "downscale": config.par_downscale,
    }
    if not config.use_walk:
        betas = (config.bkg_score_low, config.bkg_score_high)
        return pseudo_label.refine_cam(image, cam[labels[1:] - 1], betas, **options)
    return pseudo_label.refine_walk(image, torch.stack([scores[labels] for scores in walked]), **options)


@dataclass(frozen=True)
class PseudoLabels:
    """Labels (B, H, W) int64 of one training batch: 0 background, 1..C classes, 255 uncertain.

    cam (B, C, H, W) of the present classes; from_cam: the CAM cut by two thresholds, unrefined; refined_cam: the CAM
    after PAR; low, high, refined_walk: the walked CAM after PAR for both background scores, and merged. The last
    three are None where they were not asked for.
    """

    cam: Tensor
    from_cam: Tensor
    refined_cam: Tensor
    low: Tensor | None
    high: Tensor | None
    refined_walk: Tensor | None


def make_pseudo_labels(
    model: AFA, image: Tensor, image_labels: Tensor, box: Tensor, config: ExplainConfig, *, with_walk: bool,
    relu: bool = True, as_published: bool = False,
) -> PseudoLabels:  # fmt: skip
    """The pseudo labels of a training batch; the same stages as `explain`, over padded crops.

    Args:
        model: in the mode in which the CAM passes should run.
        image: (B, 3, S, S) normalised, padded outside the box.
        image_labels: (B, C) multi-hot.
        box: (B, 4) integers: top, bottom, left, right of the real pixels.
        with_walk: also make the walked label.
        relu, as_published: see `multi_scale_cam`.
    Source: SPEC.md section 11, steps 2 to 6.
    """
    size = (image.shape[-2], image.shape[-1])
    full_cam, affinity = multi_scale_cam(model, image, config.scales, config.flip, relu, as_published)
    with torch.no_grad():
        cam = pseudo_label.present_cam(full_cam, image_labels)
        cut = pseudo_label.with_uncertain(
            full_cam, image_labels, config.bkg_score, config.bkg_score_low, config.bkg_score_high, box
        )
        image01 = denormalize_image(image) / 255
        from_cam = dataclasses.replace(config, use_walk=False)
        low_cam, high_cam = (torch.full_like(cut, pseudo_label.IGNORE) for _ in range(2))
        low, high = (torch.zeros_like(cut) for _ in range(2))
        walked: tuple[Tensor, Tensor] | None = None
        if with_walk:
            side = max(1.0, *config.scales)
            grid = aff.token_grid(int(size[0] * side), int(size[1] * side))
            low_grid, high_grid = walk(cam, affinity, image_labels, grid, config)
            walked = cams.resize(low_grid, size), cams.resize(high_grid, size)
        for i, (top, bottom, left, right) in enumerate(box.tolist()):
            labels = kept_channels(image_labels[i])
            inside = (slice(top, min(bottom, size[0])), slice(left, min(right, size[1])))
            scores = refine(image01[i], cam[i], (cam[i], cam[i]), labels, from_cam)  # sees the padding, SPEC.md 8
            for target, score in zip((low_cam, high_cam), scores, strict=True):
                target[i][inside] = pseudo_label.label_of(score, labels)[inside]
            if walked is not None:
                crop = (slice(None), *inside)
                pair = (walked[0][i][crop], walked[1][i][crop])
                scores = refine(image01[i][crop], cam[i][crop], pair, labels, config)
                for target, score in zip((low, high), scores, strict=True):
                    target[i][inside] = pseudo_label.label_of(score, labels)
        refined_cam = pseudo_label.merge_low_high(low_cam, high_cam, box)
        if walked is None:
            return PseudoLabels(cam, cut, refined_cam, None, None, None)
        return PseudoLabels(cam, cut, refined_cam, low, high, pseudo_label.merge_low_high(low, high, box))


# --- one image -------------------------------------------------------------------------------------------------------


def explain(
    model: AFA,
    image: ImageLike,
    labels: Labels | None = None,
    config: ExplainConfig | None = None,
    *,
    target: np.ndarray | Tensor | None = None,
    progress: Progress | None = None,
) -> Trace:
    """Run every stage for one image and keep it.

    Args:
        model: from `afa_viz.load_model`; put into evaluation mode.
        image: PIL image, (H, W, 3) uint8 RGB array, or path; see `inputs.read_image`.
        labels: the image labels: class names, numbers 1..C, or a multi-hot vector of length C; an empty list for no
            class. None: predicted.
        config: settings; None for those that the model is meant for, `ExplainConfig.for_model`.
        target: (H, W) ground truth of the image, integers, 255 for "do not count"; resized like the image.
        progress: called with the name of each stage as it begins.
    Returns: the `Trace`; the same input gives the same trace.
    Raises: ValueError, FileNotFoundError: for an image, labels or target that can not be used.
    """
    config = config or ExplainConfig.for_model(model)
    class_names, palette = _names(model)
    array = read_image(image)
    truth = None if target is None else read_target(target, array.shape[:2])
    height, width = fit_size(array, config.long_side or getattr(model.card, "input_size", None))
    resized = Image.fromarray(array).resize((width, height), Image.Resampling.BILINEAR)
    if truth is not None:
        truth = np.array(Image.fromarray(truth).resize((width, height), Image.Resampling.NEAREST))
    given = None if labels is None else multi_hot(labels, class_names)
    fields: dict[str, Any] = {
        "image": torch.from_numpy(np.array(resized)),
        "target": None if truth is None else torch.from_numpy(truth),
        "class_names": class_names,
        "palette": palette,
        "checkpoint_id": getattr(model, "checkpoint_id", ""),
        "image_labels": given,
        "labels_given": given is not None,
    }
    return _run(fields, config, "network", model, progress)


def recompute(
    trace: Trace,
    config: ExplainConfig,
    *,
    labels: Labels | None = None,
    model: AFA | None = None,
    progress: Progress | None = None,
) -> Trace:
    """The trace under other settings or image labels; only changed stages and the ones below them run.

    Args:
        trace: of the same image.
        config: the new settings.
        labels: new image labels; None keeps the old ones.
        model: needed where `long_side`, `scales` or `flip` change; must be the one that made the trace.
    Raises: ValueError: if the model is needed and missing or another one, or `long_side` changed: explain the
        original image again for that.
    """
    changed = {f.name for f in dataclasses.fields(config) if getattr(config, f.name) != getattr(trace.config, f.name)}
    first = next((stage for stage, reads in STAGES.items() if changed.intersection(reads)), None)
    fields = {f.name: getattr(trace, f.name) for f in dataclasses.fields(trace)}
    if labels is not None:
        fields["image_labels"], fields["labels_given"] = multi_hot(labels, trace.class_names), True
        first = first if first in ("network", "cam", "affinity") else "cam_rw"
    if first == "network":
        raise ValueError("long_side changed, which needs the original image; call explain with it again.")
    if first == "cam" and (model is None or not _made(model, trace)):
        raise ValueError(
            "scales or flip changed, which runs the network again; pass the model that made this trace as model=."
        )
    return _run(fields, config, first, model, progress)


def _made(model: AFA, trace: Trace) -> bool:
    weight = model.attn_proj.weight.detach().flatten().float().cpu()  # tells models that came from no file apart
    return getattr(model, "checkpoint_id", "") == trace.checkpoint_id and torch.equal(weight, trace.affinity_weight)


@torch.inference_mode()
def _run(fields: dict, config: ExplainConfig, first: str | None, model: AFA | None, progress: Progress | None) -> Trace:
    """Run the stages from `first` on; `fields` holds what the ones above gave."""
    order = list(STAGES)
    todo = order[order.index(first) :] if first else []
    for stage in todo:
        if progress:
            progress(stage)
        fields |= _STAGE_FUNCTIONS[stage](fields, config, model)
    # Inference tensors may not leave: users may want gradients of what they compute from a trace.
    with torch.inference_mode(False):
        fields = {name: _plain(value) for name, value in fields.items()}
    return Trace(**fields | {"config": config})


def _plain(value):
    if isinstance(value, Tensor):
        return value.clone() if value.is_inference() else value
    if isinstance(value, tuple) and value and isinstance(value[0], Tensor):
        return tuple(_plain(item) for item in value)
    return value


def _names(model: AFA) -> tuple[tuple[str, ...], tuple[classes.Colour, ...]]:
    card = getattr(model, "card", None)
    if card is not None:
        return tuple(card.class_names), tuple(tuple(c) for c in card.palette)
    return classes.names_for(model.num_classes), classes.colours_for(model.num_classes)


def network_input(model: AFA, image: Tensor) -> Tensor:
    """(H, W, 3) uint8 -> (1, 3, H, W) normalised as the model's card says, of its weights' device and type."""
    weight = next(model.parameters())
    pixels = image.permute(2, 0, 1)[None].to(weight.device)
    card = getattr(model, "card", None)
    normalised = normalize_image(pixels, card.mean, card.std) if card is not None else normalize_image(pixels)
    return normalised.to(weight.dtype)


def _network(fields: dict, config: ExplainConfig, model: AFA | None) -> dict:
    assert model is not None
    model.eval()
    look = model.forward_look(network_input(model, fields["image"]))
    bias = model.attn_proj.bias
    assert bias is not None
    seg = cams.resize(look.seg_logits, tuple(fields["image"].shape[:2])).max(dim=1).indices
    return {
        "raw_cam": look.cam,  # for the next stage, which takes it out
        "class_logits": look.class_logits[0].float().cpu(),
        "seg_logits": look.seg_logits[0].float().cpu(),
        "seg": seg[0].to(torch.uint8).cpu(),
        "attn_logits": tuple(block.logits[0].float().cpu() for block in look.attention),
        "attn_scales": tuple(block.scale for block in look.attention),
        "query_grids": tuple(block.query_grid for block in look.attention),
        "key_grids": tuple(block.key_grid for block in look.attention),
        "affinity_weight": model.attn_proj.weight.detach().flatten().float().cpu().clone(),
        "affinity_bias": bias.detach().float().cpu().clone(),  # not the model's own memory
    }


def _cam(fields: dict, config: ExplainConfig, model: AFA | None) -> dict:
    assert model is not None
    model.eval()
    relu = getattr(getattr(model, "card", None), "cam_relu", True)
    image = network_input(model, fields["image"])
    raw = fields.pop("raw_cam", None)
    if raw is None:  # the network ran for an earlier trace
        raw = model.forward_look(image).cam
    cam = multi_scale_cam_of(model, image, raw, config.scales, config.flip, relu=relu)
    return {"cam": cam[0].float().cpu()}


def _affinity(fields: dict, config: ExplainConfig, model: AFA | None) -> dict:
    logits = [block[None] for block in fields["attn_logits"]]
    combined = aff.affinity_logits(logits, fields["affinity_weight"], fields["affinity_bias"], config.symmetric)
    return {"affinity": torch.sigmoid(combined)[0]}


def _cam_rw(fields: dict, config: ExplainConfig, model: AFA | None) -> dict:
    labels = fields["image_labels"]
    if not fields["labels_given"]:
        logits = fields["class_logits"]
        labels = (logits > config.label_threshold).float()
        if not labels.any():
            labels = torch.zeros_like(logits).index_fill_(0, logits.argmax(), 1)
    grid = fields["query_grids"][-1]
    low, high = walk(fields["cam"][None], fields["affinity"][None], labels[None], grid, config)
    return {"image_labels": labels, "cam_rw": low[0], "cam_rw_high": high[0]}


def _cam_par(fields: dict, config: ExplainConfig, model: AFA | None) -> dict:
    labels = kept_channels(fields["image_labels"])
    size = tuple(fields["image"].shape[:2])
    image01 = fields["image"].permute(2, 0, 1).float() / 255
    low, high = (cams.resize(fields[name][None], size)[0] for name in ("cam_rw", "cam_rw_high"))
    scores = refine(image01, fields["cam"], (low, high), labels, config)
    full = torch.zeros(2, len(fields["image_labels"]) + 1, *size)
    full[:, labels] = scores
    return {"cam_par": full[0], "cam_par_high": full[1]}


def _pseudo_label(fields: dict, config: ExplainConfig, model: AFA | None) -> dict:
    labels = kept_channels(fields["image_labels"])
    low, high = (pseudo_label.label_of(fields[name][labels], labels)[None] for name in ("cam_par", "cam_par_high"))
    merged = pseudo_label.merge_low_high(low, high)[0]
    return {"pseudo_label": merged.to(torch.uint8), "regions": pseudo_label.regions(merged)}


_STAGE_FUNCTIONS = {
    "network": _network,
    "cam": _cam,
    "affinity": _affinity,
    "cam_rw": _cam_rw,
    "cam_par": _cam_par,
    "pseudo_label": _pseudo_label,
}


class _CallableModule(types.ModuleType):
    """`afa_viz.explain(...)` is the function; importing this module must not hide it behind the module's name."""

    def __call__(self, *args, **kwargs) -> Trace:
        return explain(*args, **kwargs)


sys.modules[__name__].__class__ = _CallableModule
