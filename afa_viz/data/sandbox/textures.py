"""Surface textures of layers: functions (x, y, colour) -> (colour, extra height or None).

x and y are local coordinates that broadcast to (h, w); colour is linear light, (3, h, w) or (3, 1, 1).
"""

import numpy as np

from afa_viz.data.sandbox.colours import linear
from afa_viz.data.sandbox.noise import bank, sample
from afa_viz.data.sandbox.shapes import Texture

f32 = np.float32


def _mix(colour, other, share):
    return colour + (other - colour) * share


def _planes(colour):
    return linear(colour)[:, None, None]


def spots(colour, frequency: float, threshold: float, offset) -> Texture:
    """Blotches where slow noise exceeds `threshold`."""
    other = _planes(colour)

    def texture(x, y, base):
        noise = sample(bank()["blob"], x * f32(frequency) + f32(offset[0]), y * f32(frequency) + f32(offset[1]))
        share = np.clip((noise - f32(threshold)) * 6, 0, 1)
        return _mix(base, other, share), share * f32(0.006)

    return texture


def stripes(colour, frequency: float, phase: float, angle: float = 0.0) -> Texture:
    """Wavy stripes across the direction `angle`."""
    other, cos, sin = _planes(colour), f32(np.cos(angle) * frequency), f32(np.sin(angle) * frequency)

    def texture(x, y, base):
        noise = sample(bank()["blob"], x * f32(90) + f32(50), y * f32(90) + f32(9))
        share = np.clip((np.sin(x * cos + y * sin + noise * f32(0.55) + f32(phase)) - f32(0.25)) * 3, 0, 1)
        return _mix(base, other, share), share * f32(0.005)

    return texture


def band(colour, bottom: float, top: float) -> Texture:
    """One painted band between two heights."""
    other = _planes(colour)

    def texture(x, y, base):
        inside = np.broadcast_to((y > bottom) & (y < top), np.broadcast_shapes(x.shape, y.shape))
        return np.where(inside, other, base), inside * f32(0.006)

    return texture


def dots(colour, frequency: float, radius: float = 0.3) -> Texture:
    """Polka dots; `radius` in cells."""
    other = _planes(colour)

    def texture(x, y, base):
        v = y * f32(frequency)
        u = x * f32(frequency) + f32(0.5) * (np.floor(v) % 2)
        inside = (u - np.floor(u) - 0.5) ** 2 + (v - np.floor(v) - 0.5) ** 2 < radius * radius
        return np.where(inside, other, base), None

    return texture


def wool(frequency: float = 13.0, height: float = 0.022) -> Texture:
    """Curls: round bumps on a jittered grid."""

    def texture(x, y, base):
        v = y * f32(frequency)
        row = np.floor(v)
        u = x * f32(frequency) + f32(0.5) * (row % 2)
        column = np.floor(u)
        shift_u = ((column * f32(12.9898) + row * f32(78.233)) % f32(1.7)) * f32(0.4 / 1.7) - f32(0.2)
        shift_v = ((column * f32(39.34) + row * f32(11.135)) % f32(1.3)) * f32(0.4 / 1.3) - f32(0.2)
        u, v = u - column - f32(0.5) - shift_u, v - row - f32(0.5) - shift_v
        bump = np.sqrt(np.clip(1 - (u * u + v * v) * f32(3.2), 0, 1))
        return base * (f32(0.80) + f32(0.2) * bump), bump * f32(height)

    return texture


def feathers(frequency: float = 10.0) -> Texture:
    """Overlapping scales."""

    def texture(x, y, base):
        v = y * f32(frequency) - x * f32(frequency * 0.4)
        u = x * f32(frequency * 0.9) + f32(0.5) * (np.floor(v) % 2)
        u, v = u - np.floor(u) - f32(0.5), v - np.floor(v)
        bump = np.clip(v - 2 * u * u, 0, 1)
        return base * (f32(0.78) + f32(0.22) * bump), bump * f32(0.012)

    return texture


def glass(x, y, base):
    """Window pane: brighter towards the top, with slanted glints."""
    gradient = np.clip(f32(0.55) + f32(0.9) * (y - y.mean()) / (np.ptp(y) + f32(1e-6)), 0.25, 1)
    glint = np.sin((x + y * f32(0.8)) * 14) > 0.75
    return base * gradient + glint * f32(0.22), None
