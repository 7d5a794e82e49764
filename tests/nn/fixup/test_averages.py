"""Shortcuts that average (ResNet-D): what layers read is centred there, and nowhere else."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from curate.nn import diagnose, fixup_
from tests.nn.fixup.nets import losses_of


class Block(nn.Module):
    """Halves height and width, by an average or by the stride of a convolution."""

    def __init__(self, inputs, outputs, pool):
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride=2, padding=1)
        self.last, self.pool = nn.Conv2d(outputs, outputs, 3, padding=1), pool
        stride = 2 if pool is None else 1
        self.short = nn.Conv2d(inputs, outputs, 1, stride=stride)
        self.average = nn.AvgPool2d(2) if pool == "module" else None

    def forward(self, x):
        y = self.last(torch.relu(self.first(x)))
        if self.pool == "module":
            x = self.average(x)
        elif self.pool == "function":
            x = functional.avg_pool2d(x, 2)
        return torch.relu(y + self.short(x))


def net(pool):
    torch.manual_seed(0)
    stem = [nn.Conv2d(3, 16, 3, padding=1), nn.ReLU()]
    blocks = [Block(16 * 2**i, 32 * 2**i, pool) for i in range(3)]
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, 4))


def biases(model):
    return {n: p.item() for n, p in model.named_parameters() if n.endswith("fixup_before.bias")}


def batch():
    generator = torch.Generator().manual_seed(1)
    labels = torch.tensor([0, 1, 2, 3, 0, 0, 1, 0])
    return torch.randn(8, 3, 16, 16, generator=generator), labels


@pytest.mark.parametrize("example", [True, False])
@pytest.mark.parametrize("pool", ["module", "function", None])
def test_biases_are_minus_the_mean_of_what_layers_read_where_shortcuts_average(pool, example):
    model, (images, _) = net(pool), batch()
    report = fixup_(model, example_inputs=images if example else None, verbose=False)
    assert len(biases(model)) == (10 if pool else 7)  # an average, and its layer has its own
    if pool is None:
        assert not any(biases(model).values())
        assert not [row for row in report.rows if row.role == "bias"]
        return
    assert sum(row.role == "bias" for row in report.rows) == 10
    means = {}
    for name, module in model.named_modules():
        if name.endswith("fixup_before"):
            module.register_forward_hook(
                lambda m, args, out, name=name: means.update({name: out.mean().item()})
            )
    model(images)
    assert max(map(abs, means.values())) < (1e-5 if example else 0.5)
    assert max(biases(model).values()) <= 0  # behind ReLUs, but the stem's, which has none
    assert sum(bias < -0.01 for bias in biases(model).values()) >= 7


@pytest.mark.parametrize("example", [True, False])
def test_shortcuts_make_up_for_what_their_averages_lose(example):
    model, (images, _) = net("module"), batch()
    report = fixup_(model, example_inputs=images if example else None, verbose=False)
    energies = {}
    for name, module in model.named_modules():
        if name.endswith(("first", "short")):
            module.register_forward_hook(
                lambda m, args, out, name=name: energies.update(
                    {name: (args[0] if name.endswith("first") else out).square().sum(1).mean()}
                )
            )
    model(images)
    for block in ("2", "3", "4"):  # He's rule doubles, for the ReLU that is behind
        ratio = energies[f"{block}.short"] / energies[f"{block}.first"]
        assert ratio.item() == pytest.approx(2.0, rel=1e-4 if example else 0.5)
    assert sum("by its signal" in row.init for row in report.rows) == 3


def test_without_scalars_and_without_a_pass_nothing_is_centred():
    model = net("module")
    report = fixup_(model, scalars=False, verbose=False)
    assert not biases(model)
    assert not any("by its signal" in row.init for row in report.rows)
    model = nn.Sequential(Refusing(), *net("module"))
    report = fixup_(model, verbose=False)
    assert len(biases(model)) == 10
    assert not any(biases(model).values())
    std = model[3].short.weight.std().item()
    assert std == pytest.approx(report.stds()["3.short"], rel=0.05)


class Refusing(nn.Module):
    """Takes images of 16 x 16 only."""

    def forward(self, x):
        return x.view(-1, 3, 16, 16).view(x.shape[0], 3, 16, 16)


def test_a_second_call_centres_anew():
    model = net("module")
    fixup_(model, example_inputs=batch()[0], verbose=False)
    first = biases(model)
    fixup_(model, example_inputs=batch()[0], verbose=False)
    assert set(biases(model)) == set(first)
    assert all(0.3 < biases(model)[n] / first[n] < 3 for n in list(first)[1:])


def test_it_learns():
    model, (images, labels) = net("module"), batch()
    fixup_(model, verbose=False)
    assert diagnose(model, (images, labels), lr=0.05).healthy
    losses = losses_of(model, images, labels, steps=80)
    assert losses[-1] < losses[0] / 2
