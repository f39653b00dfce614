"""ES modules joined into one script: which forms it takes, what it refuses and in which words, and what runs."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from afa_viz.ui.page.bundle import BundleError, bundle, bundle_in_parts, ordered, read

node = pytest.mark.skipif(shutil.which("node") is None, reason="there is no node; the browser tests run a bundle too")


@pytest.fixture
def joined(tmp_path):
    """Write modules, by their names, and join them from `main.js` on."""

    def join(**modules: str) -> str:
        for name, text in modules.items():
            path = tmp_path / "explorer" / f"{name.replace('__', '/')}.js"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return bundle(tmp_path / "explorer", "main.js")

    return join


def run(expression: str, code: str = "JSON.stringify(main)") -> object:
    """What code makes of a bundle, run by node."""
    done = subprocess.run(
        ["node", "-e", f"const main = {expression};\nconsole.log({code});"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@node
def test_every_form_of_import_and_export(joined):
    script = joined(
        main="""
import { a, b as renamed, } from "./room/one.js";
import * as one from './room/one.js';
import "./room/effect.js"; // for what it does
import {
  later,
  Shape,
} from "./two.js";

const own = [a, renamed(), one.a, globalThis.effect, new Shape().area, one["b"]()];
export { own as values, later };
export const text = `import { not } from "code"; ${own.length} \\` \\${kept}`;
""",
        room__one="export const a = 1;\nexport function b() { return a + 1; }\n",
        room__effect="globalThis.effect = 'done';\n",
        two="""import { b } from "./room/one.js";
export class Shape { area = b() * 10; }
export async function later() { return 5; }
""",
    )
    assert run(script) == {"values": [1, 2, 1, "done", 20, 2], "text": 'import { not } from "code"; 6 ` ${kept}'}
    assert run(script, "JSON.stringify(typeof main.later)") == "function"


@node
def test_modules_run_once_in_the_order_of_their_imports_each_in_a_scope_of_its_own(joined):
    script = joined(
        main="""import "./b.js"; import "./a.js"; import "./b.js";
const name = "main"; globalThis.ran.push(name); export const ran = globalThis.ran;""",
        a="""import "./b.js";\nconst name = "a"; globalThis.ran.push(name);""",
        b="""const name = "b"; (globalThis.ran ??= []).push(name);""",
    )
    assert run(script) == {"ran": ["b", "a", "main"]}
    assert run(script, "JSON.stringify([typeof name, typeof done, typeof run])") == ["undefined"] * 3


@node
def test_a_module_is_strict(joined):
    assert run(joined(main="export const strict = (function () { return this === undefined; })();"))["strict"]


@node
def test_an_error_names_its_file_and_line(joined):
    script = joined(
        main='// head\nimport { fail } from "./room/deep.js";\nexport const stack = fail();\n',
        room__deep="""/* A comment
   of several lines. */

// and one more
// and another one


export function fail() {
  // here
  try { throw new Error("x"); } catch (error) { return error.stack; }
}
""",
    )
    stack = run(script)["stack"]
    assert re.search(r"fail \(afa-viz/room/deep\.js:10:\d+\)", stack), stack
    assert re.search(r"afa-viz/main\.js:3:\d+", stack), stack


@node
def test_code_without_spaces_and_comments_means_the_same(joined):
    text = r"""
const a = 6, g = 2, i = 3;
export const values = [
  a / g / i, // a division, no regular expression
  "// no comment", 'it\'s /* none */', `/* none */ ${ `${ "}" } // ${ a /* one */ + 1 }` }`,
  /[/"'`]\/(?:x|y)/g.test("'/x"), "a b".split(/ /).length, typeof /x/ , a + +g, a - -g, a++ + ++a,
  ((x) => { return /b+/.test(x); })("abb"), (a) / (g), [4][0] / 2, { in: 1 }.in / 2, "in" in { in: 1 },
  void 0 === undefined, new Date(0) / 1, `a
b`, (function* () { yield  1; })().next().value,
];
export function division(x) { return x /a/ g; }
let n = 1
;[n] = [2]
export const later = n
"""
    text = text.replace("a++ + ++a", "(() => { let k = 1; return k++ + ++k; })()")
    plain = re.sub(r"^export ", "", text, flags=re.MULTILINE)
    expected = run("{}", f"(() => {{ {plain} return JSON.stringify({{values, later, half: division(12)}}); }})()")
    found = run(joined(main=text), "JSON.stringify({values: main.values, later: main.later, half: main.division(12)})")
    assert found == expected and len(found["values"]) == 19


