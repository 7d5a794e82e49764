"""Errors say what is wrong, where, and how to fix it."""

import numpy as np
import pytest
import torch

import curate
from curate import calculus
from curate.calculus import CalculusError, ParseError, ShapeError, parse


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("x'*A*", 5),
        ("x + )", 4),
        ("x $ y", 2),
        ("sum(x", 5),
        ("", 0),
        ("foo(x)", 0),
        ("x y", 2),
        ("x'*inv(A*", 9),
        ("1 + 2..3", 6),
        ("A(1)", 0),
        ("log(x))", 6),
        ("x .", 2),
        ("\u03c3 + #", 4),
    ],
)
def test_parse_errors_point_at_the_character(text, position):
    with pytest.raises(ParseError) as caught:
        parse(text)
    assert caught.value.position == position
    assert str(caught.value).splitlines()[-1].index("^") == position + 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x + A", ["x", "A", "(x.0,)", "(A.0, A.1)", "character 1"]),
        ("2 + x*y", ["x * y", ".*", "character 5"]),
        ("x + y'", ["row vector", "column vector"]),
        ("A .* x", ["A .* x", "do not fit"]),
        ("A / x", ["A / x"]),
        ("x^2", [".^"]),
        ("tr(x)", ["tr(x)", "a matrix"]),
        ("A*x'", ["row vector"]),
        ("sum(x, 3)", ["axis 3"]),
        ("inv(a)", ["inv(a)"]),
        ("2*sum()", ["sum: takes 1 or 2 arguments, 0 given", "character 3"]),
        ("eye(2)*x + vector(1)", ["size 2 is not size 3"]),
        ("x + eye(x+1)", ["eye", "x+1"]),
    ],
)
def test_shape_errors_name_operands_shapes_and_place(text, words):
    kinds = {"x": "vector(3)"} if "eye(2)" in text else {}
    with pytest.raises(CalculusError) as caught:
        parse(text, **kinds)
    for word in words:
        assert word in str(caught.value)
    assert "^" in str(caught.value).splitlines()[-1]


def test_declared_sizes_that_differ():
    with pytest.raises(ShapeError, match=r"size 3 is not size 4"):
        parse("A*x", A="matrix(2, 3)", x="vector(4)")
    with pytest.raises(ShapeError, match="size k is not size n|size n is not size k"):
        parse("A*x", A="matrix(m, n)", x="vector(k)")
    with pytest.raises(ShapeError, match="A @ x"):
        calculus.matrix("A", 2, 3) @ calculus.vector("x", 4)


def test_values_that_do_not_fit():
    expression = parse("y'*(A*x)")
    with pytest.raises(ShapeError, match=r"(?s)x.*size 4.*A.*size 3.*A\*x"):
        expression(A=np.ones((2, 3)), x=np.ones(4), y=np.ones(2))
    with pytest.raises(ShapeError, match="x is a vector"):
        expression(A=np.ones((2, 3)), x=np.ones((3, 1)), y=np.ones(2))
    with pytest.raises(CalculusError, match="y: no value"):
        expression(A=np.ones((2, 3)), x=np.ones(3))
    with pytest.raises(CalculusError, match="q: not a variable"):
        expression(A=np.ones((2, 3)), x=np.ones(3), y=np.ones(2), q=1)
    with pytest.raises(CalculusError, match="x: a tensor"):
        expression(A=np.ones((2, 3)), x="no", y=np.ones(2))
    with pytest.raises(ShapeError, match="out"):
        expression(A=np.ones((2, 3)), x=np.ones(3), y=np.ones(2), out=np.ones(3))


def test_sizes_that_follow_from_nothing():
    with pytest.raises(CalculusError, match="give a value of"):
        parse("x'*x").hessian("x")()
    with pytest.raises(CalculusError, match="size"):
        parse("sum(vector(1))")()


def test_kinds():
    with pytest.raises(CalculusError, match="kind 'blob'"):
        parse("x", x="blob")
    with pytest.raises(CalculusError, match="not in the text"):
        parse("x", q="vector")
    with pytest.raises(ShapeError, match="declared twice"):
        parse("x") + calculus.matrix("x")
    with pytest.raises(CalculusError, match="not a variable"):
        parse("x'*x").gradient("z")
    with pytest.raises(CalculusError, match="which one"):
        parse("x'*z").gradient()
    with pytest.raises(CalculusError, match="jacobian"):
        parse("A*x").gradient("x")
    with pytest.raises(CalculusError, match="positive definite"):
        parse("logdet(S)", S="positive definite matrix")(S=-np.eye(2))
    with pytest.raises(CalculusError, match="einsum"):
        calculus.einsum("ij,j->i", calculus.vector("x"), calculus.vector("z"))


