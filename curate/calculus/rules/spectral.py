"""Functions of matrices through their eigenvalues or singular values, and their derivatives.

The k-th derivative of ``f(S) = U diag(f(d)) U'`` is, with divided differences ``f[d_0, ..., d_k]``,
``sum_p f[i_0..i_k] U_a,i0 (U' E_p1 U)_i0,i1 ... (U' E_pk U)_i(k-1),ik U_b,ik`` over the
permutations p of its k directions (Daleckii and Krein, 1965); it treats the elements of S as
independent.
"""

from __future__ import annotations

import itertools

from curate.calculus.errors import CalculusError
from curate.calculus.graph.node import Labels, Node, Number, intern
from curate.calculus.graph.sums import total

Raw = tuple[Number, tuple[tuple[Node, Labels], ...], Labels]


def spectral(a: Node, name: str, order: int = 0) -> Node:
    """The derivative of this order of ``exp``, ``log`` or ``sqrt`` of a matrix.

    Its axes are those of the matrix, then a row and a column per time that it was differentiated.
    """
    if order > 2 and name != "exp":
        raise CalculusError(f"{name}m: derivatives are known to the second order")
    return intern("spectral", a.shape * (1 + order), (a,), (name, order))


def written_out(node: Node, labels: Labels, places: Labels) -> list[Raw]:
    """The products of eigenvectors and divided differences that it is the sum of."""
    (a,) = node.args
    name, order = node.data
    vectors = intern("eigen", a.shape, (a,), "vectors")
    differences = intern("differences", a.shape[:1] * (order + 1), (a,), (name, order))
    choices: list[Raw] = []
    for directions in itertools.permutations(range(1, order + 1)):
        chain = [labels[0]]
        for k in directions:
            chain += labels[2 * k : 2 * k + 2]
        chain.append(labels[1])
        pairs = ((vectors, (label, places[k // 2])) for k, label in enumerate(chain))
        choices.append((1, ((differences, places), *pairs), ()))
    return choices


def pinverse(a: Node) -> Node:
    """The Moore-Penrose inverse."""
    if a.kind == "pinverse":
        return a.args[0]
    return intern("pinverse", a.shape[::-1], (a,))


def of_pinverse(node: Node, part: Node, variable: Node) -> Node:
    """Its derivative where the rank stays (Golub and Pereyra, 1973), part being that of A.

    ``-P dA P + P P' dA' (1 - A P) + (1 - P A) dA' P' P``.
    """
    (a,), p = node.args, node
    out = (0, 1)
    new = tuple(range(8, 8 + variable.order))
    r, c, k, j = 2, 3, 4, 5
    d = (part, (r, c, *new))
    terms: list[Raw] = [
        (-1, ((p, (0, r)), d, (p, (c, 1))), out + new),
        (1, ((p, (0, k)), (p, (c, k)), (part, (1, c, *new))), out + new),
        (-1, ((p, (0, k)), (p, (c, k)), d, (a, (r, j)), (p, (j, 1))), out + new),
        (1, ((part, (r, 0, *new)), (p, (k, r)), (p, (k, 1))), out + new),
        (-1, ((p, (0, j)), (a, (j, c)), d, (p, (k, r)), (p, (k, 1))), out + new),
    ]
    return total(node.shape + variable.shape, terms)


def polar(a: Node, order: int) -> Node:
    """The derivative of the nuclear norm: ``U V'``; of second order, a tensor."""
    if order > 2:
        raise CalculusError("nuclear: derivatives are known to the second order")
    return intern("polar", a.shape * order, (a,), order)
