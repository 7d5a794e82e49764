"""The rule against its formula, written again here."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from curate.nn import FixupError, branch_scale, fixup_init_


@given(st.integers(1, 10_000), st.integers(1, 12))
def test_product_of_a_branch_is_one_over_root_of_branches(branches, layers):
    # what the exponent is for: the m - 1 factors of a branch together are L^(-1/2)
    factor = branch_scale(branches, layers)
    if layers == 1:
        assert factor == 1
    else:
        assert factor ** (layers - 1) == pytest.approx(branches**-0.5, rel=1e-12)


@pytest.mark.parametrize(("kernel", "groups"), [(1, 1), (3, 1), (5, 1), (3, 4), (3, 64)])
@pytest.mark.parametrize("m", [2, 3])
def test_standard_deviations_of_one_branch(kernel, groups, m):
    torch.manual_seed(0)
    layers = [nn.Conv2d(64, 64, kernel, groups=groups) for _ in range(m)]
    fixup_init_(layers, num_branches=49)
    outputs = 64 // groups
    expected = math.sqrt(2 / (kernel * kernel * outputs)) * 49 ** (-1 / (2 * m - 2))
    for layer in layers[:-1]:
        # the relative error of a standard deviation of n draws is 1/sqrt(2n); five of them
        tolerance = 5 / math.sqrt(2 * layer.weight.numel())
        assert layer.weight.std().item() == pytest.approx(expected, rel=tolerance)
        assert abs(layer.weight.mean().item()) < 5 * expected / math.sqrt(layer.weight.numel())
        assert not layer.bias.any()
    assert not layers[-1].weight.any()
    assert not layers[-1].bias.any()


def test_linear_and_transposed_layers():
    torch.manual_seed(0)
    linear, transposed = nn.Linear(300, 200), nn.ConvTranspose2d(40, 30, 3)
    fixup_init_([linear, transposed, nn.Linear(3, 3)], num_branches=16)
    assert linear.weight.std().item() == pytest.approx(math.sqrt(2 / 200) / 2, rel=0.02)
    assert transposed.weight.std().item() == pytest.approx(math.sqrt(2 / (9 * 30)) / 2, rel=0.04)


def test_a_generator_decides_all():
    layers = [[nn.Linear(4, 4), nn.Linear(4, 4)] for _ in range(2)]
    for pair in layers:
        fixup_init_(pair, 3, generator=torch.Generator().manual_seed(5))
    assert torch.equal(layers[0][0].weight, layers[1][0].weight)


def test_refusals_change_nothing():
    linear = nn.Linear(4, 4)
    before = linear.weight.clone()
    with pytest.raises(FixupError, match="ReLU is no convolution"):
        fixup_init_([linear, nn.ReLU(), nn.Linear(4, 4)], 2)
    assert torch.equal(linear.weight, before)
    with pytest.raises(FixupError, match="layers: none"):
        fixup_init_([], 2)
    with pytest.raises(FixupError, match="num_branches: 0"):
        fixup_init_([linear], 0)
