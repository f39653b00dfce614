"""Copy as Python: a program that reproduces the current view with public names only, without paths of the server."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from afa_viz import bundled
from afa_viz.config import ExplainConfig
from afa_viz.model.timm_source import PREFIX, is_timm, parse
from afa_viz.training.records import SNAPSHOTS
from afa_viz.ui.sessions.model_registry import SNAPSHOT_MARK
from afa_viz.ui.sessions.session import Request, Session

if TYPE_CHECKING:
    from afa_viz.figures.maps import Cell
    from afa_viz.trace import Trace

# tab -> call that draws its main image; other tabs use the pipeline strip
DRAW_CALLS = {
    "cam": "stages.cam(trace, {label})",
    "attention": "stages.attention(trace, {block}, {head}, {cell})",
    "affinity": "stages.affinity(trace, {cell})",
    "walk": "stages.cam_rw(trace, {label})",
    "par": "stages.cam_par(trace, {label})",
    "regions": "stages.regions(trace)",
    "seg": "stages.seg(trace)",
}
LACKING = {"attention": "attention", "affinity": "affinity", "walk": "affinity", "seg": "decoder"}  # tab -> its part


@dataclass(frozen=True)
class TabView:
    """What a tab displays.

    Attributes:
        tab: its name.
        label: class index, 1..C.
        cell: the query cell.
        block: index from 0.
        head: index from 0; None: the mean of all heads.
        other: side B of a comparison, or a snapshot; None if there is only one side.
        crf: whether side B has a dense CRF in PAR's place.
    """

    tab: str
    label: int
    cell: Cell
    block: int
    head: int | None
    other: Request | None = None
    crf: bool = False


def snippet(request: Request, trace: Trace, session: Session, look: TabView) -> str:
    """A program that explains the same image with the same settings and saves what the tab displays."""
    source = session.images.python_source(request.image_id)
    name = trace.class_names[look.label]
    lacks = trace.parts.lacks
    lack = LACKING.get(look.tab) if LACKING.get(look.tab) in lacks else None
    look = replace(look, tab="strip" if lack else look.tab)  # whose picture says what the method lacks
    drawn = _drawn(look, name)
    module = drawn.partition(".")[0]
    file = f"{look.tab if look.tab in DRAW_CALLS else 'strip'}.png"
    names = session.images.find(request.image_id).class_names
    same_names = names is None or tuple(names) == session.registry.class_names(request.model)
    scored = bool(source.target) and trace.target is not None and same_names  # else the indices of the mask differ
    imports = [*source.imports, f"from afa_viz.figures import {module}"]
    if scored:
        imports.append("from afa_viz.stage_scores import stage_scores")
    if look.crf:
        imports.append("from afa_viz.inspection import with_crf")
    ours = sorted(line for line in imports if "afa_viz" in line)
    lines = [
        *(line for line in imports if line not in ours),
        "from PIL import Image",
        "",
        "import afa_viz",
        *ours,
        "",
        f"model = afa_viz.load_model({_loaded_from(session, request.model)})",
        *source.lines,
        *([f"target = {source.target}"] if scored else []),
        f"trace = {_explained(request, session, 'model', scored)}",
        *(["print(stage_scores(trace))"] if scored else []),
        *([f"# {lacks[lack]}"] if lack else []),
        f"Image.fromarray({drawn}).save({file!r})",
        *(_other_side(request, trace, session, look, scored) if look.other else []),
        "",
    ]
    return "\n".join(lines)


def _explained(request: Request, session: Session, model: str, scored: bool) -> str:
    """The call that explains a request; `model` is the variable of the model in the program."""
    arguments = [model, "image"]
    if request.labels is not None:
        arguments.append(f"labels={list(request.labels)!r}")
    config = changed_settings(request.config, session.registry.config(request.model))
    if config:
        arguments.append(f"config=afa_viz.ExplainConfig.for_model({model}, {config})")
    if scored:
        arguments.append("target=target")
    return f"afa_viz.explain({', '.join(arguments)})"


def _drawn(look: TabView, name: str) -> str:
    """The call that draws the image of a tab for the class `name`."""
    call = DRAW_CALLS.get(look.tab, "strip.strip(trace, {label}, {cell})")
    label = f"trace.class_names.index({name!r})"
    return call.format(label=label, block=look.block, head=look.head, cell=tuple(look.cell))


def _other_side(request: Request, trace: Trace, session: Session, look: TabView, scored: bool) -> list[str]:
    """The lines that compute and save side B of a comparison."""
    other = look.other
    assert other is not None
    names = session.registry.class_names(other.model)
    scored = scored and names == trace.class_names  # else the class indices of the mask differ
    name = trace.class_names[look.label]
    drawn = _drawn(look, name if name in names else (other.labels or names[1:])[0])
    model, lines = "model", [""]
    if other.model != request.model:
        model = "other_model"
        lines.append(f"other_model = afa_viz.load_model({_loaded_from(session, other.model)})")
    lines.append(f"other = {_explained(other, session, model, scored)}")
    if look.crf:
        lines.append("other = with_crf(other)  # in PAR's place")
    if scored:
        lines.append("print(stage_scores(other))")
    return [
        *lines,
        f"Image.fromarray({drawn.replace('(trace', '(other').replace(' trace.', ' other.')}).save('other.png')",
    ]


def changed_settings(config: ExplainConfig, defaults: ExplainConfig) -> str:
    """The settings that differ from the defaults, as keyword arguments."""
    pairs = [(field.name, getattr(config, field.name)) for field in dataclasses.fields(config)]
    return ", ".join(f"{name}={value!r}" for name, value in pairs if value != getattr(defaults, name))


def _loaded_from(session: Session, name: str) -> str:
    """The argument of `load_model` as code; empty for the bundled model, which is found from any folder."""
    if name in session.registry.names and Path(session.registry.source(name)) == bundled.bundled_checkpoint():
        return ""
    return repr(model_source(session, name))


def model_source(session: Session, name: str) -> str:
    """The source for `load_model`: a hub address as it is, a file without the folders of this server."""
    source = session.registry.source(name)
    if source.startswith("hf://"):
        return source
    if is_timm(source):
        model, file = parse(source)
        return source if file is None else f"{PREFIX}{model}@checkpoints/{file.name}"
    path = PurePosixPath(source.replace(chr(92), "/"))
    if name in session.registry.names and path.parent.name == SNAPSHOTS:  # a snapshot of a run of the Train tab
        return "/".join(path.parts[-5:])  # runs/page/NAME/snapshots/FILE
    model = name.rpartition(SNAPSHOT_MARK)[0]
    if name in session.registry.names or model not in session.registry.names:
        return f"checkpoints/{path.name}"
    of_folder = Path(session.registry.source(model)).is_dir()
    return "/".join(["checkpoints", *path.parts[-3 if of_folder else -2 :]])
