"""The gap between two test sets, had their images been selected alike."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from curate.errors import CurateError
from curate.retest.gap.pairing import same_models
from curate.retest.gap.predictions import read_predictions
from curate.retest.selection.binned import binned_accuracy, jackknifed_accuracy
from curate.retest.selection.mixture import mixture_accuracy
from curate.retest.selection.result import ESTIMATORS, SelectionCorrectedGap
from curate.retest.selection.votes import Votes, check_votes, gather
from curate.stats import generator

_TOGETHER = 20  # resamples in memory


def selection_corrected_gap(
    original: Any,
    new: Any,
    *,
    selected: Sequence[Any],
    shown: Sequence[Any],
    rename: Mapping[str, str] | None = None,
    resamples: int = 200,
    seed: int = 0,
) -> SelectionCorrectedGap:
    """Correct a gap for how often annotators select the images (Engstrom et al., 2020).

    A new set that is matched to the original one by votes of few annotators is harder than it
    looks: its pool holds more doubtful images, of which some were lucky. The gap that is left,
    had the images of the new set the true selection frequencies of the original ones, is

    E[right | original] - E_{s of original} E[right | new, frequency s].

    It is estimated by matching measured frequencies (``naive``, still biased), by the jackknife
    over annotators, and by a beta-binomial mixture. The votes must be fresh: not those by which
    the images were chosen.

    Args:
        original: predictions with labels, as for :func:`curate.retest.accuracy_gap`.
        new: predictions on the new set, with labels.
        selected: of the original and of the new set, for every image how many annotators
            selected it for its label, in the order of rows.
        shown: of both sets, how many annotators saw each image, or one number for all; at least
            two each.
        rename: a model's name in the one table -> its name in the other.
        resamples: of the bootstrap over images, for the intervals.
        seed: of the bootstrap.

    Raises:
        CurateError: predictions or votes that cannot be used, or votes of one set only.
    """
    if isinstance(resamples, bool) or not isinstance(resamples, int) or resamples < 100:
        raise CurateError(f"resamples: {resamples}; give at least 100")
    rng = generator(seed)
    sides = same_models(
        read_predictions(original, "original"), read_predictions(new, "new"), rename, 1
    )
    given = []
    for what, pair in (("selected", selected), ("shown", shown)):
        both = tuple(pair) if isinstance(pair, Sequence) and not isinstance(pair, str) else ()
        if len(both) != 2 or both[0] is None or both[1] is None:
            raise CurateError(
                f"{what}: give those of the original and of the new set, a pair; votes of one set "
                "alone would correct one side only"
            )
        given.append(both)
    votes = [
        check_votes(given[0][row], given[1][row], len(side), side.name)
        for row, side in enumerate(sides)
    ]

    def estimates(draws: Sequence[np.ndarray]) -> np.ndarray:
        """The gap of every draw by every estimator: (draws, estimators, models)."""
        first, second = (
            gather(*vote, side.correct, draw)
            for vote, side, draw in zip(votes, sides, draws, strict=True)
        )
        return _gaps(first, second)

    whole = estimates([np.ones((1, len(side))) for side in sides])[0]
    again = []
    for start in range(0, resamples, _TOGETHER):
        count = min(_TOGETHER, resamples - start)
        again.append(estimates([_draws(len(side), count, rng) for side in sides]))
    return SelectionCorrectedGap(
        table=_table(list(sides[0].models), whole, np.concatenate(again)),
        mean=_table(
            ["mean"], whole.mean(-1, keepdims=True), np.concatenate(again).mean(-1)[..., None]
        ),
        images=(len(sides[0]), len(sides[1])),
        frequencies=(
            float((votes[0][0] / votes[0][1]).mean()),
            float((votes[1][0] / votes[1][1]).mean()),
        ),
    )


def _gaps(original: Votes, new: Votes) -> np.ndarray:
    accuracies = [
        votes.right.sum(-1) / votes.images.sum(-1, keepdims=True) for votes in (original, new)
    ]
    annotators = int(min(original.shown.min(), new.shown.min()))
    corrected = (
        accuracies[1],
        binned_accuracy(original, new, annotators),
        jackknifed_accuracy(original, new),
        mixture_accuracy(original, new),
    )
    return np.stack([accuracies[0] - one for one in corrected], axis=1)


def _draws(images: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """How often each image is drawn, in so many resamples: float64 (count, images)."""
    return np.stack(
        [np.bincount(rng.integers(0, images, images), minlength=images) for _ in range(count)]
    ).astype(float)


def _table(models: list[str], whole: np.ndarray, again: np.ndarray) -> pa.Table:
    columns: dict[str, Any] = {"model": models}
    low, high = np.quantile(again, (0.025, 0.975), axis=0)
    for row, name in enumerate(ESTIMATORS):
        columns |= {name: whole[row], f"{name}_low": low[row], f"{name}_high": high[row]}
    return pa.table(columns)
