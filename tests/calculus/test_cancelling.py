"""Poles that cancel: exact at 0 and beside it, by the power series of the whole."""

import math
import pickle

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.calculus import parse

m = mpmath.mp
# text, its value by mpmath
SCALARS = {
    "(exp(x)-1-x)/x^2": lambda x: (m.exp(x) - 1 - x) / x**2,
    "(x-sin(x))/x^3": lambda x: (x - m.sin(x)) / x**3,
    "(x-tanh(x))/x^3": lambda x: (x - m.tanh(x)) / x**3,
    "(sinh(x)-x)/x^3": lambda x: (m.sinh(x) - x) / x**3,
    "1/tanh(x)-1/x": lambda x: m.coth(x) - 1 / x,
    "log(cosh(x))/x^2": lambda x: m.log(m.cosh(x)) / x**2,
    "(sqrt(1+x)-1)/x": lambda x: (m.sqrt(1 + x) - 1) / x,
    "(sqrt(2+x)-sqrt(2))/x": lambda x: (m.sqrt(2 + x) - m.sqrt(2)) / x,
    "(log(1+x)-x)/x^2": lambda x: (m.log1p(x) - x) / x**2,
    "(1-exp(-x)-x*exp(-x))/x^2": lambda x: (1 - m.exp(-x) - x * m.exp(-x)) / x**2,
    "(cos(x)-1+x^2/2)/x^4": lambda x: (m.cos(x) - 1 + x**2 / 2) / x**4,
    "1/(exp(x)-1)-1/x": lambda x: 1 / m.expm1(x) - 1 / x,
    "1/(exp(x)-1)-1/x+0.5": lambda x: 1 / m.expm1(x) - 1 / x + 0.5,
    "(atan(x)-x)/x^3": lambda x: (m.atan(x) - x) / x**3,
    "(asin(x)-x)/x^3": lambda x: (m.asin(x) - x) / x**3,
    "(x*cos(x)-sin(x))/x^2": lambda x: (x * m.cos(x) - m.sin(x)) / x**2,
    "cos(x)/x-sin(x)/x^2": lambda x: m.cos(x) / x - m.sin(x) / x**2,
    "(sin(x)/x-cos(x))/x^2": lambda x: (m.sin(x) / x - m.cos(x)) / x**2,
    "log(sinh(x)/x)": lambda x: m.log(m.sinh(x) / x),
    "log((exp(x)-1)/x)": lambda x: m.log(m.expm1(x) / x),
    "((1+x)^2.5-1)/x": lambda x: ((1 + x) ** 2.5 - 1) / x,
    "((1+x)^(-3)-1)/x": lambda x: ((1 + x) ** -3 - 1) / x,
    "x^3/(x-sin(x))": lambda x: x**3 / (x - m.sin(x)),
    "1/x^2-1/sin(x)^2": lambda x: 1 / x**2 - 1 / m.sin(x) ** 2,
    "1/log(1+x)-1/x": lambda x: 1 / m.log1p(x) - 1 / x,
    "(exp(2*x)-1-2*x)/x^2": lambda x: (m.exp(2 * x) - 1 - 2 * x) / x**2,
    "(exp(x/40)-1-x/40)/x^2": lambda x: (m.exp(x / 40) - 1 - x / 40) / x**2,
    "x/(x+x^2)": lambda x: 1 / (1 + x),
    "exp(x)*(x-sin(x))/x^3": lambda x: m.exp(x) * (x - m.sin(x)) / x**3,
    "((x-sin(x))/x^3)^2": lambda x: ((x - m.sin(x)) / x**3) ** 2,
    "(softplus(x)-log(2)-x/2)/x^2": lambda x: (m.log1p(m.exp(x)) - m.log(2) - x / 2) / x**2,
    "(sigmoid(x)-1/2)/x": lambda x: (1 / (1 + m.exp(-x)) - m.mpf(0.5)) / x,
    "(exp(x)-1-x-x^2/2-x^3/6)/x^4": lambda x: (m.exp(x) - 1 - x - x**2 / 2 - x**3 / 6) / x**4,
}  # fmt: skip
HALF_LINES = ("sqrt", "log(1+x)", "(1+x)", "(x+x^2)", "asin")
"""What is in the texts that are not defined below -1, or, the last, beyond 1."""


