"""Birds: standing, floating or flying."""

import numpy as np

from afa_viz.data.sandbox import colours as c
from afa_viz.data.sandbox.animal_heads import eye
from afa_viz.data.sandbox.colours import choose, darker, jitter, lighter, uniform
from afa_viz.data.sandbox.shapes import BODY, HEAD, LEG, TAIL, WING, Layer, capsule, ellipse, layer, polygon
from afa_viz.data.sandbox.textures import feathers, spots


def bird(rng: np.random.Generator, airborne: bool, afloat: bool) -> list[Layer]:
    """Layers of one bird that faces +x. `airborne` spreads the wings, `afloat` hides the legs."""
    main, second = (jitter(rng, choose(rng, c.BRIGHT_COLOURS[:13])) for _ in range(2))
    beak = jitter(rng, choose(rng, [c.rgb("f2a03a"), c.rgb("f4c542"), c.rgb("d9603a")]))
    head_r = uniform(rng, 0.165, 0.215)
    length, girth = uniform(rng, 0.26, 0.36), uniform(rng, 0.19, 0.25)
    leg, steep, level = uniform(rng, 0.1, 0.2), uniform(rng, 0.1, 0.5), uniform(rng, -0.1, 0.2)
    tilt = level if airborne else steep
    y = 0.4 if airborne else girth + (0.0 if afloat else leg)
    head_x = length * 0.72 * float(np.cos(tilt)) + 0.07
    head_y = y + length * 0.72 * float(np.sin(tilt)) + girth * 0.58 + uniform(rng, 0, 0.12)
    tip = (-length - uniform(rng, 0.18, 0.3), y + uniform(rng, -0.06, 0.14))
    tail = capsule((-length * 0.7, y - 0.02), tip, 0.07, second, TAIL, end_radius=0.05)
    layers = [layer(tail, texture=feathers(9), shadow=0)]
    raised = 1 if rng.random() < 0.6 else -1
    if airborne:
        points = [(0.26, y), (0.16, y + 0.56 * raised), (-0.1, y + 0.6 * raised), (-0.06, y)]
        far_wing = polygon(points, 0.04, darker(second, 0.75), WING)
        layers.append(layer(far_wing, texture=feathers(8), shadow=0))
    elif not afloat:
        for x in (-0.04, 0.07):
            shin = capsule((x, y - girth * 0.7), (x + 0.01, 0.03), 0.02, beak, LEG)
            toes = capsule((x, 0.02), (x + 0.09, 0.02), 0.02, beak, LEG)
            layers.append(layer(shin, toes, blend=0.01, shadow=0))
    trunk = ellipse(0, y, length, girth, main, BODY, tilt * 0.6)
    neck_start = (length * 0.4, y + girth * 0.3)
    neck = capsule(neck_start, (head_x, head_y), head_r * 0.9, main, BODY, end_radius=head_r * 0.75)
    head = ellipse(head_x, head_y, head_r, head_r * 0.96, main, HEAD)
    freckled, offset = rng.random() < 0.25, rng.uniform(0, 512, 2)
    freckles = spots(second, 150, 1.0, offset) if freckled else None
    layers.append(layer(trunk, neck, head, blend=0.07, texture=freckles))
    if rng.random() < 0.6:
        belly = ellipse(
            length * 0.25, y - girth * 0.25, length * 0.55, girth * 0.6, lighter(main, 0.55), BODY, tilt * 0.6
        )
        layers.append(layer(belly, shadow=0, relief=0.5))
    if airborne:
        points = [(0.14, y + 0.04), (-0.1, y + 0.62 * raised), (-0.42, y + 0.66 * raised), (-0.22, y + 0.02)]
        layers.append(layer(polygon(points, 0.05, second, WING, dome=0.07), texture=feathers(8), shadow=0.4))
    else:
        shoulder = ellipse(-length * 0.22, y + 0.02, length * 0.62, girth * 0.62, second, WING, tilt * 0.6 + 0.12)
        wing_tip = ellipse(-length * 0.7, y, length * 0.4, girth * 0.3, second, WING, tilt * 0.6)
        layers.append(layer(shoulder, wing_tip, blend=0.05, texture=feathers(11), shadow=0.5))
    long, wide = uniform(rng, 0.1, 0.24), uniform(rng, 0.045, 0.075)
    edge = head_x + head_r * 0.75
    points = [(edge, head_y + wide), (edge + 0.01 + long, head_y - 0.03), (edge, head_y - wide)]
    layers.append(layer(polygon(points, 0.015, beak, HEAD, dome=0.05), shadow=0.2, specular=0.5))
    layers += eye(head_x + head_r * 0.38, head_y + head_r * 0.22, head_r * 0.2, white=rng.random() < 0.4)
    if rng.random() < 0.35:
        crest = [
            ellipse(
                head_x - head_r * (0.1 + 0.28 * i),
                head_y + head_r * (1.05 - 0.12 * i),
                0.035,
                0.075,
                second,
                HEAD,
                0.35 * i,
            )
            for i in range(3)
        ]
        layers.append(layer(crest, blend=0.01, shadow=0.2))
    return layers
