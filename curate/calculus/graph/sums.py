"""Sums of einsum terms: building, inlining, merging, and the rules for products.

The rules: powers of one base, exponentials that cancel, a matrix and its inverse.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

from curate.calculus.graph.canonical import Factors, canonical
from curate.calculus.graph.node import Dim, Labels, Node, Number, Term, intern, number

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
    simplified = _simplified(coefficient, factors, out)
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
        (*factors, *_lost_sizes(zip(labels, node.shape, strict=True), factors, out)),
        out,
    )


def _lost_sizes(
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
    return total((), [(dim, (), ())]) if isinstance(dim, int) else intern("size", (), data=dim)


Product = tuple[Number, Factors, Labels]


def _simplified(coefficient: Number, factors: Factors, out: Labels) -> Product | None:
    """The product after the first rule that applies, or None when none does."""
    if len(factors) < 2:
        return None
    changed = _powers(factors) or _exponentials(factors) or _inverses(factors, out)
    if changed is None:
        return None
    kept, renamed = changed
    out = tuple(renamed.get(label, label) for label in out)
    kept = tuple((node, tuple(renamed.get(i, i) for i in labels)) for node, labels in kept)
    before: list[tuple[int, Dim]] = [
        (renamed.get(label, label), dim)
        for node, labels in factors
        for label, dim in zip(labels, node.shape, strict=True)
    ]
    return coefficient, (*kept, *_lost_sizes(before, kept, out)), out


Change = tuple[Factors, dict[int, int]]


def _powers(factors: Factors) -> Change | None:
    """``u^p * u^q = u^(p+q)`` where labels agree; plain repeats are left as they are."""
    exponents: dict[tuple[Node, Labels], Number] = {}
    counts: dict[tuple[Node, Labels], int] = {}
    for node, labels in factors:
        base, exponent = _base_and_exponent(node)
        key = (base, labels)
        exponents[key] = number(exponents.get(key, 0) + exponent)
        counts[key] = counts.get(key, 0) + 1
    for (base, labels), exponent in exponents.items():
        pieces = [f for f in factors if _base_and_exponent(f[0])[0] is base is not f[0]]
        rough = not isinstance(exponent, int) and any(f[0].kind == "map" for f in pieces)
        if counts[base, labels] > 1 and any(f[1] == labels for f in pieces) and not rough:
            rest = tuple(
                (node, axes)
                for node, axes in factors
                if axes != labels or _base_and_exponent(node)[0] is not base
            )
            return (*rest, *((node, labels) for node in _raised(base, exponent))), {}
    return None


def _base_and_exponent(node: Node) -> tuple[Node, Number]:
    if node.kind == "power":
        return node.args[0], node.data
    if node.kind == "map" and node.data == "root":
        return node.args[0], Fraction(1, 2)
    return node, 1


def _raised(base: Node, exponent: Number) -> list[Node]:
    """The factors that make ``base ** exponent``."""
    if isinstance(exponent, int) and 0 <= exponent <= 4:
        return [base] * exponent
    return [intern("power", base.shape, (base,), exponent)]


def _exponentials(factors: Factors) -> Change | None:
    """Exponentials that cancel: ``exp(a) exp(b)`` with a shorter ``a + b``, softmax, sigmoid."""
    found = [k for k, (node, _) in enumerate(factors) if node.kind == "map"]
    for k in found:
        for j in found:
            if k != j and factors[k][0].data == "exp" and set(factors[j][1]) <= set(factors[k][1]):
                merged = _merged_exponentials(factors[k], factors[j])
                if merged is not None:
                    rest = tuple(f for i, f in enumerate(factors) if i not in (k, j))
                    return (*rest, (merged, factors[k][1])), {}
    return None


def _merged_exponentials(one: tuple[Node, Labels], two: tuple[Node, Labels]) -> Node | None:
    (a, axes), (b, labels) = one, two
    first, second = a.args[0], b.args[0]
    if b.data == "sigmoid" and axes == labels and second is _scaled(-1, first):
        return intern("map", first.shape, (first,), "sigmoid")
    if b.data != "exp" or a is b or len(set(axes)) < len(axes):
        return None
    spread = total(first.shape, [(1, ((second, labels),), axes)])
    both = total(first.shape, (*first.terms, *spread.terms))
    shorter = len(both.terms) < len(first.terms) + len(second.terms)
    normalised = any(
        node.kind in ("logsumexp", "map") and node.data != "log" and term.coefficient < 0
        for term in second.terms
        for node, _ in term.factors
        if node.kind == "logsumexp" or node.data == "softplus"
    )
    return exponential(both) if shorter or normalised else None


def exponential(u: Node) -> Node:
    """``exp(u)``: 1 where u is 0, a sigmoid where u is a negated softplus, else a map."""
    if not u.terms:
        return total(u.shape, [(1, (), tuple(range(u.order)))])
    if len(u.terms) == 1:
        ((coefficient, factors, out),) = u.terms
        if (
            coefficient == -1
            and len(factors) == 1
            and factors[0][1] == out == tuple(range(u.order))
        ):
            ((inner, _),) = factors
            if inner.kind == "map" and inner.data == "softplus":
                return intern("map", u.shape, (_scaled(-1, inner.args[0]),), "sigmoid")
    return intern("map", u.shape, (u,), "exp")


def _scaled(coefficient: Number, node: Node) -> Node:
    return total(node.shape, ((coefficient * c, f, out) for c, f, out in node.terms))


def _inverses(factors: Factors, out: Labels) -> Change | None:
    """``inv(A)_ij A_jk`` is a unit tensor when nothing else reads j."""
    for k, (node, labels) in enumerate(factors):
        if node.kind != "inverse" or labels[0] == labels[1]:
            continue
        for j, (other, axes) in enumerate(factors):
            if other is not node.args[0] or axes[0] == axes[1]:
                continue
            for shared, left, right in ((labels[1], labels[0], 1), (labels[0], labels[1], 0)):
                if axes[1 - right] != shared or shared in out:
                    continue
                if sum(axes.count(shared) for _, axes in factors) != 2:
                    continue
                rest = tuple(f for i, f in enumerate(factors) if i not in (k, j))
                return rest, {axes[right]: left, shared: left}
    return None
