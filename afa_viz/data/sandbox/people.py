"""People: toddlers of clay with hair, hats, trousers or skirts."""

import numpy as np

from afa_viz.data.sandbox import colours as c
from afa_viz.data.sandbox.animal_heads import SIDES, eye
from afa_viz.data.sandbox.colours import bright_colour, choose, darker, jitter, lighter, uniform
from afa_viz.data.sandbox.shapes import ARM, BODY, HEAD, LEG, Layer, capsule, capsule_chain, ellipse, layer, polygon
from afa_viz.data.sandbox.textures import band, dots, stripes

HAIR = c.palette("3a2a20 6b432a c98f45 8d8a88 201d22 b5532c")


def _arm(rng, side: int, shoulder: tuple[float, float], sleeve, skin, shadow: float) -> list[Layer]:
    """Sleeve and hand; the arm hangs or is raised."""
    hanging, low, high = rng.random() < 0.7, uniform(rng, 0.6, 1.4), uniform(rng, -1.2, -0.3)
    upper = low if hanging else high
    lower = upper + uniform(rng, -0.6, 0.3)
    x, y = shoulder
    elbow = (x + side * 0.13 * float(np.cos(upper)), y - 0.01 - 0.13 * float(np.sin(upper)))
    hand = (elbow[0] + side * 0.12 * float(np.cos(lower)), elbow[1] - 0.12 * float(np.sin(lower)))
    sleeve_shapes = [
        capsule(shoulder, elbow, 0.06, sleeve, ARM, end_radius=0.052),
        capsule(elbow, hand, 0.052, sleeve, ARM, end_radius=0.046),
    ]
    return [
        layer(sleeve_shapes, blend=0.03, shadow=shadow),
        layer(ellipse(*hand, 0.056, 0.056, skin, ARM), shadow=0.15),
    ]


def _head(rng, y: float, r: float, turn: float, skin, hair) -> list[Layer]:
    """Hair, face, fringe or hat, eyes, cheeks, mouth and nose; `turn` > 0 looks towards +x."""
    layers = [layer(ellipse(0, y, r, r * 0.98, hair, HEAD), shadow=0.45, bump=1.2)]
    if rng.random() < 0.35:
        bunches = [ellipse(side * r * 0.75, y - r * 0.4, r * 0.32, r * 0.62, hair, HEAD) for side in SIDES]
        layers.append(layer(bunches, bump=1.2, shadow=0.2))
    face = ellipse(r * 0.12 * turn, y - r * 0.14, r * 0.88, r * 0.82, skin, HEAD)
    ears = [
        ellipse(-r * 0.86 + r * 0.2 * turn, y - r * 0.12, r * 0.17, r * 0.2, skin, HEAD),
        ellipse(r * 0.9, y - r * 0.12, r * 0.17, r * 0.2, skin, HEAD),
    ]
    layers.append(layer(face, ears, blend=0.02, shadow=0.1, bump=0.3))
    fringe = [
        ellipse(r * q * 0.36, y + r * (0.68 - 0.14 * abs(q)), r * 0.42, r * 0.3, hair, HEAD)
        for q in (-1.6, -0.5, 0.6, 1.6)
    ]
    layers.append(layer(fringe, blend=0.03, bump=1.2, shadow=0.25))
    hatted, hat = rng.random() < 0.35, bright_colour(rng)
    if hatted:
        layers.append(layer(ellipse(0, y + r * 0.62, r, r * 0.55, hat, HEAD), shadow=0.2))
        brim = (-r * 0.9, y + r * 0.42), (r * 1.1 + r * 0.4 * turn, y + r * 0.42)
        layers.append(layer(capsule(*brim, r * 0.13, darker(hat, 0.85), HEAD), shadow=0.35))
    blush = c.rgb("f09a8c") if skin.mean() > 0.5 else darker(skin, 0.85)
    for side in SIDES:
        layers += eye(side * r * 0.34 + r * 0.3 * turn, y - r * 0.08, r * 0.13)
    cheeks = [ellipse(s * r * 0.52 + r * 0.22 * turn, y - r * 0.38, r * 0.16, r * 0.11, blush, HEAD) for s in SIDES]
    layers.append(layer(cheeks, blend=0, shadow=0, bump=0, relief=0.2, specular=0))
    x = r * 0.3 * turn
    smile = [(x - r * 0.2, y - r * 0.42), (x - r * 0.09, y - r * 0.5), (x + r * 0.09, y - r * 0.5)]
    smile.append((x + r * 0.2, y - r * 0.42))
    layers.append(layer(capsule_chain(smile, [r * 0.045] * 4, c.rgb("9a3f3c"), HEAD), blend=0.01, shadow=0, bump=0))
    nose = ellipse(r * 0.36 * turn, y - r * 0.26, r * 0.1, r * 0.09, darker(skin, 0.95), HEAD)
    layers.append(layer(nose, shadow=0.2, bump=0))
    return layers


