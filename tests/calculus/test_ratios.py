"""Quotients of two things that vanish together: their limits, and no digit lost beside them."""

import math

import mpmath
import numpy as np
import pytest

from curate.calculus import parse

m = mpmath.mp
# text, its value by mpmath
SCALARS = {
    "sin(x)/x": lambda x: m.sin(x) / x, "x/sin(x)": lambda x: x / m.sin(x),
    "(1-cos(x))/x^2": lambda x: (1 - m.cos(x)) / x**2, "(1-cos(x))/x": lambda x: (1 - m.cos(x)) / x,
    "(2-2*cos(3*x))/x^2": lambda x: (2 - 2 * m.cos(3 * x)) / x**2,
    "x^2/(1-cos(x))": lambda x: x**2 / (1 - m.cos(x)),
    "(cosh(x)-1)/x^2": lambda x: (m.cosh(x) - 1) / x**2,
    "(exp(x)-1)/x": lambda x: m.expm1(x) / x, "x/(exp(x)-1)": lambda x: x / m.expm1(x),
    "(1-exp(-x))/x": lambda x: -m.expm1(-x) / x, "x/(1-exp(-x))": lambda x: -x / m.expm1(-x),
    "log(1+x)/x": lambda x: m.log1p(x) / x, "log1p(x)/x": lambda x: m.log1p(x) / x,
    "x/log1p(x)": lambda x: x / m.log1p(x), "log(1-x)/x": lambda x: m.log1p(-x) / x,
    "tanh(x)/x": lambda x: m.tanh(x) / x, "x/tanh(x)": lambda x: x / m.tanh(x),
    "sinh(x)/x": lambda x: m.sinh(x) / x, "x/sinh(x)": lambda x: x / m.sinh(x),
    "tan(x)/x": lambda x: m.tan(x) / x, "x/tan(x)": lambda x: x / m.tan(x),
    "atan(x)/x": lambda x: m.atan(x) / x, "x/atan(x)": lambda x: x / m.atan(x),
    "asin(x)/x": lambda x: m.asin(x) / x, "x/asin(x)": lambda x: x / m.asin(x),
    "asinh(x)/x": lambda x: m.asinh(x) / x, "x/asinh(x)": lambda x: x / m.asinh(x),
    "atanh(x)/x": lambda x: m.atanh(x) / x, "x/atanh(x)": lambda x: x / m.atanh(x),
    "erf(x)/x": lambda x: m.erf(x) / x, "x/erf(x)": lambda x: x / m.erf(x),
    "sin(2*x)/(3*x)": lambda x: m.sin(2 * x) / (3 * x), "tanh(x/2)/x": lambda x: m.tanh(x / 2) / x,
    "sin(x)^2/x^2": lambda x: (m.sin(x) / x) ** 2, "x^3/sin(x)^3": lambda x: (x / m.sin(x)) ** 3,
    "(sin(x)/x)^5": lambda x: (m.sin(x) / x) ** 5, "sin(x^2)/x": lambda x: m.sin(x**2) / x,
    "sin(x)/tanh(x)": lambda x: m.sin(x) / m.tanh(x), "x*cosh(x)/sinh(x)": lambda x: x * m.coth(x),
    "(exp(x)-1)/sin(x)": lambda x: m.expm1(x) / m.sin(x),
    "exp(x)*x/(exp(x)-1)": lambda x: x * m.exp(x) / m.expm1(x),
}  # fmt: skip


def derived(text, order):
    expression = parse(text, x="scalar")
    for _ in range(order):
        expression = expression.derivative("x")
    return expression


@pytest.mark.parametrize("text", SCALARS)
@pytest.mark.parametrize("order", [0, 1, 2])
def test_limits_at_0_and_all_digits_beside_it(text, order):
    got = derived(text, order)
    with m.workdps(120):
        for x in (0, 1e-12, -1e-9, 1e-6, 1e-3, -1e-3, 0.1, 0.34, 0.36, -0.59, 0.61, 0.9):
            # a limit is the value so near to 0 that the difference is no double's
            at = m.mpf(x) if x else m.mpf("1e-25")
            want = float(m.diff(SCALARS[text], at, order, h=m.mpf("1e-14") if x else None))
            assert float(got(x=x)) == pytest.approx(want, rel=3e-13, abs=1e-20), x


