"""Distractors: things that belong to no class (mask id 0)."""

import numpy as np

from afa_viz.data.sandbox import colours as c
from afa_viz.data.sandbox.colours import bright_colour, choose, darker, jitter, lighter, uniform
from afa_viz.data.sandbox.shapes import Layer, box, capsule, ellipse, layer, polygon
from afa_viz.data.sandbox.textures import band, dots, glass, stripes, wool

LEAVES = c.palette("6fa84f 4f8f4a 8dbb57 d98a3d e3b23c d986a0")
PAPER = c.rgb("f5f0e6")


def tree(rng: np.random.Generator) -> list[Layer]:
    leaf, bark = jitter(rng, choose(rng, LEAVES), 0.03), c.FUR_BROWN
    if rng.random() < 0.45:
        layers = [layer(capsule((0, 0), (0, 0.4), 0.07, bark), shadow=0)]
        for i in range(3):
            y, width = 0.32 + i * 0.32, 0.42 - 0.11 * i
            tier = polygon([(-width, y), (0, y + 0.5), (width, y)], 0.05, darker(leaf, 0.8 + 0.1 * i), dome=0.2)
            layers.append(layer(tier, shadow=0.4, bump=1.0))
        return layers
    crown = [
        ellipse(
            uniform(rng, -0.22, 0.22),
            0.75 + uniform(rng, -0.15, 0.3),
            uniform(rng, 0.2, 0.3),
            uniform(rng, 0.2, 0.28),
            leaf if i % 2 else lighter(leaf, 0.12),
        )
        for i in range(6)
    ]
    leafy = wool(8, 0.02) if rng.random() < 0.5 else None
    trunk = capsule((0, 0), (0.02, 0.55), 0.085, bark, end_radius=0.06)
    return [layer(trunk, shadow=0), layer(crown, blend=0.05, bump=1.4, texture=leafy)]


def bush(rng: np.random.Generator) -> list[Layer]:
    leaf = jitter(rng, c.rgb("6a9e4c"), 0.04)
    lumps = [
        ellipse(
            -0.3 + 0.15 * i,
            0.12 + uniform(rng, 0, 0.08),
            uniform(rng, 0.14, 0.2),
            uniform(rng, 0.13, 0.2),
            leaf,
        )
        for i in range(5)
    ]
    return [layer(lumps, bump=1.2, texture=wool(10, 0.015))]


def ball(rng: np.random.Generator) -> list[Layer]:
    main, second, striped = bright_colour(rng), bright_colour(rng), rng.random() < 0.6
    pattern = stripes(second, 16, uniform(rng, 0, 6), uniform(rng, 0, 3)) if striped else dots(second, 9)
    return [layer(ellipse(0, 0.22, 0.22, 0.22, main), texture=pattern, specular=0.5, gloss=40)]


def parcel(rng: np.random.Generator) -> list[Layer]:
    colour, half = jitter(rng, choose(rng, [c.rgb("c89a63"), *c.BRIGHT_COLOURS])), uniform(rng, 0.2, 0.3)
    carton = box(0, half, half * uniform(rng, 0.9, 1.3), half, 0.03, colour, dome=0.1)
    ribbon = box(0, half, half * 0.18, half, 0.01, lighter(colour, 0.5), dome=0.04)
    return [layer(carton), layer(ribbon, shadow=0.1)]


def cone(rng: np.random.Generator) -> list[Layer]:
    foot = box(0, 0.035, 0.22, 0.035, 0.02, jitter(rng, c.rgb("e2632f")))
    tip = polygon([(-0.13, 0.06), (-0.02, 0.55), (0.02, 0.55), (0.13, 0.06)], 0.02, c.rgb("ee7434"), dome=0.1)
    return [layer(foot), layer(tip, texture=band(PAPER, 0.22, 0.36))]


def mushroom(rng: np.random.Generator) -> list[Layer]:
    cap = ellipse(0, 0.36, 0.29, 0.17, jitter(rng, choose(rng, [c.RED, c.ORANGE, c.PLUM])))
    stem = capsule((0, 0.05), (0, 0.3), 0.1, c.CREAM, end_radius=0.075)
    return [layer(stem), layer(cap, texture=dots(c.CREAM, 8, 0.26), shadow=0.6)]


def house(rng: np.random.Generator) -> list[Layer]:
    wall = jitter(rng, choose(rng, [c.CREAM, c.YELLOW, c.SKY_BLUE, c.ROSE, c.IVORY]))
    roof = jitter(rng, choose(rng, [c.RED, c.ORANGE, c.VIOLET, c.BLUE]))
    panes = [box(x, 0.46, 0.08, 0.09, 0.02, c.GLASS, dome=0.03) for x in (-0.24, 0.24)]
    return [
        layer(box(0.22, 0.95, 0.07, 0.2, 0.02, darker(wall, 0.8)), shadow=0),
        layer(box(0, 0.38, 0.42, 0.38, 0.03, wall, dome=0.12)),
        layer(polygon([(-0.52, 0.74), (0, 1.2), (0.52, 0.74)], 0.04, roof, dome=0.14), shadow=0.6, bump=1.2),
        layer(box(0, 0.2, 0.09, 0.2, 0.04, c.rgb("7a4b32")), shadow=0.2),
        layer(panes, blend=0, texture=glass, shadow=0.2, bump=0),
    ]


