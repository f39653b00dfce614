"""Settings as frozen dataclasses; every default names its source (docs/spec.md is the method's specification)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import accumulate, pairwise
from typing import Any

from afa_viz.scalars import as_list, preview
from afa_viz.setting_checks import CURRICULUM_CHECKS, EXPLAIN_CHECKS, TRAIN_CHECKS, AffinityEdit, check
from afa_viz.spelling import named_settings

BY_HAND = ("head_weights", "affinity_bias", "affinity_edits", "class_thresholds", "occlude")  # None in every training


@named_settings
@dataclass(frozen=True)
class ExplainConfig:
    """How one image is explained. Changing a field recomputes its stage and the ones below it, nothing above.

    Attributes:
        long_side: pixels; the image is resized so that its longer side has this many. None: the size that the
            model's card names, or else the image's own.
        label_threshold: predicted image labels are the classes whose logit exceeds it; if none does, the best one.
        scales: of the multi-scale CAM; scale 1 always runs (docs/spec.md section 5).
        flip: fuse with the CAM of the mirrored image (docs/spec.md section 5).
        symmetric: the affinity is made from S + S^T (docs/spec.md section 4); False takes 2 S with the same weights,
            which were learned for S + S^T: an ablation at test time.
        head_weights: weights in place of the learned ones, one for each head of the last two blocks in the order of
            `Trace.affinity_weight`; None in a place keeps the learned weight there, 0 leaves the head out. None: all as
            learned.
        affinity_bias: bias in place of the learned one; None: as learned.
        affinity_edits: pairs of regions whose affinity is set by hand, in order, each ("join", cells, others) or
            ("separate", cells, others): 1 or 0 in both directions. Cells are numbered row by row from 0; others None:
            all other cells. See `ops.affinity_edits`.
        class_thresholds: foreground thresholds of some classes in place of `bkg_score_high`: pairs of class name and
            threshold, or a mapping. One threshold for all classes is what `bkg_score_high` is. See
            `ops.cam.shift_to_thresholds`.
        occlude: box (top, bottom, left, right) in pixels of the explained image that is hidden before the network runs:
            filled with the mean colour that the model's card names. None: nothing.
        bkg_score: background score of the single threshold on the CAM (docs/spec.md section 11).
        bkg_score_low, bkg_score_high: beta_l and beta_h of the pseudo label (docs/spec.md section 11).
        use_walk: False makes the pseudo label from the CAM without the walk: an ablation.
        radius: of the walk's window in cells (docs/spec.md section 6); a card may name another one, see `for_model`.
        power: sharpness of the transition matrix (docs/spec.md section 6).
        num_steps: steps of the walk (docs/spec.md section 6: one).
        use_par: False skips pixel-adaptive refinement: an ablation.
        num_iters: iterations of PAR (docs/spec.md section 7: 10 for VOC, 15 for COCO).
        dilations: of PAR, in pixels of the image it runs on (docs/spec.md section 7).
        par_downscale: PAR runs on an image this many times smaller (docs/spec.md section 8: 2, at 512 pixels); a card
            may name another one, see `for_model`.
        keep_attention: which blocks' attention the trace keeps: "all", or "last_stage", the one that the affinity is
            learned from, which takes much less memory for large images. Changes nothing else.
    Raises: ValueError: for a value out of range.
    """

    long_side: int | None = None
    label_threshold: float = 0.0
    scales: tuple[float, ...] = (1.0, 0.5, 1.5)
    flip: bool = True
    symmetric: bool = True
    head_weights: tuple[float | None, ...] | None = None
    affinity_bias: float | None = None
    affinity_edits: tuple[AffinityEdit, ...] | None = None
    class_thresholds: tuple[tuple[str, float], ...] | None = None
    occlude: tuple[int, int, int, int] | None = None
    bkg_score: float = 0.45
    bkg_score_low: float = 0.35
    bkg_score_high: float = 0.55
    use_walk: bool = True
    radius: int = 8
    power: float = 2.0
    num_steps: int = 1
    use_par: bool = True
    num_iters: int = 10
    dilations: tuple[int, ...] = (1, 2, 4, 8, 12, 24)
    par_downscale: int = 2
    keep_attention: str = field(default="all", repr=False)  # not part of the method: what is computed is the same

    def __post_init__(self) -> None:
        """Check every setting and keep it as Python's own type: equal settings are equal, and JSON takes them."""
        check(self, EXPLAIN_CHECKS)
        if self.bkg_score_low > self.bkg_score_high:
            raise ValueError(f"bkg_score_low is {self.bkg_score_low}; expected at most bkg_score_high.")
        if self.head_weights is not None and set(self.head_weights) == {None}:
            object.__setattr__(self, "head_weights", None)  # equal settings are equal
        for name in ("affinity_edits", "class_thresholds"):
            if getattr(self, name) == ():
                object.__setattr__(self, name, None)

    @classmethod
    def for_model(cls, model: Any, **changes: Any) -> ExplainConfig:
        """The settings that a model is meant for, with changes: published ones, and the radius and scale of PAR that
        its card names.

        Both are published for 512 pixels, where the radius is a quarter of the grid and PAR, at half size, reaches over
        48 pixels. A model for smaller images needs a smaller radius, and PAR at a larger share of the image's size.

        Args:
            model: from `afa_viz.load_model`. changes: fields by name; they win over the card.
        """
        card = model.card
        own = {} if card is None else {"radius": card.radius, "par_downscale": card.par_downscale}
        return cls(**own | changes)


