"""What a trace says to the questions about attention heads, attention and affinity of a pair, and affinity labels.

Symbols: h w cells, N = h * w.
"""

from __future__ import annotations

import math
import zlib
from typing import Any

import torch
from torch import Tensor

from afa_viz.figures import maps
from afa_viz.figures.typography import format_percent
from afa_viz.inspection import target_cells
from afa_viz.lab.cells import object_cells
from afa_viz.lab.changes import TIE, Finding, largest
from afa_viz.lab.once import once_a_trace
from afa_viz.lab.questions import UndecidedError, Verdict
from afa_viz.ops.affinity import radius_mask
from afa_viz.ops.pseudo_label import IGNORE
from afa_viz.trace import Trace

AUC_TOLERANCE = 0.01  # a head that is this near to the best one is right, too
NEAR = 2  # cells from the query that count as near
LIFT = 1.2  # attention has to be this much above uniform to count
EQUAL = 1.1  # ratio of two attentions up to which they count as equal
MIN_DISTANCE = 2  # cells between the two of a pair
PAIRS = 3

Cell = tuple[int, int]


def ordered_share(scores: Tensor, positive: Tensor, negative: Tensor) -> float:
    """Probability that a positive scores above a negative; ties count half. All of one shape, the last two bool."""
    high, low = scores[positive], scores[negative].sort().values
    below = torch.searchsorted(low, high) + torch.searchsorted(low, high, right=True)
    return float(below.double().mean() / 2 / len(low))


def drawing(content: Tensor, label: int) -> torch.Generator:
    """A generator that draws the same for the same content and class."""
    return torch.Generator().manual_seed(zlib.crc32(content.contiguous().numpy().tobytes() + bytes([label % 256])))


@once_a_trace
def heads(trace: Trace, label: int) -> Finding:
    """In which head of the last block the strongest cell attends most reliably to cells of its class.

    The measure is the AUC: how often a cell of the class gets more attention than another cell. The reason is what the
    attention of that head prefers most, compared with uniform attention: the object, or the cells around the query.
    """
    inside = object_cells(trace, label).flatten()
    if inside.all():
        raise UndecidedError("small")
    row, col = maps.strongest_cell(trace, label)
    query = row * trace.grid[1] + col
    probs = trace.cell_probs(-1)[:, query]
    aucs = [ordered_share(one, inside, ~inside) for one in probs]
    best = max(range(len(aucs)), key=aucs.__getitem__)
    near = radius_mask(*trace.grid, radius=NEAR)[query]
    lifts = {
        name: float(probs[best][where].sum() / probs[best].sum() / where.float().mean())
        for name, where in (("object", inside), ("near", near))
    }
    reasons = tuple(name for name in largest(lifts) if lifts[name] >= LIFT)
    facts = {
        "best_auc": format_percent(aucs[best]), "worst_auc": format_percent(min(aucs)),
        "name": trace.class_names[label], "object_lift": f"{lifts['object']:.1f}", "near_lift": f"{lifts['near']:.1f}",
    }  # fmt: skip
    accepted = [i for i, auc in enumerate(aucs) if auc >= aucs[best] - AUC_TOLERANCE and i != best]
    of_option = {str(i + 1): {"auc": format_percent(auc)} for i, auc in enumerate(aucs)}
    return Finding(tuple(str(i + 1) for i in (best, *accepted)), reasons or ("even",), facts, of_option)


@once_a_trace
def linked_pair(trace: Trace, label: int) -> tuple[Cell, Cell]:
    """The strongest cell of a class and the cell with the highest affinity to it that is no neighbour of it.

    Which one is first is drawn by the image, so that neither direction is more likely.
    """
    first = maps.strongest_cell(trace, label)
    affinity = maps.affinity(trace, first).clone()
    rows, cols = (torch.arange(n) - at for n, at in zip(trace.grid, first, strict=True))
    affinity[(rows.abs()[:, None] < MIN_DISTANCE) & (cols.abs() < MIN_DISTANCE)] = -1
    row, col = divmod(int(affinity.argmax()), trace.grid[1])
    pair = first, (row, col)
    return pair if torch.randint(2, (1,), generator=drawing(trace.image, label)) else pair[::-1]


