"""Rules for products: powers of one base, exponentials that cancel, a matrix and its inverse."""

from __future__ import annotations

from curate.calculus.canonical import Factors
from curate.calculus.node import Dim, Labels, Node, Number, number

Product = tuple[Number, Factors, Labels]


def simplify_product(coefficient: Number, factors: Factors, out: Labels) -> Product | None:
    """The product after the first rule that applies, or None when none does."""
    if len(factors) < 2:
        return None
    changed = _powers(factors) or _exponentials(factors) or _inverses(factors, out)
    if changed is None:
        return None
    from curate.calculus.algebra import lost_sizes

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
        base, exponent = (node.args[0], node.data) if node.kind == "power" else (node, 1)
        key = (base, labels)
        exponents[key] = number(exponents.get(key, 0) + exponent)
        counts[key] = counts.get(key, 0) + 1
    for (base, labels), exponent in exponents.items():
        pieces = [f for f in factors if f[0].kind == "power" and f[0].args[0] is base]
        if counts[base, labels] > 1 and any(f[1] == labels for f in pieces):
            from curate.calculus.maps import power

            rest = tuple(
                (node, axes)
                for node, axes in factors
                if axes != labels or (node.args[0] if node.kind == "power" else node) is not base
            )
            merged = power(base, exponent)
            return ((*rest, (merged, labels)) if exponent else rest), {}
    return None


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
    from curate.calculus.algebra import add, scale, total
    from curate.calculus.maps import apply

    (a, axes), (b, labels) = one, two
    first, second = a.args[0], b.args[0]
    if b.data == "sigmoid" and axes == labels and second is scale(-1, first):
        return apply("sigmoid", first)
    if b.data != "exp" or a is b or len(set(axes)) < len(axes):
        return None
    spread = total(first.shape, [(1, ((second, labels),), axes)])
    both = add(first, spread)
    shorter = len(both.terms) < len(first.terms) + len(second.terms)
    normalised = any(
        node.kind in ("logsumexp", "map") and node.data != "log" and term.coefficient < 0
        for term in second.terms
        for node, _ in term.factors
        if node.kind == "logsumexp" or node.data == "softplus"
    )
    return apply("exp", both) if shorter or normalised else None


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