@named_settings
@dataclass(frozen=True)
class CurriculumStage:
    """A stage of a training curriculum with its own images, batch size and learning rate.

    Attributes:
        iterations: number of optimiser steps.
        image_size: pixels of the images that crops are taken from.
        crop_size: pixels; a multiple of 32 where pseudo labels are used.
        batch_size: images per step and process.
        learning_rate: base rate; each stage warms up and decays to 0.
        single_objects: images with one large object each; their loss is softmax cross-entropy.
        min_crop: the crop's side is at least this share of the image's.
        topk_start, topk_end: share of the cells that top-k pooling averages, moved linearly through the stage.
        half_size: probability of a batch at half the crop size with twice the images, so that the network sees the
            small scale of multi-scale tests in training.
        affinity_different_share: as that of the run; 0: the run's. An affinity that starts from nothing needs equal
            shares first: with more weight on different classes, calling all pairs different is cheaper than learning.
    Raises: ValueError: for a value out of range.
    """

    iterations: int
    image_size: int
    crop_size: int
    batch_size: int
    learning_rate: float
    single_objects: bool = False
    min_crop: float = 0.7
    topk_start: float = 1.0
    topk_end: float = 1.0
    half_size: float = 0.0
    affinity_different_share: float = 0.0

    def __post_init__(self) -> None:
        check(self, CURRICULUM_CHECKS)


