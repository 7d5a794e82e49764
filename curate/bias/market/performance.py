"""How well a classifier that was trained on one source does on another."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from curate.bias.classifiers.linear import fit_linear, fit_nested
from curate.errors import CurateError, is_choice

TASKS = ("classify", "one-vs-rest")


def check_task(task: str) -> None:
    """Refuse an unknown task."""
    if not is_choice(task, TASKS):
        raise CurateError(f"task: {task!r}; give one of {', '.join(map(repr, TASKS))}")


def performances(
    task: str,
    train: tuple[Tensor, Tensor],
    tests: Sequence[tuple[Tensor, Tensor]],
    classes: int,
    sizes: Sequence[int] | None = None,
) -> np.ndarray:
    """Train on the first examples of one source, test on held-out ones of several.

    Args:
        task: "classify": balanced accuracy, the mean recall of the classes. "one-vs-rest": mean
            average precision of telling each class from the rest.
        train: float32 (n, d) and int64 (n,) in 0..classes-1.
        tests: the same of every source to test on.
        classes: how many there are.
        sizes: ascending numbers of training examples; None: all.

    Returns:
        float64 of shape (sizes, tests), in 0..1.
    """
    x, y = train
    sizes = [len(x)] if sizes is None else sizes
    if task == "classify":
        fitted = [model.scores for model in fit_nested(x, y, classes, sizes)]
        return np.array(
            [[balanced_accuracy(score(u), v) for u, v in tests] for score in fitted], np.float64
        )
    found = np.empty((len(sizes), len(tests), classes))
    for place in range(classes):
        binary = (y == place).long()
        for row, size in enumerate(sizes):
            model = fit_linear(x[:size], binary[:size], 2)
            for column, (u, v) in enumerate(tests):
                scores = model.scores(u)
                found[row, column, place] = average_precision(
                    (scores[:, 1] - scores[:, 0]).numpy(), (v == place).numpy()
                )
    return np.nanmean(found, axis=2)


def balanced_accuracy(scores: Tensor, y: Tensor) -> float:
    """Mean over the classes that occur of the share of their examples that is named right."""
    right = (scores.argmax(1) == y).double()
    totals = torch.bincount(y, minlength=scores.shape[1])
    hits = torch.bincount(y, weights=right, minlength=scores.shape[1])
    return float((hits[totals > 0] / totals[totals > 0]).mean())


def average_precision(scores: np.ndarray, positive: np.ndarray) -> float:
    """Mean precision at the ranks of the positives; NaN where there are none.

    Equal scores share a rank: precision is taken at its end.
    """
    if not positive.any():
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(positive[order])
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1)
    precision = hits[last] / (last + 1)
    return float(np.sum(np.diff(hits[last], prepend=0) * precision) / hits[-1])
