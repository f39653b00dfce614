"""What the page asks the server for: JSON texts, each made once for everybody, and files to download."""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from afa_viz.atomic_files import atomic_write
from afa_viz.figures.maps import Cell
from afa_viz.figures.poster import poster
from afa_viz.figures.words import spoken
from afa_viz.trace import Trace
from afa_viz.ui.errors import UserError
from afa_viz.ui.handlers import compare, lab, payload, payload_attention
from afa_viz.ui.handlers.other_answers import OtherAnswers
from afa_viz.ui.page import permalinks as link
from afa_viz.ui.page.python_export import Look, snippet
from afa_viz.ui.sessions.cache import SingleFlightCache
from afa_viz.ui.sessions.exports import Exports
from afa_viz.ui.sessions.session import Request, Session
from afa_viz.ui.sessions.temporary import own_folder
from afa_viz.ui.words import ENGLISH, english, languages, names

PAYLOAD_BYTES = 48 * 2**20  # all examples with attention and affinity take 8; full after minutes, not after an hour
KINDS = ("png", "npz", "html")  # of files to download

log = logging.getLogger(__name__)


def _length(texts: list[str]) -> int:
    return sum(map(len, texts))


class Answers:
    """JSON for the browser, each text made once for all pages; and files to download.

    Args:
        session: makes the traces.
        exports: folder for files to download; None: in the one of this process.
    """

    def __init__(self, session: Session, exports: Path | None = None) -> None:
        self._session = session
        self._texts: SingleFlightCache[tuple, str] = SingleFlightCache(PAYLOAD_BYTES, _length)
        self._others = OtherAnswers(session, self._texts, self._found)
        self.exports = Exports(own_folder() / "exports" if exports is None else exports)

    def stages(self, request: Request) -> str:
        """The component's value for a request; explains it if need be."""
        trace = self._session.trace(request)
        words = self._words(request)
        return self._texts.get(
            ("stages", request.key),
            lambda: payload.to_json(payload.stages(trace, request.key, scene_key(request)) | words),
        )

    def linked(self, request: Request) -> str:
        """`stages`, marked as what the address of the page asked for."""
        return f'{self.stages(request)[:-1]},"linked":true}}'

    def first_look(self, request: Request) -> str | None:
        """A value to look at while `stages` is made; None where that would not take long."""
        quick = self._session.quick(request)
        if quick is None:
            return None
        trace = self._session.trace(quick)
        words = {**self._words(request), "partial": True}
        return payload.to_json(payload.stages(trace, quick.key, scene_key(quick)) | words)

    def _words(self, request: Request) -> dict:
        """What the page says about a request."""
        picture = self._session.picture(request.picture)
        needed = self._session.memory_with_all_attention(request.picture, request.model, request.config)
        return {
            "memory": f"{needed / 2**30:.1f}",
            "title": picture.title,
            "story": picture.story,
            "domain": picture.domain,
            "link": self.link(request),
            "photo": photo_mark(request.picture),
            "model": request.model,
        }

    def public(self) -> tuple[Callable[[dict], str], ...]:
        """What a browser may ask for, each by its name."""
        maps = (self.scene, self.attention, self.overview, self.affinity, self.par, self.crf)
        return *maps, *self._others.public(), self.export_file, self.python_code, self.lab, self.lab_check

    def warm(self, request: Request) -> None:
        """Make everything that the page asks for first, so that it opens at once; nobody waits for it yet."""
        self._session.trace(request, ahead=True)
        self.stages(request)
        self.scene({"key": request.key})

    def scene(self, asked: dict) -> str:
        """Picture, prediction, truth and blocks: `{"key": …}` of the value asks for them."""
        request, trace = self._found(asked)
        name = scene_key(request)
        return self._texts.get(("scene", name), lambda: payload.to_json(payload.scene(trace, name)))

    def attention(self, asked: dict) -> str:
        """Maps of the block with number `asked["block"]`; before the softmax with `asked["logits"]`.

        All heads of all cells, or where `head` (-1: the mean) or `cell` is given of this one alone.
        """
        (request, trace), block, logits = self._found(asked), asked["block"], asked["logits"]
        head, cell = asked.get("head"), _cell(asked.get("cell"))
        if not _whole(block) or block not in trace.kept_blocks:
            raise KeyError("block")
        if not isinstance(logits, bool):
            raise KeyError("logits")
        if head is not None and not _whole(head):
            raise KeyError("head")
        name = ("attention", scene_key(request), block, logits, head, cell)
        return self._texts.get(
            name, lambda: payload.to_json(payload_attention.attention(trace, block, logits, head, cell))
        )

    def overview(self, asked: dict) -> str:
        """What every head of every block does, in numbers."""
        request, trace = self._found(asked)
        return self._texts.get(("overview", request.key), lambda: payload.to_json(payload_attention.overview(trace)))

    def affinity(self, asked: dict) -> str:
        """What the affinity is learned from, and its labels; of large grids for one `cell`."""
        (request, trace), cell = self._found(asked), _cell(asked.get("cell"))
        name = ("affinity", request.key, cell)
        return self._texts.get(name, lambda: payload.to_json(payload_attention.affinity(trace, cell)))

    def par(self, asked: dict) -> str:
        """All PAR iterations."""
        request, trace = self._found(asked)
        return self._texts.get(("par", request.key), lambda: payload.to_json(payload.par(trace, request.key)))

    def crf(self, asked: dict) -> str:
        """The labels of a dense CRF and of PAR, with their times."""
        request, trace = self._found(asked)
        name = ("crf", request.key)
        held = self._texts.peek(name)
        if held is not None:
            return held
        with self._session.dear.slot():
            return self._texts.get(name, lambda: payload.to_json(payload.crf(trace)))

    def lab(self, asked: dict) -> str:
        """The steps of the guided lab for an explanation, and the gallery of failures."""
        _, trace = self._found(asked)
        return payload.to_json(lab.contents(trace, self._session.examples))

    def lab_check(self, asked: dict) -> str:
        """The verdict on `asked["answer"]` to `asked["step"]` about the class `asked["label"]`."""
        request, trace = self._found(asked)
        kind, _, name = request.picture.partition(":")
        shown = [e.pathology for e in self._session.examples if kind == "example" and e.name == name]
        pathology = shown[0] if shown else ""
        return payload.to_json(lab.verdict(trace, asked["step"], asked["answer"], asked["label"], pathology))

    def export_file(self, asked: dict) -> str:
        """Write a file of one of the `KINDS`; path on the server and a name for the file.

        `asked["language"]`: of its words, where it has any.
        """
        (request, trace), kind = self._found(asked), asked["kind"]
        label, cell = self._view(asked, trace) if kind == "png" else (None, None)
        language = asked.get("language", ENGLISH)
        if language not in languages():
            raise KeyError("language")
        path = self.write(request, trace, kind, label, cell, language)
        return json.dumps({"path": path, "name": f"afa-viz.{kind}"})

    def python_code(self, asked: dict) -> str:
        """The program that makes the present view: key, tab, label, cell, block, and head, -1 for the mean of all.

        `asked["b"]`: the other side where there are two, see `compare.Changes`.
        """
        request, trace = self._found(asked)
        label, cell = self._view(asked, trace)
        block, head = asked["block"], asked["head"]
        if not _whole(block) or block not in trace.kept_blocks:
            raise KeyError("block")
        if head != -1 and not _whole(head, len(trace.logits(block))):
            raise KeyError("head")
        if not isinstance(asked["tab"], str):
            raise KeyError("tab")
        look = Look(asked["tab"], label, cell, block, None if head == -1 else head)
        if asked.get("b") is not None:
            changes = compare.read_changes(asked["b"])
            other = compare.other_request(self._session, request, trace, changes)
            if other != request or changes.crf:
                look = dataclasses.replace(look, other=other, crf=changes.crf)
        return json.dumps({"code": snippet(request, trace, self._session, look)})

    def _view(self, asked: dict, trace: Trace) -> tuple[int, Cell]:
        """Label and cell of a question."""
        label, cell = asked["label"], asked["cell"]
        if not _whole(label, len(trace.class_names)) or label == 0:
            raise KeyError("label")
        if not isinstance(cell, list) or len(cell) != 2 or not all(map(_whole, cell, trace.grid)):
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
        """Path of a file, written if it is not there.

        Args:
            kind: of `KINDS`: "html" the report, "npz" all arrays, "png" the chain as one picture.
            label, cell: of the picture; None: the main class and its strongest cell.
            language: of report and picture.
        Raises: KeyError: for another kind. UserError: if it can not be written, or too many others wait for theirs.
        """
        writers: dict[str, Callable] = {
            "html": lambda path: trace.report(path, language, names(language)),
            "npz": trace.save,
            "png": lambda path: self._write_picture(request, trace, path, label, cell, language),
        }
        write = writers[kind]
        view = "" if label is None and cell is None else f"-{label}-{'-'.join(map(str, cell or ()))}"
        name = f"{request.key}{view}{'' if kind == 'npz' else f'-{language}'}.{kind}"
        try:
            path = self.exports.find(name)
            if path is None:
                with self._session.dear.slot():
                    path = self.exports.write(name, f"afa-viz.{kind}", write)
        except OSError as error:
            log.warning("a file to download can not be written: %r", error)
            raise UserError(english("refused.no_room_for_file")) from error
        return str(path)

    def _write_picture(
        self, request: Request, trace: Trace, path: Path, label: int | None, cell: Cell | None, language: str
    ) -> None:
        with spoken(language, names(language)):
            picture = Image.fromarray(poster(trace, label, cell, self._session.picture(request.picture).title))
        with atomic_write(path) as partial:
            picture.save(partial, format="PNG", compress_level=1)

    def link(self, request: Request) -> dict[str, str]:
        """The part of the page's address that leads back to a request; without `example` for uploads."""
        return link.words(request, self._session)

    def _found(self, asked: dict) -> tuple[Request, Trace]:
        found = self._session.by_key(asked["key"])
        if found is None:
            raise KeyError("key")
        return found


def _whole(value: object, count: int | None = None) -> bool:
    """A whole number; of 0 to `count` - 1 where that is given."""
    return isinstance(value, int) and not isinstance(value, bool) and (count is None or 0 <= value < count)


def _cell(value: object) -> tuple[int, int] | None:
    """A cell that a browser names; that it lies on the grid is checked where the grid is known."""
    if value is None:
        return None
    if not isinstance(value, list) or len(value) != 2 or not all(map(_whole, value)):
        raise KeyError("cell")
    return value[0], value[1]


def photo_mark(picture: str) -> str | None:
    """What an address says of an upload, so that its own browser knows it again; None of other pictures."""
    kind, _, name = picture.partition(":")
    return name[:8] if kind == "upload" else None


def scene_key(request: Request) -> str:
    """Names what settings below the network do not change."""
    return f"{request.model}/{request.picture}/{request.config.long_side}/{request.config.keep_attention}"
