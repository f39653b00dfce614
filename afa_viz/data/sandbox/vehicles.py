"""Cars, buses and trains: the same wheels, windows and painted shell, which alone do not tell the class."""

import numpy as np

from afa_viz.data.sandbox import colours as c
from afa_viz.data.sandbox.colours import bright_colour, choose, darker, jitter, lighter, uniform
from afa_viz.data.sandbox.shapes import (
    BODY,
    FRONT,
    WHEEL,
    WINDOW,
    Layer,
    Point,
    box,
    capsule,
    ellipse,
    layer,
    polygon,
)
from afa_viz.data.sandbox.textures import glass

PAINT = {"bump": 0.35, "specular": 0.45, "gloss": 40, "reflection": 0.22}
PANE = {"bump": 0, "specular": 0.6, "gloss": 60, "texture": glass}
# car bodies: roof line as (rear foot, rear top, front top, front foot), in half lengths
CAR_ROOFS = {
    "sedan": (-0.62, -0.36, 0.22, 0.55),
    "hatch": (-0.9, -0.74, 0.16, 0.52),
    "van": (-0.96, -0.92, 0.5, 0.86),
    "pickup": (-0.12, -0.04, 0.36, 0.62),
    "beetle": (-0.85, -0.4, 0.2, 0.75),
}


def wheel(x: float, radius: float, hub) -> list[Layer]:
    """Tyre, hub and axle of a wheel that stands on y = 0."""
    return [
        layer(ellipse(x, radius, radius, radius, c.RUBBER, WHEEL, dome=radius * 0.5), bump=0.4, specular=0.15),
        layer(
            ellipse(x, radius, radius * 0.56, radius * 0.56, hub, WHEEL, dome=radius * 0.25),
            bump=0.2,
            specular=0.5,
            shadow=0.2,
        ),
        layer(ellipse(x, radius, radius * 0.2, radius * 0.2, darker(hub, 0.6), WHEEL), bump=0, shadow=0.2),
    ]


def _wheel_in_arch(x: float, radius: float, hub, paint) -> list[Layer]:
    arch = ellipse(x, radius * 1.02, radius * 1.2, radius * 1.2, darker(paint, 0.55), BODY, dome=0.3)
    return [layer(arch, shadow=0, bump=0, specular=0), *wheel(x, radius, hub)]


def _chassis(half_length: float, y: float, thickness: float) -> Layer:
    beam = capsule((-half_length, y), (half_length, y), thickness, c.RUBBER, WHEEL)
    return layer(beam, shadow=0)


def _windows(left: float, right: float, count: int, y: float, half_y: float) -> Layer:
    step = (right - left) / count
    panes = [
        box(left + step * (i + 0.5), y, step * 0.5 - 0.022, half_y, 0.03, c.GLASS, WINDOW, 0.03) for i in range(count)
    ]
    return layer(panes, blend=0, shadow=-0.35, **PANE)


def _headlight(x: float, y: float, radius_x: float, radius_y: float) -> Layer:
    return layer(ellipse(x, y, radius_x, radius_y, c.LAMPLIGHT, FRONT), shadow=0.2, bump=0, specular=0.6, glow=0.3)


def _car_windows(rear: tuple[Point, Point], front: tuple[Point, Point], pillar: float) -> Layer:
    """Two panes between the (bottom, top) edges of the cabin, split by a pillar."""
    gap, inset = 0.03, 0.06
    (rear_low, low), (rear_high, high) = rear
    (front_low, _), (front_high, _) = front
    points = [(pillar + gap, low), (pillar + gap, high), (front_high - inset, high), (front_low - inset, low)]
    panes = [polygon(points, 0.02, c.GLASS, WINDOW, dome=0.03)]
    if pillar - gap - (rear_high + inset) > 0.03:
        points = [
            (rear_low + inset, low),
            (rear_high + inset, high),
            (pillar - gap, high),
            (pillar - gap, low),
        ]
        panes.append(polygon(points, 0.02, c.GLASS, WINDOW, dome=0.03))
    return layer(panes, blend=0, shadow=0, **PANE)


