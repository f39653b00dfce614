"""A training step and a trace on a device: agreement with the CPU by precision, time and memory."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import torch
from torch import Tensor

import afa_viz
from afa_viz.config import ExplainConfig, TrainConfig
from afa_viz.model.afa import AFA, build_afa
from afa_viz.training.distributed import Processes
from afa_viz.training.optimizer import build_optimizer, set_learning_rate
from afa_viz.training.step import Batch, Losses
from benchmarks import machine
from benchmarks.train_step import PHASES, RATE, iteration_of, prepare

PRECISIONS = ("off", "bf16", "fp16")  # values of `TrainConfig.amp`; "off" is float32
NAMES = {"off": "fp32", "bf16": "bf16", "fp16": "fp16"}
# Relative difference of a loss, and 1 - cosine of the gradient, against float32 on the CPU. Rounding may flip single
# pixels of the pseudo labels, so that losses differ by more than sums do.
TOLERANCES = {"off": (2e-3, 1e-3), "bf16": (0.05, 0.05), "fp16": (0.05, 0.05)}
FP16_SCALE = 2.0**12  # of the loss before a backward pass in float16


def step_checks(
    device: str, backbone: str, crop: int, batch: int, precisions: tuple[str, ...] = PRECISIONS
) -> list[dict[str, Any]]:
    """Losses and gradient of one step in every phase and precision, against float32 on the CPU."""
    rows = []
    for phase in PHASES:
        expected, gradient = losses_and_gradient("cpu", backbone, crop, batch, phase, "off")
        for amp in precisions:
            row: dict[str, Any] = {"what": f"training step, {phase}, {NAMES[amp]}", "phase": phase, "amp": amp}
            row["loss_tolerance"], row["gradient_tolerance"] = TOLERANCES[amp]
            try:
                got, own = losses_and_gradient(device, backbone, crop, batch, phase, amp)
            except RuntimeError as error:
                rows.append(row | {"error": str(error).splitlines()[0][:200], "met": False})
                continue
            row["losses"] = {name: [expected[name], got[name]] for name in expected}
            row["difference"] = max(abs(got[name] - value) / max(abs(value), 1e-6) for name, value in expected.items())
            row["gradient"] = 1 - float(torch.nn.functional.cosine_similarity(gradient, own, dim=0))
            good = row["difference"] <= row["loss_tolerance"] and row["gradient"] <= row["gradient_tolerance"]
            rows.append(row | {"met": bool(good)})
    return rows


def losses_and_gradient(
    device: str, backbone: str, crop: int, batch: int, phase: str, amp: str
) -> tuple[dict[str, float], Tensor]:
    """Losses by name, and the gradient of all parameters as one (parameters,) float64 vector on the CPU."""
    model, step, data, iteration = on_device(device, backbone, crop, batch, phase, amp)
    scale = FP16_SCALE if amp == "fp16" else 1.0
    found = step(data, iteration, False)
    (scale * found["loss"]).backward()
    parts = [(p.grad if p.grad is not None else torch.zeros_like(p)).flatten().cpu() for p in model.parameters()]
    return {name: float(value.detach()) for name, value in found.items()}, torch.cat(parts).double() / scale


def on_device(
    device: str, backbone: str, crop: int, batch: int, phase: str, amp: str
) -> tuple[AFA, Losses, Batch, int]:
    """Network, its losses as the trainer computes them, and the data of a step."""
    model, data, config = prepare(backbone, crop, batch)
    config = dataclasses.replace(config, amp=amp)
    model = model.to(device, memory_format=torch.channels_last)
    return model, Losses(model, config, Processes(device=device)), data.to(device), iteration_of(phase, config)


def step_times(device: str, backbone: str, crop: int, batch: int, amp: str, repeats: int) -> dict[str, Any]:
    """Seconds and peak memory of whole steps of the joint phase: forward and backward passes, and update."""
    model, step, data, iteration = on_device(device, backbone, crop, batch, "joint", amp)
    config = TrainConfig(backbone=backbone, crop_size=crop, batch_size=batch, amp=amp)
    optimizer = build_optimizer(model, config)
    set_learning_rate(optimizer, RATE)
    scaler = torch.amp.GradScaler(device.split(":")[0], enabled=amp == "fp16" and device != "cpu")

    def one() -> None:
        optimizer.zero_grad(set_to_none=True)
        scaler.scale(step(data, iteration, False)["loss"]).backward()
        scaler.step(optimizer)
        scaler.update()

    samples, peak = timed(one, device, repeats)
    median, iqr = machine.spread(samples)
    return {
        "what": f"step, joint phase, {NAMES[amp]}", "backbone": backbone, "crop": crop, "batch": batch, "amp": amp,
        "samples_s": samples, "median_s": median, "iqr_s": iqr, "peak_mib": peak,
    }  # fmt: skip


def explain_times(device: str, backbone: str, size: int, repeats: int) -> dict[str, Any]:
    """Seconds and peak memory of a full trace with the published settings: three scales, flip, walk and PAR."""
    torch.manual_seed(0)
    model = build_afa(backbone).to(device).eval()
    image = (255 * torch.rand(size, size, 3, generator=torch.Generator().manual_seed(0))).byte().numpy()
    config = ExplainConfig(long_side=size, keep_attention="last_stage")
    samples, peak = timed(lambda: afa_viz.explain(model, image, [1, 2], config), device, repeats)
    median, iqr = machine.spread(samples)
    return {
        "what": "a full trace", "backbone": backbone, "crop": size, "batch": 1, "amp": "off",
        "samples_s": samples, "median_s": median, "iqr_s": iqr, "peak_mib": peak,
    }  # fmt: skip


def timed(work: Any, device: str, repeats: int) -> tuple[list[float], float | None]:
    """Wall-clock seconds of `repeats` runs after two that are not counted, and the peak of allocated memory in MiB,
    None on a CPU."""
    cuda = torch.device(device).type == "cuda"

    def wait() -> None:
        if cuda:
            torch.cuda.synchronize(device)

    work(), work(), wait()
    if cuda:
        torch.cuda.reset_peak_memory_stats(device)
    samples = []
    for _ in range(repeats):
        begun = time.perf_counter()
        work()
        wait()
        samples.append(time.perf_counter() - begun)
    return samples, torch.cuda.max_memory_allocated(device) / 2**20 if cuda else None
