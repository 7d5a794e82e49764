"""Points where a norm, an absolute value, a root or a logarithm is singular, beyond first order."""

import numpy as np
import pytest
import torch

from curate.calculus import parse

ZERO = np.zeros(3)
RNG = np.random.default_rng(0)
GIVEN = {
    "x": ZERO, "z": ZERO, "y": ZERO, "A": RNG.random((3, 3)), "B": RNG.random((3, 3)), "c": 1.3,
}  # fmt: skip
A, B, EYE = GIVEN["A"], GIVEN["B"], np.eye(3)


def at_zero(text, *names, **values):
    expression = parse(text).derivative(*names)
    given = {**GIVEN, **values}
    return expression(**{name: given[name] for name in expression.scope})


MATERN = {
    1: "exp(-norm2(x-z)/c)",
    3: "(1+sqrt(3)*norm2(x-z)/c)*exp(-sqrt(3)*norm2(x-z)/c)",
    5: "(1+sqrt(5)*norm2(x-z)/c+5*norm2(x-z)^2/(3*c^2))*exp(-sqrt(5)*norm2(x-z)/c)",
}


def test_matern_kernels_at_coincident_points():
    np.testing.assert_allclose(at_zero(MATERN[5], "x", "z"), 5 / 3 / 1.3**2 * EYE, atol=1e-12)
    np.testing.assert_allclose(at_zero(MATERN[3], "x", "z"), 3 / 1.3**2 * EYE, atol=1e-12)
    assert np.isnan(at_zero(MATERN[1], "x", "z")).any()  # has none
    assert not at_zero(MATERN[5], "x").any()
    assert at_zero(MATERN[5], "c") == 0
    assert not at_zero(MATERN[5], "x", "x", "z").any()  # odd, and continuous


@pytest.mark.parametrize("nu", [1, 3, 5])
def test_matern_kernels_elsewhere_are_those_of_jax(nu):
    import jax

    jax.config.update("jax_enable_x64", True)
    np_ = jax.numpy

    def kernel(x, z):
        r = np_.sqrt(nu) * np_.sqrt(np_.sum((x - z) ** 2)) / 1.3
        return {1: 1.0, 3: 1 + r, 5: 1 + r + r * r / 3}[nu] * np_.exp(-r)

    x, z = RNG.random(3), RNG.random(3)
    expected = jax.jacfwd(jax.grad(kernel), 1)(x, z)
    np.testing.assert_allclose(at_zero(MATERN[nu], "x", "z", x=x, z=z), expected, rtol=1e-11)


