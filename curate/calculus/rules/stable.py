"""Logarithms of sums of exponentials, without overflow: softplus and logsumexp.

``log(1 + exp u)`` is ``softplus(u)``, ``log(exp a + exp b)`` is ``a + softplus(b - a)`` and
``log(sum_i exp u_i)`` is ``logsumexp(u)``; powers of such sums follow as ``exp(p log(...))``.
"""

from __future__ import annotations

import math

from curate.calculus.graph.algebra import add, constant, constant_value, scale
from curate.calculus.graph.node import Node, Term, intern
from curate.calculus.graph.sums import total
from curate.calculus.rules.elementary import elementary

MOST_TERMS = 6


def log_of_sum(u: Node) -> Node | None:
    """The steady form of ``log u``, or None where u is not a sum of positive exponentials."""
    terms = u.terms
    if not 1 <= len(terms) <= MOST_TERMS or not any(has_exponential(term) for term in terms):
        return None
    exponents = []
    for term in terms:
        exponent = _exponent(u, term)
        if exponent is None:
            return None
        exponents.append(exponent)
    # the constant first, so that log(1 + exp u) is softplus(u) and nothing else
    exponents.sort(key=lambda node: constant_value(node) is None)
    result = exponents[0]
    for other in exponents[1:]:
        result = add(result, elementary("softplus", add(other, scale(-1, result))))
    return result


def has_exponential(term: Term) -> bool:
    """Whether a term has an exponential among its factors."""
    return any(node.kind == "map" and node.data == "exp" for node, _ in term.factors)


def exponent_of(node: Node) -> Node | None:
    """The logarithm of a factor whose logarithm is steady: exponentials, and sigmoids."""
    if node.kind == "map" and node.data == "exp":
        return node.args[0]
    if node.kind == "map" and node.data == "sigmoid":
        return scale(-1, elementary("softplus", scale(-1, node.args[0])))
    return None


def _exponent(u: Node, term: Term) -> Node | None:
    """``e`` with ``exp(e)`` equal to this term, or None."""
    coefficient, factors, out = term
    if coefficient <= 0 or len(set(out)) < len(out):
        return None
    parts = []
    for node, labels in factors:
        inside = elementary("log", node) if node.kind == "size" else exponent_of(node)
        if inside is None:
            return None
        parts.append((inside, labels))
    dims = {i: dim for node, labels in factors for i, dim in zip(labels, node.shape, strict=True)}
    kept = tuple(i for i in out if i in dims)
    summed = tuple(i for i in dims if i not in out)
    axes = kept + summed
    shape = tuple(dims[i] for i in axes)
    exponent = total(shape, [(1, (part,), axes) for part in parts])
    if summed:
        exponent = logsumexp(exponent, len(summed))
    exponent = total(u.shape, [(1, ((exponent, kept),), out)])
    return add(exponent, constant(0 if coefficient == 1 else math.log(coefficient), u.shape))


def logsumexp(u: Node, axes: int) -> Node:
    """``log(sum(exp(u)))`` over the last ``axes`` axes."""
    return intern("logsumexp", u.shape[: u.order - axes], (u,), axes)
