"""The models that a page offers: found at the start, loaded when first used, each once."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from afa_viz.ui.pictures import Refusal

if TYPE_CHECKING:
    from afa_viz.model.afa import AFA

log = logging.getLogger(__name__)


def discover(folder: Path) -> dict[str, str]:
    """Name -> source of every checkpoint in a folder: sub-folders with one weights file, and weights files."""
    found: dict[str, str] = {}
    if not folder.is_dir():
        return found
    for entry in sorted(folder.iterdir()):
        if entry.is_dir() and any(entry.glob("*.safetensors")):
            found[entry.name] = str(entry)
        elif entry.suffix in (".safetensors", ".pth"):
            found[entry.stem] = str(entry)
    return found


def named(sources: Sequence[str]) -> dict[str, str]:
    """Name -> source for the sources of the command line; equal names get a number."""
    result: dict[str, str] = {}
    for source in sources:
        stem = source.removeprefix("hf://") if source.startswith("hf://") else Path(source).stem or source
        name, number = stem, 2
        while name in result:
            name, number = f"{stem} ({number})", number + 1
        result[name] = source
    return result


class Registry:
    """Models by name.

    Args:
        sources: name -> what `load_model` takes; at least one.
        device: for all of them.
    """

    def __init__(self, sources: dict[str, str], device: str = "auto") -> None:
        if not sources:
            raise Refusal("There is no checkpoint: put one into checkpoints/ or name one with --checkpoint.")
        self._sources = dict(sources)
        self._device = device
        self._lock = threading.Lock()
        self._models: dict[str, AFA] = {}

    @property
    def names(self) -> list[str]:
        """Of all models, the first one is shown first."""
        return list(self._sources)

    def source(self, name: str) -> str:
        """What a model is loaded from."""
        return self._sources[name]

    def get(self, name: str) -> AFA:
        """A loaded model in evaluation mode. Raises: Refusal: for an unknown name or weights that do not load."""
        from afa_viz.model.checkpoint import load_model

        if not isinstance(name, str) or name not in self._sources:
            raise Refusal(f"There is no model {str(name)[:60]!r} here; choose one of {', '.join(self.names)}.")
        with self._lock:
            if name not in self._models:
                try:
                    self._models[name] = load_model(self._sources[name], device=self._device)
                except (OSError, ValueError) as error:
                    raise Refusal(f"The model {name} can not be loaded: {error}") from error
            return self._models[name]

    def class_names(self, name: str) -> tuple[str, ...]:
        """Of a model, background first."""
        from afa_viz.classes import names_for

        model = self.get(name)
        return tuple(model.card.class_names) if model.card else names_for(model.num_classes)

    def describe(self, name: str) -> str:
        """One line: what the model is."""
        card = self.get(name).card
        if card is None:
            return ""
        classes = ", ".join(card.class_names[1:7]) + (", …" if card.num_classes > 7 else "")
        return f"{card.backbone}, {card.num_classes - 1} classes ({classes}), sees {card.input_size} pixels"
