"""What texts say about the method is what the code computes: numbers, equations, citations, and no known falsehood."""

from __future__ import annotations

import dataclasses
import json
import math
import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest
import torch
from checkpoint_page import describe, since
from make_stage_pages import OUT, pages

from afa_viz.config import ExplainConfig, TrainConfig
from afa_viz.data.sandbox.layout import Streams, make_plan
from afa_viz.data.sandbox.recipe import DEFAULT
from afa_viz.data.sandbox.scene import SPLIT_IDS
from afa_viz.evaluation.published import REFERENCES
from afa_viz.lab import changes, verdicts_cam, verdicts_refine
from afa_viz.model.afa import build_afa, parameter_count
from afa_viz.model.card import Card
from afa_viz.model.publish import model_page
from afa_viz.ops import affinity, cam, par, pseudo_label, random_walk
from afa_viz.presets import PRESETS, QUICK, SANDBOX
from afa_viz.training.card import config_hash
from afa_viz.ui import localization
from afa_viz.ui.report import pictures
from afa_viz.ui.report.markup import Words

ROOT = Path(__file__).parents[2]
LANGUAGES = localization.languages()
CONFIG = ExplainConfig()


def plain(markup: str) -> str:
    """A text without its tags."""
    return re.sub(r"<[^>]+>|&nbsp;|&emsp;", " ", markup)


def numbers(text: str) -> list[float]:
    return [float(found) for found in re.findall(r"(?<![\w.])\d+(?:\.\d+)?", plain(text))]


def paragraph(key: str, language: str, place: int) -> str:
    return re.findall(r"<p>(.*?)</p>", localization.texts(language)[key])[place]


# --- numbers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_distances_and_scales_of_par_are_the_published_ones_and_those_of_the_bundled_model(language):
    there, shown = list(CONFIG.dilations), [CONFIG.par_downscale * d for d in CONFIG.dilations]
    assert CONFIG.dilations == par.DILATIONS and CONFIG.par_downscale == pseudo_label.DOWNSCALE == 2  # "half size"
    bundled = Card.read(ROOT / "checkpoints" / "sandbox" / "model.json")
    assert bundled.par_downscale == SANDBOX.explain.par_downscale == 1  # "full size"
    sizes = [PRESETS["voc"].crop_size, bundled.input_size]
    assert sorted(numbers(paragraph("par.why_html", language, 1))) == sorted([*there, min(shown), max(shown), *sizes])
    assert {8 * len(there)} == set(numbers(localization.texts(language)["par.intro"]))


@pytest.mark.parametrize("language", LANGUAGES)
def test_weights_and_sum_of_pars_kernel_are_those_of_the_code(language):
    texts = localization.texts(language)
    assert numbers(texts["par.equation"])[-4:] == [1, par.W1, 2, par.W2]  # w1 = …, w2 = …
    assert par.W1 in numbers(paragraph("par.why_html", language, 0))
    kernel = par.pixel_affinity(torch.rand(1, 3, 9, 11))
    total = float(kernel.sum(dim=1).mean())
    assert total == pytest.approx(1 + par.W2, abs=1e-5)
    assert f"{total:.2f}" in paragraph("par.why_html", language, 2)


@pytest.mark.parametrize("language", LANGUAGES)
def test_published_numbers_in_texts_are_those_of_the_settings(language):
    texts, voc = localization.texts(language), TrainConfig().explain
    for key, value in (
        ("walk.power_info", voc.power), ("walk.radius_info", voc.radius), ("walk.low_info", voc.bkg_score_low),
        ("walk.step_info", voc.num_steps), ("regions.low_info", voc.bkg_score_low),
        ("regions.high_info", voc.bkg_score_high), ("regions.bkg_info", voc.bkg_score),
        ("cam.cut_info", voc.bkg_score),
    ):  # fmt: skip
        assert value in numbers(texts[key]), key
    assert numbers(texts["par.num_iters_info"]) == [voc.num_iters, PRESETS["coco"].explain.num_iters]
    assert numbers(texts["walk.equation"])[-1] == random_walk.EPS
    assert {(preset.weight_seg, preset.weight_aff) for preset in QUICK.values()} == {(0.5, 1.0)}  # those of the tab
    assert numbers(texts["train.equation"]) == [0.5]
    assert REFERENCES["voc", "val"]["seg_crf"].miou in numbers(texts["par.crf_hint"])


