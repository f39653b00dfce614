"""Build a static site: explain every image, write every prepared answer as a file, and the page that asks for them."""

from __future__ import annotations

import hashlib
import html
import itertools
import json
import os
import re
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from afa_viz import __version__
from afa_viz.classes import colours_for
from afa_viz.figures.interactive.base import plotly_js, plotly_version
from afa_viz.model.onnx_export import require_afa
from afa_viz.trace import Trace
from afa_viz.ui.handlers.charts import render
from afa_viz.ui.handlers.dataset.browse import ListingQuery
from afa_viz.ui.handlers.dataset.charts import dataset_figures
from afa_viz.ui.handlers.dataset.scoring import COMPARABLE_STAGES, Table, score_trace
from afa_viz.ui.handlers.explorer import ExplorerHandlers, scene_key
from afa_viz.ui.handlers.lab import COSTLY
from afa_viz.ui.handlers.payload import to_json
from afa_viz.ui.handlers.payload_attention import overview
from afa_viz.ui.handlers.prepared import GROUPS, answer_name, has_heads, is_taken_whole, prepare
from afa_viz.ui.localization import fill_template, languages, texts
from afa_viz.ui.page import assets
from afa_viz.ui.site.contents import Contents, Shown
from afa_viz.ui.site.held import held_attention
from afa_viz.ui.site.network import require_small, write_network
from afa_viz.ui.site.packing import SUFFIX, compress, file_name, pack
from afa_viz.ui.site.runtimes import Runtimes

DATA_GROUPS = ("stages", "starts", "affinity")  # of images that are only in the Data set tab
WORKERS = 4  # images at a time, each on one core
TIMED = re.compile(  # answers that say how long they took: no part of the digest in the name of a folder
    rf"crf|compare|lab_verdicts-\d+-(?:{'|'.join(COSTLY)})\."
)
UNSAFE = re.compile(r"[^a-z0-9]+")

Progress = Callable[[int, str], None]


@dataclass(frozen=True)
class SiteOptions:
    """How a site is built.

    Attributes:
        title: of the page.
        snapshots: number of images of the gallery that are explained by every snapshot of the training run.
        runtimes: of onnxruntime-web, see `runtimes.find_runtimes`, with which visitors explain photographs of their
            own; None: the site takes none.
    """

    title: str = "AFA Viz"
    snapshots: int = 1
    runtimes: Runtimes | None = None


def build_site(
    folder: Path, contents: Contents, options: SiteOptions, progress: Progress = lambda steps, what: None
) -> None:
    """Write a site into an empty folder.

    Args:
        progress: called with the number of finished steps and what was finished; `count_steps` in total.
    """
    with tempfile.TemporaryDirectory() as exports:
        builder = _Builder(folder, contents, options, ExplorerHandlers(contents.session, Path(exports)), progress)
        workers = min(WORKERS, os.cpu_count() or 1)
        with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            images = list(pool.map(builder.image, range(len(contents.shown))))
        site = {
            "version": __version__,
            "model": {
                "name": contents.model,
                "line": html.unescape(contents.session.registry.describe(contents.model)),
            },
            "images": images,
            "dataset": builder.dataset(images),
            "charts": {language: builder.charts(language) for language in languages()},
            "plotly": _write_plotly(folder),
            "network": builder.network(),
        }
        _write_page(folder, site, options.title)


def count_steps(contents: Contents, options: SiteOptions) -> int:
    """The number of steps of `build_site`."""
    gallery = sum(one.in_gallery for one in contents.shown)
    snapshots = len(contents.session.registry.snapshots(contents.model)) * min(options.snapshots, gallery)
    network = options.runtimes is not None
    return network + gallery * (len(GROUPS) + 1) + (len(contents.shown) - gallery) * (len(DATA_GROUPS) + 1) + snapshots


