"""Parameter groups, by identity."""

import pytest
import torch
from torch import nn

from curate.nn import (
    FixupBias,
    FixupError,
    FixupScale,
    fixup_,
    fixup_param_groups,
    fixup_resnet_cifar,
)
from tests.nn.fixup.nets import Net, PostBlock


class Misnamed(nn.Module):
    """Parameters whose names lie about what they are."""

    def __init__(self):
        super().__init__()
        self.bias = nn.Linear(3, 3)
        self.scale_bias = nn.Parameter(torch.ones(1))
        self.weight = FixupBias()
        self.also = FixupScale()
        self.again = self.also


def ids(group):
    return {id(parameter) for parameter in group["params"]}


def test_by_identity_not_by_name():
    model = Misnamed()
    weights, scalars = fixup_param_groups(model, 0.5, 1e-4)
    assert ids(scalars) == {id(model.weight.bias), id(model.also.scale)}
    assert ids(weights) == {
        id(model.bias.weight), id(model.bias.bias), id(model.scale_bias)
    }  # fmt: skip
    assert (weights["lr"], weights["weight_decay"]) == (0.5, 1e-4)
    assert (scalars["lr"], scalars["weight_decay"]) == (0.05, 0.0)
    assert fixup_param_groups(model, 0.5, 1e-4, decay_scalars=True)[1]["weight_decay"] == 1e-4


@pytest.mark.parametrize("build", [lambda: fixup_resnet_cifar(20), lambda: fixed_up(4)])
def test_every_parameter_once_and_scalars_alone(build):
    model = build()
    weights, scalars = fixup_param_groups(model, 0.1)
    every = [id(p) for group in (weights, scalars) for p in group["params"]]
    assert sorted(every) == sorted(id(p) for p in model.parameters())
    assert all(p.numel() == 1 for p in scalars["params"])
    expected = sum(p.numel() == 1 for p in model.parameters())
    assert len(scalars["params"]) == expected
    torch.optim.SGD([weights, scalars], momentum=0.9)


def fixed_up(blocks):
    model = Net(*(PostBlock(6) for _ in range(blocks)))
    fixup_(model, verbose=False)
    return model


@pytest.mark.parametrize(("blocks", "ratio"), [(1, 0.1), (50, 0.1), (100, 0.05), (500, 0.01)])
def test_depth_rule(blocks, ratio):
    for model in (fixed_up(blocks),):
        scalars = fixup_param_groups(model, 2.0, scalar_lr_ratio="depth")[1]
        assert scalars["lr"] == pytest.approx(2.0 * ratio)


def test_depth_counts_the_blocks_of_the_papers_networks():
    with torch.device("meta"):
        model = fixup_resnet_cifar(602)  # 300 blocks
    scalars = fixup_param_groups(model, 1.0, scalar_lr_ratio="depth")[1]
    assert scalars["lr"] == pytest.approx(5 / 300)


def test_frozen_parameters_stay_out():
    model = fixed_up(1)
    model.stem.requires_grad_(False)
    weights, _ = fixup_param_groups(model, 0.1)
    assert id(model.stem.weight) not in ids(weights)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"lr": -1.0}, "lr: -1.0"),
        ({"lr": 1.0, "weight_decay": -1.0}, "weight_decay: -1.0"),
        ({"lr": 1.0, "scalar_lr_ratio": "deep"}, "scalar_lr_ratio: 'deep'"),
        ({"lr": 1.0, "scalar_lr_ratio": -0.1}, "scalar_lr_ratio: -0.1"),
        ({"lr": float("nan")}, "lr: nan"),
    ],
)
def test_refusals(keywords, message):
    with pytest.raises(FixupError, match=message):
        fixup_param_groups(fixed_up(1), **keywords)
    with pytest.raises(FixupError, match="no Fixup scalars"):
        fixup_param_groups(nn.Linear(2, 2), 0.1)
