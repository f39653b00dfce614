"""Progress of a long loop: a bar in a terminal, a plain line every so often in a log file or a pipe."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sized
from contextlib import suppress
from typing import Any, TextIO

EVERY = 30.0  # seconds between two lines outside a terminal


def progress(
    items: Iterable[Any] | None = None,
    *,
    total: int | None = None,
    initial: int = 0,
    desc: str = "",
    unit: str = "step",
    disable: bool = False,
) -> Any:
    """A bar with tqdm's methods, on stderr.

    Args:
        items: to iterate over; None: call `update`.
        total: how many there are; None: the length of `items`, where it has one.
        initial: how many were done before.
        desc: what is done. unit: of what. disable: show nothing.
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    if sys.stderr is not None and sys.stderr.isatty():
        from tqdm import tqdm

        return tqdm(items, total=total, initial=initial, desc=desc, unit=unit, disable=disable)
    return PlainProgress(items, total, initial, desc, unit, disable)


class PlainProgress:
    """Lines such as "train: 120 of 3700 steps, 2 min 5 s, loss 1.234", the last one at the end."""

    def __init__(
        self, items: Iterable[Any] | None, total: int | None, initial: int, desc: str, unit: str, disable: bool
    ) -> None:
        self.items, self.total, self.done, self.desc, self.unit = items, total, initial, desc, unit
        self.disable, self.notes = disable, ""
        self._begun = self._shown_at = time.monotonic()
        self._shown = initial

    def __iter__(self) -> Iterator[Any]:
        with self:
            for item in self.items or ():
                yield item
                self.update()

    def __enter__(self) -> PlainProgress:
        return self

    def __exit__(self, kind: Any, *rest: Any) -> None:
        if kind is None or kind is GeneratorExit:
            self.close()

    def update(self, count: int = 1) -> None:
        """Count some more; prints a line if the last one is old."""
        self.done += count
        if time.monotonic() - self._shown_at >= EVERY:
            self._print()

    def set_description(self, desc: str) -> None:
        """Name what is done now."""
        self.desc = desc

    def set_postfix(self, values: Mapping[str, Any]) -> None:
        """Numbers that the next line ends with."""
        self.notes = "".join(f", {name} {value}" for name, value in values.items())

    def write(self, text: str, file: TextIO | None = None) -> None:
        """Print a line of its own."""
        print(text, file=file or sys.stdout, flush=True)

    def close(self) -> None:
        """Print the last line, unless nothing was done since the one before."""
        if self.done > self._shown:
            self._print()

    def _print(self) -> None:
        self._shown, self._shown_at = self.done, time.monotonic()
        if self.disable or sys.stderr is None:
            return
        whole = f" of {self.total}" if self.total is not None else ""
        plural = "" if (self.total or self.done) == 1 else "s"
        head = f"{self.desc}: " if self.desc else ""
        seconds = round(self._shown_at - self._begun)
        spent = f"{seconds // 60} min {seconds % 60} s" if seconds >= 60 else f"{seconds} s"
        with suppress(OSError, ValueError):  # a closed stream stops nothing
            sys.stderr.write(f"{head}{self.done}{whole} {self.unit}{plural}, {spent}{self.notes}\n")
            sys.stderr.flush()
