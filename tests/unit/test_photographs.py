"""Batches of photographs, settings from files, and samples: what a run on a real data set is fed with."""

from __future__ import annotations

import dataclasses
import json
import sys
import time
import types

import numpy as np
import pytest
import torch
from data_trees import make_folder, save_mask
from PIL import Image

from afa_viz.commands.train import read_config
from afa_viz.config import CurriculumStage, TrainConfig
from afa_viz.data.images import LabelledImages
from afa_viz.data.registry import open_images
from afa_viz.evaluation.photographs import evenly_spaced, photograph_samples
from afa_viz.model import pretrained
from afa_viz.model.afa import build_afa
from afa_viz.model.card import CheckpointError
from afa_viz.ops.image import normalize_image
from afa_viz.presets import PRESETS, SANDBOX
from afa_viz.training.photographs import MAX_SUBSTITUTES, PhotoBatches, Prefetcher
from afa_viz.training.tensorboard_log import TensorBoardLog
from afa_viz.training.training_data import open_photographs

COUNT, CROP = 7, 64


def part(batch_size: int) -> CurriculumStage:
    return CurriculumStage(100, CROP, CROP, batch_size, 1e-3)


@pytest.fixture
def images(tmp_path):
    """Image i is of one grey level, 20 + 30 i, and shows class i + 1; their sizes differ."""
    paths = []
    for i in range(COUNT):
        path = tmp_path / f"{i}.png"
        Image.fromarray(np.full((40 + 10 * i, 90 - 8 * i, 3), 20 + 30 * i, np.uint8)).save(path)
        paths.append(path)
    names = tuple(str(i) for i in range(COUNT))
    classes = ("background", *names)
    return LabelledImages("greys", classes, names, tuple(paths), (None,) * COUNT, np.eye(COUNT, dtype=np.float32), "")


def shown(batch) -> list[int]:
    """Which image each crop is of, read off its pixels: the box holds its grey, the rest is black."""
    level = torch.arange(COUNT) * 30.0 + 20
    found = []
    for crop, label, (top, bottom, left, right) in zip(
        batch.image, batch.image_labels, batch.box.tolist(), strict=True
    ):
        grey = crop[:, top : min(bottom, CROP), left : min(right, CROP)]
        index = int(label.argmax())
        want = normalize_image(level[index].expand(1, 3, 1, 1))[0]
        torch.testing.assert_close(grey, want.expand_as(grey))
        outside = torch.ones(CROP, CROP, dtype=torch.bool)
        outside[top : min(bottom, CROP), left : min(right, CROP)] = False
        black = normalize_image(torch.zeros(1, 3, 1, 1))[0, :, 0]
        torch.testing.assert_close(crop[:, outside], black.expand(3, int(outside.sum())))
        found.append(index)
    return found


def test_every_image_comes_once_an_epoch_with_its_labels_and_box(images):
    batches = PhotoBatches(images, (0.5, 2.0), 3)
    order = [i for number in range(2 * COUNT) for i in shown(batches(part(1), number))]
    assert sorted(order[:COUNT]) == sorted(order[COUNT:]) == list(range(COUNT))
    assert order[:COUNT] != order[COUNT:], "a new order each epoch"


def test_a_batch_depends_on_its_number_alone_and_is_shared_evenly(images):
    one, two = PhotoBatches(images, (0.5, 2.0), 3), PhotoBatches(images, (0.5, 2.0), 3)
    later = one(part(6), 5)
    two(part(6), 0)
    whole = two(part(6), 5)
    assert torch.equal(later.image, whole.image) and torch.equal(later.box, whole.box)
    for rank in range(3):
        share = two(part(2), 5, (rank, 3))
        assert torch.equal(share.image, whole.image[rank::3])
        assert torch.equal(share.image_labels, whole.image_labels[rank::3])
    assert not torch.equal(PhotoBatches(images, (0.5, 2.0), 4)(part(6), 5).image, whole.image)


def test_scale_flip_and_place_vary(images):
    batches = PhotoBatches(dataclasses.replace(images, image_paths=images.image_paths[:1] * COUNT), (0.5, 2.0), 0)
    boxes = torch.cat([batches(part(10), number).box for number in range(30)])
    heights = (boxes[:, 1] - boxes[:, 0]).clamp(max=CROP)
    assert heights.min() >= 20 and heights.min() < 26, "40 rows at half the size and hardly more"
    assert heights.max() == CROP, "40 rows at twice the size fill the crop"
    assert boxes[:, 0].unique().numel() > 20


