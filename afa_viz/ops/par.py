"""Pixel-adaptive refinement (PAR): class maps pulled towards the image's own edges, with no learned weight.

Every pixel takes a weighted mean of the maps at its 8 neighbours at each of several distances, repeatedly.
The weights compare colours in units of the local contrast, so that a weak edge counts in a flat region and
not in a textured one:

    colour_n   = softmax_n( mean_ch -( |I_n - I| / (sigma_ch + eps) / w1 )^2 )
    position_n = softmax_n( -( rho_n / (std(rho) + eps) / w1 )^2 )
    kernel_n   = colour_n + w2 position_n
    scores    <- sum_n kernel_n scores_n,  num_iters times

The centre is not among its own neighbours, and beyond the border the edge pixel is repeated. The kernel sums
to 1 + w2, so the maps grow by that factor in every iteration.

Symbols: B images, C maps (classes), H x W pixels, d dilation, n = 8 * len(dilations) neighbours.

No neighbour copies are kept: one padded copy of the maps is read through n shifted views. The work goes by
blocks of rows, so small that a block's sums stay in a CPU core's cache while all n neighbours are added, and
that torch runs each addition on the calling thread: over thousands of short steps, threads that wait for each
other at every step are slower than one thread as soon as the machine has other work.

No gradient flows through any function here: PAR makes labels and pictures, not losses.

Source: Ru et al. 2022 (arXiv 2203.02664), section 3.4; SPEC.md section 7.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from afa_viz.ops.checks import require_dims, require_finite

DILATIONS = (1, 2, 4, 8, 12, 24)  # pixels; the paper's setting
NUM_ITERS = 10  # VOC; 15 for COCO
W1 = 0.3  # width of both Gaussians, in standard deviations
W2 = 0.01  # share of the position term
EPS = 1e-8  # keeps a flat region (sigma = 0) finite
LOG2_E = math.log2(math.e)
BLOCK_VALUES = 2**15 - 1  # of a block's sums: 128 KiB of float32, below the 2**15 that torch shares out


def pixel_affinity(image: Tensor, dilations: Sequence[int] = DILATIONS, w1: float = W1, w2: float = W2) -> Tensor:
    """How much each pixel takes from each of its n neighbours: colour term + w2 * position term.

    Args:
        image: (B, channels, H, W), floating point, in [0, 1].
        dilations: distances of the neighbours in pixels, each >= 1.
        w1: width of both terms, > 0. Smaller follows colour more sharply.
        w2: weight of the position term, which is the same at every pixel.
    Returns: (B, n, H, W), non-negative, sums to 1 + w2 over n, in the order of `neighbour_offsets`; float64
        for a float64 image, otherwise float32. The image is not changed.
    Raises: ValueError: for another shape, an integer image, NaN or infinity, or an impossible setting.
    Source: SPEC.md section 7, steps 2 to 5 (sigma is unbiased, over the n neighbours of a channel).
    """
    _check_maps("image", image)
    offsets = _offset_pairs(dilations)
    if not w1 > 0:
        raise ValueError(f"got w1 {w1}; expected a width above 0 (published: 0.3).")
    with torch.no_grad():
        return _affinity(image.to(_working_dtype(image)), offsets, w1, w2)


def refine(scores: Tensor, kernel: Tensor, dilations: Sequence[int] = DILATIONS, num_iters: int = NUM_ITERS) -> Tensor:
    """The maps after `num_iters` iterations of scores <- sum_n kernel_n scores_n.

    Args:
        scores: (B, C, H, W), floating point, any range, already at image size.
        kernel: (B, n, H, W) from `pixel_affinity` with the same dilations.
        dilations: those of the kernel, in the same order.
        num_iters: >= 0; 0 gives a copy of the scores.
    Returns: (B, C, H, W), the scores' dtype (16-bit scores are worked on in float32). Inputs are not changed.
    Raises: ValueError: where the shapes do not belong together, or scores hold NaN or infinity.
    Source: SPEC.md section 7, step 6.
    """
    _check_refine(scores, kernel, dilations, num_iters)
    *_, refined = _iterate(scores, kernel, dilations, num_iters)
    return refined.to(scores.dtype)


def refine_steps(
    scores: Tensor, kernel: Tensor, dilations: Sequence[int] = DILATIONS, num_iters: int = NUM_ITERS
) -> Iterator[Tensor]:
    """The maps after 0, 1, …, `num_iters` iterations: `num_iters` + 1 tensors, each the caller's own.

    Args: as `refine`, whose result is the last of them.
    Returns: iterator over (B, C, H, W). The call itself, not the first step, refuses wrong arguments.
    Raises: ValueError: as `refine`.
    """
    _check_refine(scores, kernel, dilations, num_iters)
    return (step.to(scores.dtype, copy=True) for step in _iterate(scores, kernel, dilations, num_iters))


def pixel_adaptive_refinement(
    image: Tensor,
    scores: Tensor,
    dilations: Sequence[int] = DILATIONS,
    num_iters: int = NUM_ITERS,
    w1: float = W1,
    w2: float = W2,
) -> Tensor:
    """`refine` with the kernel of `image`, after resizing the scores to it (bilinear, align_corners=True).

    Args:
        image: (B, channels, H, W), floating point, in [0, 1].
        scores: (B, C, h, w), floating point, any size.
        dilations, w1, w2: as `pixel_affinity`. num_iters: as `refine`.
    Returns: (B, C, H, W), the scores' dtype. Inputs are not changed.
    Raises: ValueError: as `pixel_affinity` and `refine`.
    Source: SPEC.md section 7.
    """
    _check_maps("scores", scores)
    kernel = pixel_affinity(image, dilations, w1, w2)
    return refine(_resized(scores, image.shape[-2:]), kernel, dilations, num_iters).to(scores.dtype)


def neighbour_offsets(dilations: Sequence[int] = DILATIONS) -> Tensor:
    """Where the n neighbours lie: dilation by dilation, each 3 x 3 ring row by row without its centre.

    Args:
        dilations: distances in pixels, each >= 1.
    Returns: (n, 2), int64, (row, col) offsets in pixels, in the kernel's channel order.
    Raises: ValueError: if a dilation is not a whole number of at least 1.
    """
    return torch.tensor(_offset_pairs(dilations))


def neighbour_weights(
    kernel: Tensor, row: int, col: int, dilations: Sequence[int] = DILATIONS
) -> tuple[Tensor, Tensor]:
    """From where, and how much, one pixel takes in each iteration.

    Args:
        kernel: (B, n, H, W) from `pixel_affinity` with the same dilations.
        row, col: the pixel, in [0, H) and [0, W).
        dilations: those of the kernel, in the same order.
    Returns: positions (n, 2), int64, (row, col), moved onto the image where they lie outside it, so that one
        position may appear several times; weights (B, n), which sum to 1 + w2.
    Raises: ValueError: for a pixel outside the image, or a kernel of other dilations.
    """
    _check_kernel(kernel, dilations)
    height, width = kernel.shape[-2:]
    if not (0 <= row < height and 0 <= col < width):
        raise ValueError(f"pixel (row {row}, col {col}) lies outside the kernel's {height} x {width} image.")
    positions = torch.tensor([row, col]) + neighbour_offsets(dilations)
    last = torch.tensor([height - 1, width - 1])
    return positions.clamp(min=torch.zeros_like(last), max=last), kernel[:, :, row, col].clone()


def _affinity(image: Tensor, offsets: list[tuple[int, int]], w1: float, w2: float) -> Tensor:
    """The kernel: variance of the whole image, then exponents and softmax block by block."""
    batch, channels, height, width = image.shape
    n = len(offsets)
    padded = _new_padded(image, offsets)
    _fill_padded(padded, image)

    # mean_ch -(|I_n - I| / (sigma + eps) / w1)^2  =  sum_ch scale (I_n - I)^2
    sigma = _neighbour_variance(padded, offsets).sqrt_()
    scale = sigma.add_(EPS).mul_(w1).square_().mul_(-channels).reciprocal_()
    scale.mul_(LOG2_E)  # exp2 below

    position = w2 * _position_term(offsets, w1).to(image).view(n, 1)
    kernel = image.new_empty(batch, n, height, width)
    blocks = _row_blocks(height, batch * channels * width, image.device)
    scratch = image.new_empty(batch, n, blocks[0][1], width)
    for top, bottom in blocks:
        centre, *neighbours = _shifted_views(padded, [(0, 0), *offsets], top, bottom)
        difference = torch.empty_like(centre)
        squares = list(zip(difference.unbind(1), scale[:, :, top:bottom].unbind(1), strict=True))
        exponents = scratch[:, :, : bottom - top]
        for neighbour, exponent in zip(neighbours, exponents.unbind(1), strict=True):
            torch.sub(neighbour, centre, out=difference).square_()
            torch.mul(*squares[0], out=exponent)
            for square, factor in squares[1:]:
                exponent.addcmul_(square, factor)

        # Softmax, some pixels at a time; torch's own, and exp, share out even the smallest work.
        # The largest exponent goes off first: a pixel unlike all its neighbours has only huge ones.
        some = max(1, BLOCK_VALUES // (batch * n))
        targets = kernel[:, :, top:bottom].flatten(2).split(some, dim=2)
        for part, target in zip(exponents.flatten(2).split(some, dim=2), targets, strict=True):
            part.sub_(part.amax(dim=1, keepdim=True)).exp2_()
            part.div_(part.sum(dim=1, keepdim=True))
            torch.add(part, position, out=target)
    return kernel


def _neighbour_variance(padded: Tensor, offsets: list[tuple[int, int]]) -> Tensor:
    """(B, channels, H, W): unbiased variance of the neighbours' values.

    Around their mean, in a second walk: sum of squares less square of sum loses weak contrast to rounding.
    """
    reach = _reach(offsets)
    batch, channels, height, width = padded[..., 2 * reach :, 2 * reach :].shape
    variance = padded.new_zeros(batch, channels, height, width)
    for top, bottom in _row_blocks(height, batch * channels * width, padded.device):
        neighbours = _shifted_views(padded, offsets, top, bottom)
        mean = torch.zeros_like(neighbours[0])
        for neighbour in neighbours:
            mean.add_(neighbour)
        mean.div_(len(offsets))
        block, difference = variance[:, :, top:bottom], torch.empty_like(mean)
        for neighbour in neighbours:
            torch.sub(neighbour, mean, out=difference)
            block.addcmul_(difference, difference)
    return variance.div_(len(offsets) - 1)


def _position_term(offsets: list[tuple[int, int]], w1: float) -> Tensor:
    """(n,), float64: softmax of -(rho / (std(rho) + eps) / w1)^2, rho the distance in pixels."""
    rho = torch.tensor(offsets, dtype=torch.float64).norm(dim=1)
    return (rho / (rho.std() + EPS) / w1).square().neg().softmax(dim=0)


@torch.no_grad()
def _iterate(scores: Tensor, kernel: Tensor, dilations: Sequence[int], num_iters: int) -> Iterator[Tensor]:
    """Yields one and the same tensor, holding the maps after 0, 1, …, `num_iters` iterations."""
    dtype = torch.promote_types(_working_dtype(scores), kernel.dtype)
    offsets = _offset_pairs(dilations)
    batch, channels, height, width = scores.shape
    maps = scores.to(dtype, copy=True, memory_format=torch.contiguous_format)
    padded = _new_padded(maps, offsets)
    weights = kernel.to(dtype).unsqueeze(2)
    blocks = []  # all views: every iteration reads `padded` and writes `maps` through them
    for top, bottom in _row_blocks(height, batch * channels * width, maps.device):
        neighbours = _shifted_views(padded, offsets, top, bottom)
        terms = list(zip(neighbours, weights[..., top:bottom, :].unbind(1), strict=True))
        blocks.append((maps[:, :, top:bottom], terms))
    yield maps
    for _ in range(num_iters):
        _fill_padded(padded, maps)
        for block, (first, *others) in blocks:
            torch.mul(*first, out=block)
            for neighbour, weight in others:
                block.addcmul_(neighbour, weight)
        yield maps


def _offset_pairs(dilations: Sequence[int]) -> list[tuple[int, int]]:
    if len(dilations) == 0 or any(d != int(d) or d < 1 for d in dilations):
        raise ValueError(f"got dilations {tuple(dilations)}; expected one or more whole numbers >= 1.")
    ring = [(row, col) for row in (-1, 0, 1) for col in (-1, 0, 1) if (row, col) != (0, 0)]
    return [(int(d) * row, int(d) * col) for d in dilations for row, col in ring]


def _reach(offsets: list[tuple[int, int]]) -> int:
    return max(row for row, _ in offsets)


def _row_blocks(height: int, row_values: int, device: torch.device) -> list[tuple[int, int]]:
    """(top, bottom) of consecutive blocks of rows; one block off the CPU, where it is the calls that cost."""
    rows = max(1, BLOCK_VALUES // row_values) if device.type == "cpu" else height
    return [(top, min(top + rows, height)) for top in range(0, height, rows)]


def _shifted_views(padded: Tensor, offsets: list[tuple[int, int]], top: int, bottom: int) -> list[Tensor]:
    """Per offset the view of `padded` that lies over rows [top, bottom) of the image, moved by the offset."""
    reach = _reach(offsets)
    width = padded.shape[-1] - 2 * reach
    return [
        padded[..., reach + top + row : reach + bottom + row, reach + col : reach + col + width] for row, col in offsets
    ]


def _new_padded(maps: Tensor, offsets: list[tuple[int, int]]) -> Tensor:
    batch, channels, height, width = maps.shape
    reach = _reach(offsets)
    return maps.new_empty(batch, channels, height + 2 * reach, width + 2 * reach)


def _fill_padded(padded: Tensor, maps: Tensor) -> None:
    """Writes `maps` into the middle of `padded` and repeats the edge pixels outwards."""
    height, width = maps.shape[-2:]
    reach = (padded.shape[-1] - width) // 2
    for top, bottom in _row_blocks(height, padded[:, :, 0].numel(), maps.device):
        rows = padded[:, :, reach + top : reach + bottom]
        rows[..., reach : reach + width] = maps[:, :, top:bottom]
        rows[..., :reach] = rows[..., reach : reach + 1]
        rows[..., reach + width :] = rows[..., reach + width - 1 : reach + width]
    for row in range(reach):
        padded[:, :, row] = padded[:, :, reach]
        padded[:, :, reach + height + row] = padded[:, :, reach + height - 1]


def _working_dtype(tensor: Tensor) -> torch.dtype:
    return torch.promote_types(tensor.dtype, torch.float32)


def _resized(scores: Tensor, size: Sequence[int]) -> Tensor:
    if scores.shape[-2:] == tuple(size):
        return scores
    return F.interpolate(
        scores.detach().to(_working_dtype(scores)), size=tuple(size), mode="bilinear", align_corners=True
    )


def _check_maps(name: str, maps: Tensor) -> None:
    require_dims(name, maps, 4, "(B, channels, H, W)")
    if maps.numel() == 0 or not maps.is_floating_point():
        raise ValueError(f"{name} has shape {tuple(maps.shape)}, {maps.dtype}; expected floats, not empty.")
    require_finite(name, maps)


def _check_kernel(kernel: Tensor, dilations: Sequence[int]) -> None:
    n = len(_offset_pairs(dilations))
    require_dims("kernel", kernel, 4, f"(B, {n}, H, W)")
    if kernel.shape[1] != n:
        raise ValueError(
            f"kernel has shape {tuple(kernel.shape)}; expected (B, {n}, H, W), 8 neighbours for each of "
            f"{len(dilations)} dilations: give the dilations it was made with."
        )


def _check_refine(scores: Tensor, kernel: Tensor, dilations: Sequence[int], num_iters: int) -> None:
    _check_maps("scores", scores)
    _check_kernel(kernel, dilations)
    if (len(scores), *scores.shape[-2:]) != (len(kernel), *kernel.shape[-2:]):
        raise ValueError(
            f"scores have shape {tuple(scores.shape)} but kernel {tuple(kernel.shape)}; expected the same "
            "batch, height and width: `pixel_adaptive_refinement` resizes scores to the image."
        )
    if not isinstance(num_iters, int) or num_iters < 0:
        raise ValueError(f"got num_iters {num_iters}; expected a whole number of at least 0 (published: 10).")
