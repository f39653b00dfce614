"""A validated request for an explanation, and the requests that were explained, by key."""

from __future__ import annotations

import dataclasses
import hashlib
import threading
from collections import OrderedDict
from dataclasses import dataclass

from afa_viz.config import ExplainConfig

MAX_REQUESTS = 20_000  # that are kept by key, a few hundred bytes each


@dataclass(frozen=True)
class Request:
    """A validated request for an explanation.

    Attributes:
        image_id: "example:NAME", "data:ID" or "upload:SHA".
        model: name in the registry.
        labels: image labels as class names; None: predicted ones.
        config: settings of the explanation.
    """

    image_id: str
    model: str
    labels: tuple[str, ...] | None = None
    config: ExplainConfig = ExplainConfig()

    @property
    def key(self) -> str:
        """A digest of all fields; equal requests have equal keys."""
        text = repr((self.image_id, self.model, self.labels, dataclasses.astuple(self.config)))
        return hashlib.sha256(text.encode()).hexdigest()[:20]


class RequestHistory:
    """The most recently explained requests by their keys, for calls of a browser that name one. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: OrderedDict[str, Request] = OrderedDict()

    def add(self, request: Request) -> None:
        """Keep a request as the most recent one; beyond `MAX_REQUESTS` the oldest is forgotten."""
        with self._lock:
            self._requests[request.key] = request
            self._requests.move_to_end(request.key)
            while len(self._requests) > MAX_REQUESTS:
                self._requests.popitem(last=False)

    def find(self, key: object) -> Request | None:
        """The request with a key; None for an unknown one."""
        with self._lock:
            return self._requests.get(key) if isinstance(key, str) else None