def derived(text, order):
    expression = parse(text, x="scalar")
    for _ in range(order):
        expression = expression.derivative("x")
    return expression


def true_value(text, x, order):
    """The derivative by mpmath; a limit is the value where the difference is no double's."""
    with m.workdps(300):
        at = m.mpf(x) if x else m.mpf("1e-40")
        return float(m.re(m.diff(SCALARS[text], at, order, h=m.mpf("1e-45"))))


def inside(text, x):
    half = any(part in text for part in HALF_LINES)
    return not half or -1 < x < (1 if "asin" in text else math.inf)


@pytest.mark.parametrize("text", SCALARS)
@pytest.mark.parametrize("order", [0, 1, 2])
def test_limits_at_0_and_all_digits_beside_it(text, order):
    got = derived(text, order)
    in_float32 = got.compile(dtype="float32")
    for x in (0, 1e-12, -1e-9, 1e-6, -1e-3, 0.1, 0.34, -0.5, 0.55, 0.7, -0.9, 1.5, 3, -4, 10):
        if inside(text, x):
            want = true_value(text, x, order)
            assert float(got(x=x)) == pytest.approx(want, rel=1e-12, abs=1e-25), x
            near = np.float32(x)
            want = true_value(text, float(near), order)
            assert float(in_float32(x=near)) == pytest.approx(want, rel=1e-5, abs=1e-25), x


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(SCALARS)), st.floats(-10, 10), st.integers(0, 2))
def test_anywhere(text, x, order):
    if inside(text, x) and (abs(x) > 1e-12 or x == 0) and (1 + x > 1e-2 or not inside(text, -9)):
        got = float(derived(text, order)(x=x))
        want = true_value(text, x, order)
        # derivatives have zeros of their own, beside which nothing keeps its digits
        assert got == pytest.approx(want, rel=1e-11, abs=1e-14)


@pytest.mark.parametrize("text", SCALARS)
def test_elementwise_as_alone(text):
    points = np.array([0.0, 1e-7, -0.5, 0.0, 0.8])
    elementwise = text.replace("*", ".*").replace("/", "./").replace("^", ".^")
    hessian = parse(f"sum({elementwise})", x="vector").hessian("x")
    expected = [float(derived(text, 2)(x=x)) for x in points]
    np.testing.assert_allclose(hessian(x=points), np.diag(expected), rtol=1e-12, atol=1e-20)


# text, where its pole is, its value by mpmath
SHIFTED = [
    ("log(x)/(x-1)", 1, lambda x: m.log(x) / (x - 1)),
    ("x*log(x)/(1-x)", 1, lambda x: x * m.log(x) / (1 - x)),
    ("(x*log(x)-x+1)/(x-1)^2", 1, lambda x: (x * m.log(x) - x + 1) / (x - 1) ** 2),
    ("(sqrt(x)-2)/(x-4)", 4, lambda x: (m.sqrt(x) - 2) / (x - 4)),
    ("(x^5-1)/(2*x-2)", 1, lambda x: (x**5 - 1) / (2 * x - 2)),
    ("log(2*x)/(2*x-1)", 0.5, lambda x: m.log(2 * x) / (2 * x - 1)),
]


@pytest.mark.parametrize(("text", "pole", "function"), SHIFTED, ids=[s[0] for s in SHIFTED])
@pytest.mark.parametrize("order", [0, 1, 2])
def test_poles_elsewhere(text, pole, function, order):
    got = derived(text, order)
    small = 1e-9 - pole  # where the argument has lost the digits of x
    for distance in (0, 2.0**-40, -(2.0**-20), 1e-3, 0.1, -0.2, 0.3, -0.45, 0.8, 3, small):
        x = pole + distance
        with m.workdps(300):
            at = m.mpf(x) + (0 if distance else m.mpf("1e-40"))
            want = float(m.diff(function, at, order, h=m.mpf("1e-45")))
        assert float(got(x=x)) == pytest.approx(want, rel=1e-12), x


