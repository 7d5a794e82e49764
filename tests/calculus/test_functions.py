"""Functions of public questions: to the second order against JAX, and at singular points."""

import numpy as np
import pytest

from curate import calculus
from curate.calculus import CalculusError, ParseError, ShapeError, parse
from tests.calculus import reference
from tests.calculus.reference import assert_close, jax_derivative
from tests.calculus.test_code import run

VALUES = reference.values()
VALUES["Z"] = VALUES["B"].T + 1
VALUES["t"] = np.random.default_rng(5).random(4) + 0.5
VALUES["G"] = np.random.default_rng(6).random((2, 2))


def spectral(function):
    """A function of a symmetric matrix by its series in JAX's own matrix products."""

    def of(xp, S):
        import jax

        if function == "exp":
            return jax.scipy.linalg.expm(S)
        # Newton's iteration for the root, differentiated as it stands
        y, z = S, xp.eye(len(S))
        for _ in range(30):
            y, z = (y + xp.linalg.inv(z)) / 2, (z + xp.linalg.inv(y)) / 2
        return y

    return of


def log_series(xp, S):
    """log S by six roots and Mercator's series, (I + E) with a small E."""
    root = S
    for _ in range(6):
        root = spectral("sqrt")(xp, root)
    e = root - xp.eye(len(S))
    total, power = 0, xp.eye(len(S))
    for k in range(1, 40):
        power = power @ e
        total = total + (-1) ** (k - 1) * power / k
    return 64 * total


def special(name):
    def function(*arguments):
        import jax

        return getattr(jax.scipy.special, name)(*arguments)

    return function


