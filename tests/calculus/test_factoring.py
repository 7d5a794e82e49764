"""Un-distribution: the same number, fewer flops; and only where it is fewer."""

import numpy as np
import pytest

from curate.calculus import parse
from curate.calculus.compile.bind import sizes_of
from curate.calculus.compile.factoring import factored
from curate.calculus.compile.plan import Planner
from curate.calculus.rules.structure import apply_structure

CASES = [
    ("A*B*x + A*C*x", ()), ("x'*A*z + x'*B*z", ()), ("(A.*B).*C + (A.*B).*D", ()),
    ("a*A + a*B + a*C", ()), ("sum(exp(A).*B) + sum(exp(A).*C)", ()), ("A*B + A*C", ()),
    ("(x'*A*x)^2 / (c + x'*x)", "xx"), ("softmax(x)'*z", "xx"),
    ("0.5*z'*inv(S+diag(exp(x)))*z + 0.5*logdet(S+diag(exp(x)))", "xx"),
]  # fmt: skip


def flops(expression, given, monkeypatch, on):
    with monkeypatch.context() as patch:
        if not on:
            patch.setattr("curate.calculus.compile.plan.factored", lambda root, sizes: root)
        planner = Planner(sizes_of(expression.scope, {k: v.shape for k, v in given.items()}, ()))
        planner.lower(apply_structure(expression.node))
    return sum(op.flops for op in planner.program.operations)


def values(expression, n):
    rng = np.random.default_rng(0)
    a = rng.standard_normal((n, n))
    given = {
        name: rng.standard_normal((n,) * node.order) for name, node in expression.scope.items()
    }
    return given | ({"S": a @ a.T + n * np.eye(n)} if "S" in given else {})


@pytest.mark.parametrize(("text", "by"), CASES)
def test_same_number_and_fewer_flops(text, by, monkeypatch):
    kinds = {"S": "positive definite matrix"} if "S" in text else {}
    expression = parse(text, **kinds)
    expression = expression.derivative(*by) if by else expression
    given = values(expression, 30)
    assert flops(expression, given, monkeypatch, True) < flops(
        expression, given, monkeypatch, False
    )
    ours = type(expression)(expression.node, expression.scope)(**given)
    with monkeypatch.context() as patch:
        patch.setattr("curate.calculus.compile.plan.factored", lambda root, sizes: root)
        expected = type(expression)(expression.node, expression.scope)(**given)
    np.testing.assert_allclose(ours, expected, rtol=1e-11, atol=1e-11 * np.abs(expected).max())


def test_only_where_the_sizes_make_it_cheaper():
    # A*(x*z') would be a product of matrices; A*B + A*C is two of them, A*(B + C) one
    for text, terms in (("A*x*z' + A*y*w'", 2), ("A*B + A*C", 1), ("A*x*z' + A*B", 1)):
        expression = parse(text)
        sizes = {dim: 50 for node in expression.scope.values() for dim in node.shape}
        assert len(factored(expression.node, sizes).terms) == terms, text


def test_terms_without_a_common_factor_stay():
    expression = parse("x.*z + w.*y")
    sizes = {dim: 5 for node in expression.scope.values() for dim in node.shape}
    assert factored(expression.node, sizes) is expression.node
