"""The clay painter: distance -> domed height -> normals -> light, layer by layer, far to near.

Frame: canvas pixels, row 0 at the top, twice the image size. Colour planes (3, S, S) are linear light.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from afa_viz.data.sandbox.colours import linear
from afa_viz.data.sandbox.noise import TILE, clay_patch
from afa_viz.data.sandbox.shapes import Bounds, Layer, enclosing

f32 = np.float32
CONTACT_REACH = 0.05  # reach of the shadow between layers, in local units
GROUND_FADE = 0.14  # height up to which the ground darkens an object, in local units


@dataclass(frozen=True)
class Light:
    """Key light from `direction` (unit: x right, y up, z to us), sky and ground light; (3,) linear."""

    direction: np.ndarray
    key: np.ndarray
    sky: np.ndarray
    ground: np.ndarray

    @property
    def half_way(self) -> np.ndarray:
        """Unit vector between the light and the viewer."""
        half = self.direction + np.array([0, 0, 1], np.float32)
        return half / np.linalg.norm(half)


@dataclass
class Canvas:
    """What is painted so far: colour (3, S, S) float32; classes, instances and parts (S, S) uint8."""

    colour: np.ndarray
    classes: np.ndarray
    instances: np.ndarray
    parts: np.ndarray

    @classmethod
    def over(cls, colour: np.ndarray) -> "Canvas":
        """Canvas on top of a background (3, S, S)."""
        return cls(colour, *(np.zeros(colour.shape[1:], np.uint8) for _ in range(3)))

    @property
    def size(self) -> int:
        return self.colour.shape[1]


@dataclass(frozen=True)
class Pose:
    """Where local (0, 0) lies (canvas pixels), scale (pixels a unit), mirroring and tilt (radians)."""

    x: float
    y: float
    scale: float
    mirrored: bool = False
    tilt: float = 0.0

    @property
    def side(self) -> int:
        return -1 if self.mirrored else 1

    def extent(self, bounds: Bounds) -> Bounds:
        """Left, top, right, bottom in canvas pixels of local bounds."""
        left, bottom, right, top = bounds
        x, y = np.array([left, left, right, right]), np.array([bottom, top, bottom, top])
        cos, sin = np.cos(self.tilt), np.sin(self.tilt)
        column = self.x + self.scale * self.side * (x * cos - y * sin)
        row = self.y - self.scale * (x * sin + y * cos)
        return float(column.min()), float(row.min()), float(column.max()), float(row.max())

    def window(self, bounds: Bounds, size: int, margin: int) -> tuple[slice, slice]:
        """Rows and columns of the canvas that hold the bounds and a margin."""
        left, top, right, bottom = self.extent(bounds)
        rows = slice(max(int(np.floor(top)) - margin, 0), min(int(np.ceil(bottom)) + margin, size))
        columns = slice(max(int(np.floor(left)) - margin, 0), min(int(np.ceil(right)) + margin, size))
        return rows, columns

    def grid(self, rows: slice, columns: slice) -> tuple[np.ndarray, np.ndarray]:
        """Local x and y of the pixels of a window; (1, w) and (h, 1) when upright, else (h, w)."""
        x = (np.arange(columns.start, columns.stop, dtype=f32) + f32(0.5 - self.x)) * f32(self.side / self.scale)
        y = (f32(self.y - 0.5) - np.arange(rows.start, rows.stop, dtype=f32)) * f32(1 / self.scale)
        x, y = x[None], y[:, None]
        if not self.tilt:
            return x, y
        cos, sin = f32(np.cos(self.tilt)), f32(np.sin(self.tilt))
        return x * cos + y * sin, y * cos - x * sin


def bounds_of(layers: list[Layer]) -> Bounds:
    """Local bounds of an object."""
    return enclosing(item.bounds for item in layers)


def _dome(distance: np.ndarray, width: float) -> np.ndarray:
    """Quarter-circle profile that rises from 0 at the outline to `width` at depth `width`."""
    depth = np.clip(distance * f32(-1 / width), 0, 1)
    return np.sqrt(depth * (2 - depth)) * f32(width)


def _melt(item: Layer, x: np.ndarray, y: np.ndarray):
    """Joined distance, height and index of the nearest shape (None for a single one), each (h, w)."""
    first = item.shapes[0]
    distance = first.distance(x, y)
    height = _dome(distance, first.dome)
    if len(item.shapes) == 1:
        return distance, height, None
    blend = f32(item.blend)
    crease = f32(max(item.blend, 0.01) * 0.7)
    nearest = distance.copy()
    owner = np.zeros(distance.shape, np.uint8)
    for i, shape in enumerate(item.shapes[1:], 1):
        other = shape.distance(x, y)
        other_height = _dome(other, shape.dome)
        closer = other < nearest
        owner[closer] = i
        np.minimum(nearest, other, out=nearest)
        if blend > 0:
            share = np.clip(f32(0.5) + (other - distance) * f32(0.5 / blend), 0, 1)
            distance = other + (distance - other) * share - blend * share * (1 - share)
            low = np.minimum(height, other_height)
            fill = np.maximum(crease - np.abs(height - other_height), 0)
            height = np.maximum(height, other_height) + fill * fill * (low > 0) * f32(0.25 / crease)
        else:
            distance = np.minimum(distance, other)
            height = np.maximum(height, other_height)
    np.maximum(height, _dome(distance, min(shape.dome for shape in item.shapes)), out=height)
    return distance, height, owner


def _slopes(height: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Central differences along columns and rows (zero at the rim)."""
    along_x, along_y = np.zeros_like(height), np.zeros_like(height)
    along_x[:, 1:-1] = (height[:, 2:] - height[:, :-2]) * f32(0.5)
    along_y[1:-1] = (height[2:] - height[:-2]) * f32(0.5)
    return along_x, along_y


