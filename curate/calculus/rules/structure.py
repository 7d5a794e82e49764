"""Use declared structure (symmetric, positive definite, diagonal) after differentiation.

Derivatives treat the elements of a declared matrix as independent, as JAX does; only then may
``A' = A`` be used. So structure is applied here, after the last derivative.
"""

from __future__ import annotations

from curate.calculus.graph.algebra import einsum
from curate.calculus.graph.node import Node, Term, intern
from curate.calculus.graph.signs import positive
from curate.calculus.rules.germs.cancelling import without_poles
from curate.calculus.rules.rebuild import rebuild


def apply_structure(root: Node) -> Node:
    """The graph, simplified by the declared structure of its variables."""
    return without_poles(rebuild(root, _leaf, {}))


def with_symmetry(root: Node) -> Node:
    """The graph with ``S' = S`` for matrices that are declared symmetric: what is shown."""
    return rebuild(root, lambda v: v if v.data[1] == "diagonal" else _leaf(v), {})


def _leaf(variable: Node) -> Node:
    name, structure = variable.data
    if structure in ("symmetric", "definite"):
        return intern("variable", variable.shape, data=(name, structure + "!"))
    if structure == "diagonal":
        vector = intern("variable", variable.shape[:1], data=(name, "diagonal!"))
        return einsum(variable.shape, (0, 0), (vector, (0,)))
    return variable


def positive_definite(node: Node) -> bool:
    """Whether a matrix is known to be positive definite: Cholesky serves then."""
    if node.kind == "variable":
        return node.data[1] == "definite!"
    if node.kind == "inverse":
        return positive_definite(node.args[0])
    if node.kind != "sum":
        return False
    signs = [_definiteness(term) for term in node.data]
    return all(sign > 0 for sign in signs) and any(sign > 1 for sign in signs)


def _definiteness(term: Term) -> int:
    """2 where a term is positive definite, 1 where semidefinite, 0 where unknown."""
    coefficient, factors, out = term
    if coefficient <= 0:
        return 0
    if len(set(out)) == 1:
        plus = all(positive(node) and set(axes) <= set(out) for node, axes in factors)
        return 2 if plus else 0
    matrices = [factor for factor in factors if factor[1]]
    if not all(positive(node) for node, axes in factors if not axes):
        return 0
    if len(matrices) == 1 and positive_definite(matrices[0][0]):
        return 2
    if len(matrices) == 2:  # a Gram matrix
        (one, left), (two, right) = matrices
        shared = set(left) & set(right)
        swapped = tuple(out[1] if i == out[0] else i for i in left)
        return int(one is two and not shared & set(out) and swapped == right)
    return 0
