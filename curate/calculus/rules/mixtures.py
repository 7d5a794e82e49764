"""Logarithms of sums of weighted exponentials, ``log(sum_k w_k exp(u_k))``, at any margin.

The weights are variables, so that the sum is no logsumexp: its logarithm is
``m + log(sum_k w_k exp(u_k - m))`` with the anchor ``m = max_k(u_k + log |w_k|)``, which no result
depends on. So the derivative of an anchor is 0, and no exponential of a weight that is not 0
overflows; where one is 0 its exponential is capped, so that the product is 0.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator

from curate.calculus.graph.algebra import add, zero
from curate.calculus.graph.node import Dim, Labels, Node, Number, Term, intern
from curate.calculus.graph.sums import total
from curate.calculus.rules.elementary import elementary
from curate.calculus.rules.stable import MOST_TERMS, exponent_of, has_exponential, log_of_sum

Factors = tuple[tuple[Node, Labels], ...]


def log_of_mixture(u: Node) -> Node | None:
    """The steady form of ``log u``, or None where u is no sum of weighted exponentials."""
    terms = u.terms
    some = 1 <= len(terms) <= MOST_TERMS and any(has_exponential(term) for term in terms)
    if not some and not _may_vanish(terms):
        return None
    if any(len(set(term.out)) < len(term.out) or _is_anchored(term) for term in terms):
        return None
    parts = [_Part(u.shape, term) for term in terms]
    outside = len(parts) == 1 and parts[0].weights_outside()
    if outside:  # of what is summed, so that they have a logarithm of their own
        weights, exponentials = outside
        steady = log_of_sum(exponentials)
        return None if steady is None else add(elementary("log", weights), steady)
    anchor = elementary("anchor", functools.reduce(_larger, (part.largest() for part in parts)))
    rest = total(u.shape, (part.anchored(anchor) for part in parts))
    return add(anchor, elementary("log", rest))


def _may_vanish(terms: tuple[Term, ...]) -> bool:
    """Whether there are sigmoids with weights, and no constant beside them."""
    steady = [
        [exponent_of(node) is not None for node, _ in term.factors] or [False] for term in terms
    ]
    every = all(term.factors for term in terms) and 1 < len(terms) <= MOST_TERMS
    return every and any(map(any, steady)) and not all(map(all, steady))


def _is_anchored(term: Term) -> bool:
    return any(
        node.kind == "map" and node.data == "exp" and _is_capped(node.args[0])
        for node, _ in term.factors
    )


def _is_capped(u: Node) -> bool:
    return u.kind == "map" and u.data == "capped"


def _larger(one: Node, two: Node) -> Node:
    return one if one is two else intern("map", one.shape, (one, two), "larger")


class _Part:
    """One term: a coefficient, weights, and the terms of one exponent."""

    def __init__(self, shape: tuple[Dim, ...], term: Term) -> None:
        self.shape, self.out = shape, term.out
        self.coefficient: Number = term.coefficient
        self.factors: Factors = term.factors
        self.exponents: Factors = tuple(self._exponents(term))
        self.weights: Factors = tuple(f for f in term.factors if exponent_of(f[0]) is None)
        self.dims = dict(zip(term.out, shape, strict=True))
        for node, labels in term.factors:
            self.dims.update(zip(labels, node.shape, strict=True))
        inside = dict.fromkeys(i for _, labels in self.exponents for i in labels)
        self.summed = tuple(i for i in inside if i not in self.out)

    @staticmethod
    def _exponents(term: Term) -> Iterator[tuple[Node, Labels]]:
        for node, labels in term.factors:
            exponent = exponent_of(node)
            if exponent is not None:
                yield exponent, labels

    def weights_outside(self) -> tuple[Node, Node] | None:
        """The weights and the sum of the rest, where no weight is summed over."""
        if not self.weights or any(not set(axes) <= set(self.out) for _, axes in self.weights):
            return None
        rest = tuple(f for f in self.factors if exponent_of(f[0]) is not None)
        weights = total(self.shape, [(self.coefficient, self.weights, self.out)])
        return weights, total(self.shape, [(1, rest, self.out)])

    def largest(self) -> Node:
        """``max(u + log |w|)`` over what is summed, for every element of the whole."""
        kept = tuple(i for i in self.out if self._reads(i))
        axes = (*kept, *self.summed)
        shape = tuple(self.dims[i] for i in axes)
        terms: list[tuple[Number, Factors, Labels]] = [(1, (e,), axes) for e in self.exponents]
        if self.weights:
            read = {i for _, labels in self.weights for i in labels}
            mine = tuple(i for i in axes if i in read)
            weight = total(tuple(self.dims[i] for i in mine), [(1, self.weights, mine)])
            terms.append((1, ((elementary("log_size", weight), mine),), axes))
        top = total(shape, terms)
        if self.summed:
            top = intern("largest", shape[: len(kept)], (top,), len(self.summed))
        return total(self.shape, [(1, ((top, kept),), self.out)]) if terms else zero(self.shape)

    def _reads(self, label: int) -> bool:
        return any(label in labels for _, labels in (*self.exponents, *self.weights))

    def anchored(self, anchor: Node) -> tuple[Number, Factors, Labels]:
        """The term over ``exp(anchor)``."""
        axes = (*self.out, *self.summed)
        inside = total(
            tuple(self.dims[i] for i in axes),
            [*((1, (e,), axes) for e in self.exponents), (-1, ((anchor, self.out),), axes)],
        )
        exponential = intern("map", inside.shape, (elementary("capped", inside),), "exp")
        return self.coefficient, (*self.weights, (exponential, axes)), self.out
