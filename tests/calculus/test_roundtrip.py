"""What is printed can be parsed again: the same value, for every expression and derivative."""

import numpy as np
import pytest

from curate.calculus import parse
from tests.calculus.reference import CASES, assert_close
from tests.calculus.test_functions import CASES as FUNCTIONS
from tests.calculus.test_functions import VALUES
from tests.calculus.test_singular import HESSIANS

SEVERAL = [
    "A*Z'*B", "inv(A)", "kron(A, B)", "x*z'", "A.*B", "diag(x)", "x", "A", "A'", "sum(A)", "tr(A)",
    "A*diag(x)*B", "A^3", "x'*x*A", "c*A", "c^2", "exp(c)*x", "norm2(x)*x", "softmax(x)",
    "cumsum(x)", "vec(A)", "x[1:]", "A[0]", "A[:, 1]", "stack(x, z)", "reshape(A, 9)", "pinv(A)",
    "sqrtm(A*A')", "abs(x)", "relu(x)", "sign(x)", "max(A)", "prod(x)", "adj(A)", "T", "T.*T",
    "max(x, 0)", "log(b*exp(x) + c*exp(z))", "xlogy(p, p)", "p.^x", "log(1 - sigmoid(x))",
    "log(sigmoid(x) - sigmoid(x-1))", "log(1-exp(-exp(x)))", "log_ndtr(x)", "lgamma(p)",
    "sin(norm2(x))/norm2(x)", "tanh(norm2(x))/norm2(x)", "cos(norm2(x))", "vector(1)'*x",
    "sum(x)*eye*z", "logsumexp(X, 0)", "var(x)", "tril(A)", "det(A)", "nuclear(A)", "expm(A)",
    "mean(A)*x",
]  # fmt: skip
TEXTS = dict.fromkeys(
    [
        *((case[0], case[1], tuple(case[4].items())) for case in CASES),
        *(
            (case[0], case[1], (("X", "matrix(4, 3)"),) if "reshape(X" in case[0] else ())
            for case in FUNCTIONS
        ),
        *((case[0], "x", ()) for case in HESSIANS),
        *((text, "".join(dict.fromkeys(parse(text, **kinds).scope)), tuple(kinds.items()))
          for text in SEVERAL
          for kinds in ({"T": "tensor(3)"} if "T" in text.split(".*") else {},)),
    ]
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "names", "kinds"), TEXTS, ids=lambda v: v if type(v) is str else ""
)
def test_printed_text_has_the_same_value(text, names, kinds):
    kinds = dict(kinds)
    expression = parse(text, **kinds)
    name = next(name for name in names if name in expression.scope)
    given = {n: VALUES[n] for n in expression.scope}
    if text in (case[0] for case in HESSIANS) and "y" in given:
        given["y"] = VALUES["z"]
    first = expression.derivative(name)
    for shown in (expression, first, first.derivative(name)):
        value = shown(**given)
        if value.size > 5_000:
            continue
        printed = str(shown)
        declared = {k: v for k, v in kinds.items() if f"{k}" in printed}
        again = parse(printed, **declared)
        read = {n: given[n] for n in again.scope}
        assert again.order == shown.order, printed
        ours = again(**read)
        assert np.shape(ours) == value.shape, printed
        assert_close(ours, value, 1e-9)
