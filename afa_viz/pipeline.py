"""The one place where the order of the stages is written: image, cam, affinity, walk, PAR, pseudo label, prediction.

`explain` and `recompute` run the stages for one image and keep everything in a `Trace`. What a stage computes is in
`stages/`; `stages/batch_labels.py` runs the same for a training batch.
"""

from __future__ import annotations

import dataclasses
import functools
import logging
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from afa_viz import classes
from afa_viz.config import ExplainConfig
from afa_viz.inputs import ImageLike, Labels, fit_size, multi_hot, read_image, read_target
from afa_viz.normalisation import MEAN
from afa_viz.scalars import preview
from afa_viz.stages import edits, memory, one_image
from afa_viz.trace import Trace

if TYPE_CHECKING:
    from afa_viz.model.interface import Network

Progress = Callable[[str], None]

log = logging.getLogger(__name__)

# The stages in order, each with the settings that it reads. A changed setting recomputes its stage and all below, but
# that the affinity does not need the CAM.
STAGE_SETTINGS: dict[str, tuple[str, ...]] = {
    "network": ("long_side", "occlude", "keep_attention"),
    "cam": ("scales", "flip"),
    "affinity": ("symmetric", "head_weights", "affinity_bias", "affinity_edits"),
    "cam_rw": (
        "label_threshold", "bkg_score_low", "bkg_score_high", "class_thresholds", "use_walk", "radius", "power",
        "num_steps",
    ),
    "cam_par": ("use_par", "num_iters", "dilations", "par_downscale"),
    "pseudo_label": (),
}  # fmt: skip

_STAGE_FUNCTIONS = {
    "network": one_image.network_stage,
    "cam": one_image.cam_stage,
    "affinity": one_image.affinity_stage,
    "cam_rw": one_image.cam_rw_stage,
    "cam_par": one_image.cam_par_stage,
    "pseudo_label": one_image.pseudo_label_stage,
}