def _power(base: np.ndarray, exponent: int) -> np.ndarray:
    """base ** exponent by repeated squaring."""
    result: np.ndarray | float = 1.0
    while exponent:
        if exponent & 1:
            result = result * base
        exponent >>= 1
        if exponent:
            base = base * base
    return np.asarray(result)


def _cast_on_self(canvas, window, item, distance, scale, light, instance):
    """Darken what this object already painted, along the light, next to the coming layer."""
    rows, columns = window
    own = canvas.instances[rows, columns] == instance
    own &= distance >= 0
    if not own.any():
        return
    reach = max(2.0, CONTACT_REACH * scale)
    right = int(round(-light.direction[0] * reach * 0.7))
    down = int(round(light.direction[1] * reach * 0.9))
    height, width = distance.shape
    if down >= height or abs(right) >= width:
        return
    to = (slice(down, height), slice(max(right, 0), width + min(right, 0)))
    source = (slice(0, height - down), slice(max(-right, 0), width - max(right, 0)))
    shade = np.clip(f32(0.5) - distance[source] * f32(scale / (2.2 * reach)), 0, 1)
    shade *= shade * (3 - 2 * shade)
    shade *= own[to]
    canvas.colour[:, rows, columns][:, to[0], to[1]] *= 1 - shade * f32(item.shadow)


def _lit(item: Layer, light: Light, colour, height, depth, y, ground_fade: float):
    """Yield the three shaded colour planes (h, w); height in pixels, depth in [0, 1] from the outline."""
    slope_x, slope_y = _slopes(height)
    facing = 1 / np.sqrt(slope_x * slope_x + slope_y * slope_y + 1)
    right, up = -slope_x * facing, slope_y * facing
    to_light, half_way = light.direction, light.half_way
    diffuse = right * to_light[0] + up * to_light[1] + facing * to_light[2]
    diffuse = np.clip((diffuse + f32(0.25)) * f32(0.8), 0, 1)
    diffuse = diffuse * (diffuse * f32(0.35) + f32(0.65))
    occlusion = f32(0.62) + f32(0.38) * np.minimum(depth * f32(2.5), 1)
    if ground_fade:
        occlusion = occlusion * (f32(0.6) + f32(0.4) * np.clip(y / f32(ground_fade), 0, 1))
    from_sky = occlusion * (f32(0.5) + f32(0.5) * up)
    from_ground = occlusion - from_sky
    away = 1 - facing
    sky_gloss = away * away * away * np.clip(f32(0.4) + f32(0.6) * up, 0, 1) * f32(0.3)
    if item.reflection:
        mirror = np.clip(up * f32(1.6) - f32(0.1), 0, 1)
        sky_gloss += mirror * mirror * f32(item.reflection)
    highlight = None
    if item.specular:
        highlight = np.clip(right * half_way[0] + up * half_way[1] + facing * half_way[2], 0, 1)
        highlight = _power(highlight, item.gloss) * f32(item.specular * 0.7)
    for channel in range(3):
        sky, ground, key = light.sky[channel], light.ground[channel], light.key[channel]
        plane = (from_sky * sky + from_ground * ground + diffuse * key) * colour[channel] + sky_gloss * sky
        if highlight is not None:
            plane += highlight * key
        if item.glow:
            plane = plane * f32(1 - item.glow) + colour[channel] * f32(item.glow * 1.3)
        yield plane