# text, names in the function's order (derived by the first), function in JAX
CASES = [
    ("sum(lgamma(p))", "p", lambda xp, p: xp.sum(special("gammaln")(p))),
    ("digamma(p)", "p", lambda xp, p: special("digamma")(p)),
    ("erfc(x).*p", "xp", lambda xp, x, p: special("erfc")(x) * p),
    ("log_ndtr(x)", "x", lambda xp, x: special("log_ndtr")(x)),
    ("xlogy(p, p)", "p", lambda xp, p: special("xlogy")(p, p)),
    ("log1p(p) + expm1(x)", "px", lambda xp, p, x: xp.log1p(p) + xp.expm1(x)),
    ("sinh(x) + cosh(x).*x", "x", lambda xp, x: xp.sinh(x) + xp.cosh(x) * x),
    ("arcsinh(x) + arctanh(x/4)", "x", lambda xp, x: xp.arcsinh(x) + xp.arctanh(x / 4)),
    ("arccosh(p + 1)", "p", lambda xp, p: xp.arccosh(p + 1)),
    ("log2(p) + log10(p)", "p", lambda xp, p: xp.log2(p) + xp.log10(p)),
    ("logit(p/4)", "p", lambda xp, p: special("logit")(p / 4)),
    ("logaddexp(x, 2*z)", "xz", lambda xp, x, z: xp.logaddexp(x, 2 * z)),
    ("max(x)", "x", lambda xp, x: xp.max(x)),
    ("min(x.^2)", "x", lambda xp, x: xp.min(x**2)),
    ("max(x, z).^2", "xz", lambda xp, x, z: xp.maximum(x, z) ** 2),
    ("sum(max(0, 1 - y.*(X*w)).^2)", "wyX",
     lambda xp, w, y, X: xp.sum(xp.maximum(0, 1 - y * (X @ w)) ** 2)),
    ("min(max(x, -0.5), 0.5)", "x", lambda xp, x: xp.clip(x, -0.5, 0.5)),
    ("sum(max(X.^2, axis=1))", "X", lambda xp, X: xp.sum(xp.max(X**2, 1))),
    ("where(x > 0, x.^3, exp(x))", "x", lambda xp, x: xp.where(x > 0, x**3, xp.exp(x))),
    ("sum(where(abs(x) <= 0.5, 0.5*x.^2, 0.5*(abs(x) - 0.25)))", "x", lambda xp, x: xp.sum(
        xp.where(abs(x) <= 0.5, 0.5 * x**2, 0.5 * (abs(x) - 0.25)))),
    ("(x > 0).*x.^2 + (x != z).*x", "xz", lambda xp, x, z: (x > 0) * x**2 + x),
    ("kron(G, W)", "GW", lambda xp, G, W: xp.kron(G, W)),
    ("norm2(kron(G, G) - kron(G, G'))^2", "G",
     lambda xp, G: xp.sum((xp.kron(G, G) - xp.kron(G, G.T)) ** 2)),
    ("kron(x, v)", "xv", lambda xp, x, v: xp.kron(x, v)),
    ("vec(A*X')", "AX", lambda xp, A, X: (A @ X.T).T.reshape(-1)),
    ("vec(A)'*kron(A, A)*vec(A)", "A",
     lambda xp, A: A.T.reshape(-1) @ xp.kron(A, A) @ A.T.reshape(-1)),
    ("det(reshape(t, 2, 2))", "t", lambda xp, t: t[0] * t[3] - t[1] * t[2]),
    ("sum(reshape(X, 3, 4).^3, 0)", "X", lambda xp, X: xp.sum(X.reshape(3, 4) ** 3, 0)),
    ("norm2(X, 1)", "X", lambda xp, X: xp.sqrt(xp.sum(X**2, 1))),
    ("var(x) + std(x)", "x", lambda xp, x: xp.var(x) + xp.std(x)),
    ("std(X, 0)", "X", lambda xp, X: xp.std(X, 0)),
    ("sum(var(X, axis=1).^2)", "X", lambda xp, X: xp.sum(xp.var(X, 1) ** 2)),
    ("prod(x)", "x", lambda xp, x: xp.prod(x)),
    ("prod(X, 1)", "X", lambda xp, X: xp.prod(X, 1)),
    ("log(prod(p)) + prod(W)", "pW", lambda xp, p, W: xp.log(xp.prod(p)) + xp.prod(W)),
    ("cumsum(x.^2)", "x", lambda xp, x: xp.cumsum(x**2)),
    ("cumsum(X, 1)*x", "Xx", lambda xp, X, x: xp.cumsum(X, 1) @ x),
    ("tril(A)*triu(A, 1)*x", "Ax", lambda xp, A, x: xp.tril(A) @ xp.triu(A, 1) @ x),
    ("logdet(tril(A)*tril(A)')", "A", lambda xp, A: 2 * xp.sum(xp.log(abs(xp.diag(A))))),
    ("pinv(X)", "X", lambda xp, X: xp.linalg.inv(X.T @ X) @ X.T),
    ("norm2(pinv(X')*x)^2", "Xx",
     lambda xp, X, x: xp.sum((X @ xp.linalg.inv(X.T @ X) @ x) ** 2)),
    ("sqrtm(S)", "S", spectral("sqrt")),
    ("tr(sqrtm(S)*B)", "SB", lambda xp, S, B: xp.trace(spectral("sqrt")(xp, S) @ B)),
    ("tr(logm(S)*B)", "SB", lambda xp, S, B: xp.trace(log_series(xp, S) @ B)),
    ("tr(expm(S/4)*B)", "SB", lambda xp, S, B: xp.trace(spectral("exp")(xp, S / 4) @ B)),
    ("expm(A/3)", "A", lambda xp, A: spectral("exp")(xp, A / 3)),
    ("tr(expm(X'*X/9))", "X", lambda xp, X: xp.trace(spectral("exp")(xp, X.T @ X / 9))),
    ("nuclear(X)", "X", lambda xp, X: xp.trace(spectral("sqrt")(xp, X.T @ X))),
    ("nuclear(X')", "X", lambda xp, X: xp.trace(spectral("sqrt")(xp, X.T @ X))),
    ("x[0]*exp(x[1]) + x[-1]^2", "x", lambda xp, x: x[0] * xp.exp(x[1]) + x[-1] ** 2),
    ("sum((x[1:] - x[:-1]).^2)", "x", lambda xp, x: xp.sum((x[1:] - x[:-1]) ** 2)),
    ("exp(A[:, 0]).*A[1, :]'", "A", lambda xp, A: xp.exp(A[:, 0]) * A[1]),
    ("A[0:2, 1:]*A[1:, :2]", "A", lambda xp, A: A[0:2, 1:] @ A[1:, :2]),
    ("inv(A)[0]*x + inv(A)[:, 1]'*x", "Ax", lambda xp, A, x: xp.linalg.inv(A)[0] @ x
     + xp.linalg.inv(A)[:, 1] @ x),
    ("stack(c, x, c^2, x)", "cx", lambda xp, c, x: xp.concatenate(
        [xp.array([c]), x, xp.array([c * c]), x])),
    ("norm2(stack(X, A)*x)^2", "AXx",
     lambda xp, A, X, x: xp.sum((xp.concatenate([X, A]) @ x) ** 2)),
    ("prod(x[0:2])*max(x[1:])", "x", lambda xp, x: xp.prod(x[0:2]) * xp.max(x[1:])),
    ("tr(A[:2, :2])*sum(exp(x[1:3]))", "Ax",
     lambda xp, A, x: xp.trace(A[:2, :2]) * xp.sum(xp.exp(x[1:3]))),
]  # fmt: skip


