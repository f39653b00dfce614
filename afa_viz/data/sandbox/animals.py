"""Quadrupeds (cat, cow, dog, horse, sheep) from one generator: the body alone need not tell the class."""

import numpy as np

from afa_viz.data.sandbox import colours as c
from afa_viz.data.sandbox.animal_build import Build, Coat
from afa_viz.data.sandbox.animal_heads import HEADS
from afa_viz.data.sandbox.colours import choose, darker, jitter, uniform
from afa_viz.data.sandbox.shapes import (
    BODY,
    HEAD,
    LEG,
    TAIL,
    Layer,
    Shape,
    capsule,
    capsule_chain,
    ellipse,
    layer,
)
from afa_viz.data.sandbox.textures import spots, stripes, wool

HEAD_GAIN = 1.2  # heads are larger than life, so that they cover more than one cell of a feature map
HOOFED = ("cow", "horse", "sheep")
OWN_FURS = {
    "cat": [c.FUR_GINGER, c.FUR_BLACK, c.FUR_GREY],
    "dog": [c.FUR_SAND, c.FUR_CHESTNUT, c.FUR_BROWN],
    "cow": [c.FUR_WHITE, c.FUR_CREAM],
    "horse": [c.FUR_CHESTNUT, c.FUR_DARK, c.FUR_BROWN],
    "sheep": [c.FUR_WHITE, c.FUR_CREAM],
}
OWN_PATTERNS = {"cat": "stripes", "cow": "spots"}


def draw_coat(rng: np.random.Generator, species: str, shared: bool) -> Coat:
    """A coat from one distribution for all species (`shared`) or from the species' own."""
    if shared:
        main, pattern = (
            jitter(rng, choose(rng, c.FURS)),
            choose(rng, ["none", "none", "none", "spots", "stripes"]),
        )
    else:
        main, pattern = jitter(rng, choose(rng, OWN_FURS[species])), OWN_PATTERNS.get(species, "none")
    contrast = (
        [c.FUR_DARK, c.FUR_BLACK, c.FUR_CHESTNUT] if main.mean() > 0.55 else [c.FUR_CREAM, c.FUR_WHITE, c.FUR_SAND]
    )
    second = jitter(rng, choose(rng, contrast))
    texture = None
    if pattern == "spots":
        texture = spots(second, uniform(rng, 90, 150), uniform(rng, 0.35, 0.9), rng.uniform(0, 512, 2))
    elif pattern == "stripes":
        texture = stripes(second, uniform(rng, 16, 26), uniform(rng, 0, 6), uniform(rng, -0.3, 0.3))
    foot = darker(second, 0.8) if rng.random() < 0.5 else darker(main, 0.85)
    return Coat(main, second, darker(c.FUR_DARK, 0.8) if species in HOOFED else foot, texture)


def draw_build(rng: np.random.Generator, species: str) -> Build:
    """Draw proportions, pose and the place of the head."""
    length = uniform(rng, 0.72, 1.0) * {"horse": 1.12, "cow": 1.05}.get(species, 1.0)
    girth = uniform(rng, 0.36, 0.46) * (1.1 if species in ("cow", "sheep") else 1.0)
    leg = uniform(rng, 0.2, 0.34) * {"horse": 1.55, "cow": 1.05}.get(species, 1.0)
    leg_radius = uniform(rng, 0.058, 0.085)
    sits, lies = rng.random() < 0.35, rng.random() < 0.12
    pose = "sit" if sits and species in ("cat", "dog") else "lie" if lies else "stand"
    spine_y = girth * 0.46 if pose == "lie" else leg + girth * 0.42
    rump_x, shoulder_x = -length / 2 + girth / 2, length / 2 - girth / 2
    swing = uniform(rng, -0.09, 0.09)
    stride = swing if rng.random() < 0.6 else 0.0
    turn = 1 - 1.05 * rng.random() ** 1.7
    radius = uniform(rng, 0.205, 0.25) * HEAD_GAIN
    radius *= {"horse": 0.92, "cow": 1.05, "sheep": 0.95}.get(species, 1.12)
    sitting_head = uniform(rng, 0.12, 0.2), uniform(rng, 0.84, 0.94)
    neck_low, neck_high = {"horse": (0.38, 0.48), "dog": (0.24, 0.34)}.get(species, (0.2, 0.28))
    neck = uniform(rng, neck_low, neck_high)
    angle = uniform(rng, 0.55, 1.0) if species == "horse" else uniform(rng, 0.3, 0.9)
    grazing, down = rng.random() < 0.15, uniform(rng, -0.75, -0.35)
    if grazing and species in HOOFED:
        angle, neck = down, neck * 1.15
    head_x = shoulder_x + girth * 0.32 + neck * np.cos(angle)
    head_y = max(spine_y + girth * 0.18 + neck * np.sin(angle), radius * 1.05)
    if pose == "sit":
        head_x, head_y = sitting_head
    return Build(
        species, pose, rump_x, shoulder_x, spine_y, length, girth, leg, leg_radius, stride,
        float(head_x), float(head_y), radius, turn,
    )  # fmt: skip


