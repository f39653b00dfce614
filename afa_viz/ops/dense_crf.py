"""Fully connected CRF: class scores made to agree with colour and place over the whole image.

Too slow to refine every training batch, which PAR does; the published test ends with one (docs/spec.md section 13).

Every pixel is tied to every other one; a pair pays for different labels the more, the nearer and the more alike its
pixels are:

    w_gauss exp(-|p - q|^2 / 2 sxy_gauss^2) + w_bilateral exp(-|p - q|^2 / 2 sxy^2 - |I_p - I_q|^2 / 2 srgb^2)

Mean-field inference (Krähenbühl and Koltun 2011) on a permutohedral lattice, `permutohedral.py`.

Symbols: B score maps of one image, P labels, H W pixels, N = H W.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from afa_viz.ops.checks import as_tensor, require_dims, require_finite, require_float, require_int, require_positive
from afa_viz.ops.permutohedral import Lattice, build_lattice

NUM_ITERS = 10  # this and the following: docs/spec.md section 13, `msc_flip_test`
SXY_GAUSS = 3.0  # pixels
WEIGHT_GAUSS = 3.0
SXY_BILATERAL = 64.0  # pixels
SRGB = 5.0  # grey levels, 0 to 255
WEIGHT_BILATERAL = 4.0
MOST = 1e30  # of a weight, in size: times a sum over the pixels it still fits into float32
SMALLEST = 1e-5  # probabilities below it count as this: a label may be unlikely, never impossible


def dense_crf(
    image: Tensor,
    probabilities: Tensor,
    num_iters: int = NUM_ITERS,
    sxy_gauss: float = SXY_GAUSS,
    weight_gauss: float = WEIGHT_GAUSS,
    sxy_bilateral: float = SXY_BILATERAL,
    srgb: float = SRGB,
    weight_bilateral: float = WEIGHT_BILATERAL,
) -> Tensor:
    """Marginal probability of each label at each pixel after mean-field inference; see `dense_crf_steps`.

    Args:
        image: (H, W, 3) uint8 RGB; like the probabilities a tensor, or an array of numpy.
        probabilities: (P, H, W), or (B, P, H, W) for several maps of the image, whose lattice is then made once;
            floating point, each >= 0; they are divided by their sum over the labels.
        num_iters: iterations of the inference, >= 0; 0 gives the probabilities.
        sxy_gauss, sxy_bilateral: standard deviations of the two kernels in pixels. srgb: of the second in grey levels.
        weight_gauss, weight_bilateral: of the two kernels, from -1e30 to 1e30.
    Returns: float32, of the probabilities' shape, sums to 1 over P. Inputs are not changed.
    Raises: ValueError: for other shapes or types, negative scores, a pixel without any, or standard deviations so small
        that the lattice cannot hold the image.
    Source: docs/spec.md section 13; Krähenbühl and Koltun 2011 (arXiv 1210.5644), algorithm 1.
    """
    steps = dense_crf_steps(
        image, probabilities, num_iters, sxy_gauss, weight_gauss, sxy_bilateral, srgb, weight_bilateral
    )
    for marginals in steps:  # noqa: B007
        pass
    return marginals


def dense_crf_steps(
    image: Tensor,
    probabilities: Tensor,
    num_iters: int = NUM_ITERS,
    sxy_gauss: float = SXY_GAUSS,
    weight_gauss: float = WEIGHT_GAUSS,
    sxy_bilateral: float = SXY_BILATERAL,
    srgb: float = SRGB,
    weight_bilateral: float = WEIGHT_BILATERAL,
) -> Iterator[Tensor]:
    """The marginals after 0, 1, …, `num_iters` iterations of

        Q <- softmax over labels of ( log p + sum over kernels of weight * (K Q) )

    Each kernel matrix K is normalised symmetrically, D^(-1/2) K D^(-1/2) with D its row sums, and holds a pixel's tie
    to itself. Its products with Q go over a permutohedral lattice.

    Args, Returns and Raises: as `dense_crf`, one tensor for each iteration. The call itself, not the first
        step, refuses wrong arguments.
    """
    image, probabilities = as_tensor("image", image), as_tensor("probabilities", probabilities)
    if probabilities.dim() != 4:
        require_dims("probabilities", probabilities, 3, "(P, H, W), or 4 (B, P, H, W)")
    if not probabilities.is_floating_point():
        raise ValueError(
            f"probabilities are of type {probabilities.dtype}; expected floating point: a softmax of the scores, or "
            "one-hot labels as .float()."
        )
    require_finite("probabilities", probabilities)
    labels, height, width = probabilities.shape[-3:]
    if not labels:
        raise ValueError(f"probabilities have shape {tuple(probabilities.shape)}; expected at least one label.")
    if image.dtype == torch.uint8 and tuple(image.shape) == (*probabilities.shape[-3:-1], 3) != (height, width, 3):
        raise ValueError(
            f"probabilities have shape {tuple(probabilities.shape)}; expected labels first, (P, H, W): "
            "use .movedim(-1, -3)."
        )
    if image.dtype != torch.uint8 or tuple(image.shape) != (height, width, 3):
        raise ValueError(
            f"image has shape {tuple(image.shape)}, {image.dtype}; expected ({height}, {width}, 3), torch.uint8: "
            "resize the scores to the image."
        )
    if not height * width:
        raise ValueError(f"image has shape {tuple(image.shape)}; expected at least one pixel: choose another image.")
    if (probabilities < 0).any() or (probabilities.sum(dim=-3) <= 0).any():
        raise ValueError("probabilities hold a negative number or a pixel without any; expected scores >= 0: softmax.")
    num_iters = require_int("num_iters", num_iters, 0, NUM_ITERS)
    sxy_gauss = require_positive("sxy_gauss", sxy_gauss, SXY_GAUSS)
    sxy_bilateral = require_positive("sxy_bilateral", sxy_bilateral, SXY_BILATERAL)
    srgb = require_positive("srgb", srgb, SRGB)
    weight_gauss = _require_weight("weight_gauss", weight_gauss)
    weight_bilateral = _require_weight("weight_bilateral", weight_bilateral)
    if not num_iters:
        return _mean_field(probabilities.detach(), [], num_iters)
    place = positions(height, width)
    colour = image.detach().cpu().reshape(-1, 3).float()
    kernels = [
        (weight_gauss, _kernel(sxy_gauss=(sxy_gauss, place))),
        (weight_bilateral, _kernel(sxy_bilateral=(sxy_bilateral, place), srgb=(srgb, colour))),
    ]
    return _mean_field(probabilities.detach(), kernels, num_iters)


def _require_weight(name: str, value: float) -> float:
    number = require_float(name, value)
    if abs(number) > MOST:
        raise ValueError(f"got {name} {number:g}; expected a number from {-MOST:g} to {MOST:g}: choose a smaller one.")
    return number


def _kernel(**parts: tuple[float, Tensor]) -> Kernel:
    """Of (standard deviation, (N, d) coordinates) by the names of the deviations.

    Raises: ValueError: naming the deviation in which the coordinates reach farthest, where that is too far."""
    try:
        return Kernel(torch.cat([values / deviation for deviation, values in parts.values()], dim=1))
    except ValueError as error:
        reach = {name: float(values.max()) / deviation for name, (deviation, values) in parts.items()}
        name = max(reach, key=reach.__getitem__)
        raise ValueError(
            f"got {name} {parts[name][0]:g}, of which the image spans {reach[name]:.3g}; expected at most a few "
            "thousand: choose a larger one."
        ) from error


class Kernel:
    """A Gaussian kernel matrix over all pixels, normalised symmetrically.

    Args:
        features: (N, d) float32, coordinates divided by their standard deviations.
    """

    def __init__(self, features: Tensor) -> None:
        self.lattice: Lattice = build_lattice(features)
        row_sums = self.lattice.filter(torch.ones(len(features), 1))
        self._root = row_sums.clamp_min(1e-20).rsqrt()

    def __matmul__(self, values: Tensor) -> Tensor:
        """(N, P) product with (N, P) values."""
        return self._root * self.lattice.filter(self._root * values)


def positions(height: int, width: int) -> Tensor:
    """(H W, 2) float32: column and row of every pixel. A lattice treats the axes of its space differently; in the
    original the horizontal one is the first."""
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack([columns.flatten(), rows.flatten()], dim=1).float()


@torch.no_grad()
def _mean_field(probabilities: Tensor, kernels: list[tuple[float, Kernel]], num_iters: int) -> Iterator[Tensor]:
    labels, height, width = probabilities.shape[-3:]
    normalised = probabilities.double() / probabilities.double().sum(dim=-3, keepdim=True)
    log_unary = normalised.clamp_min(SMALLEST).log().float().cpu().reshape(-1, labels, height * width)
    log_unary = log_unary.permute(2, 0, 1).contiguous()  # (N, B, P)
    marginals = log_unary.softmax(dim=2)
    for iteration in range(num_iters + 1):
        if iteration:
            messages = sum(weight * (kernel @ marginals.flatten(1)) for weight, kernel in kernels)
            marginals = (log_unary + torch.as_tensor(messages).view_as(log_unary)).softmax(dim=2)
        yield marginals.permute(1, 2, 0).reshape(probabilities.shape).to(probabilities.device).contiguous()
