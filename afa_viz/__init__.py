"""AFA Viz: see how image-level labels become masks, step by step.

    model = afa_viz.load_model()  # the bundled one; or a path, or hf://owner/repo
    trace = afa_viz.explain(model, "photo.jpg")

Names are loaded on first use: importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

_HOME = {
    "load_model": "afa_viz.model.checkpoint",
    "explain": "afa_viz.pipeline",
    "recompute": "afa_viz.pipeline",
    "Trace": "afa_viz.trace",
    "ExplainConfig": "afa_viz.config",
    "TrainConfig": "afa_viz.config",
    "ops": "afa_viz.ops",
    "write_report": "afa_viz.ui.report.document",
    "show": "afa_viz.ui.report.notebook",
}
__all__ = [
    "ExplainConfig", "Trace", "TrainConfig", "__version__", "explain", "load_model", "ops", "recompute", "show",
    "write_report",
]  # fmt: skip

if TYPE_CHECKING:
    from afa_viz import ops
    from afa_viz.config import ExplainConfig, TrainConfig
    from afa_viz.model.checkpoint import load_model
    from afa_viz.pipeline import explain, recompute
    from afa_viz.trace import Trace
    from afa_viz.ui.report.document import write_report
    from afa_viz.ui.report.notebook import show


def __getattr__(name: str):
    if name not in _HOME:
        raise AttributeError(f"module 'afa_viz' has no attribute {name!r}")
    module = import_module(_HOME[name])
    return module if name == "ops" else getattr(module, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
