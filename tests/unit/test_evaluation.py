"""Whole evaluation passes against the golden vectors, and the scores by stage."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from golden_vectors import cases, check, golden_model

from afa_viz.config import ExplainConfig
from afa_viz.evaluation import Sample, evaluate_samples, multi_scale_seg, validation_labels, write_scores
from afa_viz.ops.cam import resize
from afa_viz.ops.metrics import ConfusionMatrix, f1_per_image


def test_golden_validation():
    ((_, params, inputs, outputs),) = cases("validate")
    model = golden_model(params["backbone"])
    config = ExplainConfig(bkg_score=params["bkg_score"], radius=params["radius"], scales=tuple(params["scales"]))
    matrices = {stage: ConfusionMatrix(params["num_classes"]) for stage in ("seg", "cam", "cam_rw")}
    golden_name = {"seg": "seg", "cam": "cam", "cam_rw": "aff"}
    f1 = []
    for i in range(2):
        truth = inputs[f"label_{i}"]
        size = (truth.shape[-2], truth.shape[-1])
        got = validation_labels(model, inputs[f"image_{i}"], inputs[f"cls_{i}"], size, config)
        f1.append(f1_per_image(got["class_logits"], inputs[f"cls_{i}"]))
        for stage, matrix in matrices.items():
            check(got[stage][0], outputs[f"{golden_name[stage]}_label_{i}"])
            matrix.update(truth, got[stage])
    check(torch.cat(f1).mean(), outputs["cls_f1"])
    for stage, matrix in matrices.items():
        check(torch.tensor(matrix.scores().miou, dtype=torch.float64), outputs[f"{golden_name[stage]}_miou"])


def test_golden_multi_scale_flip():
    ((_, params, inputs, outputs),) = cases("msc_flip_test")
    model = golden_model(params["backbone"])
    for i in range(2):
        image, label = inputs[f"image_{i}"], inputs[f"label_{i}"]
        ratio = params["resize_long"] / max(image.shape[-2:])
        image = resize(image, (int(image.shape[-2] * ratio), int(image.shape[-1] * ratio)))
        with torch.no_grad():
            single = model.forward_seg(image)
        merged = multi_scale_seg(model, image, tuple(params["scales"]))
        check(single, outputs[f"seg_logits_{i}"])
        check(merged, outputs[f"msc_logits_{i}"])
        size = tuple(label.shape[-2:])
        check(resize(single, size).argmax(dim=1)[0], outputs[f"seg_label_{i}"])
        check(resize(merged, size).argmax(dim=1)[0], outputs[f"msc_label_{i}"])


def test_scores_count_every_stage():
    rng = np.random.default_rng(0)
    labels = np.zeros(20, np.float32)
    labels[[2, 6]] = 1
    samples = [
        Sample(rng.integers(0, 256, (48, 64, 3), dtype=np.uint8), labels, rng.choice([0, 3, 7, 255], (48, 64)))
        for _ in range(2)
    ]
    by_stage = evaluate_samples(golden_model(), samples, ExplainConfig(scales=(1.0,)), multi_scale=True)
    summary = by_stage.summary()
    assert {"miou_cam", "miou_cam_rw", "miou_cam_par", "miou_pseudo_label", "miou_seg", "miou_seg_multi_scale"} < set(
        summary
    )
    assert all(0 <= value <= 100 for value in summary.values())
    known = sum(int((sample.target != 255).sum()) for sample in samples)
    assert int(by_stage.matrices["seg"].matrix.sum()) == known
    assert "mIoU" in by_stage.table()
    with pytest.raises(ValueError, match="no sample"):
        evaluate_samples(golden_model(), [])


def test_scores_file_is_strict_json_where_nothing_was_counted(tmp_path):
    nothing = Sample(np.zeros((32, 32, 3), np.uint8), np.zeros(20, np.float32), np.full((32, 32), 255, np.uint8))
    by_stage = evaluate_samples(golden_model(), [nothing], ExplainConfig(scales=(1.0,)))
    write_scores(by_stage, str(tmp_path / "scores.json"))

    def refuse(word):
        raise AssertionError(f"{word} is not JSON")

    scores = json.loads((tmp_path / "scores.json").read_text(), parse_constant=refuse)
    assert scores["summary"]["miou_seg"] is None
    assert scores["summary"]["map"] is None