EYE = np.eye(3)
A = np.random.default_rng(0).random((3, 3))
# text, value at 0, Hessian at 0 (None: NaN, it is a multiple of the norm); the gradient is 0
NORMS = [
    ("(norm2(x)-sin(norm2(x)))/norm2(x)^3", 1 / 6, -EYE / 60),
    ("(1-cos(norm2(x)))/norm2(x)^2", 1 / 2, -EYE / 12),
    ("(norm2(x)/tanh(norm2(x))-1)/norm2(x)^2", 1 / 3, -2 / 45 * EYE),
    ("(1-norm2(x)/tan(norm2(x)))/norm2(x)^2", 1 / 3, 2 / 45 * EYE),
    ("(1-norm2(x)/2/tan(norm2(x)/2))/norm2(x)^2", 1 / 12, EYE / 360),
    ("log(sinh(norm2(x))/norm2(x))", 0, EYE / 3), ("1/tanh(norm2(x))-1/norm2(x)", 0, None),
    ("log(cosh(norm2(x)))/norm2(x)^2", 1 / 2, -EYE / 6),
    ("(x'*x/2-1+cos(norm2(x)))/(x'*x)^2", 1 / 24, -EYE / 360),
    ("(exp(-x'*x)-1+x'*x)/(x'*x)^2", 1 / 2, -EYE / 3),
    ("norm2(x)*(1/tanh(norm2(x))-1/norm2(x))", 0, 2 / 3 * EYE),
    ("sum((abs(x)-sin(abs(x)))./abs(x).^3)", 1 / 2, -EYE / 60),
    ("sum((A*x-sin(A*x))./(A*x).^3)", 1 / 2, -A.T @ A / 60),
    ("sum((x-z-sin(x-z))./(x-z).^3)", 1 / 2, -EYE / 60),
    ("sum((exp(x.*y)-1-x.*y-(x.*y).^2/2)./x.^3)", 6, np.diag([1, 32, 243]) / 60),
]  # fmt: skip