def test_kinds_and_names_that_are_longer():
    expression = parse("weights'*cov*weights", weights="vector", cov="symmetric matrix")
    cov = np.array([[2.0, 1], [1, 3]])
    np.testing.assert_allclose(expression.hessian("weights")(cov=cov), 2 * cov)
    assert parse("a*h + A*h").shape == ("A.0",) or parse("a*h + A*h").order == 1


def test_both_operands_and_their_shapes_are_named():
    a, b = calculus.matrix("A", 2, 3), calculus.matrix("B", 2, 4)
    for wrong, where in (
        (lambda: a @ b, "A @ B"), (lambda: a + b, r"A \+ B"),
        (lambda: calculus.einsum("ij,jk->ik", a, b), "einsum 'ij,jk->ik'"),
        (lambda: parse("A*B", A="matrix(2, 3)", B="matrix(2, 4)"), r"A\*B"),
    ):  # fmt: skip
        with pytest.raises(ShapeError, match=where + r".*\(2, 3\) and \(2, 4\)"):
            wrong()


@pytest.mark.parametrize(
    "mistake",
    [
        lambda: parse("x + )"),
        lambda: parse("x + A"),
        lambda: parse("x'*x").derivative("q"),
        lambda: parse("x'*x")(x=np.zeros((2, 2))),
    ],
)
def test_the_root_of_errors_catches_them(mistake):
    with pytest.raises(curate.CurateError):
        mistake()


BROKEN = np.array([[2.0, 5.0], [0.0, 4.0]])


@pytest.mark.parametrize(
    ("text", "kind", "word"),
    [
        ("x'*S*x", "symmetric matrix", "symmetric"),
        ("logdet(S) + x'*x", "positive definite matrix", "symmetric"),
        ("x'*inv(S)*x", "diagonal matrix", "diagonal"),
    ],
)
def test_values_are_as_they_are_declared(text, kind, word):
    expression = parse(text, S=kind)
    x = np.ones(2)
    calls = [expression, expression.compile(), expression.gradient("x"),
             expression.hessian("x").lazy]  # fmt: skip
    for matrix in (BROKEN, BROKEN.astype(np.float32), torch.as_tensor(BROKEN)):
        for call in calls:
            with pytest.raises(CalculusError, match=f"S: declared a .* not {word}"):
                call(x=x, S=matrix)
    right = np.diag([2.0, 4.0]) + (0 if word == "diagonal" else 1)
    for _ in range(2):  # the second time by the way of torch
        assert np.isfinite(expression(x=torch.as_tensor(x), S=torch.as_tensor(right)))
    with pytest.raises(CalculusError, match="S: declared"):
        expression(x=torch.as_tensor(x), S=torch.as_tensor(BROKEN))
    rounded = right * (1 + 1e-12 * np.array([[0, 1], [-1, 0]]))
    assert np.isfinite(expression(x=x, S=rounded))


def test_names_that_are_usual_for_numbers():
    with pytest.raises(CalculusError, match="declare lambda_='scalar'"):
        parse("norm2(X*w-y)^2+lambda*norm2(w)^2").gradient("w")
    for text in ("pi*x", "sigma*x", "mu_2*x"):
        with pytest.raises(ShapeError, match="='scalar'"):
            parse(text)
    with pytest.raises(ShapeError, match=r"exp\(u\)"):
        parse("e^x")


def test_too_large_a_result_says_what_helps():
    hessian = parse("sum(A*B)*sum(A.^2)").hessian("A")
    huge = np.zeros((3000, 3000))
    with pytest.raises(CalculusError, match="lazy"):
        hessian(A=huge, B=huge)


def test_numpy_and_expressions():
    x = calculus.vector("x")
    assert str(np.float64(2) * x) == "2*x"
    assert (np.float64(2) - x)(x=np.ones(2)).tolist() == [1.0, 1.0]
    for wrong in (lambda: np.eye(3) @ x, lambda: np.exp(x), lambda: x @ np.eye(3)):
        with pytest.raises(CalculusError, match="variable"):
            wrong()
    assert np.isnan(parse("mean(x)")(x=np.zeros(0)))