@named_settings
@dataclass(frozen=True)
class TrainConfig:
    """One training run. Defaults are the published VOC run (docs/spec.md sections 10 to 12).

    Attributes:
        backbone: see `afa_viz.model.afa.BACKBONES`.
        pretrained: start the encoder from ImageNet weights: timm's for PVT v2 (Apache-2.0), those of the hub for MiT
            (non-commercial).
        num_classes: K, background included; of photographs it is that of the data set.
        pooling, topk, logit_offset, cam_relu: how class logits and CAMs are formed; the defaults are published. topk:
            share of the cells that top-k pooling averages.
        crop_size: pixels, a multiple of 32.
        batch_size: images per step and process.
        max_iters: total number of steps.
        cam_iters: the affinity and segmentation losses join after this iteration, counted from 0.
        joint_after: after this iteration the segmentation target is the walked pseudo label.
        affinity_target: "cam" (VOC) takes it from the refined CAM always; "seg" (COCO) from the segmentation target.
        balance_affinity: pairs of foreground cells weigh as much as background; see `ops.losses.affinity_loss`.
        affinity_different_share: share of the affinity loss on pairs of different classes; see `ops.losses`.
        affinity_at_centre: affinity labels from the middle of each cell; see `ops.affinity.cell_labels`.
        calibrate_affinity: rescale the affinity head once, before the affinity loss joins, so that its logits have mean
            0 and standard deviation 1 on a few training batches; no label is read. See `training.calibration`.
        weight_seg, weight_aff: of the losses beside the classification loss.
        energy_weight: of the dense energy loss on the decoder, see `ops.energy_loss`; 0 (the public code) switches it
            off, 0.01 stands behind the paper's best result.
        seg_scales: the decoder learns from the image at each of these sizes, and from the strongest logits among them,
            always with the pseudo label made at full size; the published run knows full size alone.
        learning_rate, weight_decay, betas: of AdamW; the heads train at `head_multiplier` times the rate.
        warmup_iters, warmup_ratio, lr_power: of the schedule.
        freeze_norms: LayerNorms of the encoder keep their values (published: their rate is 0).
        clip_grad: largest gradient norm; 0 switches clipping off.
        scale_range: of the random rescaling.
        explain: thresholds, walk and PAR of the pseudo labels.
        curriculum: stages of the run, in order; empty: one stage with the settings above.
        train_images: images of the training split that are used (sandbox).
        input_size: long side in pixels that the card of the trained model names for explaining.
        amp: "off", "bf16" or "fp16": the type that the network's passes compute in; weights stay float32.
        accumulate: batches whose gradients are averaged before each step of the optimiser: on one device, as many as
            the published run had devices reproduce its batch.
        ema: decay of a running mean of the weights that is evaluated and exported in their place; 0 switches it off.
        max_bad_steps: consecutive steps that may be skipped because a loss or a gradient is not finite; one more stops
            the run. 5: a single bad batch is an accident, and overflow of the "fp16" scale does not count; six in a
            row, each on other images, come from weights that will not recover.
        official_parity: run the CAM passes in training mode with the decoder, as the reference does.
        rng_seed: of every random number.
    Raises: ValueError: for a value out of range, or settings that do not go together.
    """

    backbone: str = "mit_b1"
    pretrained: bool = field(default=False, repr=False)  # only matters at the start: no reason not to resume
    num_classes: int = 21
    pooling: str = "max"
    topk: float = 0.05
    logit_offset: float = 0.0
    cam_relu: bool = True
    crop_size: int = 512
    batch_size: int = 2
    max_iters: int = 20000
    cam_iters: int = 2000
    joint_after: int = 6000
    affinity_target: str = "cam"
    balance_affinity: bool = False
    affinity_different_share: float = 0.5
    affinity_at_centre: bool = False
    calibrate_affinity: bool = False
    weight_seg: float = 0.1
    weight_aff: float = 0.1
    energy_weight: float = 0.0
    seg_scales: tuple[float, ...] = (1.0,)
    learning_rate: float = 6e-5
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.999)
    head_multiplier: float = 10.0
    warmup_iters: int = 1500
    warmup_ratio: float = 1e-6
    lr_power: float = 1.0
    freeze_norms: bool = True
    clip_grad: float = 0.0
    drop_path_rate: float = 0.1
    scale_range: tuple[float, float] = (0.5, 2.0)
    explain: ExplainConfig = ExplainConfig()
    curriculum: tuple[CurriculumStage, ...] = ()
    train_images: int = 8000
    input_size: int = 512
    amp: str = "off"
    accumulate: int = 1
    ema: float = 0.0
    max_bad_steps: int = field(default=5, repr=False)  # does not change what is learned
    official_parity: bool = False
    rng_seed: int = 1

    def __post_init__(self) -> None:
        check(self, TRAIN_CHECKS)
        if not isinstance(self.explain, ExplainConfig):
            raise ValueError(f"explain is {preview(self.explain)}; expected an ExplainConfig.")
        for name in ("affinity_edits", "class_thresholds", "occlude"):
            if getattr(self.explain, name) is not None:
                raise ValueError(f"explain.{name} is set; expected None: a run has many images, and this edits one.")
        for name in ("head_weights", "affinity_bias"):
            if getattr(self.explain, name) is not None:
                raise ValueError(f"explain.{name} is set; expected None: a run learns the affinity's weights itself.")
        parts = as_list(self.curriculum)
        if parts is None or not all(isinstance(part, CurriculumStage) for part in parts):
            raise ValueError(f"curriculum is {preview(self.curriculum)}; expected a list of CurriculumStage.")
        object.__setattr__(self, "curriculum", tuple(parts))
        if not 0 <= self.cam_iters <= self.joint_after <= self.max_iters:
            raise ValueError(
                f"got cam_iters {self.cam_iters}, joint_after {self.joint_after}, max_iters {self.max_iters}; "
                "expected 0 <= cam_iters <= joint_after <= max_iters."
            )
        if self.curriculum and sum(stage.iterations for stage in self.curriculum) != self.max_iters:
            raise ValueError(
                f"the curriculum has {sum(s.iterations for s in self.curriculum)} iterations but max_iters is "
                f"{self.max_iters}; expected equal numbers."
            )
        for number, end in enumerate(accumulate(part.iterations for part in self.curriculum)):
            part = self.curriculum[number]
            if not part.single_objects and end - 1 > self.cam_iters and part.crop_size % 32:
                raise ValueError(
                    f"curriculum[{number}].crop_size is {part.crop_size}; expected a multiple of 32, so that every "
                    "grid of its pseudo labels fits."
                )


def override_curriculum(config: TrainConfig, names: Iterable[str]) -> TrainConfig:
    """The config with settings that curriculum stages also have, such as the batch size, applied to all of its
    stages."""
    shared = {name: getattr(config, name) for name in names if name in CURRICULUM_CHECKS and hasattr(config, name)}
    return replace(config, curriculum=tuple(replace(part, **shared) for part in config.curriculum))


def scale_iterations(config: TrainConfig, iterations: int) -> TrainConfig:
    """The same recipe in another number of iterations: curriculum stages and phases in proportion.

    Raises: ValueError: for less than one iteration.
    """
    if iterations < 1:
        raise ValueError(f"iterations is {iterations}; expected 1 or more.")

    def scaled(number: int) -> int:
        return round(number * iterations / config.max_iters)

    ends = [0, *(scaled(end) for end in accumulate(part.iterations for part in config.curriculum))]
    lengths = [end - begin for begin, end in pairwise(ends)]
    curriculum = tuple(
        replace(part, iterations=length) for part, length in zip(config.curriculum, lengths, strict=True) if length
    )
    return replace(
        config, curriculum=curriculum, max_iters=iterations, cam_iters=scaled(config.cam_iters),
        joint_after=scaled(config.joint_after),
    )  # fmt: skip
