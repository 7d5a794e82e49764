"""Quotients of exponentials at any margin: what overflows, or vanishes, above and below."""

import mpmath
import numpy as np
import pytest

from curate.calculus import parse

m = mpmath.mp
# text, its value by mpmath
TEXTS = {
    "(exp(x)-1)/(exp(x)+1)": lambda x: m.tanh(x / 2),
    "(exp(x)-exp(-x))/(exp(x)+exp(-x))": lambda x: m.tanh(x),
    "sinh(x)/cosh(x)": lambda x: m.tanh(x),
    "2/(exp(x)+exp(-x))": lambda x: m.sech(x),
    "1/cosh(x)^2": lambda x: m.sech(x) ** 2,
    "exp(x-exp(x))": lambda x: m.exp(x - m.exp(min(x, 50))),
    "exp(-x^2/2)/(0.5*(1+erf(x/sqrt(2))))": lambda x: 2 * m.exp(-x * x / 2) / erfc(-x),
    "exp(-x^2/2)/(1-0.5*(1+erf(x/sqrt(2))))": lambda x: 2 * m.exp(-x * x / 2) / erfc(x),
    "log(exp(x)+exp(-x))": lambda x: m.log(2 * m.cosh(x)),
    "log(sinh(x)/x)": lambda x: m.log(m.sinh(x) / x),
    "log((1-exp(-x))/x)": lambda x: m.log(-m.expm1(-x) / x),
    "x/(exp(x)-1)": lambda x: x / m.expm1(x),
    "x^2*exp(x)/(exp(x)-1)^2": lambda x: x**2 * m.exp(x) / m.expm1(x) ** 2,
    "1/(exp(x)-1)-1/x": lambda x: 1 / m.expm1(x) - 1 / x,
}  # fmt: skip


def erfc(x):
    return m.erfc(x / m.sqrt(2))


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("order", [0, 1, 2])
def test_at_any_margin(text, order):
    got = parse(text, x="scalar")
    for _ in range(order):
        got = got.derivative("x")
    for x in (1e-9, -1e-3, 0.7, -2.5, 20, -30, 90, -90, 300, -400, 800, -800, 1e4, -1e4):
        if abs(x) > 1000 and "erf" in text:
            continue  # beyond what mpmath computes in a moment
        with m.workdps(900):
            want = float(m.diff(TEXTS[text], m.mpf(x), order, h=m.mpf("1e-100")))
        # the third derivative of the normal distribution's logarithm cancels far out
        cancels = "erf" in text and order == 2
        least = 1e-10 if cancels else 1e-13
        assert float(got(x=float(x))) == pytest.approx(want, rel=1e-10, abs=least), x
        at = float(got.compile(dtype="float32")(x=np.float32(x)))
        if abs(want) < 1e30 and not cancels:
            assert at == pytest.approx(want, rel=2e-4, abs=1e-6), x


def test_one_minus_a_cosine_keeps_its_digits():
    for text in ("1-cos(x)", "2-2*cos(x)"):
        factor = 2 if "2" in text else 1
        assert float(parse(text, x="scalar")(x=1e-9)) == pytest.approx(factor * 5e-19, rel=1e-14)


def test_logarithms_of_products_keep_their_domain():
    value = parse("log((1-exp(-x))*y)", x="scalar", y="scalar")(x=-1.0, y=-2.0)
    assert float(value) == pytest.approx(np.log(2 * np.expm1(1.0)))
