"""What figures of an evaluation need of their data: sentences in place of errors from within a figure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

EXPECTED = (
    "expected what `evaluate --json` writes about a model with the stages protocol, which --from, --runs and "
    "--protocol published do not"
)


def require_report(data: Any) -> None:
    """Raise ValueError unless data holds the scores by stage of a model."""
    require_parts(data, "rule", "summary", "iou")
    rule, summary, iou = data["rule"], data["summary"], data["iou"]
    require_parts({name: rule for name in ("whole", "left_out") if name in rule}, "whole", "left_out")
    scored = {stage: iou.get(stage) for stage in rule["whole"] if f"miou_{stage}" in summary}
    require_parts(scored, *rule["whole"])


def require_parts(data: Any, *parts: str) -> None:
    """Raise ValueError unless each of the parts is a mapping in the data."""
    held = data if isinstance(data, Mapping) else {}
    for name in parts:
        if not isinstance(held.get(name), Mapping):
            raise ValueError(f"the report has no {name}; {EXPECTED}.")


def require_sweep(sweep: Any, part: str) -> None:
    """Raise ValueError unless this is the sweep of a report, with scores of a part: "cam" or "pseudo_label"."""
    if not isinstance(sweep, Mapping) or not {part, "in_use"} <= set(sweep):
        raise ValueError(f"the sweep has no {part}; expected the part `sweep` that `evaluate --sweep --json` writes.")


def require_one_of(what: str, name: Any, known: Iterable[str]) -> None:
    """Raise ValueError for a name that there is not."""
    names = list(known)
    if name not in names:
        expected = f"expected one of {', '.join(names)}" if names else EXPECTED
        raise ValueError(f"there is no {what} {name!r}; {expected}.")
