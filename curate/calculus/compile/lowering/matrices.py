"""Operations on whole matrices: factorisations, and what follows from them."""

from __future__ import annotations

import math

from curate.calculus.compile.program import Program, Value
from curate.calculus.compile.solving import lu_of
from curate.calculus.graph.node import Node
from curate.calculus.rules.structure import positive_definite

_DECOMPOSED = ("singular", "eigen", "differences", "spectral", "nuclear", "polar", "pinverse")


def of_matrix(
    program: Program, node: Node, matrix: Value, shape: tuple[int, ...], shared: bool
) -> Value:
    """Emit an inverse, a determinant, or what follows from eigenvalues or singular values.

    Args:
        shared: whether more than one operation needs the LU factors.
    """
    emit = program.emit
    cube = matrix.shape[0] ** 3
    if node.kind in _DECOMPOSED:
        return _decomposed(program, node, matrix, shape)
    if node.kind != "determinant" and positive_definite(node.args[0]):
        factor = emit("cholesky", (matrix,), matrix.shape, cube // 3)
        if node.kind == "inverse":
            return emit("cholesky_inverse", (factor,), shape, 2 * cube // 3)
        diagonal = emit("diagonal", (factor,), matrix.shape[:1], one=0, two=1)
        logs = emit("log", (diagonal,), diagonal.shape, diagonal.shape[0])
        half = emit("sum", (logs,), (), diagonal.shape[0])
        return emit("scale", (half,), (), 1, by=2.0)
    if node.kind == "inverse":
        return emit("inverse", (matrix,), shape, 2 * cube)
    if node.kind == "logdet" and shared:
        lu, pivots = lu_of(program, matrix)
        if node.data:
            return emit("lu_log_det", (lu, pivots), (), matrix.shape[0])
        return emit("lu_logdet", (lu,), (), matrix.shape[0])
    if node.kind == "logdet" and node.data:
        return emit("log_det", (matrix,), (), 2 * cube // 3)
    if node.kind == "logdet":
        return emit("logdet", (matrix,), (), 2 * cube // 3)
    return emit("det", (matrix,), (), 2 * cube // 3)


def inverse_and_logdet(program: Program, node: Node, matrix: Value) -> Value:
    """Emit the inverse or log |det| of a symmetric matrix of which both are needed."""
    n = matrix.shape[0]
    both = program.emit("inverse_and_logdet", (matrix,), matrix.shape, n**3)
    if node.kind == "inverse":
        return program.emit("item", (both,), matrix.shape, place=0)
    return program.emit("item", (both,), (), place=1)


def _decomposed(program: Program, node: Node, matrix: Value, shape: tuple[int, ...]) -> Value:
    """What follows from eigenvalues or singular values."""
    emit, count = program.emit, math.prod(shape)
    flops = 20 * math.prod(matrix.shape) * min(matrix.shape)
    if node.kind == "singular":
        both = emit("signed_svd", (matrix,), matrix.shape, flops)
        place = ("left", "right").index(node.data) if isinstance(node.data, str) else 2
        size = matrix.shape if place < 2 else matrix.shape[:1]
        value = emit("item", (both,), size, place=place)
        if place < 2:
            return value
        return emit("product_of_others", (value,), shape, count, order=node.data)
    if node.kind in ("eigen", "differences"):
        both = emit("eigen", (matrix,), matrix.shape, flops)
        if node.kind == "eigen":
            return emit("item", (both,), shape, place=1)
        values = emit("item", (both,), matrix.shape[:1], place=0)
        name, order = node.data
        return emit("divided_differences", (values,), shape, 20 * count, name=name, order=order)
    if node.kind == "spectral":
        order = node.data[1]
        if not order:
            return emit("expm", (matrix,), shape, flops)
        flops *= math.prod(matrix.shape) ** order
        return emit("expm_derivatives", (matrix,), shape, flops, order=order)
    if node.kind == "nuclear":
        return emit("nuclear", (matrix,), shape, flops)
    if node.kind == "polar":
        kind = "polar" if node.data == 1 else "polar_slope"
        return emit(kind, (matrix,), shape, flops * node.data)
    return emit("pinverse", (matrix,), shape, flops)
