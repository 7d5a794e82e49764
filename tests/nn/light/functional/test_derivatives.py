import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck
from torch.func import functional_call, grad, hessian, jacfwd, jacrev, jvp, vmap

from curate.nn import LightConvBlock, dynamic_conv1d, lightweight_conv1d
from tests.nn.light.functional import reference

# batch, positions, channels, heads, taps, padding
CASES = [
    (2, 5, 4, 2, 3, "same"),
    (2, 5, 4, 4, 4, "same"),
    (1, 4, 4, 1, 7, "causal"),
    (2, 1, 2, 2, 1, "causal"),
    (1, 3, 2, 1, 3, 0),
    (1, 3, 4, 2, 2, (4, 0)),
    (1, 2, 2, 1, 5, (1, 6)),
]


def leaves(case, kind):
    torch.manual_seed(0)
    batch, source, channels, heads, taps, padding = case
    length = source + sum(reference.pads(padding, taps)) - taps + 1
    shape = (batch, length, heads, taps) if kind is dynamic_conv1d else (heads, taps)
    x = torch.randn(batch, source, channels, dtype=torch.float64, requires_grad=True)
    return x, torch.randn(shape, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("kind", [lightweight_conv1d, dynamic_conv1d])
@pytest.mark.parametrize("case", CASES)
def test_first_and_second_derivatives(kind, case):
    def function(x, weight):
        return kind(x, weight, padding=case[-1])

    inputs = leaves(case, kind)
    assert gradcheck(function, inputs, check_forward_ad=True, check_batched_grad=True)
    assert gradgradcheck(function, inputs)


@pytest.mark.parametrize("kind", [lightweight_conv1d, dynamic_conv1d])
@pytest.mark.parametrize("source", [31, 33, 100])
@pytest.mark.parametrize("taps", [4, 31, 70])
@pytest.mark.parametrize("padding", ["same", "causal"])
def test_gradients_of_long_sequences(kind, source, taps, padding):
    inputs = leaves((2, source, 6, 3, taps, padding), kind)
    y = kind(*inputs, padding=padding)
    expected = reference.differentiable(*inputs, padding)
    slopes = torch.randn_like(y)
    for got, want in zip(
        torch.autograd.grad(y, inputs, slopes),
        torch.autograd.grad(expected, inputs, slopes),
        strict=True,
    ):
        torch.testing.assert_close(got, want, atol=1e-11, rtol=0)


@pytest.mark.parametrize("kind", [lightweight_conv1d, dynamic_conv1d])
def test_float32_gradients(kind):
    inputs = leaves((2, 50, 6, 3, 9, "same"), kind)
    single = [tensor.detach().float().requires_grad_() for tensor in inputs]
    for got, want in zip(
        torch.autograd.grad(kind(*single).square().sum(), single),
        torch.autograd.grad(kind(*inputs).square().sum(), inputs),
        strict=True,
    ):
        torch.testing.assert_close(got.double(), want, atol=1e-4, rtol=1e-4)


def test_gradients_are_linear_in_memory_for_parts_that_need_none():
    x, weight = leaves(CASES[0], lightweight_conv1d)
    (only,) = torch.autograd.grad(lightweight_conv1d(x, weight.detach()).sum(), x)
    both = torch.autograd.grad(lightweight_conv1d(x, weight).sum(), (x, weight))
    assert torch.equal(only, both[0])


@pytest.mark.parametrize("kind", ["lightweight", "dynamic"])
def test_per_example_gradients_by_vmap(kind):
    torch.manual_seed(0)
    block = LightConvBlock(4, 5, num_heads=2, kind=kind).double()
    parameters = dict(block.named_parameters())
    inputs = torch.randn(6, 7, 4, dtype=torch.float64)

    def loss(parameters, x):
        return functional_call(block, parameters, (x[None],)).square().sum()

    each = vmap(grad(loss), (None, 0))(parameters, inputs)
    for i, x in enumerate(inputs):
        block.zero_grad()
        block(x[None]).square().sum().backward()
        for name, parameter in parameters.items():
            torch.testing.assert_close(each[name][i], parameter.grad, atol=1e-11, rtol=1e-11)


@pytest.mark.parametrize("kind", ["lightweight", "dynamic"])
def test_an_ensemble_by_vmap(kind):
    torch.manual_seed(0)
    blocks = [LightConvBlock(4, 5, num_heads=2, kind=kind).double() for _ in range(3)]
    stacked = torch.func.stack_module_state(blocks)[0]
    x = torch.randn(2, 7, 4, dtype=torch.float64)
    y = vmap(lambda p: functional_call(blocks[0], p, (x,)))(stacked)
    torch.testing.assert_close(y, torch.stack([block(x) for block in blocks]))


@pytest.mark.parametrize("kind", [lightweight_conv1d, dynamic_conv1d])
def test_transforms_of_torch_func(kind):
    x, weight = (leaf.detach() for leaf in leaves(CASES[0], kind))
    by_hand = lambda x: reference.differentiable(x, weight)  # noqa: E731
    ours = lambda x: kind(x, weight)  # noqa: E731
    torch.testing.assert_close(jacrev(ours)(x), jacrev(by_hand)(x))
    torch.testing.assert_close(jacfwd(ours)(x), jacrev(by_hand)(x))
    torch.testing.assert_close(jvp(ours, (x,), (x.cos(),))[1], ours(x.cos()))
    cubed = lambda f: lambda w: f(x, w).pow(3).sum()  # noqa: E731
    want = hessian(cubed(reference.differentiable))(weight)
    torch.testing.assert_close(hessian(cubed(kind))(weight), want)
