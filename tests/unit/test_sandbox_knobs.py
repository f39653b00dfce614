"""Each knob of the clay world changes what it says and nothing else; masks and parts agree with what was painted."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from make_world_pictures import KNOBS, knob_table, preset_table
from scipy import ndimage

from afa_viz.classes import SANDBOX_QUADRUPEDS
from afa_viz.data.sandbox import CLASSES, HOMES, KNOB_RANGES, PRESETS, Recipe, read_recipe, render_scene
from afa_viz.data.sandbox import scene as scene_module
from afa_viz.data.sandbox.layout import Plan, Streams, lay_out, make_plan

DOCS = Path(__file__).parents[2] / "docs"
NUM_PLANS = 150
BARE = Recipe(distractors=0.0)


def plans(**knobs) -> list[Plan]:
    return [make_plan(Streams((2, i)), replace(Recipe(), **knobs), None) for i in range(NUM_PLANS)]


def pair(index: int, knob: str, low: float, high: float, recipe: Recipe = BARE, **options):
    """The same scene with a knob at two values."""
    return tuple(render_scene("val", index, 96, replace(recipe, **{knob: v}), **options) for v in (low, high))


def changed(a, b) -> np.ndarray:
    """(N, N) pixels that two renderings show differently."""
    return (a.image != b.image).any(axis=2)


def same_in(plans_a, plans_b, *fields: str) -> bool:
    return all(getattr(a, f) == getattr(b, f) for a, b in zip(plans_a, plans_b, strict=True) for f in fields)


# --- what a plan draws -----------------------------------------------------------------------------------------------


def test_cooc_chooses_where_a_scene_plays():
    never, always = plans(cooc=0.0), plans(cooc=1.0)
    assert all(plan.context in HOMES[plan.objects[0]] for plan in always)
    at_home = np.mean([plan.context in HOMES[plan.objects[0]] for plan in never])
    by_chance = np.mean([len(HOMES[plan.objects[0]]) / 8 for plan in never])  # eight contexts, each as likely
    assert abs(at_home - by_chance) < 0.12
    locals_ = [name for plan in always for name in plan.objects[1:]]
    assert all(plan.context in HOMES[name] for plan in always for name in plan.objects)
    assert len(locals_) > 40
    assert same_in(never, always, "mood")
    # On rails only the train is at home, and choosing one of one draws nothing: the scale drawn next is another one.
    no_rails = [pair for pair in zip(never, always, strict=True) if "rail" not in (pair[0].context, pair[1].context)]
    assert len(no_rails) > 100 and all(a.scale == b.scale for a, b in no_rails)
    assert [(p.objects[0], len(p.objects)) for p in never] == [(p.objects[0], len(p.objects)) for p in always]


def test_same_class_repeats_a_class_that_is_there():
    never, always = plans(same_class=0.0), plans(same_class=1.0)
    assert all(len(set(plan.objects)) == 1 for plan in always)
    several = [plan for plan in never if len(plan.objects) > 1]
    assert np.mean([len(set(plan.objects)) > 1 for plan in several]) > 0.6  # by chance a class may come twice
    assert same_in(never, always, "context", "mood", "scale", "props")
    assert all(a.objects[0] == b.objects[0] for a, b in zip(never, always, strict=True))


def test_small_changes_only_the_scale():
    never, always = plans(small=0.0), plans(small=1.0)
    assert same_in(never, always, "context", "mood", "objects", "props")
    assert max(plan.scale for plan in always) < min(plan.scale for plan in never)


def test_max_objects_keeps_the_first_ones():
    alone, all_of_them = plans(max_objects=1), plans(max_objects=3)
    assert all(len(plan.objects) == 1 for plan in alone)
    assert {len(plan.objects) for plan in all_of_them} == {1, 2, 3}
    assert same_in(alone, all_of_them, "context", "mood", "props")
    assert all(a.objects[0] == b.objects[0] for a, b in zip(alone, all_of_them, strict=True))


def test_distractors_are_as_many_as_asked():
    for mean in (0.0, 1.2, 4.0):
        assert np.mean([len(plan.props) for plan in plans(distractors=mean)]) == pytest.approx(mean, abs=0.45)
    assert same_in(plans(distractors=0.0), plans(distractors=4.0), "context", "mood", "objects", "scale")


def test_camouflage_dyes_as_often_as_asked():
    assert all(plan.dye is None for plan in plans(camouflage=0.0))
    assert all(plan.dye is not None for plan in plans(camouflage=1.0))
    share = np.mean([plan.dye is not None for plan in plans(camouflage=0.5)])
    assert 0.35 < share < 0.65


def test_occlusion_brings_objects_together():
    def overlaps(occlusion: float, small: float) -> list[float]:
        found = []
        for index in range(40):
            streams, recipe = Streams((2, index)), Recipe(distractors=0.0, occlusion=occlusion, small=small)
            plan = make_plan(streams, recipe, None)
            stage = scene_module.make_background(plan.context, plan.mood, streams[1], 64)
            boxes = [spot.box for spot in lay_out(streams, plan, stage, recipe)]
            names.setdefault(index, plan)
            assert (names[index].objects, names[index].context) == (plan.objects, plan.context)
            for i, a in enumerate(boxes):
                for b in boxes[:i]:
                    wide, tall = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
                    smaller = min((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
                    found.append(max(wide, 0) * max(tall, 0) / smaller)
        return found

    names: dict[int, Plan] = {}
    apart, together = overlaps(0.0, small=1.0), overlaps(0.6, small=1.0)
    assert len(apart) == len(together) > 20
    assert np.mean(apart) < 0.02 and np.mean(together) > 0.25
    crowded = [np.mean(overlaps(wanted, small=0.0)) for wanted in (0.0, 0.6, 1.0)]  # large objects cannot stand apart
    assert crowded[0] < crowded[1] < crowded[2]


# --- what a picture shows --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SANDBOX_QUADRUPEDS)
def test_shared_body_changes_the_coat_and_not_the_shape(name):
    own, shared = pair(4, "shared_body", 0.0, 1.0, only=name)
    assert own.context == shared.context and np.array_equal(own.mask, shared.mask)
    assert np.array_equal(own.parts, shared.parts)
    body = own.parts == 2
    assert changed(own, shared)[body].mean() > 0.9


def test_shared_body_leaves_other_classes_alone():
    untouched = 0
    for index in range(12):
        plan = make_plan(Streams((2, index)), BARE, None)
        if not set(plan.objects) & set(SANDBOX_QUADRUPEDS):
            own, shared = pair(index, "shared_body", 0.0, 1.0)
            assert np.array_equal(own.image, shared.image)
            untouched += 1
    assert untouched >= 3


def test_with_a_shared_body_the_coat_does_not_tell_the_class():
    """Over many animals the mean colour of the body differs between species only where each has its own coats."""

    def spread(shared: float) -> float:
        recipe = replace(BARE, shared_body=shared, fleece=0.0)
        means = []
        for name in ("cat", "cow", "dog", "horse", "sheep"):
            scenes = [render_scene("val", i, 64, recipe, only=name) for i in range(12)]
            means.append(np.mean([s.image[s.parts == 2].mean(axis=0) for s in scenes if (s.parts == 2).any()], axis=0))
        return float(np.std(means, axis=0).mean())

    assert spread(0.0) > 1.5 * spread(1.0)


def test_fleece_is_for_sheep_only():
    shorn, woolly = pair(4, "fleece", 0.0, 1.0, only="sheep")
    assert changed(shorn, woolly)[shorn.parts == 2].mean() > 0.9
    for name in ("cow", "dog"):
        assert np.array_equal(*(scene.image for scene in pair(4, "fleece", 0.0, 1.0, only=name)))


def test_camouflage_keeps_heads_and_background():
    plain, dyed = pair(4, "camouflage", 0.0, 1.0, only="horse")
    where = changed(plain, dyed)
    assert where[plain.parts == 2].mean() > 0.9
    head = ndimage.binary_erosion(plain.parts == 1, iterations=3)  # its rim takes colour from the body beside it
    assert head.sum() > 50
    difference = np.abs(plain.image.astype(int) - dyed.image).max(axis=2)
    assert difference[head].mean() < 0.2 * difference[plain.parts == 2].mean()
    sky = ndimage.binary_dilation(plain.mask > 0, iterations=4)[:48]
    assert difference[:48][~sky].max(initial=0) <= 1


def test_clutter_leaves_objects_where_they_are():
    plain, cluttered = pair(4, "clutter", 0.0, 1.0, only="car")
    assert np.array_equal(plain.parts, cluttered.parts)
    assert changed(plain, cluttered)[plain.mask == 0].mean() > 0.9


# --- truth against the picture ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("index", range(8))
def test_masks_hold_what_was_painted(index, monkeypatch):
    """The same scene painted without its objects differs inside the masks, and above them nowhere else."""
    full = render_scene("val", index, 96, BARE)
    monkeypatch.setattr(scene_module, "_paint_spot", lambda *_: None)
    empty = render_scene("val", index, 96, BARE)
    assert empty.mask.max() == 0 and empty.context == full.context
    difference = np.abs(full.image.astype(int) - empty.image).max(axis=2)
    inside = full.mask > 0
    assert (difference[inside] > 3).mean() > 0.93
    reach = ndimage.binary_dilation(inside, iterations=4)  # soft focus
    ground = np.zeros_like(inside)  # where shadows and reflections fall: beside and below each object
    for i in range(1, len(full.objects) + 1):
        rows, columns = np.nonzero(full.instances == i)
        tall = rows.max() - rows.min()
        left, right = max(columns.min() - tall, 0), columns.max() + tall
        ground[rows.min() + int(0.3 * tall) :, left:right] = True
    assert (~reach & ~ground).mean() > 0.1
    assert difference[~reach & ~ground].max(initial=0) <= 2


@pytest.mark.parametrize("name", CLASSES)
def test_parts_belong_to_their_class(name):
    animals = {1, 2, 3, 4}
    known = {
        **{animal: animals for animal in SANDBOX_QUADRUPEDS},
        "bird": {1, 2, 3, 4, 5},
        "person": {1, 2, 3, 6},
        "aeroplane": {2, 4, 5, 8, 9},
        "boat": {2, 8, 9, 10},
        **{vehicle: {2, 7, 8, 9} for vehicle in ("bus", "car", "train")},
    }
    for index in range(3):
        scene = render_scene("train", index, 64, BARE, only=name)
        parts = set(np.unique(scene.parts[scene.mask == CLASSES.index(name) + 1]).tolist())
        assert 2 in parts and parts <= known[name]


# --- recipes from text -----------------------------------------------------------------------------------------------


def test_recipes_are_read_from_text():
    assert read_recipe([]) == Recipe()
    assert read_recipe(["hard"]) == PRESETS["hard"]
    assert read_recipe(["cooc=0.9", "max_objects=2"]) == Recipe(cooc=0.9, max_objects=2)
    assert read_recipe(["hard", "clutter=0"]) == replace(PRESETS["hard"], clutter=0.0)
    assert read_recipe(["boats_on_water"]).pinned == (("boat", "water"),)


@pytest.mark.parametrize(
    "words,message",
    [
        (["harf"], "there is no recipe 'harf'; the nearest is 'hard'"),
        (["qqqqqq"], "expected one of default, easy, hard"),
        (["easy", "hard"], "got the presets easy, hard; expected one at most"),
        (["cook=1"], "there is no setting 'cook'; the nearest is 'cooc'"),
        (["cooc=1.5"], "cooc is 1.5, expected a number from 0 to 1"),
        (["cooc=nan"], "cooc is nan, expected a number from 0 to 1"),
        (["distractors=-1"], "distractors is -1.0, expected a number from 0 to 20"),
        (["max_objects=two"], "expected a whole number"),
        (["max_objects=9"], "max_objects is 9, expected 1, 2 or 3"),
        (["pinned=boat"], "pinned cannot be set from text"),
    ],
)
def test_wrong_recipes_are_explained(words, message):
    with pytest.raises(ValueError) as caught:
        read_recipe(words)
    assert message in str(caught.value)


def test_every_number_of_a_recipe_has_a_range():
    numbers = {name for name, value in vars(Recipe()).items() if isinstance(value, float)}
    assert set(KNOB_RANGES) == numbers


def test_the_page_of_the_world_is_up_to_date():
    """docs/world.md has the knobs, defaults and presets of the code; if not, run tools/make_world_pictures.py."""
    text = (DOCS / "world.md").read_text(encoding="utf-8")
    assert knob_table() in text and preset_table() in text
    assert set(KNOBS) == set(vars(Recipe())) - {"pinned"}
    assert all(getattr(Recipe(), knob) in values for knob, values in KNOBS.items())
