"""The teacher's view of what a class answered in the lab: one page of counts, which its token opens.

Its address is unknown to everyone else: a wrong token is not found, as any other address is.
"""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from html import escape
from typing import Any
from urllib.parse import parse_qs

import anyio

from afa_viz.ui.localization import CLASS, ENGLISH, languages, texts
from afa_viz.ui.sessions.class_report import OTHER, ClassReport, Row

PATH = "/class-report/"
SECONDS = 15  # until the page is renewed
HEADERS = [
    (b"content-type", b"text/html; charset=utf-8"), (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"), (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'"),
]  # fmt: skip
STYLE = """:root{color-scheme:light dark}
body{font:16px/1.45 system-ui,sans-serif;max-width:60rem;margin:1.5rem auto;padding:0 1rem}h1{font-size:1.4rem}
section{border-top:1px solid #8886;padding:.5rem 0}header{display:flex;flex-wrap:wrap;gap:.2rem 1.2rem}
header b{flex:1 1 16rem}a{color:inherit}meter{width:6rem}h2{font-size:1rem;margin:.9rem 0 .2rem}
table{border-collapse:collapse;width:100%;max-width:46rem;margin:0 0 .6rem}caption{text-align:left;font-style:italic}
td{padding:.1rem .5rem .1rem 0;vertical-align:top}td:first-child{width:3.5rem;text-align:right}.right{font-weight:700}
p{max-width:46rem}"""

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class ClassReportPage:
    """ASGI middleware that answers with the report at its address and passes everything else on.

    Args:
        app: the next application.
        report: what is shown; None: nothing is, and every address is passed on.
    """

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]], report: ClassReport | None) -> None:
        self._app, self._report = app, report

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        report = self._report
        if scope["type"] != "http" or report is None or not _opens(report, scope["path"]):
            await self._app(scope, receive, send)
            return
        asked = parse_qs(scope["query_string"].decode("latin-1"))
        language, opened = (asked.get(name, [""])[0] for name in ("lang", "question"))
        body = (await anyio.to_thread.run_sync(document, report, language, opened)).encode()
        headers = [*HEADERS, (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def _opens(report: ClassReport, path: str) -> bool:
    return path.startswith(PATH) and report.is_token(path.removeprefix(PATH))


def address(report: ClassReport) -> str:
    """Where the report is below the root of the app."""
    return PATH + report.token


def document(report: ClassReport, language: str = ENGLISH, opened: str = "") -> str:
    """The page as HTML; everything that comes from a data set is escaped.

    Args:
        language: of its words; English for an unknown one.
        opened: name of the question whose answers are listed; "" or an unknown one: none is.
    """
    language = language if language in languages() else ENGLISH
    words = texts(language)
    keys = ("class_report.title", "class_report.intro", "class_report.empty", "class_report.dropped")
    title, intro, empty, dropped = (escape(words[key]) for key in keys)
    questions: dict[str, dict[tuple[str, str], Row]] = {}
    for (question, image, name), row in report.rows().items():
        questions.setdefault(question, {})[image, name] = row
    order = [key.split(".")[1] for key in words if re.fullmatch(r"lab\.\w+\.title", key)]
    parts = [
        _question(words, language, question, questions[question], question == opened)
        for question in sorted(questions, key=order.index)
    ]
    if not parts:
        parts.append(f"<p>{empty}</p>")
    if report.dropped:
        parts.append(f"<p>{dropped.format(count=report.dropped)}</p>")
    others = " ".join(
        f'<a href="?lang={code}" lang="{code}">{escape(texts(code)["language.name"])}</a>'
        for code in languages()
        if code != language
    )
    began = time.strftime("%H:%M", time.localtime(report.began))
    return (
        f'<!DOCTYPE html>\n<html lang="{language}"><head><meta charset="utf-8"><meta name="viewport" '
        f'content="width=device-width"><meta http-equiv="refresh" content="{SECONDS}"><meta name="robots" '
        f'content="noindex"><title>{title}</title><style>{STYLE}</style></head><body>'
        f"<p>{others}</p><h1>{title}</h1><p>{intro.format(time=began, seconds=SECONDS)}</p>"
        f"{''.join(parts)}</body></html>\n"
    )


def _question(
    words: dict[str, str], language: str, question: str, rows: dict[tuple[str, str], Row], is_open: bool
) -> str:
    """One question: how many answers are right, and where it is opened the answers about every image and class."""
    shares = []
    for kind, key in (("answers", "class_report.right"), ("reasons", "class_report.reason_right")):
        right, total = _count(pair for row in rows.values() for pair in getattr(row, kind).items())
        meter = f'<meter max="1" value="{right / max(1, total):.3f}"></meter>'
        shares.append(f"<span>{escape(words[key])} {meter} {right} / {total}</span>")
    link = f"?lang={language}" + ("" if is_open else f"&amp;question={question}#{question}")
    title = f'<b><a href="{link}">{escape(words[f"lab.{question}.title"])}</a></b>'
    details = "".join(_row(words, question, image, name, row) for (image, name), row in sorted(rows.items()))
    return f'<section id="{question}"><header>{title}{"".join(shares)}</header>{details if is_open else ""}</section>'


def _row(words: dict[str, str], question: str, image: str, name: str, row: Row) -> str:
    """The answers and reasons about one class of one image."""
    because = words.get(f"lab.{question}.because", words["lab.because"])
    tables = "".join(
        f"<table><caption>{escape(_filled(words, caption, name))}</caption>"
        f"{_lines(words, question, kind, counts, name)}</table>"
        for kind, caption, counts in (
            ("option", words["class_report.answers"], row.answers), ("reason", because, row.reasons),
        )
        if counts
    )  # fmt: skip
    return f"<h2>{escape(_about(words, image, name))}</h2>{tables}"


def _count(pairs: Iterable[tuple[tuple[str, bool], int]]) -> tuple[int, int]:
    """How many are right, and how many there are."""
    listed = list(pairs)
    return sum(count for (_, is_right), count in listed if is_right), sum(count for _, count in listed)


def _about(words: dict[str, str], image: str, name: str) -> str:
    if image == OTHER:
        return words["class_report.other"]
    title = words.get(f"example.{image}.title", image)
    return words["class_report.about"].format(image=title, name=words.get(f"{CLASS}{name}", name))


def _filled(words: dict[str, str], text: str, name: str, code: str = "") -> str:
    """A text with the name of a class, and a code, in their places."""
    return text.replace("{code}", code).replace("{name}", words.get(f"{CLASS}{name}", name))


def _lines(words: dict[str, str], question: str, kind: str, counts: dict[tuple[str, bool], int], name: str) -> str:
    """One line for each code, most frequent first; right ones are bold."""
    lines = []
    for (code, is_right), count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        said = option_text(words, question, kind, code, name)
        mark = words["class_report.right"] if is_right else ""
        attribute = ' class="right"' if is_right else ""
        lines.append(f"<tr{attribute}><td>{count}</td><td>{escape(said)}</td><td>{escape(mark)}</td></tr>")
    return "".join(lines)


def option_text(words: dict[str, str], question: str, kind: str, code: str, name: str) -> str:
    """An option or a reason in words, as the page has them; `kind`: "option" or "reason"."""
    if not code:
        return words["class_report.unlisted"]
    keys = (f"lab.{question}.{kind}_{code}", f"lab.{question}.{kind}", f"lab.{kind}.{code}")
    return _filled(words, next((words[key] for key in keys if key in words), code), name, code)
