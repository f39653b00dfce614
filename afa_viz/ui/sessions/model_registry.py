"""The models that the app offers: discovered at the start, each loaded once, when it is first used."""

from __future__ import annotations

import html
import logging
import threading
from collections.abc import Sequence
from concurrent.futures import Future, wait
from pathlib import Path
from typing import TYPE_CHECKING

from afa_viz.classes import names_for
from afa_viz.config import ExplainConfig
from afa_viz.model.imagenet_classes import VOC_GROUPS, imagenet_synonyms
from afa_viz.model.timm_source import PREFIX, is_timm, parse
from afa_viz.ui.errors import UserError, quote_value
from afa_viz.ui.localization import error_message, texts
from afa_viz.ui.sessions.cache import SingleFlightCache
from afa_viz.ui.sessions.class_search import choice
from afa_viz.ui.sessions.concurrency import LARGE_NETWORK
from afa_viz.ui.sessions.model_facts import ModelFacts
from afa_viz.ui.sessions.snapshots import Snapshot, find_snapshots, snapshot_folder

if TYPE_CHECKING:
    from afa_viz.model.interface import Network

SNAPSHOTS_HELD = 2  # snapshot models kept in memory; loading one takes a tenth of a second
FETCH_SECONDS = 0.5  # between two looks at how far a download is
SNAPSHOT_MARK = "@"  # "sandbox@2000": the model sandbox after 2000 iterations

log = logging.getLogger(__name__)


def discover_checkpoints(folder: Path) -> dict[str, str]:
    """Name -> source of every checkpoint in a folder: sub-folders with a weights file, and weights files."""
    found: dict[str, str] = {}
    if not folder.is_dir():
        return found
    for entry in sorted(folder.iterdir()):
        if entry.is_dir() and any(entry.glob("*.safetensors")):
            found[entry.name] = str(entry)
        elif entry.suffix in (".safetensors", ".pth"):
            found[entry.stem] = str(entry)
    return found


def name_sources(sources: Sequence[str]) -> dict[str, str]:
    """Name -> source for the sources given on the command line; duplicate names get a number."""
    result: dict[str, str] = {}
    for source in sources:
        stem = f"{PREFIX}{parse(source)[0]}" if is_timm(source) else _stem(source)
        name, number = stem, 2
        while name in result:
            name, number = f"{stem} ({number})", number + 1
        result[name] = source
    return result


def _stem(source: str) -> str:
    return source.removeprefix("hf://") if source.startswith("hf://") else Path(source).stem or source


def checkpoint_sources(named: Sequence[str], folder: Path) -> dict[str, str]:
    """Name -> source of the models of an app: the named ones, or else everything in a folder."""
    return name_sources(named) or discover_checkpoints(folder)


