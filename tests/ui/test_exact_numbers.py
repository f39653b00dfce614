"""Numbers in an address read back as they were: an address leads to the same explanation, not to one beside it."""

from __future__ import annotations

import pytest

from afa_viz.config import ExplainConfig
from afa_viz.scalars import number_text
from afa_viz.ui.page import edit_settings, head_settings

NUMBERS = (1 / 3, 0.1 + 0.2, 0.35, 1.0, 1e-5, 1e-100, 5e-324, 1 - 2**-53)
FACTS = edit_settings.ImageFacts(lambda: ["background", "cat", "a:b"], lambda: (64, 64), lambda: 16)


@pytest.mark.parametrize("number", NUMBERS)
def test_what_was_moved_by_any_number_is_restored(number):
    config = ExplainConfig(
        head_weights=(None, -number, number), affinity_bias=-number, class_thresholds=(("a:b", number), ("cat", 0.5))
    )
    found = head_settings.from_texts(head_settings.to_texts(config), lambda: 3)
    found |= edit_settings.from_texts(edit_settings.to_texts(config), FACTS)
    assert ExplainConfig(**found) == config
    assert float(number_text(number)) == number


def test_round_numbers_stay_short():
    assert [number_text(value) for value in (1, 1.0, -2.0, 0.35, 1e6)] == ["1", "1", "-2", "0.35", "1000000"]
