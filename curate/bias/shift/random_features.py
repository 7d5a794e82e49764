"""Random Fourier features of two sets, summed over groups of rows while they stream by."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from curate.features.pair import Pair

_GROUPS = 1024  # of both sets together
_FEWEST = 32  # of one set
_MOST = 8192  # of one set, where the other is far smaller


@dataclass(frozen=True)
class Groups:
    """Sums of features over g rows each; groups of equal size are as exchangeable as rows.

    Attributes:
        sums: float64 (a + b, 2 D): sums of cosines, then of sines; the a groups of x come first.
        a: groups of x.
        b: groups of y.
        size: rows a group, g.
        frequencies: float32 (d, D).
    """

    sums: np.ndarray
    a: int
    b: int
    size: int
    frequencies: np.ndarray

    def mmd(self, of_x: np.ndarray, of_y: np.ndarray) -> np.ndarray:
        """Unbiased squared MMD of sums over all groups of x and of y: (…, 2 D) each -> (…)."""
        return self._within(of_x, of_y) - self._between((of_x * of_y).sum(-1))

    def shifted_mmd(self, of_x: np.ndarray, of_y: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        """:meth:`mmd` as a function of a vector (d,) that is added to every example of y.

        The waves of y turn by its phase; what lies within y stays.
        """
        (x_cos, x_sin), (y_cos, y_sin) = (np.split(of, 2, axis=-1) for of in (of_x, of_y))
        within = self._within(of_x, of_y)
        aligned, turned = x_cos * y_cos + x_sin * y_sin, x_sin * y_cos - x_cos * y_sin

        def shifted(by: np.ndarray) -> np.ndarray:
            phase = by @ self.frequencies
            return within - self._between(aligned @ np.cos(phase) + turned @ np.sin(phase))

        return shifted

    def _within(self, of_x: np.ndarray, of_y: np.ndarray) -> np.ndarray:
        total = np.zeros(of_x.shape[:-1])
        for sums, groups in ((of_x, self.a), (of_y, self.b)):
            count = groups * self.size
            # the features of an example have the squared length D: its kernel with itself
            pairs = np.square(sums).sum(-1) / self.frequencies.shape[1] - count
            total = total + pairs / (count * (count - 1))
        return total

    def _between(self, products: np.ndarray) -> np.ndarray:
        pairs = self.a * self.size * self.b * self.size
        return 2 * products / (self.frequencies.shape[1] * pairs)

    def splits(self, rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Sums over groups of x and of y for ``count`` random relabellings: (count, 2 D) each."""
        ones = np.zeros((count, self.a + self.b))
        ones[:, : self.a] = 1
        of_x = rng.permuted(ones, axis=1) @ self.sums
        return of_x, self.sums.sum(0) - of_x


def summed(pair: Pair, bandwidth: float, count: int, rng: np.random.Generator) -> Groups:
    """Features of the Gaussian kernel (Rahimi & Recht, 2007), summed in one pass over both sets.

    Rows are assigned to groups of equal size at random; fewer than a group's size are left over.

    Args:
        pair: the sets.
        bandwidth: of the kernel, for normalised rows.
        count: of frequencies, D.
        rng: draws frequencies and groups.
    """
    fewer = min(pair.n, pair.m)
    size = max(1, min(-(-(pair.n + pair.m) // _GROUPS), fewer // _FEWEST))
    a, b = (min(rows // size, _MOST) for rows in (pair.n, pair.m))
    frequencies = rng.standard_normal((pair.d, count), np.float32) / np.float32(bandwidth)
    waves = torch.from_numpy(frequencies)
    parts = []
    for values, groups in ((pair.x, a), (pair.y, b)):
        sums = torch.zeros(groups, 2 * count, dtype=torch.float64)
        group = np.full(len(values), -1)
        group[rng.permutation(len(values))[: groups * size]] = np.arange(groups * size) // size
        for start in range(0, len(values), pair.block):
            owner = group[start : start + pair.block]
            used = owner >= 0
            rows = pair.normal(slice(start, start + len(owner)), values)[used]
            angles = torch.from_numpy(rows) @ waves
            both = torch.cat([angles.cos(), angles.sin()], 1)
            sums.index_add_(0, torch.from_numpy(owner[used]), both.double())
        parts.append(sums.numpy())
    return Groups(np.concatenate(parts), a, b, size, frequencies)