class ModelRegistry:
    """Models by name. Thread-safe: a loaded model is available at once, even while another one is loading.

    Args:
        sources: name -> source for `load_model`; at least one.
        device: of all models.
    """

    def __init__(self, sources: dict[str, str], device: str = "auto") -> None:
        if not sources:
            raise UserError("There is no checkpoint: put one into checkpoints/ or name one with --checkpoint.")
        self._sources = dict(sources)
        self._device = device
        self._lock = threading.Lock()
        self._models: SingleFlightCache[str, Network] = SingleFlightCache(len(sources), len)  # room for all
        self._snapshots: SingleFlightCache[str, Network] = SingleFlightCache(SNAPSHOTS_HELD, len)
        self._added: set[str] = set()
        self._assumed: dict[str, ModelFacts] = {}
        self._offered: dict[str, str] = {}
        self._fetched: dict[str, tuple[int, int]] = {}
        self._fetches: dict[str, Future[Network]] = {}

    @property
    def names(self) -> list[str]:
        """Names of all models; the first one is the default."""
        return list(self._sources)

    def add(self, name: str, source: str) -> None:
        """Offer another model; only the last few that were added are kept in memory."""
        with self._lock:
            self._sources = {**self._sources, name: source}
            self._added.add(name)

    def offer(self, source: str, size: str) -> None:
        """Offer a model of timm that is fetched from the hub only once somebody chooses it; nothing if it is there.

        Args:
            size: of its weights, for people.
        """
        with self._lock:
            if source not in self._sources.values():
                name = f"{PREFIX}{parse(source)[0]}"
                self._sources = {**self._sources, name: source}
                self._offered[name] = size

    def offered(self) -> dict[str, str]:
        """By name what a model is that would be fetched."""
        words = texts()["side.timm_offered"]
        return {name: words.format(name=name, size=size) for name, size in self._offered.items()}

    @property
    def choices(self) -> list[str | tuple[str, str]]:
        """The names for a menu; of those that would be fetched with what they are."""
        offered = self.offered()
        return [(offered[name], name) if name in offered else name for name in self.names]

    def fetch(self, name: str, seconds: float) -> str | None:
        """Load a model that is offered but may not be here yet, in a thread of its own, and wait for it for a while.

        Returns: a sentence about how far that is; None once it is here, and for any other model.
        Raises: UserError: as `get`.
        """
        known = isinstance(name, str) and not self.is_loaded(name)
        size = self._offered.get(name) if known else None
        if size is None:
            return None
        with self._lock:
            loading = self._fetches.get(name)
            if loading is None:
                loading = self._fetches[name] = Future()
                threading.Thread(target=self._fetch, args=(name, loading), daemon=True).start()
        if not wait([loading], seconds).done:
            came, total = self._fetched.get(name) or (0, 1)
            return error_message("side.fetching", name=name, size=size, share=f"{came / total:.0%}")
        with self._lock:
            self._fetches.pop(name, None)  # after an error the next call tries again
        loading.result()
        return None

    def _fetch(self, name: str, loading: Future[Network]) -> None:
        try:
            loading.set_result(self.get(name))
        except BaseException as error:  # for the threads that wait
            loading.set_exception(error)

    def is_loaded(self, name: str) -> bool:
        """Whether a model is in memory."""
        return self._models.peek(name) is not None

    def assume(self, name: str, facts: ModelFacts) -> None:
        """Facts of a model that is not loaded yet, from earlier; once it is loaded, only what it is itself counts."""
        self._assumed[name] = facts

    def facts(self, name: str) -> ModelFacts:
        """Facts of a model. Raises: UserError: as `get`."""
        assumed = self._assumed.get(name) if isinstance(name, str) else None
        return ModelFacts.of(self.get(name)) if assumed is None else assumed

    def get(self, name: str) -> Network:
        """A loaded model or snapshot, in evaluation mode.

        Raises: UserError: for an unknown name, or for weights that cannot be loaded.
        """
        source = self.source(name)
        snapshot = name not in self._sources or name in self._added
        cache = self._snapshots if snapshot else self._models
        return cache.get(name, lambda: self._load(name, source))

    def _load(self, name: str, source: str) -> Network:
        from afa_viz.model.checkpoint import load_model

        def report(came: int, total: int) -> None:
            self._fetched[name] = (came, total)

        try:
            watched = {"progress": report} if is_timm(source) else {}
            model = load_model(source, device=self._device, **watched)
        except (OSError, ValueError) as error:
            raise UserError(error_message("refused.model_broken", name=name, error=error)) from error
        finally:
            self._fetched.pop(name, None)
        self._assumed.pop(name, None)
        return model

    def source(self, name: str) -> str:
        """The source of a model or snapshot. Raises: UserError: for an unknown name."""
        if isinstance(name, str) and name in self._sources:
            return self._sources[name]
        model, _, iteration = name.rpartition(SNAPSHOT_MARK) if isinstance(name, str) else ("", "", "")
        for snapshot in self.snapshots(model):
            if str(snapshot.iteration) == iteration:
                return str(snapshot.path)
        raise UserError(error_message("refused.no_model", name=quote_value(name, 60), names=", ".join(self.names)))

    def snapshots(self, name: str) -> list[Snapshot]:
        """The snapshots of a model's training run, oldest first; listed anew each time, since the run may go on."""
        return find_snapshots(self.snapshot_folder(name))

    def snapshot_folder(self, name: str) -> Path | None:
        """Where the snapshots of a model would be; None for an unknown model or one from the hub."""
        return snapshot_folder(self._sources[name]) if name in self._sources else None

    def input_size(self, name: str) -> int | None:
        """Long side in pixels of a model's input; None if it has no card."""
        card = self.facts(name).card
        return card.input_size if card else None

    def is_large(self, name: str) -> bool:
        """Whether explanations by a model are so expensive that few may run at a time."""
        return self.facts(name).parameters >= LARGE_NETWORK

    def config(self, name: str) -> ExplainConfig:
        """The default config of a model."""
        return ExplainConfig.for_model(self.facts(name))

    def affinity_heads(self, name: str) -> int:
        """Heads that a model's learned affinity weighs; 0 where it is not learned. Raises: UserError: as `get`."""
        head = self.get(name).affinity_head()
        return 0 if head is None else head[0].numel()

    def class_names(self, name: str) -> tuple[str, ...]:
        """Class names of a model, background first."""
        facts = self.facts(name)
        return tuple(facts.card.class_names) if facts.card else names_for(facts.num_classes)

    def label_choices(self, name: str, predictions: Sequence[tuple[str, float]] | None = None) -> list:
        """Class names for the list of image labels: first what the network predicts, with its probability. Each as it
        is shown and searched, see `class_search.choice`, and as it is."""
        synonyms = imagenet_synonyms() if is_timm(self.source(name)) else {}
        shares = dict(predictions or ())
        rest = (label for label in self.class_names(name)[1:] if label not in shares)
        first = [(choice(label, f"{share:.0%}", synonyms), label) for label, share in shares.items()]
        return [*first, *((choice(label, synonyms=synonyms), label) for label in rest)]

    def describe(self, name: str) -> str:
        """One line of HTML about a model: backbone, classes, input size."""
        card = self.facts(name).card
        if card is None:
            return ""
        if "decoder" not in card.parts:
            return texts()["side.timm_line"].format(
                backbone=card.backbone, groups=len(VOC_GROUPS), size=card.input_size
            )
        classes = html.escape(", ".join(card.class_names[1:7])) + (", …" if card.num_classes > 7 else "")
        return texts()["side.model_line"].format(
            backbone=card.backbone, count=card.num_classes - 1, names=classes, size=card.input_size
        )
