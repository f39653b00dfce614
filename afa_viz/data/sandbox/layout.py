"""What is in a scene and where: the plan (classes, context, props), then a place for every item.

Positions and scales are fractions of the image width, (x right, y down).
"""

from dataclasses import dataclass, replace

import numpy as np

from afa_viz.data.sandbox.animals import quadruped
from afa_viz.data.sandbox.backgrounds import CONTEXTS, MOODS, Background, Mood
from afa_viz.data.sandbox.birds import bird
from afa_viz.data.sandbox.colours import bright_colour, choose, uniform
from afa_viz.data.sandbox.craft import aeroplane, boat
from afa_viz.data.sandbox.painter import bounds_of
from afa_viz.data.sandbox.people import person
from afa_viz.data.sandbox.props import PROPS
from afa_viz.data.sandbox.recipe import CLASSES, HOMES, Recipe
from afa_viz.data.sandbox.shapes import ARM, BODY, LEG, TAIL, WING, Bounds, Layer
from afa_viz.data.sandbox.vehicles import bus, car, train

MAKERS = {"boat": boat, "bus": bus, "car": car, "person": person, "train": train, "aeroplane": aeroplane}
LOCAL_PROPS = {
    "sky": ("cloud",),
    "water": ("buoy", "rock", "ball"),
    "road": ("cone", "lamp", "parcel", "tree", "bush"),
    "rail": ("bush", "rock", "tree", "parcel", "flower"),
    "meadow": ("tree", "bush", "flower", "mushroom", "rock", "house"),
    "room": ("parcel", "ball", "pot", "cushion"),
    "sand": ("ball", "rock", "parcel", "buoy", "cone"),
    "snow": ("tree", "rock", "parcel", "house"),
}
ON_LANES = {"road": ("bus", "car"), "rail": ("train",)}
TALL_PROPS = ("tree", "house", "lamp")
# side of the square with an object's bounding area, relative to the scene's own scale
RELATIVE_SIZE = {"aeroplane": 1.12, "bird": 0.95, "boat": 1.05, "cat": 0.98, "dog": 0.98, "person": 1.05}
COUNT_WEIGHTS = (0.5, 0.35, 0.15)
COUNT_SCALE = (1.0, 0.86, 0.74)
OBJECT_SCALE = (0.5, 0.72)
SMALL_SCALE = (0.21, 0.3)
SINGLE_SCALE = (0.54, 0.76)
TRIES = 12
DYED_PARTS = (BODY, LEG, TAIL, WING, ARM)

# random streams of a scene; items use PLACE and LOOK plus their number
PLAN, STAGE, ITEMS, CAMERA, CLUTTER, LABELS = range(6)
PLACE_OBJECT, PLACE_PROP, LOOK_OBJECT, LOOK_PROP = 20, 60, 100, 140


@dataclass(frozen=True)
class Streams:
    """Independent random generators of one scene, by number."""

    root: tuple[int, int]

    def __getitem__(self, stream: int) -> np.random.Generator:
        return np.random.default_rng([*self.root, stream])


@dataclass(frozen=True)
class Plan:
    """Context, light, names of the objects and props, common dye (or None), scale of the objects."""

    context: str
    mood: Mood
    objects: tuple[str, ...]
    props: tuple[str, ...]
    dye: np.ndarray | None
    scale: float


@dataclass(frozen=True)
class Spot:
    """One item in its place: foot point, units per image width, box (left, top, right, bottom) it covers."""

    name: str
    layers: list[Layer]
    bounds: Bounds
    x: float
    y: float
    scale: float
    mirrored: bool
    tilt: float
    airborne: bool
    class_id: int
    stream: int
    box: Bounds


