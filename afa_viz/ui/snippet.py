"""Copy as Python: the lines that make the present view again, from public names only. No path of the server in them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import PurePosixPath

from afa_viz.config import ExplainConfig
from afa_viz.figures.maps import Cell
from afa_viz.trace import Trace
from afa_viz.ui.session import Request, Session

# tab -> what draws its main picture; other tabs get the whole strip
PICTURES = {
    "cam": "stages.cam(trace, {label})",
    "attention": "stages.attention(trace, {block}, {head}, {cell})",
    "affinity": "stages.affinity(trace, {cell})",
    "walk": "stages.cam_rw(trace, {label})",
    "par": "stages.cam_par(trace, {label})",
    "regions": "stages.regions(trace)",
    "seg": "stages.seg(trace)",
}


@dataclass(frozen=True)
class Look:
    """What is looked at: tab, label (1..C), query cell, block from 0, head from 0 or None for the mean of all."""

    tab: str
    label: int
    cell: Cell
    block: int
    head: int | None


def snippet(request: Request, trace: Trace, session: Session, look: Look) -> str:
    """A program that explains the same picture in the same way and saves what the tab shows."""
    source = session.code(request.picture)
    drawn = PICTURES.get(look.tab, "strip.strip(trace, {label}, {cell}, columns=5)")
    name = trace.class_names[look.label]
    drawn = drawn.format(
        label=f"trace.class_names.index({name!r})", block=look.block, head=look.head, cell=tuple(look.cell)
    )
    module = drawn.partition(".")[0]
    file = f"{look.tab if look.tab in PICTURES else 'strip'}.png"
    arguments = ["model", "image"]
    if request.labels is not None:
        arguments.append(f"labels={list(request.labels)!r}")
    config = changed(request.config)
    if config:
        arguments.append(f"config=afa_viz.ExplainConfig({config})")
    if source.target and trace.target is not None:
        arguments.append("target=target")
    figures = [module, "scores"] if trace.target is not None else [module]
    imports = [*source.imports, f"from afa_viz.figures import {', '.join(sorted(figures))}"]
    ours = sorted(line for line in imports if "afa_viz" in line)
    lines = [
        *(line for line in imports if line not in ours),
        "from PIL import Image",
        "",
        "import afa_viz",
        *ours,
        "",
        f"model = afa_viz.load_model({model_source(session, request.model)!r})",
        *source.lines,
        *([f"target = {source.target}"] if "target=target" in arguments else []),
        f"trace = afa_viz.explain({', '.join(arguments)})",
    ]
    if "target=target" in arguments:
        lines.append("print(scores.stage_scores(trace))")
    lines += [f"Image.fromarray({drawn}).save({file!r})", ""]
    return "\n".join(lines)


def changed(config: ExplainConfig) -> str:
    """The settings that are not the published ones, as arguments."""
    usual = ExplainConfig()
    pairs = [(field.name, getattr(config, field.name)) for field in dataclasses.fields(config)]
    return ", ".join(f"{name}={value!r}" for name, value in pairs if value != getattr(usual, name))


def model_source(session: Session, name: str) -> str:
    """What `load_model` takes: an address of the hub as it is, a file without the folders that lead to it."""
    source = session.registry.source(name)
    if source.startswith("hf://"):
        return source
    return f"checkpoints/{PurePosixPath(source.replace(chr(92), '/')).name}"
