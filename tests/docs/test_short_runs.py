"""Pages of short runs are made from the numbers beside them, and say what a difference may be worth."""

from __future__ import annotations

import json
from pathlib import Path

import ablate_method
import ablation_page
import measure_energy_loss
import measure_fine_tuning
import pytest
import torch

from afa_viz.config import ExplainConfig
from afa_viz.model.afa import build_afa
from afa_viz.ops import affinity as aff
from afa_viz.ops.averaged_affinity import averaged_affinity

DOCS = Path(__file__).parents[2] / "docs"
STAGE = {"miou": 70.0, "interval": [68.0, 72.0]}


@pytest.mark.parametrize("module, name", [
    (measure_energy_loss, "energy_loss"), (measure_fine_tuning, "fine_tuning"),
    (ablation_page, "ablation"),
])  # fmt: skip
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


# --- what each part of the method is worth ----------------------------------------------------------------------------


def run_of(name: str, seed: int, shift: float) -> dict:
    """Numbers of a run; all scores lie `shift` points above 60."""
    scores = {key: 60.0 + shift for key in ablate_method.KEPT}
    walk = {key: {"change": 1.0 + shift, "interval": [0.5, 2.0]} for key in ("cam_rw", "walk_after_par")}
    return {"name": name, "seed": seed, "scores": scores, "walk": walk, "seconds": 1}


RUNS = {
    **ablate_method.facts(40), "parts": {"recipe": "the recipe", "no_par": "labels without PAR"},
    "rows": [run_of("recipe", 1, 1.0), run_of("recipe", 2, 4.0), run_of("no_par", 2, -3.0)],
}  # fmt: skip


def test_a_part_is_compared_with_the_recipe_of_its_seed():
    found = ablation_page.differences(RUNS, "miou_seg")
    assert found == [("recipe", 1, -1.5), ("recipe", 2, 1.5), ("no_par", 2, -7.0)]
    assert "3.0 (decoder)" in ablation_page.chance(RUNS)
    recipe, without = ablation_page.table(RUNS).splitlines()[2:]
    assert "| 2 | 62.5 (61.0 to 64.0) | 62.5 (61.0 to 64.0) | 62.5 (61.0 to 64.0) | +3.5 (+2.0 to +5.0) |" in recipe
    assert "| 1 | 57.0 | 57.0 | 57.0 | -2.0 [+0.5, +2.0] |" in without


def test_the_chart_has_a_point_for_each_run_and_stage_and_its_table(tmp_path):
    figure = ablation_page.chart(RUNS)
    assert [list(trace.x) for trace in figure.data] == [[-1.5, 1.5, -7.0]] * 3
    assert figure.layout.meta["table"]["rows"][-1] == ["labels without PAR", "2", "-7.0", "-7.0", "-7.0"]
    ablation_page.draw(RUNS, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").stat().st_size > 5000


def test_runs_with_the_same_settings_are_kept_and_others_are_not(tmp_path, monkeypatch):
    monkeypatch.setattr(ablate_method, "DATA", tmp_path / "data.json")
    (tmp_path / "data.json").write_text(json.dumps(RUNS), encoding="utf-8")
    (tmp_path / "no_par_seed1.json").write_text(json.dumps(run_of("no_par", 1, 0.0)), encoding="utf-8")
    kept = ablate_method.kept_rows(tmp_path, ablate_method.facts(40))
    assert set(kept) == {("recipe", 1), ("recipe", 2), ("no_par", 2), ("no_par", 1)}
    assert set(ablate_method.kept_rows(tmp_path, ablate_method.facts(60))) == {("no_par", 1)}


def test_every_variant_is_a_recipe_that_differs_in_its_part():
    recipe = ablate_method.recipe_of(ablate_method.VARIANTS["recipe"], 1)
    for name, variant in ablate_method.VARIANTS.items():
        other = ablate_method.recipe_of(variant, 1)
        changed = other != recipe or variant.network is not ablate_method.AFA
        assert changed == (name != "recipe"), name
        assert ablate_method.recipe_of(variant, 2).rng_seed == 2
    assert recipe.max_iters == sum(part.iterations for part in recipe.curriculum)


@pytest.mark.parametrize("network", [ablate_method.OneDirection, ablate_method.MeanAttention])
def test_an_affinity_of_a_variant_is_what_explain_makes_with_its_settings(network):
    model = build_afa("mit_b0", 3).eval()
    image = torch.randn(2, 3, 64, 96)
    with torch.no_grad():
        attention = model.forward_intermediates(image).attention[-2:]
        logits = [block.logits for block in attention]
        model.__class__ = network
        found = model(image).affinity
        if network is ablate_method.OneDirection:
            settings = ExplainConfig(**ablate_method.VARIANTS["one_direction"].explain)
            wanted = aff.affinity_logits(logits, *model.affinity_head(), settings.symmetric).sigmoid()
        else:
            wanted = averaged_affinity([(b.logits * b.scale).softmax(-1) for b in attention])
            assert model.parts.affinity == "averaged"
    assert torch.allclose(found, wanted, atol=1e-5)
