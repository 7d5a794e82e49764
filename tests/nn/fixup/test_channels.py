"""Branches of which a part is added to x, and a part becomes new channels."""

import pytest
import torch
from torch import nn

from curate.nn import fixup_
from curate.nn.fixup.scalars import FixedScale
from tests.nn.fixup.nets import losses_of


class Widening(nn.Module):
    """x is added to the first channels of f(x), and the others are new (ReXNet, DPN)."""

    def __init__(self, inputs, outputs, both=False):
        super().__init__()
        self.first, self.norm = nn.Conv2d(inputs, 32, 3, padding=1), nn.BatchNorm2d(outputs)
        self.last, self.inputs, self.both = nn.Conv2d(32, outputs, 1), inputs, both

    def forward(self, x):
        y = self.norm(self.last(torch.relu(self.first(x))))
        others = y[:, self.inputs :]
        if self.both:
            return x + y[:, : self.inputs] + others
        return torch.cat([y[:, : self.inputs] + x, others], 1)


class WideningRows(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.first, self.last = nn.Linear(inputs, 32), nn.Linear(32, outputs)
        self.inputs = inputs

    def forward(self, x):
        y = self.last(torch.relu(self.first(x)))
        return torch.cat([x + y[..., : self.inputs], y[..., self.inputs :]], -1)


def net(blocks=8, width=8, more=4):
    torch.manual_seed(0)
    widths = [width + more * i for i in range(blocks + 1)]
    middle = [Widening(a, a + more) for a in widths[:-1]]
    return nn.Sequential(nn.Conv2d(3, width, 3, padding=1), *middle, nn.AdaptiveAvgPool2d(1),
                         nn.Flatten(), nn.Linear(widths[-1], 4))  # fmt: skip


@pytest.mark.parametrize("read", ["traced", "run"])
def test_only_the_channels_that_x_is_added_to_begin_at_nothing(read):
    model = net()
    images = torch.randn(8, 3, 8, 8)
    report = fixup_(model, example_inputs=images if read == "run" else None, verbose=False)
    assert [row.zeros for row in report.rows if row.role == "branch, last"] == [
        (0, 8 + 4 * i) for i in range(8)
    ]
    energies = []
    x = model[0](images)
    for block in model[1:9]:
        before = x
        x = block(x)
        assert torch.equal(x[:, : before.shape[1]], before)
        energies.append(x[:, before.shape[1] :].square().mean().sqrt().item())
    # new channels have the size of those that are there, however many blocks there are
    assert min(energies) > 0.2
    assert max(energies) < 5


@pytest.mark.parametrize("dimensions", [2, 3])
def test_of_rows_too(dimensions):
    model = nn.Sequential(WideningRows(6, 10), WideningRows(10, 14), nn.Linear(14, 2))
    report = fixup_(model, verbose=False)
    assert [row.zeros for row in report.rows if row.role == "branch, last"] == [(0, 6), (0, 10)]
    x = torch.randn(*(3, 4, 6)[3 - dimensions :])
    assert torch.equal(model[:2](x)[..., :6], x)
    assert bool(model[0].last.weight[6:].ne(0).all())


def test_a_part_of_the_rows_is_no_part_of_the_channels():
    class Tail(nn.Module):
        """The first token leaves the stream."""

        def __init__(self):
            super().__init__()
            self.first, self.last = nn.Linear(6, 8), nn.Linear(8, 6)

        def forward(self, x):
            y = self.last(torch.relu(self.first(x)))
            return torch.cat([x[:, 1:] + y[:, 1:], y[:, :1]], 1)

    report = fixup_(nn.Sequential(Tail(), nn.Linear(6, 2)), verbose=False)
    assert [row.zeros for row in report.rows if row.role == "branch, last"] == [None]


def test_two_parts_that_are_both_added_are_nothing():
    model = nn.Sequential(Widening(4, 8, both=True), Widening(4, 8, both=True))
    fixup_(model, verbose=False)
    x = torch.randn(2, 4, 5, 5)
    assert torch.equal(model(x), x)


def test_layers_that_make_new_channels_share_a_learning_rate_and_learn():
    model = net()
    fixup_(model, verbose=False)
    assert sum(isinstance(m, FixedScale) for m in model.modules()) == 17  # of 8 blocks and the stem
    images, labels = torch.randn(8, 3, 8, 8), torch.tensor([0, 1, 2, 3, 0, 0, 1, 0])
    losses = losses_of(model, images, labels, steps=60)
    assert losses[-1] < losses[0] / 2


class Dense(nn.Module):
    """The new channels have a layer of their own, which reads what the branch has made (DPN)."""

    def __init__(self, inputs, more):
        super().__init__()
        self.first, self.last = nn.Conv2d(inputs, 16, 3, padding=1), nn.Conv2d(16, inputs, 1)
        self.new = nn.Conv2d(16, more, 1) if more else None

    def forward(self, x):
        y = torch.relu(self.first(x))
        return (
            x + self.last(y) if self.new is None else torch.cat([x + self.last(y), self.new(y)], 1)
        )


@pytest.mark.parametrize("more", [0, 4])
def test_layers_that_another_reads_beside_their_branch_share_it_too(more):
    widths = [8 + more * i for i in range(7)]
    blocks = [Dense(width, more) for width in widths]
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8 + 7 * more, 4)]
    model = nn.Sequential(nn.Conv2d(3, 8, 3), *blocks, *head)
    report = fixup_(model, verbose=False)
    assert [b.makes_channels for b in report.branches] == [bool(more)] * 7
    # the stem and, of every block, the two layers of the branch and the one beside it
    assert sum(isinstance(m, FixedScale) for m in model.modules()) == (1 + 3 * 7 if more else 0)


def test_a_second_call_only_draws_new_numbers():
    model = net()
    fixup_(model, verbose=False)
    names, sizes = set(model.state_dict()), model[3].last.weight.square().mean().sqrt().item()
    fixup_(model, verbose=False)
    assert set(model.state_dict()) == names
    assert model[3].last.weight.square().mean().sqrt().item() == pytest.approx(sizes, rel=0.3)
    assert not model[3].last.weight[:16].any()
