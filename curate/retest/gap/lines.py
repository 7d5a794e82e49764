"""The line from the original accuracy to the new one, on three scales."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

SCALES = ("linear", "logit", "probit")


@dataclass(frozen=True)
class Scale:
    """A way to stretch 0..1: ``to`` it, ``back`` from it, and the ``slope`` of ``to``."""

    to: Callable[[np.ndarray], np.ndarray]
    back: Callable[[np.ndarray], np.ndarray]
    slope: Callable[[np.ndarray], np.ndarray]


def scale(name: str) -> Scale:
    """The scale of this name (:data:`SCALES`)."""
    from scipy.special import expit, logit, ndtr, ndtri

    if name == "linear":
        return Scale(lambda p: p, lambda x: x, np.ones_like)
    if name == "logit":
        return Scale(logit, expit, lambda p: 1 / (p * (1 - p)))
    return Scale(ndtri, ndtr, lambda p: np.sqrt(2 * np.pi) * np.exp(ndtri(p) ** 2 / 2))


def inside(accuracies: np.ndarray, images: int) -> np.ndarray:
    """Accuracies at least half an image away from 0 and 1, where logit and probit end."""
    least = 0.5 / images
    return np.clip(accuracies, least, 1 - least)


@dataclass(frozen=True)
class Moments:
    """Weighted moments of x and y over models: (...,) each."""

    mean_x: np.ndarray
    mean_y: np.ndarray
    xx: np.ndarray
    xy: np.ndarray
    yy: np.ndarray


def moments(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> Moments:
    """Means, variances and covariance over the last axis; weights sum to 1 over it."""
    mean_x, mean_y = (weights * x).sum(-1), (weights * y).sum(-1)
    dx, dy = x - mean_x[..., None], y - mean_y[..., None]
    xx, xy, yy = ((weights * a * b).sum(-1) for a, b in ((dx, dx), (dx, dy), (dy, dy)))
    return Moments(mean_x, mean_y, xx, xy, yy)


def noise_within(noise: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """What noise of this covariance adds to the weighted variance over models.

    Args:
        noise: float64 (models, models).
        weights: float64 (..., models), of sum 1.

    Returns:
        float64 (...).
    """
    return weights @ np.diagonal(noise) - ((weights @ noise) * weights).sum(-1)


@dataclass(frozen=True, eq=False)
class Accuracies:
    """Accuracies of the same models on one set, and how far chance moves them.

    Attributes:
        values: float64 (models,).
        images: that they were measured on.
        noise: float64 (models, models), their covariance over samples of images.
        resampled: float64 (resamples, models), the bootstrap over images.
    """

    values: np.ndarray
    images: int
    noise: np.ndarray
    resampled: np.ndarray


@dataclass(frozen=True, eq=False)
class Line:
    """A least-squares line of new on original accuracies, on one scale.

    Attributes:
        scale: its name.
        slope: with its bootstrap values, float64 (resamples,).
        intercept: the same.
        r_squared: share of the variance of the new accuracies that the line explains.
        reliability: share of the variance of the original accuracies that is not noise of the
            finite set; a slope is too flat by this factor.
        true_slope: the slope over the reliability, with bootstrap values; NaN where reliability
            is 0.
        robustness: float64 (models,), new accuracies less what the line expects.
    """

    scale: str
    slope: tuple[float, np.ndarray]
    intercept: tuple[float, np.ndarray]
    r_squared: float
    reliability: float
    true_slope: tuple[float, np.ndarray]
    robustness: np.ndarray


def fit_line(name: str, original: Accuracies, new: Accuracies, rng: np.random.Generator) -> Line:
    """Fit a line, and again in resamples of images and of models.

    Args:
        name: of the scale.
        original: at least three models.
        new: the same models.
        rng: draws the models.
    """
    stretched = scale(name)
    models = len(original.values)
    resamples = len(original.resampled)
    x, y = (stretched.to(inside(one.values, one.images)) for one in (original, new))
    alike = np.full(models, 1 / models)
    point = moments(x, y, alike)
    steepness = stretched.slope(inside(original.values, original.images))
    noise = original.noise * np.outer(steepness, steepness)
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = float(point.xy / point.xx)
        reliability = float(np.clip(1 - noise_within(noise, alike) / point.xx, 0, 1))
        true_slope = slope / reliability if reliability > 0 else float("nan")
        draws = rng.multinomial(models, alike, resamples) / models
        again = moments(
            stretched.to(inside(original.resampled, original.images)),
            stretched.to(inside(new.resampled, new.images)),
            draws,
        )
        slopes = again.xy / again.xx
        # a resample has the noise of the sample, and once more its own
        rest = again.xx - 2 * noise_within(noise, draws)
        true_slopes = np.where(rest > 0, again.xy / rest, np.nan)
        r_squared = float(point.xy**2 / (point.xx * point.yy))
    intercept = float(point.mean_y - slope * point.mean_x)
    return Line(
        name,
        (slope, slopes),
        (intercept, again.mean_y - slopes * again.mean_x),
        r_squared,
        reliability,
        (true_slope, true_slopes),
        new.values - stretched.back(slope * x + intercept),
    )
