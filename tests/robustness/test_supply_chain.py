"""Few packages, each with a reason, each at a lowest version that can be installed and tested."""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
REASONS = (ROOT / "docs" / "decisions" / "004-dependencies.md").read_text(encoding="utf-8")
MODULES = {"skimage": "scikit-image", "PIL": "pillow"}  # import -> package, where the two differ
OPTIONAL = {
    "IPython",
    "onnx",
    "onnxruntime",
    "onnxscript",
    "pillow_heif",
    "pycocotools",
    "tensorboard",
    "triton",
}  # asked for only where they are used
PROVIDED = {"starlette": "gradio", "anyio": "gradio", "python_multipart": "gradio"}  # come with what needs them
NOT_IMPORTED = {"torchvision"}  # timm needs it


def required(name: str) -> list[str]:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return [re.split(r"[>=<~!]", line)[0] for line in lines if line and not line.startswith(("#", "-r"))]


def imported() -> set[str]:
    """Top-level names that the package and the app import."""
    names: set[str] = set()
    for path in [*(ROOT / "afa_viz").rglob("*.py"), ROOT / "app.py"]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module.split(".")[0])
    return names - set(sys.stdlib_module_names) - {"afa_viz", "__future__", "benchmarks"}


@pytest.mark.parametrize("file", ["requirements.txt", "requirements-dev.txt"])
def test_every_package_has_its_reason(file):
    found = set(re.findall(r"[\w-]+", REASONS))
    assert [name for name in required(file) if name not in found] == []


def test_what_is_imported_is_required_and_the_other_way_round():
    used = {MODULES.get(name, name) for name in imported() - OPTIONAL}
    assert used - set(PROVIDED) == set(required("requirements.txt")) - NOT_IMPORTED
    assert {PROVIDED[name] for name in used & set(PROVIDED)} <= set(required("requirements.txt"))
    assert len(required("requirements.txt")) <= 14


@pytest.fixture
def lowest():
    specification = importlib.util.spec_from_file_location("lowest", ROOT / ".ci" / "lowest.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_lower_bounds_are_promised_and_installed_as_promised(lowest, tmp_path):
    promised = lowest.promised()
    assert list(promised) == required("requirements.txt")
    pins = lowest.pins(promised, lowest.LARGE)
    assert f"gradio=={promised['gradio']}" in pins and f"torch=={promised['torch']}" not in pins
    assert f"torch=={promised['torch']}" in lowest.pins(promised, ())
    assert all((ROOT / "tests" / name).is_file() for name in lowest.TESTS)
    (tmp_path / "r.txt").write_text("# why\ntorch>=2.6\ngradio\n")
    with pytest.raises(ValueError, match="has 'gradio'; expected NAME>=VERSION"):
        lowest.promised(tmp_path / "r.txt")
