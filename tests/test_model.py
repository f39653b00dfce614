"""The network against the golden forward passes and against itself."""

from __future__ import annotations

import pytest
import torch
from golden_vectors import cases, check, golden_model

from afa_viz.ops import affinity as aff


@pytest.mark.parametrize(
    "name,params,inputs,outputs", cases("model_forward"), ids=lambda v: v if isinstance(v, str) else ""
)
def test_golden_forward(name, params, inputs, outputs):
    model = golden_model(params["backbone"], params["pooling"])
    with torch.no_grad():
        features = model.encoder(inputs["image"])
        look = model.forward_look(inputs["image"])
        train = model(inputs["image"])
        cam = model.forward_cam(inputs["image"])
        cam_too, affinity = model.forward_cam_affinity(inputs["image"])
        seg = model.forward_seg(inputs["image"])
    for out in (look, train):
        check(out.class_logits, outputs["cls_logits"])
        check(out.seg_logits, outputs["seg_logits"])
    check(seg, outputs["seg_logits"])
    check(train.affinity, outputs["attn_pred"])
    check(affinity, outputs["attn_pred"])
    logits = [a.logits for a in look.attention]
    check(aff.affinity_from_logits(logits, model.attn_proj.weight, model.attn_proj.bias), outputs["attn_pred"])
    for maps in (look.cam, cam, cam_too):
        check(maps, outputs["cam"])
    for i, block in enumerate(look.attention):
        check(aff.pool_queries(block.logits, block.query_grid, block.reduction), outputs[f"attn_{i}"])
        assert block.logits.shape[-2] == block.query_grid[0] * block.query_grid[1]
        assert block.logits.shape[-1] == block.key_grid[0] * block.key_grid[1]
    for i, maps in enumerate(features):
        if f"feat_{i + 1}" in outputs:
            check(maps, outputs[f"feat_{i + 1}"])
