"""Are the examples that give their source away also those that were forgotten?"""

import math
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from curate.bias.identification.result import Identification, printable
from curate.errors import CurateError
from curate.scores import score
from curate.table import join

_LEVEL = 1.96  # standard errors on either side


@dataclass(frozen=True, eq=False, repr=False)
class MarginForgetting:
    """How forgetting goes with being told apart, for one source.

    Attributes:
        source: its name.
        correlation: Spearman's rank correlation of ``source_margin`` (out of fold) with how often
            an example was forgotten; an example never learned counts as forgotten most. Negative:
            what gives its source away is forgotten less.
        interval: 95 %, by Fisher's transform with the variance of Bonett & Wright (2000).
        p_value: of no correlation, two-sided, by the t approximation.
        examples: joined ones with both values known.
        quartiles: one row per quarter by ``source_margin`` (1: the least telling): ``quartile``,
            ``examples``, ``margin_low``, ``margin_high``, ``forgetting_events`` (mean),
            ``never_learned`` and ``unforgettable`` (shares).
    """

    source: str
    correlation: float
    interval: tuple[float, float]
    p_value: float
    examples: int
    quartiles: pa.Table

    @property
    def table(self) -> pa.Table:
        """The quartiles."""
        return self.quartiles

    def __repr__(self) -> str:
        return (
            f"MarginForgetting({printable(self.source)!r}, correlation {self.correlation:+.3f}, "
            f"p = {self.p_value:.2g}, {self.examples:,} examples)"
        )

    def __str__(self) -> str:
        """A sentence, and one line per quartile."""
        low, high = self.interval
        lines = [
            f"{self.source}: rank correlation of source margin and forgetting "
            f"{self.correlation:+.3f} (95 % interval {low:+.3f} to {high:+.3f}, "
            f"p = {self.p_value:.2g}, {self.examples:,} examples)",
            f"{'quarter by margin':<20} {'examples':>9} {'events':>7} {'never learned':>14} "
            f"{'unforgettable':>14}",
        ]
        for row in self.quartiles.to_pylist():
            name = {1: "least telling", 4: "most telling"}.get(row["quartile"], "")
            lines.append(
                f"{row['quartile']} {name:<18} {row['examples']:>9,} "
                f"{row['forgetting_events']:>7.2f} {row['never_learned']:>14.1%} "
                f"{row['unforgettable']:>14.1%}"
            )
        return "\n".join(lines)


def margin_vs_forgetting(
    found: Identification, source: str, example_table: pa.Table
) -> MarginForgetting:
    """Join the out-of-fold margins of one source to its forgetting statistics.

    Args:
        found: a game that the source took part in.
        source: its name there.
        example_table: what ``curate.Recorder`` recorded of its examples, with the same ids.

    Raises:
        CurateError: an unknown source, a table without forgetting statistics, or fewer than four
            examples in common.
    """
    joined = join(example_table, found.columns(source).select(["example_id", "source_margin"]))
    margin = joined["source_margin"].to_numpy()
    forgotten = score(joined, "forgetting")
    known = ~np.isnan(margin) & ~np.isnan(forgotten)
    if known.sum() < 4:
        raise CurateError(
            f"example_table: {int(known.sum())} of its examples are in {source!r} and have "
            "forgetting statistics; give the table of that source, with its ids"
        )
    rows = joined.filter(pa.array(known))
    margin, forgotten = margin[known], forgotten[known]
    from scipy.stats import spearmanr

    correlation, p_value = (float(value) for value in spearmanr(margin, _ranked(forgotten)))
    return MarginForgetting(
        source, correlation, _interval(correlation, len(margin)), p_value, len(margin),
        _quartiles(rows, margin, np.isinf(forgotten)),
    )  # fmt: skip


def _ranked(forgotten: np.ndarray) -> np.ndarray:
    """Ranks, for never learned is infinite."""
    return np.unique(forgotten, return_inverse=True)[1]


def _interval(correlation: float, count: int) -> tuple[float, float]:
    if not abs(correlation) < 1 or count < 5:
        return (correlation, correlation) if abs(correlation) == 1 else (-1.0, 1.0)
    middle = math.atanh(correlation)
    half = _LEVEL * math.sqrt((1 + correlation**2 / 2) / (count - 3))
    return math.tanh(middle - half), math.tanh(middle + half)


def _quartiles(rows: pa.Table, margin: np.ndarray, never: np.ndarray) -> pa.Table:
    events = rows["forgetting_events"].to_numpy().astype(np.float64)
    order = np.argsort(margin, kind="stable")
    found = []
    for quarter, own in enumerate(np.array_split(order, 4), start=1):
        found.append(
            {
                "quartile": quarter,
                "examples": len(own),
                "margin_low": float(margin[own].min()),
                "margin_high": float(margin[own].max()),
                "forgetting_events": float(events[own].mean()),
                "never_learned": float(never[own].mean()),
                "unforgettable": float((~never[own] & (events[own] == 0)).mean()),
            }
        )
    return pa.Table.from_pylist(found)
