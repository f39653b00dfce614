"""A validated request for an explanation."""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass

from afa_viz.config import ExplainConfig


@dataclass(frozen=True)
class Request:
    """A validated request for an explanation.

    Attributes:
        image_id: "example:NAME", "data:ID" or "upload:SHA".
        model: name in the registry.
        labels: image labels as class names; None: predicted ones.
        config: settings of the explanation.
    """

    image_id: str
    model: str
    labels: tuple[str, ...] | None = None
    config: ExplainConfig = ExplainConfig()

    @property
    def key(self) -> str:
        """A digest of all fields; equal requests have equal keys."""
        text = repr((self.image_id, self.model, self.labels, dataclasses.astuple(self.config)))
        return hashlib.sha256(text.encode()).hexdigest()[:20]