@node
def test_empty_lines_stay_empty_lines_whatever_else_is_there(joined):
    text = "export const at = '@5@';\nexport const lines = `a\n\n\n\n\nb`;\n"
    assert run(joined(main=text)) == {"at": "@5@", "lines": "a\n\n\n\n\nb"}
    assert run(joined(main="export const lines = `a\n\n\n\n\nb`;\n")) == {"lines": "a\n\n\n\n\nb"}


def test_a_line_of_a_bundle_is_the_line_of_its_file():
    source = (
        'import {\n  a,\n  b,\n} from "./x.js";\n\n/* one\ntwo */ const c = `\n`; // three\nexport { c };\nf(a, b);\n'
    )
    module = read("m.js", source)
    assert [at for at, line in enumerate(module.code.split("\n")) if "f(" in line] == [9]
    assert "one" not in module.code and "three" not in module.code and "  " not in module.code


def test_the_same_files_give_the_same_bundle(joined):
    modules = {"main": 'import { a } from "./a.js";\nf(a);\n', "a": "export const a = 1;\n"}
    assert joined(**modules) == joined(**modules)


REFUSED = {  # what main.js holds, and the sentence
    'import x from "./a.js";': r'main\.js, line 1: write imports as import \{ a, b as c \} from "\./x\.js"; or import',
    'import { a } from "./a.js"': r"main\.js, line 1: write imports as",  # no semicolon
    'import { a as default } from "./a.js";': r"'a as default' is not a name; write a or a as b",
    'import { a-b } from "./a.js";': r"'a-b' is not a name",
    'import { a } from "gradio";': r"'gradio' is no file beside this one; write \"\./x\.js\"",
    'import { a } from "./a";': r"'\./a' is no file beside this one",
    'import { a } from "../../a.js";': r"'\.\./\.\./a\.js' lies outside of the explorer's folder",
    'import { a } from "./none.js";': r"main\.js imports none\.js, but there is no such file below explorer/",
    'import { missing } from "./a.js";': r"main\.js imports missing from a\.js, which does not export it",
    'import { a } from "./a.js";\nimport { a } from "./a.js";': r"main\.js, line 2: a is imported twice; give one",
    'import { a } from "./a.js";\nimport * as a from "./a.js";': r"main\.js, line 2: a is imported twice",
    'import { a } from "./a.js";\nimport { b } from "./circle.js";': r"main\.js -> circle\.js -> main\.js; move",
    "\nexport default 1;": r"main\.js, line 2: export functions, classes and constants by their names",
    "export let a = 1;": r"main\.js, line 1: export functions, classes and constants",
    "export var a = 1;": r"main\.js, line 1: export functions",
    'export * from "./a.js";': r"main\.js, line 1: export functions",
    'export { a } from "./a.js";': r"main\.js, line 1: export functions",
    "export const { a } = b;": r"main\.js, line 1: export functions",
    "export const a = 1;\nexport { a };": r"main\.js, line 2: a is exported twice",
    "function f() {\n  return import(name);\n}": r"main\.js, line 2: import belongs at the top of a module",
    'function f() {\n  return import("./a");\n}': r"'\./a' is no file beside this one",
    "if (x) {\n  export const a = 1;\n}": r"main\.js, line 2: export belongs at the top of a module",
    'const a = await import("./a.js");': r"main\.js, line 1: a module cannot wait for another; load it inside",
    "const a = `never ends;": r"main\.js, line 1: a template literal does not end",
}


@pytest.mark.parametrize("main", REFUSED)
def test_what_it_does_not_take_it_refuses_in_a_sentence(joined, main):
    with pytest.raises(BundleError, match=REFUSED[main]) as refused:
        joined(main=main, a="export const a = 1;\n", circle='import "./main.js";\nexport const b = 1;\n')
    assert str(refused.value).endswith((".", ";")) and "\n" not in str(refused.value)


def test_words_that_only_look_like_module_syntax_are_code():
    source = 'const o = { a: x.import, b: y.export };\nreimport(exports, $export, "import");\n// import x from "y"\n'
    module = read("m.js", source)
    assert not module.imports and not module.exports and "x.import" in module.code


def test_each_module_comes_after_those_that_it_imports():
    explorer = Path(__file__).parents[2] / "afa_viz" / "ui" / "explorer"
    seen: set[str] = set()
    for module in ordered(explorer, "host/server.js", later=True):
        assert {name for name, _ in module.imports} <= seen, module.name
        seen.add(module.name)
    assert len(seen) > 70


