"""Options of the app. Imports nothing large, so that the command line can answer before gradio and torch load."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from afa_viz import bundled

PACKAGE = Path(__file__).parents[2]
TITLE = "AFA Viz: from image labels to masks"


@dataclass(frozen=True)
class Options:
    """Options of the app.

    Attributes:
        checkpoints: sources for `load_model`; empty: everything in `checkpoint_folder`.
        examples: folder with `examples.json`.
        device: of the models.
        warm: explain all examples in the background, once torch is loaded.
        data: images of the Data set tab, see `dataset.sources.open_source`.
        split: of the data set.
        cache: folder for rendered scenes, scores and prepared answers; None: `sessions.folders.cache_folder`.
        train: whether visitors may start training runs.
        runs: folder of the training runs.
        class_report: whether answers of the lab are counted for a teacher, see `sessions.class_report`.
        onnxruntime_web: folder of the npm package, with which visitors may have photographs explained by their own
            browsers; None: they may not.
        offered: a model of timm that is offered beside the checkpoints, and fetched once it is chosen; None: none is.
        train_arguments: added to the command of each run; tests make the sandbox smaller with them.
    """

    checkpoints: tuple[str, ...] = ()
    checkpoint_folder: Path = bundled.checkpoint_folder()
    examples: Path = PACKAGE / "examples"
    device: str = "auto"
    warm: bool = True
    data: str = "sandbox"
    split: str | None = None
    cache: Path | None = None
    train: bool = False
    runs: Path = Path("runs/page")
    class_report: bool = False
    train_arguments: tuple[str, ...] = ()
    offered: str | None = "timm:pvt_v2_b2"
    onnxruntime_web: Path | None = None
