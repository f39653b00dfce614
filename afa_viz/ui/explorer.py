"""The explorer as one gradio component: a static page part, its script, and the few things it asks the server for."""

from __future__ import annotations

import base64
import json
import logging
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import gradio as gr

from afa_viz.figures import colour
from afa_viz.trace import Trace
from afa_viz.ui import payload
from afa_viz.ui.cache import SingleFlightCache
from afa_viz.ui.panels import explorer_html
from afa_viz.ui.session import Request, Session

HERE = Path(__file__).parent
SCRIPTS = ("explorer_paint.js", "explorer.js")  # one scope, in this order
PAYLOAD_BYTES = 128 * 2**20
EXPORTS_KEPT = 40

log = logging.getLogger(__name__)


@cache
def tables() -> str:
    """The colours of the page, from `figures.colour`, as JSON."""
    lut = base64.b64encode(colour.table(colour.MAGNITUDE).tobytes()).decode("ascii")
    return json.dumps({"lut": lut, "foreground": colour.FOREGROUND, "background": colour.BACKGROUND})


def style() -> str:
    """The style sheet of the page."""
    return (HERE / "explorer.css").read_text(encoding="utf-8")


def _length(texts: list[str]) -> int:
    return sum(map(len, texts))


class Payloads:
    """JSON for the browser, each text made once for all pages; and files to download.

    Args:
        session: makes the traces.
        exports: folder for files to download; the newest few are kept.
    """

    def __init__(self, session: Session, exports: Path | None = None) -> None:
        self._session = session
        self._texts: SingleFlightCache[tuple, str] = SingleFlightCache(PAYLOAD_BYTES, _length)
        self.exports = exports or Path(tempfile.mkdtemp(prefix="afa-viz-"))

    def stages(self, request: Request) -> str:
        """The component's value for a request; explains it if need be."""
        trace = self._session.trace(request)
        picture = self._session.picture(request.picture)
        words = {"title": picture.title, "story": picture.story, "domain": picture.domain}
        return self._texts.get(
            ("stages", request.key),
            lambda: payload.to_json(payload.stages(trace, request.key, scene_key(request)) | words),
        )

    def warm(self, request: Request) -> None:
        """Make everything that the page asks for first, so that it opens at once."""
        self.stages(request)
        asked = {"key": request.key, "block": len(self._session.trace(request).attn_logits) - 1}
        for answer in (self.scene, self.attention, self.par):
            answer(asked)

    def scene(self, asked: dict) -> str:
        """Picture, prediction, truth and blocks: `{"key": …}` of the value asks for them."""
        request, trace = self._found(asked)
        name = scene_key(request)
        return self._texts.get(("scene", name), lambda: payload.to_json(payload.scene(trace, name)))

    def attention(self, asked: dict) -> str:
        """All heads of the block with number `asked["block"]`."""
        (request, trace), block = self._found(asked), asked["block"]
        if not isinstance(block, int) or not 0 <= block < len(trace.attn_logits):
            raise KeyError("block")
        name = ("attention", scene_key(request), block)
        return self._texts.get(name, lambda: payload.to_json(payload.attention(trace, block)))

    def par(self, asked: dict) -> str:
        """All PAR iterations."""
        request, trace = self._found(asked)
        return self._texts.get(("par", request.key), lambda: payload.to_json(payload.par(trace, request.key)))

    def export_file(self, asked: dict) -> str:
        """Write the report ("html") or the arrays ("npz"); path on the server and a name for the file."""
        request, trace = self._found(asked)
        return json.dumps({"path": self.write(request, trace, asked["kind"]), "name": f"afa-viz.{asked['kind']}"})

    def write(self, request: Request, trace: Trace, kind: str) -> str:
        """Path of the report ("html") or the arrays ("npz") of a trace, written if it is not there."""
        writers: dict[str, Callable] = {"html": trace.report, "npz": trace.save}
        write = writers[kind]
        path = self.exports / request.key / f"afa-viz.{kind}"
        if not path.exists():
            write(path)
            for old in sorted(self.exports.iterdir(), key=lambda p: p.stat().st_mtime)[:-EXPORTS_KEPT]:
                shutil.rmtree(old, ignore_errors=True)
        return str(path)

    def _found(self, asked: dict) -> tuple[Request, Trace]:
        found = self._session.by_key(asked["key"])
        if found is None:
            raise KeyError("key")
        return found


def scene_key(request: Request) -> str:
    """Names what settings below the network do not change."""
    return f"{request.model}/{request.picture}/{request.config.long_side}"


def component(payloads: Payloads, value: str = "") -> gr.HTML:
    """The component; its value is `Payloads.stages`. What the browser asks for is checked: it may be anybody's."""

    def guarded(answer: Callable[[dict], str]) -> Callable[[dict], str]:
        def ask(asked: dict) -> str:
            try:
                return answer(asked)
            except (KeyError, TypeError, ValueError) as error:
                log.info("the page asked for %s and got nothing: %r", answer.__name__, error)
                return "null"

        ask.__name__ = answer.__name__
        return ask

    script = "\n".join((HERE / name).read_text(encoding="utf-8") for name in SCRIPTS)
    return gr.HTML(
        value,
        html_template=explorer_html(),
        js_on_load=script,
        server_functions=[guarded(f) for f in (payloads.scene, payloads.attention, payloads.par, payloads.export_file)],
        apply_default_css=False,
        elem_id="afa-explorer",
        tables=tables(),
    )
