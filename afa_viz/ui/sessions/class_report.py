"""What a class answered in the lab: counts alone, in the memory of this process, for the teacher's view.

Nothing is kept of who answered: no address, no session, no time. All is bounded, whatever is sent.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

MAX_ROWS = 600  # questions about classes of images that are kept apart
MAX_ANSWERS = 40  # different answers of one row
OTHER = ""  # the image of what is counted together: photographs of visitors, and what is beyond `MAX_ROWS`
RATE, BURST = 10.0, 120.0  # answers a second that are counted for long, and at once; a class of thirty gives fewer
TOKEN_BYTES = 16


@dataclass(frozen=True)
class Answered:
    """One first answer to a question.

    Attributes:
        question: its name. image: name of an example or an image of the data set; `OTHER` for others.
        class_name: that was asked about.
        answer: a code, or "" where there are too many to list. is_right: whether it is correct.
        reason: a code, or "" for none. is_reason_right: whether it is correct.
    """

    question: str
    image: str
    class_name: str
    answer: str
    is_right: bool
    reason: str
    is_reason_right: bool


@dataclass
class Row:
    """Counts of one question about one class of one image; answers and reasons by code and whether they are right."""

    answers: Counter[tuple[str, bool]] = field(default_factory=Counter)
    reasons: Counter[tuple[str, bool]] = field(default_factory=Counter)


class ClassReport:
    """Counts first answers. Thread-safe.

    Args:
        clock: seconds that only grow.

    Attributes:
        token: opens the report.
        began: when counting began, in seconds since 1970.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.token = secrets.token_urlsafe(TOKEN_BYTES)
        self.began = time.time()
        self._clock, self._lock = clock, threading.Lock()
        self._rows: dict[tuple[str, str, str], Row] = {}
        self._left, self._at, self._dropped = BURST, clock(), 0

    def add(self, answered: Answered) -> None:
        """Count an answer, unless more come than a class can give."""
        with self._lock:
            now = self._clock()
            self._left, self._at = min(BURST, self._left + RATE * (now - self._at)), now
            if self._left < 1:
                self._dropped += 1
                return
            self._left -= 1
            key = (answered.question, answered.image, answered.class_name)
            if key not in self._rows and len(self._rows) >= MAX_ROWS:
                key = (answered.question, OTHER, OTHER)
            row = self._rows.setdefault(key, Row())
            _count(row.answers, (answered.answer, answered.is_right))
            if answered.reason:
                _count(row.reasons, (answered.reason, answered.is_reason_right))

    def rows(self) -> dict[tuple[str, str, str], Row]:
        """A copy of all counts, by question, image and class."""
        with self._lock:
            return {key: Row(row.answers.copy(), row.reasons.copy()) for key, row in self._rows.items()}

    @property
    def dropped(self) -> int:
        """Number of answers that were not counted because too many came at once."""
        return self._dropped

    def is_token(self, given: str) -> bool:
        """Whether it is the token; takes as long for every wrong one."""
        return secrets.compare_digest(given.encode(), self.token.encode())


def _count(counter: Counter[tuple[str, bool]], key: tuple[str, bool]) -> None:
    counter[key if key in counter or len(counter) < MAX_ANSWERS else ("", key[1])] += 1