@pytest.mark.parametrize("text", SCALARS)
def test_elementwise_as_alone(text):
    points = np.array([0.0, 1e-7, -0.5, 0.0, 0.8])
    elementwise = text.replace("*", ".*").replace("/", "./").replace("^", ".^")
    gradient = parse(f"sum({elementwise})", x="vector").gradient("x")
    one = derived(text, 1)
    expected = [float(one(x=x)) for x in points]
    np.testing.assert_allclose(gradient(x=points), expected, rtol=1e-12, atol=1e-20)


ZERO, EYE = np.zeros(3), np.eye(3)
A = np.random.default_rng(0).random((3, 3))
NAN = "NaN"
# text, value at 0, factor or Hessian at 0; the gradient is 0
NORMS = [
    ("norm2(x)/tanh(norm2(x))", 1, 2 / 3 * EYE), ("norm2(x)/sinh(norm2(x))", 1, -1 / 3 * EYE),
    ("norm2(x)/sin(2*norm2(x))", 0.5, 2 / 3 * EYE), ("sin(norm2(x))/norm2(x)", 1, -1 / 3 * EYE),
    ("norm2(x)/arctan(norm2(x))", 1, 2 / 3 * EYE), ("log1p(norm2(x))/norm2(x)", 1, NAN),
    ("expm1(norm2(x))/norm2(x)", 1, NAN), ("norm2(x)/expm1(norm2(x))", 1, NAN),
    ("log(1+norm2(x))/norm2(x)", 1, NAN), ("norm2(x)*log1p(norm2(x))", 0, 2 * EYE),
    ("norm2(x)*expm1(norm2(x))", 0, 2 * EYE), ("norm2(x)^2/sinh(norm2(x))^2", 1, -2 / 3 * EYE),
    ("norm2(x)^2/(1-cos(norm2(x)))", 2, EYE / 3), ("norm2(x)^3/sinh(norm2(x))^3", 1, -EYE),
    ("log(1+x'*x)/(x'*x)", 1, -EYE), ("(exp(-x'*x)-1)/(x'*x)", -1, EYE),
    ("norm2(x)^2/log1p(norm2(x)^2)", 1, EYE), ("sin(norm2(x))/sinh(norm2(x))", 1, -2 / 3 * EYE),
    ("sum(abs(x)./tanh(abs(x)))", 3, 2 / 3 * EYE), ("sqrt(x'*x)/tanh(sqrt(x'*x))", 1, 2 / 3 * EYE),
    ("sum((A*x)./sinh(A*x))", 3, -A.T @ A / 3), ("sum(sinh(2*A*x)./(A*x))", 6, 8 / 3 * A.T @ A),
    ("(1-cos(A*x))'*(1./(A*x).^2)", 1.5, -A.T @ A / 12), ("prod(sin(x)./x)", 1, -EYE / 3),
    ("expm1(norm2(x))/norm2(x) - norm2(x)/2", 1, NAN),
]  # fmt: skip


