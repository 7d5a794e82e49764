"""How many annotators selected an image, and what models made of it: counts by kind of vote."""

from dataclasses import dataclass

import numpy as np

from curate.errors import CurateError


@dataclass(frozen=True, eq=False)
class Votes:
    """Images of one set, gathered by how many of how many annotators selected them.

    Attributes:
        selected: int64 (kinds,), of every kind of vote how many selected.
        shown: int64 (kinds,), of how many.
        images: float64 (..., kinds), how many images had such a vote.
        right: float64 (..., models, kinds), how many of them a model has right.
    """

    selected: np.ndarray
    shown: np.ndarray
    images: np.ndarray
    right: np.ndarray


def check_votes(
    selected: object, shown: object, images: int, name: str
) -> tuple[np.ndarray, np.ndarray]:
    """Both as int64 (images,).

    Raises:
        CurateError: other lengths, no whole numbers, fewer than two annotators, or more that
            selected an image than saw it.
    """
    votes, seen = np.asarray(selected), np.asarray(shown)
    seen = np.full(images, seen) if seen.ndim == 0 else seen
    for what, values in (("selected", votes), ("shown", seen)):
        if values.shape != (images,) or values.dtype.kind not in "iu":
            raise CurateError(
                f"{what}: of {name} it is {values.dtype} of shape {values.shape}; give a whole "
                f"number for each of its {images} images"
            )
    if images and seen.min() < 2:
        raise CurateError(
            f"shown: an image of {name} was shown to {seen.min()} annotators; at least 2 are needed"
        )
    if images and (votes.min() < 0 or (votes > seen).any()):
        row = int(np.flatnonzero((votes < 0) | (votes > seen))[0])
        raise CurateError(
            f"selected: image {row} of {name} was selected by {votes[row]} of {seen[row]} "
            "annotators; give counts from 0 to shown"
        )
    return votes.astype(np.int64), seen.astype(np.int64)


def gather(
    selected: np.ndarray, shown: np.ndarray, correct: np.ndarray, draws: np.ndarray
) -> Votes:
    """Votes of a set, once for every row of ``draws``.

    Args:
        selected: int64 (images,).
        shown: int64 (images,).
        correct: bool (models, images).
        draws: float64 (resamples, images), how often each image counts.
    """
    kinds, of = np.unique(np.stack([selected, shown]), axis=1, return_inverse=True)
    order = np.argsort(of.ravel(), kind="stable")
    starts = np.searchsorted(of.ravel()[order], np.arange(kinds.shape[1]))
    right = np.ascontiguousarray(correct[:, order], dtype=np.float64)
    images = np.add.reduceat(draws[:, order], starts, axis=1)
    hits = np.stack([np.add.reduceat(right * draw, starts, axis=1) for draw in draws[:, order]])
    return Votes(kinds[0], kinds[1], images, hits)
