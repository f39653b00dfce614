"""Class names, background first, their colours, and the names of the sandbox's parts."""

from __future__ import annotations

VOC_CLASSES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip

COCO_CLASSES = (
    "background", "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat",
    "traffic light", "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog", "horse", "sheep",
    "cow", "elephant", "bear", "zebra", "giraffe", "backpack", "umbrella", "handbag", "tie", "suitcase", "frisbee",
    "skis", "snowboard", "sports ball", "kite", "baseball bat", "baseball glove", "skateboard", "surfboard",
    "tennis racket", "bottle", "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple", "sandwich",
    "orange", "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch", "potted plant", "bed",
    "dining table", "toilet", "tv", "laptop", "mouse", "remote", "keyboard", "cell phone", "microwave", "oven",
    "toaster", "sink", "refrigerator", "book", "clock", "vase", "scissors", "teddy bear", "hair drier", "toothbrush",
)  # fmt: skip

SANDBOX_CLASSES = (
    "background", "aeroplane", "bird", "boat", "bus", "car", "cat", "cow", "dog", "horse", "person", "sheep", "train",
)  # fmt: skip

# Other words for classes of these lists.
OTHER_WORDS: dict[str, tuple[str, ...]] = {
    "aeroplane": ("airplane", "plane"), "airplane": ("aeroplane",), "motorbike": ("motorcycle",),
    "motorcycle": ("motorbike",), "pottedplant": ("potted plant",), "diningtable": ("dining table",),
    "sofa": ("couch",), "couch": ("sofa",), "tvmonitor": ("TV", "monitor", "television"),
    "tv": ("television", "monitor"), "person": ("people",), "cell phone": ("mobile phone",),
    "hair drier": ("hair dryer",), "donut": ("doughnut",),
}  # fmt: skip

# Ids of part masks; the first is "no part of an object".
SANDBOX_PARTS = (
    "background", "head", "body", "leg", "tail", "wing", "arm", "wheel", "window", "front", "sail",
)  # fmt: skip
SANDBOX_QUADRUPEDS = ("cat", "cow", "dog", "horse", "sheep")  # one body for all; the head tells the class

Colour = tuple[int, int, int]


def palette(num_classes: int) -> tuple[Colour, ...]:
    """The VOC colour map: the bits of the class number spread over red, green and blue, highest first."""
    colours = []
    for number in range(num_classes):
        rgb, value = [0, 0, 0], number
        for shift in range(7, -1, -1):
            for channel in range(3):
                rgb[channel] |= ((value >> channel) & 1) << shift
            value >>= 3
        colours.append((rgb[0], rgb[1], rgb[2]))
    return tuple(colours)


# Apart from each other and from grey, on which labels are drawn.
SANDBOX_PALETTE: tuple[Colour, ...] = (
    (0, 0, 0), (230, 75, 60), (250, 190, 50), (60, 130, 220), (240, 130, 50), (150, 90, 210), (230, 100, 170),
    (176, 112, 56), (70, 190, 190), (200, 40, 110), (90, 190, 80), (150, 195, 245), (40, 90, 150),
)  # fmt: skip


def colours_for(num_classes: int) -> tuple[Colour, ...]:
    """Colours that go with `names_for`: the sandbox has its own, everything else the VOC colour map."""
    return SANDBOX_PALETTE if num_classes == len(SANDBOX_CLASSES) else palette(num_classes)


def names_for(num_classes: int) -> tuple[str, ...]:
    """Names for a number of classes: VOC for 21, COCO for 81, sandbox for 13, else "class 1", "class 2", …"""
    for names in (VOC_CLASSES, COCO_CLASSES, SANDBOX_CLASSES):
        if len(names) == num_classes:
            return names
    return ("background", *(f"class {i}" for i in range(1, num_classes)))
