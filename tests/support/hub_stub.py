"""The Hugging Face hub as far as an upload asks it: a transport in the place of the network."""

from __future__ import annotations

import base64
import importlib
import json

import huggingface_hub
import pytest
from huggingface_hub import constants
from huggingface_hub.utils import _http as hub_http

HUB = "https://huggingface.co"
REPOSITORIES = ("/api/repos/", "/api/models/", "/api/spaces/", "/api/datasets/")
httpx = importlib.import_module(type(hub_http.default_client_factory()).__module__.split(".")[0])  # httpx or httpx2


@pytest.fixture
def hub(monkeypatch):
    """The hub as far as an upload asks it; what was asked about repositories, and what it should answer first."""
    asked: list = []
    refusals: list = []

    def answer(request):
        path = request.url.path
        if path.startswith(REPOSITORIES):  # some versions of huggingface_hub ask for more before
            asked.append(request)
        if refusals:
            return refusals[0]
        if path == "/api/repos/create":
            return httpx.Response(200, json={"url": f"{HUB}/spaces/jane/afa-viz", "id": "1", "name": "jane/afa-viz"})
        if "/preupload/" in path:
            names = [file["path"] for file in json.loads(request.content)["files"]]
            plain = {"uploadMode": "regular", "shouldIgnore": False, "oid": None}
            return httpx.Response(200, json={"files": [{"path": name, **plain} for name in names]})
        if "/commit/" in path:
            done = {
                "success": True,
                "commitUrl": f"{HUB}/spaces/jane/afa-viz/commit/1",
                "commitOid": "1",
                "hookOutput": "",
            }
            return httpx.Response(200, json=done)
        if "/tree/" in path:
            old = {"type": "file", "oid": "1", "size": 1, "path": "old.txt"}
            return httpx.Response(200, json=[old])
        return httpx.Response(200, json={"id": "jane/afa-viz", "sha": "1", "siblings": [{"rfilename": "old.txt"}]})

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_TOKEN", "hf_of_a_test")
    huggingface_hub.set_client_factory(lambda: httpx.Client(transport=httpx.MockTransport(answer)))
    yield asked, refusals
    huggingface_hub.set_client_factory(hub_http.default_client_factory)


def committed(asked) -> tuple[dict[str, bytes], list[str]]:
    """Files that the commit adds, with their contents, and files that it deletes."""
    commit = next(request for request in asked if "/commit/" in request.url.path)
    lines = [json.loads(line) for line in commit.content.splitlines()]
    added = {x["value"]["path"]: base64.b64decode(x["value"]["content"]) for x in lines if x["key"] == "file"}
    return added, [x["value"]["path"] for x in lines if x["key"] == "deletedFile"]
