"""ReZero and SkipInit: x + 0 f(x)."""

import math

import pytest
import torch

from curate.nn import FixupBias, FixupScale, fixup_
from tests.nn.fixup.nets import Net, PostBlock, images


@pytest.mark.parametrize("rule", ["rezero", "skipinit"])
def test_branches_vanish_and_learn(rule):
    torch.manual_seed(0)
    model = Net(*(PostBlock(24) for _ in range(3)), width=24)
    before = model.blocks[1].conv2.weight.clone()
    report = fixup_(model, rule=rule, verbose=False)
    assert report.scalars == 3
    assert not any(isinstance(m, FixupBias) for m in model.modules())
    assert [m.scale.item() for m in model.modules() if isinstance(m, FixupScale)] == [0, 0, 0]
    x = torch.rand(2, 24, 4, 4)
    assert torch.equal(model.blocks(x), x)
    weight = model.blocks[1].conv2.weight
    if rule == "rezero":
        assert torch.equal(weight, before)
    else:
        assert weight.std().item() == pytest.approx(math.sqrt(2 / (24 * 9)), rel=0.06)
    logits = model(images())
    assert logits.any()  # the classifier is no part of these rules
    logits.square().sum().backward()
    assert model.blocks[1].conv2.fixup_scale.scale.grad.abs().item() > 0


def test_from_one_rule_to_another():
    model = Net(PostBlock(6))
    fixup_(model, rule="rezero", verbose=False)
    fixup_(model, rule="fixup", verbose=False)
    assert model.blocks[0].conv2.fixup_scale.scale.item() == 1
    fixup_(model, rule="skipinit", verbose=False)
    assert model.blocks[0].conv2.fixup_scale.scale.item() == 0