# text, Hessian by x at 0: a matrix, or None where it does not exist
HESSIANS = [
    ("sum(abs(x).^2)", 2 * EYE), ("sum(abs(A*x-y).^2)", 2 * A.T @ A), ("norm2(x)^2", 2 * EYE),
    ("norm2(c*x)*norm2(x)", 2.6 * EYE), ("norm2(x-z)*norm2(2*z-2*x)", 4 * EYE),
    ("norm2(A*x)^2", 2 * A.T @ A), ("norm2(A*x)^3", 0 * EYE), ("norm2(x)^3", 0 * EYE),
    ("norm2(x)*x'*x", 0 * EYE), ("norm2(x)*x'*B*x", 0 * EYE), ("sum(abs(x).^3)", 0 * EYE),
    ("sum(abs(A*x).^3)", 0 * EYE), ("sum(abs(x).*abs(3*x))", 6 * EYE), ("norm2(x)^4", 0 * EYE),
    ("sum(abs(x).^2.5)", 0 * EYE), ("sqrt(x'*x)^2", 2 * EYE), ("sum(sqrt(x.^2).^2)", 2 * EYE),
    ("sqrt(1 + norm2(x)^2)", EYE), ("exp(-norm2(x)^2)", -2 * EYE),
    ("cos(norm2(x))", -EYE), ("cos(2*norm2(A*x)/c)", -4 * A.T @ A / 1.69),
    ("sum(cos(abs(x)))", -EYE), ("cos(sqrt(x'*x))", -EYE), ("x'*x*cos(norm2(x-z))", 2 * EYE),
    ("sin(norm2(x))/norm2(x)", -EYE / 3), ("(1-cos(norm2(x)))/norm2(x)^2", -EYE / 12),
    ("sin(2*norm2(x))/norm2(x)", -8 / 3 * EYE), ("(1-cos(c*norm2(x)))/(x'*x)", -1.3**4 / 12 * EYE),
    ("sum(sin(abs(x))./abs(x))", -EYE / 3), ("sin(norm2(x))^2/norm2(x)^2", -2 / 3 * EYE),
    ("norm2(x)*sin(norm2(x))", 2 * EYE), ("sum(sin(abs(x)).*abs(x))", 2 * EYE),
    ("1 - cos(norm2(A*x))", A.T @ A), ("x'*x*sin(norm2(x-z))/norm2(x-z)", 2 * EYE),
    ("cos(norm2(x))^2", -2 * EYE), ("norm2(x)*tanh(norm2(x))", 2 * EYE),
    ("tanh(norm2(x))/norm2(x)", -2 / 3 * EYE), ("sinh(2*norm2(x))/norm2(x)", 8 / 3 * EYE),
    ("tan(norm2(A*x))/norm2(A*x)", 2 / 3 * A.T @ A), ("cosh(norm2(x))", EYE),
    ("log(cosh(norm2(A*x)))", A.T @ A), ("tanh(norm2(x))^2", 2 * EYE),
    ("(cosh(norm2(x))-1)/norm2(x)^2", EYE / 12), ("sum(arctan(abs(x))./abs(x))", -2 / 3 * EYE),
    ("arcsin(norm2(x)/c)/norm2(x)", EYE / 3 / 1.3**3), ("sinh(norm2(x))^2/(x'*x)", 2 / 3 * EYE),
    ("erf(norm2(x))*norm2(x)", 4 / np.sqrt(np.pi) * EYE), ("arctanh(norm2(x))^2", 2 * EYE),
    ("arcsinh(norm2(x))/norm2(x)", -EYE / 3), ("tanh(norm2(x)) + norm2(x)", None),
    ("tanh(norm2(x)) - norm2(x) + x'*x", None), ("sinh(norm2(x))", None),
    ("sinh(norm2(x))*cosh(norm2(x))", None), ("erf(norm2(x))", None), ("cosh(norm1(x))", None),
    ("sin(norm2(x))", None), ("tanh(norm2(x))", None), ("cos(norm2(x)) + norm2(x)", None),
    ("norm2(x)", None), ("norm2(A*x)", None), ("norm2(x) + x'*x", None), ("norm1(x)", None),
    ("x'*x + norm1(A*x)", None), ("norm2(x)*sum(x)", None), ("sum(x.*abs(x))", None),
    ("exp(-norm2(x))", None), ("sqrt(x'*x)", None), ("sum(sqrt(x.^2))", None),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), HESSIANS, ids=lambda v: v if type(v) is str else "")
def test_hessians_at_zero(text, expected):
    hessian = at_zero(text, "x", "x")
    if expected is None:
        assert np.isnan(hessian).any()
        assert not at_zero(text, "x").any()  # by convention
    else:
        np.testing.assert_allclose(hessian, expected, atol=1e-9)


@pytest.mark.parametrize(
    "text",
    ["tanh(norm2(x))/norm2(x)^3", "x'*A*x/norm2(x)^2", "norm2(x)^2*log(norm2(x))",
     "sqrt(norm2(x))"],
)  # fmt: skip
def test_limits_that_are_not_found_are_nan(text):
    for order in (1, 2):
        assert np.isnan(at_zero(text, *["x"] * order)).all()


def test_sines_of_norms_keep_their_digits():
    x = 1e-9 * np.array([0.6, 0.0, 0.8])
    assert parse("sin(norm2(x))/norm2(x)")(x=x) == 1
    np.testing.assert_allclose(parse("1 - cos(norm2(x))")(x=x), 5e-19, rtol=1e-12)
    np.testing.assert_allclose(parse("(1-cos(norm2(x)))/norm2(x)^2")(x=x), 0.5, rtol=1e-12)


ODD = {"tanh": -2, "sinh": 1, "tan": 2, "arctan": -2, "arcsin": 1, "arcsinh": -1, "arctanh": 2}


