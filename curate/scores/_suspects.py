"""Whose label is likely wrong? A list with an estimated precision."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from curate.errors import CurateError
from curate.notebook import Shown
from curate.scores._label_noise import label_noise_table
from curate.table._as_table import as_table
from curate.table.column import floats, require

_FEWEST = 30  # suspects, and injected labels below a threshold, for a ratio that means something
_MOST = 0.6  # share of the labels that are looked at
_TOLD = 10  # labels below a threshold that lies in the tail of the injected ones, to be believed
_TAIL = 0.5


@dataclass(frozen=True, eq=False)
class Suspects(Shown):
    """Examples whose label is likely wrong, and how many of them may be.

    Attributes:
        by: the score that ranks them: ``"mislabel"``, or ``"aum"`` where the table has no evidence
            from outside of training.
        threshold: suspects score at most this; -inf where there are none.
        precision: estimated share of the suspects whose label is wrong; None without suspects, and
            by ``"aum"``, where it cannot be told.
        noise: estimated share of wrong labels in the whole table; None by ``"aum"``.
        examples: rows whose score is known.
        table: the suspects, the most doubtful first: ``example_id``, ``label`` where the table has
            it, and the score, named as ``by``, low = doubtful.
    """

    by: str
    threshold: float
    precision: float | None
    noise: float | None
    examples: int
    table: pa.Table

    def __len__(self) -> int:
        return len(self.table)

    def __repr__(self) -> str:
        return f"Suspects({len(self)} of {self.examples} labels by {self.by}, {self._how_sure()})"

    def __str__(self) -> str:
        said = f"{len(self):,} of {self.examples:,} labels are suspects, {self._how_sure()}"
        return said if self.noise is None else f"{said}; about {self.noise:.1%} of all are wrong"

    def _how_sure(self) -> str:
        if self.noise is None:
            return "how many are wrong is not known"
        if self.precision is None:
            return "no list is as precise"
        return f"about {self.precision:.0%} of them wrong"


def suspects(table: Any, features: Any = None, *, precision: float = 0.8) -> Suspects:
    """The examples whose label is likely wrong, the most doubtful first.

    With features, or the columns of :func:`label_noise_table`, the list is the longest of which
    about a share ``precision`` is wrong, as estimated by injected noise. With F(t) the share of
    labels, and G(t) that of injected wrong labels, that score at most t, no more than F / G of the
    labels can be wrong, at any t. Its smallest value is taken for the noise, and noise · G / F for
    the precision of the list up to t. It is right where people err as the injected labels do;
    ``docs/label_noise.md`` has how far it was off where they do not.

    What a recorder saw in training alone ranks by the area under the margin (Pleiss et al., NeurIPS
    2020): suspects are the labels whose logit was, in the mean over training, below another one.
    A short training has many such examples that are only hard, and a long one learns wrong labels
    by heart, so that no share can be told from it.

    Args:
        table: of a recorder, of :func:`label_noise_table`, or both joined.
        features: (rows, d) numbers in the order of the rows, of any network or
            :func:`curate.features.extract`; the table then needs ``label``.
        precision: the share of suspects to be wrong, in (0, 1); not used by ``"aum"``.

    Returns:
        The threshold and its suspects; none where no list of 30 or more is as precise.

    Raises:
        CurateError: a table without the columns, features that do not fit, or a precision out of
            range.
    """
    if not 0 < precision < 1:
        raise CurateError(f"precision: {precision!r}; give a share between 0 and 1")
    table = as_table(table)
    if features is not None:
        ids = require(table, "example_id")
        evidence = label_noise_table(features, _classes(table), ids=ids.combine_chunks())
        return _of_the_precision(evidence, precision)
    if "label_margin" in table.column_names:
        return _of_the_precision(table, precision)
    if "margin_mean" not in table.column_names:
        raise CurateError(
            "table: neither 'label_margin' nor 'margin_mean' is a column; give features, or the "
            "table of a recorder"
        )
    margins = floats(table, "margin_mean")
    order = _ranked(margins)
    chosen = order[margins[order] < 0]
    threshold = float(margins[chosen[-1]]) if len(chosen) else -np.inf
    listed = _listed(table, "aum", margins, chosen)
    return Suspects("aum", threshold, None, None, len(order), listed)


def _classes(table: pa.Table) -> np.ndarray:
    """(rows,) class indices."""
    labels = require(table, "label")
    if labels.null_count:
        raise CurateError(f"label: {labels.null_count} are not known; give rows that have one")
    found: np.ndarray = labels.to_numpy()
    return found


def _ranked(margins: np.ndarray) -> np.ndarray:
    """Rows whose margin is known, the smallest first."""
    rows = np.flatnonzero(~np.isnan(margins))
    found: np.ndarray = rows[np.argsort(margins[rows], kind="stable")]
    return found


def _of_the_precision(table: pa.Table, precision: float) -> Suspects:
    """The longest list of which about this share is wrong."""
    margins = floats(table, "label_margin")
    order = _ranked(margins)
    injected = floats(table, "injected_margin")
    injected = np.sort(injected[~np.isnan(injected)])
    noise = _noise(margins[order], injected)
    thresholds = np.unique(margins[order[_FEWEST - 1 : int(_MOST * len(order))]])
    below = np.searchsorted(margins[order], thresholds, side="right")
    wrong = np.searchsorted(injected, thresholds, side="right")
    precisions = noise * (wrong / max(1, len(injected))) / (below / max(1, len(order)))
    precisions[wrong < _FEWEST] = 0
    good = np.flatnonzero(precisions >= precision)
    threshold, estimated, size = -np.inf, None, 0
    if len(good):
        last = good[-1]
        threshold, estimated = float(thresholds[last]), float(precisions[last])
        size = int(below[last])
    listed = _listed(table, "mislabel", margins, order[:size])
    return Suspects("mislabel", threshold, estimated, noise, len(order), listed)


def _noise(margins: np.ndarray, injected: np.ndarray) -> float:
    """The share of wrong labels: F / G where it is smallest.

    That is looked for with both two standard errors to the safe side, else the smallest would be
    one of few labels that happens to be small; and taken halfway to there, as the smallest of many
    is too small still.

    Args:
        margins, injected: sorted.
    """
    at = injected[_FEWEST - 1 :]
    if not len(at) or not len(margins):
        return 0.0
    below = np.searchsorted(margins, at, side="right")
    wrong = np.searchsorted(injected, at, side="right")
    told = (below >= _TOLD) | (wrong >= _TAIL * len(injected))
    below, wrong = below[told], wrong[told]
    most = (below + 2 * np.sqrt(below + 1)) / len(margins)
    least = (wrong - 2 * np.sqrt(wrong)) / len(injected)
    best = int((most / least).argmin())
    plain = below[best] / len(margins) / (wrong[best] / len(injected))
    return min(1.0, float(np.sqrt(plain * most[best] / least[best])))


def _listed(table: pa.Table, name: str, values: np.ndarray, rows: np.ndarray) -> pa.Table:
    names = [column for column in ("example_id", "label") if column in table.column_names]
    return table.select(names).take(pa.array(rows)).append_column(name, pa.array(values[rows]))
