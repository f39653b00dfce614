"""What affinity and decoder of a model learned from: what its training really did, on the card, and read from there."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from noise_runs import small_network  # noqa: F401  (a fixture)
from test_training import CONFIG, image_set

from afa_viz.classes import SANDBOX_CLASSES
from afa_viz.config import CurriculumStage, TrainConfig
from afa_viz.model.card import Card, CheckpointError, default_card
from afa_viz.model.checkpoint import load_any, load_model, save_model
from afa_viz.presets import PRESETS
from afa_viz.training.batches import SandboxBatches
from afa_viz.training.loop import Run, build_model
from afa_viz.training.supervision import last_supervision, supervision_at

ROOT = Path(__file__).parents[2]
R_CAM, R_AFF, NOTHING = "affinity_label", "pseudo_label", "nothing"


@pytest.fixture(scope="module")
def batches():
    data = {(True, 64): image_set(True), (False, 64): image_set(False)}
    return SandboxBatches(data, CONFIG.rng_seed)


@pytest.mark.parametrize(
    "preset, iterations, affinity, decoder",
    [
        ("voc", 2001, NOTHING, NOTHING),  # 0..2000: classification alone
        ("voc", 2002, R_CAM, R_CAM),
        ("voc", 6001, R_CAM, R_CAM),
        ("voc", 6002, R_CAM, R_AFF),
        ("voc", 20000, R_CAM, R_AFF),
        ("coco", 5001, NOTHING, NOTHING),
        ("coco", 15001, R_CAM, R_CAM),
        ("coco", 15002, R_AFF, R_AFF),  # COCO: the affinity learns from what the decoder learns from
        ("coco", 80000, R_AFF, R_AFF),
        ("sandbox", 0, NOTHING, NOTHING),
        ("two_minutes", 150, NOTHING, NOTHING),
        ("few_seconds", 40, R_CAM, R_AFF),
    ],
)
def test_the_phases_that_were_reached_say_it(preset, iterations, affinity, decoder):
    assert last_supervision(PRESETS[preset], iterations) == {"affinity": affinity, "decoder": decoder}


def test_losses_without_weight_and_single_objects_teach_nothing():
    config = TrainConfig(max_iters=10, cam_iters=0, joint_after=10, weight_aff=0.0)
    assert supervision_at(config, 5) == {"decoder": R_CAM}
    assert supervision_at(dataclasses.replace(config, weight_aff=0.1, weight_seg=0.0), 5) == {"affinity": R_CAM}
    part = CurriculumStage(10, 64, 64, 2, 1e-3, single_objects=True)
    assert supervision_at(dataclasses.replace(config, curriculum=(part,)), 5) == {}


def test_a_run_writes_it_on_its_cards(batches, tmp_path):
    """Scenes begin at 4, R_cam after 5, R_aff after 7; the card of a resumed run is that of a run in one go."""
    first = Run(CONFIG, batches, tmp_path / "run", SANDBOX_CLASSES)
    assert (first.card().affinity_trained_on, first.card().decoder_trained_on) == (NOTHING, NOTHING)
    first.run(until=2, progress=False)
    for until, decoder in ((4, NOTHING), (7, R_CAM), (10, R_AFF)):
        run = Run(CONFIG, batches, tmp_path / "run", SANDBOX_CLASSES, resume=True)
        run.run(until=until, progress=False)
        run.export(tmp_path / f"{until}.safetensors")
        card = load_model(tmp_path / f"{until}.safetensors", device="cpu").card
        assert card.decoder_trained_on == decoder
        assert card.affinity_trained_on == (NOTHING if decoder == NOTHING else R_CAM)
        taught = {"affinity": card.affinity_trained_on, "decoder": card.decoder_trained_on}
        assert taught == last_supervision(CONFIG, until)


def test_a_run_from_other_weights_begins_with_what_they_learned(batches, tmp_path):
    model = build_model(CONFIG)
    base = Run(CONFIG, batches, tmp_path / "base", SANDBOX_CLASSES).card()
    for teacher in (R_CAM, R_AFF, None):
        card = dataclasses.replace(base, affinity_trained_on=R_CAM, decoder_trained_on=teacher)
        save_model(model, tmp_path / f"{teacher}.safetensors", card)
        run = Run(
            CONFIG, batches, tmp_path / f"run_{teacher}", SANDBOX_CLASSES, init=tmp_path / f"{teacher}.safetensors"
        )
        run.run(until=1, progress=False)  # an iteration that teaches neither
        assert (run.card().affinity_trained_on, run.card().decoder_trained_on) == (R_CAM, teacher)
        again = Run(CONFIG, batches, tmp_path / f"run_{teacher}", SANDBOX_CLASSES, resume=True)
        assert again.card().decoder_trained_on == teacher
    encoder = load_any(build_model(CONFIG), tmp_path / f"{R_AFF}.safetensors", parts=("encoder",))
    assert encoder.trained_on == {}
    fresh = load_any(build_model(CONFIG), tmp_path / f"{R_AFF}.safetensors", drop_classes=True)
    assert fresh.trained_on == {"affinity": R_CAM}  # the decoder's last layer is new
    plain = load_any(build_model(CONFIG), dict(model.state_dict()))
    assert plain.trained_on == {"affinity": None, "decoder": None}  # without a card: not known


def test_cards_that_do_not_say_it(tmp_path):
    card = default_card("mit_b0", 21)
    assert card.affinity_trained_on is None and card.decoder_trained_on is None
    data = json.loads(card.to_json())
    assert Card.from_json(json.dumps(data)) == card
    del data["affinity_trained_on"], data["decoder_trained_on"]  # a card of an earlier version
    assert Card.from_json(json.dumps(data)) == card
    with pytest.raises(CheckpointError, match="decoder_trained_on is 'masks'; expected null or one of affinity_label"):
        Card.from_json(json.dumps({**data, "decoder_trained_on": "masks"}))


def config_of(card: Card) -> TrainConfig:
    """The configuration that a card holds."""
    values = card.training["config"]
    parts = tuple(CurriculumStage(**part) for part in values["curriculum"])
    return dataclasses.replace(PRESETS["sandbox"], curriculum=parts, **{
        name: values[name]
        for name in ("max_iters", "cam_iters", "joint_after", "affinity_target", "weight_seg", "weight_aff")
    })  # fmt: skip


@pytest.mark.parametrize("path", sorted((ROOT / "checkpoints" / "sandbox").rglob("*.json")), ids=lambda path: path.stem)
def test_the_bundled_cards_say_what_their_runs_did(path):
    if path.stem in ("scores", "history"):
        return
    card = Card.read(path)
    wanted = last_supervision(config_of(card), card.training["iterations"])
    assert {"affinity": card.affinity_trained_on, "decoder": card.decoder_trained_on} == wanted
