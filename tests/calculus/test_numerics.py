"""Sound at large arguments; dtypes, devices, numpy; kinks."""

import warnings

import numpy as np
import pytest
import torch

from curate.calculus import parse
from tests.calculus.reference import torch_derivative

BIG = np.array([-1e3, -800.0, -30.0, 0.0, 25.0, 800.0, 1e3])


def test_softplus_in_all_its_spellings():
    expected = np.logaddexp(0, BIG)
    for text in ("log(1 + exp(x))", "log(exp(x) + vector(1))", "softplus(x)", "-log(sigmoid(-x))"):
        np.testing.assert_allclose(parse(text)(x=BIG), expected, rtol=1e-12, atol=1e-300)
    total = parse("sum(log(1 + exp(x)))")
    p = 1 / (1 + np.exp(-np.clip(BIG, -700, 700)))
    np.testing.assert_allclose(total.gradient("x")(x=BIG), p, atol=1e-12)
    np.testing.assert_allclose(np.diag(total.hessian("x")(x=BIG)), p * (1 - p), atol=1e-12)


@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_nothing_is_nan(order):
    for text in (
        "sum(log(1 + exp(x)))", "logsumexp(x)", "log(sum(exp(x)))", "sum(sigmoid(x))",
        "sum(softmax(x) .* x)", "sum(exp(x) ./ sum(exp(x)))", "sum(1 ./ (1 + exp(-x)))",
        "sum(exp(x) ./ (1 + exp(x)))", "log(exp(x)'*exp(x))", "sum(tanh(x))", "sum(erf(x))",
        "log(exp(-sum(x)) + exp(sum(x)))", "sum(log(exp(x) + exp(-x)))",
    ):  # fmt: skip
        expression = parse(text)
        if order:
            expression = expression.derivative(*["x"] * order)
        assert np.isfinite(expression(x=BIG)).all(), text
        assert np.isfinite(expression(x=BIG.astype(np.float32))).all(), text


def test_log_det_of_large_matrices_does_not_overflow():
    s = 1e8 * np.eye(200)
    for kinds in ({}, {"S": "positive definite matrix"}):
        for text in ("logdet(S)", "log(det(S))"):
            value = parse(text, **kinds)(S=s)
            np.testing.assert_allclose(value, 200 * np.log(1e8))


def test_kinks_are_as_torch_has_them():
    x = torch.tensor([-1.0, 0.0, 2.0], dtype=torch.float64)
    for text, function in (("sum(abs(x))", torch.abs), ("sum(relu(x))", torch.relu)):
        expected = torch.func.grad(lambda x, f=function: f(x).sum())(x)
        assert torch.equal(parse(text).gradient("x")(x=x), expected)
    assert torch.equal(parse("sign(x)").derivative("x")(x=x), torch.zeros(3, 3).double())


def test_norm_at_zero():
    zero = np.zeros(2)
    for text, orders in (("norm2(x)", 1), ("norm2(A*x)", 1), ("norm2(x)^3", 2)):
        expression = parse(text)
        given = {"x": zero, "A": np.eye(2)} if "A" in text else {"x": zero}
        for order in (1, 2, 3):
            value = expression.derivative(*["x"] * order)(**given)
            if order <= orders:
                assert not value.any(), (text, order)
            else:  # there is none
                assert np.isnan(value).any(), (text, order)
    np.testing.assert_array_equal(parse("norm2(x)^2").hessian("x")(x=zero), 2 * np.eye(2))
    np.testing.assert_allclose(
        parse("norm2(x)").gradient("x")(x=np.array([3e-100, 4e-100])), [0.6, 0.8]
    )


def test_powers_at_zero_are_as_torch_has_them():
    base, exponent = np.array([0.0, 0.0, 2.0]), np.array([2.0, 1.5, 0.0])
    for name, place in (("x", 0), ("z", 1)):
        for order in (0, 1):
            expected = torch_derivative(lambda _, x, z: x**z, place, order, (base, exponent))
            expression = parse("x.^z").derivative(name) if order else parse("x.^z")
            np.testing.assert_array_equal(expression(x=base, z=exponent), expected)
    assert parse("b^c").derivative("b")(b=0.0, c=0.0) == 0
    assert parse("b^c").derivative("c")(b=0.0, c=0.0) == 0