class _Builder:
    """Writes the answers of one image after the other."""

    def __init__(
        self, folder: Path, contents: Contents, options: SiteOptions, handlers: ExplorerHandlers, progress: Progress
    ) -> None:
        self._folder, self._contents, self._options, self._handlers = folder, contents, options, handlers
        self._ask = {function.__name__: function for function in handlers.server_functions()}
        self._progress = progress
        self._lock = threading.Lock()
        self._scores: dict[str, dict[str, Any]] = {}  # by name
        self._table = Table(folder / "scores")  # the same for the charts; never stored

    def _done(self, shown: Shown, what: str) -> None:
        with self._lock:
            self._progress(1, f"{shown.name}: {what}")

    def image(self, number: int) -> dict[str, Any]:
        """Explain an image and write its answers; returns its entry in the list of images."""
        shown, session = self._contents.shown[number], self._contents.session
        request = session.request(shown.image_id, self._contents.model)
        trace = session.trace(request)
        self._done(shown, "explained")
        facts = self._handlers.facts(request)
        packed: dict[str, bytes] = {}

        def add(answers: Iterable[tuple[str, str]], packer: Callable[[str], bytes] = pack) -> None:
            for name, text in answers:
                file = file_name(name)
                assert file not in packed, f"{name} would replace another answer"
                packed[file] = packer(text)

        groups: tuple[str, ...] = GROUPS if shown.in_gallery else DATA_GROUPS
        if shown.in_gallery and not all(is_taken_whole(trace, block) for block in trace.kept_blocks):
            answers, held = held_attention(trace, request.key, has_heads=has_heads(trace))
            add(answers, compress)
            add([(answer_name("overview", {"key": request.key}), to_json(overview(trace)))])
            facts = {**facts, "held": held or None}
            groups = tuple(group for group in groups if group not in ("attention", "logits"))
            for group in ("attention", "logits"):
                self._done(shown, group)
        model = session.registry.get(self._contents.model)
        for group in groups:
            add(
                prepare(
                    trace,
                    request.key,
                    scene_key(request),
                    facts,
                    self._contents.examples,
                    shown.pathology,
                    model,
                    (group,),
                )
            )
            self._done(shown, group)
        if shown.in_gallery:
            add(self._snapshots(number, shown, request.key))
        if shown.image_id.startswith("data:"):
            self._scores[shown.name] = self._scored(shown.name, trace)
        lasting = sorted(file for file in packed if not TIMED.match(file))
        digest = hashlib.sha256(b"".join(packed[file] for file in lasting)).hexdigest()[:8]
        folder = f"{UNSAFE.sub('-', shown.name.lower()).strip('-') or 'image'}-{digest}"
        target = self._folder / "images" / folder
        target.mkdir(parents=True)
        for file, data in packed.items():
            (target / file).write_bytes(data)
        (self._folder / "thumbnails").mkdir(exist_ok=True)
        (self._folder / "thumbnails" / f"{folder}.jpg").write_bytes(shown.thumbnail)
        return {
            "key": request.key, "folder": folder, "name": shown.name, "title": facts["title"],
            "photograph": facts["domain"] == "photograph", "gallery": shown.in_gallery,
            "thumbnail": f"thumbnails/{folder}.jpg", "files": sorted(packed),
        }  # fmt: skip

    def _snapshots(self, number: int, shown: Shown, key: str) -> Iterator[tuple[str, str]]:
        """The training run with its charts, and of the first images of the gallery what each snapshot makes of them."""
        run = self._ask["training_run"]({"key": key})
        yield answer_name("training_run", {"key": key}), run
        for language in languages():
            asked = {"key": key, "language": language}
            yield answer_name("training_charts", asked), self._ask["training_charts"](asked)
        if number >= self._options.snapshots:
            return
        listed = [entry["model"] for entry in json.loads(run)["snapshots"]]
        for model in listed:
            asked = {"key": key, "model": model}
            if model == self._contents.model:
                continue
            yield answer_name("snapshot", asked), self._ask["snapshot"](asked)
            self._done(shown, model)

    def _scored(self, name: str, trace: Trace) -> dict[str, Any]:
        score = score_trace(trace)
        self._table.put(name, score)
        labels = [trace.class_names[label] for label in trace.present] if trace.labels_given else []
        return {"labels": labels, "miou": score.miou, "iou": score.iou, "broken": False}

    def dataset(self, images: list[dict[str, Any]]) -> str:
        """Write the scores of the Data set tab; returns the name of their file."""
        dataset = self._contents.dataset
        entries = {entry["name"]: entry for entry in images if entry["name"] in self._scores}
        listed = [
            {"id": name, "title": dataset.title(index), "image": entries[name]["thumbnail"], **self._scores[name]}
            for index, name in enumerate(dataset.ids[: self._contents.count])
            if name in entries
        ]
        data = {"title": dataset.source.title, "classes": list(dataset.source.class_names[1:]), "images": listed}
        return _write_hashed(self._folder, "dataset", SUFFIX, pack(json.dumps(data, ensure_ascii=False)))

    def network(self) -> dict[str, Any] | None:
        """Write what explains the photographs of visitors; None where the site takes none."""
        if self._options.runtimes is None:
            return None
        model = require_afa(self._contents.session.registry.get(self._contents.model))
        require_small(model)
        found = write_network(self._folder, model, self._contents.model, self._options.runtimes)
        with self._lock:
            self._progress(1, "network exported")
        return found

    def charts(self, language: str) -> dict[str, str]:
        """Write the charts of the Data set tab; returns their files by class, "" for all classes together."""
        dataset = self._contents.dataset
        shown = [i for i in range(self._contents.count) if dataset.ids[i] in self._scores]
        present = {name for index in shown for name in dataset.labels(index) or ()}
        found = {name: self._charts_of(language, name) for name in ("", *sorted(present))}
        return {
            name: _write_hashed(self._folder, f"charts-{language}-{UNSAFE.sub('-', name)}", SUFFIX, pack(text))
            for name, text in found.items()
        }

    def _charts_of(self, language: str, class_name: str) -> str:
        """The charts of the images of a class, by "before stage"."""
        registry = self._contents.session.registry
        names, card = registry.class_names(self._contents.model), registry.get(self._contents.model).card
        palette = dict(zip(names, card.palette if card else colours_for(len(names)), strict=True))
        found = {}
        for before, stage in itertools.permutations(COMPARABLE_STAGES, 2):
            query = ListingQuery("set", stage, before, class_name)
            figures = partial(dataset_figures, self._contents.dataset, self._table, query, palette)
            found[f"{before} {stage}"] = render({"language": language}, figures)
        return json.dumps(found, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _write_plotly(folder: Path) -> str:
    """Write plotly.js, which a page loads when its first chart is opened; returns the name of the file."""
    name = f"plotly-{plotly_version()}.min.js"
    (folder / name).write_text(plotly_js(), encoding="utf-8")
    return name


def _write_hashed(folder: Path, stem: str, suffix: str, data: bytes) -> str:
    """Write a file with a digest of its content in its name, so that no browser shows an old one; returns the name."""
    name = f"{stem}-{hashlib.sha256(data).hexdigest()[:8]}{suffix}"
    (folder / name).write_bytes(data)
    return name


def _write_page(folder: Path, site: dict[str, Any], title: str) -> None:
    listed = _write_hashed(folder, "site", SUFFIX, pack(json.dumps(site, ensure_ascii=False)))
    given = f'{{tables:{assets.tables(standalone=True)},site:"{listed}"}}'
    script = f"{assets.script(assets.STATIC)}.start({given});\n"
    parts = {
        "title": html.escape(f"{title}: " + texts()["site.heading"]),
        "heading": html.escape(title),
        "site": listed,
        "style": _write_hashed(folder, "style", ".css", assets.style(standalone=True).encode()),
        "script": _write_hashed(folder, "explorer", ".js", script.encode()),
        "markup": assets.explorer_html(),
    }
    page = fill_template((assets.EXPLORER / "site.html").read_text(encoding="utf-8"))
    page = re.sub(r"<!--(\w+)-->", lambda found: parts[found[1]], page)
    (folder / "index.html").write_text(page, encoding="utf-8")
    (folder / ".nojekyll").touch()  # GitHub Pages serves the files as they are