def person(rng: np.random.Generator) -> list[Layer]:
    """Layers of one person who faces the viewer, feet on y = 0."""
    skin = jitter(rng, choose(rng, c.SKINS), 0.01, 0.08, 0.06)
    top, bottom = (
        jitter(rng, choose(rng, c.BRIGHT_COLOURS[:13])),
        jitter(rng, choose(rng, [*c.BRIGHT_COLOURS[6:], c.rgb("4a5a80")])),
    )
    hair, shoe = jitter(rng, choose(rng, HAIR)), darker(choose(rng, c.BRIGHT_COLOURS), 0.6)
    turn, head_r = uniform(rng, 0, 0.6), uniform(rng, 0.21, 0.26)
    leg, waist, trunk = uniform(rng, 0.3, 0.44), uniform(rng, 0.14, 0.19), uniform(rng, 0.3, 0.38)
    neck_y, stride = leg + trunk, uniform(rng, -0.12, 0.12)
    patterns = [
        None,
        None,
        stripes(lighter(top, 0.6), 30, 0, np.pi / 2),
        dots(lighter(top, 0.7), 11),
        band(choose(rng, c.BRIGHT_COLOURS), leg + trunk * 0.35, leg + trunk * 0.6),
    ]
    pattern = choose(rng, patterns)
    layers = _arm(rng, -1, (-waist * 0.95, neck_y - 0.08), darker(top, 0.8), skin, shadow=0)
    skirted = rng.random() < 0.25
    trousers = skin if skirted else bottom
    for side in SIDES:
        x, shade = side * 0.085, 1.0 if side > 0 else 0.85
        foot_x = x + side * stride
        shin = capsule((x, leg), (foot_x, 0.06), 0.08, darker(trousers, shade), LEG, end_radius=0.066)
        layers.append(layer(shin, shadow=0.25))
        layers.append(layer(ellipse(foot_x + 0.03, 0.045, 0.1, 0.05, shoe, LEG), shadow=0.2, specular=0.4))
    if skirted:
        hem = [
            (-waist * 0.7, leg + 0.12),
            (-waist * 1.35, leg - 0.1),
            (waist * 1.35, leg - 0.1),
            (waist * 0.7, leg + 0.12),
        ]
        layers.append(layer(polygon(hem, 0.04, bottom, BODY, dome=0.1), shadow=0.4))
    ends = (0, leg + waist * 0.55), (0, neck_y - waist * 0.5)
    shirt = capsule(*ends, waist * 1.02, top, BODY, end_radius=waist * 0.85)
    layers.append(layer(shirt, texture=pattern, shadow=0.35))
    layers += _arm(rng, 1, (waist * 0.95, neck_y - 0.08), top, skin, shadow=0.35)
    return layers + _head(rng, neck_y + head_r * 0.95, head_r, turn, skin, hair)
