"""Draw the sandbox and write its page: docs/world.md, docs/pictures/world*.{jpg,png} and docs/pictures/knobs.jpg.

PYTHONPATH=. python tools/make_world_pictures.py
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from afa_viz.atomic_files import atomic_write_text
from afa_viz.classes import SANDBOX_CLASSES, SANDBOX_PALETTE, SANDBOX_PARTS
from afa_viz.data.sandbox import (
    CLASSES,
    HOMES,
    KNOB_RANGES,
    LENGTHS,
    PRESETS,
    Recipe,
    Scene,
    read_recipe,
    render_scene,
)
from afa_viz.figures.colour import label_image
from afa_viz.figures.typography import font

DOCS = Path(__file__).parents[1] / "docs"
OUT = DOCS / "pictures"
SPLIT = "test"
SHEET, COLUMNS, TILE = 48, 8, 144  # scenes, scenes a row, pixels
KNOB_TILE, SHOWN, TRIED = 112, 3, 100  # pixels; scenes a value; scenes that the shown ones are picked from
COUNTED, COUNTED_SIZE = 200, 96  # scenes and their side for the numbers of the page
INK, PAPER, FAINT = (32, 32, 32), (255, 255, 255), (110, 110, 110)
KNOBS = {  # the values that are drawn
    "cooc": (0, 0.45, 1),
    "shared_body": (0, 0.85, 1),
    "fleece": (0, 0.85, 1),
    "occlusion": (0, 0.25, 0.6),
    "small": (0, 0.1, 1),
    "max_objects": (1, 2, 3),
    "distractors": (0, 1.2, 5),
    "same_class": (0, 0.35, 1),
    "camouflage": (0, 0.12, 1),
    "clutter": (0, 0.5, 1),
    "missing_labels": (0, 0.3, 1),
}
PARTS_PALETTE = (  # in the order of SANDBOX_PARTS, after Okabe and Ito
    (0, 0, 0), (230, 159, 0), (86, 180, 233), (0, 158, 115), (204, 121, 167), (240, 228, 66), (213, 94, 0),
    (153, 153, 153), (0, 114, 178), (136, 34, 85), (221, 221, 204),
)  # fmt: skip


def grid(pictures: list[np.ndarray], columns: int, gap: int = 3) -> Image.Image:
    """Pictures of one size beside and below each other."""
    side = pictures[0].shape[0]
    sheet = Image.new("RGB", (columns * (side + gap) - gap, -(-len(pictures) // columns) * (side + gap) - gap), PAPER)
    for i, picture in enumerate(pictures):
        sheet.paste(Image.fromarray(picture), ((i % columns) * (side + gap), (i // columns) * (side + gap)))
    return sheet


def with_legend(sheet: Image.Image, names: tuple[str, ...], colours: tuple) -> Image.Image:
    """The sheet with the name and colour of every label below it; label 0 is left out."""
    tall = Image.new("RGB", (sheet.width, sheet.height + 28), PAPER)
    tall.paste(sheet)
    draw = ImageDraw.Draw(tall)
    step = sheet.width / (len(names) - 1)
    for i, (name, colour) in enumerate(list(zip(names, colours, strict=True))[1:]):
        left, top = round(i * step), sheet.height + 9
        draw.rectangle((left, top, left + 13, top + 13), fill=colour)
        draw.text((left + 18, top + 7), name, fill=INK, font=font(13), anchor="lm")
    return tall


def draw_world() -> list[Path]:
    """Images, class masks and parts of the first scenes of the test split."""
    scenes = [render_scene(SPLIT, i, TILE) for i in range(SHEET)]
    images = grid([scene.image for scene in scenes], COLUMNS)
    masks = grid([label_image(scene.mask, SANDBOX_PALETTE) for scene in scenes], COLUMNS)
    parts = grid([label_image(scene.parts, PARTS_PALETTE) for scene in scenes], COLUMNS)
    return [
        save(images, "world.jpg"),
        save(with_legend(masks, SANDBOX_CLASSES, SANDBOX_PALETTE), "world_masks.png"),
        save(with_legend(parts, SANDBOX_PARTS, PARTS_PALETTE), "world_parts.png"),
    ]


def save(picture: Image.Image, name: str) -> Path:
    """JPEG for renderings, a palette PNG for flat colours."""
    path = OUT / name
    if name.endswith(".jpg"):
        picture.save(path, quality=87, subsampling=0, optimize=True)
    else:
        picture.quantize(64, dither=Image.Dither.NONE).save(path, optimize=True)
    return path


def turned(index: int, knob: str, value: float, size: int) -> Scene:
    return render_scene(SPLIT, index, size, read_recipe([f"{knob}={value}"]))


def telling_scenes(knob: str, used: set[int]) -> list[int]:
    """Unused scenes that a knob changes most between its lowest and highest value, in order."""
    low, middle, high = KNOBS[knob]
    changes = []
    for index in set(range(TRIED)) - used:
        before, after = turned(index, knob, low, 64), turned(index, knob, high, 64)
        change = np.abs(before.image.astype(float) - after.image).mean(axis=2)
        if knob == "missing_labels":  # one label of two or three, at the middle value
            labels = before.image_labels.sum(), turned(index, knob, middle, 64).image_labels.sum()
            score = float(labels[1] == labels[0] - 1 and labels[0] > 1)
        elif knob in ("camouflage", "fleece", "shared_body"):  # colours of objects, not of the picture
            score = float(change[before.mask > 0].sum())
        else:
            score = float(change.sum())
        changes.append((-score, index))
    return sorted(index for _, index in sorted(changes)[:SHOWN])


def draw_knobs() -> tuple[Path, dict[str, list[int]]]:
    """One row a knob: the same scenes at three values; the labels under the row of missing labels."""
    gap, title, caption = 3, 24, 18
    block = SHOWN * (KNOB_TILE + gap) + 14
    height = title + KNOB_TILE + 8
    sheet = Image.new("RGB", (3 * block - 14, len(KNOBS) * height + caption), PAPER)
    draw = ImageDraw.Draw(sheet)
    chosen: dict[str, list[int]] = {}
    for row, (knob, values) in enumerate(KNOBS.items()):
        chosen[knob] = telling_scenes(knob, {index for found in chosen.values() for index in found})
        top = row * height
        for column, value in enumerate(values):
            x = column * block
            default = getattr(Recipe(), knob) == value
            draw.text((x, top + title - 5), f"{knob} = {value:g}" + (" (default)" if default else ""), fill=INK,
                      font=font(13, bold=column == 0), anchor="ls")  # fmt: skip
            for i, index in enumerate(chosen[knob]):
                scene = turned(index, knob, value, KNOB_TILE)
                place = x + i * (KNOB_TILE + gap)
                sheet.paste(Image.fromarray(scene.image), (place, top + title))
                if knob == "missing_labels":
                    words = " ".join(CLASSES[j] for j in np.flatnonzero(scene.image_labels)) or "(none)"
                    draw.text((place, top + title + KNOB_TILE + 13), words, fill=FAINT, font=font(10), anchor="ls")
    return save(sheet, "knobs.jpg"), chosen


# --- the page ---------------------------------------------------------------------------------------------------------

PAGE = """# The sandbox

