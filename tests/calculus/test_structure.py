"""What the form of a derivative promises: what it reads, its axes, its notation."""

import numpy as np
import pytest
import torch

from curate import calculus
from curate.calculus import parse
from tests.calculus import reference

VALUES = reference.values()


def test_hessian_of_a_quadratic_does_not_read_x():
    hessian = parse("x'*A*x").hessian("x")
    assert hessian.variables == ["A"]
    np.testing.assert_allclose(hessian(A=VALUES["A"]), VALUES["A"] + VALUES["A"].T)
    hessian = parse("x'*A*x", A="symmetric matrix").hessian("x")
    assert str(hessian.compile().node.data[0].coefficient) == "2"


def test_equal_expressions_are_one_node():
    assert parse("x'*A*x").node is parse("(A'*x)'*x").node
    assert parse("(x'*z)*(A*x)").node is parse("A*x*(z'*x)").node
    assert parse("A*x - A*x").node.data == ()
    assert parse("inv(A)*A*x").node is parse("x + 0*(A*x)").node
    assert parse("det(A')").node is parse("det(A)").node
    assert parse("exp(log(x.^2))").node is parse("x.^2").node
    assert parse("exp(log(x))").node is not parse("x").node  # which is NaN below 0
    assert parse("log(exp(x) + vector(1))").node is parse("softplus(x)").node
    assert parse("1 ./ (1 + exp(-x))").node is parse("sigmoid(x)").node
    assert parse("exp(x) ./ sum(exp(x))").node is parse("softmax(x)").node


def test_three_ways_in_agree():
    A, x, y = calculus.matrix("A"), calculus.vector("x"), calculus.vector("y")
    quadratic = x @ A @ x
    assert quadratic.node is calculus.einsum("i,ij,j->", x, A, x).node
    text = parse("x'*A*x + sum(exp(y)) / 2")
    python = quadratic + calculus.exp(y).sum() / 2
    rng = np.random.default_rng(1)
    given = {"A": rng.random((3, 3)), "x": rng.random(3), "y": rng.random(2)}
    np.testing.assert_allclose(text(**given), python(**given))
    assert str(calculus.einsum("i->ii", x)) == "diag(x)"
    assert (2 * A / 3 - A**2).T.shape == (A.shape[1], A.shape[0])


def test_tensors_of_any_order():
    T, x = calculus.tensor("T", order=3), calculus.vector("x")
    cubic = calculus.einsum("ijk,i,j,k->", T, x, x, x)
    value = np.random.default_rng(2).random((3, 3, 3))
    third = cubic.derivative("x", "x", "x")
    expected = sum(np.transpose(value, p) for p in __import__("itertools").permutations(range(3)))
    np.testing.assert_allclose(third(T=value), expected)
    assert third.variables == ["T"]


@pytest.mark.parametrize("case", reference.CASES, ids=lambda case: case[0])
def test_printed_text_reads_back(case):
    expression = parse(case[0], **case[4])
    for derivative in (expression, expression.derivative(case[1][0])):
        text = str(derivative)
        assert derivative.latex()
        assert derivative.einsum().endswith(derivative.einsum().split()[-1])
        assert derivative.dot().startswith("digraph")
        if "einsum(" in text or "step(" in text or "size(" in text or derivative.order > 2:
            continue
        kinds = {k: v for k, v in case[4].items() if k in derivative.variables}
        given = {name: VALUES[name] for name in case[2]}
        ours = derivative(**given)
        again = parse(text, **kinds)
        if not again.scope:
            continue
        read = {name: given[name] for name in again.scope}
        reference.assert_close(np.broadcast_to(again(**read), np.shape(ours)), ours)


@pytest.mark.parametrize(
    ("text", "name", "printed"),
    [("A*X*B", "X", "kron_tensor(A, B')"), ("A*X", "X", "kron_tensor(A, eye(size(X, 1)))"),
     ("x[0]*z[1:3]'*z[1:3]", "z", None), ("sum(max(x, 0))", "x", "1/2*(x > 0) + 1/2*(x >= 0)"),
     ("sum(relu(x))", "x", "(x > 0)"), ("vec(A)'*x", "x", "vec(A)"), ("x[0]", "z", None),
     ("sum(where(x > 1, x.^2, 0))", "x", "2*where((x > 1), x, 0)")],
)  # fmt: skip
def test_notation(text, name, printed):
    if printed is None:
        assert "x[0]" in str(parse(text))
        return
    derivative = parse(text).derivative(name)
    assert str(derivative) == printed
    assert derivative.latex()


