"""Photographs of visitors in a static site: what the browser computes is what `explain` computes."""

from __future__ import annotations

import base64
import io
import json

import numpy as np
import pytest
from browser import browser  # noqa: F401  (fixture)
from browser import pytestmark as browser_marks
from image_bytes import encoded
from network_site import DRIVER, EXAMPLES, address, arrays, network_of, site  # noqa: F401  (fixtures)
from PIL import Image
from visitor_images import UPLOADS, mask_png

import afa_viz
from afa_viz.stage_scores import stage_labels
from afa_viz.ui.handlers import payload, payload_attention
from afa_viz.ui.localization import texts

pytestmark = [*browser_marks, pytest.mark.slow]
NAMES = sorted(path.name for path in EXAMPLES.glob("*.png") if not path.stem.endswith("_mask"))


@pytest.fixture(scope="module")
def model():
    return afa_viz.load_model(device="cpu")


@pytest.fixture(scope="module")
def worker(browser, address, site):  # noqa: F811
    """A page that speaks with the worker of the site."""
    page = browser.new_context().new_page()
    page.set_default_timeout(60_000)
    page.goto(address)
    page.evaluate(DRIVER)
    page.evaluate("network => driver.open(network)", network_of(site))
    return page


def explained(worker, data: bytes, kind: str = "image/png") -> dict:
    sent = [base64.b64encode(data).decode(), kind]
    answer = worker.evaluate("([data, kind]) => driver.explain(data, kind)", sent)
    return arrays(worker.evaluate("key => driver.ask(key, 'stages')", answer["key"])) | answer


def asked(worker, answer: dict, question: str, **parameters) -> dict:
    return arrays(worker.evaluate("([key, question, asked]) => driver.ask(key, question, asked)",
                                  [answer["key"], question, parameters]))  # fmt: skip


def compare(found: dict, trace) -> None:
    """Labels equal on 99 % of the pixels, scores within 2 % of full scale."""
    channels = [0, *trace.present]
    assert [one["label"] for one in found["classes"]] == list(trace.present)
    assert found["size"] == list(trace.image.shape[:2]) and found["grid"] == list(trace.grid)
    labels = stage_labels(trace)
    shown = {stage: found["labels"][stage]["map"] for stage in payload.LABELLED_STAGES if stage in found["labels"]}
    shown |= {name: found[name]["map"] for name in ("affinity_label", "pseudo_label")}
    expected = labels | {"affinity_label": trace.affinity_label, "pseudo_label": trace.pseudo_label}
    for name, label in shown.items():
        equal = float((label == expected[name].numpy()).mean())
        assert equal >= 0.99, f"{name}: {equal:.4f} of the pixels"
    scores = {"cam": trace.cam[[label - 1 for label in trace.present]], "cam_rw": trace.cam_rw[channels],
              "cam_par": trace.cam_par[channels], "affinity": trace.affinity}  # fmt: skip
    for name, values in scores.items():
        apart = float(np.abs(found[name]["map"] - values.numpy()).max())
        assert apart <= 0.02, f"{name}: {apart:.4f} of full scale"
    for one in found["classes"]:
        assert one["logit"] == pytest.approx(float(trace.class_logits[one["label"] - 1]), abs=0.05)


@pytest.mark.parametrize("name", NAMES)
def test_bundled_examples(worker, model, name):
    found = explained(worker, (EXAMPLES / name).read_bytes())
    compare(found, afa_viz.explain(model, EXAMPLES / name))


@pytest.mark.parametrize("kind", UPLOADS)
def test_uploads_of_odd_sizes(worker, model, tmp_path, kind):
    data = UPLOADS[kind]()
    (tmp_path / "photo").write_bytes(data)
    compare(explained(worker, data, "image/any"), afa_viz.explain(model, tmp_path / "photo"))


def test_chosen_labels_are_those_of_explain(worker, model):
    found = explained(worker, (EXAMPLES / "default_004.png").read_bytes())
    chosen = [3, 6, 11]
    stages = asked(worker, {"key": f"{found['key']}:3,6,11"}, "stages")
    compare(stages, afa_viz.explain(model, EXAMPLES / "default_004.png", labels=chosen))
    assert stages["labels_given"] and stages["key"] != found["key"]


