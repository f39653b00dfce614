"""Explanations for all visitors: image, model, labels and settings -> `Trace`, computed once and cached.

Importing this module loads neither torch nor the pipeline: the first explanation does, see `Session.load`.
"""

from __future__ import annotations

import dataclasses
import logging
import math
import threading
import time
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from afa_viz.config import ExplainConfig
from afa_viz.inputs import MANY_CLASSES, fit_size, similar_classes
from afa_viz.stages.memory import LARGE, estimate_memory
from afa_viz.ui.errors import UserError, quote_value
from afa_viz.ui.localization import error_message
from afa_viz.ui.sessions.cache import SingleFlightCache
from afa_viz.ui.sessions.concurrency import (
    EXPENSIVE_AT_ONCE,
    EXPENSIVE_WAITING,
    EXPLANATIONS_AT_ONCE,
    ConcurrencyLimit,
)
from afa_viz.ui.sessions.examples import Example, read_examples
from afa_viz.ui.sessions.image_store import ImageStore, InputImageSource
from afa_viz.ui.sessions.images import InputImage
from afa_viz.ui.sessions.memory import MemoryTrimmer, require_memory
from afa_viz.ui.sessions.model_registry import ModelRegistry
from afa_viz.ui.sessions.prepared_answers import PreparedAnswers, PreparedExample
from afa_viz.ui.sessions.request import Request, RequestHistory

if TYPE_CHECKING:
    from afa_viz.trace import Trace
    from afa_viz.ui.sessions.threads import ThreadBudget

TRACE_BYTES = 288 * 2**20  # all examples at the bundled size; `bench start` checks the memory of a server
IDLE_SECONDS = 1.0  # without an explanation, before memory is trimmed

log = logging.getLogger(__name__)


