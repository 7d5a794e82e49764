"""Ridge regression of many targets on one set of standardised features, in closed form."""

from dataclasses import dataclass

import torch
from torch import Tensor

from curate.threads import one_thread

PENALTIES = torch.logspace(-4, 4, 33, dtype=torch.float64)
_ROWS = 4096  # of features that are shifted at a time
_LEAST_KEPT = 0.2  # of the degrees of freedom: near interpolation the criterion is 0 / 0
_CONSTANT = 1e-6  # spread against size of a column: below, float32 sees rounding only


class Moments:
    """Second moments of rows that arrive in pieces, about a point near their mean.

    Attributes:
        count: rows so far.
        shift: (d,) the point; near the mean, so that float32 holds the spread of far-off columns.
        gram: float32 (d, d), sum of outer products of shifted rows.
        total: float64 (d,), sum of shifted rows.
    """

    def __init__(self, shift: Tensor) -> None:
        self.count, self.shift = 0, shift
        self.gram = shift.new_zeros(len(shift), len(shift))
        self.total = torch.zeros_like(shift, dtype=torch.float64)

    def add(self, x: Tensor) -> None:
        """Take in further rows (n, d)."""
        for rows in x.split(_ROWS):
            shifted = rows - self.shift
            self.gram.addmm_(shifted.T, shifted)
            self.total += shifted.sum(0, dtype=torch.float64)
            self.count += len(rows)


@dataclass(frozen=True)
class Ridge:
    """Features standardised and factorised; the rest is cheap for any targets and penalty.

    Attributes:
        count: rows, n.
        mean: float32 (d,).
        scale: float32 (d,), 1 / standard deviation, or 0 for a constant column.
        values: float64 eigenvalues of the (d, d) or (n, n) products of standardised features.
        vectors: the eigenvectors; (d, d), or (d, n) and scaled where n < d.
    """

    count: int
    mean: Tensor
    scale: Tensor
    values: Tensor
    vectors: Tensor

    @classmethod
    def of_moments(cls, moments: Moments) -> "Ridge":
        """For more rows than columns."""
        n, offset = moments.count, (moments.total / moments.count)
        variance = moments.gram.diagonal().double() / n - offset.square()
        mean = moments.shift + offset
        scale = _scale(variance, mean)
        products = (moments.gram - n * torch.outer(offset, offset).to(moments.gram.dtype)) * scale
        products *= scale[:, None]
        with one_thread():
            values, vectors = torch.linalg.eigh(products)
        return cls(n, mean.to(scale.dtype), scale, values.double().clamp(min=0), vectors)

    @classmethod
    def of_rows(cls, x: Tensor) -> "Ridge":
        """For at most as many rows as columns."""
        mean = x.mean(0, dtype=torch.float64)
        centred = (x - mean).to(x.dtype)
        scale = _scale(centred.square().mean(0, dtype=torch.float64), mean)
        centred *= scale
        products = centred @ centred.T
        with one_thread():
            values, left = torch.linalg.eigh(products)
        values = values.double().clamp(min=0)
        # a direction without spread says nothing, and its length is rounding
        told = values > 1e-6 * values[-1]
        values, left = values[told], left[:, told]
        vectors = (centred.T @ left) / values.sqrt().to(x.dtype)
        return cls(len(x), mean.to(x.dtype), scale, values, vectors)

    def project(self, x: Tensor, targets: Tensor) -> Tensor:
        """Products of eigenvectors with centred targets (n, t): float64 (eigenvalues, t)."""
        sums = x.new_zeros(x.shape[1], targets.shape[1])
        for rows, wanted in zip(x.split(_ROWS), targets.split(_ROWS), strict=True):
            sums.addmm_((rows - self.mean).T, wanted)
        return (self.vectors.T @ (sums * self.scale[:, None])).double()

    def best_penalties(self, projected: Tensor, targets: Tensor) -> Tensor:
        """The penalty of least generalised cross-validation error, for each of b problems.

        Args:
            projected: (b, eigenvalues, t), of :meth:`project`.
            targets: (b, n, t), centred.
        """
        alphas = (PENALTIES.to(self.values.device) * self.count)[:, None]
        shrunk = self.values / (self.values + alphas)  # (penalties, eigenvalues)
        kept = 1 - (shrunk.sum(1) + 1) / self.count
        explained = projected.square().sum(2) / self.values.clamp(min=1e-12)
        explained[:, self.values <= 1e-12] = 0
        unexplained = (
            targets.double().square().sum((1, 2))[:, None] - explained @ (shrunk * (2 - shrunk)).T
        )
        error = unexplained.clamp(min=0) / kept.clamp(min=1e-9).square()
        error[:, (kept < _LEAST_KEPT) & (kept < kept.max())] = torch.inf
        return PENALTIES.to(error.device)[error.argmin(1)]

    def weights(self, projected: Tensor, penalty: float) -> Tensor:
        """Weights (d, t) for standardised features."""
        shrunk = projected / (self.values + penalty * self.count)[:, None]
        return self.vectors @ shrunk.to(self.vectors.dtype)

    def predict(self, x: Tensor, weights: Tensor) -> Tensor:
        """Predictions (n, t) of centred targets."""
        weights = weights * self.scale[:, None]
        return x @ weights - self.mean @ weights

    def residual_share(self, penalty: float) -> float:
        """Residual of a row over its residual when the weights are fitted without it, on average.

        The mean of the targets keeps the row: a mean without it says less of the row's own class,
        and of few rows a classifier on such predictions would learn just that, upside down.
        """
        shrunk = self.values / (self.values + penalty * self.count)
        return max(1e-6, 1 - float(shrunk.sum()) / self.count)


def _scale(variance: Tensor, mean: Tensor) -> Tensor:
    spread = variance.clamp(min=0).sqrt()
    told = spread > _CONSTANT * mean.abs().clamp(min=1e-30)
    return torch.where(told, 1 / spread.clamp(min=1e-30), 0.0).float()
