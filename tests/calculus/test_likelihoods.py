"""Likelihoods as people write them, at margins where a direct evaluation is NaN."""

import functools

import mpmath
import numpy as np
import pytest

from curate.calculus import parse

MARGINS = [-1e4, -800.0, -37.5, -3.0, -0.2, 0.1, 2.0, 17.5, 37.5, 800.0, 1e4]
mp = mpmath.mp.clone()
mp.dps = 60


def log_normal(x):
    if x > 0:
        return mp.log1p(-mp.erfc(x / mp.sqrt(2)) / 2)
    return mp.log(mp.erfc(-x / mp.sqrt(2)) / 2)


# text in x (and its negation where both labels matter), and the true function
LIKELIHOODS = [
    ("-b*log(sigmoid(x))-(1-b)*log(1-sigmoid(x))", lambda x: mp.log1p(mp.exp(-x)), {"b": 1.0}),
    ("-b*log(sigmoid(x))-(1-b)*log(1-sigmoid(x))", lambda x: mp.log1p(mp.exp(x)), {"b": 0.0}),
    ("-log(1-1./(1+exp(-x)))", lambda x: mp.log1p(mp.exp(x)), {}),
    ("-log(1-exp(x)./(1+exp(x)))", lambda x: mp.log1p(mp.exp(x)), {}),
    ("log(sigmoid(x)./(1-sigmoid(x)))", lambda x: x, {}),
    ("log(0.5*(1+tanh(x/2)))", lambda x: -mp.log1p(mp.exp(-x)), {}),
    ("log((1+erf(x/sqrt(2)))/2)", log_normal, {}),
    ("log(1-0.5*(1+erf(x/sqrt(2))))", lambda x: log_normal(-x), {}),
    ("log(erfc(x))", lambda x: mp.log(mp.erfc(x)), {}),
    ("log_ndtr(x)", log_normal, {}),
    ("log(1-exp(-exp(x)))", lambda x: mp.log(-mp.expm1(-mp.exp(x))) if x < 10 else mp.mpf(0), {}),
    ("log(sigmoid(x+1)-sigmoid(x-1))", lambda x: mp.log(
        mp.sinh(1) / (mp.cosh(x) + mp.cosh(1))), {}),
]  # fmt: skip


# text in a weight c and a margin x, and the true function
MIXTURES = [
    ("log(c*exp(x)+(1-c)*exp(-x))", lambda c, x: mp.log(c * mp.exp(x) + (1 - c) * mp.exp(-x))),
    ("log(c+(1-c)*sigmoid(x))", lambda c, x: mp.log(c + (1 - c) / (1 + mp.exp(-x)))),
    ("log(c*sigmoid(-x)+(1-c)*sigmoid(x))",
     lambda c, x: mp.log(c / (1 + mp.exp(x)) + (1 - c) / (1 + mp.exp(-x)))),
    ("log(c*exp(-x^2/2)+(1-c)*exp(-(x-1)^2/2)/2)",
     lambda c, x: mp.log(c * mp.exp(-x * x / 2) + (1 - c) * mp.exp(-((x - 1) ** 2) / 2) / 2)),
    ("log(sigmoid(c)*exp(x)+(1-sigmoid(c))*exp(-x))",
     lambda c, x: mp.log(mp.exp(x + c) + mp.exp(-x)) - mp.log1p(mp.exp(c))),
]  # fmt: skip


@pytest.mark.parametrize("case", MIXTURES, ids=lambda case: case[0])
@pytest.mark.parametrize("c", [0.0, 0.3, 1.0])
def test_mixtures_at_every_margin(case, c):
    text, function = case
    expression = parse(text, x="scalar")
    for order in range(3):
        derived = expression.derivative(*["x"] * order) if order else expression
        for x in MARGINS:
            expected = float(mp.diff(functools.partial(function, mp.mpf(c)), mp.mpf(x), order))
            lost = 1e-15 * (1 + abs(x)) ** order  # the slopes of the components cancel
            result = derived(x=x, c=c)
            np.testing.assert_allclose(result, expected, rtol=1e-8, atol=lost, err_msg=f"{x}")
            assert np.isfinite(derived(x=np.float32(x), c=np.float32(c))), x


@pytest.mark.parametrize("case", LIKELIHOODS, ids=lambda case: case[0])
def test_at_every_margin(case):
    text, function, values = case
    expression = parse(text, x="scalar")
    for order in range(3):
        derived = expression.derivative(*["x"] * order) if order else expression
        for x in MARGINS:
            expected = float(mp.diff(function, mp.mpf(x), order))
            result = derived(x=x, **values)
            np.testing.assert_allclose(result, expected, rtol=1e-8, atol=1e-250, err_msg=f"{x}")
            single = derived(x=np.float32(x), **{k: np.float32(v) for k, v in values.items()})
            assert np.isfinite(single), x


def test_mixtures_of_many_components():
    x = np.array([1e4, -1e4, 800.0, 0.0])
    X = np.array([x, x[::-1], 0 * x, x + 1])
    p, W = np.array([0.2, 0.5, 0.0, 0.3]), np.array([[0.0, 1, 2, 3], [4, 0, 0.5, 1]])
    for text, same in (
        ("log(p'*exp(x))", "logsumexp(log(p)+x)"),
        ("log(sum(p.*exp(x)))", "logsumexp(log(p)+x)"),
        ("log(W*exp(x))", "logsumexp(log(W)+vector(1)*x', 1)"),
        ("sum(log(exp(X)*p))", "sum(logsumexp(X+vector(1)*log(p)', 1))"),
        ("log(sum(exp(X), 1).*p)", "logsumexp(X, 1)+log(p)"),
    ):
        ours, theirs = parse(text), parse(same)
        given = {"x": x, "X": X, "p": p, "W": W}
        given = {name: given[name] for name in ours.scope}
        name = "X" if "X" in given else "x"
        for order in range(3):
            one, two = (e.derivative(*[name] * order) if order else e for e in (ours, theirs))
            np.testing.assert_allclose(one(**given), two(**given), rtol=1e-9, atol=1e-12)
    assert str(parse("log(p'*exp(x))").gradient("p")) == "(p'*exp(x))^(-1)*exp(x)"


