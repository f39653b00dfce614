"""Signed-distance shapes and the layers that objects are stacked from.

Local frame: x to the right, y up, the ground at y = 0; one unit is about one object. Distances are negative
inside.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from afa_viz.classes import SANDBOX_PARTS

f32 = np.float32
PART_NAMES = SANDBOX_PARTS
NO_PART, HEAD, BODY, LEG, TAIL, WING, ARM, WHEEL, WINDOW, FRONT, SAIL = range(11)

Bounds = tuple[float, float, float, float]  # left, bottom, right, top
Point = tuple[float, float]
Texture = Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray | None]]


@dataclass(frozen=True)
class Shape:
    """One primitive: distance function, bounds, height of its dome, sRGB colour and part id."""

    distance: Callable[[np.ndarray, np.ndarray], np.ndarray]
    bounds: Bounds
    dome: float
    colour: np.ndarray
    part: int


@dataclass(frozen=True)
class Layer:
    """Shapes that melt into one lump of clay, and how its surface looks.

    Attributes:
        shapes: at least one shape.
        blend: radius of the smooth union, in local units; 0 keeps creases.
        bump: strength of the clay relief (.6 clay, .35 painted metal, 1.2 hair, 0 eyes and glass).
        specular, gloss: strength and (integer) exponent of the highlight.
        texture: (x, y, colour) -> (colour, extra height or None).
        shadow: how much the layer darkens the layers below it; negative brightens, which makes a bevel.
        relief: height factor; small values give flat patches.
        reflection: sky reflected from upward faces.
        glow: share of self-lit colour.
    """

    shapes: tuple[Shape, ...]
    blend: float = 0.04
    bump: float = 0.6
    specular: float = 0.22
    gloss: int = 22
    texture: Texture | None = None
    shadow: float = 0.45
    relief: float = 1.0
    reflection: float = 0.0
    glow: float = 0.0
    bounds: Bounds = field(init=False)

    def __post_init__(self):
        object.__setattr__(self, "bounds", enclosing(shape.bounds for shape in self.shapes))


def enclosing(bounds: Iterable[Bounds]) -> Bounds:
    """Smallest bounds that hold all the given ones."""
    left, bottom, right, top = zip(*bounds, strict=True)
    return min(left), min(bottom), max(right), max(top)


def layer(*shapes: Shape | list[Shape], **surface) -> Layer:
    """Layer of shapes and lists of shapes; keywords are the fields of `Layer`."""
    flat: list[Shape] = []
    for shape in shapes:
        flat.extend(shape if isinstance(shape, list) else [shape])
    return Layer(tuple(flat), **surface)


def ellipse(x, y, radius_x, radius_y, colour, part=NO_PART, angle=0.0, dome=None) -> Shape:
    """Ellipse around (x, y), turned by `angle` radians; d = (|p / r| - 1) min(r)."""
    cos, sin = f32(np.cos(angle)), f32(np.sin(angle))
    small, large = min(radius_x, radius_y), max(radius_x, radius_y)
    inverse_x, inverse_y, centre_x, centre_y = f32(1 / radius_x), f32(1 / radius_y), f32(x), f32(y)

    def distance(px, py):
        u, v = px - centre_x, py - centre_y
        if angle:
            u, v = u * cos + v * sin, v * cos - u * sin
        u, v = u * inverse_x, v * inverse_y
        u, v = u * u, v * v
        d = np.sqrt(u + v)
        d -= f32(1)
        d *= f32(small)
        return d

    half_x, half_y = (large, large) if angle else (radius_x, radius_y)
    return Shape(distance, (x - half_x, y - half_y, x + half_x, y + half_y), dome or small, colour, part)


def capsule(start: Point, end: Point, radius, colour, part=NO_PART, end_radius=None, dome=None) -> Shape:
    """Thick line from `start` to `end`, its radius going from `radius` to `end_radius`."""
    (x0, y0), (x1, y1) = start, end
    end_radius = radius if end_radius is None else end_radius
    dx, dy = x1 - x0, y1 - y0
    unit_x, unit_y = (f32(v / (dx * dx + dy * dy + 1e-9)) for v in (dx, dy))
    from_x, from_y, step_x, step_y, taper = f32(x0), f32(y0), f32(dx), f32(dy), f32(end_radius - radius)

    def distance(px, py):
        u, v = px - from_x, py - from_y
        t = u * unit_x + v * unit_y
        np.clip(t, 0, 1, out=t)
        u, v = u - t * step_x, v - t * step_y
        d = np.sqrt(u * u + v * v)
        d -= f32(radius)
        if taper:
            d -= t * taper
        return d

    wide = max(radius, end_radius)
    bounds = (min(x0, x1) - wide, min(y0, y1) - wide, max(x0, x1) + wide, max(y0, y1) + wide)
    return Shape(distance, bounds, dome or (radius + end_radius) / 2, colour, part)


def box(x, y, half_x, half_y, corner, colour, part=NO_PART, dome=None) -> Shape:
    """Axis-parallel box around (x, y) with rounded corners."""
    corner = min(corner, half_x, half_y)
    centre_x, centre_y, inner_x, inner_y = f32(x), f32(y), f32(half_x - corner), f32(half_y - corner)

    def distance(px, py):
        u, v = np.abs(px - centre_x) - inner_x, np.abs(py - centre_y) - inner_y
        outside_u, outside_v = np.maximum(u, 0), np.maximum(v, 0)
        d = np.sqrt(outside_u * outside_u + outside_v * outside_v)
        d += np.minimum(np.maximum(u, v), 0)
        d -= f32(corner)
        return d

    bounds = (x - half_x, y - half_y, x + half_x, y + half_y)
    return Shape(distance, bounds, dome or 0.6 * min(half_x, half_y), colour, part)


def polygon(points: list[Point], corner, colour, part=NO_PART, dome=0.06) -> Shape:
    """Closed polygon, grown by `corner` so that its corners are round."""
    corners = np.asarray(points, float)

    def distance(px, py):
        squared, outside = np.array(np.inf, f32), np.ones(np.broadcast_shapes(px.shape, py.shape), bool)
        for i, here in enumerate(corners):
            there = corners[i - 1]
            edge_x, edge_y = (float(v) for v in there - here)
            u, v = px - f32(here[0]), py - f32(here[1])
            along = (u * f32(edge_x) + v * f32(edge_y)) * f32(1 / (edge_x**2 + edge_y**2 + 1e-9))
            np.clip(along, 0, 1, out=along)
            away_u, away_v = u - along * f32(edge_x), v - along * f32(edge_y)
            edge_squared = away_u * away_u + away_v * away_v
            squared = np.minimum(squared, edge_squared)
            above, below, left = v >= 0, py < f32(there[1]), f32(edge_x) * v > f32(edge_y) * u
            outside ^= (above & below & left) | ~(above | below | left)
        d = np.sqrt(squared)
        np.negative(d, out=d, where=~outside)
        d -= f32(corner)
        return d

    left, bottom = corners.min(0) - corner
    right, top = corners.max(0) + corner
    return Shape(distance, (float(left), float(bottom), float(right), float(top)), dome, colour, part)


def capsule_chain(points: list[Point], radii: list[float], colour, part=NO_PART) -> list[Shape]:
    """Capsules from point to point: tails, mouths."""
    return [
        capsule(points[i], points[i + 1], radii[i], colour, part, end_radius=radii[i + 1])
        for i in range(len(points) - 1)
    ]
