"""The Train tab in a real browser: start, see the curve move, stop, resume, explain with what was learned."""

from __future__ import annotations

import dataclasses
import os
import re
import signal
import time

import pytest
from app_fixtures import launched, prepare
from browser import (  # noqa: F401  (fixtures)
    Page,
    browser,
    expect,
    keep_picture,
    key,
    recomputed,
    small_targets,
    tab,
    visit,
)
from browser import pytestmark as marks

from afa_viz.ui.jobs.trainer import Trainer

pytestmark = [*marks, pytest.mark.slow]
SMALL = ("--config", "few_seconds", "--threads", "1", "--eval-images", "2", "--eval-every", "20")
SLOW = 120_000  # milliseconds until a training has come up; a test machine may be busy
CHARTS_WITH_NUMBERS = """(box) => [...box.querySelectorAll("figure:not([hidden])")].every((figure) =>
  figure.querySelector("figcaption").textContent)"""  # axes alone say nothing
LAST = """(figure) => figure.querySelector(".js-plotly-plot").data[0].x.at(-1)"""
PANEL = '[role=tabpanel][data-tab="train"]'


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("page")


@pytest.fixture(scope="module")
def address(folder):
    options = dataclasses.replace(
        prepare(folder), train=True, runs=folder / "runs", cache=folder / "cache", train_arguments=SMALL
    )
    with launched(options) as served:
        yield served
    trainer = Trainer(folder / "runs", folder / "cache")
    if (active := trainer.active_run()) is not None:
        os.kill(active.status.pid, signal.SIGKILL)


def state(page: Page, *wanted: str) -> None:
    """Wait until the training that is looked at is in one of these states."""
    expect(page.locator(PANEL)).to_have_attribute("data-run", re.compile("|".join(wanted)), timeout=SLOW)


def press(page: Page, name: str) -> None:
    page.locator(f'{PANEL} [data-do="{name}"]').click()


def drawn(page: Page) -> None:
    """Wait until the losses of some steps are drawn."""
    expect(page.locator(f'{PANEL} [data-chart="losses"]')).to_have_attribute("data-chart-state", "drawn", timeout=SLOW)


def test_start_stop_resume_and_explain_with_it(visit, folder):  # noqa: F811
    page = visit()
    tab(page, "train")
    expect(page.locator(f'{PANEL} [data-for="run"]')).to_be_hidden()
    expect(page.locator(f"{PANEL} [data-choice=start] option")).to_have_count(1)  # no bundled weights in this folder
    page.locator(f"{PANEL} [data-choice=iterations]").fill("400")
    page.locator(f"{PANEL} [data-choice=pooling]").select_option("max")
    press(page, "start")
    state(page, "rendering", "training")
    assert page.locator(f"{PANEL} .afa-curves").evaluate(CHARTS_WITH_NUMBERS)
    press(page, "start")  # a second one is refused, in a sentence
    expect(page.locator(f"{PANEL} [data-fill=refusal]")).to_contain_text("already running", timeout=30_000)
    drawn(page)
    losses = page.locator(f'{PANEL} [data-chart="losses"]')
    last = losses.evaluate(LAST)
    page.wait_for_function(f"(figure) => ({LAST})(figure) > {last}", arg=losses.element_handle(), timeout=SLOW)
    expect(page.locator(f"{PANEL} [data-fill=state]")).to_contain_text(re.compile(r"Iteration \d+ of 400"))

    press(page, "stop")
    state(page, "stopped")
    expect(page.locator(f"{PANEL} [data-do=resume]")).to_be_visible()
    words = page.locator(f"{PANEL} [data-fill=state]").inner_text()
    stopped_at = int(re.search(r"at iteration (\d+) of 400", words)[1])
    assert 0 < stopped_at < 400

    page.close()  # whatever the page knew is lost; another one finds the run
    page = visit()
    tab(page, "train")
    state(page, "stopped")
    expect(page.locator(f"{PANEL} [data-do=run] option")).to_contain_text("1: Two minutes from scratch, max (stopped)")
    press(page, "resume")
    state(page, "training")
    expect(page.locator(f"{PANEL} [role=progressbar]")).not_to_have_attribute("aria-valuenow", "0")
    page.wait_for_function(
        """([panel, at]) => Number(document.querySelector(`${panel} [data-fill=state]`).textContent
             .match(/Iteration (\\d+) of/)?.[1] ?? 0) > at""",
        arg=[PANEL, stopped_at],
        timeout=SLOW,
    )
    press(page, "stop")
    state(page, "stopped")

    before = key(page)
    slider = page.locator(f"{PANEL} [data-do=iteration]")
    slider.focus()
    page.keyboard.press("Home")
    expect(page.locator(PANEL)).to_have_attribute("data-iteration", "0")
    assert "every stage for aeroplane, boat, cow" in page.locator(f"{PANEL} [data-view=panel]").get_attribute("alt")
    page.keyboard.press("End")
    expect(page.locator(PANEL)).not_to_have_attribute("data-iteration", "0")
    iteration = page.locator(PANEL).get_attribute("data-iteration")
    press(page, "explain")
    recomputed(page, before)
    expect(page.locator("#afa-model input")).to_have_value(f"two_minutes-001@{iteration}")
    expect(page.locator("#afa-model-line")).to_contain_text("input size 64 pixels")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_the_tab_fits(visit, width, theme):  # noqa: F811
    page = visit(width, 900, theme)
    tab(page, "train")
    drawn(page)
    expect(page.locator(PANEL)).to_have_attribute("data-iteration", re.compile(r"\d+"))
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert not small_targets(page, PANEL)
    for plot in page.locator(f"{PANEL} .afa-plotly:visible").all():
        assert re.search(r" from .* to ", plot.get_attribute("aria-label") or "")
    assert "{" not in page.locator(PANEL).inner_text()  # every text was found and filled
    keep_picture(page.locator(PANEL), f"train_{width}_{theme}")


def test_the_server_is_asked_only_while_somebody_looks(visit):  # noqa: F811
    page = visit()
    seen: list[str] = []
    page.on("request", lambda request: seen.append(request.post_data or "") if request.method == "POST" else None)
    page.wait_for_timeout(2500)
    assert not [body for body in seen if "train_" in body]  # another tab is open
    tab(page, "train")
    drawn(page)
    page.wait_for_timeout(3000)
    looks = [body for body in seen if "train_status" in body]
    assert 1 <= len(looks) <= 3  # nothing is at work, so a look every five seconds is enough
    tab(page, "cam")
    page.wait_for_timeout(500)
    seen.clear()
    page.wait_for_timeout(6000)
    assert not [body for body in seen if "train_" in body]


def test_a_killed_training_is_reported(visit, folder):  # noqa: F811
    page = visit()
    tab(page, "train")
    state(page, "stopped")
    press(page, "resume")
    state(page, "training")
    trainer = Trainer(folder / "runs", folder / "cache")
    active = trainer.active_run()
    began = time.monotonic()
    os.kill(active.status.pid, signal.SIGKILL)
    state(page, "killed")
    assert time.monotonic() - began < 20
    expect(page.locator(f"{PANEL} [data-fill=trouble]")).to_contain_text("The operating system ended the training")
    expect(page.locator(f"{PANEL} [data-do=resume]")).to_be_visible()
