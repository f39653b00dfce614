"""PAR's kernel on a CPU, block of rows by block of rows; see `par.pixel_affinity` for the formula.

Symbols: B images, H x W pixels, n neighbours.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from afa_viz.ops.par_fast import neighbours as near
from afa_viz.ops.par_fast.neighbours import EPS, Offsets

LOG2_E = math.log2(math.e)


def compute_kernel(image: Tensor, offsets: Offsets, w1: float, position: Tensor, pixels_first: bool = False) -> Tensor:
    """(B, n, H, W) kernel of (B, channels, H, W) images: variance of the whole image, then exponents and softmax.

    Args:
        position: (n,), the position term, weight included.
        pixels_first: store the n weights of a pixel side by side: the same tensor, other strides.
    """
    batch, channels, height, width = image.shape
    n, farthest = len(offsets), near.max_offset(offsets)
    padded = near.new_padded(image, farthest)
    near.fill_padded(padded, image)
    blocks = near.row_blocks(height, batch * channels * width)

    # mean_ch -(|I_n - I| / (sigma + eps) / w1)^2  =  sum_ch scale (I_n - I)^2
    scale = torch.zeros_like(image, memory_format=torch.contiguous_format)  # first the variance
    position = position.view(n, 1)
    shape = (batch, height, width, n) if pixels_first else (batch, n, height, width)
    stored = image.new_empty(shape)
    kernel = stored.permute(0, 3, 1, 2) if pixels_first else stored

    def work(block: tuple[int, int]) -> None:
        top, bottom = block
        centre, *neighbours = near.shifted_views(padded, [(0, 0), *offsets], top, bottom, farthest)
        factors = scale[:, :, top:bottom]
        _add_variance(factors, neighbours)
        factors.sqrt_().add_(EPS).mul_(w1).square_().mul_(-channels).reciprocal_().mul_(LOG2_E)  # exp2 below

        difference, (factor, *others) = torch.empty_like(centre), factors.unbind(1)
        square, *squares = difference.unbind(1)
        exponents = image.new_empty(batch, n, bottom - top, width)
        for neighbour, exponent in zip(neighbours, exponents.unbind(1), strict=True):
            torch.sub(neighbour, centre, out=difference).square_()
            torch.mul(square, factor, out=exponent)
            for other, its_factor in zip(squares, others, strict=True):
                exponent.addcmul_(other, its_factor)
        for one, target in zip(exponents.flatten(2), kernel[:, :, top:bottom], strict=True):
            _softmax(one, position, target)

    near.for_each(blocks, work)
    return kernel


def _add_variance(variance: Tensor, neighbours: list[Tensor]) -> None:
    """Adds to (B, channels, rows, W) the unbiased variance of the neighbours' values.

    Around their mean, in a second walk: sum of squares less square of sum loses weak contrast to rounding.
    """
    mean = torch.zeros_like(variance)
    for neighbour in neighbours:
        mean.add_(neighbour)
    mean.div_(len(neighbours))
    difference = torch.empty_like(mean)
    for neighbour in neighbours:
        torch.sub(neighbour, mean, out=difference)
        variance.addcmul_(difference, difference)
    variance.div_(len(neighbours) - 1)


def _softmax(exponents: Tensor, position: Tensor, target: Tensor) -> None:
    """target (n, rows, W) = softmax over n of (n, rows * W) binary exponents, plus the position term.

    Some pixels at a time, in the cache; torch's own, and exp, share out even the smallest work. The largest exponent
    goes off first: a pixel unlike all its neighbours has only huge ones.
    """
    n, pixels = exponents.shape
    some = max(1, near.BLOCK_VALUES // n)
    by_pixel = target.flatten(1).t()
    for start in range(0, pixels, some):
        part = exponents[:, start : start + some]
        shares = part - part.amax(dim=0)
        shares.exp2_()
        torch.addcmul(position, shares, shares.sum(dim=0).reciprocal_(), out=shares)
        by_pixel[start : start + some].copy_(shares.t())
