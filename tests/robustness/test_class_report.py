"""The teacher's view: who may read it, what it holds, and that floods stay small. Over raw HTTP and on the counts."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from app_fixtures import prepare
from raw_http import ask

from afa_viz.lab import QUESTIONS
from afa_viz.ui.localization import texts
from afa_viz.ui.server.app import build, serve
from afa_viz.ui.server.class_report_page import document
from afa_viz.ui.server.routes import find_route
from afa_viz.ui.sessions.class_report import BURST, MAX_ANSWERS, MAX_ROWS, OTHER, RATE, Answered, ClassReport
from benchmarks.served_app import Page

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*no_silent_downcasting"),  # an option that gradio sets in pandas
    pytest.mark.filterwarnings("ignore:The copy keyword is deprecated"),  # of pandas, in gradio's counts of requests
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # event loops that the server leaves to the collector
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
AGENT = [("User-Agent", "Secret-Agent/7"), ("Cookie", "who=jane"), ("X-Forwarded-For", "203.0.113.9")]


@pytest.fixture(scope="module")
def served(tmp_path_factory) -> Iterator[SimpleNamespace]:
    """An app with the report; `test_routes.py` asks one without it."""
    page = build(dataclasses.replace(prepare(tmp_path_factory.mktemp("page")), class_report=True, warm=False))
    _, address, _ = serve(page, prevent_thread_lock=True, quiet=True, server_name="127.0.0.1")
    report = page.report
    assert report is not None
    yield SimpleNamespace(address=address.rstrip("/"), report=report, path=f"/class-report/{report.token}")
    page.demo.close(verbose=False)


def test_the_token_opens_it_and_nothing_else_does(served):
    good = ask(served.address, served.path)
    assert good.status == 200 and texts()["class_report.title"].encode() in good.body
    assert re.fullmatch(r"[\w-]{22}", served.report.token)
    token = served.report.token
    other = "A" if token[0] != "A" else "B"
    wrong = [
        other + token[1:], token[:-1], token + "A", token.swapcase(), "", "A" * 22, "%00" + token, token + "%00",
        token + "/", "../" + token, token[:-1] + "%2F", "é" * 22, "A" * 5000,
    ]  # fmt: skip
    replies = {name: ask(served.address, f"/class-report/{name}") for name in wrong}
    assert {reply.status for reply in replies.values()} <= {400, 404}
    assert all(token.encode() not in reply.body and len(reply.body) < 200 for reply in replies.values())
    assert json.loads(replies["A" * 22].body) == json.loads(ask(served.address, "/nothing").body)


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_it_can_only_be_read(served, method):
    body = b"{}" if method in ("POST", "PUT", "PATCH") else b""
    assert ask(served.address, served.path, method, body=body).status == 404
    assert find_route(method, served.path) is None and find_route("GET", served.path) is not None


def test_other_sites_cannot_show_or_read_it_and_nothing_keeps_it(served):
    reply = ask(served.address, served.path)
    headers = reply.headers
    assert headers["cache-control"] == "no-store" and headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff" and headers["cross-origin-resource-policy"] == "same-origin"
    assert b"<script" not in reply.body and b"http:" not in reply.body and b"https:" not in reply.body
    for more in ([("Origin", "http://evil.example")], [("Sec-Fetch-Site", "cross-site")]):
        assert ask(served.address, served.path, headers=more).status == 403
    assert ask(served.address, served.path, host="evil.example").status == 403


def test_answers_of_a_class_are_counted_and_nothing_of_who_gave_them(served):
    page = Page(served.address)
    (found,) = page.event("explain", [None, "example:scene0", None, {"num_iters": 1}, None])
    asked = {"key": found["key"], "step": "labels", "label": 6, "answer": "small", "reason": "most"}
    before = {key: sum(row.answers.values()) for key, row in served.report.rows().items()}
    body = {"data": asked | {"first": True, "name": "Jane", "visit": "me"}, "component_id": page.explorer,
            "fn_name": "lab_check", "session_hash": "janes-session"}  # fmt: skip
    sent = [("Content-Type", "application/json"), *AGENT]
    for _ in range(3):
        reply = ask(
            served.address, "/gradio_api/component_server", "POST", headers=sent, body=json.dumps(body).encode()
        )
        assert reply.status == 200
    page.ask("lab_check", **asked)  # a second try
    page.ask("lab_check", **asked | {"first": False})
    assert page.ask("lab_check", **asked | {"first": 1}) is None  # it does not fit, and is not counted
    rows = served.report.rows()
    key = ("labels", "scene0", "cat")
    assert sum(rows[key].answers.values()) - before.get(key, 0) == 3 and set(rows) - set(before) <= {key}
    shown = ask(served.address, f"{served.path}?question=labels").body.decode()
    assert "scene0" in shown and texts()["lab.labels.option_small"] in shown
    for secret in ("Jane", "janes-session", "Secret-Agent", "203.0.113.9", "127.0.0.1", found["key"]):
        assert secret not in shown and secret not in repr(rows)
    assert texts("ko")["class_report.title"] in ask(served.address, f"{served.path}?lang=ko").body.decode()


def test_equal_answers_at_the_same_time_count_each(served):
    page = Page(served.address)
    (found,) = page.event("explain", [None, "example:scene1", None, {"num_iters": 1}, None])
    asked = {"key": found["key"], "step": "walk", "label": 7, "answer": "same", "reason": "little", "first": True}
    with ThreadPoolExecutor(8) as pool:
        verdicts = list(pool.map(lambda _: page.ask("lab_check", **asked), range(16)))
    assert len({json.dumps(verdict) for verdict in verdicts}) == 1
    assert sum(served.report.rows()["walk", "scene1", "cow"].answers.values()) == 16


@pytest.mark.parametrize("query", ["lang=xx&question=none", "lang=%00", "question=" + "a" * 4000, "lang=ko&lang=en",
                                   "question=%3Cscript%3E", "x" * 2000, "question=labels%00", "%ff=%fe"])  # fmt: skip
def test_any_query_is_answered_and_none_is_repeated(served, query):
    reply = ask(served.address, f"{served.path}?{query}")
    assert reply.status == 200 and len(reply.body) < 30_000
    assert b"<script" not in reply.body and b"aaaaaaaaaa" not in reply.body and b"xxxxxxxxxx" not in reply.body


# --- the counts ------------------------------------------------------------------------------------------------------


class Clock:
    """Seconds that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def one(**more) -> Answered:
    return dataclasses.replace(Answered("walk", "scene0", "cow", "rises", True, "fills", True), **more)