@pytest.mark.parametrize("language", LANGUAGES)
def test_ranges_of_the_lab_in_texts_are_those_of_its_verdicts(language):
    def said(key: str) -> list[float]:
        return numbers(localization.texts(language)[f"lab.{key}"].replace("~", " "))

    for kind, ends in (
        ("labels.option", verdicts_cam.AREAS), ("labels.reason", verdicts_cam.BOXES),
        ("pooling.reason", verdicts_cam.SUPPORT), ("crf.option", verdicts_refine.AGREEMENT),
    ):  # fmt: skip
        low = 0.0
        for code, high in ends.items():
            expected = [round(100 * end, 1) for end in (low, high) if 0 < end < 1]
            assert said(f"{kind}_{code}") == expected, (kind, code)
            low = high
    few, ten, _ = verdicts_refine.RATIOS.values()
    assert [said(f"crf.reason_{code}") for code in verdicts_refine.RATIOS] == [[few], [few, ten], [ten]]
    share = 100 * verdicts_refine.MOSTLY
    assert said("regions.option_right") == [share] and said("regions.option_wrong") == [100 - share]
    assert said("reason.border") == [changes.BORDER]


@pytest.mark.parametrize("language", LANGUAGES)
def test_sizes_of_the_network_in_texts_are_those_of_the_network(language):
    with torch.device("meta"):
        small, larger = build_afa("mit_b0", 13), build_afa("mit_b1", 13)
    assert small.attn_proj.weight.numel() == 16  # "sixteen weights"
    assert affinity.AFFINITY_BLOCKS == 2  # "its last two blocks"
    assert 3.5 < parameter_count(larger) / parameter_count(small) < 4  # "nearly four times"
    model = build_afa("mit_b0", 13).eval()
    with torch.no_grad():
        blocks = model.forward_intermediates(torch.rand(1, 3, 64, 64)).attention
    sums = [math.isqrt(math.prod(b.query_grid) // math.prod(b.key_grid)) for b in blocks]
    told = numbers(paragraph("attention.why_html", language, 1))
    assert told == [side for side in sorted(set(sums) - {1}, reverse=True) for _ in range(2)]
    assert sums[-affinity.AFFINITY_BLOCKS :] == [1] * affinity.AFFINITY_BLOCKS


# --- equations -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_pars_equation_has_its_operators_in_the_order_of_the_code(language):
    """softmax over neighbours of minus the mean over RGB of (difference / (sigma w1)) squared, plus the position."""
    mean = {"en": "mean", "ko": "평균"}[language]
    equation = re.sub(r"\s+", "", plain(localization.texts(language)["par.equation"]))
    assert f"softmaxn(−{mean}RGB(|In−I|∕(σw1))²)+w2softmaxn(−(ρn∕(σρw1))²)" in equation
    image = torch.rand(1, 3, 6, 7, dtype=torch.float64)
    offsets = par.neighbour_offsets().tolist()
    row, col = 2, 3
    # an oracle written from the text
    values = torch.stack([image[0, :, min(5, max(0, row + dy)), min(6, max(0, col + dx))] for dy, dx in offsets])
    colour = -((values - image[0, :, row, col]).abs() / (values.std(dim=0) * par.W1)).square().mean(dim=1)
    rho = torch.tensor(offsets, dtype=torch.float64).norm(dim=1)
    position = -(rho / (rho.std() * par.W1)).square()
    expected = colour.softmax(dim=0) + par.W2 * position.softmax(dim=0)
    assert torch.allclose(par.pixel_affinity(image)[0, :, row, col], expected, atol=1e-6)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_cams_equation_has_its_operators_in_the_order_of_the_code(language):
    flip = {"en": "flip", "ko": "반전"}[language]
    equation = re.sub(r"\s+", "", plain(localization.texts(language)["cam.equation"]))
    assert equation.startswith(f"Mc=ΣsReLU(max(wc·F(xs),{flip}(wc·F({flip}(xs)))))")
    assert equation.endswith(f"Mc←(Mc−minMc)∕(max(Mc−minMc)+10−{round(-math.log10(cam.EPS))})")
    straight, mirrored = torch.randn(2, 1, 2, 4, 5), torch.randn(2, 1, 2, 4, 5)  # of two scales
    total = sum(torch.maximum(a, b.flip(-1)).relu() for a, b in zip(straight, mirrored, strict=True))
    low = total.amin(dim=(-2, -1), keepdim=True)
    expected = (total - low) / ((total - low).amax(dim=(-2, -1), keepdim=True) + 10**-5)
    fused = [cam.fuse_flip(a, b) for a, b in zip(straight, mirrored, strict=True)]
    assert torch.allclose(cam.normalize(cam.fuse_scales(fused)), expected, atol=1e-6)


@pytest.mark.parametrize("tab", ["cam", "attention", "affinity", "walk", "par", "regions", "seg"])
def test_the_report_has_the_equations_of_the_app(tab):
    """So what is held here of their constants holds for its pictures too."""
    made = pictures._equation(Words({language: {} for language in LANGUAGES}, "en"), tab)
    for language in LANGUAGES:
        assert localization.texts(language)[f"{tab}.equation"] in made


# --- behaviour that sentences describe -------------------------------------------------------------------------------


def test_max_pools_channels_before_the_classifier_and_topk_pools_class_scores():
    torch.manual_seed(0)
    features = torch.randn(1, 256, 4, 4)
    model = build_afa("mit_b0", 5)
    with torch.no_grad():
        cells = model.classifier(features).flatten(2)
        model.pooling = "max"
        assert not torch.allclose(model.classify(features), cells.amax(dim=-1))  # no single cell has this score
        channels = features.flatten(2).amax(dim=-1)
        assert torch.allclose(model.classify(features), channels @ model.classifier.weight.flatten(1).t(), atol=1e-5)
        model.pooling, model.topk = "topk", 0.25
        assert torch.allclose(model.classify(features), cells.topk(4, dim=-1).values.mean(dim=-1), atol=1e-5)


def test_the_affinity_is_semantic():
    label = torch.zeros(1, 16, 80, dtype=torch.int64)
    label[..., 16:32] = label[..., 48:64] = 7  # two cows on the background
    pairs = affinity.affinity_labels(label)[0]
    assert pairs[1, 3] == 1 and pairs[0, 4] == 1 and pairs[0, 1] == 0


def test_a_step_of_the_walk_has_the_cell_itself_and_weights_that_sum_to_less_than_one():
    symmetric = torch.rand(1, 6, 6)
    transition = random_walk.transition_matrix((symmetric + symmetric.transpose(1, 2)) / 2)[0]
    assert (transition.diagonal() > 0).all() and (transition.sum(dim=0) < 1).all()
    lonely = torch.full((1, 4, 4), 0.9)
    lonely[0, 0] = lonely[0, :, 0] = 0.01
    sums = random_walk.transition_matrix(lonely)[0].sum(dim=0)
    assert sums[0] < 0.01 and sums[1] > 0.9


def test_the_factor_of_par_keeps_the_order_of_the_classes_and_the_averaging_may_not():
    image = torch.full((1, 3, 9, 9), 0.5)
    scores = torch.zeros(1, 2, 9, 9)
    scores[0, 0], scores[0, 1, 4, 4] = 0.4, 0.6  # one pixel of another class
    assert scores[0, :, 4, 4].argmax() == 1 and (1.01 * scores)[0, :, 4, 4].argmax() == 1
    assert par.refine(scores, par.pixel_affinity(image), num_iters=1)[0, :, 4, 4].argmax() == 0


def test_equal_background_scores_leave_nothing_out():
    label = torch.randint(0, 3, (1, 8, 8))
    assert (pseudo_label.merge_low_high(label, label) != pseudo_label.IGNORE).all()


# --- the bundled model -----------------------------------------------------------------------------------------------


def test_what_the_bundled_model_learned_from_is_told_from_its_card():
    training = Card.read(ROOT / "checkpoints" / "sandbox" / "model.json").training
    page = (ROOT / "checkpoints" / "README.md").read_text(encoding="utf-8")
    assert describe(training["config"]) in re.sub(r"\s+", " ", page)
    assert "curriculum" not in json.loads((ROOT / "checkpoints" / "sandbox" / "scores.json").read_text())


def test_the_hash_of_every_published_card_is_that_of_the_recipe():
    folder = ROOT / "checkpoints" / "sandbox"
    cards = [folder / "model.json", *(folder / "snapshots").glob("iter_*.json")]
    assert len(cards) > 10 and {Card.read(card).training["config_sha256"] for card in cards} == {config_hash(SANDBOX)}
    assert config_hash(dataclasses.replace(SANDBOX, rng_seed=2)) != config_hash(SANDBOX)
    other = dataclasses.replace(SANDBOX, explain=dataclasses.replace(SANDBOX.explain, radius=5))
    assert config_hash(other) != config_hash(SANDBOX)


def test_every_published_card_names_the_images_that_it_was_scored_on():
    folder = ROOT / "checkpoints" / "sandbox"
    card = Card.read(folder / "model.json")
    assert card.training["scored_on"] == f"sandbox {card.scores['split']}, {card.scores['scenes']} images"
    for path in (folder / "snapshots").glob("iter_*.json"):
        assert Card.read(path).training["scored_on"] == "sandbox val, 50 images"


def test_the_page_says_where_the_recipe_is_another_now():
    same = {"config": json.loads(json.dumps(dataclasses.asdict(SANDBOX)))}
    assert since(same) == ""
    older = {"config": {name: value for name, value in same["config"].items() if name != "calibrate_affinity"}}
    assert "`calibrate_affinity` was False, is True." in " ".join(since(older).split())
    older["config"]["explain"] = same["config"]["explain"] | {"par_downscale": 2}
    assert "`par_downscale` was 2, is 1." in " ".join(since(older).split())
    training = Card.read(ROOT / "checkpoints" / "sandbox" / "model.json").training
    assert since(training) in (ROOT / "checkpoints" / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "phases, told",
    [
        ((10, 10), "image labels alone, no pseudo labels"),
        ((4, 10), "after iteration 4 affinity and decoder are trained on labels of the refined CAM; no joint phase"),
        ((4, 6), "of the refined CAM, after 6 the decoder on random-walk labels"),
    ],
)
def test_a_curriculum_in_words_says_a_joint_phase_only_where_there_is_one(phases, told):
    part = {"iterations": 10, "batch_size": 2, "crop_size": 64, "single_objects": False}
    config = {"curriculum": [part], "cam_iters": phases[0], "joint_after": phases[1], "max_iters": 10}
    assert told in describe({**config, "affinity_target": "cam"})
    if phases[1] < 10:
        assert "after 6 both on random-walk labels" in describe({**config, "affinity_target": "seg"})


def test_the_model_page_says_on_what_it_was_measured():
    card = Card.read(ROOT / "checkpoints" / "sandbox" / "model.json")
    page = model_page(card, "jane/sandbox")
    assert "on 400 images of the test split" in page and "| scenes |" not in page and "not comparable" in page
    for name in ("learning_rate", "batch_size"):  # a curriculum's parts have their own
        assert f"| {name} |" not in page


# --- citations -------------------------------------------------------------------------------------------------------

SECTIONS = {  # of Ru et al. 2022, by what is cited: one section for one thing
    "cam.py": {"3.2"}, "affinity.py": {"3.3"}, "random_walk.py": {"3.3"}, "pseudo_label.py": {"3.3"},
    "losses.py": {"3.3"}, "par.py": {"3.4"}, "textbook_par.py": {"3.4"}, "en.json": {"3.3"}, "ko.json": {"3.3"},
}  # fmt: skip


def files(*endings: str) -> list[Path]:
    """What is in the repository, tests and the changelog left out."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    found = [ROOT / name for name in listed.split("\0") if name.endswith(endings)]
    return [p for p in found if p.is_file() and ROOT / "tests" not in p.parents and p.name != "CHANGELOG.md"]


def test_a_thing_is_cited_by_one_section():
    cited: dict[str, set[str]] = {}
    for path in files(".py", ".json", ".md", ".html", ".ipynb", ".js"):
        text = path.read_text(encoding="utf-8")
        found = re.findall(r"Ru et al\. 2022(?: \(arXiv [\d.]+\))?, (?:section )?(\d\.\d|equation)", text)
        if found:
            cited.setdefault(path.name, set()).update(found)
    assert cited == SECTIONS


# --- what was said once and is false ---------------------------------------------------------------------------------

FALSE = {  # pattern: why
    "judges each cell by itself|셀을 하나씩 따로 판단": "features carry context",
    "belong to the same thing|같은 것에 속할까요|[Cc]ells of one object|한 물체의 셀": "the affinity is semantic",
    "strongest class stays the strongest|그대로 가장 강합니다": "true of the factor 1.01 alone",
    "mean of its neighbours|mean of 48|averages 48|average the scores of 48|48개 이웃의 점수를 거듭 평균":
        "a weighted sum, most from similar colours",
    "its own colour|own colour, ten times": "of a similar colour",
    "may look too good|너무 좋아 보일": "not comparable: other pixels",
    "shrinks and gets purer|줄면서 더 깨끗해지고": "usually, not always",
    r"one \*?pooled\*? vector|one cell shouts|is content with one telling cell|알려 주는 셀 하나로":
        "max pools channels, top-k class scores",
    "worth learning from|good enough to make pseudo labels|배울 만해진|만큼 좋아진": "phases begin at fixed iterations",
    "PAR replaced|Before PAR, this job|PAR's older rival|PAR가 대신한|PAR 이전에는":
        "in training alone; the published result still has a CRF",
    "walked ones after 3700|like this one. Now it draws": "the bundled decoder never learned from a walked label",
    "trains the affinity and the decoder": "two labels",
    "outvote a few strong|강한 연결 몇 개를 이깁니다": "measured: the power hardly matters to the bundled model",
    "Nobody told the heads about objects|아무도 헤드에 물체를": "the affinity's loss did",
    "nearly always come with water|거의 언제나 물과": "half of the training scenes",
    "measured while training": "of a published card it was not",
    r"ReLU\(<i>w<sub>c</sub></i> · <i>F</i>\) ∕ max": "flip, scales, minimum and 1e-5 are missing",
    r"∕ σ <i>w</i>": "sigma w1 belongs in brackets",
    r"know each other": "the affinity is a number for the same class",
    "씨앗|임곗값": "the field says 시드 and 임계값",
    "PAR (?:works|returns)[^.;]* half size|at half size each pixel|절반 크기의 이미지에서 동작|절반 크기 이미지의 픽셀":
        "the bundled model: full size",
    "bundled weights, half an hour|the bundled model's run ends there": "two hours, and a joint phase",
}  # fmt: skip


@pytest.mark.parametrize("pattern", FALSE)
def test_a_known_falsehood_is_said_nowhere(pattern):
    told = [
        f"{path.relative_to(ROOT)}: {found[0]}"
        for path in files(".py", ".json", ".md", ".html", ".ipynb", ".js")
        for found in re.finditer(pattern, re.sub(r"\s+", " ", path.read_text(encoding="utf-8")))
    ]
    assert not told, FALSE[pattern]


def test_the_pages_of_the_tabs_hold_the_texts_of_the_app():
    stale = [name for name, text in pages().items() if (OUT / name).read_text(encoding="utf-8") != text]
    assert not stale, "run PYTHONPATH=. python tools/make_stage_pages.py"


def test_boats_are_on_water_more_often_than_anywhere_else_and_not_nearly_always():
    """As the example's story says of the training scenes; their plans tell it, no picture is needed."""
    plans = [make_plan(Streams((SPLIT_IDS["train"], i)), DEFAULT, None) for i in range(SANDBOX.train_images)]
    places = Counter(plan.context for plan in plans if "boat" in plan.objects)
    (most, times), (_, second) = places.most_common(2)
    assert most == "water" and times > 2 * second
    assert 0.3 < times / places.total() < 0.8