def rock(rng: np.random.Generator) -> list[Layer]:
    colour = jitter(rng, c.rgb("9a958e"), 0.05)
    large = ellipse(0, 0.1, uniform(rng, 0.2, 0.3), uniform(rng, 0.14, 0.22), colour)
    small = ellipse(uniform(rng, -0.2, 0.2), 0.06, 0.18, 0.12, colour)
    return [layer(large, small, blend=0.06, bump=2.5, specular=0.08)]


def flower(rng: np.random.Generator) -> list[Layer]:
    colour = jitter(rng, choose(rng, [c.RED, c.YELLOW, c.ROSE, c.PLUM, c.IVORY]))
    petals = [
        ellipse(0.02 + 0.11 * float(np.cos(a)), 0.42 + 0.11 * float(np.sin(a)), 0.075, 0.075, colour)
        for a in np.arange(6) * np.pi / 3
    ]
    return [
        layer(capsule((0, 0), (0.02, 0.36), 0.022, c.rgb("5c9a48"))),
        layer(ellipse(0.09, 0.13, 0.1, 0.04, c.rgb("6fae55"), angle=0.5)),
        layer(petals, blend=0.01),
        layer(ellipse(0.02, 0.42, 0.07, 0.07, c.rgb("f2c14e")), shadow=0.4),
    ]


def pot(rng: np.random.Generator) -> list[Layer]:
    clay = jitter(rng, choose(rng, [c.rgb("c96f4a"), c.SKY_BLUE, c.IVORY, c.YELLOW]))
    leaf = jitter(rng, c.rgb("5f9e58"), 0.04)
    leaves = [
        ellipse(
            0.22 * float(np.sin(a)),
            0.38 + 0.26 * float(np.cos(a)),
            0.07,
            0.24,
            leaf if i % 2 else darker(leaf, 0.8),
            angle=-a,
        )
        for i, a in enumerate((-1.0, -0.5, 0, 0.5, 1.0))
    ]
    vessel = polygon([(-0.15, 0.3), (-0.11, 0.03), (0.11, 0.03), (0.15, 0.3)], 0.03, clay, dome=0.12)
    return [layer(leaves, blend=0, shadow=0.3), layer(vessel, shadow=0.3)]


def cushion(rng: np.random.Generator) -> list[Layer]:
    colour = bright_colour(rng)
    dotted = dots(lighter(colour, 0.5), 9) if rng.random() < 0.4 else None
    return [layer(box(0, 0.16, 0.3, 0.15, 0.12, colour, dome=0.15), texture=dotted, bump=1.2, specular=0.06)]


def lamp(rng: np.random.Generator) -> list[Layer]:
    metal = jitter(rng, c.rgb("4a4d55"))
    return [
        layer(capsule((0, 0), (0, 1.25), 0.035, metal), shadow=0, specular=0.5),
        layer(ellipse(0, 0.03, 0.12, 0.05, metal)),
        layer(ellipse(0, 1.32, 0.11, 0.13, c.LAMPLIGHT), glow=0.5),
    ]


def buoy(rng: np.random.Generator) -> list[Layer]:
    float_ = capsule((0, 0), (0, 0.3), 0.17, choose(rng, [c.RED, c.ORANGE, c.LIME]), end_radius=0.06)
    light = ellipse(0, 0.42, 0.06, 0.06, c.LAMPLIGHT)
    return [layer(float_, texture=band(PAPER, 0.1, 0.2)), layer(light, glow=0.4)]


def cloud(rng: np.random.Generator) -> list[Layer]:
    puffs = []
    for i in range(5):
        inner = 0 < i < 4
        x, lift = -0.5 + 0.25 * i + uniform(rng, -0.05, 0.05), uniform(rng, 0.05, 0.22)
        wide, tall = uniform(rng, 0.2, 0.32), uniform(rng, 0.17, 0.27)
        puffs.append(ellipse(x, lift * (1 if inner else 0.3), wide, tall * (1 if inner else 0.7), c.WHITE))
    return [layer(puffs, blend=0.06, bump=1.0, specular=0.05, relief=0.8)]


def picture(rng: np.random.Generator) -> list[Layer]:
    """A framed picture for a wall; units of the image width."""
    half_x, half_y = uniform(rng, 0.07, 0.14), uniform(rng, 0.07, 0.13)
    canvas = bright_colour(rng) if rng.random() < 0.6 else c.rgb("bfe3f0")
    frame = jitter(rng, choose(rng, c.palette("f3eee2 8a5a3c 3d3a40")))
    return [
        layer(box(0, 0, half_x + 0.02, half_y + 0.02, 0.01, frame, dome=0.02)),
        layer(box(0, 0, half_x, half_y, 0.005, canvas, dome=0.01), bump=0.2),
    ]


PROPS = {
    "ball": ball,
    "buoy": buoy,
    "bush": bush,
    "cloud": cloud,
    "cone": cone,
    "cushion": cushion,
    "flower": flower,
    "house": house,
    "lamp": lamp,
    "mushroom": mushroom,
    "parcel": parcel,
    "pot": pot,
    "rock": rock,
    "tree": tree,
}
