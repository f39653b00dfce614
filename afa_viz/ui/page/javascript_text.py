"""JavaScript as text: its comments, strings and code told apart, and code without needless spaces."""

from __future__ import annotations

import re
from collections.abc import Iterator

PIECE = re.compile(
    r"""(?P<comment>//[^\n]*|/\*[\s\S]*?\*/)|(?P<line>\n)
    |(?P<string>"(?:[^"\\\n]|\\[\s\S])*"|'(?:[^'\\\n]|\\[\s\S])*')|(?P<code>[^"'`/\n]+|[\s\S])""",
    re.VERBOSE,
)
REGEX = re.compile(r"/(?:[^/\\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+/\w*")
VALUE = re.compile(r"(?:[\w$)\]}\"'`])\s*$")  # what a division may follow, and a regular expression not
KEYWORD = re.compile(r"(?:^|[^\w$])(?:return|typeof|case|in|of|void|delete|throw|new|else|do|await)\s*$")
LONE_PARAMETER = re.compile(r"(?<![\w$])\((\w+)\)=>")
NEEDED_SPACE = re.compile(r"(?<=[\w$]) +(?=[\w$])|(?<=\+) +(?=\+)|(?<=-) +(?=-)")


class BundleError(ValueError):
    """Modules that cannot be joined; the message is one sentence."""


def place_of(name: str, source: str, start: int) -> str:
    return f"{name}, line {source.count(chr(10), 0, start) + 1}"


def pieces(source: str, name: str, at: int = 0) -> Iterator[tuple[str, int, int]]:
    """(kind, start, end) of everything in a source: comments, line ends, strings (also templates and regular
    expressions, each in one piece), and the code between them."""
    before = ""  # the last code or string of the line, or the line before
    while at < len(source):
        found = PIECE.match(source, at)
        assert found and found.lastgroup  # `code` takes any letter
        kind, end = found.lastgroup, found.end()
        if source[at] == "`":
            kind, end = "string", _end_of_template(source, name, at)
        elif found[0] == "/" and (not VALUE.search(before) or KEYWORD.search(before)):
            regex = REGEX.match(source, at)
            kind, end = ("string", regex.end()) if regex else (kind, end)
        yield kind, at, end
        if kind in ("code", "string") and not source[at:end].isspace():
            before = source[max(at, end - 20) : end]
        at = end


def _end_of_template(source: str, name: str, at: int) -> int:
    """The place after a template literal that begins at a place."""
    begins, at = at, at + 1
    while source[at : at + 1] != "`":
        if at >= len(source):
            raise BundleError(f"{place_of(name, source, begins)}: a template literal does not end.")
        if source[at] == "\\":
            at += 2
        elif source.startswith("${", at):
            at = _end_of_braces(source, name, at + 2)
        else:
            at += 1
    return at + 1


def _end_of_braces(source: str, name: str, at: int) -> int:
    """The place after the brace that closes one that was opened before a place."""
    depth = 1
    for kind, start, end in pieces(source, name, at):
        if kind != "code":
            continue
        for place in range(start, end):
            depth += (source[place] == "{") - (source[place] == "}")
            if not depth:
                return place + 1
    return len(source)


def depth_of(code: str) -> int:
    return sum(map(code.count, "{([")) - sum(map(code.count, "})]"))


def tight(code: str) -> str:
    """Code within one line, without needless spaces, and without the parentheses around a lone parameter."""
    short = NEEDED_SPACE.sub("\n", code).replace(" ", "").replace("\n", " ")
    return LONE_PARAMETER.sub(r"\1=>", short)
