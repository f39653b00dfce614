"""What may be ordered from the trainer at the page: names from short lists, and a number. All of it is checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from afa_viz.config import PRESETS, TrainConfig, at_length
from afa_viz.config_io import apply_settings
from afa_viz.ui.errors import UserError, quote_value
from afa_viz.ui.localization import error_message

RECIPES = ("two_minutes", "ten_minutes")
STARTS = ("scratch", "bundled")
POOLINGS = ("topk", "max", "avg")
BACKBONES = ("mit_b0", "mit_b1", "pvt_v2_b0")
DEVICES = ("auto", "cpu", "cuda", "mps")
SHORTEST, LONGEST = 10, 5000  # iterations
LADDERS = 8  # of a run, beside the one before its first step


@dataclass(frozen=True)
class TrainingRequest:
    """A training as somebody chose it.

    Attributes:
        recipe: of `RECIPES`. start: "scratch", or "bundled" for the weights that come with the package.
        pooling: how class logits are pooled from the cells. backbone: of `BACKBONES`.
        iterations: of the whole run. device: "auto", "cpu", "cuda" or "mps".
    """

    recipe: str
    start: str
    pooling: str
    backbone: str
    iterations: int
    device: str

    @property
    def preset(self) -> str:
        """Name of the configuration."""
        return self.recipe if self.start == "scratch" else f"{self.recipe}_on"

    @property
    def settings(self) -> list[str]:
        """What differs from the preset, as `--set` takes it."""
        return [f"pooling={self.pooling}", f"backbone={self.backbone}"]

    @property
    def config(self) -> TrainConfig:
        """The configuration that the training has."""
        return at_length(apply_settings(PRESETS[self.preset], self.settings), self.iterations)

    @property
    def eval_every(self) -> int:
        """Iterations between two ladders."""
        return -(-self.iterations // LADDERS)

    def arguments(self, folder: Path, cache: Path, bundled: Path | None, resume: bool = False) -> list[str]:
        """Those of `python -m afa_viz train`."""
        init = ["--init", str(bundled)] if self.start == "bundled" else []
        return [
            "train", "--config", self.preset, "--set", *self.settings, "--iterations", str(self.iterations), *init,
            "--out", str(folder), "--cache", str(cache), "--device", self.device, "--snapshots", "ladders",
            "--eval-every", str(self.eval_every), *(["--resume"] if resume else []),
        ]  # fmt: skip

    def data(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def stored_training_request(held: Any) -> TrainingRequest:
    """The order that the folder of a run tells of, checked like one of a page; its machine may have had other devices.

    Raises: ValueError: where it is none, or of another version.
    """
    if not isinstance(held, Mapping):
        raise ValueError(f"the order is a {type(held).__name__}; expected an object.")
    return parse_training_request(held, DEVICES, held.get("backbone"))


def parse_training_request(
    params: Mapping[str, Any], devices: tuple[str, ...], bundled_backbone: str | None
) -> TrainingRequest:
    """The order in what a page sends.

    Args:
        devices: that this machine has.
        bundled_backbone: of the bundled weights; None where there are none.
    Raises: UserError: with one sentence, for whatever is not on the lists.
    """
    lists = {"recipe": RECIPES, "start": STARTS, "pooling": POOLINGS, "backbone": BACKBONES, "device": devices}
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
    if not whole or not SHORTEST <= iterations <= LONGEST:  # type: ignore[operator]
        raise UserError(error_message("refused.iterations", value=quote_value(iterations), low=SHORTEST, high=LONGEST))
    if chosen["start"] == "bundled":
        if bundled_backbone is None:
            raise UserError(error_message("refused.no_bundled"))
        if chosen["backbone"] != bundled_backbone:
            raise UserError(
                error_message(
                    "refused.other_backbone", own=bundled_backbone, params=chosen["backbone"], again=bundled_backbone
                )
            )
    return TrainingRequest(**chosen, iterations=iterations)  # type: ignore[arg-type]
