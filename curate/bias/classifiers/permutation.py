"""Is it better than chance? Labels dealt anew, many times, at the cost of few fits."""

import numpy as np
import torch
from torch import Tensor

from curate.bias.classifiers.ridge import Moments, Ridge

_AT_ONCE = 1 << 23
"""Numbers of targets in memory."""


def permutation_p_value(observed: float, permuted: np.ndarray) -> float:
    """Share of results that are at least the observed one, which is itself counted among them.

    Exactly valid: (1 + #{permuted >= observed}) / (1 + permutations) (Phipson & Smyth, 2010).
    """
    return (1 + int((permuted >= observed).sum())) / (1 + len(permuted))


def refitted(
    x: Tensor, y: Tensor, train: Tensor, test: Tensor, classes: int, permutations: int, seed: int
) -> tuple[float, np.ndarray]:
    """Accuracy of ridge regression, as labelled and with labels dealt anew.

    Training labels are permuted among themselves and test labels among themselves, so that the
    classes stay as balanced as they were: an unbalanced training set has a test set that is
    unbalanced the other way, and fewer right answers. For every permutation the classifier is
    fitted anew and its penalty chosen anew; the features are factorised once for all. If labels
    and features are independent, the first number is one of those dealt.

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
    found: list[float] = []
    group = max(1, _AT_ONCE // (n * classes))
    for start in range(0, permutations + 1, group):
        deals = range(start, min(start + group, permutations + 1))
        dealt = [[own if deal == 0 else _dealt(own, generator) for own in labels] for deal in deals]
        learned, judged = (torch.stack(each) for each in zip(*dealt, strict=True))
        targets = torch.nn.functional.one_hot(learned, classes).to(x.dtype)
        targets = targets - targets.mean(1, keepdim=True)  # (b, n, classes)
        flat = targets.transpose(0, 1).reshape(n, -1)
        projected = ridge.project(fitted, flat).unflatten(1, (len(deals), classes))
        projected = projected.transpose(0, 1)
        penalties = ridge.best_penalties(projected, targets)
        shrunk = projected / (ridge.values + penalties[:, None] * n)[:, :, None]
        weights = ridge.vectors @ shrunk.transpose(0, 1).flatten(1).to(x.dtype)
        scores = ridge.predict(x[test], weights).unflatten(1, (len(deals), classes))
        scores = scores + _shares(y[train], classes).to(x.dtype)
        right = scores.argmax(2) == judged.T
        found += right.double().mean(0).tolist()
    return found[0], np.array(found[1:])


def relabelled(guesses: Tensor, y: Tensor, permutations: int, seed: int) -> np.ndarray:
    """Accuracies of fixed guesses against test labels that are dealt anew.

    For classifiers that are too dear to fit again: given what was learned, guesses and test
    labels are independent under the null hypothesis, so that this is as valid.
    """
    generator = torch.Generator().manual_seed(seed)
    return np.array(
        [(guesses == _dealt(y, generator)).double().mean().item() for _ in range(permutations)]
    )


def _dealt(y: Tensor, generator: torch.Generator) -> Tensor:
    return y[torch.randperm(len(y), generator=generator)]


def _shares(y: Tensor, classes: int) -> Tensor:
    """How many labels are of each class, as a share."""
    return torch.bincount(y, minlength=classes).double() / len(y)
