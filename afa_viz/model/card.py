"""The card beside a weights file: what the model is, what its classes are called, how it was trained."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from afa_viz import __version__
from afa_viz.classes import colours_for, names_for
from afa_viz.normalisation import MEAN, STD
from afa_viz.structured_text import MAX_BYTES, parse_json
from afa_viz.trace_file import LABEL_SOURCES

CARD_FORMAT = 1
# fields that older cards of this format lack; their defaults apply
OPTIONAL_FIELDS = ("affinity_at_centre", "radius", "par_downscale", "affinity_trained_on", "decoder_trained_on")
PARTS = ("encoder", "decoder", "attn_proj", "classifier")  # of an AFA network, as its state-dict keys begin
INPUT_SIZE = 512  # pixels, long side; docs/spec.md section 13
MIN_INPUT_SIZE, MAX_INPUT_SIZE = 32, 2048  # limits of `ExplainConfig.long_side`
RADIUS = 8  # cells; docs/spec.md section 6
MAX_RADIUS = 128  # limit of `ExplainConfig.radius`
PAR_DOWNSCALE = 2  # docs/spec.md section 8
MAX_PAR_DOWNSCALE = 8  # limit of `ExplainConfig.par_downscale`
MAX_CLASSES = 255  # labels are uint8; 255 = ignore
MAX_CLASSIFIER_CLASSES = 4096  # without a decoder: a trace keeps some of them, see `model.interface`
MAX_NAME_LENGTH = 100  # characters of a class name

Colour = tuple[int, int, int]


class CheckpointError(ValueError):
    """Weights or a card that cannot be used; the message is one sentence for the user."""


@dataclass(frozen=True)
class Card:
    """What must be known about weights to use them.

    Attributes:
        backbone: see `afa_viz.model.afa.BACKBONES`.
        num_classes: K, background included; 0 where the file holds an encoder only.
        class_names: K names, background first. palette: K colours, RGB 0 to 255.
        pooling, topk, logit_offset: see `afa_viz.model.afa.AFA`.
        cam_relu: the fusion of CAMs over scales drops negative values.
        affinity_at_centre: affinity labels were read in the middle of each cell; see `ops.affinity.cell_labels`.
        affinity_trained_on, decoder_trained_on: the label that each was last trained on, a field of `Trace`:
            "affinity_label" (R_cam) or "pseudo_label" (R_aff); "nothing" where the run ended before; None: not known.
        mean, std: of the normalisation, RGB, 0 to 255.
        input_size: long side in pixels that the model is meant for.
        radius: of the walk's window in cells that the model was trained with; see `ExplainConfig.for_model`.
        par_downscale: of PAR, with which the labels it was trained on were made; see `ExplainConfig.for_model`.
        licence: of the weights.
        training: config, data, iterations, rng_seed, duration, … scores: name -> number.
        parts: what the file holds of `PARTS`.
        package_version: that wrote the card. format: of the card.
    Raises: CheckpointError: for a field of the wrong kind or length.
    """

    backbone: str
    num_classes: int
    class_names: tuple[str, ...]
    palette: tuple[Colour, ...]
    pooling: str = "max"
    topk: float = 0.05
    logit_offset: float = 0.0
    cam_relu: bool = True
    affinity_at_centre: bool = False
    affinity_trained_on: str | None = None
    decoder_trained_on: str | None = None
    mean: tuple[float, float, float] = MEAN
    std: tuple[float, float, float] = STD
    input_size: int = INPUT_SIZE
    radius: int = RADIUS
    par_downscale: int = PAR_DOWNSCALE
    licence: str = "not stated"
    training: dict[str, Any] = field(default_factory=dict)
    scores: dict[str, Any] = field(default_factory=dict)
    parts: tuple[str, ...] = PARTS
    package_version: str = __version__
    format: int = CARD_FORMAT

    def __post_init__(self) -> None:
        def require(good: bool, name: str, expected: str) -> None:
            if not good:
                got = shortened(repr(getattr(self, name)))
                raise CheckpointError(f"the card's {name} is {got}; expected {expected}: correct the card.")

        def is_int(value: Any) -> bool:
            return isinstance(value, int) and not isinstance(value, bool)

        def is_number(value: Any) -> bool:
            return is_int(value) or (isinstance(value, float) and math.isfinite(value))

        for name in ("class_names", "palette", "mean", "std", "parts"):
            require(isinstance(getattr(self, name), (tuple, list)), name, "a list")
            object.__setattr__(self, name, tuple(getattr(self, name)))
        colours = tuple(tuple(colour) if isinstance(colour, (tuple, list)) else () for colour in self.palette)
        object.__setattr__(self, "palette", colours)
        require(is_int(self.format) and self.format == CARD_FORMAT, "format", f"{CARD_FORMAT}; update afa_viz if newer")
        for name in ("backbone", "pooling", "licence", "package_version"):
            require(isinstance(getattr(self, name), str), name, "a text")
        known = tuple(part for part in PARTS if part in self.parts)
        require(known == self.parts and "encoder" in known, "parts", f"a selection of {', '.join(PARTS)} in this order")
        headless = not {"decoder", "classifier"} & set(known)
        least = 0 if headless else 2
        most = MAX_CLASSES if "decoder" in known or headless else MAX_CLASSIFIER_CLASSES
        fits = is_int(self.num_classes) and least <= self.num_classes <= most
        require(fits, "num_classes", f"a whole number from {least} to {most}")
        good = all(isinstance(n, str) and n.isprintable() and 1 <= len(n) <= MAX_NAME_LENGTH for n in self.class_names)
        require(good, "class_names", f"texts of 1 to {MAX_NAME_LENGTH} letters in one line")
        require(len(set(self.class_names)) == len(self.class_names), "class_names", "different names")
        require(len(self.class_names) == self.num_classes, "class_names", f"{self.num_classes} names, background first")
        require(len(self.palette) == self.num_classes, "palette", f"{self.num_classes} colours")
        good = all(len(c) == 3 and all(is_int(v) and 0 <= v <= 255 for v in c) for c in self.palette)
        require(good, "palette", "colours of three whole numbers from 0 to 255")
        require(is_number(self.topk) and 0 < self.topk <= 1, "topk", "a number above 0 and up to 1")
        require(is_number(self.logit_offset), "logit_offset", "a number")
        for name in ("cam_relu", "affinity_at_centre"):
            require(isinstance(getattr(self, name), bool), name, "true or false")
        for name in ("affinity_trained_on", "decoder_trained_on"):
            require(getattr(self, name) in (None, *LABEL_SOURCES), name, f"null or one of {', '.join(LABEL_SOURCES)}")
        require(len(self.mean) == 3 and all(map(is_number, self.mean)), "mean", "three numbers")
        require(len(self.std) == 3 and all(is_number(v) and v > 0 for v in self.std), "std", "three numbers above 0")
        fits = is_int(self.input_size) and MIN_INPUT_SIZE <= self.input_size <= MAX_INPUT_SIZE
        require(fits, "input_size", f"a whole number of pixels from {MIN_INPUT_SIZE} to {MAX_INPUT_SIZE}")
        fits = is_int(self.radius) and 0 <= self.radius <= MAX_RADIUS
        require(fits, "radius", f"a whole number of cells from 0 to {MAX_RADIUS}")
        fits = is_int(self.par_downscale) and 1 <= self.par_downscale <= MAX_PAR_DOWNSCALE
        require(fits, "par_downscale", f"a whole number from 1 to {MAX_PAR_DOWNSCALE}")
        for name in ("training", "scores"):
            require(isinstance(getattr(self, name), dict), name, "an object of names and values")

    def to_json(self) -> str:
        """The card as JSON text; NaN and infinity in `training` and `scores` become null."""
        return json.dumps(_to_json_value(asdict(self)), indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Card:
        """A card from JSON text.

        Raises: CheckpointError: if it is not a JSON object, lacks a field or has one too many.
        """
        try:
            data = parse_json(text)
        except ValueError as error:
            raise CheckpointError(
                f"the card is not valid JSON ({error}); expected one object with the fields of a card: write it with "
                "save_model."
            ) from None
        if not isinstance(data, dict):
            raise CheckpointError(f"the card holds a JSON {type(data).__name__}; expected an object: use save_model.")
        if data.get("format", CARD_FORMAT) != CARD_FORMAT:
            raise CheckpointError(
                f"the card has format {shortened(repr(data['format']))}; expected {CARD_FORMAT}: a newer afa_viz wrote "
                "it, update."
            )
        names = [f.name for f in fields(cls)]
        missing = [name for name in names if name not in data and name not in OPTIONAL_FIELDS]
        unknown = [name for name in data if name not in names]
        if missing or unknown:
            parts = [
                f"{word} {format_names(keys)}" for word, keys in (("lacks", missing), ("has unknown", unknown)) if keys
            ]
            raise CheckpointError(f"the card {' and '.join(parts)}; expected exactly the fields of Card: correct it.")
        return cls(**data)

    @classmethod
    def read(cls, path: Path) -> Card:
        """A card from a file. Raises: CheckpointError: if it is none."""
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise CheckpointError(
                f"{path.name} has {size >> 20} MB; expected the card of a checkpoint, at most {MAX_BYTES >> 20} MB."
            )
        try:
            return cls.from_json(path.read_text(encoding="utf-8"))
        except UnicodeDecodeError:
            raise CheckpointError(
                f"{path.name} is not text; expected the card of a checkpoint: write it anew."
            ) from None


def default_card(backbone: str, num_classes: int, parts: tuple[str, ...] = PARTS) -> Card:
    """A card for weights that came without one: published settings; names and colours by the number of classes."""
    owner = (
        "the MiT weights of the SegFormer authors are for non-commercial use"
        if backbone.startswith("mit_")
        else "timm's pvt_v2 ImageNet weights are Apache-2.0"
    )
    names = names_for(num_classes) if num_classes else ()
    licence = f"not stated; {owner}"
    return Card(backbone, num_classes, names, colours_for(num_classes), licence=licence, parts=parts)


def format_names(names: list[str], most: int = 3) -> str:
    """The first few names, shortened since they may be untrusted, and how many more."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(shortened, names[:most])) + more


def shortened(text: str, most: int = 80) -> str:
    """A text as one printable line of at most `most` characters."""
    line = "".join(letter if letter.isprintable() else "?" for letter in text[: most + 1])
    return line if len(line) <= most else f"{line[: most - 3]}..."


def _to_json_value(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _to_json_value(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_to_json_value(item) for item in value]
    if hasattr(value, "tolist"):  # a NumPy or torch number or array
        return _to_json_value(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)
