"""Split the labelled examples of a source at random into training and test examples."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from curate.errors import CurateError

TEST_SHARE = 0.3
"""Of the examples of a source."""


def split_train_test(
    labels: np.ndarray | None, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Rows for training, the classes in turn, and the other ``TEST_SHARE`` of them for the test."""
    assert labels is not None
    return split_sources([labels], [np.arange(len(labels))], [rng])[0]


def split_sources(
    labels: Sequence[np.ndarray | None],
    marks: Sequence[np.ndarray],
    rngs: Sequence[np.random.Generator],
) -> list[tuple[np.ndarray, np.ndarray]]:
    """:func:`split_train_test` of every source; equal marks, of any sources, are on one side.

    A source of which a mark's side is settled by another source fills up its own test part: to
    ``TEST_SHARE`` of it, and more only if others put more there.
    """
    home = np.full(1 + max(int(own.max()) for own in marks), -1)
    for own, rng in zip(marks, rngs, strict=True):
        mine, counts = np.unique(own, return_counts=True)
        order = rng.permutation(len(mine))
        mine, counts = mine[order], counts[order]
        fresh = home[mine] < 0
        room = round(TEST_SHARE * len(own)) - counts[home[mine] == 0].sum()
        start = np.cumsum(counts[fresh]) - counts[fresh]
        home[mine[fresh]] = np.where(start < room, 0, 1)
    splits = []
    for own, label, rng in zip(marks, labels, rngs, strict=True):
        assert label is not None
        training, tests = np.flatnonzero(home[own] == 1), np.flatnonzero(home[own] == 0)
        if not len(training) or not len(tests):
            raise CurateError(
                "groups: copies and groups of one source cannot be split in two; give sources of "
                "more than one group each"
            )
        splits.append((training[interleave_classes(label[training], rng)], tests))
    return splits


def labelled_rows(x: Tensor, labels: np.ndarray | None, rows: np.ndarray) -> tuple[Tensor, Tensor]:
    """Features and labels of these rows."""
    assert labels is not None
    return x[torch.from_numpy(rows)], torch.from_numpy(labels[rows])


def interleave_classes(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The rows in random order, the classes in turn, so that every beginning is balanced."""
    shuffled = rng.permutation(len(labels))
    turn = np.empty(len(labels), np.int64)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels[shuffled] == label)
        turn[rows] = np.arange(len(rows))
    return shuffled[np.lexsort((rng.random(len(labels)), turn))]
