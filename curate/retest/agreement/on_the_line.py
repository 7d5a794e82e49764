"""Agreement on the line (Baek et al., 2022): accuracies that follow from agreements.

On the probit scale Φ⁻¹, accuracies on two sets lie on a line, and so do agreements of pairs of
models, mostly on the same one: Φ⁻¹(new) = a·Φ⁻¹(original) + b. Agreements need no labels, so a and
b can be had without those of the new set. A pair that agrees more often than the line says is
taken to be of models that are better than the line says (their method ALine-D).
"""

from dataclasses import dataclass

import numpy as np

from curate.retest.agreement.counts import Shares
from curate.retest.gap.lines import inside

_TUKEY = 4.685  # bisquare weights with 95 % of the efficiency of least squares
_STEPS = 50
_LEAST_WEIGHT = 1e-6  # no model may lose all of its pairs


@dataclass(frozen=True, eq=False)
class OnTheLine:
    """A line through pairs, and how far each model lies above it.

    Attributes:
        probits: float64 (models,), Φ⁻¹ of the estimated accuracies on the new set.
        above: float64 (models,), the part of it that the line does not explain.
        shift: float64 (models,), how far the estimate is from the original accuracy.
        slope: of the line.
        intercept: of the line.
        r_squared: weighted share of the variance of the agreements that the line explains.
    """

    probits: np.ndarray
    above: np.ndarray
    shift: np.ndarray
    slope: float
    intercept: float
    r_squared: float


def estimate(original: Shares, new: Shares) -> OnTheLine:
    """The estimate from agreements on both sets and accuracies on the original one.

    Pair by pair, Φ⁻¹(agreement new) - a·Φ⁻¹(agreement original) - b = (above_i + above_j) / 2 is
    solved by weighted least squares. Line and weights are Tukey's bisquare regression, as a few
    models that are broken on one of the sets would otherwise turn the line for all.

    Args:
        original: with accuracies, at least three models.
        new: of the same models.
    """
    from scipy.special import ndtri

    first, second = np.triu_indices(len(original.agreement), 1)
    x = ndtri(inside(original.agreement[first, second], original.images))
    y = ndtri(inside(new.agreement[first, second], new.images))
    slope, intercept, weights = robust_line(x, y)
    weights = np.maximum(weights, _LEAST_WEIGHT)
    rest = y - slope * x - intercept
    models = len(original.agreement)
    pair_weights, pair_rests = np.zeros((2, models, models))
    pair_weights[first, second] = pair_weights[second, first] = weights
    pair_rests[first, second] = pair_rests[second, first] = rest
    system = (np.diag(pair_weights.sum(1)) + pair_weights) / 2
    above = np.linalg.solve(system, (pair_weights * pair_rests).sum(1))
    assert original.accuracy is not None
    known = ndtri(inside(original.accuracy, original.images))
    probits = slope * known + intercept + above
    middle = np.average(y, weights=weights)
    total = float(weights @ (y - middle) ** 2)
    r_squared = 1 - float(weights @ rest**2) / total if total else 0.0
    return OnTheLine(probits, above, probits - known, slope, intercept, r_squared)


def robust_line(x: np.ndarray, y: np.ndarray) -> tuple[float, float, np.ndarray]:
    """Tukey's bisquare regression of y on x: slope, intercept, and the weights (points,).

    Where all x are equal the slope is 1: a shift.
    """
    weights = np.ones(len(x))
    slope, intercept = 1.0, 0.0
    for _ in range(_STEPS):
        mean_x, mean_y = np.average(x, weights=weights), np.average(y, weights=weights)
        spread = float(weights @ (x - mean_x) ** 2)
        slope = float(weights @ ((x - mean_x) * (y - mean_y))) / spread if spread > 1e-12 else 1.0
        intercept = float(mean_y - slope * mean_x)
        rest = np.abs(y - slope * x - intercept)
        scale = 1.4826 * float(np.median(rest))
        if scale < 1e-12:
            break
        again = np.maximum(1 - (rest / (_TUKEY * scale)) ** 2, 0) ** 2
        settled = np.abs(again - weights).max() < 1e-9
        weights = again
        if settled:
            break
    return slope, intercept, weights