class Session:
    """State that all visitors share. Thread-safe.

    Args:
        registry: the models.
        examples: folder with `examples.json`.
        dataset: the images of "data:ID"; None: there are none.
        prepared: answers for the examples that were made beforehand; None: there are none.

    Attributes:
        images: every image by its id: examples, uploads, the data set's.
        expensive: limits reports, comparisons, explanations by large networks and the like.
        loaded: set once torch, the pipeline and a model are in memory.
    """

    def __init__(
        self,
        registry: ModelRegistry,
        examples: Path,
        trace_bytes_max: int = TRACE_BYTES,
        dataset: InputImageSource | None = None,
        prepared: PreparedAnswers | None = None,
    ) -> None:
        self._prepared = prepared
        self.registry = registry
        self.examples: list[Example] = read_examples(examples)
        self.images = ImageStore(self.examples, dataset)
        self._trace_bytes_max = trace_bytes_max
        self._traces: SingleFlightCache[Request, Trace] = SingleFlightCache(trace_bytes_max, _trace_bytes)
        self._lock = threading.Lock()
        self._requests = RequestHistory()
        self.memory = MemoryTrimmer(lambda: self.is_idle(IDLE_SECONDS), release=self._compact)
        self.loaded = threading.Event()
        self._loading = threading.Lock()
        self._normal = ConcurrencyLimit(EXPLANATIONS_AT_ONCE)
        self.expensive = ConcurrencyLimit(EXPENSIVE_AT_ONCE, EXPENSIVE_WAITING)
        self._explaining = 0  # explanations for visitors that are running
        self._explained = -math.inf  # end of the last of them, by time.monotonic

    @cached_property
    def _threads(self) -> ThreadBudget:
        from afa_viz.ui.sessions.threads import ThreadBudget

        return ThreadBudget()

    def _compact(self) -> None:
        if self.loaded.is_set():
            from afa_viz.ui.sessions.compact_trace import compact

            self._traces.map_values(compact)

    def load(self) -> None:
        """Load torch, the pipeline and the first model in a thread, before somebody waits for them; once."""
        if not self.loaded.is_set() and self._loading.acquire(blocking=False):
            threading.Thread(target=self._load, daemon=True, name="load").start()

    def _load(self) -> None:
        try:
            import afa_viz.pipeline  # noqa: F401

            self.registry.get(self.registry.names[0])
            self.loaded.set()
        except Exception as error:  # whoever asks for an explanation gets the sentence
            log.warning("the model is not loaded yet: %s", error)
        finally:
            self._loading.release()

    def is_idle(self, seconds: float) -> bool:
        """Whether no explanation for a visitor ran in the last `seconds`, and nothing expensive is running."""
        with self._lock:
            idle = not self._explaining and not self.expensive.in_use
            return idle and time.monotonic() - self._explained >= seconds

    def fits_in_cache(self, count: int, request: Request) -> bool:
        """Whether the cache has room for `count` traces of the size of this one."""
        return count * _trace_bytes([self.trace(request, in_background=True)]) <= self._trace_bytes_max

    def request(
        self, image_id: str, model: str, labels: Sequence[str] | None = None, config: ExplainConfig | None = None
    ) -> Request:
        """A validated request.

        Args:
            labels: class names; None: those that came with the image, as far as the model knows them; empty:
                predicted ones.
        Raises: UserError: for an unknown image, model or class.
        """
        if not isinstance(image_id, str):
            raise UserError(error_message("refused.no_picture"))
        known = self.registry.class_names(model)[1:]
        if labels is None:
            labels = [label for label in self.images.find(image_id).labels or () if label in known]
        if isinstance(labels, str) or not isinstance(labels, Sequence):
            raise UserError(error_message("refused.labels", labels=quote_value(labels)))
        unknown = [label for label in labels if label not in known]
        if unknown:
            raise unknown_class(unknown[0], known)
        chosen = tuple(sorted(set(labels), key=known.index)) or None
        config = config or self.registry.config(model)
        if config.keep_attention == "all" and self.memory_with_all_attention(image_id, model, config) >= LARGE:
            config = dataclasses.replace(config, keep_attention="last_stage")
        return Request(image_id, model, chosen, config)

    def memory_with_all_attention(self, image_id: str, model: str, config: ExplainConfig) -> int:
        """Bytes that an explanation needs if it keeps the attention of all stages."""
        prepared = self._prepared_example(image_id, model, config)
        if prepared is not None:
            return prepared.memory
        keep_all = dataclasses.replace(config, keep_attention="all")
        return estimate_memory(self.registry.get(model), self.explained_size(image_id, model, config), keep_all).peak

    def explained_size(self, image_id: str, model: str, config: ExplainConfig) -> tuple[int, int]:
        """(H, W) at which an image is explained."""
        return fit_size(self.images.find(image_id).image, config.long_side or self.registry.input_size(model))

    def trace(self, request: Request, in_background: bool = False) -> Trace:
        """The trace of a request: from the cache, recomputed from the nearest cached one, or explained.

        Args:
            in_background: no visitor is waiting for it.
        """
        trace = self._trace_in_background(request) if in_background else self._cached_or_computed(request)
        self._requests.add(request)
        return trace

    def prepared(self, request: Request) -> PreparedExample | None:
        """What was prepared for a request, which then counts as explained; None where nothing was."""
        found = self._prepared_example(request.image_id, request.model, request.config)
        if found is None or found.key != request.key:
            return None
        self._requests.add(request)
        return found

    def _prepared_example(self, image_id: str, model: str, config: ExplainConfig) -> PreparedExample | None:
        """What was prepared for an example, by the first model as it is now, with its default settings."""
        kind, _, name = image_id.partition(":")
        if self._prepared is None or kind != "example" or model != self.registry.names[0]:
            return None
        default = self.registry.config(model)
        if dataclasses.replace(config, keep_attention=default.keep_attention) != default:
            return None
        found = next((self._prepared.find(example) for example in self.examples if example.name == name), None)
        return found if found is not None and found.model == self.registry.facts(model) else None

    def present_labels(self, request: Request) -> list[str]:
        """Names of the classes that a request is explained for: the given image labels, or the predicted ones."""
        found = self.prepared(request)
        if found is not None:
            return list(found.present)
        trace = self.trace(request)
        return [trace.class_names[label] for label in trace.present]

    def predictions(self, image_id: str, model: str) -> tuple[tuple[str, float], ...] | None:
        """What a model predicts for an image that it has explained; None where that is not kept."""
        for request, trace in self._traces.items():
            if (request.image_id, request.model) == (image_id, model):
                return trace.predictions
        return None

    def uncached_trace(self, request: Request) -> Trace:
        """The trace of a request that is not made again: read from the cache, but not stored there."""
        cached = self._traces.peek(request)
        return self._compute(request, self._limit(request)) if cached is None else cached

    def _trace_in_background(self, request: Request) -> Trace:
        return self._traces.get(request, lambda: self._explain(request, False))

    def _cached_or_computed(self, request: Request) -> Trace:
        cached = self._traces.peek(request)
        if cached is not None:
            return cached
        limit = self._limit(request)
        if limit is self._normal:  # threads that wait for the same trace need no slot
            return self._traces.get(request, lambda: self._compute(request, limit))
        with limit.slot():  # taken first: threads that wait for this trace may hold the slots that it needs
            return self._traces.get(request, lambda: self._compute(request, limit))

    def _limit(self, request: Request) -> ConcurrencyLimit:
        """The limit for an explanation: one by a large network is expensive unless it reuses a cached trace."""
        large = self.registry.is_large(request.model) and self._nearest(request) is None
        return self.expensive if large else self._normal

    def request_of(self, key: object) -> Request | None:
        """The explained request with a `Request.key`; None for an unknown key."""
        return self._requests.find(key)

    def preview_request(self, request: Request) -> Request | None:
        """A faster request for a preview: the CAM at one scale, no PAR. The full request reuses what it computes.

        None if the request, or one that differs only in settings, is cached already.
        """
        if self._traces.peek(request) is not None or self.prepared(request) is not None:
            return None
        if self._nearest(request) is not None:
            return None
        config = dataclasses.replace(request.config, scales=(1.0,), flip=False, use_par=False)
        return None if config == request.config else dataclasses.replace(request, config=config)

    def find_by_key(self, key: object) -> tuple[Request, Trace] | None:
        """The explained request with a `Request.key`, and its trace; None for an unknown key."""
        request = self.request_of(key)
        return None if request is None else (request, self.trace(request))

    def _compute(self, request: Request, limit: ConcurrencyLimit) -> Trace:
        with limit.slot():
            return self._compute_counted(request)

    def _compute_counted(self, request: Request) -> Trace:
        with self._lock:
            self._explaining += 1
            alone = self._explaining == 1
        try:
            return self._explain(request, alone)
        finally:
            with self._lock:
                self._explaining -= 1
                self._explained = time.monotonic()
            self.memory.trim_when_idle()

    def _explain(self, request: Request, alone: bool) -> Trace:
        from afa_viz.pipeline import explain, recompute

        model = self.registry.get(request.model)
        self.loaded.set()
        nearest = self._nearest(request)
        if nearest is not None:
            base, trace = nearest
            labels = None if base.labels == request.labels else request.labels
            with self._threads.allocate(trace.pseudo_label.numel(), alone):
                return recompute(trace, request.config, labels=labels, model=model)
        image = self.images.find(request.image_id)
        mask = self.ground_truth(image, request.model)
        size = self.explained_size(request.image_id, request.model, request.config)
        require_memory(size, estimate_memory(model, size, request.config).peak)
        with self._threads.allocate(math.prod(size), alone):
            return explain(model, image.image, request.labels, request.config, target=mask)

    def ground_truth(self, image: InputImage, model: str) -> np.ndarray | None:
        """The mask of an image in the class indices of a model; None if the model lacks one of its classes."""
        return image.mask_in(self.registry.class_names(model))

    def _nearest(self, request: Request) -> tuple[Request, Trace] | None:
        from afa_viz.ui.sessions.trace_reuse import nearest

        return nearest(request, self._traces.items())


def unknown_class(name: object, known: Sequence[str]) -> UserError:
    """The error about a class that a model does not know; of very many classes it names similar ones."""
    quoted = quote_value(name)
    if len(known) <= MANY_CLASSES:
        return UserError(error_message("refused.no_class", name=quoted, names=", ".join(known)))
    found = similar_classes(str(name), known)
    key = "refused.close_classes" if found else "refused.no_similar_class"
    return UserError(error_message(key, name=quoted, count=len(known), names=", ".join(found)))


def _trace_bytes(traces: Sequence[Trace]) -> int:
    from afa_viz.ui.sessions.trace_reuse import trace_bytes

    return trace_bytes(traces)
