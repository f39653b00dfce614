"""Backgrounds: sky with hills and clouds above a perspective ground, or a room.

Images are (3, N, N) float32 planes in linear light; heights (`horizon`, lanes) are fractions of the image,
from the top.
"""

from dataclasses import dataclass

import numpy as np

from afa_viz.data.sandbox import colours as c
from afa_viz.data.sandbox.colours import bright_colour, choose, jitter, linear, uniform
from afa_viz.data.sandbox.noise import bank, patch, photo, sample

f32 = np.float32
CONTEXTS = ("sky", "water", "road", "rail", "meadow", "room", "sand", "snow")
WALLS = c.palette("e8d9c0 b9d3c6 c6d5e8 e9c3b5 d9cbe3 f0e2a8 8fb3b0 d98f7a 7f93b8")
FLOORS = c.palette("b98556 d2a878 8e5f3f c9b8a0 9fa8a0")
HILLS = c.palette("7fae6a 8aa8a0 9a9bc0 c9a58a")
GRASSES = c.palette("8fbf4f 6fae4a a9c25a 5d9c56 c2b85a")
WATERS = c.palette("3f9fc0 4fb5b5 3a7fb8 6fb9d6")
ASPHALTS = c.palette("6b6c72 585a63 85807a")


@dataclass(frozen=True)
class Mood:
    """Light of a time of day: sRGB colours of zenith, horizon and key light, gain of the sky light."""

    zenith: np.ndarray
    horizon: np.ndarray
    key: np.ndarray
    gain: float


MOODS = tuple(
    Mood(c.rgb(codes[:6]), c.rgb(codes[7:13]), c.rgb(codes[14:]), gain)
    for codes, gain in (
        ("5aa9e6 cfe8f5 fff1d6", 1.0),
        ("7cc0ee e9f3ee fff4e0", 1.05),
        ("4f8fd0 f6dcc0 ffd9a8", 0.9),
        ("8fa9c4 dfe4e6 f2efe8", 1.15),
        ("e79a7c f8d9a0 ffc890", 0.85),
        ("7f8fd6 f3c3cf ffd6c4", 0.95),
        ("9fd8d4 f4efd2 fff0cc", 1.05),
    )
)


@dataclass(frozen=True)
class Background:
    """Image (3, N, N), height of the horizon, and the range of heights where vehicles stand (or None)."""

    image: np.ndarray
    horizon: float
    lanes: tuple[float, float] | None = None


@dataclass(frozen=True)
class _Ground:
    """Perspective grid below the horizon: u (h, N) sideways, v (h, 1) away, depth (h, 1) in [0, 1]."""

    first_row: int
    u: np.ndarray
    v: np.ndarray
    depth: np.ndarray

    @classmethod
    def below(cls, horizon: float, size: int) -> "_Ground":
        first_row = int(np.ceil(horizon * size))
        y = (np.arange(first_row, size, dtype=f32) + f32(0.5)) / f32(size)
        away = (1 / (y - f32(horizon) + f32(0.05)))[:, None]
        x = ((np.arange(size, dtype=f32) + f32(0.5)) / f32(size) - f32(0.5))[None]
        depth = ((y - f32(horizon)) / f32(1 - horizon))[:, None]
        return cls(first_row, x * away, away, depth)

    def noise(self, tile: np.ndarray, across: float, along: float | None = None, offset=(0, 0)) -> np.ndarray:
        """Tile seen in perspective, faded near the horizon where it would alias."""
        along = across if along is None else along
        values = sample(tile, self.u * f32(across) + f32(300 + offset[0]), self.v * f32(along) + f32(offset[1]))
        return values * np.clip(self.depth * 3, 0, 1)


def _plane(colour: np.ndarray) -> np.ndarray:
    return np.asarray(colour, f32)[:, None, None]


def make_background(context: str, mood: Mood, rng: np.random.Generator, size: int) -> Background:
    """Draw the empty stage of a context, (3, size, size)."""
    return _room(rng, size) if context == "room" else _outdoors(context, mood, rng, size)


