"""A request for a training run: a few choices from short lists and the number of iterations, validated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from afa_viz.config import TrainConfig, scale_iterations
from afa_viz.config_io import apply_settings
from afa_viz.presets import PRESETS
from afa_viz.ui.errors import UserError, quote_value
from afa_viz.ui.localization import error_message

RECIPES = ("two_minutes", "ten_minutes")
STARTS = ("scratch", "bundled")
OFFERED_POOLINGS = ("topk", "max", "avg")
OFFERED_BACKBONES = ("mit_b0", "mit_b1", "pvt_v2_b0")
DEVICES = ("auto", "cpu", "cuda", "mps")
MIN_ITERATIONS, MAX_ITERATIONS = 10, 5000
EVALUATIONS = 8  # of a run, beside the one before its first step


@dataclass(frozen=True)
class TrainingRequest:
    """The choices for a training run; the field names are those of the payload.

    Attributes:
        recipe: one of `RECIPES`.
        start: "scratch", or "bundled" for the weights that come with the package.
        pooling: of the class logits over the cells.
        backbone: one of `OFFERED_BACKBONES`.
        iterations: of the whole run.
        device: one of `DEVICES`.
    """

    recipe: str
    start: str
    pooling: str
    backbone: str
    iterations: int
    device: str

    @property
    def preset(self) -> str:
        """Name of the preset config."""
        return self.recipe if self.start == "scratch" else f"{self.recipe}_on"

    @property
    def settings(self) -> list[str]:
        """Differences from the preset, in the syntax of `--set`."""
        return [f"pooling={self.pooling}", f"backbone={self.backbone}"]

    @property
    def config(self) -> TrainConfig:
        """The config of the run."""
        return scale_iterations(apply_settings(PRESETS[self.preset], self.settings), self.iterations)

    @property
    def eval_every(self) -> int:
        """Iterations between two evaluations."""
        return -(-self.iterations // EVALUATIONS)

    def arguments(self, folder: Path, cache: Path, bundled: Path | None, resume: bool = False) -> list[str]:
        """Arguments for `python -m afa_viz train`."""
        init = ["--init", str(bundled)] if self.start == "bundled" else []
        return [
            "train", "--config", self.preset, "--set", *self.settings, "--iterations", str(self.iterations), *init,
            "--out", str(folder), "--cache", str(cache), "--device", self.device, "--snapshots", "evaluations",
            "--eval-every", str(self.eval_every), *(["--resume"] if resume else []),
        ]  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """The fields, for JSON."""
        return asdict(self)


def stored_training_request(stored: Any) -> TrainingRequest:
    """Validate a request that was stored in the folder of a run, whose machine may have had other devices.

    Raises: ValueError: if it is not a valid request, or of another version.
    """
    if not isinstance(stored, Mapping):
        raise ValueError(f"the training request is a {type(stored).__name__}; expected an object.")
    return parse_training_request(stored, DEVICES, stored.get("backbone"))


def parse_training_request(
    params: Mapping[str, Any], devices: tuple[str, ...], bundled_backbone: str | None
) -> TrainingRequest:
    """Validate a request that a browser sent.

    Args:
        devices: of this machine.
        bundled_backbone: of the bundled weights; None if there are none.
    Raises: UserError: for a choice that is not on its list.
    """
    lists = {
        "recipe": RECIPES,
        "start": STARTS,
        "pooling": OFFERED_POOLINGS,
        "backbone": OFFERED_BACKBONES,
        "device": devices,
    }
    chosen = {}
    for name, allowed in lists.items():
        value = params.get(name)
        if not isinstance(value, str) or value not in allowed:
            raise UserError(
                error_message("refused.choice", name=name, value=quote_value(value), names=", ".join(allowed))
            )
        chosen[name] = value
    iterations = params.get("iterations")
    whole = isinstance(iterations, int) and not isinstance(iterations, bool)
    if not whole or not MIN_ITERATIONS <= iterations <= MAX_ITERATIONS:  # type: ignore[operator]
        raise UserError(
            error_message("refused.iterations", value=quote_value(iterations), low=MIN_ITERATIONS, high=MAX_ITERATIONS)
        )
    if chosen["start"] == "bundled":
        if bundled_backbone is None:
            raise UserError(error_message("refused.no_bundled"))
        if chosen["backbone"] != bundled_backbone:
            raise UserError(
                error_message(
                    "refused.other_backbone", own=bundled_backbone, asked=chosen["backbone"], again=bundled_backbone
                )
            )
    return TrainingRequest(**chosen, iterations=iterations)  # type: ignore[arg-type]
