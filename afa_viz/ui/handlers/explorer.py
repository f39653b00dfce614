"""Server functions of the explorer: JSON texts, computed once and shared by all visitors."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from afa_viz.ui.handlers.answer_texts import answer_name, prepared_first
from afa_viz.ui.handlers.compare import CompareHandlers
from afa_viz.ui.handlers.exports import ExportHandlers
from afa_viz.ui.handlers.parameters import is_index, parse_cell
from afa_viz.ui.handlers.snapshots import SnapshotHandlers
from afa_viz.ui.localization import error_message
from afa_viz.ui.page import permalinks
from afa_viz.ui.sessions.cache import SingleFlightCache
from afa_viz.ui.sessions.session import Request, Session

if TYPE_CHECKING:  # what follows loads torch, which prepared answers do without
    from afa_viz.trace import Trace
    from afa_viz.ui.sessions.class_report import ClassReport

PAYLOAD_BYTES = 48 * 2**20  # all examples with attention and affinity take 8 MB; full after minutes of use

log = logging.getLogger(__name__)


def _total_length(texts: list[str]) -> int:
    return sum(map(len, texts))


class ExplorerHandlers:
    """JSON for the browser; each text is computed once and shared by all visitors.

    Args:
        session: computes the traces.
        exports: folder for files to download; None: a folder of this process.
        report: counts what is answered in the lab; None: nothing does.

    Attributes:
        exports: writes the files to download.
    """

    def __init__(self, session: Session, exports: Path | None = None, report: ClassReport | None = None) -> None:
        self._session, self._report = session, report
        self._texts: SingleFlightCache[tuple, str] = SingleFlightCache(PAYLOAD_BYTES, _total_length)
        self._compare = CompareHandlers(session, self._texts, self._find)
        self._snapshots = SnapshotHandlers(session, self._texts, self._find)
        self.exports = ExportHandlers(session, self._find, exports)

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

    def linked(self, request: Request, unfit: Sequence[str] = ()) -> str:
        """`stages`, marked as the content of a permalink; unfit: names of its parameters that were ignored."""
        return f'{self.stages(request)[:-1]},"linked":true,"unfit":{json.dumps(list(unfit))}}}'

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
        image = self._session.images.find(request.image_id)
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
        own = (self.lab, self.lab_check, self.heads, self.example, self.unedited)
        return *maps, *tabs, *self.exports.server_functions(), *own

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
        if "attention" in trace.parts.lacks:
            return _lack("attention")
        head, cell = params.get("head"), parse_cell(params.get("cell"))
        if not is_index(block) or block not in trace.kept_blocks:
            raise KeyError("block")
        if not isinstance(logits, bool):
            raise KeyError("logits")
        if logits and "attention_logits" in trace.parts.lacks:
            return _lack("attention_logits")
        if head is not None and not is_index(head):
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
        if "attention" in trace.parts.lacks:
            return _lack("attention")
        return self._texts.get(("overview", request.key), lambda: payload.to_json(payload_attention.overview(trace)))

    @prepared_first
    def affinity(self, params: dict) -> str:
        """Mean attention logits and affinity labels; on large grids for one `cell` only."""
        from afa_viz.ui.handlers import payload, payload_attention

        (request, trace), cell = self._find(params), parse_cell(params.get("cell"))
        if "affinity" in trace.parts.lacks:
            return _lack("affinity")
        name = ("affinity", request.key, cell)
        return self._texts.get(name, lambda: payload.to_json(payload_attention.affinity(trace, cell)))

    @prepared_first
    def heads(self, params: dict) -> str:
        """What the heads of the learned affinity are made of; settings below the network do not change it."""
        from afa_viz.ui.handlers import payload, payload_heads

        request, trace = self._find(params)
        for part in ("affinity", "learned_affinity"):
            if part in trace.parts.lacks:
                return _lack(part)
        return self._texts.get(("heads", scene_key(request)), lambda: payload.to_json(payload_heads.heads(trace)))

    def example(self, params: dict) -> str:
        """The stages of the example `params["name"]`, explained by the model of `params["key"]` as it opens."""
        request, name = self._session.request_of(params["key"]), params["name"]
        if request is None:
            raise KeyError("key")
        if name not in [example.name for example in self._session.examples]:
            raise KeyError("name")
        return self.stages(self._session.request(f"example:{name}", request.model))

    @prepared_first
    def par(self, params: dict) -> str:
        """Scores after every PAR iteration."""
        from afa_viz.ui.handlers import payload

        request, trace = self._find(params)
        return self._texts.get(("par", request.key), lambda: payload.to_json(payload.par(trace, request.key)))

    def unedited(self, params: dict) -> str:
        """The value of the explorer component for the same image and settings with nothing changed by hand."""
        request = self._session.request_of(params["key"])
        if request is None:
            raise KeyError("key")
        return self.stages(permalinks.unedited(request))

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
        """Check `params["answer"]` and its `reason` to the question `step` about the class `label`.

        `first`: whether it is the visitor's first answer to it, which the class report counts.
        """
        from afa_viz.ui.handlers import lab, payload

        request, trace = self._find(params)
        step, answer, label = params["step"], params["answer"], params["label"]
        reason, first = params.get("reason"), params.get("first", False)
        if not isinstance(first, bool):
            raise KeyError("first")
        kind, _, name = request.image_id.partition(":")
        shown = [e.pathology for e in self._session.examples if kind == "example" and e.name == name]
        pathology = shown[0] if shown else ""
        asked = json.dumps([step, answer, label, reason], default=str)
        text = self._texts.get(
            ("lab_check", request.key, asked),
            lambda: payload.to_json(lab.verdict(trace, step, answer, label, pathology, reason)),
        )
        if self._report is not None and first:
            answered = lab.answered(json.loads(text), request.image_id, trace, step, answer, label, reason)
            if answered is not None:
                self._report.add(answered)
        return text

    def link(self, request: Request) -> dict[str, str]:
        """The query parameters that lead back to a request; without `example` for uploads."""
        return permalinks.query_parameters(request, self._session)

    def _find(self, params: dict) -> tuple[Request, Trace]:
        found = self._session.find_by_key(params["key"])
        if found is None:
            raise KeyError("key")
        return found


def _lack(part: str) -> str:
    """The answer to a question about a part that the method lacks."""
    return json.dumps({"refused": error_message(f"lacks.{part}")})


def upload_prefix(image_id: str) -> str | None:
    """The value of `photo` in the URL, by which the browser recognises its own upload; None for other images."""
    kind, _, name = image_id.partition(":")
    return name[:8] if kind == "upload" else None


def scene_key(request: Request) -> str:
    """Key of everything that does not depend on settings below the network."""
    config = request.config
    hidden = "" if config.occlude is None else f"#{','.join(map(str, config.occlude))}"
    return f"{request.model}/{request.image_id}/{config.long_side}/{config.keep_attention}{hidden}"
