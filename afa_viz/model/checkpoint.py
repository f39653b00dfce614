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

from afa_viz import bundled
from afa_viz.atomic_files import atomic_write
from afa_viz.classes import COCO_CLASSES, VOC_CLASSES, names_for
from afa_viz.model import layouts, packing, timm_source
from afa_viz.model.afa import AFA, POOLINGS, build_afa
from afa_viz.model.card import PARTS, Card, CheckpointError, default_card, format_names
from afa_viz.model.class_rows import CLASS_LAYERS, ClassRows, match_classes, take_rows
from afa_viz.model.empty_weights import EmptyWeights
from afa_viz.model.hub import Progress
from afa_viz.model.interface import Network
from afa_viz.model.sources import Source, checkpoint_files
from afa_viz.model.weight_files import read_weights
from afa_viz.model.wrappers import single_network
from afa_viz.ops.checks import require_finite

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
        class_rows: where the class heads came from, None where they were taken or left as a whole.
    """

    layout: str
    loaded: tuple[str, ...]
    unchanged: tuple[str, ...]
    unused: tuple[str, ...]
    licence: str
    trained_on: dict[str, str | None]
    class_rows: ClassRows | None = None

    def summary(self) -> str:
        """What was kept and what begins anew, as part of a sentence."""
        titles = {"encoder": "encoder", "decoder": "decoder", "attn_proj": "affinity", "classifier": "classifier"}
        kept = [titles[part] for part in self.loaded if self.class_rows is None or part != "classifier"]
        new = [titles[part] for part in self.unchanged]
        text = f"kept {', '.join(kept)}" + (f"; begun anew: {', '.join(new)}" if new else "")
        return text if self.class_rows is None else f"{text}; {self.class_rows.summary()}"


def load_model(
    source: Source | None = None, device: str | torch.device = "auto", *, progress: Progress | None = None
) -> Network:
    """A trained network in evaluation mode, float32, with its `card` and `checkpoint_id`.

    Args:
        source: a .safetensors file with its card, a folder that holds one, `hf://owner/repo[@revision][/file]`, or
            the authors' .pth. Pickles are read as weights only. Without a card the published settings are assumed.
            timm:NAME or timm:NAME@FILE: an ImageNet classifier of timm. None: the bundled model.
        device: "auto" (CUDA if there is one, else CPU) or a torch device.
        progress: called with the bytes that have come and all of them, while timm's weights are fetched.
    Raises: FileNotFoundError: if nothing is there; CheckpointError, a ValueError: if it cannot be used.
    """
    target = _resolve_device(device)
    if timm_source.is_timm(source):
        return timm_source.load_timm(str(source), target, progress)
    path, card_path = checkpoint_files(bundled.bundled_checkpoint() if source is None else source)
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
    model: AFA,
    source: Source | Mapping[str, Tensor],
    *,
    parts: Sequence[str] = PARTS,
    drop_classes: bool = False,
    class_names: Sequence[str] | None = None,
) -> LoadReport:
    """Fill an AFA network from weights in any layout; nothing is changed unless everything fits.

    Args:
        model: changed in place.
        source: a state dict, or whatever `load_model` takes. An encoder must be there, other parts may be.
        parts: of `PARTS`, to take; others stay as they are.
        drop_classes: keep the model's own last layers, for a source that was trained on other classes.
        class_names: K names of the model's classes, background first. Of a source with other ones, or with the same
            in another order, the last layers give the rows of equal names (`class_rows.match_classes`); the model's own
            rows stay for the rest. The names of the source are those of its card; without one those of VOC or COCO if
            the authors' layout has their number of classes; else they are not known and every row begins anew.
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
    kept = tuple(CLASS_LAYERS) if drop_classes else ()
    found = {key: tensor for key, tensor in found.items() if not key.startswith(kept)}
    loaded = layouts.parts_in(found)
    if "encoder" not in loaded:
        raise CheckpointError(
            f"{name} gives {format_names(list(parts))}; expected the encoder among the parts: add it."
        )
    own, theirs = layouts.infer_backbone(model.state_dict()), layouts.infer_backbone(found)
    if own != theirs:
        raise CheckpointError(f"{name} holds a {theirs}; expected {own}: choose the backbone {theirs!r}.")
    rows = None
    if class_names is not None:
        found, rows = _match_class_heads(model, found, class_names, card_path, layout)
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
    whole = set(loaded) - ({"decoder"} if drop_classes or (rows is not None and rows.new) else set())
    trained_on = {name: label for name, (part, label) in learned.items() if part in whole}
    unused = layouts.unused_keys(weights, layout, found)
    return LoadReport(layout, loaded, unchanged, unused, card.licence, trained_on, rows)


def _match_class_heads(
    model: AFA, found: dict[str, Tensor], class_names: Sequence[str], card_path: Path | None, layout: str
) -> tuple[dict[str, Tensor], ClassRows | None]:
    """The weights with the class heads of the model; None for rows where all classes are the same already."""
    if len(class_names) != model.num_classes:
        raise CheckpointError(f"got {len(class_names)} class names; expected {model.num_classes}, background first.")
    count = layouts.infer_num_classes(found)
    if not any(key.startswith(tuple(CLASS_LAYERS)) for key in found) or count < 2:
        return found, None
    names = _card_or_default(card_path, layouts.infer_backbone(found)).class_names
    if not names and layout == layouts.AFA and count in (len(VOC_CLASSES), len(COCO_CLASSES)):
        names = names_for(count)  # the authors' files
    if names and len(names) != count:
        raise CheckpointError(
            f"the card names {len(names)} classes but the weights have {count}; expected equal numbers: check that "
            "they belong together."
        )
    if tuple(names) == tuple(class_names):
        return found, None
    rows = match_classes(class_names, names or None)
    return take_rows(found, model.state_dict(), rows, count), rows


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
    """A network for the weights of a file, which must fill all of it; the caller's random numbers are left alone."""
    with torch.random.fork_rng(devices=[]), EmptyWeights():
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
