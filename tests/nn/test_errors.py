"""What the networks raise is a CurateError."""

import pytest
import torch

import curate
from curate.nn import LightweightConv1d, fixup_, fixup_resnet_cifar, lightweight_conv1d


@pytest.mark.parametrize(
    "mistake",
    [
        lambda: fixup_resnet_cifar(9),
        lambda: fixup_(torch.nn.Linear(2, 2), verbose=False),
        lambda: LightweightConv1d(4, 3, num_heads=3),
        lambda: lightweight_conv1d(torch.zeros(1, 2, 4), torch.zeros(3)),
    ],
)
def test_the_root_of_errors_catches_them(mistake):
    with pytest.raises(curate.CurateError):
        mistake()
