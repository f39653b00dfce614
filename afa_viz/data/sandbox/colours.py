"""Palettes and small colour arithmetic. A colour is a (3,) float32 sRGB vector in [0, 1]."""

import colorsys
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")

GAMMA = 2.2


def rgb(hex_code: str) -> np.ndarray:
    """(3,) sRGB colour of a six-digit hex code such as "e8503a"."""
    return np.array([int(hex_code[i : i + 2], 16) / 255 for i in (0, 2, 4)], np.float32)


def palette(hex_codes: str) -> list[np.ndarray]:
    """Colours of a space-separated list of hex codes."""
    return [rgb(code) for code in hex_codes.split()]


BRIGHT_COLOURS = palette(
    "e8503a f2813d f6b83c f4d35e 9cc45a 4fa66b 3fa7a0 4aa3d8 3f6fc4 6c5bb5 b565a7 e77fa3 f3efe4 c9d6d8 8b5e3c 444a57"
)
RED, ORANGE, AMBER, YELLOW, LIME, GREEN, TEAL, SKY_BLUE, BLUE, VIOLET, PLUM, ROSE, IVORY = BRIGHT_COLOURS[:13]
FURS = palette("f3e9d8 e9c79b d99a5b b8693a 8a5a3c 5b4034 3d3a40 8f8a88 c7bfb5 f6f3ee d2b48c a9744f")
(
    FUR_CREAM,
    FUR_SAND,
    FUR_GINGER,
    FUR_CHESTNUT,
    FUR_BROWN,
    FUR_DARK,
    FUR_BLACK,
    FUR_GREY,
    FUR_SILVER,
    FUR_WHITE,
) = FURS[:10]
SKINS = palette("f6d0b1 eab58f c98d63 9a643f 6a422c")
BEAD = rgb("17151a")
GLASS = rgb("9fd0e6")
RUBBER = rgb("2c2b31")
PINK = rgb("f0a0a0")
CREAM = rgb("f5ead2")
STEEL = rgb("c4c9cf")
LAMPLIGHT = rgb("fff2b8")
WHITE = rgb("ffffff")


def linear(colour: np.ndarray) -> np.ndarray:
    """sRGB to linear light."""
    return np.asarray(colour, np.float32) ** GAMMA


def darker(colour: np.ndarray, factor: float = 0.7) -> np.ndarray:
    """Colour scaled by `factor`."""
    return np.asarray(colour, np.float32) * np.float32(factor)


def lighter(colour: np.ndarray, amount: float = 0.4) -> np.ndarray:
    """Colour moved towards white by `amount` in [0, 1]."""
    return np.asarray(colour, np.float32) * np.float32(1 - amount) + np.float32(amount)


def uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """One uniform draw as a Python float."""
    return float(rng.uniform(low, high))


def choose(rng: np.random.Generator, options: Sequence[T]) -> T:
    """One element of `options`, each as likely as the others."""
    return options[int(rng.integers(len(options)))]


def jitter(
    rng: np.random.Generator,
    colour: np.ndarray,
    hue: float = 0.02,
    saturation: float = 0.12,
    value: float = 0.1,
) -> np.ndarray:
    """Colour shifted at random in HSV: `hue` in turns, `saturation` and `value` relative."""
    h, s, v = colorsys.rgb_to_hsv(*(float(channel) for channel in colour))
    h = (h + uniform(rng, -hue, hue)) % 1
    s = min(max(s * (1 + uniform(rng, -saturation, saturation)), 0.0), 1.0)
    v = min(max(v * (1 + uniform(rng, -value, value)), 0.04), 1.0)
    return np.array(colorsys.hsv_to_rgb(h, s, v), np.float32)


def bright_colour(rng: np.random.Generator) -> np.ndarray:
    """A jittered colour of the toy palette."""
    return jitter(rng, choose(rng, BRIGHT_COLOURS))
