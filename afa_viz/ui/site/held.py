"""What a report holds of the maps that belong to a query cell, and a site of those of a large image.

All of it for a 256-pixel image of the bundled network, where the logits of the blocks that the affinity reads are left
to the page: it has their queries and keys. Larger images and networks have more than a file should:
what was before the softmax is left out first, then blocks, from the first one on; on grids that the browser does not
compute itself only some query cells are held. The page says what is missing.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor

from afa_viz.figures import maps
from afa_viz.figures.maps import Cell
from afa_viz.ops.affinity import AFFINITY_BLOCKS
from afa_viz.trace import Trace
from afa_viz.ui.handlers import payload, payload_attention
from afa_viz.ui.handlers.prepared import Answer, answer_name, is_larger_than_factors, prepare
from afa_viz.ui.site.packing import smaller

FILE = 2_960_000  # characters of the file of a 256-pixel image: 3 MB
CELLS = 256  # of its grid; larger ones have in proportion
MOST = 10_000_000  # of any file
LEVEL = 6  # of zlib: 9 takes five times as long for 2 %
PAGE = 240_000  # of that the page itself: script, style, texts


def held_maps(trace: Trace, key: str, used: int = 0) -> tuple[list[Answer], dict[str, Any]]:
    """The answers about attention and affinity that a report holds, and what the page has to know of them.

    Args:
        used: characters that the file has beside the page itself and these answers.
    Returns: (name, JSON text) of each answer; and {"probs": blocks, "logits": blocks, "queries": cells or None}: whose
        attention is held, before and after the softmax, and for which query cells alone. {} where nothing is missing.
    """
    cells = trace.grid[0] * trace.grid[1]
    room = min(MOST, FILE * max(cells, CELLS) // CELLS) - PAGE - used
    if trace.parts.attention is None:
        return [], {}
    always = [_named("overview", {"key": key}, payload_attention.overview(trace))]
    if trace.affinity is None:
        pass
    elif cells <= payload.WHOLE_CELLS:  # also what follows from the radius and without symmetry
        few = prepare(trace, key, key, {}, groups=("starts", "affinity"))
        always += [(name, smaller(text, LEVEL)) for name, text in few]
    else:
        always.append(_named("affinity", {"key": key}, payload_attention.affinity(trace)))
    room -= sum(len(text) for _, text in always)
    heads = _heads(trace, key, room)
    always += heads
    room -= sum(len(text) for _, text in heads)
    answers, facts = held_attention(trace, key, room, bool(heads))
    return [*always, *answers], facts


def held_attention(
    trace: Trace, key: str, room: int = MOST, has_heads: bool = False
) -> tuple[list[Answer], dict[str, Any]]:
    """The part of `held_maps` that is about attention; on grids that the browser does not compute with the affinity.

    Args:
        room: characters that the answers may take.
        has_heads: the answer "heads" is held too, from which the page makes the logits of its blocks.
    """
    cells = trace.grid[0] * trace.grid[1]
    found = None if cells > payload.MAX_CELLS else _of_whole_blocks(trace, key, room, has_heads)
    return found or _of_some_cells(trace, key, room)


def _heads(trace: Trace, key: str, room: int) -> list[Answer]:
    """Queries and keys of the affinity's heads, if there is room; without them their products, if these are small."""
    found = [(name, smaller(text, LEVEL)) for name, text in prepare(trace, key, key, {}, groups=("heads",))]
    most = room if trace.queries is not None else room // 4
    return found if sum(len(text) for _, text in found) <= most else []


def _named(question: str, asked: dict[str, Any], answer: dict[str, Any]) -> Answer:
    return answer_name(question, asked), smaller(payload.to_json(answer), LEVEL)


def _by_importance(trace: Trace) -> Iterator[tuple[int, bool]]:
    """(block, logits) of every kept block from the last one on: those that the affinity reads, then the others."""
    blocks = list(reversed(trace.kept_blocks))
    kinds = (False,) if "attention_logits" in trace.parts.lacks else (False, True)
    for group in (blocks[:AFFINITY_BLOCKS], blocks[AFFINITY_BLOCKS:]):
        yield from ((block, logits) for logits in kinds for block in group)


def _of_whole_blocks(trace: Trace, key: str, room: int, has_heads: bool) -> tuple[list[Answer], dict[str, Any]] | None:
    """Attention of every cell in every head, of as many blocks as there is room for; None without room for the last.

    Args:
        has_heads: the file holds queries and keys of the affinity's blocks, from which the page makes their logits
            where these would take more room.
    """
    answers: list[Answer] = []
    held: dict[str, list[int]] = {"probs": [], "logits": []}
    for block, logits in _by_importance(trace):
        if has_heads and logits and is_larger_than_factors(trace, block):
            held["logits"].append(block)
            continue
        asked = {"key": key, "block": block, "logits": logits}
        answer = _named("attention", asked, payload_attention.attention(trace, block, logits))
        if len(answer[1]) > room:
            if not logits:  # nor is there room for those before it
                break
            continue
        room -= len(answer[1])
        answers.append(answer)
        held["logits" if logits else "probs"].append(block)
    if len(trace.attn_logits) - 1 not in held["probs"]:
        return None
    kinds = {"probs", *(() if "attention_logits" in trace.parts.lacks else ("logits",))}
    everything = all(sorted(held[kind]) == list(trace.kept_blocks) for kind in kinds)
    return answers, {} if everything else {**{kind: sorted(blocks) for kind, blocks in held.items()}, "queries": None}


def _of_some_cells(trace: Trace, key: str, room: int) -> tuple[list[Answer], dict[str, Any]]:
    """Attention in the blocks that the affinity reads, and the affinity, for cells of a lattice."""
    blocks = list(trace.kept_blocks)[-AFFINITY_BLOCKS:]
    strongest = [maps.strongest_cell(trace, label) for label in trace.present] or [maps.strongest_cell(trace)]
    lacks = trace.parts.lacks
    raw = None if "affinity" in lacks or "attention_logits" in lacks else maps.raw_matrix(trace)
    size = sum(len(text) for _, text in _of_cell(trace, key, blocks, strongest[0], raw))
    cells = lattice(trace.grid, strongest, room // size)
    answers = [answer for cell in cells for answer in _of_cell(trace, key, blocks, cell, raw)]
    logits = [] if "attention_logits" in lacks else blocks
    return answers, {"probs": blocks, "logits": logits, "queries": [list(cell) for cell in cells]}


def _of_cell(trace: Trace, key: str, blocks: Sequence[int], cell: Cell, raw: Tensor | None) -> Iterator[Answer]:
    place = list(cell)
    kinds = (False,) if "attention_logits" in trace.parts.lacks else (False, True)
    for block, logits in itertools.product(blocks, kinds):
        answer = payload_attention.attention(trace, block, logits, cell=cell)
        yield _named("attention", {"key": key, "block": block, "logits": logits, "cell": place}, answer)
    if trace.affinity is not None:
        yield _named("affinity", {"key": key, "cell": place}, payload_attention.affinity(trace, cell, raw))


def lattice(grid: tuple[int, int], always: Sequence[Cell], most: int) -> list[Cell]:
    """The densest square lattice of a grid that has at most `most` cells with those of `always`; row by row.

    Where not even a lattice of one cell does, the cells of `always` alone."""
    rows, cols = grid
    for step in range(2, max(grid) + 1):
        found = {*always, *itertools.product(range(step // 2, rows, step), range(step // 2, cols, step))}
        if len(found) <= most:
            return sorted(found)
    return sorted(set(always))
