"""Accuracy on a set without labels, from how often models agree on it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from curate.errors import CurateError
from curate.retest.agreement.counts import Counts, count
from curate.retest.agreement.on_the_line import OnTheLine, estimate
from curate.retest.agreement.result import AccuracyByAgreement
from curate.retest.gap.pairing import same_models
from curate.retest.gap.predictions import read_predictions
from curate.stats import generator

_PARTS = 40  # of each set, left out one by one
_LINE_ERROR = 0.1  # of the shift: how far the lines of accuracy and agreement differ


def accuracy_by_agreement(
    original: Any,
    new_predictions: Any,
    *,
    rename: Mapping[str, str] | None = None,
    level: float = 0.95,
    seed: int = 0,
) -> AccuracyByAgreement:
    """Estimate accuracies on a new set without its labels (Baek et al., 2022, ALine-D).

    Models that are right often agree often. Agreement of pairs on both sets, and accuracies on
    the original one, give the accuracies on the new one, as far as both follow one line on the
    probit scale. They do on new sets that were collected as the original was, less so on sets
    of harder classes or images: there the estimate goes some of the way only.

    Intervals add up four errors: a sample of images (each set in 40 parts, left out one by one),
    the choice of models (left out one by one), the spread of the models about the line, and a
    tenth of the shift, by which the lines of accuracy and agreement differ from each other.

    Args:
        original: predictions with labels, as for :func:`curate.retest.accuracy_gap`.
        new_predictions: predictions on the new set; a column ``label`` is not looked at.
        rename: a model's name in the one table -> its name in the other.
        level: of the intervals.
        seed: deals the images to the parts.

    Raises:
        CurateError: tables that cannot be used, fewer than three models in both, fewer than two
            images, or a set against itself.
    """
    if not 0 < level < 1:
        raise CurateError(f"level: {level}; give a number between 0 and 1, such as 0.95")
    rng = generator(seed)
    first = read_predictions(original, "original")
    second = read_predictions(new_predictions, "new_predictions", labelled=False)
    first, second = same_models(first, replace(second, labels=None), rename, 3)
    counts = []
    for side, labelled in ((first, True), (second, False)):
        if len(side) < 2:
            raise CurateError(f"{side.name}: one image; give at least two")
        counts.append(count(side, min(_PARTS, len(side)), rng, labelled=labelled))
    found, estimates, low, high = with_intervals(counts[0], counts[1], level)
    table = pa.table({"model": list(first.models), "accuracy": estimates, "low": low, "high": high})
    return AccuracyByAgreement(
        table=table,
        pairs=_pairs(first.models, *counts),
        slope=found.slope,
        intercept=found.intercept,
        r_squared=found.r_squared,
        images=(len(first), len(second)),
        level=level,
    )


def with_intervals(
    original: Counts, new: Counts, level: float
) -> tuple[OnTheLine, np.ndarray, np.ndarray, np.ndarray]:
    """The line, and for every model the estimate and both ends of its interval, in 0..1."""
    from scipy.special import ndtr, ndtri

    found = estimate(original.shares(), new.shares())
    spread = 1.4826 * float(np.median(np.abs(found.above - np.median(found.above))))
    variance = _variance(original, new) + spread**2 + (_LINE_ERROR * found.shift) ** 2
    reach = float(ndtri((1 + level) / 2)) * np.sqrt(variance)
    low, high = ndtr(found.probits - reach), ndtr(found.probits + reach)
    return found, ndtr(found.probits), low, high


def _variance(original: Counts, new: Counts) -> np.ndarray:
    """Of the probits, by leaving out parts of either set and single models: (models,)."""
    whole = original.shares(), new.shares()
    without_old = [
        estimate(original.shares(part), whole[1]) for part in range(len(original.images))
    ]
    without_new = [estimate(whole[0], new.shares(part)) for part in range(len(new.images))]
    variance = _jackknife(without_old) + _jackknife(without_new)
    models = len(variance)
    if models < 4:  # three less one make no line
        return variance
    left_out = np.full((models, models), np.nan)
    for row in range(models):
        kept = np.arange(models) != row
        left_out[row, kept] = estimate(whole[0].of(kept), whole[1].of(kept)).probits
    apart = left_out - np.nanmean(left_out, 0)
    return np.asarray(variance + (models - 1) / models * np.nansum(apart**2, 0))


def _jackknife(found: list[OnTheLine]) -> np.ndarray:
    probits = np.stack([one.probits for one in found])
    return np.asarray((len(found) - 1) * probits.var(0))


def _pairs(models: tuple[str, ...], original: Counts, new: Counts) -> pa.Table:
    first, second = np.triu_indices(len(models), 1)
    names = np.array(models, object)
    return pa.table(
        {
            "model_a": names[first].tolist(),
            "model_b": names[second].tolist(),
            "agreement_original": original.shares().agreement[first, second],
            "agreement_new": new.shares().agreement[first, second],
        }
    )
