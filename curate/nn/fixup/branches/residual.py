"""Finding a + f(a) in a data-flow graph, in time linear in the size of the branches."""

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from curate.nn.fixup.branches.branch import Branch, common_name
from curate.nn.fixup.branches.graph import Node, readers_of
from curate.nn.fixup.errors import FixupError

_VIEWS = ("pass", "other", "slice")


@dataclass
class Residuals:
    """Branches of a graph, the sum at which each ends, the layers of gates and their products.

    ``bare_scales`` names parameters that multiply branches without layers, among other things.
    """

    branches: list[Branch] = field(default_factory=list)
    branch_of_sum: dict[int, int] = field(default_factory=dict)
    gates: list[str] = field(default_factory=list)
    gate_products: list[int] = field(default_factory=list)
    bare_scales: set[str] = field(default_factory=set)


def find_residuals(nodes: Sequence[Node], weight_layers: dict[str, int]) -> Residuals:
    """Every branch of a graph, inner ones before those around them.

    A sum of two ways from the same tensor is residual: the way with more layers is the branch,
    the other the shortcut. A product of a tensor and something made of it is a gate (squeeze and
    excitation), whose layers belong to no branch. Two ways that are added to each other and then
    to the tensor itself are branches side by side (GPT-NeoX). What is added to the scores of an
    attention is a mask or a bias, and no residual.

    Args:
        nodes: the graph, in topological order.
        weight_layers: for every layer's name what it adds to m.

    Raises:
        FixupError: two paths with equally many layers: which one is the branch is ambiguous.
    """
    result = Residuals()
    assigned: set[str | None] = set()
    unclear: list[tuple[int, list[list[int]]]] = []
    readers = readers_of(nodes)
    for index, node in enumerate(nodes):
        if node.kind not in ("add", "mul"):
            continue
        a, b = node.inputs
        if node.kind == "add" and _scores(nodes, readers, index):
            continue
        fork = _fork(nodes, a, b)
        if fork is None:
            continue
        start, sides = fork
        ways = [_layers(nodes, side, assigned) for side in sides]
        if node.kind == "mul":
            if start in (a, b):
                gate = ways[0] or ways[1]
                result.gate_products.append(index)
                result.gates += [str(nodes[i].name) for i in gate]
                assigned.update(nodes[i].name for i in gate)
            continue
        for side in sides:
            if not _layers(nodes, side, ()):
                result.bare_scales |= {nodes[i].name or "" for i in side if nodes[i].kind == "pass"}
        if not any(ways) or _apart(nodes, start, sides):
            continue
        lengths = [
            _longest(nodes, way, side, weight_layers) for way, side in zip(ways, sides, strict=True)
        ]
        outer = _sum_with(nodes, readers, index, start) if all(ways) else None
        if outer is not None:
            for way, side, length, total in zip(ways, sides, lengths, (index, outer), strict=True):
                _add_branch(result, nodes, readers, index, total, [way, []], 0, side, length)
            assigned.update(nodes[i].name for way in ways for i in way)
            continue
        totals = [_longest(nodes, _layers(nodes, s, ()), s, weight_layers) for s in sides]
        if lengths[0] == lengths[1] and totals[0] == totals[1]:
            unclear.append((index, ways))
            continue
        main = 0 if (lengths[0], totals[0]) > (lengths[1], totals[1]) else 1
        _add_branch(result, nodes, readers, index, index, ways, main, sides[main], lengths[main])
        if any(nodes[i].kind == "other" and nodes[i].function for i in sides[1 - main]):
            result.branches[-1] = replace(result.branches[-1], averages=True)
        assigned.update(nodes[i].name for way in ways for i in way)
    for _, ways in unclear:
        names = [[str(nodes[i].name) for i in way if nodes[i].name not in assigned] for way in ways]
        if all(names):
            raise FixupError(
                f"model: of {names[0]} and {names[1]}, whose outputs are added, neither is longer; "
                "say which modules are branches with branches=[...]"
            )
    return result


