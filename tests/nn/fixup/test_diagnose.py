"""A step of SGD moves the outputs by the order of the learning rate, whatever the depth."""

import copy

import pytest
import torch
from torch import nn

from curate.nn import FixupError, diagnose, fixup_
from tests.nn.fixup.nets import Net, PostBlock


def batch(count=8):
    generator = torch.Generator().manual_seed(1)
    labels = torch.randint(0, 5, (count,), generator=generator)
    return torch.randn(count, 3, 8, 8, generator=generator), labels


def net(blocks, norm=nn.BatchNorm2d):
    torch.manual_seed(0)
    model = Net(*(PostBlock(8, norm) for _ in range(blocks)), width=8)
    fixup_(model, verbose=False)
    return model


def test_against_steps_by_hand():
    model = net(3).double()
    inputs, labels = batch()
    inputs = inputs.double()
    found = diagnose(model, (inputs, labels), lr=0.2, scalar_lr_ratio=0.5, steps=2)
    twin = copy.deepcopy(model)
    for step in range(2):
        before = twin(inputs)
        loss = nn.functional.cross_entropy(before, labels)
        gradients = torch.autograd.grad(loss, list(twin.parameters()))
        names = [name for name, _ in twin.named_parameters()]
        norms = dict(zip(names, (g.norm().item() for g in gradients), strict=True))
        with torch.no_grad():
            for name, p, g in zip(names, twin.parameters(), gradients, strict=True):
                p -= (0.1 if "fixup" in name else 0.2) * g
        change = (twin(inputs) - before).square().mean().sqrt().item()
        assert found.updates[step] == pytest.approx(change, rel=1e-9)
        assert found.losses[step] == pytest.approx(loss.item(), rel=1e-9)
        for name, values in found.gradient_norms.items():
            assert values[step] == pytest.approx(norms[name], rel=1e-9, abs=1e-12)
    assert not model(inputs).any()  # the model itself was not trained


def test_update_is_of_the_order_of_the_learning_rate_at_every_depth():
    """Definition 1 of the paper, over two decades of depth and of the learning rate."""
    sizes = {
        (blocks, lr): max(diagnose(net(blocks), batch(32), lr=lr).updates) / lr
        for blocks in (4, 40, 400)
        for lr in (0.001, 0.1)
    }
    assert max(sizes.values()) < 4 * min(sizes.values()), sizes


def test_without_the_rule_it_is_not():
    torch.manual_seed(0)
    model = Net(*(PostBlock(8, nn.Identity) for _ in range(60)), width=8)
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out")
    found = diagnose(model, batch(), lr=0.1)
    assert not found.healthy
    assert diagnose(net(60), batch(), lr=0.1).healthy


def test_says_what_it_found():
    found = diagnose(net(4), batch(), steps=2)
    printed = str(found)
    assert "update / lr" in printed
    assert "stem.weight" in printed
    assert "head.weight" in printed
    assert len(found.losses) == 3


def test_refusals():
    with pytest.raises(FixupError, match="steps: 0"):
        diagnose(net(1), batch(), steps=0)
    with pytest.raises(FixupError, match="batch: give a pair"):
        diagnose(net(1), batch()[0])


def test_results_have_a_repr_of_one_line_and_equality_never_raises():
    model = net(2)
    for result in (diagnose(model, batch()), fixup_(model, verbose=False, dry_run=True)):
        assert repr(result).startswith(f"{type(result).__name__}(")
        assert "\n" not in repr(result)
        assert len(repr(result)) < 100
        assert result == copy.copy(result)
        assert result != 1


class Late(nn.Module):
    """A stream that the classifier hears of through one more branch that begins at 0 (CaiT)."""

    def __init__(self, dead=False):
        super().__init__()
        self.token = nn.Parameter(torch.ones(1, 16))
        self.blocks = nn.ModuleList(
            nn.ModuleList([nn.Linear(16, 16), nn.Linear(16, 16)]) for _ in range(4)
        )
        self.read, self.write, self.head = nn.Linear(16, 16), nn.Linear(16, 16), nn.Linear(16, 3)
        self.dead = dead

    def forward(self, x):
        for first, second in self.blocks:
            x = x + second(torch.relu(first(x)))
        if self.dead:
            x = x.detach()
        return self.head(self.token + self.write(torch.relu(self.read(x))))


@pytest.mark.parametrize("dead", [False, True])
def test_weights_that_wake_late_are_waited_for(dead):
    torch.manual_seed(0)
    net = Late(dead)
    blocks = [tuple(block) for block in net.blocks]
    fixup_(net, branches=[*blocks, (net.read, net.write)], verbose=False)
    batch = torch.randn(8, 16), torch.tensor([0, 1, 2, 1, 1, 0, 2, 1])
    found = diagnose(net, batch, lr=0.05)
    assert found.healthy == (not dead)
    assert len(found.updates) == 4  # the layer that reads wakes in the third in both
    assert len(diagnose(net, batch, lr=0.05, steps=1).updates) == 1