@pytest.mark.parametrize("order", [0, 2])
@pytest.mark.parametrize(("text", "names", "function"), CASES, ids=[case[0] for case in CASES])
def test_against_jax(text, names, function, order):
    given = {name: VALUES[name] for name in names}
    expression = parse(text)
    if np.size(expression(**given)) * VALUES[names[0]].size ** order > 5_000:
        order = 1
    expected = jax_derivative(function, 0, order, given.values())
    if order:
        expression = expression.derivative(*[names[0]] * order)
    assert_close(expression(**given), expected, 1e-8)


@pytest.mark.parametrize("target", ["numpy", "torch", "jax"])
@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
def test_the_code_runs_and_agrees(case, target):
    text, names, _ = case
    kinds = {"S": "symmetric matrix"} if "S" in names else {}
    expression = parse(text, **kinds)
    given = {name: VALUES[name] for name in expression.scope}
    if text == "expm(A/3)":
        with pytest.raises(CalculusError, match="symmetric"):
            expression.code(target, "A")
        return
    value, gradient = run(expression.code(target, names[0]), target)(*given.values())
    assert_close(value, expression(**given))
    assert_close(gradient, expression.derivative(names[0])(**given))


def by(text, *names, **given):
    return parse(text).derivative(*names)(**given)


def test_products_at_zeros():
    x = np.array([0.0, 2.0, 3.0])
    np.testing.assert_array_equal(by("prod(x)", "x", x=x), [6, 0, 0])
    np.testing.assert_array_equal(by("prod(x)", "x", "x", x=x), [[0, 3, 2], [3, 0, 0], [2, 0, 0]])
    third = by("prod(x)", "x", "x", "x", x=0 * x)
    assert third[0, 1, 2] == third[2, 0, 1] == 1
    assert third.sum() == 6


def test_equal_elements_share_the_derivative():
    x = np.array([2.0, 1.0, 2.0])
    np.testing.assert_array_equal(by("max(x)", "x", x=x), [0.5, 0, 0.5])
    np.testing.assert_array_equal(by("sum(max(x, 2))", "x", x=x), [0.5, 0, 0.5])
    np.testing.assert_array_equal(by("min(x)", "x", x=x), [0, 1, 0])


def test_the_branch_that_is_not_taken_leaves_nothing():
    x = np.array([0.0, -1.0, 4.0])
    text = "sum(where(x > 0, sqrt(x) + x.*log(x), x.^2))"
    for order, expected in enumerate(
        [1 + 2 + 4 * np.log(4), [0, -2, 0.25 + np.log(4) + 1], np.diag([2, 2, 0.25 - 1 / 32])]
    ):
        np.testing.assert_allclose(by(text, *["x"] * order, x=x) if order else parse(text)(x=x),
                                   expected, rtol=1e-12)  # fmt: skip


def test_functions_of_matrices_with_equal_eigenvalues():
    eye, b = np.eye(3), VALUES["B"]
    symmetric = (b + b.T) / 2
    second = {"sqrtm": -0.25 / 4**1.5, "logm": -1 / 16, "expm": np.exp(4)}
    for name, slope in (("sqrtm", 0.25), ("logm", 0.25), ("expm", np.exp(4))):
        f = parse(f"{name}(S)")
        tensor = f.derivative("S")(S=4 * eye)
        np.testing.assert_allclose(np.einsum("abcd,cd->ab", tensor, b), slope * b, atol=1e-12)
        bend = f.derivative("S", "S")(S=4 * eye)
        found = np.einsum("abcdef,cd,ef->ab", bend, symmetric, symmetric)
        expected = second[name] * symmetric @ symmetric
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


def test_functions_of_matrices_outside_their_domain():
    with pytest.raises(CalculusError, match="not symmetric"):
        parse("sqrtm(S)")(S=np.array([[1.0, 2.0], [0.0, 1.0]]))
    assert np.isnan(parse("logm(S)")(S=-np.eye(2))).any()
    with pytest.raises(CalculusError, match="second order"):
        parse("sqrtm(S)").derivative("S", "S", "S")


