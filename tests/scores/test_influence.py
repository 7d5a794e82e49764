"""Influence against autograd's Hessian and against really leaving examples out."""

import numpy as np
import pytest
import torch
from torch.func import grad, hessian
from torch.nn.functional import cross_entropy, softplus

from curate.calculus import CalculusError
from curate.scores import SingleInfluence, influence

M, D, DAMPING = 30, 3, 0.05


def losses(kind):
    def loss(w, x, y):
        if kind == "softmax":
            return cross_entropy(x @ w.T, y)
        if kind == "logistic":
            return softplus(-(2 * y - 1) * (x @ w.T)[:, 0]).mean()
        return ((x @ w.T - y) ** 2).sum(1).mean() / 2

    return loss


def problem(kind, seed=0):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(M, D, generator=g, dtype=torch.float64)
    outputs = {"softmax": 4, "logistic": 1, "squared": 2}[kind]
    w = torch.randn(outputs, D, generator=g, dtype=torch.float64)
    if kind == "squared":
        return x, torch.randn(M, outputs, generator=g, dtype=torch.float64), w
    return x, torch.randint(0, max(2, outputs), (M,), generator=g), w


@pytest.mark.parametrize("kind", ["softmax", "logistic", "squared"])
def test_against_autograd(kind):
    x, y, w = problem(kind)
    loss = losses(kind)
    n = w.numel()
    h = hessian(lambda v: loss(v.reshape(w.shape), x, y))(w.reshape(-1))
    h = h + DAMPING * torch.eye(n, dtype=h.dtype)
    g = torch.stack([grad(loss)(w, x[i : i + 1], y[i : i + 1]).reshape(-1) for i in range(M)])
    test = grad(loss)(w, x[:7], y[:7]).reshape(-1)
    solved = torch.linalg.solve(h, g.T)
    ours = influence(w, x, y, x[:7], y[:7], loss=kind, damping=DAMPING)
    np.testing.assert_allclose(ours.self_influence, (g * solved.T).sum(1) / M, rtol=1e-9)
    np.testing.assert_allclose(ours.influence, test @ solved / M, rtol=1e-9, atol=1e-14)
    guessed = influence(w, x, y, x[:7], y[:7], damping=DAMPING)
    np.testing.assert_array_equal(guessed.influence, ours.influence)


@pytest.mark.parametrize("kind", ["softmax", "logistic", "squared"])
@pytest.mark.parametrize("bias", [False, True])
def test_each_on_each_against_autograd(kind, bias):
    x, y, w = problem(kind)
    loss = losses(kind)
    head = (w[:, :-1], w[:, -1]) if bias else w
    if bias:
        x[:, -1] = 1
    given = x[:, :-1] if bias else x
    n = w.numel()
    h = hessian(lambda v: loss(v.reshape(w.shape), x, y))(w.reshape(-1))
    h = h + DAMPING * torch.eye(n, dtype=h.dtype)
    g = torch.stack([grad(loss)(w, x[i : i + 1], y[i : i + 1]).reshape(-1) for i in range(M)])
    single = SingleInfluence(head, given, y, loss=kind, damping=DAMPING)
    found = single.on(given[:9], y[:9])
    expected = g[:9] @ torch.linalg.solve(h, g.T) / M
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-14)
    mean = influence(head, given, y, given[:9], y[:9], loss=kind, damping=DAMPING)
    np.testing.assert_allclose(found.mean(0), mean.influence, rtol=1e-9, atol=1e-14)
    asked = given[:3].clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda v: single.on(v, y[:3]), asked)
    assert repr(single) == f"SingleInfluence({M} training examples, {kind} head)"


def test_features_of_a_network_keep_no_graph_where_none_is_asked_for():
    x, y, w = problem("softmax")
    plain = influence(w, x, y, x[:5], y[:5])
    graph = influence(w, x.clone().requires_grad_(), y, x[:5].clone().requires_grad_(), y[:5])
    np.testing.assert_array_equal(plain.influence, graph.influence)
    assert not SingleInfluence(w, x.clone().requires_grad_(), y).on(x, y).requires_grad


def test_sign_and_size_are_those_of_leaving_out():
    x, y, _ = problem("squared")
    y = y[:, :1]
    m = len(x)

    def fit(rows):
        a, b = x[rows], y[rows]
        return torch.linalg.solve(a.T @ a / m + DAMPING * torch.eye(D).double(), a.T @ b / m).T

    everything = torch.arange(m)
    w = fit(everything)
    ours = influence(w, x, y, x[:5], y[:5], damping=DAMPING)
    test_loss = losses("squared")
    before = test_loss(w, x[:5], y[:5])
    real = [
        (test_loss(fit(everything[everything != i]), x[:5], y[:5]) - before).item()
        for i in range(m)
    ]
    assert np.corrcoef(real, ours.influence)[0, 1] > 0.95
    assert (ours.self_influence >= 0).all()


def test_linear_modules_with_bias_and_without():
    x, y, _ = problem("softmax")
    head = torch.nn.Linear(D, 4).double()
    ones = torch.cat([x, torch.ones(M, 1).double()], 1)
    stacked = torch.cat([head.weight, head.bias[:, None]], 1)
    np.testing.assert_allclose(
        influence(head, x, y).self_influence, influence(stacked, ones, y).self_influence
    )
    pair = influence((head.weight, head.bias), x.numpy(), y.numpy())
    np.testing.assert_allclose(influence(head, x, y).self_influence, pair.self_influence)


def test_errors():
    x, y, w = problem("softmax")
    with pytest.raises(CalculusError, match="features"):
        influence(w, x[:, :2], y)
    with pytest.raises(CalculusError, match="labels"):
        influence(w, x, y + 4)
    with pytest.raises(CalculusError, match="labels"):
        influence(w, x, y[:3])
    with pytest.raises(CalculusError, match="damping"):
        influence(w, x, y, damping=-1)
    with pytest.raises(CalculusError, match="damping"):
        influence(w, 0 * x, y, damping=0)
    with pytest.raises(CalculusError, match="loss"):
        influence(w, x, y, loss="hinge")
    with pytest.raises(CalculusError, match="both or none"):
        influence(w, x, y, x)


@pytest.mark.parametrize("test", [(), (0,)])
def test_result_is_a_table_of_one_line(test):
    x, y, w = problem("softmax")
    result = influence(w, x, y, *[part[:7] for part in (x, y) for _ in test])
    again = influence(w, x, y, *[part[:7] for part in (x, y) for _ in test])
    assert result == result
    assert result != again  # by identity: arrays are not compared
    assert repr(result) == f"Influence(30 examples, {'with' if test else 'without'} a test set)"
    columns = ["influence", "self_influence"] if test else ["self_influence"]
    assert result.table.column_names == columns
    np.testing.assert_array_equal(result.table["self_influence"], result.self_influence)
    assert len(str(result).splitlines()) == 1 + len(columns)
