"""Which part of a gap is due to duplicates, wrong labels, classes, or doubtful images?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from curate.errors import CurateError
from curate.retest.gap.pairing import same_models
from curate.retest.gap.predictions import Predictions, read_predictions
from curate.retest.gap.resampling import resampled_accuracies
from curate.stats import generator

_BINS = 10
Pair = Sequence[Any]


@dataclass(frozen=True, eq=False, repr=False)
class GapParts:
    """A gap, and what it is after each correction alone. The parts overlap: they do not add up.

    Attributes:
        table: one row per part: part; correction (leave out, relabel, reweight);
            touched_original and touched_new, the images of each set that it touches, of
            images_original and images_new that it was measured on; gap, the mean over models as
            it is; corrected, the same with the correction; change with its low and high (95 %,
            bootstrap over images).
        models: one row per part and model: part, model, gap, corrected.
    """

    table: pa.Table
    models: pa.Table

    def __repr__(self) -> str:
        return f"GapParts({', '.join(self.table['part'].to_pylist())})"[:99]

    def __str__(self) -> str:
        lines = [
            f"{row['part']} ({row['correction']}): {100 * row['gap']:.2f} → "
            f"{100 * row['corrected']:.2f} points, a change of {100 * row['change']:+.2f} (95 %: "
            f"{100 * row['low']:+.2f} to {100 * row['high']:+.2f}); measured on both sets, "
            f"{row['touched_original']:,} of {row['images_original']:,} original and "
            f"{row['touched_new']:,} of {row['images_new']:,} new images are touched"
            for row in self.table.to_pylist()
        ]
        return "\n".join([*lines, "The parts overlap and do not add up."])


def gap_parts(
    original: Any,
    new: Any,
    *,
    leave_out: Mapping[str, Pair] | None = None,
    relabel: Mapping[str, Pair] | None = None,
    reweight: Mapping[str, Pair] | None = None,
    rename: Mapping[str, str] | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> GapParts:
    """Measure a gap again without one of its possible causes.

    Every cause must have been measured on both sets: a correction of one side moves the gap by
    itself. (With labels cleaned on the old set only, ImageNet's gap seems to double.) Where one
    set has none of it, say so: give a mask of False.

    Args:
        original: predictions with labels, as for :func:`curate.retest.accuracy_gap`.
        new: predictions on the new set, with labels.
        leave_out: part -> masks of both sets, bool (images,): images that do not count, such as
            duplicates of training images.
        relabel: part -> labels of both sets, int (images,), such as corrected ones; -1 where an
            image has no right label: it does not count.
        reweight: part -> a kind of every image of both sets (images,), such as its class or its
            human agreement: new images are weighted so that kinds are as frequent as in the
            original set. Fractions are cut into ten kinds.
        rename: a model's name in the one table -> its name in the other.
        resamples: of the bootstrap over images.
        seed: of the bootstrap.

    Raises:
        CurateError: predictions that cannot be used, a part that is measured on one set only or
            for another number of images, or a kind of image that the new set lacks.
    """
    sides = same_models(
        read_predictions(original, "original"), read_predictions(new, "new"), rename, 1
    )
    asked = [
        (correction, name, pair)
        for correction, given in (
            ("leave out", leave_out),
            ("relabel", relabel),
            ("reweight", reweight),
        )
        for name, pair in (given or {}).items()
    ]
    if not asked:
        raise CurateError("leave_out: no part is named; give one by leave_out, relabel or reweight")
    before = [_resampled(side, None, resamples, seed, row) for row, side in enumerate(sides)]
    rows, by_model = [], []
    for correction, name, pair in asked:
        values = _both(name, pair, sides)
        if correction == "leave out":
            changed, touched = _left_out(name, values, sides)
        elif correction == "relabel":
            changed, touched = _relabelled(name, values, sides)
        else:
            changed, touched = _reweighted(name, values, sides)
        after = [
            _resampled(side, weights, resamples, seed, row)
            for row, (side, weights) in enumerate(changed)
        ]
        gap, corrected = (one[0][0] - one[1][0] for one in (before, after))
        moved = [(one[0][1] - one[1][1]).mean(1) for one in (before, after)]
        low, high = np.quantile(moved[1] - moved[0], (0.025, 0.975)).tolist()
        rows.append(
            {
                "part": name,
                "correction": correction,
                "touched_original": touched[0],
                "images_original": len(sides[0]),
                "touched_new": touched[1],
                "images_new": len(sides[1]),
                "gap": float(gap.mean()),
                "corrected": float(corrected.mean()),
                "change": float((corrected - gap).mean()),
                "low": low,
                "high": high,
            }
        )
        for model, one, other in zip(
            sides[0].models, gap.tolist(), corrected.tolist(), strict=True
        ):
            by_model.append({"part": name, "model": model, "gap": one, "corrected": other})
    return GapParts(pa.Table.from_pylist(rows), pa.Table.from_pylist(by_model))


Changed = list[tuple[Predictions, np.ndarray | None]]
Sides = tuple[Predictions, Predictions]


def _resampled(
    side: Predictions, weights: np.ndarray | None, resamples: int, seed: int, row: int
) -> tuple[np.ndarray, np.ndarray]:
    """Accuracies (models,), and in resamples (resamples, models): the same images every time."""
    correct = side.correct
    values = correct.mean(1) if weights is None else (correct @ weights) / weights.sum()
    return values, resampled_accuracies(correct, resamples, generator(seed, row), weights)


def _both(name: str, pair: Any, sides: Sides) -> list[np.ndarray]:
    given = list(pair) if isinstance(pair, Sequence) and not isinstance(pair, str) else []
    if len(given) != 2 or given[0] is None or given[1] is None:
        raise CurateError(
            f"{name}: it is measured on one set only; a correction of one side moves the gap by "
            "itself, so give a pair, of the original and of the new set"
        )
    values = [np.asarray(one) for one in given]
    for side, one in zip(sides, values, strict=True):
        if one.shape != (len(side),):
            raise CurateError(
                f"{name}: of {side.name} it has the shape {one.shape}; give one value for each of "
                f"its {len(side)} images, in the order of rows"
            )
    return values


def _left_out(name: str, masks: list[np.ndarray], sides: Sides) -> tuple[Changed, list[int]]:
    changed: Changed = []
    for side, mask in zip(sides, masks, strict=True):
        if mask.dtype != bool or mask.all():
            raise CurateError(
                f"{name}: of {side.name} it is {mask.dtype} with {int(mask.astype(bool).sum())} of "
                f"{len(side)} left out; give a mask that leaves some images"
            )
        changed.append((side, (~mask).astype(float)))
    return changed, [int(mask.sum()) for mask in masks]


def _relabelled(name: str, labels: list[np.ndarray], sides: Sides) -> tuple[Changed, list[int]]:
    changed: Changed = []
    touched = []
    for side, right in zip(sides, labels, strict=True):
        if right.dtype.kind not in "iu" or right.min() < -1 or right.max() < 0:
            raise CurateError(
                f"{name}: of {side.name} it is {right.dtype}; give class indices, -1 for none"
            )
        other = replace(side, labels=right.astype(np.int64))
        changed.append((other, (right >= 0).astype(float)))
        touched.append(int((right != side.classes).sum()))
    return changed, touched


def _reweighted(name: str, kinds: list[np.ndarray], sides: Sides) -> tuple[Changed, list[int]]:
    if any(one.dtype.kind == "f" for one in kinds):
        numbers = np.concatenate([one.astype(float) for one in kinds])
        if not np.isfinite(numbers).all():
            raise CurateError(f"{name}: some values are not finite; give a number for every image")
        edges = np.unique(np.quantile(numbers, np.linspace(0, 1, _BINS + 1)[1:-1]))
        kinds = [np.searchsorted(edges, one, side="right") for one in kinds]
    names, of_original = np.unique(kinds[0], return_inverse=True)
    lacks = names[~np.isin(names, kinds[1])]
    if len(lacks):
        raise CurateError(
            f"{name}: {sides[1].name} has no image of the kind {lacks[0]!r}, which "
            f"{sides[0].name} has; give coarser kinds"
        )
    wanted = np.bincount(of_original) / len(sides[0])
    place = np.minimum(np.searchsorted(names, kinds[1]), len(names) - 1)
    known = names[place] == kinds[1]  # a kind that the original set lacks has no weight
    has = np.bincount(place[known], minlength=len(names))
    weights = np.where(known, (wanted / has)[place], 0.0) * len(sides[1])
    return [(sides[0], None), (sides[1], weights)], [0, int((np.abs(weights - 1) > 1e-9).sum())]
