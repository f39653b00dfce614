"""What an error for bad input must be: one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def raises_sentence(kind: type[Exception], *says: str) -> Iterator[None]:
    """The block raises an error of a kind whose text is one short sentence that holds all of these words."""
    with pytest.raises(kind) as caught:
        yield
    text = str(caught.value)
    assert text.endswith(".") and "\n" not in text and len(text) < 500, text
    for words in says:
        assert words in text, text
