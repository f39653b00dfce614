"""The public endpoints `/explain`, `/explain_with_mask`, `/query` and `/export`, as documented in docs/api.md.

All inputs are validated here or by the session; an error is one sentence.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from afa_viz.config import ExplainConfig
from afa_viz.ui.errors import UserError, quote_value
from afa_viz.ui.handlers.explorer import ExplorerHandlers
from afa_viz.ui.handlers.exports import KINDS
from afa_viz.ui.page import edit_settings, head_settings, permalinks
from afa_viz.ui.page.config_fields import SLIDERS, config_from
from afa_viz.ui.sessions.session import Request, Session

if TYPE_CHECKING:
    from afa_viz.trace import Trace


class Api:
    """The endpoints.

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
            settings: numbers by name, `leave_out`, names of ablations, `head_weights`, one number for each head of the
                last two blocks or None for a learned one, `affinity_bias`, and fields of `edit_settings.FIELDS`.
            model: name; None: the default model.
        """
        return self._summary(self._picture(picture, image), labels, settings, self._model(model))

    def explain_with_mask(self, picture: Any, mask: Any, labels: Any, settings: Any, model: Any) -> dict[str, Any]:
        """The same of an uploaded file with its ground truth, and every score that needs one.

        Args:
            picture: path of an uploaded image file.
            mask: path of an uploaded mask: class indices of the model, 255 = not counted, in the image's shape.
            labels: as for `explain`; None: the classes of the mask.
        """
        if not picture or not mask:
            raise UserError("expected two files, an image and its mask; call /explain for an image without a mask.")
        name = self._model(model)
        image_id = self._session.images.store_upload(picture, mask, self._session.registry.class_names(name))
        return self._summary(image_id, labels, settings, name)

    def _model(self, model: Any) -> str:
        name: str = self._session.registry.names[0] if model in (None, "") else model
        return name

    def _summary(self, image_id: str, labels: Any, settings: Any, model: str) -> dict[str, Any]:
        if labels is not None and (not isinstance(labels, list) or not all(isinstance(x, str) for x in labels)):
            raise UserError(f"labels are {quote_value(labels)}; expected a list of class names, or null.")
        request = self._session.request(image_id, model, labels, self._config(settings, model))
        self._require_edits(request)
        from afa_viz.ui.handlers.api_numbers import summary

        return {"key": request.key, **summary(self._session.trace(request))}

    def query(self, key: Any, row: Any, column: Any, block: Any) -> dict[str, Any]:
        """The numbers of one cell: attention of every head, affinity to all cells, scores and labels.

        Args:
            key: returned by `/explain`.
            row, column: of the cell, from 0.
            block: whose attention is returned, from 0; None: the last one.
        """
        _, trace = self._found(key)
        from afa_viz.trace import NOT_KEPT
        from afa_viz.ui.handlers.api_numbers import cell_numbers

        blocks = trace.kept_blocks
        if not blocks and block is not None:
            raise UserError(trace.parts.lacks["attention"])
        number = (blocks[-1] if blocks else 0) if block is None else _whole(block, "block", blocks.stop)
        if blocks and number not in blocks:
            raise UserError(f"block is {number}; expected {blocks.start} to {blocks[-1]}: {NOT_KEPT}")
        cell = (_whole(row, "row", trace.grid[0]), _whole(column, "column", trace.grid[1]))
        return cell_numbers(trace, number, cell)

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
        return self._answers.exports.write(request, trace, kind, number, cell)

    def _config(self, settings: Any, model: str) -> ExplainConfig:
        own = self._session.registry.config(model)
        if not isinstance(settings, dict | None):
            raise UserError(f"settings are {quote_value(settings)}; expected numbers by name, or null.")
        values = dict(settings or {})
        left_out = values.pop("leave_out", [])
        fields = (*head_settings.FIELDS, *edit_settings.FIELDS)
        changes = {name: values.pop(name) for name in fields if values.get(name) is not None}
        for name in fields:
            values.pop(name, None)  # null: as learned, as computed
        known = [slider.field for slider in SLIDERS]
        unknown = [name for name in values if name not in known]
        if unknown:
            first = ", ".join(("leave_out", *head_settings.FIELDS))
            others = ", ".join((*known, *edit_settings.FIELDS))
            raise UserError(f"There is no setting {quote_value(unknown[0])}; expected {first} or some of {others}.")
        if not isinstance(left_out, list):
            raise UserError(f"leave_out is {quote_value(left_out)}; expected a list of names.")
        config = config_from(values, left_out, own, changes)
        if not set(config.scales) <= set(own.scales):  # each other one would be as dear as the visitor likes
            offered = ", ".join(f"{scale:g}" for scale in own.scales)
            given = ", ".join(f"{scale:g}" for scale in config.scales)
            raise UserError(f"scales are {given}; expected some of {offered}.")
        used = {1.0, *config.scales}  # scale 1 always runs
        config = replace(config, scales=tuple(scale for scale in own.scales if scale in used))
        if set(changes) & set(head_settings.FIELDS):
            self._require_heads(config, model)
        return config

    def _require_edits(self, request: Request) -> None:
        """Raises: UserError: unless what is changed by hand fits the image and the model."""
        from afa_viz.ops.affinity_edits import require_cells
        from afa_viz.stages.edits import require_edits

        image, model, config = request.image_id, request.model, request.config
        if not any(getattr(config, name) is not None for name in edit_settings.IMAGE_FIELDS):
            return
        size = self._session.explained_size(image, model, config)
        names = self._session.registry.class_names(model)
        try:
            require_edits(config, self._session.registry.get(model).parts, names, size)
            if config.affinity_edits is not None:
                cells = permalinks.image_facts(self._session, image, model, permalinks.unedited(request).config).cells()
                for _, chosen, others in config.affinity_edits:
                    require_cells((*chosen, *(others or ())), cells)
        except UserError:
            raise
        except ValueError as error:
            raise UserError(str(error)) from None

    def _require_heads(self, config: ExplainConfig, model: str) -> None:
        """Raises: UserError: unless the model has the heads that a config gives weights to."""
        from afa_viz.stages.one_image import used_head

        network = self._session.registry.get(model)
        try:
            used_head(network.affinity_head(), network.parts, config)
        except ValueError as error:
            raise UserError(str(error)) from None

    def _picture(self, path: Any, image: Any) -> str:
        if path:
            return self._session.images.store_upload(path)
        if not isinstance(image, str) or not image:
            raise UserError('There is no image; send an image file, or image="example:NAME".')
        if image.partition(":")[0] not in ("example", "data"):
            raise UserError(f"image is {quote_value(image)}; expected example:NAME or data:ID.")
        self._session.images.find(image)
        return image

    def _found(self, key: Any) -> tuple[Request, Trace]:
        found = self._session.find_by_key(key)
        if found is None:
            raise UserError("The server does not hold this key (any more); call /explain first and send its key.")
        return found


def _whole(value: Any, name: str, count: int) -> int:
    """An integer from 0 to `count` - 1. Raises: UserError: for anything else."""
    fits = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < count
    if not fits or value != int(value):
        raise UserError(f"{name} is {quote_value(value, 20)}; expected a whole number from 0 to {count - 1}.")
    return int(value)