def car(rng: np.random.Generator) -> list[Layer]:
    """Sedan, hatchback, van, pickup or beetle that drives towards +x."""
    paint, style = bright_colour(rng), choose(rng, list(CAR_ROOFS))
    radius, half, half_height = uniform(rng, 0.13, 0.165), uniform(rng, 0.58, 0.72), uniform(rng, 0.14, 0.18)
    one_colour, other = rng.random() < 0.75, bright_colour(rng)
    roof = paint if one_colour else other
    roof_height, hub = uniform(rng, 0.22, 0.28), choose(rng, [c.STEEL, c.CREAM, paint])
    y = radius + half_height
    rear_foot, rear_top, front_top, front_foot = (q * half for q in CAR_ROOFS[style])
    top = y + half_height * 0.6 + roof_height
    low, high = y + half_height * 0.72, top - 0.02
    if style == "beetle":
        centre, wide, tall = (rear_foot + front_foot) / 2, (front_foot - rear_foot) / 2 - 0.04, top - y
        angles = np.linspace(np.pi, 0, 9)
        outline = [(float(centre + wide * np.cos(a)), float(y - 0.02 + tall * np.sin(a))) for a in angles]
        cabin = polygon(outline, 0.04, roof, BODY, dome=0.2)
        high = y + half_height * 0.55 + roof_height * 0.8
    else:
        outline = [(rear_foot, y), (rear_top, top), (front_top, top), (front_foot, y)]
        cabin = polygon(outline, 0.045, roof, BODY, dome=0.14)

    def edge(foot: float, head: float, height: float) -> float:
        return foot + (head - foot) * (height - y) / (top - y)

    round_low, round_high = (0.05, 0.08) if style == "beetle" else (0.0, 0.0)
    rear = (
        (edge(rear_foot, rear_top, low) + round_low, low),
        (edge(rear_foot, rear_top, high) + round_high, high),
    )
    front = (
        (edge(front_foot, front_top, low) - round_low, low),
        (edge(front_foot, front_top, high) - round_high, high),
    )
    pillar = (rear_top + front_top) / 2 + uniform(rng, -0.03, 0.03)
    hull = box(0, y, half, half_height, half_height * 0.75, paint, BODY, dome=half_height * 0.9)
    bonnet = ellipse(half * 0.55, y + 0.02, half * 0.42, half_height, paint, BODY)
    layers = [
        _chassis(half * 0.9, radius * 0.8, 0.05),
        layer(cabin, **PAINT),
        layer(hull, bonnet, blend=0.05, shadow=0.2, **PAINT),
        _car_windows(rear, front, pillar),
    ]
    lined, taxi = rng.random() < 0.3, rng.random() < 0.15
    if lined:
        line = box(0, y - half_height * 0.1, half * 0.98, 0.025, 0.02, lighter(paint, 0.8), BODY)
        layers.append(layer(line, shadow=0.1, bump=0))
    bumpers = [
        capsule((side * half * 0.75, radius * 0.95), (side * half * 1.02, radius * 0.95), 0.04, c.STEEL, FRONT)
        for side in (-1, 1)
    ]
    handle = capsule((pillar + 0.05, y + 0.03), (pillar + 0.1, y + 0.03), 0.014, c.STEEL, BODY)
    layers += [
        _headlight(half * 0.95, y + 0.03, 0.05, 0.06),
        layer(ellipse(-half * 0.96, y + 0.03, 0.035, 0.05, c.rgb("e0483c"), FRONT), shadow=0.2, bump=0),
        layer(bumpers, blend=0, shadow=0.2, specular=0.5),
        layer(handle, shadow=0.1, bump=0),
    ]
    if taxi:
        layers.append(layer(box(pillar, top + 0.07, 0.09, 0.04, 0.02, c.YELLOW, BODY), shadow=0.2))
    for x in (-half * 0.58, half * 0.58):
        layers += _wheel_in_arch(x, radius, hub, paint)
    return layers


