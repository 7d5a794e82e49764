"""Stand-alone code: value and gradient equal those of the compiled programs, without curate."""

import importlib
import inspect

import numpy as np
import pytest

from curate.calculus import CalculusError, parse
from tests.calculus import reference

VALUES = reference.values()
MORE = [
    ("log(b*exp(x)+(1-b)*exp(-100*x))", "x", "bx", None, {}), ("log_ndtr(x)", "x", "x", None, {}),
    ("sum(lgamma(p) + digamma(p) + xlogy(p, p))", "p", "p", None, {}),
    ("log(1-exp(-exp(x)))", "x", "x", None, {}), ("log(1-exp(-p))", "p", "p", None, {}),
    ("log(det(S)) + erfc(x'*x)", "S", "Sx", None, {}), ("sum(abs(x))", "x", "x", None, {}),
    ("det(x*x')", "x", "x", None, {}), ("x'*x*sum(lambda)", "x", "xz", None, {}),
]  # fmt: skip


def run(text, target):
    assert "curate" not in text
    namespace = {}
    exec(compile(text, "<code>", "exec"), namespace)
    function = namespace["value_and_gradient"]
    if target == "numpy":
        return function
    if target == "torch":
        torch = importlib.import_module("torch")
        return lambda *args: tuple(
            t.numpy() for t in function(*(torch.as_tensor(a, dtype=torch.float64) for a in args))
        )
    jax = importlib.import_module("jax")
    jax.config.update("jax_enable_x64", True)
    return lambda *args: tuple(map(np.asarray, function(*map(jax.numpy.asarray, args))))


@pytest.mark.parametrize("target", ["numpy", "torch", "jax"])
@pytest.mark.parametrize("case", [*reference.CASES, *MORE], ids=lambda case: case[0])
def test_the_code_runs_and_agrees(case, target):
    expression = parse(case[0], **case[4])
    given = {name: VALUES.get(name, VALUES["z"]) for name in expression.scope}
    by = case[1][0]
    value, gradient = run(expression.code(target, by), target)(*given.values())
    np.testing.assert_allclose(value, expression(**given), rtol=1e-8, atol=1e-10)
    expected = expression.derivative(by)(**given)
    assert np.shape(gradient) == np.shape(expected)
    np.testing.assert_allclose(gradient, expected, rtol=1e-7, atol=1e-9)


def test_what_cannot_be_written_is_named():
    with pytest.raises(CalculusError, match="target"):
        parse("x'*x").code("fortran")
    with pytest.raises(CalculusError, match="second derivatives of det"):
        parse("adj(A)").code("numpy")


def test_variables_with_the_names_of_helpers():
    expression = parse("sum(tanh(norm2(over))/norm2(over)*softplus) + cap*peaks", cap="scalar",
                       peaks="scalar", over="vector(2)", softplus="scalar")  # fmt: skip
    namespace = {}
    exec(expression.code("numpy", "over"), namespace)
    given = {"over": np.array([0.3, 0.4]), "softplus": 2.0, "cap": 1.0, "peaks": 3.0}
    value, gradient = namespace["value_and_gradient"](*(given[n.rstrip("_")] for n in (
        inspect.signature(namespace["value_and_gradient"]).parameters)))  # fmt: skip
    np.testing.assert_allclose(value, expression(**given))
    np.testing.assert_allclose(gradient, expression.gradient("over")(**given))