def explain(
    model: Network,
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
        config: settings; None for those that the model is meant for, `ExplainConfig.for_model`. An image that takes
            more than a gigabyte of memory is named in the log, with the settings that take less.
        target: (H, W) ground truth of the image, integers, 255 for "do not count"; resized like the image.
        progress: called with the name of each stage as it begins.
    Returns: the `Trace`; the same input gives the same trace.
    Raises: ValueError, FileNotFoundError: for an image, labels or target that cannot be used.
    """
    from afa_viz.model.interface import Network

    if not isinstance(model, Network):
        raise ValueError(f"model is {preview(model)}; expected a network: afa_viz.load_model gives one.")
    config = ExplainConfig.for_model(model) if config is None else _require_config(config)
    one_image.used_head(model.affinity_head(), model.parts, config)  # raises before anything is computed
    class_names, palette = _names(model)
    edits.require_edits(config, model.parts, class_names)
    array = read_image(image, may_reduce=target is None)
    truth = None if target is None else read_target(target, array.shape[:2])
    height, width = fit_size(array, config.long_side or getattr(model.card, "input_size", None))
    if large := memory.memory_warning(model, (height, width), config):
        _warn_once(large)
    resized = Image.fromarray(array).resize((width, height), Image.Resampling.BILINEAR)
    if truth is not None:
        truth = np.array(Image.fromarray(truth).resize((width, height), Image.Resampling.NEAREST))
    given = None if labels is None else multi_hot(labels, class_names)
    pixels = torch.from_numpy(np.array(resized))
    if config.occlude is not None:
        edits.require_edits(config, model.parts, class_names, (height, width))
        pixels = edits.occluded(pixels, config.occlude, getattr(model.card, "mean", MEAN))
    fields: dict[str, Any] = {
        "image": pixels,
        "target": None if truth is None else torch.from_numpy(truth),
        "class_names": class_names,
        "palette": palette,
        "checkpoint_id": getattr(model, "checkpoint_id", ""),
        **_training_fields(model),
        "image_labels": given,
        "labels_given": given is not None,
        "predictions": None,
    }
    return _run(fields, config, "network", model, progress)


@functools.lru_cache(maxsize=64)
def _warn_once(sentence: str) -> None:
    """To the log, for every size once: many images of one size take no more than one of them."""
    log.warning("%s", sentence)


def recompute(
    trace: Trace,
    config: ExplainConfig,
    *,
    labels: Labels | None = None,
    model: Network | None = None,
    progress: Progress | None = None,
) -> Trace:
    """The trace under other settings or image labels; only changed stages and the ones below them run.

    Args:
        trace: of the same image.
        config: the new settings.
        labels: new image labels; None keeps the old ones.
        model: needed where `scales` or `flip` change, or where `keep_attention` becomes "all"; must be the one that
            made the trace.
    Raises: ValueError: if the model is needed and missing or another one, or `long_side` or `occlude` changed: explain
        the original image again for that.
    """
    config = _require_config(config)
    changed = {f.name for f in dataclasses.fields(config) if getattr(config, f.name) != getattr(trace.config, f.name)}
    for name in ("long_side", "occlude"):
        if name in changed:
            raise ValueError(f"{name} changed, which needs the original image; call explain with it again.")
    if trace.predictions is None:
        edits.require_edits(config, trace.parts, trace.class_names)
    elif model is not None:  # the trace has but some of the classes
        edits.require_edits(config, trace.parts, _names(model)[0])
    given: dict[str, Any] = {}
    if "keep_attention" in changed and config.keep_attention == "last_stage":
        given["attn_logits"] = one_image.keep_last_stage(trace.attn_logits)
        changed.remove("keep_attention")
    first = next((stage for stage, reads in STAGE_SETTINGS.items() if changed.intersection(reads)), None)
    if labels is not None:
        given |= {"image_labels": multi_hot(labels, trace.class_names), "labels_given": True}
        order = list(STAGE_SETTINGS)
        first = min(first or "cam_rw", "cam_rw", key=order.index)
    if first in ("network", "cam") and (model is None or not _made_by(model, trace)):
        raise ValueError(
            "scales, flip or keep_attention changed, which runs the network again; pass the model that made this "
            "trace as model=."
        )
    unread = one_image.PAR_FIELDS if first else ()  # whatever runs, these are made anew
    names = [field.name for field in dataclasses.fields(trace) if field.name not in unread]
    fields = {name: getattr(trace, name) for name in names} | given
    kept = {"affinity"} if first == "cam" and not changed.intersection(STAGE_SETTINGS["affinity"]) else set()
    return _run(fields, config, first, model, progress, kept)


def _require_config(config: ExplainConfig) -> ExplainConfig:
    if not isinstance(config, ExplainConfig):
        raise ValueError(f"config is {preview(config)}; expected an ExplainConfig, such as ExplainConfig(radius=4).")
    return config


def _made_by(model: Network, trace: Trace) -> bool:
    if getattr(model, "checkpoint_id", "") != trace.checkpoint_id or model.parts != trace.parts:
        return False
    head = model.affinity_head()  # tells models that came from no file apart
    if head is None or trace.affinity_weight is None:
        return head is None and trace.affinity_weight is None and set(trace.class_names) <= set(_names(model)[0])
    return torch.equal(head[0].cpu(), trace.affinity_weight)


def _run(
    fields: dict,
    config: ExplainConfig,
    first: str | None,
    model: Network | None,
    progress: Progress | None,
    kept: Collection[str] = (),
) -> Trace:
    """Run the stages from `first` on, all but the `kept` ones; `fields` holds what is not run."""
    order = list(STAGE_SETTINGS)
    todo = [stage for stage in order[order.index(first) :] if stage not in kept] if first else []
    # Not in inference mode, whatever the caller is in: its tensors would have to be copied into the trace, all of them,
    # since users may want gradients of what they compute.
    with torch.inference_mode(False), torch.no_grad():
        for stage in todo:
            if progress:
                progress(stage)
            fields |= _STAGE_FUNCTIONS[stage](fields, config, model)
            if fields["parts"].affinity is None:  # no random walk, whatever the settings are
                config = dataclasses.replace(config, use_walk=False)
        return Trace(**{name: _on_cpu(fields.pop(name)) for name in list(fields)} | {"config": config})


def _on_cpu(value):
    """All of a trace lies on the CPU."""
    if isinstance(value, Tensor):
        value = value.cpu()
        return value.clone() if value.is_inference() else value  # a caller's, or of a model that was made there
    of_blocks = isinstance(value, tuple) and any(isinstance(item, Tensor) for item in value)
    return tuple(map(_on_cpu, value)) if of_blocks else value


def _names(model: Network) -> tuple[tuple[str, ...], tuple[classes.Colour, ...]]:
    card = getattr(model, "card", None)
    if card is not None:
        return tuple(card.class_names), tuple(tuple(c) for c in card.palette)
    return classes.names_for(model.num_classes), classes.colours_for(model.num_classes)


def _training_fields(model: Network) -> dict[str, Any]:
    """What the model's card says about the labels that it learned from."""
    card = getattr(model, "card", None)
    names = ("affinity_trained_on", "decoder_trained_on", "affinity_at_centre")
    return {} if card is None else {name: getattr(card, name) for name in names}
