"""Networks of other methods with random weights: timm's classifiers from a folder, and one with nothing but a CAM."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from torch import Tensor, nn

from afa_viz.model.interface import Intermediates, Network
from afa_viz.parts import Parts

NAMES = ("pvt_v2_b0", "deit_tiny_patch16_224")


def timm_network(name: str, rng_seed: int = 0):
    """timm's own model with random weights that spread its logits, fused attention off."""
    import timm

    vit = {"dynamic_img_size": True, "dynamic_img_pad": True} if not name.startswith("pvt") else {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(rng_seed)
        net = timm.create_model(name, **vit)
        for weights in net.parameters():
            if weights.ndim > 1:
                nn.init.normal_(weights, std=0.06)
            else:
                nn.init.normal_(weights, mean=float(weights.detach().mean()), std=0.2)
    for module in net.modules():
        if hasattr(module, "fused_attn"):
            module.fused_attn = False
    return net.eval()


def timm_folder(folder: Path, name: str, rng_seed: int = 0) -> str:
    """Write such weights in timm's format; returns their source."""
    folder.mkdir(parents=True, exist_ok=True)
    safetensors.torch.save_file(timm_network(name, rng_seed).state_dict(), folder / "model.safetensors")
    return f"timm:{name}@{folder}"


def photograph(height: int = 120, width: int = 160) -> np.ndarray:
    """(H, W, 3) uint8: a bright disc on a textured ground."""
    rng = np.random.default_rng(0)
    rows, cols = np.mgrid[:height, :width]
    image = rng.integers(40, 110, (height, width, 3))
    image[(rows - height // 2) ** 2 + (cols - width // 3) ** 2 < (height // 4) ** 2] += 120
    return image.astype(np.uint8)


class CamOnly(Network):
    """A classifier without attention, affinity and decoder."""

    parts = Parts(stride=8, attention=None, affinity=None, decoder=False, labels="sigmoid")

    def __init__(self, num_classes: int = 4) -> None:
        super().__init__()
        self.num_classes = num_classes
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.features = nn.Conv2d(3, 8, 8, 8)
            self.classifier = nn.Conv2d(8, num_classes - 1, 1)

    def forward_intermediates(self, image: Tensor, first_stage: int = 0) -> Intermediates:
        height, width = (-side % 8 for side in image.shape[-2:])
        padded = nn.functional.pad(image, (0, width, 0, height))
        cam = self.classifier(self.features(padded).relu())
        return Intermediates(cam.mean((-2, -1)), None, cam, [])
