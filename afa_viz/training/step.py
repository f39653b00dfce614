"""One training step of AFA: forward pass, pseudo labels, three losses. The loop owns the optimiser."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from afa_viz.config import TrainConfig
from afa_viz.model.afa import AFA, TrainOutput
from afa_viz.ops import affinity as aff
from afa_viz.ops import losses
from afa_viz.ops.cam import resize
from afa_viz.ops.checks import NonFiniteError, all_finite
from afa_viz.ops.energy_loss import energy_loss
from afa_viz.ops.image import denormalize_image
from afa_viz.stages.batch_labels import PseudoLabels, make_pseudo_labels
from afa_viz.training import curriculum
from afa_viz.training.distributed import Processes, mean_counts, true_in_all_processes

TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Batch:
    """image (B, 3, S, S) normalised; image_labels (B, C) multi-hot; box (B, 4): top, bottom, left, right of the real
    pixels of each crop; skipped: images that could not be read and were replaced by others."""

    image: Tensor
    image_labels: Tensor
    box: Tensor
    skipped: int = 0

    def to(self, device: torch.device | str) -> Batch:
        """The batch on a device (the boxes stay on the CPU)."""
        return Batch(self.image.to(device), self.image_labels.to(device), self.box, self.skipped)


@dataclass(frozen=True)
class StepResult:
    """Losses (scalars) and what they came from.

    Where pseudo labels were not made, only `loss`, `loss_cls` and `output` are there, in the classification phase the
    losses alone; `loss_energy` is None also where `config.energy_weight` is 0.
    """

    loss: Tensor
    loss_cls: Tensor
    loss_seg: Tensor | None
    loss_aff: Tensor | None
    loss_energy: Tensor | None
    output: TrainOutput | None
    labels: PseudoLabels | None
    seg_target: Tensor | None
    affinity_target: Tensor | None


def phase(iteration: int, config: TrainConfig) -> str:
    """Name of the phase of a 0-based iteration: "classification", "affinity" or "joint" (docs/spec.md section 11)."""
    if iteration <= config.cam_iters:
        return "classification"
    return "affinity" if iteration <= config.joint_after else "joint"


def training_losses(model: AFA, batch: Batch, config: TrainConfig, iteration: int, world_size: int = 1) -> StepResult:
    """All losses of one step, ready for `loss.backward()`.

    Args:
        world_size: number of processes that share the batch. Their losses are divided by the counts of the whole batch,
            so that the mean over processes, which DistributedDataParallel takes, is the loss of a single process with
            all of it. With `config.official_parity` each divides by its own counts, as the reference does.

    A loss with a non-finite input is NaN; nothing is raised, so that processes that share a batch stay in step. Pseudo
    labels are not made from non-finite outputs.

    In the classification phase only the image labels are used and no pseudo label is made. With
    `config.official_parity` pseudo labels are made all the same, by passes in the model's present mode, decoder
    included, as the reference does; otherwise the CAM passes run in evaluation mode.

    Source: docs/spec.md section 11.
    """
    now = phase(iteration, config)
    if now == "classification" and not config.official_parity:
        logits = model.forward_classify(batch.image)
        loss_cls = _finite_or_nan(lambda: losses.classification_loss(logits, batch.image_labels), logits)
        return StepResult(loss_cls, loss_cls, None, None, None, None, None, None, None)

    output = model(batch.image)
    outputs = output.class_logits, output.seg_logits, output.affinity
    if not true_in_all_processes(all(map(all_finite, (*outputs, batch.image, batch.image_labels))), world_size):
        return _bad_step(output)
    loss_cls = losses.classification_loss(output.class_logits, batch.image_labels)
    was_training = model.training
    if not config.official_parity:
        model.eval()
    try:
        labels = make_pseudo_labels(
            model,
            batch.image,
            batch.image_labels,
            batch.box,
            config.explain,
            with_walk=now == "joint" or config.official_parity,
            relu=config.cam_relu,
            run_decoder=config.official_parity,
        )
    except NonFiniteError:  # of a pass at another size, maybe in this process alone
        if config.official_parity and world_size > 1:
            raise  # the others wait in batch norms of that pass; they end when this process does
        labels = None
    finally:
        model.train(was_training)
    if not true_in_all_processes(labels is not None, world_size):
        return _bad_step(output)
    assert labels is not None

    seg_target = labels.refined_walk if now == "joint" else labels.refined_cam
    assert seg_target is not None
    grid = batch.image.shape[-2] // aff.STRIDE, batch.image.shape[-1] // aff.STRIDE
    mask = aff.radius_mask(*grid, radius=config.explain.radius, device=batch.image.device)
    affinity_source = labels.refined_cam if config.affinity_target == "cam" else seg_target
    centre = config.affinity_at_centre
    affinity_target = aff.affinity_labels(affinity_source, mask=mask, at_centre=centre)
    objects = aff.foreground_cells(affinity_source, at_centre=centre) if config.balance_affinity else None
    seg_counts, aff_counts = losses.segmentation_counts(seg_target), losses.affinity_counts(affinity_target, objects)
    if world_size > 1 and not config.official_parity:
        seg_counts, aff_counts = mean_counts(seg_counts, world_size), mean_counts(aff_counts, world_size, extra=1)
    loss_seg = _finite_or_nan(
        lambda: decoder_loss(model, batch.image, output.seg_logits, seg_target, seg_counts, config.seg_scales),
        output.seg_logits,
    )
    loss_aff = losses.affinity_loss(
        output.affinity.float(), affinity_target, objects, aff_counts,
        curriculum.affinity_different_share(config, iteration),
    )  # fmt: skip
    loss_energy = None
    if config.energy_weight:
        loss_energy = _finite_or_nan(
            lambda: energy_loss(output.seg_logits.float(), denormalize_image(batch.image), seg_target, batch.box),
            output.seg_logits,
        )
    used = 0.0 if now == "classification" else 1.0
    weighted = config.weight_seg * loss_seg + config.weight_aff * loss_aff
    if loss_energy is not None:
        weighted = weighted + config.energy_weight * loss_energy
    loss = loss_cls + used * weighted
    return StepResult(loss, loss_cls, loss_seg, loss_aff, loss_energy, output, labels, seg_target, affinity_target)


def _finite_or_nan(compute: Callable[[], Tensor], source: Tensor) -> Tensor:
    """A loss, or NaN where it cannot be computed; either is differentiable to `source`, for the backward pass that
    all processes make."""
    try:
        return compute()
    except NonFiniteError:
        return source.float().sum() * float("nan")


def _bad_step(output: TrainOutput) -> StepResult:
    """The result of a step that must be skipped: NaN losses that stay connected to the outputs."""
    loss = (output.class_logits.float().sum() + output.seg_logits.sum() + output.affinity.sum()) * float("nan")
    return StepResult(loss, loss, None, None, None, output, None, None, None)


def decoder_loss(
    model: AFA,
    image: Tensor,
    seg_logits: Tensor,
    target: Tensor,
    counts: Sequence[Tensor],
    scales: tuple[float, ...] = (1.0,),
) -> Tensor:
    """Mean segmentation loss of the decoder over sizes of the same image, and of the strongest logits among them.

    All are compared with the full-size label; the last term is what the published multi-scale test evaluates.

    Args:
        image: (B, 3, S, S) normalised.
        seg_logits: (B, K, S/4, S/4) at full size, which `scales` begins with.
        target, counts: (B, S, S) and its counts; see `losses.segmentation_loss`.
    """
    logits = [seg_logits]
    for scale in scales[1:]:
        scaled = F.interpolate(image, scale_factor=scale, mode="bilinear", align_corners=False)
        logits.append(model.forward_seg(scaled))
    size = target.shape[-2], target.shape[-1]
    logits = [resize(one.float(), size) for one in logits]
    if len(logits) > 1:
        logits.append(torch.stack(logits).amax(dim=0))
    return torch.stack([losses.segmentation_loss(one, target, counts=counts) for one in logits]).mean()


def single_object_loss(model: AFA, batch: Batch) -> Tensor:
    """Softmax cross-entropy for images that show exactly one class."""
    return F.cross_entropy(model.forward_classify(batch.image).float(), batch.image_labels.argmax(dim=1))


class Losses(nn.Module):
    """The model and its losses as one forward pass, which is what DistributedDataParallel can wrap."""

    def __init__(self, model: AFA, config: TrainConfig, processes: Processes) -> None:
        super().__init__()
        self.model, self.config, self.processes = model, config, processes

    def forward(self, batch: Batch, iteration: int, single_objects: bool) -> dict[str, Tensor]:
        """The losses that this iteration computes, by name; "loss" is their weighted sum."""
        kind, dtype = self.processes.device.split(":")[0], TYPES.get(self.config.amp)
        with torch.autocast(kind, dtype, enabled=dtype is not None):
            if single_objects:
                loss = single_object_loss(self.model, batch)
                return {"loss": loss, "loss_cls": loss}
            result = training_losses(self.model, batch, self.config, iteration, self.processes.world_size)
        named = {
            "loss": result.loss,
            "loss_cls": result.loss_cls,
            "loss_seg": result.loss_seg,
            "loss_aff": result.loss_aff,
            "loss_energy": result.loss_energy,
        }
        return {name: value for name, value in named.items() if value is not None}
