"""The last request of a visitor wins: results arrive when they are ready, not in the order of the requests.

An opening shows another image; a change brings other settings, labels or another model for the image on display.
Results of a request that a newer one has superseded are dropped. A setting or model that is changed while an image is
being opened is applied to that image.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

MAX_VISITORS = 5000  # states that are kept
KEY = re.compile(r'\{"key":"(\w+)"')  # how a value of the explorer begins


@dataclass
class VisitorState:
    """The state of one visitor.

    Attributes:
        opening, change: numbers of the latest ones.
        openings_in_progress: openings that have not finished.
        image_id: of the image that was opened last; None: unknown.
        key: of the explanation on display.
        deferred: model and settings that were changed while an image was being opened.
    """

    opening: int = 0
    change: int = 0
    openings_in_progress: int = 0
    image_id: str | None = None
    key: str | None = None
    deferred: dict[str, Any] = field(default_factory=dict)

    def record_outputs(self, outputs: tuple, opened: bool = False) -> tuple:
        """Outputs that are displayed: a value of the explorer first, the id of an opened image third."""
        found = KEY.match(outputs[0]) if isinstance(outputs[0], str) else None
        self.key = found[1] if found else self.key
        self.image_id = outputs[2] if opened else self.image_id
        return outputs


class LastRequestWins:
    """Drops superseded results, separately for every visitor (by session hash). Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._visitors: OrderedDict[str, VisitorState] = OrderedDict()

    def state_of(self, session_hash: str) -> VisitorState:
        """The state of a visitor."""
        with self._lock:
            visitor = self._visitors.setdefault(session_hash, VisitorState())
            self._visitors.move_to_end(session_hash)
            while len(self._visitors) > MAX_VISITORS:
                self._visitors.popitem(last=False)
            return visitor

    def run_opening(
        self, session_hash: str, call: Callable[..., Iterable[tuple]], subject: Any, model: str, *settings: Any
    ) -> Iterator[tuple]:
        """The outputs of `call(subject, model, *settings)` until a newer opening begins.

        If it raises, the opening before it stays the latest one.
        """
        visitor = self.state_of(session_hash)
        with self._lock:
            previous, visitor.opening = visitor.opening, visitor.opening + 1
            number, done = visitor.opening, False
            visitor.openings_in_progress += 1
        try:
            while not done:
                for outputs in call(subject, model, *settings):
                    with self._lock:
                        if visitor.opening != number:
                            return
                        visitor.record_outputs(outputs, opened=True)
                    yield outputs
                with self._lock:
                    deferred, visitor.deferred = visitor.deferred, {}
                    done = not deferred
                    visitor.openings_in_progress -= done
                model, settings = deferred.get("model", model), deferred.get("settings", settings)
        except Exception:
            with self._lock:
                visitor.opening = previous if visitor.opening == number else visitor.opening
            raise
        finally:
            with self._lock:
                visitor.openings_in_progress -= not done

    def run_change(
        self, session_hash: str, call: Callable[[str], Iterable[tuple]], image_id: str, **deferred: Any
    ) -> Iterator[tuple]:
        """The outputs of `call(image_id)` until a newer change or an opening begins.

        Args:
            image_id: as the browser knows it.
            deferred: applied to the image that is being opened, if there is one; nothing else is computed then.
        """
        visitor = self.state_of(session_hash)
        with self._lock:
            previous, visitor.change = visitor.change, visitor.change + 1
            number = visitor.opening, visitor.change
            if visitor.openings_in_progress:
                visitor.deferred |= deferred
                return
            image_id = visitor.image_id or image_id
        try:
            for outputs in call(image_id):
                with self._lock:
                    if (visitor.opening, visitor.change) != number:
                        return
                    visitor.record_outputs(outputs)
                yield outputs
        except Exception:
            with self._lock:
                visitor.change = previous if visitor.change == number[1] else visitor.change
            raise
