"""Reports and pictures in another language: every sentence has its translation, names are those of the page."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest
from app_fixtures import scene_trace
from report_file import Page

from afa_viz.figures import translation, typography
from afa_viz.figures.poster import poster
from afa_viz.pipeline import recompute
from afa_viz.ui.localization import display_names, texts
from afa_viz.ui.report.document import document, write_report

# what is no English: symbols of the method, names of settings and of the paper, and code
PLAIN = re.compile(
    r"(?<![A-Za-z])(R_cam|R_aff|PAR|CAM|m?IoU|AFA( Viz)?|COCO|Ru, Zhan, Yu, Du, “[^”]*”, CVPR|[a-z]+_[a-z_]+|"
    r"flip|scales|power|radius|symmetric|dilations|occlude|True|False|None)(?![A-Za-z])"
)
VARIANTS = {
    "as explained": {}, "no walk": {"use_walk": False}, "no PAR": {"use_par": False}, "neither": {
        "use_walk": False, "use_par": False}, "long walk": {"num_steps": 3, "num_iters": 1},
}  # fmt: skip
FACTS = {
    "known": {"affinity_trained_on": "affinity_label", "decoder_trained_on": "pseudo_label"},
    "unknown": {"affinity_trained_on": None, "decoder_trained_on": "nothing"},
    "bare": {"target": None, "labels_given": False, "checkpoint_id": ""},
}


@pytest.fixture(scope="module")
def trace():
    return scene_trace()


def said_in(html: str) -> list[str]:
    """What a Korean reader is told beside the explorer, without code and equations."""
    page = Page(re.sub(r"<pre\b.*?</pre>|<p class=\"afa-equation\">.*?</p>", "", html, flags=re.DOTALL))
    return [*(image["alt"] for image in page.images), *(text for of, text in page.said if of in (None, "ko"))]


@pytest.mark.parametrize("facts", FACTS.values(), ids=FACTS)
@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
def test_no_english_is_left_in_a_korean_report(trace, changes, facts):
    changed = recompute(trace, dataclasses.replace(trace.config, **changes))
    html = document(dataclasses.replace(changed, **facts), "ko")
    left = {text.strip() for text in said_in(html) if re.search("[A-Za-z]{2,}", PLAIN.sub("", text))}
    assert not left
    assert '<html lang="ko">' in html and "고양이" in html


def test_english_stays_as_it_is(trace, tmp_path):
    plain = document(trace)
    assert document(trace, "ko") != plain
    assert document(trace) == plain and translation.current_language() == "en"
    write_report(trace, tmp_path / "en.html")
    assert (tmp_path / "en.html").read_text(encoding="utf-8") == plain
    both = Page(trace.report(tmp_path / "ko.html", language="ko").read_text(encoding="utf-8"))
    assert "CAM: cat" in both.words("en") and "CAM: 고양이" in both.words("ko")  # of the two languages one is shown
    assert "고양이" not in both.words("en")
    with pytest.raises(ValueError, match="expected one of en, ko"):
        trace.report(tmp_path / "x.html", language="tlh")
    assert not (tmp_path / "x.html").exists()


def test_a_picture_is_korean_where_a_font_has_the_letters(trace, monkeypatch):
    english = poster(trace, title="A cow")
    with translation.language_scope("ko", display_names("ko")):
        korean = poster(trace, title="A cow")
        if typography.font(16).getname()[0] != "DejaVu Sans":
            assert typography.translate_drawable("A cow") == "소 한 마리"
            assert korean.shape != english.shape or (korean != english).any()
    monkeypatch.setattr(typography, "FILES", {"ko": (("no such font.ttf", "nor this.ttf", 0),)})
    typography._font.cache_clear()
    with translation.language_scope("ko", display_names("ko")):
        assert typography.translate_drawable("A cow") == "A cow"  # rather than boxes
        assert (poster(trace, title="A cow") == english).all()
    typography._font.cache_clear()


def test_sentences_are_found_whole_in_parts_and_with_places():
    with translation.language_scope("ko", {"cow": "소", "A cow": "소 한 마리"}):
        assert translation.translate("cow") == "소" and translation.translate("A cow") == "소 한 마리"
        assert translation.translate("cow: 12 % of the image above 0.45.") == "소: 이미지의 12 %에서 0.45보다 큽니다."
        raw = "Symmetrised, on the same scale.  Raw: mean of all logits."
        assert translation.translate(raw) == "대칭화, 같은 색 범위.  원래 값: 모든 로짓의 평균."
        assert translation.translate("my own class, cow") == "my own class, 소"
        for odd in ("", "   ", ", ", " and ", "a, ", "x" * 5000, "{name}", "1,234", "…"):
            assert isinstance(translation.translate(odd), str)
        assert translation.translate(", ") == ", " and translation.translate("1,234") == "1,234"
    assert (
        translation.korean_particles("소을(를) 말을(를) 3(으)로 1(으)로 5은(는) cow은(는)")
        == "소를 말을 3으로 1로 5는 cow은(는)"
    )


def test_translations_have_the_places_of_their_sentences():
    known = json.loads((Path(translation.__file__).parent / "texts" / "ko.json").read_text(encoding="utf-8"))
    for english, own in known.items():
        assert set(translation.PLACE.findall(own)) == set(translation.PLACE.findall(english)), english
    assert display_names("en") == {} and display_names("ko")["cow"] == texts("ko")["class.cow"]


def test_a_change_that_rounds_to_none_has_no_direction():
    for change in (0.0, 0.0004, -0.0004):
        assert typography.format_percent(change, signed=True) == "0.0" and typography.change_sign(change) == 0
    assert typography.format_percent(-0.0006, signed=True) == "−0.1" and typography.change_sign(-0.0006) == -1
    assert typography.format_percent(0.0006, signed=True) == "+0.1" and typography.change_sign(0.0006) == 1