@pytest.mark.parametrize(("text", "value", "hessian"), NORMS, ids=[n[0] for n in NORMS])
def test_of_norms_and_other_arguments(text, value, hessian):
    expression = parse(text)
    given = {"x": np.zeros(3), "z": np.zeros(3), "y": np.arange(1.0, 4.0), "A": A}

    def at(one):
        return np.asarray(one(**{name: given[name] for name in one.scope}))

    assert at(expression) == pytest.approx(value)
    slope = at(expression.gradient("x"))
    np.testing.assert_allclose(slope, [1 / 24, 16 / 24, 81 / 24] if "y" in text else 0, atol=1e-15)
    if hessian is None:
        assert np.isnan(at(expression.hessian("x"))).all()
    else:
        np.testing.assert_allclose(at(expression.hessian("x")), hessian, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("text", [text for text, *_ in NORMS])
def test_elsewhere_as_finite_differences_of_mpmath(text):
    rng = np.random.default_rng(1)
    given = {"x": rng.normal(size=3), "z": rng.normal(size=3), "A": A, "y": np.arange(1.0, 4.0)}
    expression = parse(text)
    names = {name: given[name] for name in expression.scope}

    def exactly(x):
        r = m.sqrt(sum(v * v for v in x))
        one = {
            "sin": lambda u: (u - m.sin(u)) / u**3,
            "exp": lambda u, c: (m.exp(u * c) - 1 - u * c - (u * c) ** 2 / 2) / u**3,
        }
        if "A" in text:
            return sum(one["sin"](sum(A[i, j] * x[j] for j in range(3))) for i in range(3))
        if "z" in text:
            return sum(one["sin"](v - z) for v, z in zip(x, given["z"], strict=True))
        if "abs" in text:
            return sum(one["sin"](abs(v)) for v in x)
        if "y" in text:
            return sum(one["exp"](v, c) for v, c in zip(x, given["y"], strict=True))
        scalar = text.replace("norm2(x)", "r").replace("x'*x", "r^2").replace("^", "**")
        return eval(scalar, {name: getattr(m, name) for name in FUNCTIONS} | {"r": r})

    with m.workdps(60):
        x = [m.mpf(v) for v in given["x"]]
        h = m.mpf("1e-15")
        want = []
        for i in range(3):
            up, down = ([v + s * h * (j == i) for j, v in enumerate(x)] for s in (1, -1))
            want.append(float((exactly(up) - exactly(down)) / (2 * h)))
        assert float(expression(**names)) == pytest.approx(float(exactly(x)), rel=1e-12)
    np.testing.assert_allclose(expression.gradient("x")(**names), want, rtol=1e-11)


FUNCTIONS = ("sin", "cos", "tan", "tanh", "sinh", "cosh", "exp", "log")


@pytest.mark.parametrize("text", SCALARS)
@pytest.mark.parametrize("backend", ["numpy", "jax", "torch"])
def test_alone(text, backend):
    import jax

    jax.config.update("jax_enable_x64", True)
    elementwise = text.replace("*", ".*").replace("/", "./").replace("^", ".^")
    expression = parse(f"sum({elementwise})", x="vector(8)")
    gradient = expression.gradient("x")
    x = np.array([0.0, 1e-9, -1e-5, 0.1, -0.3, 0.45, 0.6, -0.9])
    names: dict = {}
    exec(expression.code(backend), names)
    make = {"numpy": np.asarray, "jax": jax.numpy.asarray, "torch": torch.as_tensor}[backend]
    value, slope = names["value_and_gradient"](make(x))
    assert float(value) == pytest.approx(float(expression(x=x)), rel=1e-12)
    np.testing.assert_allclose(np.asarray(slope), gradient(x=x), rtol=1e-12, atol=1e-20)


@pytest.mark.parametrize("text", [*SCALARS, *(text for text, *_ in NORMS[:3])])
def test_read_again_and_pickled(text):
    value = np.zeros(3) if "norm2" in text else 0.0
    kinds = {} if "norm2" in text else {"x": "scalar"}
    first = parse(text, **kinds).derivative("x")
    np.testing.assert_allclose(parse(str(first), **kinds)(x=value), first(x=value), atol=1e-15)
    second = first.derivative("x")
    again = pickle.loads(pickle.dumps(second))
    np.testing.assert_array_equal(again(x=value), second(x=value))
    np.testing.assert_array_equal(again.derivative("x")(x=value), second.derivative("x")(x=value))


@pytest.mark.parametrize(
    "text",
    ["(sqrt(x)-x)/x", "(abs(x)-sin(x))/x", "(exp(x)-1.0000000000000002)/x", "(x-sin(x))/x^4",
     "(relu(x)-sin(x))/x", "log(x)/x", "(sqrt(x^2)-sin(x))/x", "1/tanh(x)-2/x", "(sign(x)-x)/x"],
)  # fmt: skip
def test_what_has_no_limit_has_no_finite_value(text):
    for order in (0, 1):
        assert not np.isfinite(derived(text, order)(x=0.0))


def test_a_pole_that_stays_keeps_its_digits():
    with m.workdps(50):
        x = m.mpf(1e-5)
        want = float((x - m.sin(x)) / x**4)
    assert float(derived("(x-sin(x))/x^4", 0)(x=1e-5)) == pytest.approx(want, rel=1e-14)


def test_what_does_not_cancel_is_left():
    for text in ("1/x + 1/(1+x)", "x/(1+x^2)", "(1-x)/x", "log(1+1/x^2)", "sin(x)/(1+cos(x))"):
        assert "germ" not in parse(text, x="scalar").derivative("x").einsum()
