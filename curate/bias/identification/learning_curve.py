"""Accuracy against the number of training examples, over random splits."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import torch

from curate.bias.classifiers.fitting import Fit, Inputs, Scorer, gathered
from curate.bias.classifiers.linear import fit_nested
from curate.bias.identification.splits import draw_apart, draw_equal, split_folds
from curate.stats.seeds import generator


def learning_curve(
    inputs: Inputs,
    groups: Sequence[np.ndarray],
    sizes: Sequence[int],
    test_size: int,
    repeats: int,
    fit: Fit | None,
    seed: int,
    on_repeat: Callable[[], None],
) -> pa.Table:
    """Accuracy on ``test_size`` examples of each source after each number of training examples.

    In every repeat the test examples are drawn anew, the larger training sets contain the
    smaller, and no image is on both sides.

    Args:
        inputs: features or pixels of every source.
        groups: marks of equal images, of every source.
        sizes: training examples of each source, ascending.
        test_size: test examples of each source.
        repeats: random splits.
        fit: the classifier; None: the linear one, whose sizes share their work.
        seed: of the splits.
        on_repeat: called after every repeat.

    Returns:
        One row per size: ``size``, ``mean`` accuracy, ``low`` and ``high`` (2.5 and 97.5
        percentiles over repeats: where the accuracy of one split lies, not an interval of the
        mean), ``repeats``.
    """
    k = len(inputs)
    if not sizes:
        return pa.table({name: pa.array([], kind) for name, kind in _COLUMNS.items()})
    accuracies = np.empty((repeats, len(sizes)))
    for repeat in range(repeats):
        rng = generator(seed, 3, repeat)
        folds = split_folds(groups, test_size, 1 << 30, rng)
        test = draw_apart(groups, [own == 0 for own in folds], test_size, rng)
        train = draw_equal(groups, [own > 0 for own in folds], sizes[-1], rng)
        x, y = gathered(inputs, train)
        test_x, test_y = gathered(inputs, test)
        counts = [min(size, len(train[0])) * k for size in sizes]
        for position, score in enumerate(_scorers(fit, x, y, k, counts)):
            right = score(test_x).argmax(1) == test_y
            accuracies[repeat, position] = right.double().mean().item()
        on_repeat()
    low, high = np.quantile(accuracies, [0.025, 0.975], axis=0)
    return pa.table(
        {
            "size": pa.array(list(sizes), pa.int64()),
            "mean": accuracies.mean(0),
            "low": low,
            "high": high,
            "repeats": pa.array([repeats] * len(sizes), pa.int64()),
        }
    )


_COLUMNS = {
    "size": pa.int64(),
    "mean": pa.float64(),
    "low": pa.float64(),
    "high": pa.float64(),
    "repeats": pa.int64(),
}


def _scorers(
    fit: Fit | None, x: torch.Tensor, y: torch.Tensor, classes: int, counts: list[int]
) -> Iterator[Scorer]:
    if fit is None:
        for model in fit_nested(x, y, classes, counts):
            yield model.scores
        return
    for count in counts:
        yield fit(x[:count], y[:count], classes)
