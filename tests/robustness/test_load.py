"""The simulated classroom: students get what they asked for, and a mixed-up answer is noticed."""

from __future__ import annotations

import json
import time

import pytest
from app_fixtures import launched, open_session, prepare

from benchmarks.load import fill_caches, measurements_of, p95, table
from benchmarks.served_app import Page
from benchmarks.students import Expected, Student

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*no_silent_downcasting"),  # an option that gradio sets in pandas
    pytest.mark.filterwarnings("ignore:The copy keyword is deprecated"),  # of pandas, in gradio's counts of requests
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # event loops that the server leaves to the collector
]


@pytest.fixture(scope="module")
def classroom(tmp_path_factory):
    options = prepare(tmp_path_factory.mktemp("page"))
    expected = Expected(open_session(options))
    expected.prepare()
    with launched(options) as address:
        yield address.rstrip("/"), expected


@pytest.mark.slow
def test_students_get_what_they_asked_for(classroom):
    address, expected = classroom
    assert fill_caches(address, expected) == len(expected.labels)
    students = [Student(n, address, expected, time.time() + 3, pause=0.1) for n in range(3)]
    for student in students:
        student.start()
    for student in students:
        student.join(60)
    assert [error for student in students for error in student.errors] == []
    assert {action for student in students for action in student.times} == {"example", "threshold", "attention", "lab"}


def test_a_mixed_up_answer_is_noticed(classroom):
    address, expected = classroom
    page = Page(address)
    student = Student(0, address, expected, 0, 0)
    data = [expected.model, *student.settings()]
    value = json.loads(page.event("open_example", data, {"index": 1, "value": None, "selected": True})[0])
    expected.check(value, 1, 0.35)
    with pytest.raises(AssertionError, match="got another explanation"):
        expected.check(value, 0, 0.35)
    with pytest.raises(AssertionError, match="got another explanation"):
        expected.check(value, 1, 0.4)
    other = expected.request(0, 0.35)
    value["key"] = other.key  # named like one picture, drawn like another
    with pytest.raises(AssertionError, match="of the pseudo label as expected"):
        expected.labels[other.key] = 255 - expected.labels[other.key]
        expected.check(value, 0, 0.35)


def test_the_report_says_what_counts():
    assert p95([float(i) for i in range(1, 101)]) == 95 and p95([3.0]) == 3
    where = {
        "commit": "1234567890abcdef", "uncommitted_changes": False, "cpu": "x", "cpu_capability": "y", "threads": 1,
        "cores": 2, "torch": "3",
    }  # fmt: skip
    rows = [{"action": "example", "samples": [0.1, 0.2], "median": 0.15, "p95": 0.2}]
    report = {
        "machine": where,
        "students": 2,
        "opened_before": 10,
        "seconds": 5,
        "rows": rows,
        "errors": ["lab: x"],
        "growth": [
            {"name": "memory", "unit": "MB", "start": 1.0, "mean": 2.0, "highest": 3.0, "a_minute": 0.5,
             "standard_error": 0.1, "met": False},
        ],
    }  # fmt: skip
    text = table(report)
    assert "1 errors or mixed-up answers" in text and "200 ms" in text and "lab: x" in text
    assert "| MB | 1 | 2 | 3 | +0.500 ± 0.100 | no |" in text
    assert [figure.met for figure in measurements_of(report)] == [False, True, False]
