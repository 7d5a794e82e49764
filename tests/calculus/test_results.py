"""What is printed of expressions and results: one line, and equality that never raises."""

import numpy as np
import pytest

from curate import calculus
from curate.calculus import ParseError, parse
from curate.calculus.language import parse as language

LONG = parse("+".join(f"(x'*A*x)^{k}*sum(exp({k}*x))" for k in range(2, 9)))
RNG = np.random.default_rng(0)
VALUES = {"A": RNG.random((3, 3)), "x": RNG.random(3)}


def compiled():
    function = LONG.compile()
    function(**VALUES)
    return function


@pytest.mark.parametrize(
    "build",
    [
        lambda: parse("x'*A*x"),
        lambda: LONG,
        lambda: LONG.derivative("x", "x", "x"),
        compiled,
        lambda: parse("norm2(A-U*V')^2").hessian("U").lazy(A=np.ones((3, 3)), U=np.ones((3, 2)),
                                                           V=np.ones((3, 2))),
        lambda: LONG.hessian("x").lazy(**VALUES),
        lambda: LONG.hessian("x").explain(x=(10**6,)),
    ],
)  # fmt: skip
def test_repr_is_one_line_and_equality_never_raises(build):
    result = build()
    assert "\n" not in repr(result)
    assert len(repr(result)) < 100
    assert repr(result).startswith(f"{type(result).__name__}(")
    assert (result == result) is True
    assert (result == build().__class__) is False
    assert result != 1


def test_a_short_repr_is_whole():
    assert repr(parse("x'*A*x").hessian("x")) == "Expression(A + A', shape=(A.0, A.0))"
    assert repr(calculus.vector("q").compile()) == "Compiled(q, 0 programs)"


def test_texts_use_only_the_functions_of_the_language():
    for name in language.FUNCTIONS:
        assert callable(getattr(calculus, name))
    helpers = {name for name in vars(language.functions) if name not in language.FUNCTIONS}
    assert {"as_expression", "matmul", "einsum", "scalar", "matrix_power"} <= helpers
    for name in sorted(helpers):
        if name.isidentifier() and not name.startswith("_"):
            with pytest.raises((ParseError, calculus.CalculusError), match=name):
                parse(f"{name}(x)")
    for text in ("step(x)", "root(x)", "rsqrt_or_zero(x)", "log_or_zero(x)", "opaque(x)"):
        with pytest.raises(ParseError, match="no function"):
            parse(text)
