"""Lazy results are the dense ones."""

import numpy as np
import pytest
import torch

from curate.calculus import CalculusError, parse
from tests.calculus import reference

VALUES = reference.values()
TEXTS = [
    ("x'*A*x", "x"), ("norm2(X-U*V')^2", "U"), ("norm2(X-U*V')^2", "V"), ("sum(exp(x))", "x"),
    ("norm2(tanh(X*W)*v-y)^2", "W"), ("logsumexp(x)", "x"), ("logdet(A)", "A"), ("x'*x", "x"),
    ("sum(logsumexp(X*W, 1))", "W"), ("sum(exp(A))", "A"), ("sum(x)", "x"), ("x'*x + z'*x", "x"),
    ("norm2(X-U*V')^2 + sum(exp(U))", "U"), ("logdet(S + diag(exp(x)))", "x"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "variable"), TEXTS)
def test_second_derivatives(text, variable):
    hessian = parse(text).hessian(variable)
    given = {name: torch.as_tensor(VALUES[name]) for name in hessian.scope}
    dense, lazy = hessian(**given), hessian.lazy(**given)
    n = given[variable].numel()
    matrix = dense.reshape(n, n)
    torch.testing.assert_close(lazy.dense(), dense)
    vector = torch.randn(given[variable].shape, dtype=torch.float64)
    torch.testing.assert_close((lazy @ vector).reshape(-1), matrix @ vector.reshape(-1))
    assert (lazy @ vector).shape == vector.shape
    many = torch.randn(n, 2, dtype=torch.float64)
    torch.testing.assert_close(lazy @ many, matrix @ many)
    torch.testing.assert_close(lazy.diagonal().reshape(-1), matrix.diagonal())
    torch.testing.assert_close(lazy.norm(), torch.linalg.vector_norm(dense))
    if torch.linalg.matrix_rank(matrix) == n:
        solution = lazy.solve(vector)
        torch.testing.assert_close(lazy @ solution, vector)
        torch.testing.assert_close(lazy.solve(many), torch.linalg.solve(matrix, many))


def test_jacobians_and_third_derivatives():
    for text, names in (("A*x", "A"), ("softmax(x)", "xx"), ("sum(x.^3)", "xxx"), ("x*z'", "x")):
        derivative = parse(text).derivative(*names)
        given = {name: VALUES[name] for name in derivative.scope}
        dense, lazy = derivative(**given), derivative.lazy(**given)
        np.testing.assert_allclose(lazy.dense(), dense)
        columns = given[names[-1]].shape
        vector = np.random.default_rng(0).random(columns)
        flat = dense.reshape(-1, vector.size) @ vector.reshape(-1)
        np.testing.assert_allclose((lazy @ vector).reshape(-1), flat)


def test_the_factorisation_core_is_small():
    hessian = parse("norm2(A-U*V')^2").hessian("U")
    rng = np.random.default_rng(0)
    lazy = hessian.lazy(A=rng.random((500, 400)), U=rng.random((500, 5)), V=rng.random((400, 5)))
    assert lazy.shape == (500, 5, 500, 5)
    assert lazy.nbytes == 5 * 5 * 8
    assert isinstance(lazy @ np.ones((500, 5)), np.ndarray)


def test_a_derivative_that_is_a_size():
    derivative = parse("tr(eye(n)*c + A)", A="matrix(n, n)").gradient("c")
    assert derivative.lazy(A=np.eye(3), c=1.0).dense() == 3


def test_values_have_no_lazy_form():
    with pytest.raises(CalculusError, match="derivatives"):
        parse("A*x").lazy(A=np.eye(2), x=np.ones(2))
