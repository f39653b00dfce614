"""Texts for people use the field's terms, in English and Korean."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from afa_viz.figures import translation
from afa_viz.ui import localization

ROOT = Path(__file__).parents[2]

ENGLISH = {  # pattern: what to write
    r"\bpictures?\b": "image; photograph for an upload",
    r"\b(?:this|the|your|as the) page\b|\bpage (?:opens|shows|skips|says)": "the app",
    r"\bwhoever\b|\bnobody\b|\bsomebody\b": "you, or the passive",
    r"\bcan not\b": "cannot",
    r"\btold\b|\btelling\b": "trained on; discriminative",
    r"(?<!ground )(?<!ground-)\btruth\b": "ground truth",
    r"\bcuts?\b|\bCut\b": "threshold",
    r"\bchains?\b": "pipeline",
    r"\bladders?\b|\brungs?\b": "scores by stage",
    r"\btoy world\b|\btraining world\b": "sandbox; training domain",
    r"\bspilled\b|\bspills\b|\binvented\b|\bof it right\b": "false positives, precision",
    r"\bby chance\b": "uniform",
    r"\bright order\b": "ROC AUC of pairs",
    r"Default: of\b": "Default: the recipe's value",
    r"\bone (?:\w+ )?(?:number|answer|question|weight|row|vector|score|label) an? ": "one … per …",
    r"\b(?:heads?|quer(?:y|ies)|cells?|networks?|models?|decoders?|PAR)(?:’s)? "
    r"(?:looks?|asks?|says?|tells?|speaks?|wants?|sees|thinks?|pupil)\b": "attends to, shows, uses",
    r"\bspeaks? for\b|\bpupil\b|\bborn\b|\bat work\b": "supports; student; developed; running",
    r"\bwalked (?:CAM|label|ones|score)": "random-walk labels, scores after the walk",
    r"\bsure (?:fore|back)ground\b": "reliable foreground",
    r"\bas if\b|\bjust now\b|\bthe hand\b": "the noun, or the plain passive",
}  # fmt: skip

KOREAN = {
    "신경망": "네트워크", "그림": "이미지", "사슬": "파이프라인", "사다리": "단계별 점수", "문턱": "임계값",
    "씨앗|임곗값": "시드, 임계값", "질의": "쿼리", "조밀한": "dense CRF", "걸음": "스텝", "배율": "스케일",
    r"(?<!랜덤 )(?<!네트)워크": "랜덤 워크", "함께 든": "기본 제공", "합동": "공동 학습", "장난감": "샌드박스",
    "다듬은": "정제한", "PAR[는가를와]": "PAR은, PAR이, PAR을, PAR과",
    r"\}점(?![가-힣])": "%p", "넓이를|넓이는": "면적", "알려 주는 (?:셀|부분)": "판별적인",
    r"\{(?:name|names|label|title|error)\}[은이을과]?\((?:이|가|을|를|은|는|와)\)": "클래스가, or no particle",
}  # fmt: skip


def texts(language: str) -> dict[str, str]:
    """Every text of a language that a person reads, by where it is."""
    found = {key: text for key, text in localization.texts(language).items() if not key.startswith("class.")}
    if language == "en":  # without names of places
        found = {key: re.sub(r"\{\w+\}", "{}", text) for key, text in found.items()}
    else:
        figures = Path(translation.__file__).parent / "texts" / f"{language}.json"
        found |= {f"figures: {english}": own for english, own in json.loads(figures.read_text("utf-8")).items()}
        return found | {"GUIDE.ko.md": (ROOT / "labs" / "GUIDE.ko.md").read_text("utf-8")}
    for path in (ROOT / "README.md", ROOT / "labs" / "GUIDE.md"):
        found[path.name] = re.sub(
            r"```.*?```|`[^`]*`|\]\([^)]*\)|^\|.*\.py`.*$", "", path.read_text("utf-8"), flags=re.S
        )
    for path in (ROOT / "labs").glob("*.ipynb"):
        cells = json.loads(path.read_text("utf-8"))["cells"]
        for number, cell in enumerate(cells):
            if cell["cell_type"] == "markdown":
                found[f"{path.name}, cell {number}"] = "".join(cell["source"])
    return found


@pytest.mark.parametrize("language, pattern", [("en", p) for p in ENGLISH] + [("ko", p) for p in KOREAN])
def test_texts_use_the_words_of_the_field(language, pattern):
    flags = re.IGNORECASE if language == "en" else 0
    wrong = {key: found[0] for key, text in texts(language).items() if (found := re.search(pattern, text, flags))}
    assert not wrong, f"write: {(ENGLISH if language == 'en' else KOREAN)[pattern]}"


@pytest.mark.parametrize("wrong", [
    "this picture is damaged", "Cut at 0.5", "IoU with the truth", "the whole chain", "one number a class ",
    "one learned weight a head ", "the head looks at the paw", "Default: of the recipe", "it can not be read",
])  # fmt: skip
def test_the_patterns_find_what_they_are_for(wrong):
    assert any(re.search(pattern, wrong, re.IGNORECASE) for pattern in ENGLISH)


def test_terms_are_given_in_english_once_where_korean_introduces_them():
    korean = localization.texts("ko")
    assert "친화도(affinity)" in korean["affinity.intro"] and "의사 레이블(pseudo label)" in korean["regions.why_html"]
