"""How many suspects are too many? A threshold with an estimated precision."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from curate.errors import CurateError
from curate.table._as_table import as_table
from curate.table.column import floats

_FEWEST = 30  # suspects, and injected labels below a threshold, for a ratio that means something
_MOST = 0.6  # share of the labels that are looked at


@dataclass(frozen=True, eq=False)
class NoiseThreshold:
    """Labels below a threshold of the score ``mislabel``, and how many of them may be wrong.

    Attributes:
        threshold: labels that score at most this are suspects; -inf where there are none.
        precision: estimated share of the suspects whose label is wrong; None without suspects.
        noise: estimated share of wrong labels in the whole table.
        examples: rows whose score is known.
        table: the suspects, the most doubtful first: ``example_id``, ``label`` where the table has
            it, and ``mislabel``.
    """

    threshold: float
    precision: float | None
    noise: float
    examples: int
    table: pa.Table

    def __repr__(self) -> str:
        return f"NoiseThreshold({len(self.table)} of {self.examples} labels, {self._how_sure()})"

    def __str__(self) -> str:
        return (
            f"{len(self.table):,} of {self.examples:,} labels are suspects, {self._how_sure()}; "
            f"about {self.noise:.1%} of all labels are wrong"
        )

    def _how_sure(self) -> str:
        if self.precision is None:
            return "no list is as precise"
        return f"about {self.precision:.0%} of them wrong"


def noise_threshold(table: Any, precision: float = 0.8) -> NoiseThreshold:
    """The longest list of suspects of which about this share is wrong, by injected noise.

    With F(t) the share of labels, and G(t) that of injected wrong labels, that score at most t, no
    more than F / G of the labels can be wrong, at any t. Its smallest value is taken for the noise,
    and noise · G / F for the precision of the list up to t. It is right where people err as the
    injected labels do; ``docs/label_noise.md`` has how far it was off where they do not.

    Args:
        table: of :func:`label_noise_table`, also joined to an example table.
        precision: the share of suspects to be wrong, in (0, 1).

    Returns:
        The threshold and its suspects; none where no list of 30 or more is as precise.

    Raises:
        CurateError: a table without the columns, or a precision out of range.
    """
    if not 0 < precision < 1:
        raise CurateError(f"precision: {precision!r}; give a share between 0 and 1")
    table = as_table(table)
    margins = floats(table, "label_margin")
    rows = np.flatnonzero(~np.isnan(margins))
    order = rows[np.argsort(margins[rows], kind="stable")]
    injected = floats(table, "injected_margin")
    injected = np.sort(injected[~np.isnan(injected)])
    noise = _noise(margins[order], injected)
    thresholds = np.unique(margins[order[_FEWEST - 1 : int(_MOST * len(order))]])
    below = np.searchsorted(margins[order], thresholds, side="right")
    wrong = np.searchsorted(injected, thresholds, side="right")
    precisions = noise * (wrong / max(1, len(injected))) / (below / max(1, len(order)))
    precisions[wrong < _FEWEST] = 0
    good = np.flatnonzero(precisions >= precision)
    if not len(good):
        return NoiseThreshold(-np.inf, None, noise, len(rows), _listed(table, margins, order[:0]))
    last = good[-1]
    chosen = _listed(table, margins, order[: below[last]])
    return NoiseThreshold(
        float(thresholds[last]), float(precisions[last]), noise, len(rows), chosen
    )


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
    most = (below + 2 * np.sqrt(below + 1)) / len(margins)
    least = (wrong - 2 * np.sqrt(wrong)) / len(injected)
    best = int((most / least).argmin())
    plain = below[best] / len(margins) / (wrong[best] / len(injected))
    return min(1.0, float(np.sqrt(plain * most[best] / least[best])))


def _listed(table: pa.Table, margins: np.ndarray, rows: np.ndarray) -> pa.Table:
    names = [name for name in ("example_id", "label") if name in table.column_names]
    return (
        table.select(names).take(pa.array(rows)).append_column("mislabel", pa.array(margins[rows]))
    )