@once_a_trace
def affinity(trace: Trace, label: int) -> Finding:
    """In which direction the attention of a pair is larger, in the head with the largest difference, and why.

    log(a_ij / a_ji) = s (S_ij - S_ji) + (log Z_j - log Z_i): the logits differ, and so do the sums of the softmax.
    """
    first, second = linked_pair(trace, label)
    i, j = (row * trace.grid[1] + col for row, col in (first, second))
    probs = trace.cell_probs(-1)
    ratios = (probs[:, i, j] / probs[:, j, i].clamp_min(1e-12)).log()
    head = int(ratios.abs().argmax())
    logits = trace.cell_logits(-1)[head] * trace.attn_scales[-1]
    by_logits = float(logits[i, j] - logits[j, i])
    ratio = float(ratios[head])
    by_softmax = ratio - by_logits
    truth = "equal" if abs(ratio) < math.log(EQUAL) else "there" if ratio > 0 else "back"
    parts = {"logit": by_logits * ratio, "softmax": by_softmax * ratio}  # > 0: in the direction of the result
    reasons = tuple(n for n in sorted(parts, key=lambda n: -parts[n]) if parts[n] >= TIE * max(parts.values()))
    matrix = maps.affinity_matrix(trace)
    facts = {
        "head": str(head + 1), "row": str(first[0] + 1), "col": str(first[1] + 1),
        "other_row": str(second[0] + 1), "other_col": str(second[1] + 1),
        "out": format_percent(float(probs[head, i, j])), "back": format_percent(float(probs[head, j, i])),
        "by_logits": f"{math.exp(abs(by_logits)):.2f}", "by_softmax": f"{math.exp(abs(by_softmax)):.2f}",
        "tie": f"{float(matrix[i, j]):.2f}", "tie_back": f"{float(matrix[j, i]):.2f}",
    }  # fmt: skip
    return Finding((truth,), ("neither",) if truth == "equal" else reasons, facts)


@once_a_trace
def labelled_pairs(trace: Trace, label: int) -> tuple[Cell, tuple[Cell, ...], tuple[str, ...]]:
    """A cell of a class, three others, and what decides each pair: "same", "different", "uncertain" or "far".

    They are drawn by a generator whose seed is the label of the cells, so that the same image has the same pairs, and
    no kind is sure to be among them.
    """
    cells = target_cells(trace)
    generator = drawing(cells, label)

    def draw(where: Tensor) -> Cell:
        found = where.nonzero()
        row, col = found[int(torch.randint(len(found), (1,), generator=generator))].tolist()
        return row, col

    own = cells == label
    first = draw(own) if own.any() else maps.strongest_cell(trace, label)
    kinds = _kinds(cells, first, trace.config.radius)
    known = [name for name, where in kinds.items() if where.any()]
    chosen = [known[int(torch.randint(len(known), (1,), generator=generator))] for _ in range(PAIRS)]
    others = []
    for name in chosen:
        others.append(draw(kinds[name]))
        kinds[name][others[-1]] = kinds[name].sum() == 1  # each cell once, as long as there is another one
    return first, tuple(others), tuple(chosen)


def _kinds(cells: Tensor, first: Cell, radius: int) -> dict[str, Tensor]:
    """(h, w) bool maps of what decides the pair of a cell with every other one; they share no cell."""
    rows, cols = cells.shape
    near = radius_mask(rows, cols, radius=radius)[first[0] * cols + first[1]].reshape(rows, cols)
    own = int(cells[first])
    other = torch.ones_like(near)
    other[first] = False
    unknown = (cells == IGNORE) | (own == IGNORE)
    inside = near & other & ~unknown
    return {
        "same": inside & (cells == own), "different": inside & (cells != own), "uncertain": near & other & unknown,
        "far": ~near,
    }  # fmt: skip


PAIR_LABELS = {"same": "positive", "different": "negative", "uncertain": "ignored", "far": "ignored"}


def pairs(trace: Trace, label: int, answer: list[str]) -> Verdict:
    """Whether three pairs are labelled as the affinity loss labels them; the reason is that of the last pair."""
    first, others, kinds = labelled_pairs(trace, label)
    truth = [PAIR_LABELS[kind] for kind in kinds]
    cells = target_cells(trace)

    def name(cell: Cell) -> str:
        number = int(cells[cell])
        return "" if number == IGNORE else trace.class_names[number]

    facts: dict[str, Any] = {
        "radius": str(trace.config.radius), "first": name(first),
        "right": str(sum(a == b for a, b in zip(answer, truth, strict=True))),
        **{f"cell_{n}": name(cell) for n, cell in enumerate(others, start=1)},
        **{f"away_{n}": str(max(abs(a - b) for a, b in zip(first, cell, strict=True))) for n, cell in
           enumerate(others, start=1)},
    }  # fmt: skip
    return Verdict(list(answer) == truth, " ".join(truth), facts, (kinds[-1],))