@pytest.mark.parametrize(("text", "value", "hessian"), NORMS, ids=[n[0] for n in NORMS])
def test_of_norms(text, value, hessian):
    expression = parse(text)
    given = {"x": ZERO, "A": A}

    def at(one):
        return np.asarray(one(**{name: given[name] for name in one.scope}))

    assert at(expression) == pytest.approx(value)
    assert not at(expression.gradient("x")).any()
    if isinstance(hessian, str):
        assert np.isnan(at(expression.hessian("x"))).any()  # a multiple of the norm itself
    else:
        np.testing.assert_allclose(at(expression.hessian("x")), hessian, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    ("text", "jax_text"),
    [
        ("sum((B*x)./sinh(A*x))", "np.sum((B@x)/np.sinh(A@x))"),
        ("sum((2*A*x)./tanh(3*A*x))", "np.sum(2*(A@x)/np.tanh(3*(A@x)))"),
        ("sum((A*x).*(A*x)./expm1(A*x))", "np.sum((A@x)**2/np.expm1(A@x))"),
        ("sum(x*x'./tanh(x*x'))", "np.sum(np.outer(x,x)/np.tanh(np.outer(x,x)))"),
        ("sum(tanh(x.*z)./x)", "np.sum(np.tanh(x*z)/x)"),
        ("x'*z/sin(2*x'*z)", "(x@z)/np.sin(2*(x@z))"),
        ("sum(abs(x).^3./sinh(abs(x)).^2)", "np.sum(abs(x)**3/np.sinh(abs(x))**2)"),
        ("norm2(x)*log1p(norm2(x))", "r*np.log1p(r)"),
        ("norm2(x)^2/(1-cos(norm2(x)))", "r**2/(1-np.cos(r))"),
        ("sum(arctan(x-z)./(z-x))", "np.sum(np.arctan(x-z)/(z-x))"),
        ("tr(A*diag(sin(x)./x))", "np.sum(np.diag(A)*np.sin(x)/x)"),
        ("sum(log(1+x.^2)./x)", "np.sum(np.log1p(x**2)/x)"),
        ("norm2(x'*x*x.*z/sinh(x'*z))^2", "np.sum(((x@x)*x*z/np.sinh(x@z))**2)"),
    ],
)
@pytest.mark.parametrize("seed", [0, 1])
def test_elsewhere_as_jax(text, jax_text, seed):
    import jax

    jax.config.update("jax_enable_x64", True)
    rng = np.random.default_rng(seed)
    given = {"A": rng.normal(size=(3, 3)), "B": rng.normal(size=(3, 3)), "z": rng.normal(size=3)}
    x = rng.normal(size=3)

    def function(x):
        names = {**given, "np": jax.numpy, "x": x, "r": jax.numpy.sqrt(x @ x)}
        return eval(jax_text, names)

    expression = parse(text)
    for order in (expression, expression.gradient("x"), expression.hessian("x")):
        expected = function(x)
        values = {**given, "x": x}
        got = order(**{name: values[name] for name in order.scope})
        np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-9)
        function = jax.grad(function) if order is expression else jax.jacfwd(function)


def test_large_arguments_do_not_overflow():
    for text, limit in [("x/(exp(x)-1)", 0), ("x/sinh(x)", 0), ("x/(1-exp(-x))", 1)]:
        for order, want in [(1, limit), (2, 0)]:
            for x in (300.0, 800.0, 1e4):
                assert float(derived(text, order)(x=x)) == pytest.approx(want, abs=1e-100)
    # (x - 2) exp(-x); powers of exp(x) overflow from 237 on
    assert float(derived("x/(exp(x)-1)", 2)(x=300.0)) == pytest.approx(298 * math.exp(-300))


@pytest.mark.parametrize("name", ["sin", "tanh", "erf", "expm1", "log1p", "arcsin"])
@pytest.mark.parametrize("backend", ["numpy", "jax", "torch"])
def test_alone_and_read_again(name, backend):
    for text in (f"sum({name}(x)./x)", f"sum(x./{name}(x))"):
        expression = parse(text, x="vector(5)")
        gradient = expression.gradient("x")
        x = np.array([0.0, 1e-6, -0.19, 0.21, 0.7])
        want = gradient(x=x)
        np.testing.assert_allclose(parse(str(gradient), x="vector(5)")(x=x), want, rtol=1e-13)
        names: dict = {}
        exec(expression.code(backend), names)
        import jax
        import torch

        jax.config.update("jax_enable_x64", True)
        make = {"numpy": np.asarray, "jax": jax.numpy.asarray, "torch": torch.as_tensor}[backend]
        value, slope = names["value_and_gradient"](make(x))
        np.testing.assert_allclose(np.asarray(value), expression(x=x), rtol=1e-12)
        np.testing.assert_allclose(np.asarray(slope), want, rtol=1e-10, atol=1e-16)
