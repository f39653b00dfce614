"""Heads of the quadrupeds and eyes for everyone.

A head is flat, but its parts slide with the turn: `profile` is 1 when the animal looks along +x, 0 when it
faces us. Sizes are in head radii r.
"""

import numpy as np

from afa_viz.data.sandbox import colours as c
from afa_viz.data.sandbox.animal_build import Build, Coat
from afa_viz.data.sandbox.colours import choose, darker, jitter, lighter, uniform
from afa_viz.data.sandbox.shapes import BODY, HEAD, Layer, capsule, ellipse, layer, polygon
from afa_viz.data.sandbox.textures import wool

SIDES = (-1, 1)
DARK = 0.36  # mean sRGB below which eyes get a white ball


def eye(x: float, y: float, size: float, white: bool = False) -> list[Layer]:
    """A black bead with a glint, on a white ball if asked."""
    layers = []
    if white:
        ball = ellipse(x, y, size * 1.7, size * 1.8, c.rgb("fbfaf5"), HEAD)
        layers.append(layer(ball, bump=0, specular=0.3, shadow=0.25))
    bead_x = x + size * 0.2 if white else x
    bead = ellipse(bead_x, y, size, size * 1.12, c.BEAD, HEAD)
    layers.append(layer(bead, bump=0, specular=0, shadow=0 if white else 0.3))
    return [*layers, _glint(x + size * 0.28, y + size * 0.4, size * 0.36)]


def _is_dark(colour: np.ndarray) -> bool:
    """Whether a black bead would vanish on this colour."""
    return float(colour.mean()) < DARK


def _glint(x: float, y: float, size: float) -> Layer:
    return layer(ellipse(x, y, size, size, c.WHITE, HEAD), bump=0, specular=0, shadow=0, glow=0.8)


def _cat_eye(x: float, y: float, size: float, iris) -> list[Layer]:
    ball = ellipse(x, y, size * 1.5, size * 1.45, iris, HEAD)
    slit = ellipse(x, y, size * 0.55, size * 1.25, c.BEAD, HEAD)
    return [
        layer(ball, bump=0, shadow=0.2, specular=0.3),
        layer(slit, bump=0, shadow=0),
        _glint(x + size * 0.4, y + size * 0.5, size * 0.3),
    ]


def cat_head(rng: np.random.Generator, build: Build, coat: Coat) -> list[Layer]:
    """Triangle ears, pink nose, whiskers."""
    r, profile, x, y = build.head_radius, 1 - build.turn, build.head_x + 0.02, build.head_y
    layers = []
    for side in SIDES:
        base = x + side * r * (0.62 - 0.1 * profile) + r * 0.1 * profile
        tip = (base + side * r * 0.22, y + r * uniform(rng, 1.28, 1.45))
        outer = [(base - r * 0.36, y + r * 0.55), tip, (base + r * 0.36, y + r * 0.5)]
        inner = [(base - r * 0.17, y + r * 0.66), (tip[0], tip[1] - r * 0.2), (base + r * 0.17, y + r * 0.64)]
        layers.append(layer(polygon(outer, 0.022, coat.main, HEAD, dome=0.07), shadow=0.2))
        layers.append(layer(polygon(inner, 0.012, c.PINK, HEAD, dome=0.05), shadow=0))
    skull = ellipse(x, y, r * 1.12, r * 0.92, coat.main, HEAD)
    cheek = ellipse(x + r * 0.5 * profile, y - r * 0.25, r * 0.62, r * 0.5, coat.main, HEAD)
    layers.append(layer(skull, cheek, blend=0.06, texture=coat.texture, shadow=0.5))
    nose_x, pale = x + r * 0.55 * profile, lighter(coat.main, 0.55)
    muzzle = [ellipse(nose_x + s * r * 0.19, y - r * 0.33, r * 0.27, r * 0.22, pale, HEAD) for s in SIDES]
    layers.append(layer(muzzle, blend=0.01, shadow=0.15))
    nose = ellipse(nose_x, y - r * 0.16, r * 0.13, r * 0.1, c.PINK, HEAD)
    layers.append(layer(nose, shadow=0.2, bump=0))
    whiskers = [
        capsule(
            (nose_x + side * r * 0.38, y - r * (0.3 + drop * 0.6)),
            (nose_x + side * r * 1.15, y - r * (0.18 + drop * 2.2)),
            0.008,
            lighter(coat.main, 0.8),
            HEAD,
        )
        for side in SIDES
        for drop in (0.0, 0.14)
    ]
    layers.append(layer(whiskers, blend=0, shadow=0, bump=0))
    slit_eyes, iris = rng.random() < 0.5 or _is_dark(coat.main), jitter(rng, c.rgb("b9d65a"))
    for side in SIDES:
        eye_x = x + side * r * 0.46 + r * 0.42 * profile
        if eye_x < x + r * 0.95:
            size = r * 0.15
            layers += _cat_eye(eye_x, y + r * 0.12, size, iris) if slit_eyes else eye(eye_x, y + r * 0.12, size)
    return layers


