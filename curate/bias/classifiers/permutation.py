"""Permutation test of a classifier's accuracy that reuses one factorisation."""

import numpy as np
import torch
from torch import Tensor

from curate.bias.classifiers.ridge import Moments, Ridge

_AT_ONCE = 1 << 23
"""Targets held in memory at a time."""


def refit_with_permuted_labels(
    x: Tensor, y: Tensor, train: Tensor, test: Tensor, classes: int, permutations: int, seed: int
) -> tuple[float, np.ndarray]:
    """Accuracy of ridge regression, with the labels as given and with permuted labels.

    Training labels are permuted among themselves and test labels among themselves, so that the
    classes stay as balanced as they were: an unbalanced training set has a test set that is
    unbalanced the other way, and fewer right answers. For every permutation the classifier is
    refitted and its penalty chosen again; the features are factorised once for all. If labels and
    features are independent, the observed accuracy is exchangeable with the permuted ones.

    Args:
        x: float32 (n, d).
        y: int64 (n,) in 0..classes-1.
        train: rows to fit on.
        test: rows to judge by.
        classes: how many there are.
        permutations: how many.
        seed: of the permutations.

    Returns:
        The observed accuracy, and float64 (permutations,), the permuted ones.
    """
    fitted = x[train]
    if len(train) > x.shape[1]:
        moments = Moments(fitted.mean(0))
        moments.add(fitted)
        ridge = Ridge.of_moments(moments)
    else:
        ridge = Ridge.of_rows(fitted)
    generator = torch.Generator().manual_seed(seed)
    n, labels = len(train), (y[train], y[test])
    accuracies: list[float] = []
    group = max(1, _AT_ONCE // (n * classes))
    for start in range(0, permutations + 1, group):
        numbers = range(start, min(start + group, permutations + 1))  # 0: as given
        permuted = [
            [part if number == 0 else _permuted(part, generator) for part in labels]
            for number in numbers
        ]
        learned, judged = (torch.stack(part) for part in zip(*permuted, strict=True))
        targets = torch.nn.functional.one_hot(learned, classes).to(x.dtype)
        targets = targets - targets.mean(1, keepdim=True)  # (b, n, classes)
        flat = targets.transpose(0, 1).reshape(n, -1)
        projected = ridge.project(fitted, flat).unflatten(1, (len(numbers), classes))
        projected = projected.transpose(0, 1)
        penalties = ridge.best_penalties(projected, targets)
        shrunk = projected / (ridge.values + penalties[:, None] * n)[:, :, None]
        weights = ridge.vectors @ shrunk.transpose(0, 1).flatten(1).to(x.dtype)
        scores = ridge.predict(x[test], weights).unflatten(1, (len(numbers), classes))
        scores = scores + _shares(y[train], classes).to(x.dtype)
        right = scores.argmax(2) == judged.T
        accuracies += right.double().mean(0).tolist()
    return accuracies[0], np.array(accuracies[1:])


def broken_ties(observed: float, permuted: np.ndarray, seed: int) -> tuple[float, np.ndarray]:
    """The statistics with equal ones put in a random order.

    Accuracies of few examples have few values; a p-value that counts ties as exceeding would be
    too large on average, up to half of the time at chance.
    """
    noise = np.random.default_rng([seed, 9]).random(1 + len(permuted)) * 1e-9
    return observed + noise[0], permuted + noise[1:]


def score_with_permuted_labels(
    guesses: Tensor, y: Tensor, permutations: int, seed: int
) -> np.ndarray:
    """Accuracies of fixed guesses against permuted test labels.

    Given what was learned, guesses and test labels are independent under the null hypothesis, so
    that this is valid for any classifier, without refitting.
    """
    generator = torch.Generator().manual_seed(seed)
    return np.array(
        [(guesses == _permuted(y, generator)).double().mean().item() for _ in range(permutations)]
    )


def _permuted(y: Tensor, generator: torch.Generator) -> Tensor:
    return y[torch.randperm(len(y), generator=generator)]


def _shares(y: Tensor, classes: int) -> Tensor:
    """The share of each class among the labels, float64 (classes,)."""
    return torch.bincount(y, minlength=classes).double() / len(y)
