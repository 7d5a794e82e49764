"""Results are recycled only when nobody can see it."""

import gc

import numpy as np
import torch

from curate.calculus import parse
from curate.calculus.memory import RECYCLED_FROM, fresh

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
    assert fresh((3, 4), like).shape == (3, 4)
    assert fresh((400, 400), like.bfloat16()).dtype == torch.bfloat16
    assert fresh((400, 400), like).dtype == torch.float32


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
