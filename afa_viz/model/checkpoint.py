"""Every way weights come in and go out: our files with their card, the hub, the authors' files, other layouts.

A checkpoint of ours is `NAME.safetensors` and beside it `NAME.json`, the card.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from afa_viz.atomic_files import atomic_write
from afa_viz.model import layouts, packing
from afa_viz.model.afa import AFA, POOLINGS, build_afa
from afa_viz.model.card import PARTS, Card, CheckpointError, default_card, format_names
from afa_viz.model.sources import Source, checkpoint_files
from afa_viz.model.weight_files import read_weights
from afa_viz.model.wrappers import single_network
from afa_viz.ops.checks import require_finite

CLASS_LAYERS = ("decoder.linear_pred.", "classifier.")
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoadReport:
    """Result of `load_any`.

    Attributes:
        layout: that was detected.
        loaded, unchanged: parts of the network that were filled, and those that were not.
        unused: names of the source without a place in the network.
        licence: of the weights, from their card or backbone.
        trained_on: label that "affinity" and "decoder" were last trained on, None if unknown; only of fully loaded
            parts.
    """

    layout: str
    loaded: tuple[str, ...]
    unchanged: tuple[str, ...]
    unused: tuple[str, ...]
    licence: str
    trained_on: dict[str, str | None]


def load_model(source: Source, device: str | torch.device = "auto") -> AFA:
    """A trained AFA network in evaluation mode, float32, with its `card` and `checkpoint_id`.

    Args:
        source: a .safetensors file with its card, a folder that holds one, `hf://owner/repo[@revision][/file]`, or
            the authors' .pth. Pickles are read as weights only. Without a card the published settings are assumed.
        device: "auto" (CUDA if there is one, else CPU) or a torch device.
    Raises: FileNotFoundError: if nothing is there; CheckpointError, a ValueError: if it cannot be used.
    """
    target = _resolve_device(device)
    path, card_path = checkpoint_files(source)
    weights = read_weights(path)
    card = Card.read(card_path) if card_path else None
    state = layouts.to_afa_keys(weights, layouts.detect_layout(weights))
    parts = layouts.parts_in(state)
    if parts != PARTS and (card is None or card.parts != PARTS):
        raise CheckpointError(
            f"{path.name} holds {', '.join(parts) or 'no part'} only; expected a whole AFA network "
            f"({', '.join(PARTS)}): build one with build_afa and fill it with afa_viz.model.checkpoint.load_any."
        )
    if card is None:
        card = default_card(layouts.infer_backbone(state), layouts.infer_num_classes(state))
        log.warning("%s has no card: published settings are assumed, and class names by their number.", path.name)
    model = _build_from_card(card)
    layouts.require_matching(path.name, model.state_dict(), state, f"{card.backbone} with {card.num_classes} classes")
    model.load_state_dict(state)
    model.card, model.checkpoint_id = card, hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    return model.to(target).eval()


def save_model(model: AFA, path: Source, card: Card, half: bool = False, packed: bool = False) -> None:
    """Write `NAME.safetensors` and the card `NAME.json`; each replaces an older file only once it is whole.

    Args:
        model: whose weights are saved; it is not changed.
        path: ends in .safetensors; its folder is made if needed.
        card: must agree with the model; its `parts` must name all.
        half: store float16, half the size; loading gives float32 again. What float16 cannot hold stays float32.
        packed: a quarter of the size, see `packing`; for snapshots that are only looked at.
    Raises: CheckpointError: if card and model differ or a weight is not finite.
    """
    state = model.state_dict()
    for name, of_model, of_card in (
        ("backbone", layouts.infer_backbone(state), card.backbone),
        ("num_classes", model.num_classes, card.num_classes),
        ("pooling", model.pooling, POOLINGS.get(card.pooling, card.pooling)),
        ("topk", model.topk, card.topk),
        ("logit_offset", model.logit_offset, card.logit_offset),
        ("parts", PARTS, card.parts),
    ):
        if of_model != of_card:
            raise CheckpointError(f"the card says {name} {of_card!r}; expected the model's {of_model!r}: correct it.")
    _write(state, Path(path), card, half, packed)


def load_any(
    model: AFA, source: Source | Mapping[str, Tensor], *, parts: Sequence[str] = PARTS, drop_classes: bool = False
) -> LoadReport:
    """Fill an AFA network from weights in any layout; nothing is changed unless everything fits.

    Args:
        model: changed in place.
        source: a state dict, or whatever `load_model` takes. An encoder must be there, other parts may be.
        parts: of `PARTS`, to take; others stay as they are.
        drop_classes: keep the model's own last layers, for a source that was trained on other classes.
    Returns: what was loaded and what was not.
    Raises: as `load_model`.
    """
    card_path = None
    if isinstance(source, Mapping):
        weights, left_out = single_network(source)
        if left_out:
            log.warning("the state dict holds a network more than once: %s.", left_out)
    else:
        path, card_path = checkpoint_files(source)
        weights = read_weights(path)
    name = "the state dict" if isinstance(source, Mapping) else str(source)
    layout = layouts.detect_layout(weights)
    found = layouts.select(layouts.to_afa_keys(weights, layout), parts)
    kept = CLASS_LAYERS if drop_classes else ()
    found = {key: tensor for key, tensor in found.items() if not key.startswith(kept)}
    loaded = layouts.parts_in(found)
    if "encoder" not in loaded:
        raise CheckpointError(
            f"{name} gives {format_names(list(parts))}; expected the encoder among the parts: add it."
        )
    own, theirs = layouts.infer_backbone(model.state_dict()), layouts.infer_backbone(found)
    if own != theirs:
        raise CheckpointError(f"{name} holds a {theirs}; expected {own}: build the model with backbone={theirs!r}.")
    num_classes = layouts.infer_num_classes(found)
    if num_classes not in (0, model.num_classes):
        raise CheckpointError(
            f"{name} has {num_classes} classes; expected {model.num_classes}: pass drop_classes=True to keep the "
            'last layers of the model, or parts=("encoder",) to load the encoder alone.'
        )
    expected = {k: v for k, v in layouts.select(model.state_dict(), loaded).items() if not k.startswith(kept)}
    layouts.require_matching(name, expected, found, f"the {', '.join(loaded)} of {own}")
    model.load_state_dict(found, strict=False)
    model.checkpoint_id = ""  # no longer the weights of a file
    unchanged = tuple(part for part in PARTS if part not in loaded)
    card = _card_or_default(card_path, own)
    learned = {"affinity": ("attn_proj", card.affinity_trained_on), "decoder": ("decoder", card.decoder_trained_on)}
    whole = set(loaded) - ({"decoder"} if drop_classes else set())
    trained_on = {name: label for name, (part, label) in learned.items() if part in whole}
    return LoadReport(layout, loaded, unchanged, layouts.unused_keys(weights, layout, found), card.licence, trained_on)


def _card_or_default(card_path: Path | None, backbone: str) -> Card:
    """The card of weights, or a default one where there is none or the JSON file belongs to another program."""
    try:
        return Card.read(card_path) if card_path else default_card(backbone, 0, ("encoder",))
    except CheckpointError:
        return default_card(backbone, 0, ("encoder",))


def convert(
    src: Source, dst: Source, backbone: str | None = None, num_classes: int | None = None, half: bool = False
) -> Card:
    """Write weights of any layout as our safetensors with a card.

    Args:
        src: whatever `load_model` takes, in any layout. A source without classifier or decoder is written as such:
            the card's `parts` say so, `load_model` refuses it and `load_any` takes it.
        dst: ends in .safetensors.
        backbone, num_classes: what the source must be; None takes what it is.
        half: store float16 what it can hold.
    Returns: the card that was written.
    Raises: as `load_model`.
    """
    path, card_path = checkpoint_files(src)
    weights, card = read_weights(path), Card.read(card_path) if card_path else None
    state = layouts.to_afa_keys(weights, layouts.detect_layout(weights))
    found, count, parts = layouts.infer_backbone(state), layouts.infer_num_classes(state), layouts.parts_in(state)
    if backbone not in (None, found) or num_classes not in (None, count):
        raise CheckpointError(
            f"{path.name} is a {found} with {count} classes; expected {backbone or found} with "
            f"{count if num_classes is None else num_classes}: leave the option out or choose another file."
        )
    card = card or default_card(found, count, parts)
    expected = layouts.select(_build_from_card(default_card(found, max(count, 2))).state_dict(), card.parts)
    layouts.require_matching(path.name, expected, state, f"the {', '.join(card.parts)} of {found}")
    _write(state, Path(dst), card, half)
    return card


def _resolve_device(device: str | torch.device) -> torch.device:
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        target = torch.device(device)
    except (RuntimeError, TypeError):
        target = torch.device("meta")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    available = {"cpu": True, "cuda": (target.index or 0) < count, "mps": torch.backends.mps.is_available()}
    if not available.get(target.type, False):
        names = ["auto", *(name for name, there in available.items() if there)]
        raise CheckpointError(f"got device {str(device)!r}; expected one that is here ({', '.join(names)}): choose it.")
    return target


def _build_from_card(card: Card) -> AFA:
    with torch.random.fork_rng(devices=[]):  # the weights are replaced at once: leave the caller's numbers alone
        return build_afa(card.backbone, card.num_classes, card.pooling, topk=card.topk, logit_offset=card.logit_offset)


def _write(state: Mapping[str, Tensor], path: Path, card: Card, half: bool, packed: bool = False) -> None:
    if path.suffix != ".safetensors":
        raise CheckpointError(f"got {path.name}; expected a name that ends in .safetensors: rename it.")
    tensors = {key: tensor.detach().to("cpu", copy=True).contiguous() for key, tensor in state.items()}
    if half:
        tensors = {key: packing.to_half(tensor) for key, tensor in tensors.items()}
    tensors = packing.pack(tensors) if packed else tensors
    for key, tensor in packing.unpack(tensors).items():  # as they will be read
        require_finite(key, tensor)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with (
            atomic_write(path.with_suffix(".json")) as notes,
            atomic_write(path) as weights,
        ):  # the weights are replaced first
            notes.write_text(card.to_json(), encoding="utf-8")
            safetensors.torch.save_file(tensors, weights, metadata={"format": "pt"})
            weights.chmod(notes.stat().st_mode)  # safetensors makes files that only their owner can read
    except SafetensorError as error:
        raise OSError(f"{path.name} could not be written ({error}); expected room on the disk: make some.") from None
