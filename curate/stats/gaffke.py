"""Gaffke's upper bound of a bounded mean, exactly, with room for a random effect of the seeds."""

import math
from dataclasses import dataclass

import numpy as np

_STEP = 0.15  # of the trapezoid rule below: its error is about exp(-pi^2 / (2 * step)) = 1e-14
_REACH = np.array([2, 2.5, 3, 3.5, 4, 5, 7, 10, 14, 20, 40])  # ends of it, asinh of widths
_NEGLIGIBLE = -32.0  # log of what is left out


@dataclass(frozen=True)
class SeedNoise:
    """What is known of the variance of the mean over seeds, beside that from the examples.

    The variance is max(0, ``squares`` / U - ``residual``), where U is chi-squared with
    ``freedom`` degrees of freedom.
    """

    squares: float
    residual: float
    freedom: int

    def quadrature(self) -> tuple[np.ndarray, np.ndarray]:
        """Variances and their weights, which sum to 1; the first variance is 0."""
        from scipy.stats import chi2

        if self.squares == 0:
            return np.zeros(1), np.ones(1)
        end = float(chi2.isf(1e-13, self.freedom))
        if self.residual * end > self.squares:
            end = self.squares / self.residual  # beyond it the variance is 0
        zero = float(chi2.sf(end, self.freedom))
        # The root of U by a double exponential rule: the integrand bends near 0, stops at the end.
        t = np.arange(-2.4, 2.25, _STEP)
        share = 1 / (1 + np.exp(-np.pi * np.sinh(t)))
        root = math.sqrt(end) * share
        weights = share * (1 - share) * np.cosh(t) * root ** (self.freedom - 1)
        weights *= np.exp(-(root**2) / 2)
        weights *= (1 - zero) / weights.sum()
        variances = np.maximum(0, self.squares / root**2 - self.residual)
        return np.append(0, variances), np.append(zero, weights)


def p_value(values: np.ndarray, counts: np.ndarray, noise: SeedNoise, mean: float) -> float:
    """How well the examples seen go with a mean of at least ``mean`` (small: they do not).

    P(sum_k (v_k - mean) G_k + n Z >= 0) with G_k ~ Gamma(n_k), n the sum of the n_k and Z normal
    with the variance of ``noise``. Without noise it is Gaffke's p-value (Gaffke, 2005;
    Learned-Miller & Thomas, 2019): the sums of exponential variables are Dirichlet weights of
    the examples.

    Computed by numerical integration of the inverse Laplace transform, along a hyperbola through
    its saddle point (Helstrom, 1996): precise in the tail, and for 12 examples or millions.

    Args:
        values: (k,) distinct values in -1..1; the largest must be 1.
        counts: (k,) how many examples have each, the one pseudo-example at 1 included.
        noise: of the seeds.
        mean: tested.
    """
    if mean <= values.min() + 1e-12:  # nearer, the saddle point is out of the range of floats
        return 1.0
    if mean >= 1:
        return 0.0
    slopes = values - mean
    variances, weights = noise.quadrature()
    needed = weights > 1e-12
    tails = _tail(slopes, counts, variances[needed] * float(counts.sum()) ** 2)
    return float(np.clip((tails * weights[needed]).sum(), 0, 1))


def upper_bound(values: np.ndarray, counts: np.ndarray, noise: SeedNoise, level: float) -> float:
    """The least mean whose ``p_value`` is at most ``level``; to 1e-9."""
    from scipy.optimize import brentq

    def excess(mean: float) -> float:
        return math.log(max(p_value(values, counts, noise, mean), 1e-300) / level)

    last = 1 - 1e-8
    if values.min() >= last or excess(last) > 0:
        return 1.0
    return float(brentq(excess, values.min(), last, xtol=1e-9))


def _tail(slopes: np.ndarray, counts: np.ndarray, variances: np.ndarray) -> np.ndarray:
    """P(sum_k slopes_k Gamma(counts_k) + normal > 0) for each variance of the normal: (v,).

    The slopes must have both signs.
    """
    counts, slopes = counts[slopes != 0], slopes[slopes != 0]
    # On the side of 0 away from the mean, the pole at 0 is far enough from the saddle point.
    side = -1.0 if float(counts @ slopes) > 0 else 1.0
    slopes = side * slopes
    saddle = _saddle_point(slopes, counts, variances)
    shrunk = slopes / (1 - slopes * saddle[:, None])  # (v, k)
    second = (counts * shrunk**2).sum(1) + variances + saddle**-2
    third = 2 * (counts * shrunk**3).sum(1) - 2 * saddle**-3
    width = 1 / np.sqrt(second)
    bend = np.clip(third * width**3 / 3, -0.8, 0.8)  # the path of steepest descent, about

    def exponent(t: np.ndarray) -> np.ndarray:  # (v, t), relative to the saddle point
        away = width[:, None] * (bend[:, None] * (np.cosh(t) - 1) + 1j * np.sinh(t))
        logs = (counts * np.log1p(-away[..., None] * shrunk[:, None])).sum(-1)
        tilt = variances[:, None] * away * (saddle[:, None] + away / 2)
        return tilt - logs - np.log1p(away / saddle[:, None])

    ends = exponent(_REACH).real.max(0) + _REACH
    t = np.arange(0, _REACH[np.argmax(ends < _NEGLIGIBLE)], _STEP)
    speed = bend[:, None] * np.sinh(t) + 1j * np.cosh(t)
    heights = (np.exp(exponent(t)) * speed).imag
    start = variances * saddle**2 / 2 - (counts * np.log1p(-slopes * saddle[:, None])).sum(1)
    area = _STEP * width * (heights.sum(1) - heights[:, 0] / 2)
    tail = area * np.exp(start) / (np.pi * saddle)
    return tail if side > 0 else 1 - tail


def _saddle_point(slopes: np.ndarray, counts: np.ndarray, variances: np.ndarray) -> np.ndarray:
    """The s > 0 with s K'(s) = 1, K the logarithm of the moment generating function: (v,).

    To a percent only: the integral is the same along any path between the same poles.
    """
    low, high = np.full_like(variances, -60.0), np.full_like(variances, 34.0)
    for _ in range(14):  # bisects the logit of its share of the interval on which K is finite
        middle = (low + high) / 2
        s = 1 / (slopes.max() * (1 + np.exp(-middle)))
        below = (counts * slopes / (1 - slopes * s[:, None])).sum(1) * s + variances * s**2 < 1
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return 1 / (slopes.max() * (1 + np.exp(-low)))