@pytest.mark.parametrize(
    "kind, size, labels", [("301 x 199 PNG", (301, 199), (3, 6)), ("257 x 255 grey PNG", (514, 510), (11,))]
)
def test_a_ground_truth_gives_the_scores_of_the_app(worker, model, tmp_path, kind, size, labels):
    data = UPLOADS[kind]()
    (tmp_path / "photo").write_bytes(data)
    found = explained(worker, data)
    assert found["scores"] is None and found["precision"] is None and not found["labels_given"]
    mask = mask_png(size, labels)
    answer = worker.evaluate("mask => driver.mask(mask)", base64.b64encode(encoded(mask, "PNG")).decode())
    assert answer["key"].startswith(found["key"]) and answer["key"] != found["key"]
    stages = asked(worker, answer, "stages")
    shape = tuple(reversed(Image.open(io.BytesIO(data)).size))
    target = np.asarray(mask.resize((shape[1], shape[0]), Image.Resampling.NEAREST))
    trace = afa_viz.explain(model, tmp_path / "photo", labels=sorted(labels), target=target)
    compare(stages, trace)
    assert stages["labels_given"] and stages["story"] == texts()["side.masked_story"]
    scene_found = asked(worker, answer, "scene")
    assert np.array_equal(scene_found["target"]["map"], trace.target.numpy())
    expected = payload.stages(trace, "x", "y")
    for stage, score in expected["scores"].items():
        assert stages["scores"][stage]["miou"] == pytest.approx(score["miou"], abs=0.01), stage
        for label, iou in score["iou"].items():
            assert stages["scores"][stage]["iou"][str(label)] == pytest.approx(iou, abs=0.02), (stage, label)
    for name, regions in expected["precision"].items():
        for region, share in regions.items():
            assert (stages["precision"][name][region] is None) == (share is None)
            assert share is None or stages["precision"][name][region] == pytest.approx(share, abs=0.01)
    assert asked(worker, answer, "overview")["by_truth"]
    alike(asked(worker, answer, "overview"), payload_attention.overview(trace))
    alike(asked(worker, answer, "affinity")["numbers"], payload_attention.affinity(trace)["numbers"])
    assert asked(worker, {"key": found["key"]}, "stages") is None, "the image has a ground truth now"


def alike(found, expected, where=""):
    """Numbers to three digits, everything else equal."""
    if isinstance(expected, dict):
        assert set(found) >= set(expected), (where, set(expected) - set(found))
        for name in expected:
            alike(found[name], expected[name], f"{where}.{name}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), where
        for i, item in enumerate(expected):
            alike(found[i], item, f"{where}[{i}]")
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, rel=5e-3, abs=5e-3), where
    else:
        assert found == expected, where


@pytest.mark.parametrize("kind", ["301 x 199 PNG", "97 x 143 PNG"])
def test_what_tabs_ask_is_what_the_app_answers(worker, model, tmp_path, kind):
    data = UPLOADS[kind]()
    (tmp_path / "photo").write_bytes(data)
    trace = afa_viz.explain(model, tmp_path / "photo")
    found = explained(worker, data)
    scene_found, expected = asked(worker, found, "scene"), payload.scene(trace, "x")
    alike(scene_found["blocks"], expected["blocks"])
    assert (scene_found["seg"]["map"] == trace.seg.numpy()).mean() >= 0.99
    alike(asked(worker, found, "overview"), payload_attention.overview(trace))
    numbers = payload_attention.affinity(trace)
    answer = asked(worker, found, "affinity")
    alike(answer["numbers"], numbers["numbers"])
    alike({name: answer[name] for name in ("cells_of", "at_centre", "bias")},
          {name: numbers[name] for name in ("cells_of", "at_centre", "bias")})  # fmt: skip
    for block in range(len(trace.attn_logits)):
        for logits in (False, True):
            for part in ({}, {"head": -1}, {"head": 0}, {"cell": [1, 2]}):
                values = payload_attention.cell_maps(trace, block, logits, part.get("cell")).numpy()
                values = (
                    values if "head" not in part else values.mean(0, keepdims=True) if part["head"] < 0 else values[:1]
                )
                maps = asked(worker, found, "attention", block=block, logits=logits, **part)
                lows, peaks = (maps[name].reshape(maps["shape"][:2] + [1]) for name in ("lows", "peaks"))
                shown = lows + (peaks - lows) * maps["bytes"].reshape(maps["shape"]) / 255
                span = float(np.ptp(values)) or 1
                assert shown.shape == values.shape and np.abs(shown - values).max() <= 0.02 * span, (
                    block,
                    logits,
                    part,
                )


def test_the_work_on_an_older_image_ends(worker):
    """Three images at once: only the newest one is explained."""
    data = [base64.b64encode((EXAMPLES / name).read_bytes()).decode() for name in NAMES[:3]]
    answers = worker.evaluate("data => Promise.all(data.map((one) => driver.explain(one, 'image/png')))", data)
    assert [one["done"] for one in answers] == [False, False, True] and answers[2]["key"].startswith("photo-")
    passes = worker.evaluate("driver.progress.filter(({progress}) => progress).length")
    assert 6 <= passes <= 10


@pytest.mark.parametrize(
    "data, failure",
    [
        (b"", "site.no_image_file"),
        (b"hello", "site.no_image_file"),
        (b"\x89PNG\r\n\x1a\n" + b"x" * 99, "site.no_image_file"),
        (encoded(Image.new("RGB", (15, 40)), "PNG"), "refused.small"),
        (encoded(Image.new("RGB", (900, 100)), "PNG"), "refused.narrow"),
        (encoded(Image.new("L", (7000, 7000)), "PNG"), "refused.far_too_many"),
    ],
    ids=["empty", "text", "damaged", "small", "narrow", "megapixels"],
)  # fmt: skip
def test_bad_files_are_named(worker, data, failure):
    caught = worker.evaluate(
        "data => driver.explain(data, 'image/png').then(() => '', (error) => error.message)",
        base64.b64encode(data).decode(),
    )
    found = json.loads(caught)
    assert found["key"] == failure
    assert "{" not in texts()[failure].format(**found["places"])