@pytest.mark.parametrize("name", [*ODD, "erf"])
def test_odd_maps_over_norms_are_those_of_jax(name):
    import jax

    jax.config.update("jax_enable_x64", True)
    xp = jax.numpy
    map_ = jax.scipy.special.erf if name == "erf" else getattr(xp, name)
    expression = parse(f"{name}(norm2(x))/norm2(x)")
    slope = 2 / np.sqrt(np.pi) if name == "erf" else 1.0
    third = -2 * slope if name == "erf" else ODD[name]
    tiny = 1e-9 * np.array([0.6, 0.0, -0.8])
    assert expression(x=tiny) == slope == expression(x=0 * tiny)
    np.testing.assert_allclose(expression.gradient("x")(x=tiny), third / 3 * tiny, rtol=1e-12)
    for size in (0.1, 0.499, 0.501, 0.9, 0.99) + ((1.5,) if ODD.get(name, -2) == -2 else ()):
        x = size * np.array([0.6, 0.0, -0.8])
        function = lambda x: map_(xp.sqrt(x @ x)) / xp.sqrt(x @ x)  # noqa: E731
        for order in range(4):
            ours = expression.derivative(*["x"] * order)(x=x) if order else expression(x=x)
            expected = function(x)
            worst = np.abs(expected).max() * (1e-13 if size > 0.4 else 1e-10) * 10**order
            np.testing.assert_allclose(ours, expected, rtol=1e-9, atol=worst)
            function = jax.jacfwd(function)
    for target in ("numpy", "torch"):
        namespace = {}
        exec(expression.code(target), namespace)
        for x in (0.9 * tiny / 1e-9, tiny):
            given = torch.as_tensor(x) if target == "torch" else x
            value, gradient = namespace["value_and_gradient"](given)
            np.testing.assert_allclose(value, expression(x=x), rtol=1e-13)
            np.testing.assert_allclose(gradient, expression.gradient("x")(x=x), rtol=1e-11)


def test_rows_of_zeros_have_a_first_derivative():
    W = np.array([[0.0, 0.0], [3.0, 4.0]])
    for text in ("sum(norm2(W, 1))", "sum(sqrt(sum(W.^2, 1)))", "sum(norm2(W', 0))"):
        expression = parse(text)
        assert expression(W=W) == 5
        np.testing.assert_allclose(expression.gradient("W")(W=W), [[0, 0], [0.6, 0.8]])
        hessian = expression.hessian("W")(W=W)
        unit = np.array([0.6, 0.8])
        np.testing.assert_allclose(hessian[1, :, 1], (np.eye(2) - np.outer(unit, unit)) / 5)
        assert np.isnan(hessian[0, :, 0]).any()
    squared = parse("sum(norm2(W, 1).^2)").hessian("W")(W=W)
    np.testing.assert_allclose(squared.reshape(4, 4), 2 * np.eye(4))


@pytest.mark.parametrize(
    "text",
    ["log(det(X))", "sum(sqrt(X).*sqrt(X))", "sum((X.^0.5).^2)", "sum(exp(log(X)))",
     "sum(exp(2*log(X)))", "sum(log(X.^3))", "sum(X.^1.5 .* X.^0.5)", "sum((X.^0.25).^4)"],
)  # fmt: skip
def test_rewrites_keep_the_domain(text):
    outside = np.array([[2.0, 0.5], [0.25, -1.0]])
    inside = np.array([[2.0, 0.5], [0.25, 1.0]])
    assert np.isnan(parse(text)(X=outside))
    assert np.isfinite(parse(text)(X=inside))
    assert np.isfinite(parse(text).hessian("X")(X=inside)).all()


def test_log_det_beside_its_inverse():
    expression = parse("log(det(X)) + tr(inv(X)*Z)")  # one factorisation serves both
    X = np.diag([2.0, -3.0, 1.0])
    assert np.isnan(expression(X=X, Z=EYE))
    value = expression(X=X[[1, 0, 2]], Z=EYE)
    np.testing.assert_allclose(value, np.log(6) + np.trace(np.linalg.inv(X[[1, 0, 2]])))


@pytest.mark.parametrize("size", [1e-9, 0.1, 1.9, 2.1, 30.0])
def test_cosines_of_norms_are_those_of_jax(size):
    import jax

    jax.config.update("jax_enable_x64", True)
    np_ = jax.numpy
    x = size * np.array([0.6, 0.0, -0.8])
    given = {"x": x, "c": 1.3}
    cosine = parse("cos(c*norm2(x))")
    np.testing.assert_allclose(cosine(**given), np.cos(1.3 * size))
    function = jax.grad(lambda x: np_.cos(1.3 * np_.sqrt(x @ x)))
    for order in (1, 2, 3):
        ours = cosine.derivative(*["x"] * order)(**given)
        if size > 1e-3 or order == 1:
            np.testing.assert_allclose(ours, function(x), rtol=1e-9, atol=1e-9)
        else:
            np.testing.assert_allclose(ours, -(1.3**2) * EYE if order == 2 else 0 * ours, atol=1e-7)
        function = jax.jacfwd(function)
    assert str(cosine) in ("cos(c*sqrt(x'*x))", "cos(sqrt(x'*x)*c)")