def test_unit_matrices_of_a_given_size():
    np.testing.assert_array_equal(parse("eye(3)")(), np.eye(3))
    np.testing.assert_array_equal(parse("eye(2)*2 + A")(A=np.ones((2, 2))), 2 * np.eye(2) + 1)
    expression = parse("logdet(A*A' + eye(m))", A="matrix(m, n)")
    np.testing.assert_allclose(expression(A=np.ones((2, 5))), np.log(11))
    assert parse("eye(m)*x", x="vector(m)").shape == ("m",)


def test_gradient_spellings():
    expression = parse("x'*x")
    for gradient in (
        expression.gradient(), expression.gradient("x"), expression.derivative("x"),
        expression.jacobian("x"), expression.gradient(calculus.vector("x")),
    ):  # fmt: skip
        np.testing.assert_allclose(gradient(x=[1.0, 2.0]), [2.0, 4.0])


def test_explanation_counts_what_runs():
    hessian = parse("norm2(A-U*V')^2").hessian("U")
    explained = hessian.explain(U=(200, 5), V=(200, 5))
    assert explained.elements == 1_000_000
    assert explained.core_elements == 25
    assert 10_000 <= explained.flops <= 100_000
    assert "unit tensor" in str(explained)
    assert "A, U dropped out" in str(explained)


def test_explanation_says_what_was_done():
    text = str(parse("x'*inv(A)*B*x + x'*inv(A)*C*x").explain())
    assert "1 inverses are never formed" in text
    assert "solve" in text
    assert "inverses" not in str(parse("x'*A*x").explain())


def test_results_are_fresh_and_inputs_unharmed():
    a = torch.randn(70, 70, dtype=torch.float64)
    kept = a.clone()
    for text in ("x'*A*x", "sum(exp(A))", "x'*A*x + x'*x", "tr(A*A)", "logdet(A*A' + eye)"):
        variable = "x" if "x'" in text else "A"
        derivative = parse(text).derivative(variable, *(["x"] if variable == "x" else []))
        given = {"A": a, **({"x": torch.randn(70).double()} if variable == "x" else {})}
        result = derivative(**given)
        first = result.clone()
        result.add_(1)
        assert torch.equal(a, kept)
        assert torch.equal(derivative(**given), first)
    jacobian = parse("A*x").derivative("x")(A=a, x=a[0])
    jacobian.zero_()
    assert torch.equal(a, kept)


def test_out_may_overlap_an_input():
    a = torch.randn(80, 80, dtype=torch.float64)
    expected = a + a.T
    parse("x'*A*x").hessian("x")(A=a, x=a[0], out=a)
    assert torch.equal(a, expected)


def test_the_same_text_is_read_derived_and_compiled_once():
    one, other = parse("x'*A*x", A="symmetric matrix"), parse("x'*A*x", A="symmetric matrix")
    assert one.hessian("x").compile() is other.hessian("x").compile()
    assert parse("x'*A*x") is not one  # another kind
    for kinds in ({"A": "matrix"}, {"A": 2}):
        assert str(parse("x'*A*x", **kinds).hessian("x")) == "A + A'"


@pytest.mark.parametrize("kind", ["symmetric matrix", "positive definite matrix"])
def test_symmetry_is_shown(kind):
    quadratic = parse("x'*S*x", S=kind)
    assert str(quadratic.hessian("x")) == "2*S"
    assert str(quadratic.gradient("x")) == "2*S*x"
    assert "top" not in quadratic.hessian("x").latex()
    assert str(parse("x'*inv(S)*x", S=kind).hessian("x")) == "2*inv(S)"
    assert str(parse("x'*S*x").hessian("x")) == "S + S'"
    # derivatives by S itself treat its elements as independent all the same
    np.testing.assert_array_equal(quadratic.gradient("S")(x=np.array([1.0, 2])), [[1, 2], [2, 4]])