def make_plan(streams: Streams, recipe: Recipe, only: str | None) -> Plan:
    """Draw what is in the scene. All branches are drawn before one is taken: knobs edit the same scene."""
    rng = streams[PLAN]
    pinned = dict(recipe.pinned)
    mood, first = choose(rng, MOODS), choose(rng, CLASSES)
    first = only or first
    at_home, home, anywhere = rng.random() < recipe.cooc, choose(rng, HOMES[first]), choose(rng, CONTEXTS)
    context = pinned.get(first, home if at_home else anywhere)
    rng = streams[ITEMS]
    weights = np.cumsum(COUNT_WEIGHTS[: recipe.max_objects])
    count = int(np.searchsorted(weights, rng.random() * weights[-1], side="right")) + 1
    count = 1 if only else min(count, recipe.max_objects)
    locals_ = [name for name in CLASSES if context in HOMES[name]] or list(CLASSES)
    names = [first]
    for number in range(1, 3):
        repeats, fits, which = rng.random() < recipe.same_class, rng.random() < recipe.cooc, rng.random()
        local, stranger = choose(rng, locals_), choose(rng, CLASSES)
        again = names[int(which * number)]
        name = again if repeats else local if fits else stranger
        names.append(name if pinned.get(name, context) == context else again)
    is_small, small, large = (
        rng.random() < recipe.small,
        uniform(rng, *SMALL_SCALE),
        uniform(rng, *OBJECT_SCALE),
    )
    scale = (small if is_small else large) * COUNT_SCALE[count - 1]
    single = uniform(rng, *SINGLE_SCALE)
    dyed, dye = rng.random() < recipe.camouflage, bright_colour(rng)
    alone = only is not None and rng.random() < 0.5
    num_props = 0 if alone else int(rng.poisson(recipe.distractors))
    props = tuple(choose(rng, LOCAL_PROPS[context]) for _ in range(num_props))
    return Plan(context, mood, tuple(names[:count]), props, dye if dyed else None, single if only else scale)


def build_object(name: str, rng, recipe: Recipe, airborne: bool, afloat: bool) -> list[Layer]:
    """Layers of an object of class `name`."""
    if name == "bird":
        return bird(rng, airborne, afloat)
    if name in MAKERS:
        return MAKERS[name](rng)
    return quadruped(name, rng, recipe.shared_body, recipe.fleece)


def _dyed(layers: list[Layer], dye: np.ndarray) -> list[Layer]:
    """Bodies moved two thirds of the way to one colour; heads, wheels and windows keep theirs."""

    def dyed_shape(shape):
        if shape.part not in DYED_PARTS:
            return shape
        brightness = np.clip(np.mean(shape.colour) * 1.6, 0.3, 1.1)
        return replace(shape, colour=(shape.colour * 0.35 + dye * 0.65 * brightness).astype(np.float32))

    return [replace(item, shapes=tuple(dyed_shape(shape) for shape in item.shapes)) for item in layers]


def _flies(name: str, context: str, draw: float) -> bool:
    if name == "cloud":
        return True
    if name == "aeroplane":
        return context != "room" and (context == "sky" or draw < 0.85)
    return name == "bird" and context != "room" and (context == "sky" or draw < 0.25)


def _overlap(box: Bounds, other: Bounds) -> float:
    """Shared area over the smaller box."""
    wide, tall = min(box[2], other[2]) - max(box[0], other[0]), min(box[3], other[3]) - max(box[1], other[1])
    if wide <= 0 or tall <= 0:
        return 0.0
    areas = ((b[2] - b[0]) * (b[3] - b[1]) for b in (box, other))
    return wide * tall / min(areas)