def _room(rng, size: int) -> Background:
    horizon, wall = uniform(rng, 0.5, 0.66), linear(jitter(rng, choose(rng, WALLS), 0.02))
    style, stripe, dot = rng.integers(5), uniform(rng, 30, 70), uniform(rng, 9, 14)
    steps = (np.arange(size, dtype=f32) + f32(0.5)) / f32(size)
    shade = 1 + f32(0.035) * patch("cloud", rng, size)
    shade *= (f32(0.75) + f32(0.35) * steps)[:, None]
    if style == 1:
        shade *= np.where(np.sin(steps * f32(stripe) + 1) > 0, f32(1), f32(0.86))[None]
    elif style == 2:
        v = steps[:, None] * f32(dot)
        u = steps[None] * f32(dot) + f32(0.5) * (np.floor(v) % 2)
        shade[(u - np.floor(u) - 0.5) ** 2 + (v - np.floor(v) - 0.5) ** 2 < 0.05] *= f32(1.25)
    elif style == 3:
        shade *= 1 + f32(0.09) * sample(photo("brick"), steps[None] * 620, steps[:, None] * 620)
    image = _plane(wall) * shade
    ground = _Ground.below(horizon, size)
    kind, wood, carpet = (
        rng.integers(3),
        linear(jitter(rng, choose(rng, FLOORS))),
        linear(bright_colour(rng)) * 0.8 + 0.1,
    )
    if kind == 0:  # planks
        plank = np.floor(ground.v * f32(2.2))
        tint = (plank * f32(37.7)) % 7 / 7 - f32(0.5)
        grain = sample(bank()["wave"], ground.u * 60 + plank * 97, ground.v * 160)
        floor = (1 + f32(0.22) * tint + f32(0.10) * grain) * np.where(ground.v * f32(2.2) % 1 > 0.94, f32(0.75), f32(1))
    elif kind == 1:  # carpet
        blobs = sample(bank()["blob"], ground.u * 50, ground.v * 50)
        floor = 1 + f32(0.1) * sample(bank()["fine"], ground.u * 90, ground.v * 90) + f32(0.05) * blobs
    else:  # tiles
        odd = (np.floor(ground.u * f32(3.2)) + np.floor(ground.v * f32(3.2))) % 2 > 0
        floor = np.where(odd, f32(1.12), f32(0.82))
        floor = floor + f32(0.04) * sample(bank()["blob"], ground.u * 60, ground.v * 60)
    light = np.clip(floor, 0.3, 1.6) * (f32(0.7) + f32(0.35) * ground.depth)
    row, skirting = ground.first_row, max(1, int(size * 0.018))
    image[:, row:] = _plane(carpet if kind == 1 else wood) * light
    image[:, row - skirting : row] = _plane(linear(c.rgb("f3eee2")) * f32(0.9))
    image[:, row : row + skirting] *= f32(0.72)
    return Background(image, horizon)


def _outdoors(context: str, mood: Mood, rng, size: int) -> Background:
    horizon = uniform(rng, 0.68, 0.86) if context == "sky" else uniform(rng, 0.3, 0.48)
    haze = linear(mood.horizon)
    image = _sky(mood, horizon, rng, size)
    steps = (np.arange(size, dtype=f32) + f32(0.5)) / f32(size)
    if rng.random() < (0.5 if context == "water" else 1.0):
        _hills(image, context, horizon, haze, steps, rng)
    ground = _Ground.below(horizon, size)
    surface = _surface(context, ground, haze, rng)
    lanes = None
    if context == "road":
        surface, lanes = _road(surface, ground, horizon, rng)
    elif context == "rail":
        surface, lanes = _rails(surface, ground, horizon, rng)
    surface = surface * (f32(0.86) + f32(0.2) * ground.depth)
    if context != "water":
        far = np.exp(-7 * ground.depth) * f32(0.45)
        surface = surface * (1 - far) + _plane(haze) * far
    image[:, ground.first_row :] = surface
    return Background(image, horizon, lanes)


def _sky(mood: Mood, horizon: float, rng, size: int) -> np.ndarray:
    zenith, haze = linear(mood.zenith), linear(mood.horizon)
    height = (np.arange(size, dtype=f32) + f32(0.5)) / f32(size * max(horizon, 0.3))
    blend = np.clip(height, 0, 1)[None, :, None] ** f32(1.2)
    image = np.repeat(_plane(zenith) * (1 - blend) + _plane(haze) * blend, size, axis=2)
    clouded, threshold, strength = rng.random() < 0.7, uniform(rng, 0.2, 1.0), uniform(rng, 0.3, 0.9)
    veil = patch("cloud", rng, size)
    if clouded:
        veil = (
            np.clip((veil - f32(threshold)) * f32(0.9), 0, 1) * np.clip(1.2 - height, 0.1, 1)[:, None] * f32(strength)
        )
        image = image * (1 - veil) + _plane(0.35 * haze + 0.65) * veil
    return image


def _hills(image, context: str, horizon: float, haze, steps, rng) -> None:
    """One to three ridges, the farther the hazier, painted into the image."""
    colour = linear(jitter(rng, c.rgb("c9d9ea") if context == "snow" else choose(rng, HILLS), 0.03))
    count = int(rng.integers(1, 4))
    grain = 1 + f32(0.05) * patch("cloud", rng, image.shape[1])
    for i in range(count):
        height, phase = uniform(rng, 0.02, 0.07) * (1.3 - 0.3 * i), rng.uniform(0, 6, 2)
        waves = (
            np.sin(steps * uniform(rng, 3, 7) + phase[0]) * 0.6 + np.sin(steps * uniform(rng, 9, 16) + phase[1]) * 0.25
        )
        ridge = horizon - 0.01 - height * (1 + waves) * (1 - 0.25 * i)
        near = f32(0.25 + 0.55 * (i + 1) / count)
        below = steps[:, None] > ridge.astype(f32)[None]
        np.copyto(image, _plane(haze * (1 - near) + colour * near) * grain, where=below)


