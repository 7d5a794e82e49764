"""Calling: values by name, nothing of the caller's overwritten, pickling."""

import copy
import multiprocessing
import pickle

import numpy as np
import pytest

from curate.calculus import parse
from tests.calculus import reference

VALUES = reference.values()


def test_a_value_without_a_name_is_an_error_and_is_not_written_into():
    gradient = parse("3*sum(x)", x="vector(3)").gradient("x")
    x = np.array([1.0, 2.0, 3.0])
    for call in (gradient, gradient.compile()):
        with pytest.raises(TypeError, match=r"f\(x=\.\.\.\)"):
            call(x)
    assert x.tolist() == [1.0, 2.0, 3.0]
    out = np.zeros(3)
    assert gradient(out=out) is out
    assert out.tolist() == [3.0, 3.0, 3.0]


@pytest.mark.parametrize("name", ["out", "self", "lambda", "text", "values", "dtype", "None_"])
def test_a_variable_may_have_any_name(name):
    expression = parse(f"x'*x*sum({name})", **{name: "vector"})
    values = {"x": np.array([1.0, 2.0]), name: np.array([3.0, 4.0])}
    for function in (expression, expression.compile()):
        assert function(**values) == 35
    np.testing.assert_array_equal(expression.gradient(name)(**values), [5.0, 5.0])
    np.testing.assert_array_equal(expression.hessian(name, "x").lazy(**values).dense(),
                                  np.outer([1, 1], [2, 4.0]))  # fmt: skip
    assert expression.explain(**values).flops > 0


def test_out_as_a_variable_and_as_a_destination():
    gradient = parse("out'*out").gradient("out")
    target = np.zeros(2)
    assert gradient.compile(out=target)(out=np.array([1.0, 2.0])) is target
    assert target.tolist() == [2.0, 4.0]


def test_words_of_python_with_an_underscore():
    expression = parse("norm2(x)^2 * lambda", lambda_="scalar")
    for function in (expression, expression.compile(), expression.gradient("x").lazy):
        function(x=np.ones(2), lambda_=0.5)
    assert expression(x=np.ones(2), lambda_=0.5) == 1.0
    assert parse("sum(in_)")(in_=np.ones(2)) == 2  # a name of its own


@pytest.mark.parametrize("case", reference.CASES, ids=lambda case: case[0])
def test_pickles_after_a_call_and_copies_are_the_same_node(case):
    expression = parse(case[0], **case[4]).derivative(case[1][0])
    given = {name: VALUES[name] for name in case[2]}
    expected = expression(**given)
    for again in (pickle.loads(pickle.dumps(expression)), copy.deepcopy(expression)):
        assert again.node is expression.node
        np.testing.assert_array_equal(again(**given), expected)
    compiled = expression.compile()
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(compiled))(**given), expected)
    lazy = pickle.loads(pickle.dumps(expression.lazy(**given)))
    np.testing.assert_array_equal(lazy.dense(), expression.lazy(**given).dense())


def _evaluated(expression, values):
    return expression(**values)


def test_another_process_reads_a_pickled_expression():
    hessian = parse("sum(log(1 + exp(-y.*(X*w)))) + norm2(w)^2").hessian("w")
    values = {name: VALUES[name] for name in ("X", "y", "w")}
    expected = hessian(**values)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        result = pool.apply_async(_evaluated, (hessian, values)).get(timeout=300)
    np.testing.assert_allclose(result, expected, rtol=1e-12)
