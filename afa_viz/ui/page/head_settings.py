"""Weights and bias of the affinity that a visitor moved: as texts in an address, and as fields of `ExplainConfig`.

`head_weights` names the heads that are not as learned, from 1, block by block: "3:0,7:1.25"; `affinity_bias` is a
number. Both come from addresses and browsers and are untrusted. The same texts: core/head_settings.js.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from afa_viz.config import ExplainConfig
from afa_viz.scalars import as_float, number_text
from afa_viz.setting_checks import MAX_HEADS, MAX_MAGNITUDE
from afa_viz.ui.errors import UserError, quote_value
from afa_viz.ui.localization import error_message

WEIGHTS, BIAS = "head_weights", "affinity_bias"
FIELDS = (WEIGHTS, BIAS)
ENTRY = re.compile(r"([1-9]\d{0,3}):([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d{1,3})?)", re.ASCII)
MAX_TEXT = 40 * MAX_HEADS  # characters


def to_texts(config: ExplainConfig) -> dict[str, str]:
    """What of a config is not as learned, by `FIELDS`; empty where all is."""
    found: dict[str, str] = {}
    if config.head_weights is not None:
        pairs = enumerate(config.head_weights, start=1)
        found[WEIGHTS] = ",".join(f"{head}:{number_text(weight)}" for head, weight in pairs if weight is not None)
    if config.affinity_bias is not None:
        found[BIAS] = number_text(config.affinity_bias)
    return found


def from_texts(given: Mapping[str, Any], count: Callable[[], int]) -> dict[str, Any]:
    """Fields of `ExplainConfig` from texts by `FIELDS`; what is missing, None or "" is as learned.

    Args:
        count: the number of heads of the learned affinity, 0 where it is not learned; called only if it is needed.
    Raises: UserError: for a text that does not fit, or a model without such heads.
    """
    weights, bias = (None if given.get(name) in (None, "") else given[name] for name in FIELDS)
    if weights is None and bias is None:
        return {}
    heads = count()
    if not heads:
        raise UserError(error_message("refused.no_heads"))
    found: dict[str, Any] = {}
    if weights is not None:
        found[WEIGHTS] = _weights(weights, heads)
    if bias is not None:
        try:
            number = as_float(float(bias) if isinstance(bias, str) else bias)
        except ValueError:
            number = None
        if number is None or abs(number) > MAX_MAGNITUDE:
            raise UserError(error_message("refused.bias", value=quote_value(bias, 20), most=f"{MAX_MAGNITUDE:.0f}"))
        found[BIAS] = number
    return found


def _weights(text: object, heads: int) -> tuple[float | None, ...]:
    found: dict[int, float] = {}
    entries = text.split(",") if isinstance(text, str) and len(text) <= MAX_TEXT else [""]
    for entry in entries:
        match = ENTRY.fullmatch(entry)
        head, number = (int(match[1]), as_float(float(match[2]))) if match else (0, None)
        if number is None or abs(number) > MAX_MAGNITUDE or not 1 <= head <= heads or head in found:
            raise UserError(error_message("refused.heads", value=quote_value(text, 40), heads=heads))
        found[head] = number
    return tuple(found.get(head) for head in range(1, heads + 1))
