"""The pages of docs/stages/ are made of the app's own texts."""

from __future__ import annotations

from make_stage_pages import OUT, pages

from afa_viz.ui.localization import texts
from afa_viz.ui.page.assets import TABS


def test_every_tab_has_its_page_in_the_words_of_the_app():
    made = pages()
    assert set(made) == {"README.md", "glossary.md", *(f"{name}.md" for name in TABS)}
    for name in TABS:
        assert texts()[f"{name}.intro"] in made[f"{name}.md"]
        assert f"({name}.md)" in made["README.md"]
    assert "Σ" in made["walk.md"] and "## Why?" in made["walk.md"] and "## Why?" not in made["lab.md"]


def test_no_page_is_left_over():
    assert {path.name for path in OUT.iterdir()} <= set(pages())


def test_the_glossary_has_the_terms_of_both_languages():
    page = pages()["glossary.md"]
    for term in ("affinity / 친화도", "random walk / 랜덤 워크", "pseudo label / 의사 레이블", "ground truth / 정답"):
        assert f"| {term}(" in page
    assert page.count("<br>") == 12
