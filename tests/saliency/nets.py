"""One small network in every style that a module can be written in."""

import torch
from torch import nn
from torch.nn import functional as F


class Styled(nn.Module):
    """Convolution, rectifier, max-pool, normalised convolution, rectifier, gate, linear."""

    def __init__(self, act=None, pool="max"):
        super().__init__()
        self.first = nn.Conv2d(3, 6, 3, padding=1)
        self.second = nn.Conv2d(6, 6, 3, padding=1)
        self.norm = nn.BatchNorm2d(6)
        self.last = nn.Linear(6 * 3 * 3, 4)
        self.act, self.pool_kind = act, pool
        self.act_module = nn.ReLU()
        self.in_place_module = nn.ReLU(inplace=True)
        self.pool_module = nn.MaxPool2d(2)

    def rectify(self, x):
        return self.act(x)

    def pool(self, x):
        return F.max_pool2d(x, 2) if self.pool_kind == "max" else F.avg_pool2d(x, 2)

    def forward(self, x):
        x = self.pool(self.rectify(self.first(x)))
        y = self.rectify(self.norm(self.second(x)))
        y = (x + y) * torch.sigmoid(y.mean((2, 3), keepdim=True))
        return self.last(y.flatten(1))


class Functional(Styled):
    def rectify(self, x):
        return F.relu(x)


class Reused(Styled):
    def rectify(self, x):
        return self.act_module(x)

    def pool(self, x):
        return self.pool_module(x)


class InPlace(Styled):
    def rectify(self, x):
        return self.in_place_module(x)


class InPlaceFunctional(Styled):
    def rectify(self, x):
        F.relu(x, inplace=True)
        return x


class Method(Styled):
    def rectify(self, x):
        x.relu_()
        return x


class InPlacePart(Styled):
    def rectify(self, x):
        x[:, :2].relu_()
        return torch.cat([x[:, :2], F.relu(x[:, 2:])], 1)


class Clamped(Styled):
    def rectify(self, x):
        return x.clamp(min=0)


RELU_STYLES = (Functional, Reused, InPlace, InPlaceFunctional, InPlacePart, Method, Clamped)


def build(style=Functional, **options):
    """In float64 and eval mode, the same weights in every style."""
    generator = torch.Generator().manual_seed(1)
    net = style(**options).double()
    with torch.no_grad():
        for value in (*net.parameters(), net.norm.running_mean):
            value.copy_(torch.randn(value.shape, generator=generator, dtype=value.dtype) / 2)
    return net.eval()


def images(count=4, size=6):
    generator = torch.Generator().manual_seed(2)
    return 0.1 + 0.8 * torch.rand(count, 3, size, size, generator=generator, dtype=torch.float64)


def layers(act):
    """Three linear layers of 27 pixels, with ``act`` between."""
    generator = torch.Generator().manual_seed(3)
    net = nn.Sequential(nn.Flatten(), nn.Linear(27, 8), act, nn.Linear(8, 6), act, nn.Linear(6, 3))
    for value in net.parameters():
        value.data = torch.randn(value.shape, generator=generator, dtype=torch.float64) / 3
    return net.eval()
