"""Answers as JSON texts, and the names of their questions, under which they may be prepared. Loads nothing large."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any


def answer_name(question: str, asked: Mapping[str, Any]) -> str:
    """The name of a question: `question {"a":1,"key":"…"}`.

    Parameters are sorted, also inside objects; those that are None are left out. Whole numbers have no decimals.

    Args:
        question: the name of the handler, such as "attention".
        asked: its parameters.
    """
    return f"{question} {json.dumps(_canonical(asked), separators=(',', ':'), ensure_ascii=False, sort_keys=True)}"


def to_json(data: dict[str, Any]) -> str:
    """Compact JSON; NaN, which browsers cannot parse, raises ValueError. "<" is escaped, so names are never markup."""
    return json.dumps(data, separators=(",", ":"), allow_nan=False, ensure_ascii=False).replace("<", "\\u003c")


def _canonical(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _canonical(item) for key, item in value.items() if item is not None}
    if isinstance(value, (list, tuple)):
        return [_canonical(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def prepared_first(function: Callable[[Any, dict], str]) -> Callable[[Any, dict], str]:
    """Decorator for a server function of a class with a `_session`: the prepared answer, if there is one."""

    @wraps(function)
    def ask(self: Any, params: dict) -> str:
        request = self._session.request_of(params["key"])
        prepared = None if request is None else self._session.prepared(request)
        text = None if prepared is None else prepared.answers.get(answer_name(function.__name__, params))
        return function(self, params) if text is None else text

    return ask
