"""How much accuracy do models lose on a new test set, and does their order hold?"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from curate.errors import CurateError
from curate.retest.gap.classes import class_weights, of_classes
from curate.retest.gap.lines import SCALES, Accuracies, Line, fit_line
from curate.retest.gap.pairing import same_models
from curate.retest.gap.pairs import pair_table
from curate.retest.gap.predict import predict
from curate.retest.gap.predictions import Predictions, read_predictions
from curate.retest.gap.resampling import noise_of, resampled_accuracies
from curate.retest.gap.result import AccuracyGap
from curate.stats import clopper_pearson, competition_ranks, difference_interval, generator


def accuracy_gap(
    original: Any,
    new: Any,
    *,
    models: Mapping[str, Callable[[Any], Any]] | None = None,
    rename: Mapping[str, str] | None = None,
    classes: str | Sequence[int] | None = None,
    mix: str | Mapping[int, float] | None = None,
    resamples: int = 2000,
    seed: int = 0,
) -> AccuracyGap:
    """Compare models on an original and on a new test set (Recht et al., 2018 and 2019).

    Args:
        original: predictions on the original set: a table of pandas, Polars, DuckDB, pyarrow or
            datasets, a mapping of arrays, or the path of a Parquet file. Column ``label``: the
            class index; ``image`` or ``example_id``, if there is one, names the image; every
            other column of integers is the class that one model predicts. At least two models.
        new: predictions on the new set; models are matched by name.
        models: name -> a function from inputs to logits, such as a torch module. ``original`` and
            ``new`` are then batches of inputs and labels (see :func:`curate.retest.predict`).
        rename: a model's name in the one table -> its name in the other.
        classes: None: both sets must have all classes; "shared": only images of classes that
            both have; "all": every image; or the class indices that count.
        mix: the class mix that both are weighted to: "original", "new", "equal", or class ->
            share. None: as they are.
        resamples: of the bootstrap over images and models.
        seed: of the bootstrap.

    Returns:
        Accuracies, gaps, ranks, tests of every pair of models, lines, and what they say in words.

    Raises:
        CurateError: tables that cannot be used, fewer than two models in both, classes that one
            set lacks, or a set against itself.
    """
    if isinstance(resamples, bool) or not isinstance(resamples, int) or resamples < 100:
        raise CurateError(f"resamples: {resamples}; give at least 100")
    rng = generator(seed)
    if models is not None:
        original, new = predict(models, original), predict(models, new)
    sides = read_predictions(original, "original"), read_predictions(new, "new")
    sides = of_classes(*same_models(*sides, rename), classes)
    weights = class_weights(*sides, mix)
    first, second = (
        _accuracies(side, weight, resamples, rng)
        for side, weight in zip(sides, weights, strict=True)
    )
    effective = [_effective(side, weight) for side, weight in zip(sides, weights, strict=True)]
    names = sides[0].models
    order = np.argsort(-first.values, kind="stable")
    lines = [fit_line(name, first, second, rng) for name in SCALES] if len(names) > 2 else []
    change = first.resampled.mean(1) - second.resampled.mean(1)
    low, high = np.quantile(change, (0.025, 0.975))
    return AccuracyGap(
        models=tuple(names[row] for row in order),
        images=(len(sides[0]), len(sides[1])),
        table=_table(names, first, second, effective).take(order),
        accuracies=_intervals(names, (first, second), effective, order),
        pairs=pair_table(sides[0], sides[1], order),
        fits=_fits(lines),
        robustness=_robustness(names, lines).take(order),
        mean_gap=(float(first.values.mean() - second.values.mean()), float(low), float(high)),
        mix=mix if mix is None or isinstance(mix, str) else "given",
    )


def _accuracies(
    side: Predictions, weights: np.ndarray | None, resamples: int, rng: np.random.Generator
) -> Accuracies:
    correct = side.correct
    values = correct.mean(1) if weights is None else (correct @ weights) / weights.sum()
    return Accuracies(
        values,
        len(side),
        noise_of(correct, weights),
        resampled_accuracies(correct, resamples, rng, weights),
    )


def _effective(side: Predictions, weights: np.ndarray | None) -> float:
    """How many images of equal weight tell as much (Kish): all, where none weighs more."""
    return float(len(side)) if weights is None else float(weights.sum() ** 2 / (weights @ weights))


def _table(
    models: Sequence[str], first: Accuracies, second: Accuracies, effective: Sequence[float]
) -> pa.Table:
    low, high = difference_interval(first.values, effective[0], second.values, effective[1])
    # rounded, so that models which are right equally often tie whatever the weights add up to
    ranks = [competition_ranks(np.round(one.values, 12)) for one in (first, second)]
    return pa.table(
        {
            "model": list(models),
            "accuracy_original": first.values,
            "accuracy_new": second.values,
            "gap": first.values - second.values,
            "low": low,
            "high": high,
            "rank_original": ranks[0],
            "rank_new": ranks[1],
        }
    )


def _intervals(
    models: Sequence[str],
    sides: tuple[Accuracies, Accuracies],
    effective: Sequence[float],
    order: np.ndarray,
) -> pa.Table:
    rows = []
    for name, side, images in zip(("original", "new"), sides, effective, strict=True):
        for row in order.tolist():
            accuracy = float(side.values[row])
            right: Any = accuracy * images
            whole: Any = images
            if images == side.images:
                right, whole = round(right), side.images
            low, high = clopper_pearson(right, whole)
            rows.append(
                {
                    "model": models[row],
                    "set": name,
                    "images": side.images,
                    "accuracy": accuracy,
                    "low": low,
                    "high": high,
                }
            )
    return pa.Table.from_pylist(rows)


def _fits(lines: Sequence[Line]) -> pa.Table:
    numbers = ["slope", "intercept", "true_slope"]
    columns = [name + end for name in numbers for end in ("", "_low", "_high")]
    rows = []
    for line in lines:
        row: dict[str, Any] = {"scale": line.scale}
        for name in numbers:
            value, again = getattr(line, name)
            row[name] = value if np.isfinite(value) else None
            defined = again[np.isfinite(again)]
            # an interval of a number that many resamples leave undefined would be made up
            known = row[name] is not None and len(defined) >= 0.95 * len(again)
            ends = np.quantile(defined, (0.025, 0.975)).tolist() if known else [None, None]
            row[f"{name}_low"], row[f"{name}_high"] = ends
        row["r_squared"] = line.r_squared if np.isfinite(line.r_squared) else None
        row["reliability"] = line.reliability if np.isfinite(line.reliability) else None
        rows.append(row)
    kinds = [("scale", pa.string())]
    kinds += [(name, pa.float64()) for name in (*columns, "r_squared", "reliability")]
    return pa.Table.from_pylist(rows, pa.schema(kinds))


def _robustness(models: Sequence[str], lines: Sequence[Line]) -> pa.Table:
    empty = [None] * len(models)
    by_scale = {line.scale: line.robustness for line in lines}
    columns = {name: pa.array(by_scale.get(name, empty), pa.float64()) for name in SCALES}
    return pa.table({"model": list(models), **columns})