def _add_branch(
    result: Residuals,
    nodes: Sequence[Node],
    readers: list[list[int]],
    index: int,
    total: int,
    ways: list[list[int]],
    main: int,
    side: set[int],
    length: int,
) -> None:
    """Add the branch whose way ends at the sum ``index``, and that is added to x at ``total``."""
    way = ways[main]
    layers = tuple(dict.fromkeys(str(nodes[i].name) for i in way))
    last = tuple(dict.fromkeys(str(nodes[i].name) for i in _ends(nodes, index, way, side)))
    shortcut = tuple(dict.fromkeys(str(nodes[i].name) for i in ways[1 - main]))
    result.branch_of_sum[total] = len(result.branches)
    attends = len(layers) >= 2 and any(nodes[i].kind == "attention" for i in side)
    branch = Branch(common_name(layers), layers, last, length, shortcut)
    if attends:  # queries, keys, values and output, whatever library wrote them
        branch = replace(branch, num_layers=max(4, length), standard="xavier")
    elif any(readers[r] and r != index and r not in side for i in side for r in readers[i]):
        branch = replace(branch, makes_channels=True)
    result.branches.append(branch)


def _fork(nodes: Sequence[Node], a: int, b: int) -> tuple[int, list[set[int]]] | None:
    """The nearest common ancestor of two nodes, and what lies between it and each of them."""
    if a == b:
        return None
    label = {a: 1, b: 2}
    heap = [-a, -b]
    heapq.heapify(heap)
    while heap:
        index = -heapq.heappop(heap)
        mark = label[index]
        if mark == 3:
            del label[index]
            sides = [{i for i, m in label.items() if m == side and i > index} for side in (1, 2)]
            return index, sides
        for source in nodes[index].inputs:
            if source not in label:
                heapq.heappush(heap, -source)
            label[source] = label.get(source, 0) | mark
    return None


def _scores(nodes: Sequence[Node], readers: list[list[int]], index: int) -> bool:
    """Whether a sum is read by nothing but a softmax between two products."""
    while len(readers[index]) == 1:
        index = readers[index][0]
        if nodes[index].kind == "attention":
            return bool(readers[index])
        if nodes[index].kind not in _VIEWS:
            return False
    return False


def _sum_with(
    nodes: Sequence[Node], readers: list[list[int]], index: int, start: int
) -> int | None:
    """The sum of a sum and the tensor that its ways began at, before a normalisation or after."""
    start = _origin(nodes, start)
    while len(readers[index]) == 1:
        index = readers[index][0]
        if nodes[index].kind == "add":
            return index if start in map(partial(_origin, nodes), nodes[index].inputs) else None
        if nodes[index].kind not in _VIEWS:
            return None
    return None


def _origin(nodes: Sequence[Node], index: int) -> int:
    while nodes[index].kind in ("pass", "norm", "bias") and nodes[index].inputs:
        index = nodes[index].inputs[0]
    return index


def _apart(nodes: Sequence[Node], start: int, sides: list[set[int]]) -> bool:
    """Whether both ways begin at different parts of a tensor (Res2Net), so that no x is added."""
    firsts = [[i for i in side if start in nodes[i].inputs] for side in sides]
    return all(firsts) and all(nodes[i].kind == "slice" for way in firsts for i in way)


def _layers(nodes: Sequence[Node], side: set[int], assigned: Iterable[str | None]) -> list[int]:
    return [i for i in sorted(side) if nodes[i].kind == "layer" and nodes[i].name not in assigned]


def _longest(
    nodes: Sequence[Node], way: list[int], side: set[int], weight_layers: dict[str, int]
) -> int:
    """m: the most layers on one path through a way."""
    chosen = set(way)
    depth: dict[int, int] = {}
    for i in sorted(side):
        above = max((depth.get(j, 0) for j in nodes[i].inputs), default=0)
        depth[i] = above + (weight_layers[str(nodes[i].name)] if i in chosen else 0)
    return max(depth.values(), default=0)


def _ends(nodes: Sequence[Node], end: int, way: list[int], side: set[int]) -> list[int]:
    """The layers of a way that make its result 0 if they are 0.

    Those from which the sum is reached past no other layer, which may be several where outputs are
    concatenated; but not one that reads nothing but others of them (a ghost module's second half).
    """
    direct = _reached(nodes, nodes[end].inputs, way, side)[0]
    return [i for i in sorted(direct) if _reached(nodes, nodes[i].inputs, sorted(direct), side)[1]]


def _reached(
    nodes: Sequence[Node], ends: Iterable[int], stops: list[int], side: set[int]
) -> tuple[set[int], bool]:
    """Going back from ``ends``: the stops that are met, and whether the side is left past them."""
    met: set[int] = set()
    seen: set[int] = set()
    stack, left, halt = list(ends), False, set(stops)
    while stack:
        i = stack.pop()
        if i in seen:
            continue
        seen.add(i)
        if i in halt:
            met.add(i)
        elif i in side:
            stack.extend(nodes[i].inputs)
        else:
            left = True
    return met, left
