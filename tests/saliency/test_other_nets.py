"""Networks of today: attention, squeeze and excitation with hard sigmoids, compiled ones."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from curate import saliency

GENERATOR = torch.Generator().manual_seed(3)
X = 0.1 + 0.8 * torch.rand(4, 3, 8, 8, generator=GENERATOR, dtype=torch.float64)


class Attentive(nn.Module):
    """Patches of 2 × 2 pixels, attention among them, and a head."""

    def __init__(self, layer):
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 2, 2)
        self.layer = layer
        self.head = nn.Linear(8, 4)

    def forward(self, x):
        tokens = self.patches(x).flatten(2).mT
        if isinstance(self.layer, nn.MultiheadAttention):
            tokens = tokens + self.layer(tokens, tokens, tokens, need_weights=False)[0]
        elif self.layer is None:
            heads = tokens.unflatten(2, (2, 4)).transpose(1, 2)
            tokens = F.scaled_dot_product_attention(heads, heads, heads).transpose(1, 2).flatten(2)
        else:
            tokens = self.layer(tokens)
        return self.head(tokens.mean(1))


HARD = {
    "composed": lambda z: F.relu6(z + 3) / 6,
    "function": F.hardsigmoid,
    "module": nn.Hardsigmoid(),
    "in place": lambda z: F.hardsigmoid(z, inplace=True),
    "in place by position": lambda z: F.hardsigmoid(z, True),
    "module in place": nn.Hardsigmoid(inplace=True),
    "of the kernels": lambda z: torch._C._nn.hardsigmoid_(z),
}


class Gated(nn.Module):
    """A hard swish, and a gate for each channel, as MobileNetV3 has them."""

    def __init__(self, hard=F.hardsigmoid):
        super().__init__()
        self.first, self.gate = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 1)
        self.head, self.hard = nn.Linear(8 * 36, 4), hard

    def forward(self, x):
        z = F.hardswish(4 * self.first(x))
        return self.head((z * self.hard(4 * self.gate(z))).flatten(1))


def built(make):
    torch.manual_seed(1)
    return make().double().eval()


NETS = {
    "attention": lambda: Attentive(nn.MultiheadAttention(8, 2, batch_first=True)),
    "function of attention": lambda: Attentive(None),
    "transformer": lambda: Attentive(
        nn.TransformerEncoderLayer(8, 2, 16, activation="gelu", batch_first=True)
    ),
    "hard gates": Gated,
}


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize(
    ("method", "options"),
    [("gradient", {}), ("integrated_gradients", {"steps": 3}), ("deeplift", {})],
)
def test_the_gradient_through_a_map(name, method, options):
    net, explain = built(NETS[name]), getattr(saliency, method)
    weights, way = torch.randn(2, *X.shape, generator=GENERATOR, dtype=torch.float64)

    def value(x):
        return (explain(net, x, 1, **options) * weights).sum()

    x = X.clone().requires_grad_()
    (found,) = torch.autograd.grad(value(x), x)
    step = 1e-6
    up, down = (value((X + sign * step * way).requires_grad_()) for sign in (1, -1))
    rise = (up - down).item() / (2 * step)
    assert (found * way).sum().item() == pytest.approx(rise, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("name", NETS)
def test_attacks_find_a_way(name):
    net = built(NETS[name])
    terms = {"k": 8, "epsilon": 16 / 255}
    attacked = saliency.iterative_attack(net, X, step=2 / 255, iterations=30, **terms)
    signs = saliency.random_signs(net, X, **terms)
    assert attacked.found.all()
    before = saliency.pixel_scores(saliency.gradient(net, X))
    kept, at_random = (
        saliency.topk_intersection(before, saliency.pixel_scores(found.maps), 8).mean()
        for found in (attacked, signs)
    )
    assert kept < at_random


@pytest.mark.parametrize("style", HARD)
@pytest.mark.parametrize(
    ("method", "options"),
    [("gradient", {}), ("gradient", {"softplus_beta": 3.0}), ("deeplift", {})],
    ids=["gradient", "softplus", "deeplift"],
)
def test_hard_sigmoids_of_every_style(style, method, options):
    want, found = (
        getattr(saliency, method)(built(lambda hard=hard: Gated(hard)), X, 1, **options)
        for hard in (HARD["composed"], HARD[style])
    )
    torch.testing.assert_close(found, want, rtol=1e-6, atol=1e-9)  # torch rounds 1 / 6 to float32


def test_softplus_in_a_hard_sigmoid():
    """(softplus(z + 3) - softplus(z - 3)) / 6, whose gradient is known."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(192, 3), nn.Hardsigmoid()).double().eval()
    z = net[:2](X)
    slope = (torch.sigmoid(2.5 * (z + 3)) - torch.sigmoid(2.5 * (z - 3))) / 6
    want = (slope[:, 1:2] * net[1].weight[1]).view_as(X)
    torch.testing.assert_close(saliency.gradient(net, X, 1, softplus_beta=2.5), want.detach())


@pytest.mark.parametrize("name", NETS)
def test_curvature_penalty(name):
    net = built(NETS[name]).train()
    saliency.curvature_penalty(net, X, torch.arange(4)).backward()
    slopes = [parameter.grad for parameter in net.parameters() if parameter.grad is not None]
    assert slopes
    assert all(slope.isfinite().all() for slope in slopes)
    assert any((slope != 0).any() for slope in slopes)
