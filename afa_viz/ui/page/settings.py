"""The settings of the page and the API: names, ranges, words, and how they become an `ExplainConfig`."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from afa_viz.config import ExplainConfig
from afa_viz.scalars import as_number, as_whole
from afa_viz.ui.errors import UserError, quote_value
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

    def read(self, value: object) -> float:
        """A value that was sent, of the setting's own type. Raises: UserError: for one that it cannot have."""
        number = self._number(value)
        if number is None:
            key = "refused.setting_whole" if self.whole else "refused.setting_range"
            raise UserError(english(key, name=self.label, value=quote_value(value, 20), low=self.low, high=self.high))
        return number

    def fits(self, value: object) -> bool:
        """Whether `read` takes it."""
        return self._number(value) is not None

    def _number(self, value: object) -> float | None:
        number = as_whole(value) if self.whole else as_number(value)
        return number if number is not None and self.low <= number <= self.high else None

    @property
    def whole(self) -> bool:
        """Whether the setting is a whole number."""
        return isinstance(getattr(ExplainConfig, self.field), int)

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

    Raises: UserError: with one sentence, for a value out of range or an unknown name.
    """
    changes: dict[str, Any] = {}
    for slider in SLIDERS:
        changes[slider.field] = slider.read(values.get(slider.field, slider.value(own)))
    if not isinstance(without, list | None):
        raise UserError(english("refused.left_out", value=quote_value(without)))
    for name in without or ():
        if not isinstance(name, str) or name not in ABLATIONS:
            raise UserError(english("refused.not_left_out", name=quote_value(name), names=", ".join(ABLATIONS)))
        changes |= ABLATIONS[name]
    try:
        return dataclasses.replace(own, **changes)
    except ValueError as error:
        raise UserError(str(error)) from error
