"""Layers outside branches, and what multiplies a signal: activations, gates, embeddings."""

import itertools
import math

import pytest
import torch
from torch import nn

from curate.nn import diagnose, fixup_, fixup_resnet, fixup_resnet_cifar
from curate.nn.fixup.branches.gains import second_moment
from curate.nn.fixup.scalars import FixedScale
from tests.nn.fixup.nets import GatedBlock, Net, PostBlock, PreBlock, losses_of


@pytest.mark.parametrize(
    ("function", "want"),
    [
        (nn.ReLU(), 0.5),
        (torch.relu, 0.5),
        ("relu", 0.5),
        (nn.functional.silu, 0.3557),
        (nn.Hardswish(), 0.3316),
        (nn.LeakyReLU(0.2), 0.52),
        (nn.Tanh(), 0.3943),
        (nn.Softmax(0), None),
        (nn.GLU(0), None),
    ],
)
def test_what_an_activation_keeps(function, want):
    got = second_moment(function)
    assert got == (None if want is None else pytest.approx(want, abs=1e-3))
    if want is not None and not isinstance(function, str):
        z = torch.randn(400_000, generator=torch.Generator().manual_seed(0))
        assert got == pytest.approx(function(z).square().mean().item(), rel=0.02)


class Gate(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.fc1, self.fc2 = nn.Conv2d(width, 4, 1), nn.Conv2d(4, width, 1)

    def forward(self, x):
        return x * torch.sigmoid(self.fc2(torch.relu(self.fc1(x.mean((2, 3), keepdim=True)))))


class Inverted(nn.Module):
    """An inverted bottleneck with a gate, as in EfficientNet."""

    def __init__(self, inputs, outputs):
        super().__init__()
        wide = 4 * inputs
        self.expand, self.project = nn.Conv2d(inputs, wide, 1), nn.Conv2d(wide, outputs, 1)
        self.depthwise = nn.Conv2d(wide, wide, 5, padding=2, stride=2, groups=wide)
        self.norm1, self.norm2 = nn.BatchNorm2d(wide), nn.BatchNorm2d(wide)
        self.norm3, self.gate = nn.BatchNorm2d(outputs), Gate(wide)

    def forward(self, x):
        x = nn.functional.silu(self.norm1(self.expand(x)))
        x = nn.functional.silu(self.norm2(self.depthwise(x)))
        return self.norm3(self.project(self.gate(x)))


class Residual(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(width, width, 3, padding=1), nn.Conv2d(width, width, 1)

    def forward(self, x):
        return x + self.conv2(nn.functional.silu(self.conv1(x)))


def chain():
    torch.manual_seed(0)
    widths = (8, 16, 24, 32, 48)
    blocks = [Inverted(a, b) for a, b in itertools.pairwise(widths)]
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), *blocks, Residual(48),
                         nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(48, 5))  # fmt: skip


def batch():
    generator = torch.Generator().manual_seed(1)
    labels = torch.arange(8) % 5
    return torch.randn(8, 3, 32, 32, generator=generator), labels


def test_a_long_chain_keeps_its_signal_and_learns():
    model = chain()
    report = fixup_(model, verbose=False)
    images, labels = batch()
    features = model[:-1](images)
    assert 0.3 < features.square().sum(1).mean().sqrt() < 10
    assert not model(images).any()
    assert sum(isinstance(m, FixedScale) for m in model.modules()) == 13 + 8  # layers and gates
    assert diagnose(model, (images, labels), lr=0.05).healthy
    losses = losses_of(model, images, labels, steps=60)
    assert losses[-1] < losses[0] / 2
    assert {row.role for row in report.rows} >= {"plain", "gate", "classifier"}


def test_a_second_call_only_draws_new_numbers():
    model = chain()
    first = fixup_(model, verbose=False)
    gate = model[1].gate.fc1.weight.clone()
    names = set(model.state_dict())
    second = fixup_(model, verbose=False)
    assert torch.equal(model[1].gate.fc1.weight, gate)
    assert set(model.state_dict()) == names
    assert {r.module for r in first.rows if r.role != "norm"} == {r.module for r in second.rows}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["chain", "blocks", "paper", "paper's bottlenecks"])
def test_torchscript_is_the_same_function(kind, tmp_path):
    model = {
        "chain": chain,
        "blocks": lambda: Net(PostBlock(6), PreBlock(6), GatedBlock(6, 8), outputs=8),
        "paper": lambda: fixup_resnet_cifar(8, width=4),
        "paper's bottlenecks": lambda: fixup_resnet(50, num_classes=3),
    }[kind]()
    if "paper" not in kind:
        fixup_(model, verbose=False)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    images, _ = batch()
    model.eval()
    if "paper" not in kind:
        traced = torch.jit.trace(model, images)
        torch.testing.assert_close(traced(images[:3]), model(images[:3]))
    file = str(tmp_path / "model.pt")
    torch.jit.save(torch.jit.script(model), file)
    torch.testing.assert_close(torch.jit.load(file)(images[:3]), model(images[:3]))


def test_dividing_what_larger_weights_give_changes_no_function():
    torch.manual_seed(0)
    gate = Gate(8)
    x = torch.randn(2, 8, 4, 4)
    before = gate(x)
    from curate.nn.fixup.initial import divide_

    divide_(gate.fc1, 3.0, drawn=False)
    divide_(gate.fc1, 3.0, drawn=False)
    torch.testing.assert_close(gate(x), before)


def test_diagnose_sees_that_the_input_does_not_reach_the_outputs():
    model = chain()
    fixup_(model, verbose=False)
    with torch.no_grad():
        for block in model[1:5]:
            block.project.weight.mul_(1e-2)
    found = diagnose(model, batch(), lr=0.05)
    assert max(found.updates) > 0.01 * found.lr  # the classifier's bias learns the frequencies
    assert not found.healthy
    assert "apart" in str(found)


def test_embeddings_after_a_removed_layer_norm_have_a_size():
    transformers = pytest.importorskip("transformers")
    small = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
             "intermediate_size": 32, "vocab_size": 60}  # fmt: skip
    model = transformers.BertForSequenceClassification(transformers.BertConfig(**small))
    report = fixup_(model, verbose=False)
    rows = [row.module for row in report.rows if row.role == "embedding"]
    assert len(rows) == 3
    for name in rows:
        size = model.get_submodule(name).weight.square().mean().sqrt().item()
        assert size == pytest.approx(3**-0.5, rel=1e-4)
    tied = transformers.GPT2LMHeadModel(
        transformers.GPT2Config(n_embd=16, n_layer=2, n_head=2, vocab_size=60, n_positions=32)
    )
    fixup_(tied, verbose=False)
    lengths = tied.transformer.wte.weight.square().sum(1).mean().sqrt().item()
    assert lengths == pytest.approx(1.0, rel=1e-4)
    kept = transformers.BertForSequenceClassification(transformers.BertConfig(**small))
    before = kept.bert.embeddings.word_embeddings.weight.clone()
    fixup_(kept, norm="keep", verbose=False)
    assert torch.equal(kept.bert.embeddings.word_embeddings.weight, before)
    assert math.isfinite(lengths)
