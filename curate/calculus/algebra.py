"""Sums of einsum terms: building, inlining, merging."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from curate.calculus.canonical import Factors, canonical
from curate.calculus.node import Dim, Labels, Node, Number, Term, intern, number
from curate.calculus.product import simplify_product

Shape = tuple[Dim, ...]


def total(shape: Shape, terms: Iterable[tuple[Number, Factors, Labels]]) -> Node:
    """The sum of terms in canonical form: inlined, merged, sorted, without zeros."""
    merged: dict[tuple[Factors, Labels], Number] = {}
    for coefficient, factors, out in terms:
        for term in _expand(number(coefficient), tuple(factors), tuple(out)):
            key = (term.factors, term.out)
            merged[key] = number(merged.get(key, 0) + term.coefficient)
    kept = [Term(c, *key) for key, c in merged.items() if c != 0]
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
                for result in _expand(*_splice(coefficient, rest, out, term, node, labels))
            ]
    simplified = simplify_product(coefficient, factors, out)
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


def _splice(
    coefficient: Number, rest: Factors, out: Labels, term: Term, node: Node, labels: Labels
) -> tuple[Number, Factors, Labels]:
    fresh = 1 + max([*out, *labels, *(i for _, others in rest for i in others), -1])
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
                names[label], fresh = fresh, fresh + 1
        factors.append((factor, tuple(names[label] for label in axes)))
    return (
        coefficient * term.coefficient,
        (*factors, *lost_sizes(zip(labels, node.shape, strict=True), factors, out)),
        out,
    )


def lost_sizes(
    labels: Iterable[tuple[int, Dim]], factors: Sequence[tuple[Node, Labels]], out: Labels
) -> Factors:
    """A sum over a label that nothing reads any more is a factor: the size of its axis."""
    read = set(out).union(*(axes for _, axes in factors))
    lost = {label: dim for label, dim in labels if label not in read}
    return tuple((size(dim), ()) for dim in lost.values())


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


def size(dim: Dim) -> Node:
    """The size of an axis as a scalar."""
    return constant(dim) if isinstance(dim, int) else intern("size", (), data=dim)


def constant(value: Number, shape: Shape = ()) -> Node:
    """A tensor with this value everywhere."""
    return total(shape, [(number(value), (), tuple(range(len(shape))))])


def unit(dim: Dim) -> Node:
    """The unit matrix."""
    return total((dim, dim), [(1, (), (0, 0))])


def zero(shape: Shape) -> Node:
    """The tensor of zeros."""
    return total(shape, ())


def add(*nodes: Node) -> Node:
    """The sum of tensors of one shape."""
    return total(nodes[0].shape, (term for node in nodes for term in node.terms))


def scale(coefficient: Number, node: Node) -> Node:
    """A number times a tensor."""
    return total(node.shape, ((coefficient * c, f, out) for c, f, out in node.terms))


def einsum(shape: Shape, out: Labels, *factors: tuple[Node, Labels]) -> Node:
    """One contraction."""
    return total(shape, [(1, factors, out)])


def multiply(*nodes: Node) -> Node:
    """The elementwise product; scalars count for every element."""
    shape = max((node.shape for node in nodes), key=len)
    axes = tuple(range(len(shape)))
    return einsum(shape, axes, *((node, axes if node.order else ()) for node in nodes))


def broadcast(node: Node, shape: Shape) -> Node:
    """A tensor repeated along new leading axes."""
    axes = tuple(range(len(shape)))
    return einsum(shape, axes, (node, axes[len(shape) - node.order :]))


def transpose(node: Node) -> Node:
    """A tensor with its axes reversed."""
    axes = tuple(range(node.order))
    return einsum(node.shape[::-1], axes[::-1], (node, axes))


def constant_value(node: Node) -> Number | None:
    """The value of a tensor that is the same number everywhere, else None."""
    if node.kind == "sum":
        if not node.data:
            return 0
        if len(node.data) == 1 and not node.data[0].factors:
            out = node.data[0].out
            return node.data[0].coefficient if len(set(out)) == len(out) else None
    return None