Scenes of plasticine toys, rendered by `afa_viz/data/sandbox/`: twelve classes with VOC names, and an exact ground truth
for every pixel, since the same program paints image and masks. Nothing is downloaded. The sandbox is for learning and
measuring: an error of a stage can be traced to the part and to the circumstance that caused it. Written by
`PYTHONPATH=. python tools/make_world_pictures.py`.

![{sheet} scenes of the test split](pictures/world.jpg)

```bash
python -m afa_viz data sandbox --out data/sandbox                       # the default scenes in VOC's layout
python -m afa_viz data sandbox --out data/biased --recipe cooc=0.95     # one knob changed
python -m afa_viz data sandbox --out data/hard --recipe hard --size 256 # a preset
```

```python
from afa_viz.data.sandbox import Recipe, SandboxDataset, render_scene

scene = render_scene("train", 0, size=256, recipe=Recipe(cooc=0.95))
scene.image, scene.mask, scene.instances, scene.parts, scene.image_labels, scene.context, scene.objects
data = SandboxDataset("val", cache_dir="cache")  # rendered once, then read from disk
```

## Ground truth

![Class masks of the same scenes](pictures/world_masks.png)

![Part masks of the same scenes](pictures/world_parts.png)

A scene has an image, a class mask, an instance mask, a part mask, image labels, and the name of its background. What is
under water or occluded belongs to no mask; objects that cover less than 0.12 % of the image are left out.
Parts: {parts}.

