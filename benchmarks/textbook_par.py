"""PAR as a textbook would write it: oracle and baseline of `benchmarks.par`.

Replicate-pad, one dilated convolution with eight one-hot 3 x 3 kernels per distance, and all the neighbour
copies kept: of the image once, of the maps in every iteration. It shares no line with `afa_viz.ops.par`.

Source: docs/spec.md "Pixel-adaptive refinement"; Ru et al. 2022 (arXiv 2203.02664), section 3.4.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

DILATIONS = (1, 2, 4, 8, 12, 24)


def gather_neighbours(maps: Tensor, dilations: tuple[int, ...] = DILATIONS) -> Tensor:
    """(B, C, H, W) -> (B, C, n, H, W): every neighbour's value beside the pixel's own."""
    batch, channels, height, width = maps.shape
    one_hot = torch.eye(9, dtype=maps.dtype, device=maps.device)
    one_hot = torch.cat([one_hot[:4], one_hot[5:]]).view(8, 1, 3, 3)  # row by row, without the centre
    single = maps.reshape(batch * channels, 1, height, width)
    copies = [F.conv2d(F.pad(single, (d, d, d, d), mode="replicate"), one_hot, dilation=d) for d in dilations]
    return torch.cat(copies, dim=1).view(batch, channels, 8 * len(dilations), height, width)


def kernel(image: Tensor, dilations: tuple[int, ...] = DILATIONS, w1: float = 0.3, w2: float = 0.01) -> Tensor:
    """(B, 3, H, W) -> (B, n, H, W)."""
    neighbours = gather_neighbours(image, dilations)
    distance = (neighbours - image.unsqueeze(2)).abs()
    sigma = neighbours.std(dim=2, keepdim=True)
    colour = (-((distance / (sigma + 1e-8) / w1) ** 2)).mean(dim=1).softmax(dim=1)

    root = 2**0.5
    ring = torch.tensor([root, 1, root, 1, 1, root, 1, root], dtype=image.dtype, device=image.device)
    rho = torch.cat([d * ring for d in dilations])
    position = (-((rho / (rho.std() + 1e-8) / w1) ** 2)).softmax(dim=0)
    return colour + w2 * position.view(1, -1, 1, 1)


def pixel_adaptive_refinement(
    image: Tensor, scores: Tensor, dilations: tuple[int, ...] = DILATIONS, num_iters: int = 10
) -> Tensor:
    """(B, 3, H, W) and (B, C, H, W) -> (B, C, H, W)."""
    weights = kernel(image, dilations).unsqueeze(1)
    for _ in range(num_iters):
        scores = (gather_neighbours(scores, dilations) * weights).sum(dim=2)
    return scores
