"""Per-example gradient norms against a loop of backward passes."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from curate import CurateError
from curate.nn import per_example
from curate.scores import grand


def network(norm=None):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 3, 3),
        nn.GroupNorm(1, 3) if norm is None else norm,
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(48, 4),
    ).double()


def batch(size=7):
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(size, 1, 6, 6, generator=generator, dtype=torch.float64)
    return inputs, torch.randint(0, 4, (size,), generator=generator)


def slow(model, inputs, labels, names=None, loss=cross_entropy):
    norms = []
    parameters = [p for n, p in model.named_parameters() if names is None or n in names]
    for i in range(len(inputs)):
        found = torch.autograd.grad(loss(model(inputs[i : i + 1]), labels[i : i + 1]), parameters)
        norms.append(torch.cat([g.flatten() for g in found]).norm().item())
    return norms


@pytest.mark.parametrize("chunk_size", [None, 1, 3, 7, 100])
def test_norm_of_each_examples_own_gradient(chunk_size):
    model, (inputs, labels) = network(), batch()
    found = grand(model, inputs, labels, chunk_size=chunk_size)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, slow(model, inputs, labels), rtol=1e-10)


def test_it_is_not_the_gradient_of_the_mean_loss():
    model, (inputs, labels) = network(), batch()
    together = torch.autograd.grad(cross_entropy(model(inputs), labels), list(model.parameters()))
    norm = torch.cat([g.flatten() for g in together]).norm().item()
    assert grand(model, inputs, labels).mean() > 1.05 * norm


def test_some_parameters_only():
    model, (inputs, labels) = network(), batch()
    names = ["4.weight", "4.bias"]
    found = grand(model, inputs, labels, params=names)
    np.testing.assert_allclose(found, slow(model, inputs, labels, names), rtol=1e-10)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name in names)
    np.testing.assert_allclose(grand(model, inputs, labels), found, rtol=1e-10)


def test_another_loss():
    def squared(logits, labels):
        return ((logits - torch.eye(4, dtype=logits.dtype)[labels]) ** 2).sum()

    model, (inputs, labels) = network(), batch()
    found = grand(model, inputs, labels, loss=squared)
    np.testing.assert_allclose(found, slow(model, inputs, labels, loss=squared), rtol=1e-10)


def test_the_model_is_left_as_it_was():
    model, (inputs, labels) = network(nn.BatchNorm2d(3)).eval(), batch()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    grand(model, inputs, labels)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_gradients_of_one_chunk_bound_the_memory(monkeypatch):
    model, (inputs, labels) = network(), batch()
    sizes = []

    def counted(logits, labels):
        sizes.append(1)
        return cross_entropy(logits, labels)

    parameters = 8 * sum(p.numel() for p in model.parameters())
    monkeypatch.setattr(per_example, "_GRADIENT_BYTES", 2 * parameters)
    grand(model, inputs, labels, loss=counted)
    assert len(sizes) == 4  # seven examples, two at a time


def test_batch_norm_is_fine_in_eval_mode_and_refused_in_training_mode():
    model, (inputs, labels) = network(nn.BatchNorm2d(3)), batch()
    with pytest.raises(CurateError, match=r"'1' \(BatchNorm2d\).*model\.eval\(\)"):
        grand(model, inputs, labels)
    model.eval()
    found = grand(model, inputs, labels)
    np.testing.assert_allclose(found, slow(model, inputs, labels), rtol=1e-10)


def test_batch_norm_without_running_statistics_is_refused_in_either_mode():
    model, (inputs, labels) = network(nn.BatchNorm2d(3, track_running_stats=False)).eval(), batch()
    with pytest.raises(CurateError, match="track_running_stats=True"):
        grand(model, inputs, labels)


def test_dropout_in_training_mode_is_refused():
    model, (inputs, labels) = network(nn.Dropout(0.5)), batch()
    with pytest.raises(CurateError, match=r"Dropout.*model\.eval\(\)"):
        grand(model, inputs, labels)
    assert len(grand(model.eval(), inputs, labels)) == 7


def test_wrong_arguments_are_named():
    model, (inputs, labels) = network(), batch()
    with pytest.raises(CurateError, match="labels: 6 of them for 7 inputs"):
        grand(model, inputs, labels[:6])
    with pytest.raises(CurateError, match=r"params: \['head'\]"):
        grand(model, inputs, labels, params=["head"])
    with pytest.raises(CurateError, match="chunk_size: 0"):
        grand(model, inputs, labels, chunk_size=0)
    with pytest.raises(CurateError, match="no parameter requires a gradient"):
        grand(model.requires_grad_(False), inputs, labels)


def test_no_examples():
    model, (inputs, labels) = network(), batch()
    assert grand(model, inputs[:0], labels[:0]).shape == (0,)