LATER = {
    "main": """import { count } from "./shared.js";
export const open = () => import("./views/tab.js");
export const seen = () => count();""",
    "shared": "let n = 0;\nexport const count = () => ++n;",
    "views__tab": """import { count } from "../shared.js";
import { name } from "./part.js";
export const shown = () => name + count();""",
    "views__part": 'export const name = "tab ";',
}  # fmt: skip


@node
def test_a_module_that_is_imported_later_is_in_the_one_script(joined):
    shown = run(joined(**LATER), "JSON.stringify([main.seen(), typeof main.open().then])")
    assert shown == [1, "function"]


@node
def test_the_second_script_is_fetched_once_and_shares_what_the_first_has(joined, tmp_path):
    joined(**LATER)
    first, second = bundle_in_parts(tmp_path / "explorer", "main.js")
    assert "part.js" not in first and "shared.js" not in second
    browser = f"""
      let fetched = 0, fails = true;
      globalThis.afaLater = ["scripts/second.js"];
      globalThis.document = {{ createElement: () => ({{ remove() {{}} }}), head: {{ append(script) {{
        fetched++;
        if (fails) return setTimeout(() => script.onerror());
        if (script.src !== afaLater[0]) throw new Error(script.src);
        (0, eval)({json.dumps(second)});
        script.onload();
      }} }} }};
      const main = {first};
      (async () => {{
        const failure = await main.open().catch((error) => error.message); // and is asked for again
        fails = false;
        const [one, two] = await Promise.all([main.open(), main.open()]);
        const again = await main.open();
        console.log(JSON.stringify([failure, main.seen(), one.shown(), two.shown(), again === one, fetched]));
      }})();"""
    done = subprocess.run(["node", "-e", browser], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == ["a part of the page did not load", 1, "tab 2", "tab 3", True, 2]


@node
@pytest.mark.parametrize("order", [("tab", "tour"), ("tour", "tab")])
def test_each_later_script_is_fetched_when_it_is_needed_in_any_order(joined, tmp_path, order):
    joined(
        main="""export const tab = () => import("./views/tab.js");
export const tour = () => import("./guide/tour.js");""",
        views__tab='import { name } from "../shared.js"; export const said = `tab ${name}`;',
        guide__tour='import { step } from "./step.js"; export const said = `tour ${step}`;',
        guide__step="export const step = 1;",
        shared='export const name = "shared";',
    )
    scripts = bundle_in_parts(tmp_path / "explorer", "main.js", [("guide/",)])
    assert len(scripts) == 3 and "guide/step.js" not in scripts[1] and "shared.js" in scripts[1]
    browser = f"""
      const scripts = {json.dumps(scripts)}, fetched = [];
      globalThis.afaLater = [1, 2];
      globalThis.document = {{ createElement: () => ({{}}), head: {{ append(script) {{
        fetched.push(script.src);
        (0, eval)(scripts[script.src]);
        script.onload();
      }} }} }};
      const main = (0, eval)(scripts[0]);
      (async () => {{
        const said = [];
        for (const name of {json.dumps(order)}) said.push((await main[name]()).said);
        console.log(JSON.stringify([said, fetched]));
      }})();"""
    done = subprocess.run(["node", "-e", browser], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said, number = {"tab": "tab shared", "tour": "tour 1"}, {"tab": 1, "tour": 2}
    assert json.loads(done.stdout) == [[said[name] for name in order], [number[name] for name in order]]


def test_a_module_of_a_later_script_that_another_one_needs_is_named(joined, tmp_path):
    joined(
        main='export const open = () => [import("./views/tab.js"), import("./guide/tour.js")];',
        views__tab="export const a = 1;",
        guide__tour='import { a } from "../views/tab.js"; export { a };',
    )
    with pytest.raises(BundleError, match="guide/tour.js imports views/tab.js, which is in another later script"):
        bundle_in_parts(tmp_path / "explorer", "main.js", [("guide/",)])


def test_a_later_module_that_is_missing_is_named(joined):
    with pytest.raises(BundleError, match="main.js imports views/gone.js, but there is no such file"):
        joined(main='export const open = () => import("./views/gone.js");')


@node
def test_an_exported_class_may_extend_another(joined):
    script = joined(
        main='import { Base } from "./base.js";\nexport class Own extends Base {}\nexport const made = new Own();',
        base='export class Base { hello() { return "hello"; } }',
    )
    assert run(script, "JSON.stringify(main.made.hello())") == "hello"
