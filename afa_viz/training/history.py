"""What happened to a run so far, beside its weights: kept in its state and written to its card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from afa_viz.config import TrainConfig
from afa_viz.training.supervision import last_supervision, supervision_at


@dataclass
class RunHistory:
    """Mutable, since a run goes on.

    Attributes:
        trained_on: names of the labels that "affinity" and "decoder" were trained on last.
        licence: of the weights.
        skipped_images, skipped_steps: unreadable images that others stood in for; steps with non-finite numbers.
        changes: of settings, each time the run was resumed with others.
    """

    trained_on: dict[str, str | None]
    licence: str = "Apache-2.0"
    skipped_images: int = 0
    skipped_steps: int = 0
    changes: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def begin(cls, config: TrainConfig) -> RunHistory:
        """That of a run before its first step."""
        return cls(dict(last_supervision(config, 0)))

    def add_step(self, config: TrainConfig, iteration: int, skipped_images: int, updated: bool) -> None:
        """Count a step of the 0-based `iteration`; `updated`: the weights were."""
        self.skipped_images += skipped_images
        self.skipped_steps += not updated
        if updated:
            self.trained_on |= supervision_at(config, iteration)

    def counts(self) -> dict[str, int]:
        """What was skipped, where anything was, as in `metrics.jsonl`."""
        found = {"skipped": self.skipped_images, "skipped_steps": self.skipped_steps}
        return {name: count for name, count in found.items() if count}

    def state(self) -> dict[str, Any]:
        """All of it, as saved with the weights."""
        return {
            "skipped": self.skipped_images, "skipped_steps": self.skipped_steps, "changes": self.changes,
            "licence": self.licence, "trained_on": self.trained_on,
        }  # fmt: skip

    def load(self, state: Mapping[str, Any], config: TrainConfig) -> None:
        """Continue the history of a saved run, also of one that earlier versions wrote."""
        self.skipped_images, self.skipped_steps = state.get("skipped", 0), state.get("skipped_steps", 0)
        self.licence, self.changes = state.get("licence", self.licence), list(state.get("changes", []))
        self.trained_on |= (
            state.get("trained_on") or state.get("teachers") or last_supervision(config, state["iteration"])
        )

    def facts(self) -> dict[str, Any]:
        """For the card."""
        changes = {"changes": self.changes} if self.changes else {}
        return {"skipped_images": self.skipped_images, "skipped_steps": self.skipped_steps, **changes}
