"""`import afa_viz`: the public names, what they are, and that importing costs nothing."""

from __future__ import annotations

import inspect
import pydoc
import subprocess
import sys

import afa_viz
from afa_viz import pipeline


def test_dir_lists_every_public_name():
    assert set(afa_viz.__all__) <= set(dir(afa_viz))
    for name in afa_viz.__all__:
        assert getattr(afa_viz, name) is not None


def test_explain_is_the_function_with_its_signature_and_help():
    assert inspect.isfunction(afa_viz.explain) and afa_viz.explain is pipeline.explain
    assert list(inspect.signature(afa_viz.explain).parameters) == [
        "model", "image", "labels", "config", "target", "progress",
    ]  # fmt: skip
    assert "Run every stage for one image" in pydoc.render_doc(afa_viz.explain)


def test_explain_stays_the_function_whatever_is_imported_after():
    code = (
        "import sys, afa_viz; assert 'torch' not in sys.modules and 'explain' in dir(afa_viz); "
        "import afa_viz.pipeline, afa_viz.commands.explain; import types; "
        "assert isinstance(afa_viz.explain, types.FunctionType)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
