"""The fields of `ExplainConfig` that the app and the API can change: names, ranges, texts and validation."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from afa_viz.config import ExplainConfig
from afa_viz.scalars import as_float, as_int
from afa_viz.ui.errors import UserError, quote_value
from afa_viz.ui.localization import error_message, texts


@dataclass(frozen=True)
class Slider:
    """A slider for one number of `ExplainConfig`."""

    field: str
    low: float
    high: float
    step: float

    def value(self, config: ExplainConfig) -> float:
        """The position of the slider for a config."""
        return getattr(config, self.field)

    def parse(self, value: object) -> float:
        """A value that was sent, in the type of the field. Raises: UserError: for one that it cannot have."""
        number = self._number(value)
        if number is None:
            key = "refused.setting_whole" if self.is_integer else "refused.setting_range"
            raise UserError(
                error_message(key, name=self.label, value=quote_value(value, 20), low=self.low, high=self.high)
            )
        return number

    def accepts(self, value: object) -> bool:
        """Whether `parse` accepts a value."""
        return self._number(value) is not None

    def _number(self, value: object) -> float | None:
        number = as_int(value) if self.is_integer else as_float(value)
        return number if number is not None and self.low <= number <= self.high else None

    @property
    def is_integer(self) -> bool:
        """Whether the field is an integer."""
        return isinstance(getattr(ExplainConfig, self.field), int)

    @property
    def label(self) -> str:
        """The label of the slider."""
        return texts()[f"side.{self.field}"]

    @property
    def info(self) -> str:
        """The help text: what the field does, its default, and the published value."""
        return texts()[f"side.{self.field}_info"]


SLIDERS = (
    Slider("bkg_score_low", 0, 1, 0.01),
    Slider("bkg_score_high", 0, 1, 0.01),
    Slider("radius", 1, 32, 1),
    Slider("power", 0.5, 8, 0.5),
    Slider("num_steps", 1, 16, 1),
    Slider("num_iters", 1, 30, 1),
)

SYMMETRY, SCALES = "symmetry of the affinity", "other scales of the CAM"

# Parts of the method that can be switched off, and the config fields that do it.
ABLATIONS: dict[str, dict[str, Any]] = {
    "random walk": {"use_walk": False},
    "PAR": {"use_par": False},
    SYMMETRY: {"symmetric": False},
    SCALES: {"scales": (1.0,)},
}


def active_ablations(config: ExplainConfig) -> list[str]:
    """Names of the ablations that a config applies."""
    return [
        name
        for name, changes in ABLATIONS.items()
        if all(getattr(config, field) == value for field, value in changes.items())
    ]


def config_from(
    values: dict[str, float],
    ablations: list[str] | None,
    defaults: ExplainConfig,
    own: Mapping[str, Any] | None = None,
) -> ExplainConfig:
    """The default config of a model with slider values and ablations applied.

    Args:
        own: further fields of `ExplainConfig`: of heads, see `head_settings`, and of edits, see `edit_settings`; what
            is left out wins over them. None: as learned and as computed.
    Raises: UserError: for a value out of range or an unknown name.
    """
    changes: dict[str, Any] = dict(own or {})
    for slider in SLIDERS:
        changes[slider.field] = slider.parse(values.get(slider.field, slider.value(defaults)))
    if not isinstance(ablations, list | None):
        raise UserError(error_message("refused.left_out", value=quote_value(ablations)))
    for name in ablations or ():
        if not isinstance(name, str) or name not in ABLATIONS:
            raise UserError(error_message("refused.not_left_out", name=quote_value(name), names=", ".join(ABLATIONS)))
        changes |= ABLATIONS[name]
    try:
        return dataclasses.replace(defaults, **changes)
    except ValueError as error:
        raise UserError(str(error)) from error
