"""Inverses that occur in products only are never formed."""

import numpy as np
import pytest
import torch

from curate.calculus import CalculusError, parse

RNG = np.random.default_rng(3)
N = 60
A = RNG.standard_normal((N, N)) + N**0.5 * np.eye(N)
B = RNG.standard_normal((N, N)) + N**0.5 * np.eye(N)
S = A @ A.T + np.eye(N)
GIVEN = {"A": A, "B": B, "S": S, "x": RNG.standard_normal(N), "z": RNG.standard_normal(N)}
INV = np.linalg.inv
DEFINITE = {"S": "positive definite matrix"}
TEXTS = [
    ("inv(A)*x", lambda v: INV(v["A"]) @ v["x"], {}),
    ("inv(A)'*x", lambda v: INV(v["A"]).T @ v["x"], {}),
    ("x'*inv(A)*z", lambda v: v["x"] @ INV(v["A"]) @ v["z"], {}),
    ("inv(A)*B", lambda v: INV(v["A"]) @ v["B"], {}),
    ("B*inv(A)", lambda v: v["B"] @ INV(v["A"]), {}),
    ("B*inv(A)*x", lambda v: v["B"] @ INV(v["A"]) @ v["x"], {}),
    ("inv(A)*inv(B)*x", lambda v: INV(v["A"]) @ INV(v["B"]) @ v["x"], {}),
    ("x'*inv(A)*B*inv(A)'*z",
     lambda v: v["x"] @ INV(v["A"]) @ v["B"] @ INV(v["A"]).T @ v["z"], {}),
    ("tr(inv(A)*B)", lambda v: np.trace(INV(v["A"]) @ v["B"]), {}),
    ("inv(inv(A)*B + eye)*x",
     lambda v: INV(INV(v["A"]) @ v["B"] + np.eye(len(v["x"]))) @ v["x"], {}),
    ("inv(A)*vector(1)", lambda v: INV(v["A"]).sum(1), {}),
    ("x'*inv(S)*x + logdet(S)",
     lambda v: v["x"] @ INV(v["S"]) @ v["x"] + np.linalg.slogdet(v["S"])[1], DEFINITE),
    ("x'*inv(A)*x + z'*inv(A)*z + logdet(A)",
     lambda v: v["x"] @ INV(v["A"]) @ v["x"] + v["z"] @ INV(v["A"]) @ v["z"]
     + np.linalg.slogdet(v["A"])[1], {}),
]  # fmt: skip


def source(expression, given):
    compiled = expression.compile()
    compiled(**given)
    return next(iter(compiled.sources.values())).split("def run_into")[0]


@pytest.mark.parametrize(("text", "reference", "kinds"), TEXTS)
def test_solved_not_inverted(text, reference, kinds):
    expression = parse(text, **kinds)
    given = {name: GIVEN[name] for name in expression.scope}
    np.testing.assert_allclose(expression(**given), reference(given), rtol=1e-9, atol=1e-9)
    assert "inverse" not in source(expression, given)


@pytest.mark.parametrize("n", [1, 2, 8, 60])
@pytest.mark.parametrize(("text", "reference", "kinds"), TEXTS)
def test_any_size(text, reference, kinds, n):
    given = {k: GIVEN[k][(slice(n),) * GIVEN[k].ndim] for k in parse(text, **kinds).scope}
    np.testing.assert_allclose(
        parse(text, **kinds)(**given), reference(given), rtol=1e-8, atol=1e-8
    )


def test_one_factorisation_serves_all():
    text = source(parse("x'*inv(A)*x + z'*inv(A)*z + logdet(A)"), {k: GIVEN[k] for k in "Axz"})
    assert text.count("factors(") == 1
    assert "slogdet" not in text
    text = source(parse("x'*inv(S)*x + z'*inv(S)*z + logdet(S)", **DEFINITE),
                  {k: GIVEN[k] for k in "Sxz"})  # fmt: skip
    assert text.count("= cholesky(") == 1


def test_more_digits_than_the_inverse():
    n = 10
    hilbert = 1 / (np.arange(n)[:, None] + np.arange(n) + 1.0)
    truth = np.ones(n)
    b = hilbert @ truth
    residual = hilbert @ parse("inv(A)*b", b="vector")(A=hilbert, b=b) - b
    inverted = hilbert @ (INV(hilbert) @ b) - b
    assert np.abs(residual).max() < 1e-13 < np.abs(inverted).max()


def test_singular_matrices_are_named():
    for text in ("inv(A)*x", "inv(A)", "x'*inv(A)*x + z'*inv(A)*z"):
        for n in (3, 60):
            given = {"A": np.zeros((n, n)), "x": np.ones(n), "z": np.ones(n)}
            expression = parse(text)
            with pytest.raises(CalculusError, match="singular"):
                expression(**{name: given[name] for name in expression.scope})


def test_inverses_inside_inverses():
    a = torch.as_tensor(A[:3, :3])
    expression = parse("logdet(inv(inv(B+9*eye)+9*eye)*(inv(inv(B+9*eye)+9*eye))' + eye)")
    unit = torch.eye(3, dtype=torch.float64)

    def function(b):
        inner = torch.linalg.inv(torch.linalg.inv(b + 9 * unit) + 9 * unit)
        return torch.linalg.slogdet(inner @ inner.T + unit)[1]

    torch.testing.assert_close(expression.gradient("B")(B=a), torch.func.grad(function)(a))
    expected = torch.func.hessian(function)(a)
    torch.testing.assert_close(expression.hessian("B")(B=a), expected, rtol=1e-9, atol=1e-12)


def test_where_both_axes_are_read_the_inverse_is_formed():
    expression = parse("inv(A) .* B")
    given = {"A": torch.as_tensor(A), "B": torch.as_tensor(B)}
    torch.testing.assert_close(expression(**given), torch.linalg.inv(given["A"]) * given["B"])
