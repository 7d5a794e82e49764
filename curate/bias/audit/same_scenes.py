"""Do two sources show the same scenes? A test of sameness, not a failure to tell them apart."""

import numpy as np
import torch

from curate.bias.classifiers.linear import fit_linear
from curate.stats.exact import clopper_pearson

_ALIKE = 0.68
"""Accuracy on equalised images below which two sources count as showing the same scenes."""

_LEVEL = 0.9  # of a two-sided interval, so that its upper end is a one-sided bound of 95 %


class SameScenes:
    """Asks of any two sources whether their equalised images are the same but for chance.

    A classifier is trained on equally many of both and judged on equally many others of both. They
    are the same if the upper end of its interval (one-sided, 95 %) stays below 68 %: few images, or
    few of one source, are no evidence of sameness.

    Args:
        features: float32 (n, d), of equalised images.
        y: the sources of the n images.
        train: bool (n,): the images to learn from.
    """

    def __init__(self, features: torch.Tensor, y: np.ndarray, train: np.ndarray) -> None:
        self.features, self.y, self.train = features, y, train

    @property
    def sources(self) -> int:
        """How many there are."""
        return int(self.y.max()) + 1

    def accuracy(self, first: int, second: int) -> tuple[int, int]:
        """Right answers and images asked about."""
        learn, asked = (self._rows(first, second, part) for part in (self.train, ~self.train))
        labels = torch.from_numpy((self.y == second).astype(np.int64))
        model = fit_linear(self.features[learn], labels[learn], 2)
        right = model.scores(self.features[asked]).argmax(1) == labels[asked]
        return int(right.sum()), len(asked)

    def compare(self, first: int, second: int) -> tuple[bool, float]:
        """Whether the two are shown to be the same, and the accuracy."""
        right, asked = self.accuracy(first, second)
        right = max(right, asked // 2)  # worse than chance is no better evidence of sameness
        return clopper_pearson(right, asked, _LEVEL)[1] <= _ALIKE, right / asked

    def _rows(self, first: int, second: int, part: np.ndarray) -> torch.Tensor:
        rows = [np.flatnonzero(part & (self.y == source)) for source in (first, second)]
        fewest = min(map(len, rows))
        return torch.from_numpy(np.concatenate([own[:fewest] for own in rows]))
