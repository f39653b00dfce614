"""Server functions that hand out a view: files to download, and the Python program that reproduces it."""

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
from afa_viz.ui.handlers.compare import Find
from afa_viz.ui.handlers.parameters import is_index
from afa_viz.ui.localization import ENGLISH, display_names, error_message, languages
from afa_viz.ui.page.python_export import TabView, snippet
from afa_viz.ui.sessions.exports import Exports
from afa_viz.ui.sessions.session import Request, Session
from afa_viz.ui.sessions.temporary import process_folder

if TYPE_CHECKING:  # what follows loads torch, which prepared answers do without
    from afa_viz.figures.maps import Cell
    from afa_viz.trace import Trace

KINDS = ("png", "npz", "html")  # of files to download

log = logging.getLogger(__name__)


class ExportHandlers:
    """Writes each file once, for all visitors.

    Args:
        session: computes the traces.
        find: returns the displayed request and its trace for the parameters of a call; KeyError for an unknown one.
        folder: of the files; None: one of this process.
    """

    def __init__(self, session: Session, find: Find, folder: Path | None = None) -> None:
        self._session, self._find = session, find
        self.files = Exports(process_folder() / "exports" if folder is None else folder)

    def server_functions(self) -> tuple[Callable[[dict], str], ...]:
        """The functions that a browser may call by name."""
        return self.export_file, self.python_code

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
        if "attention" in trace.parts.lacks:
            block, head = -1, -1
        elif not is_index(block) or block not in trace.kept_blocks:
            raise KeyError("block")
        if head != -1 and not is_index(head, len(trace.logits(block))):
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
        if not is_index(label, len(trace.class_names)) or label == 0:
            raise KeyError("label")
        if not isinstance(cell, list) or len(cell) != 2 or not all(map(is_index, cell, trace.grid)):
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
            path = self.files.find(name)
            if path is None:
                with self._session.expensive.slot():
                    path = self.files.write(name, f"afa-viz.{kind}", write)
        except OSError as error:
            log.warning("a file to download cannot be written: %r", error)
            raise UserError(error_message("refused.no_room_for_file")) from error
        return str(path)

    def _about(self, request: Request) -> dict[str, str]:
        image = self._session.images.find(request.image_id)
        return {"title": image.title, "story": image.story, "domain": image.domain}

    def _write_poster(
        self, request: Request, trace: Trace, path: Path, label: int | None, cell: Cell | None, language: str
    ) -> None:
        from afa_viz.figures.poster import poster

        with language_scope(language, display_names(language)):
            poster_image = Image.fromarray(
                poster(trace, label, cell, self._session.images.find(request.image_id).title)
            )
        with atomic_write(path) as partial:
            poster_image.save(partial, format="PNG", compress_level=1)
