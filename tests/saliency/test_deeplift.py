"""The rescale rule by hand, in every style, and with baselines that images share or have."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from curate import saliency
from curate.errors import CurateWarning
from tests.saliency.nets import RELU_STYLES, build, images, layers


@pytest.mark.parametrize("act", [nn.ReLU(), nn.Sigmoid(), nn.GELU(), nn.LeakyReLU(0.2), nn.ELU()])
def test_deeplift_multipliers_by_hand(act):
    net, x = layers(act), images(3, 3)
    base = torch.full_like(x, 0.5)
    for row in range(3):
        here, there = [x[row].flatten()], [base[row].flatten()]
        for layer in net[1:]:
            here.append(layer(here[-1]))
            there.append(layer(there[-1]))
        # here: input, linear, act, linear, act, logits
        signal = net[5].weight[1]
        for after, weight in [(4, net[3].weight), (2, net[1].weight)]:
            before = after - 1
            ratio = (here[after] - there[after]) / (here[before] - there[before])
            signal = (signal * ratio) @ weight
        expected = signal * (here[0] - there[0])
        found = saliency.deeplift(net, x, 1, baseline=0.5)[row]
        assert torch.allclose(found.flatten(), expected, atol=1e-9)


@pytest.mark.parametrize("style", RELU_STYLES)
@pytest.mark.parametrize("pool", ["max", "average"])
def test_deeplift_adds_up_in_every_style(style, pool):
    net, x = build(style, pool=pool), images(8)
    maps = saliency.deeplift(net, x, 1)
    assert float(saliency.completeness_error(net, x, maps, 1).max()) < 1e-10


class Folded(nn.Module):
    """Works on each row of pixels as if it were an example, gates and pools them."""

    def __init__(self):
        super().__init__()
        self.rows, self.last = nn.Linear(18, 8), nn.Linear(24, 3)

    def forward(self, x):
        rows = self.rows(x.transpose(1, 2).reshape(-1, 18))
        rows = F.gelu(rows) * torch.sigmoid(rows)
        return self.last(F.max_pool1d(rows[:, None], 2)[:, 0].reshape(len(x), -1))


@pytest.mark.parametrize("softplus_beta", [None, 2.0])
@pytest.mark.parametrize("style", [*RELU_STYLES, Folded])
def test_a_baseline_that_all_share_is_as_one_for_each(style, softplus_beta):
    torch.manual_seed(0)
    net = build(style) if style is not Folded else Folded().double().eval()
    x = images(5).requires_grad_()
    base = torch.full_like(x[0].detach(), 0.3)
    weights = torch.randn(x.shape, dtype=x.dtype)
    found = []
    for given, chunk in ((base, 64), (base.repeat(5, 1, 1, 1), 64), (base, 2)):
        maps = saliency.deeplift(
            net, x, 1, baseline=given, softplus_beta=softplus_beta, chunk=chunk
        )
        (gradient,) = torch.autograd.grad((maps * weights).sum(), x)
        found.append((maps, gradient))
    for maps, gradient in found[1:]:
        assert torch.allclose(maps, found[0][0], atol=1e-12)
        assert torch.allclose(gradient, found[0][1], atol=1e-11)
    error = saliency.completeness_error(
        net, x, maps.detach(), 1, baseline=base, softplus_beta=softplus_beta
    )
    assert float(error.max()) < 1e-9


def test_deeplift_says_where_an_operation_has_no_rule():
    class Norm(nn.Module):
        def forward(self, x):
            return F.layer_norm(x, x.shape[1:]) ** 3

    net = nn.Sequential(nn.Flatten(), nn.Linear(27, 8), Norm(), nn.Linear(8, 3)).double().eval()
    with pytest.warns(CurateWarning, match="deeplift: the maps of"):
        saliency.deeplift(net, images(3, 3), 1)
