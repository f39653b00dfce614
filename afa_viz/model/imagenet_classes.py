"""ImageNet's 1000 classes by short names, from timm's tables, and VOC's classes as groups of them.

A group stands for all its members: "dog" for 118 breeds. ImageNet has no person; of cow, horse and sheep it has but a
few: the ox, the sorrel, the ram and the bighorn. docs/other_networks.md shows the table.
"""

from __future__ import annotations

import functools

SAME_NAMES = {  # two classes of one name each, and words that gradio takes for keys of its own texts
    "n03337140": "file cabinet", "n04041544": "radio (wireless)",
    "n02012849": "crane (bird)", "n03126707": "crane (machine)", "n03710721": "maillot (tank suit)",
}  # fmt: skip

# VOC class -> names, or (first, last) of a run of ImageNet's classes, which are ordered by kind
VOC_GROUPS: dict[str, tuple[str | tuple[str, str], ...]] = {
    "aeroplane": ("airliner", "warplane"),
    "bicycle": ("bicycle-built-for-two", "mountain bike"),
    "bird": (("cock", "great grey owl"), ("black grouse", "black swan"), ("white stork", "albatross")),
    "boat": (
        "canoe", "catamaran", "container ship", "fireboat", "gondola", "lifeboat", "liner", "pirate", "schooner",
        "speedboat", "trimaran", "yawl",
    ),
    "bottle": ("beer bottle", "pill bottle", "pop bottle", "water bottle", "wine bottle"),
    "bus": ("minibus", "school bus", "trolleybus"),
    "car": (
        "ambulance", "beach wagon", "cab", "convertible", "jeep", "limousine", "minivan", "Model T", "police van",
        "racer", "sports car",
    ),
    "cat": (("tabby", "Egyptian cat"),),
    "chair": ("barber chair", "folding chair", "rocking chair", "throne"),
    "cow": ("ox",),
    "diningtable": ("dining table",),
    "dog": (("Chihuahua", "Mexican hairless"),),
    "horse": ("sorrel",),
    "motorbike": ("moped", "motor scooter"),
    "pottedplant": ("pot",),
    "sheep": ("ram", "bighorn"),
    "sofa": ("studio couch",),
    "train": ("bullet train", "electric locomotive", "passenger car", "steam locomotive"),
    "tvmonitor": ("monitor", "screen", "television"),
}  # fmt: skip
ABSENT = ("person",)  # of VOC's twenty


@functools.cache
def imagenet_names() -> tuple[str, ...]:
    """The 1000 names, in the order of the classifiers: the first word for each class, all different, no comma."""
    from timm.data import ImageNetInfo  # seconds, and torch

    info = ImageNetInfo("imagenet-1k")
    synsets = info.label_names()
    return tuple(SAME_NAMES.get(s) or info.label_name_to_description(s).split(",")[0].strip() for s in synsets)


@functools.cache
def imagenet_synonyms() -> dict[str, tuple[str, ...]]:
    """Other words for the classes by name, in the order of ImageNet; a class without any has no entry."""
    from timm.data import ImageNetInfo

    info = ImageNetInfo("imagenet-1k")
    found = {}
    for name, synset in zip(imagenet_names(), info.label_names(), strict=True):
        words = [word.strip() for word in info.label_name_to_description(synset).split(",")]
        others = tuple(word for word in words if word not in (name, SAME_NAMES.get(synset, "").partition(" (")[0]))
        if others:
            found[name] = others
    return found


@functools.cache
def group_members() -> dict[str, tuple[int, ...]]:
    """VOC class -> indices 0 to 999 of its ImageNet classes; no class is in two groups."""
    index = {name: i for i, name in enumerate(imagenet_names())}

    def members(entry: str | tuple[str, str]) -> range:
        first, last = (entry, entry) if isinstance(entry, str) else entry
        return range(index[first], index[last] + 1)

    return {name: tuple(i for entry in entries for i in members(entry)) for name, entries in VOC_GROUPS.items()}
