"""The textbook step of the benchmark and the package's agree in losses and gradients: an oracle of the whole loop."""

from __future__ import annotations

import pytest
import torch

from afa_viz.config import TrainConfig
from benchmarks import train_step
from benchmarks.train_step import FORMS, compare, iteration_of, one_step, prepare, table


@pytest.mark.parametrize("phase", ["affinity", "joint"])
def test_both_forms_have_the_same_losses_and_gradients(phase):
    losses, gradients, buffers = {}, {}, {}
    for form, compute in FORMS.items():
        model, batch, config = prepare("mit_b0", 96, 2)
        losses[form] = compute(model, batch, config, iteration_of(phase, config))
        losses[form]["loss"].backward()
        gradients[form] = {name: p.grad for name, p in model.named_parameters()}
        buffers[form] = model.decoder.linear_fuse.bn.num_batches_tracked
    for name, want in losses["textbook"].items():
        assert want.item() > 0
        torch.testing.assert_close(losses["afa_viz"][name], want, rtol=1e-4, atol=1e-5)
    for name, want in gradients["textbook"].items():
        scale = float(want.norm()) + 1e-6
        assert float((gradients["afa_viz"][name] - want).norm()) <= 2e-3 * scale + 1e-6, name
    assert (int(buffers["textbook"]), int(buffers["afa_viz"])) == (4, 1), "CAM passes count in the textbook alone"


def test_the_first_phase_makes_no_pseudo_label():
    model, batch, config = prepare("mit_b0", 64, 2)
    assert set(one_step("afa_viz", model, batch, config, "classification")) == {"loss", "loss_cls"}
    textbook = one_step("textbook", *prepare("mit_b0", 64, 2), "classification")
    assert textbook["loss"] == textbook["loss_cls"]


def test_the_report_says_what_was_measured(monkeypatch):
    monkeypatch.setattr(
        train_step, "measure_in_subprocess", lambda form, *rest: {"textbook": 200.0, "afa_viz": 50.0}[form]
    )
    row = compare("mit_b0", 64, 1, "joint", 2)
    assert row["max_abs_difference"] < 1e-4
    text = table({"machine": {**dict.fromkeys(("commit", "cpu", "cpu_capability", "torch"), "x"),
                              "uncommitted_changes": False, "threads": 1, "cores": 2}, "rows": [row]})  # fmt: skip
    assert "joint, mit_b0, 64 px, batch 1" in text and "| 50 | 25 % |" in text
    assert TrainConfig().joint_after + 1 == iteration_of("joint", TrainConfig())
