"""The settings of the page and the API: names, ranges, words, and how they become an `ExplainConfig`."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from afa_viz.config import ExplainConfig
from afa_viz.ui.pictures import Refusal, quoted
from afa_viz.ui.words import english, texts


@dataclass(frozen=True)
class Slider:
    """One number of `ExplainConfig` on the page."""

    field: str
    low: float
    high: float
    step: float

    def value(self, config: ExplainConfig) -> float:
        """Where it stands under these settings."""
        return getattr(config, self.field)

    @property
    def whole(self) -> bool:
        """Whether it stands at whole numbers alone."""
        return self.step == 1

    def fits(self, value: object) -> bool:
        """Whether it may stand there."""
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not self.low <= value <= self.high:
            return False
        return not self.whole or value == int(value)

    @property
    def label(self) -> str:
        """Its name on the page."""
        return texts()[f"side.{self.field}"]

    @property
    def info(self) -> str:
        """What it does, its default, and the published value."""
        return texts()[f"side.{self.field}_info"]


SLIDERS = (
    Slider("bkg_score_low", 0, 1, 0.01),
    Slider("bkg_score_high", 0, 1, 0.01),
    Slider("radius", 1, 32, 1),
    Slider("power", 0.5, 8, 0.5),
    Slider("num_steps", 1, 16, 1),
    Slider("num_iters", 1, 30, 1),
)

# What can be left out, and what the settings become then.
ABLATIONS: dict[str, dict[str, Any]] = {
    "random walk": {"use_walk": False},
    "PAR": {"use_par": False},
    "symmetry of the affinity": {"symmetric": False},
    "other scales of the CAM": {"scales": (1.0,)},
}


def left_out(config: ExplainConfig) -> list[str]:
    """Names of what settings leave out."""
    return [
        name
        for name, changes in ABLATIONS.items()
        if all(getattr(config, field) == value for field, value in changes.items())
    ]


def config_from(values: dict[str, float], without: list[str] | None, own: ExplainConfig) -> ExplainConfig:
    """A model's own settings, changed by slider values and the names of what is left out.

    Raises: Refusal: with one sentence, for a value out of range or an unknown name.
    """
    changes: dict[str, Any] = {}
    for slider in SLIDERS:
        value = values.get(slider.field, slider.value(own))
        if not slider.fits(value):
            sentence = "refused.setting_whole" if slider.whole else "refused.setting_range"
            raise Refusal(
                english(sentence, name=slider.label, value=quoted(value, 20), low=slider.low, high=slider.high)
            )
        changes[slider.field] = int(value) if isinstance(slider.value(own), int) else float(value)
    if not isinstance(without, list | None):
        raise Refusal(english("refused.left_out", value=quoted(without)))
    for name in without or ():
        if not isinstance(name, str) or name not in ABLATIONS:
            raise Refusal(english("refused.not_left_out", name=quoted(name), names=", ".join(ABLATIONS)))
        changes |= ABLATIONS[name]
    try:
        return dataclasses.replace(own, **changes)
    except ValueError as error:
        raise Refusal(str(error)) from error