def dog_head(rng: np.random.Generator, build: Build, coat: Coat) -> list[Layer]:
    """Floppy or pointed ears, big muzzle, sometimes a patch, a tongue, a collar."""
    r, profile, x, y = build.head_radius, 1 - build.turn, build.head_x + 0.02, build.head_y
    ear_colour = darker(coat.main, 0.7) if rng.random() < 0.6 else coat.second
    pointed = rng.random() < 0.3
    ears = []
    for side in SIDES:
        base = x + side * r * (0.85 - 0.15 * profile) - r * 0.1 * profile
        if pointed:
            points = [
                (base - r * 0.3, y + r * 0.4),
                (base + side * r * 0.05, y + r * 1.3),
                (base + r * 0.28, y + r * 0.4),
            ]
            ears.append(layer(polygon(points, 0.03, ear_colour, HEAD, dome=0.07), shadow=0.3))
        else:
            flap = ellipse(base + side * r * 0.12, y - r * 0.05, r * 0.3, r * 0.68, ear_colour, HEAD, side * 0.28)
            ears.append(layer(flap, shadow=0.4))
    pale = lighter(coat.main) if rng.random() < 0.7 else coat.main
    patched, tongue, collared = rng.random(3) < (0.35, 0.4, 0.5)
    collar_colour = choose(rng, c.BRIGHT_COLOURS[:9])
    nose_x, wide = x + r * 0.78 * profile, r * (0.5 + 0.12 * profile)
    layers = []
    if collared:
        strap = capsule((x - r * 0.62, y - r * 0.9), (x + r * 0.38, y - r * 0.95), 0.035, collar_colour, BODY)
        layers.append(layer(strap, shadow=0.25, specular=0.4))
    if pointed:
        layers += ears
    layers.append(layer(ellipse(x, y, r * 0.98, r * 0.95, coat.main, HEAD), shadow=0.5))
    if patched:
        patch = ellipse(x + r * (0.42 + 0.3 * profile), y + r * 0.18, r * 0.36, r * 0.4, coat.second, HEAD)
        layers.append(layer(patch, shadow=0, relief=0.4))
    if tongue:
        lick = ellipse(nose_x + wide * 0.1, y - r * 0.78, r * 0.15, r * 0.22, c.rgb("e86a72"), HEAD)
        layers.append(layer(lick, shadow=0.2, bump=0.2))
    layers.append(layer(ellipse(nose_x, y - r * 0.36, wide, r * 0.42, pale, HEAD), shadow=0.35))
    nose = ellipse(nose_x + wide * 0.62 * profile, y - r * 0.14, r * 0.22, r * 0.17, c.BEAD, HEAD)
    layers.append(layer(nose, bump=0, specular=0.6, shadow=0.3))
    for side in SIDES:
        layers += eye(x + side * r * 0.4 + r * 0.36 * profile, y + r * 0.2, r * 0.14, _is_dark(coat.main))
    if not pointed:
        layers += ears if build.turn > 0.35 else ears[:1]
    return layers


def cow_head(rng: np.random.Generator, build: Build, coat: Coat) -> list[Layer]:
    """Horns, sideways ears, pink muzzle with nostrils."""
    r, profile, x, y = build.head_radius, 1 - build.turn, build.head_x + 0.02, build.head_y
    layers = []
    for side in SIDES:
        horn = capsule(
            (x + side * r * 0.45, y + r * 0.7),
            (x + side * r * 0.85, y + r * 1.3),
            r * 0.16,
            c.CREAM,
            HEAD,
            end_radius=r * 0.06,
        )
        ear = ellipse(x + side * r * 1.08, y + r * 0.38, r * 0.4, r * 0.2, darker(coat.main, 0.85), HEAD, side * 0.25)
        layers += [layer(horn, shadow=0.2), layer(ear, shadow=0.3)]
    nose_x = x + r * 0.35 * profile
    skull = ellipse(x, y + r * 0.12, r * 0.78, r * 0.9, coat.main, HEAD)
    jaw = ellipse(nose_x, y - r * 0.45, r * 0.66, r * 0.5, coat.main, HEAD)
    layers.append(layer(skull, jaw, blend=0.06, texture=coat.texture, shadow=0.5))
    muzzle = ellipse(nose_x + r * 0.05 * profile, y - r * 0.58, r * 0.72, r * 0.42, c.PINK, HEAD)
    layers.append(layer(muzzle, shadow=0.35))
    nostrils = [ellipse(nose_x + s * r * 0.3, y - r * 0.52, r * 0.1, r * 0.13, c.rgb("9a4a50"), HEAD) for s in SIDES]
    layers.append(layer(nostrils, blend=0, shadow=0, bump=0))
    for side in SIDES:
        layers += eye(x + side * r * 0.42 + r * 0.25 * profile, y + r * 0.25, r * 0.14, _is_dark(coat.main))
    if rng.random() < 0.6:
        tuft = ellipse(x, y + r * 0.98, r * 0.34, r * 0.22, darker(coat.second), HEAD)
        layers.append(layer(tuft, bump=1.5, shadow=0.2))
    return layers


