"""Answers that are made before anybody asks: for pages without a server, and for a server that should start fast.

A prepared answer is the JSON text that a handler would send, under the name of its question. `answer_name` and
`answerName` in explorer/host/prepared.js make the same names.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from afa_viz.lab import PAIRS, QUESTIONS, Question, is_ready, options
from afa_viz.pipeline import recompute
from afa_viz.trace import Trace
from afa_viz.ui.handlers import lab, payload, payload_attention, payload_heads
from afa_viz.ui.handlers.answer_texts import answer_name as answer_name
from afa_viz.ui.handlers.compare import replace_par_by_crf
from afa_viz.ui.sessions.examples import Example

if TYPE_CHECKING:
    from afa_viz.model.interface import Network

GROUPS = ("stages", "starts", "attention", "logits", "affinity", "heads", "par", "crf", "lab")
SYMMETRY, SCALES = "symmetry of the affinity", "other scales of the CAM"  # of `ABLATIONS`; the browser needs a start
SHARES = tuple(number / 100 for number in range(1, 100))  # what the slider of the question "cut" offers
Answer = tuple[str, str]


def prepare(
    trace: Trace,
    key: str,
    scene_key: str,
    facts: Mapping[str, Any],
    examples: Sequence[Example] = (),
    pathology: str = "",
    model: Network | None = None,
    groups: Collection[str] = GROUPS,
    without: Collection[str] = (),
) -> Iterator[Answer]:
    """All that the explorer may ask of one explained image: (name, JSON text), group by group.

    Args:
        key: of the explanation, in every question.
        scene_key: of what settings do not change.
        facts: what is said of the image: see `ExplorerHandlers.stages`.
        examples: of the gallery that the lab recommends; without any it recommends none.
        pathology: of the image, see `Example.pathology`.
        model: that made the trace; None: "starts" lacks the CAM at one scale.
        groups: of `GROUPS`, made in their order. "stages" is what the first view needs; each other one belongs to a
            tab. "starts": what the browser begins from without symmetry or scales. "attention" and "logits" are of all
            blocks, "logits" without those that follow from "heads". "heads" is empty and "par" is not where the
            browser does not compute the grid by itself.
        without: names of questions of the lab that get no verdicts.
    """
    makers = {
        "stages": lambda: _stages(trace, key, scene_key, facts),
        "starts": lambda: _starts(trace, key, model),
        "attention": lambda: _attention(trace, key, logits=False),
        "logits": lambda: _attention(trace, key, logits=True),
        "affinity": lambda: _affinity(trace, key),
        "heads": lambda: _heads(trace, key),
        "par": lambda: _par(trace, key),
        "crf": lambda: _crf(trace, key),
        "lab": lambda: _lab(trace, key, examples, pathology, without),
    }
    for group in makers:
        if group in groups:
            yield from makers[group]()


def _named(question: str, asked: Mapping[str, Any], answer: dict[str, Any]) -> Answer:
    return answer_name(question, asked), payload.to_json(answer)


def _stages(trace: Trace, key: str, scene_key: str, facts: Mapping[str, Any]) -> Iterator[Answer]:
    yield _named("stages", {"key": key}, {**payload.stages(trace, key, scene_key), **facts})
    yield _named("scene", {"key": key}, payload.scene(trace, scene_key))


def _starts(trace: Trace, key: str, model: Network | None) -> Iterator[Answer]:
    if trace.grid[0] * trace.grid[1] > payload.MAX_CELLS:
        return
    quick = dataclasses.replace(trace.config, use_par=False)
    if trace.config.symmetric and trace.affinity is not None:
        one_way = recompute(trace, dataclasses.replace(quick, symmetric=False))
        yield _named("start", {"key": key, "left_out": SYMMETRY}, {"affinity": payload.pack_affinity(one_way)})
    if model is not None and len(trace.config.scales) > 1:
        single = recompute(trace, dataclasses.replace(quick, scales=(1.0,)), model=model)
        start = {"cam": payload.pack_cam(single), "classes": payload.classes(single)}
        yield _named("start", {"key": key, "left_out": SCALES}, start)


def _attention(trace: Trace, key: str, logits: bool) -> Iterator[Answer]:
    """Of the blocks whose maps the page takes whole; others are asked for cell by cell, which only a server answers."""
    if trace.parts.attention is None or (logits and "attention_logits" in trace.parts.lacks):
        return
    if not logits:
        yield _named("overview", {"key": key}, payload_attention.overview(trace))
    follow = [block for block in trace.kept_blocks if is_larger_than_factors(trace, block)] if has_heads(trace) else []
    for block in trace.kept_blocks:
        if logits and block in follow:
            continue
        if is_taken_whole(trace, block):
            asked = {"key": key, "block": block, "logits": logits}
            yield _named("attention", asked, payload_attention.attention(trace, block, logits))


def _affinity(trace: Trace, key: str) -> Iterator[Answer]:
    """Also the numbers of all pairs for every radius: they follow from the ground truth alone."""
    if trace.affinity is None:
        return
    yield _named("affinity", {"key": key}, payload_attention.affinity(trace))
    if trace.target is None or trace.grid[0] * trace.grid[1] > payload.MAX_CELLS:
        return
    traces = {"symmetric": trace}
    if trace.config.symmetric:
        traces["one_way"] = recompute(trace, dataclasses.replace(trace.config, symmetric=False, use_par=False))
    found = {
        kind: [
            payload_attention.affinity_numbers(
                dataclasses.replace(one, config=dataclasses.replace(one.config, radius=radius))
            )
            for radius in range(1, max(trace.grid))
        ]
        for kind, one in traces.items()
    }
    yield _named("affinity_numbers", {"key": key}, found)


def is_taken_whole(trace: Trace, block: int) -> bool:
    """Whether a page asks for the attention of a block whole: every cell in every head."""
    sides = (*trace.grid, *trace.key_grids[block])
    return len(trace.logits(block)) * math.prod(sides) <= payload_attention.WHOLE_BYTES


def has_heads(trace: Trace) -> bool:
    """Whether there is an answer "heads"."""
    return trace.parts.affinity == "learned" and trace.grid[0] * trace.grid[1] <= payload.MAX_CELLS


def is_larger_than_factors(trace: Trace, block: int) -> bool:
    """Whether the logits of a block, 8 bits each, take more room than its queries and keys, 16 bits each: the browser
    makes such logits of the answer "heads"."""
    factors = trace.query_key(block)
    return factors is not None and trace.logits(block).numel() > 2 * sum(part.numel() for part in factors)


def _heads(trace: Trace, key: str) -> Iterator[Answer]:
    if has_heads(trace):
        yield _named("heads", {"key": key}, payload_heads.heads(trace))


def _crf(trace: Trace, key: str) -> Iterator[Answer]:
    """Beside PAR, and as the other side of a comparison."""
    yield _named("crf", {"key": key}, payload.crf(trace))
    refined, times = replace_par_by_crf(trace)
    compared = {**payload.comparison(refined), **times, "resized": False}
    yield _named("compare", {"key": key, "b": {"crf": True}}, compared)


def _par(trace: Trace, key: str) -> Iterator[Answer]:
    if trace.grid[0] * trace.grid[1] > payload.MAX_CELLS:
        yield _named("par", {"key": key}, payload.par(trace, key))


def _lab(
    trace: Trace, key: str, examples: Sequence[Example], pathology: str, left_out: Collection[str]
) -> Iterator[Answer]:
    """The questions, and of each question and class the verdicts on every answer that the page can give."""
    yield _named("lab", {"key": key}, lab.contents(trace, list(examples), left_out))
    for question in QUESTIONS:
        if question.name in left_out:
            continue
        for label in trace.present if is_ready(trace, question) else ():
            found = verdicts(trace, question, label, pathology)
            yield _named("lab_verdicts", {"key": key, "step": question.name, "label": label}, found)


def verdicts(trace: Trace, question: Question, label: int, pathology: str) -> dict[str, Any]:
    """The verdicts on all answers: {"answers": {answer as JSON: place in "verdicts"}, "verdicts": […]}.

    Shares: `SHARES`. {"refused": a sentence} where the image decides nothing, as with no wrong pixel to attribute.
    """
    places: dict[str, int] = {}
    answers: dict[str, int] = {}
    for answer in all_answers(trace, question, label):
        found = lab.verdict(trace, question.name, answer, label, pathology)
        if "refused" in found:
            return found
        name = json.dumps(answer, separators=(",", ":"), ensure_ascii=False)
        answers[name] = places.setdefault(payload.to_json(found), len(places))
    return {"answers": answers, "verdicts": [json.loads(text) for text in places]}


def all_answers(trace: Trace, question: Question, label: int) -> list[Any]:
    """Every answer that the page can give to a question."""
    codes = options(trace, question, label)
    if question.kind == "cell":
        return [[row, col] for row in range(trace.grid[0]) for col in range(trace.grid[1])]
    if question.kind == "share":
        return list(SHARES)
    if question.kind == "order":
        return [list(order) for order in itertools.permutations(codes)]
    if question.kind == "pairs":
        return [list(labels) for labels in itertools.product(codes, repeat=PAIRS)]
    return list(codes)