def bus(rng: np.random.Generator) -> list[Layer]:
    """Single or double decker that drives towards +x."""
    school, free = rng.random() < 0.2, bright_colour(rng)
    paint = jitter(rng, c.AMBER) if school else free
    radius, half, half_height = uniform(rng, 0.12, 0.145), uniform(rng, 0.74, 0.94), uniform(rng, 0.31, 0.37)
    double, hub = rng.random() < 0.3, choose(rng, [c.STEEL, c.CREAM])
    pale, other = rng.random() < 0.5, bright_colour(rng)
    trim = lighter(paint, 0.7) if pale else other
    count, signed = int(rng.integers(4, 7)), rng.random() < 0.6
    half_height *= 1.5 if double else 1.0
    h, y = half_height, radius * 0.75
    window_y, window_h = (y + h * 0.78, h * 0.22) if double else (y + h * 1.32, h * 0.3)
    door_y, door_h = (y + h * 0.45, h * 0.36) if double else (y + h * 0.68, h * 0.52)
    shell = box(0, y + h, half, h, 0.09, paint, BODY, dome=min(h * 0.6, 0.2))
    layers = [
        _chassis(half * 0.9, radius * 0.8, 0.06),
        layer(shell, **PAINT),
        _windows(-half * 0.93, half * 0.74, count, window_y, window_h),
    ]
    if double:
        layers.append(_windows(-half * 0.93, half * 0.93, count, y + h * 1.52, window_h))
    windscreen = box(half * 0.875, window_y - 0.02, half * 0.095, window_h + 0.02, 0.03, c.GLASS, WINDOW, 0.03)
    door = box(half * 0.6, door_y, half * 0.07, door_h, 0.02, darker(c.GLASS, 0.75), WINDOW, 0.03)
    stripe_y, stripe_half = (y + h * 1.15, half * 0.98) if double else (y + h * 0.62, half * 0.6)
    stripe = box(0 if double else -half * 0.12, stripe_y, stripe_half, 0.035, 0.03, trim, BODY)
    layers += [
        layer(windscreen, door, blend=0, shadow=-0.3, **PANE),
        layer(stripe, shadow=0.1, bump=0.1),
        _headlight(half * 0.97, y + h * 0.35, 0.05, 0.055),
        layer(
            capsule((half * 0.85, radius * 0.9), (half * 1.02, radius * 0.9), 0.04, c.STEEL, FRONT),
            shadow=0.2,
        ),
    ]
    if signed:
        sign = box(half * 0.8, y + 2 * h - 0.045, half * 0.17, 0.035, 0.02, c.BEAD, FRONT)
        layers.append(layer(sign, shadow=0, bump=0))
    for x in (-half * 0.58, half * 0.36):
        layers += _wheel_in_arch(x, radius, hub, paint)
    return layers


def train(rng: np.random.Generator) -> list[Layer]:
    """Steam engine or modern railcar that runs towards +x."""
    paint, trim, radius = bright_colour(rng), bright_colour(rng), uniform(rng, 0.1, 0.125)
    hub = choose(rng, [c.STEEL, c.CREAM, c.RED])
    return (_steam_engine if rng.random() < 0.6 else _railcar)(rng, paint, trim, radius, hub)


