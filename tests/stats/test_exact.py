"""Exact intervals and permutation p-values against sums and full refits."""

from math import comb

import numpy as np
import pytest
import torch

from curate.bias.classifiers.permutation import score_with_permuted_labels
from curate.bias.classifiers.ridge import Moments
from curate.bias.classifiers.ridge import Ridge as Ours
from curate.stats import binomial_p_value, clopper_pearson, permutation_p_value


def at_least(successes, trials, p):
    return sum(
        comb(trials, k) * p**k * (1 - p) ** (trials - k) for k in range(successes, trials + 1)
    )


def inverted(successes, trials, tail, of):
    """The probability at which the sum reaches the tail, by bisection."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if of(successes, trials, middle) < tail else (low, middle)
    return low


@pytest.mark.parametrize("level", [0.8, 0.95])
@pytest.mark.parametrize("trials", [1, 2, 7, 30])
def test_clopper_pearson_inverts_the_binomial_sums(trials, level):
    tail = (1 - level) / 2
    for successes in range(trials + 1):
        low, high = clopper_pearson(successes, trials, level)
        expected = inverted(successes, trials, tail, at_least) if successes else 0.0
        mirrored = inverted(trials - successes, trials, tail, at_least)
        assert low == pytest.approx(expected, abs=1e-9)
        assert high == pytest.approx(1 - mirrored if successes < trials else 1.0, abs=1e-9)


def test_clopper_pearson_covers_whatever_the_probability():
    for p in (0.01, 0.08, 0.5, 0.93):
        inside = [low <= p <= high for low, high in (clopper_pearson(k, 40) for k in range(41))]
        chance = [comb(40, k) * p**k * (1 - p) ** (40 - k) for k in range(41)]
        assert sum(c for c, covered in zip(chance, inside, strict=True) if covered) >= 0.95


def test_nothing_is_known_without_trials():
    assert clopper_pearson(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("successes", "trials", "chance"), [(0, 5, 0.5), (7, 20, 0.2), (20, 20, 0.1)]
)
def test_binomial_p_value_is_the_sum(successes, trials, chance):
    expected = at_least(successes, trials, chance)
    assert binomial_p_value(successes, trials, chance) == pytest.approx(expected)


def test_permutation_p_value_counts_the_observed_one():
    assert permutation_p_value(0.5, np.array([0.1, 0.5, 0.6])) == 0.75
    assert permutation_p_value(0.7, np.zeros(99)) == 0.01


@pytest.mark.parametrize(("train_size", "d"), [(60, 8), (20, 50)])
def test_shared_refits_are_full_refits(train_size, d):
    """Seed 0: one factorisation for many labels, each by ridge regression from scratch."""
    from sklearn.linear_model import Ridge

    from curate.bias.classifiers.ridge import PENALTIES

    rng = np.random.default_rng(0)
    y = torch.from_numpy(rng.permutation(np.arange(3).repeat(40)))
    x = torch.from_numpy((rng.normal(size=(120, d)) + 0.5 * np.eye(3, d)[y]).astype(np.float32))
    train, test = torch.arange(train_size), torch.arange(train_size, 120)
    if train_size > d:
        moments = Moments(x[train].mean(0))
        moments.add(x[train])
        ridge = Ours.of_moments(moments)
    else:
        ridge = Ours.of_rows(x[train])

    generator = torch.Generator().manual_seed(0)
    labellings = [y]
    for _ in range(12):
        parts = [y[rows][torch.randperm(len(rows), generator=generator)] for rows in (train, test)]
        labellings.append(torch.cat(parts))
    mean, spread = x[train].mean(0), x[train].std(0, unbiased=False)
    a, b = ((x[rows] - mean).double().numpy() / spread.numpy() for rows in (train, test))
    share = np.linalg.svd(a - a.mean(0), compute_uv=False) ** 2
    for labels in labellings:
        wanted = torch.nn.functional.one_hot(labels[train], 3).float()
        centred = wanted - wanted.mean(0)
        projected = ridge.project(x[train], centred)
        penalty = float(ridge.best_penalties(projected[None], centred[None]))
        scores = ridge.predict(x[test], ridge.weights(projected, penalty)) + wanted.mean(0)
        found = (scores.argmax(1) == labels[test]).double().mean().item()
        targets = np.eye(3)[labels[train]]
        best = None
        for penalty in PENALTIES.tolist():
            alpha = penalty * train_size
            model = Ridge(alpha=alpha).fit(a, targets)
            kept = 1 - ((share / (share + alpha)).sum() + 1) / train_size
            if kept < 0.2:
                continue
            error = ((targets - model.predict(a)) ** 2).sum() / kept**2
            if best is None or error < best[0] * (1 - 1e-7):
                best = error, model
        right = (best[1].predict(b).argmax(1) == labels[test].numpy()).mean()
        assert found == pytest.approx(right, abs=2.1 / len(test))  # float32 may turn a tie


def test_only_the_test_labels_are_permuted_for_fixed_guesses():
    y = torch.arange(2).repeat(50)
    accuracies = score_with_permuted_labels(y, y, 400, seed=0)
    assert abs(accuracies.mean() - 0.5) < 0.01  # standard error 0.0025
    assert accuracies.std() == pytest.approx(0.05, rel=0.15)  # hypergeometric: 0.0503
