"""Trees trained on one probe, a few numbers per image, and their answers on held-out images."""

from dataclasses import dataclass

import numpy as np

from curate.stats.exact import binomial_p_value
from curate.stats.seeds import generator

_TREES = 64
_LEAF = 5


@dataclass(frozen=True, eq=False)
class ProbeAnswers:
    """Answers of one classifier on images that it was not trained on.

    Attributes:
        y: int64 (n,), the true sources.
        scores: float64 (n, k), shares of trees, with a little noise so that there are no ties.
    """

    y: np.ndarray
    scores: np.ndarray

    def count_right(self) -> tuple[int, int]:
        """Right answers and images asked about, equally many of every source."""
        return self._right(list(range(self.scores.shape[1])))

    def pair_accuracy(self, first: int, second: int) -> tuple[float, float]:
        """Accuracy between two sources (chance 0.5) and its exact p-value."""
        right, tested = self._right([first, second])
        return right / tested, binomial_p_value(right, tested, 0.5)

    def _right(self, sources: list[int]) -> tuple[int, int]:
        rows_of = [np.flatnonzero(self.y == source) for source in sources]
        fewest = min(map(len, rows_of))
        rows = np.concatenate([rows[:fewest] for rows in rows_of])
        chosen = np.array(sources)[self.scores[np.ix_(rows, np.array(sources))].argmax(1)]
        return int((chosen == self.y[rows]).sum()), len(rows)


def fit_probe(x: np.ndarray, y: np.ndarray, train: np.ndarray, seed: int) -> ProbeAnswers:
    """Train trees on some images and ask them about the others.

    Args:
        x: float64 (n, d).
        y: int64 (n,), the sources 0..k-1.
        train: bool (n,).
        seed: of the trees and the noise.
    """
    from sklearn.ensemble import ExtraTreesClassifier

    sources = int(y.max()) + 1
    trees = ExtraTreesClassifier(
        _TREES, min_samples_leaf=_LEAF, class_weight="balanced", random_state=seed, n_jobs=1
    )
    asked = x[~train]
    if (x == x[0]).all():
        scores = np.zeros((len(asked), sources))
    else:
        scores = trees.fit(x[train], y[train]).predict_proba(asked)
    noise = generator(seed, 5).random(scores.shape)
    return ProbeAnswers(y[~train], scores + 1e-9 * noise)
