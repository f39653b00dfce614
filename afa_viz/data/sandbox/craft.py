"""Boats and aeroplanes."""

import numpy as np

from afa_viz.data.sandbox import colours as c
from afa_viz.data.sandbox.colours import bright_colour, choose, darker, jitter, lighter, uniform
from afa_viz.data.sandbox.shapes import (
    BODY,
    FRONT,
    SAIL,
    TAIL,
    WINDOW,
    WING,
    Layer,
    box,
    capsule,
    ellipse,
    layer,
    polygon,
)
from afa_viz.data.sandbox.textures import band, stripes
from afa_viz.data.sandbox.vehicles import PAINT, PANE

WOOD = c.rgb("9c6b43")
OFF_WHITE = c.rgb("f3efe4")


def boat(rng: np.random.Generator) -> list[Layer]:
    """Sailing boat, tug or liner heading for +x; y = 0 is the water line, the keel lies below."""
    paint, trim = bright_colour(rng), bright_colour(rng)
    half, deck = uniform(rng, 0.55, 0.7), uniform(rng, 0.2, 0.28)
    style, pale = choose(rng, ["sail", "sail", "tug", "liner"]), rng.random() < 0.6
    layers = _sails(rng, deck, trim) if style == "sail" else _cabin(rng, half, deck, trim, style == "liner")
    outline = [
        (-half * 0.95, deck + 0.1),
        (-half * 0.8, -0.12),
        (half * 0.7, -0.12),
        (half * 1.15, deck + 0.16),
        (half * 0.4, deck + 0.06),
    ]
    gunwale = band(lighter(paint, 0.75) if pale else trim, deck - 0.02, deck + 0.05)
    hull = polygon(outline, 0.04, paint, BODY, dome=0.16)
    return [*layers, layer(hull, texture=gunwale, shadow=0.25, **PAINT)]


def _sails(rng, deck: float, trim) -> list[Layer]:
    mast, main_width, jib_width = uniform(rng, 0.8, 1.05), uniform(rng, 0.36, 0.5), uniform(rng, 0.27, 0.4)
    cloth = jitter(rng, choose(rng, [c.CREAM, OFF_WHITE, c.RED, c.YELLOW, c.SKY_BLUE, c.ROSE]))
    striped, stripe = rng.random() < 0.35, bright_colour(rng)
    same_cloth, flagged = rng.random() < 0.5, rng.random() < 0.6
    main = [
        (-0.06, deck + 0.1),
        (-0.06, deck + mast * 0.95),
        (-0.06 - main_width * 0.62, deck + mast * 0.45),
        (-0.08 - main_width, deck + 0.12),
    ]
    jib = [(0.07, deck + 0.12), (0.06, deck + mast * 0.85), (0.1 + jib_width, deck + 0.12)]
    layers = [
        layer(capsule((0, deck * 0.6), (0, deck + mast), 0.028, WOOD, SAIL), shadow=0),
        layer(
            polygon(main, 0.03, cloth, SAIL, dome=0.2),
            texture=stripes(stripe, 18, 0, np.pi / 2) if striped else None,
            shadow=0.3,
        ),
        layer(polygon(jib, 0.025, cloth if same_cloth else trim, SAIL, dome=0.16), shadow=0.3),
    ]
    if flagged:
        flag = [(0.02, deck + mast + 0.02), (0.02, deck + mast - 0.1), (0.2, deck + mast - 0.04)]
        layers.append(layer(polygon(flag, 0.01, c.RED, SAIL, dome=0.03), shadow=0))
    return layers


def _cabin(rng, half: float, deck: float, trim, liner: bool) -> list[Layer]:
    """Deck house with port holes and one or two funnels."""
    half_y = uniform(rng, 0.14, 0.18)
    centre, half_x, count = (-0.02, half * 0.62, 5) if liner else (-0.1, half * 0.42, 3)
    layers = []
    for i in range(2 if liner else 1):
        x, top = -0.2 + 0.28 * i, deck + 0.56
        layers.append(layer(capsule((x, deck + 0.3), (x, top), 0.075, trim, FRONT), **PAINT))
        layers.append(
            layer(capsule((x - 0.04, top - 0.02), (x + 0.04, top - 0.02), 0.06, c.BEAD, FRONT), bump=0, shadow=0)
        )
    house = box(centre, deck + 0.1 + half_y, half_x, half_y, 0.04, OFF_WHITE, BODY, dome=0.1)
    reach = half_x * 0.87
    holes = [
        ellipse(
            centre - reach + 2 * reach * (i + 0.5) / count,
            deck + 0.1 + half_y * 1.15,
            0.05,
            0.055,
            c.GLASS,
            WINDOW,
        )
        for i in range(count)
    ]
    return [*layers, layer(house, **PAINT), layer(holes, blend=0, shadow=-0.3, **PANE)]


