"""Un-distribution: ``a b + a c`` becomes ``a (b + c)`` where that takes fewer flops.

Differentiating distributes products over sums. Which of the products to take back together depends
on the sizes, so it is decided when they are known, by the flops of either form.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from curate.calculus.graph.canonical import Factors
from curate.calculus.graph.node import Dim, Labels, Node, Term, intern, walk
from curate.calculus.graph.sizes import size_in
from curate.calculus.graph.sums import total
from curate.calculus.rules.rebuild import remake

_MOST_FACTORS = 10
_MOST_TRIALS = 100
"""Pairs of products that are tried for one program, so that compiling stays a matter of ms."""


class _Trials:
    """Merges by pair of terms, and how many may still be tried."""

    def __init__(self, sizes: Mapping[Dim, int]) -> None:
        self.sizes, self.left = sizes, _MOST_TRIALS
        self.known: dict[tuple, tuple[float, Raw] | None] = {}

    def best(self, node: Node) -> tuple[float, Raw, Term, Term] | None:
        """The merge that saves most flops, with the two terms that it replaces."""
        best: tuple[float, Raw, Term, Term] | None = None
        for one, first in enumerate(node.data):
            for second in node.data[one + 1 :]:
                merge = self._of(node, first, second) if first.out == second.out else None
                if merge and (best is None or merge[0] > best[0]):
                    best = (*merge, first, second)
        return best

    def _of(self, node: Node, first: Term, second: Term) -> tuple[float, Raw] | None:
        key = (node.shape, first, second)
        if key not in self.known:
            merges = []
            small = max(len(first.factors), len(second.factors)) <= _MOST_FACTORS
            for names in _alignments(first, second) if small else ():
                if self.left:
                    self.left -= 1
                    merges.append(_merge(node.shape, first, second, names, self.sizes))
            gains = [merge for merge in merges if merge]
            self.known[key] = max(gains, key=lambda merge: merge[0]) if gains else None
        return self.known[key]


Raw = tuple[float, Factors, Labels]


def factored(root: Node, sizes: Mapping[Dim, int]) -> Node:
    """The graph with sums of products un-distributed where the sizes make that cheaper."""
    new: dict[Node, Node] = {}
    trials = _Trials(sizes)
    for node in walk(root):
        if node.kind == "sum":
            changed = any(new[operand] is not operand for operand in node.operands)
            terms = [
                (c, tuple((new[factor], labels) for factor, labels in factors), out)
                for c, factors, out in node.data
            ]
            rebuilt = total(node.shape, terms) if changed else node
            new[node] = _merged(rebuilt, trials) if rebuilt.kind == "sum" else rebuilt
        elif any(new[operand] is not operand for operand in node.args):
            new[node] = remake(node, tuple(new[operand] for operand in node.args))
        else:
            new[node] = node
    return new[root]


def _merged(node: Node, trials: _Trials) -> Node:
    while len(node.data) >= 2:
        found = trials.best(node)
        if found is None:
            return node
        _, term, first, second = found
        rest = [tuple(other) for other in node.data if other not in (first, second)]
        merged = total(node.shape, [*rest, term])
        if merged.kind != "sum" or len(merged.data) >= len(node.data):
            return node
        node = merged
    return node


def _alignments(first: Term, second: Term) -> list[dict[int, int]]:
    """Names for the second term's labels under which it shares a factor with the first."""
    found: list[dict[int, int]] = []
    for node, labels in first.factors:
        for other, axes in second.factors:
            if other is not node:
                continue
            names = {label: label for label in second.out}
            if all(names.setdefault(axis, i) == i for axis, i in zip(axes, labels, strict=True)):
                taken = list(names.values())
                if len(set(taken)) == len(taken) and names not in found:
                    found.append(names)
    return found


def _merge(
    whole_shape: tuple[Dim, ...],
    first: Term,
    second: Term,
    names: dict[int, int],
    sizes: Mapping[Dim, int],
) -> tuple[float, Raw] | None:
    """The flops that one product of a sum saves, and that product; None where it saves none."""
    free = 1 + max([-1, *(i for _, axes in first.factors for i in axes), *names.values()])
    names = dict(names)
    for _, axes in second.factors:
        for axis in axes:
            if axis not in names:
                names[axis], free = free, free + 1
    other = [(factor, tuple(names[i] for i in axes)) for factor, axes in second.factors]
    common, mine = [], []
    for item in first.factors:
        if item in other:
            other.remove(item)
            common.append(item)
        else:
            mine.append(item)
    if not common:
        return None
    dims = _dims([*first.factors, *other], first.out, whole_shape)
    outside = set(first.out).union(*(axes for _, axes in common))
    kept = tuple(dict.fromkeys(i for _, axes in (*mine, *other) for i in axes if i in outside))
    shape = tuple(dims[i] for i in kept)
    inner = total(
        shape, [(first.coefficient, tuple(mine), kept), (second.coefficient, tuple(other), kept)]
    )
    size = {i: size_in(dim, sizes) or 0 for i, dim in dims.items()}
    whole = math.prod(size[i] for i in dict.fromkeys(first.out))
    before = _flops(first.factors, first.out, size) + whole
    before += _flops([*common, *other], first.out, size)
    after = _flops(mine, kept, size) + _flops(other, kept, size)
    after += math.prod(size[i] for i in kept)
    stand_in = intern("opaque", shape, (inner,))
    after += _flops([*common, (stand_in, kept)], first.out, size)
    if after >= before:
        return None
    return before - after, (1, (*common, (inner, kept)), first.out)


def _dims(
    factors: Sequence[tuple[Node, Labels]], out: Labels, shape: tuple[Dim, ...]
) -> dict[int, Dim]:
    dims: dict[int, Dim] = dict(zip(out, shape, strict=True))
    for node, labels in factors:
        dims.update(zip(labels, node.shape, strict=True))
    return dims


def _flops(factors: Sequence[tuple[Node, Labels]], out: Labels, size: Mapping[int, int]) -> float:
    """Of a product: factors of the same labels first, then the pair that shrinks it most."""
    groups = Counter(frozenset(labels) for _, labels in factors)
    flops = float(sum((n - 1) * math.prod(size[i] for i in group) for group, n in groups.items()))
    parts = list(groups)
    kept_out = frozenset(out)
    while len(parts) > 1:
        readers = Counter(i for part in parts for i in part)
        best: tuple[int, int] | None = None
        for one, left in enumerate(parts):
            for right in parts[one + 1 :]:
                both = left | right
                shared = left & right
                kept = frozenset(i for i in both if i in kept_out or readers[i] > 1 + (i in shared))
                cost = math.prod(size[i] for i in both) * (1 if kept == both else 2)
                growth = (
                    math.prod(size[i] for i in kept)
                    - math.prod(size[i] for i in left)
                    - math.prod(size[i] for i in right)
                )
                if best is None or (growth, cost) < best:
                    best, chosen = (growth, cost), (left, right, kept)
        assert best is not None
        flops += best[1]
        parts = [part for part in parts if part not in chosen[:2]]
        if chosen[2] in parts:
            flops += math.prod(size[i] for i in chosen[2])
        else:
            parts.append(chosen[2])
    if parts and not parts[0] <= kept_out:
        flops += math.prod(size[i] for i in parts[0])
    return flops
