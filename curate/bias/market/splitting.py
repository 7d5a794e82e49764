"""Split the labelled examples of a source at random into training and test examples."""

import numpy as np
import torch
from torch import Tensor

TEST_SHARE = 0.3
"""Of the examples of a source."""


def split_train_test(
    labels: np.ndarray | None, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Rows for training, the classes in turn, and the other ``TEST_SHARE`` of them for the test."""
    assert labels is not None
    order = rng.permutation(len(labels))
    cut = round(TEST_SHARE * len(labels))
    training = order[cut:]
    return training[interleave_classes(labels[training], rng)], order[:cut]


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
