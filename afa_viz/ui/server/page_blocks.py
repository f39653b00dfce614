"""The blocks of the page, whose sessions do not grow with every event."""

from __future__ import annotations

from typing import Any

import gradio as gr


class PageBlocks(gr.Blocks):
    """`gr.Blocks` that keeps one of each component for a session.

    Where an event updates a component, gradio makes a new one with an id of its own, and files it under this id too
    once it is an input: some kilobytes for every event of a session, until the session ends.
    """

    async def process_api(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """As gradio's; what the session holds of components that are not of the page is dropped afterwards."""
        try:
            return await super().process_api(*args, **kwargs)
        finally:
            state = kwargs.get("state")
            if state is not None:
                for held in (state.blocks_config.blocks, state.config_values):
                    for number in [number for number in held if number not in self.blocks]:
                        del held[number]
