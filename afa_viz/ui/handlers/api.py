"""The public endpoints `/explain`, `/query` and `/export`, as documented in docs/api.md.

All inputs are validated here or by the session; an error is one sentence.
"""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor

from afa_viz import stage_scores as scores
from afa_viz.config import ExplainConfig
from afa_viz.figures import maps
from afa_viz.trace import NOT_KEPT, Trace
from afa_viz.ui.errors import UserError, quote_value
from afa_viz.ui.handlers.explorer import KINDS, ExplorerHandlers
from afa_viz.ui.page.config_fields import SLIDERS, config_from
from afa_viz.ui.sessions.session import Request, Session


class Api:
    """The three endpoints.

    Args:
        session: computes the traces.
        answers: writes the files.
    """

    def __init__(self, session: Session, answers: ExplorerHandlers) -> None:
        self._session = session
        self._answers = answers

    def explain(self, picture: Any, image: Any, labels: Any, settings: Any, model: Any) -> dict[str, Any]:
        """The numbers of one image, and the `key` for the other endpoints.

        Args:
            picture: path of an uploaded file; None: `image` is used.
            image: "example:NAME" or "data:ID" instead of a file.
            labels: class names; None: those that came with the image, for a file predicted ones; []: predicted ones.
            settings: numbers by name, and `leave_out`, names of ablations.
            model: name; None: the default model.
        """
        name = self._picture(picture, image)
        if labels is not None and (not isinstance(labels, list) or not all(isinstance(x, str) for x in labels)):
            raise UserError(f"labels are {quote_value(labels)}; expected a list of class names, or null.")
        chosen = self._session.registry.names[0] if model in (None, "") else model
        request = self._session.request(name, chosen, labels, _config(settings, self._session.registry.config(chosen)))
        return {"key": request.key, **summary(self._session.trace(request))}

    def query(self, key: Any, row: Any, column: Any, block: Any) -> dict[str, Any]:
        """The numbers of one cell: attention of every head, affinity to all cells, scores and labels.

        Args:
            key: returned by `/explain`.
            row, column: of the cell, from 0.
            block: whose attention is returned, from 0; None: the last one.
        """
        _, trace = self._found(key)
        blocks = trace.kept_blocks
        number = blocks[-1] if block is None else _whole(block, "block", blocks.stop)
        if number not in blocks:
            raise UserError(f"block is {number}; expected {blocks.start} to {blocks[-1]}: {NOT_KEPT}")
        cell = (_whole(row, "row", trace.grid[0]), _whole(column, "column", trace.grid[1]))
        heads = [maps.attention(trace, number, head, cell) for head in range(len(trace.logits(number)))]
        return {
            "grid": list(trace.grid),
            "cell": list(cell),
            "block": number,
            "key_grid": list(trace.key_grids[number]),
            "attention": [_numbers(head) for head in heads],
            "affinity": _numbers(maps.affinity(trace, cell)),
            "scores": _scores(trace, cell),
            "labels": _labels(trace, cell),
        }

    def export(self, key: Any, kind: Any, label: Any, row: Any, column: Any) -> str:
        """Path of a file to download.

        Args:
            key: returned by `/explain`.
            kind: "png", the pipeline as one image; "npz", all arrays; "html", the report.
            label: class name for the image; None: the main class.
            row, column: of the query cell, from 0; None: the strongest cell.
        """
        request, trace = self._found(key)
        if kind not in KINDS:
            raise UserError(f"kind is {quote_value(kind, 20)}; expected {', '.join(KINDS)}.")
        number, cell = None, None
        if label not in (None, ""):
            names = list(trace.class_names)
            if label not in names[1:]:
                raise UserError(
                    f"{quote_value(label)} is not a class of this model; choose from {', '.join(names[1:])}."
                )
            number = names.index(label)
        if row is not None or column is not None:
            cell = (_whole(row, "row", trace.grid[0]), _whole(column, "column", trace.grid[1]))
        return self._answers.write(request, trace, kind, number, cell)

    def _picture(self, path: Any, image: Any) -> str:
        if path:
            return self._session.store_upload(path)
        if not isinstance(image, str) or not image:
            raise UserError('There is no image; send a PNG, JPEG or WebP file, or image="example:NAME".')
        if image.partition(":")[0] not in ("example", "data"):
            raise UserError(f"image is {quote_value(image)}; expected example:NAME or data:ID.")
        self._session.input_image(image)
        return image

    def _found(self, key: Any) -> tuple[Request, Trace]:
        found = self._session.find_by_key(key)
        if found is None:
            raise UserError("The server does not know this key (any more); call /explain first and send its key.")
        return found