def test_a_broken_image_is_named_skipped_and_counted(images, caplog):
    images.image_paths[2].write_bytes(b"no picture")
    batches, again = PhotoBatches(images, (1.0, 1.0), 3), PhotoBatches(images, (1.0, 1.0), 3)
    epoch = batches(part(COUNT), 0)
    assert epoch.skipped == 1 and 2 not in shown(epoch) and len(shown(epoch)) == COUNT
    assert list(batches.broken) == ["2"] and "2.png" in batches.broken["2"]
    assert [r.getMessage() for r in caplog.records if "skipped" in r.getMessage()] == [
        f"skipped: {batches.broken['2']}"
    ]
    batches(part(COUNT), 1)
    assert len([r for r in caplog.records if "2.png" in r.getMessage()]) == 1, "said once"
    assert torch.equal(again(part(COUNT), 0).image, epoch.image), "the same image stands in for it"
    for path in images.image_paths:
        path.write_bytes(b"no picture")
    with pytest.raises(ValueError, match=f"{MAX_SUBSTITUTES} images in a row"):
        batches(part(1), 2)


def test_batches_made_ahead_are_the_same(images):
    batches = PhotoBatches(images, (0.5, 2.0), 3)
    calls = []

    def watched(*key):
        calls.append(key[1])
        return batches(*key)

    ahead = Prefetcher(watched, threads=2, depth=2)
    for number in (0, 1, 2, 9, 10):
        assert torch.equal(ahead(part(2), number).image, batches(part(2), number).image)
        end = time.monotonic() + 60
        while not set(calls) >= {number + 1, number + 2} and time.monotonic() < end:
            time.sleep(0.01)  # until both are made: what a busy machine has not begun is dropped at the jump to 9
    ahead.close()
    assert set(calls) >= {0, 1, 2, 3, 4, 9, 10} and calls.count(1) == 1, "made ahead, and only once"
    broken = Prefetcher(lambda *key: (_ for _ in ()).throw(ValueError("no data")), threads=1)
    with pytest.raises(ValueError, match="no data"):
        broken(part(2), 0)
    broken.close()


def test_samples_without_mask_score_image_labels_alone(tmp_path):
    make_folder(tmp_path, 6)
    (tmp_path / "masks" / "photo_0.png").unlink()
    save_mask(np.zeros((3, 3), np.uint8), tmp_path / "masks" / "photo_1.png")
    (tmp_path / "images" / "photo_2.png").write_bytes(b"no picture")
    images, broken = open_images("folder", tmp_path, "all"), []
    (sample,) = photograph_samples(images, [images.names.index("photo_0")], broken)
    assert (sample.target == 255).all() and sample.target.shape == sample.image.shape[:2]
    rest = list(photograph_samples(images, range(len(images)), broken))
    assert broken == ["photo_1", "photo_2"] and len(rest) == 4
    assert evenly_spaced(10, 3) == [0, 4, 9] and evenly_spaced(3, None) == evenly_spaced(3, 9) == [0, 1, 2]


# --- settings --------------------------------------------------------------------------------------------------------


def test_settings_from_files(tmp_path):
    (tmp_path / "a.toml").write_text(
        'preset = "coco"\nbackbone = "mit_b2"\nlearning_rate = 1\nscale_range = [1, 2.5]\n[explain]\nradius = 5\n'
    )
    preset, config = read_config(str(tmp_path / "a.toml"), ["explain.num_iters=3"], official_parity=True)
    assert preset == "coco" and config.max_iters == 80000 and config.affinity_target == "seg"
    assert (config.backbone, config.learning_rate, config.scale_range) == ("mit_b2", 1.0, (1.0, 2.5))
    assert (config.explain.radius, config.explain.num_iters, config.official_parity) == (5, 3, True)
    for name, config in PRESETS.items():
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps({"preset": "voc", **dataclasses.asdict(config)}))
        assert read_config(str(path)) == ("voc", config), "what a run writes gives the run again"
    assert SANDBOX.curriculum and read_config("sandbox") == ("sandbox", SANDBOX)


@pytest.mark.parametrize(
    "text,message",
    [
        ("learnin_rate = 1", "no setting 'learnin_rate'; the nearest is 'learning_rate'"),
        ("[explain]\nradiu = 1", "no setting 'explain.radiu'; the nearest is 'radius'"),
        ("max_iters = 2.5", "got max_iters = 2.5; expected a whole number"),
        ("freeze_norms = 1", "expected true or false"),
        ("betas = [0.1]", "got betas"),
        ("[[curriculum]]\niterations = 3", "curriculum.0. has no 'image_size'"),
        ('preset = "vocc"', "no settings 'vocc'; the nearest is 'voc'"),
        ("crop_size = 100", "expected a multiple of 32"),
        ("= 3", "cannot be read"),
    ],
)
def test_wrong_settings_in_a_file_are_refused(tmp_path, text, message):
    (tmp_path / "a.toml").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_config(str(tmp_path / "a.toml"))


