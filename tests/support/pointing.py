"""Mouse and fingers at places that the test computes itself: where an element lies once it rests, and touches."""

from __future__ import annotations

from collections.abc import Callable

from browser import Locator, Page


def box_at_rest(element: Locator) -> dict[str, float]:
    """Where an element lies (x, y, width, height in pixels of the view), in view and no longer moving.

    What comes late, such as a sentence above it, moves an element after its page is ready; a place that was read before
    then belongs to another one when the pointer gets there.
    """
    element.hover(trial=True)  # waits as a hover does, and moves no pointer
    box = element.bounding_box()
    assert box is not None
    return dict(box)


def fingers(page: Page) -> Callable[..., None]:
    """A function that sends "touchStart", "touchMove" or "touchEnd" to the page, and where the fingers are."""
    screen = page.context.new_cdp_session(page)

    def send(kind: str, *points: tuple[float, float]) -> None:
        where = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
        screen.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": where})

    return send
