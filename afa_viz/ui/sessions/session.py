"""What the page computes: picture, model, labels and settings -> `Trace`, each once, from the nearest one held."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from afa_viz.config import ExplainConfig
from afa_viz.inputs import fit_size
from afa_viz.pipeline import STAGES, explain, recompute
from afa_viz.stages.memory import LARGE, free_memory, memory_of
from afa_viz.trace import Trace
from afa_viz.ui.errors import UserError, quote_value
from afa_viz.ui.localization import error_message
from afa_viz.ui.sessions.cache import SingleFlightCache
from afa_viz.ui.sessions.compact_trace import compact
from afa_viz.ui.sessions.concurrency import EXPENSIVE_AT_ONCE, EXPENSIVE_WAITING, ConcurrencyLimit
from afa_viz.ui.sessions.examples import Example, read_examples
from afa_viz.ui.sessions.images import UPLOADED, InputImage, PythonSource, read_upload
from afa_viz.ui.sessions.memory import MemoryTrimmer
from afa_viz.ui.sessions.model_registry import ModelRegistry
from afa_viz.ui.sessions.threads import EXPLANATIONS_AT_ONCE, ThreadBudget

TRACE_BYTES = 288 * 2**20  # all examples at the bundled size; the memory of a server is the target of `bench start`
IMAGE_BYTES = 96 * 2**20
IDLE_SECONDS = 1.0  # seconds without an explanation, before memory is given back
MAX_REQUESTS = 20_000  # requests, a few hundred bytes each


@dataclass(frozen=True)
class Request:
    """What is to be explained.

    Attributes:
        image_id: "example:NAME", "data:ID" or "upload:SHA".
        model: its name in the registry.
        labels: class names that the pseudo label may use; None: predicted.
        config: settings.
    """

    image_id: str
    model: str
    labels: tuple[str, ...] | None = None
    config: ExplainConfig = ExplainConfig()

    @property
    def key(self) -> str:
        """Short name of everything in it; equal requests have equal keys."""
        text = repr((self.image_id, self.model, self.labels, dataclasses.astuple(self.config)))
        return hashlib.sha256(text.encode()).hexdigest()[:20]


def trace_bytes(traces: Sequence[Trace]) -> int:
    """Bytes that traces hold together; stages that they share count once, and pages of absent classes do not count."""
    storages = {}
    for trace in traces:
        used = (len(trace.present) + 1) / len(trace.class_names)
        for field in dataclasses.fields(trace):
            value = vars(trace).get(field.name)  # a `CompactTrace` makes what it lacks
            for tensor in value if isinstance(value, tuple) else (value,):
                if isinstance(tensor, torch.Tensor):
                    storage = tensor.untyped_storage()
                    share = used if field.name.startswith(("cam_par", "cam_refined")) else 1
                    storages[storage.data_ptr()] = round(share * storage.nbytes())
    return sum(storages.values())


def first_stage(old: ExplainConfig, new: ExplainConfig) -> int:
    """Number of the first stage that a change of settings runs again; `len(STAGES)` for no change."""
    fields = [f.name for f in dataclasses.fields(new) if getattr(old, f.name) != getattr(new, f.name)]
    stages = [number for number, reads in enumerate(STAGES.values()) if set(reads) & set(fields)]
    return min(stages, default=len(STAGES))


class InputImageSource(Protocol):
    """More pictures than the examples, each by an id; a `dataset.images.DataSet` is one."""

    def input_image(self, image_id: object) -> InputImage:
        """Raises: UserError: for an unknown id."""

    def python_source(self, image_id: object) -> PythonSource:
        """How a program gets it. Raises: UserError: for an unknown id."""


class Session:
    """Everything that pages share. Safe for threads.

    Args:
        registry: the models.
        examples: folder with `examples.json`.
        dataset: what "data:ID" means; None: nothing.

    Attributes:
        dear: limits what takes long, whoever does it: a report, a comparison, an explanation by a large network.
    """

    def __init__(
        self,
        registry: ModelRegistry,
        examples: Path,
        trace_bytes_max: int = TRACE_BYTES,
        dataset: InputImageSource | None = None,
    ) -> None:
        self._dataset = dataset
        self.registry = registry
        self.examples: list[Example] = read_examples(examples)
        self._trace_bytes_max = trace_bytes_max
        self._traces: SingleFlightCache[Request, Trace] = SingleFlightCache(trace_bytes_max, trace_bytes)
        self._images: SingleFlightCache[str, InputImage] = SingleFlightCache(
            IMAGE_BYTES, lambda pictures: sum(p.nbytes for p in pictures)
        )
        self._lock = threading.Lock()
        self._requests: OrderedDict[str, Request] = OrderedDict()
        self.memory = MemoryTrimmer(lambda: self.is_idle(IDLE_SECONDS), release=lambda: self._traces.change(compact))
        self._threads = ThreadBudget()
        self._normal = ConcurrencyLimit(EXPLANATIONS_AT_ONCE)
        self._decoding = ConcurrencyLimit(1)  # the largest photograph takes some hundred megabytes for a moment
        self.expensive = ConcurrencyLimit(EXPENSIVE_AT_ONCE, EXPENSIVE_WAITING)
        self._explaining = 0  # for visitors, now
        self._explained = -math.inf  # when the last of them ended, by time.monotonic

    def is_idle(self, seconds: float) -> bool:
        """Whether nothing was explained for a visitor in the last so many seconds, and nothing dear is being made."""
        with self._lock:
            idle = not self._explaining and not self.expensive.in_use
            return idle and time.monotonic() - self._explained >= seconds

    def fits_in_cache(self, count: int, request: Request) -> bool:
        """Whether so many traces like that of a request can be held at the same time."""
        return count * trace_bytes([self.trace(request, in_background=True)]) <= self._trace_bytes_max

    def store_upload(self, path: str | os.PathLike[str]) -> str:
        """Hold an uploaded photograph in memory; returns its name for a `Request`.

        Raises: UserError: as `read_upload`, or if the file is gone.
        """
        with self._decoding.slot():
            try:
                os.utime(path)  # in use: others go before it
                image = read_upload(path)
            except FileNotFoundError:
                raise UserError(error_message("refused.upload_gone")) from None
        return self.store_image(image)

    def store_image(self, image: InputImage) -> str:
        """Hold a photograph in memory; returns its name for a `Request`."""
        name = f"upload:{image.sha}"
        self._images.get(name, lambda: image)
        return name

    def input_image(self, image_id: str) -> InputImage:
        """A picture by the name that requests use. Raises: UserError: if it is not there (any more)."""
        kind, _, name = str(image_id).partition(":")
        if kind == "example":
            for example in self.examples:
                if example.name == name:
                    return self._images.get(image_id, example.read)
            raise UserError(error_message("refused.no_example"))
        if kind == "data" and self._dataset is not None:
            dataset = self._dataset
            return self._images.get(image_id, lambda: dataset.input_image(name))
        held = self._images.peek(image_id)
        if held is None:
            raise UserError(error_message("refused.upload_gone"))
        return held

    def python_source(self, image_id: str) -> PythonSource:
        """How a program gets a picture, for the page's copy of its view. Raises: UserError: as `picture`."""
        kind, _, name = image_id.partition(":")
        if kind == "data" and self._dataset is not None:
            return self._dataset.python_source(name)
        for example in self.examples if kind == "example" else []:
            if example.name == name:
                return example.source()
        return UPLOADED

    def request(
        self, image_id: str, model: str, labels: Sequence[str] | None = None, config: ExplainConfig | None = None
    ) -> Request:
        """A checked request.

        Args:
            labels: None takes those that came with the picture, where the model knows them; an empty sequence asks
                for predicted ones.
        Raises: UserError: for an unknown picture, model or class.
        """
        if not isinstance(image_id, str):
            raise UserError(error_message("refused.no_picture"))
        known = self.registry.class_names(model)[1:]
        if labels is None:
            labels = [label for label in self.input_image(image_id).labels or () if label in known]
        if isinstance(labels, str) or not isinstance(labels, Sequence):
            raise UserError(error_message("refused.labels", labels=quote_value(labels)))
        unknown = [label for label in labels if label not in known]
        if unknown:
            raise UserError(error_message("refused.no_class", name=quote_value(unknown[0]), names=", ".join(known)))
        chosen = tuple(sorted(set(labels), key=known.index)) or None
        config = config or self.registry.config(model)
        if config.keep_attention == "all" and self.memory_with_all_attention(image_id, model, config) >= LARGE:
            config = dataclasses.replace(config, keep_attention="last_stage")
        return Request(image_id, model, chosen, config)

    def memory_with_all_attention(self, image_id: str, model: str, config: ExplainConfig) -> int:
        """Bytes that an explanation would take which keeps the attention of all stages."""
        every = dataclasses.replace(config, keep_attention="all")
        return memory_of(self.registry.get(model), self._size(image_id, model, config), every).peak

    def _size(self, image_id: str, model: str, config: ExplainConfig) -> tuple[int, int]:
        """(H, W) that a picture is explained at."""
        return fit_size(self.input_image(image_id).image, config.long_side or self.registry.input_size(model))

    def trace(self, request: Request, in_background: bool = False) -> Trace:
        """The trace of a request: from the cache, or recomputed from the nearest one held, or explained.

        Args:
            in_background: no visitor waits for it yet.
        """
        trace = self._trace_in_background(request) if in_background else self._cached_or_computed(request)
        with self._lock:
            self._requests[request.key] = request
            self._requests.move_to_end(request.key)
            while len(self._requests) > MAX_REQUESTS:
                self._requests.popitem(last=False)
        return trace

    def uncached_trace(self, request: Request) -> Trace:
        """The trace of a request that nobody will come back to: taken from the cache, but never put there."""
        held = self._traces.peek(request)
        return self._compute(request, self._limit(request)) if held is None else held

    def _trace_in_background(self, request: Request) -> Trace:
        return self._traces.get(request, lambda: self._explain(request, False))

    def _cached_or_computed(self, request: Request) -> Trace:
        held = self._traces.peek(request)
        if held is not None:
            return held
        limit = self._limit(request)
        if limit is self._normal:  # those who wait for the same trace need no slot
            return self._traces.get(request, lambda: self._compute(request, limit))
        with limit.slot():  # before others may wait for the trace: they may hold the slots that it needs
            return self._traces.get(request, lambda: self._compute(request, limit))

    def _limit(self, request: Request) -> ConcurrencyLimit:
        """The one of an explanation: that of a large network is dear, unless it goes on from another explanation."""
        large = self.registry.is_large(request.model) and self._nearest(request) is None
        return self.expensive if large else self._normal

    def request_of(self, key: object) -> Request | None:
        """The request of a `Request.key` that was explained here; None for any other thing."""
        with self._lock:
            return self._requests.get(key) if isinstance(key, str) else None

    def preview_request(self, request: Request) -> Request | None:
        """A request that is answered sooner, for a first look: the CAM at one scale, no PAR. Nothing of it is lost, as
        the request itself goes on from there.

        None where the request is answered already, or some settings of the same picture are.
        """
        if self._traces.peek(request) is not None or self._nearest(request) is not None:
            return None
        config = dataclasses.replace(request.config, scales=(1.0,), flip=False, use_par=False)
        return None if config == request.config else dataclasses.replace(request, config=config)

    def find_by_key(self, key: object) -> tuple[Request, Trace] | None:
        """Request and trace of a `Request.key` that was explained here; None for any other thing."""
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
        model = self.registry.get(request.model)
        nearest = self._nearest(request)
        if nearest is not None:
            base, trace = nearest
            labels = None if base.labels == request.labels else request.labels
            with self._threads.allocate(trace.seg.numel(), alone):
                return recompute(trace, request.config, labels=labels, model=model)
        image = self.input_image(request.image_id)
        mask = self.ground_truth(image, request.model)
        size = self._size(request.image_id, request.model, request.config)
        self._require_memory(size, memory_of(model, size, request.config).peak)
        with self._threads.allocate(math.prod(size), alone):
            return explain(model, image.image, request.labels, request.config, target=mask)

    def _require_memory(self, size: tuple[int, int], needed: int) -> None:
        """Raises: UserError: where the system would have to end the server for want of it."""
        free = free_memory()
        if free is not None and needed > free:
            sizes = {"needed": f"{needed / 2**30:.1f}", "free": f"{free / 2**30:.1f}"}
            raise UserError(error_message("refused.picture_memory", width=size[1], height=size[0], **sizes))

    def ground_truth(self, image: InputImage, model: str) -> np.ndarray | None:
        """The mask of a picture in the numbers of a model; None where the model does not know a class in it."""
        if image.mask is None or image.labels is None:
            return None
        names = self.registry.class_names(model)
        numbers = np.flatnonzero(np.bincount(image.mask.ravel(), minlength=256)).tolist()
        numbers = [number for number in numbers if number not in (0, 255)]
        if image.class_names is not None:
            theirs = [image.class_names[n] if n < len(image.class_names) else "" for n in numbers]
            if not set(theirs) <= set(names[1:]):
                return None
            table = np.zeros(256, np.uint8)
            table[255] = 255
            table[numbers] = [names.index(name) for name in theirs]
            return table[image.mask]
        fits = all(number < len(names) and names[number] in image.labels for number in numbers)
        return image.mask.copy() if fits else None  # torch wants writable arrays

    def _nearest(self, request: Request) -> tuple[Request, Trace] | None:
        """The held trace of the same picture and model from which the fewest stages must run again."""
        best, best_stage = None, 0
        labels_read_at = list(STAGES).index("cam_rw")
        for other, trace in self._traces.items():
            if (other.image_id, other.model) != (request.image_id, request.model):
                continue
            stage = first_stage(other.config, request.config)
            if other.labels != request.labels:
                if request.labels is None:
                    continue  # predicted labels can not be had from a trace with given ones
                stage = min(stage, labels_read_at)
            if stage > best_stage:
                best, best_stage = (other, trace), stage
        return best
