"""Of what one visitor does, the last counts: answers come when they are ready, not in the order of the questions.

An opening brings another picture; a change, other settings, labels or another model for the picture that is there. What
a newer one has overtaken is dropped. A setting or model that is changed while a picture is on its way is given to it.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

REMEMBERED = 5000  # visitors
KEY = re.compile(r'\{"key":"(\w+)"')  # how a value of the explorer begins


@dataclass
class Visitor:
    """What is known of one.

    Attributes:
        opening, change: numbers of the newest. running: openings that are not done.
        picture: that was opened last; None: not known. key: of the explanation that is shown.
        missed: model and settings that were changed while a picture was on its way.
    """

    opening: int = 0
    change: int = 0
    running: int = 0
    picture: str | None = None
    key: str | None = None
    missed: dict[str, Any] = field(default_factory=dict)

    def note(self, outputs: tuple, opened: bool = False) -> tuple:
        """Outputs that are shown: a value of the explorer first, the name of an opened picture third."""
        found = KEY.match(outputs[0]) if isinstance(outputs[0], str) else None
        self.key = found[1] if found else self.key
        self.picture = outputs[2] if opened else self.picture
        return outputs


class Turns:
    """Whose turn it is, for every visitor by the name of the session. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._visitors: OrderedDict[str, Visitor] = OrderedDict()

    def of(self, name: str) -> Visitor:
        """What is known of a visitor."""
        with self._lock:
            visitor = self._visitors.setdefault(name, Visitor())
            self._visitors.move_to_end(name)
            while len(self._visitors) > REMEMBERED:
                self._visitors.popitem(last=False)
            return visitor

    def opening(
        self, name: str, call: Callable[..., Iterable[tuple]], subject: Any, model: str, *settings: Any
    ) -> Iterator[tuple]:
        """The outputs of `call(subject, model, *settings)` until a newer opening begins.

        One that is refused leaves the turn to the opening before it.
        """
        visitor = self.of(name)
        with self._lock:
            before, visitor.opening = visitor.opening, visitor.opening + 1
            mine, done = visitor.opening, False
            visitor.running += 1
        try:
            while not done:
                for outputs in call(subject, model, *settings):
                    with self._lock:
                        if visitor.opening != mine:
                            return
                        visitor.note(outputs, opened=True)
                    yield outputs
                with self._lock:
                    missed, visitor.missed = visitor.missed, {}
                    done = not missed
                    visitor.running -= done
                model, settings = missed.get("model", model), missed.get("settings", settings)
        except Exception:
            with self._lock:
                visitor.opening = before if visitor.opening == mine else visitor.opening
            raise
        finally:
            with self._lock:
                visitor.running -= not done

    def change(self, name: str, call: Callable[[str], Iterable[tuple]], picture: str, **missed: Any) -> Iterator[tuple]:
        """The outputs of `call(picture)` until a newer change or an opening begins.

        Args:
            picture: as the page knows it.
            missed: what a picture is given that is on its way; then nothing is made of the one before it.
        """
        visitor = self.of(name)
        with self._lock:
            before, visitor.change = visitor.change, visitor.change + 1
            mine = visitor.opening, visitor.change
            if visitor.running:
                visitor.missed |= missed
                return
            picture = visitor.picture or picture
        try:
            for outputs in call(picture):
                with self._lock:
                    if (visitor.opening, visitor.change) != mine:
                        return
                    visitor.note(outputs)
                yield outputs
        except Exception:
            with self._lock:
                visitor.change = before if visitor.change == mine[1] else visitor.change
            raise
