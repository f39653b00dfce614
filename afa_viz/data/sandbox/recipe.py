"""Classes of the sandbox and the settings that control its difficulty."""

from collections.abc import Sequence
from dataclasses import dataclass

from afa_viz.classes import SANDBOX_CLASSES
from afa_viz.config_io import apply_settings, nearest

CLASSES = SANDBOX_CLASSES[1:]  # mask ids 1 to 12
# contexts in which a class is at home
HOMES = {
    "aeroplane": ("sky",),
    "bird": ("sky", "meadow", "water", "snow"),
    "boat": ("water",),
    "bus": ("road",),
    "car": ("road",),
    "cat": ("room",),
    "cow": ("meadow",),
    "dog": ("room", "sand", "meadow"),
    "horse": ("meadow", "sand"),
    "person": ("road", "room", "sand", "snow"),
    "sheep": ("meadow", "snow"),
    "train": ("rail",),
}


@dataclass(frozen=True)
class Recipe:
    """Knobs of the world. A knob edits the same scenes: what it does not touch stays where it is.

    Attributes:
        cooc: probability that the background is a home of the first class (else any background), and that a
            further object is one whose home it is. High values let a classifier recognise the class by the
            background.
        shared_body: probability that a quadruped's coat comes from the distribution all five species share,
            so that only its head identifies the class.
        fleece: probability that a sheep has its wool.
        occlusion: intended mean overlap between the boxes of objects.
        small: probability that the objects of a scene are small (about a fifth of the area).
        max_objects: 1 to 3; one, two, three objects come as .50 : .35 : .15.
        distractors: mean number (Poisson) of things that belong to no class.
        same_class: probability that a further object repeats a class already there.
        camouflage: probability that the colours of all objects of a scene are shifted towards one colour.
        clutter: 0 to 1, coloured scraps and noise over the background.
        missing_labels: probability that a class in the image is left out of the image labels.
        pinned: (class, context) pairs: the class appears in that context and in no other.
    """

    cooc: float = 0.45
    shared_body: float = 0.85
    fleece: float = 0.85
    occlusion: float = 0.25
    small: float = 0.1
    max_objects: int = 3
    distractors: float = 1.2
    same_class: float = 0.35
    camouflage: float = 0.12
    clutter: float = 0.0
    missing_labels: float = 0.0
    pinned: tuple[tuple[str, str], ...] = ()

    def __post_init__(self):
        for name, (low, high) in KNOB_RANGES.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"{name} is {value}, expected a number from {low:g} to {high:g}")
        if self.max_objects not in (1, 2, 3):
            raise ValueError(f"max_objects is {self.max_objects}, expected 1, 2 or 3")
        for name, context in self.pinned:
            if name not in CLASSES or not any(context in homes for homes in HOMES.values()):
                raise ValueError(f"pinned holds {(name, context)}, expected pairs of a class and a context")


# smallest and largest value of every knob that is a number
KNOB_RANGES: dict[str, tuple[float, float]] = {
    "cooc": (0, 1),
    "shared_body": (0, 1),
    "fleece": (0, 1),
    "occlusion": (0, 1),
    "small": (0, 1),
    "distractors": (0, 20),
    "same_class": (0, 1),
    "camouflage": (0, 1),
    "clutter": (0, 1),
    "missing_labels": (0, 1),
}


DEFAULT = Recipe()
PRESETS: dict[str, Recipe] = {
    "default": DEFAULT,
    "easy": Recipe(
        shared_body=0.2, occlusion=0.0, small=0.0, max_objects=1, distractors=0.5, camouflage=0.0, fleece=1.0
    ),
    "hard": Recipe(
        cooc=0.2,
        shared_body=1.0,
        fleece=0.5,
        occlusion=0.5,
        small=0.3,
        distractors=3.0,
        camouflage=0.35,
        clutter=0.4,
    ),
    "biased": Recipe(cooc=0.95),
    "boats_on_water": Recipe(pinned=(("boat", "water"),)),
    "small_objects": Recipe(small=1.0),
    "crowded": Recipe(occlusion=0.6, same_class=0.6, distractors=4.0),
    "camouflaged": Recipe(camouflage=1.0),
    "cluttered": Recipe(clutter=1.0),
    "missing_labels": Recipe(missing_labels=0.2),
}


def read_recipe(words: Sequence[str]) -> Recipe:
    """A recipe from text: the name of a preset, knobs as `key=value`, or a preset and then knobs that change it.

    Raises: ValueError: for an unknown preset or knob (with the nearest right one), a value of another type or out of
        its range.
    """
    names = [word for word in words if "=" not in word]
    if len(names) > 1:
        raise ValueError(f"got the presets {', '.join(names)}; expected one at most, and knobs like cooc=0.9.")
    name = names[0] if names else "default"
    if name not in PRESETS:
        close = nearest(name, list(PRESETS))
        tail = f"the nearest is {close!r}" if close else f"expected one of {', '.join(PRESETS)}"
        raise ValueError(f"there is no recipe {name!r}; {tail}, or a knob like cooc=0.9.")
    knobs = [word for word in words if "=" in word]
    if any(knob.partition("=")[0].strip() == "pinned" for knob in knobs):
        raise ValueError("pinned cannot be set from text; use the preset boats_on_water or Recipe(pinned=…).")
    return apply_settings(PRESETS[name], knobs)
