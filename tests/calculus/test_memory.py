"""Results are recycled only when nobody can see it."""

import gc

import numpy as np
import pytest
import torch

from curate.calculus import parse, program
from curate.calculus.compile.memory import RECYCLED_FROM, pooled_empty

HESSIAN = parse("x'*A*x").hessian("x")
N = 256


def matrix(seed):
    return torch.randn(N, N, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_results_that_are_held_keep_their_numbers():
    assert N * N * 8 >= RECYCLED_FROM
    inputs = [matrix(seed) for seed in range(6)]
    results = [HESSIAN(A=a) for a in inputs]
    rows = [HESSIAN(A=a)[3:5] for a in inputs]  # the tensors are dropped, views are not
    arrays = [HESSIAN(A=a).numpy() for a in inputs]
    given = [HESSIAN(A=a.numpy()) for a in inputs]
    pieces = [HESSIAN(A=a).numpy()[::2] for a in inputs]
    gc.collect()
    for a, result, row, array, other, piece in zip(
        inputs, results, rows, arrays, given, pieces, strict=True
    ):
        expected = a + a.T
        assert torch.equal(result, expected)
        assert torch.equal(row, expected[3:5])
        assert np.array_equal(array, expected)
        assert np.array_equal(other, expected)
        assert np.array_equal(piece, expected[::2])


def test_a_dropped_result_gives_its_memory_back():
    a = matrix(0)
    result = HESSIAN(A=a)
    place = result.data_ptr()
    kept = result
    del result
    assert HESSIAN(A=a).data_ptr() != place
    del kept
    later = [HESSIAN(A=a) for _ in range(2)]
    assert place in {result.data_ptr() for result in later}


def test_zeros_are_written_again():
    hessian = parse("norm2(A-U*V')^2").hessian("U")
    v = torch.ones(40, 5, dtype=torch.float64)
    given = {"A": torch.ones(40, 40).double(), "U": v, "V": v}
    expected = hessian(**given).clone()
    for _ in range(3):
        result = hessian(**given)
        assert torch.equal(result, expected)
        result.fill_(7)  # what a user may do with what is hers
        del result


def test_small_and_other_dtypes_are_plain_tensors():
    like = torch.zeros(())
    assert pooled_empty((3, 4), like).shape == (3, 4)
    assert pooled_empty((400, 400), like.bfloat16()).dtype == torch.bfloat16
    assert pooled_empty((400, 400), like).dtype == torch.float32


def test_out_may_overlap_an_input_on_every_call():
    for _ in range(2):
        a = matrix(1)
        expected = a + a.T
        HESSIAN(A=a, out=a)
        assert torch.equal(a, expected)
        b = torch.zeros(2 * N, N, dtype=torch.float64)
        b[N // 2 : N // 2 + N] = matrix(2)
        half = b[N // 2 : N // 2 + N]
        expected = half + half.T
        out = b[:N]
        HESSIAN(A=half, out=out)
        assert torch.equal(out, expected)


def test_what_is_dead_is_deleted_with_its_views():
    """A deep expression needs memory for what is still read, not for all of it."""
    compiled = parse("sum(exp(tanh(exp(tanh(X))) - exp(X)'))").compile()
    x = matrix(9)
    expected = torch.exp(torch.tanh(torch.exp(torch.tanh(x))) - torch.exp(x).T).sum()
    torch.testing.assert_close(compiled(X=x), expected)
    (source,) = compiled.sources.values()
    run = source.split("def run_into")[0]
    alive: set[str] = set()
    most = 0
    for line in (line.strip() for line in run.splitlines()[1:]):
        if line.startswith("del "):
            alive -= set(line.removeprefix("del ").split(", "))
        elif " = " in line:
            alive.add(line.split(" = ")[0])
        most = max(most, len(alive))
    assert most <= 4  # two operands, a result, and a view


def test_large_products_of_factors_in_any_order_of_memory():
    n = 16  # 65,536 elements
    a = matrix(3)[:n, :n] + 9 * torch.eye(n, dtype=torch.float64)
    hessian = parse("logdet(A)").hessian("A")
    outer = parse("(x'*A*y)^2").hessian("A")
    x, y = a[:, 0], a[3]
    for given in (a, a.T, a.contiguous(), a.repeat_interleave(2, 1)[:, ::2]):
        inverse = torch.linalg.inv(given)
        expected = -torch.einsum("li,jk->ijkl", inverse, inverse)
        torch.testing.assert_close(hessian(A=given), expected)
        expected = 2 * torch.einsum("i,j,k,l->ijkl", x, y, x, y)
        torch.testing.assert_close(outer(A=given, x=x, y=y), expected)


@pytest.mark.parametrize(
    "text",
    ["sum(softplus(-y.*(X*w)))", "w'*(exp(X'*X/999).*tanh(X))*w", "norm2(tanh(X)*exp(w))^2"],
)
def test_large_intermediates_are_recycled_to_no_effect(text, monkeypatch):
    x = matrix(4)
    given = {"X": x, "y": x[0], "w": x[1] / 20}
    expression = parse(text).hessian("w")
    read = {name: given[name] for name in expression.scope}
    strided = read | {"X": x.T}
    expected = expression(**read), expression(**strided)
    monkeypatch.setattr("curate.calculus.compile.memory.PAGED_FROM", 1 << 15)
    again = type(expression)(expression.node, expression.scope).compile()
    for _ in range(3):
        for values, right in zip((read, strided), expected, strict=True):
            torch.testing.assert_close(again(**values), right, rtol=1e-12, atol=1e-12)
    (source,) = again.sources.values()
    assert "out=pooled_empty" in source or "out=pooled_like" in source


def test_a_large_value_and_its_transpose_in_one_sum():
    a, x = matrix(5), matrix(6)[0]
    result = parse("x'*tanh(A)*x").hessian("x")(A=a, x=x)
    torch.testing.assert_close(result, torch.tanh(a) + torch.tanh(a).T)


def shapes(key):
    """The shapes of matrices in the key of a program."""
    parts = [part for part in key if isinstance(part, tuple)]
    flat = [*parts, *(inner for part in parts for inner in part)]
    return [part for part in flat if isinstance(part, torch.Size) and len(part) == 2]


def test_the_last_programs_are_kept_and_no_more(monkeypatch):
    monkeypatch.setattr("curate.calculus.recent.MOST", 3)
    base = parse("norm2(X*w)^2 + sum(w)")
    expression = type(base)(base.node, base.scope, base.reasons)
    gradient = expression.gradient("w")
    joint = program(expression, gradient="w")
    compiled = gradient.compile()
    for n in (1, 2, 3, 1, 4):
        x, w = matrix(7)[:n, :2], matrix(8)[0, :2]
        expected = 2 * x.T @ x @ w + 1
        torch.testing.assert_close(gradient(X=x, w=w), expected)
        torch.testing.assert_close(gradient.lazy(X=x, w=w).dense(), expected)
        torch.testing.assert_close(joint(X=x, w=w)[1], expected)
    for made in (compiled._programs, gradient.programs, joint._programs):
        rows = [shape[0] for key in made for shape in shapes(key)]
        assert rows == [3, 1, 4]
    assert len(compiled.sources) == 3
