"""Valid ranges of every setting, as tables; valid values are converted to Python types.

A rule is a function (value -> the value to keep, None where it does not fit) and the words for what was expected.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from afa_viz.scalars import as_bool, as_float, as_int, as_list, preview

Rule = tuple[Callable[[Any], Any], str]

MAX_CROP = 4096  # pixels: the largest crop
MAX_ITERATIONS = 10**7  # iterations, images: more than anyone trains on
MAX_MAGNITUDE = 1e6  # of rates, weights and norms


def integer(low: int, high: int, unit: str = "", multiple: int = 1) -> Rule:
    """A whole number from low to high."""

    def keep(value: Any) -> int | None:
        number = as_int(value)
        return number if number is not None and low <= number <= high and number % multiple == 0 else None

    kind = "a whole number" if multiple == 1 else f"a multiple of {multiple}"
    return keep, f"{kind}{unit} from {low} to {high}"


def number(low: float, high: float, above: bool = False, below: bool = False) -> Rule:
    """A finite number from low to high; above, below: without low, without high itself."""

    def keep(value: Any) -> float | None:
        found = as_float(value)
        fits = found is not None and low <= found <= high and not (above and found == low)
        return found if fits and not (below and found == high) else None

    return keep, f"a number {'above' if above else 'from'} {low:g} {'to below' if below else 'up to'} {high:g}"


def one_of(*names: str) -> Rule:
    """One of some texts."""
    listed = ", ".join(map(repr, names[:-1]))
    return lambda value: value if isinstance(value, str) and value in names else None, f"{listed} or {names[-1]!r}"


def sequence(rule: Rule, fits: Callable[[tuple], bool], words: str) -> Rule:
    """A list whose values follow a rule and which fits as a whole."""

    def keep(value: Any) -> tuple | None:
        found = tuple(rule[0](one) for one in as_list(value) or [])
        return found if None not in found and fits(found) else None

    return keep, words


BOOLEAN: Rule = as_bool, "True or False"
TEXT: Rule = (lambda value: value if isinstance(value, str) and value.strip() else None), "a name"
ITERATIONS, IMAGES = integer(1, MAX_ITERATIONS), integer(1, 65536)
RATE = number(0, MAX_MAGNITUDE, above=True)
FRACTION: Rule = number(0, 1)[0], "a number from 0 to 1"
SHARE = number(0, 1, above=True)  # of cells or image side: above 0

MAX_SCALES = 16  # scales, dilations: each scale is a pass of the network, each dilation eight more neighbours
MAX_IMAGE_SIDE = 2048  # pixels: the largest image
MAX_HEADS = 1024  # of two blocks: more than any network has
MAX_EDITS = 32  # pairs of regions that are set by hand
JOIN, SEPARATE = "join", "separate"
AffinityEdit = tuple[str, tuple[int, ...], tuple[int, ...] | None]
OPTIONAL = (  # settings that may be None
    "long_side", "head_weights", "affinity_bias", "affinity_edits", "class_thresholds", "occlude",
)  # fmt: skip


def _keep_head_weights(value: Any) -> tuple | None:
    """Finite numbers of at most `MAX_MAGNITUDE`, and None where the learned weight stays."""
    given = as_list(value) or []
    keep = number(-MAX_MAGNITUDE, MAX_MAGNITUDE)[0]
    found = tuple(None if one is None else keep(one) for one in given)
    fits = 1 <= len(given) <= MAX_HEADS and all(
        one is None or now is not None for one, now in zip(given, found, strict=True)
    )
    return found if fits else None


def _keep_affinity_edits(value: Any) -> tuple[AffinityEdit, ...] | None:
    """At most `MAX_EDITS` of ("join" or "separate", cells, other cells or None); cells sorted, each once."""
    given = as_list(value)
    if given is None or len(given) > MAX_EDITS:
        return None
    found: list[AffinityEdit] = []
    for edit in map(as_list, given):
        if edit is None or len(edit) != 3 or not isinstance(edit[0], str) or edit[0] not in (JOIN, SEPARATE):
            return None
        cells, others = _keep_cells(edit[1]), None if edit[2] is None else _keep_cells(edit[2])
        if cells is None or (others is None and edit[2] is not None):
            return None
        found.append((str(edit[0]), cells, others))
    return tuple(found)


def _keep_cells(value: Any) -> tuple[int, ...] | None:
    """Numbers of at least one cell, sorted, each once; that they are on the grid is checked where it is known."""
    keep = integer(0, MAX_IMAGE_SIDE**2)[0]
    found = [keep(cell) for cell in as_list(value) or ()]
    return tuple(sorted(set(found))) if found and None not in found else None


def _keep_class_thresholds(value: Any) -> tuple[tuple[str, float], ...] | None:
    """Pairs of a name and a number from 0 to 1, by the names; no name twice."""
    given = list(value.items()) if isinstance(value, Mapping) else as_list(value)
    if given is None:
        return None
    found: dict[str, float] = {}
    for pair in map(as_list, given):
        score = FRACTION[0](pair[1]) if pair is not None and len(pair) == 2 else None
        if pair is None or score is None or TEXT[0](pair[0]) is None or pair[0] in found:
            return None
        found[str(pair[0])] = score
    return tuple(sorted(found.items()))


def _keep_box(value: Any) -> tuple[int, ...] | None:
    """Top, bottom, left and right of a box that holds a pixel."""
    keep = integer(0, MAX_IMAGE_SIDE)[0]
    found = tuple(keep(side) for side in as_list(value) or ())
    fits = len(found) == 4 and None not in found
    return found if fits and found[0] < found[1] and found[2] < found[3] else None


EXPLAIN_CHECKS: Mapping[str, Rule] = {
    "long_side": (integer(32, MAX_IMAGE_SIDE)[0], f"32 to {MAX_IMAGE_SIDE} pixels or None, a whole number"),
    "radius": (integer(0, 128)[0], "0 to 128 cells, a whole number"),
    "num_steps": (integer(0, 64)[0], "0 to 64, a whole number"),
    "num_iters": (integer(0, 100)[0], "0 to 100, a whole number"),
    "par_downscale": (integer(1, 8)[0], "1 to 8, a whole number"),
    "bkg_score": FRACTION,
    "bkg_score_low": FRACTION,
    "bkg_score_high": FRACTION,
    "flip": BOOLEAN,
    "symmetric": BOOLEAN,
    "use_walk": BOOLEAN,
    "use_par": BOOLEAN,
    "head_weights": (
        _keep_head_weights,
        f"a list of one number for each head, of at most {MAX_MAGNITUDE:g}, with None for a learned weight, or None",
    ),
    "affinity_bias": (
        number(-MAX_MAGNITUDE, MAX_MAGNITUDE)[0],
        f"a number from {-MAX_MAGNITUDE:g} to {MAX_MAGNITUDE:g} or None",
    ),
    "affinity_edits": (
        _keep_affinity_edits,
        f"at most {MAX_EDITS} edits such as ('join', cells, others) or ('separate', cells, None), cells as whole "
        "numbers from 0, or None",
    ),
    "class_thresholds": (_keep_class_thresholds, "numbers from 0 to 1 by class names, such as {'cat': 0.6}, or None"),
    "occlude": (_keep_box, f"pixels top < bottom and left < right from 0 to {MAX_IMAGE_SIDE}, or None"),
    "keep_attention": one_of("all", "last_stage"),
    "label_threshold": (as_float, "a finite number"),
    "power": (number(0, 32, above=True)[0], "a number above 0 and up to 32"),
    "scales": sequence(
        number(0.25, 4),
        lambda scales: 1 <= len(scales) <= MAX_SCALES and len(set(scales)) == len(scales),
        f"1 to {MAX_SCALES} different scales from 0.25 to 4, such as (1.0, 0.5)",
    ),
    "dilations": sequence(
        integer(1, MAX_IMAGE_SIDE),
        lambda distances: 1 <= len(distances) <= MAX_SCALES,
        f"1 to {MAX_SCALES} whole numbers of pixels, all >= 1 and <= {MAX_IMAGE_SIDE}",
    ),
}
CURRICULUM_CHECKS: Mapping[str, Rule] = {
    "iterations": ITERATIONS,
    "image_size": integer(16, MAX_CROP, " of pixels"),
    "crop_size": integer(16, MAX_CROP, " of pixels"),
    "batch_size": IMAGES,
    "learning_rate": RATE,
    "single_objects": BOOLEAN,
    "min_crop": SHARE,
    "topk_start": SHARE,
    "topk_end": SHARE,
    "half_size": number(0, 1),
    "affinity_different_share": FRACTION,
}
TRAIN_CHECKS: Mapping[str, Rule] = {
    "backbone": TEXT,
    "pretrained": BOOLEAN,
    "num_classes": integer(2, 255),
    "pooling": TEXT,
    "topk": SHARE,
    "logit_offset": number(-MAX_MAGNITUDE, MAX_MAGNITUDE),
    "cam_relu": BOOLEAN,
    "crop_size": integer(32, MAX_CROP, " (pixels, so that every grid fits)", multiple=32),
    "batch_size": IMAGES,
    "max_iters": ITERATIONS,
    "cam_iters": integer(0, MAX_ITERATIONS),
    "joint_after": integer(0, MAX_ITERATIONS),
    "affinity_target": one_of("cam", "seg"),
    "balance_affinity": BOOLEAN,
    "affinity_different_share": (FRACTION[0], "a number from 0 to 1; published: 0.5"),
    "affinity_at_centre": BOOLEAN,
    "calibrate_affinity": BOOLEAN,
    "weight_seg": number(0, MAX_MAGNITUDE),
    "weight_aff": number(0, MAX_MAGNITUDE),
    "energy_weight": number(0, MAX_MAGNITUDE),
    "seg_scales": sequence(
        number(0.25, 2), lambda scales: scales[:1] == (1.0,), "1.0 and then others from 0.25 to 2, such as (1.0, 0.5)"
    ),
    "learning_rate": RATE,
    "weight_decay": number(0, MAX_MAGNITUDE),
    "betas": sequence(number(0, 1, below=True), lambda betas: len(betas) == 2, "two numbers from 0 to below 1"),
    "head_multiplier": number(0, MAX_MAGNITUDE),
    "warmup_iters": integer(0, MAX_ITERATIONS),
    "warmup_ratio": number(0, 1),
    "lr_power": number(0, 100),
    "freeze_norms": BOOLEAN,
    "clip_grad": number(0, MAX_MAGNITUDE),
    "drop_path_rate": number(0, 1, below=True),
    "scale_range": sequence(
        number(0, 16, above=True),
        lambda pair: len(pair) == 2 and pair[0] <= pair[1],
        "two numbers above 0 and up to 16, the smaller one first",
    ),
    "train_images": ITERATIONS,
    "input_size": integer(32, 2048, " of pixels"),
    "amp": one_of("off", "bf16", "fp16"),
    "accumulate": (IMAGES[0], "1 or more batches a step"),
    "ema": (number(0, 1, below=True)[0], "0 (off) or a decay below 1, like 0.999"),
    "max_bad_steps": integer(0, 1000),
    "official_parity": BOOLEAN,
    "rng_seed": integer(0, 2**32 - 1),
}


def check(settings: Any, rules: Mapping[str, Rule]) -> None:
    """Replace the fields of a frozen dataclass by what their rules keep.

    Raises: ValueError: for a value that does not fit: it says what came and what was expected.
    """
    for name, (keep, expected) in rules.items():
        value = getattr(settings, name)
        if value is None and name in OPTIONAL:
            continue
        kept = keep(value)
        if kept is None:
            raise ValueError(f"{name} is {preview(value)}; expected {expected}.")
        object.__setattr__(settings, name, kept)
