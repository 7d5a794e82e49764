"""Derivatives of determinants, also where the matrix is singular: against JAX, and slow sums."""

import itertools

import numpy as np
import pytest

from curate.calculus import adj, matrix, parse

RNG = np.random.default_rng(0)
MATRICES = [
    np.array([[1.0, 2, 3], [4, 5, 6], [7, 8, 9]]), np.ones((3, 3)), np.zeros((3, 3)),
    RNG.standard_normal((3, 3)), -np.eye(2), np.diag([2.0, 0, 3, 1]), np.diag([2.0, 0, 0, 1]),
    RNG.standard_normal((4, 4)), np.zeros((1, 1)), np.diag([1.0, 1e-17, 1]),
]  # fmt: skip


def leibniz(A):
    """The determinant as the sum over permutations."""
    n = len(A)
    signs = {
        p: (-1) ** sum(i > j for i, j in itertools.combinations(p, 2))
        for p in itertools.permutations(range(n))
    }
    return sum(sign * np.prod([A[i, p[i]] for i in range(n)]) for p, sign in signs.items())


def by_leibniz(A, order):
    """Its derivative: replace a row by a unit vector for each time (a determinant is linear in it).

    A row that is replaced twice gives 0.
    """
    n = len(A)
    result = np.zeros((n, n) * order)
    for index in np.ndindex(*result.shape):
        rows, columns = index[::2], index[1::2]
        if len(set(rows)) == order:
            B = A.copy()
            for i, j in zip(rows, columns, strict=True):
                B[i] = np.eye(n)[j]
            result[index] = leibniz(B)
    return result


@pytest.mark.parametrize("A", MATRICES, ids=lambda A: f"{len(A)}-rank{np.linalg.matrix_rank(A)}")
@pytest.mark.parametrize("order", [1, 2, 3])
def test_at_singular_and_regular_matrices(A, order):
    if order == 3 and len(A) == 4:
        pytest.skip("slow sums of 4096 determinants")
    derived = parse("det(A)").derivative(*["A"] * order)
    expected = by_leibniz(A, order)
    np.testing.assert_allclose(derived(A=A), expected, atol=1e-12)
    np.testing.assert_allclose(derived.lazy(A=A).dense(), expected, atol=1e-12)
    np.testing.assert_allclose(derived(A=A.astype(np.float32)), expected, atol=1e-4)


def test_compositions_are_those_of_jax():
    import jax

    jax.config.update("jax_enable_x64", True)
    A, x = MATRICES[0], np.array([0.0, 1.0, -2.0])
    np_ = jax.numpy

    def function(x):
        return np_.linalg.det(np_.outer(x, x) @ A + np_.diag(x)) ** 2 + np_.linalg.det(
            np_.diag(x) @ A
        )

    expression = parse("det(x*x'*A + diag(x))^2 + det(diag(x)*A)")
    np.testing.assert_allclose(expression.gradient("x")(x=x, A=A), jax.grad(function)(x),
                               atol=1e-11)  # fmt: skip
    np.testing.assert_allclose(expression.hessian("x")(x=x, A=A), jax.hessian(function)(x),
                               atol=1e-9)  # fmt: skip
    # the second derivative by a number never meets a tensor of four axes
    n = 120
    B = RNG.standard_normal((n, n)) / np.sqrt(n)
    second = parse("det(c*B + b*eye)").hessian("c")
    assert max(np.prod(s.target.shape) for s in second.explain(B=(n, n)).steps) <= n * n
    step = 1e-4
    values = [parse("det(c*B + b*eye)")(B=B, b=1.0, c=1 + k * step) for k in (-1, 0, 1)]
    difference = (values[0] - 2 * values[1] + values[2]) / step**2
    np.testing.assert_allclose(second(B=B, b=1.0, c=1.0), difference, rtol=1e-4)


def test_the_adjugate():
    for A in MATRICES:
        result = parse("adj(A)")(A=A)
        np.testing.assert_allclose(result, by_leibniz(A, 1).T, atol=1e-12)
        np.testing.assert_allclose(A @ result, leibniz(A) * np.eye(len(A)), atol=1e-11)
    assert str(parse("det(A)").gradient("A")) == "adj(A)'"
    assert adj(matrix("A")).node is parse("adj(A)").node
    derived = parse("adj(A)").derivative("A")(A=MATRICES[0])
    np.testing.assert_allclose(derived, by_leibniz(MATRICES[0], 2).transpose(1, 0, 2, 3),
                               atol=1e-12)  # fmt: skip
