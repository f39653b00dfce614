"""The gradio components beside the explorer: image, model, labels and settings."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from afa_viz.config import ExplainConfig
from afa_viz.ui.localization import fill_template, texts
from afa_viz.ui.page.config_fields import ABLATIONS, SLIDERS, Slider
from afa_viz.ui.sessions.examples import Example
from afa_viz.ui.sessions.model_registry import ModelRegistry

GROUPS = (
    ("side.group_regions", SLIDERS[:2], True),
    ("side.group_walk", SLIDERS[2:5], False),
    ("side.group_par", SLIDERS[5:], False),
)

ON_DEVICE = (
    '<label class="afa-device"><input type="checkbox" autocomplete="off"> <b>{{side.on_device}}</b>'
    "<small>{{side.on_device_info}}</small></label>"
)
NONE_SELECTED = -1  # index in the gallery; gradio ignores None in an update


@dataclass(frozen=True)
class ImagePicker:
    """Components to choose an image."""

    gallery: gr.Gallery


@dataclass(frozen=True)
class Controls:
    """Components of model, labels and settings; changes: see `permalinks.kept_changes`."""

    model: gr.Dropdown
    model_line: gr.HTML
    labels: gr.Dropdown
    left_out: gr.CheckboxGroup
    sliders: dict[str, gr.Slider]
    changes: gr.State
    reset: gr.Button

    @property
    def inputs(self) -> list:
        """Model, labels, then `settings`: the order that callbacks expect."""
        return [self.model, self.labels, *self.settings]

    @property
    def settings(self) -> list:
        """Ablations, every slider of `SLIDERS`, changes."""
        return [self.left_out, *self.sliders.values(), self.changes]


def build_image_picker(examples: list[Example], shown: str, on_device: bool = False) -> ImagePicker:
    """The gallery of examples, of which the one named `shown` is selected, and a place to bring a photograph.

    Args:
        on_device: with a switch, off at first, by which the visitor's browser explains photographs.
    """
    gallery = gr.Gallery(
        [(example.thumbnail(), example.caption) for example in examples],
        label="Choose a picture",
        show_label=False,
        container=False,
        columns=4,
        height="auto",
        object_fit="cover",
        allow_preview=False,
        selected_index=[example.name for example in examples].index(shown),
        buttons=[],
        interactive=False,
        elem_id="afa-gallery",
        visible=bool(examples),
    )
    place = '<div class="afa-upload"></div>'  # filled by components/photo_input.js
    gr.HTML(place + (fill_template(ON_DEVICE) if on_device else ""), elem_id="afa-upload")
    return ImagePicker(gallery)


def _slider(slider: Slider, defaults: ExplainConfig) -> gr.Slider:
    return gr.Slider(
        slider.low,
        slider.high,
        value=slider.value(defaults),
        step=slider.step,
        label=slider.label,
        info=slider.info,
        buttons=[],
        elem_id=f"afa-{slider.field}",
    )


def build_controls(registry: ModelRegistry, labels: list[str]) -> Controls:
    """Components for everything that changes the explanation."""
    words = texts()
    first = registry.names[0]
    defaults = registry.config(first)
    several = len(registry.names) > 1
    model = gr.Dropdown(
        registry.choices, value=first, label=words["side.model"], info=words["side.model_info"], visible=several,
        elem_id="afa-model",
    )  # fmt: skip
    chosen = gr.Dropdown(
        registry.label_choices(first),
        value=labels,
        multiselect=True,
        label=words["side.labels"],
        info=words["side.labels_info"],
        elem_id="afa-labels",
    )
    sliders: dict[str, gr.Slider] = {}
    for title, group, opened in GROUPS:
        with gr.Accordion(words[title], open=opened):
            for slider in group:
                sliders[slider.field] = _slider(slider, defaults)
    with gr.Accordion(words["side.group_left_out"], open=True):
        left_out = gr.CheckboxGroup(
            list(ABLATIONS), label=words["side.group_left_out"], info=words["side.left_out_info"], show_label=False,
            elem_id="afa-left-out",
        )  # fmt: skip
    reset = gr.Button(words["side.reset"], size="sm", elem_id="afa-reset")
    line = gr.HTML(registry.describe(first), elem_id="afa-model-line")  # gr.Markdown takes longer to load
    return Controls(model, line, chosen, left_out, sliders, gr.State({}), reset)
