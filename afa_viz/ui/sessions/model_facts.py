"""Facts of a model without its weights, kept beside prepared answers, so that the app may load it later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from afa_viz.model.card import Card

if TYPE_CHECKING:
    from afa_viz.model.interface import Network


@dataclass(frozen=True)
class ModelFacts:
    """Facts of a model; equal facts mean the same weights with the same card.

    Attributes:
        card: beside its weights; None if it has none.
        num_classes: background included.
        parameters: their number.
        checkpoint_id: of the weights; "" if they came from no file.
    """

    card: Card | None
    num_classes: int
    parameters: int
    checkpoint_id: str

    @classmethod
    def of(cls, model: Network) -> ModelFacts:
        """The facts of a loaded model."""
        parameters = sum(weights.numel() for weights in model.parameters())
        return cls(model.card, model.num_classes, parameters, model.checkpoint_id)

    def to_dict(self) -> dict[str, Any]:
        """The facts as JSON values."""
        card = None if self.card is None else self.card.to_json()
        return {**vars(self), "card": card}

    @classmethod
    def from_dict(cls, held: Mapping[str, Any]) -> ModelFacts:
        """The facts of `to_dict`. Raises: KeyError, TypeError, ValueError: if they are none."""
        card, numbers = held["card"], (held["num_classes"], held["parameters"])
        if not all(isinstance(number, int) for number in numbers) or not isinstance(held["checkpoint_id"], str):
            raise TypeError("facts of a model")
        return cls(None if card is None else Card.from_json(card), *numbers, held["checkpoint_id"])
