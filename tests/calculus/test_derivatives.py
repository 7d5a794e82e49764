"""Derivatives up to the third order against torch.func and jax, float64, 1e-9."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.calculus import parse
from tests.calculus import reference
from tests.calculus.reference import CASES, assert_close, jax_derivative, torch_derivative

VALUES = reference.values()
PAIRS = [
    pytest.param(*case, variable, id=f"{case[0]} by {variable}")
    for case in CASES
    for variable in case[1]
]
try:
    import jax
except ImportError:
    jax = None

needs_jax = pytest.mark.skipif(jax is None, reason="jax is not installed")


def elements(text, names, variable, order, kinds):
    shape = parse(text, **kinds)(**{n: VALUES[n] for n in names}).shape
    return int(np.prod(shape)) * VALUES[variable].size ** order


@pytest.mark.parametrize("order", [0, 1, 2, 3])
@pytest.mark.parametrize(("text", "variables", "names", "function", "kinds", "variable"), PAIRS)
def test_against_torch(text, variables, names, function, kinds, variable, order):
    if elements(text, names, variable, order, kinds) > 20_000:
        order = 1
    given = {name: VALUES[name] for name in names}
    derivative = parse(text, **kinds)
    if order:
        derivative = derivative.derivative(*[variable] * order)
    expected = torch_derivative(function, names.index(variable), order, given.values())
    ours = derivative(**given)
    assert isinstance(ours, np.ndarray | np.generic)
    assert_close(ours, expected)
    out = np.empty_like(expected)
    assert derivative(out=out, **given) is out
    assert_close(out, expected)


def test_the_reference_itself():
    """The derivatives of log x at 2, as log det, inverse and solve of a matrix of one number."""
    log = [np.log(2), 1 / 2, -1 / 4, 1 / 4]
    two, one = np.array([[2.0]]), np.array([1.0])
    for order, expected in enumerate(log):
        ours = torch_derivative(lambda xp, A: xp.linalg.slogdet(A)[1], 0, order, [two])
        assert ours.item() == pytest.approx(expected, rel=1e-12)
    for order, expected in enumerate(log[1:]):
        inverse = torch_derivative(lambda xp, A: xp.linalg.inv(A), 0, order, [two])
        solution = torch_derivative(lambda xp, A, b: xp.linalg.solve(A, b), 0, order, [two, one])
        assert inverse.item() == pytest.approx(expected, rel=1e-12)
        assert solution.item() == pytest.approx(expected, rel=1e-12)
    third = torch_derivative(reference.determinant, 0, 3, [VALUES["A"]])
    assert (third[0, 0, 1, 1, 2, 2], third[0, 1, 1, 0, 2, 2]) == (1, -1)  # even, odd permutation


@needs_jax
@pytest.mark.parametrize("order", [2])
@pytest.mark.parametrize(("text", "variables", "names", "function", "kinds", "variable"), PAIRS)
def test_against_jax(text, variables, names, function, kinds, variable, order):
    if elements(text, names, variable, order, kinds) > 5_000:
        order = 1
    given = {name: VALUES[name] for name in names}
    expected = jax_derivative(function, names.index(variable), order, given.values())
    assert_close(parse(text, **kinds).derivative(*[variable] * order)(**given), expected)


THIRD = [
    "sum(log(exp(-y.*(X*w)) + vector(1)))", "(x'*A*x)^2 / (c + x'*x)", "softmax(x)", "logdet(A)",
    "exp(-a*norm2(x-z)^2)", "x'*(A\\z)", "tanh(A*tanh(A*tanh(B*x)))", "sum(abs(A*x).^1.5)",
]  # fmt: skip


@needs_jax
@pytest.mark.parametrize("text", THIRD)
def test_third_order_against_jax(text):
    (case,) = (case for case in CASES if case[0] == text)
    _, (variable, *_), names, function, kinds = case
    given = {name: VALUES[name] for name in names}
    expected = jax_derivative(function, names.index(variable), 3, given.values())
    assert_close(parse(text, **kinds).derivative(*[variable] * 3)(**given), expected)


@pytest.mark.parametrize(
    ("text", "one", "two"),
    [("x'*A*x", "x", "A"), ("norm2(X-U*V')^2", "U", "V"), ("sum(exp(a*x))", "a", "x")],
)
def test_mixed(text, one, two):
    import torch

    function, names = {case[0]: (case[3], case[2]) for case in CASES}.get(
        text, (lambda xp, a, x: xp.sum(xp.exp(a * x)), "ax")
    )
    given = {name: torch.as_tensor(VALUES[name]) for name in names}
    inner = torch.func.jacrev(lambda *v: function(torch, *v), argnums=names.index(one))
    expected = torch.func.jacrev(inner, argnums=names.index(two))(*given.values())
    expression = parse(text)
    assert_close(expression.derivative(one, two)(**given), expected)
    assert_close(expression.hessian(one, two)(**given), expected)
    assert_close(expression.derivative(one).derivative(two)(**given), expected)


@pytest.mark.parametrize(
    ("text", "order", "function"),
    [
        ("c*x'*A*x + exp(c*x'*z)", "cxA", lambda x, A, c, z: c * (x @ A @ x) + (c * (x @ z)).exp()),
        ("c*x'*A*x + exp(c*x'*z)", "zcx", lambda x, A, c, z: c * (x @ A @ x) + (c * (x @ z)).exp()),
        ("tanh(A*x)'*B*sin(x)", "xBA", lambda x, A, B: (A @ x).tanh() @ B @ x.sin()),
        ("softmax(A*x)'*z", "Axz", lambda x, A, z: (A @ x).softmax(0) @ z),
        ("x'*inv(A + diag(p))*z", "pAx", lambda x, A, p, z: x @ (A + p.diag()).inverse() @ z),
        ("logdet(A*A' + c*eye)", "cAc", lambda A, c: (A @ A.T + c * A.new_ones(3).diag()).logdet()),
    ],
)
def test_mixed_third(text, order, function):
    import torch

    expression = parse(text)
    given = {name: torch.as_tensor(VALUES[name]) for name in expression.scope}

    def nested(names, values):
        if not names:
            return function(**values)
        last = names[-1]
        return torch.func.jacrev(lambda v: nested(names[:-1], values | {last: v}))(values[last])

    assert_close(expression.derivative(*order)(**given), nested(order, given))


# -- expressions that hypothesis makes: text and function grow together --------------------------

UNARY = [
    ("sin({})", lambda xp, u: xp.sin(u)),
    ("tanh({})", lambda xp, u: xp.tanh(u)),
    ("exp({}/4)", lambda xp, u: xp.exp(u / 4)),
    ("sqrt(1 + {0}.*{0})", lambda xp, u: xp.sqrt(1 + u * u)),
    ("log(2 + {0}.^2)", lambda xp, u: xp.log(2 + u**2)),
    ("log(1 + exp({}))", lambda xp, u: xp.log(1 + xp.exp(u))),
    ("1 ./ (1 + exp(-{}))", lambda xp, u: 1 / (1 + xp.exp(-u))),
    ("arctan({})", lambda xp, u: xp.arctan(u)),
    ("(-{})", lambda xp, u: -u),
    ("(A*{})", lambda xp, u: _matrix(xp, "A") @ u),
    ("(B'*{})", lambda xp, u: _matrix(xp, "B").T @ u),
    ("softmax({})", lambda xp, u: reference.softmax(xp, u)),
    ("solve(A, {})", lambda xp, u: xp.linalg.solve(_matrix(xp, "A"), u)),
]
BINARY = [
    ("({} + {})", lambda xp, u, v: u + v),
    ("({} - 2*{})", lambda xp, u, v: u - 2 * v),
    ("({} .* {})", lambda xp, u, v: u * v),
    ("({} ./ (2 + {}.^2))", lambda xp, u, v: u / (2 + v**2)),
    ("({0}'*{1}*{0})", lambda xp, u, v: (u @ v) * u),
]
FINISH = [
    ("sum({})", lambda xp, u: xp.sum(u)),
    ("norm2({} + 1)^2", lambda xp, u: xp.sum((u + 1) ** 2)),
    ("logsumexp({})", lambda xp, u: xp.log(xp.sum(xp.exp(u)))),
    ("{0}'*A*{0}", lambda xp, u: u @ _matrix(xp, "A") @ u),
    ("{}", lambda xp, u: u),
]


def _matrix(xp, name):
    import torch

    return torch.as_tensor(VALUES[name]) if xp is torch else xp.asarray(VALUES[name])


@st.composite
def vectors(draw, depth=4):
    if depth == 0 or draw(st.integers(0, 4)) == 0:
        return draw(
            st.sampled_from([("x", lambda xp, x: x), ("z", lambda xp, x: _matrix(xp, "z"))])
        )
    if draw(st.booleans()):
        text, f = draw(st.sampled_from(UNARY))
        inner, g = draw(vectors(depth=depth - 1))
        return text.format(inner), lambda xp, x: f(xp, g(xp, x))
    text, f = draw(st.sampled_from(BINARY))
    one, g = draw(vectors(depth=depth - 1))
    two, h = draw(vectors(depth=depth - 1))
    return text.format(one, two), lambda xp, x: f(xp, g(xp, x), h(xp, x))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(vectors(), st.sampled_from(FINISH), st.integers(0, 2))
def test_generated(inner, finish, order):
    text, function = finish[0].format(inner[0]), lambda xp, x: finish[1](xp, inner[1](xp, x))
    expression = parse(text + " + 0*(x'*x)")
    order = min(order, 2)
    if order:
        expression = expression.derivative(*["x"] * order)
    expected = torch_derivative(function, 0, order, [VALUES["x"]])
    ours = expression(**{name: VALUES[name] for name in expression.scope})
    assert_close(ours, expected, 1e-9)


def test_finite_differences_agree_where_both_frameworks_could_be_wrong():
    expression = parse("logdet(A*A') + tr(inv(A))")
    gradient = expression.gradient("A")(A=VALUES["A"])
    step = 1e-6
    for i in range(3):
        for j in range(3):
            up, down = VALUES["A"].copy(), VALUES["A"].copy()
            up[i, j] += step
            down[i, j] -= step
            slope = (expression(A=up) - expression(A=down)) / (2 * step)
            assert abs(slope - gradient[i, j]) < 1e-6
