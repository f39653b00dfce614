"""ES modules joined into one script that needs no loader: it also runs from a file on the disk.

Modules are put in the order of their imports, each in a function scope of its own that returns what it exports. Each is
evaluated under its own name (`sourceURL`), so stack traces and developer tools name its file and, since no line is
removed, its line. Comments and spaces stay behind.

`import("./x.js")` loads a module when it is first needed. Such modules, and what they alone need, may be scripts of
their own, each of which the browser fetches then.

What a module may write, and nothing else of the module syntax:
    import { a, b as c } from "./x.js";    import * as x from "../room/x.js";    import "./x.js";    import("./x.js")
    export function f() {}    export async function f() {}    export class C {}
    export const a = 1;    export { a, b as c };
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from afa_viz.ui.page.javascript_text import BundleError, depth_of, pieces, place_of, tight

IMPORT = re.compile(
    r'import\s*(?:(?:\{(?P<names>[^{}]*)\}|\*\s*as\s+(?P<whole>[\w$]+))\s*from\s*)?(?P<quote>["\'])(?P<path>[^"\']+)(?P=quote)\s*;'
)
LATER = re.compile(r'import\(\s*(?P<quote>["\'])(?P<path>[^"\']+)(?P=quote)\s*\)')
DECLARED = re.compile(r"export\s+(?P<kept>(?:async\s+function|function|class|const)\s+(?P<name>[\w$]+))")
LISTED = re.compile(r"export\s*\{(?P<names>[^{}]*)\}\s*;")
NAME = re.compile(r"(?P<name>[A-Za-z_$][\w$]*)(?:\s+as\s+(?P<other>[A-Za-z_$][\w$]*))?")
STATEMENT = re.compile(r"(?<![\w$.])(?:import|export)(?![\w$])")
EMPTY_LINES = re.compile(r"\n{2,}")


@dataclass
class Module:
    """One file: its name below the root, its code without module syntax, what it imports and exports."""

    name: str
    code: str
    imports: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    """(module, names that it must export), in the order of the file."""
    exports: dict[str, str] = field(default_factory=dict)
    """Exported name -> name inside the module."""
    later: list[str] = field(default_factory=list)
    """Modules that it loads when they are first needed."""


def bundle(root: Path, entry: str) -> str:
    """A JavaScript expression: runs all modules that `entry` needs, and is the object of what `entry` exports.

    Args:
        root: the folder that holds all modules.
        entry: a path below it, with slashes.
    Raises: BundleError: for a file that is missing, syntax beyond the forms above, a name that a module does not
        export, or modules that import each other in a circle.
    """
    modules = ordered(root, entry, later=True)
    return _joined(modules, entry, _runs(modules, {}))


def bundle_in_parts(root: Path, entry: str, folders: Sequence[tuple[str, ...]] = ()) -> list[str]:
    """As `bundle`, but what is loaded later is in scripts of its own.

    The first script fetches a later one from its address in the list `globalThis.afaLater`.

    Args:
        folders: one entry per later script beyond the first of them: how names of its modules begin.
    Returns: expression, then the later scripts.
    Raises: BundleError: as `bundle`, or if a later script needs a module of another one.
    """
    first, whole = ordered(root, entry), ordered(root, entry, later=True)

    def part(name: str) -> int:
        """0: the module is in the first script."""
        if any(module.name == name for module in first):
            return 0
        return next((place for place, starts in enumerate(folders, 2) if name.startswith(starts)), 1)

    whole.sort(key=lambda module: part(module.name))  # stable: each still comes after those that it imports
    for module in whole:
        for other, _ in module.imports:
            if part(other) not in (0, part(module.name)):
                raise BundleError(f"{module.name} imports {other}, which is in another later script; load it later.")
    runs = _runs(whole, {module.name: part(module.name) - 1 for module in whole})
    scripts = [_joined(whole, entry, runs[: len(first)])]
    for place in range(1, len(folders) + 2):
        own = [number for number, module in enumerate(whole) if part(module.name) == place]
        start = own[0] if own else len(whole)
        scripts.append("\n".join([f"afaAdd({start},run=>{{", *(runs[number] for number in own), "});\n"]))
    return scripts


def _joined(modules: list[Module], entry: str, runs: list[str]) -> str:
    """A script that runs modules; its value is what `entry` exports."""
    place = [module.name for module in modules].index(entry)
    return "\n".join([_PRELUDE, *runs, f"return done[{place}]}})()"])


def _runs(modules: list[Module], parts: Mapping[str, int]) -> list[str]:
    """A statement for each module that runs it.

    Args:
        parts: of later modules the place of their script in `globalThis.afaLater`.
    """
    numbers = {module.name: number for number, module in enumerate(modules)}
    return [f'run("{module.name}",{_template(_body(module, numbers, parts))});' for module in modules]


# `later`: the module of a number, where need be after its script, which hands its modules to `afaAdd`
_PRELUDE = """(()=>{"use strict";const done=[],coming=[];let next=0;
const later=async(number,part)=>{if(!(number in done))await(coming[part]??=new Promise((loaded,failed)=>{
const script=document.createElement("script");
globalThis.afaAdd=(start,add)=>{next=start;add(run)};
script.onload=loaded;
script.onerror=()=>{coming[part]=null;script.remove();failed(new Error("a part of the page did not load"))};
script.src=globalThis.afaLater[part];
document.head.append(script)}));
return done[number]};
const run=(name,code)=>{
const lines=code.replace(/@(\\d*)@/g,(_,count)=>count?"\\n".repeat(count):"@");
done[next++]=(0,eval)(`($m,$later)=>{"use strict";${lines}\\n}\\n//# sourceURL=afa-viz/${name}`)(done,later)};"""


def ordered(root: Path, entry: str, later: bool = False) -> list[Module]:
    """The modules that `entry` needs, each after those that it imports.

    Args:
        later: with those that are loaded when they are first needed.
    Raises: BundleError: as `bundle`.
    """
    done: dict[str, Module] = {}
    path: list[str] = []

    def visit(name: str, by: str) -> None:
        if name in path:
            circle = " -> ".join([*path[path.index(name) :], name])
            raise BundleError(
                f"These modules import each other in a circle: {circle}; move what they share to a third."
            )
        if name in done:
            return
        file = root / name
        if not file.is_file():
            raise BundleError(f"{by} imports {name}, but there is no such file below {root.name}/.")
        module = read(name, file.read_text(encoding="utf-8"))
        path.append(name)
        for other, names in module.imports:
            visit(other, name)
            for missing in [one for one in names if one not in done[other].exports]:
                raise BundleError(f"{name} imports {missing} from {other}, which does not export it.")
        path.pop()
        done[name] = module

    visit(entry, "The page")
    waiting = list(done.values()) if later else []
    for module in waiting:  # grows while it is read
        for other in module.later:
            visit(other, module.name)
        waiting += [one for one in done.values() if one not in waiting]
    return list(done.values())


def read(name: str, source: str) -> Module:
    """One module from its text; the lines of its code are those of the text. Raises: BundleError: as `bundle`."""
    module = Module(name, "")
    depth, skip_to = 0, 0
    bound: set[str] = set()
    parts: list[str] = []  # finished: strings, lines, code without needless spaces
    code = ""  # since the last of them
    for kind, start, end in pieces(source, name):
        start = max(start, skip_to)
        while kind == "code" and (found := STATEMENT.search(source, start, end)):
            depth += depth_of(source[start : found.start()])
            where = place_of(name, source, found.start())
            if dynamic := LATER.match(source, found.start()):
                if not depth and source[: found.start()].rstrip().endswith("await"):
                    raise BundleError(f"{where}: a module cannot wait for another; load it inside a function.")
                other = _resolved(name, dynamic["path"], where)
                module.later.append(other)
                code += f"{source[start : found.start()]}$later(\0{other}\0)"
                skip_to = start = dynamic.end()
                continue
            if depth:
                raise BundleError(f"{where}: {found[0]} belongs at the top of a module, on a line of its own.")
            code += source[start : found.start()]
            skip_to, instead = _statement(module, bound, source, found.start(), where)
            parts += [tight(code), instead]
            code, start = "", skip_to
            if instead and source[skip_to : skip_to + 1] == " " and (instead[-1].isalnum() or instead[-1] in "_$"):
                parts.append(" ")  # between a declared name and `extends`
        if start >= end:
            continue
        text = source[start:end]
        if kind == "code":
            depth += depth_of(text)
            code += text
        elif kind == "comment" and "\n" not in text:
            code += " "
        else:
            parts += [tight(code), "\n" * text.count("\n") if kind == "comment" else text]
            code = ""
    parts.append(tight(code))
    module.code = "".join(parts).rstrip("\n")
    return module


def _statement(module: Module, bound: set[str], source: str, start: int, where: str) -> tuple[int, str]:
    """Where an import or export ends, and what stands in its place."""
    if source.startswith("import", start):
        found = IMPORT.match(source, start)
        if not found:
            raise BundleError(
                f'{where}: write imports as import {{ a, b as c }} from "./x.js"; or import * as x from "./x.js";'
            )
        other = _resolved(module.name, found["path"], where)
        pairs = _names(found["names"] or "", where)
        module.imports.append((other, tuple(name for name, _ in pairs)))
        for local in [own for _, own in pairs] + ([found["whole"]] if found["whole"] else []):
            if local in bound:
                raise BundleError(f"{where}: {local} is imported twice; give one of them another name with `as`.")
            bound.add(local)
        target = f"\0{other}\0"  # until the modules have numbers
        taken = ",".join(name if name == own else f"{name}:{own}" for name, own in pairs)
        code = f"const {found['whole']}={target};" if found["whole"] else f"const{{{taken}}}={target};" if taken else ""
        return found.end(), code + "\n" * found[0].count("\n")
    found = DECLARED.match(source, start)
    if found:
        _export(module, found["name"], found["name"], where)
        return found.end(), found["kept"]
    found = LISTED.match(source, start)
    if not found:
        raise BundleError(
            f"{where}: export functions, classes and constants by their names, or as export {{ a, b as c }};"
        )
    for own, outside in _names(found["names"], where):
        _export(module, outside, own, where)
    return found.end(), "\n" * found[0].count("\n")


def _export(module: Module, outside: str, own: str, where: str) -> None:
    if outside in module.exports:
        raise BundleError(f"{where}: {outside} is exported twice.")
    module.exports[outside] = own


def _names(listed: str, where: str) -> list[tuple[str, str]]:
    """(name, name after `as`) of each part of a list in braces."""
    pairs = []
    for part in filter(None, (part.strip() for part in listed.split(","))):
        found = NAME.fullmatch(part)
        if not found or "default" in (found["name"], found["other"]):
            raise BundleError(f"{where}: {part!r} is not a name; write a or a as b.")
        pairs.append((found["name"], found["other"] or found["name"]))
    return pairs


def _resolved(name: str, path: str, where: str) -> str:
    if not path.startswith(("./", "../")) or not path.endswith(".js"):
        raise BundleError(f'{where}: {path!r} is no file beside this one; write "./x.js" or "../room/x.js".')
    parts: list[str] = list(PurePosixPath(name).parent.parts)
    for part in PurePosixPath(path).parts:
        if part == ".." and not parts:
            raise BundleError(f"{where}: {path!r} lies outside of the explorer's folder.")
        if part == "..":
            parts.pop()
        elif part != ".":
            parts.append(part)
    return "/".join(parts)


def _body(module: Module, numbers: dict[str, int], parts: Mapping[str, int]) -> str:
    """The function body of a module: its code, with other modules by their numbers, and what it exports."""
    code = re.sub(
        r"\$later\(\0([^\0]+)\0\)",
        lambda found: f"$later({numbers[found[1]]},{parts.get(found[1], 0)})",
        module.code,
    )
    code = re.sub(r"\0([^\0]+)\0", lambda found: f"$m[{numbers[found[1]]}]", code)
    exported = ",".join(name if name == own else f"{name}:{own}" for name, own in module.exports.items())
    body = f"{code}\nreturn{{{exported}}}"
    # lines that comments have left empty, as their number: `run` puts them back
    return EMPTY_LINES.sub(lambda found: f"@{len(found[0])}@", body.replace("@", "@@"))


def _template(code: str) -> str:
    """The code as a template literal."""
    return "`" + re.sub(r"[\\`]|\$(?=\{)", lambda found: "\\" + found[0], code) + "`"
