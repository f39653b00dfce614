"""The words of the page: one file a language, English first; fragments are filled in English and say where each word
comes from, so that the browser can put another language in its place."""

from __future__ import annotations

import json
import re
from functools import cache
from html import escape
from pathlib import Path

FOLDER = Path(__file__).parent / "texts"
ENGLISH = "en"
KEY = r"\{\{([\w.]+)\}\}"
ATTRIBUTE = re.compile(rf'([\w-]+)="{KEY}"')
ALONE = re.compile(rf"(<(?!input\b|img\b|br\b)[a-z]\w*(?:\s[^<>]*)?)>\s*{KEY}\s*(?=</)")
AMONG_OTHERS = re.compile(KEY)
MARKUP = ("_html", "equation")  # how keys end whose texts are HTML already
PLACED = (".intro", *MARKUP)  # and those that only fragments need, no script
CLASS = "class."  # before the names of classes, which are English themselves
CLASS_REPORT = "class_report."  # before what only the teacher's view says
SITE = "site."  # before what only a page without a server says
ON_DEVICE = "device."  # before what the app says in place of a text of SITE, where a visitor's browser explains
ELSEWHERE = (CLASS_REPORT, ON_DEVICE)  # no text of the page under these keys
LATER = {  # and what the app loads when it is first opened, by the script that says it
    "tabs": re.compile(r"(?:mask|photo|zoom)\."),
    "more": re.compile(r"(?:tour|present|undo|none|glossary)\."),
    "lab": re.compile(r"lab\.\w+\.(?!title$)"),  # questions; an address may name one, so their titles are there at once
    "pipeline": re.compile(r"pipeline\.(?:op_|back$|expand$)"),
    "edits": re.compile(r"(?:heads|path|walkpath|across|edits)\."),
    "device": re.compile(re.escape(SITE)),
}


@cache
def texts(language: str = ENGLISH) -> dict[str, str]:
    """Every sentence of the page in a language, by its key."""
    return json.loads((FOLDER / f"{language}.json").read_text(encoding="utf-8"))


@cache
def languages() -> tuple[str, ...]:
    """Codes of the languages that there are, English first. What another one lacks is said in English."""
    others = sorted(path.stem for path in FOLDER.glob("*.json") if path.stem != ENGLISH)
    return (ENGLISH, *others)


def error_message(key: str, **places: object) -> str:
    """A sentence as the server says it, its places filled in. The browser says it again in the page's language."""
    return texts()[key].format(**places)


def _is_later(key: str) -> bool:
    return any(pattern.match(key) for pattern in LATER.values())


def script_texts(standalone: bool = False) -> dict[str, str]:
    """The English texts that scripts say; those of a page without a server only if it is one."""
    return {
        key: text
        for key, text in texts().items()
        if (not key.endswith(PLACED) or _is_later(key)) and not key.startswith((CLASS, *ELSEWHERE))
        and (standalone or not _is_later(key))
    }  # fmt: skip


def translations(standalone: bool = False) -> dict[str, dict[str, str]]:
    """All texts of the other languages; those of a page without a server only if it is one."""
    return {
        language: {
            key: text
            for key, text in texts(language).items()
            if not key.startswith(ELSEWHERE) and (standalone or not _is_later(key))
        }
        for language in languages()[1:]
    }


def later_texts(script: str) -> dict[str, dict]:
    """The English texts that the app loads with a later script, and those of the other languages.

    What is in `ON_DEVICE` comes under the keys of `SITE`.
    """
    first, *others = (
        {
            key: texts(language).get(key.replace(SITE, ON_DEVICE, 1), text)
            for key, text in texts(language).items()
            if LATER[script].match(key)
        }
        for language in languages()
    )
    return {"texts": first, "languages": dict(zip(languages()[1:], others, strict=True))}


def display_names(language: str) -> dict[str, str]:
    """What classes and pictures are called in a language, by their English names."""
    own = {} if language == ENGLISH else texts(language)
    titled = (key for key in own if key.startswith("example.") and key.endswith(".title") or key == "side.own_title")
    return {
        **{key.removeprefix(CLASS): word for key, word in own.items() if key.startswith(CLASS)},
        **{texts()[key]: own[key] for key in titled},
    }


def _text(key: str) -> str:
    if key not in texts():
        raise KeyError(f"{key} is not in {ENGLISH}.json; add the text there.")
    return texts()[key] if key.endswith(MARKUP) else escape(texts()[key])


def fill_template(html: str) -> str:
    """A fragment with its `{{key}}` replaced by English texts; keys that end like `MARKUP` are HTML already.

    Beside each text stands its key: `data-words` on the element that holds it alone, or on one made for it;
    `data-words-NAME` beside the attribute NAME.

    Raises: KeyError: for a key without a text; its message names the key.
    """

    def wrapped(found: re.Match) -> str:
        tag = "div" if found[1].endswith("_html") else "span"
        return f'<{tag} data-words="{found[1]}">{_text(found[1])}</{tag}>'

    html = ATTRIBUTE.sub(lambda found: f'{found[1]}="{_text(found[2])}" data-words-{found[1]}="{found[2]}"', html)
    html = ALONE.sub(lambda found: f'{found[1]} data-words="{found[2]}">{_text(found[2])}', html)
    return AMONG_OTHERS.sub(wrapped, html)
