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
        factor = emit("cholesky({0})", (matrix,), matrix.shape, cube // 3)
        if node.kind == "inverse":
            return emit("torch.cholesky_inverse({0}{out})", (factor,), shape, 2 * cube // 3)
        diagonal = emit("{0}.diagonal()", (factor,), matrix.shape[:1], view=True)
        logs = emit("torch.log({0})", (diagonal,), diagonal.shape, diagonal.shape[0])
        half = emit("torch.sum({0})", (logs,), (), diagonal.shape[0])
        return emit("torch.mul({0}, 2.0)", (half,), (), 1)
    if node.kind == "inverse":
        return emit("inverse({0}{out})", (matrix,), shape, 2 * cube)
    if node.kind == "logdet" and shared:
        lu, pivots = lu_of(program, matrix)
        if node.data:
            return emit("lu_log_det({0}, {1})", (lu, pivots), (), matrix.shape[0])
        return emit("lu_logdet({0})", (lu,), (), matrix.shape[0])
    if node.kind == "logdet" and node.data:
        return emit("log_det({0})", (matrix,), (), 2 * cube // 3)
    if node.kind == "logdet":
        return emit("torch.linalg.slogdet({0})[1]", (matrix,), (), 2 * cube // 3)
    return emit("torch.linalg.det({0})", (matrix,), (), 2 * cube // 3)


def inverse_and_logdet(program: Program, node: Node, matrix: Value) -> Value:
    """Emit the inverse or log |det| of a symmetric matrix of which both are needed."""
    n = matrix.shape[0]
    both = program.emit("inverse_and_logdet({0})", (matrix,), matrix.shape, n**3)
    if node.kind == "inverse":
        return program.emit("{0}[0]", (both,), matrix.shape, view=True)
    return program.emit("{0}[1]", (both,), (), view=True)


def _decomposed(program: Program, node: Node, matrix: Value, shape: tuple[int, ...]) -> Value:
    """What follows from eigenvalues or singular values."""
    emit, count = program.emit, math.prod(shape)
    flops = 20 * math.prod(matrix.shape) * min(matrix.shape)
    if node.kind == "singular":
        both = emit("signed_svd({0})", (matrix,), matrix.shape, flops)
        place = ("left", "right").index(node.data) if isinstance(node.data, str) else 2
        size = matrix.shape if place < 2 else matrix.shape[:1]
        value = emit(f"{{0}}[{place}]", (both,), size, view=True)
        if place < 2:
            return value
        return emit(f"product_of_others({{0}}, {node.data})", (value,), shape, count)
    if node.kind in ("eigen", "differences"):
        both = emit("eigen({0})", (matrix,), matrix.shape, flops)
        if node.kind == "eigen":
            return emit("{0}[1]", (both,), shape, view=True)
        values = emit("{0}[0]", (both,), matrix.shape[:1], view=True)
        name, order = node.data
        call = f"divided_differences({{0}}, {name!r}, {order})"
        return emit(call, (values,), shape, 20 * count)
    if node.kind == "spectral":
        order = node.data[1]
        call = f"expm_derivatives({{0}}, {order})" if order else "torch.linalg.matrix_exp({0})"
        return emit(call, (matrix,), shape, flops * math.prod(matrix.shape) ** order)
    if node.kind == "nuclear":
        return emit("torch.linalg.matrix_norm({0}, 'nuc')", (matrix,), shape, flops)
    if node.kind == "polar":
        call = "polar({0})" if node.data == 1 else "polar_slope({0})"
        return emit(call, (matrix,), shape, flops * node.data)
    return emit("pinverse({0})", (matrix,), shape, flops)
