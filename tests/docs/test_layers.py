"""The house: which room may import which, as data. Anything else fails."""

from __future__ import annotations

import ast
import functools
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# room -> floor; a room may import itself and rooms on lower floors
FLOORS = {
    "afa_viz.scalars": 0,
    "afa_viz.atomic_files": 0,
    "afa_viz.bundled": 0,
    "afa_viz.spelling": 0,
    "afa_viz.encodings": 0,
    "afa_viz.normalisation": 0,
    "afa_viz.jpeg_header": 0,
    "afa_viz.trace": 1,
    "afa_viz.config": 1,
    "afa_viz.presets": 1,
    "afa_viz.setting_checks": 1,
    "afa_viz.classes": 1,
    "afa_viz.config_io": 1,
    "afa_viz.image_files": 1,
    "afa_viz.inputs": 1,
    "afa_viz.parts": 0,
    "afa_viz.console": 1,
    "afa_viz.progress": 1,
    "afa_viz.structured_text": 1,
    "afa_viz.trace_file": 1,
    "afa_viz.ops": 2,
    "afa_viz.model": 3,
    "afa_viz.stages": 4,
    "afa_viz.pipeline": 4,
    "afa_viz.inspection": 4,
    "afa_viz.value_paths": 4,
    "afa_viz.two_images": 4,
    "afa_viz.stage_scores": 4,
    "afa_viz.data": 5,
    "afa_viz.training": 5,
    "afa_viz.evaluation": 5,
    "afa_viz.figures": 5,
    "afa_viz.lab": 5,
    "afa_viz.ui": 6,  # words and errors, for its rooms
    "afa_viz.ui.sessions": 7,
    "afa_viz.ui.page": 8,
    "afa_viz.ui.jobs": 8,
    "afa_viz.ui.handlers": 9,
    "afa_viz.ui.report": 10,
    "afa_viz.ui.server": 10,
    "afa_viz.ui.site": 10,
    "afa_viz.commands": 11,
    "afa_viz.__main__": 11,
    "app": 11,
}
# edges beside the floors, each with its reason
EXTRA = {
    ("afa_viz.trace", "afa_viz.config"),  # a trace carries its settings
    ("afa_viz.config", "afa_viz.setting_checks"),  # the ranges of its settings, as data
    ("afa_viz.presets", "afa_viz.config"),  # recipes are settings
    ("afa_viz.config_io", "afa_viz.structured_text"),
    ("afa_viz.inputs", "afa_viz.image_files"),  # which files are read
    ("afa_viz.trace", "afa_viz.trace_file"),
    ("afa_viz.trace_file", "afa_viz.structured_text"),
    ("afa_viz.pipeline", "afa_viz.stages"),  # the order of the stages; `stages` knows none
    ("afa_viz.inspection", "afa_viz.stages"),  # the same stages, step by step
    ("afa_viz.value_paths", "afa_viz.inspection"),  # the scores before a step of the walk
    ("afa_viz.two_images", "afa_viz.value_paths"),  # which blocks the affinity is made of
    ("afa_viz.stage_scores", "afa_viz.stages"),  # a label of every stage, from what the stages start from
    ("afa_viz.trace", "afa_viz.ops"),  # Trace.used_affinity_head, inside the method
    ("afa_viz.trace", "afa_viz.stages"),  # Trace.load, inside the method: a stage that earlier versions did not keep
    ("afa_viz.lab", "afa_viz.figures"),  # the lab asks about the numbers that the figures show
    ("afa_viz.training", "afa_viz.data"),  # the trainer reads data sets
    ("afa_viz.training", "afa_viz.evaluation"),  # and scores while it trains
    ("afa_viz.evaluation", "afa_viz.data"),  # samples of data sets
    ("afa_viz.ui.server", "afa_viz.ui.site"),  # the network for visitors' browsers, the same files
    ("afa_viz.ui.report", "afa_viz.ui.site"),  # answers packed smaller, as for the files of a site
}
# third-party packages that belong to one room
OWNED = {
    "gradio": {"afa_viz.ui.sessions", "afa_viz.ui.page", "afa_viz.ui.handlers", "afa_viz.ui.server"},
    "matplotlib": {"afa_viz.figures"},
    "plotly": {"afa_viz.figures"},
    "huggingface_hub": {"afa_viz.model", "afa_viz.commands"},
    "timm": {"afa_viz.model"},
    "triton": {"afa_viz.ops"},
    "onnx": {"afa_viz.model"},
    "onnxscript": {"afa_viz.model"},
    "onnxruntime": {"afa_viz.model"},
}
FILES = sorted([*(ROOT / "afa_viz").rglob("*.py"), ROOT / "app.py"])


