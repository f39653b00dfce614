"""Images that a visitor of a static site may have, of odd sizes and kinds, and masks for them."""

from __future__ import annotations

import numpy as np
from image_bytes import encoded, exif
from network_site import EXAMPLES
from PIL import Image


def scene(name: str, size: tuple[int, int]) -> Image.Image:
    return Image.open(EXAMPLES / name).convert("RGB").resize(size, Image.Resampling.BICUBIC)


def turned(image: Image.Image, orientation: int) -> bytes:
    return encoded(image, "JPEG", quality=92, exif=exif(orientation))


UPLOADS = {
    "301 x 199 PNG": lambda: encoded(scene("default_004.png", (301, 199)), "PNG"),
    "97 x 143 PNG": lambda: encoded(scene("default_005.png", (97, 143)), "PNG"),
    "1023 x 577 JPEG": lambda: encoded(scene("chelsea.png", (1023, 577)), "JPEG", quality=90),
    "2048 x 1531 JPEG": lambda: encoded(scene("crowded_055.png", (2048, 1531)), "JPEG", quality=80),
    "640 x 480 JPEG on its side": lambda: turned(scene("biased_041.png", (640, 480)), 6),
    "333 x 500 JPEG, mirrored": lambda: turned(scene("biased_045.png", (333, 500)), 2),
    "500 x 375 WebP": lambda: encoded(scene("astronaut.png", (500, 375)), "WEBP", quality=90),
    "257 x 255 grey PNG": lambda: encoded(scene("default_011.png", (257, 255)).convert("L"), "PNG"),
    "411 x 123 PNG with a palette": lambda: encoded(scene("default_013.png", (411, 123)).quantize(64), "PNG"),
    "120 x 300 PNG, half transparent": lambda: encoded(with_alpha(scene("cluttered_076.png", (120, 300))), "PNG"),
    "40 x 33 PNG": lambda: encoded(scene("default_004.png", (40, 33)), "PNG"),
}


def with_alpha(image: Image.Image) -> Image.Image:
    alpha = np.tile(np.linspace(0, 255, image.width).round().astype(np.uint8), (image.height, 1))
    image.putalpha(Image.fromarray(alpha))
    return image


def mask_png(size: tuple[int, int], labels: tuple[int, ...]) -> Image.Image:
    """Two discs of two labels, or one, in the background, and a frame that does not count."""
    rows, cols = np.mgrid[: size[1], : size[0]]
    mask = np.zeros((size[1], size[0]), np.uint8)
    for i, label in enumerate(labels):
        mask[(rows - size[1] / 2) ** 2 + (cols - size[0] * (i + 1) / (len(labels) + 1)) ** 2 < (min(size) / 5) ** 2] = (
            label
        )
    mask[:3] = 255
    return Image.fromarray(mask)
