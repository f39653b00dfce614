"""Write the bundled examples: scenes of the sandbox test split with their ground truth, and two photographs.

PYTHONPATH=. python tools/make_examples.py
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
SCENES = [  # preset, index in the test split, pathology that it shows (afa_viz.lab.FAILURES); words: ui/texts
    ("default", 216, ""),
    ("camouflaged", 54, "part"),
    ("default", 18, ""),
    ("default", 13, ""),
    ("default", 5, "leak"),
    ("default", 4, "confused"),
    ("biased", 41, "context"),
    ("default", 17, ""),
    ("biased", 45, ""),
    ("default", 11, "small"),
    ("crowded", 55, "crowd"),
    ("cluttered", 76, ""),
]
PHOTOGRAPHS = [  # name in skimage.data, labels, licence
    ("chelsea", ["cat"], "photograph by Stefan van der Walt, CC0"),
    ("astronaut", ["person"], "photograph by NASA, public domain"),
]


def main() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    entries = []
    for preset, index, pathology in SCENES:
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
                "domain": "sandbox",
                "pathology": pathology,
                "licence": "Apache-2.0",
            }
        )
    for name, labels, licence in PHOTOGRAPHS:
        picture = Image.fromarray(getattr(data, name)())
        picture.thumbnail((384, 384), Image.Resampling.LANCZOS)
        picture.save(OUT / f"{name}.png", optimize=True)
        entries.append(
            {
                "name": name,
                "image": f"{name}.png",
                "mask": None,
                "labels": labels,
                "domain": "photograph",
                "pathology": "",
                "licence": licence,
            }
        )
    (OUT / "examples.json").write_text(json.dumps(entries, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"wrote {len(entries)} examples to {OUT.name}/")


if __name__ == "__main__":
    main()
