"""Constant weights change what a gradient costs, and nothing else."""

from contextlib import nullcontext

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm

from curate.saliency.engine.constant import ConstantWeights


class Dynamic(nn.Module):
    """A convolution and a norm whose weights are made of the image itself."""

    def __init__(self):
        super().__init__()
        self.make = nn.Linear(3, 12 * 3 * 9)
        self.register_buffer("mean", torch.zeros(12))
        self.register_buffer("var", torch.ones(12))

    def forward(self, x):
        weight = self.make(x.mean((2, 3))).view(-1, 3, 3, 3)
        y = F.conv2d(x.reshape(1, -1, *x.shape[2:]), weight, padding=1, groups=len(x))
        y = y.view(len(x), 12, *x.shape[2:])
        return F.batch_norm(y, self.mean, self.var, x.mean() + self.mean)


def norm(features, **options):
    made = nn.BatchNorm2d(features, **options)
    if made.running_mean is not None:
        made.running_mean.normal_()
        made.running_var.uniform_(0.5, 2)
    if made.affine:
        nn.init.normal_(made.weight)
        nn.init.normal_(made.bias)
    return made


NETS = {
    "plain": lambda: nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), norm(6), nn.Softplus()),
    "strided": lambda: nn.Conv2d(3, 6, (3, 2), (2, 1), (1, 0), (1, 2), groups=3, bias=False),
    "same": lambda: nn.Conv2d(3, 6, 3, padding="same", padding_mode="zeros"),
    "circular": lambda: nn.Conv2d(3, 6, 3, padding=1, padding_mode="circular"),
    "transposed": lambda: nn.ConvTranspose2d(3, 6, 3, stride=2),
    "no affine": lambda: nn.Sequential(norm(3, affine=False), nn.Tanh()),
    "no running statistics": lambda: nn.Sequential(
        norm(3, track_running_stats=False), nn.Conv2d(3, 2, 3), nn.Tanh()
    ),
    "weight norm": lambda: nn.Sequential(weight_norm(nn.Conv2d(3, 6, 3)), nn.Softplus()),
    "of rows": lambda: nn.Sequential(nn.Flatten(2), nn.Conv1d(3, 4, 5, stride=2), nn.Tanh()),
    "of volumes": lambda: nn.Sequential(nn.Unflatten(1, (1, 3)), nn.Conv3d(1, 4, 2), nn.Tanh()),
    "one image": lambda: nn.Sequential(nn.Flatten(0, 1), nn.Unflatten(0, (2, 3)), Second()),
    "dynamic": lambda: nn.Sequential(Dynamic(), nn.Tanh()),
}


class Second(nn.Module):
    """A convolution of images without a batch axis."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x):
        return torch.stack([torch.tanh(self.conv(image)) for image in x])


def second(net, x, constant):
    """The output, the gradient of a function of it, and the gradient through that gradient."""
    x = x.clone().requires_grad_()
    with ConstantWeights() if constant else nullcontext():
        y = net(x)
    (first,) = torch.autograd.grad(y.sin().sum(), x, create_graph=True)
    (through,) = torch.autograd.grad(first.cos().sum(), x)
    return y.detach(), first.detach(), through


@pytest.mark.parametrize("name", NETS)
def test_values_and_derivatives_are_the_same(name):
    torch.manual_seed(0)
    net = NETS[name]().double().eval()
    x = torch.randn(2, 3, 7, 6, dtype=torch.float64)
    for found, expected in zip(second(net, x, True), second(net, x, False), strict=True):
        assert torch.allclose(found, expected, rtol=1e-10, atol=1e-12)
        assert found.abs().max() > 1e-6


def test_training_statistics_are_not_constants():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, momentum=None)).double().train()
    x = torch.randn(2, 3, 7, 6, dtype=torch.float64)
    for found, expected in zip(second(net, x, True), second(net, x, False), strict=True):
        assert torch.allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_autocast_is_left_to_torch():
    torch.manual_seed(0)
    net, x = nn.Conv2d(3, 4, 3), torch.randn(2, 3, 7, 6)
    with torch.autocast("cpu", torch.bfloat16):
        found, expected = second(net, x, True), second(net, x, False)
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == b.dtype
        assert torch.equal(a, b)


def test_the_model_stays_as_it_is():
    net = nn.Conv2d(3, 4, 3)
    with ConstantWeights():
        out = net(torch.randn(2, 3, 7, 6))
    assert not out.requires_grad
    assert net.weight.requires_grad
    assert net(torch.randn(2, 3, 7, 6)).requires_grad


class Clipped(nn.Linear):
    """Sets its weights anew in every pass."""

    def forward(self, x):
        self.weight.data = self.weight.data.clamp(-0.125, 0.125)
        return super().forward(x)


def test_what_a_model_does_to_its_own_weights_is_done():
    torch.manual_seed(0)
    net, x = Clipped(6, 3), torch.randn(2, 6)
    with ConstantWeights():
        out = net(x)
    assert float(net.weight.detach().abs().max()) <= 0.125
    assert torch.equal(out, F.linear(x, net.weight, net.bias))