def aeroplane(rng: np.random.Generator) -> list[Layer]:
    """Jet or propeller plane that flies towards +x."""
    paint, trim = jitter(rng, choose(rng, [OFF_WHITE, OFF_WHITE, *c.BRIGHT_COLOURS])), bright_colour(rng)
    half, r, y = uniform(rng, 0.6, 0.76), uniform(rng, 0.145, 0.19), 0.3
    propeller, span, fin = rng.random() < 0.4, uniform(rng, 0.32, 0.46), uniform(rng, 0.2, 0.3)
    banded, portholes = rng.random() < 0.6, int(rng.integers(4, 7))
    far_wing = [(0.16, y + 0.04), (-0.08, y + span * 0.9), (-0.26, y + span * 0.9), (-0.2, y + 0.04)]
    rudder = [
        (-half * 0.72, y + r * 0.3),
        (-half * 1.02, y + r + fin),
        (-half * 0.84 - 0.02, y + r + 0.24),
        (-half * 0.5, y + r * 0.5),
    ]
    fuselage = capsule((-half * 0.25, y), (half * 0.62, y), r, paint, BODY, end_radius=r * 0.92)
    stern = capsule((-half * 0.95, y + 0.05), (-half * 0.2, y), r * 0.38, paint, TAIL, end_radius=r * 0.98)
    nose_paint = paint if propeller else lighter(paint, 0.1)
    nose = ellipse(half * 0.72, y - 0.01, r * 1.35, r * 0.86, nose_paint, FRONT)
    cockpit = [
        (half * 0.6, y + r * 0.25),
        (half * 0.64, y + r * 0.62),
        (half * 0.78, y + r * 0.5),
        (half * 0.86, y + r * 0.22),
    ]
    dark_glass = darker(c.GLASS, 0.78)
    holes = [
        ellipse(-half * 0.42 + i * half * 0.155, y + r * 0.38, 0.028, 0.034, dark_glass, WINDOW)
        for i in range(portholes)
    ]
    tailplane = [
        (-half * 0.74, y + 0.03),
        (-half * 1.02, y - 0.04),
        (-half * 1.06, y),
        (-half * 0.86, y + 0.08),
    ]
    near_wing = [(0.22, y - 0.03), (-0.16, y - span), (-0.38, y - span), (-0.2, y - 0.03)]
    layers = [
        layer(polygon(far_wing, 0.03, darker(trim, 0.8), WING, dome=0.05), shadow=0, **PAINT),
        layer(polygon(rudder, 0.03, trim, TAIL), shadow=0, **PAINT),
        layer(
            fuselage,
            stern,
            nose,
            blend=0.05,
            texture=band(trim, y - 0.035, y + 0.01) if banded else None,
            **PAINT,
        ),
        layer(polygon(cockpit, 0.015, dark_glass, WINDOW, dome=0.03), shadow=0, **PANE),
        layer(holes, blend=0, bump=0, shadow=0),
        layer(polygon(tailplane, 0.025, trim, TAIL, dome=0.05), shadow=0.3, **PAINT),
        layer(polygon(near_wing, 0.035, trim, WING), **PAINT),
    ]
    if propeller:
        x, blade = half * 0.72 + r * 1.35, c.rgb("e9e2d0")
        blades = [
            ellipse(x, y + 0.2, 0.03, 0.17, blade, FRONT),
            ellipse(x, y - 0.2, 0.03, 0.17, darker(blade, 0.85), FRONT),
        ]
        layers.append(layer(blades, blend=0, shadow=0.1))
        layers.append(layer(ellipse(x, y, 0.06, 0.06, c.RED, FRONT), shadow=0.2, specular=0.5))
    else:
        engine_y = y - span * 0.52
        layers.append(layer(capsule((-0.12, engine_y), (0.08, engine_y), 0.06, c.STEEL, FRONT), shadow=0.35, **PAINT))
        layers.append(layer(ellipse(0.125, engine_y, 0.022, 0.05, c.BEAD, FRONT), shadow=0, bump=0))
    return layers
