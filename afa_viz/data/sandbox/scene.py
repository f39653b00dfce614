"""Render one scene of the clay world: plan, stage, objects, camera, truth."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from afa_viz.data.sandbox import colours as c
from afa_viz.data.sandbox.backgrounds import Background, make_background
from afa_viz.data.sandbox.colours import bright_colour, choose, linear, uniform
from afa_viz.data.sandbox.layout import (
    CAMERA,
    CLUTTER,
    LABELS,
    STAGE,
    Plan,
    Spot,
    Streams,
    lay_out,
    make_plan,
)
from afa_viz.data.sandbox.noise import patch
from afa_viz.data.sandbox.painter import Canvas, Light, Pose, cast_shadow, paint
from afa_viz.data.sandbox.props import bush, cloud, house, picture, tree
from afa_viz.data.sandbox.recipe import CLASSES, DEFAULT, Recipe
from afa_viz.data.sandbox.shapes import box, capsule, ellipse, layer

f32 = np.float32
SPLIT_IDS = {"train": 1, "val": 2, "test": 3}
SMALLEST, LARGEST = 64, 512
SUPERSAMPLING = 2
SLIVER = 0.0012  # objects that show less than this share of the image are not annotated
NUM_SCRAPS = 28


@dataclass(frozen=True)
class Scene:
    """A rendered scene of side N.

    Attributes:
        image: (N, N, 3) uint8 sRGB.
        mask: (N, N) uint8, 0 = background, 1..12 = CLASSES.
        instances: (N, N) uint8, 0 = background, i = objects[i - 1].
        parts: (N, N) uint8 ids of PART_NAMES.
        image_labels: (12,) float32 multi-hot over CLASSES.
        context: name of the background.
        objects: class names of the visible objects.
    """

    image: np.ndarray
    mask: np.ndarray
    instances: np.ndarray
    parts: np.ndarray
    image_labels: np.ndarray
    context: str
    objects: tuple[str, ...]


def require_split(split: str, size: int) -> None:
    """Raise ValueError for a split or a side in pixels that no scene has."""
    if split not in SPLIT_IDS:
        raise ValueError(f"split is {split!r}, expected one of {', '.join(SPLIT_IDS)}")
    if size % 2 or not SMALLEST <= size <= LARGEST:
        raise ValueError(f"size is {size}, expected an even number from {SMALLEST} to {LARGEST}")


def render_scene(split: str, index: int, size: int = 160, recipe: Recipe = DEFAULT, only: str | None = None) -> Scene:
    """Scene number `index` of a split: a pure function of its arguments.

    Args:
        split: "train", "val" or "test"; their scenes never coincide.
        index: any non-negative integer.
        size: side in pixels, even, 64 to 512; the same scene at every size.
        recipe: knobs.
        only: class name for one large single object of that class.
    Raises: ValueError: if the split, the size or the class is unknown.
    """
    require_split(split, size)
    if only is not None and only not in CLASSES:
        raise ValueError(f"only is {only!r}, expected one of {', '.join(CLASSES)}")
    streams = Streams((SPLIT_IDS[split], index))
    plan = make_plan(streams, recipe, only)
    stage, canvas, light = _set_stage(streams, plan, size)
    if recipe.clutter:
        _scatter(canvas, light, streams[CLUTTER], recipe.clutter)
    names, next_prop = [], 255
    for spot in lay_out(streams, plan, stage, recipe):
        if spot.class_id:
            names.append(spot.name)
            instance = len(names)
        else:
            instance, next_prop = next_prop, next_prop - 1
        _paint_spot(canvas, light, spot, instance, plan.context, streams[spot.stream])
    image = _photograph(canvas.colour, streams[CAMERA])
    return _annotate(image, canvas, names, plan.context, streams[LABELS], recipe.missing_labels)


def _set_stage(streams: Streams, plan: Plan, size: int) -> tuple[Background, Canvas, Light]:
    """Background with far props, out of focus beyond the horizon, and the light that goes with it."""
    rng, mood, indoors = streams[STAGE], plan.mood, plan.context == "room"
    stage = make_background(plan.context, mood, rng, size)
    azimuth, key_gain = uniform(rng, -0.8, 0.8), uniform(rng, 0.78, 0.95)
    direction = np.array([0.9 * np.sin(azimuth), 0.75, 0.62], np.float32)
    bounce = stage.image[:, int(size * 0.8)].mean(1) * 0.45 + 0.05
    haze = linear(mood.horizon)
    if indoors:
        sky, key = np.array([0.56, 0.54, 0.50]) * mood.gain, linear(c.rgb("fff0d8")) * 0.85
    else:
        sky, key = (
            (haze * 0.55 + linear(mood.zenith) * 0.25 + 0.15) * 0.62 * mood.gain,
            linear(mood.key) * key_gain,
        )
    light = Light(direction / np.linalg.norm(direction), *(v.astype(np.float32) for v in (key, sky, bounce)))
    side = size * SUPERSAMPLING
    planes = [
        np.asarray(Image.fromarray(plane.astype(f32)).resize((side, side), Image.Resampling.BILINEAR))
        for plane in stage.image
    ]
    canvas = Canvas.over(np.stack(planes))
    if indoors:
        for _ in range(int(rng.integers(0, 3))):
            pose = Pose(uniform(rng, 0.1, 0.9) * side, uniform(rng, 0.14, 0.36) * side, side)
            paint(canvas, light, picture(rng), pose, rng, ground_fade=0)
    else:
        for _ in range(int(rng.integers(0, 4))):
            scale, x, y = (
                uniform(rng, 0.10, 0.22),
                rng.random(),
                uniform(rng, 0.05, max(0.12, stage.horizon * 0.7)),
            )
            pose = Pose(x * side, y * side, scale * side, rng.random() < 0.5)
            paint(canvas, light, cloud(rng), pose, rng, haze=haze, haze_share=0.25)
        for _ in range(int(rng.integers(0, 5)) if plan.context != "water" else 0):
            scale, x, y = (
                uniform(rng, 0.07, 0.15),
                rng.random(),
                stage.horizon + 0.015 + uniform(rng, 0, 0.03),
            )
            pose = Pose(x * side, y * side, scale * side, rng.random() < 0.5)
            paint(
                canvas,
                light,
                choose(rng, [tree, tree, bush, house])(rng),
                pose,
                rng,
                haze=haze,
                haze_share=0.3,
            )
    _blur_beyond(canvas.colour, stage.horizon, passes=1 if indoors else 2)
    return stage, canvas, light


def _blur_beyond(colour: np.ndarray, horizon: float, passes: int) -> None:
    """Miniature blur of the rows above the horizon, easing in below it; in place."""
    from scipy import ndimage  # here, as in `noise`: a page that renders nothing does without it

    side = colour.shape[1]
    rows = min(side, int((horizon + 0.12) * side) + 1)
    width = max(1, round((2 * passes + 1) * side / 320)) | 1
    blurred = colour[:, :rows]
    for _ in range(passes):
        blurred = ndimage.uniform_filter(blurred, (1, width, width))
    height = (np.arange(rows, dtype=f32) + f32(0.5)) / f32(side)
    share = np.clip((horizon + 0.12 - height) / 0.2, 0, 1).astype(f32)[None, :, None]
    colour[:, :rows] += (blurred - colour[:, :rows]) * share


def _scatter(canvas: Canvas, light: Light, rng, amount: float) -> None:
    """Clutter: noise over everything and scraps of coloured clay, none of which belongs to a class."""
    side = canvas.size
    canvas.colour *= 1 + f32(0.3 * amount) * np.clip(patch("clay", rng, side, span=256), -2, 2)
    for _ in range(NUM_SCRAPS):
        shown, kind, colour = rng.random() < amount, rng.integers(3), bright_colour(rng)
        x, y, scale, tilt = rng.random(), rng.random(), uniform(rng, 0.05, 0.13), uniform(rng, -1.5, 1.5)
        scrap = (
            ellipse(0, 0, 0.4, 0.3, colour),
            box(0, 0, 0.4, 0.25, 0.08, colour),
            capsule((-0.35, 0), (0.35, 0), 0.14, colour),
        )[kind]
        pose = Pose(x * side, y * side, scale * side, tilt=tilt)
        if shown:
            paint(canvas, light, [layer(scrap)], pose, rng, ground_fade=0)


def _paint_spot(canvas: Canvas, light: Light, spot: Spot, instance: int, context: str, rng) -> None:
    side = canvas.size
    pose = Pose(spot.x * side, spot.y * side, spot.scale * side, spot.mirrored, spot.tilt)
    afloat = context == "water" and not spot.airborne
    surface, depth, phase = None, uniform(rng, 0, 0.05), uniform(rng, 0, 6)
    if afloat:
        sinks = depth if spot.name in ("boat", "bird", "buoy", "rock") else 0.16
        pixel = side / 320
        steps = np.arange(side) / pixel
        surface = (
            pose.y - sinks * pose.scale + pixel * (1.2 * np.sin(steps * 0.13 + phase) + 0.8 * np.sin(steps * 0.29))
        )
    elif not spot.airborne:
        cast_shadow(canvas, light, spot.layers, pose)
    allowed = None if surface is None else np.arange(side)[:, None] < surface[None]
    fade = 0.0 if spot.airborne or afloat else 0.14
    paint(canvas, light, spot.layers, pose, rng, spot.class_id, instance, allowed, fade)
    if surface is not None:
        _mirror_in_water(canvas, pose, spot, instance, surface)


def _mirror_in_water(canvas: Canvas, pose: Pose, spot: Spot, instance: int, surface: np.ndarray) -> None:
    """Wavy reflection below the water line, and foam along it."""
    from scipy import ndimage

    side, row = canvas.size, int(surface.mean())
    pixel = side / 320
    left, _, right, _ = pose.extent(spot.bounds)
    columns = slice(max(int(left) - 4, 0), min(int(right) + 4, side))
    height = min(side - row - 2, row - 2, int(pose.scale * 0.6))
    if height < 3 or columns.stop - columns.start < 3:
        return
    above, below = slice(row - height, row), slice(row, row + height)
    painted = canvas.instances[:, columns] == instance
    distance = np.arange(height)
    shift = (2.5 * pixel * np.sin(distance / pixel * 0.55)).astype(int)
    width = columns.stop - columns.start
    taken_from = np.clip(np.arange(width)[None] - shift[:, None], 0, width - 1)
    share = np.linspace(0.55, 0, height)[:, None] * painted[above][::-1]
    share = np.take_along_axis(share, taken_from, 1) * (canvas.instances[below, columns] == 0)
    for plane in canvas.colour:
        mirrored = np.take_along_axis(plane[above, columns][::-1], taken_from, 1)
        target = plane[below, columns]
        target += ((mirrored * 0.8 - target) * share).astype(f32)
    touching = painted[max(0, row - int(4 * pixel) - 1) : row + 2].any(0)
    touching = ndimage.binary_dilation(touching, iterations=max(1, int(4 * pixel)))
    rows = slice(max(row - int(8 * pixel) - 2, 0), min(row + int(8 * pixel) + 2, side))
    near = np.abs(np.arange(rows.start, rows.stop)[:, None] - surface[None, columns]) < 1.6 * pixel
    region = canvas.colour[:, rows, columns]
    np.copyto(region, region * f32(0.3) + f32(0.62), where=near & touching)


def _photograph(colour: np.ndarray, rng) -> np.ndarray:
    """(3, 2N, 2N) linear to (N, N, 3) uint8: exposure, white balance, vignette, film curve, blur, grain."""
    from scipy import ndimage

    photo = colour[:, ::2, ::2] + colour[:, 1::2, ::2] + colour[:, ::2, 1::2] + colour[:, 1::2, 1::2]
    size = photo.shape[1]
    gains = uniform(rng, 0.95, 1.2) * (1 + rng.uniform(-0.045, 0.045, 3))
    photo *= (gains / 4).astype(f32)[:, None, None]
    ramp = np.linspace(-1, 1, size, dtype=f32) ** 2
    photo *= 1 - f32(uniform(rng, 0.04, 0.16)) * (ramp[None] + ramp[:, None])
    photo = np.clip(photo * (1 + photo * f32(0.12)) / (1 + photo * f32(0.36)), 0, 1) ** f32(1 / c.GAMMA)
    grey = photo.mean(0)
    photo = grey + (photo - grey) * f32(uniform(rng, 1.02, 1.2))
    soft, sigma, grain = rng.random() < 0.5, uniform(rng, 0.25, 0.55) * size / 160, uniform(rng, 0.004, 0.016)
    if soft:
        photo = ndimage.gaussian_filter(photo, (0, sigma, sigma), truncate=2.5)
    photo += f32(grain) * rng.standard_normal((size, size), dtype=f32)
    return (np.clip(photo.transpose(1, 2, 0), 0, 1) * 255 + f32(0.5)).astype(np.uint8)


def _annotate(image, canvas: Canvas, names: list[str], context: str, rng, missing_labels: float) -> Scene:
    """Truth at image size; slivers are dropped and instances renumbered without gaps."""
    mask, instances, parts = (a[1::2, 1::2].copy() for a in (canvas.classes, canvas.instances, canvas.parts))
    counts = np.bincount(instances.ravel(), minlength=256)
    kept = [i for i in range(1, len(names) + 1) if counts[i] >= SLIVER * mask.size]
    renumber = np.zeros(256, np.uint8)
    renumber[kept] = np.arange(1, len(kept) + 1)
    instances = renumber[instances]
    mask[instances == 0] = 0
    parts[instances == 0] = 0
    objects = tuple(names[i - 1] for i in kept)
    forgotten = rng.random(len(CLASSES)) < missing_labels
    labels = np.array([name in objects for name in CLASSES]) & ~forgotten
    return Scene(image, mask, instances, parts, labels.astype(np.float32), context, objects)
