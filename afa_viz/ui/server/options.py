"""What the app is started with. Imports nothing large: the command line answers before gradio and torch are there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PACKAGE = Path(__file__).parents[2]
TITLE = "AFA Viz: from image labels to masks"


@dataclass(frozen=True)
class Options:
    """What the page is started with.

    Attributes:
        checkpoints: sources for `load_model`; none: everything in `checkpoint_folder`.
        examples: folder with `examples.json`.
        device: of the models. warm: explain all examples ahead, in the background.
        data: images of the Data set tab, see `dataset.sources.open_source`. split: of them.
        cache: folder for rendered scenes and scores; None: `dataset.sources.cache_folder`.
        train: whether the page may train. runs: folder of its trainings.
        train_arguments: added to each training's command, for a smaller world.
    """

    checkpoints: tuple[str, ...] = ()
    checkpoint_folder: Path = PACKAGE.parent / "checkpoints"
    examples: Path = PACKAGE / "examples"
    device: str = "auto"
    warm: bool = True
    data: str = "sandbox"
    split: str | None = None
    cache: Path | None = None
    train: bool = False
    runs: Path = Path("runs/page")
    train_arguments: tuple[str, ...] = ()
