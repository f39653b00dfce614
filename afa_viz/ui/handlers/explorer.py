"""Server functions of the explorer: JSON texts, computed once and shared by all visitors, and files to download."""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

import afa_viz
from afa_viz.atomic_files import atomic_write
from afa_viz.figures.translation import language_scope
from afa_viz.ui.errors import UserError
from afa_viz.ui.handlers import compare
from afa_viz.ui.handlers.answer_texts import answer_name, prepared_first
from afa_viz.ui.handlers.compare import CompareHandlers
from afa_viz.ui.handlers.snapshots import SnapshotHandlers
from afa_viz.ui.localization import ENGLISH, display_names, error_message, languages
from afa_viz.ui.page import permalinks
from afa_viz.ui.page.python_export import TabView, snippet
from afa_viz.ui.sessions.cache import SingleFlightCache
from afa_viz.ui.sessions.exports import Exports
from afa_viz.ui.sessions.session import Request, Session
from afa_viz.ui.sessions.temporary import process_folder

if TYPE_CHECKING:  # what follows loads torch, which prepared answers do without
    from afa_viz.figures.maps import Cell
    from afa_viz.trace import Trace

PAYLOAD_BYTES = 48 * 2**20  # all examples with attention and affinity take 8 MB; full after minutes of use
KINDS = ("png", "npz", "html")  # of files to download

log = logging.getLogger(__name__)


def _total_length(texts: list[str]) -> int:
    return sum(map(len, texts))


