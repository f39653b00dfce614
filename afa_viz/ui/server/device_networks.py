"""Networks as files for visitors' own browsers: exported once each into the cache, when somebody first asks for one."""

from __future__ import annotations

import gzip
import hashlib
import json
import logging
import os
import shutil
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.responses import FileResponse

from afa_viz.ui.errors import UserError
from afa_viz.ui.localization import error_message
from afa_viz.ui.server.later_scripts import FOREVER, Receive, Scope, Send, accepts_gzip

if TYPE_CHECKING:
    from afa_viz.model.afa import AFA
    from afa_viz.ui.sessions.model_registry import ModelRegistry

PREFIX = "network"  # of the addresses
GIVEN = "network.json"  # what a page is told of the files beside it
TYPES = {".js": "text/javascript; charset=utf-8", ".wasm": "application/wasm", ".onnx": "application/octet-stream"}
COMPRESSED = (".js", ".wasm")
SOURCES = Path(__file__).parents[2]

log = logging.getLogger(__name__)


class DeviceNetworks:
    """What browsers need to explain photographs with the models of a registry.

    Args:
        registry: of the models.
        package: folder of onnxruntime-web.
        cache: folder that keeps the files between two starts.
    """

    def __init__(self, registry: ModelRegistry, package: Path, cache: Path) -> None:
        from afa_viz.ui.site.runtimes import find_runtimes

        self._registry, self._runtimes, self._folder = registry, find_runtimes(package), cache / PREFIX
        self._lock = threading.Lock()

    def server_functions(self) -> list[Callable[[dict], str]]:
        """The function that a page may call."""
        return [self.device_network]

    def device_network(self, params: dict) -> str:
        """{model} -> JSON: addresses and facts as `site.network.write_network` gives them, or {refused: sentence}."""
        try:
            return json.dumps(self._given(params["model"]), ensure_ascii=False)
        except (UserError, ValueError) as error:
            return json.dumps({"refused": str(error)}, ensure_ascii=False)
        except OSError:
            log.exception("the network for visitors' devices could not be written")
            return json.dumps({"refused": error_message("refused.disk")})

    def _given(self, name: str) -> dict[str, Any]:
        from afa_viz.model.onnx_export import require_afa
        from afa_viz.ui.site.network import require_small

        model = require_afa(self._registry.get(name))
        require_small(model)
        key = self._key(model, name)
        with self._lock:  # one at a time: an export takes a processor for half a minute
            folder = self._folder / key
            if not (folder / GIVEN).is_file():
                self._write(folder, model, name)
        given = json.loads((folder / GIVEN).read_text(encoding="utf-8"))
        at = f"{PREFIX}/{key}/"
        return {
            **given,
            **{part: at + given[part] for part in ("encoder", "head", "script")},
            "runtimes": {
                provider: {**runtime, "script": at + runtime["script"], "wasm": at + runtime["wasm"]}
                for provider, runtime in given["runtimes"].items()
            },
        }

    def _write(self, folder: Path, model: AFA, name: str) -> None:
        from afa_viz.ui.site.network import write_network

        self._folder.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=self._folder))
        try:
            given = write_network(partial, model, name, self._runtimes)
            for file in [path for path in partial.rglob("*") if path.suffix in COMPRESSED]:
                Path(f"{file}.gz").write_bytes(gzip.compress(file.read_bytes(), 6, mtime=0))
            (partial / GIVEN).write_text(json.dumps(given, ensure_ascii=False), encoding="utf-8")
            shutil.rmtree(folder, ignore_errors=True)  # of an earlier process, without its end
            os.replace(partial, folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def _key(self, model: AFA, name: str) -> str:
        """Changes with whatever the files are made of."""
        digest = hashlib.sha256(f"{name} {model.checkpoint_id} {model.card}".encode())
        for pattern in ("*.py", "ui/explorer/**/*.js", "ui/texts/*.json"):
            for path in sorted(SOURCES.rglob(pattern) if pattern == "*.py" else SOURCES.glob(pattern)):
                digest.update(path.read_bytes())
        for paths in self._runtimes.values():
            digest.update(f"{[path.stat().st_size for path in paths]}".encode())
        return digest.hexdigest()[:16]

    def file(self, path: str) -> Path | None:
        """The file at a path of the server that `routes.ROUTES` lets in; None where there is none."""
        found = self._folder / path.removeprefix(f"/{PREFIX}/")
        return found if path.startswith(f"/{PREFIX}/") and found.is_file() else None


class NetworkFiles:
    """ASGI middleware that answers with those files and passes everything else on.

    Args:
        app: the next application.
        networks: whose files; None: of none.
    """

    def __init__(self, app: Callable[[Scope, Receive, Send], Any], networks: DeviceNetworks | None) -> None:
        self._app, self._networks = app, networks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        path = scope["path"] if scope["type"] == "http" else ""
        file = self._networks.file(path) if self._networks else None
        if file is None:
            await self._app(scope, receive, send)
            return
        headers = {"cache-control": FOREVER.decode(), "vary": "accept-encoding", "x-content-type-options": "nosniff"}
        sent = file
        if file.suffix in COMPRESSED and accepts_gzip(scope["headers"]):
            sent, headers["content-encoding"] = Path(f"{file}.gz"), "gzip"
        await FileResponse(sent, headers=headers, media_type=TYPES[file.suffix])(scope, receive, send)