def _tail(rng, build: Build, coat: Coat) -> Layer:
    x, y = build.rump_x - build.girth * 0.42, build.spine_y + build.girth * 0.18
    if build.pose == "sit":
        x, y = -0.2, 0.12
    curl, length = uniform(rng, 0, 1), uniform(rng, 0.2, 0.34)
    hair = darker(coat.second, 0.9)
    if build.species == "cat":
        lift = 0.3 + 1.2 * curl
        path = [(x + 0.05, y - 0.02), (x - 0.12, y + 0.02 + 0.05 * lift), (x - 0.2, y + 0.16 * lift + 0.04)]
        path += [(x - 0.15, y + 0.30 * lift + 0.02), (x - 0.2, y + 0.42 * lift)]
        shapes = capsule_chain(path, [0.052, 0.05, 0.048, 0.046, 0.044], coat.main, TAIL)
        return layer(shapes, blend=0.05, shadow=0, texture=coat.texture)
    if build.species == "dog":
        lift = 1.7 * curl - 0.4
        path = [(x + 0.06, y), (x - 0.5 * length, y + 0.5 * length * lift)]
        path += [(x - 0.8 * length, y + length * lift + 0.05)]
        shapes = capsule_chain(path, [0.06, 0.05, 0.03], coat.main, TAIL)
    elif build.species == "cow":
        path = [(x + 0.05, y + 0.04), (x - 0.05, y - 0.02), (x - 0.07, y - 0.22)]
        shapes = capsule_chain(path, [0.028, 0.024, 0.022], coat.main, TAIL)
        shapes.append(ellipse(x - 0.075, y - 0.27, 0.045, 0.075, darker(coat.second), TAIL))
    elif build.species == "horse":
        path = [(x + 0.06, y + 0.04), (x - 0.07, y - 0.02), (x - 0.12, y - 0.2), (x - 0.1, y - 0.36)]
        shapes = capsule_chain(path, [0.05, 0.07, 0.075, 0.03], hair, TAIL)
    else:
        shapes = [ellipse(x, y, 0.08, 0.07, coat.main, TAIL)]
    return layer(shapes, blend=0.05, shadow=0)


def _leg(build: Build, x: float, swing: float, colour) -> list[Shape]:
    r = build.leg_radius
    knee = (x + swing * 0.6, build.leg * 0.45)
    upper = capsule((x, build.spine_y - build.girth * 0.12), knee, r * 1.25, colour, LEG, end_radius=r)
    return [upper, capsule(knee, (x + swing, r * 0.8), r, colour, LEG, end_radius=r * 0.95)]


def _foot(build: Build, x: float, swing: float, colour) -> Shape:
    r = build.leg_radius
    return ellipse(x + swing + r * 0.3, r * 0.72, r * 1.35, r * 0.78, colour, LEG)


def _sitting_body(build: Build, coat: Coat) -> list[Layer]:
    r, main = build.leg_radius, coat.main
    far_leg = capsule((0.13, 0.42), (0.17, 0.06), r * 1.05, darker(main, 0.72), LEG)
    far_foot = ellipse(0.2, r * 0.7, r * 1.4, r * 0.75, darker(coat.foot, 0.8), LEG)
    back = capsule((-0.1, 0.26), (0.1, 0.6), 0.25, main, BODY, end_radius=0.17)
    neck = capsule((0.1, 0.6), (build.head_x, build.head_y - 0.05), 0.16, main, BODY, end_radius=0.13)
    near_leg = capsule((0.06, 0.42), (0.09, 0.06), r * 1.1, main, LEG)
    thigh = ellipse(-0.14, 0.19, 0.17, 0.18, main, LEG)
    hind_foot = ellipse(0.0, r * 0.75, r * 2.0, r * 0.85, coat.foot, LEG)
    return [
        layer(far_leg, far_foot),
        layer(back, neck, near_leg, blend=0.07, texture=coat.texture, bump=0.7),
        layer(thigh, hind_foot, blend=0.03, shadow=0.3),
        layer(ellipse(0.12, r * 0.7, r * 1.4, r * 0.78, coat.foot, LEG), shadow=0.3),
    ]


def _fleece(rng, build: Build, coat: Coat, trunk: Shape) -> Layer:
    """The trunk with a wreath of puffs around it."""
    middle, puffs = (build.rump_x + build.shoulder_x) / 2, []
    for angle in np.linspace(0, 2 * np.pi, 11, endpoint=False):
        x = middle + (build.length / 2 - 0.07) * np.cos(angle)
        y = build.spine_y + (build.girth / 2 - 0.04) * np.sin(angle) + 0.015
        size = uniform(rng, 0.12, 0.15), uniform(rng, 0.11, 0.14)
        puffs.append(ellipse(float(x), float(y), *size, coat.main, BODY, dome=0.12))
    return layer(trunk, puffs, blend=0.03, texture=wool(uniform(rng, 11, 15)), bump=0.5, specular=0.08)