Over {counted} scenes of the test split at {size} px: {objects:.2f} objects per scene; half of the objects cover more
than {median:.1f} % of the image; {background:.1f} % of all pixels are background.

{classes}

## Splits

{splits}. A scene is a function of split, number, size and recipe; the splits never share
one. The same number at another size is the same scene.

## Knobs

Every knob is a field of `Recipe` and edits the *same* scenes: whatever it does not concern stays the same. Its effect
on a trained model is measured in [pathologies.md](pathologies.md).

{knobs}

![Each row: three scenes at three values of a knob](pictures/knobs.jpg)

## Presets

{presets}
"""


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(cells) + " |" for cells in (head, *rows)]
    return "\n".join([lines[0], "|" + "---|" * len(head), *lines[1:]])


def knob_texts() -> dict[str, str]:
    """What the docstring of `Recipe` says of each knob."""
    words = " ".join((Recipe.__doc__ or "").split("Attributes:")[1].split())
    names = "|".join([*KNOBS, "pinned"])
    pieces = re.split(rf"\b({names}): ", words)[1:]
    return {name: text.strip().rstrip(".") for name, text in zip(pieces[::2], pieces[1::2], strict=True)}


def knob_table() -> str:
    texts, default = knob_texts(), Recipe()
    ranges = {name: f"{low:g} to {high:g}" for name, (low, high) in KNOB_RANGES.items()} | {"max_objects": "1, 2, 3"}
    rows = [[f"`{name}`", f"{getattr(default, name):g}", ranges[name], texts[name]] for name in KNOBS]
    return table(["knob", "default", "range", "what it does"], [*rows, ["`pinned`", "none", "pairs", texts["pinned"]]])


def preset_table() -> str:
    rows = [
        [f"`{name}`", ", ".join(f"{field} {value}" for field, value in changes(recipe))]
        for name, recipe in PRESETS.items()
        if name != "default"
    ]
    return table(["preset", "what differs from the default"], rows)


def page() -> str:
    scenes = [render_scene(SPLIT, i, COUNTED_SIZE) for i in range(COUNTED)]
    areas: dict[str, list[float]] = {name: [] for name in CLASSES}
    for scene in scenes:
        for i, name in enumerate(scene.objects, 1):
            areas[name].append(100 * float(np.mean(scene.instances == i)))
    every = [area for found in areas.values() for area in found]
    parts_of = {
        name: sorted({int(p) for s in scenes for p in np.unique(s.parts[s.mask == CLASSES.index(name) + 1])} - {0})
        for name in CLASSES
    }
    return PAGE.format(
        sheet=SHEET,
        counted=COUNTED,
        size=COUNTED_SIZE,
        parts=", ".join(SANDBOX_PARTS[1:]),
        objects=len(every) / COUNTED,
        median=float(np.median(every)),
        background=100 * float(np.mean([np.mean(s.mask == 0) for s in scenes])),
        splits=", ".join(f"`{name}` {count}" for name, count in LENGTHS.items()),
        classes=table(
            ["class", "at home on", "parts", "objects", "median area (%)"],
            [
                [
                    name,
                    ", ".join(HOMES[name]),
                    ", ".join(SANDBOX_PARTS[part] for part in parts_of[name]),
                    str(len(areas[name])),
                    f"{np.median(areas[name]):.1f}" if areas[name] else "–",
                ]
                for name in CLASSES
            ],
        ),
        knobs=knob_table(),
        presets=preset_table(),
    )


def changes(recipe: Recipe) -> list[tuple[str, str]]:
    """(field, value) of what a recipe changes."""
    default = Recipe()
    found = []
    for field in [*KNOBS, "pinned"]:
        value = getattr(recipe, field)
        if value != getattr(default, field):
            text = ", ".join(f"{a} on {b}" for a, b in value) if field == "pinned" else f"{value:g}"
            found.append((field, text))
    return found


def main() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    written = draw_world()
    knobs, chosen = draw_knobs()
    atomic_write_text(DOCS / "world.md", page())
    print(", ".join(f"{path.name} {path.stat().st_size / 1000:.0f} kB" for path in [*written, knobs]))
    print("scenes of the knobs:", chosen)


if __name__ == "__main__":
    main()