def _steam_engine(rng, paint, trim, radius, hub) -> list[Layer]:
    half, boiler = uniform(rng, 0.5, 0.62), uniform(rng, 0.16, 0.2)
    y, stack = radius * 2 + 0.13, half * 0.72
    chimney = [
        (stack - 0.06, y + boiler * 0.8),
        (stack - 0.05, y + boiler + 0.16),
        (stack - 0.11, y + boiler + 0.27),
        (stack + 0.11, y + boiler + 0.27),
        (stack + 0.05, y + boiler + 0.16),
        (stack + 0.06, y + boiler * 0.8),
    ]
    rings = [box(half * q, y, 0.03, boiler * 1.02, 0.01, trim, FRONT, dome=0.03) for q in (0.25, 0.62)]
    plough = [(half, radius * 1.9), (half * 1.35, 0.03), (half * 0.95, 0.03)]
    layers = [
        _chassis(half, radius * 1.2, 0.055),
        layer(polygon(chimney, 0.015, darker(trim, 0.6), FRONT, dome=0.07), **PAINT),
        layer(ellipse(half * 0.3, y + boiler, 0.085, 0.1, c.rgb("f2c14e"), FRONT), **PAINT),
        layer(capsule((-half * 0.3, y), (half * 0.9, y), boiler, paint, FRONT), **PAINT),
        layer(rings, blend=0, shadow=0.2, **PAINT),
        layer(
            ellipse(half * 0.98, y, boiler * 0.55, boiler * 0.86, darker(paint, 0.5), FRONT),
            shadow=0.3,
            **PAINT,
        ),
        _headlight(half + boiler * 0.2, y + boiler * 0.5, 0.06, 0.06),
        layer(box(-half * 0.62, y + 0.1, half * 0.36, 0.3, 0.05, trim, BODY, dome=0.15), shadow=0.4, **PAINT),
        layer(
            capsule((-half * 1.05, y + 0.41), (-half * 0.2, y + 0.41), 0.045, darker(paint, 0.85), BODY),
            **PAINT,
        ),
        layer(
            box(-half * 0.62, y + 0.22, half * 0.2, 0.1, 0.03, c.GLASS, WINDOW, dome=0.03),
            shadow=-0.3,
            **PANE,
        ),
        layer(box(0, radius * 1.75, half * 1.05, 0.055, 0.03, darker(paint), BODY), shadow=0.3, **PAINT),
        layer(polygon(plough, 0.02, c.rgb("d9483b"), FRONT), shadow=0.3, **PAINT),
    ]
    for x, size in ((-0.78, 1.35), (-0.28, 1.35), (0.3, 0.95), (0.72, 0.95)):
        layers += wheel(half * x, radius * size, hub)
    rod = capsule((-half * 0.78, radius * 1.2), (-half * 0.28, radius * 1.2), 0.022, c.STEEL, WHEEL)
    return [*layers, layer(rod, shadow=0.3, specular=0.6)]


def _railcar(rng, paint, trim, radius, hub) -> list[Layer]:
    half, h, y = uniform(rng, 0.72, 0.9), uniform(rng, 0.29, 0.35), radius * 0.9
    count, nose, pantograph = int(rng.integers(4, 7)), uniform(rng, 0.18, 0.34), rng.random() < 0.5
    nose_paint = paint if rng.random() < 0.3 else trim
    snout = [
        (half * 0.8, y + 2 * h - 0.04),
        (half + nose * 0.3, y + h * 1.3),
        (half + nose, y + h * 0.4),
        (half + nose * 0.9, y + 0.04),
        (half * 0.8, y + 0.04),
    ]
    screen = [
        (half * 0.84, y + h * 1.75),
        (half + nose * 0.22, y + h * 1.3),
        (half + nose * 0.3, y + h * 1.05),
        (half * 0.84, y + h * 1.05),
    ]
    layers = []
    if pantograph:
        top = y + 2 * h
        bars = [
            capsule((-0.1, top), (0.1, top + 0.17), 0.016, c.BEAD, BODY),
            capsule((0.1, top + 0.17), (-0.06, top + 0.26), 0.016, c.BEAD, BODY),
            capsule((-0.16, top + 0.27), (0.06, top + 0.27), 0.018, c.BEAD, BODY),
        ]
        layers.append(layer(bars, blend=0, shadow=0))
    shell = box(0, y + h, half * 0.94, h, 0.06, paint, BODY, dome=0.18)
    layers += [
        _chassis(half * 0.9, radius * 0.9, 0.06),
        layer(shell, polygon(snout, 0.04, nose_paint, FRONT, dome=0.16), **PAINT),
        _windows(-half * 0.92, half * 0.74, count, y + h * 1.3, h * 0.28),
        layer(polygon(screen, 0.02, darker(c.GLASS), FRONT, dome=0.03), shadow=-0.2, **PANE),
        layer(box(-half * 0.05, y + h * 0.55, half * 0.9, 0.04, 0.03, trim, BODY), shadow=0.1, bump=0.1),
        _headlight(half + nose * 0.72, y + h * 0.5, 0.05, 0.045),
    ]
    for x in (-0.72, -0.4, 0.35, 0.67):
        layers += wheel(half * x, radius, hub)
    return layers
