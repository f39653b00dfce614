"""Pixel-adaptive refinement (PAR): class maps pulled towards the image's own edges, with no learned weight.

Every pixel takes a weighted sum of the maps at its 8 neighbours at each of several distances, repeatedly.
The weights compare colours in units of the local contrast, so that a weak edge counts in a flat region and
not in a textured one:

    colour_n   = softmax_n( mean_ch -( |I_n - I| / (sigma_ch + eps) / w1 )^2 )
    position_n = softmax_n( -( rho_n / (std(rho) + eps) / w1 )^2 )
    kernel_n   = colour_n + w2 position_n
    scores    <- sum_n kernel_n scores_n,  num_iters times

The centre is not among its own neighbours, and beyond the border the edge pixel is repeated. The kernel sums
to 1 + w2, so the maps also grow by that factor in every iteration; the factor alone changes no order among them.
The paper writes w1 and w2 for the widths of the two terms, both 0.3, and w3 for the share that is w2 here.

Symbols: B images, C maps (classes), H x W pixels, d dilation, n = 8 * len(dilations) neighbours.

The algorithm is `_plain_kernel` and `_plain_iterations` below. `par_fast` gives the same numbers sooner, on a CPU and
on a GPU; whatever it has no form for is computed by the plain ones.

No gradient flows through any function here: PAR makes labels and images, not losses.

Source: Ru et al. 2022 (arXiv 2203.02664), section 3.4; docs/spec.md section 7.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from afa_viz.ops import par_fast
from afa_viz.ops.checks import require_dims, require_finite, require_float, require_int, require_positive
from afa_viz.ops.par_fast.neighbours import EPS, Offsets, offset_pairs

DILATIONS = (1, 2, 4, 8, 12, 24)  # pixels of the image PAR is given; the paper's setting
NUM_ITERS = 10  # VOC; 15 for COCO
W1 = 0.3  # width of both Gaussians, in standard deviations; w1 and w2 in the paper
W2 = 0.01  # share of the position term; w3 in the paper


def pixel_affinity(
    image: Tensor, dilations: Sequence[int] = DILATIONS, w1: float = W1, w2: float = W2, fast: bool = True
) -> Tensor:
    """How much each pixel takes from each of its n neighbours: colour term + w2 * position term.

    Args:
        image: (B, channels, H, W), floating point, in [0, 1].
        dilations: distances of the neighbours in pixels, each >= 1.
        w1: width of both terms, > 0. Smaller follows colour more sharply.
        w2: weight of the position term, which is the same at every pixel.
        fast: take a fast form where there is one; False: the plain form, on any device.
    Returns: (B, n, H, W), non-negative, sums to 1 + w2 over n, in the order of `neighbour_offsets`; float64
        for a float64 image, otherwise float32. The image is not changed.
    Raises: ValueError: for another shape, an integer image, NaN or infinity, or an impossible setting.
    Source: docs/spec.md section 7, steps 2 to 5 (sigma is unbiased, over the n neighbours of a channel).
    """
    return _kernel(image, dilations, w1, w2, fast)


def refine(
    scores: Tensor,
    kernel: Tensor,
    dilations: Sequence[int] = DILATIONS,
    num_iters: int = NUM_ITERS,
    fast: bool = True,
) -> Tensor:
    """The maps after `num_iters` iterations of scores <- sum_n kernel_n scores_n.

    Args:
        scores: (B, C, H, W), floating point, any range, already at image size.
        kernel: (B, n, H, W) from `pixel_affinity` with the same dilations.
        dilations: those of the kernel, in the same order.
        num_iters: >= 0; 0 gives a copy of the scores.
        fast: as `pixel_affinity`.
    Returns: (B, C, H, W), the scores' dtype (16-bit scores are worked on in float32). Inputs are not changed.
    Raises: ValueError: where the shapes do not belong together, or scores hold NaN or infinity.
    Source: docs/spec.md section 7, step 6.
    """
    num_iters = _check_refine(scores, kernel, dilations, num_iters)
    for refined in _iterate(scores, kernel, dilations, num_iters, fast):  # noqa: B007
        pass
    return refined.to(scores.dtype).contiguous()


def refine_steps(
    scores: Tensor,
    kernel: Tensor,
    dilations: Sequence[int] = DILATIONS,
    num_iters: int = NUM_ITERS,
    fast: bool = True,
) -> Iterator[Tensor]:
    """The maps after 0, 1, …, `num_iters` iterations: `num_iters` + 1 tensors, each the caller's own.

    Args: as `refine`, whose result is the last of them.
    Returns: iterator over (B, C, H, W). The call itself, not the first step, refuses wrong arguments.
    Raises: ValueError: as `refine`.
    """
    num_iters = _check_refine(scores, kernel, dilations, num_iters)
    form, dtype = torch.contiguous_format, scores.dtype
    steps = _iterate(scores, kernel, dilations, num_iters, fast)
    return (step.to(dtype, copy=True, memory_format=form) for step in steps)


def pixel_adaptive_refinement(
    image: Tensor,
    scores: Tensor,
    dilations: Sequence[int] = DILATIONS,
    num_iters: int = NUM_ITERS,
    w1: float = W1,
    w2: float = W2,
    fast: bool = True,
) -> Tensor:
    """`refine` with the kernel of `image`, after resizing the scores to it (bilinear, align_corners=True).

    Args:
        image: (B, channels, H, W), floating point, in [0, 1].
        scores: (B, C, h, w), floating point, any size.
        dilations, w1, w2, fast: as `pixel_affinity`. num_iters: as `refine`.
    Returns: (B, C, H, W), the scores' dtype. Inputs are not changed.
    Raises: ValueError: as `pixel_affinity` and `refine`.
    Source: docs/spec.md section 7.
    """
    _check_maps("scores", scores)
    maps = _resized(scores, image.shape[-2:])
    kernel = _kernel(image, dilations, w1, w2, fast, num_maps=maps.shape[1])
    return refine(maps, kernel, dilations, num_iters, fast).to(scores.dtype)


def neighbour_offsets(dilations: Sequence[int] = DILATIONS) -> Tensor:
    """Where the n neighbours lie: dilation by dilation, each 3 x 3 ring row by row without its centre.

    Args:
        dilations: distances in pixels, each >= 1.
    Returns: (n, 2), int64, (row, col) offsets in pixels, in the kernel's channel order.
    Raises: ValueError: if a dilation is not a whole number of at least 1.
    """
    return torch.tensor(offset_pairs(dilations))


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
    row, col = require_int("row", row, 0), require_int("col", col, 0)
    if row >= height or col >= width:
        raise ValueError(f"pixel (row {row}, col {col}) lies outside the kernel's {height} x {width} image.")
    positions = torch.tensor([row, col]) + neighbour_offsets(dilations)
    last = torch.tensor([height - 1, width - 1])
    return positions.clamp(min=torch.zeros_like(last), max=last), kernel[:, :, row, col].clone()


def _plain_kernel(image: Tensor, offsets: Offsets, w1: float, position: Tensor) -> Tensor:
    """(B, n, H, W) kernel, as the formula reads."""
    neighbours = torch.stack(_neighbours(image, offsets), dim=2)  # (B, channels, n, H, W)
    sigma = neighbours.std(dim=2, keepdim=True)
    exponents = -((neighbours - image.unsqueeze(2)) / (sigma + EPS) / w1).square().mean(dim=1)
    return exponents.softmax(dim=1) + position.view(-1, 1, 1)


def _plain_iterations(maps: Tensor, kernel: Tensor, offsets: Offsets, num_iters: int) -> Iterator[Tensor]:
    """Yields the maps after 0, 1, …, `num_iters` iterations, each in memory of its own."""
    yield maps.clone()
    for _ in range(num_iters):
        terms = (
            weights.unsqueeze(1) * neighbour
            for weights, neighbour in zip(kernel.unbind(1), _neighbours(maps, offsets), strict=True)
        )
        maps = next(terms)
        for term in terms:
            maps = maps + term
        yield maps


def _neighbours(maps: Tensor, offsets: Offsets) -> list[Tensor]:
    """For each offset what lies there, (B, C, H, W); beyond the border the edge pixel is repeated."""
    height, width = maps.shape[-2:]
    farthest = max(row for row, _ in offsets)
    padded = F.pad(maps, [farthest] * 4, mode="replicate")
    return [
        padded[..., farthest + row : farthest + row + height, farthest + col : farthest + col + width]
        for row, col in offsets
    ]


def position_term(offsets: Offsets, w1: float) -> Tensor:
    """(n,), float64: softmax of -(rho / (std(rho) + eps) / w1)^2, rho the distance in pixels."""
    rho = torch.tensor(offsets, dtype=torch.float64).norm(dim=1)
    return (rho / (rho.std() + EPS) / w1).square().neg().softmax(dim=0)


@torch.no_grad()
def _kernel(image: Tensor, dilations: Sequence[int], w1: float, w2: float, fast: bool, num_maps: int = 1) -> Tensor:
    _check_maps("image", image)
    offsets = offset_pairs(dilations)
    w1, w2 = require_positive("w1", w1, W1, "a width"), require_float("w2", w2)
    image = image.to(_working_dtype(image))
    position = w2 * position_term(offsets, w1).to(image)
    kernel = par_fast.compute_kernel(image, offsets, w1, position, num_maps) if fast else None
    return _plain_kernel(image, offsets, w1, position) if kernel is None else kernel


def _iterate(scores: Tensor, kernel: Tensor, dilations: Sequence[int], num_iters: int, fast: bool) -> Iterator[Tensor]:
    """Yields the maps after 0, 1, …, `num_iters` iterations, in memory that the next iteration may write to."""
    maps = scores.detach().to(torch.promote_types(_working_dtype(scores), kernel.dtype))
    kernel, offsets = kernel.detach().to(maps.dtype), offset_pairs(dilations)
    steps = par_fast.iterate(maps, kernel, offsets, num_iters) if fast else None
    return _plain_iterations(maps, kernel, offsets, num_iters) if steps is None else steps


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
    n = len(offset_pairs(dilations))
    require_dims("kernel", kernel, 4, f"(B, {n}, H, W)")
    if kernel.shape[1] != n:
        raise ValueError(
            f"kernel has shape {tuple(kernel.shape)}; expected (B, {n}, H, W), 8 neighbours for each of "
            f"{len(dilations)} dilations: give the dilations it was made with."
        )


def _check_refine(scores: Tensor, kernel: Tensor, dilations: Sequence[int], num_iters: int) -> int:
    """`num_iters` as an int."""
    _check_maps("scores", scores)
    _check_kernel(kernel, dilations)
    if (len(scores), *scores.shape[-2:]) != (len(kernel), *kernel.shape[-2:]):
        raise ValueError(
            f"scores have shape {tuple(scores.shape)} but kernel {tuple(kernel.shape)}; expected the same "
            "batch, height and width: `pixel_adaptive_refinement` resizes scores to the image."
        )
    return require_int("num_iters", num_iters, 0, NUM_ITERS)
