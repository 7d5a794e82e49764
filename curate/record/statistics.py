"""What is kept of the statistics of an example's presentations, and the columns they feed.

A new statistic takes five files: compute it in ``outcomes.py`` (in ``multiclass`` and
``multilabel``; a sequence's is its mean over tokens), name it here, describe its column and how
runs merge in ``curate/table/schema.py``, compute it once more, slowly, in
``tests/record/reference.py``, and give it a row in ``docs/recording.md``. One over a window of an
example's presentations is a class of its own: see ``windowed/registry.py``.
"""

from typing import Literal, NamedTuple

from torch import Tensor

Statistics = dict[str, Tensor]
"""Name -> (N,) float: statistics of N presentations, anything where logits are not finite.

``loss``, ``margin``, ``confidence`` and ``el2n``, for sequences also ``tokens_correct``; where TDDS
is recorded ``log_ratios``, (N, C - 1), see windowed/temporal.py.
"""


class Kept(NamedTuple):
    """A float64 per example that is kept of one statistic, and the table's column made of it."""

    statistic: str
    how: Literal["sum", "sum of squares", "last"]
    column: str


SUMS = (
    Kept("loss", "sum", "loss_mean"),
    Kept("margin", "sum", "margin_mean"),
    Kept("confidence", "sum", "confidence_mean"),
    Kept("confidence", "sum of squares", "confidence_std"),
    Kept("el2n", "sum", "el2n_mean"),
)
"""Columns that are means over presentations, or a standard deviation (of the sum before)."""

SEQUENCE_SUMS = (Kept("tokens_correct", "sum", "tokens_correct_mean"),)
"""The same, of sequences only."""

LASTS = (Kept("loss", "last", "last_loss"), Kept("margin", "last", "margin_last"))
"""Columns that are the value at the last presentation."""

STATISTICS = tuple(dict.fromkeys(kept.statistic for kept in SUMS))
"""The names that every kind of classification computes, in the order of :data:`SUMS`."""


def names_of(sequences: bool) -> tuple[str, ...]:
    """The statistics of a run, in a fixed order."""
    return (*STATISTICS, *(kept.statistic for kept in SEQUENCE_SUMS if sequences))