class ExplorerHandlers:
    """JSON for the browser; each text is computed once and shared by all visitors. Also writes files to download.

    Args:
        session: computes the traces.
        exports: folder for files to download; None: a folder of this process.
    """

    def __init__(self, session: Session, exports: Path | None = None) -> None:
        self._session = session
        self._texts: SingleFlightCache[tuple, str] = SingleFlightCache(PAYLOAD_BYTES, _total_length)
        self._compare = CompareHandlers(session, self._texts, self._find)
        self._snapshots = SnapshotHandlers(session, self._texts, self._find)
        self.exports = Exports(process_folder() / "exports" if exports is None else exports)

    def stages(self, request: Request) -> str:
        """The value of the explorer component for a request, which is explained if nothing was prepared for it."""
        prepared = self._session.prepared(request)
        if prepared is not None:
            return prepared.answers[answer_name("stages", {"key": request.key})]
        from afa_viz.ui.handlers import payload

        trace = self._session.trace(request)
        facts = self.facts(request)
        return self._texts.get(
            ("stages", request.key),
            lambda: payload.to_json(payload.stages(trace, request.key, scene_key(request)) | facts),
        )

    def linked(self, request: Request) -> str:
        """`stages`, marked as the content of a permalink."""
        return f'{self.stages(request)[:-1]},"linked":true}}'

    def preview(self, request: Request) -> str | None:
        """A value to display while `stages` is computed; None where that is fast."""
        preview = self._session.preview_request(request)
        if preview is None:
            return None
        from afa_viz.ui.handlers import payload

        trace = self._session.trace(preview)
        facts = {**self.facts(request), "partial": True}
        return payload.to_json(payload.stages(trace, preview.key, scene_key(preview)) | facts)

    def facts(self, request: Request) -> dict:
        """Texts and facts about a request."""
        image = self._session.input_image(request.image_id)
        needed = self._session.memory_with_all_attention(request.image_id, request.model, request.config)
        return {
            "memory": f"{needed / 2**30:.1f}",
            "title": image.title,
            "story": image.story,
            "domain": image.domain,
            "link": self.link(request),
            "photo": upload_prefix(request.image_id),
            "model": request.model,
        }

    def server_functions(self) -> tuple[Callable[[dict], str], ...]:
        """The functions that a browser may call by name."""
        maps = (self.scene, self.attention, self.overview, self.affinity, self.par, self.crf)
        tabs = (*self._compare.server_functions(), *self._snapshots.server_functions())
        return *maps, *tabs, self.export_file, self.python_code, self.lab, self.lab_check

    def warm(self, request: Request) -> None:
        """Compute in the background what the browser will request first, so that the image opens at once."""
        self._session.trace(request, in_background=True)
        self.stages(request)
        self.scene({"key": request.key})

    @prepared_first
    def scene(self, params: dict) -> str:
        """Image, prediction, ground truth and blocks of the explanation `params["key"]`."""
        from afa_viz.ui.handlers import payload

        request, trace = self._find(params)
        name = scene_key(request)
        return self._texts.get(("scene", name), lambda: payload.to_json(payload.scene(trace, name)))

    @prepared_first
    def attention(self, params: dict) -> str:
        """Attention of the block with index `params["block"]`; logits before the softmax with `params["logits"]`.

        Of all heads and all cells, or only of the `head` (-1: the mean) and the `cell` that are given.
        """
        from afa_viz.ui.handlers import payload, payload_attention

        (request, trace), block, logits = self._find(params), params["block"], params["logits"]
        head, cell = params.get("head"), _parse_cell(params.get("cell"))
        if not _is_index(block) or block not in trace.kept_blocks:
            raise KeyError("block")
        if not isinstance(logits, bool):
            raise KeyError("logits")
        if head is not None and not _is_index(head):
            raise KeyError("head")
        name = ("attention", scene_key(request), block, logits, head, cell)
        return self._texts.get(
            name, lambda: payload.to_json(payload_attention.attention(trace, block, logits, head, cell))
        )

    @prepared_first
    def overview(self, params: dict) -> str:
        """Statistics of every head of every block."""
        from afa_viz.ui.handlers import payload, payload_attention

        request, trace = self._find(params)
        return self._texts.get(("overview", request.key), lambda: payload.to_json(payload_attention.overview(trace)))

    @prepared_first
    def affinity(self, params: dict) -> str:
        """Mean attention logits and affinity labels; on large grids for one `cell` only."""
        from afa_viz.ui.handlers import payload, payload_attention

        (request, trace), cell = self._find(params), _parse_cell(params.get("cell"))
        name = ("affinity", request.key, cell)
        return self._texts.get(name, lambda: payload.to_json(payload_attention.affinity(trace, cell)))

    @prepared_first
    def par(self, params: dict) -> str:
        """Scores after every PAR iteration."""
        from afa_viz.ui.handlers import payload

        request, trace = self._find(params)
        return self._texts.get(("par", request.key), lambda: payload.to_json(payload.par(trace, request.key)))

    def crf(self, params: dict) -> str:
        """The labels of a dense CRF and of PAR, and how long each takes."""
        from afa_viz.ui.handlers import payload

        request, trace = self._find(params)
        name = ("crf", request.key)
        cached = self._texts.peek(name)
        if cached is not None:
            return cached
        with self._session.expensive.slot():
            return self._texts.get(name, lambda: payload.to_json(payload.crf(trace)))

    @prepared_first
    def lab(self, params: dict) -> str:
        """The questions of the guided lab for an explanation, and the gallery of failures."""
        from afa_viz.ui.handlers import lab, payload

        _, trace = self._find(params)
        return payload.to_json(lab.contents(trace, self._session.examples))

    def lab_check(self, params: dict) -> str:
        """Check `params["answer"]` to the question `params["step"]` about the class `params["label"]`."""
        from afa_viz.ui.handlers import lab, payload

        request, trace = self._find(params)
        kind, _, name = request.image_id.partition(":")
        shown = [e.pathology for e in self._session.examples if kind == "example" and e.name == name]
        pathology = shown[0] if shown else ""
        return payload.to_json(lab.verdict(trace, params["step"], params["answer"], params["label"], pathology))

    def export_file(self, params: dict) -> str:
        """Write a file of one of the `KINDS`; returns its path on the server and a name for the download.

        `params["language"]`: of its texts.
        """
        (request, trace), kind = self._find(params), params["kind"]
        label, cell = self._view(params, trace) if kind == "png" else (None, None)
        language = params.get("language", ENGLISH)
        if language not in languages():
            raise KeyError("language")
        path = self.write(request, trace, kind, label, cell, language)
        return json.dumps({"path": path, "name": f"afa-viz.{kind}"})

    def python_code(self, params: dict) -> str:
        """The program that reproduces the current view: key, tab, label, cell, block, and head (-1: the mean).

        `params["b"]`: side B of a comparison, see `compare.Changes`.
        """
        request, trace = self._find(params)
        label, cell = self._view(params, trace)
        block, head = params["block"], params["head"]
        if not _is_index(block) or block not in trace.kept_blocks:
            raise KeyError("block")
        if head != -1 and not _is_index(head, len(trace.logits(block))):
            raise KeyError("head")
        if not isinstance(params["tab"], str):
            raise KeyError("tab")
        view = TabView(params["tab"], label, cell, block, None if head == -1 else head)
        if params.get("b") is not None:
            changes = compare.parse_changes(params["b"])
            other = compare.comparison_request(self._session, request, trace, changes)
            if other != request or changes.crf:
                view = dataclasses.replace(view, other=other, crf=changes.crf)
        return json.dumps({"code": snippet(request, trace, self._session, view)})

    def _view(self, params: dict, trace: Trace) -> tuple[int, Cell]:
        """Validated label and cell of a call."""
        label, cell = params["label"], params["cell"]
        if not _is_index(label, len(trace.class_names)) or label == 0:
            raise KeyError("label")
        if not isinstance(cell, list) or len(cell) != 2 or not all(map(_is_index, cell, trace.grid)):
            raise KeyError("cell")
        return label, (cell[0], cell[1])

    def write(
        self,
        request: Request,
        trace: Trace,
        kind: str,
        label: int | None = None,
        cell: Cell | None = None,
        language: str = ENGLISH,
    ) -> str:
        """Path of a file, which is written if it does not exist.

        Args:
            kind: one of `KINDS`: "html" the report, "npz" all arrays, "png" the pipeline as one image.
            label, cell: of the image; None: the main class and its strongest cell.
            language: of report and image.
        Raises: KeyError: for another kind. UserError: if it cannot be written, or too many requests are waiting.
        """
        writers: dict[str, Callable] = {
            "html": lambda path: afa_viz.write_report(trace, path, language, about=self._about(request)),
            "npz": trace.save,
            "png": lambda path: self._write_poster(request, trace, path, label, cell, language),
        }
        write = writers[kind]
        view = "" if label is None and cell is None else f"-{label}-{'-'.join(map(str, cell or ()))}"
        name = f"{request.key}{view}{'' if kind == 'npz' else f'-{language}'}.{kind}"
        try:
            path = self.exports.find(name)
            if path is None:
                with self._session.expensive.slot():
                    path = self.exports.write(name, f"afa-viz.{kind}", write)
        except OSError as error:
            log.warning("a file to download cannot be written: %r", error)
            raise UserError(error_message("refused.no_room_for_file")) from error
        return str(path)

    def _about(self, request: Request) -> dict[str, str]:
        image = self._session.input_image(request.image_id)
        return {"title": image.title, "story": image.story, "domain": image.domain}

    def _write_poster(
        self, request: Request, trace: Trace, path: Path, label: int | None, cell: Cell | None, language: str
    ) -> None:
        from afa_viz.figures.poster import poster

        with language_scope(language, display_names(language)):
            poster_image = Image.fromarray(
                poster(trace, label, cell, self._session.input_image(request.image_id).title)
            )
        with atomic_write(path) as partial:
            poster_image.save(partial, format="PNG", compress_level=1)

    def link(self, request: Request) -> dict[str, str]:
        """The query parameters that lead back to a request; without `example` for uploads."""
        return permalinks.query_parameters(request, self._session)

    def _find(self, params: dict) -> tuple[Request, Trace]:
        found = self._session.find_by_key(params["key"])
        if found is None:
            raise KeyError("key")
        return found


def _is_index(value: object, count: int | None = None) -> bool:
    """Whether a value is an integer, from 0 to `count` - 1 if that is given."""
    return isinstance(value, int) and not isinstance(value, bool) and (count is None or 0 <= value < count)


def _parse_cell(value: object) -> tuple[int, int] | None:
    """A cell that a browser sent; whether it lies on the grid is checked where the grid is known."""
    if value is None:
        return None
    if not isinstance(value, list) or len(value) != 2 or not all(map(_is_index, value)):
        raise KeyError("cell")
    return value[0], value[1]


def upload_prefix(image_id: str) -> str | None:
    """The value of `photo` in the URL, by which the browser recognises its own upload; None for other images."""
    kind, _, name = image_id.partition(":")
    return name[:8] if kind == "upload" else None


def scene_key(request: Request) -> str:
    """Key of everything that does not depend on settings below the network."""
    return f"{request.model}/{request.image_id}/{request.config.long_side}/{request.config.keep_attention}"