def paint(
    canvas: Canvas,
    light: Light,
    layers: list[Layer],
    pose: Pose,
    rng: np.random.Generator,
    class_id: int = 0,
    instance: int = 0,
    allowed: np.ndarray | None = None,
    ground_fade: float = GROUND_FADE,
    haze: np.ndarray | None = None,
    haze_share: float = 0.0,
) -> None:
    """Paint an object onto the canvas, in place.

    Args:
        class_id: written to `canvas.classes`; parts are written only for classes > 0.
        instance: written to `canvas.instances`; 0 leaves out the shadows between layers.
        allowed: (S, S) or (S, 1)-broadcastable bool, pixels that may change (what is above the water).
        ground_fade: local height below which the ground takes light away, 0 for none.
        haze, haze_share: (3,) linear colour of the air and its share.
    """
    offsets = rng.integers(0, TILE, (len(layers), 2))
    for item, offset in zip(layers, offsets, strict=True):
        rows, columns = window = pose.window(item.bounds, canvas.size, 4)
        if rows.stop - rows.start < 3 or columns.stop - columns.start < 3:
            continue
        x, y = pose.grid(rows, columns)
        distance, height, owner = _melt(item, x, y)
        if item.shadow and instance:
            _cast_on_self(canvas, window, item, distance, pose.scale, light, instance)
        inside = distance < 0
        if allowed is not None:
            inside &= allowed[rows, columns]
        if not inside.any():
            continue
        depth = np.clip(distance * f32(-1 / max(min(shape.dome for shape in item.shapes), 0.05)), 0, 1)
        height *= f32(item.relief * pose.scale)
        if item.bump:
            strength = f32(0.62 * item.bump * min(1.0, pose.scale / 110))
            height += clay_patch(tuple(offset), *height.shape) * np.minimum(depth * 6, 1) * strength
        colours = np.stack([linear(shape.colour) for shape in item.shapes], 1)  # (3, shapes)
        colour = colours[:, 0, None, None] if owner is None else colours[:, owner]
        if item.texture is not None:
            colour, raised = item.texture(x, y, colour)
            if raised is not None:
                height += raised * f32(pose.scale)
        fade = 0.0 if haze_share else ground_fade
        for channel, plane in enumerate(_lit(item, light, colour, height, depth, y, fade)):
            if haze is not None and haze_share:
                plane = plane * f32(1 - haze_share) + haze[channel] * f32(haze_share)
            np.copyto(canvas.colour[channel, rows, columns], plane, where=inside)
        parts = np.array([shape.part if class_id else 0 for shape in item.shapes], np.uint8)
        np.copyto(canvas.classes[rows, columns], np.uint8(class_id), where=inside)
        np.copyto(canvas.instances[rows, columns], np.uint8(instance), where=inside)
        np.copyto(canvas.parts[rows, columns], parts[0] if owner is None else parts[owner], where=inside)


def cast_shadow(canvas: Canvas, light: Light, layers: list[Layer], pose: Pose, strength: float = 0.5) -> None:
    """Darken the ground below an object: a tight contact ellipse and a wide one, skewed by the light."""
    left, top, right, _ = pose.extent(bounds_of(layers))
    width, tall, lean = right - left, pose.y - top, float(light.direction[0])
    radius_x, radius_y = width * 0.5, max(3.0, width * 0.11 + 2)
    centre, shifted = (left + right) / 2, (left + right) / 2 - lean * tall * 0.35
    wide_x, wide_y = radius_x * 1.15 + abs(lean) * tall * 0.25, radius_y * 1.9 + 0.05 * tall
    step = 4
    size = canvas.size // step
    first_row = max(int((pose.y - wide_y * 1.9) / step), 0)
    last_row = min(int((pose.y + wide_y * 1.3) / step) + 2, size)
    first_column = max(int((min(centre, shifted) - wide_x * 1.4) / step), 0)
    last_column = min(int((max(centre, shifted) + wide_x * 1.4) / step) + 2, size)
    if last_row - first_row < 2 or last_column - first_column < 2:
        return
    x = ((np.arange(first_column, last_column, dtype=f32) + f32(0.5)) * step)[None]
    y = ((np.arange(first_row, last_row, dtype=f32) + f32(0.5)) * step)[:, None]

    def falloff(from_x, from_y, rx, ry, reach):
        return np.clip(f32(reach) - np.sqrt(((x - from_x) / rx) ** 2 + ((y - from_y) / ry) ** 2), 0, 1)

    contact = falloff(centre, pose.y - radius_y * 0.2, radius_x, radius_y, 1.25)
    wide = falloff(shifted, pose.y - radius_y * 0.6, wide_x, wide_y, 1.3)
    shade = np.maximum(contact * contact * (3 - 2 * contact) * 1.25, wide * np.sqrt(wide) * 0.8) * strength
    rows, columns = slice(first_row * step, last_row * step), slice(first_column * step, last_column * step)
    big = (columns.stop - columns.start, rows.stop - rows.start)
    full = np.asarray(Image.fromarray(shade.astype(f32)).resize(big, Image.Resampling.BILINEAR))
    canvas.colour[:, rows, columns] *= 1 - np.clip(full, 0, 0.85)
