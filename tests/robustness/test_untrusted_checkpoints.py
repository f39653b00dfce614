"""Checkpoints from anywhere: no pickle is ever run, and what does not fit is refused in one sentence."""

from __future__ import annotations

import dataclasses
import json
import pickle
import warnings
from pathlib import Path

import pytest
import torch
from golden_vectors import recipe_weights
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from untrusted_checkpoints import CARDS, SAFETENSORS, UNFIT, CardChange, Weights, gadgets, pickles

from afa_viz.model.afa import AFA, build_afa
from afa_viz.model.card import Card, default_card
from afa_viz.model.checkpoint import convert, load_any, load_model
from afa_viz.ui.errors import UserError
from afa_viz.ui.sessions.model_registry import ModelRegistry

SENTENCE = 700  # letters at most


@pytest.fixture(scope="module")
def weights() -> dict[str, torch.Tensor]:
    return recipe_weights("mit_b0")


@pytest.fixture(scope="module")
def network() -> AFA:
    """For weights that are refused: it stays as it is."""
    return build_afa("mit_b0", 21)


@pytest.fixture(scope="module")
def card() -> dict:
    return json.loads(default_card("mit_b0", 21).to_json())


def one_sentence(error: BaseException, *hidden: Path) -> str:
    text = str(error)
    assert isinstance(error, ValueError) and not isinstance(error, UnicodeError), repr(error)
    assert text.endswith(".") and "\n" not in text and ". " not in text and len(text) <= SENTENCE, text
    assert "Traceback" not in text.removeprefix("x")
    return text


@pytest.mark.filterwarnings("ignore::UserWarning")  # torch's, of quantised and sparse tensors
@pytest.mark.parametrize("row", [*pickles(), *SAFETENSORS, *UNFIT], ids=lambda row: f"{row.name}: {row.given}")
def test_weights_are_refused_in_one_sentence_and_nothing_runs(row: Weights, weights, card, network, tmp_path):
    mark, path = tmp_path / "mark", tmp_path / row.name
    path.write_bytes(row.make(weights, mark))
    path.with_suffix(".json").write_text(json.dumps(card))
    with pytest.raises(ValueError) as caught:
        load_model(path, device="cpu")
    assert row.refused in one_sentence(caught.value)
    if row in SAFETENSORS or row.refused == "cannot be read":
        with pytest.raises(ValueError) as caught:
            load_any(network, path)
        one_sentence(caught.value)
        with pytest.raises(ValueError):
            convert(path, tmp_path / "new.safetensors")
        with pytest.raises(UserError, match="cannot be loaded"):
            ModelRegistry({"x": str(path)}, "cpu").get("x")
    assert not mark.exists() and not (tmp_path / "new.safetensors").exists()


@pytest.mark.parametrize("name", ["os.system", "eval", "exec", "open", "subprocess.check_call", "a pickle in a pickle"])
def test_a_gadget_works_where_pickles_are_run(name, tmp_path):
    """Else the test above would prove nothing."""
    content = pickle.dumps(gadgets(tmp_path / "mark")[name])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # `open` leaves its file
        pickle.loads(content)
    assert (tmp_path / "mark").exists()


@pytest.fixture(scope="module")
def checkpoint(weights, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("checkpoint") / "small.safetensors"
    save_file(weights, path)
    return path


@pytest.mark.parametrize("row", CARDS, ids=lambda row: row.given)
def test_cards_are_refused_in_one_sentence(row: CardChange, card, checkpoint):
    text = row.text or (json.dumps(card | row.fields) if row.fields else "")
    checkpoint.with_suffix(".json").write_text(text)
    with pytest.raises(ValueError) as caught:
        load_model(checkpoint, device="cpu")
    assert row.refused in one_sentence(caught.value)


def test_a_good_card_is_not_refused(card, checkpoint):
    checkpoint.with_suffix(".json").write_text(json.dumps(card))
    assert load_model(checkpoint, device="cpu").card == default_card("mit_b0", 21)


def test_a_name_can_not_be_markup(card, checkpoint):
    names = ["background", "![](http://example.org/x.png)", "<img src=x onerror=alert(1)>", *map(str, range(3, 21))]
    checkpoint.with_suffix(".json").write_text(json.dumps(card | {"class_names": names}))
    line = ModelRegistry({"x": str(checkpoint)}, "cpu").describe("x")
    assert "&lt;img" in line and "<" not in line


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=150, derandomize=True, deadline=None)
@given(name=st.sampled_from([field.name for field in dataclasses.fields(Card)]), value=ANYTHING)
def test_any_value_of_a_card_is_taken_or_refused(name, value):
    data = json.loads(default_card("mit_b0", 21).to_json()) | {name: value}
    try:
        card = Card.from_json(json.dumps(data))
    except ValueError as error:
        one_sentence(error)
    else:
        assert Card.from_json(card.to_json()) == dataclasses.replace(card, **json_of(card))


def json_of(card: Card) -> dict:
    """`training` and `scores` as they come back: NaN is null."""
    back = json.loads(card.to_json())
    return {"training": back["training"], "scores": back["scores"]}


@settings(max_examples=100, derandomize=True, deadline=None)
@given(text=st.text(max_size=200) | ANYTHING.map(json.dumps))
def test_any_text_is_no_card(text):
    with pytest.raises(ValueError) as caught:
        Card.from_json(text)
    one_sentence(caught.value)