def test_mixtures_by_their_weights():
    import jax

    jax.config.update("jax_enable_x64", True)
    np_ = jax.numpy
    p, x = np.array([0.2, 0.5, 0.3]), np.array([3.0, -2.0, 30.0])
    W = np.array([[0.1, 1, 2], [4, 0.2, 0.5]])
    for text, function, names in (
        ("log(p'*exp(x))", lambda p, x: np_.log(p @ np_.exp(x)), "px"),
        ("log(W*exp(x))", lambda W, x: np_.log(W @ np_.exp(x)), "Wx"),
        ("log(p.*exp(x)+(1-p).*exp(-x))",
         lambda p, x: np_.log(p * np_.exp(x) + (1 - p) * np_.exp(-x)), "px"),
    ):  # fmt: skip
        given = {name: {"p": p, "x": x, "W": W}[name] for name in names}
        for first, one in enumerate(names):
            for second, two in enumerate(names):
                expected = jax.jacfwd(jax.jacrev(function, first), second)(*given.values())
                ours = parse(text).derivative(one, two)(**given)
                np.testing.assert_allclose(ours, expected, rtol=1e-9, atol=1e-11)


def test_an_exponential_of_an_exponential():
    expression = parse("sum(exp(-exp(x)))")
    given = {"x": np.array([1e4, -1e4, 0.0])}
    for order in range(4):
        result = expression.derivative(*["x"] * order)(**given) if order else expression(**given)
        assert np.isfinite(result).all()
    expected = np.exp(-1) * np.array([0, 0, 1.0])  # t e^-t (t - 1 ...) at t = 1
    np.testing.assert_allclose(expression.gradient("x")(**given), -expected)


def test_the_cross_entropy_as_everyone_writes_it():
    loss = parse("-y'*log(sigmoid(x))-(1-y)'*log(1-sigmoid(x))")
    given = {"x": np.array([37.0, -37.0]), "y": np.array([1.0, 0.0])}
    np.testing.assert_allclose(loss(**given), 2 * np.exp(-37), rtol=1e-12)
    np.testing.assert_allclose(loss.gradient("x")(**given), [-np.exp(-37), np.exp(-37)])
    assert np.isfinite(loss.hessian("x")(x=np.array([1e4, -1e4]), y=given["y"])).all()
    net = parse("-y'*log(1./(1+exp(-X*w)))-(1-y)'*log(1-1./(1+exp(-X*w)))")
    given |= {"X": 1e4 * np.eye(2), "w": np.array([1.0, -1.0])}
    del given["x"]
    assert net(**given) == 0
    assert not net.gradient("w")(**given).any()
    assert not net.hessian("w")(**given).any()


def test_x_log_x_at_zero():
    p, q = np.array([0.0, 0.25, 0.75]), np.array([0.2, 0.3, 0.5])
    for text, expected in (
        ("sum(p.*log(p))", np.log([0.25, 0.75]) @ p[1:]),
        ("p'*log(p)", np.log([0.25, 0.75]) @ p[1:]),
        ("sum(p.*log(p./q))", np.log(p[1:] / q[1:]) @ p[1:]),
        ("sum(p.^2.*log(p))", np.log(p[1:]) @ p[1:] ** 2),
        ("sum(sqrt(p).*log(3*p))", np.log(3 * p[1:]) @ np.sqrt(p[1:])),
        ("sum(xlogy(p, q))", np.log(q) @ p),
    ):
        expression = parse(text)
        given = {"p": p, "q": q} if "q" in expression.scope else {"p": p}
        np.testing.assert_allclose(expression(**given), expected, rtol=1e-12)
    # Kullback-Leibler matrix factorisation with a count of 0
    V = np.array([[0.0, 1.0], [2.0, 3.0]])
    W, H = np.array([[1.0, 2], [3, 1]]), np.array([[1.0, 0.5], [2, 1]])
    loss = parse("sum(V.*log(V./(W*H))-V+W*H)")
    P = W @ H
    expected = (P - V).sum() + np.log(V / P, out=0 * P, where=V > 0).ravel() @ V.ravel()
    np.testing.assert_allclose(loss(V=V, W=W, H=H), expected)
    np.testing.assert_allclose(loss.gradient("W")(V=V, W=W, H=H), (1 - V / P) @ H.T)
    bend = np.einsum("ij,kj,lj->ikl", V / P**2, H, H)
    hessian = loss.hessian("W")(V=V, W=W, H=H)
    for i in range(2):
        np.testing.assert_allclose(hessian[i, :, i], bend[i])


def test_the_derivatives_of_gamma_functions():
    expression = parse("lgamma(x)", x="scalar")
    for order in range(4):
        derived = expression.derivative(*["x"] * order) if order else expression
        for x in (0.5, 1.0, 7.3, 1e3):
            expected = float(mp.diff(mp.loggamma, mp.mpf(x), order))
            np.testing.assert_allclose(derived(x=x), expected, rtol=1e-8, atol=1e-12)
