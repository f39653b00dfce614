"""A session of the page holds one of each component, however many events there were."""

from __future__ import annotations

import asyncio

import gradio as gr
from gradio.state_holder import SessionState

from afa_viz.ui.server.page_blocks import PageBlocks


def test_events_leave_nothing_behind_in_a_session():
    with PageBlocks(analytics_enabled=False) as demo:
        slider, other, number = gr.Slider(0, 1), gr.Slider(0, 1), gr.Number()
        inputs = [slider, other]
        gr.Button().click(lambda a, b: (gr.update(maximum=2), gr.skip(), a + b), inputs, [*inputs, number])
    state = SessionState(demo)
    for value in (0.25, 0.5, 1.5, 2.0):
        found = asyncio.run(demo.process_api(block_fn=0, inputs=[value, 0.5], state=state))
        assert found["data"][2] == value + 0.5
        assert set(state.blocks_config.blocks) == set(demo.blocks)
        assert set(state.config_values) <= set(demo.blocks)
    assert (state[slider._id].maximum, state[other._id].maximum) == (2, 1)
