"""Pages of short runs are made from the numbers beside them, and say what a difference may be worth."""

from __future__ import annotations

import json
from pathlib import Path

import measure_energy_loss
import measure_fine_tuning
import pytest

DOCS = Path(__file__).parents[2] / "docs"
STAGE = {"miou": 70.0, "interval": [68.0, 72.0]}


@pytest.mark.parametrize("module, name", [(measure_energy_loss, "energy_loss"), (measure_fine_tuning, "fine_tuning")])
def test_the_page_is_made_from_the_numbers(module, name):
    data = json.loads((DOCS / "data" / f"{name}.json").read_text(encoding="utf-8"))
    assert module.page_text(data) == (DOCS / f"{name}.md").read_text(encoding="utf-8")
    assert data["init"] in (DOCS / f"{name}.md").read_text(encoding="utf-8")


def scored(shift: float) -> dict:
    """One network's scores; those of another one lie `shift` points higher."""
    changes = {name: {"change": 2.0 + shift, "interval": [1.0, 3.0]} for name in ("cam_rw", "walk_after_par")}
    stages = {name: STAGE | {"miou": 70.0 + shift} for name in measure_fine_tuning.STAGES}
    return {"stages": stages, "f1": 80.0 + shift, "map": 90.0, "pair_auc": 0.9, "walk": changes}


def test_a_row_has_the_score_before_and_that_of_each_seed_with_its_difference():
    differences = {name: {"difference": 4.0, "low": 1.5, "high": 6.0} for name in ("cam_rw", "cam_par", "seg")}
    after = [{"seed": seed, **scored(4.0), "changes": differences} for seed in (1, 2)]
    table = measure_fine_tuning.table({"before": scored(0.0), "after": after})
    rows = {line.split(" | ")[0].strip("| "): line for line in table.splitlines()}
    assert "| 70.0 [68.0, 72.0] | 74.0 [68.0, 72.0]; +4.0 [+1.5, +6.0] |" in rows["mIoU: decoder"]
    assert "74.0 [68.0, 72.0] |" in rows["mIoU: pseudo label, certain pixels"]  # not of the paired stages
    assert "| 80.0 | 84.0 | 84.0 |" in rows["F1 of the image labels"]
    assert "+2.0 [+1.0, +3.0] | +6.0" in rows["what the walk is worth, after PAR"]
    assert "90.0 | 90.0" in rows["affinity: ROC AUC of pairs"]


def test_the_data_set_holds_scenes_of_its_classes_alone(tmp_path, monkeypatch):
    from afa_viz.data.folder import open_folder

    monkeypatch.setattr(measure_fine_tuning, "TRAIN_SCENES", 3)
    monkeypatch.setattr(measure_fine_tuning, "SCENES", 2)
    monkeypatch.setattr(measure_fine_tuning, "SIZE_RENDERED", 64)
    measure_fine_tuning.write_scenes(tmp_path)
    images = open_folder(tmp_path, "train", "auto")
    assert images.class_names[1:] == measure_fine_tuning.CLASSES and len(images) == 3
    for i in range(3):
        present = {k for k in range(1, 256) if (images.mask(i) == k).any()} - {255}
        assert present == {k + 1 for k in range(5) if images.labels[i][k]}