def module_name(path: Path) -> str:
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> str | None:
    found = [room for room in FLOORS if module == room or module.startswith(room + ".")]
    return max(found, key=len) if found else None


@functools.cache
def import_statements(path: Path) -> list[ast.Import | ast.ImportFrom]:
    """All of a file, those inside functions too."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return [node for node in nodes if isinstance(node, (ast.Import, ast.ImportFrom))]


def imports_of(path: Path) -> set[str]:
    names: set[str] = set()
    for node in import_statements(path):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        else:
            assert node.level == 0, f"{path.name}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_go_down(path):
    module = module_name(path)
    if module == "afa_viz":
        return  # the front door: names of every floor, loaded on first use
    room = room_of(module)
    assert room is not None, f"{module} is in no room of the table"
    for name in imports_of(path):
        target = room_of(name)
        if target is not None and target != room:
            allowed = FLOORS[target] < FLOORS[room] or (room, target) in EXTRA
            assert allowed, f"{module} imports {name}"
        top = name.split(".")[0]
        if top in OWNED:
            assert room in OWNED[top], f"{module} imports {top}"


MODULES = {module_name(path): path for path in FILES}


def files_used_by(path: Path) -> set[str]:
    """Modules of the package that a file imports, inside functions and for type checks too."""
    found: set[str] = set()
    for node in import_statements(path):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        else:
            parts = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {part if part in MODULES else str(node.module) for part in parts}
    return found & set(MODULES) - {"afa_viz", module_name(path)}  # names of the front door are loaded on first use


def circle_in(graph: dict[str, set[str]]) -> list[str]:
    """One circle of a graph: its nodes in order, the first again at the end; empty if there is none."""
    done: set[str] = set()

    def visit(node: str, way: list[str]) -> list[str]:
        if node in way:
            return [*way[way.index(node) :], node]
        if node in done:
            return []
        for other in sorted(graph.get(node, ())):
            if found := visit(other, [*way, node]):
                return found
        done.add(node)
        return []

    return next((found for node in sorted(graph) if (found := visit(node, []))), [])


def test_a_circle_is_found():
    assert circle_in({"a": {"b"}, "b": {"c", "d"}, "c": {"b"}}) == ["b", "c", "b"]
    assert circle_in({"a": {"b", "c"}, "b": {"c"}}) == []


def test_files_import_each_other_in_no_circle():
    assert circle_in({module: files_used_by(path) for module, path in MODULES.items()}) == []


def test_rooms_import_each_other_in_no_circle():
    rooms: dict[str, set[str]] = {}
    for module, path in MODULES.items():
        if module != "afa_viz":
            used = {room_of(name) for name in files_used_by(path)}
            rooms.setdefault(str(room_of(module)), set()).update(str(room) for room in used - {room_of(module)})
    assert circle_in(rooms) == []


def test_the_tables_allow_nothing_that_is_not_there():
    used = {(room_of(module), room_of(name)) for module, path in MODULES.items() for name in files_used_by(path)}
    assert not set(EXTRA) - used
    assert not set(FLOORS) - {room_of(module) for module in MODULES}
    packages = {(name.split(".")[0], room_of(module)) for module, path in MODULES.items() for name in imports_of(path)}
    assert not {(package, room) for package, rooms in OWNED.items() for room in rooms} - packages


@pytest.mark.parametrize("module", ["handlers.prepared", "page.assets", "report.document", "report.notebook"])
def test_pages_without_a_server_need_no_gradio(module):
    seen, waiting = set(), [f"afa_viz.ui.{module}"]
    while waiting:
        name = waiting.pop()
        seen.add(name)
        assert not {used.split(".")[0] for used in imports_of(MODULES[name])} & {"gradio"}, name
        waiting += files_used_by(MODULES[name]) - seen
    assert len(seen) > 10


def test_ops_know_no_config_and_no_files():
    for path in (ROOT / "afa_viz" / "ops").glob("*.py"):
        names = {name.split(".")[0] for name in imports_of(path)}
        assert not names & {"os", "pathlib", "json"}, path.name
        assert not any(name.startswith("afa_viz.config") for name in imports_of(path)), path.name