def test_files_of_settings_that_are_none(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file of settings"):
        read_config(str(tmp_path / "gone.toml"))
    (tmp_path / "a.json").write_text("[1]")
    with pytest.raises(ValueError, match="holds a list"):
        read_config(str(tmp_path / "a.json"))


def test_presets_of_photographs_are_the_published_run():
    published = TrainConfig()
    voc = dataclasses.replace(PRESETS["voc"], backbone=published.backbone, pretrained=False)
    assert voc == published and PRESETS["voc"].amp == "off"
    assert PRESETS["voc"].backbone.startswith("pvt_v2") and PRESETS["voc"].pretrained
    changed = {
        f.name for f in dataclasses.fields(TrainConfig) if getattr(PRESETS["coco"], f.name) != getattr(voc, f.name)
    }
    assert changed == {
        "backbone", "pretrained", "num_classes", "max_iters", "cam_iters", "joint_after", "affinity_target", "explain",
    }  # fmt: skip


def test_class_lists_come_from_the_data(tmp_path):
    make_folder(tmp_path, 12)
    source = open_photographs("folder", PRESETS["folder"], tmp_path, panel_images=1)
    assert source.config.num_classes == 3 and source.class_names == ("background", "cat", "fire engine")
    assert len(source.panel_samples) == 1 and 0 < source.facts["images"] < 12
    source.batches.close()
    wrong = dataclasses.replace(PRESETS["folder"], num_classes=7)
    with pytest.raises(ValueError, match="num_classes is 7 but .* has 3"):
        open_photographs("folder", wrong, tmp_path)


# --- weights and logs ------------------------------------------------------------------------------------------------


def test_pretrained_encoders_and_their_licences(monkeypatch, caplog):
    model = build_afa("pvt_v2_b0", 4)
    real = pretrained.pvt_v2.PvtV2
    donor = real("pvt_v2_b0")
    monkeypatch.setattr(pretrained.pvt_v2, "PvtV2", lambda name, pretrained: donor)
    monkeypatch.setattr(pretrained.HubFiles, "first_existing", lambda self, names: names[0])
    kept = model.decoder.linear_pred.weight.clone()
    assert pretrained.load_imagenet(model, "pvt_v2_b0") == "Apache-2.0"
    assert all(torch.equal(a, b) for a, b in zip(model.encoder.parameters(), donor.parameters(), strict=True))
    assert torch.equal(model.decoder.linear_pred.weight, kept)
    assert "licence: Apache-2.0" in caplog.text

    def refuse(name, pretrained):
        raise OSError("no network")

    monkeypatch.setattr(pretrained.pvt_v2, "PvtV2", refuse)
    with pytest.raises(CheckpointError, match="cannot be fetched .*pretrained=no"):
        pretrained.load_imagenet(model, "pvt_v2_b0")
    assert set(pretrained.MIT_REPOSITORIES) == {f"mit_b{i}" for i in range(6)}
    assert pretrained.MIT_REPOSITORIES["mit_b1"] == "hf://nvidia/mit-b1"


def test_mit_weights_come_with_their_licence(monkeypatch, tmp_path, caplog):
    from safetensors.torch import save_file

    from afa_viz.model.hub import HubFiles

    donor, model = build_afa("mit_b0", 21), build_afa("mit_b0", 4)
    save_file({k: v for k, v in donor.state_dict().items() if k.startswith("encoder.")}, tmp_path / "model.safetensors")
    monkeypatch.setattr(HubFiles, "first_existing", lambda self, names: _local(tmp_path, names))
    licence = pretrained.load_imagenet(model, "mit_b0")
    assert "non-commercial" in licence and "nvidia/mit-b0" in caplog.text and "non-commercial" in caplog.text
    assert all(torch.equal(a, b) for a, b in zip(model.encoder.parameters(), donor.encoder.parameters(), strict=True))


def _local(folder, names):
    for name in names:
        if (folder / name).exists():
            return folder / name
    raise FileNotFoundError(names[0])


def test_tensorboard_gets_the_numbers_where_it_is_installed(tmp_path, monkeypatch):
    made = []

    class Writer:
        def __init__(self, folder, purge_step):
            self.folder, self.purge_step, self.scalars, self.closed = folder, purge_step, [], False
            made.append(self)

        def add_scalar(self, name, value, step):
            self.scalars.append((name, value, step))

        def close(self):
            self.closed = True

    module = types.ModuleType("torch.utils.tensorboard")
    module.SummaryWriter = Writer
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    board = TensorBoardLog(tmp_path, 4)
    assert not made, "nothing is opened before there is a number"
    board.add(5, {"loss_cls": 0.5, "miou_cam_rw": 12.0, "phase": "joint"})
    board.close()
    (writer,) = made
    assert writer.scalars == [("loss/cls", 0.5, 5), ("miou/cam_rw", 12.0, 5)]
    assert writer.purge_step == 5 and writer.closed and writer.folder == str(tmp_path / "tensorboard")
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    silent = TensorBoardLog(tmp_path)
    silent.add(1, {"loss": 1.0})
    silent.close()
