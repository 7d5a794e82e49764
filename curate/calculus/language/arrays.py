"""Parts of vectors and matrices, and vectors and matrices made of parts."""

from __future__ import annotations

from curate.calculus.errors import CalculusError, ShapeError
from curate.calculus.expression import Expression, Operand, as_expression
from curate.calculus.graph import algebra, patterns
from curate.calculus.graph.node import Dim, Node
from curate.calculus.graph.sizes import added, multiplied, shown, solved
from curate.calculus.operators import axis_of, brief, same_sizes


def stack(*operands: Operand) -> Expression:
    """Scalars and vectors end to end as one vector; or matrices on top of each other.

    Raises:
        ShapeError: matrices beside vectors, tensors, or different numbers of columns.
    """
    if not operands:
        raise CalculusError("stack: nothing to stack; give scalars, vectors or matrices")
    parts = [as_expression(operand) for operand in operands]
    where = f"stack({', '.join(map(brief, parts))})"
    matrices = any(part.order == 2 for part in parts)
    if any(part.order > 2 or (matrices and part.order != 2) for part in parts):
        shapes = ", ".join(shown(part.shape) for part in parts)
        raise ShapeError(f"{where}: the shapes {shapes}; stack scalars and vectors, or matrices")
    pairs: list[tuple[Dim, Dim]] = []
    if matrices:
        pairs = [(parts[0].shape[1], part.shape[1]) for part in parts[1:]]
    sized, _ = same_sizes(tuple(parts), pairs, where)
    nodes = [_as_vector(part.node) for part in sized]
    whole = added(*(node.shape[0] for node in nodes))
    start: Dim = 0
    placed = []
    for node in nodes:
        placed.append(patterns.placed(node, start, whole))
        start = added(start, node.shape[0])
    return as_expression(sized[0].with_node(algebra.add(*placed)))


def _as_vector(node: Node) -> Node:
    return node if node.order else algebra.einsum((1,), (0,), (node, ()))


def vec(u: Operand) -> Expression:
    """The columns of a matrix end to end, as one vector."""
    u = as_expression(u)
    return u.with_node(patterns.flattened(algebra.transpose(u.node) if u.order == 2 else u.node))


def reshape(u: Operand, *sizes: Dim) -> Expression:
    """The elements in another shape, the last axis running fastest, as numpy has it.

    Raises:
        ShapeError: another number of elements.
    """
    u = as_expression(u)
    pair = multiplied(*u.shape), multiplied(*sizes)
    # where the sizes do not follow from each other, they are compared when they are known
    pairs = [pair] if solved(*pair) or all(isinstance(dim, int) for dim in pair) else []
    (sized,), _ = same_sizes((u,), pairs, f"reshape({brief(u)})")
    flat = patterns.flattened(sized.node)
    if not sizes:
        return as_expression(sized.with_node(patterns.taken(flat, 0, 0)))
    if not flat.order:
        flat = _as_vector(flat)
    return as_expression(sized.with_node(patterns.unflattened(flat, sizes)))


def kron(a: Operand, b: Operand) -> Expression:
    """The Kronecker product of matrices, or of vectors."""
    apart = kron_tensor(a, b)
    order = apart.order // 2
    node = patterns.flattened(apart.node) if order == 1 else _paired(apart.node)
    return apart.with_node(node)


def _paired(node: Node) -> Node:
    rows, columns = patterns.fuse(*node.shape[:2]), patterns.fuse(*node.shape[2:])
    shape = (rows.shape[0], columns.shape[0])
    return algebra.einsum(
        shape, (4, 5), (rows, (4, 0, 1)), (columns, (5, 2, 3)), (node, (0, 1, 2, 3))
    )


def kron_tensor(a: Operand, b: Operand) -> Expression:
    """The Kronecker product with its axes apart: ``A[i, k] B[j, l]`` at ``[i, j, k, l]``."""
    a, b = as_expression(a), as_expression(b)
    if a.order != b.order or a.order not in (1, 2):
        raise ShapeError(
            f"kron({brief(a)}, {brief(b)}): the shapes {shown(a.shape)} and {shown(b.shape)}; it "
            "is for two matrices, or two vectors"
        )
    (one, two), _ = same_sizes((a, b), [], f"kron({brief(a)}, {brief(b)})")
    order = a.order
    left = tuple(range(0, 2 * order, 2))
    right = tuple(range(1, 2 * order, 2))
    out = tuple(range(2 * order))
    shape = tuple(dim for pair in zip(one.shape, two.shape, strict=True) for dim in pair)
    node = algebra.einsum(shape, out, (one.node, left), (two.node, right))
    return as_expression(one.with_node(node))


def tril(u: Expression, diagonal: int = 0) -> Expression:
    """The lower triangle of a matrix: 0 above this diagonal."""
    u = _matrix(u, "tril")
    mask = patterns.lower(u.shape[0], u.shape[1], diagonal)
    return u.with_node(algebra.multiply(mask, u.node))


def triu(u: Expression, diagonal: int = 0) -> Expression:
    """The upper triangle of a matrix: 0 below this diagonal."""
    u = _matrix(u, "triu")
    mask = patterns.lower(u.shape[1], u.shape[0], -diagonal)
    return u.with_node(algebra.einsum(u.shape, (0, 1), (mask, (1, 0)), (u.node, (0, 1))))


def _matrix(u: Expression, name: str) -> Expression:
    u = as_expression(u)
    if u.order != 2:
        raise ShapeError(
            f"{name}({brief(u)}): needs a matrix, but the operand has the shape {shown(u.shape)}"
        )
    return u


def cumsum(u: Expression, axis: int = 0) -> Expression:
    """Sums of the elements up to each one, along an axis."""
    u = as_expression(u)
    place = axis_of(u, axis, "cumsum")
    dim, axes = u.shape[place], tuple(range(u.order))
    out = (*axes[:place], u.order, *axes[place + 1 :])
    ones = patterns.lower(dim, dim, 0)
    return u.with_node(algebra.einsum(u.shape, out, (ones, (u.order, place)), (u.node, axes)))
