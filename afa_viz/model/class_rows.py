"""Class heads of a network that was trained on other classes: rows go to the classes of the same name.

The two class layers have one row per class: `decoder.linear_pred` K rows, background first, `classifier` C rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from afa_viz.model.card import CheckpointError

CLASS_LAYERS = {"decoder.linear_pred.": 0, "classifier.": 1}  # prefix -> class of the first row


@dataclass(frozen=True)
class ClassRows:
    """Which classes a network takes over. source: class of the source by class of the network, `kept` its keys as
    names, `new` names of the network without a source, `dropped` names of the source that are not used."""

    source: dict[int, int]
    kept: tuple[str, ...]
    new: tuple[str, ...]
    dropped: tuple[str, ...]

    def summary(self) -> str:
        """What happened to the class heads, as part of a sentence."""
        if not self.kept:
            return "class heads begun anew: the source names no classes"
        parts = [f"class heads of {len(self.kept)} of {len(self.kept) + len(self.new)} classes kept by name"]
        parts[0] += f" ({', '.join(self.kept)})"
        if self.new:
            parts.append(f"begun anew: {', '.join(self.new)}")
        if self.dropped:
            parts.append(f"not used: {', '.join(self.dropped)}")
        return "; ".join(parts)


def match_classes(names: Sequence[str], source_names: Sequence[str] | None) -> ClassRows:
    """Which class of a source each class of a network takes over.

    Names are equal as they are, or else but for case, spaces, hyphens and underscores ("potted plant" and
    "pottedplant"). Background, class 0, takes over background.

    Args:
        names: K names of the network, background first.
        source_names: those of the source; None: not known, so that nothing is taken over.
    """
    if source_names is None:
        return ClassRows({}, (), tuple(names), ())
    source = {0: 0}
    free = set(range(1, len(source_names)))
    for key in (lambda name: name, _plain):
        places: dict[str, list[int]] = {}
        for i in sorted(free):
            places.setdefault(key(source_names[i]), []).append(i)
        for i in (i for i in range(1, len(names)) if i not in source):
            found = places.get(key(names[i]), [])
            if len(found) == 1 and found[0] in free:
                source[i] = found[0]
                free.discard(found[0])
    return ClassRows(
        dict(sorted(source.items())),
        tuple(name for i, name in enumerate(names) if i in source),
        tuple(name for i, name in enumerate(names) if i not in source),
        tuple(source_names[i] for i in sorted(free)),
    )


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter not in " -_")


def take_rows(
    found: Mapping[str, Tensor], own: Mapping[str, Tensor], rows: ClassRows, source_classes: int
) -> dict[str, Tensor]:
    """Weights of a source whose class layers have the rows of the network.

    Args:
        found: weights of the source under AFA's names. own: those of the network: rows of new classes stay as they are.
        source_classes: K of the source.
    Raises: CheckpointError: if a class layer has another number of rows.
    """
    taken = dict(found)
    for key, tensor in found.items():
        first = next((first for prefix, first in CLASS_LAYERS.items() if key.startswith(prefix)), None)
        if first is None or key not in own or tensor.shape[1:] != own[key].shape[1:] or tensor.dim() == 0:
            continue  # whatever does not fit is refused with the other weights
        if len(tensor) != source_classes - first:
            raise CheckpointError(
                f"{key} has {len(tensor)} rows; expected {source_classes - first}, for {source_classes} classes with "
                "background: check that weights and card belong together."
            )
        merged = own[key].detach().to("cpu", copy=True)
        for ours, theirs in rows.source.items():
            if ours >= first and theirs >= first:
                merged[ours - first] = tensor[theirs - first].to(merged.dtype)
        taken[key] = merged
    return taken