def summary(trace: Trace) -> dict[str, Any]:
    """The numbers of one explanation; scores and changes come from `stage_scores`."""
    known = scores.stage_scores(trace)
    return {
        "image_labels": [trace.class_names[label] for label in trace.present],
        "labels_given": trace.labels_given,
        "size": list(trace.image.shape[:2]),
        "grid": list(trace.grid),
        "blocks": len(trace.attn_logits),
        "first_block": trace.kept_blocks.start,
        "regions": scores.region_shares(trace.pseudo_label),
        "affinity_label": _areas(trace, trace.affinity_label),
        "pseudo_label": _areas(trace, trace.pseudo_label),
        "prediction": _areas(trace, trace.seg),
        "miou": known and _finite({stage: score["miou"] for stage, score in known.items()}),
        "coverage": known and {stage: score["coverage"] for stage, score in known.items()},
        "precision": known and {name: _finite(of) for name, of in (scores.label_precision(trace) or {}).items()},
        "changes": known and scores.stage_changes(known, trace.config),
        "steps": scores.compared_stages(trace.config),
        "left_out": list(scores.disabled_stages(trace.config)),
        "trained_on": {"affinity": trace.affinity_trained_on, "decoder": trace.decoder_trained_on},
        "checkpoint_id": trace.checkpoint_id,
    }


def _finite(values: dict[str, float]) -> dict[str, float]:
    """Only the finite values."""
    return {name: value for name, value in values.items() if math.isfinite(value)}


def _areas(trace: Trace, label: Tensor) -> dict[str, float]:
    names = dict(enumerate(trace.class_names)) | {255: "uncertain"}
    return {names[int(found)]: float((label == found).float().mean()) for found in label.unique()}


def _config(settings: Any, own: ExplainConfig) -> ExplainConfig:
    if not isinstance(settings, dict | None):
        raise UserError(f"settings are {quote_value(settings)}; expected numbers by name, or null.")
    values = dict(settings or {})
    left_out = values.pop("leave_out", [])
    known = [slider.field for slider in SLIDERS]
    unknown = [name for name in values if name not in known]
    if unknown:
        raise UserError(
            f"There is no setting {quote_value(unknown[0])}; expected leave_out or some of {', '.join(known)}."
        )
    if not isinstance(left_out, list):
        raise UserError(f"leave_out is {quote_value(left_out)}; expected a list of names.")
    return config_from(values, left_out, own)


def _whole(value: Any, name: str, count: int) -> int:
    """An integer from 0 to `count` - 1. Raises: UserError: for anything else."""
    fits = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < count
    if not fits or value != int(value):
        raise UserError(f"{name} is {quote_value(value, 20)}; expected a whole number from 0 to {count - 1}.")
    return int(value)


def _numbers(values: Tensor) -> list[float]:
    return [round(float(value), 6) for value in values.flatten()]


def _middle(trace: Trace, cell: maps.Cell) -> tuple[int, int]:
    """The pixel at the centre of a cell."""
    top, bottom, left, right = maps.cell_box((trace.image.shape[0], trace.image.shape[1]), trace.grid, cell)
    return (top + bottom) // 2, (left + right) // 2


def _scores(trace: Trace, cell: maps.Cell) -> dict[str, dict[str, float]]:
    """Scores by stage and class name: of the cell after the walk, of its central pixel for the other stages."""
    pixel = _middle(trace, cell)
    found = {"cam": {trace.class_names[i]: trace.cam[i - 1][pixel] for i in trace.present}}
    for stage, values, place in (("cam_rw", trace.cam_rw, cell), ("cam_par", trace.cam_par, pixel)):
        found[stage] = {trace.class_names[i]: values[i][place] for i in maps.channels(trace)}
    return {stage: {name: round(float(v), 6) for name, v in by.items()} for stage, by in found.items()}


def _labels(trace: Trace, cell: maps.Cell) -> dict[str, str]:
    """Class names of the central pixel of a cell, by stage."""
    names = dict(enumerate(trace.class_names)) | {255: "uncertain"}
    pixel = _middle(trace, cell)
    found = {stage: names[int(label[pixel])] for stage, label in scores.stage_labels(trace).items()}
    if trace.target is not None:
        truth = int(trace.target[pixel])
        found["target"] = "not counted" if truth == 255 else names[truth]
    return found
