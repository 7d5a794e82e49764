"""Checkpointed networks compute the same in less memory."""

import copy

import pytest
import torch
from torch import nn

from curate.nn import CheckpointSequential, FixupError, checkpoint_, fixup_
from tests.nn.fixup.nets import Net, PostBlock, images


def net(blocks):
    torch.manual_seed(0)
    model = Net(*(PostBlock(6) for _ in range(blocks)))
    fixup_(model, verbose=False)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.1)
    return model.double()


@pytest.mark.parametrize("segment", [None, 1, 3, 100])
@pytest.mark.parametrize("blocks", [8, 13])
def test_same_outputs_gradients_and_names(blocks, segment):
    plain = net(blocks)
    saved = copy.deepcopy(plain)
    assert checkpoint_(saved, segment) == 1
    assert isinstance(saved.blocks, CheckpointSequential)
    assert list(plain.state_dict()) == list(saved.state_dict())
    x = images().double()
    plain(x).square().sum().backward()
    saved(x).square().sum().backward()
    torch.testing.assert_close(saved(x), plain(x), rtol=0, atol=0)
    for a, b in zip(plain.parameters(), saved.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-12, atol=1e-12)
    with torch.no_grad():
        assert torch.equal(saved(x), plain(x))


def test_keeps_the_root_of_the_activations():
    """What autograd saves outside of the segments: about sqrt(n) tensors, not several times n."""

    def saved_tensors(model):
        count = 0

        def pack(tensor):
            nonlocal count
            count += 1
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
            model(images().double())
        return count

    plain = net(64)
    most = saved_tensors(plain)
    checkpoint_(plain)
    assert saved_tensors(plain) < most / 10


def test_short_sequences_and_refusals():
    assert checkpoint_(net(3)) == 0
    assert checkpoint_(net(3), shortest=2) == 1
    with pytest.raises(FixupError, match="segment: 0"):
        checkpoint_(net(8), segment=0)
    with pytest.raises(FixupError, match=r"CheckpointSequential\(\*model\)"):
        checkpoint_(nn.Sequential(*(nn.Linear(2, 2) for _ in range(9))))
