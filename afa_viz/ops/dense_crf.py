"""Fully connected CRF: class scores made to agree with colour and place over the whole image.

Too slow to refine every training batch, which PAR does; the published test ends with one (docs/spec.md section 13).

Every pixel is tied to every other one; a pair pays for different labels the more, the nearer and the more alike its
pixels are:

    w_gauss exp(-|p - q|^2 / 2 sxy_gauss^2) + w_bilateral exp(-|p - q|^2 / 2 sxy^2 - |I_p - I_q|^2 / 2 srgb^2)

The solver is the optional package pydensecrf2 (Krähenbühl and Koltun 2011); nothing else needs it.

Symbols: P labels, H W pixels.
"""

from __future__ import annotations

import importlib.util

import numpy as np
import torch
from torch import Tensor

from afa_viz.ops.checks import require_dims, require_finite, require_number, require_positive, require_whole

NUM_ITERS = 10  # this and the following: docs/spec.md section 13, `msc_flip_test`
SXY_GAUSS = 3.0  # pixels
WEIGHT_GAUSS = 3.0
SXY_BILATERAL = 64.0  # pixels
SRGB = 5.0  # grey levels, 0 to 255
WEIGHT_BILATERAL = 4.0
SMALLEST = 1e-5  # probabilities below it count as this: a label may be unlikely, never impossible

HOW_TO_INSTALL = "The dense CRF needs one more package: pip install pydensecrf2 (it is compiled for your machine)."


def available() -> bool:
    """Whether pydensecrf2 is installed."""
    return importlib.util.find_spec("pydensecrf") is not None


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
    """Marginal probability of each label at each pixel after mean-field inference.

    Args:
        image: (H, W, 3) uint8 RGB.
        probabilities: (P, H, W), floating point, each >= 0; a pixel's are divided by their sum.
        num_iters: of the inference, >= 0; 0 gives the probabilities.
        sxy_gauss, sxy_bilateral: reach of the two kernels in pixels. srgb: of the second in grey levels.
        weight_gauss, weight_bilateral: of the two kernels.
    Returns: (P, H, W) float32, sums to 1 over P. Inputs are not changed.
    Raises: ModuleNotFoundError: where pydensecrf2 is not installed; its text says how to. ValueError: for other shapes
        or types, negative scores, or a pixel without any.
    Source: docs/spec.md section 13; Krähenbühl and Koltun 2011 (arXiv 1210.5644).
    """
    require_dims("probabilities", probabilities, 3, "(P, H, W)")
    require_finite("probabilities", probabilities)
    labels, height, width = probabilities.shape
    if image.dtype != torch.uint8 or tuple(image.shape) != (height, width, 3):
        raise ValueError(
            f"image has shape {tuple(image.shape)}, {image.dtype}; expected ({height}, {width}, 3), torch.uint8: "
            "resize the scores to the image."
        )
    if (probabilities < 0).any() or (probabilities.sum(dim=0) <= 0).any():
        raise ValueError("probabilities hold a negative number or a pixel without any; expected scores >= 0: softmax.")
    num_iters = require_whole("num_iters", num_iters, 0, NUM_ITERS)
    sxy_gauss = require_positive("sxy_gauss", sxy_gauss, SXY_GAUSS)
    sxy_bilateral = require_positive("sxy_bilateral", sxy_bilateral, SXY_BILATERAL)
    srgb = require_positive("srgb", srgb, SRGB)
    weight_gauss = require_number("weight_gauss", weight_gauss)
    weight_bilateral = require_number("weight_bilateral", weight_bilateral)
    if not available():
        raise ModuleNotFoundError(HOW_TO_INSTALL)
    from pydensecrf.densecrf import DenseCRF2D

    normalised = probabilities.double() / probabilities.double().sum(dim=0)
    unary = -normalised.clamp_min(SMALLEST).log().reshape(labels, -1).float()
    crf = DenseCRF2D(width, height, labels)
    crf.setUnaryEnergy(np.ascontiguousarray(unary.cpu().numpy()))
    crf.addPairwiseGaussian(sxy=sxy_gauss, compat=weight_gauss)
    pixels = np.ascontiguousarray(image.cpu().numpy())
    crf.addPairwiseBilateral(sxy=sxy_bilateral, srgb=srgb, rgbim=pixels, compat=weight_bilateral)
    marginals = np.array(crf.inference(num_iters), dtype=np.float32)
    return torch.from_numpy(marginals).reshape(labels, height, width)
