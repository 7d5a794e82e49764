"""Sums of einsum terms: building, inlining, merging, and the rules for products.

The rules: powers of one base, exponentials that cancel, a matrix and its inverse.
"""

from __future__ import annotations

from collections.abc import Iterable

from curate.calculus.graph import products
from curate.calculus.graph.canonical import Factors, canonical
from curate.calculus.graph.complements import complemented
from curate.calculus.graph.node import Dim, Labels, Node, Number, Term, intern, number
from curate.calculus.graph.overflow import hyperbolic

size = products.size
Shape = tuple[Dim, ...]


def total(shape: Shape, terms: Iterable[tuple[Number, Factors, Labels]]) -> Node:
    """The sum of terms in canonical form: inlined, merged, sorted, without zeros."""
    merged: dict[tuple[Factors, Labels], Number] = {}
    for coefficient, factors, out in terms:
        for term in _expand(number(coefficient), tuple(factors), tuple(out)):
            key = (term.factors, term.out)
            merged[key] = number(merged.get(key, 0) + term.coefficient)
    kept = [Term(c, *key) for key, c in merged.items() if c != 0]
    if len(kept) > 1 and (changed := hyperbolic(kept, -1) or complemented(kept)) is not kept:
        return total(shape, changed)
    if len(kept) == 1 and kept[0].coefficient == 1 and len(kept[0].factors) == 1:
        node, labels = kept[0].factors[0]
        if labels == kept[0].out and len(set(labels)) == len(labels):
            return node
    kept.sort(key=lambda term: (term.out, [(n.birth, labels) for n, labels in term.factors]))
    return intern("sum", tuple(shape), data=tuple(kept))


def _expand(coefficient: Number, factors: Factors, out: Labels) -> list[Term]:
    """One raw term as canonical terms, with sums among its factors inlined where that helps."""
    if coefficient == 0:
        return []
    for k, (node, labels) in enumerate(factors):
        if node.kind == "sum" and _inlined(node, len(factors) == 1, len(set(out)) < len(out)):
            rest = factors[:k] + factors[k + 1 :]
            return [
                result
                for term in node.data
                for result in _expand(*splice(coefficient, rest, out, term, node, labels))
            ]
    simplified = products.simplified(coefficient, factors, out, total)
    if simplified is not None:
        return _expand(*simplified)
    split = _split_scalars(factors, out)
    return [canonical(coefficient, split, out)]


def _inlined(node: Node, alone: bool, diagonal: bool) -> bool:
    """Whether a sum dissolves into the product around it.

    One term does (the path is then free), unless it is a scalar that stands for a contraction
    of its own. Several terms do when nothing is multiplied with them, but not below a unit tensor
    (which would then be read several times), or when one of them holds a unit tensor.
    """
    if len(node.data) == 1:
        contraction = node.order == 0 and any(labels for _, labels in node.data[0].factors)
        return alone or not contraction
    if (alone and not diagonal) or not node.data:
        return True
    return any(len(set(term.out)) < len(term.out) for term in node.data)


def splice(
    coefficient: Number, rest: Factors, out: Labels, term: Term, node: Node, labels: Labels
) -> tuple[Number, Factors, Labels]:
    """``coefficient * rest * node`` for one term of the sum ``node``, whose axes are ``labels``."""
    unused = 1 + max([*out, *labels, *(i for _, others in rest for i in others), -1])
    names: dict[int, int] = {}
    for axis, inner in enumerate(term.out):
        outer = labels[axis]
        if inner not in names:
            names[inner] = outer
        elif names[inner] != outer:  # a unit tensor: two labels become one
            kept = names[inner]
            labels = _renamed(labels, outer, kept)
            out = _renamed(out, outer, kept)
            rest = tuple((other, _renamed(axes, outer, kept)) for other, axes in rest)
            names = {i: kept if name == outer else name for i, name in names.items()}
    factors = list(rest)
    for factor, axes in term.factors:
        for label in axes:
            if label not in names:
                names[label], unused = unused, unused + 1
        factors.append((factor, tuple(names[label] for label in axes)))
    return (
        coefficient * term.coefficient,
        (*factors, *products.lost_sizes(zip(labels, node.shape, strict=True), factors, out)),
        out,
    )


def _renamed(labels: Labels, old: int, new: int) -> Labels:
    return tuple(new if label == old else label for label in labels)


def _split_scalars(factors: Factors, out: Labels) -> Factors:
    """Contractions that share no label with the rest become scalar factors of their own."""
    parts: list[tuple[set[int], list[tuple[Node, Labels]]]] = []
    scalars: list[tuple[Node, Labels]] = []
    for factor in factors:
        mine = set(factor[1])
        if not mine:
            scalars.append(factor)
            continue
        joined = [factor]
        apart = []
        for labels, members in parts:
            if labels & mine:
                mine |= labels
                joined = members + joined
            else:
                apart.append((labels, members))
        parts = [*apart, (mine, joined)]
    closed = [members for labels, members in parts if not labels & set(out)]
    if not closed or (len(parts) == 1 and not scalars and not out):
        return factors
    kept = [factor for labels, members in parts if labels & set(out) for factor in members]
    return (*kept, *scalars, *((total((), [(1, tuple(part), ())]), ()) for part in closed))
