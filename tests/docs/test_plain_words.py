"""Texts for people use the field's terms, in English and Korean."""

from __future__ import annotations

import ast
import json
import re
from functools import cache
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
    r"\bone (?:\w+ )?(?:number|answer|question|weight|row|vector|score|label|name|value|line|bit|record|run) an? ":
        "one … per …",
    r"\b(?:scenes?|objects?|images?|weights|GFLOP|PFLOP|hours|values) (?-i:an?) "
    r"(?:row|step|run|device|scene|image|pixel|class|GPU)\b": "… per …",
    r"(?<!there )\b(?:is|are) no (?:JSON|XML|texts?|numbers?|checkpoint|names?|state dict|dictionary|class but)\b":
        "is not …",
    r"\b(?:heads?|quer(?:y|ies)|cells?|networks?|models?|decoders?|PAR)(?:’s)? "
    r"(?:looks?|asks?|says?|tells?|speaks?|wants?|sees|thinks?|pupil)\b": "attends to, shows, uses",
    r"\bspeaks? for\b|\bpupil\b|\bborn\b|\bat work\b": "supports; student; developed; running",
    r"\bwalked (?:CAM|label|ones|score)": "random-walk labels, scores after the walk",
    r"\bsure (?:fore|back)ground\b": "reliable foreground",
    r"\bas if\b|\bjust now\b|\bthe hand\b": "the noun, or the plain passive",
    r"\btaught\b|\blearn(?:s|ed)? from (?:labels of|walked)": "trained on",
    r"\bknows? (?:the |no )?(?:image )?labels\b|\bdoes not know (?:bird|\{\})": "is given the labels; has no class",
    r"\bhas a say\b|\bearns its\b|\bspeaks? louder\b|\b(?:it|one) is silent\b|\bshare work\b": "the plain verb",
    r"\bsupervised no more\b|\bno weak(?:ly)? supervis": "no longer weakly supervised",
    r"\bnothing is walked\b|\bbring (?:the|a) photograph\b|\bis asked for the\b": "no random walk; choose; request",
    r"\bgoes? on (?:from|with) (?:trained|scenes)\b|\brather than (?:is )?told\b": "continue",
}  # fmt: skip

KOREAN = {
    "신경망": "네트워크", "그림": "이미지", "사슬": "파이프라인", "사다리": "단계별 점수", "문턱": "임계값",
    "씨앗|임곗값": "시드, 임계값", "질의": "쿼리", "조밀한": "dense CRF", "걸음": "스텝", "배율": "스케일",
    r"(?<!랜덤 )(?<!네트)워크": "랜덤 워크", "함께 든": "기본 제공", "합동": "공동 학습", "장난감": "샌드박스",
    "다듬은": "정제한", "PAR[는가를와]": "PAR은, PAR이, PAR을, PAR과",
    r"\}점(?![가-힣])": "%p", "넓이를|넓이는": "면적", "알려 주는 (?:셀|부분)": "판별적인",
    r"\{(?:name|names|label|title|error)\}[은이을과]?\((?:이|가|을|를|은|는|와)\)": "클래스가, or no particle",
    "소프트맥스": "softmax", "반경": "반지름", "최댓값 풀링": "최대 풀링", "지도 신호": "지도 정보",
    "(?<!체크)포인트": "%p", "새로 고(?:치|침)": "새로고침",
    "(?<!제공 )기본 모델": "기본 제공 모델", "학습 영역 밖": "학습 도메인 밖",
    r"\}[GMk]B": "{number} MB", "사진을 (?:놓으면 )?설명|설명을 마쳤|첫 번째를 설명": "분석",
}  # fmt: skip


READ = ("README.md", "labs/GUIDE.md", "CONTRIBUTING.md", "checkpoints/README.md", "benchmarks/README.md")
PRINTED = {"error", "warning", "warn", "require", "add_argument", "print", "Command", "UserError", "CheckpointError"}


def prose(path: Path) -> str:
    """A page without its code and addresses, in one line; "this page" is what one reads there."""
    code = r"```.*?```|`[^`]*`|\]\([^)]*\)|[Tt]his page"
    return re.sub(r"\s+", " ", re.sub(code, "", path.read_text("utf-8"), flags=re.S))


def messages(path: Path) -> str:
    """What a Python file raises, prints or explains of its options."""
    said = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        name = getattr(node.func, "attr", getattr(node.func, "id", "")) if isinstance(node, ast.Call) else ""
        if isinstance(node, ast.Raise) or name in PRINTED:
            parts = [found.value for found in ast.walk(node) if isinstance(found, ast.Constant)]
            said.append("{}".join(part for part in parts if isinstance(part, str) and not part.startswith("--")))
    return "\n".join(said)


@cache
def texts(language: str) -> dict[str, str]:
    """Every text of a language that a person reads, by where it is."""
    said = localization.texts(language).items()
    found = {key: text for key, text in said if not key.startswith("class.") and not key.endswith("_match")}
    figures = json.loads((Path(translation.__file__).parent / "texts" / "ko.json").read_text("utf-8"))
    if language == "ko":
        found |= {f"figures: {english}": own for english, own in figures.items()}
        return found | {name: (ROOT / name).read_text("utf-8") for name in ("README.ko.md", "labs/GUIDE.ko.md")}
    found |= {f"figures: {english}": english for english in figures}
    found = {key: re.sub(r"\{\w+\}", "{}", text) for key, text in found.items()}  # without names of places
    for path in (*(ROOT / name for name in READ), *(ROOT / "docs").glob("*.md")):
        found[path.name] = prose(path)
    for path in sorted((ROOT / "afa_viz").rglob("*.py")):
        found[f"messages of {path.relative_to(ROOT)}"] = messages(path)
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
    "expected one name a line.", "this is no JSON", "a decoder taught by labels", "stages that know the labels",
    "1.69 objects a scene", "every head has a say", "weakly supervised no more", "so nothing is walked",
])  # fmt: skip
def test_the_patterns_find_what_they_are_for(wrong):
    assert any(re.search(pattern, wrong, re.IGNORECASE) for pattern in ENGLISH)


def test_terms_are_given_in_english_once_where_korean_introduces_them():
    korean = localization.texts("ko")
    assert "친화도(affinity)" in korean["affinity.intro"] and "의사 레이블(pseudo label)" in korean["regions.why_html"]