def _surface(context: str, ground: _Ground, haze, rng) -> np.ndarray:
    """Ground without road or rails, (3, h, N)."""
    noise, offset = bank(), rng.integers(0, 512, 2)
    if context == "water":
        colour = linear(jitter(rng, choose(rng, WATERS), 0.02))
        waves = (
            1
            + f32(0.16) * ground.noise(noise["wave"], 70, 190, offset)
            + f32(0.1) * ground.noise(noise["blob"], 40, 90)
        )
        surface = _plane(colour) * np.clip(waves, 0.25, 2)
        glints = np.clip(ground.noise(noise["wave"], 90, 240, offset + 77) - f32(1.5), 0, 1) * f32(0.6)
        surface = surface * (1 - glints) + _plane(0.5 * haze + 0.5) * glints
        mirror = np.exp(-5 * ground.depth) * f32(0.5)
        return surface * (1 - mirror) + _plane(haze) * mirror
    if context == "sand":
        colour = linear(jitter(rng, c.rgb("e6c98f"), 0.02))
        grain = f32(0.1) * ground.noise(noise["fine"], 120) + f32(0.1) * ground.noise(noise["cloud"], 60, 90, offset)
    elif context == "snow":
        colour = linear(jitter(rng, c.rgb("eef3f8"), 0.01, 0.2, 0.03))
        grain = f32(0.03) * ground.noise(noise["fine"], 120) + f32(0.06) * ground.noise(noise["blob"], 50, 60, offset)
    else:
        colour = linear(jitter(rng, choose(rng, GRASSES), 0.03))
        grain = f32(0.22) * ground.noise(photo("grass"), 150) + f32(0.14) * ground.noise(noise["blob"], 60, 60, offset)
    return _plane(colour) * np.clip(1 + grain, 0.25, 2)


def _strip(rng) -> tuple[float, float]:
    """Depth range of a road or a track bed."""
    centre, half = uniform(rng, 0.42, 0.62), uniform(rng, 0.22, 0.30)
    return centre - half * 0.9, centre + half


def _road(surface, ground: _Ground, horizon: float, rng):
    near, far = _strip(rng)[::-1]
    colour, phase = linear(jitter(rng, choose(rng, ASPHALTS), 0.02)), uniform(rng, 0, 1)
    depth = ground.depth
    gravel = np.clip(1 + f32(0.14) * ground.noise(photo("gravel"), 150), 0.4, 1.6)
    surface = np.where((depth > far) & (depth < near), _plane(colour) * gravel, surface)
    kerb = (np.abs(depth - far) < 0.025) | (np.abs(depth - near) < 0.025)
    chalk = 1 + f32(0.05) * ground.noise(bank()["clay"], 90)
    np.copyto(surface, _plane(linear(c.rgb("d8d3c8"))) * chalk, where=kerb)
    dashes = ((ground.u * f32(1.3) + f32(phase)) % 1 < 0.55) & (np.abs(depth - (near + far) / 2) < 0.014)
    np.copyto(surface, _plane(linear(c.rgb("f4efe0"))), where=dashes)
    span, drop = near - far, 1 - horizon
    return surface, (horizon + drop * (far + 0.35 * span), horizon + drop * (near - 0.1 * span))


def _rails(surface, ground: _Ground, horizon: float, rng):
    far, near = _strip(rng)
    depth, bed = ground.depth, linear(jitter(rng, c.rgb("a3927f"), 0.02))
    gravel = np.clip(1 + f32(0.38) * ground.noise(photo("gravel"), 120), 0.3, 1.8)
    surface = np.where((depth > far) & (depth < near), _plane(bed) * gravel, surface)
    rails = far + 0.36 * (near - far), far + 0.72 * (near - far)
    sleepers = (ground.u * f32(3.2) % 1 < 0.45) & (depth > rails[0] - 0.06) & (depth < rails[1] + 0.08)
    wood = 1 + f32(0.15) * ground.noise(bank()["clay"], 60)
    np.copyto(surface, _plane(linear(c.rgb("7a5a42"))) * wood, where=sleepers)
    for rail in rails:
        steel, shade = np.abs(depth - rail) < 0.014, (depth - rail > 0.014) & (depth - rail < 0.035)
        np.copyto(surface, _plane(linear(c.rgb("c9ced4"))), where=steel)
        surface = np.where(shade, surface * f32(0.5), surface)
    foot = horizon + (1 - horizon) * (rails[1] + 0.01)
    return surface, (foot, foot)
