"""How often do models agree? Counted part by part of the images, so that a part can be left out."""

from dataclasses import dataclass

import numpy as np

from curate.retest.gap.predictions import Predictions


@dataclass(frozen=True, eq=False)
class Counts:
    """Sums over parts of a set, which are drawn at random and about equally large.

    Attributes:
        same: int64 (parts, models, models), images on which two models give one answer.
        right: int64 (parts, models), images that a model has right; None without labels.
        images: int64 (parts,).
    """

    same: np.ndarray
    right: np.ndarray | None
    images: np.ndarray

    def shares(self, leave_out: int | None = None) -> "Shares":
        """Agreement and accuracy on all parts, or on all but one."""
        left = np.ones(len(self.images), bool)
        if leave_out is not None:
            left[leave_out] = False
        images = int(self.images[left].sum())
        right = None if self.right is None else self.right[left].sum(0) / images
        return Shares(self.same[left].sum(0) / images, right, images)

    def of(self, models: np.ndarray) -> "Counts":
        """Those of the models of this mask."""
        right = None if self.right is None else self.right[:, models]
        return Counts(self.same[:, models][:, :, models], right, self.images)


@dataclass(frozen=True, eq=False)
class Shares:
    """Agreement float64 (models, models) and accuracy (models,), None without labels."""

    agreement: np.ndarray
    accuracy: np.ndarray | None
    images: int

    def of(self, models: np.ndarray) -> "Shares":
        """Those of the models of this mask."""
        accuracy = None if self.accuracy is None else self.accuracy[models]
        return Shares(self.agreement[np.ix_(models, models)], accuracy, self.images)


def count(side: Predictions, parts: int, rng: np.random.Generator, *, labelled: bool) -> Counts:
    """Compare every pair of models on every image.

    Args:
        side: the predictions.
        parts: into how many the images are dealt at random; at most as many as there are images.
        rng: deals them.
        labelled: whether answers are compared with labels as well.
    """
    order = rng.permutation(len(side))
    answers = side.answers[:, order]
    if answers.max(initial=0) <= np.iinfo(np.int16).max:  # half the memory to compare
        answers = answers.astype(np.int16)
    starts = np.linspace(0, len(side), parts + 1).astype(int)[:-1]
    models = len(side.models)
    same = np.empty((parts, models, models), np.int64)
    for row in range(models):
        equal = (answers[: row + 1] == answers[row]).astype(np.int32)
        same[:, row, : row + 1] = same[:, : row + 1, row] = np.add.reduceat(equal, starts, 1).T
    right = None
    if labelled:
        right = np.add.reduceat(side.correct[:, order].astype(np.int64), starts, 1).T
    return Counts(same, right, np.diff(np.append(starts, len(side))))