def test_the_nuclear_norm_at_lower_rank():
    u, v = np.array([0.6, 0.8]), np.array([1.0, 0.0, 0.0])
    X = 3 * np.outer(u, v)
    np.testing.assert_allclose(by("nuclear(X)", "X", X=X), np.outer(u, v), atol=1e-12)
    assert np.isnan(by("nuclear(X)", "X", "X", X=X)).any()
    assert not by("nuclear(X)", "X", X=0 * X).any()


def test_slices_are_checked():
    x = np.arange(3.0)
    for text in ("x[3]", "x[-4]", "x[1:5]"):
        with pytest.raises(ShapeError, match="3 elements|not in"):
            parse(text)(x=x)
    with pytest.raises(CalculusError, match="whole number"):
        parse("x[0.5]")
    with pytest.raises(ShapeError, match="2 indices"):
        parse("x[0, 1]")
    with pytest.raises(ShapeError):
        parse("reshape(x, 2, 2)")(x=x)
    with pytest.raises(ShapeError):
        parse("x[1:] + x")
    assert parse("x[1:] + x[:-1]").shape == ("x.0-1",)
    assert parse("x[1:] + z", x="vector(4)").scope["z"].shape == (3,)


def test_the_same_in_python():
    x, A = calculus.vector("x"), calculus.matrix("A")
    given = {"x": VALUES["x"], "A": VALUES["A"]}
    for ours, text in (
        (x[0] * x[1:].sum(), "x[0]*sum(x[1:])"), (A[:, 1] @ x, "A[:,1]'*x"),
        (calculus.max(x, 0.0), "max(x, 0)"), (calculus.where(x > 0, x, 2 * x),
        "where(x > 0, x, 2*x)"), (calculus.stack(x, 1.0), "stack(x, 1)"),
        (calculus.max(A, axis=0), "max(A, axis=0)"),
    ):  # fmt: skip
        read = {name: given[name] for name in ours.scope}
        np.testing.assert_array_equal(ours(**read), parse(text)(**read))
    with pytest.raises(TypeError):
        list(x)


@pytest.mark.parametrize(
    ("text", "value", "slope"),
    [("log(cosh(x))", [1e4 - np.log(2)] * 2, [1, -1]), ("log(2*cosh(x))", [1e4, 1e4], [1, -1]),
     ("log(exp(abs(x))-1)", [1e4, 1e4], [1, -1]),
     ("log(sinh(abs(x)))", [1e4 - np.log(2)] * 2, [1, -1]),
     ("logaddexp(x, -x)", [1e4, 1e4], [1, -1])],
)  # fmt: skip
def test_margins_of_ten_thousand(text, value, slope):
    x = np.array([1e4, -1e4])
    np.testing.assert_allclose(parse(text)(x=x), value, rtol=1e-15)
    np.testing.assert_allclose(np.diag(by(text, "x", x=x)), slope)
    assert not by(text, "x", "x", x=x).any()


def test_logarithms_of_hyperbolic_functions_near_zero():
    x = np.array([1e-9, 1e-3])
    np.testing.assert_allclose(parse("log(cosh(x))")(x=x), x**2 / 2, rtol=1e-6)
    np.testing.assert_allclose(parse("log(exp(x)-1)")(x=x), np.log(np.expm1(x)), rtol=1e-12)
    assert np.isnan(parse("log(sinh(x))")(x=-x)).all()


def test_square_matrices_follow_from_what_they_are_in():
    trace = parse("tr(kron(A, B))")
    given = {"A": VALUES["A"], "B": VALUES["B"]}
    np.testing.assert_allclose(trace(**given), np.trace(given["A"]) * np.trace(given["B"]))
    gap = given["A"] @ given["B"] - given["B"] @ given["A"]
    np.testing.assert_allclose(parse("norm2(vec(A*B) - vec(B*A))^2")(**given), np.sum(gap**2))
    assert trace.scope["A"].shape == ("A.0", "A.0")


@pytest.mark.parametrize(
    ("text", "hint"),
    [("norm(x)", "norm2"), ("pow(x, 2)", r"x.^2"), ("dot(x, z)", "x'*y"), ("ones(3)", "vector(1)"),
     ("sofmax(x)", "do you mean softmax"), ("cumprod(x)", "do you mean prod"),
     ("eig(A)", "sqrtm"), ("clip(x)", "min(max(")],
)  # fmt: skip
def test_unknown_functions_get_a_hint(text, hint):
    with pytest.raises(ParseError) as caught:
        parse(text)
    assert hint in str(caught.value)
