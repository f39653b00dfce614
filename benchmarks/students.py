"""Simulated students: what they do, and what they must be told."""

from __future__ import annotations

import dataclasses
import json
import random
import threading
import time
import zlib
from base64 import b64decode
from collections import defaultdict
from typing import Any

import numpy as np

from afa_viz import lab
from afa_viz.config import ExplainConfig
from afa_viz.ui.page.config_fields import SLIDERS
from afa_viz.ui.sessions.session import Request, Session
from benchmarks.served_app import Page

SCORES = (0.25, 0.3, 0.35, 0.4, 0.45)  # low background scores that students try
ACTIONS = ("example", "threshold", "attention", "lab")  # how often, see `Student.act`
AGREE = 0.999  # share of the pixels of a pseudo label that must be as computed here


class Expected:
    """The same explanations, computed in this process."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.model = session.registry.names[0]
        self.own = session.registry.config(self.model)
        self.labels: dict[str, np.ndarray] = {}

    def request(self, place: int, low: float) -> Request:
        name = self.session.examples[place].name
        config = dataclasses.replace(self.own, bkg_score_low=low)
        return self.session.request(f"example:{name}", self.model, None, config)

    def prepare(self) -> None:
        """Compute every possible answer before timing starts."""
        for place in range(len(self.session.examples)):
            for low in SCORES:
                request = self.request(place, low)
                self.labels[request.key] = self.session.trace(request).pseudo_label.numpy()

    def check(self, value: dict[str, Any], place: int, low: float) -> None:
        """Raises: AssertionError: if a payload is not that of the request."""
        request = self.request(place, low)
        assert value["key"] == request.key, f"asked for {request.image_id} at {low}, got another explanation"
        packed = value["pseudo_label"]
        found = np.frombuffer(zlib.decompress(b64decode(packed["data"])), np.uint8).reshape(packed["shape"])
        same = (found == self.labels[request.key]).mean()
        assert same >= AGREE, f"{request.image_id} at {low}: only {same:.2%} of the pseudo label as expected"


class Student(threading.Thread):
    """Acts at random intervals until the lesson is over; records the time of every action, and errors."""

    actions = ACTIONS

    def __init__(self, number: int, address: str, expected: Expected, end: float, pause: float) -> None:
        super().__init__(daemon=True)
        self.random = random.Random(number)
        self.address, self.expected, self.end, self.pause = address, expected, end, pause
        self.times: dict[str, list[float]] = defaultdict(list)
        self.errors: list[str] = []
        self.place, self.low = 0, ExplainConfig().bkg_score_low

    def run(self) -> None:
        time.sleep(self.random.uniform(0, self.pause))  # thirty people do not press at once
        try:
            self.page = Page(self.address)
            self.timed("example")
        except Exception as error:  # a student without a page is an error of the server
            self.errors.append(f"start: {error!r}")
            return
        while time.time() < self.end:
            self.timed(self.random.choice(self.actions))
            time.sleep(self.random.uniform(0.5, 1.5) * self.pause)

    def timed(self, action: str) -> None:
        """One action: its time, or its error."""
        began = time.perf_counter()
        try:
            check = getattr(self, action)()
            self.times[action].append(time.perf_counter() - began)
            check()
        except Exception as error:  # whatever it is, it is counted
            self.errors.append(f"{action}: {error!r}")

    def settings(self) -> list:
        values = {slider.field: slider.value(self.expected.own) for slider in SLIDERS} | {"bkg_score_low": self.low}
        return [[], *values.values(), None]  # no weight of a head was moved

    def labels(self) -> list[str]:
        known = self.expected.session.registry.class_names(self.expected.model)
        return [name for name in self.expected.session.examples[self.place].labels or () if name in known]

    def example(self):
        """Open an example."""
        return self.open(self.random.randrange(len(self.expected.session.examples)))

    def open(self, place: int):
        """Open the example at a place of the gallery."""
        self.place = place
        data = [self.expected.model, *self.settings()]
        chosen = {"index": self.place, "value": None, "selected": True}
        value = json.loads(self.page.event("open_example", data, chosen)[0])
        self.key = value["key"]
        low = self.low
        return lambda: self.expected.check(value, place, low)

    def threshold(self):
        """Release the slider of the low background score."""
        return self.cut(self.random.choice([low for low in SCORES if low != self.low]))

    def cut(self, low: float):
        """Explain the current image with a low background score."""
        self.low = low
        data = [None, self.expected.model, self.labels(), *self.settings()]
        value = json.loads(self.page.event("change_bkg_score_low", data)[0])
        self.key = value["key"]
        place = self.place
        return lambda: self.expected.check(value, place, low)

    def attention(self):
        """Request the heads of a block of the current image."""
        trace = self.expected.session.trace(self.expected.request(self.place, self.low))
        block = self.random.randrange(len(trace.attn_logits))
        maps = self.page.ask("attention", key=self.key, block=block, logits=False)

        def check() -> None:
            heads, _, keys = maps["shape"]
            shape = trace.attn_logits[block].shape
            assert (maps["block"], heads, keys) == (block, shape[0], shape[2])

        return check

    def lab(self):
        """Answer the first question of the lab, or one that needs no ground truth where there is none."""
        trace = self.expected.session.trace(self.expected.request(self.place, self.low))
        step, answer = ("affinity", "there") if trace.target is None else ("labels", "small")
        try:
            expected = lab.check(trace, step, answer, trace.present[0])
        except lab.UndecidedError:  # the image does not decide the question
            expected = None
        verdict = self.page.ask("lab_check", key=self.key, step=step, answer=answer, label=trace.present[0])

        def check() -> None:
            if expected is None:
                assert set(verdict) == {"refused"}, verdict
            else:
                assert verdict["right"] == expected.is_correct and verdict["facts"] == expected.facts

        return check
