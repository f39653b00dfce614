"""An exported network in two files that share no weight, so that what only one pass needs is computed in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Any


def split_onnx(model: bytes, first: Sequence[str]) -> tuple[bytes, bytes]:
    """Cut a network where the outputs named in `first` are done.

    Args:
        model: an ONNX file.
        first: outputs of the first part, at least one and not all.
    Returns: two ONNX files. The first takes the input of the whole and gives the outputs `first` and what the second
        takes; the second gives the other outputs. What follows from constants alone is in each part that uses it.
    Raises: ValueError: for the name of no output, or where one part would be empty.
    """
    import onnx

    whole = onnx.load_from_string(model)
    graph = whole.graph
    outputs = [output.name for output in graph.output]
    others = [name for name in outputs if name not in first]
    unknown = [name for name in first if name not in outputs]
    if not first or not others or unknown:
        raise ValueError(
            f"got the outputs {', '.join(unknown or first) or 'none'}; expected some and not all of "
            f"{', '.join(outputs)}: name those that every pass needs."
        )
    made_by = {name: number for number, node in enumerate(graph.node) for name in node.output}
    constant = _constant_nodes(graph, made_by)
    needed = _nodes_behind(graph, made_by, first)
    rest = _nodes_behind(graph, made_by, others, needed - constant)
    own = {name for number in rest for name in graph.node[number].output}
    taken = sorted({name for number in rest for name in graph.node[number].input if name in made_by} - own)
    given = [name for name in taken if name not in first]
    types = onnx.shape_inference.infer_shapes(whole).graph
    known = {value.name: value for value in (*graph.output, *types.value_info)}
    fed = [value for value in graph.input if any(value.name in graph.node[number].input for number in rest)]
    parts = (
        (needed, list(graph.input), [*(known[name] for name in first), *(known[name] for name in given)]),
        (rest, [*fed, *(known[name] for name in taken)], [known[name] for name in others]),
    )
    return tuple(_part(whole, *part) for part in parts)  # type: ignore[return-value]


def _nodes_behind(
    graph: Any, made_by: dict[str, int], names: Sequence[str], done: AbstractSet[int] = frozenset()
) -> set[int]:
    """Numbers of the nodes that these values follow from, without those that are `done`."""
    found: set[int] = set()
    waiting = [made_by[name] for name in names if name in made_by]
    while waiting:
        number = waiting.pop()
        if number not in found and number not in done:
            found.add(number)
            waiting += [made_by[name] for name in graph.node[number].input if name in made_by]
    return found


def _constant_nodes(graph: Any, made_by: dict[str, int]) -> set[int]:
    """Numbers of the nodes that follow from constants alone; nodes are listed after those that they need."""
    inputs = {value.name for value in graph.input}
    found: set[int] = set()
    for number, node in enumerate(graph.node):
        if all(name not in inputs and (name not in made_by or made_by[name] in found) for name in node.input if name):
            found.add(number)
    return found


def _part(whole: Any, nodes: set[int], inputs: list[Any], outputs: list[Any]) -> bytes:
    """Some nodes of a network with the constants that they read."""
    import onnx

    listed = [node for number, node in enumerate(whole.graph.node) if number in nodes]
    read = {name for node in listed for name in node.input} | {value.name for value in outputs}
    constants = [constant for constant in whole.graph.initializer if constant.name in read]
    part = onnx.ModelProto()
    part.CopyFrom(whole)
    part.graph.CopyFrom(onnx.helper.make_graph(listed, whole.graph.name, inputs, outputs, constants))
    return part.SerializeToString()
