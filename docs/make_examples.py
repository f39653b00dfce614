"""Write the bundled examples: scenes of the sandbox test split with their ground truth, and two photographs.

python docs/make_examples.py
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image
from skimage import data

from afa_viz.classes import palette
from afa_viz.data.sandbox import CLASSES, PRESETS, render_scene

OUT = Path(__file__).parents[1] / "afa_viz" / "examples"
SIZE = 256  # pixels
SCENES = [  # preset, index in the test split, pathology that it shows (afa_viz.lab.FAILURES), title, what to look for
    ("camouflaged", 60, "part", "Two cows", "The CAM lights the heads. Watch the affinity carry it over the bodies."),
    ("default", 13, "", "Cats and a person", "Two classes side by side: does each map stay on its own object?"),
    ("default", 7, "", "A horse on a meadow", "One object where it is at home. Which part does the CAM prefer?"),
    ("default", 5, "leak", "Bird, train and person", "Three classes that touch: watch the walk at their borders."),
    ("default", 4, "confused", "Cow and sheep", "Bodies look alike; the heads tell the classes apart."),
    ("biased", 41, "context", "Boats on water", "Boats nearly always come with water: does the CAM leak into it?"),
    ("default", 17, "", "A boat on rails", "The same class away from water: what is left of the map?"),
    ("biased", 45, "", "Bird, aeroplane and train", "Three classes with clear outlines: PAR has easy work."),
    ("default", 11, "small", "Small horses and a person", "Objects of a few cells: the stride-16 grid is the limit."),
    ("crowded", 55, "crowd", "A crowd", "Occlusion and distractors: where does the pseudo label stay uncertain?"),
    ("cluttered", 76, "", "A horse in clutter", "Edges everywhere: PAR may follow the wrong ones."),
]
PHOTOGRAPHS = [  # name in skimage.data, labels, title, licence
    ("chelsea", ["cat"], "Chelsea the cat", "photograph by Stefan van der Walt, CC0"),
    ("astronaut", ["person"], "Astronaut Eileen Collins", "photograph by NASA, public domain"),
]
OUTSIDE = "A real photograph: outside the world this model was trained on. What still works?"


def main() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    entries = []
    for preset, index, pathology, title, story in SCENES:
        scene = render_scene("test", index, SIZE, PRESETS[preset])
        name = f"{preset}_{index:03d}"
        Image.fromarray(scene.image).save(OUT / f"{name}.png", optimize=True)
        mask = Image.fromarray(scene.mask).convert("P")
        mask.putpalette(np.array(palette(256), np.uint8).ravel().tolist())
        mask.save(OUT / f"{name}_mask.png", optimize=True)
        labels = [CLASSES[i] for i in np.flatnonzero(scene.image_labels)]
        entries.append(
            {
                "name": name,
                "image": f"{name}.png",
                "mask": f"{name}_mask.png",
                "labels": labels,
                "title": title,
                "story": story,
                "domain": "sandbox",
                "pathology": pathology,
                "licence": "Apache-2.0",
            }
        )
    for name, labels, title, licence in PHOTOGRAPHS:
        picture = Image.fromarray(getattr(data, name)())
        picture.thumbnail((384, 384), Image.Resampling.LANCZOS)
        picture.save(OUT / f"{name}.png", optimize=True)
        entries.append(
            {
                "name": name,
                "image": f"{name}.png",
                "mask": None,
                "labels": labels,
                "title": title,
                "story": OUTSIDE,
                "domain": "photograph",
                "pathology": "",
                "licence": licence,
            }
        )
    (OUT / "examples.json").write_text(json.dumps(entries, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"wrote {len(entries)} examples to {OUT.name}/")


if __name__ == "__main__":
    main()