def test_a_flood_is_not_counted_and_does_no_harm():
    clock = Clock()
    report = ClassReport(clock)
    for _ in range(5000):
        report.add(one())
    assert sum(report.rows()["walk", "scene0", "cow"].answers.values()) == BURST
    assert report.dropped == 5000 - BURST
    clock.now += 2
    for _ in range(100):
        report.add(one())
    assert sum(report.rows()["walk", "scene0", "cow"].answers.values()) == BURST + 2 * RATE
    assert f"{report.dropped:d}" in document(report)


def test_a_class_of_thirty_that_answers_at_once_is_counted():
    clock = Clock()
    report = ClassReport(clock)
    for _ in range(20):  # questions, one a minute
        for _ in range(30):
            report.add(one())
        clock.now += 60
    assert report.dropped == 0


def test_rows_answers_and_the_page_stay_bounded():
    clock = Clock()
    report = ClassReport(clock)
    for number in range(3 * MAX_ROWS):
        clock.now += 1
        report.add(one(image=f"image{number}", answer=f"code{number}" * 20))
    rows = report.rows()
    assert len(rows) == MAX_ROWS + 1 and len(rows["walk", OTHER, OTHER].answers) <= MAX_ANSWERS + 2
    assert sum(sum(row.answers.values()) for row in rows.values()) == 3 * MAX_ROWS
    assert len(document(report, opened="walk")) < 1_500_000 and len(document(report)) < 10_000


def test_names_of_a_data_set_are_escaped_and_those_of_photographs_unknown():
    report = ClassReport()
    evil = "<script>alert(1)</script>&\"'"
    report.add(one(image=evil, class_name=evil, answer=evil, reason=evil))
    report.add(one(image=OTHER, class_name=OTHER))
    shown = document(report, opened="walk")
    assert "<script" not in shown and "&lt;script&gt;" in shown and texts()["class_report.other"] in shown


@pytest.mark.parametrize("language", ["en", "ko", "xx"])
def test_every_question_is_shown_in_words(language):
    report = ClassReport()
    known = texts(language if language != "xx" else "en")
    for question in QUESTIONS:
        report.add(one(question=question.name, answer=(question.options or ("",))[0], reason=question.reasons[0]))
        shown = document(report, language, question.name)
        assert known[f"lab.{question.name}.title"] in shown and not re.search(
            r"\{\w+\}", re.sub(r"<style.*?</style>", "", shown)
        )
    assert document(report, language).count("<section") == len(QUESTIONS)


def test_two_reports_have_two_tokens():
    first, second = ClassReport(), ClassReport()
    assert first.token != second.token and first.is_token(first.token) and not first.is_token(second.token)
    assert not first.is_token("") and not first.is_token("é")