def sheep_head(rng: np.random.Generator, build: Build, coat: Coat) -> list[Layer]:
    """Dark or cream face under a woollen cap."""
    r, profile, x, y = build.head_radius, 1 - build.turn, build.head_x + 0.02, build.head_y
    face = choose(rng, [c.FUR_BLACK, c.FUR_DARK, c.FUR_CREAM, c.FUR_SAND])
    dark_face = _is_dark(face)
    layers = []
    for side in SIDES:
        ear = ellipse(x + side * r * 0.95, y + r * 0.15, r * 0.42, r * 0.2, darker(face, 0.9), HEAD, -side * 0.45)
        layers.append(layer(ear, shadow=0.3))
    nose_x = x + r * 0.4 * profile
    skull = ellipse(x, y, r * 0.75, r * 0.87, face, HEAD)
    jaw = ellipse(nose_x, y - r * 0.45, r * 0.54, r * 0.47, face, HEAD)
    layers.append(layer(skull, jaw, blend=0.06, shadow=0.5))
    cap = [
        ellipse(x + r * dx, y + r * dy, r * 0.36, r * 0.33, coat.main, HEAD)
        for dx, dy in ((-0.5, 0.6), (0, 0.85), (0.5, 0.6), (0, 0.55))
    ]
    layers.append(layer(cap, blend=0.02, texture=wool(14.0, 0.016), shadow=0.35, specular=0.08))
    for side in SIDES:
        layers += eye(x + side * r * 0.36 + r * 0.25 * profile, y + r * 0.08, r * 0.14, white=dark_face)
    mouth = ellipse(nose_x, y - r * 0.5, r * 0.14, r * 0.08, c.PINK if dark_face else darker(face, 0.5), HEAD)
    layers.append(layer(mouth, shadow=0, bump=0))
    return layers


def horse_head(rng: np.random.Generator, build: Build, coat: Coat) -> list[Layer]:
    """Long face, forelock, sometimes a blaze."""
    r, profile, x, y = build.head_radius, 1 - build.turn, build.head_x + 0.02, build.head_y
    angle = uniform(rng, 0.75, 1.1)
    dx = float(np.cos(angle)) * r * 1.5 * (0.45 + 0.55 * profile)
    dy = -float(np.sin(angle)) * r * 1.5
    layers = []
    for side in SIDES:
        foot = x + side * r * 0.42
        points = [
            (foot - r * 0.18, y + r * 0.5),
            (x + side * r * 0.5, y + r * 1.25),
            (foot + r * 0.18, y + r * 0.45),
        ]
        layers.append(layer(polygon(points, 0.02, coat.main, HEAD), shadow=0.2))
    face = capsule((x, y), (x + dx, y + dy), r * 0.74, coat.main, HEAD, end_radius=r * 0.5)
    muzzle_colour = lighter(coat.main, 0.3) if rng.random() < 0.5 else darker(coat.main, 0.6)
    muzzle = ellipse(x + dx * 1.08, y + dy * 1.08, r * 0.54, r * 0.42, muzzle_colour, HEAD)
    layers += [layer(face, shadow=0.5), layer(muzzle, shadow=0.15)]
    if rng.random() < 0.5:
        ends = (x + dx * 0.15, y + dy * 0.1), (x + dx * 0.75, y + dy * 0.75)
        layers.append(layer(capsule(*ends, r * 0.14, c.rgb("f6f1e6"), HEAD), shadow=0, relief=0.4))
    for side in SIDES:
        eye_x = x + side * r * 0.4 * (1 - 0.3 * profile) + r * 0.2 * profile
        layers += eye(eye_x, y + r * 0.12, r * 0.13, _is_dark(coat.main))
    nostrils = [
        ellipse(x + dx * 1.12 + s * r * 0.2, y + dy * 1.1, r * 0.07, r * 0.09, darker(coat.main, 0.35), HEAD)
        for s in SIDES
    ]
    layers.append(layer(nostrils, blend=0, shadow=0, bump=0))
    forelock = [
        ellipse(
            x + r * (0.3 * q - 0.1),
            y + r * (0.85 - 0.1 * abs(q)),
            r * 0.24,
            r * 0.32,
            darker(coat.second, 0.9),
            HEAD,
        )
        for q in (-1, 0, 1)
    ]
    layers.append(layer(forelock, blend=0.02, bump=1.2, shadow=0.25))
    return layers


HEADS = {"cat": cat_head, "cow": cow_head, "dog": dog_head, "horse": horse_head, "sheep": sheep_head}