def _mane(build: Build, coat: Coat) -> Layer:
    shapes, bottom = [], build.spine_y + build.girth * 0.42
    for t in np.linspace(0, 1, 5):
        x = build.shoulder_x + (build.head_x - 0.1 - build.shoulder_x) * t - 0.03
        y = bottom + (build.head_y + build.head_radius * 0.75 - bottom) * t
        part = HEAD if t > 0.6 else BODY
        shapes.append(ellipse(float(x), float(y), 0.075, 0.085, darker(coat.second, 0.9), part))
    return layer(shapes, blend=0.03, bump=1.2, shadow=0.3)


def _standing_body(rng, build: Build, coat: Coat, fleecy: bool) -> list[Layer]:
    """Body of a standing or lying animal: far legs, trunk with near legs and neck, feet."""
    lies, swing, r = build.pose == "lie", build.stride, build.leg_radius
    far = [(build.rump_x - 0.02, -swing), (build.shoulder_x + 0.06, swing)]
    near = [(build.rump_x + 0.07, swing), (build.shoulder_x - 0.03, -swing)]
    layers = []
    if not lies:
        colour = darker(coat.foot, 0.8) if fleecy else darker(coat.main, 0.72)
        legs = [shape for x, s in far for shape in _leg(build, x, s, colour)]
        feet = [_foot(build, x, s, darker(coat.foot, 0.75)) for x, s in far]
        layers.append(layer(legs, feet, blend=0.02, shadow=0, relief=0.8))
    ends = (build.rump_x, build.spine_y), (build.shoulder_x, build.spine_y + uniform(rng, -0.02, 0.03))
    radii = [build.girth / 2 * uniform(rng, 0.94, 1.06) for _ in range(2)]
    trunk = capsule(*ends, radii[0], coat.main, BODY, end_radius=radii[1])
    root = (build.shoulder_x + build.girth * 0.06, build.spine_y + build.girth * 0.05)
    tip = (build.head_x - 0.03, build.head_y - 0.02)
    neck = capsule(root, tip, build.girth * 0.34, coat.main, BODY, end_radius=build.head_radius * 0.52)
    if fleecy:
        colour = darker(coat.foot, 1.2)
        if not lies:
            legs = [shape for x, s in near for shape in _leg(build, x, s, colour)]
            layers.append(layer(legs, [_foot(build, x, s, coat.foot) for x, s in near], blend=0.02, shadow=0))
        layers.append(layer(neck, shadow=0.2, texture=wool()))
        return [*layers, _fleece(rng, build, coat, trunk)]
    if lies:
        legs = [capsule((x, r), (x + 0.2, r), r * 1.1, coat.main, LEG) for x, _ in near]
        feet = [ellipse(x + 0.24, r * 0.9, r * 1.2, r * 0.9, coat.foot, LEG) for x, _ in near]
    else:
        legs = [shape for x, s in near for shape in _leg(build, x, s, coat.main)]
        feet = [_foot(build, x, s, coat.foot) for x, s in near]
    if build.species == "cow":
        udder = ellipse(build.rump_x + 0.14, build.spine_y - build.girth * 0.48, 0.1, 0.075, c.PINK, BODY)
        layers.append(layer(udder, shadow=0))
    layers.append(layer(trunk, neck, legs, blend=0.055, texture=coat.texture, bump=0.7))
    layers.append(layer(feet, blend=0, shadow=0.15))
    if build.species == "horse":
        layers.append(_mane(build, coat))
    return layers


def quadruped(species: str, rng: np.random.Generator, shared_body: float, fleece: float) -> list[Layer]:
    """Layers of one animal, far to near.

    Args:
        shared_body: probability that the coat comes from the distribution all species share.
        fleece: probability that a sheep wears its wool.
    """
    share_draw, fleece_draw = rng.random(), rng.random()
    shared_rng, own_rng, head_rng = (np.random.default_rng(seed) for seed in rng.integers(1 << 31, size=3))
    shared_coat, own_coat = draw_coat(shared_rng, species, True), draw_coat(own_rng, species, False)
    coat = shared_coat if share_draw < shared_body else own_coat
    build = draw_build(rng, species)
    layers = [_tail(rng, build, coat)]
    if build.pose == "sit":
        layers += _sitting_body(build, coat)
    else:
        layers += _standing_body(rng, build, coat, species == "sheep" and fleece_draw < fleece)
    return layers + HEADS[species](head_rng, build, coat)