def _place(rng, name, layers, plan: Plan, stage: Background, airborne, wanted_scale, taken, occlusion):
    """Try a dozen places; the best is mostly in the frame and overlaps the others about as much as wanted."""
    bounds = bounds_of(layers)
    is_object = name in CLASSES
    mirrored, tilt = rng.random() < 0.5, uniform(rng, -0.22, 0.22)
    tilt = tilt if airborne and is_object else 0.0
    wide, tall = bounds[2] - bounds[0], bounds[3] - bounds[1]
    left, right = (-bounds[2], -bounds[0]) if mirrored else (bounds[0], bounds[2])
    sinks = plan.context == "water" and not airborne
    below = 0.0 if sinks else min(bounds[1], 0.0)  # a keel that rests on the ground lifts its boat
    horizon = min(stage.horizon, 0.62)
    wanted_overlap = uniform(rng, 0, 2 * occlusion)
    best_cost, best = np.inf, (0.5, 0.5, wanted_scale, bounds)
    for _ in range(TRIES):
        depth, height, across = rng.random(), rng.random(), rng.random()
        y = horizon + (1 - horizon) * (0.42 + 0.55 * depth)
        if stage.lanes and name in ON_LANES[plan.context]:
            y = stage.lanes[0] + (stage.lanes[1] - stage.lanes[0]) * depth
        elif plan.context == "sky":
            y = min(stage.horizon + 0.08, 0.95) * (1 - depth) + 0.99 * depth
        scale = wanted_scale * (0.95 if airborne else 0.8 + 0.3 * (y - horizon) / (1 - horizon))
        scale = min(scale, 0.96 / wide, 0.9 / tall)
        if airborne:
            lowest = 0.9 if plan.context == "sky" else max(0.5, stage.horizon + 0.12)
            top = 0.03 + height * max(lowest - tall * scale - 0.03, 0.02)
            y = top + bounds[3] * scale
        else:
            scale = min(scale, (y - 0.04) / (bounds[3] - below))
            y += below * scale
        slack = 0.05 * wide * scale if is_object else 0.4 * wide * scale
        free = max(1 - wide * scale + 2 * slack, 0.0)
        x = (across * free - slack if free else 0.5 - wide * scale / 2) - left * scale
        box = (x + left * scale, y - bounds[3] * scale, x + right * scale, y - below * scale)
        overlaps = [_overlap(box, other) for other in taken]
        cost = abs(sum(overlaps) - wanted_overlap) if taken and is_object else max(overlaps, default=0.0)
        cost += 0.5 * max(0.0, 1 - scale / wanted_scale) if is_object else 0.0
        if cost < best_cost:
            best_cost, best = cost, (x, y, scale, box)
    x, y, scale, box = best
    return bounds, x, y, scale, mirrored, tilt, box


def lay_out(streams: Streams, plan: Plan, stage: Background, recipe: Recipe) -> list[Spot]:
    """Place objects, then props around them; returned far to near, ready to paint."""
    spots: list[Spot] = []
    for number, name in enumerate((*plan.objects, *plan.props)):
        is_object = number < len(plan.objects)
        rank = number if is_object else number - len(plan.objects)
        rng = streams[(PLACE_OBJECT if is_object else PLACE_PROP) + rank]
        look = streams[(LOOK_OBJECT if is_object else LOOK_PROP) + rank]
        airborne = _flies(name, plan.context, rng.random())
        if is_object:
            layers = build_object(name, look, recipe, airborne, plan.context == "water")
            layers = layers if plan.dye is None else _dyed(layers, plan.dye)
            left, bottom, right, top = bounds_of(layers)
            size = np.sqrt((right - left) * (top - bottom))
            scale = plan.scale * RELATIVE_SIZE.get(name, 1.0) / float(size)
        else:
            layers = PROPS[name](look)
            scale = uniform(rng, 0.18, 0.32) * (1.0 if name in TALL_PROPS else 0.75)
        taken = [spot.box for spot in spots]
        placed = _place(rng, name, layers, plan, stage, airborne, scale, taken, recipe.occlusion)
        bounds, x, y, scale, mirrored, tilt, box = placed
        class_id = CLASSES.index(name) + 1 if is_object else 0
        stream = (LOOK_OBJECT if is_object else LOOK_PROP) + rank + 200
        spots.append(Spot(name, layers, bounds, x, y, scale, mirrored, tilt, airborne, class_id, stream, box))
    return sorted(spots, key=lambda spot: spot.y * 0.1 if spot.airborne else spot.y)
