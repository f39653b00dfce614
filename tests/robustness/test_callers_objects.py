"""What a caller hands in stays as it is: pictures, arrays, tensors, lists, settings."""

from __future__ import annotations

import copy
import dataclasses

import numpy as np
import pytest
import torch
from explained import noise, trace_of_noise
from golden_vectors import golden_model
from PIL import Image

import afa_viz
from afa_viz.config import ExplainConfig
from afa_viz.figures import stages, strip
from afa_viz.inputs import multi_hot, read_image, read_target, to_rgb
from afa_viz.model.checkpoint import load_any
from afa_viz.stage_scores import stage_labels
from afa_viz.ui.handlers import payload, payload_attention
from afa_viz.ui.handlers.compare import remap_classes
from afa_viz.ui.report.document import document
from afa_viz.ui.sessions.images import new_input_image

QUICK = ExplainConfig(scales=(1,), num_iters=1)


def same(a, b) -> bool:
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, np.ndarray):
        return np.array_equal(a, b) and a.flags.writeable == b.flags.writeable
    if isinstance(a, Image.Image):
        return (a.mode, a.size, a.tobytes()) == (b.mode, b.size, b.tobytes())
    if isinstance(a, (tuple, list)):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


PICTURES = {
    mode: Image.fromarray(np.random.default_rng(1).integers(0, 255, (60, 90, 4), dtype=np.uint8)).convert(mode)
    for mode in ("RGB", "RGBA", "L", "P", "LA", "CMYK", "I", "1")
}


@pytest.mark.parametrize("mode", PICTURES)
@pytest.mark.parametrize("turned", [False, True], ids=["", "turned"])
def test_a_picture_keeps_its_size_and_pixels(mode, turned):
    picture = PICTURES[mode].copy()
    if turned:
        picture.getexif()[0x0112] = 6
    before = picture.copy()
    small = to_rgb(picture, long_side=45)
    assert small.shape == ((45, 30, 3) if turned else (30, 45, 3)) and same(picture, before)
    assert max(to_rgb(picture, long_side=1000).shape) == 90, "never made larger"
    read_image(picture)
    assert same(picture, before)


@pytest.mark.parametrize("size,small", [((1000, 3), (100, 1)), ((333, 100), (100, 30)), ((7, 1000), (1, 100))])
def test_a_smaller_picture_keeps_its_shape(size, small):
    assert to_rgb(Image.new("RGB", size), long_side=100).shape[:2] == small[::-1]


def test_what_is_explained_stays():
    model, picture, labels = golden_model(), noise(), np.array([3, 8])
    truth, config = np.full(picture.shape[:2], 3, np.uint8), QUICK
    given = [picture, labels, truth, config, Image.fromarray(picture), torch.from_numpy(truth.copy()), ["cat", 3]]
    before = copy.deepcopy(given)
    weights = copy.deepcopy(model.state_dict())
    afa_viz.explain(model, given[0], given[1], config, target=given[2])
    afa_viz.explain(model, given[4], given[6], config, target=given[5])
    multi_hot(given[1], tuple(f"c{i}" for i in range(21)))
    read_target(given[2], picture.shape[:2])
    new_input_image(given[0], given[2])
    assert all(map(same, given, before))
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, weights[name]), name


def test_a_trace_stays_whatever_is_made_of_it(tmp_path):
    trace = trace_of_noise()
    before = copy.deepcopy({f.name: getattr(trace, f.name) for f in dataclasses.fields(trace)})
    afa_viz.recompute(trace, dataclasses.replace(trace.config, num_steps=3, bkg_score_low=0.2), labels=[1])
    trace.save(tmp_path / "a.npz")
    document(trace)
    strip.strip(trace)
    stages.image(trace)[:] = 0
    for picture in (stages.regions, stages.pseudo_label, stages.seg):
        picture(trace)[:] = 0
    stage_labels(trace)
    payload.stages(trace, "", "")
    payload.scene(trace, "")
    payload.par(trace, "")
    payload_attention.overview(trace)
    payload_attention.affinity(trace)
    background, *names = trace.class_names
    remap_classes(trace, dataclasses.replace(trace, class_names=(background, *reversed(names))))
    for name, value in before.items():
        assert same(getattr(trace, name), value), name


def test_a_state_dictionary_stays():
    model = golden_model()
    state = {f"module.{name}": tensor for name, tensor in model.state_dict().items()}
    names, values = list(state), {name: tensor.clone() for name, tensor in state.items()}
    load_any(golden_model(), state)
    assert list(state) == names and all(torch.equal(state[name], values[name]) for name in names)
