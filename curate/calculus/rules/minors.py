"""Derivatives of determinants: polynomials, also where the matrix is singular.

``det(A) inv(A)'`` does not exist there. So the k-th derivative is an atom, whose elements are
those minors of A that lack k rows and columns, and it is computed from the singular values.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from curate.calculus.graph.canonical import is_symmetric
from curate.calculus.graph.node import Labels, Node, Number, intern, walk
from curate.calculus.graph.sums import total
from curate.calculus.rules.spectral import written_out

Raw = tuple[Number, tuple[tuple[Node, Labels], ...], Labels]


def minors(a: Node, order: int) -> Node:
    """The derivative of ``det A`` by A of this order: of the first, the matrix of cofactors.

    Its axes are a row and a column of A per time that it was differentiated.
    """
    return intern("minors", a.shape * order, (a,), order)


def decomposed(root: Node) -> Node:
    """The graph with minors and functions of symmetric matrices written out in their factors.

    Minors in those of ``A = U diag(s) V'`` with det U det V = 1, functions as in rules/spectral.py.

    The k-th derivative of a determinant is ``sum_p sign(p) s_abc U_ia V_jp(a) U_kb V_lp(b) ...``
    over the permutations p of its k places, where ``s_abc`` is the product of the singular values
    other than those at a, b and c, and 0 where two of these are one. Every permutation is a term of
    its own, so that what is multiplied with it never meets a tensor of 2 k axes.
    """
    order = walk(root)
    if not any(_has_factors(node) for node in order):
        return root
    new: dict[Node, Node] = {}
    for node in order:
        if node.kind == "sum":
            raws: Iterable[Raw] = (
                (c, tuple((new[f], labels) for f, labels in factors), out)
                for c, factors, out in node.data
            )
            new[node] = total(node.shape, (part for raw in raws for part in _written_out(*raw)))
        elif node.args:
            operands = tuple(_alone(new[operand]) for operand in node.args)
            new[node] = intern(node.kind, node.shape, operands, node.data)
        else:
            new[node] = node
    return _alone(new[root])


def _has_factors(node: Node) -> bool:
    if node.kind == "spectral":  # of any other matrix only the exponential is known
        return node.data[0] != "exp" or is_symmetric(node.args[0])
    return node.kind == "minors"


def _alone(node: Node) -> Node:
    if not _has_factors(node):
        return node
    return total(node.shape, _written_out(*node.terms[0]))


def _written_out(
    coefficient: Number, factors: tuple[tuple[Node, Labels], ...], out: Labels
) -> list[Raw]:
    """The products that one with minors among its factors is the sum of."""
    unused = itertools.count(1 + max([*out, *(i for _, axes in factors for i in axes), -1]))
    products: list[Raw] = [(coefficient, (), out)]
    for node, labels in factors:
        choices: list[Raw] = [(1, ((node, labels),), ())]
        if _has_factors(node):
            count = node.data if node.kind == "minors" else node.data[1] + 1
            places = tuple(next(unused) for _ in range(count))
            choices = (_permuted if node.kind == "minors" else written_out)(node, labels, places)
        products = [
            (c * sign, (*done, *more), out) for c, done, _ in products for sign, more, _ in choices
        ]
    return products


def _permuted(node: Node, labels: Labels, places: Labels) -> list[Raw]:
    (a,) = node.args
    left, right = (intern("singular", a.shape, (a,), side) for side in ("left", "right"))
    others = intern("singular", a.shape[:1] * node.data, (a,), node.data)
    choices: list[Raw] = []
    for order in itertools.permutations(range(node.data)):
        sign = (-1) ** sum(i > j for i, j in itertools.combinations(order, 2))
        rows = ((left, (labels[2 * m], place)) for m, place in enumerate(places))
        columns = ((right, (labels[2 * m + 1], places[p])) for m, p in enumerate(order))
        choices.append((sign, ((others, places), *rows, *columns), ()))
    return choices
