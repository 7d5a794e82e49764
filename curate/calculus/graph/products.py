"""The rules for products and sums of maps, that `total` applies.

Powers of one base, exponentials that cancel, a matrix and its inverse; complements such as
``1 - sigmoid(u)``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction

from curate.calculus.graph.canonical import Factors
from curate.calculus.graph.kinks import kinks
from curate.calculus.graph.node import Dim, Labels, Node, Number, Term, intern, number, scaled
from curate.calculus.graph.overflow import steady_quotient
from curate.calculus.graph.signs import nonnegative
from curate.calculus.graph.sizes import polynomial

Product = tuple[Number, Factors, Labels]
Total = Callable[[tuple[Dim, ...], Iterable[Product]], Node]


def simplified(coefficient: Number, factors: Factors, out: Labels, total: Total) -> Product | None:
    """The product after the first rule that applies, or None when none does."""
    if len(factors) < 2:
        return None
    if (steady := steady_quotient(factors)) is not None:
        return coefficient * steady[0], steady[1], out
    if (found := kinks(factors)) is not None:
        if found == ():
            return 0, (), out
        changed: Change | None = (found, {})
    else:
        changed = _powers(factors) or _exponentials(factors, total) or _inverses(factors, out)
        changed = changed or _logarithms(factors)
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
    return coefficient, (*kept, *lost_sizes(before, kept, out)), out


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
        if isinstance(exponent, int) and not nonnegative(base):
            # sqrt(x)*sqrt(x) is NaN below 0, and x is not
            rough = any(f[0].kind == "power" and not isinstance(f[0].data, int) for f in pieces)
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


def _logarithms(factors: Factors) -> Change | None:
    """``u log(u v)`` is 0 where u is 0, as its limit is, not 0 times infinity."""
    for k, (node, labels) in enumerate(factors):
        if node.kind != "map" or node.data != "log":
            continue
        inside = _elementwise_bases(node.args[0])
        for j, (other, axes) in enumerate(factors):
            base, exponent = _base_and_exponent(other)
            if axes == labels and exponent > 0 and base in inside:
                merged = intern("map", node.shape, (other, node.args[0]), "xlogy")
                rest = tuple(f for i, f in enumerate(factors) if i not in (k, j))
                return (*rest, (merged, labels)), {}
    return None


def _elementwise_bases(u: Node) -> set[Node]:
    """The bases of a product of elementwise powers of one shape: what makes it 0 where they are."""
    if len(u.terms) != 1:
        return {u}
    ((_, factors, out),) = u.terms
    if len(set(out)) < len(out):
        return set()
    return {_base_and_exponent(node)[0] for node, labels in factors if labels == out}


def _exponentials(factors: Factors, total: Total) -> Change | None:
    """Exponentials that cancel: ``exp(a) exp(b)`` with a shorter ``a + b``, softmax, sigmoid."""
    found = [k for k, (node, _) in enumerate(factors) if node.kind == "map"]
    for k in found:
        for j in found:
            if k != j and factors[k][0].data == "exp" and set(factors[j][1]) <= set(factors[k][1]):
                merged = _merged_exponentials(factors[k], factors[j], total)
                if merged is not None:
                    rest = tuple(f for i, f in enumerate(factors) if i not in (k, j))
                    return (*rest, (merged, factors[k][1])), {}
    return None


def _merged_exponentials(
    one: tuple[Node, Labels], two: tuple[Node, Labels], total: Total
) -> Node | None:
    (a, axes), (b, labels) = one, two
    first, second = a.args[0], b.args[0]
    if b.data == "sigmoid" and axes == labels and second is scaled(-1, first):
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
    # exp(u) exp(-exp(u)) is infinity times 0 where u is large
    nested = any(node is a or _is_capped_of(node, a) for t in second.terms for node, _ in t.factors)
    return exponential(both) if shorter or normalised or nested else None


def _is_capped_of(node: Node, a: Node) -> bool:
    capped = node.kind == "map" and node.data == "capped"
    return capped and any(f is a for term in node.args[0].terms for f, _ in term.factors)


def exponential(u: Node) -> Node:
    """``exp(u)``: 1 where u is 0, a sigmoid where u is a negated softplus, else a map."""
    if not u.terms:
        return intern("sum", u.shape, data=(Term(1, (), tuple(range(u.order))),))
    if len(u.terms) == 1:
        ((coefficient, factors, out),) = u.terms
        if (
            coefficient == -1
            and len(factors) == 1
            and factors[0][1] == out == tuple(range(u.order))
        ):
            ((inner, _),) = factors
            if inner.kind == "map" and inner.data == "softplus":
                return intern("map", u.shape, (scaled(-1, inner.args[0]),), "sigmoid")
    return intern("map", u.shape, (u,), "exp")


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


def size(dim: Dim) -> Node:
    """The size of an axis as a scalar."""
    terms = []
    for symbols, count in polynomial(dim):
        factors = [intern("size", (), data=symbol) for symbol in symbols]
        if count == len(factors) == len(polynomial(dim)):
            return factors[0]
        factors.sort(key=lambda node: node.birth)
        terms.append(Term(count, tuple((node, ()) for node in factors), ()))
    terms.sort(key=lambda term: [node.birth for node, _ in term.factors])
    return intern("sum", (), data=tuple(terms))


def lost_sizes(
    labels: Iterable[tuple[int, Dim]], factors: Sequence[tuple[Node, Labels]], out: Labels
) -> Factors:
    """A sum over a label that nothing reads any more is a factor: the size of its axis."""
    read = set(out).union(*(axes for _, axes in factors))
    lost = {label: dim for label, dim in labels if label not in read}
    return tuple((size(dim), ()) for dim in lost.values())