def test_no_warnings_and_no_global_state():
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        for text in ("sum(exp(x))", "sum(1 ./ x)", "sum(log(x) .* exp(x) .* tanh(x))"):
            for order in range(3):
                expression = parse(text).derivative(*["x"] * order) if order else parse(text)
                expression(x=BIG)
        with pytest.raises(FloatingPointError):
            np.exp(np.array([1e3]))


@pytest.mark.parametrize(
    "text",
    [
        "sum(sin(x) .* tanh(z) + sigmoid(x) .* softplus(z) + relu(x))", "x'*A*z + norm2(x)*c",
        "logsumexp(A*x) + sum(abs(x).^1.5 ./ (1 + x.^2)) - c", "c*x'*inv(A)*x + logdet(A)",
        "sum(arcsin(x/9) + arccos(x/9) + arctan(x) + erf(x))", "sum(diag(x)*A*diag(x)) + c^2",
    ],
)  # fmt: skip
def test_numpy_for_small_operations_agrees_with_torch(text, monkeypatch):
    rng = np.random.default_rng(0)
    given = {"x": rng.random(5), "z": rng.random(5), "A": rng.random((5, 5)) + 3 * np.eye(5)}
    given |= {"c": np.float64(0.7)}
    for order in range(3):
        base = parse(text)
        base = base.derivative(*["x"] * order) if order else base
        read = {name: given[name] for name in base.scope}
        results = []
        for in_numpy in (True, False):
            with monkeypatch.context() as patch:
                if not in_numpy:
                    patch.setattr(
                        "curate.calculus.compile.numpy_calls.choose_numpy_calls",
                        lambda program, roots: {},
                    )
                expression = type(base)(base.node, base.scope, base.reasons, base.columns)
                compiled = expression.compile()
                results.append(compiled(**read))
                single = compiled(**{k: torch.as_tensor(v).float() for k, v in read.items()})
                assert single.dtype == torch.float32
                np.testing.assert_allclose(single, results[-1], rtol=2e-4, atol=2e-4)
                assert ("errstate" in next(iter(compiled.sources.values()))) <= in_numpy
        np.testing.assert_allclose(*results, rtol=1e-12, atol=1e-12)


def test_half_precision_stays_with_torch():
    x = torch.linspace(-1, 1, 5).bfloat16()
    assert parse("sum(exp(x).*x)").gradient("x")(x=x).dtype == torch.bfloat16


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dtypes(dtype):
    compiled = parse("x'*A*x").hessian("x").compile(dtype=dtype)
    a = torch.randn(3, 3)
    result = compiled(A=a)
    assert result.dtype == dtype
    torch.testing.assert_close(result, (a + a.T).to(dtype))
    assert parse("x'*x")(x=[1, 2]).dtype == np.float64
    assert parse("x'*x")(x=np.ones(2, np.float32)).dtype == np.float32
    assert parse("a*x")(a=2.0, x=torch.ones(2)).dtype == torch.float32


def test_out_of_compile_and_of_call():
    a, out = np.random.default_rng(0).random((4, 4)), np.zeros((4, 4))
    hessian = parse("x'*A*x").hessian("x")
    assert hessian.compile(out=out)(A=a) is out
    np.testing.assert_allclose(out, a + a.T)
    strided = np.zeros((4, 8))[:, ::2]
    assert hessian(A=a, out=strided) is strided
    np.testing.assert_allclose(strided, a + a.T)


def test_programs_are_kept_by_shape():
    compiled = parse("k'*Q*k").hessian("k").compile()  # a text that no other test reads
    for n in (2, 3, 2, 3):
        compiled(Q=torch.ones(n, n))
    assert len(compiled.sources) == 2


def test_gradients_of_inputs_are_left_alone():
    x = torch.ones(3, requires_grad=True)
    assert not parse("x'*x").gradient("x")(x=x).requires_grad


def test_empty_axes():
    assert parse("x'*x").hessian("x")(x=np.ones(0)).shape == (0, 0)
    assert parse("sum(X*w)").gradient("w")(X=np.ones((0, 2)), w=np.ones(2)).tolist() == [0, 0]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda():
    a = torch.randn(5, 5, device="cuda")
    result = parse("x'*A*x").hessian("x")(A=a)
    assert result.is_cuda
    torch.testing.assert_close(result, a + a.T)
