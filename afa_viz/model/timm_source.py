"""`timm:NAME` and `timm:NAME@FILE`: an ImageNet classifier of timm, its weights from the hub or from the disk."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

from afa_viz.model.card import CheckpointError, shortened

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from afa_viz.model.hub import Progress
    from afa_viz.model.timm_networks import PvtClassifier, VitClassifier

PREFIX = "timm:"
DEFAULT = "timm:pvt_v2_b2"  # what the app offers beside its checkpoints
DEFAULT_SIZE = "102 MB"  # 25.4 million parameters in float32
NAME = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)?", re.ASCII)  # an architecture, maybe with the tag of its weights
WEIGHTS = ("model.safetensors", "pytorch_model.bin")


def is_timm(source: object) -> bool:
    """Whether a source of weights names a model of timm."""
    return str(source).startswith(PREFIX)


def parse(source: str) -> tuple[str, Path | None]:
    """Name in timm and the file or folder with its weights; None: the hub's. Raises: CheckpointError."""
    name, _, file = source.removeprefix(PREFIX).partition("@")
    if not NAME.fullmatch(name) or ("@" in source and not file):
        raise CheckpointError(
            f"got {shortened(source)!r}; expected timm:NAME or timm:NAME@FILE, such as {DEFAULT}: correct it."
        )
    return name, Path(file).expanduser() if file else None


def load_timm(source: str, device: torch.device, progress: Progress | None = None) -> PvtClassifier | VitClassifier:
    """A classifier in evaluation mode, float32, with its card and `checkpoint_id`.

    Args:
        progress: see `HubFiles`.
    Raises: FileNotFoundError: if its weights are not there; CheckpointError: if they or the name cannot be used.
    """
    name, file = parse(source)
    if file is not None and not file.exists():
        raise FileNotFoundError(f"there is no {str(file)!r}; expected the weights of timm's {name}: check the path.")
    from afa_viz.model.layouts import require_matching
    from afa_viz.model.timm_networks import build_timm
    from afa_viz.model.weight_files import read_weights

    model, net = build_timm(name)
    path = _from_hub(name, net.pretrained_cfg.get("hf_hub_id"), progress) if file is None else _weights_file(file)
    expected = net.state_dict()
    state = _as_timm(read_weights(path), expected, net)
    require_matching(path.name, expected, state, f"timm's {name}")
    net.load_state_dict(state)  # the layers of `model` are its own
    model.checkpoint_id = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    return model.to(device).eval()


def _weights_file(path: Path) -> Path:
    """The file itself, or that of a folder."""
    from afa_viz.model.sources import checkpoint_files

    if path.is_dir():
        found = next((path / name for name in WEIGHTS if (path / name).is_file()), None)
        if found is not None:
            return found
    return checkpoint_files(path)[0]


def _from_hub(name: str, repository: str | None, progress: Progress | None) -> Path:
    from afa_viz.model.hub import HubFiles

    if not repository:
        raise CheckpointError(f"timm has no weights for {name}; expected a file: name it as timm:{name}@FILE.")
    return HubFiles(repository, progress=progress).first_existing(WEIGHTS)


def _as_timm(weights: dict[str, Tensor], expected: dict[str, Tensor], net: object) -> dict[str, Tensor]:
    """Weights under timm's names; those of a network's authors are renamed as timm does."""
    if set(weights) == set(expected):
        return weights
    import sys

    rename = getattr(sys.modules[type(net).__module__], "checkpoint_filter_fn", None)
    try:
        return weights if rename is None else rename(dict(weights), net)
    except Exception:  # of weights that are something else; the comparison names what does not fit
        return weights
