"""Where weights lie: a file, a folder, the hub; and the card beside them. Without torch."""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from afa_viz.model.card import CheckpointError, format_names

HUB_NAMES = ("model.safetensors", "pytorch_model.bin")
NON_COMMERCIAL = re.compile(r"(nvidia/(mit|segformer)-b|smp-hub/(mit_|segformer-)b).*", re.IGNORECASE)
Source = str | os.PathLike[str]
log = logging.getLogger(__name__)


def checkpoint_files(source: Source) -> tuple[Path, Path | None]:
    """The weights file of a source, fetched where it lies on the hub, and the card beside it where there is one."""
    if str(source).startswith("hf:"):
        return _from_hub(str(source))
    if str(source).startswith("timm:"):
        raise CheckpointError(
            f"{source} is a classifier as it is; expected weights of an AFA network here: `load_model` and the app "
            "take it."
        )
    path = Path(source).expanduser()
    if path.is_dir():
        names = sorted(file.name for file in path.glob("*.safetensors"))
        chosen = [name for name in names if name == HUB_NAMES[0]] or names
        if len(chosen) != 1:
            raise CheckpointError(
                f"the folder {path.name} has {format_names(names, 5) or 'no .safetensors file'}; expected one such "
                f"file or {HUB_NAMES[0]}: name the file."
            )
        path = path / chosen[0]
    if not path.exists():
        expected = "expected a checkpoint, a folder or hf://owner/repo: check the path"
        raise FileNotFoundError(f"there is no {str(source)!r}; {expected}.")
    card = path.with_suffix(".json")
    return path, card if card.is_file() else None


def _from_hub(source: str) -> tuple[Path, Path | None]:
    match = re.fullmatch(r"hf://(\w[\w.-]*/\w[\w.-]*)(?:@([^/@]+))?(?:/(.+))?", source)
    if match is None:
        raise CheckpointError(f"got {source!r}; expected hf://owner/repo, maybe with @revision and /file: correct it.")
    repo, revision, name = match[1], match[2] and unquote(match[2]), match[3]
    from afa_viz.model.hub import HubFiles

    files = HubFiles(repo, revision)
    path = files.first_existing((name,) if name else HUB_NAMES)
    if NON_COMMERCIAL.fullmatch(repo):
        log.warning("%s: MiT and SegFormer weights are for non-commercial use; see the model's page.", repo)
    try:
        return path, files.first_existing((str(PurePosixPath(name or path.name).with_suffix(".json")),))
    except FileNotFoundError:
        return path, None
